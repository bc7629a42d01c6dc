//! Depthwise convolution: each channel by itself, with a kernel of its own.

use pulp::{Simd, WithSimd};

use super::ring::{Ring, RingShape};
use super::row_convolution::Window;
use super::{Activation, aligned, dispatch, load, store};

/// A depthwise convolution, 3x3 or 5x5, and what is kept of its bias and activation.
#[derive(Debug, Clone, PartialEq)]
pub struct Depthwise {
    window: Window,
    channels: usize,
    /// `[kernel][kernel][padded channels]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Depthwise {
    /// Lays out a kernel `[channels][kernel][kernel]` and its bias `[channels]`; channels are padded to a
    /// multiple of `padding`, itself a multiple of [`lanes`](super::lanes).
    ///
    /// # Panics
    /// If a length does not fit the window, or the window is no 3x3 or 5x5 with stride 1 or 2.
    pub fn new(window: Window, kernel: &[f32], bias: &[f32], activation: Activation, padding: usize) -> Self {
        window.check();
        assert!(matches!(window.kernel, 3 | 5) && !bias.is_empty());
        let weights = pack_depthwise(kernel, window.kernel, bias.len().next_multiple_of(padding));
        let channels = bias.len();
        assert_eq!(kernel.len(), channels * window.kernel * window.kernel);
        let mut bias = bias.to_vec();
        bias.resize(channels.next_multiple_of(padding), 0.0);
        Self { window, channels, weights, bias, activation }
    }

    /// Where the kernel lies.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Channels of input and output, padding included.
    pub fn padded(&self) -> usize {
        self.bias.len()
    }

    /// Channels of input and output.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Runs one map of padded channels, `size` its height and width. `scratch` is resized as needed and can
    /// be used again.
    ///
    /// # Panics
    /// If `input` or `out` does not fit the size, or the padding this machine.
    pub fn run(&self, input: &[f32], size: [usize; 2], out: &mut [f32], scratch: &mut Vec<f32>) {
        let [rows, columns] = self.window.out(size);
        assert_eq!(input.len(), size[0] * size[1] * self.padded());
        assert_eq!(out.len(), rows * columns * self.padded());
        dispatch(RunDepthwise { of: self, input, size, out, scratch });
    }

    pub(super) fn ring(&self, size: [usize; 2]) -> RingShape {
        self.window.ring(size, self.padded())
    }

    /// Row `y` of the output, from the rows of the padded picture.
    #[inline(always)]
    pub(super) fn row<S: Simd>(&self, simd: S, ring: &Ring, y: usize, out: &mut [f32]) {
        let Window { kernel, stride, .. } = self.window;
        let channels = self.padded();
        let mut taps = [Taps::default(); 5];
        for (i, taps) in taps[..kernel].iter_mut().enumerate() {
            let weights = &self.weights[i * kernel * channels..][..kernel * channels];
            *taps = Taps { row: ring.row(stride * y + i), weights };
        }
        let taps = &taps[..kernel];
        let row = DepthwiseRow { taps, bias: &self.bias, limits: self.activation.limits(), step: channels };
        match (kernel, stride) {
            (3, 1) => row.run::<S, 3, 1>(simd, out),
            (3, _) => row.run::<S, 3, 2>(simd, out),
            (_, 1) => row.run::<S, 5, 1>(simd, out),
            _ => row.run::<S, 5, 2>(simd, out),
        }
    }
}

/// Packs a kernel `[channels][k][k]` as `[k][k][padded]`, zeros in the padding.
pub(super) fn pack_depthwise(kernel: &[f32], k: usize, padded: usize) -> Vec<f32> {
    let mut packed = vec![0.0; k * k * padded];
    for (c, kernel) in kernel.chunks_exact(k * k).enumerate() {
        for (t, weight) in kernel.iter().enumerate() {
            packed[t * padded + c] = *weight;
        }
    }
    packed
}

struct RunDepthwise<'a> {
    of: &'a Depthwise,
    input: &'a [f32],
    size: [usize; 2],
    out: &'a mut [f32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for RunDepthwise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, input, size, out, scratch } = self;
        let shape = of.ring(size);
        let mut ring = Ring::new(shape, aligned(scratch, shape.len()));
        let Window { kernel, stride, .. } = of.window;
        let in_row = size[1] * of.padded();
        for (y, out) in out.chunks_exact_mut(of.window.out(size)[1] * of.padded()).enumerate() {
            while let Some((y, row)) = ring.next(stride * y + kernel) {
                row.copy_from_slice(&input[y * in_row..][..in_row]);
            }
            of.row(simd, &ring, y, out);
        }
    }
}

/// A row under the kernel, and the row of the kernel: `[taps][channels]`.
#[derive(Clone, Copy, Default)]
pub(super) struct Taps<'a> {
    pub row: &'a [f32],
    pub weights: &'a [f32],
}

/// One row of a depthwise convolution.
#[derive(Clone, Copy)]
pub(super) struct DepthwiseRow<'a> {
    /// The rows under the kernel.
    pub taps: &'a [Taps<'a>],
    /// One a channel.
    pub bias: &'a [f32],
    /// See [`Activation::limits`].
    pub limits: [f32; 2],
    /// Floats from one output pixel to the next.
    pub step: usize,
}

