//! The training step of convolution blocks as one operation of burn's, on the CPU.
//!
//! A block is a convolution, its batch normalisation, an activation and perhaps average pooling. Composed of
//! burn's own operations, each passes its maps through memory a dozen times in a step. Here a convolution's
//! output is written once, and all else is made of it where it is needed: what stands behind the activation
//! when the next block reads it, forward and backward, and the gradient at it a few rows at a time. So blocks
//! that follow each other are one operation, a chain, which may be a residual's body. All runs on
//! [`crate::kernels::training`], one picture to a thread. The gradients are tested against the composed
//! operations.
//!
//! Sums over the batch are taken in the order of the batch, over pictures or over groups of pictures that
//! depend on the shapes alone, so the result does not depend on the number of threads.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward as BackwardOp, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, TensorMetadata, backend_extension};
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::kernels::training::{
    Backward, Block, BlockInput, BlockScratch, BlockShape, NormGradient, Normalisation, norm_gradient_sums,
    normalise, repad,
};
use crate::kernels::{Activation, Window, zeros};

/// What a chain gives in training: its output and the statistics of the batch.
#[derive(ExtensionType)]
pub struct ChainTrain<B: Backend> {
    /// Output, NHWC.
    pub output: FloatTensor<B>,
    /// Mean of each convolution's output without its bias, one a channel, block after block.
    pub mean: FloatTensor<B>,
    /// Its variance (of the batch as it is, so divided by the number of pixels).
    pub variance: FloatTensor<B>,
}

/// How a block is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockOptions {
    /// Where the kernel lies.
    pub window: Window,
    /// Whether each channel is convolved by itself (3x3 or 5x5).
    pub depthwise: bool,
    /// What stands behind the normalisation.
    pub activation: Activation,
    /// Pixels averaged to one in each direction: 2, or 1 for no pooling.
    pub pool: usize,
}

/// A block of a chain.
#[derive(Debug, Clone, Copy)]
pub struct TrainBlock<'a> {
    /// The convolution. Its own stride, padding and groups are not read.
    pub conv: &'a Conv2d,
    /// The normalisation behind it.
    pub norm: &'a BatchNorm,
    /// How both lie, and what follows.
    pub options: BlockOptions,
}

/// A chain's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Chain {
    blocks: Vec<ChainBlock>,
    residual: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ChainBlock {
    options: BlockOptions,
    channels: usize,
    bias: bool,
    /// Added to the variance.
    epsilon: f64,
}

/// The operation, for burn's dispatch.
#[backend_extension(Autodiff, Flex)]
pub trait FusedChain: Backend {
    /// `x` is `[N, H, W, C]`, and so is the output. `parameters` is a vector: of each block the kernel
    /// `[out][in][k][k]`, the bias where there is one, gamma and beta.
    fn fused_chain(x: FloatTensor<Self>, parameters: FloatTensor<Self>, chain: Chain) -> ChainTrain<Self>;
}

static SUSPENDED: AtomicUsize = AtomicUsize::new(0);

/// While one lives, blocks are composed of burn's operations everywhere: for comparison.
#[derive(Debug)]
#[must_use = "the fused operation is back once this is dropped"]
pub struct Suspended(());

/// See [`Suspended`].
pub fn suspend() -> Suspended {
    SUSPENDED.fetch_add(1, Ordering::SeqCst);
    Suspended(())
}

