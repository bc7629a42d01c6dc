//! A network on a device of burn's: its layers, ready to run.

use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use crate::net::blaze_face::{FeatureMap, VALUES};
use crate::net::fold::{
    FoldedActivation, FoldedConvolution, FoldedDense, FoldedHeads, Step, by_anchor, fold,
};
use crate::net::{Network, Padding};
use crate::weights::{Weights, WeightsError};

/// A network on a device.
#[derive(Debug)]
pub struct GpuPlan {
    crops: usize,
    layers: Vec<GpuLayer>,
    maps: Vec<FeatureMap>,
    heads: Option<FoldedHeads>,
}

#[derive(Debug)]
enum GpuLayer {
    Convolution(GpuConvolution),
    /// Of vectors.
    Dense(GpuConvolution),
    Activation(GpuActivation),
    AveragePool,
    MaxPool,
    GlobalAveragePool,
    Residual(Vec<GpuLayer>, GpuActivation),
    BlazeBlock(Box<BlazeBlock>),
    Flatten,
    EachCrop(Vec<GpuLayer>),
    Anchors(GpuConvolution),
}

/// A convolution and the activation behind it.
#[derive(Debug)]
struct GpuConvolution {
    /// As burn's convolutions read it: outputs, height, width, inputs.
    weights: Tensor<4>,
    bias: Tensor<1>,
    side: usize,
    stride: usize,
    padding: Padding,
    groups: usize,
    activation: GpuActivation,
}

#[derive(Debug)]
enum GpuActivation {
    None,
    /// To what is at most this.
    Relu(f32),
    /// Of each channel, `[1, channels, 1, 1]`.
    PRelu(Box<Tensor<4>>),
}

/// A blaze block, `relu(pointwise(depthwise(x)) + shortcut(x))`, as a pointwise convolution of `depthwise(x)`
/// and `shortcut(x)` beside each other: that adds them and widens the shortcut.
#[derive(Debug)]
struct BlazeBlock {
    /// At stride 1 it also hands `x` itself on, by a kernel with a one in the middle: before each of its
    /// outputs, that input.
    depthwise: GpuConvolution,
    pointwise: GpuConvolution,
    /// At stride 2 the shortcut is a pooling.
    pools: bool,
}

impl GpuPlan {
    /// Uploads a network.
    ///
    /// # Errors
    /// [`WeightsError`] if the weights are another network's or lack a tensor.
    pub fn new(network: &Network, weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        let steps = fold(network, weights)?;
        let mut plan = Self {
            crops: network.input.crops(),
            layers: layers(&steps, device),
            maps: Vec::new(),
            heads: None,
        };
        for step in steps {
            match step {
                Step::Anchors { map, .. } => plan.maps.push(map),
                Step::Heads(heads) => plan.heads = Some(heads),
                _ => {}
            }
        }
        Ok(plan)
    }

    /// Runs faces or pictures: `x` is `[N * crops, side, side, 3]` with values from -1 to 1, what comes out
    /// `[N, values]`, a row for [`GpuPlan::numbers`] each.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut outputs = Vec::new();
        let x = self.run(&self.layers, channels_first(x), &mut outputs);
        if outputs.is_empty() { x.flatten(1, 3) } else { Tensor::cat(outputs, 1) }
    }

    /// Appends what the network says to `numbers`, from what a face or a picture of that side read back: the
    /// [`NUMBERS`](crate::net::heads::NUMBERS) of a face, or all regressed values and then all logits of the
    /// anchors.
    ///
    /// # Panics
    /// If that is not as long as the network says.
    pub fn numbers(&self, row: &[f32], side: usize, numbers: &mut Vec<f32>) {
        match &self.heads {
            Some(heads) => numbers.extend(heads.estimate(row).numbers()),
            None => by_anchor(&self.maps, side, row, numbers),
        }
    }

    /// `x` is `[N, channels, side, side]` to burn, with channels last in memory.
    fn run(&self, layers: &[GpuLayer], mut x: Tensor<4>, outputs: &mut Vec<Tensor<2>>) -> Tensor<4> {
        for layer in layers {
            x = match layer {
                GpuLayer::Convolution(conv) => conv.forward(x),
                GpuLayer::Dense(conv) => {
                    let [n, channels, height, width] = x.dims();
                    conv.forward(channels_last(x).reshape([n, channels * height * width, 1, 1]))
                }
                GpuLayer::Activation(activation) => activation.forward(x),
                GpuLayer::AveragePool => avg_pool2d(x, AvgPoolOptions::new([2, 2])),
                GpuLayer::MaxPool => max_pool2d(x, MaxPoolOptions::new([2, 2])),
                GpuLayer::GlobalAveragePool => {
                    let [_, _, height, width] = x.dims();
                    avg_pool2d(x, AvgPoolOptions::new([height, width]))
                }
                GpuLayer::Residual(body, activation) => {
                    let y = self.run(body, x.clone(), outputs);
                    activation.forward(y.clone() + shortcut(x, y.dims()))
                }
                GpuLayer::BlazeBlock(block) => block.forward(x),
                GpuLayer::Flatten => {
                    let [n, channels, height, width] = x.dims();
                    channels_last(x).reshape([n, channels * height * width, 1, 1])
                }
                GpuLayer::EachCrop(body) => {
                    let y = channels_last(self.run(body, x, outputs));
                    let [n, height, width, channels] = y.dims();
                    y.reshape([n / self.crops, self.crops * height * width * channels, 1, 1])
                }
                GpuLayer::Anchors(conv) => {
                    outputs.push(channels_last(conv.forward(x.clone())).flatten(1, 3));
                    x
                }
            };
        }
        x
    }
}

