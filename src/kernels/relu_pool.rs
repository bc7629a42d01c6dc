//! 3x3 convolution without padding, with ReLU and pooling.

use pulp::{Simd, WithSimd};

use super::{dispatch, load, store};

/// Extents of one picture's convolution, and of the pooling behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Rows of the input, at least 3.
    pub height: usize,
    /// Pixels in a row of the input, at least 3.
    pub width: usize,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output, a multiple of 16.
    pub channels_out: usize,
    /// Input pixels from one output pixel to the next, at least 1.
    pub stride: usize,
    /// Pixels averaged to one in each direction: 2, or 1 for no pooling.
    pub pool: usize,
}

impl ConvShape {
    /// Rows of the output, before pooling.
    pub fn out_height(&self) -> usize {
        (self.height - 3) / self.stride + 1
    }

    /// Pixels in a row of the output, before pooling.
    pub fn out_width(&self) -> usize {
        (self.width - 3) / self.stride + 1
    }

    /// Rows of the output after pooling (what is left over of the last ones is dropped).
    pub fn pooled_height(&self) -> usize {
        self.out_height() / self.pool
    }

    /// Pixels in a row of the output after pooling.
    pub fn pooled_width(&self) -> usize {
        self.out_width() / self.pool
    }

    /// Floats in the input.
    pub fn in_len(&self) -> usize {
        self.height * self.width * self.channels_in
    }

    /// Floats in the output, before pooling.
    pub fn out_len(&self) -> usize {
        self.out_height() * self.out_width() * self.channels_out
    }

    /// Floats in the output after pooling.
    pub fn pooled_len(&self) -> usize {
        self.pooled_height() * self.pooled_width() * self.channels_out
    }

    /// Floats in the kernel.
    pub fn weight_len(&self) -> usize {
        9 * self.channels_in * self.channels_out
    }

    pub(super) fn check(&self) {
        assert!(self.height >= 3 && self.width >= 3 && self.channels_in > 0);
        assert!(self.channels_out > 0 && self.channels_out.is_multiple_of(16));
        assert!(self.stride > 0 && matches!(self.pool, 1 | 2));
    }
}

/// Packs a kernel `[out][in][3][3]` as `[3][3 * in][out]`.
pub fn pack(kernel: &[f32], shape: &ConvShape) -> Vec<f32> {
    let (ci, co) = (shape.channels_in, shape.channels_out);
    assert_eq!(kernel.len(), shape.weight_len());
    let mut packed = vec![0.0; kernel.len()];
    for o in 0..co {
        for i in 0..ci {
            for t in 0..9 {
                packed[(t * ci + i) * co + o] = kernel[(o * ci + i) * 9 + t];
            }
        }
    }
    packed
}

/// Convolution, ReLU and pooling of one picture in one pass, for use once trained: batch normalisation is
/// folded into `weights` and `bias` beforehand. What is pooled to one never leaves the registers.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn conv3x3_relu_pool(shape: &ConvShape, input: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let conv = PooledConvolution::new(shape, input, weights, bias);
    assert_eq!(out.len(), shape.pooled_len());
    match shape.pool {
        1 => dispatch(RunPooled::<1> { conv, out }),
        _ => dispatch(RunPooled::<2> { conv, out }),
    }
}

/// A convolution of one picture, its lengths checked.
#[derive(Clone, Copy)]
struct PooledConvolution<'a> {
    shape: &'a ConvShape,
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
}

impl<'a> PooledConvolution<'a> {
    fn new(shape: &'a ConvShape, input: &'a [f32], weights: &'a [f32], bias: &'a [f32]) -> Self {
        shape.check();
        assert_eq!(input.len(), shape.in_len());
        assert_eq!(weights.len(), shape.weight_len());
        assert_eq!(bias.len(), shape.channels_out);
        Self { shape, input, weights, bias }
    }