impl Drop for Suspended {
    fn drop(&mut self) {
        SUSPENDED.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Whether [`chain_train`] can run there: in training on the CPU. Elsewhere blocks are composed of burn's
/// operations.
pub fn available(device: &Device) -> bool {
    SUSPENDED.load(Ordering::SeqCst) == 0 && device.is_autodiff() && device.clone().inner() == Device::flex()
}

/// Runs blocks one after the other on `[N, H, W, C]`, adds `x` to the result if it is a `residual`'s body,
/// and updates the running statistics of the normalisations.
///
/// # Panics
/// If there is no block, a kernel does not fit its block or input, or a residual's shape changes.
pub fn chain_train(x: Tensor<4>, blocks: &[TrainBlock], residual: bool) -> Tensor<4> {
    let device = x.device();
    let mut parameters = Vec::new();
    let mut chain = Chain { blocks: Vec::new(), residual };
    for TrainBlock { conv, norm, options } in blocks {
        let weight = conv.weight.val();
        let [channels, ..] = weight.dims();
        parameters.push(weight.flatten(0, 3));
        parameters.extend(conv.bias.as_ref().map(|bias| bias.val()));
        parameters.extend([norm.gamma.val(), norm.beta.val()]);
        let (bias, epsilon) = (conv.bias.is_some(), norm.epsilon);
        chain.blocks.push(ChainBlock { options: *options, channels, bias, epsilon });
    }
    let parameters = Tensor::<1>::cat(parameters, 0);
    let result = <Dispatch as FusedChain>::fused_chain(x.into_dispatch(), parameters.into_dispatch(), chain);
    let [mean, variance] =
        [result.mean, result.variance].map(|batch| Tensor::<1>::from_dispatch(batch).detach());
    let mut at = 0;
    for TrainBlock { conv, norm, .. } in blocks {
        let [channels] = norm.gamma.dims();
        let [mut mean, variance] = [&mean, &variance].map(|all| all.clone().narrow(0, at, channels));
        at += channels;
        // What a bias adds, the normalisation takes away again, but its mean knows of it.
        if let Some(bias) = &conv.bias {
            mean = mean + bias.val().detach();
        }
        for (running, batch) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
            let old = running.value_sync().mul_scalar(1.0 - norm.momentum);
            running.update(old.to_device(&device).add(batch.mul_scalar(norm.momentum)).detach());
        }
    }
    Tensor::from_dispatch(result.output)
}

impl FusedChain for Flex {
    fn fused_chain(x: FlexTensor, parameters: FlexTensor, chain: Chain) -> ChainTrain<Self> {
        Saved::forward(x, parameters, &chain).0
    }
}

impl<C: CheckpointStrategy> FusedChain for Autodiff<Flex, C> {
    fn fused_chain(x: FloatTensor<Self>, parameters: FloatTensor<Self>, chain: Chain) -> ChainTrain<Self> {
        let (x, x_node) = x.into_parts();
        let (parameters, parameters_node) = parameters.into_parts();
        let (ChainTrain { output, mean, variance }, saved) = Saved::forward(x, parameters, &chain);
        let prepared = FusedChainBackward.prepare::<C>([x_node, parameters_node]).compute_bound().stateful();
        let output = match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(Arc::new(saved), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        ChainTrain {
            output,
            mean: FloatTensor::<Self>::new(mean),
            variance: FloatTensor::<Self>::new(variance),
        }
    }
}

#[derive(Debug)]
struct FusedChainBackward;

impl BackwardOp<Flex, 2> for FusedChainBackward {
    type State = Arc<Saved>;

