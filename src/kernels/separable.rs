//! The blaze block of the face detector in one pass: depthwise convolution, pointwise convolution, shortcut,
//! ReLU.
//!
//! Channels are padded with zeros to a multiple of the vector length, so that no kernel has a remainder: a
//! map is `[height][width] [padded channels]`, and what the blocks compute in the padding is zero again.

use pulp::{Simd, WithSimd};

use super::depthwise::Taps;
use super::product::Product;
use super::{Activation, Pointwise, aligned, dispatch, load, store};

/// Output pixels that go through depthwise and pointwise convolution together: few enough for what lies
/// between to stay in the nearest cache, many enough to fill the registers with on the smallest maps.
const BAND: usize = 64;

/// Extents of a [`Separable`]; those of its maps come with each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeparableShape {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output, no fewer.
    pub channels_out: usize,
    /// 1 or 2.
    pub stride: usize,
    /// Channels are padded to multiples of this, itself a multiple of [`lanes`](super::lanes).
    pub padding: usize,
}

impl SeparableShape {
    /// Channels of the input, padding included.
    pub fn padded_in(&self) -> usize {
        self.channels_in.next_multiple_of(self.padding)
    }

    /// Channels of the output, padding included.
    pub fn padded_out(&self) -> usize {
        self.channels_out.next_multiple_of(self.padding)
    }

    /// Floats in an input of that height and width.
    pub fn in_len(&self, [height, width]: [usize; 2]) -> usize {
        height * width * self.padded_in()
    }

    /// Floats in the output for an input of that height and width.
    pub fn out_len(&self, [height, width]: [usize; 2]) -> usize {
        height / self.stride * (width / self.stride) * self.padded_out()
    }

    fn check(&self) {
        assert!(self.padding > 0 && matches!(self.stride, 1 | 2));
        assert!(self.channels_in > 0 && self.channels_out >= self.channels_in);
    }
}

/// `relu(pointwise(depthwise3x3(x)) + shortcut(x))`, with TensorFlow's padding `SAME`. The shortcut is x
/// itself at stride 1 and its 2x2 max pooling at stride 2, with zeros for the channels that the output has
/// more.
#[derive(Debug, Clone, PartialEq)]
pub struct Separable {
    shape: SeparableShape,
    /// `[3][3][padded in]`.
    depthwise: Vec<f32>,
    pointwise: Pointwise,
}

impl Separable {
    /// Lays out the depthwise kernel `[in][3][3]` and the pointwise one `[out][in]`, each with its bias.
    ///
    /// # Panics
    /// If the shape is none, or a length does not fit it.
    pub fn new(
        shape: SeparableShape,
        [depthwise, depthwise_bias]: [&[f32]; 2],
        [pointwise, pointwise_bias]: [&[f32]; 2],
    ) -> Self {
        shape.check();
        let (ci, padded) = (shape.channels_in, shape.padded_in());
        assert_eq!([depthwise.len(), depthwise_bias.len()], [9 * ci, ci]);
        assert_eq!([pointwise.len(), pointwise_bias.len()], [shape.channels_out * ci, shape.channels_out]);
        let mut packed = vec![0.0; 9 * padded];
        for (c, kernel) in depthwise.chunks_exact(9).enumerate() {
            for (t, weight) in kernel.iter().enumerate() {
                packed[t * padded + c] = *weight;
            }
        }
        // Nothing stands between the two convolutions, so the first one's bias passes through the second.
        let rows = pointwise.chunks_exact(ci);
        let through = |row: &[f32]| row.iter().zip(depthwise_bias).map(|(w, b)| w * b).sum::<f32>();
        let bias: Vec<f32> = pointwise_bias.iter().zip(rows).map(|(b, row)| b + through(row)).collect();
        Self { shape, depthwise: packed, pointwise: Pointwise::new(pointwise, &bias, shape.padding) }
    }

    /// Its extents.
    pub fn shape(&self) -> &SeparableShape {
        &self.shape
    }

