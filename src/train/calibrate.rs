//! How wide the stated age range must be.
//!
//! A network's distribution is as sure of itself as its training made it, not as it is right. The range that is stated is
//! the central one with whatever mass makes it meet the label on 80 % of validation pictures (a conformal calibration: Romano et
//! al. 2019, by the level of the quantiles).

use super::validate::Judged;

/// Share of people whose age the stated range is to hold.
pub const COVERAGE: f64 = 0.8;

/// The mass (0..1) of the central range that covers [`COVERAGE`] of `judged`, by bisection: coverage grows with the mass.
pub fn range_mass(judged: &[Judged]) -> f32 {
    let (mut low, mut high) = (0.0f32, 1.0f32);
    for _ in 0..20 {
        let middle = (low + high) / 2.0;
        let covered = judged.iter().filter(|j| j.covered(middle)).count() as f64;
        if covered < COVERAGE * judged.len() as f64 { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::AgeLabel;
    use crate::engine::RawEstimate;

    #[test]
    fn an_honest_distribution_needs_its_own_mass() {
        // Ages spread evenly over 20..=59, and a network that says just that.
        let age_distribution =
            std::array::from_fn(|age| if (20..60).contains(&age) { 1.0 / 40.0 } else { 0.0 });
        let judged: Vec<Judged> = (20..60)
            .map(|age| Judged {
                estimate: RawEstimate { age_distribution, age: 40.0, female: 0.5 },
                age: AgeLabel::Exact(age as f32),
                gender: None,
            })
            .collect();
        let mass = range_mass(&judged);
        assert!((0.75..=0.82).contains(&mass), "{mass}");
    }
}
