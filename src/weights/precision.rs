//! How the numbers of a tensor are stored.

use half::f16;
use safetensors::Dtype;

use super::NamedTensor;

/// How the numbers of a weight file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Precision {
    /// 32-bit floats: exact.
    Single,
    /// 16-bit floats: half the size; 11 significant bits.
    Half,
    /// 8-bit integers with a scale for each output channel where that pays (kernels of at least 1,024
    /// numbers; from 100,000 numbers on, integers of 7 bits, which gzip makes smaller), 16-bit floats for the
    /// rest: a quarter of the size.
    EightBit,
    /// The same with integers of 7 bits, and from 20,000 numbers on of 6: for files that gzip sends.
    SixBit,
}

impl Precision {
    /// The largest integer that a kernel of so many numbers is stored with; `None` where it stays floats.
    fn largest(self, numbers: usize) -> Option<f32> {
        match self {
            _ if numbers < SMALLEST => None,
            Self::Single | Self::Half => None,
            Self::EightBit => Some(if numbers < LARGE { 127.0 } else { 63.0 }),
            Self::SixBit => Some(if numbers < LARGE_OF_SIX { 63.0 } else { 31.0 }),
        }
    }
}

/// Added to a tensor's name for the one that holds its scales, `[output channels]`.
pub(super) const SCALE: &str = ":scale";

/// Tensors smaller than this stay 16-bit floats: little to save, and among them is the regression whose
/// weights are ages.
const SMALLEST: usize = 1024;

/// Kernels from this on are most of a download, and a bit less of each number is felt there.
const LARGE: usize = 100_000;

/// The same where all kernels are convolutions, and many together are most of a download.
const LARGE_OF_SIX: usize = 20_000;

