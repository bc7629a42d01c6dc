//! The networks on WebGPU, by burn's convolutions.
//!
//! Each kernel costs its start, and each read-back is a round trip to the device. So all faces of a frame go through in one pass,
//! layers are merged where that saves a kernel, weights and everything between the layers stay on the device, and what has to come back
//! comes [together](ReadBack).
//!
//! A frame of a camera takes one read-back: of the frame or a part of it, if it is searched, of known faces from close up, of the brightness of
//! cells, by which frames are compared, and of the estimates that were begun with the frame before. More are taken where something
//! new is not to wait for the next frame: what may be a face is looked at from close up, and a new face is estimated, at once. A frame that ends a
//! still picture is compared first, and looked at then. A photo takes three: to find faces, to place their landmarks, to estimate.
//!
//! What is used of burn decides the size of the browser module:
//!
//! - Dense layers are 1x1 convolutions. A matrix product brings every kernel for it that there is, and so do burn's modules, by their
//!   initialisation with orthogonal matrices: see the sizes in `build.sh`.
//! - The last step, from the logits of a hundred ages to probabilities and an age, is left to the CPU.
//!
//! Pixels come straight from the browser (`texture`): it copies its picture into a texture, and one shader of our own cuts the networks'
//! inputs out of that. Where the browser refuses, or the picture is larger than textures may be, the inputs are cut in main memory, as for
//! the CPU, and uploaded; the brightness of cells then comes from there as well.
//!
//! Traps of burn 0.22.1:
//!
//! - Without its features `autotune` and `fusion` every shader of ours is valid WGSL without extensions; with them, matrix kernels
//!   that need `subgroups` are tried, browsers refuse those, and the device is lost.
//! - Its convolutions read maps and kernels channels last. What lies in another order is copied at every run.
//! - Its rectifier is two kernels, clamping is one.

#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
mod browser;
mod networks;
mod read_back;
// A native program with this feature has no browser to hand it a picture.
#[cfg(feature = "webgpu")]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
mod texture;

use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use super::RawEstimate;
use super::blazeface::{block_name, convolution};
use super::folded::{self, FoldedNetwork};
use crate::face::architecture::{BLOCKS, FeatureMap, INPUT_SIDE, MAPS, NETWORK, STEM, Step, VALUES};
use crate::model::NetworkKind;
use crate::weights::{Weights, WeightsError};

pub use networks::{Awaited, Networks};
pub use read_back::{Answer, ReadBack};
#[cfg(feature = "webgpu")]
pub use texture::{Texture, TextureSampler};
/// A picture as the browser has it.
#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
pub use wgpu::ExternalImageSource;

/// A convolution, on the device.
#[derive(Debug)]
struct Layer {
    kernel: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

impl Layer {
    /// Without padding. `kernel` is in the order of `shape`: outputs, inputs, height, width.
    fn new(shape: [usize; 4], kernel: &[f32], bias: &[f32], stride: usize, device: &Device) -> Self {
        let [outputs, inputs, height, width] = shape;
        let area = height * width;
        let last = |kernel: &[f32]| -> Vec<f32> {
            (0..area).flat_map(|at| kernel[at..].iter().step_by(area)).copied().collect()
        };
        let kernel = kernel.chunks_exact(inputs * area).flat_map(last).collect();
        let kernel =
            Tensor::<4>::from_data(TensorData::new(kernel, [outputs, height, width, inputs]), device);
        Self {
            kernel: kernel.permute([0, 3, 1, 2]),
            bias: Tensor::from_floats(bias, device),
            options: ConvOptions::new([stride; 2], [0; 2], [1; 2], 1),
        }
    }

    /// The same with padding at both ends of rows and columns, in groups of channels.
    fn padded(self, padding: (usize, usize), groups: usize) -> Self {
        let options = ConvOptions::new_with_padding(self.options.stride, [padding; 2], [1; 2], groups);
        Self { options, ..self }
    }

