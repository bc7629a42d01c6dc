//! The networks' inputs, made of the aligned crop: what is not all of it, like M-CNN's three 64x64 pictures,
//! is cut out of it.

use crate::net::NetworkKind;
use crate::picture::{Border, Frame, SampleBuffers};

/// Side of the aligned crop in pixels.
pub(in crate::engine) const SIDE: usize = 160;

/// The input of a network, made of the aligned crop: `crops x side x side x 3` floats in -1..1 (see
/// [`Input`](crate::net::Input)).
///
/// # Panics
/// If `crop` is not `SIDE` x `SIDE` RGB.
pub fn network_input(kind: NetworkKind, crop: &[u8]) -> Vec<f32> {
    let mut maker = InputMaker::default();
    maker.run(kind, crop).iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect()
}

/// Makes the squares that a network is shown, one face's after the other in the same buffers.
#[derive(Debug, Clone, Default)]
pub struct InputMaker {
    squares: Vec<u8>,
    rgba: Vec<u8>,
    part: Vec<u8>,
    sampler: SampleBuffers,
}

impl InputMaker {
    /// From the aligned crop: `crops x side x side` RGB. Allocates nothing from the second one on.
    ///
    /// # Panics
    /// If `crop` is not `SIDE` x `SIDE` RGB.
    pub fn run<'a>(&'a mut self, kind: NetworkKind, crop: &'a [u8]) -> &'a [u8] {
        assert_eq!(crop.len(), SIDE * SIDE * 3);
        let input = &kind.network().input;
        if input.is_whole(SIDE) {
            return crop;
        }
        let Self { squares, rgba, part, sampler } = self;
        rgba.clear();
        rgba.extend(crop.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]));
        let frame = Frame::new(SIDE, SIDE, rgba).expect("sizes match");
        squares.clear();
        part.resize(input.side * input.side * 3, 0);
        for transform in input.transforms() {
            frame.sample_into(&transform, [input.side; 2], Border::Replicate, sampler, part);
            squares.extend_from_slice(part);
        }
        squares
    }
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
