//! From the network's outputs to boxes in pixels of its input.

use super::anchors::anchors;
use super::{Detection, DetectionError, Rect};
use crate::net::blaze_face::{self, VALUES};

/// Logits are clipped to this before the sigmoid, as MediaPipe does.
const CLIP: f32 = 100.0;

/// The detections of at least `min_score` in an input of `side` x `side` pixels, in those, many for each
/// face: into `found`, whose former content goes. `numbers` are those of
/// [`Task::Detection`](crate::engine::Task::Detection).
///
/// # Errors
/// [`DetectionError`] if the outputs have another length or hold infinities or NaN.
pub fn decode(
    numbers: &[f32],
    side: usize,
    min_score: f32,
    found: &mut Vec<Detection>,
) -> Result<(), DetectionError> {
    let count = blaze_face::anchors(side);
    let expected = count * (VALUES + 1);
    if numbers.len() != expected {
        return Err(DetectionError::Length { expected, found: numbers.len() });
    }
    if !numbers.iter().all(|number| number.is_finite()) {
        return Err(DetectionError::NotFinite);
    }
    let (regressors, logits) = numbers.split_at(count * VALUES);
    found.clear();
    found.reserve(count);
    found.extend(
        anchors(side)
            .zip(logits)
            .zip(regressors.as_chunks::<VALUES>().0)
            .map(|((anchor, logit), values)| detection(anchor, sigmoid(*logit), values))
            .filter(|face| face.score >= min_score && face.bbox.width > 0.0 && face.bbox.height > 0.0),
    );
    Ok(())
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit.clamp(-CLIP, CLIP)).exp())
}

/// `values`: centre x, y relative to the anchor, width, height, then landmarks relative to the anchor.
fn detection([ax, ay]: [f32; 2], score: f32, values: &[f32; VALUES]) -> Detection {
    let [x, y, width, height] = [values[0] + ax, values[1] + ay, values[2], values[3]];
    Detection {
        bbox: Rect { x: x - width / 2.0, y: y - height / 2.0, width, height },
        score,
        landmarks: std::array::from_fn(|i| [values[4 + 2 * i] + ax, values[5 + 2 * i] + ay]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::INPUT_SIDE;

    const ANCHORS: usize = blaze_face::anchors(INPUT_SIDE);

    /// Nothing in any anchor: regressors, then logits.
    fn silent() -> Vec<f32> {
        [vec![0.0; ANCHORS * VALUES], vec![-50.0; ANCHORS]].concat()
    }

    fn logit(anchor: usize) -> usize {
        ANCHORS * VALUES + anchor
    }

    fn decode(numbers: &[f32]) -> Result<Vec<Detection>, DetectionError> {
        let mut found = Vec::new();
        super::decode(numbers, INPUT_SIDE, 0.5, &mut found).map(|()| found)
    }

    #[test]
    fn values_are_relative_to_the_anchor() {
        let mut numbers = silent();
        numbers[logit(2)] = 3f32.ln(); // the anchor at (12, 4)
        numbers[2 * VALUES..3 * VALUES].copy_from_slice(&[
            1.0, 2.0, 10.0, 8.0, -2.0, -1.0, 2.0, -1.0, 0.0, 0.0, 0.0, 2.0, -4.0, 0.0, 4.0, 0.0,
        ]);
        let faces = decode(&numbers).unwrap();
        assert_eq!(faces.len(), 1);
        assert_eq!(faces[0].bbox, Rect { x: 8.0, y: 2.0, width: 10.0, height: 8.0 });
        assert!((faces[0].score - 0.75).abs() < 1e-6);
        assert_eq!(
            faces[0].landmarks,
            [[10.0, 3.0], [14.0, 3.0], [12.0, 4.0], [12.0, 6.0], [8.0, 4.0], [16.0, 4.0]]
        );
    }

    #[test]
    fn boxes_without_extent_are_left_out() {
        let mut numbers = silent();
        numbers[logit(7)] = 9.0;
        assert_eq!(decode(&numbers), Ok(vec![]));
    }

    #[test]
    fn huge_logits_are_clipped() {
        assert_eq!(sigmoid(f32::MAX), 1.0);
        assert_eq!(sigmoid(0.0), 0.5);
        assert!(sigmoid(f32::MIN) >= 0.0 && sigmoid(f32::MIN) < 1e-30);
    }

    #[test]
    fn bad_numbers_are_refused() {
        let mut numbers = silent();
        numbers.pop();
        assert_eq!(decode(&numbers), Err(DetectionError::Length { expected: 15232, found: 15231 }));
        assert_eq!(decode(&[]), Err(DetectionError::Length { expected: 15232, found: 0 }));
        for (at, value) in [(logit(895), f32::NAN), (0, f32::INFINITY)] {
            let mut numbers = silent();
            numbers[at] = value;
            assert_eq!(decode(&numbers), Err(DetectionError::NotFinite));
        }
    }
}
