//! Faces of a photo, however it lies, and however much of it they fill.

use serde::Serialize;

use super::finder::fills;
use super::{Detection, DetectionError, Finder, Rect, Remarks, Search, iou, tiles};
use crate::engine::{Outputs, Region};
use crate::picture::Similarity;

/// Below this score of its surest face, a photo is looked at turned; and a face of a turned one must reach it.
const DOUBTFUL: f32 = 0.85;

/// From this score of its surest face on it is not. Between the two it is if that face turned scores no worse,
/// as far as that goes: one that lies on its side passes for a face, with landmarks in the wrong places. (One
/// that does not scores less by 0.2 and more.)
const BEYOND_DOUBT: f32 = 0.95;
const NO_WORSE: f32 = 0.05;

/// By so much a face of a turned photo must be surer than those of the photo as it is.
const SURER: f32 = 0.03;

/// What is smaller than this, in pixels, says too little to be a face: the finder takes nearly anything for one
/// (the smallest that is looked for has 24). And so does a picture of so few that one fills.
const SMALLEST: f32 = 20.0;
const SMALLEST_FILLED: f32 = 28.0;

/// Where so many faces are smaller than this part of the longer side, smaller ones will be between them: parts of
/// the picture, of that side and shared, are then searched as if they were pictures of their own.
const CROWD: usize = 10;
const SMALL_IN_CROWD: f32 = 0.08;
const PART: f32 = 0.5;
const SHARED: f32 = 0.12;

/// So many near misses are worth a word: one is in many a picture that misses none (docs/measurements.md).
const NEAR_MISSES: usize = 2;

/// How a photo lies: by how much it is to be turned to be upright, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// It is upright.
    #[default]
    None,
    /// By 90 degrees.
    Right,
    /// By 180.
    Over,
    /// By 270, which is to the left by 90.
    Left,
}

impl Turn {
    /// Those of a photo that is not upright.
    const TURNED: [Self; 3] = [Self::Right, Self::Left, Self::Over];

    /// Clockwise.
    pub fn degrees(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Right => 90,
            Self::Over => 180,
            Self::Left => 270,
        }
    }

    fn is_on_its_side(self) -> bool {
        matches!(self, Self::Right | Self::Left)
    }

    /// From pixels of the upright picture to those of one of that width and height that lies so. Exact.
    fn transform(self, [width, height]: [usize; 2]) -> Similarity {
        let [width, height] = [width as f32, height as f32];
        let (a, b, tx, ty) = match self {
            Self::None => (1.0, 0.0, 0.0, 0.0),
            Self::Right => (0.0, -1.0, 0.0, height),
            Self::Over => (-1.0, 0.0, width, height),
            Self::Left => (0.0, 1.0, width, 0.0),
        };
        Similarity { a, b, tx, ty }
    }
}

/// The faces of a photo, and what is to be said of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FoundFaces {
    /// Sorted by falling score, in pixels of the picture as it lies.
    pub faces: Vec<Detection>,
    /// How it lies.
    pub turn: Turn,
    /// There are more than these, which are as many as are looked for ([`DetectorOptions::most_faces`](super::DetectorOptions::most_faces)).
    pub more: bool,
    /// Places that look much like a face, but not enough.
    pub near_misses: usize,
}

/// What is to be said of a photo beside its faces. Names are those of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PhotoRemarks {
    /// By how many degrees it has to be turned clockwise to be upright, by its faces: 0, 90, 180 or 270.
    pub turn: u16,
    /// There are more faces than these.
    pub more_faces: bool,
    /// Several places look much like a face, but not enough: some faces may be missing.
    pub may_miss_faces: bool,
}

impl FoundFaces {
    /// What is to be said of them.
    pub fn remarks(&self) -> PhotoRemarks {
        PhotoRemarks {
            turn: self.turn.degrees(),
            more_faces: self.more,
            may_miss_faces: self.near_misses >= NEAR_MISSES,
        }
    }

    fn best_score(&self) -> f32 {
        self.faces.first().map_or(0.0, |face| face.score)
    }
}

/// Finds the faces in a picture of that width and height, by [`Search::Tiled`]. Where none of them is sure, it
/// looks at the picture turned, too.
///
/// # Errors
/// As [`Finder::find`].
pub async fn find_in_photo<E: From<DetectionError>>(
    finder: &mut Finder,
    size: [usize; 2],
    mut run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
) -> Result<FoundFaces, E> {
    let mut found = find_as_it_lies(finder, size, Turn::None, &mut run).await?;
    for turn in turns_in_doubt(finder, &found, size, &mut run).await? {
        let turned = find_as_it_lies(finder, size, turn, &mut run).await?;
        if turned.best_score() >= DOUBTFUL.max(found.best_score() + SURER) {
            found = turned;
        }
    }
    Ok(found)
}

