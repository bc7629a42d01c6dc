//! A picture as the camera gives it, and resampling of it.
//!
//! A [`Frame`] borrows RGBA bytes; a [`Similarity`] says where each pixel of a small square comes from; and
//! [`Frame::sample`] cuts that square. The detector's input and every face crop are made by this one
//! function, in training and in use. (A crop to train on is made once and kept; when it is changed at random
//! the function has it a second time, and what stands for a small face in it a third.) How it averages is in
//! `areas`, how it interpolates in `places`.

mod areas;
#[cfg(feature = "decode")]
pub mod decode;
mod places;

use std::ops::Range;

use thiserror::Error;

use areas::{Spans, reduction};
#[cfg(feature = "decode")]
pub use decode::{DecodeError, Pixels, is_decoding};

/// Why a picture can't be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FrameError {
    /// No pixels.
    #[error("the picture is empty ({width}x{height} pixels)")]
    Empty {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// The bytes are not width x height x 4.
    #[error("a {width}x{height} RGBA picture has {expected} bytes, not {found}")]
    Length {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// `width * height * 4`.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
}

/// A borrowed picture: rows from the top, pixels from the left, each red, green, blue, alpha (0..=255,
/// sRGB). Alpha is ignored: where it means something, [`flatten`] the picture first.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    width: usize,
    height: usize,
    rgba: &'a [u8],
}

/// A similarity transform of the plane, from the coordinates of an output picture to those of a frame:
/// `x' = a x - b y + tx`, `y' = b x + a y + ty`. Coordinates are in pixels, with the corner of the top left
/// pixel at (0, 0) and its centre at (0.5, 0.5).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times cosine of the rotation.
    pub a: f32,
    /// Scale times sine of the rotation.
    pub b: f32,
    /// Shift to the right.
    pub tx: f32,
    /// Shift down.
    pub ty: f32,
}

/// Further away than any pixel.
const FAR: f32 = 1e9;

impl Similarity {
    /// Turns by `angle` radians (clockwise on screen), scales, and then shifts.
    pub fn new(scale: f32, angle: f32, tx: f32, ty: f32) -> Self {
        Self { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty }
    }

    /// Frame pixels per output pixel.
    pub fn scale(&self) -> f32 {
        self.a.hypot(self.b)
    }

    /// Where the point (x, y) goes.
    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        [self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty]
    }

    /// The transform that does `first` and then this one.
    pub fn after(&self, first: &Self) -> Self {
        let [tx, ty] = self.apply([first.tx, first.ty]);
        Self { a: self.a * first.a - self.b * first.b, b: self.b * first.a + self.a * first.b, tx, ty }
    }

    /// The same, ending (x, y) further on.
    pub fn shifted(&self, x: f32, y: f32) -> Self {
        Self { tx: self.tx + x, ty: self.ty + y, ..*self }
    }

    /// The same, or as far away and as large as numbers tell pixels apart.
    fn bounded(&self) -> Self {
        let bounded = |value: f32| if value.is_nan() { 0.0 } else { value.clamp(-FAR, FAR) };
        Self { a: bounded(self.a), b: bounded(self.b), tx: bounded(self.tx), ty: bounded(self.ty) }
    }

    /// The transform back, or `None` if this one has no extent.
    pub fn inverse(&self) -> Option<Self> {
        let d = self.a * self.a + self.b * self.b;
        if !(d > 0.0 && d.is_finite()) {
            return None;
        }
        let (a, b) = (self.a / d, -self.b / d);
        Some(Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) })
    }

    /// The similarity that brings the points `from` nearest to `to` in the sense of least squares (Umeyama
    /// 1991, without reflection, in closed form for the plane), or `None` where the points do not determine
    /// one.
    pub fn fit(from: &[[f32; 2]], to: &[[f32; 2]]) -> Option<Self> {
        let n = from.len().min(to.len()) as f32;
        let mean = |points: &[[f32; 2]]| {
            let sum = points.iter().fold([0.0, 0.0], |s, p| [s[0] + p[0], s[1] + p[1]]);
            [sum[0] / n, sum[1] / n]
        };
        let (mf, mt) = (mean(from), mean(to));
        let (mut dot, mut cross, mut spread) = (0.0, 0.0, 0.0);
        for (f, t) in from.iter().zip(to) {
            let (fx, fy) = (f[0] - mf[0], f[1] - mf[1]);
            let (gx, gy) = (t[0] - mt[0], t[1] - mt[1]);
            dot += fx * gx + fy * gy;
            cross += fx * gy - fy * gx;
            spread += fx * fx + fy * fy;
        }
        let (a, b) = (dot / spread, cross / spread);
        if !(a.is_finite() && b.is_finite() && a.hypot(b) > 1e-9) {
            return None;
        }
        Some(Self { a, b, tx: mt[0] - (a * mf[0] - b * mf[1]), ty: mt[1] - (b * mf[0] + a * mf[1]) })
    }
}

