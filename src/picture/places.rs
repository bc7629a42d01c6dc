//! Cutting by samples of places, each between four pixels.

use pulp::{Simd, WithSimd};

use super::areas::RoundedMean;
use super::{Border, Frame, Similarity};
use crate::kernels::dispatch;

/// Neighbouring pixels of a cut that are computed together. Loops over them are left to the compiler, which
/// makes vectors of them.
const RUN: usize = 8;

/// Two of a pixel's four bytes, 16 bits each.
const BYTES: u32 = 0x00ff_00ff;

/// Sums of colours for a run of pixels: of red and blue, and of green and alpha, 16 bits each.
type Sums = [[u32; RUN]; 2];

impl Frame<'_> {
    /// [`Frame::sample_into`] by samples of places: ceil(s) x ceil(s) in each pixel of the cut, 16 x 16 at
    /// most.
    pub(super) fn sample_places(&self, transform: &Similarity, width: usize, border: Border, out: &mut [u8]) {
        // Up to a hundredth above a whole factor needs no further sample.
        let grid = ((transform.scale() - 0.01).ceil().max(1.0) as usize).min(16);
        dispatch(Places { frame: self, transform, grid, border, width, out });
    }
}

struct Places<'a> {
    frame: &'a Frame<'a>,
    transform: &'a Similarity,
    grid: usize,
    border: Border,
    /// Pixels in a row of `out`.
    width: usize,
    out: &'a mut [u8],
}

impl WithSimd for Places<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { frame, transform, grid, border, width, out } = self;
        let mean = RoundedMean::of(grid * grid);
        let within = |i: usize| (i as f32 + 0.5) / grid as f32;
        for (y, row) in out.chunks_exact_mut(width * 3).enumerate() {
            for (run, pixels) in row.chunks_mut(RUN * 3).enumerate() {
                // At most 256 samples of a byte.
                let mut sums = [[0; RUN]; 2];
                for j in 0..grid {
                    for i in 0..grid {
                        let first = [(run * RUN) as f32 + within(i), y as f32 + within(j)];
                        add_samples(frame, transform, first, border, &mut sums);
                    }
                }
                let [red_blue, green_alpha] = sums;
                for (i, pixel) in pixels.as_chunks_mut().0.iter_mut().enumerate() {
                    let blue = mean.round(red_blue[i] >> 16);
                    *pixel = [mean.round(red_blue[i] & 0xffff), mean.round(green_alpha[i] & 0xffff), blue];
                }
            }
        }
    }
}

/// Adds the colours of the frame where `transform` leads from `first` and from the places right of it, a
/// pixel apart. Each is the weighted mean of the four nearest pixels, with weights in parts of 256.
#[inline(always)]
fn add_samples(
    frame: &Frame,
    transform: &Similarity,
    first: [f32; 2],
    border: Border,
    [red_blue, green_alpha]: &mut Sums,
) {
    // The pixel left of each place and above it, by its centre.
    let (mut columns, mut rows) = ([0; RUN], [0; RUN]);
    let mut weights = [[0; RUN]; 4];
    // What is negative is too large as an unsigned number.
    let [right, bottom] = [frame.width, frame.height].map(|side| side as u32 - 1);
    let mut inside = true;
    for k in 0..RUN {
        let [x, y] = transform.apply([first[0] + k as f32, first[1]]);
        let x = ((x - 0.5) * 256.0).round_ties_even() as i32;
        let y = ((y - 0.5) * 256.0).round_ties_even() as i32;
        (columns[k], rows[k]) = (x >> 8, y >> 8);
        inside &= ((x >> 8) as u32) < right && ((y >> 8) as u32) < bottom;
        let (x, y) = ((x & 255) as u32, (y & 255) as u32);
        let both = (x * y + 128) >> 8;
        weights[0][k] = 256 + both - x - y;
        weights[1][k] = x - both;
        weights[2][k] = y - both;
        weights[3][k] = both;
    }

    let mut pixels = [[0; RUN]; 4];
    if inside {
        let all = frame.rgba.as_chunks().0;
        for k in 0..RUN {
            let at = rows[k] as usize * frame.width + columns[k] as usize;
            let above: &[[u8; 4]; 2] = all[at..].first_chunk().expect("the frame has them");
            let below: &[[u8; 4]; 2] = all[at + frame.width..].first_chunk().expect("the frame has them");
            for (i, pixel) in above.iter().chain(below).enumerate() {
                pixels[i][k] = u32::from_le_bytes(*pixel);
            }
        }
    } else {
        pixels = around(frame, &columns, &rows, border);
    }

    for k in 0..RUN {
        // Weights sum to 256, so that no sum flows over into the other's bits.
        let (mut even, mut odd) = (0x0080_0080, 0x0080_0080);
        for i in 0..4 {
            even += (pixels[i][k] & BYTES) * weights[i][k];
            odd += (pixels[i][k] >> 8 & BYTES) * weights[i][k];
        }
        red_blue[k] += even >> 8 & BYTES;
        green_alpha[k] += odd >> 8 & BYTES;
    }
}

/// Each pixel, the one right of it, and those below, where some of them lie outside.
#[cold]
fn around(frame: &Frame, columns: &[i32; RUN], rows: &[i32; RUN], border: Border) -> [[u32; RUN]; 4] {
    let mut pixels = [[0; RUN]; 4];
    for k in 0..RUN {
        let (x, y) = (columns[k], rows[k]);
        // Far-away places are as far as a number goes, and stay outside.
        let (right, below) = (x.saturating_add(1), y.saturating_add(1));
        for (i, [x, y]) in [[x, y], [right, y], [x, below], [right, below]].into_iter().enumerate() {
            pixels[i][k] = u32::from_le_bytes(frame.pixel(x, y, border));
        }
    }
    pixels
}
