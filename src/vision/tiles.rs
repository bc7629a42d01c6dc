//! Small faces in large pictures.
//!
//! At 128x128 pixels BlazeFace sees a face of a tenth of the picture as 13 pixels, and not much smaller ones at all. So the network
//! looks at overlapping squares of the frame, too: in a photo at all of them, in a video at one after the other. [`whole_in`] and
//! [`merge`] make one list of what it found.

use super::{BoundingBox, DetectorOptions, Sighting, suppress};
use crate::source::Source;

/// Photos up to this many pixels long are looked at once.
pub const LONGEST_WHOLE: usize = 640;

/// Side of the tiles of each level, and how much neighbours share, as parts of the frame's long side. A face smaller than
/// what is shared is whole in one tile at least.
const LEVELS: [(f32, f32); 2] = [(0.6, 0.2), (0.4, 0.1)];

/// A detection with more of its area than this inside another one is a part of that face.
const CONTAINED: f32 = 0.6;

/// A part of a frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Region {
    /// All of a frame.
    pub fn whole(frame: &impl Source) -> Self {
        Self { x: 0.0, y: 0.0, width: frame.width() as f32, height: frame.height() as f32 }
    }

    /// The same part of a frame of another size.
    pub(super) fn scaled(&self, by: f32) -> Self {
        Self { x: self.x * by, y: self.y * by, width: self.width * by, height: self.height * by }
    }

    /// Whether an edge of this region that is not the frame's goes through the box: the face is cut there, and
    /// another region shows it whole.
    fn cuts(&self, bbox: &BoundingBox, frame: &impl Source) -> bool {
        // Half a pixel covers the rounding of edges at the frame's.
        let inner = |edge: f32, end: f32| edge > 0.5 && edge < end - 0.5;
        let (width, height) = (frame.width() as f32, frame.height() as f32);
        (inner(self.x, width) && bbox.x < self.x)
            || (inner(self.y, height) && bbox.y < self.y)
            || (inner(self.x + self.width, width) && bbox.x + bbox.width > self.x + self.width)
            || (inner(self.y + self.height, height) && bbox.y + bbox.height > self.y + self.height)
    }
}

/// The squares to look at beside the whole frame: up to 2 x 2 of 0.6 and up to 3 x 3 of 0.4 of its long side (fewer across a short side; cut
/// off where the frame ends).
pub fn tiles(frame: &impl Source) -> impl Iterator<Item = Region> + Clone {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let long = width.max(height);
    LEVELS.into_iter().flat_map(move |(side, shared)| {
        let spans = move |length| spans(length, side * long, shared * long);
        spans(height)
            .flat_map(move |(y, height)| spans(width).map(move |(x, width)| Region { x, y, width, height }))
    })
}

/// Start and length of the fewest spans of `side` that cover `length` and share at least `shared`, evenly spread.
fn spans(length: f32, side: f32, shared: f32) -> impl Iterator<Item = (f32, f32)> + Clone {
    // A thousandth less, so that rounding does not add a span where they fit exactly.
    let count = ((length - shared) / (side - shared) - 1e-3).ceil().max(1.0) as usize;
    let step = if count > 1 { (length - side) / (count - 1) as f32 } else { 0.0 };
    (0..count).map(move |i| (i as f32 * step, side.min(length)))
}

/// Whether a region of a frame shows a box as a whole, as far as the frame does; else the face is left to the other regions.
pub fn whole_in(region: &Region, bbox: &BoundingBox, frame: &impl Source) -> bool {
    !region.cuts(bbox, frame)
}

