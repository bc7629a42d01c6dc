//! Which pictures a pass draws, and in what order: a function of the seed, the pass and the labels alone, so
//! that a resumed run meets the same batches.
//!
//! [`SamplerKind::Balanced`] gives a picture a weight that is the product of
//!
//! - its age: the share of its [`BIN`]-year bin among all pictures, to the power -[`AGE_EXPONENT`];
//! - its gender: the share of its gender within that bin, to the power -[`GENDER_EXPONENT`]; none where it is
//!   not labelled;
//! - its set: the share of its data set, to the power -[`SET_EXPONENT`], times the set's own weight in
//!   [`SamplerConfig::set_weights`];
//! - its own weight, where labels were found wrong ([`Dataset::weight`]).
//!
//! The first three together are held within [`CAP`] times their mean, so that no face is seen without end. Of
//! n draws a picture has its share of all weights, rounded up or down by chance (systematic sampling): with
//! equal weights that is every picture once.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::batch::Dataset;
use super::crops::CropRow;
use super::labels::Gender;

/// Years of a bin. The middle of a range decides its bin.
pub const BIN: usize = 5;
/// Flattening of ages: 0 takes them as they come, 1 draws all bins equally often.
pub const AGE_EXPONENT: f64 = 0.5;
/// Flattening of genders within a bin of ages.
pub const GENDER_EXPONENT: f64 = 0.5;
/// Flattening of data sets.
pub const SET_EXPONENT: f64 = 0.5;
/// No picture weighs more than this times the mean, or less than the mean over this.
pub const CAP: f64 = 5.0;

/// How pictures are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum SamplerKind {
    /// Every picture once a pass.
    AsTheyCome,
    /// Rare ages, genders and sets more often.
    Balanced,
}

/// A way to draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SamplerConfig {
    /// Which kind.
    pub kind: SamplerKind,
    /// Factors on the weights of data sets, by name; 1 for those not named.
    pub set_weights: BTreeMap<String, f64>,
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { kind: SamplerKind::Balanced, set_weights: BTreeMap::new() }
    }
}

/// A picture of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draw {
    /// Its index in the [`Dataset`].
    pub picture: usize,
    /// How many times the pass has drawn it before: each copy is changed in its own way.
    pub copy: u32,
}

/// Draws from one [`Dataset`].
#[derive(Debug, Clone)]
pub struct DatasetSampler {
    /// Running sums of the weights, of which the last is 1.
    upto: Vec<f64>,
}

impl DatasetSampler {
    /// `None` if no picture has any weight.
    pub fn new(config: &SamplerConfig, data: &Dataset) -> Option<Self> {
        let mut weights = match config.kind {
            SamplerKind::AsTheyCome => vec![1.0; data.len()],
            SamplerKind::Balanced => balanced(data),
        };
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight *= config.set_weights.get(data.set_name(data.set_of(i))).copied().unwrap_or(1.0);
            *weight *= f64::from(data.weight(i));
        }
        let sum: f64 = weights.iter().sum();
        let mut so_far = 0.0;
        let upto = weights.iter().map(|weight| {
            so_far += weight;
            so_far / sum
        });
        (sum > 0.0 && sum.is_finite()).then(|| Self { upto: upto.collect() })
    }

    /// The `n` draws of a pass, shuffled.
    pub fn pass(&self, n: usize, seed: u64, pass: usize) -> Vec<Draw> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(pass as u64);
        let start: f64 = rng.random();
        let mut draws = Vec::with_capacity(n);
        let mut picture = 0;
        let mut copy = 0;
        for i in 0..n {
            let at = (i as f64 + start) / n as f64;
            while picture + 1 < self.upto.len() && self.upto[picture] <= at {
                picture += 1;
                copy = 0;
            }
            draws.push(Draw { picture, copy });
            copy += 1;
        }
        draws.shuffle(&mut rng);
        draws
    }
}

