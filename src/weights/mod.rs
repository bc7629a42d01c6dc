//! Weight files: named tensors with a checksum. The way into and out of burn modules is `module`.
//!
//! The container is [safetensors](https://docs.rs/safetensors): a JSON header (name, type, shape, place
//! of every tensor) before the numbers. Mien adds to its free-form metadata:
//!
//! | key | value |
//! |---|---|
//! | `format` | `mien-1` |
//! | `network` | which network the file is for (`d-cnn`, `blazeface-short`, ...) |
//! | `crc32` | CRC-32 of all tensor bytes, in file order, 8 hex digits: tells of damage |
//!
//! and whatever else a network needs beside its tensors, such as the calibration of its age range. Numbers
//! are stored as `F32`, `F16`, or `I8` with a tensor of scales beside it (see [`Precision`]), and are `f32`
//! once loaded.

#[cfg(feature = "burn")]
mod module;
mod precision;

use std::collections::BTreeMap;

use safetensors::{SafeTensors, tensor::TensorView};
use thiserror::Error;

pub use precision::Precision;
use precision::SCALE;

const FORMAT: &str = "mien-1";

/// Why a weight file can't be used.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The bytes are not a whole safetensors file.
    #[error("not a complete weight file ({0}); download it again")]
    Malformed(String),
    /// The tensors are not the ones that were saved.
    #[error("the weight file is damaged (its checksum is {found}, not {expected}); download it again")]
    Checksum {
        /// CRC-32 in the file's header.
        expected: String,
        /// CRC-32 of the bytes at hand.
        found: String,
    },
    /// Numbers that are none, or infinite: of a training that went wrong.
    #[error("the tensor {0:?} has numbers that are not finite; the weights are of no use")]
    NotFinite(String),
    /// A safetensors file, but not one of Mien's.
    #[error("not a weight file of Mien (its format is {0:?}, not {FORMAT:?})")]
    Format(String),
    /// The file is for another network.
    #[error("these weights are for the network {found:?}, not {expected:?}")]
    Network {
        /// The network asked for.
        expected: String,
        /// The network named in the file.
        found: String,
    },
    /// The network has a tensor that the file lacks.
    #[error("the weight file has no tensor {0:?}")]
    Missing(String),
    /// A tensor has another shape than the network's.
    #[error("the tensor {name:?} has the shape {found:?}; the network needs {expected:?}")]
    Shape {
        /// Path of the tensor in the network.
        name: String,
        /// The network's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
}

/// One tensor: its shape, and its numbers in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` numbers.
    pub values: Vec<f32>,
}

/// The tensors of one network, by their path in the module (`block1.conv.weight`), and its metadata.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// Which network these are for, as in `d-cnn`.
    pub network: String,
    /// What else the file says: calibration, provenance.
    pub metadata: BTreeMap<String, String>,
    /// The tensors, sorted by path.
    pub tensors: BTreeMap<String, NamedTensor>,
}

impl Weights {
    /// Reads a weight file.
    ///
    /// # Errors
    /// [`WeightsError`] if the bytes are truncated, damaged, not Mien's, or of a number type that none of
    /// Mien's has.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WeightsError> {
        let malformed = |e: safetensors::SafeTensorError| WeightsError::Malformed(e.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(malformed)?;
        let mut metadata: BTreeMap<String, String> =
            header.metadata().clone().unwrap_or_default().into_iter().collect();
        let format = metadata.remove("format").unwrap_or_default();
        if format != FORMAT {
            return Err(WeightsError::Format(format));
        }
        let file = SafeTensors::deserialize(bytes).map_err(malformed)?;
        let expected = metadata.remove("crc32").unwrap_or_default();
        let found = checksum(file.iter().map(|(name, view)| (name, view.data())));
        if expected != found {
            return Err(WeightsError::Checksum { expected, found });
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter().filter(|(name, _)| !name.ends_with(SCALE)) {
            let scales = file.tensor(&format!("{name}{SCALE}")).ok();
            let scales = scales.as_ref().map(TensorView::data);
            let values =
                precision::decode(view.dtype(), view.shape(), view.data(), scales).ok_or_else(|| {
                    WeightsError::Malformed(format!(
                        "{name:?} has numbers of a type {:?} that can't be read",
                        view.dtype()
                    ))
                })?;
            // A rectifier hides them from whoever reads the answer.
            if !values.iter().all(|value| value.is_finite()) {
                return Err(WeightsError::NotFinite(name.into()));
            }
            tensors.insert(name.to_owned(), NamedTensor { shape: view.shape().to_vec(), values });
        }
        let network = metadata.remove("network").unwrap_or_default();
        Ok(Self { network, metadata, tensors })
    }

    /// Writes a weight file.
    ///
    /// # Errors
    /// [`WeightsError::Malformed`] if a tensor's numbers don't fill its shape.
    pub fn to_bytes(&self, precision: Precision) -> Result<Vec<u8>, WeightsError> {
        let malformed = |e: safetensors::SafeTensorError| WeightsError::Malformed(e.to_string());
        let encoded: Vec<_> = self
            .tensors
            .iter()
            .flat_map(|(name, tensor)| precision::encode(name, tensor, precision))
            .collect();
        let mut metadata = self.metadata.clone();
        metadata.insert("format".into(), FORMAT.into());
        metadata.insert("network".into(), self.network.clone());
        let crc = checksum(encoded.iter().map(|t| (t.name.as_str(), t.bytes.as_slice())));
        metadata.insert("crc32".into(), crc);
        let views = encoded
            .iter()
            .map(|t| Ok((t.name.as_str(), TensorView::new(t.dtype, t.shape.clone(), &t.bytes)?)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(malformed)?;
        let plain = safetensors::serialize(views, None).map_err(malformed)?;
        Ok(with_metadata(&plain, &metadata))
    }

    /// Fails unless the file is for `network`.
    ///
    /// # Errors
    /// [`WeightsError::Network`].
    pub fn expect_network(&self, network: &str) -> Result<(), WeightsError> {
        if self.network == network {
            return Ok(());
        }
        Err(WeightsError::Network { expected: network.into(), found: self.network.clone() })
    }

    /// The tensor at `name`, which must have `shape`.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] or [`WeightsError::Shape`].
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<&NamedTensor, WeightsError> {
        let tensor = self.tensors.get(name).ok_or_else(|| WeightsError::Missing(name.into()))?;
        if tensor.shape != shape {
            return Err(WeightsError::Shape {
                name: name.into(),
                expected: shape.to_vec(),
                found: tensor.shape.clone(),
            });
        }
        Ok(tensor)
    }
}

/// Puts metadata into the header of a safetensors file, in the order of the keys: the crate's own order
/// changes from run to run, and the same weights are to give the same file.
fn with_metadata(plain: &[u8], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let (length, rest) = plain.split_first_chunk::<8>().expect("the crate writes whole files");
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let metadata = serde_json::to_string(metadata).expect("strings are valid JSON");
    let mut new = format!("{{\"__metadata__\":{metadata},").into_bytes();
    new.extend(&header[1..]);
    // Tensors begin at a multiple of 8, as the format asks.
    new.resize(new.len().next_multiple_of(8), b' ');
    [&(new.len() as u64).to_le_bytes()[..], &new, data].concat()
}

/// CRC-32 over names and bytes, in the order of the names: the file's own order puts equal types by name too,
/// but does not promise to.
fn checksum<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut sorted: Vec<_> = tensors.collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    let mut hasher = crc32fast::Hasher::new();
    for (name, bytes) in sorted {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    format!("{:08x}", hasher.finalize())
}
