//! A run on disk.
//!
//! A checkpoint is one file: a JSON line with the state, then the network, the average and the optimiser,
//! each behind its length, then the CRC-32 of all that. It is written beside the old one and renamed over it,
//! so whenever the process dies a whole one is there. (Those of before there was a checksum end without one.)

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::schedule::LearningRateSchedule;
use crate::files::write_atomically;
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
        file.extend(crc32fast::hash(&file).to_le_bytes());
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
        let state: CheckpointState = serde_json::from_slice(&file[..line])?;
        let mut rest = &file[line + 1..];
        let mut part = || {
            let (len, tail) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            let (part, tail) = tail.split_at_checked(u64::from_le_bytes(*len) as usize).ok_or_else(short)?;
            rest = tail;
            Ok::<_, CheckpointError>(part.to_vec())
        };
        let parts = [part()?, part()?, part()?];
        // Before anything is made of them: what reads them does not expect damage.
        let whole = &file[..file.len() - rest.len()];
        match rest {
            [] => {}
            _ if *rest == crc32fast::hash(whole).to_le_bytes() => {}
            _ => return Err(CheckpointError::Malformed("it is damaged: its checksum is another".into())),
        }
        let [network_part, average, optimizer_part] = parts;
        let average = Weights::from_bytes(&average)?;
        let (network, optimizer) = catch(|| {
            let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(network_part))?;
            let network = network.try_load_record(record)?;
            let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(optimizer_part))?;
            Ok((network, optimizer.load_record(record)))
        })?;
        Ok(Self { state, network, average, optimizer })
    }
}

/// Has burn read its records. It panics at some that are whole and no network's, such as one of integers.
fn catch<T>(read: impl FnOnce() -> Result<T, CheckpointError>) -> Result<T, CheckpointError> {
    let nothing = || CheckpointError::Malformed("its network or its optimiser can't be read".into());
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(nothing()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{NetworkKind, NetworkModule};
    use crate::train::schedule::ScheduleKind;
    use burn::optim::AdamWConfig;
    use burn::tensor::Device;

    #[test]
    fn damage_is_noticed_and_checkpoints_of_before_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.bin");
        let network = NetworkModule::new(NetworkKind::MCnn.network(), &Device::flex().autodiff());
        let schedule = LearningRateSchedule::new(ScheduleKind::Cosine, 1e-3, 10);
        let state = CheckpointState { step: 3, schedule, best_mae: Some(0.1), config: "{}".into() };
        let average = network.to_weights();
        let optimizer = || AdamWConfig::new().init();
        let checkpoint = Checkpoint { state, network: network.clone(), average, optimizer: optimizer() };
        checkpoint.save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let load = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Checkpoint::load(&path, network.clone(), optimizer())
        };
        let without = &whole[..whole.len() - 4];
        for bytes in [&whole[..], without] {
            let loaded = load(bytes).unwrap();
            assert_eq!((&loaded.state, &loaded.average), (&checkpoint.state, &checkpoint.average));
        }
        for at in (0..whole.len()).step_by(whole.len() / 97) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            assert!(matches!(load(&damaged), Err(CheckpointError::Malformed(_))), "byte {at}");
            let cut = load(&whole[..at]);
            assert!(matches!(cut, Err(CheckpointError::Malformed(_))), "{at} bytes");
        }
        for len in [whole.len() - 1, whole.len() - 3, without.len() - 1] {
            assert!(load(&whole[..len]).is_err(), "{len} bytes");
        }
        // Whole, and no network's: burn panics at it.
        let integers = without.windows(3).position(|part| part == b"F32").unwrap();
        let mut foreign = without.to_vec();
        foreign[integers..integers + 3].copy_from_slice(b"I32");
        foreign.extend(crc32fast::hash(&foreign).to_le_bytes());
        assert!(matches!(load(&foreign), Err(CheckpointError::Malformed(_))));
    }
}
