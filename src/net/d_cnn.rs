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

use super::{Input, Network, Op, conv, dense, norm};

/// See the [module](self).
pub fn table() -> Network {
    let mut ops = convolutions();
    ops.push(Op::Flatten);
    for (name, out) in [("dense1", 1024), ("dense2", 64)] {
        ops.extend([dense(name, out), Op::Relu, Op::Dropout(0.3), norm(format!("{name}_norm"))]);
    }
    ops.push(Op::Heads);
    Network { name: "d-cnn", title: "D-CNN", input: Input::whole(160), ops }
}

/// The five convolutions, which M-CNN shares.
pub(super) fn convolutions() -> Vec<Op> {
    let mut ops = Vec::new();
    for i in 1..=4 {
        let name = format!("convolutions.block{i}");
        let conv = conv(format!("{name}.conv"), 32, 3);
        let conv = if i == 1 { conv.no_bias() } else { conv };
        ops.extend([conv.op(), norm(format!("{name}.norm")), Op::Relu, Op::AveragePool]);
    }
    let point = "convolutions.point";
    ops.extend([conv(point, 32, 1).op(), norm(format!("{point}_norm")), Op::Relu, Op::MaxPool]);
    ops
}
