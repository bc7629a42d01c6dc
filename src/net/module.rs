//! A table as a burn module: what is trained, and the definition that every engine is tested against.

use std::slice;
use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig, PRelu, PReluConfig,
    PaddingConfig2d,
};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

use super::blaze_face::VALUES;
use super::fused::{self, BlockOptions, TrainBlock};
use super::heads::{self, AGES};
use super::{Convolution, Groups, NORM_EPSILON, Network, NetworkKind, Op, Padding, Shape};
use crate::kernels::{Activation, Window};
use crate::weights::{Weights, WeightsError};

/// A network with weights.
#[derive(Module, Debug)]
pub struct NetworkModule {
    /// What has tensors, in the order of the table.
    layers: Vec<ModuleLayer>,
    #[module(skip)]
    network: Arc<Network>,
    /// Of `layers`.
    #[module(skip)]
    names: Arc<Vec<String>>,
}

/// A layer with tensors.
#[derive(Module, Debug)]
enum ModuleLayer {
    Convolution(Conv2d),
    Norm(BatchNorm),
    PRelu(PRelu),
    Dense(Linear),
}

/// What a network says of N faces.
#[derive(Debug, Clone)]
pub struct HeadOutputs {
    /// Logits of the age classes 0..99, `[N, 100]`.
    pub age_logits: Tensor<2>,
    /// Age in years from the cascaded regression, `[N]`.
    pub age: Tensor<1>,
    /// Logits of male (0) and female (1), `[N, 2]`.
    pub gender_logits: Tensor<2>,
}

impl HeadOutputs {
    /// Probability of each age, `[N, 100]`.
    pub fn age_distribution(&self) -> Tensor<2> {
        softmax(self.age_logits.clone(), 1)
    }
}

impl NetworkModule {
    /// A freshly initialised network.
    pub fn new(network: &Network, device: &Device) -> Self {
        let (mut layers, mut names) = (Vec::new(), Vec::new());
        network.visit(&mut |op, shape| {
            let channels = shape.channels;
            let mut add = |name: &str, layer| {
                names.push(name.to_owned());
                layers.push(layer);
            };
            match op {
                Op::Convolution(it) => {
                    add(&it.name, ModuleLayer::Convolution(convolution(it, channels, device)))
                }
                Op::Norm(name) => {
                    let config = BatchNormConfig::new(channels).with_epsilon(NORM_EPSILON.into());
                    add(name, ModuleLayer::Norm(config.init(device)));
                }
                Op::PRelu(name) => {
                    let config = PReluConfig::new().with_num_parameters(channels);
                    add(name, ModuleLayer::PRelu(config.init(device)));
                }
                Op::Dense(name, out) => {
                    add(name, ModuleLayer::Dense(LinearConfig::new(channels, *out).init(device)));
                }
                Op::Anchors(map) => {
                    for it in map.convolutions() {
                        add(&it.name, ModuleLayer::Convolution(convolution(&it, channels, device)));
                    }
                }
                Op::Heads => {
                    let [classes, regression, gender] = heads::layers(channels);
                    let dense =
                        |(_, [inputs, out]): (&str, [usize; 2])| LinearConfig::new(inputs, out).init(device);
                    add(classes.0, ModuleLayer::Dense(dense(classes)));
                    add(regression.0, ModuleLayer::Dense(expectation(device)));
                    add(gender.0, ModuleLayer::Dense(dense(gender)));
                }
                _ => {}
            }
        });
        Self { layers, network: network.clone().into(), names: names.into() }
    }

    /// A network of ours with the weights of a file.
    ///
    /// # Errors
    /// [`WeightsError`] if the file names no network that estimates age and gender, or does not fit it.
    pub fn from_weights(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        Self::new(NetworkKind::of(weights)?.network(), device).with_weights(weights)
    }

    /// The same network with the weights of a file. Tensors that it has no place for are left alone.
    ///
    /// # Errors
    /// [`WeightsError`] if the file is another network's or does not fit this one.
    pub fn with_weights(mut self, weights: &Weights) -> Result<Self, WeightsError> {
        weights.expect_network(self.network.name)?;
        self.layers = self
            .layers
            .into_iter()
            .zip(&*self.names)
            .map(|(layer, name)| {
                Ok(match layer {
                    ModuleLayer::Convolution(it) => ModuleLayer::Convolution(weights.into_part(name, it)?),
                    ModuleLayer::Norm(it) => ModuleLayer::Norm(weights.into_part(name, it)?),
                    ModuleLayer::PRelu(it) => ModuleLayer::PRelu(weights.into_part(name, it)?),
                    ModuleLayer::Dense(it) => ModuleLayer::Dense(weights.into_part(name, it)?),
                })
            })
            .collect::<Result<_, WeightsError>>()?;
        Ok(self)
    }

