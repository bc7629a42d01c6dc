//! The networks on the CPU, by fused kernels.
//!
//! Each is laid out once from its weights: batch normalisation folded into the layer before or after it, kernels packed for
//! [`crate::kernels`]. Running one writes into buffers that live as long as the [`Scratch`], so a frame allocates nothing.

use crate::kernels::{ConvShape, conv3x3_relu_pool, dense, pack};
use crate::model::{AGES, NORM_EPSILON, NetworkKind};
use crate::weights::{Weights, WeightsError};

/// What a network says of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawEstimate {
    /// Probability of each age 0..99.
    pub age_distribution: [f32; AGES],
    /// Age in years from the cascaded regression.
    pub age: f32,
    /// Probability of female.
    pub female: f32,
}

impl RawEstimate {
    /// From logits and the regression's result.
    ///
    /// # Panics
    /// If there are not 100 logits of ages.
    pub fn from_logits(age_logits: &[f32], age: f32, gender_logits: [f32; 2]) -> Self {
        let age_logits: [f32; AGES] = age_logits.try_into().expect("a logit for each age");
        let largest = age_logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut age_distribution = age_logits.map(|l| (l - largest).exp());
        let sum: f32 = age_distribution.iter().sum();
        age_distribution.iter_mut().for_each(|p| *p /= sum);
        let female = 1.0 / (1.0 + (gender_logits[0] - gender_logits[1]).exp());
        Self { age_distribution, age, female }
    }
}

/// A network laid out for the kernels.
#[derive(Debug, Clone)]
pub struct FusedNetwork {
    kind: NetworkKind,
    body: Body,
    heads: Heads,
}

#[derive(Debug, Clone)]
enum Body {
    Base { shape: ConvShape, conv: Layer, dense: Layer },
    DCnn { convolutions: Convolutions, dense1: Layer, dense2: Layer },
    MCnn { convolutions: Convolutions },
}

/// Weights `[k][out]` and a bias.
#[derive(Debug, Clone)]
struct Layer {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug, Clone)]
struct Convolutions {
    blocks: [(ConvShape, Layer); 4],
    point: Layer,
}

#[derive(Debug, Clone)]
struct Heads {
    age_class: Layer,
    age_regression: Layer,
    gender: Layer,
}

/// Buffers between layers. One a thread.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    rows: Vec<f32>,
    maps: [Vec<f32>; 2],
    features: Vec<f32>,
}

impl FusedNetwork {
    /// Lays out the network that the file is for.
    ///
    /// # Errors
    /// [`WeightsError`] if the file names no network of ours or does not fit it.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        let kind = NetworkKind::from_name(&weights.network).ok_or_else(|| WeightsError::Network {
            expected: "base, d-cnn or m-cnn".into(),
            found: weights.network.clone(),
        })?;
        let side = kind.side();
        let (body, features) = match kind {
            NetworkKind::Base => {
                let shape = ConvShape {
                    height: side,
                    width: side,
                    channels_in: 3,
                    channels_out: 32,
                    stride: 2,
                    pool: 1,
                };
                let conv = folded_conv(weights, "conv", "norm", &shape, true)?;
                (Body::Base { shape, conv, dense: linear(weights, "dense", shape.pooled_len(), 10)? }, 10)
            }
            NetworkKind::DCnn => {
                let convolutions = Convolutions::from_weights(weights, side)?;
                // Dropout does nothing here, and BN stands behind the rectifier: it is folded into the layer after it.
                let dense1 = linear(weights, "dense1", 512, 1024)?;
                let mut dense2 = linear(weights, "dense2", 1024, 64)?;
                dense2.absorb(&norm(weights, "dense1_norm", 1024)?);
                (Body::DCnn { convolutions, dense1, dense2 }, 64)
            }
            NetworkKind::MCnn => {
                (Body::MCnn { convolutions: Convolutions::from_weights(weights, side)? }, 96)
            }
        };
        let mut heads = Heads {
            age_class: linear(weights, "heads.age_class", features, AGES)?,
            age_regression: linear(weights, "heads.age_regression", AGES, 1)?,
            gender: linear(weights, "heads.gender", features, 2)?,
        };
        if kind == NetworkKind::DCnn {
            let norm = norm(weights, "dense2_norm", 64)?;
            heads.age_class.absorb(&norm);
            heads.gender.absorb(&norm);
        }
        Ok(Self { kind, body, heads })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Runs one face: [`NetworkKind::input_len`] floats, as [`crate::crop::network_input`] makes them.
    ///
    /// # Panics
    /// If `input` has another length.
    pub fn run(&self, input: &[f32], scratch: &mut Scratch) -> RawEstimate {
        assert_eq!(input.len(), self.kind.input_len());
        let Scratch { rows, maps, features } = scratch;
        match &self.body {
            Body::Base { shape, conv, dense } => {
                let map = &mut maps[0];
                map.resize(shape.pooled_len(), 0.0);
                conv3x3_relu_pool(shape, input, &conv.weights, &conv.bias, map, rows);
                dense.run(map, features);
            }
            Body::DCnn { convolutions, dense1, dense2 } => {
                features.clear();
                convolutions.run(input, rows, maps, features);
                let hidden = &mut maps[0];
                dense1.run(features, hidden);
                hidden.iter_mut().for_each(|v| *v = v.max(0.0));
                dense2.run(hidden, features);
                features.iter_mut().for_each(|v| *v = v.max(0.0));
            }
            Body::MCnn { convolutions } => {
                features.clear();
                for crop in input.chunks_exact(input.len() / self.kind.crops()) {
                    convolutions.run(crop, rows, maps, features);
                }
            }
        }
        self.heads.run(features)
    }
}

