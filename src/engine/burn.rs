//! The networks on burn, on the CPU: slow, and the definition of what is right.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor, TensorData};

use super::cpu::{Squares, each, network_input};
use super::{EngineError, Outputs, RawEstimate, Region, Task};
use crate::face::BlazeFace;
use crate::model::{Network, NetworkKind};
use crate::picture::Frame;
use crate::weights::{Weights, WeightsError};

/// The detector and one of the three networks as their burn modules.
#[derive(Debug)]
pub struct Networks {
    detector: BlazeFace,
    network: Network,
    device: Device,
    squares: RefCell<Squares>,
}

impl Networks {
    /// From their weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of other networks.
    pub fn new(detector: &Weights, network: &Weights, device: Device) -> Result<Self, WeightsError> {
        Ok(Self {
            detector: BlazeFace::from_weights(detector, &device)?,
            network: Network::from_weights(network, &device)?,
            device,
            squares: RefCell::default(),
        })
    }

    /// Which network there is beside the detector.
    pub fn kind(&self) -> NetworkKind {
        self.network.kind()
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
        for (region, rgb) in each(regions, squares.cut(frame, regions, outputs)) {
            let numbers = match task {
                Task::Detection => detect(&self.detector, rgb, region.side, &self.device)?,
                Task::Estimation => self.estimate(rgb)?,
            };
            outputs.push(|row| row.extend(numbers));
        }
        Ok(())
    }

    fn estimate(&self, rgb: &[u8]) -> Result<Vec<f32>, EngineError> {
        let kind = self.kind();
        let shape = [1, kind.crops(), kind.side(), kind.side(), 3];
        let input = TensorData::new(network_input(kind, rgb), shape);
        let outputs = self.network.forward(Tensor::from_data(input, &self.device));
        let (ages, age, genders) =
            (read(outputs.age_logits)?, read(outputs.age)?, read(outputs.gender_logits)?);
        Ok(RawEstimate::from_logits(&ages, age[0], [genders[0], genders[1]]).numbers().collect())
    }
}

/// What the detector says of `side` x `side` RGB pixels: the numbers of [`Task::Detection`].
///
/// # Errors
/// [`EngineError::Lost`].
pub fn detect(
    network: &BlazeFace,
    rgb: &[u8],
    side: usize,
    device: &Device,
) -> Result<Vec<f32>, EngineError> {
    let input = TensorData::new(planes(rgb), [1, 3, side, side]);
    let (regressors, logits) = network.forward(Tensor::from_data(input, device));
    Ok([read(regressors)?, read(logits)?].concat())
}

/// RGB bytes, pixel by pixel, to values from -1 to 1, channel by channel: a picture of 128 x 128 becomes `[3, 128, 128]`.
pub fn planes(rgb: &[u8]) -> Vec<f32> {
    (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3).map(|v| f32::from(*v) / 127.5 - 1.0)).collect()
}

fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EngineError> {
    tensor.into_data().convert::<f32>().try_into_vec().map_err(|e| EngineError::Lost(format!("{e:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_planes() {
        assert_eq!(planes(&[0, 255, 51, 255, 0, 204]), [-1.0, 1.0, 1.0, -1.0, -0.6, 0.6]);
        assert!(planes(&[]).is_empty());
    }
}
