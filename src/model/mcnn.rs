//! M-CNN, the multi-scale network: 40,299 parameters, 37.7 M multiply-adds.
//!
//! Three 64x64 crops of one face, from wide to close, go through one set of convolutions (D-CNN's; maps of 62, 31, 29, 14, 12, 6, 4, 2,
//! then Conv1x1 and MaxPool2 to 1x1x32); the three vectors of 32 together feed the heads.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Convolutions, Heads, Outputs};

/// See the [module](self).
#[derive(Module, Debug)]
pub struct MCnn {
    convolutions: Convolutions,
    heads: Heads,
}

impl MCnn {
    /// A freshly initialised network.
    pub fn new(device: &Device) -> Self {
        Self { convolutions: Convolutions::new(device), heads: Heads::new(3 * 32, device) }
    }

    /// `x` is `[3 N, 64, 64, 3]`, the crops of a face side by side.
    pub fn forward(&self, x: Tensor<4>, faces: usize) -> Outputs {
        let x = self.convolutions.forward(x); // [3 N, 1, 1, 32]
        self.heads.forward(x.reshape([faces, 3 * 32]))
    }
}
