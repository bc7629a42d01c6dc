//! The face detector on the CPU, by fused kernels.

use crate::face::architecture::{BLOCKS, FeatureMap, MAPS, NETWORK, STEM, VALUES, anchors};
use crate::kernels::{Pointwise, Separable, SeparableShape, Stem, aligned, lanes};
use crate::weights::{Weights, WeightsError};

/// [`BlazeFace`](crate::face::network::BlazeFace), laid out for [`crate::kernels`].
#[derive(Debug, Clone)]
pub struct FusedDetector {
    stem: Stem,
    blocks: Vec<Separable>,
    heads: [Head; 2],
}

/// What reads the faces from a map.
#[derive(Debug, Clone)]
struct Head {
    regressor: Pointwise,
    classifier: Pointwise,
}

/// Buffers between the detector's layers. One a thread.
#[derive(Debug, Clone, Default)]
pub struct DetectorScratch {
    rows: Vec<f32>,
    maps: [Vec<f32>; 2],
    logits: Vec<f32>,
}

impl FusedDetector {
    /// Lays out the trained network.
    ///
    /// # Errors
    /// [`WeightsError`] if the weights are another network's or lack a tensor.
    pub fn from_weights(weights: &Weights) -> Result<Self, WeightsError> {
        Self::padded(weights, lanes())
    }

    fn padded(weights: &Weights, padding: usize) -> Result<Self, WeightsError> {
        weights.expect_network(NETWORK)?;
        let shape = [STEM.output, STEM.input, STEM.kernel, STEM.kernel];
        let [kernel, bias] = convolution(weights, "stem", shape)?;
        let stem = Stem::new(kernel, bias, padding);

        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for (i, step) in BLOCKS.iter().enumerate() {
            let name = block_name(i);
            let depthwise = [step.input, 1, step.kernel, step.kernel];
            let depthwise = convolution(weights, &format!("{name}.depthwise"), depthwise)?;
            let pointwise = [step.output, step.input, 1, 1];
            let pointwise = convolution(weights, &format!("{name}.pointwise"), pointwise)?;
            let shape = SeparableShape {
                channels_in: step.input,
                channels_out: step.output,
                stride: step.stride,
                padding,
            };
            blocks.push(Separable::new(shape, depthwise, pointwise));
        }

        let head = |map: &FeatureMap| {
            let conv = |name: &str, values: usize| {
                let shape = [map.anchors * values, map.channels, 1, 1];
                let [kernel, bias] = convolution(weights, &format!("{name}_{}", map.stride), shape)?;
                Ok::<_, WeightsError>(Pointwise::new(kernel, bias, padding))
            };
            Ok(Head { regressor: conv("regressor", VALUES)?, classifier: conv("classifier", 1)? })
        };
        let [fine, coarse] = &MAPS;
        Ok(Self { stem, blocks, heads: [head(fine)?, head(coarse)?] })
    }

    /// Runs one picture of `side` x `side` RGB pixels, a multiple of 32, and appends what
    /// [`BlazeFace::forward`](crate::face::network::BlazeFace::forward) says of it: first all regressors, then all logits.
    ///
    /// # Panics
    /// If `rgb` has another length, or the side is no such number.
    pub fn run(&self, rgb: &[u8], side: usize, out: &mut Vec<f32>, scratch: &mut DetectorScratch) {
        let DetectorScratch { rows, maps: [a, b], logits: cells } = scratch;
        let mut size = [side / STEM.stride; 2];
        let ends = self.blocks.iter().scan(size, |size, block| {
            let len = block.shape().out_len(*size);
            *size = size.map(|n| n / block.shape().stride);
            Some(len)
        });
        let stem_len = self.stem.out_len([side; 2]);
        let longest = ends.fold(stem_len, usize::max);
        let (mut from, mut to) = (aligned(a, longest), aligned(b, longest));
        let start = out.len();
        out.resize(start + anchors(side) * (VALUES + 1), 0.0);
        let (mut regressors, mut logits) = out[start..].split_at_mut(anchors(side) * VALUES);

        self.stem.run(rgb, [side; 2], &mut from[..stem_len], rows);
        for (i, block) in self.blocks.iter().enumerate() {
            let shape = block.shape();
            let out_len = shape.out_len(size);
            block.run(&from[..shape.in_len(size)], size, &mut to[..out_len], rows);
            size = size.map(|n| n / shape.stride);
            std::mem::swap(&mut from, &mut to);
            let map_values = &from[..out_len];
            for (map, head) in MAPS.iter().zip(&self.heads).filter(|(map, _)| map.blocks == i + 1) {
                let pixels = size[0] * size[1];
                // Whole vectors: an anchor's 16 values leave no padding.
                let (here, after) = regressors.split_at_mut(pixels * head.regressor.padded_out());
                head.regressor.run(map_values, None, here);
                regressors = after;
                let padded = head.classifier.padded_out();
                cells.resize(pixels * padded, 0.0);
                head.classifier.run(map_values, None, cells);
                let (here, after) = logits.split_at_mut(pixels * map.anchors);
                for (logits, cell) in here.chunks_exact_mut(map.anchors).zip(cells.chunks_exact(padded)) {
                    logits.copy_from_slice(&cell[..map.anchors]);
                }
                logits = after;
            }
        }
    }
}

