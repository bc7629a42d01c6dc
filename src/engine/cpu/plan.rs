//! A network laid out for the kernels.
//!
//! Steps become instructions, each with the best kernel that there is for it: a convolution is one with the
//! rectifier and the pooling that follow it, and a blaze block or an inverted bottleneck is one. Between
//! instructions maps lie in numbered buffers that live as long as the [`CpuScratch`], so a frame allocates
//! nothing. Channels are padded with zeros to whole vectors there.

use super::maps;
use crate::kernels::{
    self, Bottleneck, BottleneckScratch, ConvShape, Depthwise, Pointwise, Separable, SeparableShape, Stem,
    Window, Winograd, aligned, conv3x3_relu_pool, dense, lanes, normalise, pack,
};
use crate::net::blaze_face::{FeatureMap, VALUES};
use crate::net::fold::{FoldedActivation, FoldedConvolution, FoldedDense, FoldedHeads, Step, fold};
use crate::net::heads::LOGITS;
use crate::net::{Network, Padding, RGB};
use crate::weights::{Weights, WeightsError};

/// A network laid out for the kernels.
#[derive(Debug, Clone)]
pub struct CpuPlan {
    crops: usize,
    /// Run on each crop, whose results lie side by side then.
    each: Vec<Instruction>,
    rest: Vec<Instruction>,
    maps: Vec<FeatureMap>,
}

/// Buffers between instructions. One a thread.
#[derive(Debug, Clone, Default)]
pub struct CpuScratch {
    /// Maps, and their sides and the floats of a pixel.
    slots: Vec<Slot>,
    /// What the kernels need themselves.
    work: Vec<f32>,
    bottleneck: BottleneckScratch,
    /// Of all crops side by side.
    features: Vec<f32>,
    logits: Vec<f32>,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    buffer: Vec<f32>,
    side: usize,
    channels: usize,
}

#[cfg(test)]
impl CpuScratch {
    /// Where the buffers are, and how much they hold.
    pub(in crate::engine) fn addresses(&self) -> Vec<(*const f32, usize)> {
        let Self { slots, work, features, logits, .. } = self;
        let buffers = slots.iter().map(|slot| &slot.buffer).chain([work, features, logits]);
        buffers.map(|buffer| (buffer.as_ptr(), buffer.capacity())).collect()
    }
}

impl Slot {
    fn map(&mut self) -> &mut [f32] {
        aligned(&mut self.buffer, self.side * self.side * self.channels)
    }
}

/// A kernel, the buffers that it reads and fills, and an activation that it does not know.
#[derive(Debug, Clone)]
struct Instruction {
    kernel: CpuKernel,
    from: usize,
    to: usize,
    activation: FoldedActivation,
}

#[derive(Debug, Clone)]
enum CpuKernel {
    /// From bytes, rectified.
    Stem(Stem),
    /// From bytes.
    First(kernels::RowConvolution),
    /// Bytes to numbers.
    Input,
    /// 3x3 without padding, rectified and pooled.
    Rows {
        shape: ConvShape,
        weights: Vec<f32>,
        bias: Vec<f32>,
    },
    /// The same of many channels.
    Winograd(Winograd),
    Separable(Separable),
    Bottleneck(Bottleneck),
    Pointwise(Pointwise),
    Depthwise(Depthwise),
    Convolution(kernels::RowConvolution),
    AveragePool,
    MaxPool,
    Mean,
    /// Adds `from`, perhaps of fewer channels, to `to`.
    Add,
    /// Nothing but the activation.
    Activate,
    /// Leaves padding out.
    Compact {
        channels: usize,
    },
    Dense(FoldedDense),
    /// Appends the numbers of a face.
    Heads(FoldedHeads),
    /// Fills in the numbers of a map's anchors.
    Anchors {
        map: FeatureMap,
        values: Pointwise,
        logits: Pointwise,
    },
}

impl CpuPlan {
    /// Lays out a network.
    ///
    /// # Errors
    /// [`WeightsError`] if the weights are another network's or lack a tensor.
    pub fn new(network: &Network, weights: &Weights) -> Result<Self, WeightsError> {
        Self::padded(network, weights, lanes())
    }