    /// Runs one map, `size` its height and width: 2 at least, and even at stride 2. `scratch` is resized as
    /// needed and can be used again.
    ///
    /// # Panics
    /// If there is no such map, `input` or `out` does not fit it, or the padding this machine.
    pub fn run(&self, input: &[f32], size: [usize; 2], out: &mut [f32], scratch: &mut Vec<f32>) {
        dispatch(RunSeparable { of: self, input, size, out, scratch });
    }
}

struct RunSeparable<'a> {
    of: &'a Separable,
    input: &'a [f32],
    size: [usize; 2],
    out: &'a mut [f32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for RunSeparable<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Separable { shape, depthwise, pointwise } = self.of;
        let [height, width] = self.size;
        let (ci, co, stride) = (shape.padded_in(), shape.padded_out(), shape.stride);
        assert!(height >= 2 && width >= 2);
        assert!(height.is_multiple_of(stride) && width.is_multiple_of(stride));
        assert_eq!(self.input.len(), shape.in_len(self.size));
        assert_eq!(self.out.len(), shape.out_len(self.size));
        let (in_row, out_width) = (width * ci, width / stride);
        let (rows, middle_row) = ((BAND / out_width).max(1), out_width * ci);

        // The depthwise convolution of a band, and its shortcut.
        let scratch = aligned(self.scratch, 2 * rows * middle_row);
        let (middle, pooled) = scratch.split_at_mut(rows * middle_row);
        let input = self.input;
        let row = |y: usize| &input[y * in_row..][..in_row];

        for (band, out) in self.out.chunks_mut(rows * out_width * co).enumerate() {
            let first = band * rows;
            let floats = out.len() / co * ci;
            for (y, middle) in middle[..floats].chunks_exact_mut(middle_row).enumerate() {
                // The row of the picture under the kernel's first; above the picture in the first row at
                // stride 1.
                let top = (stride * (first + y)).wrapping_sub(usize::from(stride == 1));
                let mut taps = [Taps::default(); 3];
                let mut inside = 0;
                for (i, weights) in depthwise.chunks_exact(3 * ci).enumerate() {
                    let y = top.wrapping_add(i);
                    if y < height {
                        taps[inside] = Taps { row: row(y), weights };
                        inside += 1;
                    }
                }
                depthwise_row(simd, &taps[..inside], ci, stride, middle);
            }
            let shortcut = if stride == 1 {
                &input[first * in_row..][..floats]
            } else {
                for (y, pooled) in pooled[..floats].chunks_exact_mut(middle_row).enumerate() {
                    let y = 2 * (first + y);
                    max_pool_row(simd, [row(y), row(y + 1)], ci, pooled);
                }
                &pooled[..floats]
            };
            let rows: [&[f32]; 1] = [&middle[..floats]];
            let product = pointwise.product(&rows);
            Product { shortcut, shortcut_channels: ci, limits: Activation::Relu.limits(), ..product }
                .run(simd, out);
        }
    }
}

/// One output row of a depthwise 3x3 convolution, by the kernel's rows that lie over the picture.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn depthwise_row<S: Simd>(simd: S, taps: &[Taps], channels: usize, stride: usize, out: &mut [f32]) {
    let pixels = out.len() / channels;
    assert!(channels.is_multiple_of(S::F32_LANES) && out.len() == pixels * channels);
    let fits =
        |taps: &Taps| taps.row.len() == pixels * stride * channels && taps.weights.len() == 3 * channels;
    assert!(taps.iter().all(fits));
    for c in (0..channels).step_by(S::F32_LANES) {
        let mut x = 0;
        // SAFETY: c + lanes <= channels, and the pixels are the row's. Of the input's columns, the first
        // pixel at stride 1 lacks the one before them, and the last pixel the one after them at either
        // stride; the pixels between have all three.
        unsafe {
            macro_rules! tile {
                ($($is:literal),*) => {
                    depthwise_tile::<S, $($is),*>(simd, taps, channels, [c, x], out)
                };
            }
            macro_rules! tiles {
                ($pixels:literal) => {
                    while pixels - x >= $pixels {
                        match (stride, x == 0, x + $pixels == pixels) {
                            (1, true, true) => tile!($pixels, 1, 1, 1),
                            (1, true, false) => tile!($pixels, 1, 1, 0),
                            (1, false, true) => tile!($pixels, 1, 0, 1),
                            (1, false, false) => tile!($pixels, 1, 0, 0),
                            (_, _, true) => tile!($pixels, 2, 0, 1),
                            (_, _, false) => tile!($pixels, 2, 0, 0),
                        }
                        x += $pixels;
                    }
                };
            }
            // At stride 2 eight pixels have more inputs under them than there are registers.
            if stride == 1 {
                tiles!(8);
            }
            tiles!(4);
            tiles!(1);
        }
    }
}

