//! The faces of a video: each frame gets the work that it needs.
//!
//! - A frame that shows what the one before showed is skipped ([`scene`](super::scene)).
//! - The whole frame is searched now and then, and at once where no face is known or one is missed, with one
//!   of its tiles at a time for faces that are far away; in between, known faces are followed, each
//!   refined where it is expected. In the first second, and in that after a stillness, all tiles have their
//!   turn ([`schedule`](super::schedule)).
//! - A face whose estimate has settled is not estimated in every frame. Where the engine has to be waited
//!   for, estimates come with the next frame, except for new faces.
//!
//! All of it is decided here, by timestamps that the caller gives. [`track`](super::track) says who is who.
//! Neither depends on the engine: each frame may come with another one, and [`Video::state`] goes from one
//! browser module to another.

use super::estimator::{
    Estimate, Estimator, EstimatorError, Face, GenderProbabilities, Stopwatch, Timings, Wanted, estimate,
};
use super::scene::Scene;
use super::schedule::{FrameMode, FrameSchedule, KnownFaces};
use super::track::{Observation, Recognised, StateError, Track, Tracker};
use crate::engine::{Outputs, Picture, Region, Task};
use crate::picture::Similarity;
use crate::vision::{Detection, Finder, Rect, alignment, tiles::looks};

/// A video, its faces, and the buffers to find them with: once frames of a size have been searched, every
/// tile too, and followed, nothing is allocated on the CPU engine until there are more faces than ever before.
#[derive(Debug, Clone, Default)]
pub struct Video {
    schedule: FrameSchedule,
    scene: Scene,
    finder: Finder,
    tracker: Tracker,
    faces: Vec<TrackedFace>,
    buffers: VideoBuffers,
}

/// A face of a video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackedFace {
    /// The same for the same face from frame to frame.
    pub id: u32,
    /// Whether its numbers are good enough to be shown: not in the first moments.
    pub settled: bool,
    /// Box and numbers, steadied.
    pub face: Face,
}

impl TrackedFace {
    fn of(track: &Track) -> Self {
        let &Track { id, ref detection, settled, age, age_range, hills, age_distribution, female } = track;
        let gender = GenderProbabilities { female, male: 1.0 - female };
        let estimate = Estimate { age, age_range, hills, age_distribution, gender };
        Self { id, settled, face: Face::new(detection, estimate) }
    }
}

impl Wanted {
    /// Those that are wanted of a video's faces, and whether there are more than wanted of the size that is: the
    /// one who came last is left out, so that the same stay from frame to frame.
    pub fn of<'a>(&self, faces: &'a [TrackedFace]) -> (Vec<&'a TrackedFace>, bool) {
        let longer = |it: &TrackedFace| it.face.bbox[2].max(it.face.bbox[3]);
        let is_large = |it: &&TrackedFace| longer(it) >= self.smallest_face;
        let before = |one: &TrackedFace| faces.iter().filter(is_large).filter(|it| it.id < one.id).count();
        let chosen: Vec<_> =
            faces.iter().filter(is_large).filter(|it| before(it) < self.most_faces).collect();
        let more = chosen.len() < faces.iter().filter(is_large).count();
        (chosen, more)
    }
}

/// What was done with a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrameReport {
    /// How much work it got.
    pub mode: FrameMode,
    /// Faces that were estimated, of those in it.
    pub estimated: usize,
    /// What it took.
    pub timings: Timings,
}

#[derive(Debug, Clone, Default)]
struct VideoBuffers {
    cells: Outputs,
    expected: Vec<Rect>,
    detections: Vec<Detection>,
    alignments: Vec<Similarity>,
    recognised: Vec<Option<Recognised>>,
    chosen: Vec<usize>,
    regions: Vec<Region>,
    estimates: Outputs,
    /// The faces they are of, where they come with the next frame.
    awaiting: Vec<u32>,
    observations: Vec<Observation>,
}

impl Video {
    /// Forgets all faces: for another video. Buffers stay.
    pub fn reset(&mut self) {
        self.schedule = FrameSchedule::default();
        self.scene = Scene::default();
        self.tracker.reset();
        self.faces.clear();
        self.buffers.awaiting.clear();
    }

    /// The faces of the last frame, sorted by falling score.
    pub fn faces(&self) -> &[TrackedFace] {
        &self.faces
    }

    /// Who is known, and their averages, as bytes for [`Video::restore`]: two or three thousand a face.
    pub fn state(&self) -> Vec<u8> {
        self.tracker.state()
    }

    /// Goes on with the faces of another [`Video::state`]: the next frame is searched, and they keep their
    /// ids and averages.
    ///
    /// # Errors
    /// [`StateError`] for bytes of anything else; nothing changes then.
    pub fn restore(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut tracker = Tracker::default();
        tracker.restore(state)?;
        self.reset();
        self.tracker = tracker;
        Ok(())
    }

