//! The networks' inputs, made of the aligned crop: M-CNN's three 64x64 pictures are cut out of it.

use crate::model::NetworkKind;
use crate::picture::{Border, Frame, Sampler, Similarity};

/// Side of the aligned crop in pixels.
const SIDE: usize = 160;

/// Where the tip of the nose then lies.
const NOSE: [f32; 2] = [80.0, 84.0];

/// Sides of M-CNN's crops, concentric on the nose, in pixels of the aligned crop: the face with context, the face box,
/// the inner face from eyes to mouth.
pub const SCALES: [f32; 3] = [152.0, 112.0, 72.0];

/// The transforms from pixels of M-CNN's pictures, `side` x `side` each, to pixels of the aligned crop.
pub fn scales(side: usize) -> [Similarity; 3] {
    SCALES.map(|extent| {
        let [left, top] = NOSE.map(|centre| centre - extent / 2.0);
        Similarity::new(extent / side as f32, 0.0, left, top)
    })
}

/// The input of a network, made of the aligned crop: `crops x side x side x 3` floats in -1..1 (see [`NetworkKind`]).
///
/// # Panics
/// If `crop` is not [`SIDE`] x [`SIDE`] RGB.
pub fn network_input(kind: NetworkKind, crop: &[u8]) -> Vec<f32> {
    InputMaker::default().run(kind, crop).to_vec()
}

/// Makes the inputs of a network, one after the other in the same buffers.
#[derive(Debug, Clone, Default)]
pub struct InputMaker {
    input: Vec<f32>,
    rgba: Vec<u8>,
    part: Vec<u8>,
    sampler: Sampler,
}

impl InputMaker {
    /// [`network_input`], which allocates nothing from the second one on.
    ///
    /// # Panics
    /// If `crop` is not [`SIDE`] x [`SIDE`] RGB.
    pub fn run(&mut self, kind: NetworkKind, crop: &[u8]) -> &[f32] {
        assert_eq!(crop.len(), SIDE * SIDE * 3);
        let Self { input, rgba, part, sampler } = self;
        input.clear();
        match kind {
            NetworkKind::Base | NetworkKind::DCnn => input.extend(normalised(crop)),
            NetworkKind::MCnn => {
                rgba.clear();
                rgba.extend(crop.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]));
                let frame = Frame::new(SIDE, SIDE, rgba).expect("sizes match");
                let side = kind.side();
                for transform in scales(side) {
                    part.resize(side * side * 3, 0);
                    frame.sample_into(&transform, [side; 2], Border::Replicate, sampler, part);
                    input.extend(normalised(part));
                }
            }
        }
        input
    }
}

fn normalised(rgb: &[u8]) -> impl Iterator<Item = f32> {
    rgb.iter().map(|v| f32::from(*v) / 127.5 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_inputs() {
        let crop: Vec<u8> = (0..SIDE * SIDE * 3).map(|i| (i % 256) as u8).collect();
        let input = network_input(NetworkKind::DCnn, &crop);
        assert_eq!(input.len(), NetworkKind::DCnn.input_len());
        assert!(input[0] == -1.0 && input[255] == 1.0);
        let input = network_input(NetworkKind::MCnn, &[255; SIDE * SIDE * 3]);
        assert_eq!(input.len(), NetworkKind::MCnn.input_len());
        assert!(input.iter().all(|v| *v == 1.0));
    }
}