/// Name of a block's weights.
pub(super) fn block_name(index: usize) -> String {
    match index.checked_sub(MAPS[0].blocks) {
        None => format!("backbone1.{index}"),
        Some(index) => format!("backbone2.{index}"),
    }
}

/// Kernel and bias of a convolution.
pub(super) fn convolution<'a>(
    weights: &'a Weights,
    name: &str,
    shape: [usize; 4],
) -> Result<[&'a [f32]; 2], WeightsError> {
    let kernel = weights.tensor(&format!("{name}.weight"), &shape)?;
    let bias = weights.tensor(&format!("{name}.bias"), &shape[..1])?;
    Ok([&kernel.values, &bias.values])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::burn::planes;
    use crate::face::BlazeFace;
    use crate::vision::{CLOSE_UP_SIDE, INPUT_SIDE};
    use burn::tensor::{Device, Tensor, TensorData};

    fn weights() -> Weights {
        let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
        Weights::from_bytes(file).unwrap()
    }

    fn noise(side: usize, seed: u32) -> Vec<u8> {
        let mut state = seed;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(side * side * 3).collect()
    }

    fn astronaut() -> Vec<u8> {
        let file = include_bytes!("../../tests/data/blazeface-astronaut.safetensors");
        let reference = Weights::from_bytes(file).unwrap();
        reference.tensors["input"].values.iter().map(|v| *v as u8).collect()
    }

    fn run(network: &FusedDetector, rgb: &[u8], scratch: &mut DetectorScratch) -> Vec<f32> {
        let mut numbers = Vec::new();
        network.run(rgb, (rgb.len() / 3).isqrt(), &mut numbers, scratch);
        numbers
    }

    /// The largest difference, as a part of the largest number where that is more than 1.
    fn difference(found: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
        found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
    }

    #[test]
    fn agrees_with_burn() {
        let device = Device::flex();
        let reference = BlazeFace::from_weights(&weights(), &device).unwrap();
        // What this machine likes best, and more than it needs.
        for padding in [lanes(), 16] {
            let fused = FusedDetector::padded(&weights(), padding).unwrap();
            let mut scratch = DetectorScratch::default();
            for (side, rgb) in [
                (INPUT_SIDE, noise(INPUT_SIDE, 1)),
                (CLOSE_UP_SIDE, noise(CLOSE_UP_SIDE, 4)),
                (INPUT_SIDE, astronaut()),
                (INPUT_SIDE, vec![0; INPUT_SIDE * INPUT_SIDE * 3]),
                (INPUT_SIDE, noise(INPUT_SIDE, 2)),
            ] {
                let input = TensorData::new(planes(&rgb), [1, 3, side, side]);
                let (regressors, logits) = reference.forward(Tensor::from_data(input, &device));
                let vec = |data: TensorData| data.try_into_vec::<f32>().unwrap();
                let found = run(&fused, &rgb, &mut scratch);
                let (found_regressors, found_logits) = found.split_at(anchors(side) * VALUES);
                let differences = [
                    difference(found_regressors, &vec(regressors.into_data())),
                    difference(found_logits, &vec(logits.into_data())),
                ];
                println!("off by {differences:?}");
                assert!(differences.iter().all(|d| *d < 1e-4), "{differences:?}");
            }
        }
    }

    #[test]
    fn scratch_can_be_used_again() {
        let fused = FusedDetector::from_weights(&weights()).unwrap();
        let mut scratch = DetectorScratch::default();
        let first = run(&fused, &astronaut(), &mut scratch);
        let addresses = |s: &DetectorScratch| {
            [&s.rows, &s.maps[0], &s.maps[1], &s.logits].map(|v| (v.as_ptr(), v.capacity()))
        };
        let before = addresses(&scratch);
        run(&fused, &noise(INPUT_SIDE, 3), &mut scratch);
        run(&fused, &noise(CLOSE_UP_SIDE, 3), &mut scratch);
        assert_eq!(run(&fused, &astronaut(), &mut scratch), first);
        assert_eq!(addresses(&scratch), before, "nothing was allocated again");
    }

    #[test]
    fn weights_of_another_network_are_refused() {
        let other = Weights { network: "d-cnn".into(), ..weights() };
        assert!(matches!(FusedDetector::from_weights(&other), Err(WeightsError::Network { .. })));
        let mut missing = weights();
        missing.tensors.remove("backbone2.4.pointwise.bias");
        assert!(matches!(FusedDetector::from_weights(&missing), Err(WeightsError::Missing(_))));
    }
}