/// A tensor as it lies in a file.
pub(super) struct Stored {
    pub name: String,
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Which axis of a kernel counts the output channels: the first of a convolution's, the last of a dense
/// layer's.
fn output_axis(shape: &[usize]) -> usize {
    if shape.len() == 2 { 1 } else { 0 }
}

/// For each number of a tensor in row-major order, its output channel.
fn channels(shape: &[usize]) -> impl Iterator<Item = usize> {
    let axis = output_axis(shape);
    let (count, inner): (usize, usize) = (shape[axis], shape[axis + 1..].iter().product());
    (0..shape.iter().product()).map(move |i| i / inner % count)
}

/// What is written for a tensor: itself, and its scales if it has some.
pub(super) fn encode(name: &str, tensor: &NamedTensor, precision: Precision) -> Vec<Stored> {
    let stored =
        |name: String, dtype, shape: &[usize], bytes| Stored { name, dtype, shape: shape.to_vec(), bytes };
    let values = tensor.values.iter();
    let plain = |dtype, bytes| vec![stored(name.into(), dtype, &tensor.shape, bytes)];
    let largest = if tensor.shape.len() >= 2 { precision.largest(tensor.values.len()) } else { None };
    match (precision, largest) {
        (Precision::Single, _) => plain(Dtype::F32, values.flat_map(|v| v.to_le_bytes()).collect()),
        (_, Some(largest)) => {
            let mut scales = vec![0.0f32; tensor.shape[output_axis(&tensor.shape)]];
            for (value, channel) in tensor.values.iter().zip(channels(&tensor.shape)) {
                scales[channel] = scales[channel].max(value.abs() / largest);
            }
            let quantised = values.zip(channels(&tensor.shape)).map(|(value, channel)| {
                // A channel of zeros has the scale 0; the cast makes 0 of what is then not a number.
                (value / scales[channel]).round() as i8 as u8
            });
            let bytes = quantised.collect();
            let scale_bytes = scales.iter().flat_map(|s| s.to_le_bytes()).collect();
            vec![
                stored(name.into(), Dtype::I8, &tensor.shape, bytes),
                stored(format!("{name}{SCALE}"), Dtype::F32, &[scales.len()], scale_bytes),
            ]
        }
        (_, None) => plain(Dtype::F16, values.flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
    }
}

/// The numbers of a tensor; `None` for a number type that no file of ours has, or where 8-bit numbers lack
/// their scales.
pub(super) fn decode(dtype: Dtype, shape: &[usize], bytes: &[u8], scales: Option<&[u8]>) -> Option<Vec<f32>> {
    let singles =
        |bytes: &[u8]| bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>();
    match dtype {
        Dtype::F32 => Some(singles(bytes)),
        Dtype::F16 => Some(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect()),
        Dtype::I8 if shape.len() >= 2 => {
            let scales = singles(scales?);
            if scales.len() != shape[output_axis(shape)] {
                return None;
            }
            // Else its extents are those of its numbers, and their product is no more than these.
            if bytes.is_empty() {
                return Some(Vec::new());
            }
            // In runs, because this is half a million numbers in code that browsers have not compiled well
            // yet.
            let inner: usize = shape[output_axis(shape) + 1..].iter().product();
            let mut values = Vec::with_capacity(bytes.len());
            let scaled = |byte: &u8, scale: &f32| f32::from(*byte as i8) * scale;
            if inner == 1 {
                for row in bytes.chunks(scales.len()) {
                    values.extend(row.iter().zip(&scales).map(|(byte, scale)| scaled(byte, scale)));
                }
            } else {
                for (run, scale) in bytes.chunks(inner).zip(scales.iter().cycle()) {
                    values.extend(run.iter().map(|byte| scaled(byte, scale)));
                }
            }
            Some(values)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_their_share_of_each_channel() {
        for (shape, precision, step) in [
            (vec![32, 32, 3, 3], Precision::EightBit, 127.0),
            (vec![64, 100], Precision::EightBit, 127.0),
            (vec![1000, 100], Precision::EightBit, 63.0),
            (vec![64, 100, 1, 1], Precision::SixBit, 63.0),
            (vec![200, 100, 1, 1], Precision::SixBit, 31.0),
        ] {
            let len: usize = shape.iter().product();
            // Channels of very different size, one of them all zero.
            let values: Vec<f32> = channels(&shape)
                .enumerate()
                .map(|(i, c)| (i as f32 * 0.7).sin() * c as f32 * c as f32 * 0.01)
                .collect();
            let tensor = NamedTensor { shape: shape.clone(), values };
            let stored = encode("kernel", &tensor, precision);
            assert_eq!((stored.len(), stored[0].bytes.len()), (2, len));
            assert_eq!(stored[1].name, "kernel:scale");
            let decoded = decode(stored[0].dtype, &shape, &stored[0].bytes, Some(&stored[1].bytes)).unwrap();
            for ((a, b), c) in tensor.values.iter().zip(&decoded).zip(channels(&shape)) {
                let largest = c as f32 * c as f32 * 0.01;
                assert!((a - b).abs() <= 0.5001 * largest / step + 1e-9, "channel {c}: {a} {b}");
            }
            assert!(decode(stored[0].dtype, &shape, &stored[0].bytes, None).is_none());
            assert!(decode(stored[0].dtype, &shape, &stored[0].bytes, Some(&[0; 8])).is_none());
        }
    }

    #[test]
    fn empty_tensors_are_empty() {
        for shape in [[0, 5], [5, 0]] {
            let scales = vec![0; 4 * shape[output_axis(&shape)]];
            assert_eq!(decode(Dtype::I8, &shape, &[], Some(&scales)), Some(vec![]));
        }
    }

    #[test]
    fn small_tensors_stay_floats() {
        let tensor = NamedTensor { shape: vec![100, 1], values: (0..100).map(|i| i as f32).collect() };
        let stored = encode("ages", &tensor, Precision::EightBit);
        assert_eq!((stored.len(), stored[0].dtype), (1, Dtype::F16));
        assert_eq!(decode(Dtype::F16, &[100, 1], &stored[0].bytes, None).unwrap(), tensor.values);
    }
}
