//! Crops and labels of one step, as tensors.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::DataError;
use super::answers::{self, TeacherAnswer, TeacherAnswers};
use super::augment::Augmentation;
use super::corrections::{Correction, GenderCorrection};
use super::crops::{CropRow, Crops};
use super::sampler::Draw;
use super::split::Part;
use crate::engine::cpu::network_input;
use crate::net::{AGES, NetworkKind};
use crate::vision::alignment::{MARGIN, SIDE, STORED_SIDE};

/// Several prepared data sets as one, of one part.
#[derive(Debug)]
pub struct Dataset {
    sets: Vec<Crops>,
    /// Set and row of each picture.
    places: Vec<(usize, usize)>,
    /// Weight of each picture.
    weights: Vec<f32>,
    /// A teacher's answers to each set, if there are any.
    answers: Vec<TeacherAnswers>,
    identity: Identity,
}

/// What a data set was made of, to tell whether a run goes on with the same: checksums as 8 hex digits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Of the table of each set, by name.
    pub sets: BTreeMap<String, String>,
    /// Of the corrections, if there are any.
    pub corrections: Option<String>,
    /// Of the teacher's answers, if there are any.
    pub teacher: Option<String>,
}

/// What a batch is trained towards. N faces.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Soft label of each age, `[N, 100]`.
    pub age_label: Tensor<2>,
    /// First year of the label, `[N]`.
    pub age_low: Tensor<1>,
    /// Last year, `[N]`.
    pub age_high: Tensor<1>,
    /// 1 at the class of the gender (male, female), 0 in both where it is not known, `[N, 2]`; shares of both
    /// with a teacher.
    pub gender: Tensor<2>,
}

impl Dataset {
    /// The pictures of `sets` that belong to `part`.
    pub fn new(sets: Vec<Crops>, part: Part) -> Self {
        let places: Vec<_> = sets
            .iter()
            .enumerate()
            .flat_map(|(s, set)| {
                let rows = set.rows.iter().enumerate().filter(move |(_, row)| row.part == part);
                rows.map(move |(r, _)| (s, r))
            })
            .collect();
        let weights = vec![1.0; places.len()];
        let tables = sets.iter().map(|set| (set.name.clone(), format!("{:08x}", set.checksum)));
        let identity = Identity { sets: tables.collect(), ..Identity::default() };
        Self { sets, places, weights, answers: Vec::new(), identity }
    }

    /// Weighs pictures, and forgets gender labels, as `corrections` say; returns how many of the pictures
    /// they touch.
    ///
    /// # Errors
    /// A picture that is in no part of its set: the corrections are of another preparation. Those of sets
    /// that are not here don't matter.
    pub fn correct(&mut self, corrections: &[Correction]) -> Result<usize, String> {
        let mut at = HashMap::new();
        for (s, set) in self.sets.iter().enumerate() {
            at.extend(
                set.rows.iter().enumerate().map(|(r, row)| ((set.name.clone(), row.file.clone()), (s, r))),
            );
        }
        let here: HashMap<_, _> = self.places.iter().enumerate().map(|(i, place)| (*place, i)).collect();
        let mut touched = 0;
        let names: Vec<String> = self.sets.iter().map(|set| set.name.clone()).collect();
        for correction in corrections.iter().filter(|c| names.contains(&c.dataset)) {
            let key = (correction.dataset.clone(), correction.file.clone());
            let place = at.get(&key).ok_or_else(|| format!("no crop of {} in {}", key.1, key.0))?;
            let Some(i) = here.get(place) else { continue };
            touched += 1;
            self.weights[*i] = correction.weight;
            if correction.gender == GenderCorrection::Drop {
                self.sets[place.0].rows[place.1].gender = None;
            }
        }
        self.identity.corrections =
            Some(format!("{:08x}", crc32fast::hash(format!("{corrections:?}").as_bytes())));
        Ok(touched)
    }

