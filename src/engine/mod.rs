//! How the networks run.
//!
//! - [`fused`] and, for the detector, [`blazeface`]: on the CPU, by the kernels of [`crate::kernels`], with batch normalisation folded
//!   into the weights. No tensor of burn's is made.
//! - burn, on WebGPU or (as the reference that everything is tested against) on the CPU.
//!
//! An [`Engine`] holds the detector and one of the three networks. What it is given and what it returns are plain numbers, so
//! nothing else in Mien knows which engine runs.
//!
//! Traps of burn 0.22.1 in browsers: without its features `autotune` and `fusion` every shader of ours is valid WGSL without
//! extensions; with them, matrix kernels that need `subgroups` are tried, browsers refuse those, and the device is lost.

pub mod blazeface;
pub mod fused;

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use thiserror::Error;

use crate::crop;
use crate::face::{self, BlazeFace, FaceError, INPUT_SIDE};
use crate::model::{AGES, Network, NetworkKind, Outputs};
use crate::weights::{Weights, WeightsError};
use blazeface::{DetectorScratch, FusedDetector};
use fused::{FusedNetwork, RawEstimate, Scratch};

/// Why an engine can't start or go on.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The weight files don't fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// This build or this device has no WebGPU.
    #[error("WebGPU is not available ({0}); use the CPU engine")]
    NoWebGpu(String),
    /// Results could not be read back, as when a graphics device is lost.
    #[error("the engine stopped ({0}); start it again or use the CPU engine")]
    Lost(String),
    /// Unusable numbers from the detector.
    #[error(transparent)]
    Face(#[from] FaceError),
    /// The network answered with numbers that are no probabilities.
    #[error("the network's answer is not finite; use another engine")]
    NotFinite,
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "native", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Fused kernels on the CPU.
    Cpu,
    /// burn on WebGPU.
    WebGpu,
    /// burn on the CPU: slow, the definition of what is right.
    Reference,
}

impl EngineKind {
    /// The name in options and on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::WebGpu => "webgpu",
            Self::Reference => "reference",
        }
    }

    /// The engine of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cpu, Self::WebGpu, Self::Reference].into_iter().find(|kind| kind.name() == name)
    }
}

/// The face detector, ready to run.
#[derive(Debug)]
pub enum Detector {
    /// By fused kernels on the CPU, with the buffers that it needs.
    Fused(Box<FusedDetector>, RefCell<DetectorScratch>),
    /// By burn, on that device.
    Burn(Box<BlazeFace>, Device),
}

impl Detector {
    /// On the CPU, by fused kernels.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn on_cpu(weights: &Weights) -> Result<Self, WeightsError> {
        Ok(Self::Fused(Box::new(FusedDetector::from_weights(weights)?), RefCell::default()))
    }

    /// By burn.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn by_burn(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        Ok(Self::Burn(Box::new(BlazeFace::from_weights(weights, device)?), device.clone()))
    }

    /// Runs 128 x 128 RGB pixels ([`face::Letterbox::input`]); returns their regressors (896 x 16) and logits (896).
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    ///
    /// # Panics
    /// If `rgb` has another length.
    pub async fn run(&self, rgb: &[u8]) -> Result<(Vec<f32>, Vec<f32>), EngineError> {
        let (network, device) = match self {
            Self::Fused(network, scratch) => return Ok(network.run(rgb, &mut scratch.borrow_mut())),
            Self::Burn(network, device) => (network, device),
        };
        let input = TensorData::new(face::normalise(rgb), [1, 3, INPUT_SIDE, INPUT_SIDE]);
        let (regressors, logits) = network.forward(Tensor::from_data(input, device));
        // One read-back instead of two: each is a round trip to the device.
        let all = Tensor::cat(vec![regressors.flatten::<1>(0, 2), logits.flatten::<1>(0, 1)], 0);
        let mut regressors = read(all).await?;
        let logits = regressors.split_off(regressors.len() / 17 * 16);
        Ok((regressors, logits))
    }
}

/// The two networks, ready to run.
#[derive(Debug)]
pub struct Engine {
    kind: EngineKind,
    detector: Detector,
    network: Runner,
}

