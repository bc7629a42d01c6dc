//! Who is who from frame to frame, and steadier boxes.
//!
//! A face in a video is seen anew in each frame: its box trembles, and its estimates scatter. A [`Tracker`]
//! tells which face of this frame is which of the last one, smooths its box, and has its estimates made a
//! steady number ([`steady`](super::steady)).
//!
//! - **Matching** is by place: each known face is expected where its motion has brought it, and the nearest
//!   pairs are taken first, as far as a face can move in the time gone by. Where two people meet, their
//!   estimates help. And where estimates become another person's, in one place or after a gap, the face gets
//!   a new identity.
//! - **Boxes and landmarks** go through the 1€ filter (Casiez, Roussel and Vogel 2012): a low-pass whose
//!   cut-off rises with speed, so that still faces are still and moving ones do not lag.
//!
//! All of it counts in seconds and in widths of the face, so it works alike at 5 and at 60 frames a second,
//! near and far.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::steady::{Answer, FAST, Steady, View, Whose, unlike};
use crate::age::{AgeDistribution, Hill, RangeMass};
use crate::engine::RawEstimate;
use crate::vision::{Detection, Rect};

/// What a [`Tracker`] can be told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerOptions {
    /// How much of an age distribution the stated range holds.
    pub range_mass: RangeMass,
    /// How long a face that is not seen keeps its identity, in seconds.
    pub lost_seconds: f64,
    /// Cut-off frequency for the boxes of still faces, in hertz. Lower is steadier.
    pub min_cutoff: f32,
    /// By how much the cut-off rises, in hertz, where a face moves by its width in a second. Higher lags
    /// less.
    pub speed_cutoff: f32,
}

impl Default for TrackerOptions {
    fn default() -> Self {
        Self { range_mass: RangeMass::default(), lost_seconds: 0.7, min_cutoff: 1.0, speed_cutoff: 8.0 }
    }
}

/// A face in one frame, and what was estimated from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Where it is.
    pub detection: Detection,
    /// What the network says of it, unless it was not asked about this frame.
    pub estimate: Option<RawEstimate>,
}

/// A face over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Track {
    /// The same for the same face from frame to frame; never used twice until [`Tracker::reset`].
    pub id: u32,
    /// Where it is: box and landmarks smoothed, score as observed.
    pub detection: Detection,
    /// Whether the numbers are good enough to be shown. Those that are not are the best of the moment.
    pub settled: bool,
    /// The age, in years: the median of `age_distribution`, held still.
    pub age: f32,
    /// The range of ages; it holds `age`.
    pub age_range: [f32; 2],
    /// The two hills of the distribution, where it has two.
    pub hills: Option<[Hill; 2]>,
    /// Probability of each year of age, averaged.
    pub age_distribution: AgeDistribution,
    /// Probability of being female, 0 to 1, averaged.
    pub female: f32,
}

/// A face that is recognised by its place alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recognised {
    /// The [`Track`]'s.
    pub id: u32,
    /// Whether the next estimate can wait: it is settled, and no estimate put it in doubt since; or it
    /// moves too fast for estimates to tell much.
    pub sure: bool,
    /// Seconds since the last estimate.
    pub seconds: f64,
}

