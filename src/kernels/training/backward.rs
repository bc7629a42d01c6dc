//! The way back through a block.

use pulp::{Simd, WithSimd};

use super::norm::{NormGradient, gradient_row, gradient_sums};
use super::{Block, BlockInput, BlockKernel, BlockScratch, LARGEST, Pad, Transposed, widen};
use crate::kernels::depthwise::{DepthwiseRow, Taps};
use crate::kernels::product::Product;
use crate::kernels::ring::Ring;
use crate::kernels::{Activation, aligned, dispatch, load, store};

/// The gradients of a block, for one picture.
#[derive(Debug, Clone, Copy)]
pub struct Backward<'a> {
    /// The block.
    pub block: &'a Block,
    /// Its input.
    pub source: BlockInput<'a>,
    /// The convolution's output as [`Block::forward`] left it.
    pub conv_out: &'a [f32],
    /// Gradient at the block's (pooled) output, with padded channels.
    pub gradient: &'a [f32],
    /// How a gradient passes pooling, activation and normalisation.
    pub norm: &'a NormGradient,
}

impl Backward<'_> {
    /// Adds the packed gradient of the kernel to `d_weight` (see [`Block::unpack`]), and writes that of the
    /// input to `d_input` if asked for, pixels as the block's input has them. If the input has a block before
    /// it, adds to `sums` what [`norm_gradient_sums`](super::norm_gradient_sums) would for that one.
    ///
    /// # Panics
    /// If a length does not fit the block.
    pub fn run(
        &self,
        d_weight: &mut [f32],
        d_input: Option<&mut [f32]>,
        sums: &mut [f64],
        scratch: &mut BlockScratch,
    ) {
        let Self { block, source, conv_out, gradient, norm } = *self;
        block.check_source(source);
        assert_eq!([conv_out.len(), gradient.len()], [block.shape.out_len(), block.shape.pooled_len()]);
        norm.check(block.shape.padded_out());
        assert_eq!(d_weight.len(), block.weight_len());
        assert!(d_input.as_ref().is_none_or(|d_input| d_input.len() == block.in_len()));
        assert!(source.through.is_none() || sums.len() == 2 * block.shape.padded_in());
        dispatch(RunBackward { of: self, d_weight, d_input, sums, scratch });
    }

    /// Row `y` of the gradient at the convolution's output.
    #[inline(always)]
    fn row<S: Simd>(&self, simd: S, y: usize, out: &mut [f32]) {
        let shape = self.block.shape;
        let [height, width] = shape.pooled();
        let width = width * shape.padded_out();
        let values = &self.conv_out[y * out.len()..][..out.len()];
        let above = (y / shape.pool < height).then(|| &self.gradient[y / shape.pool * width..][..width]);
        match shape.pool {
            1 => gradient_row::<S, 1>(simd, self.norm, values, above, out),
            _ => gradient_row::<S, 2>(simd, self.norm, values, above, out),
        }
    }

    /// What the block before needs of the input's gradient, float `at` on.
    #[inline(always)]
    fn sums<S: Simd>(&self, simd: S, at: usize, d_input: &[f32], sums: &mut [f64]) {
        if let Some(norm) = self.source.through {
            let values = &self.source.values[at..][..d_input.len()];
            gradient_sums::<S, 1>(simd, norm, values, values.len(), d_input, sums);
        }
    }
}

struct RunBackward<'a> {
    of: &'a Backward<'a>,
    d_weight: &'a mut [f32],
    d_input: Option<&'a mut [f32]>,
    sums: &'a mut [f64],
    scratch: &'a mut BlockScratch,
}

impl WithSimd for RunBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match &self.of.block.kernel {
            BlockKernel::Pointwise([_, back]) => self.pointwise(simd, back),
            BlockKernel::Depthwise(_, transposed) => self.depthwise(simd, transposed),
            BlockKernel::Rows(_, transposed) => self.rows(simd, transposed),
            BlockKernel::Winograd(_) => self.winograd(simd),
        }
    }
}

