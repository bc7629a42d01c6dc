//! Pictures a second in training, fused against composed of burn's operations.

use std::time::Instant;

use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Distribution, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::loss::{LossConfig, losses};
use crate::age::AgeLabel;
use crate::data::augment::Augmentation;
use crate::data::batch::targets;
use crate::data::crops::{CROP_LEN, CropRow};
use crate::data::labels::Gender;
use crate::data::split::Part;
use crate::engine::cpu::network_input;
use crate::net::{NetworkKind, NetworkModule, fused};

/// Pictures a second of training steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSpeed {
    /// Of whole steps: augmentation, forward, backward, AdamW.
    pub whole: f64,
    /// Without augmentation, as if the pictures were there already.
    pub ready: f64,
}

/// The medians of `steps` steps on random crops.
pub fn train_steps(kind: NetworkKind, batch: usize, steps: usize, fused: bool) -> StepSpeed {
    let device = Device::flex().autodiff();
    device.seed(1);
    let _guard = (!fused).then(fused::suspend);
    let mut network = NetworkModule::new(kind.network(), &device);
    let mut optimizer = AdamWConfig::new().init();
    let noise: Vec<u8> = Tensor::<1>::random([CROP_LEN], Distribution::Uniform(0.0, 255.0), &Device::flex())
        .into_data()
        .try_into_vec::<f32>()
        .expect("f32")
        .into_iter()
        .map(|v| v as u8)
        .collect();
    let row = CropRow {
        file: String::new(),
        rejected: None,
        part: Part::Train,
        age_low: 30.0,
        age_high: 30.0,
        gender: Some(Gender::Female),
        race: None,
    };
    debug_assert_eq!(row.age(), AgeLabel::Exact(30.0));
    let augmentation = Augmentation::default();
    let mut times = [Vec::new(), Vec::new()];
    for step in 0..=steps {
        let began = Instant::now();
        let mut values = vec![0.0; batch * kind.input_len()];
        values.par_chunks_exact_mut(kind.input_len()).enumerate().for_each(|(i, out)| {
            let mut rng = ChaCha8Rng::seed_from_u64((step * batch + i) as u64);
            out.copy_from_slice(&network_input(kind, &augmentation.apply(&noise, &mut rng)));
        });
        let shape = [batch, kind.crops(), kind.side(), kind.side(), 3];
        let made = Instant::now();
        let inputs = Tensor::<5>::from_data(burn::tensor::TensorData::new(values, shape), &device);
        let targets = targets(std::iter::repeat_n(&row, batch), 3.0, &device);
        let loss = losses(&LossConfig::default(), network.forward(inputs), &targets, None).total;
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(1e-3, network, grads);
        // The first step also pays for fresh memory.
        if step > 0 {
            for (times, start) in times.iter_mut().zip([began, made]) {
                times.push(start.elapsed().as_secs_f64());
            }
        }
    }
    let [whole, ready] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        batch as f64 / times[times.len() / 2]
    });
    StepSpeed { whole, ready }
}

/// Highest resident memory of this process so far, in bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
