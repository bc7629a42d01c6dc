//! How wide the stated age range must be.
//!
//! A network's distribution is as sure of itself as its training made it, not as it is right. The range that
//! is stated is the central one with whatever mass makes it meet the label on 80 % of validation pictures (a
//! conformal calibration: Romano et al. 2019, by the level of the quantiles).

use super::validate::Judged;
use crate::age::AgeLabel;

/// Share of people whose age the stated range is to hold.
pub const COVERAGE: f64 = 0.8;

/// The mass (0..1) of the central range that covers [`COVERAGE`] of `judged`, by bisection: coverage grows
/// with the mass.
///
/// Those whose age is known to the year count where there are any: a label that is itself a range is met by
/// almost anything.
pub fn range_mass(judged: &[Judged]) -> f32 {
    let exact: Vec<&Judged> = judged.iter().filter(|j| matches!(j.age, AgeLabel::Exact(_))).collect();
    let judged = if exact.is_empty() { judged.iter().collect() } else { exact };
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
    use crate::engine::RawEstimate;

    /// A network that says ages from 20 to 59 are equally likely, of somebody of that age.
    fn judged(age: AgeLabel) -> Judged {
        let age_distribution =
            std::array::from_fn(|age| if (20..60).contains(&age) { 1.0 / 40.0 } else { 0.0 });
        Judged { estimate: RawEstimate { age_distribution, age: 40.0, female: 0.5 }, age, gender: None }
    }

    #[test]
    fn an_honest_distribution_needs_its_own_mass() {
        let mut judged: Vec<_> = (20..60).map(|age| judged(AgeLabel::Exact(age as f32))).collect();
        let mass = range_mass(&judged);
        assert!((0.75..=0.82).contains(&mass), "{mass}");
        // Wide labels that any range meets make it no narrower.
        judged.extend((0..40).map(|_| self::judged(AgeLabel::Range(20.0, 59.0))));
        assert_eq!(range_mass(&judged), mass);
        assert!(range_mass(&judged[40..]) < 0.1);
    }
}