    /// All tensors by their names in the table.
    pub fn to_weights(&self) -> Weights {
        let mut weights = Weights { network: self.network.name.into(), ..Weights::default() };
        for (layer, name) in self.layers.iter().zip(&*self.names) {
            match layer {
                ModuleLayer::Convolution(it) => weights.take_part(name, it),
                ModuleLayer::Norm(it) => weights.take_part(name, it),
                ModuleLayer::PRelu(it) => weights.take_part(name, it),
                ModuleLayer::Dense(it) => weights.take_part(name, it),
            }
        }
        weights
    }

    /// The table.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Runs N faces. `crops` is `[N, crops, side, side, 3]` (see [`Input`](super::Input)), values in -1..1.
    ///
    /// # Panics
    /// If the table has no [`Op::Heads`], or the crops are not those of its input.
    pub fn forward(&self, crops: Tensor<5>) -> HeadOutputs {
        let [n, k, height, width, channels] = crops.dims();
        let mut pass = self.pass(k);
        pass.run(&self.network.ops, crops.reshape([n * k, height, width, channels]));
        pass.outputs.expect("a network with heads")
    }

    /// All numbers of each row as an engine gives them: of a face its [`NUMBERS`](heads::NUMBERS), of a
    /// picture all regressed values and then all logits of the anchors. The input is as for
    /// [`NetworkModule::forward`].
    pub fn numbers(&self, crops: Tensor<5>) -> Tensor<2> {
        let [n, k, height, width, channels] = crops.dims();
        let mut pass = self.pass(k);
        pass.run(&self.network.ops, crops.reshape([n * k, height, width, channels]));
        match pass.outputs {
            Some(outputs) => {
                let female = softmax(outputs.gender_logits.clone(), 1).narrow(1, 1, 1);
                Tensor::cat(vec![outputs.age_distribution(), outputs.age.reshape([n, 1]), female], 1)
            }
            None => Tensor::cat(
                [pass.values, pass.logits].concat().into_iter().map(|t| t.flatten(1, 2)).collect(),
                1,
            ),
        }
    }

    fn pass(&self, crops: usize) -> ForwardPass<'_> {
        let layers = self.layers.iter();
        ForwardPass { layers, crops, values: vec![], logits: vec![], outputs: None }
    }
}

fn convolution(it: &Convolution, channels: usize, device: &Device) -> Conv2d {
    let [out, ..] = it.shape(channels);
    let half = it.kernel / 2;
    Conv2dConfig::new([channels, out], [it.kernel; 2])
        .with_stride([it.stride; 2])
        .with_groups(if it.groups == Groups::Depthwise { channels } else { 1 })
        .with_padding(match it.padding {
            Padding::Valid => PaddingConfig2d::Valid,
            Padding::Same => PaddingConfig2d::Same,
            Padding::Centred => PaddingConfig2d::Explicit(half, half, half, half),
        })
        .with_bias(it.bias)
        .init(device)
}

/// The regression of age as it starts: the expectation of the distribution.
fn expectation(device: &Device) -> Linear {
    let ages: [f32; AGES] = std::array::from_fn(|i| i as f32);
    Linear {
        weight: Param::from_tensor(Tensor::<1>::from_floats(ages, device).reshape([AGES, 1])),
        bias: Some(Param::from_tensor(Tensor::zeros([1], device))),
    }
}

/// A network on its way through the table.
struct ForwardPass<'a> {
    layers: slice::Iter<'a, ModuleLayer>,
    crops: usize,
    values: Vec<Tensor<3>>,
    logits: Vec<Tensor<3>>,
    outputs: Option<HeadOutputs>,
}

/// The next layer, of the kind that the table says.
macro_rules! next {
    ($pass:expr, $kind:ident) => {
        match $pass.layers.next() {
            Some(ModuleLayer::$kind(layer)) => layer,
            other => unreachable!("the table has {} here, the module {other:?}", stringify!($kind)),
        }
    };
}

