//! The public API: a frame in, faces with estimates out.

use serde::Serialize;
use thiserror::Error;
use web_time::Instant;

use crate::age::AgeDistribution;
use crate::engine::{Engine, EngineError, EngineKind, RawEstimate};
use crate::model::{AGES, NetworkKind};
use crate::picture::Similarity;
use crate::source::{Cut, Source};
use crate::vision::alignment;
use crate::vision::{CLOSE_UP_SIDE, Detection, Finder, INPUT_SIDE, Search, View};
use crate::weights::{Weights, WeightsError};

/// Name of the detector in its weight file.
pub const DETECTOR: &str = "blazeface-short";

/// Mass of the stated range where the weights bring no calibration.
const DEFAULT_RANGE_MASS: f32 = 0.8;

/// Border for the second look, as a share of the picture's longer side.
const PADDING: f32 = 0.3;

/// Why an estimator can't be made or used.
#[derive(Debug, Error)]
pub enum EstimatorError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The weight files.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// Probabilities of the two genders that the data sets label; they sum to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GenderProbabilities {
    /// 0..1.
    pub female: f32,
    /// 0..1.
    pub male: f32,
}

/// What the network says of one face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Age in years, from the cascaded regression.
    pub age: f32,
    /// The range that holds the age of four people in five, calibrated on validation pictures. In years; holds `age`.
    pub age_range: [f32; 2],
    /// Probability of each age 0..99.
    pub age_distribution: AgeDistribution,
    /// Gender.
    pub gender: GenderProbabilities,
}

/// A face with its estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Face {
    /// Left, top, width, height in frame pixels.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// How sure the detector is, 0..1.
    pub score: f32,
    /// Six key points in frame pixels: see [`Detection::landmarks`].
    pub landmarks: [[f32; 2]; 6],
    /// Age and gender.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Where the time of a frame went: milliseconds of each stage, in their order. (Whoever waits for a graphics device waits for all that it
/// has to do: in a video also for the estimates that the frame before began, while looking for faces.)
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Timings {
    /// Finding the faces.
    pub detect: f64,
    /// Cutting them out, aligned.
    pub crop: f64,
    /// Their ages and genders.
    pub network: f64,
    /// Telling who is who, averaging, and what else makes a result of it.
    pub track: f64,
}

/// Milliseconds from one stage to the next.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start or the last lap.
    pub(crate) fn lap(&mut self) -> f64 {
        let now = Instant::now();
        (now - std::mem::replace(&mut self.0, now)).as_secs_f64() * 1e3
    }
}

/// A part of the work on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rehearsal {
    /// A look at a whole frame.
    Search,
    /// A look at a face.
    CloseUp,
    /// An estimate.
    Estimate,
}

impl Rehearsal {
    /// All of it. The close-up comes first: it runs the same code as a search, on less.
    pub const ALL: [Self; 3] = [Self::CloseUp, Self::Estimate, Self::Search];
}

/// Finds faces and estimates their age and gender, of single pictures; for the frames of a video there is
/// [`Video`](crate::pipeline::video::Video).
#[derive(Debug)]
pub struct Estimator {
    pub(crate) engine: Engine,
    range_mass: f32,
}

impl Estimator {
    /// From the detector's weights and a network's, on the engine asked for.
    ///
    /// # Errors
    /// [`EstimatorError`] if a file is for something else or the engine can't start.
    pub async fn new(
        kind: EngineKind,
        detector: &Weights,
        network: &Weights,
    ) -> Result<Self, EstimatorError> {
        detector.expect_network(DETECTOR)?;
        let range_mass = match network.metadata.get("range_mass") {
            None => DEFAULT_RANGE_MASS,
            Some(text) => {
                let mass = text.parse().ok().filter(|mass| (0.0..=1.0).contains(mass));
                mass.ok_or_else(|| WeightsError::Malformed(format!("range_mass {text:?}")))?
            }
        };
        let engine = Engine::start(kind, detector, network).await?;
        Ok(Self { engine, range_mass })
    }

    /// Which engine runs.
    pub fn engine(&self) -> EngineKind {
        self.engine.kind()
    }

    /// Which network estimates.
    pub fn network(&self) -> NetworkKind {
        self.engine.network()
    }