impl Heads {
    fn run(&self, features: &[f32]) -> RawEstimate {
        let (mut logits, mut age, mut gender) = ([0.0; AGES], [0.0], [0.0; 2]);
        dense(features, &self.age_class.weights, &self.age_class.bias, &mut logits);
        dense(features, &self.gender.weights, &self.gender.bias, &mut gender);
        let mut estimate = RawEstimate::from_logits(&logits, 0.0, gender);
        let regression = &self.age_regression;
        dense(&estimate.age_distribution, &regression.weights, &regression.bias, &mut age);
        estimate.age = age[0];
        estimate
    }
}

impl Convolutions {
    fn from_weights(weights: &Weights, side: usize) -> Result<Self, WeightsError> {
        let mut shape =
            ConvShape { height: side, width: side, channels_in: 3, channels_out: 32, stride: 1, pool: 2 };
        let mut blocks = Vec::with_capacity(4);
        for i in 1..=4 {
            let block = format!("convolutions.block{i}");
            let layer =
                folded_conv(weights, &format!("{block}.conv"), &format!("{block}.norm"), &shape, i > 1)?;
            blocks.push((shape, layer));
            let side = shape.pooled_height();
            shape = ConvShape { height: side, width: side, channels_in: 32, ..shape };
        }
        let kernel = &weights.tensor("convolutions.point.weight", &[32, 32, 1, 1])?.values;
        let bias = weights.tensor("convolutions.point.bias", &[32])?.values.clone();
        let (scale, shift) = norm(weights, "convolutions.point_norm", 32)?;
        let mut point = Layer { weights: vec![0.0; 32 * 32], bias };
        for o in 0..32 {
            for i in 0..32 {
                point.weights[i * 32 + o] = kernel[o * 32 + i] * scale[o];
            }
            point.bias[o] = point.bias[o] * scale[o] + shift[o];
        }
        let blocks = blocks.try_into().expect("four blocks");
        Ok(Self { blocks, point })
    }