/// `PX` neighbouring pixels of an output row from `x` on, a vector of channels from `c` on. The first pixel
/// lacks `BEFORE` (0 or 1) columns of the input under its kernel, the last one `AFTER`. Each input is read
/// once for all the pixels whose kernels lie over it.
///
/// # Safety
/// A vector must be readable at every row's other columns under the kernels, and writable at the pixels of
/// `out`.
#[inline(always)]
unsafe fn depthwise_tile<
    S: Simd,
    const PX: usize,
    const STRIDE: usize,
    const BEFORE: usize,
    const AFTER: usize,
>(
    simd: S,
    taps: &[Taps],
    channels: usize,
    [c, x]: [usize; 2],
    out: &mut [f32],
) {
    // The first of the columns under the kernels: at stride 1, kernels begin a column before their pixel.
    let first = if STRIDE == 1 { x + BEFORE - 1 } else { x * STRIDE };
    let mut sums = [simd.splat_f32s(0.0); PX];
    // SAFETY: the caller's promise.
    unsafe {
        // One row after the other: sums, a row's weights and a value fit into 16 registers.
        for Taps { row, weights } in taps {
            let weights: [S::f32s; 3] =
                std::array::from_fn(|j| load(simd, weights.as_ptr().add(j * channels + c)));
            let mut from = row.as_ptr().add(first * channels + c);
            for column in BEFORE..(PX - 1) * STRIDE + 3 - AFTER {
                let value = load(simd, from);
                for (p, sum) in sums.iter_mut().enumerate() {
                    let j = column.wrapping_sub(p * STRIDE);
                    if j < 3 {
                        *sum = simd.mul_add_e_f32s(value, weights[j], *sum);
                    }
                }
                // After the last one this may point beyond the row, and nothing reads there.
                from = from.wrapping_add(channels);
            }
        }
        let mut to = out.as_mut_ptr().add(x * channels + c);
        for sum in sums {
            store(simd, to, sum);
            to = to.wrapping_add(channels);
        }
    }
}

