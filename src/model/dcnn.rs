//! D-CNN, the deep network: 632,299 parameters, 91.2 M multiply-adds.
//!
//! | layer | output | parameters |
//! |---|---|---|
//! | Conv3x3 without bias, BN, ReLU, AvgPool2 | 79x79x32 | 864 + 128 |
//! | Conv3x3, BN, ReLU, AvgPool2 | 38x38x32 | 9,248 + 128 |
//! | Conv3x3, BN, ReLU, AvgPool2 | 18x18x32 | 9,248 + 128 |
//! | Conv3x3, BN, ReLU, AvgPool2 | 8x8x32 | 9,248 + 128 |
//! | Conv1x1, BN, ReLU, MaxPool2 | 4x4x32 | 1,056 + 128 |
//! | flatten, Dense, ReLU, Dropout 0.3, BN | 1024 | 525,312 + 4,096 |
//! | Dense, ReLU, Dropout 0.3, BN | 64 | 65,600 + 256 |
//! | heads | | 6,500 / 101 / 130 |

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use super::network::batch_norm;
use super::{ConvBlock, Heads, Outputs};

/// The five convolutions, which M-CNN shares: `[N, H, W, 3]` to `[N, h, w, 32]`.
#[derive(Module, Debug)]
pub struct Convolutions {
    block1: ConvBlock,
    block2: ConvBlock,
    block3: ConvBlock,
    block4: ConvBlock,
    point: Conv2d,
    point_norm: BatchNorm,
}

impl Convolutions {
    /// Freshly initialised.
    pub fn new(device: &Device) -> Self {
        Self {
            block1: ConvBlock::new(3, 32, false, device),
            block2: ConvBlock::new(32, 32, true, device),
            block3: ConvBlock::new(32, 32, true, device),
            block4: ConvBlock::new(32, 32, true, device),
            point: Conv2dConfig::new([32, 32], [1, 1]).init(device),
            point_norm: batch_norm(32, device),
        }
    }

    /// `x` is `[N, H, W, 3]`: 160 gives 4x4x32, 64 gives 1x1x32.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.blocks(x);
        let x = relu(self.point_norm.forward(self.point.forward(x)));
        max_pool2d(x, MaxPoolOptions::new([2, 2])).permute([0, 2, 3, 1])
    }

    /// The four 3x3 blocks, to `[N, 32, h, w]`.
    fn blocks(&self, mut x: Tensor<4>) -> Tensor<4> {
        let blocks = [&self.block1, &self.block2, &self.block3, &self.block4];
        #[cfg(feature = "train")]
        if super::fused::available(&x.device()) {
            for block in blocks {
                x = block.forward_fused(x);
            }
            return x.permute([0, 3, 1, 2]);
        }
        x = x.permute([0, 3, 1, 2]);
        for block in blocks {
            x = block.forward(x);
        }
        x
    }
}

/// See the [module](self).
#[derive(Module, Debug)]
pub struct DCnn {
    convolutions: Convolutions,
    dense1: Linear,
    dense1_norm: BatchNorm,
    dense2: Linear,
    dense2_norm: BatchNorm,
    dropout: Dropout,
    heads: Heads,
}

impl DCnn {
    /// A freshly initialised network.
    pub fn new(device: &Device) -> Self {
        Self {
            convolutions: Convolutions::new(device),
            dense1: LinearConfig::new(4 * 4 * 32, 1024).init(device),
            dense1_norm: batch_norm(1024, device),
            dense2: LinearConfig::new(1024, 64).init(device),
            dense2_norm: batch_norm(64, device),
            dropout: DropoutConfig::new(0.3).init(),
            heads: Heads::new(64, device),
        }
    }

    /// `x` is `[N, 160, 160, 3]`.
    pub fn forward(&self, x: Tensor<4>) -> Outputs {
        let x = self.convolutions.forward(x).flatten(1, 3); // [N, 512], by row, column, channel
        let x = self.dropout.forward(relu(self.dense1.forward(x)));
        let x = self.dense1_norm.forward::<2>(x); // [N, 1024]
        let x = self.dropout.forward(relu(self.dense2.forward(x)));
        let x = self.dense2_norm.forward::<2>(x); // [N, 64]
        self.heads.forward(x)
    }
}
