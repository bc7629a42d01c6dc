//! From the network's outputs to boxes in pixels of its input.

use super::anchors::anchors;
use super::{BoundingBox, Detection, FaceError, RawDetections};
use crate::face::architecture::{self, VALUES};

/// Logits are clipped to this before the sigmoid, as MediaPipe does.
const CLIP: f32 = 100.0;

/// The detections of at least `min_score` in an input of `side` x `side` pixels, in those, many for each face: into `found`, whose
/// former content goes.
///
/// # Errors
/// [`FaceError`] if the outputs have another length or hold infinities or NaN.
pub fn decode(
    raw: &RawDetections,
    side: usize,
    min_score: f32,
    found: &mut Vec<Detection>,
) -> Result<(), FaceError> {
    let RawDetections { regressors, logits } = raw;
    let count = architecture::anchors(side);
    for (output, expected, values) in [("regressors", count * VALUES, regressors), ("logits", count, logits)]
    {
        if values.len() != expected {
            return Err(FaceError::Length { output, expected, found: values.len() });
        }
        if !values.iter().all(|v| v.is_finite()) {
            return Err(FaceError::NotFinite { output });
        }
    }
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
        bbox: BoundingBox { x: x - width / 2.0, y: y - height / 2.0, width, height },
        score,
        landmarks: std::array::from_fn(|i| [values[4 + 2 * i] + ax, values[5 + 2 * i] + ay]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::INPUT_SIDE;

    const ANCHORS: usize = architecture::anchors(INPUT_SIDE);

    fn silent() -> RawDetections {
        RawDetections { regressors: vec![0.0; ANCHORS * VALUES], logits: vec![-50.0; ANCHORS] }
    }

    fn decode(raw: &RawDetections) -> Result<Vec<Detection>, FaceError> {
        let mut found = Vec::new();
        super::decode(raw, INPUT_SIDE, 0.5, &mut found).map(|()| found)
    }

    #[test]
    fn values_are_relative_to_the_anchor() {
        let mut raw = silent();
        raw.logits[2] = 3f32.ln(); // the anchor at (12, 4)
        raw.regressors[2 * VALUES..3 * VALUES].copy_from_slice(&[
            1.0, 2.0, 10.0, 8.0, -2.0, -1.0, 2.0, -1.0, 0.0, 0.0, 0.0, 2.0, -4.0, 0.0, 4.0, 0.0,
        ]);
        let faces = decode(&raw).unwrap();
        assert_eq!(faces.len(), 1);
        assert_eq!(faces[0].bbox, BoundingBox { x: 8.0, y: 2.0, width: 10.0, height: 8.0 });
        assert!((faces[0].score - 0.75).abs() < 1e-6);
        assert_eq!(
            faces[0].landmarks,
            [[10.0, 3.0], [14.0, 3.0], [12.0, 4.0], [12.0, 6.0], [8.0, 4.0], [16.0, 4.0]]
        );
    }

    #[test]
    fn boxes_without_extent_are_left_out() {
        let mut raw = silent();
        raw.logits[7] = 9.0;
        assert_eq!(decode(&raw), Ok(vec![]));
    }

    #[test]
    fn huge_logits_are_clipped() {
        assert_eq!(sigmoid(f32::MAX), 1.0);
        assert_eq!(sigmoid(0.0), 0.5);
        assert!(sigmoid(f32::MIN) >= 0.0 && sigmoid(f32::MIN) < 1e-30);
    }

    #[test]
    fn bad_outputs_are_refused() {
        let mut raw = silent();
        raw.regressors.pop();
        let error = decode(&raw).unwrap_err();
        assert_eq!(error, FaceError::Length { output: "regressors", expected: 14336, found: 14335 });
        let error = decode(&RawDetections { logits: vec![], ..silent() }).unwrap_err();
        assert_eq!(error, FaceError::Length { output: "logits", expected: 896, found: 0 });
        let mut raw = silent();
        raw.logits[895] = f32::NAN;
        assert_eq!(decode(&raw), Err(FaceError::NotFinite { output: "logits" }));
        raw.regressors[0] = f32::INFINITY;
        assert_eq!(decode(&raw), Err(FaceError::NotFinite { output: "regressors" }));
    }
}