    /// Row `y` of the output: rectified, and of `P` x `P` pixels each time the mean.
    #[inline(always)]
    fn row<S: Simd, const P: usize>(&self, simd: S, y: usize, out: &mut [f32]) {
        let Self { shape: s, input, weights, bias } = self;
        let (row, co, k) = (s.width * s.channels_in, s.channels_out, 3 * s.channels_in);
        let (pixels, step) = (out.len() / co, s.stride * s.channels_in);
        assert!(pixels > 0 && row >= (P * pixels - 1) * step + k && co.is_multiple_of(S::F32_LANES));
        assert!(weights.len() == 3 * k * co && bias.len() == co);
        let rows = std::array::from_fn(|i| {
            std::array::from_fn(|r| input[(s.stride * (P * y + i) + r) * row..][..row].as_ptr())
        });
        // Two vectors of channels to a tile, where the channels fill two.
        let pair = 2 * S::F32_LANES;
        let mut c = 0;
        while c < co {
            let tile = Tile::<P> {
                rows,
                step,
                k,
                // SAFETY: c < co, and a row of weights has `co`.
                weights: unsafe { weights.as_ptr().add(c) },
                // SAFETY: c < co, and there are `co` of them.
                bias: unsafe { bias.as_ptr().add(c) },
                // SAFETY: c < co, and a pixel of the output has `co`.
                out: unsafe { out.as_mut_ptr().add(c) },
                co,
            };
            // SAFETY: checked above: every row holds k floats from each pixel's first on, the weights 3 k
            // rows of `co`.
            unsafe {
                if c + pair <= co {
                    tile.run::<S, 2>(simd, pixels);
                    c += pair;
                } else {
                    tile.run::<S, 1>(simd, pixels);
                    c += S::F32_LANES;
                }
            }
        }
    }
}

struct RunPooled<'a, const P: usize> {
    conv: PooledConvolution<'a>,
    out: &'a mut [f32],
}

impl<const P: usize> WithSimd for RunPooled<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let s = self.conv.shape;
        let pooled = s.pooled_width() * s.channels_out;
        if pooled == 0 {
            return;
        }
        for (y, out) in self.out.chunks_exact_mut(pooled).enumerate() {
            self.conv.row::<S, P>(simd, y, out);
        }
    }
}

/// Where a run of output pixels reads and writes, each the mean of `P` x `P` of the convolution's, rectified.
#[derive(Clone, Copy)]
struct Tile<const P: usize> {
    /// The three input rows under each of the rows that are pooled to one.
    rows: [[*const f32; 3]; P],
    step: usize,
    k: usize,
    weights: *const f32,
    bias: *const f32,
    out: *mut f32,
    co: usize,
}

impl<const P: usize> Tile<P> {
    /// All `pooled` pixels of the row, `NV` vectors of channels.
    ///
    /// # Safety
    /// As [`Tile::pixels`], for every pixel.
    #[inline(always)]
    unsafe fn run<S: Simd, const NV: usize>(self, simd: S, pooled: usize) {
        let mut x = 0;
        macro_rules! tiles {
            ($pixels:literal) => {
                while pooled - x >= $pixels {
                    // SAFETY: each call covers pixels below `pooled`.
                    unsafe { self.pixels::<S, $pixels, NV>(simd, x) };
                    x += $pixels;
                }
            };
        }
        // Sums (P x P to a pixel), weights and one input value must fit the registers: 32 with AVX-512, 16
        // otherwise. With V8's simd128 the detector's pointwise kernel did 20 multiply-adds a nanosecond with
        // 4 pixels, 14 with 6; this one is shaped alike.
        if P == 1 {
            if S::F32_LANES >= 16 {
                tiles!(12);
            }
            if S::F32_LANES >= 8 {
                tiles!(6);
            }
            tiles!(4);
        } else if S::F32_LANES >= 16 {
            tiles!(3);
        }
        tiles!(1);
    }

