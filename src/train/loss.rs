//! The losses.
//!
//! With p the predicted age distribution, q the soft label, y' the regressed age:
//!
//! - KL: sum of q log(q / p).
//! - Focal (Lin et al. 2017): sum of -a q (1 - p)^gamma log p, with class weights a.
//! - Regression: |y - y'|, none inside a range.
//! - Gender: cross entropy over the faces whose gender is known.
//!
//! The total is `w_c class + w_r regression + w_g gender`.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::data::batch::Targets;
use crate::net::{AGES, HeadOutputs};

/// Loss on the age classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum ClassLoss {
    /// Kullback-Leibler divergence.
    Kl,
    /// Focal loss.
    Focal,
    /// None: the regression alone teaches the classes.
    None,
}

/// Which losses, and their weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossConfig {
    /// On the age classes.
    pub class: ClassLoss,
    /// Gap of the soft label, at least 1.
    pub gap: f32,
    /// Focal loss: how much less the well-predicted classes count.
    pub gamma: f32,
    /// Weight of the class loss.
    pub class_weight: f32,
    /// Weight of the regression loss.
    pub regression_weight: f32,
    /// Weight of the gender loss.
    pub gender_weight: f32,
    /// Share of a gender label that both genders get alike, 0..1: a network is not taught to be surer than
    /// labels are.
    pub gender_smoothing: f32,
    /// Weight of [`consistency`]; 0 for none.
    pub consistency: f32,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            class: ClassLoss::Kl,
            gap: 3.0,
            gamma: 2.0,
            class_weight: 1.0,
            regression_weight: 1.0,
            gender_weight: 1.0,
            gender_smoothing: 0.0,
            consistency: 0.0,
        }
    }
}

/// The parts of a loss, each a scalar tensor.
#[derive(Debug, Clone)]
pub struct Losses {
    /// Weighted sum.
    pub total: Tensor<1>,
    /// On the age classes.
    pub class: Tensor<1>,
    /// Mean absolute error of the regression, years.
    pub regression: Tensor<1>,
    /// Gender cross entropy, nats.
    pub gender: Tensor<1>,
}

/// Means over the batch; for [`consistency`] its second half must be the faces of the first once more.
/// `balance` are class weights `[100]` for the focal loss (see [`class_balance`]).
pub fn losses(
    config: &LossConfig,
    out: HeadOutputs,
    targets: &Targets,
    balance: Option<&Tensor<1>>,
) -> Losses {
    let log_p = log_softmax(out.age_logits, 1);
    let class = match config.class {
        ClassLoss::Kl => kl(log_p.clone(), targets.age_label.clone()),
        ClassLoss::Focal => focal(log_p.clone(), targets.age_label.clone(), config.gamma, balance),
        ClassLoss::None => Tensor::zeros([1], &log_p.device()),
    };
    let regression = regression(out.age, targets.age_low.clone(), targets.age_high.clone());
    let gender = gender(out.gender_logits.clone(), smoothed(targets.gender.clone(), config.gender_smoothing));
    let class_weight = if config.class == ClassLoss::None { 0.0 } else { config.class_weight };
    let mut total = class.clone() * class_weight
        + regression.clone() * config.regression_weight
        + gender.clone() * config.gender_weight;
    if config.consistency > 0.0 {
        let differences = consistency(log_p) + consistency(log_softmax(out.gender_logits, 1));
        total = total + differences * config.consistency;
    }
    Losses { total, class, regression, gender }
}

/// Mean of D_KL(label || prediction). Both `[N, 100]`, the prediction as log probabilities.
pub fn kl(log_p: Tensor<2>, label: Tensor<2>) -> Tensor<1> {
    // 0 log 0 is 0; labels are no smaller than about 1e-4 where they are not 0.
    let entropy = label.clone() * label.clone().clamp_min(1e-12).log();
    (entropy - label * log_p).sum_dim(1).mean()
}

/// Mean focal loss.
pub fn focal(log_p: Tensor<2>, label: Tensor<2>, gamma: f32, balance: Option<&Tensor<1>>) -> Tensor<1> {
    let miss = log_p.clone().exp().neg().add_scalar(1.0).clamp_min(1e-6);
    let mut terms = label * log_p.neg() * miss.powf_scalar(gamma);
    if let Some(weights) = balance {
        terms = terms * weights.clone().unsqueeze();
    }
    terms.sum_dim(1).mean()
}

/// Mean distance to the label's range, `[N]` each.
pub fn regression(age: Tensor<1>, low: Tensor<1>, high: Tensor<1>) -> Tensor<1> {
    let below = (low - age.clone()).clamp_min(0.0);
    let above = (age - high).clamp_min(0.0);
    (below + above).mean()
}

