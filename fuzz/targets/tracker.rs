//! Who is who in a video, at whatever times its frames come, with made-up faces.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use mien::engine::RawEstimate;
use mien::pipeline::schedule::{FrameMode, FrameSchedule, KnownFaces};
use mien::pipeline::track::{Observation, Track, Tracker};
use mien::vision::Detection;
use mien_fuzz::Input;

/// Frames of a video; and the most bytes of a face's state.
const MOST_FRAMES: usize = 400;
const STATE_BYTES: usize = 16_000;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    // Any numbers, or those that a finder comes to.
    let is_wild = input.byte() < 64;
    let mut video = Made { tracker: Tracker::default(), ids: HashSet::new(), is_wild };
    let mut schedule = FrameSchedule::default();
    let (mut time, mut recognised, mut expected, mut chosen) = (0.0, Vec::new(), Vec::new(), Vec::new());
    let mut asked: Vec<u32> = Vec::new();
    for _ in 0..MOST_FRAMES {
        if !input.has_more() {
            break;
        }
        time = input.next_ms(time);
        match input.byte() {
            0..=7 => {
                video.tracker.reset();
                video.ids.clear();
                asked.clear();
            }
            8..=23 => video.goes_elsewhere(),
            24..=47 => video.tracker.stay(time),
            48..=127 => {
                let seen = observations(&mut input, is_wild);
                video.tracker.update(time, &seen);
                video.is_sound(&seen);
            }
            // As a video does it.
            _ => {
                let tracker = &mut video.tracker;
                let known = KnownFaces {
                    faces: tracker.in_sight(),
                    misses_one: tracker.misses_one(),
                    unsure: tracker.unsure(),
                };
                if schedule.compares(time) {
                    schedule.compared(time, input.byte() < 128);
                }
                match schedule.mode(time, known) {
                    FrameMode::Skip => {
                        tracker.stay(time);
                        continue;
                    }
                    FrameMode::Follow => schedule.look(time),
                    FrameMode::Search => schedule.search(time),
                };
                tracker.advance(time);
                tracker.expected(&mut expected);
                let mut seen = observations(&mut input, is_wild);
                for id in asked.drain(..) {
                    if let Some(estimate) = estimate(&mut input) {
                        tracker.learn(id, &estimate);
                    }
                }
                let detections: Vec<Detection> = seen.iter().map(|it| it.detection).collect();
                tracker.recognise(&detections, &mut recognised);
                schedule.estimates(&recognised, &mut chosen);
                assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.iter().all(|index| *index < seen.len()));
                for (index, observation) in seen.iter_mut().enumerate() {
                    if !chosen.contains(&index) {
                        observation.estimate = None;
                    } else if let (Some(known), true) = (recognised[index], input.byte() < 128) {
                        observation.estimate = None;
                        asked.push(known.id);
                    }
                }
                tracker.observe(&seen);
                video.is_sound(&seen);
            }
        }
    }
    video.goes_elsewhere();
});

struct Made {
    tracker: Tracker,
    /// All that there were.
    ids: HashSet<u32>,
    is_wild: bool,
}

impl Made {
    /// What [`Tracker`] promises of a frame's faces.
    fn is_sound(&mut self, seen: &[Observation]) {
        let tracks = self.tracker.tracks();
        assert!(tracks.len() <= seen.len());
        let mut here = HashSet::new();
        let newest = self.ids.iter().max().copied().unwrap_or(0);
        for track in tracks {
            assert!(here.insert(track.id), "twice: {}", track.id);
            assert!(self.ids.contains(&track.id) || track.id > newest, "{} after {newest}", track.id);
            is_possible(track);
            let Detection { bbox, landmarks, .. } = &track.detection;
            let mut places = landmarks.iter().flatten().chain([&bbox.x, &bbox.y, &bbox.width, &bbox.height]);
            assert!(self.is_wild || places.all(|place| place.abs() < 1e4), "{track:?}");
        }
        self.ids.extend(here);
    }

    /// What is known goes to another tracker whole.
    fn goes_elsewhere(&mut self) {
        let state = self.tracker.state();
        assert!(state.len() <= STATE_BYTES * (1 + self.ids.len().min(1000)), "{} bytes", state.len());
        let mut other = Tracker::default();
        match other.restore(&state) {
            Ok(()) => {
                assert_eq!(other.state(), state);
                self.tracker = other;
            }
            Err(error) => assert!(self.is_wild, "{error}: {}", String::from_utf8_lossy(&state)),
        }
    }
}

fn is_possible(track: &Track) {
    let [low, high] = track.age_range;
    assert!(0.0 <= low && low <= track.age && track.age <= high && high <= 99.0, "{track:?}");
    assert!((0.0..=1.0).contains(&track.female), "{track:?}");
    let ages: f32 = track.age_distribution.probabilities().iter().sum();
    assert!((ages - 1.0).abs() < 1e-3, "{track:?}");
}

fn observations(input: &mut Input, is_wild: bool) -> Vec<Observation> {
    let one = |input: &mut Input| {
        let is_any = is_wild && input.byte() < 64;
        let detection = if is_any { input.any_face() } else { input.face() };
        Observation { detection, estimate: estimate(input) }
    };
    (0..input.below(5)).map(|_| one(input)).collect()
}

/// What a network may say of a face, and what none can.
fn estimate(input: &mut Input) -> Option<RawEstimate> {
    let mut ages = [0.0; 100];
    let female = input.between(0.0, 1.0);
    match input.byte() {
        0..=31 => return None,
        32..=47 => ages.fill_with(|| input.any_f32()),
        48..=63 => {
            return Some(RawEstimate {
                age_distribution: [0.01; 100],
                age: input.any_f32(),
                female: input.any_f32(),
            });
        }
        // One hill or two.
        kind => {
            for _ in 0..1 + kind % 2 {
                let (at, width) = (f32::from(input.byte() % 100), 1.0 + f32::from(input.byte() % 32));
                for (age, p) in ages.iter_mut().enumerate() {
                    *p += (1.0 - (age as f32 - at).abs() / width).max(0.0) / width;
                }
            }
            let sum: f32 = ages.iter().sum();
            ages.iter_mut().for_each(|p| *p /= sum);
        }
    }
    Some(RawEstimate { age_distribution: ages, age: 30.0, female })
}