/// By which turns the picture may become upright.
async fn turns_in_doubt<E: From<DetectionError>>(
    finder: &mut Finder,
    found: &FoundFaces,
    size: [usize; 2],
    run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
) -> Result<Vec<Turn>, E> {
    let Some(surest) = found.faces.first().filter(|face| face.score >= DOUBTFUL) else {
        return Ok(Turn::TURNED.to_vec());
    };
    if surest.score >= BEYOND_DOUBT {
        return Ok(Vec::new());
    }
    let turns = Turn::TURNED.map(|turn| turn.transform(size));
    let scores = finder.scores_turned(&surest.bbox, &turns, run).await?;
    let better = Turn::TURNED.into_iter().zip(scores).filter(|(_, score)| *score > surest.score - NO_WORSE);
    Ok(better.map(|(turn, _)| turn).collect())
}

/// As if the picture were to be turned so.
async fn find_as_it_lies<E: From<DetectionError>>(
    finder: &mut Finder,
    size: [usize; 2],
    turn: Turn,
    run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
) -> Result<FoundFaces, E> {
    let to_picture = turn.transform(size);
    let [width, height] = size;
    let whole = Rect::whole(if turn.is_on_its_side() { [height, width] } else { size });
    let mut turned = Vec::new();
    let mut run = async |regions: &[Region], outputs: &mut Outputs| {
        turned.clear();
        turned.extend(
            regions.iter().map(|region| Region { transform: to_picture.after(&region.transform), ..*region }),
        );
        run(&turned, outputs).await
    };
    finder.find(whole, Search::Tiled, &mut run).await?;
    let Remarks { mut more, mut near_misses, is_filled } = finder.remarks();
    let mut faces = finder.faces().to_vec();
    let options = *finder.options();
    let is_small = |face: &Detection| face.bbox.longer() < SMALL_IN_CROWD * whole.longer();
    if !more && faces.iter().filter(|face| is_small(face)).count() >= CROWD {
        near_misses = 0;
        for part in tiles::parts(whole, PART, SHARED) {
            finder.find(part, Search::Tiled, &mut run).await?;
            near_misses += finder.remarks().near_misses;
            let is_new = |face: &Detection, faces: &[Detection]| {
                is_small(face)
                    && tiles::whole_in(&part, &face.bbox, &whole)
                    && faces.iter().all(|other| {
                        iou(&other.bbox, &face.bbox) <= options.max_iou
                            && !tiles::is_part(face, other)
                            && !tiles::is_part(other, face)
                    })
            };
            for face in finder.faces() {
                if is_new(face, &faces) {
                    faces.push(*face);
                }
            }
        }
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
        more = faces.len() > options.most_faces;
        faces.truncate(options.most_faces);
    }
    if is_filled || faces.is_empty() {
        finder.find(whole.with_border(), Search::Refined, &mut run).await?;
        let found_none = faces.is_empty();
        for face in finder.faces() {
            if found_none || fills(&face.bbox, &whole) {
                faces.retain(|other: &Detection| {
                    iou(&other.bbox, &face.bbox) <= options.max_iou && !tiles::is_part(other, face)
                });
                faces.push(*face);
            }
        }
        faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    }
    faces.retain(|face| {
        let smallest = if fills(&face.bbox, &whole) { SMALLEST_FILLED } else { SMALLEST };
        face.bbox.longer() >= smallest
    });
    for face in &mut faces {
        *face = turned_back(face, &to_picture, turn);
    }
    Ok(FoundFaces { faces, turn, more, near_misses })
}

/// The face in pixels of the picture as it lies.
fn turned_back(face: &Detection, to_picture: &Similarity, turn: Turn) -> Detection {
    let Rect { width, height, .. } = face.bbox;
    let (width, height) = if turn.is_on_its_side() { (height, width) } else { (width, height) };
    let [x, y] = to_picture.apply(face.bbox.centre());
    Detection {
        bbox: Rect { x: x - width / 2.0, y: y - height / 2.0, width, height },
        score: face.score,
        landmarks: face.landmarks.map(|point| to_picture.apply(point)),
    }
}
