//! Convolution with any odd kernel, stride and padding, by rows.

use pulp::{Simd, WithSimd};

use super::product::Product;
use super::ring::{Ring, RingShape};
use super::{Activation, aligned, dispatch, normalise};

/// The largest kernel.
const LARGEST: usize = 11;

/// Where a kernel lies on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Rows and columns of the kernel, an odd number.
    pub kernel: usize,
    /// Input pixels from one output pixel to the next: 1 or 2.
    pub stride: usize,
    /// Pixels of zeros before and after the picture in both directions, fewer than the kernel's.
    pub padding: [usize; 2],
}

impl Window {
    /// Rows and columns of the output for an input of that many, which with its padding must be the kernel's
    /// at least.
    pub fn out(&self, size: [usize; 2]) -> [usize; 2] {
        size.map(|n| (n + self.padding[0] + self.padding[1] - self.kernel) / self.stride + 1)
    }

    pub(super) fn check(&self) {
        assert!(self.kernel % 2 == 1 && self.kernel <= LARGEST && matches!(self.stride, 1 | 2));
        assert!(self.padding.iter().all(|padding| *padding < self.kernel));
    }

    pub(super) fn ring(&self, size: [usize; 2], channels: usize) -> RingShape {
        RingShape { kernel: self.kernel, size, padding: self.padding, channels }
    }
}