/// Why bytes are no state of a tracker.
#[derive(Debug, Error)]
pub enum StateError {
    /// Not written by [`Tracker::state`], or damaged.
    #[error("not the state of a video ({0})")]
    Malformed(#[from] serde_json::Error),
    /// Written by another version.
    #[error("the state of a video is of format {found}, not {FORMAT}")]
    Format {
        /// The format at hand.
        found: u32,
    },
    /// Numbers that no video leads to.
    #[error("the state of a video has impossible {0}")]
    Impossible(&'static str),
}

/// Of [`Tracker::state`]; another number where the fields change.
const FORMAT: u32 = 2;

/// More faces than any picture has.
const MOST_FACES: usize = 1000;

/// What a tracker remembers, but for its options.
#[derive(Serialize, Deserialize)]
struct State<F> {
    format: u32,
    next_id: u32,
    clock: f64,
    before: f64,
    seconds: f64,
    last: Option<f64>,
    faces: F,
}

/// Follows the faces of one video.
///
/// [`Tracker::update`] is all that a frame takes. Who wants to know more before it asks the network about a
/// face calls its two parts, [`Tracker::advance`] and [`Tracker::observe`], and asks in between.
#[derive(Debug, Clone)]
pub struct Tracker {
    options: TrackerOptions,
    faces: Vec<Tracked>,
    next_id: u32,
    /// Seconds of video so far; never falls.
    clock: f64,
    /// The clock at the frame before this one.
    before: f64,
    /// Seconds between the two, for the filters.
    seconds: f64,
    /// Timestamp of the last update, in milliseconds.
    last: Option<f64>,
    tracks: Vec<Track>,
    // Buffers of `observe`.
    pairs: Vec<(f32, usize, usize)>,
    matched: Vec<Option<usize>>,
    taken: Vec<bool>,
}

/// Where no time has gone by between two frames (clocks may be coarse, videos may be wound back), filters
/// take this many seconds.
const FRAME_SECONDS: f64 = 1.0 / 30.0;

/// Less time than this between two frames, in seconds, is none: divided by it, what trembles moves with no
/// speed that can be.
const SHORTEST: f64 = 1e-4;

/// Faces that were in the frame before keep their identity over a gap between frames up to this long, in
/// seconds: a slow device is not a face that left.
const LONGEST_GAP: f64 = 2.0;

/// A face that was out of sight for longer than this, in seconds, may be another one where it comes back:
/// up to here the detector has missed it.
const BLINK: f64 = 0.35;

/// A video is shorter than this, in seconds.
const LONGEST: f64 = 1e9;

/// How far from its expected place a face may be, in widths: at once, more for each second unseen, and at
/// most.
const REACH: f32 = 0.5;
const REACH_PER_SECOND: f32 = 2.0;
const LONGEST_REACH: f32 = 1.2;

/// The most that a face grows or shrinks, as a factor.
const GROWTH: f32 = 1.7;

impl Default for Tracker {
    fn default() -> Self {
        Self::new(TrackerOptions::default())
    }
}

impl Tracker {
    /// Without any faces.
    pub fn new(options: TrackerOptions) -> Self {
        Self {
            options,
            faces: Vec::new(),
            next_id: 1,
            clock: 0.0,
            before: 0.0,
            seconds: FRAME_SECONDS,
            last: None,
            tracks: Vec::new(),
            pairs: Vec::new(),
            matched: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Another mass of the stated range, for faces from now on.
    pub fn set_range_mass(&mut self, mass: RangeMass) {
        self.options.range_mass = mass;
    }

    /// Forgets all faces: for another video.
    pub fn reset(&mut self) {
        *self = Self::new(self.options);
    }

    /// Who is known, and their averages, as bytes for [`Tracker::restore`].
    pub fn state(&self) -> Vec<u8> {
        let &Self { next_id, clock, before, seconds, last, .. } = self;
        let state = State { format: FORMAT, next_id, clock, before, seconds, last, faces: &self.faces };
        serde_json::to_vec(&state).expect("numbers and lists of them can be written")
    }

    /// Goes on where another tracker was: see [`Tracker::state`].
    ///
    /// # Errors
    /// [`StateError`] for bytes of anything else; nothing changes then.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), StateError> {
        let State::<Vec<Tracked>> { format, next_id, clock, before, seconds, last, faces } =
            serde_json::from_slice(state)?;
        if format != FORMAT {
            return Err(StateError::Format { found: format });
        }
        let possible = |what, is: bool| if is { Ok(()) } else { Err(StateError::Impossible(what)) };
        possible(
            "times",
            0.0 <= before && before <= clock && clock < LONGEST && 0.0 < seconds && seconds < LONGEST,
        )?;
        possible("faces", faces.len() <= MOST_FACES)?;
        let mut ids: Vec<u32> = faces.iter().map(|face| face.id).collect();
        ids.sort_unstable();
        possible("ids", ids.is_sorted_by(|a, b| a < b) && ids.last().is_none_or(|last| *last < next_id))?;
        // So many faces no video has; the next ones are to have ids as well.
        possible("ids", next_id <= u32::MAX / 2)?;
        for face in &faces {
            possible("times", face.seen <= clock && face.estimated <= clock && face.known_until < LONGEST)?;
            possible("numbers", face.is_possible())?;
        }
        *self = Self { next_id, clock, before, seconds, last, faces, ..Self::new(self.options) };
        Ok(())
    }

    /// Takes in the faces of a frame and returns them as tracks, in the same order. A new face without an
    /// estimate is left out.
    ///
    /// `timestamp_ms` is the frame's time in milliseconds from any origin. One that repeats (or nearly), goes back
    /// or is not a number counts as no time gone by. Observations that are not finite numbers leave what they
    /// belong to as it was.
    pub fn update(&mut self, timestamp_ms: f64, observations: &[Observation]) -> &[Track] {
        self.advance(timestamp_ms);
        self.observe(observations)
    }

    /// The first part of [`Tracker::update`]: a new frame.
    pub fn advance(&mut self, timestamp_ms: f64) {
        let gone = match self.last {
            Some(last) if timestamp_ms > last => (timestamp_ms - last) / 1000.0,
            _ => 0.0,
        };
        // What is too short adds up until it is not.
        let is_too_short = 0.0 < gone && gone < SHORTEST;
        let gone = if is_too_short { 0.0 } else { gone };
        if timestamp_ms.is_finite() && !is_too_short {
            self.last = Some(timestamp_ms);
        }
        self.before = self.clock;
        self.seconds = if gone > 0.0 && gone.is_finite() { gone } else { FRAME_SECONDS };
        if !gone.is_finite() {
            return;
        }
        if self.clock + gone >= LONGEST {
            // Nobody who was in sight before is left after such a gap.
            self.faces.clear();
            (self.clock, self.before, self.seconds) = (0.0, 0.0, FRAME_SECONDS);
            return;
        }
        self.clock += gone;
        for face in &mut self.faces {
            // Seen in the frame before: the gap is between frames, and the face was not missed in any.
            if face.seen == self.before && gone <= LONGEST_GAP {
                face.known_until = self.clock;
            } else {
                face.known_until = face.seen + self.options.lost_seconds;
            }
        }
    }

    /// A new frame that shows nothing new: who was in sight still is, and no frame has missed anybody.
    pub fn stay(&mut self, timestamp_ms: f64) {
        self.advance(timestamp_ms);
        for face in self.faces.iter_mut().filter(|face| face.seen == self.before) {
            face.seen = self.clock;
            face.known_until = self.clock + self.options.lost_seconds;
        }
    }

    /// Where the faces that are known are expected in this frame, those out of sight for a moment included:
    /// into `boxes`, whose former content goes.
    pub fn expected(&self, boxes: &mut Vec<Rect>) {
        boxes.clear();
        boxes.extend(self.known_faces().map(|(_, face)| face.expected((self.clock - face.seen) as f32)));
    }

    /// Faces in the last frame.
    pub fn in_sight(&self) -> usize {
        self.faces.iter().filter(|face| face.seen == self.clock).count()
    }

    /// Whether a face is out of sight that has not been given up.
    pub fn misses_one(&self) -> bool {
        self.faces.iter().any(|face| face.seen < self.clock)
    }

    /// Whether a face in the last frame has no number yet, or one in doubt: frames are looked at until it
    /// has.
    pub fn unsure(&self) -> bool {
        self.faces.iter().any(|face| face.seen == self.clock && !face.steady.is_sure())
    }

    /// Who each detection of this frame is, where its place leaves no doubt: no other known face and no other
    /// detection come into question, and it was not out of sight for longer than a blink. Into `known`, whose
    /// former content goes.
    pub fn recognise(&self, detections: &[Detection], known: &mut Vec<Option<Recognised>>) {
        known.clear();
        known.extend(detections.iter().map(|detection| {
            let mut near = self.known_faces().filter(|(_, face)| self.reaches(face, detection).is_some());
            let (_, face) = near.next()?;
            let rivals = detections.iter().filter(|other| self.reaches(face, other).is_some()).count();
            (near.next().is_none() && rivals == 1 && !self.was_away(face)).then_some(Recognised {
                id: face.id,
                sure: face.steady.is_sure() || face.speed > FAST,
                seconds: self.clock - face.estimated,
            })
        }));
    }

    /// An estimate of a face that was [recognised](Tracker::recognise) in the frame before this one, where it
    /// came too late for that frame. One of a face that is given up goes.
    pub fn learn(&mut self, id: u32, estimate: &RawEstimate) {
        let (before, next_id) = (self.before, &mut self.next_id);
        if let Some(face) = self.faces.iter_mut().find(|face| face.id == id) {
            face.learn(estimate, before, false, next_id);
        }
    }

    /// The second part of [`Tracker::update`]: what is in the frame.
    pub fn observe(&mut self, observations: &[Observation]) -> &[Track] {
        self.find_matches(observations);
        self.tracks.clear();
        for (observation, face) in observations.iter().zip(&self.matched) {
            let known = face.is_some();
            let face = match (face, observation.estimate) {
                (Some(index), _) => &mut self.faces[*index],
                (None, Some(estimate)) => {
                    let Some(face) =
                        Tracked::new(self.next_id, &observation.detection, &estimate, self.clock)
                    else {
                        continue;
                    };
                    self.faces.push(face);
                    self.next_id = self.next_id.wrapping_add(1);
                    self.faces.last_mut().expect("pushed above")
                }
                (None, None) => continue,
            };
            let after_gap = known && away(face, self.clock, self.before);
            let seconds = since(face.seen, self.clock, self.seconds) as f32;
            face.place(&observation.detection, seconds, &self.options);
            if let (true, Some(estimate)) = (known, &observation.estimate) {
                face.learn(estimate, self.clock, after_gap, &mut self.next_id);
            }
            face.seen = self.clock;
            face.known_until = self.clock + self.options.lost_seconds;
            self.tracks.push(face.track(self.clock, &self.options.range_mass));
        }
        let (clock, lost) = (self.clock, self.options.lost_seconds);
        self.faces.retain(|face| clock - face.seen <= lost);
        // Where no time goes by, nobody is lost by it: those who are not in sight go then.
        if self.faces.len() > MOST_FACES {
            let shown = &self.tracks;
            self.faces.retain(|face| shown.iter().any(|track| track.id == face.id));
        }
        &self.tracks
    }

    /// What the last [`Tracker::observe`] returned.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    fn known_faces(&self) -> impl Iterator<Item = (usize, &Tracked)> {
        self.faces.iter().enumerate().filter(|(_, face)| self.clock <= face.known_until)
    }

    /// Whether it was out of sight for longer than the detector misses faces.
    fn was_away(&self, face: &Tracked) -> bool {
        away(face, self.clock, self.before)
    }

    /// The [`distance`] of a detection from where a face is expected, if the face can have come that far.
    fn reaches(&self, face: &Tracked, detection: &Detection) -> Option<f32> {
        let unseen = (self.clock - face.seen) as f32;
        let reach = (REACH + REACH_PER_SECOND * unseen).min(LONGEST_REACH);
        distance(&face.expected(unseen), &detection.bbox).filter(|distance| *distance < reach)
    }

    /// Fills in the index into `faces` of each observation: nearest pairs first.
    fn find_matches(&mut self, observations: &[Observation]) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.clear();
        for (f, face) in self.known_faces() {
            for (o, observation) in observations.iter().enumerate() {
                if let Some(distance) = self.reaches(face, &observation.detection) {
                    pairs.push((distance + UNLIKE * face.unlike(observation), f, o));
                }
            }
        }
        // By the indices where all else is equal, as the stable sort would, which allocates.
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        self.matched.clear();
        self.matched.resize(observations.len(), None);
        self.taken.clear();
        self.taken.resize(self.faces.len(), false);
        for &(_, face, observation) in &pairs {
            if !self.taken[face] && self.matched[observation].is_none() {
                self.taken[face] = true;
                self.matched[observation] = Some(face);
            }
        }
        self.pairs = pairs;
    }
}

/// How much the difference of two people's estimates counts beside the distance of their faces: about as much
/// as a face trembles, so that it decides only where they are in the same place.
const UNLIKE: f32 = 0.2;

/// Whether a face was out of sight for longer than a blink. A long gap between two frames is none.
fn away(face: &Tracked, clock: f64, before: f64) -> bool {
    face.seen < before && clock - face.seen > BLINK
}

/// How far apart two boxes are, in widths of a face; also counts how much they differ in size. `None` if one
/// can't have become the other.
fn distance(a: &Rect, b: &Rect) -> Option<f32> {
    let size = (a.area() * b.area()).sqrt().sqrt();
    let growth = (b.area() / a.area()).sqrt();
    if !(growth < GROWTH && growth > 1.0 / GROWTH) {
        return None;
    }
    let ([ax, ay], [bx, by]) = (a.centre(), b.centre());
    Some((ax - bx).hypot(ay - by) / size + growth.ln().abs())
}

/// What a tracker knows of a face.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Tracked {
    id: u32,
    /// Smoothed.
    detection: Detection,
    /// Corners of the box, then the landmarks.
    points: [Smooth; 8],
    /// The clock when it was last seen, and when it is given up.
    seen: f64,
    known_until: f64,
    /// Widths a second, from the frame before.
    speed: f32,
    /// The clock at the last estimate.
    estimated: f64,
    steady: Steady,
}

