//! Labelled faces: where they come from, which part each belongs to, and how they reach the trainer.
//!
//! - [`labels`]: what a data set says of a picture, and why a row can be rejected.
//! - [`layouts`]: data sets by name, as tars or in their authors' own folders and tables.
//! - [`tars`]: the layout `labels.csv` + `<dataset>-<split>.tar`.
//! - [`split`]: train or validation, fixed by a hash of the name.
//! - [`crops`]: aligned crops in one packed file, made once by `mien prepare` ([`prepare`]).
//! - [`corrections`]: labels that are thought wrong; [`answers`]: what a teacher says of the crops.
//! - [`sampler`]: which pictures a pass draws.
//! - [`augment`]: random changes to a crop in training.
//! - [`batch`]: crops to the tensors of one training step.

pub mod answers;
pub mod augment;
pub mod batch;
pub mod corrections;
pub mod crops;
pub mod labels;
pub mod layouts;
pub mod prepare;
pub mod sampler;
pub mod split;
pub mod tars;
#[cfg(test)]
pub(crate) mod toy;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a data set can't be read.
#[derive(Debug, Error)]
pub enum DataError {
    /// A file can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A table is not as it should be.
    #[error("{path}: {reason}")]
    Table {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing under that name.
    #[error("{path} has no pictures of {dataset}-{split}; it has {present}")]
    NoSuchSet {
        /// The folder or table.
        path: PathBuf,
        /// Data set asked for.
        dataset: String,
        /// Split asked for.
        split: String,
        /// What is there.
        present: String,
    },
    /// The folder is not in a layout that the data set is known for.
    #[error("{path} is not {dataset} in a known layout: looked for {looked_for}; found {found}")]
    NotRecognised {
        /// The folder.
        path: PathBuf,
        /// Data set asked for.
        dataset: String,
        /// What would have been recognised.
        looked_for: String,
        /// What came of it.
        found: String,
    },
}

impl DataError {
    /// Attaches the path to a system error.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Fills `bytes` from the place `at` on. Several threads may read one file so.
#[cfg(not(windows))]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (bytes, at) = (&mut bytes[read..], at + read as u64),
        }
    }
    Ok(())
}
