//! From a frame to the network's input.

use super::tiles::LONGEST_WHOLE;
use super::{INPUT_SIDE, Region};
use crate::frame::{Border, Frame, Similarity};

/// The network's input, and the way back.
#[derive(Debug, Clone, PartialEq)]
pub struct Letterbox {
    /// 128 x 128 pixels, RGB, rows from the top.
    pub input: Vec<u8>,
    /// From pixels of the input to pixels of the frame.
    pub to_frame: Similarity,
}

/// The whole frame, made small (or large) enough to fill a square of 128 pixels in one direction, centred in the other
/// between black borders.
pub fn letterbox(frame: &Frame) -> Letterbox {
    letterbox_region(frame, &Region::whole(frame))
}

/// The same of a part of the frame. What lies beside the region shows instead of a border where the frame has it.
fn letterbox_region(frame: &Frame, region: &Region) -> Letterbox {
    let scale = region.width.max(region.height) / INPUT_SIDE as f32;
    let half = scale * INPUT_SIDE as f32 / 2.0;
    let [cx, cy] = [region.x + region.width / 2.0, region.y + region.height / 2.0];
    let to_frame = Similarity::new(scale, 0.0, cx - half, cy - half);
    Letterbox { input: frame.sample(&to_frame, INPUT_SIDE, INPUT_SIDE, Border::Black), to_frame }
}

/// The inputs for parts of a frame. Two or more are cut from one copy of the frame, [`LONGEST_WHOLE`] pixels long, so
/// that a photo of many megapixels is averaged down once. (A tile of 0.4 of that has two pixels for each of its input's.)
pub fn letterboxes(frame: &Frame, regions: &[Region]) -> Vec<Letterbox> {
    let scale = frame.width().max(frame.height()) as f32 / LONGEST_WHOLE as f32;
    if regions.len() < 2 || scale <= 1.0 {
        return regions.iter().map(|region| letterbox_region(frame, region)).collect();
    }
    let to_frame = Similarity::new(scale, 0.0, 0.0, 0.0);
    let side = |side: usize| ((side as f32 / scale).ceil() as usize).max(1);
    let (width, height) = (side(frame.width()), side(frame.height()));
    let rgb = frame.sample(&to_frame, width, height, Border::Replicate);
    let rgba: Vec<u8> = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    let small = Frame::new(width, height, &rgba).expect("neither side is zero and each pixel has four bytes");
    regions
        .iter()
        .map(|region| {
            let letterbox = letterbox_region(&small, &region.scaled(1.0 / scale));
            Letterbox { to_frame: to_frame.after(&letterbox.to_frame), ..letterbox }
        })
        .collect()
}

/// RGB bytes, pixel by pixel, to values from -1 to 1, channel by channel: a picture of 128 x 128 becomes `[3, 128, 128]`.
pub fn normalise(rgb: &[u8]) -> Vec<f32> {
    (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3).map(|v| f32::from(*v) / 127.5 - 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aspect_stays_and_borders_are_black() {
        let rgba = vec![200; 640 * 320 * 4];
        let frame = Frame::new(640, 320, &rgba).unwrap();
        let Letterbox { input, to_frame } = letterbox(&frame);
        assert_eq!(to_frame, Similarity { a: 5.0, b: 0.0, tx: 0.0, ty: -160.0 });
        for (y, row) in input.chunks(INPUT_SIDE * 3).enumerate() {
            let expected = if (32..96).contains(&y) { 200 } else { 0 };
            // The frame's outermost pixels blend with the black beside them.
            assert!(row[3..row.len() - 3].iter().all(|v| v.abs_diff(expected) < 25), "row {y}: {row:?}");
        }
    }

    #[test]
    fn a_region_maps_back_to_its_place() {
        let rgba = vec![0; 400 * 300 * 4];
        let frame = Frame::new(400, 300, &rgba).unwrap();
        let region = Region { x: 100.0, y: 50.0, width: 256.0, height: 256.0 };
        let to_frame = letterbox_region(&frame, &region).to_frame;
        assert_eq!(to_frame.apply([0.0, 0.0]), [100.0, 50.0]);
        assert_eq!(to_frame.apply([128.0, 64.0]), [356.0, 178.0]);
    }

    #[test]
    fn parts_of_a_large_frame_are_cut_from_a_small_copy() {
        let (width, height) = (1600, 1000);
        let rgba: Vec<u8> = (0..width * height).flat_map(|i| [(i % width / 8) as u8; 4]).collect();
        let frame = Frame::new(width, height, &rgba).unwrap();
        let regions = [Region::whole(&frame), Region { x: 640.0, y: 100.0, width: 640.0, height: 640.0 }];
        for (region, through_copy) in regions.iter().zip(letterboxes(&frame, &regions)) {
            let direct = letterbox_region(&frame, region);
            for (a, b) in [([0.0; 2], [0.0; 2]), ([128.0, 30.0], [128.0, 30.0])] {
                let (a, b) = (direct.to_frame.apply(a), through_copy.to_frame.apply(b));
                assert!((a[0] - b[0]).hypot(a[1] - b[1]) < 1e-2, "{a:?} {b:?}");
            }
            let row = 64 * INPUT_SIDE * 3..65 * INPUT_SIDE * 3;
            let pairs = direct.input[row.clone()].iter().zip(&through_copy.input[row]);
            assert!(pairs.skip(3).all(|(a, b)| a.abs_diff(*b) <= 2));
        }
    }

    #[test]
    fn normalised_values_are_planes() {
        assert_eq!(normalise(&[0, 255, 51, 255, 0, 204]), [-1.0, 1.0, 1.0, -1.0, -0.6, 0.6]);
        assert!(normalise(&[]).is_empty());
    }
}