impl Tracked {
    /// `None` where the estimate has numbers that are none.
    fn new(id: u32, detection: &Detection, estimate: &RawEstimate, clock: f64) -> Option<Self> {
        let points = points(detection).map(Smooth::new);
        let steady = Steady::new(estimate, view(&points, 0.0), clock)?;
        Some(Self {
            id,
            detection: *detection,
            points,
            seen: clock,
            known_until: clock,
            speed: 0.0,
            estimated: clock,
            steady,
        })
    }

    /// Whether its numbers can have come of observations.
    fn is_possible(&self) -> bool {
        let points = self.points.iter().flat_map(|point| [point.value, point.last, point.velocity]);
        let mut places = points.chain(self.detection.landmarks).chain(points_of_box(&self.detection.bbox));
        self.steady.is_possible()
            && (0.0..1e9).contains(&self.speed)
            && (0.0..=1.0).contains(&self.detection.score)
            && places.all(|place| place.iter().all(|at| at.abs() < 1e9))
    }

    /// `clock` is that of the frame the estimate is of, where the face was observed last.
    fn learn(&mut self, estimate: &RawEstimate, clock: f64, after_gap: bool, next_id: &mut u32) {
        self.estimated = clock;
        if self.steady.learn(estimate, view(&self.points, self.speed), clock, after_gap) == Whose::Another {
            self.id = *next_id;
            *next_id = next_id.wrapping_add(1);
        }
    }

