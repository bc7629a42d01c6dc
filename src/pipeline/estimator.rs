//! Photos: a picture in, faces with estimates out.

use serde::Serialize;
use thiserror::Error;
use web_time::Instant;

use crate::age::{AgeDistribution, Hill, RangeMass};
use crate::engine::{Engine, EngineError, EngineKind, Outputs, Picture, RawEstimate, Region, Task};
use crate::net::NetworkKind;
use crate::picture::Similarity;
use crate::vision::{
    Detection, DetectionError, Finder, FoundFaces, INPUT_SIDE, PhotoRemarks, REFINEMENT_SIDE, Rect, Search,
    alignment, find_in_photo,
};
use crate::weights::{Weights, WeightsError};

/// Name of the detector in its weight file.
pub const DETECTOR: &str = "blazeface-short";

/// Why an estimator can't be made or used.
#[derive(Debug, Error)]
pub enum EstimatorError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The weight files.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The detector's numbers.
    #[error(transparent)]
    Detection(#[from] DetectionError),
    /// The network answered with numbers that are no probabilities.
    #[error("the network's answer is not finite; use another engine")]
    NotFinite,
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
    /// Age in years: the median of `age_distribution`. (In a video it is held still: it is within a year or
    /// so of that.)
    pub age: f32,
    /// The range that holds the age of four people in five, calibrated on validation pictures. In years;
    /// holds `age`.
    pub age_range: [f32; 2],
    /// The two hills of `age_distribution`, the younger first, where it has two: `age` may lie between them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hills: Option<[Hill; 2]>,
    /// Probability of each age 0..99.
    pub age_distribution: AgeDistribution,
    /// Gender.
    pub gender: GenderProbabilities,
}

/// How often the network is shown each face of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Looks {
    /// Once
    #[cfg_attr(feature = "cli", value(name = "1"))]
    One,
    /// The face and its mirror image, whose answers are averaged: nearer to the truth (docs/steadiness.md). A
    /// face of a video is seen once in a frame, and averaged over frames.
    #[default]
    #[cfg_attr(
        feature = "cli",
        value(name = "2", help = "The face and its mirror image; the answers are averaged")
    )]
    Mirrored,
}

impl Looks {
    /// How many.
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Mirrored => 2,
        }
    }

    /// That many; `None` where it is neither.
    pub fn from_count(count: usize) -> Option<Self> {
        [Self::One, Self::Mirrored].into_iter().find(|looks| looks.count() == count)
    }

    /// What the network is shown of an aligned face.
    fn regions(self, alignment: &Similarity) -> impl Iterator<Item = Region> {
        let face = alignment::aligned(alignment);
        [face, Region { mirrored: true, ..face }].into_iter().take(self.count())
    }
}

/// Which faces of a photo are estimated, and how thoroughly. The others are found, and left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wanted {
    /// How often the network is shown each.
    pub looks: Looks,
    /// No more than these: those with the best scores; of a video's those that are known longest.
    pub most_faces: usize,
    /// None whose box is smaller than that, by its longer side in pixels.
    pub smallest_face: f32,
}

impl Default for Wanted {
    /// All of them.
    fn default() -> Self {
        Self { looks: Looks::default(), most_faces: usize::MAX, smallest_face: 0.0 }
    }
}

/// A gender is named where the network gives it at least this probability, and of a child, who is younger than
/// 13, at least that one: the rule of `www/views/words.js`, whose reasons are in docs/page.md.
pub const SURE: f32 = 0.8;
/// See [`SURE`].
pub const SURE_OF_CHILD: f32 = 0.9;

impl Estimate {
    /// Whether the network is sure enough of a gender to name it.
    pub fn is_gender_sure(&self) -> bool {
        let least = if self.age < 13.0 { SURE_OF_CHILD } else { SURE };
        self.gender.female.max(self.gender.male) >= least
    }
}

/// A face with its estimate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Face {
    /// Left, top, width, height in frame pixels.
    #[serde(rename = "box")]
    pub bbox: [f32; 4],
    /// How sure the detector is, 0..1.
    pub score: f32,
    /// Six landmarks in frame pixels: see [`Detection::landmarks`].
    pub landmarks: [[f32; 2]; 6],
    /// Age and gender.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// Where the time of a frame went: milliseconds of each stage, in their order. (Whoever waits for a graphics
/// device waits for all that it has to do: in a video also for the estimates that the frame before began,
/// while finding faces.)
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