    /// Pixels `x` to `x + PX`, all that they are the mean of in registers while the weights pass by.
    ///
    /// # Safety
    /// The rows must hold `(P * (x + PX) - 1) * step + k` floats, `weights` `3 k` rows of `co` (less the
    /// channels it was moved on by), `out` `x + PX` pixels of `co`.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const PX: usize, const NV: usize>(self, simd: S, x: usize) {
        // SAFETY: as promised by the caller.
        unsafe {
            let start: [S::f32s; NV] = std::array::from_fn(|v| load(simd, self.bias.add(v * S::F32_LANES)));
            let mut acc = [[[start; P]; PX]; P];
            let mut w = self.weights;
            for r in 0..3 {
                for k in 0..self.k {
                    let weight: [S::f32s; NV] = std::array::from_fn(|v| load(simd, w.add(v * S::F32_LANES)));
                    for (rows, acc) in self.rows.iter().zip(&mut acc) {
                        let from = rows[r].add(P * x * self.step + k);
                        for (p, acc) in acc.as_flattened_mut().iter_mut().enumerate() {
                            let value = simd.splat_f32s(*from.add(p * self.step));
                            for (acc, weight) in acc.iter_mut().zip(weight) {
                                *acc = simd.mul_add_e_f32s(value, weight, *acc);
                            }
                        }
                    }
                    // After the last one this points beyond the weights, and nothing reads there.
                    w = w.wrapping_add(self.co);
                }
            }
            let (zero, share) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0 / (P * P) as f32));
            for p in 0..PX {
                for v in 0..NV {
                    let mut sum = zero;
                    for acc in &acc {
                        for acc in &acc[p] {
                            sum = simd.add_f32s(sum, simd.max_f32s(acc[v], zero));
                        }
                    }
                    let out = self.out.add((x + p) * self.co + v * S::F32_LANES);
                    store(simd, out, simd.mul_f32s(sum, share));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Window, testing};

    fn wave(len: usize, pace: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * pace).sin()).collect()
    }

    fn plain(shape: &ConvShape, input: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
        let window = Window { kernel: 3, stride: shape.stride, padding: [0, 0] };
        testing::plain(window, [shape.height, shape.width], input, kernel, bias, false)
    }

    /// Rectified and averaged.
    fn pooled(shape: &ConvShape, values: &[f32]) -> Vec<f32> {
        let (pool, co) = (shape.pool, shape.channels_out);
        let mut out = vec![0.0; shape.pooled_len()];
        for (at, out) in out.iter_mut().enumerate() {
            let (y, x, c) = (at / co / shape.pooled_width(), at / co % shape.pooled_width(), at % co);
            for (dy, dx) in (0..pool).flat_map(|dy| (0..pool).map(move |dx| (dy, dx))) {
                let pixel = (pool * y + dy) * shape.out_width() + pool * x + dx;
                *out += values[pixel * co + c].max(0.0) / (pool * pool) as f32;
            }
        }
        out
    }

    fn close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (i, (f, e)) in found.iter().zip(expected).enumerate() {
            assert!((f - e).abs() <= 1e-4 * (1.0 + e.abs()), "{i}: {f} {e}");
        }
    }

    /// Every width that some tile ends in, on whatever this machine has.
    #[test]
    fn convolutions_are_the_plain_sum() {
        for &width in testing::cases(&[3, 4, 5, 8, 9, 14, 15, 21, 30], &[3, 9]) {
            for &channels_in in testing::cases(&[3, 16], &[3]) {
                for (stride, pool) in [(1, 2), (1, 1), (2, 1), (2, 2)] {
                    let height = testing::cases(&[8], &[5])[0];
                    let shape = ConvShape { height, width, channels_in, channels_out: 48, stride, pool };
                    let (input, kernel) = (wave(shape.in_len(), 0.7), wave(shape.weight_len(), 0.31));
                    let bias = wave(48, 1.3);
                    let packed = pack(&kernel, &shape);
                    let expected = plain(&shape, &input, &kernel, &bias);
                    let mut out = vec![0.0; shape.pooled_len()];
                    conv3x3_relu_pool(&shape, &input, &packed, &bias, &mut out);
                    close(&out, &pooled(&shape, &expected));
                }
            }
        }
    }

    #[test]
    fn every_vector_length_pools_alike() {
        for pool in [1, 2] {
            let [height, width] = testing::cases(&[[7, 31]], &[[4, 9]])[0];
            let shape = ConvShape { height, width, channels_in: 3, channels_out: 48, stride: 1, pool };
            let (input, kernel) = (wave(shape.in_len(), 0.7), wave(shape.weight_len(), 0.31));
            let bias = wave(48, 1.3);
            let weights = &pack(&kernel, &shape);
            let expected = pooled(&shape, &plain(&shape, &input, &kernel, &bias));
            let conv = PooledConvolution::new(&shape, &input, weights, &bias);
            macro_rules! check {
                ($simd:expr) => {
                    let mut out = vec![f32::NAN; shape.pooled_len()];
                    match pool {
                        1 => $simd.vectorize(RunPooled::<1> { conv, out: &mut out }),
                        _ => $simd.vectorize(RunPooled::<2> { conv, out: &mut out }),
                    }
                    close(&out, &expected);
                };
            }
            check!(pulp::Scalar128b);
            check!(pulp::Scalar256b);
            check!(pulp::Scalar512b);
        }
    }
}
