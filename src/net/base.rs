//! Base CNN, the baseline: 1,999,377 parameters, 7.4 M multiply-adds.
//!
//! | layer | output | parameters |
//! |---|---|---|
//! | Conv3x3, stride 2, BN, ReLU | 79x79x32 | 896 + 128 |
//! | flatten, Dense | 10 | 1,997,130 |
//! | heads | | 1,100 / 101 / 22 |

use super::{Input, Network, Op, conv, dense, norm};

/// See the [module](self).
pub fn table() -> Network {
    Network {
        name: "base",
        title: "Base CNN",
        input: Input::whole(160),
        ops: vec![
            conv("conv", 32, 3).stride(2).op(),
            norm("norm"),
            Op::Relu,
            Op::Flatten,
            dense("dense", 10),
            Op::Heads,
        ],
    }
}