    fn backward(self, ops: Ops<Arc<Saved>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, parameters] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node);
        let (d_x, d_parameters) = ops.state.backward(gradient, x.is_some());
        for (node, gradient) in [(x, d_x), (parameters, Some(d_parameters))] {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// What the backward pass needs of the forward pass.
#[derive(Debug)]
struct Saved {
    batch: usize,
    x: FlexTensor,
    stages: Vec<BatchedBlock>,
    residual: bool,
    parameters: usize,
}

/// A block in its batch.
#[derive(Debug)]
struct BatchedBlock {
    block: Block,
    bias: bool,
    conv_out: Buffer,
    norm: Normalisation,
    gamma: Vec<f64>,
    mean: Vec<f64>,
    inverse_deviation: Vec<f64>,
    /// Its output where that is smaller than what it is made of, and another block follows.
    pooled: Option<Buffer>,
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn floats(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous, of f32")
}

thread_local! {
    static SCRATCH: RefCell<BlockScratch> = RefCell::default();
}

/// What a block reads: pictures of the same length, and what they have still to pass.
#[derive(Clone, Copy)]
struct BatchInput<'a> {
    values: &'a [f32],
    through: Option<&'a Normalisation>,
}

impl<'a> BatchInput<'a> {
    fn of(stages: &'a [BatchedBlock], x: &'a [f32]) -> Self {
        match stages.last() {
            None => Self { values: x, through: None },
            Some(BatchedBlock { pooled: Some(pooled), .. }) => Self { values: pooled, through: None },
            Some(stage) => Self { values: &stage.conv_out, through: Some(&stage.norm) },
        }
    }

    fn picture(self, i: usize, len: usize) -> BlockInput<'a> {
        BlockInput { values: &self.values[i * len..][..len], through: self.through }
    }
}

impl BatchedBlock {
    /// Convolves the batch and takes its statistics. Also says the variance.
    fn forward(
        block: Block,
        input: BatchInput,
        batch: usize,
        it: &ChainBlock,
        [gamma, beta]: [&[f32]; 2],
    ) -> (Self, Vec<f64>) {
        let shape = *block.shape();
        let (channels, padded) = (shape.channels_out, shape.padded_out());
        let mut conv_out = Buffer::of(batch * shape.out_len());
        let mut sums = vec![0.0; batch * 2 * padded];
        conv_out
            .par_chunks_exact_mut(shape.out_len())
            .zip(sums.par_chunks_exact_mut(2 * padded))
            .enumerate()
            .for_each(|(i, (out, sums))| {
                let source = input.picture(i, block.in_len());
                SCRATCH.with_borrow_mut(|scratch| block.forward(source, out, sums, scratch));
            });

        let pixels = (batch * shape.out().iter().product::<usize>()) as f64;
        let total = |c: usize| sums.iter().skip(c).step_by(2 * padded).sum::<f64>() / pixels;
        let mean: Vec<f64> = (0..channels).map(total).collect();
        let variance: Vec<f64> =
            (0..channels).map(|c| (total(padded + c) - mean[c] * mean[c]).max(0.0)).collect();
        let inverse_deviation: Vec<f64> = variance.iter().map(|v| 1.0 / (v + it.epsilon).sqrt()).collect();
        let gamma: Vec<f64> = gamma.iter().copied().map(f64::from).collect();
        let mut norm = Normalisation {
            scale: vec![0.0; padded],
            shift: vec![0.0; padded],
            activation: shape.activation,
        };
        for c in 0..channels {
            let scale = gamma[c] * inverse_deviation[c];
            norm.scale[c] = scale as f32;
            norm.shift[c] = (f64::from(beta[c]) - scale * mean[c]) as f32;
        }
        let bias = it.bias;
        (Self { block, bias, conv_out, norm, gamma, mean, inverse_deviation, pooled: None }, variance)
    }

    /// Writes what stands behind normalisation, activation and pooling.
    fn normalise(&self, out: &mut [f32]) {
        let shape = self.block.shape();
        out.par_chunks_exact_mut(shape.pooled_len())
            .zip(self.conv_out.par_chunks_exact(shape.out_len()))
            .for_each(|(out, conv_out)| normalise(shape, conv_out, &self.norm, out));
    }

    /// With r the gradient behind the activation, v the convolution's output, n = (v - mean) *
    /// inverse_deviation and M pixels: dbeta = sum r, dgamma = sum r n, dv = scale * (r - dbeta / M - n *
    /// dgamma / M). `sums` are those of r and of r v. Gives dgamma and dbeta, too.
    fn norm_gradient(&self, sums: &[f64], batch: usize) -> (NormGradient, [Vec<f32>; 2]) {
        let shape = self.block.shape();
        let (channels, padded) = (shape.channels_out, shape.padded_out());
        let pixels = (batch * shape.out().iter().product::<usize>()) as f64;
        let nothing = vec![0.0; padded];
        let mut norm = NormGradient { forward: self.norm.clone(), offset: nothing.clone(), slope: nothing };
        let (mut d_gamma, mut d_beta) = (Vec::new(), Vec::new());
        for c in 0..channels {
            let total = |at: usize| sums.iter().skip(at).step_by(2 * padded).sum::<f64>();
            let (r, rv) = (total(c), total(padded + c));
            let (mean, inverse) = (self.mean[c], self.inverse_deviation[c]);
            let scale = self.gamma[c] * inverse;
            let gamma = (rv - mean * r) * inverse;
            norm.offset[c] = (scale * (mean * inverse * gamma - r) / pixels) as f32;
            norm.slope[c] = (-scale * inverse * gamma / pixels) as f32;
            d_gamma.push(gamma as f32);
            d_beta.push(r as f32);
        }
        (norm, [d_gamma, d_beta])
    }

