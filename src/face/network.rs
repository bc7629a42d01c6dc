//! BlazeFace, short range: the network (Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face
//! Detection on Mobile GPUs"; this is the variant with single blaze blocks that MediaPipe ships).
//!
//! ```text
//! picture 128x128x3
//!   stem       Conv5x5 stride 2, 24, ReLU         64x64x24
//!   backbone1  11 blaze blocks                    16x16x88 -> 2 anchors a cell: 512
//!   backbone2   5 blaze blocks                     8x8x96  -> 6 anchors a cell: 384
//! ```
//!
//! A blaze block is `relu(pointwise(depthwise3x3(x)) + shortcut(x))`; where it has stride 2 the shortcut is a 2x2 max
//! pooling, and where it widens, the shortcut's new channels are zero. Each anchor gets 16 regressed values and
//! one logit from a 1x1 convolution on its map.
//!
//! The shapes are those of [`super::architecture`]. These modules are the definition that the CPU engine's kernels are tested against.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{PaddingConfig2d, Relu};
use burn::tensor::{Device, Tensor};

use super::architecture::{BLOCKS, FeatureMap, MAPS, NETWORK, STEM, Step, VALUES};
use crate::weights::{Weights, WeightsError};

/// The network. See the [module's](self) diagram.
#[derive(Module, Debug)]
pub struct BlazeFace {
    stem: Conv2d,
    backbone1: Vec<BlazeBlock>,
    backbone2: Vec<BlazeBlock>,
    // Named after the pixels from one cell of their map to the next.
    classifier_8: Conv2d,
    classifier_16: Conv2d,
    regressor_8: Conv2d,
    regressor_16: Conv2d,
    activation: Relu,
}

impl BlazeFace {
    /// The untrained network.
    pub fn new(device: &Device) -> Self {
        let stage = |steps: &[Step]| steps.iter().map(|step| BlazeBlock::new(step, device)).collect();
        let head = |map: &FeatureMap, values| {
            Conv2dConfig::new([map.channels, map.anchors * values], [1, 1]).init(device)
        };
        Self {
            stem: Conv2dConfig::new([STEM.input, STEM.output], [STEM.kernel; 2])
                .with_stride([STEM.stride; 2])
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            backbone1: stage(&BLOCKS[..MAPS[0].blocks]),
            backbone2: stage(&BLOCKS[MAPS[0].blocks..]),
            classifier_8: head(&MAPS[0], 1),
            classifier_16: head(&MAPS[1], 1),
            regressor_8: head(&MAPS[0], VALUES),
            regressor_16: head(&MAPS[1], VALUES),
            activation: Relu::new(),
        }
    }

    /// The network with trained weights: `model-weights/blazeface/blazeface-short.safetensors`.
    ///
    /// # Errors
    /// [`WeightsError`] if the weights are another network's or lack a tensor.
    pub fn from_weights(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        weights.expect_network(NETWORK)?;
        weights.into_module(Self::new(device))
    }

    /// Runs the network on `input`, `[n, 3, 128, 128]`, from -1 to 1 (`engine::burn::planes`). It was trained at that size, and takes
    /// others whose sides are multiples of 32.
    ///
    /// Returns the regressed values, `[n, 896, 16]` in input pixels relative to the anchors, and the logits, `[n, 896]`; for
    /// [`decode`](crate::vision::decode::decode). (Inputs of 64 x 64 have 224 anchors.)
    pub fn forward(&self, input: Tensor<4>) -> (Tensor<3>, Tensor<2>) {
        let x = self.activation.forward(self.stem.forward(input)); // [n, 24, 64, 64]
        let fine = self.backbone1.iter().fold(x, |x, block| block.forward(x)); // [n, 88, 16, 16]
        let coarse = self.backbone2.iter().fold(fine.clone(), |x, block| block.forward(x)); // [n, 96, 8, 8]

        let regressors = Tensor::cat(
            vec![
                per_anchor::<VALUES>(self.regressor_8.forward(fine.clone())), // [n, 512, 16]
                per_anchor::<VALUES>(self.regressor_16.forward(coarse.clone())), // [n, 384, 16]
            ],
            1,
        );
        let logits = Tensor::cat(
            vec![
                per_anchor::<1>(self.classifier_8.forward(fine)),
                per_anchor::<1>(self.classifier_16.forward(coarse)),
            ],
            1,
        );
        (regressors, logits.flatten(1, 2))
    }
}

