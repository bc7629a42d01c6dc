//! Ages: the soft label that networks are trained on, and the distribution that they answer with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

/// Number of age classes: class i is the age of i years.
pub const AGES: usize = 100;

/// What a data set says of somebody's age.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum AgeLabel {
    /// Years.
    Exact(f32),
    /// From the first to the last year, both included; FairFace's 'more than 70' is 70 to 99.
    Range(f32, f32),
}

impl AgeLabel {
    /// Years by which `age` is off; none inside a range.
    pub fn error(self, age: f32) -> f32 {
        let (low, high) = self.bounds();
        // Someone is 29 until the 30th birthday, but labels and answers are both in whole-year terms: 29 is 29.0.
        if age < low {
            age - low
        } else if age > high {
            age - high
        } else {
            0.0
        }
    }

    /// First and last year, equal for an exact age.
    pub fn bounds(self) -> (f32, f32) {
        match self {
            Self::Exact(age) => (age, age),
            Self::Range(low, high) => (low, high),
        }
    }

    /// Whether people have such an age: from 0 to 100 years, a range not over before it begins.
    pub fn is_possible(self) -> bool {
        let (low, high) = self.bounds();
        0.0 <= low && low <= high && high <= 100.0
    }

    /// The age, or the middle of the range.
    pub fn middle(self) -> f32 {
        let (low, high) = self.bounds();
        (low + high) / 2.0
    }

    /// Soft label with gap `gap` >= 1 over the classes 0..99: proportional to max(0, 1 - |i - age| / gap), which sums to 1.
    /// A range has the mean of its years' labels. Gap 1 is one-hot for a whole age.
    ///
    /// # Panics
    /// If `gap` is below 1 or not a number.
    pub fn soft_label(self, gap: f32) -> [f32; AGES] {
        assert!(gap >= 1.0, "a soft label's gap is at least 1, not {gap}");
        match self {
            Self::Exact(age) => soft_label(age, gap),
            Self::Range(low, high) => {
                let (low, high) = (low.round() as i32, high.round().max(low.round()) as i32);
                let mut sum = [0.0; AGES];
                for year in low..=high {
                    for (sum, p) in sum.iter_mut().zip(soft_label(year as f32, gap)) {
                        *sum += p / (high - low + 1) as f32;
                    }
                }
                sum
            }
        }
    }
}

fn soft_label(age: f32, gap: f32) -> [f32; AGES] {
    // 100 and above share the last class.
    let age = age.clamp(0.0, (AGES - 1) as f32);
    let mut label = std::array::from_fn(|i| (1.0 - (i as f32 - age).abs() / gap).max(0.0));
    let sum: f32 = label.iter().sum();
    label.iter_mut().for_each(|p| *p /= sum);
    label
}

/// Probabilities of the ages 0..99.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgeDistribution([f32; AGES]);

impl Serialize for AgeDistribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0)
    }
}

impl AgeDistribution {
    /// From probabilities, which are made to sum to 1; `None` if they can't be (negative, not finite, all zero).
    ///
    /// ```
    /// use mien::age::AgeDistribution;
    ///
    /// let mut years = [0.0; 100];
    /// years[30..35].fill(1.0);
    /// let distribution = AgeDistribution::new(years).unwrap();
    /// let [low, high] = distribution.central_range(0.8);
    /// assert!((distribution.median() - 32.0).abs() < 1.0 && low >= 29.0 && high <= 36.0);
    /// assert!(distribution.hills().is_none());
    /// ```
    pub fn new(probabilities: [f32; AGES]) -> Option<Self> {
        let sum: f32 = probabilities.iter().sum();
        let valid = sum > 0.0 && sum.is_finite() && probabilities.iter().all(|p| *p >= 0.0);
        valid.then(|| Self(probabilities.map(|p| p / sum)))
    }

    /// Them by year.
    pub(crate) fn years(&self) -> &[f32; AGES] {
        &self.0
    }

    /// The 100 probabilities.
    pub fn probabilities(&self) -> &[f32] {
        &self.0
    }

    /// *The* age, in years, 0..99: as much lies below it as above. (Why this one of several: `docs/steadiness.md`.)
    pub fn median(&self) -> f32 {
        self.quantile(0.5)
    }

    /// The likeliest year, the first of several.
    pub fn mode(&self) -> f32 {
        let likeliest = (0..AGES).fold(0, |best, age| if self.0[age] > self.0[best] { age } else { best });
        likeliest as f32
    }

    /// Expected age in years, 0..99.
    pub fn mean(&self) -> f32 {
        self.0.iter().enumerate().map(|(age, p)| age as f32 * p).sum()
    }

