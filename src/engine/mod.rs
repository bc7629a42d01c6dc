//! How the networks run.
//!
//! - [`folded`]: the three networks with batch normalisation folded into their weights, as both engines run them.
//! - [`fused`] and, for the detector, [`blazeface`]: on the CPU, by the kernels of [`crate::kernels`]. Nothing of burn's is needed, and
//!   the small browser module has none of it.
//! - `webgpu` (feature `burn`): on WebGPU (feature `webgpu`), by burn's convolutions.
//! - `burn` (feature `train`): the burn modules that define the networks, which everything is tested against.
//!
//! An [`Engine`] holds the detector and one of the three networks. What it is given and what it returns are plain numbers, so
//! nothing else in Mien knows which engine runs.

pub mod blazeface;
#[cfg(feature = "train")]
pub mod burn;
pub mod folded;
pub mod fused;
#[cfg(feature = "burn")]
pub mod webgpu;

use std::cell::RefCell;
#[cfg(feature = "webgpu")]
use std::rc::Rc;

use serde::Serialize;
use thiserror::Error;

use crate::model::{AGES, NetworkKind};
use crate::source::Cut;
use crate::vision::alignment::InputMaker;
use crate::vision::{FaceError, View};
use crate::weights::{Weights, WeightsError};
use blazeface::{DetectorScratch, FusedDetector};
use fused::{FusedNetwork, Scratch};

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

/// What a network says of one face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawEstimate {
    /// Probability of each age 0..99.
    pub age_distribution: [f32; AGES],
    /// Age in years from the cascaded regression.
    pub age: f32,
    /// Probability of female.
    pub female: f32,
}

impl RawEstimate {
    /// From logits and the regression's result.
    ///
    /// # Panics
    /// If there are not 100 logits of ages.
    pub fn from_logits(age_logits: &[f32], age: f32, gender_logits: [f32; 2]) -> Self {
        let age_logits: [f32; AGES] = age_logits.try_into().expect("a logit for each age");
        let largest = age_logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut age_distribution = age_logits.map(|l| (l - largest).exp());
        let sum: f32 = age_distribution.iter().sum();
        age_distribution.iter_mut().for_each(|p| *p /= sum);
        let female = 1.0 / (1.0 + (gender_logits[0] - gender_logits[1]).exp());
        Self { age_distribution, age, female }
    }
}

/// The estimates that [`Engine::submit`] was asked for.
#[derive(Debug, Clone, Default)]
pub struct Estimates {
    here: Vec<RawEstimate>,
    /// Where they come from the device.
    #[cfg(feature = "webgpu")]
    awaited: Option<webgpu::Answer>,
}

/// The face detector, ready to run.
#[derive(Debug)]
pub enum Detector {
    /// By fused kernels on the CPU, with the buffers that it needs.
    Fused(Box<FusedDetector>, RefCell<DetectorScratch>),
    /// On WebGPU.
    #[cfg(feature = "webgpu")]
    WebGpu(Box<webgpu::WebGpuDetector>),
    /// The definition.
    #[cfg(feature = "train")]
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

    /// Runs the views' pixels and fills in what the network says of them; on WebGPU in one pass.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    ///
    /// # Panics
    /// If an input is not `side` x `side` RGB.
    pub async fn run(&self, views: &mut [View]) -> Result<(), EngineError> {
        match self {
            Self::Fused(network, scratch) => {
                let scratch = &mut scratch.borrow_mut();
                for View { side, input, raw } in views {
                    network.run(&input.rgb, *side, raw, scratch);
                }
            }
            #[cfg(feature = "webgpu")]
            Self::WebGpu(network) => network.run(views).await?,
            #[cfg(feature = "train")]
            Self::Burn(network) => {
                for view in views {
                    view.raw = network.run(&view.input.rgb, view.side).await?;
                }
            }
        }
        Ok(())
    }
}

/// One of the three networks, ready to run.
#[derive(Debug)]
enum Runner {
    Fused(Box<FusedNetwork>, Box<RefCell<(InputMaker, Scratch)>>),
    #[cfg(feature = "webgpu")]
    WebGpu(Box<webgpu::WebGpuNetwork>),
    #[cfg(feature = "train")]
    Burn(Box<burn::BurnNetwork>),
}

/// The two networks, ready to run.
#[derive(Debug)]
pub struct Engine {
    kind: EngineKind,
    detector: Detector,
    network: Runner,
    #[cfg(feature = "webgpu")]
    on_device: Option<OnDevice>,
}

/// What an engine on WebGPU has beside the networks.
#[cfg(feature = "webgpu")]
#[derive(Debug)]
struct OnDevice {
    /// Takes pictures: the browser's.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    cutter: Rc<webgpu::Cutter>,
    reads: Rc<webgpu::Reads>,
}