/// `[n, anchors * V, side, side]` to `[n, side * side * anchors, V]`: cells in reading order, then the anchors of a cell.
fn per_anchor<const V: usize>(map: Tensor<4>) -> Tensor<3> {
    let [n, channels, height, width] = map.dims();
    map.permute([0, 2, 3, 1]).reshape([n, height * width * channels / V, V])
}

/// Depthwise and pointwise convolution with a shortcut.
#[derive(Module, Debug)]
struct BlazeBlock {
    depthwise: Conv2d,
    pointwise: Conv2d,
    pool: Option<MaxPool2d>,
    activation: Relu,
}

impl BlazeBlock {
    fn new(step: &Step, device: &Device) -> Self {
        Self {
            depthwise: Conv2dConfig::new([step.input; 2], [step.kernel; 2])
                .with_stride([step.stride; 2])
                .with_groups(step.input)
                .with_padding(PaddingConfig2d::Same)
                .init(device),
            pointwise: Conv2dConfig::new([step.input, step.output], [1, 1]).init(device),
            pool: (step.stride > 1).then(|| MaxPool2dConfig::new([step.stride; 2]).init()),
            activation: Relu::new(),
        }
    }

    /// `[n, input, side, side]` to `[n, output, side / stride, side / stride]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.pointwise.forward(self.depthwise.forward(x.clone()));
        let shortcut = match &self.pool {
            Some(pool) => pool.forward(x),
            None => x,
        };
        self.activation.forward(y.clone() + widen(shortcut, y.dims()[1]))
    }
}

/// Appends channels of zeros up to `channels`.
fn widen(x: Tensor<4>, channels: usize) -> Tensor<4> {
    let [n, from, height, width] = x.dims();
    if from == channels {
        return x;
    }
    let zeros = Tensor::zeros([n, channels - from, height, width], &x.device());
    Tensor::cat(vec![x, zeros], 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::burn::planes;
    use crate::vision::INPUT_SIDE;
    use crate::vision::testing::{reference, values, weights};
    use burn::tensor::TensorData;

    #[test]
    fn the_weight_file_is_this_network() {
        let weights = weights();
        let module = Weights::from_module(NETWORK, &BlazeFace::new(&Device::flex()));
        assert!(weights.tensors.keys().eq(module.tensors.keys()));
        assert_eq!(weights.tensors.values().map(|t| t.values.len()).sum::<usize>(), 101_390);
        BlazeFace::from_weights(&weights, &Device::flex()).unwrap();
        let other = Weights { network: "d-cnn".into(), ..weights };
        let error = BlazeFace::from_weights(&other, &Device::flex()).unwrap_err();
        assert!(matches!(error, WeightsError::Network { .. }), "{error}");
    }

    #[test]
    fn outputs_are_those_of_the_tflite_runtime() {
        let device = Device::flex();
        let network = BlazeFace::from_weights(&weights(), &device).unwrap();
        let reference = reference();
        let rgb: Vec<u8> = values(&reference, "input").iter().map(|v| *v as u8).collect();
        let data = TensorData::new(planes(&rgb), [1, 3, INPUT_SIDE, INPUT_SIDE]);
        // The same picture twice, for the order of a batch.
        let input = Tensor::from_data(data, &device).repeat_dim(0, 2);
        let (regressors, logits) = network.forward(input);
        assert_eq!(regressors.dims(), [2, 896, 16]);
        assert_eq!(logits.dims(), [2, 896]);
        for (name, tensor) in
            [("regressors", regressors.reshape([2, 896 * 16])), ("logits", logits.reshape([2, 896]))]
        {
            let found: Vec<f32> = tensor.into_data().try_into_vec().unwrap();
            let expected = values(&reference, name);
            for half in found.chunks(expected.len()) {
                let worst = half.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                println!("{name}: off by up to {worst:e}");
                assert!(worst < 1e-3, "{name}: {worst}");
            }
        }
    }
}