fn bin_of(row: &CropRow) -> usize {
    row.age().middle().clamp(0.0, 99.0) as usize / BIN
}

fn balanced(data: &Dataset) -> Vec<f64> {
    let mut ages = BTreeMap::<usize, f64>::new();
    let mut genders = BTreeMap::<(usize, Gender), f64>::new();
    let mut labelled = BTreeMap::<usize, f64>::new();
    let mut sets = BTreeMap::<usize, f64>::new();
    for i in 0..data.len() {
        let bin = bin_of(data.row(i));
        *ages.entry(bin).or_default() += 1.0;
        *sets.entry(data.set_of(i)).or_default() += 1.0;
        if let Some(gender) = data.row(i).gender {
            *genders.entry((bin, gender)).or_default() += 1.0;
            *labelled.entry(bin).or_default() += 1.0;
        }
    }
    let n = data.len() as f64;
    let weight = |i: usize| {
        let bin = bin_of(data.row(i));
        let age = (ages[&bin] / n).powf(-AGE_EXPONENT);
        let set = (sets[&data.set_of(i)] / n).powf(-SET_EXPONENT);
        // Twice the share: 1 where both genders are equally many, as where none is known.
        let share = |gender| 2.0 * genders[&(bin, gender)] / labelled[&bin];
        let gender = data.row(i).gender.map_or(1.0, |gender| share(gender).powf(-GENDER_EXPONENT));
        age * set * gender
    };
    let mut weights: Vec<f64> = (0..data.len()).map(weight).collect();
    let mean = weights.iter().sum::<f64>() / n;
    weights.iter_mut().for_each(|weight| *weight = weight.clamp(mean / CAP, mean * CAP));
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corrections::{Correction, GenderCorrection};
    use crate::data::crops::Crops;
    use crate::data::split::Part;
    use crate::data::toy;

    /// Age, whether female, own weight, and how many of them.
    type LabelledFace = (f32, bool, f32, usize);

    /// Data sets of such people.
    fn data(sets: &[(&str, &[LabelledFace])]) -> Dataset {
        let folder = tempfile::tempdir().unwrap();
        let mut corrections = Vec::new();
        for (name, people) in sets {
            let people = people.iter().flat_map(|person| std::iter::repeat_n(person, person.3));
            toy::write_labels(folder.path(), name, people.clone().map(|(age, female, ..)| (*age, *female)));
            corrections.extend(people.enumerate().map(|(i, (_, _, weight, _))| Correction {
                dataset: (*name).into(),
                file: format!("{i}.png"),
                weight: *weight,
                gender: GenderCorrection::Keep,
                reason: String::new(),
            }));
        }
        let sets = sets.iter().map(|(name, _)| Crops::open(folder.path(), name).unwrap()).collect();
        let mut data = Dataset::new(sets, Part::Train);
        data.correct(&corrections).unwrap();
        data
    }

    fn config(kind: SamplerKind) -> SamplerConfig {
        SamplerConfig { kind, set_weights: BTreeMap::new() }
    }

    /// Share of the draws that meet a condition.
    fn share(data: &Dataset, draws: &[Draw], of: impl Fn(&Dataset, usize) -> bool) -> f64 {
        draws.iter().filter(|draw| of(data, draw.picture)).count() as f64 / draws.len() as f64
    }

    #[test]
    fn as_they_come_is_every_picture_once() {
        let data = data(&[("a", &[(20.0, true, 1.0, 30), (70.0, false, 1.0, 7)])]);
        let sampler = DatasetSampler::new(&config(SamplerKind::AsTheyCome), &data).unwrap();
        let mut draws = sampler.pass(37, 4, 2);
        assert_ne!(draws, sampler.pass(37, 4, 3));
        assert_ne!(draws, sampler.pass(37, 5, 2));
        assert_eq!(draws, sampler.pass(37, 4, 2));
        assert!(!draws.is_sorted());
        draws.sort();
        assert_eq!(draws, (0..37).map(|picture| Draw { picture, copy: 0 }).collect::<Vec<_>>());
    }

    #[test]
    fn rare_ages_genders_and_sets_are_drawn_by_the_root_of_their_share() {
        // Of ages, 9 to 1: drawn 3 to 1. Nothing else differs.
        let ages = data(&[(
            "a",
            &[(22.0, true, 1.0, 450), (22.0, false, 1.0, 450), (71.0, true, 1.0, 50), (71.0, false, 1.0, 50)],
        )]);
        let draws = DatasetSampler::new(&config(SamplerKind::Balanced), &ages).unwrap().pass(4000, 1, 0);
        let old = share(&ages, &draws, |data, i| data.row(i).age_low == 71.0);
        assert!((old - 0.25).abs() < 0.01, "{old}");
        // Every copy of a picture is another one.
        let mut sorted = draws.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), draws.len());

        // Within an age, 4 women to 1 man: drawn 2 to 1.
        let genders = data(&[("a", &[(22.0, true, 1.0, 400), (22.0, false, 1.0, 100)])]);
        let draws = DatasetSampler::new(&config(SamplerKind::Balanced), &genders).unwrap().pass(3000, 1, 0);
        let men = share(&genders, &draws, |data, i| data.row(i).gender == Some(Gender::Male));
        assert!((men - 1.0 / 3.0).abs() < 0.01, "{men}");

        // Sets of 4 to 1: drawn 2 to 1, and equally often where the small one weighs twice.
        let one = |times| [(22.0, true, 1.0, times), (22.0, false, 1.0, times)];
        let sets = data(&[("large", &one(200)), ("small", &one(50))]);
        let small = |weight: f64| {
            let config = SamplerConfig {
                set_weights: [("small".to_owned(), weight)].into(),
                ..SamplerConfig::default()
            };
            let draws = DatasetSampler::new(&config, &sets).unwrap().pass(3000, 1, 0);
            share(&sets, &draws, |data, i| data.set_name(data.set_of(i)) == "small")
        };
        assert!((small(1.0) - 1.0 / 3.0).abs() < 0.01 && (small(2.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn no_picture_is_drawn_without_end_and_wrong_ones_are_left_out() {
        // The root of 1 in 1000 would weigh it 30 times the mean.
        let rare = data(&[("a", &[(22.0, true, 1.0, 999), (91.0, true, 1.0, 1)])]);
        let sampler = DatasetSampler::new(&config(SamplerKind::Balanced), &rare).unwrap();
        let times = sampler.pass(1000, 1, 0).iter().filter(|draw| draw.picture == 999).count();
        assert!((4..=6).contains(&times), "{times}");

        for kind in [SamplerKind::AsTheyCome, SamplerKind::Balanced] {
            let wrong =
                data(&[("a", &[(22.0, true, 1.0, 100), (22.0, true, 0.0, 50), (22.0, true, 0.3, 100)])]);
            let draws = DatasetSampler::new(&config(kind), &wrong).unwrap().pass(1300, 1, 0);
            assert_eq!(share(&wrong, &draws, |data, i| data.weight(i) == 0.0), 0.0);
            let doubtful = share(&wrong, &draws, |data, i| data.weight(i) == 0.3);
            assert!((doubtful - 0.3 / 1.3).abs() < 0.01, "{doubtful}");
        }
        let none = data(&[("a", &[(22.0, true, 0.0, 10)])]);
        assert!(DatasetSampler::new(&SamplerConfig::default(), &none).is_none());
    }

    #[test]
    fn a_range_is_as_old_as_its_middle() {
        let data = data(&[("a", &[(22.0, true, 1.0, 1)])]);
        let range = |low, high| bin_of(&CropRow { age_low: low, age_high: high, ..data.row(0).clone() });
        assert_eq!(
            [range(22.0, 22.0), range(20.0, 29.0), range(70.0, 99.0), range(100.0, 100.0)],
            [4, 4, 16, 19]
        );
    }
}