/// Mean cross entropy over the rows of `target` `[N, 2]` that are not all zero; 0 if there is none.
pub fn gender(logits: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let known = target.clone().sum().clamp_min(1.0);
    (log_softmax(logits, 1) * target).sum().neg() / known
}

/// The share `part` of each label, spread over both genders; rows that are all zero stay so.
fn smoothed(target: Tensor<2>, part: f32) -> Tensor<2> {
    let even = target.clone().sum_dim(1) * (0.5 * part);
    target * (1.0 - part) + even
}

/// How far two answers to each face differ: the mean of both KL divergences between row i and row i + N/2,
/// both learning from the other. `log_p` are log probabilities, `[N, classes]`; an odd last row counts for
/// nothing.
pub fn consistency(log_p: Tensor<2>) -> Tensor<1> {
    let half = log_p.dims()[0] / 2;
    let (one, two) = (log_p.clone().narrow(0, 0, half), log_p.narrow(0, half, half));
    let difference = (one.clone().exp() - two.clone().exp()) * (one - two);
    difference.sum_dim(1).mean() * 0.5
}

/// Share of right genders among the rows of `target` that are not all zero; 0 if there is none.
pub fn gender_accuracy(logits: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    let known = target.clone().sum_dim(1).greater_elem(0.0).float().sum().clamp_min(1.0);
    // Positive where female is the likelier, as is the label's own difference.
    let side = |pair: Tensor<2>| pair.clone().narrow(1, 1, 1) - pair.narrow(1, 0, 1);
    (side(logits) * side(target)).greater_elem(0.0).float().sum() / known
}