    /// Appends the features of one picture.
    fn run(&self, input: &[f32], rows: &mut Vec<f32>, maps: &mut [Vec<f32>; 2], features: &mut Vec<f32>) {
        let [a, b] = maps;
        let (mut from, mut to) = (a, b);
        for (i, (shape, layer)) in self.blocks.iter().enumerate() {
            to.resize(shape.pooled_len(), 0.0);
            let input = if i == 0 { input } else { from.as_slice() };
            conv3x3_relu_pool(shape, input, &layer.weights, &layer.bias, to, rows);
            std::mem::swap(&mut from, &mut to);
        }
        // Conv1x1, ReLU, MaxPool2: the largest of four, and of zero.
        let side = self.blocks[3].0.pooled_height();
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

    /// Works a scale and a shift of this layer's inputs into it.
    fn absorb(&mut self, (scale, shift): &(Vec<f32>, Vec<f32>)) {
        let n = self.bias.len();
        for ((row, scale), shift) in self.weights.chunks_exact_mut(n).zip(scale).zip(shift) {
            for (weight, bias) in row.iter_mut().zip(&mut self.bias) {
                *bias += *weight * shift;
                *weight *= scale;
            }
        }
    }
}

fn linear(weights: &Weights, name: &str, inputs: usize, outputs: usize) -> Result<Layer, WeightsError> {
    Ok(Layer {
        weights: weights.tensor(&format!("{name}.weight"), &[inputs, outputs])?.values.clone(),
        bias: weights.tensor(&format!("{name}.bias"), &[outputs])?.values.clone(),
    })
}

/// Scale and shift of a trained normalisation.
fn norm(weights: &Weights, name: &str, channels: usize) -> Result<(Vec<f32>, Vec<f32>), WeightsError> {
    let get = |field: &str| Ok(&weights.tensor(&format!("{name}.{field}"), &[channels])?.values);
    let (gamma, beta): (&Vec<f32>, &Vec<f32>) = (get("gamma")?, get("beta")?);
    let (mean, variance) = (get("running_mean")?, get("running_var")?);
    let scale: Vec<f32> = gamma.iter().zip(variance).map(|(g, v)| g / (v + NORM_EPSILON).sqrt()).collect();
    let shift = beta.iter().zip(&scale).zip(mean).map(|((b, s), m)| b - s * m).collect();
    Ok((scale, shift))
}

/// A 3x3 convolution with the normalisation behind it folded in.
fn folded_conv(
    weights: &Weights,
    conv: &str,
    norm_name: &str,
    shape: &ConvShape,
    has_bias: bool,
) -> Result<Layer, WeightsError> {
    let (ci, co) = (shape.channels_in, shape.channels_out);
    let mut kernel = weights.tensor(&format!("{conv}.weight"), &[co, ci, 3, 3])?.values.clone();
    let mut bias =
        if has_bias { weights.tensor(&format!("{conv}.bias"), &[co])?.values.clone() } else { vec![0.0; co] };
    let (scale, shift) = norm(weights, norm_name, co)?;
    for o in 0..co {
        kernel[o * ci * 9..(o + 1) * ci * 9].iter_mut().for_each(|w| *w *= scale[o]);
        bias[o] = bias[o] * scale[o] + shift[o];
    }
    Ok(Layer { weights: pack(&kernel, shape), bias })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Network;
    use burn::tensor::{Device, Distribution, Tensor};

    #[test]
    fn every_network_agrees_with_burn() {
        let device = Device::flex();
        device.seed(3);
        for kind in NetworkKind::ALL {
            let mut weights = Network::new(kind, &device).to_weights();
            // Normalisation as after training, so that folding it is put to the test.
            for (name, tensor) in &mut weights.tensors {
                let spread = |i: usize| ((i * 37 + 11) % 17) as f32 / 17.0;
                let values = tensor.values.iter_mut().enumerate();
                match name.rsplit('.').next().unwrap() {
                    "gamma" | "running_var" => values.for_each(|(i, v)| *v = 0.6 + spread(i)),
                    "beta" | "running_mean" => values.for_each(|(i, v)| *v = spread(i) - 0.5),
                    _ => {}
                }
            }
            let network = Network::from_weights(&weights, &device).unwrap();
            let fused = FusedNetwork::from_weights(&weights).unwrap();
            let mut scratch = Scratch::default();
            let shape = [3, kind.crops(), kind.side(), kind.side(), 3];
            let x = Tensor::<5>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
            let inputs: Vec<f32> = x.clone().into_data().try_into_vec().unwrap();
            let out = network.forward(x);
            let distributions: Vec<f32> = out.age_distribution().into_data().try_into_vec().unwrap();
            let ages: Vec<f32> = out.age.into_data().try_into_vec().unwrap();
            for (i, input) in inputs.chunks_exact(kind.input_len()).enumerate() {
                let estimate = fused.run(input, &mut scratch);
                assert!((estimate.age - ages[i]).abs() < 1e-3, "{kind:?} {} {}", estimate.age, ages[i]);
                for (a, b) in estimate.age_distribution.iter().zip(&distributions[i * AGES..]) {
                    assert!((a - b).abs() < 1e-4, "{kind:?}");
                }
            }
        }
    }

    #[test]
    fn gender_is_a_softmax() {
        let estimate = RawEstimate::from_logits(&[0.0; AGES], 5.0, [1.0, 3.0]);
        assert!((estimate.female - 1.0 / (1.0 + (-2.0f32).exp())).abs() < 1e-6);
        assert!((estimate.age_distribution[7] - 0.01).abs() < 1e-6);
    }
}