    fn track(&mut self, clock: f64, mass: &RangeMass) -> Track {
        let shown = self.steady.show(clock, mass);
        let settled = shown.is_some();
        let shown = shown.unwrap_or_else(|| self.steady.unsettled(mass));
        Track {
            id: self.id,
            detection: self.detection,
            settled,
            age: shown.age(),
            age_range: shown.range(),
            hills: shown.hills(),
            age_distribution: self.steady.average().distribution(),
            female: shown.female(),
        }
    }

    fn place(&mut self, detection: &Detection, seconds: f32, options: &TrackerOptions) {
        let observed = points(detection);
        if observed.as_flattened().iter().all(|v| v.is_finite()) {
            let size = detection.bbox.area().sqrt().max(1.0);
            let [x, y] = [0, 1].map(|axis| {
                (observed[0][axis] + observed[1][axis]
                    - self.points[0].last[axis]
                    - self.points[1].last[axis])
                    / 2.0
            });
            self.speed = x.hypot(y) / size / seconds;
            for (point, observed) in self.points.iter_mut().zip(observed) {
                point.update(observed, seconds, size, options);
            }
        }
        let [[left, top], [right, bottom], landmarks @ ..] = self.points.map(|point| point.value);
        self.detection = Detection {
            bbox: Rect { x: left, y: top, width: right - left, height: bottom - top },
            score: detection.score,
            landmarks,
        };
    }

    /// How different the person looks, 0 to 1. 0 where nothing was estimated.
    fn unlike(&self, observation: &Observation) -> f32 {
        let answer = observation.estimate.as_ref().and_then(Answer::of);
        answer.map_or(0.0, |answer| unlike(self.steady.average(), &answer).min(1.0))
    }

    /// The box, `unseen` seconds after it was last seen.
    fn expected(&self, unseen: f32) -> Rect {
        let [a, b] = [&self.points[0], &self.points[1]];
        let [vx, vy] = [(a.velocity[0] + b.velocity[0]) / 2.0, (a.velocity[1] + b.velocity[1]) / 2.0];
        Rect {
            x: a.last[0] + vx * unseen,
            y: a.last[1] + vy * unseen,
            width: b.last[0] - a.last[0],
            height: b.last[1] - a.last[1],
        }
    }
}

/// Seconds since a face was last seen or asked about, which may be longer than since the last frame: that was
/// `seconds` ago.
fn since(last: f64, clock: f64, seconds: f64) -> f64 {
    if last.is_finite() { (clock - last).max(seconds) } else { seconds }
}

/// As observed last.
fn view(points: &[Smooth; 8], speed: f32) -> View {
    let [a, b, landmarks @ ..] = points.map(|point| point.last);
    View { landmarks, width: b[0] - a[0], speed }
}

