//! `--device` and `--devices`: what a network trains on.

use anyhow::bail;
use burn::tensor::{Device, DeviceType};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The devices in this build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
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

    /// Those of its kind at `indices`, as burn counts them from 0; [`Self::open`] where none is given.
    pub fn open_each(self, indices: &[usize]) -> anyhow::Result<Vec<Device>> {
        if indices.is_empty() {
            return Ok(vec![self.open()?]);
        }
        let kind = match self {
            Self::Cpu => DeviceType::Flex,
            #[cfg(feature = "webgpu")]
            Self::Wgpu => DeviceType::Wgpu,
            #[cfg(feature = "cuda")]
            Self::Cuda => DeviceType::Cuda,
        };
        let found = Device::enumerate(kind);
        let mut devices = Vec::new();
        for index in indices {
            match found.get(*index) {
                Some(device) if devices.contains(device) => bail!("--devices names {index} twice"),
                Some(device) => devices.push(device.clone()),
                None => {
                    let name = self.to_possible_value().expect("none is hidden");
                    let (name, number) = (name.get_name(), found.len());
                    bail!("there is no device {index}: --device {name} has {number}, counted from 0")
                }
            }
        }
        Ok(devices)
    }
}
