//! The networks on burn, on the CPU: slow, and the definition of what is right.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};

use super::cpu::{InputMaker, Squares, each};
use super::{EngineError, Outputs, Region, Task};
use crate::net::{NetworkKind, NetworkModule, RGB, blaze_face};
use crate::picture::Frame;
use crate::weights::{Weights, WeightsError};

/// The detector and a network that estimates age and gender as their burn modules.
#[derive(Debug)]
pub struct ReferenceNetworks {
    detector: NetworkModule,
    network: NetworkModule,
    kind: NetworkKind,
    device: Device,
    squares: RefCell<Squares>,
}

impl ReferenceNetworks {
    /// From their weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of other networks.
    pub fn new(detector: &Weights, network: &Weights, device: Device) -> Result<Self, WeightsError> {
        Ok(Self {
            detector: NetworkModule::new(blaze_face::network(), &device).with_weights(detector)?,
            network: NetworkModule::from_weights(network, &device)?,
            kind: NetworkKind::of(network)?,
            device,
            squares: RefCell::default(),
        })
    }

    /// Which network there is beside the detector.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// Runs on regions of a frame and adds the numbers of each to `outputs`.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn run(
        &self,
        task: Task,
        frame: &Frame,
        regions: &[Region],
        outputs: &mut Outputs,
    ) -> Result<(), EngineError> {
        let mut squares = self.squares.borrow_mut();
        let mut inputs = InputMaker::default();
        for (region, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            let numbers = match task {
                Task::Detection => run(&self.detector, rgb, region.side, &self.device)?,
                Task::Estimation => {
                    run(&self.network, inputs.run(self.kind, rgb), self.kind.side(), &self.device)?
                }
            };
            outputs.push(|row| row.extend(numbers));
        }
        Ok(())
    }
}

/// What a network says of its crops of `side` x `side` RGB pixels: as
/// [`cpu::CpuPlan::run`](super::cpu::CpuPlan::run).
///
/// # Errors
/// [`EngineError::Lost`].
pub fn run(
    network: &NetworkModule,
    rgb: &[u8],
    side: usize,
    device: &Device,
) -> Result<Vec<f32>, EngineError> {
    let values = rgb.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
    let shape = [1, network.network().input.crops(), side, side, RGB];
    let numbers = network.numbers(Tensor::from_data(TensorData::new(values, shape), device));
    numbers.into_data().convert::<f32>().try_into_vec().map_err(|e| EngineError::Lost(format!("{e:?}")))
}
