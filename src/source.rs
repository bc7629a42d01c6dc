//! Where a picture's pixels are: in memory, or on a graphics device.
//!
//! Whatever looks for faces, cuts them out or compares frames asks a [`Source`], which is a [`Frame`] or, with the feature `webgpu`, an
//! `engine::webgpu::Picture`. A frame gives the pixels asked for; a picture on a device only notes where they are ([`Cut`]), and the engine
//! there makes the networks' inputs of it.

#[cfg(feature = "webgpu")]
use crate::engine::webgpu::Place;
use crate::picture::{Border, Frame, Sampler, Similarity};
use crate::pipeline::scene;

/// A square of a picture, as a network's input is made of it.
#[derive(Debug, Clone, Default)]
pub struct Cut {
    /// Its pixels, RGB, rows from the top; none where they stay on a device.
    pub rgb: Vec<u8>,
    /// Where they are on a device, if there.
    #[cfg(feature = "webgpu")]
    pub place: Option<Place>,
}

impl From<Vec<u8>> for Cut {
    fn from(rgb: Vec<u8>) -> Self {
        Self {
            rgb,
            #[cfg(feature = "webgpu")]
            place: None,
        }
    }
}

/// A picture that squares can be cut out of.
pub trait Source {
    /// Another picture made of this one.
    type Made: Source;

    /// Width in pixels.
    fn width(&self) -> usize;

    /// Height in pixels.
    fn height(&self) -> usize;

    /// Cuts out `side` x `side` pixels, as [`Frame::sample_into`] does.
    fn cut(&self, transform: &Similarity, side: usize, border: Border, sampler: &mut Sampler, out: &mut Cut);

    /// A copy of `width` x `height` pixels, of which each shows `scale` x `scale` of this picture's.
    fn shrunk(&self, scale: f32, size: [usize; 2]) -> Self::Made;

    /// The picture in a black border of `share` of the longer side all around, and the border in pixels.
    fn padded(&self, share: f32) -> (Self::Made, usize);

    /// Fills `cells` with the mean brightness of [`scene::CELLS`] x [`scene::CELLS`] parts, row by row. On a device they have to be asked for,
    /// and waited for.
    fn brightness(&self, cells: &mut Vec<f32>);
}

impl Source for Frame<'_> {
    type Made = Pixels;

    fn width(&self) -> usize {
        self.width()
    }

    fn height(&self) -> usize {
        self.height()
    }

    fn cut(&self, transform: &Similarity, side: usize, border: Border, sampler: &mut Sampler, out: &mut Cut) {
        #[cfg(feature = "webgpu")]
        {
            out.place = None;
        }
        self.sample_into(transform, [side; 2], border, sampler, &mut out.rgb);
    }

    fn shrunk(&self, scale: f32, [width, height]: [usize; 2]) -> Pixels {
        let rgb = self.sample(&Similarity::new(scale, 0.0, 0.0, 0.0), width, height, Border::Replicate);
        Pixels { width, height, rgba: rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect() }
    }

    fn padded(&self, share: f32) -> (Pixels, usize) {
        let (rgba, width, height, border) = self.padded(share);
        (Pixels { width, height, rgba }, border)
    }

    fn brightness(&self, cells: &mut Vec<f32>) {
        scene::brightness(self, cells);
    }
}

/// A picture of its own in memory.
#[derive(Debug, Clone)]
pub struct Pixels {
    width: usize,
    height: usize,
    rgba: Vec<u8>,
}

impl Pixels {
    /// As a frame.
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.width, self.height, &self.rgba)
            .expect("neither side is zero and each pixel has four bytes")
    }
}

impl Source for Pixels {
    type Made = Self;

    fn width(&self) -> usize {
        self.width
    }

    fn height(&self) -> usize {
        self.height
    }

    fn cut(&self, transform: &Similarity, side: usize, border: Border, sampler: &mut Sampler, out: &mut Cut) {
        self.frame().cut(transform, side, border, sampler, out);
    }

    fn shrunk(&self, scale: f32, size: [usize; 2]) -> Self {
        self.frame().shrunk(scale, size)
    }

    fn padded(&self, share: f32) -> (Self, usize) {
        Source::padded(&self.frame(), share)
    }

    fn brightness(&self, cells: &mut Vec<f32>) {
        self.frame().brightness(cells);
    }
}