    fn dense(dense: &folded::Dense, device: &Device) -> Self {
        let outputs = dense.bias.len();
        let inputs = dense.weights.len() / outputs;
        let column = |o: usize| dense.weights[o..].iter().step_by(outputs);
        let kernel: Vec<f32> = (0..outputs).flat_map(column).copied().collect();
        Self::new([outputs, inputs, 1, 1], &kernel, &dense.bias, 1, device)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        conv2d(x, self.kernel.clone(), Some(self.bias.clone()), self.options.clone())
    }
}

fn relu(x: Tensor<4>) -> Tensor<4> {
    x.clamp(0.0, f32::MAX)
}

/// A `[N, H, W, C]` tensor as burn's convolutions want to see it, `[N, C, H, W]`, and back. Nothing moves.
fn channels_first(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 3, 1, 2])
}

fn channels_last(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

// ---- the detector ----

/// [`BlazeFace`](crate::face::network::BlazeFace) on a device of burn's.
#[derive(Debug)]
pub struct WebGpuDetector {
    stem: Layer,
    blocks: Vec<Block>,
    heads: [Layer; 2],
}

/// A blaze block, `relu(pointwise(depthwise(x)) + shortcut(x))`, as a pointwise convolution of `depthwise(x)` and `shortcut(x)` beside
/// each other: that adds them and widens the shortcut.
#[derive(Debug)]
struct Block {
    /// At stride 1 it also hands `x` itself on, by a kernel with a one in the middle: before each of its outputs, that input.
    depthwise: Layer,
    pointwise: Layer,
    /// At stride 2 the shortcut is a pooling.
    pools: bool,
}

impl Block {
    fn new(weights: &Weights, index: usize, side: usize, device: &Device) -> Result<Self, WeightsError> {
        let Step { input, output, kernel, stride } = BLOCKS[index];
        let (name, area) = (block_name(index), kernel * kernel);
        let shape = [input, 1, kernel, kernel];
        let [depthwise, depthwise_bias] = convolution(weights, &format!("{name}.depthwise"), shape)?;
        let shape = [output, input, 1, 1];
        let [pointwise, bias] = convolution(weights, &format!("{name}.pointwise"), shape)?;
        let shortcut = |o: usize, i: usize| f32::from(u8::from(o == i));
        let rows = || pointwise.chunks_exact(input).enumerate();

        let pools = stride > 1;
        let (depthwise, pointwise): (Layer, Vec<f32>) = if pools {
            let layer = Layer::new([input, 1, kernel, kernel], depthwise, depthwise_bias, stride, device);
            let row = |(o, row): (usize, &[f32])| {
                (0..input).map(|i| shortcut(o, i)).chain(row.iter().copied()).collect::<Vec<_>>()
            };
            (layer, rows().flat_map(row).collect())
        } else {
            let middle: Vec<f32> = (0..area).map(|at| f32::from(u8::from(at == area / 2))).collect();
            let kernels: Vec<f32> =
                depthwise.chunks_exact(area).flat_map(|own| middle.iter().chain(own)).copied().collect();
            let biases: Vec<f32> = depthwise_bias.iter().flat_map(|bias| [0.0, *bias]).collect();
            let layer = Layer::new([2 * input, 1, kernel, kernel], &kernels, &biases, stride, device);
            let row = |(o, row): (usize, &[f32])| {
                row.iter().enumerate().flat_map(|(i, w)| [shortcut(o, i), *w]).collect::<Vec<_>>()
            };
            (layer, rows().flat_map(row).collect())
        };
        Ok(Self {
            depthwise: depthwise.padded(same_padding(kernel, stride, side), input),
            pointwise: Layer::new([output, 2 * input, 1, 1], &pointwise, bias, 1, device),
            pools,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut y = self.depthwise.forward(x.clone());
        if self.pools {
            let shortcut = channels_last(max_pool2d(x, MaxPoolOptions::new([2, 2])));
            y = channels_first(Tensor::cat(vec![shortcut, channels_last(y)], 3));
        }
        relu(self.pointwise.forward(y))
    }
}

/// Pixels before and after a row of `side`: see [`Step`].
fn same_padding(kernel: usize, stride: usize, side: usize) -> (usize, usize) {
    let both = (side / stride - 1) * stride + kernel - side;
    (both / 2, both - both / 2)
}

impl WebGpuDetector {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] if the weights are another network's or lack a tensor.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        weights.expect_network(NETWORK)?;
        let shape = [STEM.output, STEM.input, STEM.kernel, STEM.kernel];
        let [kernel, bias] = convolution(weights, "stem", shape)?;
        let stem = Layer::new(shape, kernel, bias, STEM.stride, device);
        let stem = stem.padded(same_padding(STEM.kernel, STEM.stride, INPUT_SIDE), 1);

        let mut side = INPUT_SIDE / STEM.stride;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (index, step) in BLOCKS.iter().enumerate() {
            blocks.push(Block::new(weights, index, side, device)?);
            side /= step.stride;
        }

        // Of each cell first all anchors' values, then their logits.
        let head = |map: &FeatureMap| {
            let part = |name: &str, values: usize| {
                let shape = [map.anchors * values, map.channels, 1, 1];
                convolution(weights, &format!("{name}_{}", map.stride), shape)
            };
            let [values, values_bias] = part("regressor", VALUES)?;
            let [logits, logits_bias] = part("classifier", 1)?;
            let shape = [map.anchors * (VALUES + 1), map.channels, 1, 1];
            let (kernel, bias) = ([values, logits].concat(), [values_bias, logits_bias].concat());
            Ok::<_, WeightsError>(Layer::new(shape, &kernel, &bias, 1, device))
        };
        let heads = [head(&MAPS[0])?, head(&MAPS[1])?];
        Ok(Self { stem, blocks, heads })
    }

    /// `[N, 128, 128, 3]` to `[N, 896 * 17]`, map by map and cell by cell, or the same with another side.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = relu(self.stem.forward(channels_first(x)));
        let mut outputs = Vec::with_capacity(MAPS.len());
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            for (_, head) in MAPS.iter().zip(&self.heads).filter(|(map, _)| map.blocks == i + 1) {
                outputs.push(channels_last(head.forward(x.clone())).flatten(1, 3));
            }
        }
        Tensor::cat(outputs, 1)
    }
}