    pub(in crate::engine) fn padded(
        network: &Network,
        weights: &Weights,
        padding: usize,
    ) -> Result<Self, WeightsError> {
        let steps = fold(network, weights)?;
        let Network { input, .. } = network;
        let planner =
            |side, channels| Planner { padding, side, channels, pixel: channels, ..Planner::default() };
        let mut first = planner(input.side, RGB);
        let (each, Planner { instructions: rest, maps, .. }) = match steps.as_slice() {
            [Step::EachCrop(body), rest @ ..] => {
                first.start(body);
                first.flatten();
                let mut second = planner(1, input.crops() * first.channels);
                second.steps(rest);
                (first.instructions, second)
            }
            steps => {
                first.start(steps);
                (Vec::new(), first)
            }
        };
        Ok(Self { crops: input.crops(), each, rest, maps })
    }

    /// Runs one face or picture, its crops of `side` x `side` RGB pixels one after the other, and appends
    /// what the network says: the [`NUMBERS`](crate::net::heads::NUMBERS) of a face, or all regressed values
    /// and then all logits of the anchors.
    ///
    /// # Panics
    /// If `rgb` has another length, or the side is not the input's; the detector takes all multiples of 32.
    pub fn run(&self, rgb: &[u8], side: usize, scratch: &mut CpuScratch, numbers: &mut Vec<f32>) {
        assert_eq!(rgb.len(), self.crops * side * side * RGB);
        let anchors: usize = self.maps.iter().map(|map| map.anchors(side)).sum();
        // Where the next map's values and logits go.
        let mut places = [0, anchors * VALUES].map(|at| numbers.len() + at);
        numbers.resize(numbers.len() + anchors * (VALUES + 1), 0.0);
        let slots = self.each.iter().chain(&self.rest).map(|i| i.from.max(i.to) + 1).max();
        let slots = slots.unwrap_or(1).max(scratch.slots.len());
        scratch.slots.resize_with(slots, Slot::default);

        let Some(last) = self.each.last() else {
            return self.follow(&self.rest, rgb, side, scratch, numbers, &mut places);
        };
        let mut features = std::mem::take(&mut scratch.features);
        features.clear();
        for crop in rgb.chunks_exact(rgb.len() / self.crops) {
            self.follow(&self.each, crop, side, scratch, numbers, &mut places);
            features.extend_from_slice(scratch.slots[last.to].map());
        }
        let slot = &mut scratch.slots[0];
        (slot.side, slot.channels) = (1, features.len());
        slot.map().copy_from_slice(&features);
        scratch.features = features;
        self.follow(&self.rest, &[], 1, scratch, numbers, &mut places);
    }

