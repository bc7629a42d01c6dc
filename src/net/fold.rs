//! A network as it is used: batch normalisation folded into the layer before or after it, dropout gone.
//!
//! Both engines lay out what they need from this one form: the CPU's packs it for its kernels, WebGPU's
//! uploads it.

use super::blaze_face::{FeatureMap, VALUES};
use super::heads::{self, AGES, LOGITS, RawEstimate};
use super::{Groups, NORM_EPSILON, Network, Op, Padding, Shape};
use crate::kernels;
use crate::weights::{Weights, WeightsError};

/// A step of a network, its weights with it.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// See [`Op::Convolution`].
    Convolution(FoldedConvolution),
    /// See [`Op::Dense`].
    Dense(FoldedDense),
    /// An activation that stands behind none of those that have one of their own.
    Activation(FoldedActivation),
    /// See [`Op::AveragePool`].
    AveragePool,
    /// See [`Op::MaxPool`].
    MaxPool,
    /// See [`Op::GlobalAveragePool`].
    GlobalAveragePool,
    /// See [`Op::Residual`]; the activation comes after the addition.
    Residual(Vec<Step>, FoldedActivation),
    /// See [`Op::Flatten`].
    Flatten,
    /// See [`Op::EachCrop`].
    EachCrop(Vec<Step>),
    /// See [`Op::Anchors`].
    Anchors {
        /// Of how many cells and anchors.
        map: FeatureMap,
        /// 1x1, to the regressed values.
        values: FoldedConvolution,
        /// 1x1, to the logits.
        logits: FoldedConvolution,
    },
    /// See [`Op::Heads`].
    Heads(FoldedHeads),
}

/// What a rectifier makes of each number.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum FoldedActivation {
    /// Leaves it as it is.
    #[default]
    None,
    /// See [`Op::Relu`].
    Relu,
    /// See [`Op::Relu6`].
    Relu6,
    /// See [`Op::PRelu`]: a factor for each channel.
    PRelu(Vec<f32>),
}

impl FoldedActivation {
    /// As the kernels know it: a trained one not at all.
    pub fn kernel(&self) -> kernels::Activation {
        match self {
            Self::None | Self::PRelu(_) => kernels::Activation::None,
            Self::Relu => kernels::Activation::Relu,
            Self::Relu6 => kernels::Activation::Relu6,
        }
    }

    /// What is left to do behind a kernel.
    pub fn without_kernel(&self) -> Self {
        match self {
            Self::PRelu(_) => self.clone(),
            _ => Self::None,
        }
    }
}

/// A convolution, and the activation behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedConvolution {
    /// Outputs, inputs of each output, height and width of the kernel.
    pub shape: [usize; 4],
    /// In the order of `shape`.
    pub kernel: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
    /// Whether each channel sees itself alone.
    pub depthwise: bool,
    /// See [`super::Convolution::stride`].
    pub stride: usize,
    /// See [`super::Convolution::padding`].
    pub padding: Padding,
    /// Of the outputs.
    pub activation: FoldedActivation,
}

/// A dense layer, and the activation behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedDense {
    /// `[inputs][outputs]`.
    pub weights: Vec<f32>,
    /// One an output.
    pub bias: Vec<f32>,
    /// Of the outputs.
    pub activation: FoldedActivation,
}

/// Age and gender, from a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedHeads {
    /// Both classifications as one layer with [`LOGITS`] outputs.
    pub logits: FoldedDense,
    /// From the [`AGES`] probabilities to the age.
    pub regression: FoldedDense,
}

/// A scale and a shift of each channel.
type Affine = (Vec<f32>, Vec<f32>);

/// Folds a network.
///
/// # Errors
/// [`WeightsError`] if the weights are another network's or do not fit this one.
pub fn fold(network: &Network, weights: &Weights) -> Result<Vec<Step>, WeightsError> {
    weights.expect_network(network.name)?;
    steps(&network.ops, network.square(), network.input.crops(), weights)
}

