//! 3x3 convolution without padding, and its gradients.

use pulp::{Arch, Simd, WithSimd};

use super::pool::{NormGradient, gradient_row};
use super::winograd::Winograd;
use super::{aligned, load, store};

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

/// Adds a packed `[3][3 * in][out]` gradient to one in the layout `[out][in][3][3]`.
pub fn unpack_add(packed: &[f32], shape: &ConvShape, kernel: &mut [f32]) {
    let (ci, co) = (shape.channels_in, shape.channels_out);
    assert_eq!(kernel.len(), shape.weight_len());
    assert_eq!(packed.len(), shape.weight_len());
    for o in 0..co {
        for i in 0..ci {
            for t in 0..9 {
                kernel[(o * ci + i) * 9 + t] += packed[(t * ci + i) * co + o];
            }
        }
    }
}

/// Convolves one picture: `out[y][x][o] = bias[o] + sum over i, j, c of weights[i][j * C + c][o] * input[s y + i][s x + j][c]`,
/// s being the stride.
///
/// `sums` receives each output channel's sum and sum of squares over the picture (`2 * channels_out`), which
/// batch normalisation needs and which are cheapest to take while a row is still in cache.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn conv3x3(
    shape: &ConvShape,
    input: &[f32],
    weights: &[f32],
    bias: &[f32],
    out: &mut [f32],
    sums: &mut [f64],
) {
    let conv = Conv::new(shape, input, weights, bias);
    assert_eq!(out.len(), shape.out_len());
    assert_eq!(sums.len(), 2 * shape.channels_out);
    Arch::new().dispatch(Forward { conv, out, sums });
}

/// Convolution, ReLU and pooling in one pass, for use once trained: batch normalisation is folded into `weights` and `bias`
/// beforehand. What is pooled to one never leaves the registers.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn conv3x3_relu_pool(shape: &ConvShape, input: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    let conv = Conv::new(shape, input, weights, bias);
    assert_eq!(out.len(), shape.pooled_len());
    match shape.pool {
        1 => Arch::new().dispatch(ForwardPooled::<1> { conv, out }),
        _ => Arch::new().dispatch(ForwardPooled::<2> { conv, out }),
    }
}

/// A convolution of one picture, its lengths checked.
#[derive(Clone, Copy)]
struct Conv<'a> {
    shape: &'a ConvShape,
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
}

impl<'a> Conv<'a> {
    fn new(shape: &'a ConvShape, input: &'a [f32], weights: &'a [f32], bias: &'a [f32]) -> Self {
        shape.check();
        assert_eq!(input.len(), shape.in_len());
        assert_eq!(weights.len(), shape.weight_len());
        assert_eq!(bias.len(), shape.channels_out);
        Self { shape, input, weights, bias }
    }

    /// Row `y` of the output: with `RELU` rectified, and of `P` x `P` pixels each time the mean.
    #[inline(always)]
    fn row<S: Simd, const P: usize, const RELU: bool>(&self, simd: S, y: usize, out: &mut [f32]) {
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
            let tile = Tile::<P, RELU> {
                rows,
                step,
                k,
                // SAFETY (all three): c < co.
                weights: unsafe { weights.as_ptr().add(c) },
                bias: unsafe { bias.as_ptr().add(c) },
                out: unsafe { out.as_mut_ptr().add(c) },
                co,
            };
            // SAFETY: checked above: every row holds k floats from each pixel's first on, the weights 3 k rows of `co`.
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

struct Forward<'a> {
    conv: Conv<'a>,
    out: &'a mut [f32],
    sums: &'a mut [f64],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let s = self.conv.shape;
        self.sums.fill(0.0);
        for (y, out) in self.out.chunks_exact_mut(s.out_width() * s.channels_out).enumerate() {
            self.conv.row::<S, 1, false>(simd, y, out);
            add_sums(simd, out, s.channels_out, self.sums);
        }
    }
}

struct ForwardPooled<'a, const P: usize> {
    conv: Conv<'a>,
    out: &'a mut [f32],
}

impl<const P: usize> WithSimd for ForwardPooled<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let s = self.conv.shape;
        let pooled = s.pooled_width() * s.channels_out;
        if pooled == 0 {
            return;
        }
        for (y, out) in self.out.chunks_exact_mut(pooled).enumerate() {
            self.conv.row::<S, P, true>(simd, y, out);
        }
    }
}

/// Where a run of output pixels reads and writes, each the mean of `P` x `P` of the convolution's, with `RELU` rectified.
#[derive(Clone, Copy)]
struct Tile<const P: usize, const RELU: bool> {
    /// The three input rows under each of the rows that are pooled to one.
    rows: [[*const f32; 3]; P],
    step: usize,
    k: usize,
    weights: *const f32,
    bias: *const f32,
    out: *mut f32,
    co: usize,
}