impl Engine {
    /// Starts an engine. The reference needs a build with the feature `train`, WebGPU one with `webgpu`.
    ///
    /// # Errors
    /// [`EngineError::Weights`] for weights of another network, [`EngineError::Unavailable`] where there is no such engine.
    pub async fn start(kind: EngineKind, detector: &Weights, network: &Weights) -> Result<Self, EngineError> {
        match kind {
            EngineKind::Cpu => {
                let network = FusedNetwork::from_weights(network)?;
                let network = Runner::Fused(Box::new(network), Box::default());
                Ok(Self {
                    kind,
                    detector: Detector::on_cpu(detector)?,
                    network,
                    #[cfg(feature = "webgpu")]
                    on_device: None,
                })
            }
            #[cfg(feature = "webgpu")]
            EngineKind::WebGpu => {
                let (device, cutter) = webgpu::device().await?;
                let reads = Rc::default();
                let detector = webgpu::WebGpuDetector::new(detector, &reads, &device)?;
                let network = webgpu::WebGpuNetwork::new(network, &reads, &device)?;
                Ok(Self {
                    kind,
                    detector: Detector::WebGpu(Box::new(detector)),
                    network: Runner::WebGpu(Box::new(network)),
                    on_device: Some(OnDevice { cutter: cutter.into(), reads }),
                })
            }
            #[cfg(feature = "train")]
            EngineKind::Reference => {
                let device = ::burn::tensor::Device::flex();
                let detector = Detector::Burn(Box::new(burn::BurnDetector::new(detector, &device)?));
                let network = Runner::Burn(Box::new(burn::BurnNetwork::new(network, device)?));
                Ok(Self {
                    kind,
                    detector,
                    network,
                    #[cfg(feature = "webgpu")]
                    on_device: None,
                })
            }
            #[allow(unreachable_patterns)] // not in every build
            _ => Err(EngineError::Unavailable {
                engine: kind.name(),
                reason: "it is not in this build".into(),
            }),
        }
    }

    /// Which one this is.
    pub fn kind(&self) -> EngineKind {
        self.kind
    }

    /// Which network it has.
    pub fn network(&self) -> NetworkKind {
        match &self.network {
            Runner::Fused(network, _) => network.kind(),
            #[cfg(feature = "webgpu")]
            Runner::WebGpu(network) => network.kind(),
            #[cfg(feature = "train")]
            Runner::Burn(network) => network.kind(),
        }
    }

    /// Takes a picture of the browser's to the device, or not: see [`webgpu::Cutter::load`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    #[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
    pub fn load(
        &self,
        image: &wasm_bindgen::JsValue,
        size: [usize; 2],
        cells: bool,
    ) -> Result<Option<webgpu::Picture>, EngineError> {
        match &self.on_device {
            Some(OnDevice { cutter, reads }) => cutter.load(image, size, cells, reads),
            None => Ok(None),
        }
    }

    /// Runs the detector: see [`Detector::run`]. What the engine was asked for before is here then, too.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn detect(&self, views: &mut [View]) -> Result<(), EngineError> {
        self.detector.run(views).await
    }

    /// Runs the network on aligned crops of [`crate::vision::alignment::cut`], all faces at once, and returns an estimate of each.
    ///
    /// # Errors
    /// [`EngineError::Lost`], [`EngineError::NotFinite`].
    pub async fn estimate(&self, crops: &[Cut]) -> Result<Vec<RawEstimate>, EngineError> {
        let mut estimates = Estimates::default();
        self.submit(crops, &mut estimates).await?;
        self.wait().await?;
        self.collect(&mut estimates)?;
        Ok(estimates.here)
    }

    /// Has the network run on aligned crops, and does not wait for it where it runs elsewhere: see [`Engine::collect`]. What `estimates` held before
    /// goes.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn submit(&self, crops: &[Cut], estimates: &mut Estimates) -> Result<(), EngineError> {
        let here = &mut estimates.here;
        here.clear();
        #[cfg(feature = "webgpu")]
        {
            estimates.awaited = None;
        }
        if crops.is_empty() {
            return Ok(());
        }
        match &self.network {
            Runner::Fused(network, buffers) => {
                let (maker, scratch) = &mut *buffers.borrow_mut();
                let run = |crop: &Cut| network.run(maker.run(network.kind(), &crop.rgb), scratch);
                here.extend(crops.iter().map(run));
            }
            #[cfg(feature = "webgpu")]
            Runner::WebGpu(network) => estimates.awaited = Some(network.submit(crops)?),
            #[cfg(feature = "train")]
            Runner::Burn(network) => *here = network.run(crops).await?,
        }
        Ok(())
    }

    /// Waits for all that the engine was asked for, if anything.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn wait(&self) -> Result<(), EngineError> {
        #[cfg(feature = "webgpu")]
        if let Some(OnDevice { reads, .. }) = &self.on_device {
            reads.wait().await?;
        }
        Ok(())
    }

    /// The estimates that were asked for, one for each crop, or `None` as long as they have to be waited for: by [`Engine::wait`],
    /// or [`Engine::detect`], which waits for all that there is.
    ///
    /// # Errors
    /// [`EngineError::NotFinite`].
    pub fn collect<'a>(
        &self,
        estimates: &'a mut Estimates,
    ) -> Result<Option<&'a [RawEstimate]>, EngineError> {
        let here = &mut estimates.here;
        #[cfg(feature = "webgpu")]
        if let (Runner::WebGpu(network), Some(answer)) = (&self.network, &estimates.awaited) {
            let Some(logits) = answer.get() else { return Ok(None) };
            here.extend(network.estimates(logits));
            estimates.awaited = None;
        }
        let finite = |e: &RawEstimate| {
            e.age.is_finite() && e.female.is_finite() && e.age_distribution.iter().all(|p| p.is_finite())
        };
        if !here.iter().all(finite) {
            here.clear();
            return Err(EngineError::NotFinite);
        }
        Ok(Some(here))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gender_is_a_softmax() {
        let estimate = RawEstimate::from_logits(&[0.0; AGES], 5.0, [1.0, 3.0]);
        assert!((estimate.female - 1.0 / (1.0 + (-2.0f32).exp())).abs() < 1e-6);
        assert!((estimate.age_distribution[7] - 0.01).abs() < 1e-6);
    }
}