/// Operations one after the other, on a map of that shape.
fn steps(ops: &[Op], mut shape: Shape, crops: usize, weights: &Weights) -> Result<Vec<Step>, WeightsError> {
    let mut folding = Folding { steps: Vec::new(), affine: None };
    for op in ops {
        let channels = shape.channels;
        match op {
            Op::Convolution(it) => {
                let mut conv = FoldedConvolution::new(it, channels, weights)?;
                if let Some(affine) = &folding.affine
                    && it.padding.ends(it.kernel, it.stride, shape.side) == [0, 0]
                {
                    conv.absorb(affine);
                    folding.affine = None;
                }
                folding.push(Step::Convolution(conv));
            }
            Op::Norm(name) => folding.normalise(norm(weights, name, channels)?),
            Op::Relu => folding.activate(FoldedActivation::Relu),
            Op::Relu6 => folding.activate(FoldedActivation::Relu6),
            Op::PRelu(name) => {
                let alpha = weights.tensor(&format!("{name}.alpha"), &[channels])?;
                folding.activate(FoldedActivation::PRelu(alpha.values.clone()));
            }
            // What comes before them may as well come after.
            Op::AveragePool => folding.steps.push(Step::AveragePool),
            Op::GlobalAveragePool => folding.steps.push(Step::GlobalAveragePool),
            Op::MaxPool => folding.push(Step::MaxPool),
            Op::Residual(body) => {
                let body = steps(body, shape, crops, weights)?;
                folding.push(Step::Residual(body, FoldedActivation::None));
            }
            Op::Flatten => {
                let pixels = shape.side * shape.side;
                let repeat = |values: Vec<f32>| values.repeat(pixels);
                folding.affine = folding.affine.map(|(scale, shift)| (repeat(scale), repeat(shift)));
                folding.steps.push(Step::Flatten);
            }
            Op::Dense(name, out) => {
                let mut dense = FoldedDense::new(weights, name, [channels, *out])?;
                if let Some(affine) = folding.affine.take() {
                    dense.absorb(&affine);
                }
                folding.steps.push(Step::Dense(dense));
            }
            Op::Dropout(_) => {}
            Op::EachCrop(body) => {
                let body = steps(body, shape, crops, weights)?;
                folding.push(Step::EachCrop(body));
            }
            Op::Anchors(map) => {
                let [values, logits] = map.convolutions();
                folding.push(Step::Anchors {
                    map: *map,
                    values: FoldedConvolution::new(&values, channels, weights)?,
                    logits: FoldedConvolution::new(&logits, channels, weights)?,
                });
            }
            Op::Heads => {
                let [ages, regression, gender] =
                    heads::layers(channels).map(|(name, extents)| FoldedDense::new(weights, name, extents));
                let mut logits = ages?.beside(&gender?);
                if let Some(affine) = folding.affine.take() {
                    logits.absorb(&affine);
                }
                folding.steps.push(Step::Heads(FoldedHeads { logits, regression: regression? }));
            }
        }
        shape = op.output(shape, crops);
    }
    folding.flush();
    Ok(folding.steps)
}

/// Steps so far, and a normalisation that none of them has taken in yet.
struct Folding {
    steps: Vec<Step>,
    affine: Option<Affine>,
}

impl Folding {
    fn normalise(&mut self, (scale, shift): Affine) {
        match (&mut self.affine, self.steps.last_mut()) {
            (Some((before, offset)), _) => {
                for ((before, offset), (scale, shift)) in
                    before.iter_mut().zip(offset).zip(scale.iter().zip(&shift))
                {
                    (*before, *offset) = (*before * scale, *offset * scale + shift);
                }
            }
            (None, Some(Step::Convolution(conv))) if conv.activation == FoldedActivation::None => {
                conv.scale(&(scale, shift));
            }
            (affine, _) => *affine = Some((scale, shift)),
        }
    }

    fn activate(&mut self, new: FoldedActivation) {
        self.flush();
        match self.steps.last_mut() {
            Some(
                Step::Convolution(FoldedConvolution { activation, .. })
                | Step::Dense(FoldedDense { activation, .. })
                | Step::Residual(_, activation),
            ) if *activation == FoldedActivation::None => *activation = new,
            _ => self.steps.push(Step::Activation(new)),
        }
    }

    /// A step that takes no normalisation in.
    fn push(&mut self, step: Step) {
        self.flush();
        self.steps.push(step);
    }

    /// A normalisation that nothing takes in is a convolution of single pixels.
    fn flush(&mut self) {
        if let Some((scale, shift)) = self.affine.take() {
            self.steps.push(Step::Convolution(FoldedConvolution {
                shape: [scale.len(), 1, 1, 1],
                kernel: scale,
                bias: shift,
                depthwise: true,
                stride: 1,
                padding: Padding::Valid,
                activation: FoldedActivation::None,
            }));
        }
    }
}

impl FoldedConvolution {
    fn new(it: &super::Convolution, channels: usize, weights: &Weights) -> Result<Self, WeightsError> {
        let shape = it.shape(channels);
        let bias = match it.bias {
            true => weights.tensor(&format!("{}.bias", it.name), &shape[..1])?.values.clone(),
            false => vec![0.0; shape[0]],
        };
        Ok(Self {
            shape,
            kernel: weights.tensor(&format!("{}.weight", it.name), &shape)?.values.clone(),
            bias,
            depthwise: it.groups == Groups::Depthwise,
            stride: it.stride,
            padding: it.padding,
            activation: FoldedActivation::None,
        })
    }

    /// Works a scale and a shift of its outputs in.
    fn scale(&mut self, (scale, shift): &Affine) {
        let each = self.kernel.len() / self.bias.len();
        let outputs = self.kernel.chunks_exact_mut(each).zip(&mut self.bias);
        for ((kernel, bias), (scale, shift)) in outputs.zip(scale.iter().zip(shift)) {
            kernel.iter_mut().for_each(|w| *w *= scale);
            *bias = *bias * scale + shift;
        }
    }