impl<const P: usize, const RELU: bool> Tile<P, RELU> {
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
        // Sums (P x P to a pixel), weights and one input value must fit the registers: 32 with AVX-512, 16 otherwise. With V8's simd128 the
        // detector's pointwise kernel did 20 multiply-adds a nanosecond with 4 pixels, 14 with 6; this one is shaped alike.
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
    /// The rows must hold `(P * (x + PX) - 1) * step + k` floats, `weights` `3 k` rows of `co` (less the channels it was moved
    /// on by), `out` `x + PX` pixels of `co`.
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
                            let v = if RELU { simd.max_f32s(acc[v], zero) } else { acc[v] };
                            sum = simd.add_f32s(sum, v);
                        }
                    }
                    let out = self.out.add((x + p) * self.co + v * S::F32_LANES);
                    store(simd, out, simd.mul_f32s(sum, share));
                }
            }
        }
    }
}

/// Adds the sum and the sum of squares of each channel of `row`.
#[inline(always)]
pub(super) fn add_sums<S: Simd>(simd: S, row: &[f32], channels: usize, sums: &mut [f64]) {
    let lanes = S::F32_LANES;
    for c in (0..channels).step_by(lanes) {
        let (mut sum, mut square) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
        for pixel in row.chunks_exact(channels) {
            // SAFETY: `channels` is a multiple of the lanes, so c + lanes <= pixel.len().
            let v = unsafe { load(simd, pixel.as_ptr().add(c)) };
            sum = simd.add_f32s(sum, v);
            square = simd.mul_add_e_f32s(v, v, square);
        }
        let (sum, square): (&[f32], &[f32]) = (
            bytemuck::cast_slice(std::slice::from_ref(&sum)),
            bytemuck::cast_slice(std::slice::from_ref(&square)),
        );
        for i in 0..lanes {
            sums[c + i] += f64::from(sum[i]);
            sums[channels + c + i] += f64::from(square[i]);
        }
    }
}

/// The gradients of conv3x3 + normalise + rectify + average-pool, for one picture.
#[derive(Debug)]
pub struct ConvGradient<'a> {
    /// Extents.
    pub shape: &'a ConvShape,
    /// The block's input, NHWC.
    pub input: &'a [f32],
    /// The convolution's output as [`conv3x3`] left it.
    pub conv_out: &'a [f32],
    /// Gradient at the block's (pooled) output.
    pub pooled_gradient: &'a [f32],
    /// How a gradient passes normalisation, rectifier and pooling.
    pub norm: &'a NormGradient,
    /// From [`Winograd::transposed`]; only needed for the input's gradient.
    pub transposed: Option<&'a Winograd>,
}

/// Buffers of [`ConvGradient::run`]. One a thread.
#[derive(Debug, Clone, Default)]
pub struct GradientScratch {
    /// The gradient at the convolution's output, within zeros.
    gradient: Vec<f32>,
    winograd: Vec<f32>,
}

impl ConvGradient<'_> {
    /// Adds the gradient of the packed kernel to `weight_gradient`, and writes that of the input to `input_gradient`
    /// if asked for. `scratch` is resized as needed and can be used again.
    ///
    /// # Panics
    /// If a length does not fit the shape, or the input's gradient is asked for without the transposed convolution.
    pub fn run(
        &self,
        weight_gradient: &mut [f32],
        input_gradient: Option<&mut [f32]>,
        scratch: &mut GradientScratch,
    ) {
        let s = self.shape;
        s.check();
        assert_eq!(self.input.len(), s.in_len());
        assert_eq!(self.conv_out.len(), s.out_len());
        assert_eq!(self.pooled_gradient.len(), s.pooled_len());
        assert_eq!(weight_gradient.len(), s.weight_len());
        self.norm.check(s.channels_out);
        let padded = (s.out_height() + 2 * AROUND) * (s.out_width() + 2 * AROUND) * s.channels_out;
        let gradient = aligned(&mut scratch.gradient, padded);
        match s.pool {
            1 => Arch::new().dispatch(Backward::<1> { of: self, weight_gradient, gradient }),
            _ => Arch::new().dispatch(Backward::<2> { of: self, weight_gradient, gradient }),
        }
        if let Some(input_gradient) = input_gradient {
            let transposed = self.transposed.expect("the transposed convolution, for the input's gradient");
            transposed.convolve(gradient, input_gradient, &mut [], &mut scratch.winograd);
        }
    }
}

/// Pixels of nothing around the gradient, as the transposed convolution needs them.
const AROUND: usize = 2;

struct Backward<'a, const P: usize> {
    of: &'a ConvGradient<'a>,
    weight_gradient: &'a mut [f32],
    /// Within [`AROUND`] pixels of zeros.
    gradient: &'a mut [f32],
}

