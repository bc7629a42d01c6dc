//! EfficientNet-Lite0 (Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
//! Networks"; the variant without squeeze-and-excitation) cut after ten blocks, with the study's heads:
//! 606,027 parameters, about 54 M multiply-adds on 112x112 pixels.
//!
//! | layer | output |
//! |---|---|
//! | Conv3x3, stride 2 | 56x56x32 |
//! | block, 3x3, not widened | 56x56x16 |
//! | 2 blocks, 3x3, the first with stride 2 | 28x28x24 |
//! | 2 blocks, 5x5, the first with stride 2 | 14x14x40 |
//! | 3 blocks, 3x3, the first with stride 2 | 7x7x80 |
//! | 2 blocks, 5x5 | 7x7x112 |
//! | Conv1x1, global average pooling, Dropout 0.1 | 256 |
//! | heads | |
//!
//! A block is Conv1x1 to six times the channels, a depthwise convolution and Conv1x1 to its output, with the
//! input added where that has the same shape. No convolution has a bias, each is followed by BN, and all but
//! a block's last by ReLU6.

use super::{Convolution, Input, Network, Op, Padding, conv, depthwise, norm};

/// Widening, channels of the output, blocks, stride of the first, side of the depthwise kernel.
const STAGES: [(usize, usize, usize, usize, usize); 5] =
    [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 2, 1, 5)];

/// See the [module](self).
pub fn table() -> Network {
    let mut ops = normalised(conv("stem.conv", 32, 3).stride(2)).to_vec();
    ops.push(Op::Relu6);
    let (mut inputs, mut index) = (32, 0);
    for (widening, out, blocks, stride, kernel) in STAGES {
        for block in 0..blocks {
            let name = format!("blocks.{index}");
            let stride = if block == 0 { stride } else { 1 };
            let mut body = Vec::new();
            if widening > 1 {
                body.extend(normalised(conv(format!("{name}.expand.conv"), widening * inputs, 1)));
                body.push(Op::Relu6);
            }
            body.extend(normalised(depthwise(format!("{name}.depthwise.conv"), kernel).stride(stride)));
            body.push(Op::Relu6);
            body.extend(normalised(conv(format!("{name}.project.conv"), out, 1)));
            if stride == 1 && inputs == out {
                ops.push(Op::Residual(body));
            } else {
                ops.extend(body);
            }
            (inputs, index) = (out, index + 1);
        }
    }
    ops.extend(normalised(conv("head.conv", 256, 1)));
    ops.extend([Op::Relu6, Op::GlobalAveragePool, Op::Dropout(0.1), Op::Heads]);
    Network { name: "lite", title: "EfficientNet-Lite0, ten blocks", input: Input::whole(112), ops }
}

/// A convolution `x.conv` without bias, and the normalisation `x.norm`.
fn normalised(conv: Convolution) -> [Op; 2] {
    let name = conv.name.replace(".conv", ".norm");
    [conv.padding(Padding::Centred).no_bias().op(), norm(name)]
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, output};
    use super::*;

    #[test]
    fn shapes_and_parameters_are_efficientnets() {
        let network = table();
        let body = &network.ops[..network.ops.len() - 3];
        assert_eq!(output(body, network.square(), 1), Shape { side: 7, channels: 256 });
        // Without running statistics, and without the regression of age, which is the study's.
        let trained = network
            .tensors()
            .into_iter()
            .filter(|(name, _)| !name.contains("running") && !name.starts_with("heads.age_regression"));
        assert_eq!(trained.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), 585_926);
    }
}