    /// Learns beside the labels from a teacher's answers in `path`, in the layout of [`answers`].
    ///
    /// # Errors
    /// [`DataError`] if it can't be read, or is not as [`answers::parse`] needs it.
    pub fn teach(&mut self, path: &Path) -> Result<(), DataError> {
        let bytes = std::fs::read(path).map_err(DataError::io(path))?;
        let wrong = |reason| DataError::Table { path: path.into(), reason };
        self.answers = answers::parse(&bytes, self.sets.iter()).map_err(wrong)?;
        self.identity.teacher = Some(format!("{:08x}", crc32fast::hash(&bytes)));
        Ok(())
    }

    /// What the teacher says of a picture; `None` without one.
    pub fn answer(&self, index: usize) -> Option<TeacherAnswer> {
        let (set, row) = self.places[index];
        Some(self.answers.get(set)?.of(row))
    }

    /// What it is made of.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Which set a picture is of.
    pub fn set_of(&self, index: usize) -> usize {
        self.places[index].0
    }

    /// Name of a set.
    pub fn set_name(&self, set: usize) -> &str {
        &self.sets[set].name
    }

    /// How often a picture is to be drawn, 1 as often as any.
    pub fn weight(&self, index: usize) -> f32 {
        self.weights[index]
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Label of a picture.
    pub fn row(&self, index: usize) -> &CropRow {
        let (set, row) = self.places[index];
        &self.sets[set].rows[row]
    }

    /// The stored crop of a picture, with its margin.
    ///
    /// # Errors
    /// [`DataError`] if it can't be read.
    pub fn stored(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let (set, row) = self.places[index];
        self.sets[set].read(row)
    }

    /// The drawn pictures as network inputs `[N, crops, side, side, 3]`, changed at random.
    ///
    /// The change depends on `seed`, the picture and its copy, and not on what else is in the batch.
    ///
    /// # Errors
    /// [`DataError`] if a crop can't be read.
    pub fn inputs(
        &self,
        kind: NetworkKind,
        draws: &[Draw],
        augmentation: &Augmentation,
        seed: u64,
        device: &Device,
    ) -> Result<Tensor<5>, DataError> {
        let mut values = vec![0.0; draws.len() * kind.input_len()];
        values.par_chunks_exact_mut(kind.input_len()).zip(draws).try_for_each(|(out, draw)| {
            let stored = self.stored(draw.picture)?;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(draw.picture as u64 | u64::from(draw.copy) << 40);
            let crop = augmentation.apply(&stored, &mut rng);
            out.copy_from_slice(&network_input(kind, &crop));
            Ok(())
        })?;
        let shape = [draws.len(), kind.crops(), kind.side(), kind.side(), 3];
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Their labels, with soft labels of gap `gap`, of which a teacher's answers, if there are any, replace
    /// the share `teacher`.
    pub fn targets(&self, draws: &[Draw], gap: f32, teacher: f32, device: &Device) -> Targets {
        let goals = draws.iter().map(|draw| {
            let (set, row) = self.places[draw.picture];
            let mut goal = Goal::of(&self.sets[set].rows[row], gap);
            if let Some(answers) = self.answers.get(set) {
                goal.towards(&answers.of(row), teacher);
            }
            goal
        });
        collect(goals, device)
    }
}

/// Labels as tensors.
pub fn targets<'a>(rows: impl Iterator<Item = &'a CropRow>, gap: f32, device: &Device) -> Targets {
    collect(rows.map(|row| Goal::of(row, gap)), device)
}

/// What one face is trained towards.
struct Goal {
    ages: [f32; AGES],
    low: f32,
    high: f32,
    gender: [f32; 2],
}

impl Goal {
    fn of(row: &CropRow, gap: f32) -> Self {
        let mut gender = [0.0; 2];
        if let Some(known) = row.gender {
            gender[known.class()] = 1.0;
        }
        Self { ages: row.age().soft_label(gap), low: row.age_low, high: row.age_high, gender }
    }