    /// The sums that [`BatchedBlock::norm_gradient`] needs, of each picture, from the gradient at the output.
    fn gradient_sums(&self, gradient: &[f32]) -> Vec<f64> {
        let shape = self.block.shape();
        let mut sums = vec![0.0; gradient.len() / shape.pooled_len() * 2 * shape.padded_out()];
        sums.par_chunks_exact_mut(2 * shape.padded_out())
            .zip(self.conv_out.par_chunks_exact(shape.out_len()))
            .zip(gradient.par_chunks_exact(shape.pooled_len()))
            .for_each(|((sums, conv_out), gradient)| {
                norm_gradient_sums(shape, conv_out, gradient, &self.norm, sums);
            });
        sums
    }

    /// Pictures that add up the kernel's gradient together: with small maps, adding up is much of the work.
    fn group(&self) -> usize {
        const PIXELS: usize = 256;
        const MOST: usize = 4;
        (PIXELS / self.block.shape().out().iter().product::<usize>()).clamp(1, MOST)
    }
}

impl Saved {
    fn forward(x: FlexTensor, parameters: FlexTensor, chain: &Chain) -> (ChainTrain<Flex>, Self) {
        let [x, parameters] = [x, parameters].map(|t| t.to_contiguous());
        let [batch, height, width, channels_in] = x.shape().dims();
        let (pictures, mut rest) = (floats(&x), floats(&parameters));
        let mut take = |n: usize| {
            let (front, back) = rest.split_at(n);
            rest = back;
            front
        };
        let (mut size, mut channels, mut step) = ([height, width], channels_in, channels_in);
        let mut stages: Vec<BatchedBlock> = Vec::new();
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for it in &chain.blocks {
            // What this one reads is smaller than what it is made of.
            if let Some(stage) = stages.last_mut()
                && stage.block.shape().pool > 1
            {
                let mut pooled = Buffer::of(batch * stage.block.shape().pooled_len());
                stage.normalise(&mut pooled);
                stage.pooled = Some(pooled);
            }
            let BlockOptions { window, depthwise, activation, pool } = it.options;
            let shape = BlockShape {
                size,
                channels_in: channels,
                channels_out: it.channels,
                window,
                depthwise,
                activation,
                pool,
            };
            let block = Block::new(shape, take(shape.kernel_len()), step);
            if it.bias {
                take(it.channels);
            }
            let affine = [take(it.channels), take(it.channels)];
            let input = BatchInput::of(&stages, pictures);
            let (stage, variance) = BatchedBlock::forward(block, input, batch, it, affine);
            means.extend(stage.mean.iter().map(|v| *v as f32));
            variances.extend(variance.iter().map(|v| *v as f32));
            stages.push(stage);
            (size, channels, step) = (shape.pooled(), shape.channels_out, shape.padded_out());
        }

        let last = stages.last().expect("a chain of one block at least");
        let shape = *last.block.shape();
        let [rows, columns] = shape.pooled();
        let len = rows * columns * channels;
        assert!(!chain.residual || pictures.len() == batch * len, "a residual's shape does not change");
        let mut output = vec![0.0; batch * len];
        output
            .par_chunks_exact_mut(len)
            .zip(last.conv_out.par_chunks_exact(shape.out_len()))
            .enumerate()
            .for_each_init(Vec::new, |padded, (i, (out, conv_out))| {
                if step == channels {
                    normalise(&shape, conv_out, &last.norm, out);
                } else {
                    padded.resize(shape.pooled_len(), 0.0);
                    normalise(&shape, conv_out, &last.norm, padded);
                    repad(padded, step, out, channels);
                }
                if chain.residual {
                    add(out, &pictures[i * len..][..len]);
                }
            });
        let statistics = [means.len()];
        let result = ChainTrain {
            output: tensor(output, [batch, rows, columns, channels]),
            mean: tensor(means, statistics),
            variance: tensor(variances, statistics),
        };
        let parameters = floats(&parameters).len();
        (result, Self { batch, x, stages, residual: chain.residual, parameters })
    }