/// Class weights from the ages of the training pictures: inverse to the square root of the smoothed share of
/// each age, so that their mean over the training pictures is 1.
pub fn class_balance(labels: impl Iterator<Item = [f32; AGES]>, device: &Device) -> Tensor<1> {
    let mut share = [0.0f32; AGES];
    let mut n = 0.0;
    for label in labels {
        share.iter_mut().zip(label).for_each(|(s, l)| *s += l);
        n += 1.0f32;
    }
    let n = n.max(1.0);
    // A picture's worth for each class, so that an age nobody has does not weigh without bound.
    let weight = share.map(|s| ((s + 1.0) / n).sqrt().recip());
    let mean: f32 = weight.iter().zip(share).map(|(w, s)| w * s / n).sum();
    Tensor::from_floats(weight.map(|w| w / mean.max(1e-6)), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::AgeLabel;
    use burn::tensor::TensorData;
    use std::f32::consts::{LN_2, LN_10};

    fn device() -> Device {
        Device::flex().autodiff()
    }

    fn matrix<const N: usize>(rows: [[f32; N]; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(rows.concat(), [2, N]), &device())
    }

    fn scalar(t: Tensor<1>) -> f32 {
        t.into_scalar::<f32>()
    }

    #[test]
    fn values_by_hand() {
        let p = matrix([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]).log();
        let q = matrix([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]);
        // ln 2, and 0.5 ln(0.5/0.1) + 0.5 ln(0.5/0.8).
        let expected = (LN_2 + 0.5 * 1.609438 + 0.5 * -0.470004) / 2.0;
        assert!((scalar(kl(p.clone(), q.clone())) - expected).abs() < 1e-5);
        // 0.25 ln 2, and 0.5 * 0.81 * ln 10 + 0.5 * 0.04 * ln 1.25.
        let expected = (0.25 * LN_2 + 0.5 * 0.81 * LN_10 + 0.5 * 0.04 * 0.223144) / 2.0;
        assert!((scalar(focal(p.clone(), q.clone(), 2.0, None)) - expected).abs() < 1e-5);
        let weights = Tensor::<1>::from_floats([2.0, 0.0, 1.0], &device());
        let expected = (2.0 * 0.25 * LN_2 + 2.0 * 0.5 * 0.81 * LN_10) / 2.0;
        assert!((scalar(focal(p, q, 2.0, Some(&weights))) - expected).abs() < 1e-5);

        let vector = |v: [f32; 2]| Tensor::<1>::from_floats(v, &device());
        // Inside the range, and 3 below it.
        assert!(
            (scalar(regression(vector([25.0, 17.0]), vector([20.0, 20.0]), vector([29.0, 29.0]))) - 1.5)
                .abs()
                < 1e-6
        );

        let logits = matrix([[0.0, 1.0986123], [5.0, -5.0]]);
        // The second face's gender is not known: -ln(3/4) alone.
        let value = scalar(gender(logits.clone(), matrix([[0.0, 1.0], [0.0, 0.0]])));
        assert!((value - 0.287682).abs() < 1e-5, "{value}");
        assert_eq!(scalar(gender(logits.clone(), matrix([[0.0; 2]; 2]))), 0.0);
        assert_eq!(scalar(gender_accuracy(logits.clone(), matrix([[0.0, 1.0], [0.0, 1.0]]))), 0.5);
        assert_eq!(scalar(gender_accuracy(logits.clone(), matrix([[1.0, 0.0], [0.0, 0.0]]))), 0.0);
        assert_eq!(scalar(gender_accuracy(logits, matrix([[0.0, 1.0], [1.0, 0.0]]))), 1.0);
    }

    #[test]
    fn gradients_match_finite_differences() {
        let targets = Targets {
            age_label: Tensor::from_data(
                TensorData::new(
                    [AgeLabel::Exact(30.0), AgeLabel::Range(20.0, 29.0)].map(|l| l.soft_label(3.0)).concat(),
                    [2, AGES],
                ),
                &device(),
            ),
            age_low: Tensor::from_floats([30.0, 20.0], &device()),
            age_high: Tensor::from_floats([30.0, 29.0], &device()),
            gender: matrix([[0.0, 1.0], [1.0, 0.0]]),
        };
        let start: Vec<f32> = (0..2 * AGES).map(|i| ((i * 13) % 7) as f32 * 0.3).collect();
        for class in [ClassLoss::Kl, ClassLoss::Focal] {
            let config = LossConfig {
                class,
                class_weight: 30.0,
                gender_weight: 10.0,
                gender_smoothing: 0.1,
                consistency: 2.0,
                ..LossConfig::default()
            };
            let total = |values: &[f32]| {
                let logits = Tensor::<2>::from_data(TensorData::new(values.to_vec(), [2, AGES]), &device())
                    .require_grad();
                let ages = Tensor::<2>::from_data(
                    TensorData::new((0..AGES).map(|i| i as f32).collect::<Vec<_>>(), [1, AGES]),
                    &device(),
                );
                let age =
                    (burn::tensor::activation::softmax(logits.clone(), 1) * ages).sum_dim(1).reshape([2]);
                let out = HeadOutputs {
                    age_logits: logits.clone(),
                    age,
                    gender_logits: logits.clone().slice([0..2, 0..2]),
                };
                (losses(&config, out, &targets, None).total, logits)
            };
            let (loss, logits) = total(&start);
            let gradient: Vec<f32> =
                logits.grad(&loss.backward()).unwrap().into_data().try_into_vec().unwrap();
            for at in [0, 1, 28, 30, 70, 101, 125, 199] {
                let shifted = |by: f32| {
                    let mut values = start.clone();
                    values[at] += by;
                    scalar(total(&values).0)
                };
                let numeric = (shifted(0.05) - shifted(-0.05)) / 0.1;
                assert!(
                    (numeric - gradient[at]).abs() < 2e-3 + 0.02 * numeric.abs(),
                    "{class:?} {at}: {numeric} {}",
                    gradient[at]
                );
            }
        }
    }

    #[test]
    fn smoothing_and_consistency_by_hand() {
        let target =
            smoothed(matrix([[0.0, 1.0], [0.0, 0.0]]), 0.1).into_data().try_into_vec::<f32>().unwrap();
        for (value, expected) in target.iter().zip([0.05, 0.95, 0.0, 0.0]) {
            assert!((value - expected).abs() < 1e-6, "{target:?}");
        }
        // Half of (0.5 - 0.25)(ln 0.5 - ln 0.25) + (0.5 - 0.75)(ln 0.5 - ln 0.75).
        let answers = matrix([[0.5, 0.5], [0.25, 0.75]]).log();
        let expected = 0.5 * (0.25 * LN_2 + 0.25 * 1.5f32.ln());
        assert!((scalar(consistency(answers.clone())) - expected).abs() < 1e-6);
        assert_eq!(scalar(consistency(matrix([[0.5, 0.5], [0.5, 0.5]]).log())), 0.0);
    }

    #[test]
    fn rare_ages_weigh_more() {
        let labels = (0..100).map(|i| AgeLabel::Exact(if i < 90 { 30.0 } else { 60.0 }).soft_label(1.0));
        let weights: Vec<f32> = class_balance(labels, &device()).into_data().try_into_vec().unwrap();
        assert!(weights[60] > 2.0 * weights[30]);
        let mean = 0.9 * weights[30] + 0.1 * weights[60];
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
    }
}
