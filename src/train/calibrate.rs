//! How wide the stated age range must be, how common each age is, and how sure of a gender to be.
//!
//! A network's distribution is as sure of itself as its training made it, not as it is right. The range that
//! is stated is the central one with whatever mass makes it meet the label on 80 % of validation pictures, by the
//! age that is said (a conformal calibration: Romano et al. 2019, by the level of the quantiles).

use super::validate::Judged;
use crate::age::{AGES, AgeLabel, RANGE_STEP, RangeMass};
use crate::data::labels::Gender;
use crate::weights::{Weights, WeightsError};

/// Share of people whose age the stated range is to hold.
pub const COVERAGE: f64 = 0.8;

/// How many years around an age those count who are said to be of that age, the nearer the more; more years
/// where they are too few.
const YEARS: f32 = 10.0;

/// So many of them are enough, one at the very age counting as one.
const ENOUGH: f64 = 80.0;

/// Ages are as common as those within so many years of them, by a normal distribution.
const PRIOR_YEARS: f64 = 10.0;

/// No age is thought rarer than this share of all.
const RAREST: f64 = 1e-4;

/// The key of a weight file's metadata that says what share [`expect_ages`] was given.
pub const AGE_PRIOR: &str = "age_prior";

const AGE_BIAS: &str = "heads.age_class.bias";

/// The logarithm of how common each age is among labels, each data set counting as much as any other. Labels that are themselves
/// ranges say nothing. All alike where no label is exact.
pub fn log_age_prior<'a>(datasets: impl IntoIterator<Item = &'a [AgeLabel]>) -> [f32; AGES] {
    let (mut shares, mut sets) = ([0.0; AGES], 0.0);
    for labels in datasets {
        let exact = labels
            .iter()
            .filter_map(|label| if let AgeLabel::Exact(age) = label { Some(*age) } else { None });
        let mut counts = [0.0; AGES];
        exact.for_each(|age| counts[(age.round().max(0.0) as usize).min(AGES - 1)] += 1.0);
        let all: f64 = counts.iter().sum();
        if all > 0.0 {
            shares.iter_mut().zip(counts).for_each(|(share, count)| *share += count / all);
            sets += 1.0;
        }
    }
    std::array::from_fn(|age| {
        let (mut near, mut weights) = (0.0, 0.0);
        for (other, share) in shares.iter().enumerate() {
            let weight = (-0.5 * ((other as f64 - age as f64) / PRIOR_YEARS).powi(2)).exp();
            near += weight * share;
            weights += weight;
        }
        (near / weights / f64::max(sets, 1.0) + RAREST).ln() as f32
    })
}

/// Has a network that was shown all ages alike expect some more than others: adds `share` (0..1) of the logarithm of how common they
/// are to the logits of ages, in their bias (Menon et al. 2021, the other way round).
///
/// # Errors
/// [`WeightsError`] where the file has no such bias.
pub fn expect_ages(weights: &mut Weights, share: f32, log_prior: &[f32; AGES]) -> Result<(), WeightsError> {
    weights.tensor(AGE_BIAS, &[AGES])?;
    let bias = weights.tensors.get_mut(AGE_BIAS).expect("it has just been looked at");
    bias.values.iter_mut().zip(log_prior).for_each(|(bias, log)| *bias += share * log);
    weights.metadata.insert(AGE_PRIOR.into(), share.to_string());
    Ok(())
}

/// The scale of the logits of gender at which the probabilities are the likeliest for the labels of `judged`, 1/4 to 4 (temperature
/// scaling: Guo et al. 2017). 1 where nobody's gender is known.
pub fn gender_scale(judged: &[Judged]) -> f32 {
    let known: Vec<(f64, f64)> = judged
        .iter()
        .filter_map(|j| {
            let female = f64::from(j.estimate.female).clamp(1e-6, 1.0 - 1e-6);
            Some(((female / (1.0 - female)).ln(), if j.gender? == Gender::Female { 1.0 } else { -1.0 }))
        })
        .collect();
    if known.is_empty() {
        return 1.0;
    }
    let loss =
        |scale: f64| known.iter().map(|(logit, sign)| (-sign * scale * logit).exp().ln_1p()).sum::<f64>();
    // It has one valley: thirds that it does not lie in are left out, to a thousandth.
    let (mut low, mut high) = (-(4.0_f64.ln()), 4.0_f64.ln());
    while high - low > 1e-3 {
        let third = (high - low) / 3.0;
        if loss((low + third).exp()) < loss((high - third).exp()) {
            high -= third;
        } else {
            low += third;
        }
    }
    f64::midpoint(low, high).exp() as f32
}

