//! The networks on burn, on the CPU: slow, and the definition of what is right.

use burn::tensor::{Device, Tensor, TensorData};

use super::{EngineError, RawEstimate};
use crate::face::BlazeFace;
use crate::model::{AGES, Network, NetworkKind, Outputs};
use crate::source::Cut;
use crate::vision::alignment;
use crate::vision::{self, RawDetections};
use crate::weights::{Weights, WeightsError};

/// The detector as its burn module.
#[derive(Debug)]
pub struct BurnDetector {
    network: BlazeFace,
    device: Device,
}

/// One of the three networks as its burn module.
#[derive(Debug)]
pub struct BurnNetwork {
    network: Network,
    device: Device,
}

impl BurnDetector {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        Ok(Self { network: BlazeFace::from_weights(weights, device)?, device: device.clone() })
    }

    /// As [`super::Detector::run`], for one view.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn run(&self, rgb: &[u8], side: usize) -> Result<RawDetections, EngineError> {
        let input = TensorData::new(vision::normalise(rgb), [1, 3, side, side]);
        let (regressors, logits) = self.network.forward(Tensor::from_data(input, &self.device));
        let regressors = read(regressors.flatten(0, 2)).await?;
        Ok(RawDetections { regressors, logits: read(logits.flatten(0, 1)).await? })
    }
}

impl BurnNetwork {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of no network of ours.
    pub fn new(weights: &Weights, device: Device) -> Result<Self, WeightsError> {
        Ok(Self { network: Network::from_weights(weights, &device)?, device })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.network.kind()
    }

    /// As [`super::Engine::estimate`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn run(&self, crops: &[Cut]) -> Result<Vec<RawEstimate>, EngineError> {
        let kind = self.kind();
        let values: Vec<f32> =
            crops.iter().flat_map(|crop| alignment::network_input(kind, &crop.rgb)).collect();
        let shape = [crops.len(), kind.crops(), kind.side(), kind.side(), 3];
        let input = Tensor::from_data(TensorData::new(values, shape), &self.device);
        let Outputs { age_logits, age, gender_logits } = self.network.forward(input);
        let all = Tensor::cat(vec![age_logits, age.reshape([crops.len(), 1]), gender_logits], 1);
        let values = read(all.flatten(0, 1)).await?;
        let rows = values.chunks_exact(AGES + 3);
        Ok(rows.map(|r| RawEstimate::from_logits(&r[..AGES], r[AGES], [r[AGES + 1], r[AGES + 2]])).collect())
    }
}

async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, EngineError> {
    let data = tensor.into_data_async().await.map_err(|e| EngineError::Lost(e.to_string()))?;
    data.convert::<f32>().try_into_vec().map_err(|e| EngineError::Lost(format!("{e:?}")))
}