/// The input of a residual as its body's output needs it.
fn shortcut(mut x: Tensor<4>, [n, channels, height, width]: [usize; 4]) -> Tensor<4> {
    if x.dims()[2] > height {
        x = max_pool2d(x, MaxPoolOptions::new([2, 2]));
    }
    let more = channels - x.dims()[1];
    if more == 0 {
        return x;
    }
    let zeros = Tensor::zeros([n, height, width, more], &x.device());
    channels_first(Tensor::cat(vec![channels_last(x), zeros], 3))
}

fn layers(steps: &[Step], device: &Device) -> Vec<GpuLayer> {
    let layer = |step: &Step| match step {
        Step::Convolution(it) => GpuLayer::Convolution(GpuConvolution::new(it, device)),
        Step::Dense(it) => GpuLayer::Dense(GpuConvolution::dense(it, device)),
        Step::Activation(it) => GpuLayer::Activation(GpuActivation::new(it, device)),
        Step::AveragePool => GpuLayer::AveragePool,
        Step::MaxPool => GpuLayer::MaxPool,
        Step::GlobalAveragePool => GpuLayer::GlobalAveragePool,
        Step::Residual(body, activation) => match BlazeBlock::new(body, activation, device) {
            Some(block) => GpuLayer::BlazeBlock(block.into()),
            None => GpuLayer::Residual(layers(body, device), GpuActivation::new(activation, device)),
        },
        Step::Flatten => GpuLayer::Flatten,
        Step::EachCrop(body) => GpuLayer::EachCrop(layers(body, device)),
        // Of each cell first all anchors' values, then their logits.
        Step::Anchors { map, values, logits } => {
            let inputs = values.shape[1];
            let both = FoldedConvolution {
                shape: [map.anchors * (VALUES + 1), inputs, 1, 1],
                kernel: [values.kernel.as_slice(), &logits.kernel].concat(),
                bias: [values.bias.as_slice(), &logits.bias].concat(),
                ..values.clone()
            };
            GpuLayer::Anchors(GpuConvolution::new(&both, device))
        }
        // The last step, from the logits of a hundred ages to probabilities and an age, is left to the CPU.
        Step::Heads(heads) => GpuLayer::Dense(GpuConvolution::dense(&heads.logits, device)),
    };
    steps.iter().map(layer).collect()
}

impl GpuConvolution {
    fn new(conv: &FoldedConvolution, device: &Device) -> Self {
        let [outputs, inputs, height, width] = conv.shape;
        let area = height * width;
        let last = |kernel: &[f32]| -> Vec<f32> {
            (0..area).flat_map(|at| kernel[at..].iter().step_by(area)).copied().collect()
        };
        let weights = conv.kernel.chunks_exact(inputs * area).flat_map(last).collect();
        Self {
            weights: Tensor::from_data(TensorData::new(weights, [outputs, height, width, inputs]), device),
            bias: Tensor::from_floats(conv.bias.as_slice(), device),
            side: height,
            stride: conv.stride,
            padding: conv.padding,
            groups: if conv.depthwise { outputs } else { 1 },
            activation: GpuActivation::new(&conv.activation, device),
        }
    }

