//! Base CNN, the baseline: 1,999,377 parameters, 7.4 M multiply-adds.
//!
//! | layer | output | parameters |
//! |---|---|---|
//! | Conv3x3, stride 2, BN, ReLU | 79x79x32 | 896 + 128 |
//! | flatten, Dense | 10 | 1,997,130 |
//! | heads | | 1,100 / 101 / 22 |

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use super::network::batch_norm;
use super::{Heads, Outputs};

/// See the [module](self).
#[derive(Module, Debug)]
pub struct BaseCnn {
    conv: Conv2d,
    norm: BatchNorm,
    dense: Linear,
    heads: Heads,
}

impl BaseCnn {
    /// A freshly initialised network.
    pub fn new(device: &Device) -> Self {
        Self {
            conv: Conv2dConfig::new([3, 32], [3, 3]).with_stride([2, 2]).init(device),
            norm: batch_norm(32, device),
            dense: LinearConfig::new(79 * 79 * 32, 10).init(device),
            heads: Heads::new(10, device),
        }
    }

    /// `x` is `[N, 160, 160, 3]`.
    pub fn forward(&self, x: Tensor<4>) -> Outputs {
        let x = self.dense.forward(self.block(x).flatten(1, 3)); // [N, 10]
        self.heads.forward(x)
    }

    /// Convolution, normalisation, ReLU: `[N, 79, 79, 32]`.
    fn block(&self, x: Tensor<4>) -> Tensor<4> {
        #[cfg(feature = "train")]
        if super::fused::available(&x.device()) {
            return super::fused::block_train(x, &self.conv, &self.norm, super::fused::valid_relu(2, 1));
        }
        relu(self.norm.forward(self.conv.forward(x.permute([0, 3, 1, 2])))).permute([0, 2, 3, 1])
    }
}
