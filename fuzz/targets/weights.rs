//! Weight files: to tensors or to an error, and back to files in every precision.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use mien::age::{RANGE_STEPS, RangeMass};
use mien::engine::cpu::{DetectionNetwork, EstimationNetwork};
use mien::weights::{NamedTensor, Precision, Weights};
use safetensors::SafeTensors;

const PRECISIONS: [Precision; 4] =
    [Precision::Single, Precision::Half, Precision::EightBit, Precision::SixBit];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mended = with_its_checksum(bytes);
    let Ok(weights) = Weights::from_bytes(mended.as_deref().unwrap_or(bytes)) else { return Corpus::Keep };
    let numbers = |weights: &Weights| weights.tensors.values().map(|it| it.values.len()).sum::<usize>();
    assert!(numbers(&weights) <= bytes.len(), "no number without a byte of its own");
    for tensor in weights.tensors.values() {
        assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        assert!(tensor.values.iter().all(|value| value.is_finite()));
    }
    // They are no network's, or not whole.
    let _ = (DetectionNetwork::new(&weights).is_ok(), EstimationNetwork::new(&weights).is_ok());
    if let Some(text) = weights.metadata.get("range_mass")
        && let Ok(mass) = text.parse::<RangeMass>()
    {
        let again: RangeMass = mass.to_string().parse().expect("what it writes it reads");
        let is_near = |step: usize| (mass.at(step as f32 * 10.0) - again.at(step as f32 * 10.0)).abs() < 1e-4;
        assert!((0..RANGE_STEPS).all(is_near), "{mass} {again}");
    }
    for precision in PRECISIONS {
        let file = weights.to_bytes(precision).expect("its tensors are whole");
        assert_eq!(weights.to_bytes(precision).expect("the same"), file);
        let largest =
            weights.tensors.values().flat_map(|it| &it.values).fold(0.0, |a: f32, b| a.max(b.abs()));
        // Those with fewer bits have no such numbers.
        if precision != Precision::Single && largest > 6e4 {
            continue;
        }
        let again = Weights::from_bytes(&file).unwrap_or_else(|error| panic!("{precision:?}: {error}"));
        assert_eq!((&again.network, &again.metadata), (&weights.network, &weights.metadata));
        assert!(again.tensors.keys().eq(weights.tensors.keys()));
        for (name, tensor) in &weights.tensors {
            is_near(precision, tensor, &again.tensors[name]);
        }
    }
    Corpus::Keep
});

/// As near as the precision has numbers.
fn is_near(precision: Precision, tensor: &NamedTensor, again: &NamedTensor) {
    assert_eq!(tensor.shape, again.shape);
    let largest = tensor.values.iter().fold(0.0, |a: f32, b| a.max(b.abs()));
    for (a, b) in tensor.values.iter().zip(&again.values) {
        let off = match precision {
            Precision::Single => 0.0,
            // Or 8 and 6 bits, where a tensor is large.
            _ if tensor.values.len() >= 1024 => largest / 60.0,
            _ => a.abs() / 2048.0,
        };
        assert!((a - b).abs() <= off + 1e-7, "{precision:?}: {a} {b}");
    }
}

/// The file with the checksum that it should have, if it has one. Nobody guesses it.
fn with_its_checksum(bytes: &[u8]) -> Option<Vec<u8>> {
    const KEY: &[u8] = b"\"crc32\":\"";
    let file = SafeTensors::deserialize(bytes).ok()?;
    let mut tensors: Vec<_> = file.iter().collect();
    tensors.sort_unstable_by_key(|(name, _)| *name);
    let mut hasher = crc32fast::Hasher::new();
    for (name, view) in tensors {
        hasher.update(name.as_bytes());
        hasher.update(view.data());
    }
    let at = bytes.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let mut mended = bytes.to_vec();
    mended.get_mut(at..at + 8)?.copy_from_slice(format!("{:08x}", hasher.finalize()).as_bytes());
    Some(mended)
}
