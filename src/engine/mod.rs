//! How the networks run.
//!
//! - [`fused`] and, for the detector, [`blazeface`]: on the CPU, by the kernels of [`crate::kernels`], with batch normalisation folded
//!   into the weights. Nothing of burn's is needed, and the small browser module has none of it.
//! - `burn` (feature `burn`): on WebGPU (feature `webgpu`) or, as the reference that everything is tested against, on the CPU.
//!
//! An [`Engine`] holds the detector and one of the three networks. What it is given and what it returns are plain numbers, so
//! nothing else in Mien knows which engine runs.

pub mod blazeface;
#[cfg(feature = "burn")]
pub mod burn;
pub mod fused;

use std::cell::RefCell;

use serde::Serialize;
use thiserror::Error;

use crate::crop::InputMaker;
use crate::face::{FaceError, RawDetections};
use crate::model::NetworkKind;
use crate::weights::{Weights, WeightsError};
use blazeface::{DetectorScratch, FusedDetector};
use fused::{FusedNetwork, RawEstimate, Scratch};

/// Why an engine can't start or go on.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The weight files don't fit.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// This build or this device has no such engine.
    #[error("the {engine} engine is not available ({reason}); use the CPU engine")]
    Unavailable {
        /// Which engine.
        engine: &'static str,
        /// What it lacks.
        reason: String,
    },
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
    #[cfg_attr(feature = "native", value(name = "webgpu"))]
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
    /// By burn.
    #[cfg(feature = "burn")]
    Burn(Box<burn::BurnDetector>),
}

impl Detector {
    /// On the CPU, by fused kernels.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn on_cpu(weights: &Weights) -> Result<Self, WeightsError> {
        Ok(Self::Fused(Box::new(FusedDetector::from_weights(weights)?), RefCell::default()))
    }

    /// Runs 128 x 128 RGB pixels, and fills in what the network says of them.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    ///
    /// # Panics
    /// If `rgb` has another length.
    pub async fn run(&self, rgb: &[u8], raw: &mut RawDetections) -> Result<(), EngineError> {
        match self {
            Self::Fused(network, scratch) => network.run(rgb, raw, &mut scratch.borrow_mut()),
            #[cfg(feature = "burn")]
            Self::Burn(network) => (raw.regressors, raw.logits) = network.run(rgb).await?,
        }
        Ok(())
    }
}

/// One of the three networks, ready to run.
#[derive(Debug)]
enum Runner {
    Fused(Box<FusedNetwork>, Box<RefCell<(InputMaker, Scratch)>>),
    #[cfg(feature = "burn")]
    Burn(Box<burn::BurnNetwork>),
}

/// The two networks, ready to run.
#[derive(Debug)]
pub struct Engine {
    kind: EngineKind,
    detector: Detector,
    network: Runner,
}

impl Engine {
    /// Starts an engine. The reference needs a build with the feature `burn`, WebGPU one with `webgpu`.
    ///
    /// # Errors
    /// [`EngineError::Weights`] for weights of another network, [`EngineError::Unavailable`] where there is no such engine.
    pub async fn start(kind: EngineKind, detector: &Weights, network: &Weights) -> Result<Self, EngineError> {
        if kind == EngineKind::Cpu {
            let network = FusedNetwork::from_weights(network)?;
            let network = Runner::Fused(Box::new(network), Box::default());
            return Ok(Self { kind, detector: Detector::on_cpu(detector)?, network });
        }
        #[cfg(feature = "burn")]
        {
            let device = burn::device(kind).await?;
            let detector = Detector::Burn(Box::new(burn::BurnDetector::new(detector, &device)?));
            let network = Runner::Burn(Box::new(burn::BurnNetwork::new(network, device)?));
            Ok(Self { kind, detector, network })
        }
        #[cfg(not(feature = "burn"))]
        Err(EngineError::Unavailable { engine: kind.name(), reason: "it is not in this build".into() })
    }

    /// Which one this is.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Which network it has.
    pub fn network(&self) -> NetworkKind {
        match &self.network {
            Runner::Fused(network, _) => network.kind(),
            #[cfg(feature = "burn")]
            Runner::Burn(network) => network.kind(),
        }
    }

    /// Runs the detector: see [`Detector::run`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn detect(&self, rgb: &[u8], raw: &mut RawDetections) -> Result<(), EngineError> {
        self.detector.run(rgb, raw).await
    }

    /// Runs the network on aligned crops of [`crate::crop::cut`], all faces at once, and fills in an estimate for each; what `estimates`
    /// held before goes.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::NotFinite`].
    pub async fn estimate(
        &self,
        crops: &[Vec<u8>],
        estimates: &mut Vec<RawEstimate>,
    ) -> Result<(), EngineError> {
        estimates.clear();
        if crops.is_empty() {
            return Ok(());
        }
        match &self.network {
            Runner::Fused(network, buffers) => {
                let (maker, scratch) = &mut *buffers.borrow_mut();
                let run = |crop: &Vec<u8>| network.run(maker.run(network.kind(), crop), scratch);
                estimates.extend(crops.iter().map(run));
            }
            #[cfg(feature = "burn")]
            Runner::Burn(network) => *estimates = network.run(crops).await?,
        }
        let finite = |e: &RawEstimate| {
            e.age.is_finite() && e.female.is_finite() && e.age_distribution.iter().all(|p| p.is_finite())
        };
        if estimates.iter().all(finite) { Ok(()) } else { Err(EngineError::NotFinite) }
    }
}