/// A photo with all that is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    /// Sorted by falling score.
    pub faces: Vec<Face>,
    /// What is to be said beside them.
    pub remarks: PhotoRemarks,
    /// How long each stage took.
    pub timings: Timings,
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
pub enum WarmUp {
    /// A whole picture.
    Search,
    /// The refinement of a face.
    Refinement,
    /// An estimate.
    Estimate,
}

impl WarmUp {
    /// All of it. The refinement comes first: it runs the same code as a search, on less.
    pub const ALL: [Self; 3] = [Self::Refinement, Self::Estimate, Self::Search];
}

/// Finds faces and estimates their age and gender, of single pictures; for the frames of a video there is
/// [`Video`](super::Video).
#[derive(Debug)]
pub struct Estimator {
    pub(crate) engine: Engine,
    pub(super) range_mass: RangeMass,
    pub(super) looks: Looks,
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
            None => RangeMass::default(),
            Some(text) => {
                text.parse().map_err(|error| WeightsError::Malformed(format!("range_mass: {error}")))?
            }
        };
        let engine = Engine::start(kind, detector, network).await?;
        Ok(Self { engine, range_mass, looks: Looks::default() })
    }

    /// With another number of looks at each face of a photo.
    pub fn with_looks(self, looks: Looks) -> Self {
        Self { looks, ..self }
    }

    /// How often each face of a photo is looked at.
    pub fn looks(&self) -> Looks {
        self.looks
    }

    /// Which engine runs.
    pub fn engine(&self) -> EngineKind {
        self.engine.kind()
    }

    /// Which network estimates.
    pub fn network(&self) -> NetworkKind {
        self.engine.network()
    }

    /// Finds the faces of a picture, sorted by falling score. [`Search::Tiled`] is for photos, however they lie:
    /// [`find_in_photo`].
    ///
    /// # Errors
    /// [`EstimatorError`] where the engine stopped or computes wrongly.
    pub async fn detect(
        &self,
        picture: impl Into<Picture<'_>>,
        search: Search,
    ) -> Result<Vec<Detection>, EstimatorError> {
        Ok(self.find(picture.into(), search).await?.faces)
    }

    async fn find(&self, picture: Picture<'_>, search: Search) -> Result<FoundFaces, EstimatorError> {
        let run = async |regions: &[Region], outputs: &mut Outputs| {
            Ok::<_, EstimatorError>(self.engine.run(Task::Detection, picture, regions, outputs).await?)
        };
        let mut finder = Finder::default();
        if search == Search::Tiled {
            return find_in_photo(&mut finder, picture.size(), run).await;
        }
        finder.find(Rect::whole(picture.size()), search, run).await?;
        Ok(FoundFaces { faces: finder.faces().to_vec(), ..FoundFaces::default() })
    }

    /// Has the engine run on black pixels, for what engines and browsers put off until the first run.
    ///
    /// # Errors
    /// [`EstimatorError::Engine`].
    pub async fn warm_up(&self, part: WarmUp) -> Result<(), EstimatorError> {
        let (task, side) = match part {
            WarmUp::Search => (Task::Detection, INPUT_SIDE),
            WarmUp::Refinement => (Task::Detection, REFINEMENT_SIDE),
            WarmUp::Estimate => (Task::Estimation, alignment::SIDE),
        };
        Ok(self.engine.warm_up(task, side).await?)
    }

    /// What the network says of the faces under these alignments ([`alignment::alignment`]).
    ///
    /// # Errors
    /// [`EstimatorError::Engine`], [`EstimatorError::NotFinite`].
    pub async fn raw_estimates(
        &self,
        picture: impl Into<Picture<'_>>,
        alignments: &[Similarity],
    ) -> Result<Vec<RawEstimate>, EstimatorError> {
        Ok(self.estimates(picture.into(), alignments, self.looks).await?.0)
    }

    /// Also how long cutting the faces out took, in milliseconds.
    async fn estimates(
        &self,
        picture: Picture<'_>,
        alignments: &[Similarity],
        looks: Looks,
    ) -> Result<(Vec<RawEstimate>, f64), EstimatorError> {
        let regions: Vec<Region> = alignments.iter().flat_map(|face| looks.regions(face)).collect();
        let mut outputs = Outputs::default();
        self.engine.run(Task::Estimation, picture, &regions, &mut outputs).await?;
        let answers = outputs.rows().map(estimate).collect::<Result<Vec<_>, _>>()?;
        let estimates = answers.chunks(looks.count()).filter_map(RawEstimate::mean).collect();
        Ok((estimates, outputs.sampling_ms()))
    }

    /// The estimate in a form to show: with its range, as probabilities.
    pub fn finish(&self, raw: &RawEstimate) -> Estimate {
        let RawEstimate { age_distribution, female, .. } = raw;
        let age_distribution =
            AgeDistribution::new(*age_distribution).expect("engines give finite probabilities");
        Estimate {
            age: age_distribution.median(),
            age_range: age_distribution.stated_range(&self.range_mass),
            hills: age_distribution.hills(),
            age_distribution,
            gender: GenderProbabilities { female: *female, male: 1.0 - female },
        }
    }

    /// Everything: the faces of a picture with their estimates, sorted by falling score.
    ///
    /// # Errors
    /// [`EstimatorError`] where the engine stopped or computes wrongly.
    pub async fn estimate(
        &self,
        picture: impl Into<Picture<'_>>,
        search: Search,
    ) -> Result<Vec<Face>, EstimatorError> {
        Ok(self.estimate_timed(picture, search).await?.faces)
    }

    /// The same, with what is to be said beside, and how long each stage took.
    ///
    /// # Errors
    /// As [`Estimator::estimate`].
    pub async fn estimate_timed(
        &self,
        picture: impl Into<Picture<'_>>,
        search: Search,
    ) -> Result<Photo, EstimatorError> {
        self.estimate_wanted(picture, search, &Wanted { looks: self.looks, ..Wanted::default() }).await
    }

    /// The same of some of its faces.
    ///
    /// ```
    /// # use mien::{engine::EngineKind, picture::Pixels, pipeline::Estimator, weights::Weights};
    /// # let read = |path| std::fs::read(path).unwrap();
    /// # let detector = Weights::from_bytes(&read("model-weights/blazeface/blazeface-short.safetensors")).unwrap();
    /// # let network = Weights::from_bytes(&read("model-weights/lite/lite.safetensors")).unwrap();
    /// # let estimator = pollster::block_on(Estimator::new(EngineKind::Cpu, &detector, &network)).unwrap();
    /// # let photo = Pixels::decode(&read("www/sample.jpg")).unwrap();
    /// use mien::pipeline::estimator::{Looks, Wanted};
    /// use mien::vision::Search;
    ///
    /// let wanted = Wanted { looks: Looks::One, most_faces: 3, smallest_face: 40.0 };
    /// let frame = photo.frame();
    /// let photo = pollster::block_on(estimator.estimate_wanted(&frame, Search::Tiled, &wanted)).unwrap();
    /// assert_eq!((photo.faces.len(), photo.remarks.turn), (1, 0));
    /// ```
    ///
    /// # Errors
    /// As [`Estimator::estimate`].
    pub async fn estimate_wanted(
        &self,
        picture: impl Into<Picture<'_>>,
        search: Search,
        wanted: &Wanted,
    ) -> Result<Photo, EstimatorError> {
        let picture = picture.into();
        let mut watch = Stopwatch::start();
        let found = self.find(picture, search).await?;
        let (mut remarks, mut detections) = (found.remarks(), found.faces);
        detections.retain(|face| face.bbox.longer() >= wanted.smallest_face);
        remarks.more_faces |= detections.len() > wanted.most_faces;
        detections.truncate(wanted.most_faces);
        let detect = watch.lap();
        let (detections, alignments): (Vec<_>, Vec<_>) =
            detections.into_iter().filter_map(|d| Some((d, alignment::alignment(&d.landmarks)?))).unzip();
        let (estimates, crop) = self.estimates(picture, &alignments, wanted.looks).await?;
        let network = (watch.lap() - crop).max(0.0);
        let face = |(detection, raw): (&Detection, &RawEstimate)| Face::new(detection, self.finish(raw));
        let faces = detections.iter().zip(&estimates).map(face).collect();
        Ok(Photo { faces, remarks, timings: Timings { detect, crop, network, track: watch.lap() } })
    }
}

/// An engine's numbers of a face.
pub(super) fn estimate(numbers: &[f32]) -> Result<RawEstimate, EstimatorError> {
    RawEstimate::from_numbers(numbers).ok_or(EstimatorError::NotFinite)
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