#[derive(Debug)]
enum Runner {
    Burn(Box<Network>, Device),
    Fused(Box<FusedNetwork>, RefCell<Scratch>),
}

impl Engine {
    /// Starts an engine. WebGPU needs a build with the feature `webgpu`.
    ///
    /// # Errors
    /// [`EngineError::Weights`] for weights of another network, [`EngineError::NoWebGpu`] where there is none.
    pub async fn start(kind: EngineKind, detector: &Weights, network: &Weights) -> Result<Self, EngineError> {
        let device = match kind {
            EngineKind::Cpu => {
                let network =
                    Runner::Fused(Box::new(FusedNetwork::from_weights(network)?), RefCell::default());
                return Ok(Self { kind, detector: Detector::on_cpu(detector)?, network });
            }
            EngineKind::Reference => Device::flex(),
            EngineKind::WebGpu => webgpu().await?,
        };
        let detector = Detector::by_burn(detector, &device)?;
        let network = Runner::Burn(Box::new(Network::from_weights(network, &device)?), device);
        Ok(Self { kind, detector, network })
    }

    /// Which one this is.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Which network it has.
    pub fn network(&self) -> NetworkKind {
        match &self.network {
            Runner::Burn(network, _) => network.kind(),
            Runner::Fused(network, _) => network.kind(),
        }
    }

    /// Runs the detector: see [`Detector::run`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn detect(&self, rgb: &[u8]) -> Result<(Vec<f32>, Vec<f32>), EngineError> {
        self.detector.run(rgb).await
    }

    /// Runs the network on aligned crops of [`crate::crop::cut`], all faces at once.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::NotFinite`].
    pub async fn estimate(&self, crops: &[Vec<u8>]) -> Result<Vec<RawEstimate>, EngineError> {
        if crops.is_empty() {
            return Ok(Vec::new());
        }
        let estimates = match &self.network {
            Runner::Fused(network, scratch) => {
                let scratch = &mut scratch.borrow_mut();
                let inputs = crops.iter().map(|crop| crop::network_input(network.kind(), crop));
                inputs.map(|input| network.run(&input, scratch)).collect()
            }
            Runner::Burn(network, device) => run_burn(network, device, crops).await?,
        };
        let finite = |e: &RawEstimate| {
            e.age.is_finite() && e.female.is_finite() && e.age_distribution.iter().all(|p| p.is_finite())
        };
        if estimates.iter().all(finite) { Ok(estimates) } else { Err(EngineError::NotFinite) }
    }
}

/// As [`Engine::estimate`], by burn.
async fn run_burn(
    network: &Network,
    device: &Device,
    crops: &[Vec<u8>],
) -> Result<Vec<RawEstimate>, EngineError> {
    let kind = network.kind();
    let values: Vec<f32> = crops.iter().flat_map(|crop| crop::network_input(kind, crop)).collect();
    let shape = [crops.len(), kind.crops(), kind.side(), kind.side(), 3];
    let input = Tensor::from_data(TensorData::new(values, shape), device);
    let Outputs { age_logits, age, gender_logits } = network.forward(input);
    let all = Tensor::cat(vec![age_logits, age.reshape([crops.len(), 1]), gender_logits], 1);
    let values = read(all.flatten(0, 1)).await?;
    let rows = values.chunks_exact(AGES + 3);
    Ok(rows.map(|r| RawEstimate::from_logits(&r[..AGES], r[AGES], [r[AGES + 1], r[AGES + 2]])).collect())
}

async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, EngineError> {
    let data = tensor.into_data_async().await.map_err(|e| EngineError::Lost(e.to_string()))?;
    data.convert::<f32>().try_into_vec().map_err(|e| EngineError::Lost(format!("{e:?}")))
}

#[cfg(feature = "webgpu")]
async fn webgpu() -> Result<Device, EngineError> {
    Device::wgpu_options().init_async().await.map_err(|e| EngineError::NoWebGpu(e.to_string()))
}

#[cfg(not(feature = "webgpu"))]
async fn webgpu() -> Result<Device, EngineError> {
    Err(EngineError::NoWebGpu("this build has no WebGPU engine".into()))
}
