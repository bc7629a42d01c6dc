//! Finding faces: where they are, and six landmarks of each. All of it says which regions to see and reads
//! what a network says; none of it touches a pixel.
//!
//! In the order the data flows:
//!
//! - a part of the picture (all of it; [`tiles`](mod@tiles), too: in a photo all, in a video one now and
//!   then) becomes a region for BlazeFace ([`letterbox`](mod@letterbox)), which gives values for each of its
//!   [`anchors`],
//! - [`decode`] turns them into boxes and landmarks, [`suppress`] into one for each face,
//! - [`tiles::merge`] joins the parts of the picture,
//! - a [`refinement`](mod@refinement) of each small face places its landmarks,
//! - and [`alignment`] makes of those the region that is estimated.
//!
//! A [`Finder`] does all but the last, around whatever runs the network; [`find_in_photo`] does so for a photo,
//! however it lies.

pub mod alignment;
pub mod anchors;
pub mod decode;
pub mod finder;
pub mod letterbox;
pub mod photo;
pub mod refinement;
pub mod suppress;
pub mod tiles;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::net::blaze_face::INPUT_SIDE;
pub use finder::{Finder, Remarks, Search, find};
pub use letterbox::letterbox;
pub use photo::{FoundFaces, PhotoRemarks, Turn, find_in_photo};
pub use refinement::{confirm, enlarges, refinement};
pub use suppress::iou;
pub use tiles::tiles;

/// Width and height of its input for a refinement: a quarter of the work.
pub const REFINEMENT_SIDE: usize = 64;

/// Border for a pass over a picture that a face may fill, as a share of the longer side: the detector has
/// learned to see faces with something around them.
const BORDER: f32 = 0.3;

/// An upright rectangle, in pixels: a picture, a part of one, or the box of a face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Rect {
    /// All of a picture of that width and height.
    pub fn whole([width, height]: [usize; 2]) -> Self {
        Self { x: 0.0, y: 0.0, width: width as f32, height: height as f32 }
    }

    /// The same with a border all around, for a picture that shows nothing but a face.
    pub fn with_border(&self) -> Self {
        let border = (self.longer() * BORDER).round();
        Self {
            x: self.x - border,
            y: self.y - border,
            width: self.width + 2.0 * border,
            height: self.height + 2.0 * border,
        }
    }

    /// The longer side.
    pub fn longer(&self) -> f32 {
        self.width.max(self.height)
    }

    /// The shorter side.
    pub fn shorter(&self) -> f32 {
        self.width.min(self.height)
    }

    /// Whether a point lies in it.
    pub fn holds(&self, [x, y]: [f32; 2]) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }

    /// The middle: x, y.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    /// Width times height; 0 where one of them is negative.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// The area both share.
    pub fn intersection(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }
}

/// A face.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Where the face is, in pixels of the picture: from the brows to the chin, near square. May reach beyond
    /// the picture.
    pub bbox: Rect,
    /// How sure the network is that this is a face, 0 to 1.
    pub score: f32,
    /// x, y in pixels of the picture of the right eye, the left eye (the subject's: the right eye is on the
    /// left in a picture that is not mirrored), the tip of the nose, the middle of the mouth, the right and
    /// the left ear tragion.
    pub landmarks: [[f32; 2]; 6],
}

/// What may be a face, as one region of a picture shows it, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// In pixels of the picture.
    pub face: Detection,
    /// Pixels of the network's input for one pixel of the picture; in the region that shows the face largest,
    /// if several do.
    pub magnification: f32,
}

/// What counts as a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorOptions {
    /// The least score, 0 to 1.
    pub min_score: f32,
    /// Boxes that overlap more than this ([`iou`], 0 to 1) are the same face.
    pub max_iou: f32,
    /// The most faces of a photo.
    pub most_faces: usize,
}

impl Default for DetectorOptions {
    /// MediaPipe's: 0.5 and 0.3.
    fn default() -> Self {
        Self { min_score: 0.5, max_iou: 0.3, most_faces: 300 }
    }
}

impl DetectorOptions {
    /// The score that goes `way` from the least score to 1.
    fn higher(&self, way: f32) -> f32 {
        self.min_score + way * (1.0 - self.min_score)
    }
}

/// Why the network's outputs can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DetectionError {
    /// Not the numbers of this network.
    #[error("the face detector gave {found} numbers, not {expected}")]
    Length {
        /// How many there are of a region.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// Infinities or NaN: the device computes wrongly.
    #[error("the face detector's numbers are not all finite; try another engine")]
    NotFinite,
}

/// What tests share.
#[cfg(test)]
pub(crate) mod testing {
    use crate::weights::Weights;

    pub fn weights() -> Weights {
        let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
        Weights::from_bytes(file).unwrap()
    }

    /// What `model-weights/blazeface/convert.py` computed for the astronaut picture.
    pub fn reference() -> Weights {
        Weights::from_bytes(include_bytes!("../../tests/data/blazeface-astronaut.safetensors")).unwrap()
    }

    pub fn values<'a>(reference: &'a Weights, name: &str) -> &'a [f32] {
        &reference.tensors[name].values
    }
}

/// Reading PNG takes the feature `decode`.
#[cfg(all(test, feature = "decode"))]
mod tests;
