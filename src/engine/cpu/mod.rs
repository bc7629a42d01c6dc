//! The networks on the CPU, with the buffers that they need: once frames of a size have been seen, running
//! them allocates nothing.

mod brightness;
pub mod inputs;
mod maps;
pub mod plan;
mod sampling;

pub use brightness::brightness;
pub use inputs::{InputMaker, network_input};
pub use plan::{CpuPlan, CpuScratch};
pub(super) use sampling::{Squares, each};

use super::{Outputs, Region};
use crate::net::{NetworkKind, blaze_face};
use crate::picture::Frame;
use crate::weights::{Weights, WeightsError};

/// The network that finds faces.
#[derive(Debug, Clone)]
pub struct DetectionNetwork {
    plan: CpuPlan,
    squares: Squares,
    scratch: CpuScratch,
}

/// A network that estimates age and gender.
#[derive(Debug, Clone)]
pub struct EstimationNetwork {
    kind: NetworkKind,
    plan: CpuPlan,
    squares: Squares,
    inputs: InputMaker,
    scratch: CpuScratch,
}

impl DetectionNetwork {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn new(weights: &Weights) -> Result<Self, WeightsError> {
        let plan = CpuPlan::new(blaze_face::network(), weights)?;
        Ok(Self { plan, squares: Squares::default(), scratch: CpuScratch::default() })
    }

    /// Runs on regions of a frame and adds the [numbers](super::Task::Detection) of each to `outputs`.
    pub fn run(&mut self, frame: &Frame, regions: &[Region], outputs: &mut Outputs) {
        let Self { plan, squares, scratch } = self;
        for (region, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            outputs.push(|numbers| plan.run(rgb, region.side, scratch, numbers));
        }
    }
}

impl EstimationNetwork {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of no network of ours.
    pub fn new(weights: &Weights) -> Result<Self, WeightsError> {
        let kind = NetworkKind::of(weights)?;
        Ok(Self {
            kind,
            plan: CpuPlan::new(kind.network(), weights)?,
            squares: Squares::default(),
            inputs: InputMaker::default(),
            scratch: CpuScratch::default(),
        })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Runs on aligned regions of a frame and adds the [numbers](super::Task::Estimation) of each to
    /// `outputs`.
    pub fn run(&mut self, frame: &Frame, regions: &[Region], outputs: &mut Outputs) {
        let Self { kind, plan, squares, inputs, scratch } = self;
        for (_, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            let crops = inputs.run(*kind, rgb);
            outputs.push(|numbers| plan.run(crops, kind.side(), scratch, numbers));
        }
    }
}