/// What lies outside of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// The nearest pixel of the frame's edge.
    Replicate,
    /// Black.
    Black,
}

/// Puts RGBA pixels, whose colours are not multiplied by their alpha, over white, which is what pictures with
/// transparent parts are mostly seen on. What a picture hides is then hidden from the networks as well.
pub fn flatten(rgba: &mut [u8]) {
    let pixels = rgba.as_chunks_mut::<4>().0;
    // Most pictures have none: one fast look.
    if pixels.iter().fold(255, |all, pixel| all & pixel[3]) == 255 {
        return;
    }
    for [r, g, b, alpha] in pixels {
        let a = u32::from(*alpha);
        for value in [r, g, b] {
            *value = ((u32::from(*value) * a + 255 * (255 - a) + 127) / 255) as u8;
        }
        *alpha = 255;
    }
}

impl<'a> Frame<'a> {
    /// Views `rgba` as a picture.
    ///
    /// # Errors
    /// [`FrameError`] if a side is zero or the length is not `width * height * 4`.
    ///
    /// ```
    /// use mien::picture::Frame;
    ///
    /// let pixels = vec![255; 4 * 3 * 4];
    /// assert_eq!(Frame::new(4, 3, &pixels).unwrap().height(), 3);
    /// assert!(Frame::new(4, 4, &pixels).is_err());
    /// ```
    pub fn new(width: usize, height: usize, rgba: &'a [u8]) -> Result<Self, FrameError> {
        if width == 0 || height == 0 {
            return Err(FrameError::Empty { width, height });
        }
        let expected = width.saturating_mul(height).saturating_mul(4);
        if rgba.len() != expected {
            return Err(FrameError::Length { width, height, expected, found: rgba.len() });
        }
        Ok(Self { width, height, rgba })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels of a row, red, green, blue and alpha each.
    ///
    /// # Panics
    /// If the frame has no such row or pixels.
    pub fn row(&self, y: usize, pixels: Range<usize>) -> &'a [[u8; 4]] {
        &self.rgba[y * self.width * 4..][..self.width * 4].as_chunks().0[pixels]
    }

    /// Cuts a picture of `width` x `height` out of the frame, RGB, rows from the top (`width * height * 3`
    /// bytes).
    ///
    /// The output pixel centred on p shows the frame at `transform.apply(p)`. Enlarging interpolates
    /// bilinearly. Shrinking averages the area of the output pixel, so that fine detail is averaged away
    /// rather than aliased: exactly where the transform does not turn, else in two steps. At a scale of s,
    /// means of k x k pixels first, k the whole part of s (16 at most), make a smaller frame of the part that
    /// is needed; of that, ceil(s / k) x ceil(s / k) bilinear samples are averaged (16 x 16 at most, to bound
    /// the work).
    pub fn sample(&self, transform: &Similarity, width: usize, height: usize, border: Border) -> Vec<u8> {
        let mut out = vec![0; width * height * 3];
        self.sample_into(transform, [width, height], border, &mut SampleBuffers::default(), &mut out);
        out
    }