impl ForwardPass<'_> {
    /// `x` is `[N, side, side, channels]`, and so is what comes out.
    fn run(&mut self, mut ops: &[Op], mut x: Tensor<4>) -> Tensor<4> {
        while let [op, rest @ ..] = ops {
            let fused = fused::available(&x.device());
            let (options, count) = if fused { chain(ops, &x) } else { (Vec::new(), 0) };
            if count > 0 {
                x = self.chain(options, x, false);
                ops = &ops[count..];
                continue;
            }
            x = match op {
                Op::Residual(body) if fused => match chain(body, &x) {
                    (options, count) if count == body.len() && keeps_shape(op, &x) => {
                        self.chain(options, x, true)
                    }
                    _ => self.op(op, x),
                },
                op => self.op(op, x),
            };
            ops = rest;
        }
        x
    }

    /// Blocks that are one operation in training on the CPU.
    fn chain(&mut self, options: Vec<BlockOptions>, x: Tensor<4>, residual: bool) -> Tensor<4> {
        let block = |options| TrainBlock { conv: next!(self, Convolution), norm: next!(self, Norm), options };
        let blocks: Vec<_> = options.into_iter().map(block).collect();
        fused::chain_train(x, &blocks, residual)
    }

    fn op(&mut self, op: &Op, x: Tensor<4>) -> Tensor<4> {
        let [n, height, width, channels] = x.dims();
        match op {
            Op::Convolution(_) => {
                let conv = next!(self, Convolution);
                channels_first(x, |x| conv.forward(x))
            }
            Op::Norm(_) => {
                let norm = next!(self, Norm);
                channels_first(x, |x| norm.forward(x))
            }
            Op::Relu => relu(x),
            Op::Relu6 => x.clamp(0.0, 6.0),
            Op::PRelu(_) => {
                let prelu = next!(self, PRelu);
                channels_first(x, |x| prelu.forward(x))
            }
            Op::AveragePool => channels_first(x, |x| avg_pool2d(x, AvgPoolOptions::new([2, 2]))),
            Op::MaxPool => channels_first(x, max_pool),
            Op::GlobalAveragePool => {
                x.reshape([n, height * width, channels]).mean_dim(1).reshape([n, 1, 1, channels])
            }
            Op::Residual(body) => {
                let y = self.run(body, x.clone());
                let [_, side, _, out] = y.dims();
                let shortcut = if side < height { channels_first(x, max_pool) } else { x };
                y + widen(shortcut, out)
            }
            Op::Flatten => x.reshape([n, 1, 1, height * width * channels]),
            Op::Dense(_, out) => {
                let y = next!(self, Dense).forward(x.reshape([n, channels]));
                y.reshape([n, 1, 1, *out])
            }
            Op::Dropout(probability) => dropout(*probability).forward(x),
            Op::EachCrop(body) => {
                let y = self.run(body, x);
                let [n, height, width, channels] = y.dims();
                y.reshape([n / self.crops, 1, 1, self.crops * height * width * channels])
            }
            Op::Anchors(_) => {
                let (values, logits) = (next!(self, Convolution), next!(self, Convolution));
                self.values.push(per_anchor::<VALUES>(channels_first(x.clone(), |x| values.forward(x))));
                self.logits.push(per_anchor::<1>(channels_first(x.clone(), |x| logits.forward(x))));
                x
            }
            Op::Heads => {
                let features = x.clone().reshape([n, channels]);
                let age_logits = next!(self, Dense).forward(features.clone());
                let age = next!(self, Dense).forward(softmax(age_logits.clone(), 1)).reshape([n]);
                let gender_logits = next!(self, Dense).forward(features);
                self.outputs = Some(HeadOutputs { age_logits, age, gender_logits });
                x
            }
        }
    }
}

/// The blocks that operations on `x` begin with, a convolution, its normalisation and perhaps a rectifier and
/// average pooling each, as far as [`fused`] knows them; and how many operations they are.
fn chain(ops: &[Op], x: &Tensor<4>) -> (Vec<BlockOptions>, usize) {
    let (mut side, mut rest, mut blocks) = (x.dims()[1], ops, Vec::new());
    while let [Op::Convolution(it), Op::Norm(_), after @ ..] = rest {
        let depthwise = it.groups == Groups::Depthwise;
        if depthwise && !matches!(it.kernel, 3 | 5) {
            break;
        }
        let padding = it.padding.ends(it.kernel, it.stride, side);
        let window = Window { kernel: it.kernel, stride: it.stride, padding };
        let activation = match after.first() {
            Some(Op::Relu) => Activation::Relu,
            Some(Op::Relu6) => Activation::Relu6,
            _ => Activation::None,
        };
        rest = if activation == Activation::None { after } else { &after[1..] };
        let pool = if rest.first() == Some(&Op::AveragePool) { 2 } else { 1 };
        rest = &rest[pool - 1..];
        side = it.padding.out_side(it.kernel, it.stride, side) / pool;
        blocks.push(BlockOptions { window, depthwise, activation, pool });
    }
    (blocks, ops.len() - rest.len())
}

