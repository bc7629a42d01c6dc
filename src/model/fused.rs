//! The training step of a convolution block as one operation of burn's, on the CPU.
//!
//! Composed of burn's own operations, Conv3x3 + BN + ReLU + AvgPool2 (Base CNN: with stride 2 and no pooling) passes its largest map (64 x 158 x 158 x 32 floats in
//! D-CNN's first block) through memory a dozen times in a step. Here the convolution's output is written once and
//! read three times, the gradient at it exists only a few rows at a time, and both run on [`crate::kernels`], one picture to a
//! thread. The gradients are tested against the composed operations.
//!
//! Sums over the batch are taken picture by picture in the order of the batch, so the result does not depend on the number of threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, ExtensionType, Flex, TensorMetadata, backend_extension};
use burn::nn::BatchNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::kernels::{
    Affine, ConvGradient, ConvShape, GradientScratch, NormGradient, Winograd, affine_relu_pool, conv3x3,
    pack, pool_gradient_sums, unpack_add,
};

/// What a block gives in training: its output and the statistics of the batch.
#[derive(ExtensionType)]
pub struct BlockTrain<B: Backend> {
    /// Output, NHWC.
    pub output: FloatTensor<B>,
    /// Mean of the convolution's output, one a channel.
    pub mean: FloatTensor<B>,
    /// Its variance (of the batch as it is, so divided by the number of pixels).
    pub variance: FloatTensor<B>,
}

/// A block's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockOptions {
    /// See [`ConvShape::stride`].
    pub stride: usize,
    /// See [`ConvShape::pool`].
    pub pool: usize,
    /// Added to the variance.
    pub epsilon: f64,
}

/// The operation, for burn's dispatch.
#[backend_extension(Autodiff, Flex)]
pub trait FusedBlock: Backend {
    /// `x` `[N, H, W, C]`, `weight` `[O, C, 3, 3]`, `bias`, `gamma`, `beta` `[O]`; output `[N, h, w, O]` with h and w from
    /// [`ConvShape::pooled_height`] and [`ConvShape::pooled_width`]. With a stride above 1 there is no gradient for `x`.
    fn fused_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: BlockOptions,
    ) -> BlockTrain<Self>;
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

/// Whether [`block_train`] can run there: in training on the CPU. Elsewhere blocks are composed of burn's operations.
pub fn available(device: &Device) -> bool {
    SUSPENDED.load(Ordering::SeqCst) == 0 && device.is_autodiff() && device.clone().inner() == Device::flex()
}

/// Runs a block, a 3x3 convolution without padding, its normalisation, ReLU and average pooling, on `[N, H, W, C]`, and updates the
/// running statistics of `norm`.
pub fn block_train(x: Tensor<4>, conv: &Conv2d, norm: &BatchNorm, pool: usize) -> Tensor<4> {
    let device = x.device();
    let weight = conv.weight.val();
    let [channels, ..] = weight.dims();
    let bias = conv.bias.as_ref().map_or_else(|| Tensor::zeros([channels], &device), |b| b.val());
    let result = <Dispatch as FusedBlock>::fused_block(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        norm.gamma.val().into_dispatch(),
        norm.beta.val().into_dispatch(),
        BlockOptions { stride: conv.stride[0], pool, epsilon: norm.epsilon },
    );
    for (running, batch) in [(&norm.running_mean, result.mean), (&norm.running_var, result.variance)] {
        let old = running.value_sync().mul_scalar(1.0 - norm.momentum);
        let new = Tensor::<1>::from_dispatch(batch).detach().mul_scalar(norm.momentum);
        running.update(old.to_device(&device).add(new).detach());
    }
    Tensor::from_dispatch(result.output)
}

impl FusedBlock for Flex {
    fn fused_block(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        options: BlockOptions,
    ) -> BlockTrain<Self> {
        let (output, saved) = Saved::forward(x, weight, bias, gamma, beta, options);
        saved.into_result(output)
    }
}

impl<C: CheckpointStrategy> FusedBlock for Autodiff<Flex, C> {
    fn fused_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: BlockOptions,
    ) -> BlockTrain<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let (output, saved) = Saved::forward(x, weight, bias, gamma, beta, options);
        let BlockTrain { output, mean, variance } = saved.clone().into_result(output);
        let prepared = FusedBlockBackward
            .prepare::<C>([x_node, weight_node, bias_node, gamma_node, beta_node])
            .compute_bound()
            .stateful();
        let output = match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(saved, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        };
        BlockTrain {
            output,
            mean: FloatTensor::<Self>::new(mean),
            variance: FloatTensor::<Self>::new(variance),
        }
    }
}

