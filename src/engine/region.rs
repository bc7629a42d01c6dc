//! Regions of pictures: what a network is shown.

use crate::picture::{Border, Frame, Similarity};

#[cfg(feature = "webgpu")]
use super::gpu::Texture;

/// Cells along each side of a picture whose brightness is measured.
pub const CELLS: usize = 32;

/// Pixels read along each side of a cell, evenly spread. (Sensor noise, which differs from pixel to pixel,
/// averages to an eighth.)
pub const CELL_SAMPLES: usize = 8;

/// A picture, wherever its pixels are.
#[derive(Debug, Clone, Copy)]
pub enum Picture<'a> {
    /// In memory.
    Memory(Frame<'a>),
    /// On a graphics device.
    #[cfg(feature = "webgpu")]
    Texture(&'a Texture),
}

impl Picture<'_> {
    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        match self {
            Self::Memory(frame) => [frame.width(), frame.height()],
            #[cfg(feature = "webgpu")]
            Self::Texture(texture) => texture.size(),
        }
    }
}

impl<'a> From<Frame<'a>> for Picture<'a> {
    fn from(frame: Frame<'a>) -> Self {
        Self::Memory(frame)
    }
}

impl<'a> From<&Frame<'a>> for Picture<'a> {
    fn from(frame: &Frame<'a>) -> Self {
        Self::Memory(*frame)
    }
}

#[cfg(feature = "webgpu")]
impl<'a> From<&'a Texture> for Picture<'a> {
    fn from(texture: &'a Texture) -> Self {
        Self::Texture(texture)
    }
}

/// A region of interest: a square that a network is shown. It may be turned, and larger than the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// From pixels of the square to pixels of the picture.
    pub transform: Similarity,
    /// Width and height of the square in pixels.
    pub side: usize,
    /// What the square shows where the picture ends.
    pub border: Border,
    /// Whether the network sees the square's mirror image, left and right changed.
    pub mirrored: bool,
}

impl Region {
    /// Bytes of its pixels, RGB.
    pub(super) fn bytes(&self) -> usize {
        self.side * self.side * 3
    }

    /// The pixels of the picture that it shows, if it does not turn.
    fn covers(&self, [width, height]: [f32; 2]) -> f32 {
        let Similarity { a, tx, ty, .. } = self.transform;
        let length = a * self.side as f32;
        let along = |start: f32, end: f32| (start + length).min(end) - start.max(0.0);
        along(tx, width).max(0.0) * along(ty, height).max(0.0)
    }
}

/// Length in pixels of the longer side of a [`Reduction`].
const REDUCED: usize = 640;

/// How often a picture must be seen in all, from far away, for a copy to pay. (A photo searched in tiles is
/// seen more than three times, a frame of a video once and a half.)
const OFTEN: f32 = 3.0;

/// A smaller copy of a picture, for many regions that show large parts of it: so a photo of many megapixels
/// is averaged down once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reduction {
    /// Pixels of the picture for one of the copy.
    pub scale: f32,
    /// Width and height of the copy.
    pub size: [usize; 2],
}

impl Reduction {
    /// For a picture of that size, where it pays.
    pub fn of(size: [usize; 2], regions: &[Region]) -> Option<Self> {
        let longest = size[0].max(size[1]);
        if longest <= REDUCED {
            return None;
        }
        let scale = longest as f32 / REDUCED as f32;
        let reduction = Self { scale, size: size.map(|side| ((side as f32 / scale).ceil() as usize).max(1)) };
        let size = size.map(|side| side as f32);
        let far = regions.iter().filter(|region| reduction.region(region).is_some());
        let seen: f32 = far.map(|region| region.covers(size)).sum();
        (seen > OFTEN * size[0] * size[1]).then_some(reduction)
    }

    /// The copy, as a region of the picture, but for its size.
    pub fn transform(&self) -> Similarity {
        Similarity::new(self.scale, 0.0, 0.0, 0.0)
    }

    /// A region as one of the copy, which has two pixels at least for each of the region's; else `None`.
    pub fn region(&self, region: &Region) -> Option<Region> {
        let Similarity { a, b, tx, ty } = region.transform;
        let (by, length) = (1.0 / self.scale, a * region.side as f32);
        let a = length * by / region.side as f32;
        // By the middle, which rounding leaves in its place.
        let half = a * region.side as f32 / 2.0;
        let [tx, ty] = [tx, ty].map(|start| (start + length / 2.0) * by - half);
        let transform = Similarity { a, b, tx, ty };
        // A thousandth less than two, for rounding.
        (b == 0.0 && a > 1.999).then_some(Region { transform, ..*region })
    }
}