    /// Gradients of x, if asked for, and of the parameters.
    fn backward(&self, gradient: FlexTensor, input_too: bool) -> (Option<FlexTensor>, FlexTensor) {
        let Self { batch, x, stages, residual, .. } = self;
        let batch = *batch;
        let above = gradient.to_contiguous();
        let above = floats(&above);
        let mut d_x = vec![0.0; if input_too { floats(x).len() } else { 0 }];
        let mut d_parameters = vec![0.0; self.parameters];
        let mut end = self.parameters;

        let last = stages.last().expect("a chain of one block at least");
        let mut gradient = Buffer::of(batch * last.block.shape().pooled_len());
        let (channels, padded) = (last.block.shape().channels_out, last.block.shape().padded_out());
        gradient
            .par_chunks_exact_mut(last.block.shape().pooled_len())
            .zip(above.par_chunks_exact(above.len() / batch))
            .for_each(|(out, above)| repad(above, channels, out, padded));
        let mut sums = last.gradient_sums(&gradient);

        for (at, stage) in stages.iter().enumerate().rev() {
            let (block, shape) = (&stage.block, *stage.block.shape());
            let (norm, [d_gamma, d_beta]) = stage.norm_gradient(&sums, batch);
            let input = BatchInput::of(&stages[..at], floats(x));
            let group = stage.group();
            let groups = batch.div_ceil(group);
            // One group's sums for the block before.
            let sums_len =
                if input.through.is_some() { 2 * stages[at - 1].block.shape().padded_out() } else { 0 };
            let mut next_sums = vec![0.0; groups * sums_len];
            let mut d_weights = Buffer::of(groups * block.weight_len());
            let mut below = Buffer::of(if at > 0 { batch * block.in_len() } else { 0 });
            let d_input: &mut [f32] = if at > 0 { &mut below } else { &mut d_x };
            let mut d_inputs: Vec<Option<&mut [f32]>> = if d_input.is_empty() {
                (0..groups).map(|_| None).collect()
            } else {
                d_input.chunks_mut(group * block.in_len()).map(Some).collect()
            };
            let mut sums_of: Vec<&mut [f64]> = match sums_len {
                0 => (0..groups).map(|_| [].as_mut_slice()).collect(),
                n => next_sums.chunks_exact_mut(n).collect(),
            };
            d_weights
                .par_chunks_exact_mut(block.weight_len())
                .zip(&mut d_inputs)
                .zip(&mut sums_of)
                .enumerate()
                .for_each(|(i, ((d_weight, d_input), sums))| {
                    d_weight.fill(0.0);
                    for picture in i * group..((i + 1) * group).min(batch) {
                        let of = Backward {
                            block,
                            source: input.picture(picture, block.in_len()),
                            conv_out: &stage.conv_out[picture * shape.out_len()..][..shape.out_len()],
                            gradient: &gradient[picture * shape.pooled_len()..][..shape.pooled_len()],
                            norm: &norm,
                        };
                        let d_input = d_input
                            .as_mut()
                            .map(|all| &mut all[(picture - i * group) * block.in_len()..][..block.in_len()]);
                        SCRATCH.with_borrow_mut(|scratch| of.run(d_weight, d_input, sums, scratch));
                    }
                });

            let d_kernel = block.unpack(&sum(&d_weights, block.weight_len()));
            // What a bias adds, the normalisation takes away again: its gradient is zero.
            let bias = if stage.bias { shape.channels_out } else { 0 };
            let begin = end - d_kernel.len() - bias - 2 * shape.channels_out;
            let (kernel, others) = d_parameters[begin..end].split_at_mut(d_kernel.len());
            kernel.copy_from_slice(&d_kernel);
            let (gamma, beta) = others[bias..].split_at_mut(shape.channels_out);
            gamma.copy_from_slice(&d_gamma);
            beta.copy_from_slice(&d_beta);
            end = begin;

            if at > 0 {
                sums = if input.through.is_some() { next_sums } else { stages[at - 1].gradient_sums(&below) };
                gradient = below;
            }
        }
        if input_too && *residual {
            d_x.par_chunks_exact_mut(above.len() / batch)
                .zip(above.par_chunks_exact(above.len() / batch))
                .for_each(|(d_x, above)| add(d_x, above));
        }
        let d_x = input_too.then(|| tensor(d_x, x.shape().dims::<4>()));
        let d_parameters = tensor(d_parameters, [self.parameters]);
        (d_x, d_parameters)
    }
}

fn add(to: &mut [f32], values: &[f32]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
}

/// The sum of vectors of length `n`, in their order.
fn sum(vectors: &[f32], n: usize) -> Vec<f32> {
    const CHUNK: usize = 1024;
    let mut result = vec![0.0; n];
    result.par_chunks_mut(CHUNK).enumerate().for_each(|(i, result)| {
        let mut sums = [0.0; CHUNK];
        for vector in vectors.chunks_exact(n) {
            let values = &vector[i * CHUNK..][..result.len()];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        result.iter_mut().zip(sums).for_each(|(result, sum)| *result = sum as f32);
    });
    result
}

/// Large buffers that begin with a cache line, and go back to a shelf when dropped. Fresh memory of this size costs a page
/// fault every 4 KiB, which profiles of a training step show.
#[derive(Debug, Default)]
struct Buffer {
    values: Vec<f32>,
    /// Of `values`.
    used: Range<usize>,
}

static SHELF: Mutex<Vec<Buffer>> = Mutex::new(Vec::new());

impl Buffer {
    /// `len` floats with any content.
    fn of(len: usize) -> Self {
        let mut shelf = SHELF.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(at) = shelf.iter().position(|buffer| buffer.used.len() == len) {
            return shelf.swap_remove(at);
        }
        let (values, start) = zeros(len);
        Self { values, used: start..start + len }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.used.clone()]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.used.clone()]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // A few for each of a network's convolutions; older ones of another batch size go.
        const KEPT: usize = 128;
        if self.values.is_empty() {
            return;
        }
        let mut shelf = SHELF.lock().unwrap_or_else(|e| e.into_inner());
        shelf.push(std::mem::take(self));
        let surplus = shelf.len().saturating_sub(KEPT);
        // Nothing is put back while the shelf is locked.
        shelf.drain(..surplus).for_each(|mut buffer| buffer.values = Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NORM_EPSILON;
    use crate::weights::Weights;
    use burn::module::Module;
    use burn::nn::conv::Conv2dConfig;
    use burn::nn::{BatchNormConfig, PaddingConfig2d};
    use burn::tensor::Distribution;
    use burn::tensor::activation::relu;
    use burn::tensor::module::avg_pool2d;
    use burn::tensor::ops::AvgPoolOptions;

    /// `to` with the tensors of `from`.
    fn copy(from: &Net, to: Net) -> Net {
        let mut weights = Weights::default();
        weights.take_part("net", from);
        weights.into_part("net", to).unwrap()
    }

    #[derive(Module, Debug)]
    struct Net {
        convs: Vec<Conv2d>,
        norms: Vec<BatchNorm>,
    }

    /// Channels of a block's output, its kernel, stride and padding, whether it is depthwise, its activation,
    /// its pooling.
    type BlockSpec = (usize, usize, usize, [usize; 2], bool, Activation, usize);

    fn options((_, kernel, stride, padding, depthwise, activation, pool): BlockSpec) -> BlockOptions {
        BlockOptions { window: Window { kernel, stride, padding }, depthwise, activation, pool }
    }

    impl Net {
        fn new(mut channels: usize, plan: &[BlockSpec], device: &Device) -> Self {
            let (mut convs, mut norms) = (Vec::new(), Vec::new());
            for (i, (out, kernel, stride, [before, after], depthwise, ..)) in plan.iter().enumerate() {
                let conv = Conv2dConfig::new([channels, *out], [*kernel; 2])
                    .with_stride([*stride; 2])
                    .with_groups(if *depthwise { channels } else { 1 })
                    .with_padding(PaddingConfig2d::Explicit(*before, *before, *after, *after))
                    .with_bias(i % 2 == 0);
                convs.push(conv.init(device));
                let random = |spread: f64| {
                    Tensor::<1>::random([*out], Distribution::Normal(0.7, spread), device).require_grad()
                };
                let norm = BatchNormConfig::new(*out).with_epsilon(NORM_EPSILON.into()).init(device);
                let (gamma, beta) = (norm.gamma.clone(), norm.beta.clone());
                norms.push(BatchNorm {
                    gamma: gamma.map(|_| random(0.5)),
                    beta: beta.map(|_| random(0.3)),
                    ..norm
                });
                channels = *out;
            }
            Self { convs, norms }
        }

        /// On `[N, H, W, C]`, of burn's own operations.
        fn composed(&self, x: Tensor<4>, plan: &[BlockSpec], residual: bool) -> Tensor<4> {
            let mut y = x.clone().permute([0, 3, 1, 2]);
            for ((conv, norm), (.., activation, pool)) in self.convs.iter().zip(&self.norms).zip(plan) {
                y = norm.forward(conv.forward(y));
                y = match activation {
                    Activation::None => y,
                    Activation::Relu => relu(y),
                    Activation::Relu6 => y.clamp(0.0, 6.0),
                };
                y = avg_pool2d(y, AvgPoolOptions::new([*pool; 2]));
            }
            let y = y.permute([0, 2, 3, 1]);
            if residual { x + y } else { y }
        }

        fn fused(&self, x: Tensor<4>, plan: &[BlockSpec], residual: bool) -> Tensor<4> {
            let parts = self.convs.iter().zip(&self.norms).zip(plan);
            let blocks: Vec<_> = parts
                .map(|((conv, norm), plan)| TrainBlock { conv, norm, options: options(*plan) })
                .collect();
            chain_train(x, &blocks, residual)
        }
    }

    /// Output, loss gradients and statistics, fused or composed.
    fn step(
        net: &Net,
        x: &Tensor<4>,
        plan: &[BlockSpec],
        residual: bool,
        fused: bool,
    ) -> Vec<(String, TensorData)> {
        let x = x.clone().require_grad();
        let y = match fused {
            true => net.fused(x.clone(), plan, residual),
            false => net.composed(x.clone(), plan, residual),
        };
        // Any smooth function of the output that weighs every place differently.
        let ramp: Vec<f32> =
            (0..y.dims().iter().product()).map(|i: usize| ((i * 7 + 3) % 23) as f32 * 0.1 - 1.0).collect();
        let ramp = Tensor::<1>::from_floats(ramp.as_slice(), &x.device()).reshape(y.dims());
        let loss = (y.clone().powi_scalar(2) * ramp + y.clone() * 0.5).sum();
        let mut grads = loss.backward();
        let mut out =
            vec![("output".into(), y.into_data()), ("x".into(), x.grad(&grads).unwrap().into_data())];
        for (i, (conv, norm)) in net.convs.iter().zip(&net.norms).enumerate() {
            let mut add = |name: &str, data| out.push((format!("{name} of block {i}"), data));
            add("weight", conv.weight.val().grad_remove(&mut grads).unwrap().into_data());
            add("gamma", norm.gamma.val().grad_remove(&mut grads).unwrap().into_data());
            add("beta", norm.beta.val().grad_remove(&mut grads).unwrap().into_data());
            add("running mean", norm.running_mean.value_sync().into_data());
            add("running variance", norm.running_var.value_sync().into_data());
        }
        out
    }

    /// The largest difference, as a part of the largest number.
    fn difference(found: &TensorData, expected: &TensorData) -> f32 {
        let [found, expected] = [found, expected].map(|data| data.clone().try_into_vec::<f32>().unwrap());
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
        // A NaN must stay one.
        let worst = |w: f32, (a, b): (&f32, &f32)| if (a - b).abs() <= w { w } else { (a - b).abs() };
        found.iter().zip(&expected).fold(0.0, worst) / largest
    }

    fn check(size: [usize; 2], channels: usize, plan: &[BlockSpec], residual: bool) {
        let device = Device::flex().autodiff();
        device.seed(7);
        let net = Net::new(channels, plan, &device);
        // Each on its own copy of the running statistics.
        let other = copy(&net, Net::new(channels, plan, &device));
        // More pictures than a group.
        let shape = [5, size[0], size[1], channels];
        let x = Tensor::random(shape, Distribution::Normal(0.2, 1.0), &device);
        let fused = step(&net, &x, plan, residual, true);
        let composed = step(&other, &x, plan, residual, false);
        for ((name, fused), (_, composed)) in fused.iter().zip(&composed) {
            let difference = difference(fused, composed);
            assert!(difference < 1e-3, "{name} is off by {difference:e} at {size:?}x{channels}: {plan:?}");
        }
    }

    use Activation::{None as Linear, Relu, Relu6};

    /// Sizes odd and even, wide enough for every tile, and channels that are no whole vectors.
    #[test]
    fn blocks_agree_with_the_composed_operations() {
        for (size, channels, plan) in [
            // The study's: with pooling at stride 1, without at stride 2.
            ([8, 8], 16, (32, 3, 1, [0, 0], false, Relu, 2)),
            ([9, 12], 32, (32, 3, 1, [0, 0], false, Relu, 2)),
            ([11, 33], 3, (32, 3, 1, [0, 0], false, Relu, 2)),
            ([10, 33], 3, (32, 3, 2, [0, 0], false, Relu, 1)),
            ([12, 34], 16, (32, 3, 2, [0, 0], false, Relu6, 2)),
            // With padding, by Winograd and by rows.
            ([8, 9], 16, (32, 3, 1, [1, 1], false, Relu, 1)),
            ([7, 6], 32, (16, 3, 1, [0, 1], false, Linear, 2)),
            ([9, 30], 3, (32, 3, 2, [1, 1], false, Relu6, 1)),
            ([8, 8], 24, (20, 3, 2, [0, 1], false, Relu, 1)),
            ([7, 13], 5, (12, 3, 1, [1, 1], false, Relu, 1)),
            ([9, 9], 8, (16, 5, 1, [2, 2], false, Relu, 1)),
            ([11, 8], 4, (17, 5, 2, [1, 2], false, Linear, 1)),
            ([9, 8], 2, (16, 7, 2, [3, 3], false, Relu, 1)),
            ([8, 7], 6, (16, 1, 2, [0, 0], false, Relu, 1)),
            // 1x1.
            ([8, 8], 16, (96, 1, 1, [0, 0], false, Relu6, 1)),
            ([5, 7], 40, (24, 1, 1, [0, 0], false, Linear, 1)),
            ([6, 9], 112, (20, 1, 1, [0, 0], false, Relu, 2)),
            ([3, 150], 3, (7, 1, 1, [0, 0], false, Relu, 1)),
            // Depthwise.
            ([8, 8], 32, (32, 3, 1, [1, 1], true, Relu6, 1)),
            ([9, 14], 24, (24, 3, 2, [1, 1], true, Relu6, 1)),
            ([10, 13], 5, (5, 3, 2, [0, 1], true, Relu, 1)),
            ([8, 11], 40, (40, 5, 1, [2, 2], true, Relu6, 1)),
            ([9, 16], 20, (20, 5, 2, [2, 2], true, Relu, 1)),
            ([12, 7], 16, (16, 5, 2, [1, 2], true, Linear, 1)),
            ([7, 9], 17, (17, 5, 1, [0, 0], true, Relu, 2)),
        ] {
            check(size, channels, &[plan], false);
        }
    }

    #[test]
    fn chains_agree_with_the_composed_operations() {
        let expand = (48, 1, 1, [0, 0], false, Relu6, 1);
        for (size, channels, plan, residual) in [
            // The stem of EfficientNet and its first block.
            (
                [16, 18],
                3,
                vec![
                    (32, 3, 2, [1, 1], false, Relu6, 1),
                    (32, 3, 1, [1, 1], true, Relu6, 1),
                    (16, 1, 1, [0, 0], false, Linear, 1),
                ],
                false,
            ),
            // Its inverted bottlenecks.
            (
                [8, 8],
                24,
                vec![expand, (48, 3, 1, [1, 1], true, Relu6, 1), (24, 1, 1, [0, 0], false, Linear, 1)],
                true,
            ),
            (
                [9, 12],
                20,
                vec![expand, (48, 5, 2, [2, 2], true, Relu6, 1), (40, 1, 1, [0, 0], false, Linear, 1)],
                false,
            ),
            // D-CNN's blocks, and a residual of plain convolutions.
            (
                [22, 22],
                3,
                vec![(32, 3, 1, [0, 0], false, Relu, 2), (32, 3, 1, [0, 0], false, Relu, 2)],
                false,
            ),
            (
                [6, 7],
                16,
                vec![(32, 3, 1, [1, 1], false, Relu, 1), (16, 3, 1, [1, 1], false, Linear, 1)],
                true,
            ),
        ] {
            check(size, channels, &plan, residual);
        }
    }

    #[test]
    fn the_result_does_not_depend_on_the_number_of_threads() {
        let plan = [
            (24, 1, 1, [0, 0], false, Relu6, 1),
            (24, 3, 2, [1, 1], true, Relu6, 1),
            (8, 1, 1, [0, 0], false, Linear, 1),
        ];
        let device = Device::flex().autodiff();
        device.seed(3);
        let net = Net::new(8, &plan, &device);
        let x = Tensor::random([13, 8, 8, 8], Distribution::Normal(0.2, 1.0), &device);
        let run = |threads| {
            let net = copy(&net, Net::new(8, &plan, &device));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| step(&net, &x, &plan, false, true))
        };
        let gradients = |found: Vec<(String, TensorData)>| {
            found.into_iter().filter(|(name, _)| name.contains("weight")).collect::<Vec<_>>()
        };
        assert_eq!(gradients(run(1)), gradients(run(3)));
    }
}