    /// A dense layer is a 1x1 convolution.
    fn dense(dense: &FoldedDense, device: &Device) -> Self {
        let outputs = dense.bias.len();
        let column = |o: usize| dense.weights[o..].iter().step_by(outputs);
        let conv = FoldedConvolution {
            shape: [outputs, dense.weights.len() / outputs, 1, 1],
            kernel: (0..outputs).flat_map(column).copied().collect(),
            bias: dense.bias.clone(),
            depthwise: false,
            stride: 1,
            padding: Padding::Valid,
            activation: dense.activation.clone(),
        };
        Self::new(&conv, device)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [.., side] = x.dims();
        let [before, after] = self.padding.ends(self.side, self.stride, side);
        let padding = [(before, after); 2];
        let options = ConvOptions::new_with_padding([self.stride; 2], padding, [1; 2], self.groups);
        let weights = self.weights.clone().permute([0, 3, 1, 2]);
        self.activation.forward(conv2d(x, weights, Some(self.bias.clone()), options))
    }
}

impl GpuActivation {
    fn new(activation: &FoldedActivation, device: &Device) -> Self {
        match activation {
            FoldedActivation::None => Self::None,
            FoldedActivation::Relu => Self::Relu(f32::MAX),
            FoldedActivation::Relu6 => Self::Relu(6.0),
            FoldedActivation::PRelu(alpha) => {
                let shape = [1, alpha.len(), 1, 1];
                Self::PRelu(Tensor::from_data(TensorData::new(alpha.clone(), shape), device).into())
            }
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Self::None => x,
            Self::Relu(most) => x.clamp(0.0, *most),
            Self::PRelu(alpha) => x.clone().clamp(0.0, f32::MAX) + x.clamp(f32::MIN, 0.0) * (**alpha).clone(),
        }
    }
}

impl BlazeBlock {
    /// `None` for another residual.
    fn new(body: &[Step], activation: &FoldedActivation, device: &Device) -> Option<Self> {
        let [Step::Convolution(depthwise), Step::Convolution(pointwise)] = body else { return None };
        let linear = [depthwise, pointwise].iter().all(|it| it.activation == FoldedActivation::None);
        let point = (pointwise.shape[2], pointwise.stride, pointwise.depthwise) == (1, 1, false);
        let [input, _, side, _] = depthwise.shape;
        let output = pointwise.shape[0];
        if !(linear && point && depthwise.depthwise && output >= input && depthwise.padding == Padding::Same)
        {
            return None;
        }
        let area = side * side;
        let shortcut = |o: usize, i: usize| f32::from(u8::from(o == i));
        let rows = pointwise.kernel.chunks_exact(input).enumerate();
        let pools = depthwise.stride > 1;
        let (both, kernel): (_, Vec<f32>) = if pools {
            let row = |(o, row): (usize, &[f32])| {
                (0..input).map(|i| shortcut(o, i)).chain(row.iter().copied()).collect::<Vec<_>>()
            };
            (GpuConvolution::new(depthwise, device), rows.flat_map(row).collect())
        } else {
            let middle: Vec<f32> = (0..area).map(|at| f32::from(u8::from(at == area / 2))).collect();
            let kernels = depthwise.kernel.chunks_exact(area);
            let both = FoldedConvolution {
                shape: [2 * input, 1, side, side],
                kernel: kernels.flat_map(|own| middle.iter().chain(own)).copied().collect(),
                bias: depthwise.bias.iter().flat_map(|bias| [0.0, *bias]).collect(),
                ..depthwise.clone()
            };
            let row = |(o, row): (usize, &[f32])| {
                row.iter().enumerate().flat_map(|(i, w)| [shortcut(o, i), *w]).collect::<Vec<_>>()
            };
            (
                GpuConvolution { groups: input, ..GpuConvolution::new(&both, device) },
                rows.flat_map(row).collect(),
            )
        };
        let pointwise = FoldedConvolution {
            shape: [output, 2 * input, 1, 1],
            kernel,
            activation: activation.clone(),
            ..pointwise.clone()
        };
        Some(Self { depthwise: both, pointwise: GpuConvolution::new(&pointwise, device), pools })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut y = self.depthwise.forward(x.clone());
        if self.pools {
            let shortcut = channels_last(max_pool2d(x, MaxPoolOptions::new([2, 2])));
            y = channels_first(Tensor::cat(vec![shortcut, channels_last(y)], 3));
        }
        self.pointwise.forward(y)
    }
}

/// A `[N, H, W, C]` tensor as burn's convolutions want to see it, `[N, C, H, W]`, and back. Nothing moves.
fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}
