//! The squares that networks are shown of a picture in memory.

use web_time::Instant;

use crate::engine::region::Reduction;
use crate::engine::{Outputs, Region};
use crate::picture::{Border, Frame, SampleBuffers};

/// Cuts regions out of frames, in buffers that serve again.
#[derive(Debug, Clone, Default)]
pub struct Squares {
    /// The squares one after the other.
    rgb: Vec<u8>,
    sampler: SampleBuffers,
    copy: ReducedCopy,
}

/// A smaller copy of a frame, while it serves.
#[derive(Debug, Clone, Default)]
struct ReducedCopy {
    rgb: Vec<u8>,
    rgba: Vec<u8>,
}

impl Squares {
    /// The pixels of each region, RGB, rows from the top, one region after the other: see [`each`]. Tells
    /// `outputs` how long it took.
    pub fn cut(&mut self, frame: &Frame, regions: &[Region], outputs: &mut Outputs) -> &[u8] {
        let start = Instant::now();
        let Self { rgb, sampler, copy } = self;
        rgb.resize(regions.iter().map(Region::bytes).sum(), 0);
        let size = [frame.width(), frame.height()];
        let reduced =
            Reduction::of(size, regions).map(|reduction| (reduction, copy.make(frame, &reduction, sampler)));
        let mut rest = rgb.as_mut_slice();
        for region in regions {
            let (square, after) = rest.split_at_mut(region.bytes());
            let in_copy = reduced.as_ref().and_then(|(to, copy)| Some((to.region(region)?, copy)));
            let (Region { transform, side, border, mirrored }, frame) = in_copy.unwrap_or((*region, frame));
            frame.sample_into(&transform, [side; 2], border, sampler, square);
            if mirrored {
                mirror(square, side);
            }
            rest = after;
        }
        outputs.sampled(start.elapsed().as_secs_f64() * 1e3);
        rgb
    }
}

/// Changes left and right of a square of RGB pixels.
fn mirror(square: &mut [u8], side: usize) {
    square.as_chunks_mut::<3>().0.chunks_exact_mut(side).for_each(<[_]>::reverse);
}

impl ReducedCopy {
    fn make(&mut self, frame: &Frame, reduction: &Reduction, sampler: &mut SampleBuffers) -> Frame<'_> {
        let Self { rgb, rgba } = self;
        let [width, height] = reduction.size;
        rgb.resize(width * height * 3, 0);
        frame.sample_into(&reduction.transform(), [width, height], Border::Replicate, sampler, rgb);
        rgba.clear();
        rgba.extend(rgb.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]));
        Frame::new(width, height, rgba).expect("neither side is zero and each pixel has four bytes")
    }
}

/// Each region with its pixels.
pub fn each<'a>(regions: &'a [Region], rgb: &'a [u8]) -> impl Iterator<Item = (&'a Region, &'a [u8])> {
    regions.iter().scan(rgb, |rest, region| {
        let (square, after) = rest.split_at(region.bytes());
        *rest = after;
        Some((region, square))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Similarity;

    /// The whole picture, and four parts of it.
    fn regions(width: f32, parts: usize) -> Vec<Region> {
        let square = |share: f32, x: f32| Region {
            transform: Similarity::new(share * width / 128.0, 0.0, x, 0.0),
            side: 128,
            border: Border::Black,
            mirrored: false,
        };
        std::iter::once(square(1.0, 0.0))
            .chain((0..parts).map(|i| square(0.6, 0.1 * width * i as f32)))
            .collect()
    }

    fn cut(frame: &Frame, regions: &[Region]) -> Vec<u8> {
        Squares::default().cut(frame, regions, &mut Outputs::default()).to_vec()
    }

    #[test]
    fn many_parts_of_a_large_frame_are_cut_from_a_smaller_copy() {
        let (width, height) = (1600, 1000);
        let rgba: Vec<u8> =
            (0..width * height).flat_map(|i| [(i % width / 8 + i * 31 % 7) as u8; 4]).collect();
        let frame = Frame::new(width, height, &rgba).unwrap();
        let few = regions(width as f32, 2);
        let many = regions(width as f32, 7);
        let size = [width, height];
        assert_eq!(Reduction::of(size, &few), None);
        assert_eq!(Reduction::of(size, &many), Some(Reduction { scale: 2.5, size: [640, 400] }));
        assert_eq!(Reduction::of([640, 400], &many), None);

        let through_copy = cut(&frame, &many);
        let (mut copy, mut sampler) = (ReducedCopy::default(), SampleBuffers::default());
        let reduction = Reduction::of(size, &many).unwrap();
        let copy = copy.make(&frame, &reduction, &mut sampler);
        for (region, square) in each(&many, &through_copy) {
            let Region { transform, side, border, .. } = reduction.region(region).unwrap();
            assert_eq!(square, copy.sample(&transform, side, side, border));
        }
        // The same picture, where it does not end.
        let direct = cut(&frame, &few);
        for ((_, direct), (_, square)) in each(&few, &direct).zip(each(&many, &through_copy)) {
            let inner = 40 * 128 * 3 + 3..40 * 128 * 3 + 300;
            let (direct, square) = (&direct[inner.clone()], &square[inner]);
            assert!(direct.iter().zip(square).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
        // What is too near stays with the frame.
        let close = Region { transform: Similarity::new(2.0, 0.0, 300.0, 300.0), side: 64, ..few[0] };
        let both = [many, vec![close]].concat();
        let all = cut(&frame, &both);
        let [.., (_, last)] = each(&both, &all).collect::<Vec<_>>()[..] else { panic!("there are some") };
        assert_eq!(last, cut(&frame, &[close]));
    }

    #[test]
    fn squares_of_several_sides_lie_side_by_side() {
        let rgba: Vec<u8> = (0..40 * 30).flat_map(|i| [i as u8, 1, 2, 3]).collect();
        let frame = Frame::new(40, 30, &rgba).unwrap();
        let transform = Similarity::new(0.7, 0.2, 3.0, 4.0);
        let region = |side| Region { transform, side, border: Border::Replicate, mirrored: false };
        let regions = [region(8), region(3), region(8)];
        let mut squares = Squares::default();
        squares.cut(&frame, &[region(50)], &mut Outputs::default());
        let rgb = squares.cut(&frame, &regions, &mut Outputs::default()).to_vec();
        for (region, square) in each(&regions, &rgb) {
            let Region { transform, side, border, .. } = *region;
            assert_eq!(square, frame.sample(&transform, side, side, border));
        }
        assert_eq!(each(&regions, &rgb).count(), 3);

        let mirrored = Region { mirrored: true, ..region(8) };
        let mut image = squares.cut(&frame, &[mirrored], &mut Outputs::default()).to_vec();
        assert_ne!(image, rgb[..8 * 8 * 3]);
        for row in image.chunks_mut(8 * 3) {
            for x in 0..4 {
                for channel in 0..3 {
                    row.swap(x * 3 + channel, (7 - x) * 3 + channel);
                }
            }
        }
        assert_eq!(image, rgb[..8 * 8 * 3]);
    }
}
