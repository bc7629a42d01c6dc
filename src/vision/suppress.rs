//! One detection for each face: weighted non-maximum suppression.
//!
//! Many anchors see the same face. BlazeFace (section 4 of the paper) replaces the usual choice of the best
//! box by the mean of all boxes that overlap it, weighted with their scores, which jitters less from frame to
//! frame.

use super::{Candidate, Detection, Rect};

/// Intersection over union of two boxes, from 0 (apart) to 1 (the same). 0 if neither has an area.
pub fn iou(a: &Rect, b: &Rect) -> f32 {
    let shared = a.intersection(b);
    let union = a.area() + b.area() - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Takes the face with the best score, replaces its box and landmarks by the mean of those of all faces that
/// overlap it with an [`iou`] above `threshold` (itself among them), keeps its score, and goes on with the
/// rest. Leaves `found` empty, and in `kept` one for each face, sorted by falling score, with the greatest
/// magnification of those it was made of.
///
/// The mean is weighted with the score times the square of the magnification (the error of a box is a part of
/// the network's input).
pub fn weighted(found: &mut Vec<Candidate>, threshold: f32, kept: &mut Vec<Candidate>) {
    // Not the stable sort, which allocates.
    found.sort_unstable_by(|a, b| b.face.score.total_cmp(&a.face.score));
    kept.clear();
    while let Some(&best) = found.first() {
        let mut group = WeightedMean::default();
        found.retain(|candidate| {
            // The best one belongs to its own group even if it has no area or the threshold is 1.
            let belongs = group.count == 0 || iou(&candidate.face.bbox, &best.face.bbox) > threshold;
            if belongs {
                group.add(candidate);
            }
            !belongs
        });
        kept.push(group.of(&best));
    }
}

/// The weighted mean of a group.
#[derive(Default)]
struct WeightedMean {
    count: usize,
    total: f32,
    /// Box and landmarks, each times its weight.
    sums: [f32; 16],
    magnification: f32,
}

impl WeightedMean {
    fn add(&mut self, Candidate { face, magnification }: &Candidate) {
        let weight = face.score * magnification.powi(2);
        self.count += 1;
        self.total += weight;
        self.magnification = self.magnification.max(*magnification);
        let bbox = [face.bbox.x, face.bbox.y, face.bbox.width, face.bbox.height];
        for (sum, value) in self.sums.iter_mut().zip(bbox.iter().chain(face.landmarks.as_flattened())) {
            *sum += value * weight;
        }
    }

    /// Of the group whose best is `best`.
    fn of(&self, best: &Candidate) -> Candidate {
        if self.count == 1 || !(self.total > 0.0 && self.total.is_finite()) {
            return *best;
        }
        let mean = self.sums.map(|sum| sum / self.total);
        let [x, y, width, height, ..] = mean;
        let face = Detection {
            bbox: Rect { x, y, width, height },
            score: best.face.score,
            landmarks: std::array::from_fn(|i| [mean[4 + 2 * i], mean[5 + 2 * i]]),
        };
        Candidate { face, magnification: self.magnification }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f32, y: f32, side: f32, score: f32) -> Detection {
        let bbox = Rect { x, y, width: side, height: side };
        Detection { bbox, score, landmarks: [[x + side / 2.0, y + side / 2.0]; 6] }
    }

    /// Of faces and the magnifications they were seen with.
    fn weighted(found: &[(Detection, f32)], threshold: f32) -> Vec<Candidate> {
        let candidate = |&(face, magnification): &(Detection, f32)| Candidate { face, magnification };
        let mut found: Vec<_> = found.iter().map(candidate).collect();
        let mut kept = vec![Candidate { face: at(1.0, 2.0, 3.0, 0.4), magnification: 1.0 }];
        super::weighted(&mut found, threshold, &mut kept);
        assert!(found.is_empty());
        kept
    }

    #[test]
    fn intersection_over_union() {
        let a = at(0.0, 0.0, 10.0, 1.0).bbox;
        assert_eq!(iou(&a, &a), 1.0);
        assert_eq!(iou(&a, &at(10.0, 0.0, 10.0, 1.0).bbox), 0.0);
        assert_eq!(iou(&a, &at(30.0, 0.0, 10.0, 1.0).bbox), 0.0);
        // 5 x 10 shared of 150.
        assert!((iou(&a, &at(5.0, 0.0, 10.0, 1.0).bbox) - 1.0 / 3.0).abs() < 1e-6);
        // The smaller one inside: 25 of 100.
        assert!((iou(&a, &at(2.0, 2.0, 5.0, 1.0).bbox) - 0.25).abs() < 1e-6);
        let nothing = Rect { x: 1.0, y: 1.0, width: 0.0, height: 0.0 };
        assert_eq!(iou(&nothing, &nothing), 0.0);
    }

    #[test]
    fn overlapping_detections_become_their_weighted_mean() {
        let found = [at(2.0, 0.0, 10.0, 0.6), at(0.0, 0.0, 10.0, 0.9), at(50.0, 50.0, 20.0, 0.7)];
        let kept = weighted(&found.map(|face| (face, 1.0)), 0.3);
        assert_eq!(kept.len(), 2);
        // (0 * 0.9 + 2 * 0.6) / 1.5 = 0.8; the score is the best one's.
        assert!((kept[0].face.bbox.x - 0.8).abs() < 1e-6);
        assert!((kept[0].face.landmarks[3][0] - 5.8).abs() < 1e-6);
        let face = &kept[0].face;
        assert_eq!((face.bbox.y, face.bbox.width, face.score), (0.0, 10.0, 0.9));
        assert_eq!(kept[1].face, at(50.0, 50.0, 20.0, 0.7));
    }

    #[test]
    fn larger_views_count_more() {
        let kept = weighted(&[(at(0.0, 0.0, 10.0, 0.8), 1.0), (at(2.0, 0.0, 10.0, 0.8), 2.0)], 0.3);
        // (0 * 1 + 2 * 4) / 5.
        assert!((kept[0].face.bbox.x - 1.6).abs() < 1e-6);
        assert_eq!(kept[0].magnification, 2.0);
    }

    #[test]
    fn little_overlap_leaves_two_faces() {
        // 4 x 10 shared of 160: 0.25.
        let found = [(at(0.0, 0.0, 10.0, 0.9), 1.0), (at(6.0, 0.0, 10.0, 0.8), 1.0)];
        assert_eq!(weighted(&found, 0.3).len(), 2);
        assert_eq!(weighted(&found, 0.2).len(), 1);
        assert!(weighted(&[], 0.3).is_empty());
        // Not even a threshold that nothing passes loops for ever.
        assert_eq!(weighted(&[(at(0.0, 0.0, 0.0, 0.9), 1.0); 3], 1.0).len(), 3);
    }
}
