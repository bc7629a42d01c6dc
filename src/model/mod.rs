//! The three networks: Base CNN, D-CNN and M-CNN, as burn modules.
//!
//! Each takes pictures as they lie in memory, `[N, side, side, 3]` with values in -1..1, and ends in the same
//! [`Heads`]. Layer tables and parameter counts are in each network's own file. These modules are the definition: the
//! trainer trains them, burn runs them on WebGPU and natively, and every other engine is tested against them.

#[cfg(feature = "burn")]
pub mod base;
#[cfg(feature = "burn")]
pub mod dcnn;
#[cfg(feature = "train")]
pub mod fused;
#[cfg(feature = "burn")]
mod heads;
#[cfg(feature = "burn")]
pub mod mcnn;
#[cfg(feature = "burn")]
mod network;

#[cfg(feature = "burn")]
pub use {
    base::BaseCnn,
    dcnn::{Convolutions, DCnn},
    heads::{Heads, Outputs},
    mcnn::MCnn,
    network::{ConvBlock, Network},
};

use serde::{Deserialize, Serialize};

/// Number of age classes: class i is the age of i years.
pub const AGES: usize = 100;

/// Keras' default, which the study used.
pub(crate) const NORM_EPSILON: f32 = 1e-3;

/// One of the study's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// One convolution and one dense layer: the baseline.
    Base,
    /// The deep network: five convolutions and two dense layers.
    DCnn,
    /// The multi-scale network: three small crops through shared convolutions.
    MCnn,
}

impl NetworkKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Base, Self::DCnn, Self::MCnn];

    /// The name in files, options and the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::DCnn => "d-cnn",
            Self::MCnn => "m-cnn",
        }
    }

    /// The network with this [`NetworkKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Crops of one face that the network looks at.
    pub fn crops(self) -> usize {
        match self {
            Self::Base | Self::DCnn => 1,
            Self::MCnn => 3,
        }
    }

    /// Side of each crop in pixels.
    pub fn side(self) -> usize {
        match self {
            Self::Base | Self::DCnn => 160,
            Self::MCnn => 64,
        }
    }

    /// Floats that one face takes as input: crops x side x side x 3.
    pub fn input_len(self) -> usize {
        self.crops() * self.side() * self.side() * 3
    }
}
