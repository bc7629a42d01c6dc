//! From a frame to the network's input.

use super::tiles::LONGEST_WHOLE;
use super::{INPUT_SIDE, Region};
use crate::picture::Similarity;
use crate::source::Source;

/// The part of a frame made small (or large) enough to fill a square of 128 pixels in one direction, centred in the other: the transform
/// from pixels of the input to pixels of the frame. What lies beside the region shows where the frame has it, else black.
pub fn letterbox(region: &Region) -> Similarity {
    let scale = region.width.max(region.height) / INPUT_SIDE as f32;
    let half = scale * INPUT_SIDE as f32 / 2.0;
    let [cx, cy] = [region.x + region.width / 2.0, region.y + region.height / 2.0];
    Similarity::new(scale, 0.0, cx - half, cy - half)
}

/// A copy of a picture, [`LONGEST_WHOLE`] pixels long, to cut many inputs from, so that a photo of many megapixels is averaged down once;
/// and how many of the picture's pixels are one of the copy's. (A tile of 0.4 of that has two pixels for each of its input's.)
pub fn small_copy<S: Source>(picture: &S) -> (S::Made, f32) {
    let scale = picture.width().max(picture.height()) as f32 / LONGEST_WHOLE as f32;
    let side = |side: usize| ((side as f32 / scale).ceil() as usize).max(1);
    (picture.shrunk(scale, [side(picture.width()), side(picture.height())]), scale)
}

/// RGB bytes, pixel by pixel, to values from -1 to 1, channel by channel: a picture of 128 x 128 becomes `[3, 128, 128]`.
pub fn normalise(rgb: &[u8]) -> Vec<f32> {
    (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3).map(|v| f32::from(*v) / 127.5 - 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Border, Frame};

    fn input(frame: &Frame, view: &Similarity) -> Vec<u8> {
        frame.sample(view, INPUT_SIDE, INPUT_SIDE, Border::Black)
    }

    #[test]
    fn the_aspect_stays_and_borders_are_black() {
        let rgba = vec![200; 640 * 320 * 4];
        let frame = Frame::new(640, 320, &rgba).unwrap();
        let to_frame = letterbox(&Region::whole(&frame));
        assert_eq!(to_frame, Similarity { a: 5.0, b: 0.0, tx: 0.0, ty: -160.0 });
        for (y, row) in input(&frame, &to_frame).chunks(INPUT_SIDE * 3).enumerate() {
            let expected = if (32..96).contains(&y) { 200 } else { 0 };
            // The frame's outermost pixels blend with the black beside them.
            assert!(row[3..row.len() - 3].iter().all(|v| v.abs_diff(expected) < 25), "row {y}: {row:?}");
        }
    }

    #[test]
    fn a_region_maps_back_to_its_place() {
        let to_frame = letterbox(&Region { x: 100.0, y: 50.0, width: 256.0, height: 256.0 });
        assert_eq!(to_frame.apply([0.0, 0.0]), [100.0, 50.0]);
        assert_eq!(to_frame.apply([128.0, 64.0]), [356.0, 178.0]);
    }

    #[test]
    fn parts_of_a_large_frame_are_cut_from_a_small_copy() {
        let (width, height) = (1600, 1000);
        let rgba: Vec<u8> = (0..width * height).flat_map(|i| [(i % width / 8) as u8; 4]).collect();
        let frame = Frame::new(width, height, &rgba).unwrap();
        let (copy, scale) = small_copy(&frame);
        for region in [Region::whole(&frame), Region { x: 640.0, y: 100.0, width: 640.0, height: 640.0 }] {
            let direct = letterbox(&region);
            let view = letterbox(&region.scaled(1.0 / scale));
            let through_copy = Similarity::new(scale, 0.0, 0.0, 0.0).after(&view);
            for point in [[0.0; 2], [128.0, 30.0]] {
                let (a, b) = (direct.apply(point), through_copy.apply(point));
                assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 1e-2, "{a:?} {b:?}");
            }
            let row = 64 * INPUT_SIDE * 3..65 * INPUT_SIDE * 3;
            let (direct, through_copy) = (input(&frame, &direct), input(&copy.frame(), &view));
            let pairs = direct[row.clone()].iter().zip(&through_copy[row]);
            assert!(pairs.skip(3).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
    }

    #[test]
    fn normalised_values_are_planes() {
        assert_eq!(normalise(&[0, 255, 51, 255, 0, 204]), [-1.0, 1.0, 1.0, -1.0, -0.6, 0.6]);
        assert!(normalise(&[]).is_empty());
    }
}