    /// Finds the faces of a frame, sorted by falling score.
    ///
    /// Where a thorough search finds none, it looks once more with a border around the picture: a face that fills it all is not
    /// recognised as one.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn detect(
        &self,
        frame: &impl Source,
        search: Search,
    ) -> Result<Vec<Detection>, EstimatorError> {
        let found = self.look(frame, search).await?;
        if !found.is_empty() || search != Search::Tiled {
            return Ok(found);
        }
        let (padded, border) = frame.padded(PADDING);
        let mut found = self.look(&padded, Search::Refined).await?;
        let border = border as f32;
        for detection in &mut found {
            detection.bbox.x -= border;
            detection.bbox.y -= border;
            detection.landmarks = detection.landmarks.map(|[x, y]| [x - border, y - border]);
        }
        Ok(found)
    }

    async fn look(&self, frame: &impl Source, search: Search) -> Result<Vec<Detection>, EstimatorError> {
        let mut finder = Finder::default();
        finder.find(frame, search, async |views: &mut [View]| self.engine.detect(views).await).await?;
        Ok(finder.faces().to_vec())
    }

    /// Has the engine run on black pixels, for what engines and browsers put off until the first run.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn rehearse(&self, part: Rehearsal) -> Result<(), EstimatorError> {
        let black = |side: usize| Cut::from(vec![0; side * side * 3]);
        match part {
            Rehearsal::Search => self.engine.detect(&mut [View::new(INPUT_SIDE, black(INPUT_SIDE))]).await?,
            Rehearsal::CloseUp => {
                self.engine.detect(&mut [View::new(CLOSE_UP_SIDE, black(CLOSE_UP_SIDE))]).await?;
            }
            Rehearsal::Estimate => drop(self.engine.estimate(&[black(alignment::SIDE)]).await?),
        }
        Ok(())
    }

    /// What the network says of the faces under these alignments ([`alignment::alignment`]).
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn raw_estimates(
        &self,
        frame: &impl Source,
        alignments: &[Similarity],
    ) -> Result<Vec<RawEstimate>, EstimatorError> {
        let crops: Vec<_> = alignments.iter().map(|alignment| alignment::cut(frame, alignment)).collect();
        Ok(self.engine.estimate(&crops).await?)
    }

    /// The estimate in a form to show: with its range, as probabilities.
    pub fn finish(&self, age_distribution: &[f32; AGES], age: f32, female: f32) -> Estimate {
        let age_distribution =
            AgeDistribution::new(*age_distribution).expect("engines give finite probabilities");
        let age = age.clamp(0.0, 100.0);
        let [low, high] = age_distribution.central_range(self.range_mass);
        Estimate {
            age,
            age_range: [low.min(age), high.max(age)],
            age_distribution,
            gender: GenderProbabilities { female, male: 1.0 - female },
        }
    }

    /// Everything: the faces of a frame with their estimates, sorted by falling score.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn estimate(&self, frame: &impl Source, search: Search) -> Result<Vec<Face>, EstimatorError> {
        Ok(self.estimate_timed(frame, search).await?.0)
    }

    /// The same, and how long each stage took.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn estimate_timed(
        &self,
        frame: &impl Source,
        search: Search,
    ) -> Result<(Vec<Face>, Timings), EstimatorError> {
        let (mut watch, mut timings) = (Stopwatch::start(), Timings::default());
        let detections = self.detect(frame, search).await?;
        timings.detect = watch.lap();
        let (detections, crops): (Vec<_>, Vec<_>) = detections
            .into_iter()
            .filter_map(|d| {
                alignment::alignment(&d.landmarks).map(|alignment| (d, alignment::cut(frame, &alignment)))
            })
            .unzip();
        timings.crop = watch.lap();
        let estimates = self.engine.estimate(&crops).await?;
        timings.network = watch.lap();
        let face = |(detection, raw): (&Detection, &RawEstimate)| {
            Face::new(detection, self.finish(&raw.age_distribution, raw.age, raw.female))
        };
        let faces = detections.iter().zip(&estimates).map(face).collect();
        timings.track = watch.lap();
        Ok((faces, timings))
    }
}

impl Face {
    /// Joins where a face is and what is said of it.
    pub fn new(detection: &Detection, estimate: Estimate) -> Self {
        let b = &detection.bbox;
        Self {
            bbox: [b.x, b.y, b.width, b.height],
            score: detection.score,
            landmarks: detection.landmarks,
            estimate,
        }
    }
}