/// Appends what `[896 * 17]` values of a region of 128 x 128 pixels say, or those of another side: first all regressors, then all logits.
fn by_anchor(values: &[f32], side: usize, out: &mut Vec<f32>) {
    let maps = || {
        MAPS.iter().scan(values, |rest, map| {
            let (here, after) = rest.split_at(map.anchors(side) * (VALUES + 1));
            *rest = after;
            Some(
                here.chunks_exact(map.anchors * (VALUES + 1)).map(|cell| cell.split_at(map.anchors * VALUES)),
            )
        })
    };
    maps().flatten().for_each(|(regressors, _)| out.extend(regressors));
    maps().flatten().for_each(|(_, logits)| out.extend(logits));
}

// ---- the networks ----

/// One of the three networks on a device of burn's.
#[derive(Debug)]
pub struct WebGpuNetwork {
    kind: NetworkKind,
    body: Body,
    logits: Layer,
    heads: folded::Heads,
}

// There is one.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
enum Body {
    Base { conv: Layer, dense: Layer },
    DCnn { convolutions: Convolutions, dense1: Layer, dense2: Layer },
    MCnn { convolutions: Convolutions },
}

#[derive(Debug)]
struct Convolutions {
    blocks: [Layer; 4],
    point: Layer,
}

impl WebGpuNetwork {
    /// From its weights.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of no network of ours.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self, WeightsError> {
        let FoldedNetwork { kind, body, heads } = FoldedNetwork::from_weights(weights)?;
        let strided =
            |it: &folded::Convolution, stride| Layer::new(it.shape, &it.kernel, &it.bias, stride, device);
        let dense = |it: &folded::Dense| Layer::dense(it, device);
        let convolutions = |it: &folded::Convolutions| Convolutions {
            blocks: it.blocks.each_ref().map(|block| strided(block, 1)),
            point: strided(&it.point, 1),
        };
        let body = match &body {
            folded::Body::Base { conv, dense: it } => Body::Base { conv: strided(conv, 2), dense: dense(it) },
            folded::Body::DCnn { convolutions: it, dense1, dense2 } => {
                Body::DCnn { convolutions: convolutions(it), dense1: dense(dense1), dense2: dense(dense2) }
            }
            folded::Body::MCnn { convolutions: it } => Body::MCnn { convolutions: convolutions(it) },
        };
        let logits = dense(&heads.logits);
        Ok(Self { kind, body, logits, heads })
    }

    /// Which network it is.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// From what [`WebGpuNetwork::forward`] says of a face.
    pub fn estimate(&self, logits: &[f32]) -> RawEstimate {
        self.heads.estimate(logits)
    }

    /// `x` is `[crops, side, side, 3]`; returns `[faces, LOGITS, 1, 1]`.
    pub fn forward(&self, x: Tensor<4>, faces: usize) -> Tensor<4> {
        let features = match &self.body {
            Body::Base { conv, dense } => {
                let x = relu(conv.forward(channels_first(x))); // [faces, 32, 79, 79]
                dense.forward(channels_last(x).reshape([faces, 79 * 79 * 32, 1, 1]))
            }
            Body::DCnn { convolutions, dense1, dense2 } => {
                let x = convolutions.forward(x).reshape([faces, 512, 1, 1]);
                let x = relu(dense1.forward(x)); // [faces, 1024, 1, 1]
                relu(dense2.forward(x)) // [faces, 64, 1, 1]
            }
            Body::MCnn { convolutions } => convolutions.forward(x).reshape([faces, 96, 1, 1]),
        };
        self.logits.forward(features)
    }
}