    fn follow(
        &self,
        instructions: &[Instruction],
        rgb: &[u8],
        side: usize,
        scratch: &mut CpuScratch,
        numbers: &mut Vec<f32>,
        places: &mut [usize; 2],
    ) {
        let CpuScratch { slots, work, bottleneck, logits, .. } = scratch;
        for Instruction { kernel, from, to, activation } in instructions {
            let mut source = std::mem::take(&mut slots[*from]);
            let mut target = if to == from { Slot::default() } else { std::mem::take(&mut slots[*to]) };
            let size = [source.side; 2];
            match kernel {
                CpuKernel::Input => {
                    (target.side, target.channels) = (side, RGB);
                    normalise(rgb, target.map());
                }
                CpuKernel::Stem(stem) => {
                    let len = stem.out_len([side; 2]);
                    target.side = side / 2;
                    target.channels = len / (target.side * target.side);
                    stem.run(rgb, [side; 2], target.map(), work);
                }
                CpuKernel::First(conv) => {
                    let size = [side; 2];
                    (target.side, target.channels) = (conv.window().out(size)[0], conv.padded_out());
                    conv.run_bytes(rgb, size, target.map(), work);
                }
                CpuKernel::Rows { shape, weights, bias } => {
                    (target.side, target.channels) = (shape.pooled_height(), shape.channels_out);
                    conv3x3_relu_pool(shape, source.map(), weights, bias, target.map());
                }
                CpuKernel::Winograd(winograd) => {
                    let shape = winograd.shape();
                    (target.side, target.channels) = (shape.pooled_height(), shape.channels_out);
                    winograd.relu_pool(source.map(), target.map(), work);
                }
                CpuKernel::Separable(block) => {
                    let shape = block.shape();
                    (target.side, target.channels) = (source.side / shape.stride, shape.padded_out());
                    block.run(source.map(), size, target.map(), work);
                }
                CpuKernel::Bottleneck(block) => {
                    (target.side, target.channels) = (block.out(size)[0], block.padded_out());
                    block.run(source.map(), size, target.map(), bottleneck);
                }
                CpuKernel::Pointwise(pointwise) => {
                    (target.side, target.channels) = (source.side, pointwise.padded_out());
                    pointwise.run(source.map(), None, target.map());
                }
                CpuKernel::Depthwise(depthwise) => {
                    (target.side, target.channels) = (depthwise.window().out(size)[0], depthwise.padded());
                    depthwise.run(source.map(), size, target.map(), work);
                }
                CpuKernel::Convolution(conv) => {
                    (target.side, target.channels) = (conv.window().out(size)[0], conv.padded_out());
                    conv.run(source.map(), size, target.map(), work);
                }
                CpuKernel::AveragePool => {
                    let Slot { side, channels, .. } = source;
                    (target.side, target.channels) = (side / 2, channels);
                    maps::pool(source.map(), side, channels, target.map(), |a, b| a + b, 0.25);
                }
                CpuKernel::MaxPool => {
                    let Slot { side, channels, .. } = source;
                    (target.side, target.channels) = (side / 2, channels);
                    maps::pool(source.map(), side, channels, target.map(), f32::max, 1.0);
                }
                CpuKernel::Mean => {
                    (target.side, target.channels) = (1, source.channels);
                    maps::mean(source.map(), target.map());
                }
                CpuKernel::Add => {
                    let (less, more) = (source.channels, target.channels);
                    maps::add(source.map(), less, target.map(), more);
                }
                CpuKernel::Activate => {}
                CpuKernel::Compact { channels } => {
                    let padded = source.channels;
                    (target.side, target.channels) = (1, source.side * source.side * channels);
                    let pixels = source.map().chunks_exact(padded);
                    for (to, from) in target.map().chunks_exact_mut(*channels).zip(pixels) {
                        to.copy_from_slice(&from[..*channels]);
                    }
                }
                CpuKernel::Dense(layer) => {
                    let inputs = layer.weights.len() / layer.bias.len();
                    (target.side, target.channels) = (1, layer.bias.len());
                    dense(&source.map()[..inputs], &layer.weights, &layer.bias, target.map());
                }
                CpuKernel::Heads(heads) => {
                    let FoldedDense { weights, bias, .. } = &heads.logits;
                    let mut logits = [0.0; LOGITS];
                    dense(&source.map()[..weights.len() / LOGITS], weights, bias, &mut logits);
                    numbers.extend(heads.estimate(&logits).numbers());
                }
                CpuKernel::Anchors { map, values, logits: classifier } => {
                    let (pixels, map_values) = (source.side * source.side, source.map());
                    for ((pointwise, each), place) in
                        [(values, map.anchors * VALUES), (classifier, map.anchors)]
                            .into_iter()
                            .zip(&mut *places)
                    {
                        let to = &mut numbers[*place..][..pixels * each];
                        *place += to.len();
                        let padded = pointwise.padded_out();
                        if padded == each {
                            pointwise.run(map_values, None, to);
                            continue;
                        }
                        logits.resize(pixels * padded, 0.0);
                        pointwise.run(map_values, None, logits);
                        for (to, cell) in to.chunks_exact_mut(each).zip(logits.chunks_exact(padded)) {
                            to.copy_from_slice(&cell[..each]);
                        }
                    }
                }
            }
            if *activation != FoldedActivation::None {
                let target = if to == from { &mut source } else { &mut target };
                let channels = target.channels;
                maps::activate(activation, target.map(), channels);
            }
            slots[*from] = source;
            if to != from {
                slots[*to] = target;
            }
        }
    }
}

