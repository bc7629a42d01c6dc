//! The training step of a convolution with batch normalisation, activation and average pooling: forward and
//! backward, one picture at a time.
//!
//! What stands behind an activation is not kept where a few multiplications make it again: a block reads the
//! output of the convolution before it and normalises and activates each row on the way ([`BlockInput`]),
//! forward and backward. Gradients at a convolution's output exist a few rows at a time.
//!
//! The gradient at the input of a convolution is a convolution again, of the gradient at its output with the
//! kernel turned by 180 degrees. At stride 2 it is four of them, one for the even and odd rows and columns
//! each, with those of the kernel's rows and columns that meet them (`Transposed`).

mod backward;
mod norm;

pub use backward::Backward;
pub(super) use norm::add_sums;
pub use norm::{NormGradient, Normalisation};

use pulp::{Simd, WithSimd};

use super::depthwise::{DepthwiseRow, Taps, pack_depthwise};
use super::product::Product;
use super::ring::{Ring, RingShape};
use super::row_convolution::pack_kernel;
use super::{Activation, ConvShape, Window, Winograd, aligned, dispatch, lanes};
use norm::{activate, activate_pool, gradient_sums};

/// The largest kernel.
const LARGEST: usize = 11;

/// Extents of one picture's convolution, and of what stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockShape {
    /// Rows and columns of the input.
    pub size: [usize; 2],
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output; those of the input where it is depthwise.
    pub channels_out: usize,
    /// Where the kernel lies.
    pub window: Window,
    /// Whether each channel is convolved by itself (3x3 or 5x5).
    pub depthwise: bool,
    /// What stands behind the normalisation.
    pub activation: Activation,
    /// Pixels averaged to one in each direction: 2, or 1 for no pooling.
    pub pool: usize,
}

impl BlockShape {
    /// Rows and columns of the convolution's output.
    pub fn out(&self) -> [usize; 2] {
        self.window.out(self.size)
    }

    /// Rows and columns after pooling (what is left over of the last ones is dropped).
    pub fn pooled(&self) -> [usize; 2] {
        self.out().map(|n| n / self.pool)
    }

    /// Channels of the output, padded with zeros to whole vectors: the pixels of all maps between blocks.
    pub fn padded_out(&self) -> usize {
        self.channels_out.next_multiple_of(lanes())
    }

    /// Floats in the convolution's output.
    pub fn out_len(&self) -> usize {
        self.out().iter().product::<usize>() * self.padded_out()
    }

    /// Floats in the output after pooling.
    pub fn pooled_len(&self) -> usize {
        self.pooled().iter().product::<usize>() * self.padded_out()
    }

    /// Floats in the kernel.
    pub fn kernel_len(&self) -> usize {
        let each = if self.depthwise { 1 } else { self.channels_in };
        self.channels_out * each * self.window.kernel * self.window.kernel
    }

    fn padded_in(&self) -> usize {
        self.channels_in.next_multiple_of(lanes())
    }

    fn check(&self) {
        self.window.check();
        assert!(self.channels_in > 0 && self.channels_out > 0 && matches!(self.pool, 1 | 2));
        let Window { kernel, padding, .. } = self.window;
        assert!(self.size.iter().all(|n| *n > 0 && n + padding[0] + padding[1] >= kernel));
        if self.depthwise {
            assert!(self.channels_in == self.channels_out && matches!(kernel, 3 | 5));
        }
    }
}

/// A block's input.
#[derive(Debug, Clone, Copy)]
pub struct BlockInput<'a> {
    /// One picture: pixels of the floats that the block was made for.
    pub values: &'a [f32],
    /// What they have still to pass: normalisation and activation of the block before, whose convolution's
    /// output they are.
    pub through: Option<&'a Normalisation>,
}

impl BlockInput<'_> {
    /// Fills `out` with the pixels from float `at` on: pixels of `step` floats in the source, of `channels`
    /// in `out`, no fewer.
    #[inline(always)]
    fn fill<S: Simd>(&self, simd: S, at: usize, [step, channels]: [usize; 2], out: &mut [f32]) {
        let values = &self.values[at..][..out.len() / channels * step];
        match self.through {
            Some(norm) => activate(simd, norm, values, out),
            None => widen(values, step, out, channels),
        }
    }
}

/// Copies pixels of `step` floats to pixels of `channels` floats, as many of them as both have; the others
/// are zeros.
#[inline(always)]
fn widen(values: &[f32], step: usize, out: &mut [f32], channels: usize) {
    if step == channels {
        out.copy_from_slice(values);
        return;
    }
    for (pixel, out) in values.chunks_exact(step).zip(out.chunks_exact_mut(channels)) {
        let both = step.min(channels);
        out[..both].copy_from_slice(&pixel[..both]);
        out[both..].fill(0.0);
    }
}

