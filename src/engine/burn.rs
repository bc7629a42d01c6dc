//! The networks on burn.
//!
//! Traps of burn 0.22.1 in browsers: without its features `autotune` and `fusion` every shader of ours is valid WGSL without
//! extensions; with them, matrix kernels that need `subgroups` are tried, browsers refuse those, and the device is lost.

use burn::tensor::{Device, Tensor, TensorData};

use super::fused::RawEstimate;
use super::{EngineError, EngineKind};
use crate::crop;
use crate::face::{self, BlazeFace, INPUT_SIDE};
use crate::model::{AGES, Network, NetworkKind, Outputs};
use crate::weights::{Weights, WeightsError};

/// The detector on a device of burn's.
#[derive(Debug)]
pub struct BurnDetector {
    network: BlazeFace,
    device: Device,
}

/// One of the three networks on a device of burn's.
#[derive(Debug)]
pub struct BurnNetwork {
    network: Network,
    device: Device,
}

/// The device of an engine.
///
/// # Errors
/// [`EngineError::Unavailable`].
pub async fn device(kind: EngineKind) -> Result<Device, EngineError> {
    match kind {
        EngineKind::WebGpu => {
            webgpu().await.map_err(|reason| EngineError::Unavailable { engine: kind.name(), reason })
        }
        EngineKind::Cpu | EngineKind::Reference => Ok(Device::flex()),
    }
}

#[cfg(feature = "webgpu")]
async fn webgpu() -> Result<Device, String> {
    Device::wgpu_options().init_async().await.map_err(|e| e.to_string())
}

#[cfg(not(feature = "webgpu"))]
async fn webgpu() -> Result<Device, String> {
    Err("it is not in this build".into())
}

impl BurnDetector {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of another network.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        Ok(Self { network: BlazeFace::from_weights(weights, device)?, device: device.clone() })
    }

    /// As [`super::Detector::run`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn run(&self, rgb: &[u8]) -> Result<(Vec<f32>, Vec<f32>), EngineError> {
        let input = TensorData::new(face::normalise(rgb), [1, 3, INPUT_SIDE, INPUT_SIDE]);
        let (regressors, logits) = self.network.forward(Tensor::from_data(input, &self.device));
        // One read-back instead of two: each is a round trip to the device.
        let all = Tensor::cat(vec![regressors.flatten::<1>(0, 2), logits.flatten::<1>(0, 1)], 0);
        let mut regressors = read(all).await?;
        let logits = regressors.split_off(regressors.len() / 17 * 16);
        Ok((regressors, logits))
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

    /// As [`super::Engine::estimate`]: all faces in one pass, one read-back.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn run(&self, crops: &[Vec<u8>]) -> Result<Vec<RawEstimate>, EngineError> {
        let kind = self.kind();
        let values: Vec<f32> = crops.iter().flat_map(|crop| crop::network_input(kind, crop)).collect();
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
