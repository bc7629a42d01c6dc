//! The networks on the CPU, with the buffers that they need: once frames of a size have been seen, running them allocates nothing.

mod brightness;
pub mod inputs;
mod sampling;

pub use brightness::brightness;
pub use inputs::network_input;
pub(super) use sampling::{Squares, each};

use inputs::InputMaker;

use super::blazeface::{DetectorScratch, FusedDetector};
use super::fused::{FusedNetwork, Scratch};
use super::{Outputs, Region};
use crate::model::NetworkKind;
use crate::picture::Frame;
use crate::weights::{Weights, WeightsError};

/// The network that finds faces.
#[derive(Debug, Clone)]
pub struct Detector {
    network: FusedDetector,
    squares: Squares,
    scratch: DetectorScratch,
}

/// A network that estimates age and gender.
#[derive(Debug, Clone)]
pub struct Estimator {
    network: FusedNetwork,
    squares: Squares,
    inputs: InputMaker,
    scratch: Scratch,
}

impl Detector {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn new(weights: &Weights) -> Result<Self, WeightsError> {
        let network = FusedDetector::from_weights(weights)?;
        Ok(Self { network, squares: Squares::default(), scratch: DetectorScratch::default() })
    }

    /// Runs on regions of a frame and adds the [numbers](super::Task::Detection) of each to `outputs`.
    pub fn run(&mut self, frame: &Frame, regions: &[Region], outputs: &mut Outputs) {
        let Self { network, squares, scratch } = self;
        for (region, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            outputs.push(|numbers| network.run(rgb, region.side, numbers, scratch));
        }
    }
}

impl Estimator {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of no network of ours.
    pub fn new(weights: &Weights) -> Result<Self, WeightsError> {
        let network = FusedNetwork::from_weights(weights)?;
        Ok(Self {
            network,
            squares: Squares::default(),
            inputs: InputMaker::default(),
            scratch: Scratch::default(),
        })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.network.kind()
    }

    /// Runs on aligned regions of a frame and adds the [numbers](super::Task::Estimation) of each to `outputs`.
    pub fn run(&mut self, frame: &Frame, regions: &[Region], outputs: &mut Outputs) {
        let Self { network, squares, inputs, scratch } = self;
        for (_, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            let estimate = network.run(inputs.run(network.kind(), rgb), scratch);
            outputs.push(|numbers| numbers.extend(estimate.numbers()));
        }
    }
}