/// Copies pixels of `step` floats to pixels of `channels` floats, as many of them as both have; the others
/// are zeros.
///
/// # Panics
/// If the lengths are not those of the same number of pixels.
pub fn repad(values: &[f32], step: usize, out: &mut [f32], channels: usize) {
    assert!(values.len().is_multiple_of(step) && out.len().is_multiple_of(channels));
    assert_eq!(values.len() / step, out.len() / channels);
    widen(values, step, out, channels);
}

/// A block with its weights laid out.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    shape: BlockShape,
    /// Floats from one input pixel to the next.
    step: usize,
    kernel: BlockKernel,
    /// As many zeros as either side has padded channels.
    zeros: Vec<f32>,
}

#[derive(Debug, Clone, PartialEq)]
enum BlockKernel {
    /// 1x1 at stride 1: `[in][padded out]`, and for the way back `[out][padded in]`.
    Pointwise([Vec<f32>; 2]),
    /// `[k][k][padded]`.
    Depthwise(Vec<f32>, Transposed),
    /// With the padded pictures as their input.
    Winograd([Box<Winograd>; 2]),
    /// `[k][k * step][padded out]`.
    Rows(Vec<f32>, Transposed),
}

impl Block {
    /// Lays out a kernel `[out][in][k][k]`, or `[channels][1][k][k]` where it is depthwise. An input pixel
    /// has `step` floats: the channels, or the padded channels.
    ///
    /// # Panics
    /// If the shape is none, or a length does not fit it.
    pub fn new(shape: BlockShape, kernel: &[f32], step: usize) -> Self {
        shape.check();
        assert_eq!(kernel.len(), shape.kernel_len());
        let BlockShape { channels_in, channels_out, window, .. } = shape;
        let (ci, co) = (shape.padded_in(), shape.padded_out());
        assert!(step == channels_in || step == ci);
        let k = window.kernel;
        let kernel = if shape.depthwise {
            let packed = pack_depthwise(kernel, k, co);
            let transposed = Transposed::new(&shape, co, |i, j, out| {
                out.extend_from_slice(&packed[(i * k + j) * co..][..co]);
            });
            BlockKernel::Depthwise(packed, transposed)
        } else if k == 1 && window.stride == 1 && window.padding == [0, 0] {
            let mut back = vec![0.0; channels_out * ci];
            for (back, row) in back.chunks_exact_mut(ci).zip(kernel.chunks_exact(channels_in)) {
                back[..channels_in].copy_from_slice(row);
            }
            BlockKernel::Pointwise([pack_kernel(kernel, channels_out, 1, channels_in, lanes()), back])
        } else if Self::winograd_pays(&shape) {
            BlockKernel::Winograd(Self::winograd(&shape, kernel).map(Box::new))
        } else {
            let transposed = Transposed::new(&shape, co * ci, |i, j, out| {
                let at = out.len();
                out.resize(at + co * ci, 0.0);
                for (o, row) in out[at..].chunks_exact_mut(ci).take(channels_out).enumerate() {
                    for (c, weight) in row[..channels_in].iter_mut().enumerate() {
                        *weight = kernel[((o * channels_in + c) * k + i) * k + j];
                    }
                }
            });
            BlockKernel::Rows(pack_kernel(kernel, channels_out, k, step, lanes()), transposed)
        };
        Self { shape, step, kernel, zeros: vec![0.0; ci.max(co)] }
    }

    fn winograd_pays(shape: &BlockShape) -> bool {
        let whole = |channels: usize| channels.is_multiple_of(16) && channels.is_multiple_of(lanes());
        let Window { kernel, stride, .. } = shape.window;
        kernel == 3 && stride == 1 && whole(shape.channels_in) && whole(shape.channels_out)
    }

    /// Forward and back.
    fn winograd(shape: &BlockShape, kernel: &[f32]) -> [Winograd; 2] {
        let BlockShape { channels_in, channels_out, window: Window { padding, .. }, .. } = *shape;
        let [height, width] = shape.size.map(|n| n + padding[0] + padding[1]);
        let forward = ConvShape { height, width, channels_in, channels_out, stride: 1, pool: 1 };
        let [height, width] = shape.size.map(|n| n + 2);
        let back =
            ConvShape { height, width, channels_in: channels_out, channels_out: channels_in, ..forward };
        [Winograd::new(forward, kernel, &vec![0.0; channels_out]), Winograd::transposed(back, kernel)]
    }