#[derive(Debug)]
struct FusedBlockBackward;

impl Backward<Flex, 5> for FusedBlockBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x, weight, bias, gamma, beta] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node);
        let result = ops.state.backward(gradient, x.is_some());
        let all = [(x, result.x), (weight, Some(result.weight)), (bias, Some(result.bias))];
        let all = all.into_iter().chain([(gamma, Some(result.gamma)), (beta, Some(result.beta))]);
        for (node, gradient) in all {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// What the backward pass needs of the forward pass.
#[derive(Debug, Clone)]
struct Saved {
    shape: ConvShape,
    batch: usize,
    x: FlexTensor,
    weight: FlexTensor,
    gamma: FlexTensor,
    conv_out: Arc<Buffer>,
    affine: Affine,
    mean: Vec<f32>,
    variance: Vec<f32>,
    inverse_deviation: Vec<f32>,
}

struct Gradient {
    x: Option<FlexTensor>,
    weight: FlexTensor,
    bias: FlexTensor,
    gamma: FlexTensor,
    beta: FlexTensor,
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn floats(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("made contiguous, of f32")
}

impl Saved {
    fn forward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        options: BlockOptions,
    ) -> (FlexTensor, Self) {
        let [x, weight, bias, gamma, beta] = [x, weight, bias, gamma, beta].map(|t| t.to_contiguous());
        let [batch, height, width, channels_in] = x.shape().dims();
        let [channels_out, ..] = weight.shape().dims::<4>();
        let BlockOptions { stride, pool, epsilon } = options;
        let shape = ConvShape { height, width, channels_in, channels_out, stride, pool };
        let (pictures, bias) = (floats(&x), floats(&bias));
        let packed = pack(floats(&weight), &shape);
        let winograd = Winograd::serves(&shape).then(|| Winograd::new(shape, floats(&weight), bias));
        let mut conv_out = Buffer::of(batch * shape.out_len());
        let mut sums = vec![0.0; batch * 2 * channels_out];
        conv_out
            .0
            .par_chunks_exact_mut(shape.out_len())
            .zip(pictures.par_chunks_exact(shape.in_len()))
            .zip(sums.par_chunks_exact_mut(2 * channels_out))
            .for_each_init(Vec::new, |scratch, ((out, picture), sums)| match &winograd {
                Some(winograd) => winograd.convolve(picture, out, sums, scratch),
                None => conv3x3(&shape, picture, &packed, bias, out, sums),
            });

        let pixels = (batch * shape.out_height() * shape.out_width()) as f64;
        let total = |c: usize| sums.iter().skip(c).step_by(2 * channels_out).sum::<f64>() / pixels;
        let mean: Vec<f64> = (0..channels_out).map(total).collect();
        let variance: Vec<f64> =
            (0..channels_out).map(|c| (total(channels_out + c) - mean[c] * mean[c]).max(0.0)).collect();
        let inverse_deviation: Vec<f64> = variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
        let scale: Vec<f64> =
            floats(&gamma).iter().zip(&inverse_deviation).map(|(g, i)| f64::from(*g) * i).collect();
        let shift =
            floats(&beta).iter().zip(&scale).zip(&mean).map(|((b, s), m)| (f64::from(*b) - s * m) as f32);
        let single = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<_>>();
        let affine = Affine { shift: shift.collect(), scale: single(&scale) };

        let mut output = vec![0.0; batch * shape.pooled_len()];
        output
            .par_chunks_exact_mut(shape.pooled_len())
            .zip(conv_out.0.par_chunks_exact(shape.out_len()))
            .for_each(|(out, conv_out)| affine_relu_pool(&shape, conv_out, &affine, out));
        let output = tensor(output, [batch, shape.pooled_height(), shape.pooled_width(), channels_out]);
        let saved = Self {
            shape,
            batch,
            x,
            weight,
            gamma,
            conv_out: Arc::new(conv_out),
            affine,
            mean: single(&mean),
            variance: single(&variance),
            inverse_deviation: single(&inverse_deviation),
        };
        (output, saved)
    }

    fn into_result(self, output: FlexTensor) -> BlockTrain<Flex> {
        let channels = [self.shape.channels_out];
        BlockTrain { output, mean: tensor(self.mean, channels), variance: tensor(self.variance, channels) }
    }

    fn backward(self, gradient: FlexTensor, input_too: bool) -> Gradient {
        let Self { shape, batch, .. } = self;
        let channels = shape.channels_out;
        let gradient = gradient.to_contiguous();
        let conv_out = &self.conv_out.0;
        let pictures = conv_out
            .par_chunks_exact(shape.out_len())
            .zip(floats(&gradient).par_chunks_exact(shape.pooled_len()));
        let sums: Vec<_> = pictures
            .clone()
            .map(|(conv_out, gradient)| pool_gradient_sums(&shape, conv_out, gradient, &self.affine))
            .collect();

        // With r the gradient behind the rectifier, v the convolution's output, n = (v - mean) * inverse_deviation and M
        // pixels: dbeta = sum r, dgamma = sum r n, dv = scale * (r - dbeta / M - n * dgamma / M).
        let pixels = (batch * shape.out_height() * shape.out_width()) as f64;
        let mut norm = NormGradient { affine: self.affine, offset: Vec::new(), slope: Vec::new() };
        let (mut d_gamma, mut d_beta) = (Vec::new(), Vec::new());
        for c in 0..channels {
            let r = sums.iter().map(|s| s.gradient[c]).sum::<f64>();
            let rv = sums.iter().map(|s| s.product[c]).sum::<f64>();
            let (mean, inverse) = (f64::from(self.mean[c]), f64::from(self.inverse_deviation[c]));
            let scale = f64::from(floats(&self.gamma)[c]) * inverse;
            let gamma = (rv - mean * r) * inverse;
            norm.offset.push((scale * (mean * inverse * gamma - r) / pixels) as f32);
            norm.slope.push((-scale * inverse * gamma / pixels) as f32);
            d_gamma.push(gamma as f32);
            d_beta.push(r as f32);
        }

        let weight = floats(&self.weight);
        let transposed = input_too.then(|| Winograd::transposed(&shape, weight));
        let mut d_weights = vec![0.0; batch * shape.weight_len()];
        let mut d_x = vec![0.0; if input_too { batch * shape.in_len() } else { 0 }];
        let d_inputs: Vec<Option<&mut [f32]>> = if input_too {
            d_x.chunks_exact_mut(shape.in_len()).map(Some).collect()
        } else {
            (0..batch).map(|_| None).collect()
        };
        pictures
            .zip(floats(&self.x).par_chunks_exact(shape.in_len()))
            .zip(d_weights.par_chunks_exact_mut(shape.weight_len()))
            .zip(d_inputs)
            .for_each_init(
                GradientScratch::default,
                |scratch, ((((conv_out, gradient), input), d_weight), d_input)| {
                    let gradient = ConvGradient {
                        shape: &shape,
                        input,
                        conv_out,
                        pooled_gradient: gradient,
                        norm: &norm,
                        transposed: transposed.as_ref(),
                    };
                    gradient.run(d_weight, d_input, scratch);
                },
            );
        let (sum, others) = d_weights.split_at_mut(shape.weight_len());
        for other in others.chunks_exact(shape.weight_len()) {
            sum.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
        }
        let mut d_weight = vec![0.0; shape.weight_len()];
        unpack_add(sum, &shape, &mut d_weight);
        Gradient {
            x: input_too.then(|| tensor(d_x, [batch, shape.height, shape.width, shape.channels_in])),
            weight: tensor(d_weight, [channels, shape.channels_in, 3, 3]),
            // What a bias adds, the normalisation takes away again.
            bias: tensor(vec![0.0; channels], [channels]),
            gamma: tensor(d_gamma, [channels]),
            beta: tensor(d_beta, [channels]),
        }
    }
}

/// Large buffers that go back to a shelf when dropped. Fresh memory of this size costs a page fault every 4 KiB,
/// which profiles of a training step show.
#[derive(Debug)]
struct Buffer(Vec<f32>);

static SHELF: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

impl Buffer {
    /// `len` floats with any content.
    fn of(len: usize) -> Self {
        let mut shelf = SHELF.lock().unwrap_or_else(|e| e.into_inner());
        let found = shelf.iter().position(|buffer| buffer.len() == len);
        Self(found.map_or_else(|| vec![0.0; len], |at| shelf.swap_remove(at)))
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // One buffer for each of a network's blocks; older ones of another batch size go.
        const KEPT: usize = 4;
        let mut shelf = SHELF.lock().unwrap_or_else(|e| e.into_inner());
        shelf.push(std::mem::take(&mut self.0));
        let surplus = shelf.len().saturating_sub(KEPT);
        shelf.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::batch_norm;
    use super::*;
    use crate::weights::Weights;
    use burn::module::Module;
    use burn::nn::conv::Conv2dConfig;
    use burn::tensor::activation::relu;
    use burn::tensor::module::avg_pool2d;
    use burn::tensor::ops::AvgPoolOptions;
    use burn::tensor::{Distribution, Tolerance};

    #[derive(Module, Debug)]
    struct Block {
        conv: Conv2d,
        norm: BatchNorm,
    }

    impl Block {
        fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
            let conv = Conv2dConfig::new(channels, [3, 3]).with_stride([stride; 2]);
            Self { conv: conv.init(device), norm: batch_norm(channels[1], device) }
        }

        /// On `[N, H, W, C]`, of burn's own operations.
        fn composed(&self, x: Tensor<4>, pool: usize) -> Tensor<4> {
            let x = relu(self.norm.forward(self.conv.forward(x.permute([0, 3, 1, 2]))));
            avg_pool2d(x, AvgPoolOptions::new([pool; 2])).permute([0, 2, 3, 1])
        }
    }

    /// A block's output, loss gradients and statistics, fused or composed.
    fn step(block: &Block, x: &Tensor<4>, pool: usize, fused: bool) -> Vec<(&'static str, TensorData)> {
        let differentiable = block.conv.stride[0] == 1;
        let x = x.clone().set_require_grad(differentiable);
        let y = if fused {
            block_train(x.clone(), &block.conv, &block.norm, pool)
        } else {
            block.composed(x.clone(), pool)
        };
        // Any smooth function of the output that weighs every place differently.
        let ramp = Tensor::<1>::from_floats(
            (0..y.dims().iter().product())
                .map(|i: usize| ((i * 7 + 3) % 23) as f32 * 0.1 - 1.0)
                .collect::<Vec<_>>()
                .as_slice(),
            &x.device(),
        );
        let loss = (y.clone().powi_scalar(2) * ramp.clone().reshape(y.dims()) + y.clone() * 0.5).sum();
        let mut grads = loss.backward();
        let gradient = |t: &Tensor<4>| t.grad(&grads).unwrap().into_data();
        let mut out = vec![("output", y.clone().into_data()), ("weight", gradient(&block.conv.weight.val()))];
        if differentiable {
            out.push(("x", gradient(&x)));
        }
        out.push(("gamma", block.norm.gamma.val().grad_remove(&mut grads).unwrap().into_data()));
        out.push(("beta", block.norm.beta.val().grad_remove(&mut grads).unwrap().into_data()));
        out.push(("running mean", block.norm.running_mean.value_sync().into_data()));
        out.push(("running variance", block.norm.running_var.value_sync().into_data()));
        out
    }

    #[test]
    fn fused_and_composed_agree() {
        let device = Device::flex().autodiff();
        device.seed(7);
        // Odd and even maps; one wide enough for every tile size; what the networks have: stride 1 with pooling, stride 2 without.
        for ([height, width, channels], stride, pool) in [
            ([8, 8, 16], 1, 2),
            ([9, 12, 32], 1, 2),
            ([11, 33, 16], 1, 2),
            ([8, 9, 16], 1, 1),
            ([11, 32, 3], 2, 1),
            ([10, 33, 3], 2, 1),
            ([12, 34, 16], 2, 2),
        ] {
            let new = || Block::new([channels, 32], stride, &device);
            let random = |spread: f64| {
                Tensor::<1>::random([32], Distribution::Normal(0.7, spread), &device).require_grad()
            };
            let Block { conv, norm } = new();
            let norm = BatchNorm {
                gamma: norm.gamma.map(|_| random(0.5)),
                beta: norm.beta.map(|_| random(0.3)),
                ..norm
            };
            let block = Block { conv, norm };
            let x = Tensor::random([3, height, width, channels], Distribution::Normal(0.2, 1.0), &device);
            // Each on its own copy of the running statistics.
            let other = Weights::from_module("block", &block).into_module(new()).unwrap();
            for ((name, fused), (_, composed)) in
                step(&block, &x, pool, true).iter().zip(&step(&other, &x, pool, false))
            {
                println!("{name} at {height}x{width}x{channels}, stride {stride}, pool {pool}");
                fused.assert_approx_eq::<f32>(composed, Tolerance::rel_abs(1e-3, 2e-4));
            }
        }
    }
}