    /// [`Frame::sample`] into a buffer. Nothing is allocated where `sampler` has served for a cut of that
    /// size from a frame of this size before.
    ///
    /// # Panics
    /// If `out` has another length than `width * height * 3`.
    pub fn sample_into(
        &self,
        transform: &Similarity,
        [width, height]: [usize; 2],
        border: Border,
        sampler: &mut SampleBuffers,
        out: &mut [u8],
    ) {
        assert_eq!(out.len(), width * height * 3);
        if out.is_empty() {
            return;
        }
        let transform = &transform.bounded();
        if transform.b == 0.0 && transform.a >= 1.0 {
            return self.average_areas(transform, [width, height], border, sampler, out);
        }
        let factor = reduction(transform.scale());
        if factor == 1 {
            return self.sample_places(transform, width, border, out);
        }
        let SampleBuffers { sums, reduced, .. } = sampler;
        let (columns, rows) = self.blocks_under(transform, [width, height], factor);
        // The most that a turned cut of that size can need, so that nothing is allocated when it turns.
        let longest = (1.5 * (width as f32).hypot(height as f32)) as usize + 4;
        reduced.clear();
        reduced.reserve(longest * longest * 4);
        self.reduce(factor, [&columns, &rows], border, sums, reduced);
        let small = Frame { width: columns.len(), height: rows.len(), rgba: reduced };
        let part = 1.0 / factor as f32;
        let to_small = Similarity {
            a: transform.a * part,
            b: transform.b * part,
            tx: transform.tx * part - columns.start as f32,
            ty: transform.ty * part - rows.start as f32,
        };
        small.sample_places(&to_small, width, border, out);
    }

    #[inline]
    fn pixel(&self, x: i32, y: i32, border: Border) -> [u8; 4] {
        let (right, bottom) = (self.width as i32 - 1, self.height as i32 - 1);
        if border == Border::Black && (x < 0 || y < 0 || x > right || y > bottom) {
            return [0; 4];
        }
        let (x, y) = (x.clamp(0, right) as usize, y.clamp(0, bottom) as usize);
        self.rgba.as_chunks().0[y * self.width + x]
    }
}