/// Chooses kernels, one step after the other.
#[derive(Default)]
struct Planner {
    instructions: Vec<Instruction>,
    maps: Vec<FeatureMap>,
    /// What channels are padded to a multiple of.
    padding: usize,
    /// Of the current map: where it is, its side (in the network's own input), channels, and floats of a
    /// pixel.
    at: usize,
    side: usize,
    channels: usize,
    pixel: usize,
    /// Buffers that are still needed.
    kept: Vec<usize>,
}

impl Planner {
    /// From bytes.
    fn start(&mut self, steps: &[Step]) {
        let mut rest = steps;
        match steps {
            [Step::Convolution(conv), after @ ..] if !conv.depthwise && !rows_serve(conv, self.padding) => {
                rest = after;
                let stem = (conv.shape[2], conv.stride, conv.padding) == (5, 2, Padding::Same);
                if stem && conv.activation == FoldedActivation::Relu {
                    let stem = Stem::new(&conv.kernel, &conv.bias, self.padding);
                    self.next(CpuKernel::Stem(stem), FoldedActivation::None);
                } else {
                    let (conv, activation) = (self.general(conv), conv.activation.without_kernel());
                    self.next(CpuKernel::First(conv), activation);
                }
                self.made(conv);
            }
            _ => self.next(CpuKernel::Input, FoldedActivation::None),
        }
        self.steps(rest);
    }

    /// An instruction from the current buffer to another.
    fn next(&mut self, kernel: CpuKernel, activation: FoldedActivation) {
        let taken = |slot: &usize| *slot == self.at || self.kept.contains(slot);
        let to = (0..).find(|slot| !taken(slot)).expect("so many are never in use");
        self.instructions.push(Instruction { kernel, from: self.at, to, activation });
        self.at = to;
    }

    /// An instruction that leaves the map where it is.
    fn aside(&mut self, kernel: CpuKernel, activation: FoldedActivation) {
        let (from, to) = (self.at, self.at);
        self.instructions.push(Instruction { kernel, from, to, activation });
    }

    fn steps(&mut self, mut steps: &[Step]) {
        while let [step, rest @ ..] = steps {
            let all = steps;
            steps = rest;
            match step {
                Step::Convolution(conv) => {
                    let pools = rest.first() == Some(&Step::AveragePool);
                    if self.rows(conv, if pools { 2 } else { 1 }) {
                        steps = &rest[usize::from(pools)..];
                    } else if let Some(count) = self.bottleneck(all, false) {
                        steps = &all[count..];
                    } else {
                        self.convolution(conv);
                    }
                }
                Step::Dense(layer) => {
                    self.next(CpuKernel::Dense(layer.clone()), layer.activation.clone());
                    self.channels = layer.bias.len();
                    self.pixel = self.channels;
                }
                Step::Activation(activation) => {
                    self.aside(CpuKernel::Activate, activation.clone());
                }
                Step::AveragePool => {
                    self.next(CpuKernel::AveragePool, FoldedActivation::None);
                    self.side /= 2;
                }
                Step::MaxPool => {
                    self.next(CpuKernel::MaxPool, FoldedActivation::None);
                    self.side /= 2;
                }
                Step::GlobalAveragePool => {
                    self.next(CpuKernel::Mean, FoldedActivation::None);
                    self.side = 1;
                }
                Step::Residual(body, activation) => self.residual(body, activation),
                Step::Flatten => self.flatten(),
                Step::EachCrop(_) => unreachable!("only at the beginning"),
                Step::Anchors { map, values, logits } => {
                    let [values, logits] =
                        [values, logits].map(|it| Pointwise::new(&it.kernel, &it.bias, self.padding));
                    self.maps.push(*map);
                    let kernel = CpuKernel::Anchors { map: *map, values, logits };
                    self.aside(kernel, FoldedActivation::None);
                }
                Step::Heads(heads) => self.aside(CpuKernel::Heads(heads.clone()), FoldedActivation::None),
            }
        }
    }

