//! Weights into and out of burn modules, by the path of each tensor in the module.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use super::{NamedTensor, Weights, WeightsError};

impl Weights {
    /// Takes the tensors out of `module`, parameters and running statistics: to the names `name` and the path
    /// in it.
    pub fn take_part<M: Module>(&mut self, name: &str, module: &M) {
        let path = vec![name.to_owned()];
        module.visit(&mut Collector { path, tensors: &mut self.tensors });
    }

    /// Puts the tensors of those names into `module`, keeping its device.
    ///
    /// # Errors
    /// [`WeightsError::Missing`] or [`WeightsError::Shape`] if the file does not fit the module.
    pub fn into_part<M: Module>(&self, name: &str, module: M) -> Result<M, WeightsError> {
        let mut loader = Loader { path: vec![name.to_owned()], weights: self, error: None };
        let module = module.map(&mut loader);
        match loader.error {
            None => Ok(module),
            Some(error) => Err(error),
        }
    }
}

struct Collector<'a> {
    path: Vec<String>,
    tensors: &'a mut BTreeMap<String, NamedTensor>,
}

impl ModuleVisitor for Collector<'_> {
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
    use super::super::*;
    use burn::module::Module;
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

    fn of(module: &Small) -> Weights {
        let mut weights = Weights { network: "small".into(), ..Weights::default() };
        weights.take_part("part", module);
        weights
    }

    fn saved() -> Weights {
        let mut weights = of(&small(&Device::flex()));
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
                "part.dense.bias",
                "part.dense.weight",
                "part.norm.beta",
                "part.norm.gamma",
                "part.norm.running_mean",
                "part.norm.running_var"
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
        assert_ne!(of(&other).tensors, weights.tensors);
        let loaded = weights.into_part("part", other).unwrap();
        assert_eq!(of(&loaded).tensors, weights.tensors);
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
    fn numbers_that_are_not_finite_are_refused() {
        for (wrong, precision) in [(f32::NAN, Precision::Single), (f32::INFINITY, Precision::Half)] {
            let mut weights = saved();
            weights.tensors.get_mut("part.norm.beta").unwrap().values[1] = wrong;
            let error = Weights::from_bytes(&weights.to_bytes(precision).unwrap()).unwrap_err();
            assert!(matches!(&error, WeightsError::NotFinite(name) if name == "part.norm.beta"), "{error}");
        }
    }

    #[test]
    fn a_file_that_does_not_fit_is_refused() {
        let mut weights = saved();
        weights.tensors.get_mut("part.dense.weight").unwrap().shape = vec![2, 3];
        let error = weights.into_part("part", small(&Device::flex())).unwrap_err();
        assert!(matches!(error, WeightsError::Shape { .. }), "{error}");
        weights.tensors.remove("part.dense.weight");
        let error = weights.into_part("part", small(&Device::flex())).unwrap_err();
        assert!(matches!(error, WeightsError::Missing(_)), "{error}");
        assert!(weights.expect_network("small").is_ok());
        assert!(weights.expect_network("d-cnn").is_err());
    }
}
