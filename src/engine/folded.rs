//! The networks as they are used: batch normalisation folded into the layer before or after it, dropout gone.
//!
//! Both engines lay out what they need from this one form: [`super::fused`] packs it for the CPU's kernels, `super::webgpu`
//! uploads it.

use super::RawEstimate;
use crate::model::{AGES, NORM_EPSILON, NetworkKind};
use crate::weights::{Weights, WeightsError};

/// Numbers of one face that the heads read from the features: logits of the [`AGES`] ages, then of male and female.
pub const LOGITS: usize = AGES + 2;

/// A network, its normalisation folded in.
#[derive(Debug, Clone)]
pub struct FoldedNetwork {
    /// Which one.
    pub kind: NetworkKind,
    /// Everything before the heads.
    pub body: Body,
    /// Age and gender.
    pub heads: Heads,
}

/// What makes features of a picture.
#[derive(Debug, Clone)]
pub enum Body {
    /// See [`crate::model::base`].
    Base {
        /// 3x3 with stride 2, then a rectifier.
        conv: Convolution,
        /// 10 features.
        dense: Dense,
    },
    /// See [`crate::model::dcnn`].
    DCnn {
        /// To 512 numbers by row, column, channel.
        convolutions: Convolutions,
        /// 1,024 outputs, then a rectifier.
        dense1: Dense,
        /// 64 outputs, then a rectifier: the features.
        dense2: Dense,
    },
    /// See [`crate::model::mcnn`].
    MCnn {
        /// To 32 numbers of each crop.
        convolutions: Convolutions,
    },
}

/// The five convolutions that D-CNN and M-CNN have in common.
#[derive(Debug, Clone)]
pub struct Convolutions {
    /// 3x3, then a rectifier and 2x2 average pooling.
    pub blocks: [Convolution; 4],
    /// 1x1, then a rectifier and 2x2 maximum pooling.
    pub point: Convolution,
}

/// A convolution without padding.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Outputs, inputs, height and width of the kernel.
    pub shape: [usize; 4],
    /// In the order of `shape`.
    pub kernel: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
}

/// A dense layer.
#[derive(Debug, Clone)]
pub struct Dense {
    /// `[inputs][outputs]`.
    pub weights: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
}

/// Age and gender, from features.
#[derive(Debug, Clone)]
pub struct Heads {
    /// Both classifications as one layer with [`LOGITS`] outputs.
    pub logits: Dense,
    /// From the [`AGES`] probabilities to the age.
    pub regression: Dense,
}

impl FoldedNetwork {
    /// Folds the network that the file is for.
    ///
    /// # Errors
    /// [`WeightsError`] if the file names no network of ours or does not fit it.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        let kind = NetworkKind::from_name(&weights.network).ok_or_else(|| WeightsError::Network {
            expected: "base, d-cnn or m-cnn".into(),
            found: weights.network.clone(),
        })?;
        let (body, features) = match kind {
            NetworkKind::Base => {
                let conv = Convolution::normalised(weights, "conv", "norm", [32, 3, 3, 3], true)?;
                let side = (kind.side() - 1) / 2;
                (Body::Base { conv, dense: Dense::new(weights, "dense", side * side * 32, 10)? }, 10)
            }
            NetworkKind::DCnn => {
                let convolutions = Convolutions::from_weights(weights)?;
                // Dropout does nothing here, and BN stands behind the rectifier: it is folded into the layer after it.
                let dense1 = Dense::new(weights, "dense1", 512, 1024)?;
                let mut dense2 = Dense::new(weights, "dense2", 1024, 64)?;
                dense2.absorb(&norm(weights, "dense1_norm", 1024)?);
                (Body::DCnn { convolutions, dense1, dense2 }, 64)
            }
            NetworkKind::MCnn => (Body::MCnn { convolutions: Convolutions::from_weights(weights)? }, 96),
        };
        let ages = Dense::new(weights, "heads.age_class", features, AGES)?;
        let mut logits = ages.beside(&Dense::new(weights, "heads.gender", features, LOGITS - AGES)?);
        if kind == NetworkKind::DCnn {
            logits.absorb(&norm(weights, "dense2_norm", 64)?);
        }
        let regression = Dense::new(weights, "heads.age_regression", AGES, 1)?;
        Ok(Self { kind, body, heads: Heads { logits, regression } })
    }
}

impl Convolutions {
    fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        let block = |i: usize, inputs: usize| {
            let name = format!("convolutions.block{i}");
            let [conv, norm] = ["conv", "norm"].map(|part| format!("{name}.{part}"));
            Convolution::normalised(weights, &conv, &norm, [32, inputs, 3, 3], i > 1)
        };
        let (point, norm) = ("convolutions.point", "convolutions.point_norm");
        Ok(Self {
            blocks: [block(1, 3)?, block(2, 32)?, block(3, 32)?, block(4, 32)?],
            point: Convolution::normalised(weights, point, norm, [32, 32, 1, 1], true)?,
        })
    }
}

