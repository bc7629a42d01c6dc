//! From a part of a picture to the network's input.

use super::{INPUT_SIDE, Rect};
use crate::picture::Similarity;

/// The part of a picture made small (or large) enough to fill a square of 128 pixels in one direction,
/// centred in the other: the transform from pixels of the input to pixels of the picture. What lies beside
/// the part shows where the picture has it, else black.
pub fn letterbox(part: &Rect) -> Similarity {
    let scale = part.longer() / INPUT_SIDE as f32;
    let half = scale * INPUT_SIDE as f32 / 2.0;
    let [cx, cy] = part.centre();
    Similarity::new(scale, 0.0, cx - half, cy - half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Border, Frame};

    #[test]
    fn the_aspect_stays_and_borders_are_black() {
        let rgba = vec![200; 640 * 320 * 4];
        let frame = Frame::new(640, 320, &rgba).unwrap();
        let transform = letterbox(&Rect::whole([640, 320]));
        assert_eq!(transform, Similarity { a: 5.0, b: 0.0, tx: 0.0, ty: -160.0 });
        let input = frame.sample(&transform, INPUT_SIDE, INPUT_SIDE, Border::Black);
        for (y, row) in input.chunks(INPUT_SIDE * 3).enumerate() {
            let expected = if (32..96).contains(&y) { 200 } else { 0 };
            // The frame's outermost pixels blend with the black beside them.
            assert!(row[3..row.len() - 3].iter().all(|v| v.abs_diff(expected) < 25), "row {y}: {row:?}");
        }
    }

    #[test]
    fn a_part_maps_back_to_its_place() {
        let transform = letterbox(&Rect { x: 100.0, y: 50.0, width: 256.0, height: 256.0 });
        assert_eq!(transform.apply([0.0, 0.0]), [100.0, 50.0]);
        assert_eq!(transform.apply([128.0, 64.0]), [356.0, 178.0]);
    }
}