/// Has a network be surer of a gender by that factor of its logits, or less sure.
///
/// # Errors
/// [`WeightsError::Missing`] where the file has no head for it.
pub fn scale_gender(weights: &mut Weights, scale: f32) -> Result<(), WeightsError> {
    for part in ["heads.gender.weight", "heads.gender.bias"] {
        let tensor = weights.tensors.get_mut(part).ok_or_else(|| WeightsError::Missing(part.into()))?;
        tensor.values.iter_mut().for_each(|value| *value *= scale);
    }
    Ok(())
}

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
    use crate::weights::NamedTensor;

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
    fn what_is_common_is_expected_more() {
        let young = vec![AgeLabel::Exact(25.0); 90];
        let all: Vec<_> =
            (0..100).map(|age| AgeLabel::Exact(age as f32)).chain([AgeLabel::Range(0.0, 9.0)]).collect();
        let log = log_age_prior([&young[..], &all[..]]);
        let sum: f32 = log.iter().map(|log| log.exp()).sum();
        // At both ends there are fewer ages to be near.
        assert!((sum - 1.0).abs() < 0.05, "{sum}");
        // Half of all are 25 or, by the spread, about that; the others are one in two hundred each.
        assert!((log[60].exp() - 0.0051).abs() < 2e-4, "{}", log[60].exp());
        assert!((log[25].exp() - 0.0051 - 0.5 * 0.0401).abs() < 1e-3, "{}", log[25].exp());
        assert_eq!(log_age_prior([&[AgeLabel::Range(0.0, 9.0)][..]]), [1e-4_f32.ln(); AGES]);

        let mut weights = Weights::default();
        assert!(matches!(expect_ages(&mut weights, 0.5, &log), Err(WeightsError::Missing(_))));
        let bias = NamedTensor { shape: vec![AGES], values: vec![1.0; AGES] };
        weights.tensors.insert(AGE_BIAS.into(), bias);
        expect_ages(&mut weights, 0.5, &log).unwrap();
        assert_eq!(weights.tensors[AGE_BIAS].values[25], 1.0 + 0.5 * log[25]);
        assert_eq!(weights.metadata[AGE_PRIOR], "0.5");
    }

    #[test]
    fn a_gender_is_as_likely_as_it_is_right() {
        // It says 0.75 of nine women and one man, and the same the other way round.
        let says = |female: f32, gender| {
            let mut judged = judged(AgeLabel::Exact(40.0));
            judged.estimate.female = female;
            Judged { gender: Some(gender), ..judged }
        };
        let wrong = [says(0.75, Gender::Male), says(0.25, Gender::Female)];
        let right = (0..9).flat_map(|_| [says(0.75, Gender::Female), says(0.25, Gender::Male)]);
        let scale = gender_scale(&right.chain(wrong).collect::<Vec<_>>());
        // Nine to one is e^2.197, and three to one e^1.099.
        assert!((scale - 2.0).abs() < 0.01, "{scale}");
        assert_eq!(gender_scale(&[judged(AgeLabel::Exact(40.0))]), 1.0);

        let mut weights = Weights::default();
        assert!(matches!(scale_gender(&mut weights, 2.0), Err(WeightsError::Missing(_))));
        for (name, values) in
            [("heads.gender.weight", vec![1.0, -2.0]), ("heads.gender.bias", vec![0.5, 0.0])]
        {
            weights.tensors.insert(name.into(), NamedTensor { shape: vec![2], values });
        }
        scale_gender(&mut weights, 2.0).unwrap();
        assert_eq!(weights.tensors["heads.gender.weight"].values, [2.0, -4.0]);
        assert_eq!(weights.tensors["heads.gender.bias"].values, [1.0, 0.0]);
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