fn points(detection: &Detection) -> [[f32; 2]; 8] {
    let [first, last] = points_of_box(&detection.bbox);
    let [a, b, c, d, e, f] = detection.landmarks;
    [first, last, a, b, c, d, e, f]
}

/// Two corners.
fn points_of_box(bbox: &Rect) -> [[f32; 2]; 2] {
    [[bbox.x, bbox.y], [bbox.x + bbox.width, bbox.y + bbox.height]]
}

/// The 1€ filter of a point.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Smooth {
    value: [f32; 2],
    /// As observed last.
    last: [f32; 2],
    /// Pixels a second, smoothed.
    velocity: [f32; 2],
}

/// Cut-off of the velocity, in hertz: the authors' value.
const VELOCITY_CUTOFF: f32 = 1.0;

impl Smooth {
    fn new(value: [f32; 2]) -> Self {
        Self { value, last: value, velocity: [0.0; 2] }
    }

    /// `size` is the face's width in pixels.
    fn update(&mut self, observed: [f32; 2], seconds: f32, size: f32, options: &TrackerOptions) {
        let part = |cutoff: f32| 1.0 - 1.0 / (1.0 + TAU * cutoff * seconds);
        // The velocity of what was observed, not of what was smoothed: matching needs the true one.
        let travelled = [observed[0] - self.last[0], observed[1] - self.last[1]];
        approach(&mut self.velocity, travelled.map(|d| d / seconds), part(VELOCITY_CUTOFF));
        let speed = self.velocity[0].hypot(self.velocity[1]) / size;
        approach(&mut self.value, observed, part(options.min_cutoff + options.speed_cutoff * speed));
        self.last = observed;
    }
}

