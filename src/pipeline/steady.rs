//! Steady numbers of one face over time, and whether it still is the same person's.
//!
//! A network's answers about a face scatter with its every move, so a video shows their average. Four
//! things make it one that people can read:
//!
//! - **Weight.** An answer counts for what it adds. One about a face that has not moved since the last says
//!   nearly what that said and counts `STILL_ADDS`; one about another view counts fully; all that was
//!   before counts `MEMORY` at most. A pause changes nothing in that.
//! - **Doubt.** An answer further from the average than this face's answers usually are is put aside. The
//!   next that fits makes it an outlier. `DOUBTS` in a row that fit each other are a step: the average
//!   starts anew with them. And where the step is larger than light and pose make (`ANOTHER`), it is
//!   another person.
//! - **Settling.** There is a number once `AGREEING` answers agree, or after `PATIENCE`. What is said of a
//!   face that moves fast counts neither for that nor later.
//! - **Holding.** A number that is shown moves when the average is beyond its rounding by `SLACK`, and not
//!   before `REST` has passed since it last moved.
//!
//! How far answers are apart is said by [`unlike`]. The constants were chosen on clips made of validation
//! pictures (`mien bench steadiness`, `docs/steadiness.md`).

use serde::{Deserialize, Serialize};

use crate::age::{AgeDistribution, Hill, RangeMass, VALLEY};
use crate::engine::RawEstimate;
use crate::net::AGES;

/// What an answer adds about a face that has not moved since the one before, of one about another view.
const STILL_ADDS: f32 = 0.25;

/// How far the landmarks must have moved for another view, in widths of the face.
const OTHER_VIEW: f32 = 0.05;

/// How much all former answers weigh together at most, in answers about other views.
const MEMORY: f32 = 10.0;

/// An answer is doubted from this far on, or from this many times as far as this face's answers usually are.
const STEP: f32 = 0.12;
const UNUSUAL: f32 = 3.0;

/// Doubted answers in a row that make a step; two of them where they are so many seconds apart.
const DOUBTS: u32 = 3;
const LONG_DOUBT: f64 = 0.4;

/// A step this large makes another person of it, or one so many times as large as this face's answers
/// scatter. Light, pose and blur make smaller ones.
const ANOTHER: f32 = 0.3;
const ANOTHER_UNUSUAL: f32 = 4.0;

/// Who comes back after a gap is another person if the first answer is this far off.
const ANOTHER_AFTER_GAP: f32 = 0.2;

/// How far a face's answers usually are from their average, until that is known, and how soon it is.
const USUAL: f32 = 0.08;
const USUAL_LEARNS: f32 = 0.1;

/// Answers in a row whose ages agree within so many years, or such a part of the age.
const AGREEING: usize = 5;
const AGREE_YEARS: f32 = 2.0;
const AGREE_PART: f32 = 0.08;

/// How long nothing is shown at most, in seconds: of a face that holds still enough, and of any.
const PATIENCE: f64 = 0.5;
const LONGEST_PATIENCE: f64 = 1.5;

/// A face that moves faster than this, in widths a second, is blurred, and its answers tell little.
pub const FAST: f32 = 1.5;

/// How far beyond its rounding a number must be before it moves, in parts of what it is rounded to.
const SLACK: f32 = 0.3;

/// How long a number stands at least, in seconds.
const REST: f64 = 0.5;

/// Two hills stay two until the valley between them is less deep by this.
const VALLEY_SLACK: f32 = 0.15;

/// How unlike two answers are, ages and gender together: the root of their Bhattacharyya distance. 0 of the
/// same; for normal distributions of one width, their distance in standard deviations divided by 2.8.
pub fn unlike(a: &Answer, b: &Answer) -> f32 {
    let overlap = |a: f32, b: f32| (a * b).max(0.0).sqrt();
    let ages: f32 = a.ages.iter().zip(&b.ages).map(|(a, b)| overlap(*a, *b)).sum();
    let genders = overlap(a.female, b.female) + overlap(1.0 - a.female, 1.0 - b.female);
    // The distance of what has nothing in common is infinite, and this as good as that.
    (-(ages * genders).max(f32::MIN_POSITIVE).ln()).max(0.0).sqrt()
}

