//! The study's heads, a cascade of classification and regression.
//!
//! Age classes = softmax over 100 logits, class i is the age of i years; age = a dense layer *on that
//! softmax*, which starts as the expectation (weights 0, 1, ..., 99, bias 0); gender = softmax over 2, male
//! and female. Both classifications read the same vector.

pub use crate::age::AGES;

/// Numbers that the vector is classified by: logits of the [`AGES`] ages, then of male and female.
pub const LOGITS: usize = AGES + 2;

/// Numbers of a face: probabilities of the ages, the age in years, the probability of female.
pub const NUMBERS: usize = AGES + 2;

/// Name, inputs and outputs of the three dense layers on a vector of so many features: ages, regression,
/// gender.
pub fn layers(features: usize) -> [(&'static str, [usize; 2]); 3] {
    [
        ("heads.age_class", [features, AGES]),
        ("heads.age_regression", [AGES, 1]),
        ("heads.gender", [features, LOGITS - AGES]),
    ]
}

/// What a network says of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawEstimate {
    /// Probability of each age 0..99.
    pub age_distribution: [f32; AGES],
    /// Age in years from the cascaded regression.
    pub age: f32,
    /// Probability of female.
    pub female: f32,
}

impl RawEstimate {
    /// From logits and the regression's result.
    ///
    /// # Panics
    /// If there are not 100 logits of ages.
    pub fn from_logits(age_logits: &[f32], age: f32, gender_logits: [f32; 2]) -> Self {
        let female = 1.0 / (1.0 + (gender_logits[0] - gender_logits[1]).exp());
        Self { age_distribution: softmax(age_logits), age, female }
    }

    /// From the [`NUMBERS`] of a face. `None` where they are others, or not all of them finite.
    pub fn from_numbers(numbers: &[f32]) -> Option<Self> {
        let (age_distribution, &[age, female]) = numbers.split_first_chunk()? else { return None };
        let finite = numbers.iter().all(|number| number.is_finite());
        finite.then_some(Self { age_distribution: *age_distribution, age, female })
    }

    /// The mean of several looks at one face; `None` of none.
    pub fn mean(looks: &[Self]) -> Option<Self> {
        let share = 1.0 / looks.len() as f32;
        let (first, rest) = looks.split_first()?;
        let mut mean = *first;
        for look in rest {
            mean.age_distribution.iter_mut().zip(look.age_distribution).for_each(|(sum, p)| *sum += p);
            mean.age += look.age;
            mean.female += look.female;
        }
        mean.age_distribution.iter_mut().for_each(|sum| *sum *= share);
        Some(Self { age: mean.age * share, female: mean.female * share, ..mean })
    }

    /// As the [`NUMBERS`] of a face.
    pub fn numbers(&self) -> impl Iterator<Item = f32> {
        self.age_distribution.into_iter().chain([self.age, self.female])
    }
}

/// # Panics
/// If there are not 100 logits.
fn softmax(logits: &[f32]) -> [f32; AGES] {
    let logits: [f32; AGES] = logits.try_into().expect("a logit for each age");
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut shares = logits.map(|l| (l - largest).exp());
    let sum: f32 = shares.iter().sum();
    shares.iter_mut().for_each(|p| *p /= sum);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gender_is_a_softmax() {
        let estimate = RawEstimate::from_logits(&[0.0; AGES], 5.0, [1.0, 3.0]);
        assert!((estimate.female - 1.0 / (1.0 + (-2.0f32).exp())).abs() < 1e-6);
        assert!((estimate.age_distribution[7] - 0.01).abs() < 1e-6);
    }

    #[test]
    fn looks_are_averaged() {
        let mut ages = [0.0; AGES];
        ages[7] = 50.0;
        let looks = [[0.0; AGES], ages].map(|ages| RawEstimate::from_logits(&ages, ages[7], [ages[7], 0.0]));
        let mean = RawEstimate::mean(&looks).unwrap();
        assert!((mean.age_distribution[7] - 0.505).abs() < 1e-6, "{mean:?}");
        assert!((mean.age_distribution[8] - 0.005).abs() < 1e-6, "{mean:?}");
        assert_eq!((mean.age, mean.female), (25.0, 0.25));
        assert_eq!(RawEstimate::mean(&looks[..1]), Some(looks[0]));
        assert_eq!(RawEstimate::mean(&[]), None);
    }

    #[test]
    fn numbers_that_are_none_are_no_estimate() {
        let estimate = RawEstimate::from_logits(&[0.0; AGES], 5.0, [1.0, 3.0]);
        let mut numbers: Vec<f32> = estimate.numbers().collect();
        assert_eq!(numbers.len(), NUMBERS);
        assert_eq!(RawEstimate::from_numbers(&numbers), Some(estimate));
        assert_eq!(RawEstimate::from_numbers(&numbers[1..]), None);
        numbers[7] = f32::NAN;
        assert_eq!(RawEstimate::from_numbers(&numbers), None);
    }
}
