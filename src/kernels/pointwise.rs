//! 1x1 convolution.
//!
//! Channels are padded with zeros to a multiple of the vector length, so that no kernel has a remainder; what
//! is computed in the padding is zero again.

use pulp::{Simd, WithSimd};

use super::product::Product;
use super::{Activation, dispatch};

/// A 1x1 convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct Pointwise {
    channels_in: usize,
    padded_in: usize,
    /// `[channels_in][padded out]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

impl Pointwise {
    /// Lays out a kernel `[out][in]` and its bias `[out]`; channels are padded to multiples of `padding`,
    /// itself a multiple of [`lanes`](super::lanes). No activation follows.
    ///
    /// # Panics
    /// If the kernel's length is not a multiple of the bias's.
    pub fn new(kernel: &[f32], bias: &[f32], padding: usize) -> Self {
        assert!(!bias.is_empty() && kernel.len().is_multiple_of(bias.len()));
        let channels_in = kernel.len() / bias.len();
        let n = bias.len().next_multiple_of(padding);
        let mut weights = vec![0.0; channels_in * n];
        for (o, row) in kernel.chunks_exact(channels_in).enumerate() {
            for (i, weight) in row.iter().enumerate() {
                weights[i * n + o] = *weight;
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(n, 0.0);
        let padded_in = channels_in.next_multiple_of(padding);
        Self { channels_in, padded_in, weights, bias, activation: Activation::None }
    }

    /// The same with an activation behind it.
    pub fn activated(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Channels of the input, padding included.
    pub fn padded_in(&self) -> usize {
        self.padded_in
    }

    /// Channels of the output, padding included.
    pub fn padded_out(&self) -> usize {
        self.bias.len()
    }

    /// Convolves pixels of the padded input channels to pixels of the padded output channels. A `shortcut` of
    /// as many pixels of the output's channels is added before the activation.
    ///
    /// # Panics
    /// If the lengths are not those of the same number of pixels.
    pub fn run(&self, input: &[f32], shortcut: Option<&[f32]>, out: &mut [f32]) {
        assert!(input.len().is_multiple_of(self.padded_in));
        assert_eq!(input.len() / self.padded_in * self.bias.len(), out.len());
        dispatch(RunPointwise { of: self, input, shortcut, out });
    }

    /// With the only row in `rows`.
    #[inline(always)]
    pub(super) fn product<'a>(&'a self, rows: &'a [&'a [f32]]) -> Product<'a> {
        Product {
            rows,
            step: self.padded_in,
            depth: self.channels_in,
            weights: &self.weights,
            bias: &self.bias,
            shortcut: &[],
            shortcut_channels: 0,
            limits: self.activation.limits(),
        }
    }

    /// The same in a kernel.
    #[inline(always)]
    pub(super) fn pixels<S: Simd>(&self, simd: S, input: &[f32], shortcut: Option<&[f32]>, out: &mut [f32]) {
        let rows = [input];
        let shortcut_channels = if shortcut.is_some() { self.bias.len() } else { 0 };
        let product = self.product(&rows);
        Product { shortcut: shortcut.unwrap_or(&[]), shortcut_channels, ..product }.run(simd, out);
    }
}

struct RunPointwise<'a> {
    of: &'a Pointwise,
    input: &'a [f32],
    shortcut: Option<&'a [f32]>,
    out: &'a mut [f32],
}

impl WithSimd for RunPointwise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.of.pixels(simd, self.input, self.shortcut, self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::lanes;
    use crate::kernels::testing::{noise, padded};

    #[test]
    fn is_the_plain_sum_with_every_activation() {
        let (x, kernel, bias) = (noise(7 * 20, 1), noise(6 * 20, 2), noise(6, 3));
        for activation in [Activation::None, Activation::Relu, Activation::Relu6] {
            let conv = Pointwise::new(&kernel, &bias, lanes()).activated(activation);
            let n = conv.padded_out();
            let [least, most] = activation.limits();
            let shortcut = padded(&noise(7 * 6, 4).iter().map(|v| 9.0 * v).collect::<Vec<_>>(), 6, n);
            for shortcut in [None, Some(shortcut.as_slice())] {
                let mut out = vec![f32::NAN; 7 * n];
                conv.run(&padded(&x, 20, 20usize.next_multiple_of(lanes())), shortcut, &mut out);
                for (p, (x, out)) in x.chunks(20).zip(out.chunks(n)).enumerate() {
                    for o in 0..6 {
                        let sum = bias[o] + (0..20).map(|i| kernel[o * 20 + i] * x[i]).sum::<f32>();
                        let expected = (sum + shortcut.map_or(0.0, |s| s[p * n + o])).max(least).min(most);
                        assert!((out[o] - expected).abs() < 1e-5);
                    }
                    assert!(out[6..].iter().all(|v| *v == 0.0));
                }
            }
        }
    }
}
