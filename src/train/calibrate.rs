//! How wide the stated age range must be.
//!
//! A network's distribution is as sure of itself as its training made it, not as it is right. The range that
//! is stated is the central one with whatever mass makes it meet the label on 80 % of validation pictures, by the
//! age that is said (a conformal calibration: Romano et al. 2019, by the level of the quantiles).

use super::validate::Judged;
use crate::age::{AGES, AgeLabel, RANGE_STEP, RangeMass};

/// Share of people whose age the stated range is to hold.
pub const COVERAGE: f64 = 0.8;

/// How many years around an age those count who are said to be of that age, the nearer the more; more years
/// where they are too few.
const YEARS: f32 = 10.0;

/// So many of them are enough, one at the very age counting as one.
const ENOUGH: f64 = 80.0;

/// For each age that is said the mass of the central range that covers [`COVERAGE`] of those about whom it is
/// said, of `judged`: by its own age, because a network that is too sure of itself about the old may not be
/// about children.
///
/// Those whose age is known to the year count where there are any: a label that is itself a range is met by
/// almost anything.
pub fn range_mass(judged: &[Judged]) -> RangeMass {
    let is_exact = |j: &&Judged| matches!(j.age, AgeLabel::Exact(_));
    let any = judged.iter().any(|j| is_exact(&j));
    let counted = judged.iter().filter(|j| !any || is_exact(j));
    let mut needed: Vec<(f32, f32)> =
        counted.filter_map(|j| Some((j.needed_mass()?, j.shown_age()))).collect();
    needed.sort_by(|a, b| a.0.total_cmp(&b.0));
    RangeMass::new(std::array::from_fn(|step| mass_at(&needed, (step * RANGE_STEP) as f32)))
}

/// `needed` are masses, the least first, and the age that is said of each; the whole mass where there is none.
fn mass_at(needed: &[(f32, f32)], age: f32) -> f32 {
    let mut years = YEARS;
    let weight = |said: f32, years: f32| f64::from((1.0 - (said - age).abs() / years).max(0.0));
    let total = loop {
        let total: f64 = needed.iter().map(|(_, said)| weight(*said, years)).sum();
        // Beyond twice all ages, further years add no more people.
        if total >= ENOUGH || years > 2.0 * AGES as f32 {
            break total;
        }
        years *= 1.25;
    };
    let mut sum = 0.0;
    for (mass, said) in needed {
        sum += weight(*said, years);
        // A millionth less, for the rounding of sums.
        if sum >= (COVERAGE - 1e-6) * total {
            return *mass;
        }
    }
    1.0
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
        assert_eq!(mass.at(0.0), mass.at(90.0));
        assert!((0.75..=0.82).contains(&mass.at(40.0)), "{mass}");
        // Wide labels that any range meets make it no narrower.
        judged.extend((0..40).map(|_| self::judged(AgeLabel::Range(20.0, 59.0))));
        assert_eq!(range_mass(&judged), mass);
        assert!(range_mass(&judged[40..]).at(40.0) < 0.1);
    }

    #[test]
    fn each_age_has_its_own() {
        // About 30 it says what is so, from 20 to 39; about 70 it says 65 to 74 and may be off by 20 years.
        let says = |first: usize, last: usize, is: f32| {
            let within = |age| (first..=last).contains(&age);
            let age_distribution = std::array::from_fn(|age| if within(age) { 1.0 } else { 0.0 });
            Judged {
                estimate: RawEstimate { age_distribution, age: is, female: 0.5 },
                age: AgeLabel::Exact(is),
                gender: None,
            }
        };
        let young = (0..200).map(|i| says(20, 39, 20.0 + (i % 20) as f32));
        let old = (0..200).map(|i| says(65, 74, 50.0 + (i % 40) as f32));
        let judged: Vec<_> = young.chain(old).collect();
        let mass = range_mass(&judged);
        assert!((0.75..=0.85).contains(&mass.at(30.0)), "{mass}");
        assert_eq!(mass.at(70.0), 1.0, "{mass}");
        assert_eq!(range_mass(&[]), RangeMass::uniform(1.0));
    }
}