    /// Its extents.
    pub fn shape(&self) -> &BlockShape {
        &self.shape
    }

    /// Floats in an input.
    pub fn in_len(&self) -> usize {
        self.shape.size.iter().product::<usize>() * self.step
    }

    /// Floats in the gradient of the kernel as [`Backward::run`] adds it up.
    pub fn weight_len(&self) -> usize {
        let area = self.shape.window.kernel * self.shape.window.kernel;
        match &self.kernel {
            BlockKernel::Pointwise([forward, _]) => forward.len(),
            BlockKernel::Depthwise(..) => area * self.shape.padded_out(),
            _ => area * self.step * self.shape.padded_out(),
        }
    }

    /// That gradient in the layout of the kernel.
    ///
    /// # Panics
    /// If the length is not [`Block::weight_len`].
    pub fn unpack(&self, packed: &[f32]) -> Vec<f32> {
        assert_eq!(packed.len(), self.weight_len());
        let BlockShape { channels_in, channels_out, window, depthwise, .. } = self.shape;
        let (area, n) = (window.kernel * window.kernel, self.shape.padded_out());
        let (inputs, rows) = match &self.kernel {
            _ if depthwise => (1, 0),
            BlockKernel::Pointwise(_) => (channels_in, channels_in),
            _ => (channels_in, self.step),
        };
        let mut kernel = Vec::with_capacity(channels_out * inputs * area);
        for o in 0..channels_out {
            for i in 0..inputs {
                kernel.extend((0..area).map(|t| match depthwise {
                    true => packed[t * n + o],
                    false => packed[(t * rows + i) * n + o],
                }));
            }
        }
        kernel
    }

    /// Convolves one picture. `sums` receives each padded channel's sum, then each one's sum of squares over
    /// the picture, which batch normalisation needs and which are cheapest to take while a row is still in
    /// cache.
    ///
    /// # Panics
    /// If a length does not fit the shape.
    pub fn forward(&self, source: BlockInput, out: &mut [f32], sums: &mut [f64], scratch: &mut BlockScratch) {
        self.check_source(source);
        assert_eq!(out.len(), self.shape.out_len());
        assert_eq!(sums.len(), 2 * self.shape.padded_out());
        sums.fill(0.0);
        match &self.kernel {
            BlockKernel::Winograd([forward, _]) => {
                let BlockScratch { input, winograd, .. } = scratch;
                let input = match self.as_is(source) {
                    Some(values) => values,
                    None => {
                        let len = forward.shape().in_len();
                        let padded = aligned(input, len);
                        dispatch(Pad { of: self, source, out: &mut *padded });
                        padded
                    }
                };
                forward.convolve(input, out, sums, winograd);
            }
            _ => dispatch(Forward { of: self, source, out, sums, scratch }),
        }
    }

    fn check_source(&self, source: BlockInput) {
        assert_eq!(source.values.len(), self.in_len());
        if let Some(norm) = source.through {
            norm.check(self.shape.padded_in());
            assert_eq!(self.step, self.shape.padded_in());
        }
    }

    /// The source, where it is what the convolution reads, padding included.
    fn as_is<'a>(&self, source: BlockInput<'a>) -> Option<&'a [f32]> {
        (source.through.is_none() && self.shape.window.padding == [0, 0]).then_some(source.values)
    }

    /// Rows of an input that are multiplied together: enough pixels to fill the registers with, few enough to
    /// stay in the near caches.
    fn band(&self) -> usize {
        const FLOATS: usize = 10_240;
        let pixels = (FLOATS / (self.shape.padded_in() + self.shape.padded_out())).clamp(16, 128);
        (pixels / self.shape.size[1]).max(1)
    }
}

/// Buffers of a block. One a thread.
#[derive(Debug, Clone, Default)]
pub struct BlockScratch {
    input: Vec<f32>,
    gradient: Vec<f32>,
    row: Vec<f32>,
    winograd: Vec<f32>,
}

/// Writes the padded picture of a block by Winograd's method.
struct Pad<'a> {
    of: &'a Block,
    source: BlockInput<'a>,
    out: &'a mut [f32],
}

impl WithSimd for Pad<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of: Block { shape, step, .. }, source, out } = self;
        let [before, after] = shape.window.padding;
        let row = shape.size[1] * step;
        for (y, out) in out.chunks_exact_mut((before + shape.size[1] + after) * step).enumerate() {
            let y = y.wrapping_sub(before);
            if y >= shape.size[0] {
                out.fill(0.0);
                continue;
            }
            let (left, out) = out.split_at_mut(before * step);
            let (out, right) = out.split_at_mut(row);
            left.fill(0.0);
            right.fill(0.0);
            source.fill(simd, y * row, [*step; 2], out);
        }
    }
}