/// What a network says of a face, or the average of that.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Probability of each age.
    #[serde(with = "distribution")]
    pub ages: [f32; AGES],
    /// Probability of being female, 0 to 1.
    pub female: f32,
}

impl Answer {
    /// `None` where a number is none.
    pub fn of(estimate: &RawEstimate) -> Option<Self> {
        let RawEstimate { age_distribution, female, .. } = estimate;
        let ages = *AgeDistribution::new(*age_distribution)?.years();
        (0.0..=1.0).contains(female).then_some(Self { ages, female: *female })
    }

    fn is_possible(&self) -> bool {
        AgeDistribution::new(self.ages).is_some() && (0.0..=1.0).contains(&self.female)
    }

    /// As probabilities.
    pub fn distribution(&self) -> AgeDistribution {
        AgeDistribution::new(self.ages).expect("averages of distributions are distributions")
    }

    /// Moves a part of the way to another.
    fn approach(&mut self, other: &Self, part: f32) {
        for (own, other) in self.ages.iter_mut().zip(&other.ages) {
            *own += part * (other - *own);
        }
        self.female += part * (other.female - self.female);
    }
}

/// Whose an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The same person's as those before.
    Same,
    /// Another person's, with whom it begins anew.
    Another,
}

/// How a face was seen when it was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Landmarks in pixels.
    pub landmarks: [[f32; 2]; 6],
    /// Width of the box in pixels.
    pub width: f32,
    /// How fast it moves, in widths a second.
    pub speed: f32,
}

impl View {
    /// How far the landmarks are from those of another, on average, in widths.
    fn moved(&self, other: &Self) -> f32 {
        let far = self.landmarks.iter().zip(&other.landmarks);
        let far: f32 = far.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum();
        far / 6.0 / self.width.max(1.0)
    }
}

/// The numbers of a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    average: Answer,
    /// How much it weighs.
    weight: f32,
    /// Seconds on the tracker's clock at the first answer, and at the first since the face holds still.
    began: f64,
    calm: Option<f64>,
    /// Mean square of how far answers are from the average.
    usual: f32,
    /// Of the last answer that was taken in.
    view: View,
    /// Ages by the last answers, the newest last; as many as were taken in, up to their number.
    last_ages: [f32; AGREEING],
    ages: usize,
    /// Answers put aside, in a row, and their mean.
    doubted: Answer,
    doubts: u32,
    doubted_since: f64,
    shown: Option<Shown>,
}

/// What is shown of a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    age: Held,
    low: Held,
    high: Held,
    /// In percent.
    female: Held,
    hills: Option<[Hill; 2]>,
}

/// A number that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Held {
    value: f32,
    /// When it moved last.
    since: f64,
}

impl Held {
    /// Whether it moved.
    fn follow(&mut self, to: f32, clock: f64) -> bool {
        let beyond = (to - self.value.round()).abs() - 0.5 > SLACK;
        let moves = beyond && clock - self.since >= REST;
        if moves {
            *self = Self { value: to, since: clock };
        }
        moves
    }
}

impl Steady {
    /// By a first answer; `None` if that has numbers that are none.
    pub fn new(estimate: &RawEstimate, view: View, clock: f64) -> Option<Self> {
        let average = Answer::of(estimate)?;
        let age = average.distribution().median();
        Some(Self {
            average,
            weight: 1.0,
            began: clock,
            calm: None,
            usual: USUAL * USUAL,
            view,
            last_ages: [age; AGREEING],
            ages: 1,
            doubted: average,
            doubts: 0,
            doubted_since: clock,
            shown: None,
        })
    }

    /// The average of what was said.
    pub fn average(&self) -> &Answer {
        &self.average
    }

    /// Whether there is a number to show, and no doubt about it: otherwise the face is asked about in each
    /// frame.
    pub fn is_sure(&self) -> bool {
        self.shown.is_some() && self.doubts == 0
    }