impl Convolution {
    /// A convolution with the normalisation behind it.
    fn normalised(
        weights: &Weights,
        name: &str,
        norm_name: &str,
        shape: [usize; 4],
        has_bias: bool,
    ) -> Result<Self, WeightsError> {
        let outputs = shape[0];
        let mut kernel = weights.tensor(&format!("{name}.weight"), &shape)?.values.clone();
        let mut bias = match has_bias {
            true => weights.tensor(&format!("{name}.bias"), &[outputs])?.values.clone(),
            false => vec![0.0; outputs],
        };
        let (scale, shift) = norm(weights, norm_name, outputs)?;
        let each = kernel.len() / outputs;
        for ((kernel, bias), (scale, shift)) in
            kernel.chunks_exact_mut(each).zip(&mut bias).zip(scale.iter().zip(&shift))
        {
            kernel.iter_mut().for_each(|w| *w *= scale);
            *bias = *bias * scale + shift;
        }
        Ok(Self { shape, kernel, bias })
    }
}

impl Dense {
    fn new(weights: &Weights, name: &str, inputs: usize, outputs: usize) -> Result<Self, WeightsError> {
        Ok(Self {
            weights: weights.tensor(&format!("{name}.weight"), &[inputs, outputs])?.values.clone(),
            bias: weights.tensor(&format!("{name}.bias"), &[outputs])?.values.clone(),
        })
    }

    /// One layer with the outputs of both.
    fn beside(&self, other: &Self) -> Self {
        let rows = self.weights.chunks_exact(self.bias.len());
        let others = other.weights.chunks_exact(other.bias.len());
        let weights = rows.zip(others).flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        Self { weights, bias: [self.bias.as_slice(), &other.bias].concat() }
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

impl Heads {
    /// What the [`LOGITS`] numbers say of a face.
    ///
    /// # Panics
    /// If there are fewer or more.
    pub fn estimate(&self, logits: &[f32]) -> RawEstimate {
        assert_eq!(logits.len(), LOGITS);
        let (ages, gender) = logits.split_at(AGES);
        let mut estimate = RawEstimate::from_logits(ages, 0.0, [gender[0], gender[1]]);
        let pairs = estimate.age_distribution.iter().zip(&self.regression.weights);
        estimate.age = self.regression.bias[0] + pairs.map(|(p, w)| p * w).sum::<f32>();
        estimate
    }
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

/// What the tests of both engines share.
#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::model::Network;
    use burn::tensor::{Device, Distribution, Tensor};

    /// Checks an engine's network against the burn modules that define it: `run` gets the weights and the inputs of three
    /// faces, one after the other.
    pub fn agrees_with_the_definition(run: impl Fn(&Weights, &[f32]) -> Vec<RawEstimate>) {
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
            let shape = [3, kind.crops(), kind.side(), kind.side(), 3];
            let x = Tensor::<5>::random(shape, Distribution::Uniform(-1.0, 1.0), &device);
            let inputs: Vec<f32> = x.clone().into_data().try_into_vec().unwrap();
            let out = network.forward(x);
            let vec = |data: burn::tensor::TensorData| data.try_into_vec::<f32>().unwrap();
            let distributions = vec(out.age_distribution().into_data());
            let ages = vec(out.age.into_data());
            let genders = vec(burn::tensor::activation::softmax(out.gender_logits, 1).into_data());
            let estimates = run(&weights, &inputs);
            assert_eq!(estimates.len(), 3);
            for (i, estimate) in estimates.iter().enumerate() {
                assert!((estimate.age - ages[i]).abs() < 1e-3, "{kind:?} {} {}", estimate.age, ages[i]);
                assert!((estimate.female - genders[2 * i + 1]).abs() < 1e-4, "{kind:?}");
                for (a, b) in estimate.age_distribution.iter().zip(&distributions[i * AGES..]) {
                    assert!((a - b).abs() < 1e-4, "{kind:?}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_layers_beside_each_other_keep_their_outputs() {
        let a = Dense { weights: vec![1.0, 2.0, 3.0, 4.0], bias: vec![5.0, 6.0] };
        let b = Dense { weights: vec![7.0, 8.0], bias: vec![9.0] };
        let both = a.beside(&b);
        assert_eq!(both.weights, [1.0, 2.0, 7.0, 3.0, 4.0, 8.0]);
        assert_eq!(both.bias, [5.0, 6.0, 9.0]);
    }

    #[test]
    fn the_age_is_a_regression_on_the_probabilities() {
        let logits = Dense { weights: vec![], bias: vec![0.0; LOGITS] };
        let regression = Dense { weights: (0..AGES).map(|age| age as f32).collect(), bias: vec![1.0] };
        let estimate = Heads { logits, regression }.estimate(&[0.0; LOGITS]);
        assert!((estimate.age - 50.5).abs() < 1e-4 && (estimate.female - 0.5).abs() < 1e-6, "{estimate:?}");
    }

    #[test]
    fn weights_of_no_network_are_refused() {
        let error = FoldedNetwork::from_weights(&Weights { network: "x".into(), ..Weights::default() });
        assert!(matches!(error, Err(WeightsError::Network { .. })));
    }
}
