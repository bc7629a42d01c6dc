//! The faces of a video: each frame gets the work that it needs.
//!
//! - A frame that shows what the one before showed is skipped ([`scene`]).
//! - The whole frame is searched now and then, and at once where no face is known or one is missed, with one of its tiles at a time for
//!   faces that are far away; in between, known faces are followed, each seen from close up where it is expected ([`schedule`]).
//! - A face whose estimate has settled is not estimated in every frame. Where the engine has to be waited for, estimates come with the next frame,
//!   except for new faces.
//!
//! All of it is decided here, by timestamps that the caller gives. [`crate::pipeline::track`] says who is who.

use super::scene::Scene;
use super::schedule::{Known, Look, Schedule};
use crate::engine::Estimates;
use crate::picture::{Sampler, Similarity};
use crate::pipeline::estimator::{Estimator, EstimatorError, Face, Stopwatch, Timings};
use crate::pipeline::track::{Observation, Recognised, Track, Tracker};
use crate::source::{Cut, Source};
use crate::vision::alignment;
use crate::vision::{BoundingBox, Detection, Finder, Region, View, tiles};

/// A video, its faces, and the buffers to find them with: once frames of a size have been searched, a tile too, and followed, nothing is
/// allocated on the CPU engine until there are more faces than ever before.
#[derive(Debug, Clone, Default)]
pub struct Video {
    schedule: Schedule,
    scene: Scene,
    finder: Finder,
    tracker: Tracker,
    faces: Vec<TrackedFace>,
    buffers: Buffers,
}

/// A face of a video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedFace {
    /// The same for the same face from frame to frame.
    pub id: u32,
    /// Box and numbers, smoothed.
    pub face: Face,
}

/// What was done with a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// How it was looked at.
    pub look: Look,
    /// Faces that were estimated, of those in it.
    pub estimated: usize,
    /// What it took.
    pub timings: Timings,
}

#[derive(Debug, Clone, Default)]
struct Buffers {
    expected: Vec<BoundingBox>,
    detections: Vec<Detection>,
    alignments: Vec<Similarity>,
    recognised: Vec<Option<Recognised>>,
    chosen: Vec<usize>,
    sampler: Sampler,
    crops: Vec<Cut>,
    estimates: Estimates,
    /// The faces they are of, where they come with the next frame.
    awaiting: Vec<u32>,
    observations: Vec<Observation>,
}

impl Video {
    /// Forgets all faces: for another video. Buffers stay.
    pub fn reset(&mut self) {
        self.schedule = Schedule::default();
        self.scene = Scene::default();
        self.tracker.reset();
        self.faces.clear();
        self.buffers.awaiting.clear();
    }

    /// The faces of the last frame, sorted by falling score.
    pub fn faces(&self) -> &[TrackedFace] {
        &self.faces
    }

    /// Whether the next frame, of that time, will be asked for its [`Source::brightness`].
    pub fn compares(&self, timestamp_ms: f64) -> bool {
        self.schedule.compares(timestamp_ms)
    }

    /// Takes in the next frame: see [`Video::faces`]. `timestamp_ms` is its time in milliseconds from any origin.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn look(
        &mut self,
        estimator: &Estimator,
        frame: &impl Source,
        timestamp_ms: f64,
    ) -> Result<Seen, EstimatorError> {
        let Self { schedule, scene, finder, tracker, faces, buffers } = self;
        let Buffers {
            expected,
            detections,
            alignments,
            recognised,
            chosen,
            sampler,
            crops,
            estimates,
            awaiting,
            observations,
        } = buffers;
        let engine = &estimator.engine;
        let (mut watch, mut timings) = (Stopwatch::start(), Timings::default());

        let known = Known { faces: tracker.in_sight(), misses_one: tracker.misses_one() };
        let compares = schedule.compares(timestamp_ms);
        // Else the brightness can come with what is looked at.
        let compares_first = compares && schedule.skips(timestamp_ms);
        if compares_first {
            engine.wait().await?;
            schedule.compared(timestamp_ms, scene.changes(frame));
        }
        let mut look = schedule.look(timestamp_ms, known);
        if look == Look::Skip {
            timings.detect = watch.lap();
            return Ok(Seen { look, estimated: 0, timings });
        }
        let run = async |views: &mut [View]| engine.detect(views).await;
        tracker.advance(timestamp_ms);
        tracker.expected(expected);
        if look == Look::Follow && !finder.follow(frame, expected, run).await? {
            look = Look::Search;
        }
        if look == Look::Search {
            let tile = schedule.search(timestamp_ms).map(|turn| tile(frame, turn));
            finder.search(frame, tile, expected, run).await?;
        }
        // For whatever no view was waited with.
        engine.wait().await?;
        if compares && !compares_first {
            schedule.compared(timestamp_ms, scene.changes(frame));
        }
        if !awaiting.is_empty() {
            let estimates = engine.collect(estimates)?.unwrap_or_default();
            awaiting.drain(..).zip(estimates).for_each(|(id, estimate)| tracker.learn(id, estimate));
        }
        detections.clear();
        alignments.clear();
        for detection in finder.faces() {
            if let Some(alignment) = alignment::alignment(&detection.landmarks) {
                detections.push(*detection);
                alignments.push(alignment);
            }
        }
        timings.detect = watch.lap();

        tracker.recognise(detections, recognised);
        schedule.estimates(recognised, chosen);
        if crops.len() < chosen.len() {
            crops.resize_with(chosen.len(), Cut::default);
        }
        for (crop, index) in crops.iter_mut().zip(&*chosen) {
            alignment::cut_into(frame, &alignments[*index], sampler, crop);
        }
        timings.crop = watch.lap();

        engine.submit(&crops[..chosen.len()], estimates).await?;
        // A new face is not shown without an estimate, and the others' can wait: for the next frame, which has to be waited for anyway.
        if chosen.iter().any(|index| recognised[*index].is_none()) {
            engine.wait().await?;
        }
        observations.clear();
        observations
            .extend(detections.iter().map(|detection| Observation { detection: *detection, estimate: None }));
        if let Some(estimates) = engine.collect(estimates)? {
            for (index, estimate) in chosen.iter().zip(estimates) {
                observations[*index].estimate = Some(*estimate);
            }
        } else {
            awaiting.extend(chosen.iter().filter_map(|index| recognised[*index]).map(|known| known.id));
        }
        timings.network = watch.lap();

        let face = |track: &Track| {
            let estimate = estimator.finish(&track.age_distribution, track.regressed_age, track.female);
            TrackedFace { id: track.id, face: Face::new(&track.detection, estimate) }
        };
        faces.clear();
        faces.extend(tracker.observe(observations).iter().map(face));
        timings.track = watch.lap();
        Ok(Seen { look, estimated: chosen.len(), timings })
    }
}

/// The tile whose turn it is, if tiles are counted on and on.
fn tile(frame: &impl Source, turn: usize) -> Region {
    let mut tiles = tiles(frame);
    let count = tiles.clone().count();
    tiles.nth(turn % count).expect("a frame has tiles, and the turn is one of them")
}

#[cfg(all(test, feature = "train"))]
#[path = "video_tests.rs"]
mod tests;
