//! The picture that changes are made to, and what light, lens, sensor and compression do to it.

use std::io::Cursor;
use std::sync::OnceLock;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat, RgbaImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::normal;
use crate::picture::{Border, Frame, Similarity};

/// A square of RGBA pixels.
pub struct Canvas {
    /// Pixels of a side.
    pub side: usize,
    /// Rows from the top.
    pub pixels: Vec<u8>,
}

impl Canvas {
    /// From RGB bytes, mirrored or not.
    pub fn of(rgb: &[u8], side: usize, mirrored: bool) -> Self {
        let mut pixels = Vec::with_capacity(side * side * 4);
        let opaque = |[r, g, b]: [u8; 3]| [r, g, b, 255];
        for row in rgb.chunks_exact(side * 3) {
            let row = row.as_chunks::<3>().0.iter().copied().map(opaque);
            if mirrored { pixels.extend(row.rev().flatten()) } else { pixels.extend(row.flatten()) }
        }
        Self { side, pixels }
    }

    /// For sampling.
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.side, self.side, &self.pixels).expect("a square of RGBA")
    }

    /// The same picture with fewer pixels, averaged over areas.
    pub fn resized(&self, side: usize) -> Self {
        let to_this = Similarity::new(self.side as f32 / side as f32, 0.0, 0.0, 0.0);
        Self::of(&self.frame().sample(&to_this, side, side, Border::Replicate), side, false)
    }

    /// Mean of all channels, 0..1.
    pub fn mean(&self) -> f32 {
        let sum = |[r, g, b, _]: &[u8; 4]| u64::from(*r) + u64::from(*g) + u64::from(*b);
        let sum: u64 = self.pixels.as_chunks::<4>().0.iter().map(sum).sum();
        sum as f32 / (3 * 255 * self.side * self.side) as f32
    }

    /// Every pixel by a table for each channel.
    pub fn map(&mut self, tables: &[[u8; 256]; 3]) {
        for pixel in self.pixels.as_chunks_mut::<4>().0 {
            for (value, table) in pixel.iter_mut().zip(tables) {
                *value = table[usize::from(*value)];
            }
        }
    }

    /// Gamma, contrast about the picture's mean, and a factor on each channel; what is too bright is clipped,
    /// as in a camera.
    pub fn expose(&mut self, gamma: f32, contrast: f32, tones: [f32; 3]) {
        let unchanged = gamma == 1.0 && contrast == 1.0 && tones == [1.0; 3];
        if unchanged {
            return;
        }
        let mean = self.mean().powf(gamma);
        let table = |tone: f32| {
            std::array::from_fn(|v| {
                let value = (v as f32 / 255.0).powf(gamma);
                // The cast saturates.
                ((mean + (value - mean) * contrast) * tone * 255.0 + 0.5) as u8
            })
        };
        self.map(&tones.map(table));
    }

    /// Distance from grey, times `factor`.
    pub fn saturate(&mut self, factor: f32) {
        let factor = (factor * 256.0) as i32;
        for pixel in self.pixels.as_chunks_mut::<4>().0 {
            let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(i32::from);
            let grey = (77 * r + 150 * g + 29 * b + 128) >> 8;
            for (value, old) in pixel.iter_mut().zip([r, g, b]) {
                *value = (grey + (((old - grey) * factor) >> 8)).clamp(0, 255) as u8;
            }
        }
    }

    /// Multiplies every pixel by `factor(x, y)`, both from -1 to 1 over the picture.
    pub fn multiply(&mut self, factor: impl Fn(f32, f32) -> f32) {
        let side = self.side;
        let at = |i: usize| (i as f32 + 0.5) / side as f32 * 2.0 - 1.0;
        for (y, row) in self.pixels.chunks_exact_mut(side * 4).enumerate() {
            for (x, pixel) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let factor = (factor(at(x), at(y)) * 256.0) as u32;
                pixel[..3].iter_mut().for_each(|v| *v = ((u32::from(*v) * factor) >> 8).min(255) as u8);
            }
        }
    }

    /// Light from the direction `angle`: brighter by the share `depth` at one end, darker at the other.
    pub fn shade(&mut self, depth: f32, angle: f32) {
        let (sin, cos) = angle.sin_cos();
        self.multiply(|x, y| (1.0 + depth * (x * cos + y * sin)).max(0.0));
    }

    /// A Gaussian blur of `sigma` pixels, as three box blurs.
    pub fn blur(&mut self, sigma: f32) {
        let side = self.side as u32;
        let pixels = std::mem::take(&mut self.pixels);
        let image = RgbaImage::from_raw(side, side, pixels).expect("a square of RGBA");
        self.pixels = image::imageops::fast_blur(&image, sigma).into_raw();
    }

    /// Moved along a line of `length` pixels in the direction `angle`.
    pub fn smear(&mut self, length: f32, angle: f32) {
        let steps = (length.ceil() as i32).max(2);
        let (sin, cos) = angle.sin_cos();
        let last = self.side as i32 - 1;
        let offsets: Vec<[i32; 2]> = (0..steps)
            .map(|i| (i as f32 / (steps - 1) as f32 - 0.5) * length)
            .map(|along| [(along * cos).round() as i32, (along * sin).round() as i32])
            .collect();
        let mut sums = vec![[0u16; 3]; self.side * self.side];
        for [dx, dy] in offsets {
            for (y, row) in sums.chunks_exact_mut(self.side).enumerate() {
                let from = (y as i32 + dy).clamp(0, last) as usize * self.side;
                let from = &self.pixels.as_chunks::<4>().0[from..][..self.side];
                for (x, sum) in row.iter_mut().enumerate() {
                    let pixel = from[(x as i32 + dx).clamp(0, last) as usize];
                    sum.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += u16::from(v));
                }
            }
        }
        for (pixel, sum) in self.pixels.as_chunks_mut::<4>().0.iter_mut().zip(sums) {
            pixel.iter_mut().zip(sum).for_each(|(v, sum)| *v = (sum / steps as u16) as u8);
        }
    }

    /// Normal noise of standard deviation `sigma`, of which the share `coloured` differs between the
    /// channels, in grains of so many pixels.
    pub fn noise(&mut self, sigma: f32, coloured: f32, grain: usize, rng: &mut impl Rng) {
        let table = normal_table();
        let [bright, coloured] =
            [1.0 - coloured, coloured].map(|part| (part * sigma * 256.0 / TABLE_SIGMA) as i32);
        let side = self.side;
        let columns = side.div_ceil(grain);
        for rows in self.pixels.chunks_mut(side * 4 * grain) {
            // Another place in the table for each row of grains and each channel.
            let mut from = || &table[rng.random_range(0..table.len() - columns)..][..columns];
            let [all, channels @ ..] = [from(), from(), from(), from()];
            for row in rows.chunks_exact_mut(side * 4) {
                for (x, pixel) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                    let x = x / grain;
                    let shared = i32::from(all[x]) * bright;
                    for (value, own) in pixel.iter_mut().zip(channels) {
                        let noise = (shared + i32::from(own[x]) * coloured) >> 8;
                        *value = (i32::from(*value) + noise).clamp(0, 255) as u8;
                    }
                }
            }
        }
    }

    /// Compressed as JPEG of a quality from 1 to 100, and read again.
    pub fn compress(&mut self, quality: u8) {
        let side = self.side as u32;
        let rgb: Vec<u8> =
            self.pixels.as_chunks::<4>().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect();
        let mut file = Cursor::new(Vec::with_capacity(rgb.len() / 4));
        let encoder = JpegEncoder::new_with_quality(&mut file, quality);
        encoder.write_image(&rgb, side, side, ExtendedColorType::Rgb8).expect("memory takes everything");
        let read = image::load_from_memory_with_format(file.get_ref(), ImageFormat::Jpeg);
        *self = Self::of(read.expect("just written").into_rgb8().as_raw(), self.side, false);
    }

    /// Paints `colour` with the opacity that `cover` gives each point (x, y), in pixels.
    pub fn paint(&mut self, cover: impl Fn(f32, f32) -> f32, colour: impl Fn(f32, f32) -> [f32; 3]) {
        let side = self.side;
        for (i, pixel) in self.pixels.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let (x, y) = ((i % side) as f32 + 0.5, (i / side) as f32 + 0.5);
            let part = cover(x, y).clamp(0.0, 1.0);
            if part > 0.0 {
                for (value, paint) in pixel.iter_mut().zip(colour(x, y)) {
                    *value = (f32::from(*value) + (paint - f32::from(*value)) * part + 0.5) as u8;
                }
            }
        }
    }
}