    /// Mixes in the share `part` of an answer. The range of ages narrows around the answer's mean, and an
    /// unknown gender is learned from the answer alone, weighing `part` of a known one.
    fn towards(&mut self, answer: &TeacherAnswer, part: f32) {
        let mix = |label: &mut f32, answer: f32| *label += (answer - *label) * part;
        let mean = answer.ages.iter().enumerate().map(|(age, p)| age as f32 * p).sum();
        self.ages.iter_mut().zip(answer.ages).for_each(|(label, p)| mix(label, p));
        mix(&mut self.low, mean);
        mix(&mut self.high, mean);
        self.gender.iter_mut().zip([1.0 - answer.female, answer.female]).for_each(|(label, p)| mix(label, p));
    }
}

fn collect(goals: impl Iterator<Item = Goal>, device: &Device) -> Targets {
    let (mut labels, mut lows, mut highs, mut genders) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for goal in goals {
        labels.extend(goal.ages);
        lows.push(goal.low);
        highs.push(goal.high);
        genders.extend(goal.gender);
    }
    let n = lows.len();
    let one = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [n]), device);
    Targets {
        age_label: Tensor::from_data(TensorData::new(labels, [n, AGES]), device),
        age_low: one(lows),
        age_high: one(highs),
        gender: Tensor::from_data(TensorData::new(genders, [n, 2]), device),
    }
}

/// A stored crop without its margin.
pub fn middle(stored: &[u8]) -> Vec<u8> {
    (0..SIDE)
        .flat_map(|y| &stored[((y + MARGIN) * STORED_SIDE + MARGIN) * 3..][..SIDE * 3])
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::labels::Gender;
    use crate::data::toy;

    #[test]
    fn a_teacher_moves_the_goal() {
        let mut answer = TeacherAnswer { ages: [0.0; AGES], female: 0.75 };
        answer.ages[40] = 1.0;
        let row = |low, high, gender| CropRow {
            file: String::new(),
            rejected: None,
            part: Part::Train,
            age_low: low,
            age_high: high,
            gender,
            race: None,
        };
        let mut goal = Goal::of(&row(30.0, 39.0, Some(Gender::Male)), 1.0);
        goal.towards(&answer, 0.5);
        assert_eq!((goal.low, goal.high, goal.gender), (35.0, 39.5, [0.625, 0.375]));
        assert!((goal.ages[35] - 0.05).abs() < 1e-6 && goal.ages[40] == 0.5);
        let mut goal = Goal::of(&row(30.0, 30.0, None), 1.0);
        goal.towards(&answer, 0.0);
        assert_eq!((goal.low, goal.high, goal.gender), (30.0, 30.0, [0.0, 0.0]));
        goal.towards(&answer, 0.4);
        assert!((goal.gender[0] - 0.1).abs() < 1e-6 && (goal.gender[1] - 0.3).abs() < 1e-6);
    }

    #[test]
    fn corrections_weigh_and_forget() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let (mut training, _) = toy::open(folder.path(), "toy");
        let correction = |dataset: &str, file: &str, weight, gender| Correction {
            dataset: dataset.into(),
            file: file.into(),
            weight,
            gender,
            reason: String::new(),
        };
        // The fifth is for validation.
        let touched = training.correct(&[
            correction("toy", "0.png", 0.3, GenderCorrection::Keep),
            correction("toy", "1.png", 1.0, GenderCorrection::Drop),
            correction("toy", "4.png", 0.0, GenderCorrection::Drop),
            correction("other", "x.png", 0.0, GenderCorrection::Drop),
        ]);
        assert_eq!(touched, Ok(2));
        assert_eq!([0, 1, 2].map(|i| training.weight(i)), [0.3, 1.0, 1.0]);
        assert!(training.row(0).gender.is_some() && training.row(1).gender.is_none());
        let error =
            training.correct(&[correction("toy", "90.png", 0.0, GenderCorrection::Keep)]).unwrap_err();
        assert!(error.contains("90.png"), "{error}");
    }

    #[test]
    fn copies_of_a_picture_are_changed_each_in_its_own_way() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let (training, _) = toy::open(folder.path(), "toy");
        let of = |draws: &[Draw]| {
            let inputs = training
                .inputs(NetworkKind::MCnn, draws, &Augmentation::default(), 3, &Device::flex())
                .unwrap();
            inputs.into_data().try_into_vec::<f32>().unwrap()
        };
        let [first, second] = [0, 1].map(|copy| Draw { picture: 20, copy });
        let both = of(&[first, second]);
        assert_eq!(both[..both.len() / 2], of(&[first]));
        assert_eq!(both[both.len() / 2..], of(&[second]));
        assert_ne!(of(&[first]), of(&[second]));
    }
}