    /// Whether its numbers can have come of answers.
    pub fn is_possible(&self) -> bool {
        let Self { average, weight, began, calm, usual, view, last_ages, ages, .. } = self;
        let Self { doubted, doubts, doubted_since, shown, .. } = self;
        let held = |held: &Held| held.value.abs() <= 1e3 && held.since < 1e9;
        let hill = |hill: &Hill| (0.0..100.0).contains(&hill.age) && (0.0..=1.0).contains(&hill.share);
        average.is_possible()
            && doubted.is_possible()
            && (0.0..=1e3).contains(weight)
            && *began < 1e9
            && *doubted_since < 1e9
            && calm.is_none_or(|calm| calm < 1e9)
            && (0.0..=1e3).contains(usual)
            && (0.0..1e9).contains(&view.width)
            && (0.0..1e9).contains(&view.speed)
            && view.landmarks.as_flattened().iter().all(|at| at.abs() < 1e9)
            && last_ages.iter().all(|age| (0.0..100.0).contains(age))
            && *ages <= AGREEING
            && *doubts < DOUBTS
            && shown.is_none_or(|shown| {
                [shown.age, shown.low, shown.high, shown.female].iter().all(held)
                    && shown.hills.is_none_or(|hills| hills.iter().all(hill))
            })
    }

    /// Takes in an answer. `after_gap` where the face was out of sight before it: it may be another's then.
    pub fn learn(&mut self, estimate: &RawEstimate, view: View, clock: f64, after_gap: bool) -> Whose {
        let Some(answer) = Answer::of(estimate) else { return Whose::Same };
        if view.speed > FAST {
            return Whose::Same;
        }
        self.calm.get_or_insert(clock);
        let far = unlike(&self.average, &answer);
        let usual = self.usual.sqrt();
        if after_gap && self.shown.is_some() && far > ANOTHER_AFTER_GAP.max(UNUSUAL * usual) {
            *self = Self::new(estimate, view, clock).expect("an answer of numbers");
            return Whose::Another;
        }
        let doubtful = STEP.max(UNUSUAL * usual).min(ANOTHER);
        if far > doubtful {
            return self.doubt(&answer, doubtful, view, clock);
        }
        // What was put aside before was an outlier.
        self.doubts = 0;
        let moved = view.moved(&self.view) / OTHER_VIEW;
        // Not where it is no number either.
        let adds = if moved > STILL_ADDS { moved.min(1.0) } else { STILL_ADDS };
        self.weight = (self.weight + adds).min(MEMORY);
        self.average.approach(&answer, adds / self.weight);
        self.usual += USUAL_LEARNS * (far * far - self.usual);
        self.view = view;
        self.note_age(&answer);
        Whose::Same
    }

    fn note_age(&mut self, answer: &Answer) {
        self.last_ages.rotate_left(1);
        self.last_ages[AGREEING - 1] = answer.distribution().median();
        self.ages = (self.ages + 1).min(AGREEING);
    }

    fn doubt(&mut self, answer: &Answer, doubtful: f32, view: View, clock: f64) -> Whose {
        if self.doubts == 0 || unlike(&self.doubted, answer) > doubtful {
            (self.doubted, self.doubts, self.doubted_since) = (*answer, 1, clock);
        } else {
            self.doubts += 1;
            self.doubted.approach(answer, 1.0 / self.doubts as f32);
        }
        let long = self.doubts > 1 && clock - self.doubted_since >= LONG_DOUBT;
        if self.doubts < DOUBTS && !long {
            return Whose::Same;
        }
        let far = unlike(&self.average, &self.doubted);
        let another = self.shown.is_some() && far > ANOTHER.max(ANOTHER_UNUSUAL * self.usual.sqrt());
        self.average = self.doubted;
        self.weight = 1.0 + STILL_ADDS * (DOUBTS - 1) as f32;
        self.view = view;
        self.doubts = 0;
        self.last_ages = [self.average.distribution().median(); AGREEING];
        self.ages = DOUBTS as usize;
        if another {
            self.usual = USUAL * USUAL;
            (self.began, self.calm) = (clock, Some(clock));
            self.shown = None;
            return Whose::Another;
        }
        Whose::Same
    }