/// Moves `value` by a part of the way to `target`.
fn approach(value: &mut [f32; 2], target: [f32; 2], part: f32) {
    for (value, target) in value.iter_mut().zip(target) {
        *value += part * (target - *value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::net::AGES;

    const SIZE: f32 = 100.0;
    const FRAME_MS: f64 = 1000.0 / 30.0;

    fn observed(x: f32, y: f32, age: f32) -> Observation {
        let hill = |at: usize| (-((at as f32 - age) / 6.0).powi(2) / 2.0).exp();
        let sum: f32 = (0..AGES).map(hill).sum();
        let age_distribution = std::array::from_fn(|at| hill(at) / sum);
        Observation {
            detection: Detection {
                bbox: Rect { x, y, width: SIZE, height: SIZE },
                score: 0.9,
                landmarks: [[x + 50.0, y + 50.0]; 6],
            },
            estimate: Some(RawEstimate { age_distribution, age, female: if age < 30.0 { 0.2 } else { 0.8 } }),
        }
    }

    /// Numbers around 0 with standard deviation 1 (sums of four uniform ones), the same ones each time.
    fn noise() -> impl FnMut() -> f32 {
        let mut state = 1u32;
        let mut uniform = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
        };
        move || (uniform() + uniform() + uniform() + uniform()) * 3f32.sqrt()
    }

    fn deviation(values: &[f32]) -> f32 {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32).sqrt()
    }

    fn ids(tracks: &[Track]) -> Vec<u32> {
        tracks.iter().map(|track| track.id).collect()
    }

    #[test]
    fn one_frame_is_as_observed() {
        let observation = observed(10.0, 20.0, 40.0);
        let mut tracker = Tracker::default();
        let tracks = tracker.update(0.0, &[observation]);
        assert_eq!(tracks.len(), 1);
        assert_eq!(tracks[0].detection, observation.detection);
        let expected = AgeDistribution::new(observation.estimate.unwrap().age_distribution).unwrap();
        assert_eq!(tracks[0].age_distribution, expected);
        assert!((tracks[0].age - 40.0).abs() < 0.01 && (tracks[0].female - 0.8).abs() < 1e-5);
        assert!(!tracks[0].settled, "one estimate is none");
        assert!(Tracker::default().update(0.0, &[]).is_empty());
    }

    #[test]
    fn a_clock_that_stands_still_piles_up_nobody() {
        for time in [0.0, f64::NAN] {
            let mut tracker = Tracker::default();
            // Each time somewhere else: none is recognised as one that was there before.
            for frame in 0..3 * MOST_FACES {
                let tracks = tracker.update(time, &[observed(1000.0 * frame as f32, 100.0, 30.0)]);
                assert_eq!(ids(tracks), [frame as u32 + 1]);
                assert!(tracker.faces.len() <= MOST_FACES, "{} faces", tracker.faces.len());
            }
        }
    }

    #[test]
    fn whatever_the_clock_says_the_state_goes_on_elsewhere() {
        let mut tracker = Tracker::default();
        for time in [0.0, 1e300, -1e300, 1e11, 5e12, 5.1e12, f64::MAX, f64::MIN, f64::INFINITY, 1e-300] {
            let before = tracker.tracks().first().map_or(0, |track| track.id);
            let id = tracker.update(time, &[observed(100.0, 100.0, 30.0)])[0].id;
            assert!(id >= before, "an id was used twice");
            let mut other = Tracker::default();
            other.restore(&tracker.state()).unwrap();
            assert_eq!(other.state(), tracker.state());
        }
    }

    #[test]
    fn still_faces_tremble_less() {
        let (mut tracker, mut noise) = (Tracker::default(), noise());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for frame in 0..300 {
            // A hundredth of the width: about what the detector does.
            let observation = observed(200.0 + noise(), 100.0 + noise(), 30.0);
            let track = &tracker.update(frame as f64 * FRAME_MS, &[observation])[0];
            if frame >= 30 {
                before.push(observation.detection.bbox.x);
                after.push(track.detection.bbox.x);
            }
        }
        let factor = deviation(&before) / deviation(&after);
        println!("tremble divided by {factor:.2}");
        assert!(factor > 2.0, "{factor}");
    }

    #[test]
    fn moving_faces_do_not_lag() {
        for speed in [0.5, 1.0, 3.0] {
            let (mut tracker, mut noise) = (Tracker::default(), noise());
            let mut lag: f32 = 0.0;
            for frame in 0..60 {
                let x = speed * SIZE * frame as f32 / 30.0;
                let tracks = tracker.update(frame as f64 * FRAME_MS, &[observed(x + noise(), 100.0, 30.0)]);
                assert_eq!(tracks[0].id, 1);
                if frame >= 15 {
                    lag = lag.max((x - tracks[0].detection.bbox.x).abs() / SIZE);
                }
            }
            println!("{speed} widths a second: behind by up to {:.1} % of the width", 100.0 * lag);
            assert!(lag < 0.06, "{speed}: {lag}");
        }
    }

    #[test]
    fn a_step_is_followed_within_a_sixth_of_a_second() {
        let mut tracker = Tracker::default();
        let mut x = |frame: u32| {
            let at = if frame < 30 { 100.0 } else { 130.0 };
            tracker.update(f64::from(frame) * FRAME_MS, &[observed(at, 100.0, 30.0)])[0].detection.bbox.x
        };
        let path: Vec<f32> = (0..60).map(&mut x).collect();
        let arrived = path.iter().position(|x| *x > 127.0).unwrap() - 30;
        println!("nine tenths of a step after {arrived} frames");
        assert!(arrived <= 5, "{path:?}");
        assert!(path.iter().all(|x| *x <= 130.001), "no overshoot");
    }

    #[test]
    fn estimates_scatter_less() {
        let (mut tracker, mut noise) = (Tracker::default(), noise());
        let mut after = Vec::new();
        for frame in 0..600u32 {
            let observation = observed(3.0 * noise(), 0.0, 40.0 + 2.0 * noise().clamp(-3.0, 3.0));
            let tracks = tracker.update(f64::from(frame) * FRAME_MS, &[observation]);
            assert_eq!(tracks[0].id, 1);
            if frame >= 60 {
                after.push(tracks[0].age);
            }
        }
        println!("scatter of 2 years becomes {:.2}", deviation(&after));
        assert!(deviation(&after) < 0.6);
        let changes = after.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes < 18, "{changes} changes in 18 s");
    }

    /// Without a gap, and after one in which the face is not given up; whether estimates come with each
    /// frame or not.
    #[test]
    fn another_person_in_the_same_place_has_another_identity() {
        for (gap, every) in [(0, 1), (0, 6), (15, 1), (18, 1)] {
            let mut tracker = Tracker::default();
            let (mut changed, mut between) = (None, 0);
            for frame in 0..120u32 {
                let now = f64::from(frame) * FRAME_MS;
                if (60..60 + gap).contains(&frame) {
                    assert!(tracker.update(now, &[]).is_empty());
                    continue;
                }
                let mut observation = observed(0.0, 0.0, if frame < 60 { 52.0 } else { 66.0 });
                // As the schedule has it: settled faces now and then.
                tracker.advance(now);
                let mut known = Vec::new();
                tracker.recognise(&[observation.detection], &mut known);
                if known[0].is_some_and(|known| known.sure) && frame % every != 0 {
                    observation.estimate = None;
                }
                let track = tracker.observe(&[observation])[0];
                if frame >= 60 {
                    let right = track.id == 2 && track.settled && (track.age - 66.0).abs() < 1.0;
                    changed = changed.or(right.then_some(frame - 60 - gap));
                    between += usize::from((55.0..63.0).contains(&track.age));
                }
            }
            let frames = changed.expect("it changed");
            println!("{gap} frames of nobody: right after {frames} more");
            assert!(frames <= 12, "{frames}");
            assert_eq!(between, 0, "ages of nobody");
        }
        // The same person has the same, also after a gap.
        for gap in [1, 9, 15, 18] {
            let mut tracker = Tracker::default();
            for frame in (0..60).chain(60 + gap..120u32) {
                for missed in (60..frame).filter(|_| frame == 60 + gap) {
                    assert!(tracker.update(f64::from(missed) * FRAME_MS, &[]).is_empty());
                }
                let age = 50.0 + (frame % 3) as f32;
                assert_eq!(tracker.update(f64::from(frame) * FRAME_MS, &[observed(0.0, 0.0, age)])[0].id, 1);
            }
        }
    }

    #[test]
    fn the_order_is_that_of_the_observations() {
        let mut tracker = Tracker::default();
        let (a, b) = (observed(0.0, 0.0, 20.0), observed(300.0, 0.0, 60.0));
        assert_eq!(ids(tracker.update(0.0, &[a, b])), [1, 2]);
        assert_eq!(ids(tracker.update(33.0, &[b, a])), [2, 1]);
        let new = observed(600.0, 300.0, 30.0);
        assert_eq!(ids(tracker.update(66.0, &[new, b, a])), [3, 2, 1]);
    }

    /// Two faces pass each other at one height, at 0.8 widths a second each, with noise.
    fn crossing(other_age: f32, skip: impl Fn(u32) -> [bool; 2]) {
        let (mut tracker, mut noise) = (Tracker::default(), noise());
        for frame in 0..120u32 {
            let way = 0.8 * SIZE * frame as f32 / 30.0;
            let faces = [
                observed(100.0 + way + noise(), 100.0 + noise(), 20.0),
                observed(420.0 - way + noise(), 100.0 + noise(), other_age),
            ];
            let seen: Vec<_> = (0..2).filter(|i| !skip(frame)[*i]).collect();
            let observations: Vec<_> = seen.iter().map(|i| faces[*i]).collect();
            let expected: Vec<_> = seen.iter().map(|i| *i as u32 + 1).collect();
            let tracks = tracker.update(f64::from(frame) * FRAME_MS, &observations);
            assert_eq!(ids(tracks), expected, "frame {frame}");
        }
    }

    #[test]
    fn crossing_faces_keep_their_identities() {
        crossing(60.0, |_| [false, false]);
        // One frame without either; one face hidden for a third of a second where they meet (frame 60).
        crossing(60.0, |frame| [frame == 60, frame == 60]);
        crossing(60.0, |frame| [false, frame == 60]);
        crossing(60.0, |frame| [false, (55..65).contains(&frame)]);
        // Where only the motion tells them apart. In frame 60 they are in the same place.
        crossing(20.0, |frame| [frame == 60, frame == 60]);
    }

    #[test]
    fn a_face_is_given_up_after_a_while() {
        for (gap, expected) in [(0.5, 1), (0.65, 1), (0.8, 2)] {
            let mut tracker = Tracker::default();
            let mut now = 0.0;
            tracker.update(now, &[observed(0.0, 0.0, 30.0)]);
            let end = now + 1000.0 * gap;
            while now + FRAME_MS < end {
                now += FRAME_MS;
                assert!(tracker.update(now, &[]).is_empty());
            }
            assert_eq!(tracker.update(end, &[observed(0.0, 0.0, 30.0)])[0].id, expected, "{gap}");
        }
    }

    /// Frames that are left out are no gap: whoever is missed after them was there until then.
    #[test]
    fn a_face_that_stood_still_is_not_given_up_sooner() {
        let mut tracker = Tracker::default();
        tracker.update(0.0, &[observed(0.0, 0.0, 30.0)]);
        for frame in 1..30u32 {
            tracker.stay(f64::from(frame) * FRAME_MS);
        }
        assert_eq!((tracker.in_sight(), tracker.misses_one()), (1, false));
        for frame in 30..36u32 {
            tracker.update(f64::from(frame) * FRAME_MS, &[]);
        }
        tracker.advance(36.0 * FRAME_MS);
        let (back, mut known) = (observed(2.0, 0.0, 32.0), Vec::new());
        tracker.recognise(&[back.detection], &mut known);
        assert_eq!(known[0].map(|known| known.id), Some(1), "a blink");
        assert_eq!(tracker.observe(&[back])[0].id, 1);
        // And who was gone before is not kept for ever.
        tracker.update(37.0 * FRAME_MS, &[]);
        for frame in 38..100u32 {
            tracker.stay(f64::from(frame) * FRAME_MS);
        }
        assert_eq!(tracker.update(100.0 * FRAME_MS, &[observed(0.0, 0.0, 30.0)])[0].id, 2);
    }

    #[test]
    fn slow_devices_keep_identities_too() {
        let mut tracker = Tracker::default();
        for second in 0..5u32 {
            let x = 30.0 * second as f32;
            assert_eq!(tracker.update(1000.0 * f64::from(second), &[observed(x, 0.0, 30.0)])[0].id, 1);
        }
        assert_eq!(tracker.update(60_000.0, &[observed(120.0, 0.0, 30.0)])[0].id, 2, "after a pause");
    }

    #[test]
    fn jumps_are_other_faces() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.update(0.0, &[observed(0.0, 0.0, 30.0)])[0].id, 1);
        let far = &tracker.update(33.0, &[observed(300.0, 0.0, 60.0)])[0];
        assert_eq!((far.id, far.age.round(), far.detection.bbox.x), (2, 60.0, 300.0));
        let mut large = observed(300.0, 0.0, 60.0);
        large.detection.bbox = Rect { x: 250.0, y: -50.0, width: 200.0, height: 200.0 };
        assert_eq!(tracker.update(66.0, &[large])[0].id, 3, "twice the size");
        tracker.reset();
        assert_eq!(tracker.update(0.0, &[observed(0.0, 0.0, 30.0)])[0].id, 1);
    }

    #[test]
    fn odd_timestamps_do_no_harm() {
        let mut tracker = Tracker::default();
        let times = [1000.0, 1000.0, 1000.0, 1033.0, 5.0, 38.0, f64::NAN, 71.0, f64::INFINITY, -1e300, 1e300];
        for (i, time) in times.into_iter().enumerate() {
            let x = 100.0 + i as f32;
            let track = &tracker.update(time, &[observed(x, 100.0, 30.0)])[0];
            assert!(i == times.len() - 1 || track.id == 1, "{time}: {track:?}");
            assert!((track.detection.bbox.x - x).abs() < 12.0, "{time}: {track:?}");
            assert!((track.age - 30.0).abs() < 0.01);
        }
        // Time goes on from where the clock was wound back to.
        let mut tracker = Tracker::default();
        tracker.update(1e6, &[observed(0.0, 0.0, 30.0)]);
        tracker.update(0.0, &[]);
        tracker.update(900.0, &[]);
        assert_eq!(tracker.update(901.0, &[observed(0.0, 0.0, 30.0)])[0].id, 2);
    }

    #[test]
    fn times_that_are_hardly_apart_do_no_harm() {
        let mut tracker = Tracker::default();
        for (i, time) in [0.0, 1e-320, 1e-300, 1e-40, 1e-20, 1e-9, 0.01, 0.05, 0.2].into_iter().enumerate() {
            let x = i as f32;
            let Track { id, detection, .. } = tracker.update(time, &[observed(x, 0.0, 30.0)])[0];
            assert!(id == 1 && (detection.bbox.x - x).abs() < 4.0, "{time}: {detection:?}");
            Tracker::default().restore(&tracker.state()).unwrap();
        }
        // They add up.
        let mut tracker = Tracker::default();
        tracker.update(0.0, &[observed(0.0, 0.0, 30.0)]);
        (1..=20_000).for_each(|i| tracker.advance(f64::from(i) * 0.05));
        assert!(tracker.update(1000.0, &[]).is_empty() && !tracker.misses_one());
    }

    #[test]
    fn what_is_not_a_number_is_not_taken_in() {
        let mut tracker = Tracker::default();
        tracker.update(0.0, &[observed(0.0, 0.0, 30.0)]);
        let mut bad = observed(0.0, 0.0, 50.0);
        bad.estimate.as_mut().unwrap().age_distribution[3] = f32::NAN;
        bad.detection.landmarks[2] = [f32::NAN; 2];
        let track = &tracker.update(33.0, &[bad])[0];
        assert_eq!((track.id, track.age.round()), (1, 30.0));
        assert_eq!(track.detection.landmarks[2], [50.0, 50.0]);
        let mut nowhere = observed(f32::NAN, 0.0, 30.0);
        nowhere.detection.bbox.width = f32::INFINITY;
        assert_eq!(tracker.update(66.0, &[nowhere])[0].id, 2);
    }

    #[test]
    fn a_new_face_is_not_taken_in_without_an_estimate() {
        let mut tracker = Tracker::default();
        let unknown = Observation { estimate: None, ..observed(400.0, 0.0, 30.0) };
        assert!(tracker.update(1e5, &[unknown]).is_empty());
        assert_eq!((tracker.in_sight(), tracker.tracks().len()), (0, 0));
    }

    /// As if they had come in time.
    #[test]
    fn estimates_may_come_a_frame_late() {
        let [mut late, mut in_time] = [Tracker::default(), Tracker::default()];
        let mut coming: Option<RawEstimate> = None;
        for frame in 0..60u32 {
            let (now, age) = (f64::from(frame) * FRAME_MS, if frame % 3 == 0 { 40.0 } else { 41.0 });
            let Observation { detection, estimate } = observed(3.0 * frame as f32, 0.0, age);
            let before = in_time.tracks().first().copied();
            in_time.update(now, &[Observation { detection, estimate }]);
            late.advance(now);
            let Some(before) = before else {
                late.observe(&[Observation { detection, estimate }]);
                continue;
            };
            if let Some(estimate) = coming {
                late.learn(1, &estimate);
                late.learn(7, &estimate); // nobody's
            }
            coming = estimate;
            let track = late.observe(&[Observation { detection, estimate: None }])[0];
            let [late, in_time] = [track, before].map(|track| track.age_distribution.median());
            let off = (late - in_time).abs();
            assert!(off < 1e-3 && (track.female - before.female).abs() < 1e-4, "{frame}: {track:?}");
        }
        assert!(late.tracks()[0].age_distribution.median() > 40.3, "and they did come");
    }

    #[test]
    fn a_face_is_recognised_where_its_place_leaves_no_doubt() {
        let mut tracker = Tracker::default();
        tracker.update(0.0, &[observed(0.0, 0.0, 20.0), observed(300.0, 0.0, 60.0)]);
        tracker.advance(FRAME_MS);
        let (mut known, mut boxes) = (Vec::new(), Vec::new());
        let mut recognise = |tracker: &Tracker, places: &[f32]| -> Vec<Option<u32>> {
            let detections: Vec<_> = places.iter().map(|x| observed(*x, 0.0, 20.0).detection).collect();
            tracker.recognise(&detections, &mut known);
            known.iter().map(|known| known.map(|known| known.id)).collect()
        };
        assert_eq!(recognise(&tracker, &[305.0, 600.0, 5.0]), [Some(2), None, Some(1)]);
        assert_eq!(recognise(&tracker, &[290.0, 310.0, 5.0]), [None, None, Some(1)], "which of two is it");
        tracker.observe(&[observed(5.0, 0.0, 20.0)]);
        assert_eq!((tracker.in_sight(), tracker.misses_one()), (1, true));
        tracker.advance(2.0 * FRAME_MS);
        tracker.expected(&mut boxes);
        // On its way: the last step again, as far as the smoothed velocity knows of it. The other one may
        // come back.
        assert_eq!(boxes.len(), 2);
        assert!(boxes[0].x > 5.0 && boxes[0].x < 10.0, "{boxes:?}");
        tracker.update(1000.0, &[]);
        assert!(!tracker.misses_one(), "both are given up");
        tracker.expected(&mut boxes);
        assert!(boxes.is_empty());
    }
}
