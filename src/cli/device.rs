//! `--device`: what a network trains on.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

/// The devices in this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TrainDevice {
    /// All cores, with fused blocks
    Cpu,
    /// The graphics processor by Vulkan, Metal or DirectX, composed of burn's operations
    #[cfg(feature = "webgpu")]
    Wgpu,
    /// An NVIDIA graphics processor by CUDA, composed of burn's operations
    #[cfg(feature = "cuda")]
    Cuda,
}

impl TrainDevice {
    /// As burn's device; the first one where there are several.
    pub fn open(self) -> anyhow::Result<Device> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "webgpu")]
            Self::Wgpu => pollster::block_on(Device::wgpu_options().init_async())
                .map_err(|e| anyhow::anyhow!("no graphics processor to train on ({e}); use --device cpu")),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
        }
    }
}