    /// The age below which the share `q` (0..1) lies. Each year's probability is spread evenly over half a year to either side.
    pub fn quantile(&self, q: f32) -> f32 {
        let mut below = 0.0;
        for (age, p) in self.0.iter().enumerate() {
            if below + p >= q && *p > 0.0 {
                let part = ((q - below) / p).clamp(0.0, 1.0);
                return (age as f32 - 0.5 + part).clamp(0.0, (AGES - 1) as f32);
            }
            below += p;
        }
        (AGES - 1) as f32
    }

    /// The share (0..1) that lies below an age: the inverse of [`AgeDistribution::quantile`].
    pub fn below(&self, age: f32) -> f32 {
        let place = age.clamp(0.0, (AGES - 1) as f32) + 0.5;
        let year = (place as usize).min(AGES - 1);
        self.0[..year].iter().sum::<f32>() + self.0[year] * (place - year as f32)
    }

    /// The central range that holds the share `mass` (0..1): as much lies below it as above.
    pub fn central_range(&self, mass: f32) -> [f32; 2] {
        let tail = (1.0 - mass.clamp(0.0, 1.0)) / 2.0;
        [self.quantile(tail), self.quantile(1.0 - tail)]
    }

    /// The range that is stated: a central one, whose mass depends on the age that is said.
    pub fn stated_range(&self, mass: &RangeMass) -> [f32; 2] {
        self.central_range(mass.at(self.median()))
    }

    /// The two hills of a distribution that has two, the younger one first; `None` of one that has not.
    ///
    /// It has two if it can be split at a year so that
    /// - each side has at least [`HILL_SHARE`] of the probability,
    /// - the medians of the sides are at least [`HILL_YEARS`] apart,
    /// - and the distribution is at most [`VALLEY`] times as high there as at the lower of the two sides' peaks, when
    ///   neighbouring years are averaged as in a soft label of gap 3.
    ///
    /// Of several such years the one with the deepest valley counts.
    pub fn hills(&self) -> Option<[Hill; 2]> {
        self.hills_by(VALLEY)
    }

    /// The same with another depth of the valley.
    pub(crate) fn hills_by(&self, valley: f32) -> Option<[Hill; 2]> {
        let p =
            |age: isize| usize::try_from(age).ok().and_then(|age| self.0.get(age)).copied().unwrap_or(0.0);
        let smooth: [f32; AGES] = std::array::from_fn(|age| {
            let age = age as isize;
            (p(age - 2) + 2.0 * p(age - 1) + 3.0 * p(age) + 2.0 * p(age + 1) + p(age + 2)) / 9.0
        });
        // The highest from each year on.
        let mut after = smooth;
        for age in (0..AGES - 1).rev() {
            after[age] = after[age].max(after[age + 1]);
        }
        let (mut before, mut below) = (smooth[0], self.0[0]);
        let mut best: Option<(f32, f32)> = None;
        for age in 1..AGES - 1 {
            let depth = smooth[age] / before.min(after[age + 1]).max(f32::MIN_POSITIVE);
            // The year itself is shared.
            let share = below + self.0[age] / 2.0;
            if depth <= best.map_or(valley, |(depth, _)| depth)
                && (HILL_SHARE..=1.0 - HILL_SHARE).contains(&share)
                && self.quantile(0.5 + share / 2.0) - self.quantile(share / 2.0) >= HILL_YEARS
            {
                best = Some((depth, share));
            }
            before = before.max(smooth[age]);
            below += self.0[age];
        }
        let (_, share) = best?;
        let younger = Hill { age: self.quantile(share / 2.0), share };
        Some([younger, Hill { age: self.quantile(0.5 + share / 2.0), share: 1.0 - share }])
    }
}

/// Ages at which the mass of the stated range is given, in years apart, from 0 on.
pub const RANGE_STEP: usize = 10;

/// Of how many ages it is given.
pub const RANGE_STEPS: usize = AGES / RANGE_STEP;

/// How much of the distribution the stated range holds, 0..1, by the age that is said: as much as lets it hold
/// the age of four people in five, by validation pictures ([`crate::train::calibrate`]). Between the ages at
/// which it is given it is linear.
///
/// As text, in weight files: one number for all ages, or [`RANGE_STEPS`] with commas between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeMass([f32; RANGE_STEPS]);

impl RangeMass {
    /// The same for all ages.
    pub fn uniform(mass: f32) -> Self {
        Self([mass.clamp(0.0, 1.0); RANGE_STEPS])
    }

    /// For the ages 0, 10, ..., 90.
    pub fn new(masses: [f32; RANGE_STEPS]) -> Self {
        Self(masses.map(|mass| mass.clamp(0.0, 1.0)))
    }

    /// For that age, in years.
    pub fn at(&self, age: f32) -> f32 {
        let place = (age / RANGE_STEP as f32).clamp(0.0, (RANGE_STEPS - 1) as f32);
        let before = (place as usize).min(RANGE_STEPS - 2);
        let part = place - before as f32;
        self.0[before] * (1.0 - part) + self.0[before + 1] * part
    }
}