    /// What is shown at a time, with a range of that mass; `None` as long as that would not be good enough.
    pub fn show(&mut self, clock: f64, mass: &RangeMass) -> Option<Shown> {
        let waited = |since: f64, patience: f64| clock - since >= patience;
        let settles = self.agrees()
            || self.calm.is_some_and(|calm| waited(calm, PATIENCE))
            || waited(self.began, LONGEST_PATIENCE);
        if self.shown.is_none() && !settles {
            return None;
        }
        let ages = self.average.distribution();
        let [low, high] = ages.stated_range(mass);
        let (age, female) = (ages.median(), 100.0 * self.average.female);
        let held = |value| Held { value, since: clock };
        let mut shown = self.shown.unwrap_or_else(|| Shown {
            age: held(age),
            low: held(low),
            high: held(high),
            female: held(female),
            hills: ages.hills(),
        });
        let moved = [
            shown.age.follow(age, clock),
            shown.low.follow(low, clock),
            shown.high.follow(high, clock),
            shown.female.follow(female, clock),
        ];
        if moved.contains(&true) {
            shown.hills = ages.hills_by(VALLEY + if shown.hills.is_some() { VALLEY_SLACK } else { 0.0 });
        }
        self.shown = Some(shown);
        self.shown
    }

    fn agrees(&self) -> bool {
        let (low, high) = self
            .last_ages
            .iter()
            .fold((f32::INFINITY, 0.0f32), |(low, high), age| (low.min(*age), high.max(*age)));
        self.ages == AGREEING && self.doubts == 0 && high - low <= AGREE_YEARS.max(AGREE_PART * high)
    }

    /// The numbers of the moment, which are not to be shown yet.
    pub fn unsettled(&self, mass: &RangeMass) -> Shown {
        let ages = self.average.distribution();
        let [low, high] = ages.stated_range(mass);
        let [age, low, high, female] =
            [ages.median(), low, high, 100.0 * self.average.female].map(|value| Held { value, since: 0.0 });
        Shown { age, low, high, female, hills: ages.hills() }
    }
}

impl Shown {
    /// In years.
    pub fn age(&self) -> f32 {
        self.age.value
    }

    /// In years; holds the age.
    pub fn range(&self) -> [f32; 2] {
        [self.low.value.min(self.age.value), self.high.value.max(self.age.value)]
    }

    /// Where the distribution has two.
    pub fn hills(&self) -> Option<[Hill; 2]> {
        self.hills
    }

    /// Probability of female.
    pub fn female(&self) -> f32 {
        (self.female.value / 100.0).clamp(0.0, 1.0)
    }
}

/// Probabilities of the ages, as a list of any length on paper.
mod distribution {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::net::AGES;