impl Convolutions {
    /// `[N, H, W, 3]` to `[N, h, w, 32]`.
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let mut x = channels_first(x);
        for block in &self.blocks {
            x = avg_pool2d(relu(block.forward(x)), AvgPoolOptions::new([2, 2]));
        }
        let x = relu(self.point.forward(x));
        channels_last(max_pool2d(x, MaxPoolOptions::new([2, 2])))
    }
}

/// On burn's CPU back end; `tests/browser.rs` compares the engines on WebGPU itself.
#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use crate::engine::burn::detect;
    use crate::engine::folded::LOGITS;
    use crate::engine::folded::testing::agrees_with_the_definition;
    use crate::face::BlazeFace;
    use crate::face::architecture::anchors;
    use crate::vision::CLOSE_UP_SIDE;

    #[test]
    fn every_network_agrees_with_its_definition() {
        agrees_with_the_definition(|weights, inputs| {
            let device = Device::flex();
            let network = WebGpuNetwork::new(weights, &device).unwrap();
            let kind = network.kind();
            let faces = inputs.len() / kind.input_len();
            let shape = [faces * kind.crops(), kind.side(), kind.side(), 3];
            let input = Tensor::from_data(TensorData::new(inputs.to_vec(), shape), &device);
            let logits: Vec<f32> = network.forward(input, faces).into_data().try_into_vec().unwrap();
            logits.chunks_exact(LOGITS).map(|logits| network.estimate(logits)).collect()
        });
    }

    /// Side by side, and of both sizes.
    #[test]
    fn the_detector_agrees_with_its_definition() {
        let device = Device::flex();
        let file = include_bytes!("../../../model-weights/blazeface/blazeface-short.safetensors");
        let weights = Weights::from_bytes(file).unwrap();
        let detector = WebGpuDetector::new(&weights, &device).unwrap();
        let definition = BlazeFace::from_weights(&weights, &device).unwrap();
        for side in [INPUT_SIDE, CLOSE_UP_SIDE] {
            let square = |seed: usize| -> Vec<u8> {
                (0..side * side * 3).map(|i| (i * (seed + 31) % 251) as u8).collect()
            };
            let squares = [square(0), square(1), square(2)];
            let values = squares.concat().iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
            let input = Tensor::from_data(TensorData::new(values, [squares.len(), side, side, 3]), &device);
            let values: Vec<f32> = detector.forward(input).into_data().try_into_vec().unwrap();
            for (square, values) in squares.iter().zip(values.chunks_exact(anchors(side) * (VALUES + 1))) {
                let mut found = Vec::new();
                by_anchor(values, side, &mut found);
                let expected = detect(&definition, square, side, &device).unwrap();
                assert_eq!(found.len(), expected.len());
                let regressors = anchors(side) * VALUES;
                for part in [0..regressors, regressors..expected.len()] {
                    let (found, expected) = (&found[part.clone()], &expected[part]);
                    let largest = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
                    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    println!("{side}: off by {off:e} of {largest}");
                    assert!(off / largest < 1e-4, "{side}: {off}");
                }
            }
        }
    }

    #[test]
    fn padding_is_tensorflows() {
        assert_eq!(same_padding(STEM.kernel, STEM.stride, INPUT_SIDE), (1, 2));
        assert_eq!(same_padding(3, 1, 64), (1, 1));
        assert_eq!(same_padding(3, 2, 64), (0, 1));
    }
}