    /// Plans a convolution, its rectifier and its pooling as one, where there is a kernel for that.
    fn rows(&mut self, conv: &FoldedConvolution, pool: usize) -> bool {
        let [channels_out, channels_in, ..] = conv.shape;
        if !rows_serve(conv, self.padding) || self.pixel != channels_in {
            return false;
        }
        let (height, width, stride) = (self.side, self.side, conv.stride);
        let shape = ConvShape { height, width, channels_in, channels_out, stride, pool };
        let kernel = if pool == 2 && Winograd::serves(&shape) {
            CpuKernel::Winograd(Winograd::new(shape, &conv.kernel, &conv.bias))
        } else {
            CpuKernel::Rows { shape, weights: pack(&conv.kernel, &shape), bias: conv.bias.clone() }
        };
        self.next(kernel, FoldedActivation::None);
        self.made(conv);
        self.side = shape.pooled_height();
        true
    }

    fn convolution(&mut self, conv: &FoldedConvolution) {
        let kernel = if self.is_pointwise(conv) {
            CpuKernel::Pointwise(self.pointwise(conv))
        } else if self.is_depthwise(conv) {
            CpuKernel::Depthwise(self.depthwise(conv))
        } else {
            CpuKernel::Convolution(self.general(conv))
        };
        self.next(kernel, conv.activation.without_kernel());
        self.made(conv);
    }

    /// The current map is what a convolution made.
    fn made(&mut self, conv: &FoldedConvolution) {
        self.side = conv.padding.out_side(conv.shape[2], conv.stride, self.side);
        self.channels = conv.shape[0];
        self.pixel = self.channels.next_multiple_of(self.padding);
    }

    /// Whether the current map's pixels are whole vectors.
    fn is_padded(&self) -> bool {
        self.pixel == self.channels.next_multiple_of(self.padding)
    }

    fn is_pointwise(&self, conv: &FoldedConvolution) -> bool {
        self.is_padded() && is_pointwise(conv)
    }

    fn is_depthwise(&self, conv: &FoldedConvolution) -> bool {
        self.is_padded() && conv.depthwise && matches!(conv.shape[2], 3 | 5)
    }

    fn pointwise(&self, conv: &FoldedConvolution) -> Pointwise {
        Pointwise::new(&conv.kernel, &conv.bias, self.padding).activated(conv.activation.kernel())
    }

    fn depthwise(&self, conv: &FoldedConvolution) -> Depthwise {
        let FoldedConvolution { kernel, bias, activation, .. } = conv;
        Depthwise::new(self.window(conv), kernel, bias, activation.kernel(), self.padding)
    }

    /// Any convolution; a depthwise one as one of all channels, most of whose weights are zero.
    fn general(&self, conv: &FoldedConvolution) -> kernels::RowConvolution {
        let mut kernel = conv.kernel.clone();
        if conv.depthwise {
            let area = conv.shape[2] * conv.shape[3];
            kernel = vec![0.0; kernel.len() * self.channels];
            for (c, own) in conv.kernel.chunks_exact(area).enumerate() {
                kernel[(c * self.channels + c) * area..][..area].copy_from_slice(own);
            }
        }
        let activation = conv.activation.kernel();
        let window = self.window(conv);
        kernels::RowConvolution::new(window, self.pixel, &kernel, &conv.bias, activation, self.padding)
    }

    fn window(&self, conv: &FoldedConvolution) -> Window {
        let FoldedConvolution { shape: [_, _, kernel, _], stride, .. } = *conv;
        Window { kernel, stride, padding: conv.padding.ends(kernel, stride, self.side) }
    }