impl Default for RangeMass {
    /// As if a distribution were right about its own width.
    fn default() -> Self {
        Self::uniform(0.8)
    }
}

impl fmt::Display for RangeMass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mass) in self.0.iter().enumerate() {
            write!(f, "{}{mass:.4}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// No mass by age.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is neither a number from 0 to 1 nor {RANGE_STEPS} of them with commas between")]
pub struct RangeMassError(String);

impl FromStr for RangeMass {
    type Err = RangeMassError;

    fn from_str(text: &str) -> Result<Self, RangeMassError> {
        let mass = |part: &str| part.parse().ok().filter(|mass| (0.0..=1.0).contains(mass));
        let masses: Option<Vec<f32>> = text.split(',').map(mass).collect();
        match masses.as_deref() {
            Some([mass]) => Ok(Self::uniform(*mass)),
            Some(masses) => masses.try_into().map(Self).map_err(|_| RangeMassError(text.into())),
            None => Err(RangeMassError(text.into())),
        }
    }
}

/// A hill of a distribution that has two.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Hill {
    /// Its median, in years.
    pub age: f32,
    /// Its share of the probability, 0..1; those of the two sum to 1.
    pub share: f32,
}

/// The least share of the probability that a hill has.
pub const HILL_SHARE: f32 = 0.2;
/// The least that two hills are apart, in years.
pub const HILL_YEARS: f32 = 10.0;
/// The most that is left between two hills, as a part of the lower one's height.
pub const VALLEY: f32 = 0.6;

#[cfg(test)]
mod tests {
    use super::*;

    fn nonzero(label: &[f32]) -> Vec<(usize, f32)> {
        label.iter().copied().enumerate().filter(|(_, p)| *p > 0.0).collect()
    }