struct Forward<'a> {
    of: &'a Block,
    source: BlockInput<'a>,
    out: &'a mut [f32],
    sums: &'a mut [f64],
    scratch: &'a mut BlockScratch,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, source, out, sums, scratch } = self;
        let Block { shape, step, kernel, zeros } = of;
        let (step, co, window) = (*step, shape.padded_out(), shape.window);
        let zeros = &zeros[..co];
        let (in_row, out_row) = (shape.size[1] * step, shape.out()[1] * co);
        let product = Product {
            rows: &[],
            step: window.stride * step,
            depth: 0,
            weights: &[],
            bias: zeros,
            shortcut: &[],
            shortcut_channels: 0,
            limits: Activation::None.limits(),
        };
        match kernel {
            BlockKernel::Pointwise([weights, _]) => {
                let band = of.band();
                for (i, out) in out.chunks_mut(band * out_row).enumerate() {
                    let (at, len) = (i * band * in_row, out.len() / co * step);
                    let rows: [&[f32]; 1] = match source.through {
                        None => [&source.values[at..][..len]],
                        Some(_) => {
                            let input = aligned(&mut scratch.input, len);
                            source.fill(simd, at, [step; 2], input);
                            [input]
                        }
                    };
                    Product { rows: &rows, depth: shape.channels_in, weights, ..product }.run(simd, out);
                    add_sums(simd, out, co, sums);
                }
            }
            BlockKernel::Depthwise(weights, _) => {
                let ring_shape = window.ring(shape.size, co);
                let mut ring = Ring::new(ring_shape, aligned(&mut scratch.input, ring_shape.len()));
                for (y, out) in out.chunks_exact_mut(out_row).enumerate() {
                    while let Some((y, row)) = ring.next(window.stride * y + window.kernel) {
                        source.fill(simd, y * in_row, [step, co], row);
                    }
                    let mut taps = [Taps::default(); 5];
                    for (i, taps) in taps[..window.kernel].iter_mut().enumerate() {
                        let weights = &weights[i * window.kernel * co..][..window.kernel * co];
                        *taps = Taps { row: ring.row(window.stride * y + i), weights };
                    }
                    let limits = Activation::None.limits();
                    let row = DepthwiseRow { taps: &taps[..window.kernel], bias: zeros, limits, step: co };
                    match (window.kernel, window.stride) {
                        (3, 1) => row.run::<S, 3, 1>(simd, out),
                        (3, _) => row.run::<S, 3, 2>(simd, out),
                        (_, 1) => row.run::<S, 5, 1>(simd, out),
                        _ => row.run::<S, 5, 2>(simd, out),
                    }
                    add_sums(simd, out, co, sums);
                }
            }
            BlockKernel::Rows(weights, _) => {
                let ring_shape = window.ring(shape.size, step);
                let mut ring = Ring::new(ring_shape, aligned(&mut scratch.input, ring_shape.len()));
                for (y, out) in out.chunks_exact_mut(out_row).enumerate() {
                    while let Some((y, row)) = ring.next(window.stride * y + window.kernel) {
                        source.fill(simd, y * in_row, [step; 2], row);
                    }
                    let mut rows: [&[f32]; LARGEST] = [&[]; LARGEST];
                    for (i, row) in rows[..window.kernel].iter_mut().enumerate() {
                        *row = ring.row(window.stride * y + i);
                    }
                    let (rows, depth) = (&rows[..window.kernel], window.kernel * step);
                    Product { rows, depth, weights, ..product }.run(simd, out);
                    add_sums(simd, out, co, sums);
                }
            }
            BlockKernel::Winograd(_) => unreachable!("run by itself"),
        }
    }
}

/// The kernel on the way back. For the input's rows (or columns) of one parity, at stride 1 for all of them,
/// the kernel's rows i, i + stride, ... from the parity on meet neighbouring rows of the output, the last one
/// of them the topmost.
#[derive(Debug, Clone, PartialEq)]
struct Transposed {
    stride: usize,
    /// Rows and columns of zeros that it needs before and after the gradient at the output.
    before: usize,
    after: [usize; 2],
    /// For the parity of a row and of a column, weights by row of the kernel, then from the leftmost column
    /// of the output on.
    weights: [[Vec<f32>; 2]; 2],
}

/// Where the rows or columns of an input lie on the gradient at the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Phase {
    parity: usize,
    /// Neighbouring rows or columns that each of them reads.
    taps: usize,
    /// The first of those, counted from the padding's first.
    first: usize,
}

