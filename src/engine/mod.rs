//! How the networks run: a network, a picture and regions of it in, numbers out.
//!
//! - [`region`]: what is asked: a [`Region`] of a [`Picture`]. Whoever asks says where, and never touches a
//!   pixel: how those are reached, in memory or in a texture, is the engine's own affair.
//! - [`outputs`]: what is answered, and when it has to be waited for.
//! - [`cpu`]: on the CPU, by the kernels of [`crate::kernels`]. Nothing of burn's is needed, and the small
//!   browser module has none of it.
//! - `gpu` (feature `burn`): on WebGPU (feature `webgpu`), by burn's convolutions.
//! - `burn` (feature `train`): the burn modules that define the networks, which everything is tested against.
//!
//! All three read a network's table ([`crate::net`]). An [`Engine`] holds the detector and a network that
//! estimates age and gender. Nothing above it depends on which engine runs.

#[cfg(all(test, feature = "train"))]
mod agreement;
#[cfg(feature = "train")]
pub mod burn;
pub mod cpu;
#[cfg(feature = "burn")]
pub mod gpu;
pub mod outputs;
pub mod region;

use std::cell::RefCell;
#[cfg(feature = "burn")]
use std::rc::Rc;

use serde::Serialize;
use thiserror::Error;

pub use outputs::Outputs;
pub use region::{Picture, Region};

pub use crate::net::RawEstimate;

use crate::net::NetworkKind;
use crate::picture::{Border, Frame, Similarity};
use crate::weights::{Weights, WeightsError};

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
    /// The picture is in a texture that this engine can't read.
    #[error("the picture is on another device than the engine")]
    OtherDevice,
}

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Fused kernels on the CPU.
    Cpu,
    /// burn on WebGPU.
    #[cfg_attr(feature = "cli", value(name = "webgpu"))]
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

/// What an engine's networks are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Finding faces, by BlazeFace, in regions of a side that is a multiple of 32. The numbers of a region:
    /// for each of its [anchors](crate::net::blaze_face::anchors) sixteen values, in pixels of the region
    /// relative to the anchor; then for each a logit.
    Detection,
    /// Age and gender, by one of the other networks, in aligned regions. The numbers of a region:
    /// [`RawEstimate::from_numbers`].
    Estimation,
}

/// The two networks, ready to run.
#[derive(Debug)]
pub struct Engine {
    kind: EngineKind,
    network: NetworkKind,
    networks: Networks,
}

#[derive(Debug)]
enum Networks {
    Cpu(Box<RefCell<(cpu::DetectionNetwork, cpu::EstimationNetwork)>>),
    #[cfg(feature = "burn")]
    #[cfg_attr(not(feature = "webgpu"), allow(dead_code))] // but for tests
    WebGpu(Rc<gpu::GpuNetworks>),
    #[cfg(feature = "train")]
    Reference(Box<burn::ReferenceNetworks>),
}

impl Engine {
    /// Starts an engine. The reference needs a build with the feature `train`, WebGPU one with `webgpu`.
    ///
    /// # Errors
    /// [`EngineError::Weights`] for weights of another network, [`EngineError::Unavailable`] where there is
    /// no such engine.
    pub async fn start(kind: EngineKind, detector: &Weights, network: &Weights) -> Result<Self, EngineError> {
        let (network, networks) = match kind {
            EngineKind::Cpu => {
                let both = (cpu::DetectionNetwork::new(detector)?, cpu::EstimationNetwork::new(network)?);
                (both.1.kind(), Networks::Cpu(Box::new(RefCell::new(both))))
            }
            #[cfg(feature = "webgpu")]
            EngineKind::WebGpu => {
                let networks = gpu::GpuNetworks::start(detector, network).await?;
                (networks.kind(), Networks::WebGpu(networks.into()))
            }
            #[cfg(feature = "train")]
            EngineKind::Reference => {
                let networks =
                    burn::ReferenceNetworks::new(detector, network, ::burn::tensor::Device::flex())?;
                (networks.kind(), Networks::Reference(networks.into()))
            }
            #[allow(unreachable_patterns)] // not in every build
            _ => {
                return Err(EngineError::Unavailable {
                    engine: kind.name(),
                    reason: "it is not in this build".into(),
                });
            }
        };
        Ok(Self { kind, network, networks })
    }