/// What [`Frame::sample_into`] computes with: buffers that may serve for any number of cuts.
#[derive(Debug, Clone, Default)]
pub struct SampleBuffers {
    columns: Spans,
    rows: Spans,
    /// Four channels to a pixel.
    sums: Vec<u16>,
    /// A smaller frame.
    reduced: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: usize, height: usize) -> Vec<u8> {
        (0..width * height).flat_map(|i| [(i % width) as u8 * 10, (i / width) as u8 * 10, 100, 255]).collect()
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(Frame::new(0, 3, &[]).unwrap_err(), FrameError::Empty { width: 0, height: 3 });
        assert!(matches!(Frame::new(2, 2, &[0; 15]), Err(FrameError::Length { expected: 16, .. })));
    }

    #[test]
    fn the_identity_copies() {
        let rgba = gradient(5, 4);
        let frame = Frame::new(5, 4, &rgba).unwrap();
        let out = frame.sample(&Similarity::new(1.0, 0.0, 0.0, 0.0), 5, 4, Border::Replicate);
        let rgb: Vec<u8> = rgba.chunks(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        assert_eq!(out, rgb);
    }

    #[test]
    fn shrinking_averages_areas() {
        let rgba: Vec<u8> =
            (0..16).flat_map(|i| [if (i % 4 + i / 4) % 2 == 0 { 0 } else { 200 }; 4]).collect();
        let frame = Frame::new(4, 4, &rgba).unwrap();
        let out = frame.sample(&Similarity::new(2.0, 0.0, 0.0, 0.0), 2, 2, Border::Replicate);
        assert_eq!(out, [100; 12]);
    }

    /// Whatever the numbers: of a picture of one colour, with its edge beyond it, nothing else can come.
    #[test]
    fn no_transform_makes_another_colour() {
        let rgba = [90; 7 * 5 * 4];
        let frame = Frame::new(7, 5, &rgba).unwrap();
        let numbers = [
            0.0,
            1.0,
            -3.0,
            1e-30,
            5e8,
            4.9e20,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        for a in numbers {
            for b in numbers {
                for (tx, ty) in numbers.into_iter().zip(numbers.into_iter().cycle().skip(4)) {
                    let transform = Similarity { a, b, tx, ty };
                    let out = frame.sample(&transform, 3, 2, Border::Replicate);
                    assert_eq!(out, [90; 18], "{transform:?}");
                    let out = frame.sample(&transform, 3, 2, Border::Black);
                    assert!(out.iter().all(|value| *value <= 90), "{transform:?}");
                }
            }
        }
    }

    #[test]
    fn both_ways_of_shrinking_agree() {
        let rgba: Vec<u8> = (0..120 * 90)
            .flat_map(|i| {
                let (x, y) = ((i % 120) as f32, (i / 120) as f32);
                [
                    (x * 2.0) as u8,
                    (y * 2.5) as u8,
                    (120.0 + 60.0 * (x * 0.2).sin() + 50.0 * (y * 0.15).cos()) as u8,
                    255,
                ]
            })
            .collect();
        let frame = Frame::new(120, 90, &rgba).unwrap();
        for border in [Border::Replicate, Border::Black] {
            for (scale, tx, ty) in [(2.5, 10.3, 5.7), (3.0, -20.0, -10.0), (1.5, 60.0, 40.0)] {
                let exact = frame.sample(&Similarity::new(scale, 0.0, tx, ty), 30, 30, border);
                let sampled = frame.sample(
                    &Similarity { b: 1e-7, ..Similarity::new(scale, 0.0, tx, ty) },
                    30,
                    30,
                    border,
                );
                let gaps: Vec<u8> = exact.iter().zip(&sampled).map(|(a, b)| a.abs_diff(*b)).collect();
                let mean = gaps.iter().map(|g| f32::from(*g)).sum::<f32>() / gaps.len() as f32;
                assert!(mean < 2.0, "{border:?} {scale} {tx} {ty}: {mean}");
            }
        }
    }

    #[test]
    fn borders() {
        let rgba = [[50u8, 60, 70, 255]; 4].concat();
        let frame = Frame::new(2, 2, &rgba).unwrap();
        let away = Similarity::new(1.0, 0.0, -1e9, 1e9);
        assert_eq!(frame.sample(&away, 1, 1, Border::Replicate), [50, 60, 70]);
        assert_eq!(frame.sample(&away, 1, 1, Border::Black), [0, 0, 0]);
    }

    /// Turned cuts of a plain picture whose sides no block fits: the same colour everywhere inside, and what
    /// the border says outside.
    #[test]
    fn turned_cuts_of_any_scale_keep_to_the_border() {
        let (width, height) = (101, 67);
        let rgba = [50u8, 60, 70, 255].repeat(width * height);
        let frame = Frame::new(width, height, &rgba).unwrap();
        for scale in [0.4, 1.7, 2.0, 3.6, 7.1, 16.4, 40.0] {
            let turned = Similarity::new(scale, 0.5, 0.0, 0.0);
            let [x, y] = turned.apply([10.0, 10.0]);
            let turned = turned.shifted(50.0 - x, 33.0 - y);
            let all = frame.sample(&turned, 20, 20, Border::Replicate);
            assert!(all.as_chunks().0.iter().all(|pixel| *pixel == [50, 60, 70]), "{scale}");
            let black = frame.sample(&turned, 20, 20, Border::Black);
            let count = |pixel: [u8; 3]| black.as_chunks().0.iter().filter(|p| **p == pixel).count() as f32;
            let expected = (width * height) as f32 / (scale * scale).max(1.0);
            if scale > 5.0 {
                assert!(count([0; 3]) > 390.0 - 2.5 * expected, "{scale}: {}", count([0; 3]));
            }
            if scale < 8.0 {
                assert!(count([50, 60, 70]) > 0.5 * expected.min(400.0), "{scale}: {}", count([50, 60, 70]));
            }
        }
    }

    #[test]
    fn transforms_compose_invert_and_fit() {
        let t = Similarity::new(1.7, 0.6, 12.0, -5.0);
        let back = t.inverse().unwrap().after(&t);
        let [x, y] = back.apply([3.0, 4.0]);
        assert!((x - 3.0).abs() < 1e-4 && (y - 4.0).abs() < 1e-4);
        let from = [[0.0, 0.0], [10.0, 1.0], [4.0, 8.0]];
        let to = from.map(|p| t.apply(p));
        let fitted = Similarity::fit(&from, &to).unwrap();
        assert!((fitted.a - t.a).abs() < 1e-5 && (fitted.b - t.b).abs() < 1e-5);
        assert!((fitted.tx - t.tx).abs() < 1e-4 && (fitted.ty - t.ty).abs() < 1e-4);
        assert!(Similarity::fit(&[[1.0, 1.0]; 3], &to).is_none());
        assert!(Similarity { a: 0.0, b: 0.0, tx: 0.0, ty: 0.0 }.inverse().is_none());
    }
}