/// Whether what the operation makes of `x` has its shape.
fn keeps_shape(op: &Op, x: &Tensor<4>) -> bool {
    let [_, side, _, channels] = x.dims();
    let shape = Shape { side, channels };
    op.output(shape, 1) == shape
}

fn dropout(probability: f64) -> Dropout {
    DropoutConfig::new(probability).init()
}

/// Shows `[N, H, W, C]` to `f` as burn's convolutions want to see it, `[N, C, H, W]`, and its result the
/// other way. Nothing moves.
fn channels_first(x: Tensor<4>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<4> {
    f(x.permute([0, 3, 1, 2])).permute([0, 2, 3, 1])
}

fn max_pool(x: Tensor<4>) -> Tensor<4> {
    max_pool2d(x, MaxPoolOptions::new([2, 2]))
}

/// `[N, side, side, anchors * V]` to `[N, side * side * anchors, V]`: cells in reading order, then the
/// anchors of a cell.
fn per_anchor<const V: usize>(map: Tensor<4>) -> Tensor<3> {
    let [n, height, width, channels] = map.dims();
    map.reshape([n, height * width * channels / V, V])
}

/// Appends channels of zeros up to `channels`.
fn widen(x: Tensor<4>, channels: usize) -> Tensor<4> {
    let [n, height, width, from] = x.dims();
    if from == channels {
        return x;
    }
    let zeros = Tensor::zeros([n, height, width, channels - from], &x.device());
    Tensor::cat(vec![x, zeros], 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::blaze_face;
    use burn::tensor::{Distribution, TensorData};

    #[test]
    fn outputs_have_the_stated_shapes_and_start_as_the_expectation() {
        let device = Device::flex();
        for kind in NetworkKind::ALL {
            let side = kind.side();
            let x =
                Tensor::random([2, kind.crops(), side, side, 3], Distribution::Uniform(-1.0, 1.0), &device);
            let out = NetworkModule::new(kind.network(), &device).forward(x);
            assert_eq!(out.age_logits.dims(), [2, AGES]);
            assert_eq!(out.gender_logits.dims(), [2, 2]);
            let ages = Tensor::<1>::from_floats(std::array::from_fn::<f32, AGES, _>(|i| i as f32), &device);
            let expected = (out.age_distribution() * ages.unsqueeze()).sum_dim(1).reshape([2]);
            let gap = (out.age - expected).abs().max().into_scalar::<f32>();
            assert!(gap < 1e-3, "{kind:?}: {gap}");
        }
    }

    #[test]
    fn weights_survive_a_round_trip() {
        let device = Device::flex();
        for kind in [NetworkKind::MCnn, NetworkKind::Lite] {
            let weights = NetworkModule::new(kind.network(), &device).to_weights();
            let mut tensors = kind.network().tensors();
            tensors.sort();
            let found = weights.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
            assert_eq!(found.collect::<Vec<_>>(), tensors);
            let other = NetworkModule::from_weights(&weights, &device).unwrap();
            assert_eq!(other.to_weights(), weights);
            let unknown = Weights { network: "x".into(), ..weights };
            let error = NetworkModule::from_weights(&unknown, &device).unwrap_err();
            assert!(matches!(error, WeightsError::Network { .. }));
        }
    }

    #[test]
    fn the_detectors_outputs_are_those_of_the_tflite_runtime() {
        let device = Device::flex();
        let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
        let table = blaze_face::table();
        let network =
            NetworkModule::new(&table, &device).with_weights(&Weights::from_bytes(file).unwrap()).unwrap();
        // What `model-weights/blazeface/convert.py` computed for the astronaut picture.
        let reference = include_bytes!("../../tests/data/blazeface-astronaut.safetensors");
        let reference = Weights::from_bytes(reference).unwrap();
        let values = |name: &str| &reference.tensors[name].values;
        let input = values("input").iter().map(|v| v / 127.5 - 1.0).collect();
        let data = TensorData::new(input, [1, 1, table.input.side, table.input.side, 3]);
        // The same picture twice, for the order of a batch.
        let input = Tensor::<5>::from_data(data, &device).repeat_dim(0, 2);
        let found: Vec<f32> = network.numbers(input).into_data().try_into_vec().unwrap();
        let expected = [values("regressors").as_slice(), values("logits")].concat();
        assert_eq!((found.len(), expected.len()), (2 * 896 * 17, 896 * 17));
        for picture in found.chunks(expected.len()) {
            let worst = picture.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("off by up to {worst:e}");
            assert!(worst < 1e-3, "{worst}");
        }
    }
}