impl<const P: usize> WithSimd for Backward<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let of = self.of;
        let s = of.shape;
        let (ci, co) = (s.channels_in, s.channels_out);
        let (rows, columns) = (s.out_height(), s.out_width());
        let in_row = s.width * ci;
        for (y, padded) in self.gradient.chunks_exact_mut((columns + 2 * AROUND) * co).enumerate() {
            if !(AROUND..AROUND + rows).contains(&y) {
                padded.fill(0.0);
                continue;
            }
            let (before, row) = padded.split_at_mut(AROUND * co);
            let (row, after) = row.split_at_mut(columns * co);
            before.fill(0.0);
            after.fill(0.0);
            let y = y - AROUND;
            gradient_row::<S, P>(simd, of.norm, of.conv_out, of.pooled_gradient, s, y, row);
            for i in 0..3 {
                let input = &of.input[(s.stride * y + i) * in_row..][..in_row];
                let gradient = &mut self.weight_gradient[i * 3 * ci * co..(i + 1) * 3 * ci * co];
                weight_row(simd, input, [ci, s.stride * ci], row, co, gradient);
            }
        }
    }
}

/// Adds to the gradient `[3 C][co]` of one kernel row what one output row gives. With `channels` to a pixel; the next output pixel reads `step` floats further.
#[inline(always)]
fn weight_row<S: Simd>(
    simd: S,
    input: &[f32],
    [channels, step]: [usize; 2],
    gradient: &[f32],
    co: usize,
    sum: &mut [f32],
) {
    let pixels = gradient.len() / co;
    let k = 3 * channels;
    assert!(pixels > 0 && input.len() >= (pixels - 1) * step + k && sum.len() == k * co);
    assert!(co.is_multiple_of(S::F32_LANES));
    let pair = 2 * S::F32_LANES;
    let mut c = 0;
    while c < co {
        // SAFETY: checked above; k rows of `co` sums, `pixels` pixels of `co` gradients, and for each pixel the k inputs from
        // its first on.
        unsafe {
            let (input, gradient, sum) = (input.as_ptr(), gradient.as_ptr().add(c), sum.as_mut_ptr().add(c));
            if c + pair <= co {
                weight_columns::<S, 2>(simd, input, step, gradient, pixels, k, sum, co);
                c += pair;
            } else {
                weight_columns::<S, 1>(simd, input, step, gradient, pixels, k, sum, co);
                c += S::F32_LANES;
            }
        }
    }
}

/// # Safety
/// As [`weight_tile`], for all `k` rows.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn weight_columns<S: Simd, const NV: usize>(
    simd: S,
    input: *const f32,
    step: usize,
    gradient: *const f32,
    pixels: usize,
    k: usize,
    sum: *mut f32,
    co: usize,
) {
    let mut i = 0;
    // SAFETY: each call covers rows below `k`.
    unsafe {
        macro_rules! tiles {
            ($rows:literal) => {
                while i + ($rows - 1) < k {
                    let (input, sum) = (input.add(i), sum.add(i * co));
                    weight_tile::<S, $rows, NV>(simd, input, step, gradient, pixels, sum, co);
                    i += $rows;
                }
            };
        }
        if S::F32_LANES >= 16 {
            tiles!(12);
        }
        tiles!(6);
        tiles!(3);
        tiles!(1);
    }
}