/// The largest of each 2x2 pixels of two rows.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
fn max_pool_row<S: Simd>(simd: S, rows: [&[f32]; 2], channels: usize, out: &mut [f32]) {
    let pixels = out.len() / channels;
    assert!(channels.is_multiple_of(S::F32_LANES) && rows.iter().all(|row| row.len() >= 2 * out.len()));
    for x in 0..pixels {
        for c in (0..channels).step_by(S::F32_LANES) {
            let at = 2 * x * channels + c;
            // SAFETY: c + lanes <= channels, and both rows hold two pixels for each of the output's.
            unsafe {
                let pair = rows.map(|row| {
                    let row = row.as_ptr().add(at);
                    simd.max_f32s(load(simd, row), load(simd, row.add(channels)))
                });
                store(simd, out.as_mut_ptr().add(x * channels + c), simd.max_f32s(pair[0], pair[1]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes;
    use crate::kernels::testing::{cases, noise, padded};
    use pulp::{Scalar128b, Scalar256b, Scalar512b};

    /// By the definition, without padded channels.
    fn plain(
        s: &SeparableShape,
        [height, width]: [usize; 2],
        x: &[f32],
        dw: [&[f32]; 2],
        pw: [&[f32]; 2],
    ) -> Vec<f32> {
        let (ci, co, stride) = (s.channels_in, s.channels_out, s.stride);
        let at = |y: isize, x_: isize, c: usize| {
            let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x_);
            if inside { x[(y as usize * width + x_ as usize) * ci + c] } else { 0.0 }
        };
        let before = if stride == 1 { 1 } else { 0 };
        let mut out = Vec::new();
        for oy in 0..height / stride {
            for ox in 0..width / stride {
                let (y, x_) = ((oy * stride) as isize, (ox * stride) as isize);
                let mid: Vec<f32> = (0..ci)
                    .map(|c| {
                        let tap = |t: isize| {
                            dw[0][c * 9 + t as usize] * at(y + t / 3 - before, x_ + t % 3 - before, c)
                        };
                        dw[1][c] + (0..9).map(tap).sum::<f32>()
                    })
                    .collect();
                for o in 0..co {
                    let shortcut = match (o < ci, stride) {
                        (false, _) => 0.0,
                        (true, 1) => at(y, x_, o),
                        _ => [(0, 0), (0, 1), (1, 0), (1, 1)]
                            .map(|(i, j)| at(y + i, x_ + j, o))
                            .into_iter()
                            .fold(f32::NEG_INFINITY, f32::max),
                    };
                    let sum: f32 = (0..ci).map(|c| pw[0][o * ci + c] * mid[c]).sum();
                    out.push((pw[1][o] + sum + shortcut).max(0.0));
                }
            }
        }
        out
    }

    fn agrees(run: impl Fn(RunSeparable), lanes: usize) {
        let mut scratch = Vec::new();
        let all = [
            (6, 10, 3, 5, 1),
            (4, 66, 24, 28, 1),
            (6, 2, 28, 28, 1),
            (8, 8, 36, 42, 1),
            (16, 16, 80, 88, 1),
            (8, 6, 28, 32, 2),
            (4, 2, 5, 5, 2),
            (16, 16, 42, 48, 2),
            (2, 140, 4, 20, 2),
        ];
        let few = [(3, 6, 3, 5, 1), (4, 2, 9, 10, 1), (4, 6, 5, 6, 2)];
        for &(height, width, channels_in, channels_out, stride) in cases(&all, &few) {
            let size = [height, width];
            let shape = SeparableShape { channels_in, channels_out, stride, padding: lanes };
            let x = noise(height * width * channels_in, 1);
            let (dw, db) = (noise(9 * channels_in, 2), noise(channels_in, 3));
            let (pw, pb) = (noise(channels_out * channels_in, 4), noise(channels_out, 5));
            let expected = plain(&shape, size, &x, [&dw, &db], [&pw, &pb]);
            let block = Separable::new(shape, [&dw, &db], [&pw, &pb]);
            let mut out = vec![f32::NAN; shape.out_len(size)];
            let input = padded(&x, channels_in, shape.padded_in());
            run(RunSeparable { of: &block, input: &input, size, out: &mut out, scratch: &mut scratch });
            // Exact zeros in the padding too.
            for (i, (a, b)) in out.iter().zip(padded(&expected, channels_out, shape.padded_out())).enumerate()
            {
                let exact = i % shape.padded_out() >= channels_out;
                assert!((a - b).abs() <= if exact { 0.0 } else { 1e-4 }, "{shape:?} {i}: {a} {b}");
            }
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_vector_length() {
        agrees(|op| Scalar128b.vectorize(op), 4);
        agrees(|op| Scalar256b.vectorize(op), 8);
        agrees(|op| Scalar512b.vectorize(op), 16);
        agrees(|op| dispatch(op), lanes());
        agrees(|op| dispatch(op), 2 * lanes());
    }
}