    /// Plans an inverted bottleneck if the steps begin with one, or with `residual` are one; says how many
    /// they are.
    fn bottleneck(&mut self, steps: &[Step], residual: bool) -> Option<usize> {
        let conv = |at: usize| match steps.get(at) {
            Some(Step::Convolution(conv)) => Some(conv),
            _ => None,
        };
        let expand = conv(0).filter(|first| self.is_pointwise(first));
        let at = usize::from(expand.is_some());
        let (depthwise, project) = (conv(at)?, conv(at + 1)?);
        let parts = expand.into_iter().chain([depthwise, project]);
        let known = parts.clone().all(|it| it.activation.without_kernel() == FoldedActivation::None);
        if !(self.is_depthwise(depthwise) && is_pointwise(project) && known) {
            return None;
        }
        let whole = steps.len() == at + 2 && project.activation == FoldedActivation::None;
        let window = self.window(depthwise);
        let same = window.out([self.side; 2]) == [self.side; 2] && project.shape[0] == self.channels;
        if residual && !(whole && same && window.stride == 1) {
            return None;
        }
        let block = Bottleneck::new(
            expand.map(|it| self.pointwise(it)),
            self.depthwise(depthwise),
            self.pointwise(project),
            residual,
        );
        self.next(CpuKernel::Bottleneck(block), FoldedActivation::None);
        parts.for_each(|it| self.made(it));
        Some(at + 2)
    }

    fn residual(&mut self, body: &[Step], activation: &FoldedActivation) {
        if self.separable(body, activation) {
            return;
        }
        if *activation == FoldedActivation::None && self.bottleneck(body, true).is_some() {
            return;
        }
        let (input, side) = (self.at, self.side);
        self.kept.push(input);
        self.steps(body);
        let output = self.at;
        if self.side < side {
            self.kept.push(output);
            self.at = input;
            self.next(CpuKernel::MaxPool, FoldedActivation::None);
            self.kept.pop();
        } else {
            self.at = input;
        }
        self.kept.pop();
        let (from, activation) = (self.at, activation.clone());
        self.instructions.push(Instruction { kernel: CpuKernel::Add, from, to: output, activation });
        self.at = output;
    }

    /// Plans a blaze block.
    fn separable(&mut self, body: &[Step], activation: &FoldedActivation) -> bool {
        let [Step::Convolution(depthwise), Step::Convolution(pointwise)] = body else { return false };
        let linear = [depthwise, pointwise].iter().all(|it| it.activation == FoldedActivation::None);
        let [channels_in, channels_out] = [depthwise, pointwise].map(|it| it.shape[0]);
        let FoldedConvolution { stride, padding, .. } = *depthwise;
        let fits = self.is_depthwise(depthwise)
            && (depthwise.shape[2], padding) == (3, Padding::Same)
            && is_pointwise(pointwise)
            && channels_out >= channels_in
            && self.side.is_multiple_of(stride);
        if !(fits && linear && *activation == FoldedActivation::Relu) {
            return false;
        }
        let shape = SeparableShape { channels_in, channels_out, stride, padding: self.padding };
        let [[d, d_bias], [p, p_bias]] = [depthwise, pointwise].map(|it| [&it.kernel, &it.bias]);
        let block = Separable::new(shape, [d, d_bias], [p, p_bias]);
        self.next(CpuKernel::Separable(block), FoldedActivation::None);
        self.made(depthwise);
        self.made(pointwise);
        true
    }

    /// Makes a vector of the map.
    fn flatten(&mut self) {
        if self.pixel != self.channels {
            self.next(CpuKernel::Compact { channels: self.channels }, FoldedActivation::None);
        }
        self.channels *= self.side * self.side;
        (self.side, self.pixel) = (1, self.channels);
    }
}

fn is_pointwise(conv: &FoldedConvolution) -> bool {
    (conv.shape[2], conv.stride, conv.depthwise) == (1, 1, false)
}

/// Whether [`conv3x3_relu_pool`] and [`Winograd`] know such a convolution.
fn rows_serve(conv: &FoldedConvolution, padding: usize) -> bool {
    let [out, _, kernel, _] = conv.shape;
    (kernel, conv.padding, conv.depthwise) == (3, Padding::Valid, false)
        && conv.activation == FoldedActivation::Relu
        && out.is_multiple_of(padding.max(16))
}