impl DepthwiseRow<'_> {
    /// Writes the pixels that `out` holds, each the sum over `TAPS` pixels of every row; the next one's are
    /// `STRIDE` pixels further.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(super) fn run<S: Simd, const TAPS: usize, const STRIDE: usize>(self, simd: S, out: &mut [f32]) {
        let channels = self.bias.len();
        assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES) && self.step >= channels);
        let pixels = out.len().div_ceil(self.step);
        assert!(pixels == 0 || out.len() >= (pixels - 1) * self.step + channels);
        let fits = |taps: &Taps| {
            taps.row.len() >= (pixels.max(1) * STRIDE - STRIDE + TAPS) * channels
                && taps.weights.len() == TAPS * channels
        };
        assert!(self.taps.iter().all(fits));
        let mut x = 0;
        // SAFETY: checked above for all pixels and channels; each call covers pixels below `pixels`.
        unsafe {
            macro_rules! tiles {
                ($pixels:literal) => {
                    while pixels - x >= $pixels {
                        for c in (0..channels).step_by(S::F32_LANES) {
                            self.tile::<S, $pixels, TAPS, STRIDE>(simd, [c, x], out);
                        }
                        x += $pixels;
                    }
                };
            }
            // At stride 2 eight pixels have more inputs under them than there are registers.
            if STRIDE == 1 {
                tiles!(8);
            }
            tiles!(4);
            tiles!(1);
        }
    }

    /// `PX` neighbouring pixels from `x` on, a vector of channels from `c` on.
    ///
    /// # Safety
    /// Every row must hold `(x + PX - 1) * STRIDE + TAPS` pixels, every row of weights `TAPS`, and `out` the
    /// pixels' vectors; `c` and a vector must be the channels at most.
    #[inline(always)]
    unsafe fn tile<S: Simd, const PX: usize, const TAPS: usize, const STRIDE: usize>(
        &self,
        simd: S,
        [c, x]: [usize; 2],
        out: &mut [f32],
    ) {
        let channels = self.bias.len();
        // SAFETY: the caller's promise.
        unsafe {
            let mut sums = [load(simd, self.bias.as_ptr().add(c)); PX];
            // One row after the other: sums, a row's weights and a value fit into 16 registers.
            for Taps { row, weights } in self.taps {
                let weights: [S::f32s; TAPS] =
                    std::array::from_fn(|j| load(simd, weights.as_ptr().add(j * channels + c)));
                // A value's address is the same for all pixels whose kernels lie over it, so it is read once.
                let from = row.as_ptr().add(x * STRIDE * channels + c);
                for (p, sum) in sums.iter_mut().enumerate() {
                    for (j, weight) in weights.iter().enumerate() {
                        let value = load(simd, from.add((p * STRIDE + j) * channels));
                        *sum = simd.mul_add_e_f32s(value, *weight, *sum);
                    }
                }
            }
            let [least, most] = self.limits.map(|limit| simd.splat_f32s(limit));
            let mut to = out.as_mut_ptr().add(x * self.step + c);
            for sum in sums {
                store(simd, to, simd.min_f32s(simd.max_f32s(sum, least), most));
                to = to.wrapping_add(self.step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes;
    use crate::kernels::testing::{cases, noise, padded, plain};
    use pulp::{Scalar128b, Scalar256b, Scalar512b};

    fn agrees(run: impl Fn(RunDepthwise), lanes: usize) {
        let mut scratch = Vec::new();
        let all = [
            ([5, 9], 3, 3, 1, [1, 1]),
            ([8, 30], 24, 3, 1, [1, 1]),
            ([8, 30], 20, 3, 2, [1, 1]),
            ([9, 14], 17, 3, 2, [0, 1]),
            ([6, 13], 16, 5, 1, [2, 2]),
            ([8, 8], 40, 5, 2, [2, 2]),
            ([7, 7], 5, 5, 2, [0, 0]),
            ([1, 1], 5, 5, 1, [2, 2]),
        ];
        let few = [
            ([3, 6], 5, 3, 1, [1, 1]),
            ([5, 7], 9, 3, 2, [0, 1]),
            ([4, 6], 3, 5, 2, [2, 2]),
            ([1, 1], 5, 5, 1, [2, 2]),
        ];
        for &(size, channels, kernel, stride, padding) in cases(&all, &few) {
            let window = Window { kernel, stride, padding };
            let area = kernel * kernel;
            let (x, weights) = (noise(size[0] * size[1] * channels, 1), noise(area * channels, 2));
            let bias = noise(channels, 3);
            let conv = Depthwise::new(window, &weights, &bias, Activation::Relu6, lanes);
            let n = conv.padded();
            let [rows, columns] = window.out(size);
            let mut out = vec![f32::NAN; rows * columns * n];
            let x_padded = padded(&x, channels, n);
            run(RunDepthwise { of: &conv, input: &x_padded, size, out: &mut out, scratch: &mut scratch });
            let expected = plain(window, size, &x, &weights, &bias, true);
            let expected: Vec<f32> = expected.iter().map(|v| v.clamp(0.0, 6.0)).collect();
            for (i, (a, b)) in out.iter().zip(padded(&expected, channels, n)).enumerate() {
                let limit = if i % n >= channels { 0.0 } else { 1e-5 };
                assert!((a - b).abs() <= limit, "{window:?} {size:?} {i}: {a} {b}");
            }
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_vector_length() {
        agrees(|op| Scalar128b.vectorize(op), 4);
        agrees(|op| Scalar256b.vectorize(op), 8);
        agrees(|op| Scalar512b.vectorize(op), 16);
        agrees(|op| dispatch(op), lanes());
    }
}