/// A convolution. Channels of the output are padded with zeros to a multiple of the vector length.
#[derive(Debug, Clone, PartialEq)]
pub struct RowConvolution {
    window: Window,
    /// Floats of an input pixel.
    channels: usize,
    /// `[kernel][kernel * channels][padded out]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

/// A picture to convolve.
#[derive(Clone, Copy)]
enum ConvolutionInput<'a> {
    Floats(&'a [f32]),
    Bytes(&'a [u8]),
}

impl RowConvolution {
    /// Lays out a kernel `[out][in][kernel][kernel]` and its bias `[out]`. An input pixel has `channels`
    /// floats, of which the first are the kernel's inputs and the others zeros. Output channels are padded to
    /// a multiple of `padding`, itself a multiple of [`lanes`](super::lanes).
    ///
    /// # Panics
    /// If a length does not fit, or the window is none (see [`Window`]; up to 11x11).
    pub fn new(
        window: Window,
        channels: usize,
        kernel: &[f32],
        bias: &[f32],
        activation: Activation,
        padding: usize,
    ) -> Self {
        window.check();
        let weights = pack_kernel(kernel, bias.len(), window.kernel, channels, padding);
        let mut bias = bias.to_vec();
        bias.resize(bias.len().next_multiple_of(padding), 0.0);
        Self { window, channels, weights, bias, activation }
    }

    /// Where the kernel lies.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Channels of the output, padding included.
    pub fn padded_out(&self) -> usize {
        self.bias.len()
    }

    /// Runs one map, `size` its height and width. `scratch` is resized as needed and can be used again.
    ///
    /// # Panics
    /// If `input` or `out` does not fit the size, or the padding this machine.
    pub fn run(&self, input: &[f32], size: [usize; 2], out: &mut [f32], scratch: &mut Vec<f32>) {
        assert_eq!(input.len(), size[0] * size[1] * self.channels);
        dispatch(RunConvolution { of: self, picture: ConvolutionInput::Floats(input), size, out, scratch });
    }

    /// The same for a picture of bytes, which become numbers from -1 to 1 row by row, as the convolution gets
    /// to them.
    ///
    /// # Panics
    /// If `input` or `out` does not fit the size, or the padding this machine.
    pub fn run_bytes(&self, input: &[u8], size: [usize; 2], out: &mut [f32], scratch: &mut Vec<f32>) {
        assert_eq!(input.len(), size[0] * size[1] * self.channels);
        dispatch(RunConvolution { of: self, picture: ConvolutionInput::Bytes(input), size, out, scratch });
    }
}

/// Packs a kernel `[out][in][k][k]` as `[k][k * channels][padded out]`, zeros for the channels that it lacks.
pub(super) fn pack_kernel(kernel: &[f32], out: usize, k: usize, channels: usize, padding: usize) -> Vec<f32> {
    let (area, n) = (k * k, out.next_multiple_of(padding));
    assert!(out > 0 && kernel.len().is_multiple_of(out * area));
    let inputs = kernel.len() / (out * area);
    assert!(inputs <= channels);
    let mut weights = vec![0.0; area * channels * n];
    for (at, plane) in kernel.chunks_exact(area).enumerate() {
        let (o, i) = (at / inputs, at % inputs);
        for (t, weight) in plane.iter().enumerate() {
            weights[(t * channels + i) * n + o] = *weight;
        }
    }
    weights
}

struct RunConvolution<'a> {
    of: &'a RowConvolution,
    picture: ConvolutionInput<'a>,
    size: [usize; 2],
    out: &'a mut [f32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for RunConvolution<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, picture, size, out, scratch } = self;
        let Window { kernel, stride, .. } = of.window;
        let [rows, columns] = of.window.out(size);
        assert_eq!(out.len(), rows * columns * of.padded_out());
        let shape = of.window.ring(size, of.channels);
        let mut ring = Ring::new(shape, aligned(scratch, shape.len()));
        let in_row = size[1] * of.channels;
        for (y, out) in out.chunks_exact_mut(columns * of.padded_out()).enumerate() {
            while let Some((y, row)) = ring.next(stride * y + kernel) {
                match picture {
                    ConvolutionInput::Floats(values) => row.copy_from_slice(&values[y * in_row..][..in_row]),
                    ConvolutionInput::Bytes(bytes) => {
                        normalise(&bytes[y * in_row..][..in_row], &mut row[..in_row]);
                    }
                }
            }
            let mut rows: [&[f32]; LARGEST] = [&[]; LARGEST];
            for (i, row) in rows[..kernel].iter_mut().enumerate() {
                *row = ring.row(stride * y + i);
            }
            let product = Product {
                rows: &rows[..kernel],
                step: stride * of.channels,
                depth: kernel * of.channels,
                weights: &of.weights,
                bias: &of.bias,
                shortcut: &[],
                shortcut_channels: 0,
                limits: of.activation.limits(),
            };
            product.run(simd, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes;
    use crate::kernels::testing::{cases, noise, padded, plain};
    use pulp::{Scalar128b, Scalar256b, Scalar512b};

    fn agrees(run: impl Fn(RunConvolution), lanes: usize) {
        let mut scratch = Vec::new();
        let all = [
            ([8, 30], 3, 32, 3, 2, [1, 1]),
            ([7, 9], 16, 20, 3, 1, [1, 1]),
            ([6, 14], 3, 5, 5, 2, [1, 2]),
            ([5, 5], 7, 16, 1, 2, [0, 0]),
            ([4, 11], 2, 40, 7, 1, [3, 3]),
            ([9, 8], 5, 33, 3, 1, [0, 0]),
        ];
        let few = [
            ([4, 7], 3, 5, 3, 2, [1, 1]),
            ([4, 6], 3, 5, 5, 2, [1, 2]),
            ([3, 3], 2, 9, 1, 2, [0, 0]),
            ([4, 5], 2, 3, 3, 1, [0, 0]),
        ];
        for &(size, channels_in, channels_out, kernel, stride, padding) in cases(&all, &few) {
            let window = Window { kernel, stride, padding };
            let inputs: Vec<u8> = (0..size[0] * size[1] * channels_in).map(|i| (i * i * 31) as u8).collect();
            let x: Vec<f32> = inputs.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
            let weights = noise(kernel * kernel * channels_in * channels_out, 2);
            let bias = noise(channels_out, 3);
            let activation = Activation::Relu;
            let conv = RowConvolution::new(window, channels_in, &weights, &bias, activation, lanes);
            let n = conv.padded_out();
            let expected = plain(window, size, &x, &weights, &bias, false);
            let expected: Vec<f32> = expected.iter().map(|v| v.max(0.0)).collect();
            for picture in [ConvolutionInput::Floats(&x), ConvolutionInput::Bytes(&inputs)] {
                let mut out = vec![f32::NAN; expected.len() / channels_out * n];
                run(RunConvolution { of: &conv, picture, size, out: &mut out, scratch: &mut scratch });
                for (i, (a, b)) in out.iter().zip(padded(&expected, channels_out, n)).enumerate() {
                    let limit = if i % n >= channels_out { 0.0 } else { 1e-4 };
                    assert!((a - b).abs() <= limit, "{window:?} {size:?} {i}: {a} {b}");
                }
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
