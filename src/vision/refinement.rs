//! Refinement: a second pass over each small or doubtful face, from close up.
//!
//! Where a face is small in the network's input, its landmarks are off by a large part of it, and what only
//! seems a face passes for one. So the same network sees it again in a picture of its own, of half the side:
//! for a quarter of the work.

use super::{Candidate, REFINEMENT_SIDE, Rect, iou};
use crate::picture::Similarity;

/// Side of the square around a face, in sides of its box. The face then has 40 of the input's 64 pixels.
const CONTEXT: f32 = 1.6;

/// The least overlap of what both passes found.
const SAME_FACE: f32 = 0.2;

/// The square around a face as the network's input: the transform from pixels of the input to pixels of the
/// frame. `None` for a box that has no extent.
pub fn refinement(face: &Rect) -> Option<Similarity> {
    let side = CONTEXT * face.width.max(face.height);
    if !(side > 0.0 && side.is_finite()) {
        return None;
    }
    let [cx, cy] = face.centre();
    Some(Similarity::new(side / REFINEMENT_SIDE as f32, 0.0, cx - side / 2.0, cy - side / 2.0))
}

/// Whether a refinement shows a face any larger than a view with this [`Candidate::magnification`] does.
pub fn enlarges(refinement: &Similarity, magnification: f32) -> bool {
    refinement.scale() * magnification < 1.0
}

/// Which of the faces in the refinement of `face` is that face, if any.
pub fn confirm(face: &Rect, refinement: &[Candidate]) -> Option<Candidate> {
    refinement
        .iter()
        .map(|d| (iou(&d.face.bbox, face), d))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(overlap, _)| *overlap > SAME_FACE)
        .map(|(_, d)| *d)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Detection;

    /// A face as the whole of a frame of 640 pixels shows it.
    fn at(x: f32, side: f32) -> Candidate {
        let bbox = Rect { x, y: 100.0, width: side, height: side };
        Candidate {
            face: Detection { bbox, score: 0.9, landmarks: [[x, 100.0]; 6] },
            magnification: 128.0 / 640.0,
        }
    }

    #[test]
    fn the_square_is_centred_on_the_face() {
        let refinement = |x, side| super::refinement(&at(x, side).face.bbox);
        let to_frame = refinement(100.0, 80.0).unwrap();
        assert_eq!(to_frame, Similarity::new(2.0, 0.0, 76.0, 76.0));
        assert_eq!(refinement(100.0, 0.0), None);
        assert_eq!(refinement(100.0, f32::NAN), None);
    }

    #[test]
    fn large_faces_need_none() {
        let enlarges = |side| {
            let seen = at(100.0, side);
            enlarges(&refinement(&seen.face.bbox).unwrap(), seen.magnification)
        };
        // Of 200 pixels, the whole frame's input has 40 as well.
        assert!(enlarges(199.0) && !enlarges(201.0));
    }

    #[test]
    fn the_neighbour_is_another_face() {
        let face = at(100.0, 50.0).face.bbox;
        assert_eq!(confirm(&face, &[at(160.0, 50.0), at(105.0, 50.0)]), Some(at(105.0, 50.0)));
        assert_eq!(confirm(&face, &[at(140.0, 50.0)]), None);
        assert_eq!(confirm(&face, &[]), None);
    }
}