/// `KB` rows of the kernel's gradient in registers while the pixels of a row pass by.
///
/// # Safety
/// `(pixels - 1) * step + KB` floats of `input`, `pixels * co` of `gradient` and `KB * co` of `sum` must be there (less
/// the channels that the latter two were moved on by).
#[inline(always)]
unsafe fn weight_tile<S: Simd, const KB: usize, const NV: usize>(
    simd: S,
    input: *const f32,
    step: usize,
    gradient: *const f32,
    pixels: usize,
    sum: *mut f32,
    co: usize,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut acc: [[S::f32s; NV]; KB] =
            std::array::from_fn(|i| std::array::from_fn(|v| load(simd, sum.add(i * co + v * S::F32_LANES))));
        for x in 0..pixels {
            let grad: [S::f32s; NV] =
                std::array::from_fn(|v| load(simd, gradient.add(x * co + v * S::F32_LANES)));
            for (i, acc) in acc.iter_mut().enumerate() {
                let value = simd.splat_f32s(*input.add(x * step + i));
                for (acc, grad) in acc.iter_mut().zip(grad) {
                    *acc = simd.mul_add_e_f32s(value, grad, *acc);
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            for (v, acc) in acc.iter().enumerate() {
                store(simd, sum.add(i * co + v * S::F32_LANES), *acc);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(len: usize, pace: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * pace).sin()).collect()
    }

    /// By the definition, in f64.
    fn plain(shape: &ConvShape, input: &[f32], kernel: &[f32], bias: &[f32]) -> Vec<f32> {
        let (ci, co, stride) = (shape.channels_in, shape.channels_out, shape.stride);
        let (rows, columns) = (shape.out_height(), shape.out_width());
        let mut out = Vec::with_capacity(rows * columns * co);
        for (y, x, o) in
            (0..rows).flat_map(|y| (0..columns).flat_map(move |x| (0..co).map(move |o| (y, x, o))))
        {
            let mut sum = f64::from(bias[o]);
            for t in 0..9 {
                for i in 0..ci {
                    let at = ((y * stride + t / 3) * shape.width + x * stride + t % 3) * ci + i;
                    sum += f64::from(input[at]) * f64::from(kernel[(o * ci + i) * 9 + t]);
                }
            }
            out.push(sum as f32);
        }
        out
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
        for width in [3, 4, 5, 8, 9, 14, 15, 21, 30] {
            for channels_in in [3, 16] {
                for (stride, pool) in [(1, 2), (1, 1), (2, 1), (2, 2)] {
                    let shape = ConvShape { height: 8, width, channels_in, channels_out: 48, stride, pool };
                    let (input, kernel) = (wave(shape.in_len(), 0.7), wave(shape.weight_len(), 0.31));
                    let bias = wave(48, 1.3);
                    let packed = pack(&kernel, &shape);
                    let expected = plain(&shape, &input, &kernel, &bias);
                    let mut out = vec![0.0; shape.out_len()];
                    let mut sums = vec![0.0; 2 * 48];
                    conv3x3(&shape, &input, &packed, &bias, &mut out, &mut sums);
                    close(&out, &expected);
                    let channel = |c: usize| expected.iter().skip(c).step_by(48).map(|v| f64::from(*v));
                    for c in [0, 20, 47] {
                        assert!((sums[c] - channel(c).sum::<f64>()).abs() < 1e-2);
                        assert!((sums[48 + c] - channel(c).map(|v| v * v).sum::<f64>()).abs() < 1e-2);
                    }
                    let mut out = vec![0.0; shape.pooled_len()];
                    conv3x3_relu_pool(&shape, &input, &packed, &bias, &mut out);
                    close(&out, &pooled(&shape, &expected));
                }
            }
        }
    }

    /// The other vector lengths, which this machine would not choose.
    #[test]
    fn every_vector_length_agrees() {
        let shape = ConvShape { height: 6, width: 19, channels_in: 16, channels_out: 32, stride: 1, pool: 2 };
        let (input, kernel) = (wave(shape.in_len(), 0.7), wave(shape.weight_len(), 0.31));
        let bias = wave(32, 1.3);
        let weights = &pack(&kernel, &shape);
        let expected = plain(&shape, &input, &kernel, &bias);
        let mut out = vec![0.0; shape.out_len()];
        let mut sums = vec![0.0; 64];
        let mut run = |with: &dyn Fn(Forward)| {
            out.fill(0.0);
            let conv = Conv::new(&shape, &input, weights, &bias);
            with(Forward { conv, out: &mut out, sums: &mut sums });
            close(&out, &expected);
        };
        run(&|forward| pulp::Scalar128b.vectorize(forward));
        run(&|forward| pulp::Scalar256b.vectorize(forward));
        run(&|forward| pulp::Scalar512b.vectorize(forward));
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            run(&|forward| Simd::vectorize(simd, forward));
        }
    }

    #[test]
    fn every_vector_length_pools_alike() {
        for pool in [1, 2] {
            let shape = ConvShape { height: 7, width: 31, channels_in: 3, channels_out: 48, stride: 1, pool };
            let (input, kernel) = (wave(shape.in_len(), 0.7), wave(shape.weight_len(), 0.31));
            let bias = wave(48, 1.3);
            let weights = &pack(&kernel, &shape);
            let expected = pooled(&shape, &plain(&shape, &input, &kernel, &bias));
            let conv = Conv::new(&shape, &input, weights, &bias);
            macro_rules! check {
                ($simd:expr) => {
                    let mut out = vec![f32::NAN; shape.pooled_len()];
                    match pool {
                        1 => $simd.vectorize(ForwardPooled::<1> { conv, out: &mut out }),
                        _ => $simd.vectorize(ForwardPooled::<2> { conv, out: &mut out }),
                    }
                    close(&out, &expected);
                };
            }
            check!(pulp::Scalar128b);
            check!(pulp::Scalar256b);
            check!(pulp::Scalar512b);
        }
    }

    #[test]
    fn the_kernel_layouts_are_inverse() {
        let shape = ConvShape { height: 3, width: 3, channels_in: 5, channels_out: 16, stride: 1, pool: 1 };
        let kernel = wave(shape.weight_len(), 0.37);
        let mut back = vec![0.0; kernel.len()];
        unpack_add(&pack(&kernel, &shape), &shape, &mut back);
        assert_eq!(back, kernel);
    }
}