    pub fn serialize<S: Serializer>(ages: &[f32; AGES], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(ages)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[f32; AGES], D::Error> {
        let ages = Vec::<f32>::deserialize(from)?;
        let found = ages.len();
        ages.try_into().map_err(|_| D::Error::invalid_length(found, &"a probability of each age"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hill around an age, wider for older people.
    fn said(age: f32, female: f32) -> RawEstimate {
        let width = 2.0 + 0.12 * age;
        let hill = |at: usize| (-((at as f32 - age) / width).powi(2) / 2.0).exp();
        let sum: f32 = (0..AGES).map(hill).sum();
        RawEstimate { age_distribution: std::array::from_fn(|at| hill(at) / sum), age, female }
    }

    fn view(x: f32) -> View {
        View { landmarks: [[x, 0.0]; 6], width: 100.0, speed: 0.0 }
    }

    fn start(age: f32) -> Steady {
        Steady::new(&said(age, 0.2), view(0.0), 0.0).unwrap()
    }

    /// Settled at an age, by answers about different views; the clock goes on from the second.
    fn settled(age: f32) -> (Steady, f64) {
        let (mut steady, mut clock) = (start(age), 0.0);
        for i in 0..20 {
            clock = f64::from(i) * 0.1;
            assert_eq!(steady.learn(&said(age, 0.2), view(10.0 * (i % 2) as f32), clock, false), Whose::Same);
            steady.show(clock, &RangeMass::default());
        }
        assert!(steady.is_sure());
        (steady, clock)
    }

    fn median(steady: &Steady) -> f32 {
        steady.average().distribution().median()
    }

    #[test]
    fn answers_are_apart_by_age_and_by_gender() {
        let of = |age, female| Answer::of(&said(age, female)).unwrap();
        assert!(unlike(&of(40.0, 0.3), &of(40.0, 0.3)) < 1e-3);
        let [near, far] = [41.0, 52.0].map(|age| unlike(&of(40.0, 0.3), &of(age, 0.3)));
        assert!(near < 0.1 && far > 0.5, "{near} {far}");
        let gender = unlike(&of(40.0, 0.05), &of(40.0, 0.95));
        assert!(gender > 0.5, "{gender}");
        // With nothing in common, too.
        let (mut child, mut old) = (said(5.0, 0.0), said(80.0, 1.0));
        (child.age_distribution, old.age_distribution) = ([0.0; AGES], [0.0; AGES]);
        (child.age_distribution[5], old.age_distribution[80]) = (1.0, 1.0);
        let far = unlike(&Answer::of(&child).unwrap(), &Answer::of(&old).unwrap());
        assert!(far.is_finite() && far > 5.0, "{far}");
    }

    #[test]
    fn three_answers_in_a_row_are_another_person() {
        let (steady, clock) = settled(52.0);
        for (age, female) in [(66.0, 0.2), (30.0, 0.2), (52.0, 0.95)] {
            let mut steady = steady;
            let other = said(age, female);
            assert_eq!(steady.learn(&other, view(0.0), clock + 0.1, false), Whose::Same);
            assert!(!steady.is_sure(), "asked about in each frame");
            assert_eq!(steady.learn(&other, view(0.0), clock + 0.13, false), Whose::Same);
            assert!((median(&steady) - 52.0).abs() < 0.5, "nobody's age in between");
            assert_eq!(steady.learn(&other, view(0.0), clock + 0.17, false), Whose::Another);
            assert!((median(&steady) - age).abs() < 0.5);
            // And has a number two answers later.
            for later in [0.2, 0.23] {
                assert!(steady.show(clock + later - 0.03, &RangeMass::default()).is_none());
                steady.learn(&other, view(0.0), clock + later, false);
            }
            let shown = steady.show(clock + 0.23, &RangeMass::default()).unwrap();
            assert!((shown.age() - age).abs() < 0.5 && (shown.female() - female).abs() < 0.01);
        }
    }

    #[test]
    fn two_are_enough_where_answers_are_rare() {
        let (mut steady, clock) = settled(52.0);
        assert_eq!(steady.learn(&said(66.0, 0.2), view(0.0), clock + 0.5, false), Whose::Same);
        assert_eq!(steady.learn(&said(66.0, 0.2), view(0.0), clock + 1.0, false), Whose::Another);
    }

    #[test]
    fn outliers_change_nothing() {
        let (mut steady, mut clock) = settled(52.0);
        for i in 0..66 {
            clock += 0.1;
            // One in three; two in a row; and three in a row that do not fit each other.
            let odd = [70.0, 52.0, 52.0, 70.0, 70.0, 52.0, 30.0, 70.0, 20.0, 52.0, 52.0][i % 11];
            assert_eq!(steady.learn(&said(odd, 0.2), view(10.0 * (i % 2) as f32), clock, false), Whose::Same);
        }
        assert!((median(&steady) - 52.0).abs() < 0.5);
    }

    #[test]
    fn other_light_is_followed_at_once_and_is_the_same_person() {
        let (mut steady, mut clock) = settled(40.0);
        for _ in 0..3 {
            clock += 0.1;
            assert_eq!(steady.learn(&said(44.0, 0.25), view(0.0), clock, false), Whose::Same);
        }
        assert!((median(&steady) - 44.0).abs() < 0.5, "{}", median(&steady));
        assert!(steady.is_sure());
    }

    #[test]
    fn after_a_gap_one_answer_is_enough() {
        let (steady, clock) = settled(66.0);
        let mut other = steady;
        assert_eq!(other.learn(&said(42.0, 0.9), view(0.0), clock + 0.5, true), Whose::Another);
        assert!((median(&other) - 42.0).abs() < 0.5);
        let mut same = steady;
        assert_eq!(same.learn(&said(67.5, 0.2), view(0.0), clock + 0.5, true), Whose::Same);
    }

    #[test]
    fn a_pause_gives_an_answer_no_weight() {
        let moved = |pause: f64| {
            let (mut steady, clock) = settled(40.0);
            steady.learn(&said(42.0, 0.2), view(20.0), clock + pause, false);
            median(&steady) - 40.0
        };
        assert_eq!(moved(0.2), moved(10.0));
        assert!(moved(10.0) > 0.05 && moved(10.0) < 0.4, "{}", moved(10.0));
    }

    #[test]
    fn more_of_the_same_view_adds_little() {
        let average = |views: [f32; 2]| {
            let mut steady = start(40.0);
            for i in 0..12 {
                // The first eight about one view, the others about others.
                let at = if i < 8 { views[0] } else { views[1] * (1 + i % 2) as f32 };
                let age = if i < 8 { 40.0 } else { 42.0 };
                steady.learn(&said(age, 0.2), view(at), f64::from(i) * 0.2, false);
            }
            median(&steady)
        };
        let [same, other] = [average([0.0, 0.0]), average([0.0, 30.0])];
        assert!(other - same > 0.3, "{same} {other}");
    }

    /// The times of the numbers that are shown, as answers come thirty a second.
    fn first_shown(ages: impl Fn(u32) -> f32, speed: impl Fn(u32) -> f32) -> (u32, f32) {
        let mut steady = start(ages(0));
        (0..90)
            .find_map(|i| {
                let (clock, view) = (f64::from(i) / 30.0, View { speed: speed(i), ..view(0.0) });
                if i > 0 {
                    steady.learn(&said(ages(i), 0.2), view, clock, false);
                }
                Some((i, steady.show(clock, &RangeMass::default())?.age()))
            })
            .unwrap()
    }

    #[test]
    fn there_is_a_number_when_some_agree_or_after_half_a_second() {
        let still = |_| 0.0;
        let (frame, age) = first_shown(|i| 40.0 + (i % 2) as f32, still);
        assert!(frame == 4 && (age - 40.5).abs() < 0.6, "{frame} {age}");
        let scattered = |i: u32| [36.0, 43.0, 40.0, 37.0, 44.0][i as usize % 5];
        let (frame, age) = first_shown(scattered, still);
        assert!((15..=17).contains(&frame) && (age - 40.0).abs() < 3.0, "{frame} {age}");
        // Blurred at first, until it stands still.
        let (frame, age) =
            first_shown(|i| if i < 20 { 60.0 } else { 40.0 }, |i| if i < 20 { 4.0 } else { 0.0 });
        assert!((22..=26).contains(&frame) && (age - 40.0).abs() < 1.0, "{frame} {age}");
        // Somebody who never does has a number, too.
        let (frame, _) = first_shown(|_| 40.0, |_| 4.0);
        assert_eq!(frame, 45);
    }

    #[test]
    fn a_number_moves_beyond_its_rounding_only_and_twice_a_second_at_most() {
        let mut held = Held { value: 40.4, since: 0.0 };
        for i in 0..100 {
            // Across the edge of a rounding and back.
            assert!(!held.follow(40.5 + 0.25 * f32::from(i % 2 == 0) - 0.1, 1.0 + f64::from(i)));
        }
        assert!(held.follow(40.85, 200.0));
        assert_eq!(held.value, 40.85);
        assert!(!held.follow(50.0, 200.4) && held.follow(50.0, 200.5));
    }

    #[test]
    fn the_range_holds_the_age_that_is_shown() {
        let (mut steady, mut clock) = settled(40.0);
        for i in 0..400 {
            clock += 0.1;
            let age = 40.0 + 15.0 * (i as f32 / 40.0).sin();
            steady.learn(&said(age, 0.2), view(10.0 * (i % 2) as f32), clock, false);
            if let Some(shown) = steady.show(clock, &RangeMass::default()) {
                let [low, high] = shown.range();
                assert!(low <= shown.age() && shown.age() <= high, "{shown:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_not_taken_in() {
        let (mut steady, clock) = settled(40.0);
        let before = steady;
        let mut bad = said(60.0, 0.2);
        bad.age_distribution[7] = f32::NAN;
        assert_eq!(steady.learn(&bad, view(0.0), clock, false), Whose::Same);
        assert_eq!(steady.learn(&said(60.0, f32::NAN), view(0.0), clock, true), Whose::Same);
        assert_eq!(steady, before);
        assert!(Steady::new(&bad, view(0.0), 0.0).is_none());
    }
}
