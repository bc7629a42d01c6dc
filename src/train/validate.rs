//! Metrics on held-out crops, by the same kernels as in use.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::age::{AgeDistribution, AgeLabel};
use crate::data::DataError;
use crate::data::batch::{Dataset, middle};
use crate::data::labels::Gender;
use crate::engine::cpu::{CpuPlan, CpuScratch, InputMaker};
use crate::net::{AGES, NetworkKind, RawEstimate};

/// A prediction beside its label.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What the network says.
    pub estimate: RawEstimate,
    /// The age label.
    pub age: AgeLabel,
    /// The gender label.
    pub gender: Option<Gender>,
}

impl Judged {
    /// The age as it is shown, the median; not a number where the answer is none.
    pub fn shown_age(&self) -> f32 {
        AgeDistribution::new(self.estimate.age_distribution).map_or(f32::NAN, |ages| ages.median())
    }

    /// Years off, positive for too old.
    pub fn age_error(&self) -> f32 {
        self.age.error(self.shown_age())
    }

    /// Whether the gender is right, if known.
    pub fn gender_right(&self) -> Option<bool> {
        self.gender.map(|g| (self.estimate.female >= 0.5) == (g == Gender::Female))
    }

    /// The least mass (0..1) of a central range that meets the label; `None` where the answer is none.
    pub fn needed_mass(&self) -> Option<f32> {
        let ages = AgeDistribution::new(self.estimate.age_distribution)?;
        let (first, last) = self.age.bounds();
        // What of the label is nearest to the middle.
        Some(2.0 * (ages.below(ages.median().clamp(first, last)) - 0.5).abs())
    }
}

/// Of a network that has diverged.
const NONE: RawEstimate = RawEstimate { age_distribution: [f32::NAN; AGES], age: f32::NAN, female: f32::NAN };

/// What each thread needs.
type ValidationBuffers = (InputMaker, CpuScratch, Vec<f32>);

/// Runs a network, `plan`, on every picture of `data`.
///
/// # Errors
/// [`DataError`] if a crop can't be read.
pub fn judge(kind: NetworkKind, plan: &CpuPlan, data: &Dataset) -> Result<Vec<Judged>, DataError> {
    (0..data.len())
        .into_par_iter()
        .map_init(ValidationBuffers::default, |(maker, scratch, numbers), i| {
            let stored = data.stored(i)?;
            numbers.clear();
            plan.run(maker.run(kind, &middle(&stored)), kind.side(), scratch, numbers);
            let row = data.row(i);
            let estimate = RawEstimate::from_numbers(numbers).unwrap_or(NONE);
            Ok(Judged { estimate, age: row.age(), gender: row.gender })
        })
        .collect()
}

/// What a network does on one data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetMetrics {
    /// Name of the data set.
    pub name: String,
    /// Mean of the years outside the label.
    pub mae: f64,
    /// Share of right genders among those labelled, 0..1; `None` where none is.
    pub gender: Option<f64>,
}

/// Of each data set by itself, in the order of the sets; those without a picture are left out.
pub fn by_set(judged: &[Judged], data: &Dataset) -> Vec<SetMetrics> {
    let mut sets = BTreeMap::<usize, Vec<&Judged>>::new();
    for (i, judged) in judged.iter().enumerate() {
        sets.entry(data.set_of(i)).or_default().push(judged);
    }
    let measure = |(set, judged): (usize, Vec<&Judged>)| {
        let n = judged.len();
        let genders: Vec<bool> = judged.iter().filter_map(|j| j.gender_right()).collect();
        let right = genders.iter().filter(|r| **r).count() as f64;
        SetMetrics {
            name: data.set_name(set).into(),
            mae: judged.iter().map(|j| f64::from(j.age_error().abs())).sum::<f64>() / n as f64,
            gender: (!genders.is_empty()).then(|| right / genders.len() as f64),
        }
    };
    sets.into_iter().map(measure).collect()
}

/// Mean absolute error in years, and share of right genders (0 if none is labelled): the means over the data
/// sets, each counting the same whatever its size.
pub fn summary(sets: &[SetMetrics]) -> (f64, f64) {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
    (mean(sets.iter().map(|set| set.mae).collect()), mean(sets.iter().filter_map(|set| set.gender).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_counts_the_same() {
        let set = |name: &str, mae, gender| SetMetrics { name: name.into(), mae, gender };
        let sets = [set("large", 4.0, Some(0.9)), set("small", 8.0, Some(0.7)), set("mute", 6.0, None)];
        let (mae, gender) = summary(&sets);
        assert!((mae - 6.0).abs() < 1e-12 && (gender - 0.8).abs() < 1e-12);
        assert_eq!(summary(&sets[2..]), (6.0, 0.0));
    }
}
