//! Labels that several networks contradict.
//!
//! Networks lean: they take the oldest for younger, and more so some than others. So an age is held against
//! what a network usually says of such a label: its error less the median error at that age. A label is
//! thought wrong where every network is further off than [`far`] to the same side, and its picture is then
//! drawn [`DOUBTFUL`] as often, or never if every one is [`SURE`] times as far off. A gender label is
//! forgotten where every network gives the other gender more than [`CONTRADICTED`].

use std::collections::BTreeMap;

use super::validate::Judged;
use crate::data::batch::Dataset;
use crate::data::corrections::{Correction, GenderCorrection};
use crate::data::labels::Gender;
use crate::data::sampler::BIN;

/// Weight of a picture whose age label is doubtful.
pub const DOUBTFUL: f32 = 0.3;
/// How many times [`far`] an error is that leaves no doubt.
pub const SURE: f32 = 1.5;
/// Probability of the other gender above which a network contradicts.
pub const CONTRADICTED: f32 = 0.98;

/// Years off from which a label of so many years is doubtful: more for the old, whose ages are harder to see.
pub fn far(age: f32) -> f32 {
    9.0 + 0.2 * age
}

/// What is thought wrong in `data`, by the answers of each of several networks to all its pictures.
pub fn find(data: &Dataset, networks: &[Vec<Judged>]) -> Vec<Correction> {
    let bin = |judged: &Judged| judged.age.middle().clamp(0.0, 99.0) as usize / BIN;
    let unusual: Vec<Vec<f32>> = networks
        .iter()
        .map(|answers| {
            let mut errors = BTreeMap::<usize, Vec<f32>>::new();
            for judged in answers {
                errors.entry(bin(judged)).or_default().push(judged.age_error());
            }
            for errors in errors.values_mut() {
                errors.sort_by(f32::total_cmp);
            }
            let median = |errors: &[f32]| errors[errors.len() / 2];
            answers.iter().map(|judged| judged.age_error() - median(&errors[&bin(judged)])).collect()
        })
        .collect();
    (0..data.len())
        .filter_map(|i| {
            let row = data.row(i);
            let off = || unusual.iter().map(|errors| errors[i]);
            let all_older = off().fold(f32::INFINITY, f32::min);
            let all_younger = off().map(|off| -off).fold(f32::INFINITY, f32::min);
            let years = all_older.max(all_younger) / far(row.age().middle());
            let other = |judged: &Judged| match row.gender {
                Some(Gender::Female) => 1.0 - judged.estimate.female,
                Some(Gender::Male) => judged.estimate.female,
                None => 0.0,
            };
            let contradicted = networks.iter().all(|answers| other(&answers[i]) > CONTRADICTED);
            let weight = if years > SURE {
                0.0
            } else if years > 1.0 {
                DOUBTFUL
            } else {
                1.0
            };
            if weight == 1.0 && !contradicted {
                return None;
            }
            let said: Vec<String> = networks
                .iter()
                .map(|answers| format!("{:.0}", answers[i].shown_age()))
                .chain(contradicted.then(|| "other gender".into()))
                .collect();
            Some(Correction {
                dataset: data.set_name(data.set_of(i)).into(),
                file: row.file.clone(),
                weight,
                gender: if contradicted { GenderCorrection::Drop } else { GenderCorrection::Keep },
                reason: format!("said {}", said.join(" ")),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::AgeLabel;
    use crate::data::toy;
    use crate::engine::RawEstimate;

    #[test]
    fn what_all_contradict_is_found() {
        let folder = tempfile::tempdir().unwrap();
        // Thirty women of 70 whom every network takes for 55, and then some.
        toy::write_labels(folder.path(), "toy", std::iter::repeat_n((70.0, true), 36));
        let data = toy::open(folder.path(), "toy").0;
        let judged = |special: [(f32, f32); 6]| -> Vec<Judged> {
            let usual = std::iter::repeat_n((55.0, 0.9), 30);
            let answers = usual.chain(special).enumerate();
            answers
                .map(|(i, (age, female))| Judged {
                    estimate: RawEstimate {
                        age_distribution: AgeLabel::Exact(age).soft_label(1.0),
                        age,
                        female,
                    },
                    age: data.row(i).age(),
                    gender: data.row(i).gender,
                })
                .collect()
        };
        // One is contradicted a little, one without doubt, one by one network alone; two differ in gender,
        // one of them for one network.
        let one = judged([(30.0, 0.9), (16.0, 0.9), (16.0, 0.9), (55.0, 0.01), (55.0, 0.01), (80.0, 0.9)]);
        let two = judged([(25.0, 0.9), (12.0, 0.9), (50.0, 0.9), (55.0, 0.0), (55.0, 0.3), (81.0, 0.9)]);
        let found = find(&data, &[one, two]);
        let short: Vec<_> =
            found.iter().map(|c| (c.file.as_str(), c.weight, c.gender, c.reason.as_str())).collect();
        assert_eq!(
            short,
            [
                ("30.png", DOUBTFUL, GenderCorrection::Keep, "said 30 25"),
                ("31.png", 0.0, GenderCorrection::Keep, "said 16 12"),
                ("33.png", 1.0, GenderCorrection::Drop, "said 55 55 other gender"),
                ("35.png", DOUBTFUL, GenderCorrection::Keep, "said 80 81"),
            ]
        );
        assert_eq!(found[0].dataset, "toy");
    }
}