    /// Takes in the next frame: see [`Video::faces`]. `timestamp_ms` is its time in milliseconds from any
    /// origin.
    ///
    /// ```
    /// # use mien::{engine::EngineKind, picture::Pixels, pipeline::Estimator, weights::Weights};
    /// # let read = |path| std::fs::read(path).unwrap();
    /// # let detector = Weights::from_bytes(&read("model-weights/blazeface/blazeface-short.safetensors")).unwrap();
    /// # let network = Weights::from_bytes(&read("model-weights/lite/lite.safetensors")).unwrap();
    /// # let estimator = pollster::block_on(Estimator::new(EngineKind::Cpu, &detector, &network)).unwrap();
    /// # let photo = Pixels::decode(&read("www/sample.jpg")).unwrap();
    /// use mien::pipeline::Video;
    ///
    /// let mut video = Video::default();
    /// for number in 0..20 {
    ///     let frame = photo.frame(); // of a camera, each another one
    ///     pollster::block_on(video.process(&estimator, &frame, f64::from(number) * 40.0)).unwrap();
    /// }
    /// let [face] = video.faces() else { panic!() };
    /// assert!(face.settled && face.face.estimate.age > 20.0);
    /// ```
    ///
    /// # Errors
    /// [`EstimatorError`] where the engine stopped or computes wrongly.
    pub async fn process(
        &mut self,
        estimator: &Estimator,
        frame: impl Into<Picture<'_>>,
        timestamp_ms: f64,
    ) -> Result<FrameReport, EstimatorError> {
        let Self { schedule, scene, finder, tracker, faces, buffers } = self;
        let VideoBuffers {
            cells,
            expected,
            detections,
            alignments,
            recognised,
            chosen,
            regions,
            estimates,
            awaiting,
            observations,
        } = buffers;
        let (engine, frame) = (&estimator.engine, frame.into());
        let whole = Rect::whole(frame.size());
        let (mut watch, mut timings) = (Stopwatch::start(), Timings::default());

        tracker.set_range_mass(estimator.range_mass);
        let known = KnownFaces {
            faces: tracker.in_sight(),
            misses_one: tracker.misses_one(),
            unsure: tracker.unsure(),
        };
        let compares = schedule.compares(timestamp_ms);
        if compares {
            engine.submit_brightness(frame, cells)?;
        }
        // Else the brightness can come with what the network says.
        let compares_first = compares && schedule.skips(timestamp_ms, known);
        if compares_first {
            cells.wait().await?;
            schedule.compared(timestamp_ms, scene.changes(frame.size(), cells.row(0)));
        }
        let mut mode = schedule.mode(timestamp_ms, known);
        if mode == FrameMode::Skip {
            tracker.stay(timestamp_ms);
            timings.detect = watch.lap();
            return Ok(FrameReport { mode, estimated: 0, timings });
        }
        let run = async |regions: &[Region], outputs: &mut Outputs| {
            Ok::<_, EstimatorError>(engine.run(Task::Detection, frame, regions, outputs).await?)
        };
        tracker.advance(timestamp_ms);
        tracker.expected(expected);
        if mode == FrameMode::Follow {
            let tile = schedule.look(timestamp_ms).map(|turn| look(whole, turn));
            if !finder.follow(whole, tile, expected, run).await? {
                mode = FrameMode::Search;
            }
        }
        if mode == FrameMode::Search {
            let tile = schedule.search(timestamp_ms).map(|turn| look(whole, turn));
            finder.search(whole, tile, expected, run).await?;
        }
        if compares && !compares_first {
            cells.wait().await?;
            schedule.compared(timestamp_ms, scene.changes(frame.size(), cells.row(0)));
        }
        if !awaiting.is_empty() {
            estimates.wait().await?;
            for (id, numbers) in awaiting.drain(..).zip(estimates.rows()) {
                tracker.learn(id, &estimate(numbers)?);
            }
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
        regions.clear();
        regions.extend(chosen.iter().map(|index| alignment::aligned(&alignments[*index])));
        engine.submit(Task::Estimation, frame, regions, estimates)?;
        timings.crop = estimates.sampling_ms();
        observations.clear();
        observations
            .extend(detections.iter().map(|detection| Observation { detection: *detection, estimate: None }));
        // A new face is not shown without an estimate, and the others' can wait: for the next frame, which
        // has to be waited for anyway.
        if estimates.is_here() || chosen.iter().any(|index| recognised[*index].is_none()) {
            estimates.wait().await?;
            for (index, numbers) in chosen.iter().zip(estimates.rows()) {
                observations[*index].estimate = Some(estimate(numbers)?);
            }
        } else {
            awaiting.extend(chosen.iter().filter_map(|index| recognised[*index]).map(|known| known.id));
        }
        timings.network = (watch.lap() - timings.crop).max(0.0);

        faces.clear();
        faces.extend(tracker.observe(observations).iter().map(TrackedFace::of));
        timings.track = watch.lap();
        Ok(FrameReport { mode, estimated: chosen.len(), timings })
    }
}

/// The look whose turn it is, if they are counted on and on.
fn look(whole: Rect, turn: usize) -> Rect {
    let mut looks = looks(whole);
    let count = looks.clone().count();
    looks.nth(turn % count).expect("a frame has looks, and the turn is one of them")
}

#[cfg(all(test, feature = "train"))]
#[path = "video_tests.rs"]
mod tests;
