//! The heads: classification of age cascaded into regression, and gender.

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::AGES;

/// What a network says of N faces.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Logits of the age classes 0..99, `[N, 100]`.
    pub age_logits: Tensor<2>,
    /// Age in years from the cascaded regression, `[N]`.
    pub age: Tensor<1>,
    /// Logits of male (0) and female (1), `[N, 2]`.
    pub gender_logits: Tensor<2>,
}

impl Outputs {
    /// Probability of each age, `[N, 100]`.
    pub fn age_distribution(&self) -> Tensor<2> {
        softmax(self.age_logits.clone(), 1)
    }
}

/// Age classes = softmax over 100 logits; age = a dense layer *on that softmax*, which starts as the expectation
/// (weights 0, 1, ..., 99, bias 0); gender = softmax over 2. Both read the same features.
#[derive(Module, Debug)]
pub struct Heads {
    age_class: Linear,
    age_regression: Linear,
    gender: Linear,
}

impl Heads {
    /// Heads on `features` features.
    pub fn new(features: usize, device: &Device) -> Self {
        let mut age_regression = LinearConfig::new(AGES, 1).init(device);
        let ages: [f32; AGES] = std::array::from_fn(|i| i as f32);
        age_regression.weight = Param::from_tensor(Tensor::<1>::from_floats(ages, device).reshape([AGES, 1]));
        age_regression.bias = Some(Param::from_tensor(Tensor::zeros([1], device)));
        Self {
            age_class: LinearConfig::new(features, AGES).init(device),
            age_regression,
            gender: LinearConfig::new(features, 2).init(device),
        }
    }

    /// `features` is `[N, F]`.
    pub fn forward(&self, features: Tensor<2>) -> Outputs {
        let [n, _] = features.dims();
        let age_logits = self.age_class.forward(features.clone());
        let age = self.age_regression.forward(softmax(age_logits.clone(), 1)).reshape([n]);
        Outputs { age_logits, age, gender_logits: self.gender.forward(features) }
    }
}
