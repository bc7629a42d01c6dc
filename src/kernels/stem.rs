//! The face detector's first convolution, from bytes.

use pulp::{Simd, WithSimd};

use super::product::Product;
use super::{Activation, aligned, dispatch, normalise};

/// Side of the kernel.
const KERNEL: usize = 5;
/// Red, green, blue.
const CHANNELS: usize = 3;
/// Pixels of zeros before a row and after it: TensorFlow's padding `SAME` at stride 2.
const PAD: [usize; 2] = [1, 2];

/// A 5x5 convolution of an RGB picture at stride 2 with padding `SAME`, and ReLU. The picture is bytes; they
/// become numbers from -1 to 1 row by row, as the convolution gets to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Stem {
    /// `[5][5 * 3][padded out]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Stem {
    /// Lays out the kernel `[out][3][5][5]` and its bias `[out]`; output channels are padded to a multiple of
    /// `padding`, itself a multiple of [`lanes`](super::lanes).
    ///
    /// # Panics
    /// If the kernel does not fit the bias.
    pub fn new(kernel: &[f32], bias: &[f32], padding: usize) -> Self {
        let taps = KERNEL * KERNEL;
        assert_eq!(kernel.len(), bias.len() * CHANNELS * taps);
        let n = bias.len().next_multiple_of(padding);
        let mut weights = vec![0.0; taps * CHANNELS * n];
        for (o, kernel) in kernel.chunks_exact(CHANNELS * taps).enumerate() {
            for (c, plane) in kernel.chunks_exact(taps).enumerate() {
                for (t, weight) in plane.iter().enumerate() {
                    weights[(t * CHANNELS + c) * n + o] = *weight;
                }
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(n, 0.0);
        Self { weights, bias }
    }

    /// Floats in the output for a picture of that height and width: half as many rows and columns, padded
    /// channels.
    pub fn out_len(&self, [height, width]: [usize; 2]) -> usize {
        height / 2 * (width / 2) * self.bias.len()
    }

    /// Runs one picture of RGB bytes, `size` its height and width. `scratch` is resized as needed and can be
    /// used again.
    ///
    /// # Panics
    /// If a side is odd or zero, `rgb` or `out` has another length than the picture, or the padding does not
    /// fit this machine.
    pub fn run(&self, rgb: &[u8], size: [usize; 2], out: &mut [f32], scratch: &mut Vec<f32>) {
        dispatch(RunStem { of: self, rgb, size, out, scratch });
    }
}

struct RunStem<'a> {
    of: &'a Stem,
    rgb: &'a [u8],
    size: [usize; 2],
    out: &'a mut [f32],
    scratch: &'a mut Vec<f32>,
}

impl WithSimd for RunStem<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (of, [height, width]) = (self.of, self.size);
        assert!(height > 0 && width > 0 && height.is_multiple_of(2) && width.is_multiple_of(2));
        assert_eq!(self.rgb.len(), height * width * CHANNELS);
        assert_eq!(self.out.len(), of.out_len(self.size));
        let row = (PAD[0] + width + PAD[1]) * CHANNELS;
        // The padded picture's rows, of which an output row needs five at a time.
        let scratch = aligned(self.scratch, KERNEL * row);
        scratch.fill(0.0);
        let mut ready = 0;
        for (y, out) in self.out.chunks_exact_mut(width / 2 * of.bias.len()).enumerate() {
            for r in ready..2 * y + KERNEL {
                let slot = &mut scratch[r % KERNEL * row..][..row];
                match r.checked_sub(PAD[0]) {
                    Some(r) if r < height => {
                        let bytes = &self.rgb[r * width * CHANNELS..][..width * CHANNELS];
                        normalise(bytes, &mut slot[PAD[0] * CHANNELS..][..bytes.len()]);
                    }
                    _ => slot.fill(0.0),
                }
            }
            ready = 2 * y + KERNEL;
            let rows: [&[f32]; KERNEL] =
                std::array::from_fn(|i| &scratch[(2 * y + i) % KERNEL * row..][..row]);
            let product = Product {
                rows: &rows,
                step: 2 * CHANNELS,
                depth: KERNEL * CHANNELS,
                weights: &of.weights,
                bias: &of.bias,
                shortcut: &[],
                shortcut_channels: 0,
                limits: Activation::Relu.limits(),
            };
            product.run(simd, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes;
    use pulp::{Scalar128b, Scalar256b};

    fn agrees(run: impl Fn(RunStem), padding: usize) {
        let (height, width, n) = (6usize, 14usize, 5usize);
        let rgb: Vec<u8> = (0..height * width * 3).map(|i| (i * i * 31 + i * 7) as u8).collect();
        let kernel: Vec<f32> = (0..n * 75).map(|i| (i as f32 * 0.37).sin()).collect();
        let bias: Vec<f32> = (0..n).map(|i| i as f32 - 2.0).collect();
        let stem = Stem::new(&kernel, &bias, padding);
        let size = [height, width];
        let mut out = vec![f32::NAN; stem.out_len(size)];
        run(RunStem { of: &stem, rgb: &rgb, size, out: &mut out, scratch: &mut Vec::new() });
        let padded = n.next_multiple_of(padding);
        for (p, pixel) in out.chunks(padded).enumerate() {
            let (oy, ox) = (p / (width / 2), p % (width / 2));
            for o in 0..n {
                let mut sum = bias[o];
                for (t, weight) in kernel[o * 75..(o + 1) * 75].iter().enumerate() {
                    let (c, i, j) = (t / 25, t % 25 / 5, t % 5);
                    let (y, x) = ((2 * oy + i).wrapping_sub(1), (2 * ox + j).wrapping_sub(1));
                    if y < height && x < width {
                        sum += weight * (f32::from(rgb[(y * width + x) * 3 + c]) / 127.5 - 1.0);
                    }
                }
                assert!((pixel[o] - sum.max(0.0)).abs() < 1e-4, "{p} {o}: {} {sum}", pixel[o]);
            }
            assert!(pixel[n..].iter().all(|v| *v == 0.0));
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_vector_length() {
        agrees(|op| Scalar128b.vectorize(op), 4);
        agrees(|op| Scalar256b.vectorize(op), 8);
        agrees(|op| dispatch(op), lanes());
    }
}