const TABLE_SIGMA: f32 = 32.0;

/// Normal deviates, times [`TABLE_SIGMA`]: drawing each anew would take longer than the training step's other
/// work on the picture.
fn normal_table() -> &'static [i8] {
    static TABLE: OnceLock<Vec<i8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        (0..1 << 16).map(|_| (TABLE_SIGMA * normal(&mut rng)).round() as i8).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 48;

    fn flat(value: u8) -> Canvas {
        Canvas::of(&vec![value; SIDE * SIDE * 3], SIDE, false)
    }

    fn board() -> Canvas {
        let rgb: Vec<u8> = (0..SIDE * SIDE)
            .flat_map(|i| [if (i / 2 + i / SIDE / 2).is_multiple_of(2) { 0 } else { 200 }; 3])
            .collect();
        Canvas::of(&rgb, SIDE, false)
    }

    /// Mean and standard deviation of the first channel.
    fn moments(canvas: &Canvas) -> (f32, f32) {
        let values: Vec<f32> = canvas.pixels.as_chunks::<4>().0.iter().map(|p| f32::from(p[0])).collect();
        let n = values.len() as f32;
        let mean = values.iter().sum::<f32>() / n;
        (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt())
    }

    #[test]
    fn blurs_keep_flat_and_soften_sharp() {
        for blur in [|c: &mut Canvas| c.blur(2.0), |c: &mut Canvas| c.smear(9.0, 0.6)] {
            let mut canvas = flat(77);
            blur(&mut canvas);
            assert!(canvas.pixels.as_chunks::<4>().0.iter().all(|p| *p == [77, 77, 77, 255]));
            let (mut canvas, before) = (board(), moments(&board()));
            blur(&mut canvas);
            let after = moments(&canvas);
            assert!((after.0 - before.0).abs() < 4.0 && after.1 < 0.5 * before.1, "{after:?}");
        }
    }

    #[test]
    fn noise_has_the_deviation_asked_for() {
        let mut canvas = flat(128);
        canvas.noise(10.0, 0.0, 1, &mut ChaCha8Rng::seed_from_u64(1));
        let (mean, deviation) = moments(&canvas);
        assert!((mean - 128.0).abs() < 1.5 && (deviation - 10.0).abs() < 1.0, "{mean} {deviation}");
        assert!(canvas.pixels.as_chunks::<4>().0.iter().all(|[r, g, b, _]| r == g && g == b));
        canvas.noise(10.0, 1.0, 2, &mut ChaCha8Rng::seed_from_u64(1));
        assert!(canvas.pixels.as_chunks::<4>().0.iter().any(|[r, g, _, _]| r != g));
    }

    #[test]
    fn light_and_colour_by_hand() {
        let mut canvas = flat(100);
        canvas.expose(1.0, 1.0, [1.5, 1.0, 3.0]);
        assert_eq!(canvas.pixels[..4], [150, 100, 255, 255]);
        canvas.saturate(0.0);
        // 0.299, 0.587 and 0.114 of them.
        assert_eq!(canvas.pixels[..4], [133, 133, 133, 255]);
        let mut canvas = board();
        canvas.expose(1.0, 0.5, [1.0; 3]);
        let (mean, deviation) = moments(&canvas);
        assert!((mean - 100.0).abs() < 1.0 && (deviation - 50.0).abs() < 1.0, "{mean} {deviation}");
        let mut canvas = flat(100);
        canvas.shade(0.5, 0.0);
        assert!(canvas.pixels[0] < 55 && canvas.pixels[(SIDE - 1) * 4] > 145);
    }

    #[test]
    fn compression_costs_detail() {
        let error = |quality| {
            let mut canvas = board();
            canvas.compress(quality);
            let pairs = canvas
                .pixels
                .iter()
                .zip(&board().pixels)
                .map(|(a, b)| u32::from(a.abs_diff(*b)))
                .sum::<u32>();
            pairs as f32 / canvas.pixels.len() as f32
        };
        assert!(error(10) > 2.0 * error(90), "{} {}", error(10), error(90));
    }
}