    /// The same of its inputs, if it has no padding.
    fn absorb(&mut self, (scale, shift): &Affine) {
        let [_, inputs, height, width] = self.shape;
        let outputs = self.kernel.chunks_exact_mut(inputs * height * width).zip(&mut self.bias);
        for (o, (kernel, bias)) in outputs.enumerate() {
            for (i, kernel) in kernel.chunks_exact_mut(height * width).enumerate() {
                let channel = if self.depthwise { o } else { i };
                *bias += kernel.iter().sum::<f32>() * shift[channel];
                kernel.iter_mut().for_each(|w| *w *= scale[channel]);
            }
        }
    }
}

impl FoldedDense {
    fn new(weights: &Weights, name: &str, [inputs, outputs]: [usize; 2]) -> Result<Self, WeightsError> {
        Ok(Self {
            weights: weights.tensor(&format!("{name}.weight"), &[inputs, outputs])?.values.clone(),
            bias: weights.tensor(&format!("{name}.bias"), &[outputs])?.values.clone(),
            activation: FoldedActivation::None,
        })
    }

    /// One layer with the outputs of both.
    fn beside(&self, other: &Self) -> Self {
        let rows = self.weights.chunks_exact(self.bias.len());
        let others = other.weights.chunks_exact(other.bias.len());
        let weights = rows.zip(others).flat_map(|(a, b)| a.iter().chain(b).copied()).collect();
        let bias = [self.bias.as_slice(), &other.bias].concat();
        Self { weights, bias, activation: FoldedActivation::None }
    }

    /// Works a scale and a shift of its inputs in.
    fn absorb(&mut self, (scale, shift): &Affine) {
        let n = self.bias.len();
        for ((row, scale), shift) in self.weights.chunks_exact_mut(n).zip(scale).zip(shift) {
            for (weight, bias) in row.iter_mut().zip(&mut self.bias) {
                *bias += *weight * shift;
                *weight *= scale;
            }
        }
    }
}

impl FoldedHeads {
    /// What the [`LOGITS`] numbers say of a face.
    ///
    /// # Panics
    /// If there are fewer or more.
    pub fn estimate(&self, logits: &[f32]) -> RawEstimate {
        assert_eq!(logits.len(), LOGITS);
        let (ages, gender) = logits.split_at(AGES);
        let mut estimate = RawEstimate::from_logits(ages, 0.0, [gender[0], gender[1]]);
        let pairs = estimate.age_distribution.iter().zip(&self.regression.weights);
        estimate.age = self.regression.bias[0] + pairs.map(|(p, w)| p * w).sum::<f32>();
        estimate
    }
}

/// Appends the regressed values and then the logits of all anchors of a picture of `side` x `side`, from
/// those of its maps one after the other, of each cell first all anchors' values, then their logits.
pub fn by_anchor(maps: &[FeatureMap], side: usize, values: &[f32], numbers: &mut Vec<f32>) {
    for part in [0, 1] {
        let mut rest = values;
        for map in maps {
            let (here, after) = rest.split_at(map.anchors(side) * (VALUES + 1));
            for cell in here.chunks_exact(map.anchors * (VALUES + 1)) {
                let (values, logits) = cell.split_at(map.anchors * VALUES);
                numbers.extend([values, logits][part]);
            }
            rest = after;
        }
    }
}

/// Scale and shift of a trained normalisation.
fn norm(weights: &Weights, name: &str, channels: usize) -> Result<Affine, WeightsError> {
    let get = |field: &str| Ok(&weights.tensor(&format!("{name}.{field}"), &[channels])?.values);
    let (gamma, beta): (&Vec<f32>, &Vec<f32>) = (get("gamma")?, get("beta")?);
    let (mean, variance) = (get("running_mean")?, get("running_var")?);
    let scale: Vec<f32> = gamma.iter().zip(variance).map(|(g, v)| g / (v + NORM_EPSILON).sqrt()).collect();
    let shift = beta.iter().zip(&scale).zip(mean).map(|((b, s), m)| b - s * m).collect();
    Ok((scale, shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_layers_beside_each_other_keep_their_outputs() {
        let dense = |weights, bias| FoldedDense { weights, bias, activation: FoldedActivation::None };
        let both = dense(vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0]).beside(&dense(vec![7.0, 8.0], vec![9.0]));
        assert_eq!(both.weights, [1.0, 2.0, 7.0, 3.0, 4.0, 8.0]);
        assert_eq!(both.bias, [5.0, 6.0, 9.0]);
    }

    #[test]
    fn the_age_is_a_regression_on_the_probabilities() {
        let dense = |weights, bias| FoldedDense { weights, bias, activation: FoldedActivation::None };
        let ages = (0..AGES).map(|age| age as f32).collect();
        let heads =
            FoldedHeads { logits: dense(vec![], vec![0.0; LOGITS]), regression: dense(ages, vec![1.0]) };
        let estimate = heads.estimate(&[0.0; LOGITS]);
        assert!((estimate.age - 50.5).abs() < 1e-4 && (estimate.female - 0.5).abs() < 1e-6, "{estimate:?}");
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let table = super::super::d_cnn::table();
        let error = fold(&table, &Weights { network: "x".into(), ..Weights::default() });
        assert!(matches!(error, Err(WeightsError::Network { .. })));
    }
}
