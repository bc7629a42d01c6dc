//! Checkpoints of a training, damaged in whatever way.

#![no_main]

use std::cell::LazyCell;
use std::path::{Path, PathBuf};

use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use mien::train::checkpoint::{Checkpoint, CheckpointError};
use mien_fuzz::{caught, folder, let_decoders_panic};

thread_local! {
    static PATH: LazyCell<PathBuf> = LazyCell::new(|| folder("checkpoint").join("checkpoint.bin"));
    static NETWORK: LazyCell<Linear> =
        LazyCell::new(|| LinearConfig::new(3, 2).init(&Device::flex().autodiff()));
}

fuzz_target!(init: let_decoders_panic(), |bytes: &[u8]| {
    // Damage with the checksum of what it left, which nobody guesses, is left to the last quarter of the choices.
    let (choice, body) = bytes.split_first().unwrap_or((&0, &[]));
    let mut file = body.to_vec();
    if *choice >= 192 {
        file.extend(crc32fast::hash(&file).to_le_bytes());
    }
    PATH.with(|path| {
        let path: &Path = path;
        std::fs::write(path, &file).expect("a file in TMPDIR");
        match load(path) {
            Ok(checkpoint) => {
                checkpoint.save(path).expect("it can be written");
                let again = load(path).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!((&again.state, &again.average), (&checkpoint.state, &checkpoint.average));
            }
            Err(error) => assert!(matches!(error, CheckpointError::Malformed(_)), "{error}"),
        }
    });
});

/// Panics of burn's, which it catches, are not faults.
fn load(path: &Path) -> Result<Checkpoint<Linear>, CheckpointError> {
    let network = NETWORK.with(|network| (**network).clone());
    caught(|| Checkpoint::load(path, network, optimizer())).expect("an error where burn panics")
}

fn optimizer() -> ModuleOptimizer {
    AdamWConfig::new().init()
}
