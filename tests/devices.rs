//! That several devices train as one does.
//!
//! A program of its own, of a single test: burn has one generator of random numbers, dropout's, for all
//! threads.

mod crops;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use burn::tensor::Device;
use mien::data::augment::Augmentation;
use mien::data::batch::Dataset;
use mien::data::crops::Crops;
use mien::data::sampler::SamplerConfig;
use mien::data::split::Part;
use mien::net::{NetworkKind, NetworkModule};
use mien::train::loss::LossConfig;
use mien::train::schedule::ScheduleKind;
use mien::train::trainer::{BEST, Length, TrainConfig, train};
use mien::weights::Weights;

/// The weights after a pass on so many devices.
fn trained(config: &TrainConfig, init: &Weights, data: &Path, devices: usize) -> Weights {
    let open = |part| Dataset::new(vec![Crops::open(data, "toy").unwrap()], part);
    let run = tempfile::tempdir().unwrap();
    let devices = vec![Device::flex(); devices];
    let (training, validation) = (open(Part::Train), open(Part::Validation));
    train(config, &training, &validation, Some(init), run.path(), &devices, |_| ControlFlow::Continue(()))
        .unwrap();
    Weights::from_bytes(&fs::read(run.path().join(BEST)).unwrap()).unwrap()
}

/// With one batch of a step to each device, the sums are taken in the same order, and two or four devices
/// scale them by a power of two. So the same comes out to the last bit, dropout and all, but for the running
/// statistics.
#[test]
fn several_devices_take_the_steps_of_one() {
    let data = tempfile::tempdir().unwrap();
    crops::write(data.path(), "toy", 40);
    for (network, batch, devices) in [(NetworkKind::DCnn, 4, 2), (NetworkKind::MCnn, 2, 4)] {
        let config = TrainConfig {
            network,
            loss: LossConfig::default(),
            balance: true,
            batch,
            accumulate: devices,
            length: Length::Epochs(1),
            rate: 3e-3,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.01,
            average: 0.9,
            sampler: SamplerConfig::default(),
            augmentation: Augmentation::default(),
            teacher_weight: 0.0,
            seed: 9,
        };
        let init = NetworkModule::new(network.network(), &Device::flex()).to_weights();
        let one = trained(&config, &init, data.path(), 1);
        let several = trained(&config, &init, data.path(), devices);
        assert_eq!(several, trained(&config, &init, data.path(), devices));
        for (name, tensor) in &one.tensors {
            assert_ne!(*tensor, init.tensors[name], "{name}");
            assert_eq!(several.tensors[name] == *tensor, !name.contains("running"), "{name}");
        }
    }
}
