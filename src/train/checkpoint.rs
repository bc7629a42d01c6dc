//! A run on disk.
//!
//! A checkpoint is one file: a JSON line with the state, then the network, the average and the optimiser,
//! each behind its length. It is written beside the old one and renamed over it, so whenever the process dies
//! a whole one is there.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::schedule::LearningRateSchedule;
use crate::weights::{Precision, Weights, WeightsError};

/// Why a checkpoint can't be written or read.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Not a checkpoint of this version.
    #[error("not a usable checkpoint ({0}); delete it to start the run anew")]
    Malformed(String),
}

impl From<serde_json::Error> for CheckpointError {
    fn from(e: serde_json::Error) -> Self {
        Self::Malformed(e.to_string())
    }
}

impl From<WeightsError> for CheckpointError {
    fn from(e: WeightsError) -> Self {
        Self::Malformed(e.to_string())
    }
}

impl From<burn::store::RecordError> for CheckpointError {
    fn from(e: burn::store::RecordError) -> Self {
        Self::Malformed(e.to_string())
    }
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Steps done.
    pub step: usize,
    /// Learning rate schedule.
    pub schedule: LearningRateSchedule,
    /// Lowest validation MAE so far; none yet is infinity, which JSON does not have.
    pub best_mae: Option<f64>,
    /// The configuration and what the run was given, as text: it is not to go on under another one.
    pub config: String,
}

/// Everything a run goes on from.
pub struct Checkpoint<M> {
    /// Where it stands.
    pub state: CheckpointState,
    /// The network as of the last step.
    pub network: M,
    /// Moving average of its weights.
    pub average: Weights,
    /// Adam's moments.
    pub optimizer: ModuleOptimizer,
}

/// Writes `bytes` so that `path` is at any moment either the old file or the new one, whole.
///
/// # Errors
/// The system's.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("partial");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}

impl<M: Module> Checkpoint<M> {
    /// Writes it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let mut file = serde_json::to_vec(&self.state)?;
        file.push(b'\n');
        let network = self.network.clone().into_record().into_bytes()?;
        let average = self.average.to_bytes(Precision::Single)?;
        let optimizer = self.optimizer.to_record().into_bytes()?;
        for part in [&network[..], &average, &optimizer[..]] {
            file.extend((part.len() as u64).to_le_bytes());
            file.extend(part);
        }
        Ok(write_atomically(path, &file)?)
    }

    /// Reads it into a fresh network and optimiser.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn load(path: &Path, network: M, optimizer: ModuleOptimizer) -> Result<Self, CheckpointError> {
        let file = std::fs::read(path)?;
        let short = || CheckpointError::Malformed("it ends too early".into());
        let line = file.iter().position(|b| *b == b'\n').ok_or_else(short)?;
        let state = serde_json::from_slice(&file[..line])?;
        let mut rest = &file[line + 1..];
        let mut part = || {
            let (len, tail) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            let (part, tail) = tail.split_at_checked(u64::from_le_bytes(*len) as usize).ok_or_else(short)?;
            rest = tail;
            Ok::<_, CheckpointError>(part.to_vec())
        };
        let network = network.try_load_record(ModuleRecord::from_bytes(Bytes::from_bytes_vec(part()?))?)?;
        let average = Weights::from_bytes(&part()?)?;
        let optimizer = optimizer.load_record(OptimizerRecord::from_bytes(Bytes::from_bytes_vec(part()?))?);
        Ok(Self { state, network, average, optimizer })
    }
}
