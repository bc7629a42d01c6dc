//! What the three networks have in common: one type for all of them, and the block they are built of.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};

use super::{BaseCnn, DCnn, MCnn, NORM_EPSILON, NetworkKind, Outputs};
use crate::weights::{Weights, WeightsError};

/// Batch normalisation as Keras sets it by default.
pub(super) fn batch_norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON.into()).init(device)
}

/// A network of either kind, with weights.
// A program holds one or two, and boxes can't be modules.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Network {
    /// See [`BaseCnn`].
    Base(BaseCnn),
    /// See [`DCnn`].
    DCnn(DCnn),
    /// See [`MCnn`].
    MCnn(MCnn),
}

impl Network {
    /// A freshly initialised network.
    pub fn new(kind: NetworkKind, device: &Device) -> Self {
        match kind {
            NetworkKind::Base => Self::Base(BaseCnn::new(device)),
            NetworkKind::DCnn => Self::DCnn(DCnn::new(device)),
            NetworkKind::MCnn => Self::MCnn(MCnn::new(device)),
        }
    }

    /// A network with the weights of a file.
    ///
    /// # Errors
    /// [`WeightsError`] if the file names no network of ours or does not fit it.
    pub fn from_weights(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        let kind = NetworkKind::from_name(&weights.network).ok_or_else(|| WeightsError::Network {
            expected: "base, d-cnn or m-cnn".into(),
            found: weights.network.clone(),
        })?;
        match Self::new(kind, device) {
            Self::Base(m) => Ok(Self::Base(weights.into_module(m)?)),
            Self::DCnn(m) => Ok(Self::DCnn(weights.into_module(m)?)),
            Self::MCnn(m) => Ok(Self::MCnn(weights.into_module(m)?)),
        }
    }

    /// The network's weights, by their path in it.
    pub fn to_weights(&self) -> Weights {
        match self {
            Self::Base(m) => Weights::from_module(self.kind().name(), m),
            Self::DCnn(m) => Weights::from_module(self.kind().name(), m),
            Self::MCnn(m) => Weights::from_module(self.kind().name(), m),
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> NetworkKind {
        match self {
            Self::Base(_) => NetworkKind::Base,
            Self::DCnn(_) => NetworkKind::DCnn,
            Self::MCnn(_) => NetworkKind::MCnn,
        }
    }

    /// Runs N faces. `crops` is `[N, crops, side, side, 3]` (see [`NetworkKind`]), values in -1..1.
    pub fn forward(&self, crops: Tensor<5>) -> Outputs {
        let [n, k, height, width, channels] = crops.dims();
        let pictures = crops.reshape([n * k, height, width, channels]);
        match self {
            Self::Base(m) => m.forward(pictures),
            Self::DCnn(m) => m.forward(pictures),
            Self::MCnn(m) => m.forward(pictures, n),
        }
    }
}

/// Conv3x3 without padding, batch normalisation, ReLU, 2x2 average pooling: `[N, C, H, W]` to `[N, O, (H-2)/2, (W-2)/2]`.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// The convolution.
    pub conv: Conv2d,
    /// Its normalisation.
    pub norm: BatchNorm,
}

impl ConvBlock {
    /// A block from `channels` to `out` channels.
    pub fn new(channels: usize, out: usize, bias: bool, device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([channels, out], [3, 3]).with_bias(bias).init(device),
            norm: batch_norm(out, device),
        }
    }

    /// Composed of burn's own operations.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = relu(self.norm.forward(self.conv.forward(x)));
        avg_pool2d(x, AvgPoolOptions::new([2, 2]))
    }

    /// The same in training on the CPU, as one operation, `[N, H, W, C]` to `[N, (H-2)/2, (W-2)/2, O]`: see [`super::fused`].
    #[cfg(feature = "train")]
    pub fn forward_fused(&self, x: Tensor<4>) -> Tensor<4> {
        super::fused::block_train(x, &self.conv, &self.norm, super::fused::valid_relu(1, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::super::AGES;
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn parameter_counts_are_the_studys() {
        // Keras counts running statistics too; so does a weight file.
        let count = |kind| -> usize {
            let weights = Network::new(kind, &Device::flex()).to_weights();
            weights.tensors.values().map(|t| t.values.len()).sum()
        };
        assert_eq!(count(NetworkKind::Base), 1_999_377);
        assert_eq!(count(NetworkKind::DCnn), 632_299);
        assert_eq!(count(NetworkKind::MCnn), 40_299);
    }

    #[test]
    fn outputs_have_the_stated_shapes_and_start_as_the_expectation() {
        let device = Device::flex();
        for kind in NetworkKind::ALL {
            let side = kind.side();
            let x =
                Tensor::random([2, kind.crops(), side, side, 3], Distribution::Uniform(-1.0, 1.0), &device);
            let out = Network::new(kind, &device).forward(x);
            assert_eq!(out.age_logits.dims(), [2, AGES]);
            assert_eq!(out.gender_logits.dims(), [2, 2]);
            let ages = Tensor::<1>::from_floats(std::array::from_fn::<f32, AGES, _>(|i| i as f32), &device);
            let expected = (out.age_distribution() * ages.unsqueeze()).sum_dim(1).reshape([2]);
            let gap = (out.age - expected).abs().max().into_scalar::<f32>();
            assert!(gap < 1e-3, "{kind:?}: {gap}");
        }
    }

    #[test]
    fn weights_survive_a_round_trip() {
        let device = Device::flex();
        let network = Network::new(NetworkKind::MCnn, &device);
        let weights = network.to_weights();
        let other = Network::from_weights(&weights, &device).unwrap();
        assert_eq!(other.to_weights(), weights);
        let unknown = Weights { network: "x".into(), ..weights };
        assert!(matches!(Network::from_weights(&unknown, &device), Err(WeightsError::Network { .. })));
    }
}
