//! The networks on the CPU, by fused kernels.
//!
//! Each is laid out once from its [folded](super::folded) form: kernels packed for [`crate::kernels`]. Running one writes into
//! buffers that live as long as the [`Scratch`], so a frame allocates nothing.

use super::RawEstimate;
use super::folded::{self, FoldedNetwork, LOGITS};
use crate::kernels::{ConvShape, Winograd, conv3x3_relu_pool, dense, pack};
use crate::model::NetworkKind;
use crate::weights::{Weights, WeightsError};

/// A network laid out for the kernels.
#[derive(Debug, Clone)]
pub struct FusedNetwork {
    kind: NetworkKind,
    body: Body,
    heads: folded::Heads,
}

#[derive(Debug, Clone)]
enum Body {
    Base { shape: ConvShape, conv: Layer, dense: Layer },
    DCnn { convolutions: Convolutions, dense1: Layer, dense2: Layer },
    MCnn { convolutions: Convolutions },
}

/// Weights `[k][out]` and a bias.
type Layer = folded::Dense;

#[derive(Debug, Clone)]
struct Convolutions {
    /// With three channels of input; [`Winograd`] needs many.
    first: (ConvShape, Layer),
    rest: [Winograd; 3],
    point: Layer,
}

/// Buffers between layers. One a thread.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    winograd: Vec<f32>,
    maps: [Vec<f32>; 2],
    features: Vec<f32>,
}

impl FusedNetwork {
    /// Lays out the network that the file is for.
    ///
    /// # Errors
    /// [`WeightsError`] if the file names no network of ours or does not fit it.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        let FoldedNetwork { kind, body, heads } = FoldedNetwork::from_weights(weights)?;
        let body = match body {
            folded::Body::Base { conv, dense } => {
                let (shape, conv) = packed(&conv, kind.side(), 2, 1);
                Body::Base { shape, conv, dense }
            }
            folded::Body::DCnn { convolutions, dense1, dense2 } => {
                Body::DCnn { convolutions: Convolutions::new(convolutions, kind.side()), dense1, dense2 }
            }
            folded::Body::MCnn { convolutions } => {
                Body::MCnn { convolutions: Convolutions::new(convolutions, kind.side()) }
            }
        };
        Ok(Self { kind, body, heads })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Runs one face: [`NetworkKind::input_len`] floats, as [`crate::vision::alignment::network_input`] makes them.
    ///
    /// # Panics
    /// If `input` has another length.
    pub fn run(&self, input: &[f32], scratch: &mut Scratch) -> RawEstimate {
        assert_eq!(input.len(), self.kind.input_len());
        let Scratch { winograd, maps, features } = scratch;
        match &self.body {
            Body::Base { shape, conv, dense } => {
                let map = &mut maps[0];
                map.resize(shape.pooled_len(), 0.0);
                conv3x3_relu_pool(shape, input, &conv.weights, &conv.bias, map);
                dense.run(map, features);
            }
            Body::DCnn { convolutions, dense1, dense2 } => {
                features.clear();
                convolutions.run(input, winograd, maps, features);
                let hidden = &mut maps[0];
                dense1.run(features, hidden);
                hidden.iter_mut().for_each(|v| *v = v.max(0.0));
                dense2.run(hidden, features);
                features.iter_mut().for_each(|v| *v = v.max(0.0));
            }
            Body::MCnn { convolutions } => {
                features.clear();
                for crop in input.chunks_exact(input.len() / self.kind.crops()) {
                    convolutions.run(crop, winograd, maps, features);
                }
            }
        }
        let mut logits = [0.0; LOGITS];
        dense(features, &self.heads.logits.weights, &self.heads.logits.bias, &mut logits);
        self.heads.estimate(&logits)
    }
}

impl Convolutions {
    fn new(folded: folded::Convolutions, side: usize) -> Self {
        let [first, rest @ ..] = folded.blocks;
        let first = packed(&first, side, 1, 2);
        let mut side = first.0.pooled_height();
        let rest = rest.map(|conv| {
            let shape = shape(&conv, side, 1, 2);
            side = shape.pooled_height();
            Winograd::new(shape, &conv.kernel, &conv.bias)
        });
        let folded::Convolution { shape: [_, inputs, ..], kernel, bias } = folded.point;
        let transposed = (0..inputs).flat_map(|i| kernel[i..].iter().step_by(inputs)).copied().collect();
        Self { first, rest, point: Layer { weights: transposed, bias } }
    }

    /// Appends the features of one picture.
    fn run(&self, input: &[f32], winograd: &mut Vec<f32>, maps: &mut [Vec<f32>; 2], features: &mut Vec<f32>) {
        let [a, b] = maps;
        let (mut from, mut to) = (a, b);
        let (shape, layer) = &self.first;
        from.resize(shape.pooled_len(), 0.0);
        conv3x3_relu_pool(shape, input, &layer.weights, &layer.bias, from);
        for block in &self.rest {
            to.resize(block.shape().pooled_len(), 0.0);
            block.relu_pool(from, to, winograd);
            std::mem::swap(&mut from, &mut to);
        }
        // Conv1x1, ReLU, MaxPool2: the largest of four, and of zero.
        let side = self.rest[2].shape().pooled_height();
        for y in 0..side / 2 {
            for x in 0..side / 2 {
                let mut largest = [0.0f32; 32];
                for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                    let at = ((2 * y + dy) * side + 2 * x + dx) * 32;
                    let mut value = [0.0; 32];
                    dense(&from[at..at + 32], &self.point.weights, &self.point.bias, &mut value);
                    largest.iter_mut().zip(value).for_each(|(l, v)| *l = l.max(v));
                }
                features.extend(largest);
            }
        }
    }
}

impl Layer {
    fn run(&self, input: &[f32], out: &mut Vec<f32>) {
        out.resize(self.bias.len(), 0.0);
        dense(input, &self.weights, &self.bias, out);
    }
}

/// A 3x3 convolution of maps of `side` x `side` pixels, and the pooling behind it.
fn shape(conv: &folded::Convolution, side: usize, stride: usize, pool: usize) -> ConvShape {
    let [channels_out, channels_in, ..] = conv.shape;
    ConvShape { height: side, width: side, channels_in, channels_out, stride, pool }
}

/// The same, laid out for [`conv3x3_relu_pool`].
fn packed(conv: &folded::Convolution, side: usize, stride: usize, pool: usize) -> (ConvShape, Layer) {
    let shape = shape(conv, side, stride, pool);
    (shape, Layer { weights: pack(&conv.kernel, &shape), bias: conv.bias.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::folded::testing::agrees_with_the_definition;

    #[test]
    fn every_network_agrees_with_burn() {
        agrees_with_the_definition(|weights, inputs| {
            let network = FusedNetwork::from_weights(weights).unwrap();
            let mut scratch = Scratch::default();
            let faces = inputs.chunks_exact(network.kind().input_len());
            faces.map(|input| network.run(input, &mut scratch)).collect()
        });
    }
}
