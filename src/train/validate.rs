//! Metrics on held-out crops, by the same kernels as in use.

use rayon::prelude::*;

use crate::age::{AgeDistribution, AgeLabel};
use crate::data::DataError;
use crate::data::batch::{Dataset, middle};
use crate::data::labels::Gender;
use crate::engine::RawEstimate;
use crate::engine::cpu::network_input;
use crate::engine::fused::{FusedNetwork, Scratch};

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
    /// Years off, positive for too old.
    pub fn age_error(&self) -> f32 {
        self.age.error(self.estimate.age)
    }

    /// Whether the gender is right, if known.
    pub fn gender_right(&self) -> Option<bool> {
        self.gender.map(|g| (self.estimate.female >= 0.5) == (g == Gender::Female))
    }

    /// Whether the central range of `mass` meets the label.
    pub fn covered(&self, mass: f32) -> bool {
        let Some(distribution) = AgeDistribution::new(self.estimate.age_distribution) else {
            return false;
        };
        let [low, high] = distribution.central_range(mass);
        let (first, last) = self.age.bounds();
        low <= last && first <= high
    }
}

/// Runs the network on every picture of `data`.
///
/// # Errors
/// [`DataError`] if a crop can't be read.
pub fn judge(network: &FusedNetwork, data: &Dataset) -> Result<Vec<Judged>, DataError> {
    (0..data.len())
        .into_par_iter()
        .map_init(Scratch::default, |scratch, i| {
            let stored = data.stored(i)?;
            let input = network_input(network.kind(), &middle(&stored));
            let row = data.row(i);
            Ok(Judged { estimate: network.run(&input, scratch), age: row.age(), gender: row.gender })
        })
        .collect()
}

/// Mean absolute error in years, and the share of right genders.
pub fn summary(judged: &[Judged]) -> (f64, f64) {
    let n = judged.len().max(1) as f64;
    let mae = judged.iter().map(|j| f64::from(j.age_error().abs())).sum::<f64>() / n;
    let genders: Vec<bool> = judged.iter().filter_map(Judged::gender_right).collect();
    let right = genders.iter().filter(|r| **r).count() as f64;
    (mae, right / genders.len().max(1) as f64)
}