    fn close(found: &[(usize, f32)], expected: &[(usize, f32)]) {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (f, e) in found.iter().zip(expected) {
            assert!(f.0 == e.0 && (f.1 - e.1).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn soft_labels_by_hand() {
        close(&nonzero(&AgeLabel::Exact(30.0).soft_label(1.0)), &[(30, 1.0)]);
        // 1/3, 2/3, 1, 2/3, 1/3 sum to 3.
        let g3 = [(28, 1.0 / 9.0), (29, 2.0 / 9.0), (30, 3.0 / 9.0), (31, 2.0 / 9.0), (32, 1.0 / 9.0)];
        close(&nonzero(&AgeLabel::Exact(30.0).soft_label(3.0)), &g3);
        // At the end: 1, 2/3, 1/3 sum to 2.
        close(&nonzero(&AgeLabel::Exact(0.0).soft_label(3.0)), &[(0, 0.5), (1, 1.0 / 3.0), (2, 1.0 / 6.0)]);
        close(&nonzero(&AgeLabel::Exact(120.0).soft_label(1.0)), &[(99, 1.0)]);
        // A range: the mean over its years.
        close(&nonzero(&AgeLabel::Range(3.0, 4.0).soft_label(1.0)), &[(3, 0.5), (4, 0.5)]);
        for gap in [1.0, 2.5, 7.0, 200.0] {
            let sum: f32 = AgeLabel::Range(0.0, 2.0).soft_label(gap).iter().sum();
            assert!((sum - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    #[should_panic(expected = "at least 1")]
    fn a_gap_below_one_is_refused() {
        AgeLabel::Exact(3.0).soft_label(0.5);
    }

    #[test]
    fn errors_are_zero_inside_a_range() {
        assert_eq!(AgeLabel::Exact(30.0).error(33.5), 3.5);
        let range = AgeLabel::Range(20.0, 29.0);
        assert_eq!([15.0, 20.0, 25.5, 29.0, 31.0].map(|a| range.error(a)), [-5.0, 0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn the_mass_of_a_range_is_linear_between_ages() {
        let mass: RangeMass = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1".parse().unwrap();
        for (age, expected) in [(-3.0, 0.1), (0.0, 0.1), (5.0, 0.15), (20.0, 0.3), (87.5, 0.975), (99.0, 1.0)]
        {
            assert!((mass.at(age) - expected).abs() < 1e-6, "{age}: {}", mass.at(age));
        }
        assert_eq!(mass.to_string().parse(), Ok(mass));
        assert_eq!("0.75".parse(), Ok(RangeMass::uniform(0.75)));
        for text in ["", "x", "1.5", "NaN", "-0.1", "0.8,0.8", "0.8,0.8,0.8,0.8,0.8,0.8,0.8,0.8,0.8,2"] {
            assert!(text.parse::<RangeMass>().is_err(), "{text}");
        }
        // The wider the mass where the age lies, the wider the range.
        let mut p = [0.0; AGES];
        p[30..50].fill(1.0);
        let ages = AgeDistribution::new(p).unwrap();
        let [low, high] = ages.stated_range(&"0,0,0,0,0.5,0,0,0,0,0".parse().unwrap());
        let [lower, higher] = ages.central_range(0.5 * 0.95);
        assert!((low - lower).abs() < 1e-3 && (high - higher).abs() < 1e-3, "{low} {high}");
    }

    #[test]
    fn distributions() {
        assert!(AgeDistribution::new([0.0; AGES]).is_none());
        assert!(AgeDistribution::new([-0.1; AGES]).is_none());
        assert!(AgeDistribution::new([f32::NAN; AGES]).is_none());
        let uniform = AgeDistribution::new([2.0; AGES]).unwrap();
        assert!((uniform.mean() - 49.5).abs() < 1e-3);
        assert!((uniform.below(uniform.quantile(0.3)) - 0.3).abs() < 1e-5);
        let [low, high] = uniform.central_range(0.8);
        assert!((low - 9.5).abs() < 1e-3 && (high - 89.5).abs() < 1e-3, "{low} {high}");
        let mut one = [0.0; AGES];
        one[42] = 1.0;
        let one = AgeDistribution::new(one).unwrap();
        assert_eq!(one.mean(), 42.0);
        let [low, high] = one.central_range(0.8);
        assert!((low - 41.6).abs() < 1e-5 && (high - 42.4).abs() < 1e-5, "{low} {high}");
    }

    /// A hill of each width around each age, with each weight, by normal distributions.
    fn mixed(hills: &[(f32, f32, f32)]) -> AgeDistribution {
        let density = |age: f32| -> f32 {
            hills
                .iter()
                .map(|(at, width, share)| share / width * (-((age - at) / width).powi(2) / 2.0).exp())
                .sum()
        };
        AgeDistribution::new(std::array::from_fn(|age| density(age as f32))).unwrap()
    }

    #[test]
    fn the_age_is_the_median() {
        for age in [0.0, 8.0, 33.3, 99.0] {
            let one = AgeDistribution::new(AgeLabel::Exact(age).soft_label(3.0)).unwrap();
            assert!((one.median() - age).abs() < 0.8, "{age}: {}", one.median());
        }
        // It moves within a year as well.
        let medians: Vec<f32> =
            (0..10).map(|i| mixed(&[(40.0 + i as f32 / 10.0, 5.0, 1.0)]).median()).collect();
        assert!(medians.windows(2).all(|pair| (0.05..0.15).contains(&(pair[1] - pair[0]))), "{medians:?}");
        // And lies in every central range.
        let skewed = mixed(&[(8.0, 2.0, 0.55), (30.0, 6.0, 0.45)]);
        for mass in [0.0, 0.05, 0.5, 0.8, 1.0] {
            let [low, high] = skewed.central_range(mass);
            assert!(low <= skewed.median() && skewed.median() <= high, "{mass}");
        }
        assert_eq!(skewed.mode(), 8.0);
    }

    #[test]
    fn two_hills_are_said_to_be_two() {
        let [child, adult] = mixed(&[(8.0, 2.0, 0.45), (30.0, 5.0, 0.55)]).hills().unwrap();
        assert!((child.age - 8.0).abs() < 0.7 && (adult.age - 30.0).abs() < 0.7, "{child:?} {adult:?}");
        assert!((child.share - 0.45).abs() < 0.02 && (child.share + adult.share - 1.0).abs() < 1e-6);
        // Of three, the deepest valley counts.
        let [young, old] = mixed(&[(10.0, 3.0, 0.3), (24.0, 4.0, 0.2), (70.0, 5.0, 0.5)]).hills().unwrap();
        assert!(young.age < 25.0 && (old.age - 70.0).abs() < 1.0, "{young:?} {old:?}");
        for (what, one) in [
            ("one hill", vec![(40.0, 8.0, 1.0)]),
            ("a steep one", vec![(40.0, 0.5, 1.0)]),
            ("a small second one", vec![(8.0, 2.0, 0.15), (40.0, 5.0, 0.85)]),
            ("two that are close", vec![(30.0, 2.0, 0.5), (38.0, 2.0, 0.5)]),
            ("two that run into each other", vec![(30.0, 6.0, 0.5), (44.0, 6.0, 0.5)]),
        ] {
            assert_eq!(mixed(&one).hills(), None, "{what}");
        }
        // A jagged hill is one: neighbouring years are averaged.
        let hill = mixed(&[(40.0, 8.0, 1.0)]);
        let jagged = std::array::from_fn(|age| hill.years()[age] * if age % 2 == 0 { 1.6 } else { 0.4 });
        assert_eq!(AgeDistribution::new(jagged).unwrap().hills(), None);
        assert_eq!(AgeDistribution::new([0.01; AGES]).unwrap().hills(), None);
    }
}