impl RunBackward<'_> {
    #[inline(always)]
    fn pointwise<S: Simd>(self, simd: S, back: &[f32]) {
        let Self { of, d_weight, mut d_input, sums, scratch } = self;
        let Block { shape, step, zeros, .. } = of.block;
        let (step, ci, co, source) = (*step, shape.padded_in(), shape.padded_out(), of.source);
        let [height, width] = shape.size;
        let band = of.block.band();
        let gradient = aligned(&mut scratch.gradient, band * width * co);
        for top in (0..height).step_by(band) {
            let rows = band.min(height - top);
            let (at, len) = (top * width * step, rows * width * step);
            let gradient = &mut gradient[..rows * width * co];
            for (y, row) in gradient.chunks_exact_mut(width * co).enumerate() {
                of.row(simd, top + y, row);
            }
            let input = match source.through {
                None => &source.values[at..][..len],
                Some(_) => {
                    let input = aligned(&mut scratch.input, len);
                    source.fill(simd, at, [step; 2], input);
                    &*input
                }
            };
            outer(simd, input, [step, shape.channels_in], gradient, co, d_weight);
            let Some(d_input) = &mut d_input else { continue };
            let d_input = &mut d_input[at..][..len];
            let product = Product {
                rows: &[gradient],
                step: co,
                depth: shape.channels_out,
                weights: back,
                bias: &zeros[..ci],
                shortcut: &[],
                shortcut_channels: 0,
                limits: Activation::None.limits(),
            };
            if step == ci {
                product.run(simd, d_input);
            } else {
                let row = aligned(&mut scratch.row, rows * width * ci);
                product.run(simd, row);
                widen(row, ci, d_input, step);
            }
            of.sums(simd, at, d_input, sums);
        }
    }

    #[inline(always)]
    fn depthwise<S: Simd>(self, simd: S, transposed: &Transposed) {
        let Self { of, d_weight, mut d_input, sums, scratch } = self;
        let Block { shape, step, zeros, .. } = of.block;
        let (step, c, window, source) = (*step, shape.padded_out(), shape.window, of.source);
        let ([height, width], [out_height, out_width]) = (shape.size, shape.out());
        let (input_shape, gradient_shape) = (window.ring(shape.size, c), transposed.ring(shape));
        let mut inputs = Ring::new(input_shape, aligned(&mut scratch.input, input_shape.len()));
        let mut gradients = Ring::new(gradient_shape, aligned(&mut scratch.gradient, gradient_shape.len()));
        let wide = aligned(&mut scratch.row, width * c);
        // The next row of the input's gradient.
        let mut next = 0;
        for y in 0..out_height {
            while let Some((y, row)) = inputs.next(window.stride * y + window.kernel) {
                source.fill(simd, y * width * step, [step, c], row);
            }
            while let Some((y, row)) = gradients.next(transposed.before + y + 1) {
                of.row(simd, y, row);
            }
            let mut rows: [&[f32]; 5] = [&[]; 5];
            for (i, row) in rows[..window.kernel].iter_mut().enumerate() {
                *row = inputs.row(window.stride * y + i);
            }
            let gradient = &gradients.row(transposed.before + y)[transposed.before * c..][..out_width * c];
            let rows = &rows[..window.kernel];
            match (window.kernel, window.stride) {
                (3, 1) => depthwise_weights::<S, 3, 1>(simd, rows, gradient, c, d_weight),
                (3, _) => depthwise_weights::<S, 3, 2>(simd, rows, gradient, c, d_weight),
                (_, 1) => depthwise_weights::<S, 5, 1>(simd, rows, gradient, c, d_weight),
                _ => depthwise_weights::<S, 5, 2>(simd, rows, gradient, c, d_weight),
            }
            let Some(d_input) = &mut d_input else { continue };
            // The rows that no further row of the output touches.
            while next < height {
                let phase = transposed.phase(&window, next);
                if y + 1 < out_height && phase.first + phase.taps > transposed.before + y + 1 {
                    break;
                }
                // Below the last row lies padding alone.
                while gradients.next(phase.first + phase.taps).is_some() {}
                let at = next * width * step;
                let d_row = &mut d_input[at..][..width * step];
                let row = if step == c { &mut *d_row } else { &mut *wide };
                for x in 0..window.stride.min(width) {
                    let column = transposed.phase(&window, x);
                    let weights = &transposed.weights[phase.parity][column.parity];
                    let mut taps = [Taps::default(); 5];
                    for (i, taps) in taps[..phase.taps].iter_mut().enumerate() {
                        let row = &gradients.row(phase.first + i)[column.first * c..];
                        *taps = Taps { row, weights: &weights[i * column.taps * c..][..column.taps * c] };
                    }
                    let taps = &taps[..phase.taps];
                    let limits = Activation::None.limits();
                    let run = DepthwiseRow { taps, bias: &zeros[..c], limits, step: window.stride * c };
                    match column.taps {
                        1 => run.run::<S, 1, 1>(simd, &mut row[x * c..]),
                        2 => run.run::<S, 2, 1>(simd, &mut row[x * c..]),
                        3 => run.run::<S, 3, 1>(simd, &mut row[x * c..]),
                        _ => run.run::<S, 5, 1>(simd, &mut row[x * c..]),
                    }
                }
                if step != c {
                    widen(wide, c, d_row, step);
                }
                of.sums(simd, at, d_row, sums);
                next += 1;
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd>(self, simd: S, transposed: &Transposed) {
        let Self { of, d_weight, mut d_input, sums, scratch } = self;
        let Block { shape, step, zeros, .. } = of.block;
        let (step, ci, co) = (*step, shape.padded_in(), shape.padded_out());
        let (window, source) = (shape.window, of.source);
        let ([height, width], [out_height, out_width]) = (shape.size, shape.out());
        let (input_shape, gradient_shape) = (window.ring(shape.size, step), transposed.ring(shape));
        let mut inputs = Ring::new(input_shape, aligned(&mut scratch.input, input_shape.len()));
        let mut gradients = Ring::new(gradient_shape, aligned(&mut scratch.gradient, gradient_shape.len()));
        // Of one parity, and all of them.
        let scattered = aligned(&mut scratch.row, 2 * width * ci);
        let (part, wide) = scattered.split_at_mut(width * ci);
        let depth = window.kernel * step;
        let mut next = 0;
        for y in 0..out_height {
            while let Some((y, row)) = inputs.next(window.stride * y + window.kernel) {
                source.fill(simd, y * width * step, [step; 2], row);
            }
            while let Some((y, row)) = gradients.next(transposed.before + y + 1) {
                of.row(simd, y, row);
            }
            let gradient = &gradients.row(transposed.before + y)[transposed.before * co..][..out_width * co];
            for (i, d_weight) in d_weight.chunks_exact_mut(depth * co).enumerate() {
                let input = inputs.row(window.stride * y + i);
                outer(simd, input, [window.stride * step, depth], gradient, co, d_weight);
            }
            let Some(d_input) = &mut d_input else { continue };
            while next < height {
                let phase = transposed.phase(&window, next);
                if y + 1 < out_height && phase.first + phase.taps > transposed.before + y + 1 {
                    break;
                }
                while gradients.next(phase.first + phase.taps).is_some() {}
                let at = next * width * step;
                let d_row = &mut d_input[at..][..width * step];
                for x in 0..window.stride.min(width) {
                    let column = transposed.phase(&window, x);
                    let mut rows: [&[f32]; LARGEST] = [&[]; LARGEST];
                    let taps = if column.taps > 0 { phase.taps } else { 0 };
                    for (i, row) in rows[..taps].iter_mut().enumerate() {
                        *row = &gradients.row(phase.first + i)[column.first * co..];
                    }
                    let product = Product {
                        rows: &rows[..taps],
                        step: co,
                        depth: column.taps * co,
                        weights: &transposed.weights[phase.parity][column.parity],
                        bias: &zeros[..ci],
                        shortcut: &[],
                        shortcut_channels: 0,
                        limits: Activation::None.limits(),
                    };
                    if window.stride == 1 && step == ci {
                        product.run(simd, d_row);
                        continue;
                    }
                    let part = &mut part[..(width - x).div_ceil(window.stride) * ci];
                    product.run(simd, part);
                    for (i, pixel) in part.chunks_exact(ci).enumerate() {
                        wide[(x + i * window.stride) * ci..][..ci].copy_from_slice(pixel);
                    }
                }
                if window.stride > 1 || step != ci {
                    widen(wide, ci, d_row, step);
                }
                of.sums(simd, at, d_row, sums);
                next += 1;
            }
        }
    }

    #[inline(always)]
    fn winograd<S: Simd>(self, simd: S) {
        let Self { of, d_weight, d_input, sums, scratch } = self;
        let Block { shape, step, kernel, .. } = of.block;
        let BlockKernel::Winograd([_, back]) = kernel else { unreachable!("chosen by the caller") };
        let (ci, co) = (*step, shape.padded_out());
        let padding = shape.window.padding;
        let padded_row = (padding[0] + shape.size[1] + padding[1]) * ci;
        let input = match of.block.as_is(of.source) {
            Some(values) => values,
            None => {
                let out = aligned(&mut scratch.input, (padding[0] + shape.size[0] + padding[1]) * padded_row);
                Pad { of: of.block, source: of.source, out: &mut *out }.with_simd(simd);
                &*out
            }
        };
        // The gradient at the output, within as many zeros as the transposed convolution needs.
        let before = shape.window.kernel - 1 - padding[0];
        let [height, width] = shape.out();
        let gradient = aligned(&mut scratch.gradient, back.shape().in_len());
        for (y, padded) in gradient.chunks_exact_mut(back.shape().width * co).enumerate() {
            let y = y.wrapping_sub(before);
            if y >= height {
                padded.fill(0.0);
                continue;
            }
            let (left, row) = padded.split_at_mut(before * co);
            let (row, right) = row.split_at_mut(width * co);
            left.fill(0.0);
            right.fill(0.0);
            of.row(simd, y, row);
            for (i, d_weight) in d_weight.chunks_exact_mut(3 * ci * co).enumerate() {
                let input = &input[(y + i) * padded_row..][..padded_row];
                outer(simd, input, [ci, 3 * ci], row, co, d_weight);
            }
        }
        if let Some(d_input) = d_input {
            back.convolve(gradient, d_input, &mut [], &mut scratch.winograd);
            let row = shape.size[1] * ci;
            for (y, d_row) in d_input.chunks_exact(row).enumerate() {
                of.sums(simd, y * row, d_row, sums);
            }
        }
    }
}

/// Adds to the gradient `[k][co]` of a product's weights what a run of pixels gives:
/// `sum[i][o] += input[p * step + i] * gradient[p][o]`.
#[inline(always)]
fn outer<S: Simd>(
    simd: S,
    input: &[f32],
    [step, k]: [usize; 2],
    gradient: &[f32],
    co: usize,
    sum: &mut [f32],
) {
    let (pixels, lanes) = (gradient.len() / co, S::F32_LANES);
    assert!(pixels > 0 && input.len() >= (pixels - 1) * step + k && sum.len() == k * co);
    assert!(co.is_multiple_of(lanes));
    let wide = S::REGISTER_COUNT >= 32;
    let of =
        Outer { input: input.as_ptr(), step, gradient: gradient.as_ptr(), pixels, sum: sum.as_mut_ptr(), co };
    let mut c = 0;
    // SAFETY: checked above; k rows of `co` sums, `pixels` pixels of `co` gradients, and for each pixel the k
    // inputs from its first on.
    unsafe {
        // As in `Product::run`.
        if wide && co / lanes >= 3 && co / lanes % 2 == 1 {
            of.columns::<S, 3>(simd, c, k);
            c += 3 * lanes;
        }
        while c + 2 * lanes <= co {
            of.columns::<S, 2>(simd, c, k);
            c += 2 * lanes;
        }
        if c < co {
            of.columns::<S, 1>(simd, c, k);
        }
    }
}

/// Where [`outer`] reads and writes.
#[derive(Clone, Copy)]
struct Outer {
    input: *const f32,
    step: usize,
    gradient: *const f32,
    pixels: usize,
    sum: *mut f32,
    co: usize,
}

impl Outer {
    /// All `k` rows, `NV` vectors of columns from `c` on.
    ///
    /// # Safety
    /// As [`Outer::tile`], for all rows below `k`.
    #[inline(always)]
    unsafe fn columns<S: Simd, const NV: usize>(self, simd: S, c: usize, k: usize) {
        let mut i = 0;
        // SAFETY: each call covers rows below `k`.
        unsafe {
            macro_rules! tiles {
                ($rows:literal) => {
                    while i + ($rows - 1) < k {
                        self.tile::<S, $rows, NV>(simd, i, c);
                        i += $rows;
                    }
                };
            }
            // Sums, a gradient and one input must fit the registers.
            if S::REGISTER_COUNT >= 32 {
                if NV < 3 {
                    tiles!(12);
                    tiles!(9);
                }
                tiles!(8);
            } else {
                tiles!(6);
            }
            tiles!(4);
            tiles!(3);
            tiles!(1);
        }
    }

    /// `KB` rows from `i` on, `NV` vectors of columns from `c` on, in registers while the pixels pass by.
    ///
    /// # Safety
    /// `(pixels - 1) * step + i + KB` floats of `input`, `pixels` pixels of `co` floats of `gradient` and
    /// `i + KB` rows of `co` of `sum` must be there, and `c` and `NV` vectors must be `co` at most.
    #[inline(always)]
    unsafe fn tile<S: Simd, const KB: usize, const NV: usize>(self, simd: S, i: usize, c: usize) {
        // SAFETY: as promised by the caller.
        unsafe {
            let sum = self.sum.add(i * self.co + c);
            let mut acc: [[S::f32s; NV]; KB] = std::array::from_fn(|i| {
                std::array::from_fn(|v| load(simd, sum.add(i * self.co + v * S::F32_LANES)))
            });
            let (mut input, mut gradient) = (self.input.add(i), self.gradient.add(c));
            for _ in 0..self.pixels {
                let grad: [S::f32s; NV] = std::array::from_fn(|v| load(simd, gradient.add(v * S::F32_LANES)));
                for (i, acc) in acc.iter_mut().enumerate() {
                    let value = simd.splat_f32s(*input.add(i));
                    for (acc, grad) in acc.iter_mut().zip(grad) {
                        *acc = simd.mul_add_e_f32s(value, grad, *acc);
                    }
                }
                // After the last one both point beyond, and nothing reads there.
                input = input.wrapping_add(self.step);
                gradient = gradient.wrapping_add(self.co);
            }
            for (i, acc) in acc.iter().enumerate() {
                for (v, acc) in acc.iter().enumerate() {
                    store(simd, sum.add(i * self.co + v * S::F32_LANES), *acc);
                }
            }
        }
    }
}

/// Adds to the gradient `[K][K][channels]` of a depthwise kernel what a row of the output gives. `rows` are
/// those under the kernel.
#[inline(always)]
fn depthwise_weights<S: Simd, const K: usize, const STRIDE: usize>(
    simd: S,
    rows: &[&[f32]],
    gradient: &[f32],
    channels: usize,
    sum: &mut [f32],
) {
    let pixels = gradient.len() / channels;
    assert!(pixels > 0 && rows.len() == K && sum.len() == K * K * channels);
    assert!(rows.iter().all(|row| row.len() >= ((pixels - 1) * STRIDE + K) * channels));
    assert!(channels.is_multiple_of(S::F32_LANES));
    let mut x = 0;
    // SAFETY: checked above; each call covers pixels below `pixels`.
    unsafe {
        macro_rules! tiles {
            ($pixels:literal) => {
                while pixels - x >= $pixels {
                    for c in (0..channels).step_by(S::F32_LANES) {
                        depthwise_tile::<S, $pixels, K, STRIDE>(simd, rows, gradient, channels, [c, x], sum);
                    }
                    x += $pixels;
                }
            };
        }
        tiles!(8);
        tiles!(4);
        tiles!(1);
    }
}

/// Of `PX` pixels from `x` on, a vector of channels from `c` on.
///
/// # Safety
/// Every one of the K rows must hold `(x + PX - 1) * STRIDE + K` pixels, `gradient` `x + PX`, and `sum` K x K
/// of them; `c` and a vector must be the channels at most.
#[inline(always)]
unsafe fn depthwise_tile<S: Simd, const PX: usize, const K: usize, const STRIDE: usize>(
    simd: S,
    rows: &[&[f32]],
    gradient: &[f32],
    channels: usize,
    [c, x]: [usize; 2],
    sum: &mut [f32],
) {
    // SAFETY: the caller's promise.
    unsafe {
        let gradient: [S::f32s; PX] =
            std::array::from_fn(|p| load(simd, gradient.as_ptr().add((x + p) * channels + c)));
        let mut to = sum.as_mut_ptr().add(c);
        for row in rows {
            let mut acc: [S::f32s; K] = std::array::from_fn(|j| load(simd, to.add(j * channels)));
            let from = row.as_ptr().add(x * STRIDE * channels + c);
            for (p, gradient) in gradient.iter().enumerate() {
                for (j, acc) in acc.iter_mut().enumerate() {
                    let value = load(simd, from.add((p * STRIDE + j) * channels));
                    *acc = simd.mul_add_e_f32s(value, *gradient, *acc);
                }
            }
            for (j, acc) in acc.into_iter().enumerate() {
                store(simd, to.add(j * channels), acc);
            }
            to = to.wrapping_add(K * channels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{BlockShape, Forward, Normalisation};
    use super::*;
    use crate::kernels::Window;
    use crate::kernels::testing::{noise, padded, plain};

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    /// Without normalisation a block is a convolution C of x by w, linear in both, and its gradients at y are
    /// adjoint to it: <C(x', w), y> = <x', dx> and <C(x, w'), y> = <w', dw> for any x' and w'.
    fn agrees(forward: impl Fn(Forward), backward: impl Fn(RunBackward)) {
        let mut scratch = BlockScratch::default();
        for (size, channels_in, channels_out, kernel, stride, padding, depthwise) in [
            ([3, 5], 6, 10, 1, 1, [0, 0], false),
            ([4, 5], 3, 5, 1, 2, [0, 0], false),
            ([5, 6], 3, 9, 3, 2, [1, 1], false),
            ([4, 5], 2, 4, 5, 1, [2, 2], false),
            ([5, 3], 16, 16, 3, 1, [1, 1], false),
            ([4, 5], 7, 7, 3, 1, [1, 1], true),
            ([5, 6], 4, 4, 3, 2, [0, 1], true),
            ([5, 4], 5, 5, 5, 1, [2, 2], true),
            ([6, 5], 8, 8, 5, 2, [2, 2], true),
        ] {
            let window = Window { kernel, stride, padding };
            let activation = Activation::None;
            let shape =
                BlockShape { size, channels_in, channels_out, window, depthwise, activation, pool: 1 };
            let (len, weights) = (size[0] * size[1] * channels_in, shape.kernel_len());
            let [x, other_x] = [1, 2].map(|seed| noise(len, seed));
            let [w, other_w] = [3, 4].map(|seed| noise(weights, seed));
            let convolve =
                |x: &[f32], w: &[f32]| plain(window, size, x, w, &vec![0.0; channels_out], depthwise);
            let block = Block::new(shape, &w, channels_in);
            let source = BlockInput { values: &x, through: None };
            let n = shape.padded_out();

            let (mut out, mut sums) = (vec![f32::NAN; shape.out_len()], vec![0.0; 2 * n]);
            if let BlockKernel::Winograd(_) = block.kernel {
                block.forward(source, &mut out, &mut sums, &mut scratch);
            } else {
                let (out, sums, scratch) = (&mut out, &mut sums, &mut scratch);
                forward(Forward { of: &block, source, out, sums, scratch });
            }
            let expected = convolve(&x, &w);
            for (a, b) in out.iter().zip(padded(&expected, channels_out, n)) {
                assert!((a - b).abs() < 1e-4, "{shape:?}: {a} {b}");
            }
            for c in 0..channels_out {
                let channel = || expected.iter().skip(c).step_by(channels_out).map(|v| f64::from(*v));
                assert!((sums[c] - channel().sum::<f64>()).abs() < 1e-3);
                assert!((sums[n + c] - channel().map(|v| v * v).sum::<f64>()).abs() < 1e-2);
            }

            let y = noise(expected.len(), 5);
            let gradient = padded(&y, channels_out, n);
            let nothing = vec![0.0; n];
            let one = Normalisation { scale: vec![1.0; n], shift: nothing.clone(), activation };
            let norm = NormGradient { forward: one, offset: nothing.clone(), slope: nothing };
            let of = Backward { block: &block, source, conv_out: &out, gradient: &gradient, norm: &norm };
            let (mut d_weight, mut d_input) = (vec![0.0; block.weight_len()], vec![f32::NAN; len]);
            let (d_weight, d_input) = (&mut d_weight, &mut d_input);
            backward(RunBackward {
                of: &of,
                d_weight,
                d_input: Some(d_input),
                sums: &mut [],
                scratch: &mut scratch,
            });
            for (left, right) in [
                (dot(&convolve(&other_x, &w), &y), dot(&other_x, d_input)),
                (dot(&convolve(&x, &other_w), &y), dot(&other_w, &block.unpack(d_weight))),
            ] {
                assert!((left - right).abs() < 1e-3, "{shape:?}: {left} {right}");
            }
        }
    }

    #[test]
    fn gradients_are_adjoint_to_the_convolution() {
        agrees(|op| dispatch(op), |op| dispatch(op));
    }

    #[test]
    #[cfg_attr(miri, ignore = "in Miri the vectors that blocks are laid out for are shorter than these")]
    fn and_so_they_are_without_vector_instructions() {
        agrees(|op| pulp::Scalar128b.vectorize(op), |op| pulp::Scalar128b.vectorize(op));
    }
}
