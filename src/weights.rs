//! Weight files: named tensors with a checksum, and the way into and out of burn modules.
//!
//! The container is [safetensors](https://docs.rs/safetensors): a JSON header (name, type, shape, place
//! of every tensor) before the numbers. Mien adds to its free-form metadata:
//!
//! | key | value |
//! |---|---|
//! | `format` | `mien-1` |
//! | `network` | which network the file is for (`d-cnn`, `blazeface-short`, ...) |
//! | `crc32` | CRC-32 of all tensor bytes, in file order, as 8 hex digits: a damaged download is told apart from a good one |
//!
//! and whatever else a network needs beside its tensors, such as the calibration of its age range.
//! Numbers are stored as `F32` or `F16` and are `f32` once loaded.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use thiserror::Error;

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

/// How the numbers of a weight file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats: exact.
    Single,
    /// 16-bit floats: half the size; 11 significant bits.
    Half,
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
    /// [`WeightsError`] if the bytes are truncated, damaged, not Mien's, or of a number type other than F16 and F32.
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
        for (name, view) in file.iter() {
            let values = match view.dtype() {
                Dtype::F32 => view.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
                Dtype::F16 => {
                    view.data().as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()
                }
                other => {
                    return Err(WeightsError::Malformed(format!("number type {other:?} of {name:?}")));
                }
            };
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
        let dtype = match precision {
            Precision::Single => Dtype::F32,
            Precision::Half => Dtype::F16,
        };
        let encoded: BTreeMap<&String, Vec<u8>> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let values = tensor.values.iter();
                let bytes = match precision {
                    Precision::Single => values.flat_map(|v| v.to_le_bytes()).collect(),
                    Precision::Half => values.flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
                };
                (name, bytes)
            })
            .collect();
        let mut metadata = self.metadata.clone();
        metadata.insert("format".into(), FORMAT.into());
        metadata.insert("network".into(), self.network.clone());
        let crc = checksum(encoded.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
        metadata.insert("crc32".into(), crc);
        let views = encoded
            .iter()
            .map(|(name, bytes)| {
                let view = TensorView::new(dtype, self.tensors[*name].shape.clone(), bytes)?;
                Ok((name.as_str(), view))
            })
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

    /// Takes the tensors out of `module`: parameters and running statistics.
    pub fn from_module<M: Module>(network: &str, module: &M) -> Self {
        let mut collector = Collector { path: Vec::new(), tensors: BTreeMap::new() };
        module.visit(&mut collector);
        Self { network: network.into(), metadata: BTreeMap::new(), tensors: collector.tensors }
    }

    /// Puts the tensors into `module`, keeping its device. Tensors the module has no place for are left alone.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] or [`WeightsError::Shape`] if the file does not fit the network.
    pub fn into_module<M: Module>(&self, module: M) -> Result<M, WeightsError> {
        let mut loader = Loader { path: Vec::new(), weights: self, error: None };
        let module = module.map(&mut loader);
        match loader.error {
            None => Ok(module),
            Some(error) => Err(error),
        }
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

/// Puts metadata into the header of a safetensors file, in the order of the keys: the crate's own order changes from run to run, and the
/// same weights are to give the same file.
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

struct Collector {
    path: Vec<String>,
    tensors: BTreeMap<String, NamedTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data().convert::<f32>();
        let shape = data.shape().to_vec();
        let values = data.try_into_vec().expect("converted to f32 above");
        self.tensors.insert(self.path.join("."), NamedTensor { shape, values });
    }
}

struct Loader<'a> {
    path: Vec<String>,
    weights: &'a Weights,
    error: Option<WeightsError>,
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let weights = self.weights;
        let error = &mut self.error;
        param.map(|old| match weights.tensor(&name, &old.dims()) {
            Ok(found) => {
                let data = TensorData::new(found.values.clone(), found.shape.clone());
                let new = Tensor::from_data(data, &old.device());
                if old.is_require_grad() { new.require_grad() } else { new }
            }
            Err(e) => {
                error.get_or_insert(e);
                old
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::Device;

    #[derive(Module, Debug)]
    struct Small {
        dense: Linear,
        norm: BatchNorm,
    }

    fn small(device: &Device) -> Small {
        Small { dense: LinearConfig::new(3, 2).init(device), norm: BatchNormConfig::new(2).init(device) }
    }

    fn saved() -> Weights {
        let mut weights = Weights::from_module("small", &small(&Device::flex()));
        weights.metadata.insert("made_by".into(), "a test".into());
        weights
    }

    #[test]
    fn a_file_holds_every_tensor_and_the_metadata() {
        let weights = saved();
        let names: Vec<_> = weights.tensors.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "dense.bias",
                "dense.weight",
                "norm.beta",
                "norm.gamma",
                "norm.running_mean",
                "norm.running_var"
            ]
        );
        let bytes = weights.to_bytes(Precision::Single).unwrap();
        assert_eq!(Weights::from_bytes(&bytes).unwrap(), weights);
        assert_eq!(weights.to_bytes(Precision::Single).unwrap(), bytes);
    }

    #[test]
    fn a_module_takes_back_what_was_saved() {
        let weights = saved();
        let other = small(&Device::flex());
        assert_ne!(Weights::from_module("small", &other).tensors, weights.tensors);
        let loaded = weights.into_module(other).unwrap();
        assert_eq!(Weights::from_module("small", &loaded).tensors, weights.tensors);
    }

    #[test]
    fn half_precision_keeps_eleven_bits() {
        let weights = saved();
        let bytes = weights.to_bytes(Precision::Half).unwrap();
        let loaded = Weights::from_bytes(&bytes).unwrap();
        for (name, tensor) in &weights.tensors {
            for (a, b) in tensor.values.iter().zip(&loaded.tensors[name].values) {
                assert!((a - b).abs() <= a.abs() / 2048.0 + 1e-7, "{name}: {a} {b}");
            }
        }
    }

    #[test]
    fn damage_is_named() {
        let bytes = saved().to_bytes(Precision::Single).unwrap();
        for length in [0, 7, 40, bytes.len() - 1] {
            let error = Weights::from_bytes(&bytes[..length]).unwrap_err();
            assert!(matches!(error, WeightsError::Malformed(_)), "{length}: {error}");
        }
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        assert!(matches!(Weights::from_bytes(&flipped), Err(WeightsError::Checksum { .. })));
    }

    #[test]
    fn a_file_that_does_not_fit_is_refused() {
        let mut weights = saved();
        weights.tensors.get_mut("dense.weight").unwrap().shape = vec![2, 3];
        let error = weights.into_module(small(&Device::flex())).unwrap_err();
        assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
        weights.tensors.remove("dense.weight");
        let error = weights.into_module(small(&Device::flex())).unwrap_err();
        assert!(matches!(error, WeightsError::Missing(_)), "{error}");
        assert!(weights.expect_network("small").is_ok());
        assert!(weights.expect_network("d-cnn").is_err());
    }
}