impl Transposed {
    /// `weight` appends what the kernel has at a row and a column.
    fn new(shape: &BlockShape, each: usize, weight: impl Fn(usize, usize, &mut Vec<f32>)) -> Self {
        let Window { kernel, stride, padding } = shape.window;
        let out = shape.out();
        let last = shape.size.map(|n| (n - 1 + padding[0]) / stride + 1);
        let after = [0, 1].map(|d| last[d].saturating_sub(out[d]));
        let weights = [0, 1].map(|row| {
            [0, 1].map(|column| {
                let mut weights = Vec::new();
                if row < stride && column < stride {
                    weights.reserve(each * kernel * kernel);
                    for i in (row..kernel).step_by(stride).rev() {
                        for j in (column..kernel).step_by(stride).rev() {
                            weight(i, j, &mut weights);
                        }
                    }
                }
                weights
            })
        });
        Self { stride, before: (kernel - 1 - padding[0]) / stride, after, weights }
    }

    /// Of row or column `at` of the input.
    #[inline(always)]
    fn phase(&self, window: &Window, at: usize) -> Phase {
        let parity = (at + window.padding[0]) % self.stride;
        let taps = (window.kernel - parity).div_ceil(self.stride);
        let last = (at + window.padding[0]) / self.stride + self.before;
        Phase { parity, taps, first: last + 1 - taps }
    }

    /// The ring of rows that the gradient at the output goes through.
    fn ring(&self, shape: &BlockShape) -> RingShape {
        RingShape {
            kernel: shape.window.kernel.div_ceil(self.stride),
            size: shape.out(),
            padding: [self.before, self.after[1]],
            channels: shape.padded_out(),
        }
    }
}

/// Takes one picture through normalisation, activation and pooling: `out` is [`BlockShape::pooled_len`] long.
///
/// # Panics
/// If a length does not fit the shape.
pub fn normalise(shape: &BlockShape, conv_out: &[f32], norm: &Normalisation, out: &mut [f32]) {
    struct RunNormalise<'a>(&'a BlockShape, &'a [f32], &'a Normalisation, &'a mut [f32]);
    impl WithSimd for RunNormalise<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(shape, conv_out, norm, out) = self;
            let co = shape.padded_out();
            let row = shape.out()[1] * co;
            if shape.pool == 1 {
                activate(simd, norm, conv_out, out);
            } else if shape.pooled()[1] > 0 {
                for (y, out) in out.chunks_exact_mut(shape.pooled()[1] * co).enumerate() {
                    activate_pool(simd, norm, &conv_out[2 * y * row..], row, out);
                }
            }
        }
    }
    shape.check();
    norm.check(shape.padded_out());
    assert_eq!([conv_out.len(), out.len()], [shape.out_len(), shape.pooled_len()]);
    dispatch(RunNormalise(shape, conv_out, norm, out));
}

/// Adds the sums over one picture that the gradients of batch normalisation are made of: of each padded
/// channel the sum of r (see [`NormGradient`]), then of each the sum of r times the convolution's output.
/// `gradient` is the one at the pooled output.
///
/// # Panics
/// If a length does not fit the shape.
pub fn norm_gradient_sums(
    shape: &BlockShape,
    conv_out: &[f32],
    gradient: &[f32],
    norm: &Normalisation,
    sums: &mut [f64],
) {
    struct RunGradientSums<'a>(&'a BlockShape, &'a [f32], &'a [f32], &'a Normalisation, &'a mut [f64]);
    impl WithSimd for RunGradientSums<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(shape, conv_out, gradient, norm, sums) = self;
            let co = shape.padded_out();
            let [out, pooled] = [shape.out()[1], shape.pooled()[1]].map(|pixels| pixels * co);
            if pooled == 0 {
                return;
            }
            for (y, gradient) in gradient.chunks_exact(pooled).enumerate() {
                let rows = &conv_out[shape.pool * y * out..][..shape.pool * out];
                match shape.pool {
                    1 => gradient_sums::<S, 1>(simd, norm, rows, out, gradient, sums),
                    _ => gradient_sums::<S, 2>(simd, norm, rows, out, gradient, sums),
                }
            }
        }
    }
    shape.check();
    norm.check(shape.padded_out());
    assert_eq!([conv_out.len(), gradient.len()], [shape.out_len(), shape.pooled_len()]);
    assert_eq!(sums.len(), 2 * shape.padded_out());
    dispatch(RunGradientSums(shape, conv_out, gradient, norm, sums));
}