    /// What runs on WebGPU, on burn's CPU back end: answers have to be waited for.
    #[cfg(all(test, feature = "train"))]
    pub(crate) fn waiting(detector: &Weights, network: &Weights) -> Self {
        let networks = gpu::GpuNetworks::new(detector, network, ::burn::tensor::Device::flex()).unwrap();
        Self {
            kind: EngineKind::WebGpu,
            network: networks.kind(),
            networks: Networks::WebGpu(networks.into()),
        }
    }

    /// Which one this is.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Which network it has for estimates.
    pub fn network(&self) -> NetworkKind {
        self.network
    }

    /// Takes a picture of the browser's to the device, or not: see [`gpu::TextureSampler::upload`].
    #[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
    pub fn upload(&self, image: &gpu::ExternalImageSource) -> Option<gpu::Texture> {
        match &self.networks {
            Networks::WebGpu(networks) => networks.upload(image),
            Networks::Cpu(_) => None,
        }
    }

    /// Has a network run on regions of a picture, and waits for the answer: [`Engine::submit`] and
    /// [`Outputs::wait`].
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::OtherDevice`].
    pub async fn run(
        &self,
        task: Task,
        picture: Picture<'_>,
        regions: &[Region],
        outputs: &mut Outputs,
    ) -> Result<(), EngineError> {
        self.submit(task, picture, regions, outputs)?;
        outputs.wait().await
    }

    /// Has a network run on regions of a picture, all of them in one pass, and does not wait for the answer:
    /// a row of numbers for each region in `outputs`, whose former content goes.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::OtherDevice`].
    pub fn submit(
        &self,
        task: Task,
        picture: Picture<'_>,
        regions: &[Region],
        outputs: &mut Outputs,
    ) -> Result<(), EngineError> {
        outputs.clear();
        if regions.is_empty() {
            return Ok(());
        }
        match (&self.networks, picture) {
            (Networks::Cpu(networks), Picture::Memory(frame)) => {
                let (detector, estimator) = &mut *networks.borrow_mut();
                match task {
                    Task::Detection => detector.run(&frame, regions, outputs),
                    Task::Estimation => estimator.run(&frame, regions, outputs),
                }
                Ok(())
            }
            #[cfg(feature = "burn")]
            (Networks::WebGpu(networks), picture) => networks.submit(task, picture, regions, outputs),
            #[cfg(feature = "train")]
            (Networks::Reference(networks), Picture::Memory(frame)) => {
                networks.run(task, &frame, regions, outputs)
            }
            #[allow(unreachable_patterns)] // not in every build
            _ => Err(EngineError::OtherDevice),
        }
    }

    /// Runs a network on a black region of `side` x `side` pixels, for what engines and browsers put off
    /// until the first run.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn warm_up(&self, task: Task, side: usize) -> Result<(), EngineError> {
        let rgba = vec![0; side * side * 4];
        let Ok(frame) = Frame::new(side, side, &rgba) else { return Ok(()) };
        let transform = Similarity::new(1.0, 0.0, 0.0, 0.0);
        let region = Region { transform, side, border: Border::Black, mirrored: false };
        self.run(task, frame.into(), &[region], &mut Outputs::default()).await
    }

    /// Has the brightness of a picture's cells measured, by which frames are compared, and does not wait for
    /// it: a row of [`region::CELLS`] x [`region::CELLS`] numbers (0 to 255) in `outputs`, whose former
    /// content goes.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::OtherDevice`].
    pub fn submit_brightness(&self, picture: Picture<'_>, outputs: &mut Outputs) -> Result<(), EngineError> {
        outputs.clear();
        match (&self.networks, picture) {
            (_, Picture::Memory(frame)) => outputs.push(|cells| cpu::brightness(&frame, cells)),
            #[cfg(feature = "webgpu")]
            (Networks::WebGpu(networks), Picture::Texture(texture)) => {
                networks.submit_brightness(texture, outputs)?;
            }
            #[allow(unreachable_patterns)] // not in every build
            _ => return Err(EngineError::OtherDevice),
        }
        Ok(())
    }
}
