//! M-CNN, the multi-scale network: 40,299 parameters, 37.7 M multiply-adds.
//!
//! Three 64x64 crops of one face, from wide to close, go through one set of convolutions (D-CNN's; maps of
//! 62, 31, 29, 14, 12, 6, 4, 2, then Conv1x1 and MaxPool2 to 1x1x32); the three vectors of 32 together feed
//! the heads.

use super::{Input, Network, Op, d_cnn};

/// See the [module](self).
pub fn table() -> Network {
    Network {
        name: "m-cnn",
        title: "M-CNN",
        // Concentric on the tip of the nose: the face with context, the face box, the inner face from eyes to
        // mouth.
        input: Input { side: 64, extents: &[152.0, 112.0, 72.0], centre: [80.0, 84.0] },
        ops: vec![Op::EachCrop(d_cnn::convolutions()), Op::Heads],
    }
}