/// One list of the faces that several views of a frame show, sorted by falling score: into `faces`, whose former content goes. `candidates`
/// are used up.
///
/// They are merged by the same weighted suppression as inside a view. Then, of two of which one lies for the most part inside the other (half
/// a face, found as a face in a tile) the better one stays.
pub fn merge(candidates: &mut Vec<Sighting>, options: &DetectorOptions, faces: &mut Vec<Sighting>) {
    suppress::weighted(candidates, options.max_iou, faces);
    let mut kept = 0;
    for i in 0..faces.len() {
        let bbox = faces[i].face.bbox;
        let part = |other: &Sighting| {
            let other = &other.face.bbox;
            bbox.intersection(other) > CONTAINED * bbox.area().min(other.area())
        };
        if !faces[..kept].iter().any(part) {
            faces.swap(kept, i);
            kept += 1;
        }
    }
    faces.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Frame;
    use crate::vision::Detection;

    fn black(width: usize, height: usize) -> Vec<u8> {
        vec![0; width * height * 4]
    }

    fn at(x: f32, y: f32, side: f32, score: f32) -> Detection {
        let bbox = BoundingBox { x, y, width: side, height: side };
        Detection { bbox, score, landmarks: [[x, y]; 6] }
    }

    fn merge(frame: &Frame, found: &[(Region, Vec<Detection>)]) -> Vec<Detection> {
        let mut candidates = Vec::new();
        for (region, detections) in found {
            let whole = detections.iter().filter(|face| whole_in(region, &face.bbox, frame));
            let magnification = 128.0 / region.width;
            candidates.extend(whole.map(|face| Sighting { face: *face, magnification }));
        }
        let mut faces = Vec::new();
        super::merge(&mut candidates, &DetectorOptions::default(), &mut faces);
        faces.iter().map(|sighting| sighting.face).collect()
    }

    #[test]
    fn tiles_cover_large_frames_and_are_few() {
        for (width, height, count) in
            [(1, 1, 13), (641, 641, 13), (1000, 750, 13), (1600, 900, 8), (450, 800, 8), (5000, 1, 5)]
        {
            let rgba = black(width, height);
            let frame = Frame::new(width, height, &rgba).unwrap();
            let tiles: Vec<_> = tiles(&frame).collect();
            assert_eq!(tiles.len(), count, "{width}x{height}: {tiles:?}");
            // Each face of 5 % is whole in one of the small tiles.
            let long = width.max(height) as f32;
            let side = 0.05 * long;
            let small: Vec<_> = tiles.iter().filter(|t| t.width.max(t.height) < 0.5 * long).collect();
            for i in 0..40 {
                let part = i as f32 / 39.0;
                for (x, y) in [(part, 0.3), (0.7, part)] {
                    let x = x * (width as f32 - side).max(0.0);
                    let y = y * (height as f32 - side).max(0.0);
                    let (right, bottom) = ((x + side).min(width as f32), (y + side).min(height as f32));
                    assert!(small.iter().any(|t| t.x <= x + 0.01
                        && t.y <= y + 0.01
                        && t.x + t.width >= right - 0.01
                        && t.y + t.height >= bottom - 0.01));
                }
            }
        }
    }

    #[test]
    fn cut_and_contained_faces_go() {
        let rgba = black(1000, 1000);
        let frame = Frame::new(1000, 1000, &rgba).unwrap();
        let left = Region { x: 0.0, y: 0.0, width: 600.0, height: 600.0 };
        let right = Region { x: 400.0, ..left };
        let found = vec![
            (Region::whole(&frame), vec![at(100.0, 100.0, 200.0, 0.9)]),
            // Over the frame's edge, which cuts nothing that another region shows; over the tile's edge; inside of the face above.
            (
                left,
                vec![at(-5.0, 500.0, 50.0, 0.8), at(560.0, 300.0, 60.0, 0.8), at(150.0, 150.0, 80.0, 0.7)],
            ),
            (right, vec![at(550.0, 300.0, 70.0, 0.6), at(390.0, 20.0, 60.0, 0.95)]),
        ];
        let kept = merge(&frame, &found);
        let places: Vec<_> = kept.iter().map(|d| (d.bbox.x, d.bbox.y)).collect();
        assert_eq!(places, [(100.0, 100.0), (-5.0, 500.0), (550.0, 300.0)]);
    }

    #[test]
    fn the_region_that_shows_a_face_larger_counts_more() {
        let rgba = black(1000, 1000);
        let frame = Frame::new(1000, 1000, &rgba).unwrap();
        let tile = Region { x: 0.0, y: 0.0, width: 500.0, height: 500.0 };
        let found = vec![
            (Region::whole(&frame), vec![at(100.0, 100.0, 50.0, 0.8)]),
            (tile, vec![at(105.0, 100.0, 50.0, 0.8)]),
        ];
        let kept = merge(&frame, &found);
        assert_eq!(kept.len(), 1);
        assert!((kept[0].bbox.x - 104.0).abs() < 1e-3, "{:?}", kept[0]);
    }
}
