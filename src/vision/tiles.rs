//! Small faces in large pictures.
//!
//! At 128x128 pixels BlazeFace sees a face of a tenth of the picture as 13 pixels, and not much smaller ones
//! at all. So the network sees overlapping squares of the frame, too: in a photo all of them, in a
//! video one after the other. [`whole_in`] and [`merge`] make one list of what it found.

use super::{Candidate, Detection, DetectorOptions, Rect, suppress};

/// Side of the tiles of each level, and how much neighbours share, as parts of the frame's long side. A face
/// smaller than what is shared is whole in one tile at least.
const LEVELS: [(f32, f32); 2] = [(0.6, 0.2), (0.4, 0.1)];

/// Of a frame that is longer than so many of its short sides, tiles are as if it were that long: the smaller
/// ones are as high as the frame then.
const LONGEST: f32 = 2.5;

/// And where it is longer than so many, tiles grow with it again: or there would be no end of them.
const LONGEST_IN_TILES: f32 = 20.0;

/// Frames whose long side has no more pixels have no tiles: the smallest face that is looked for, of 24
/// pixels, is large in them.
const SMALL: f32 = 192.0;

/// Of two detections of which one has more of its area than this inside the other, it may be a part of that
/// face.
const CONTAINED: f32 = 0.6;

/// And it is if at least so many of that face's eyes, nose and mouth lie in it.
const FEATURES: usize = 2;

/// The squares to see beside the whole of a picture: up to 2 x 2 of 0.6 and up to 3 x 3 of 0.4 of its
/// long side (fewer across a short side; cut off where it ends). Of a long one more, which are smaller.
pub fn tiles(whole: Rect) -> impl Iterator<Item = Rect> + Clone {
    let short = whole.shorter().max(whole.longer() / LONGEST_IN_TILES);
    let long = whole.longer().min(LONGEST * short);
    LEVELS
        .into_iter()
        .filter(move |_| whole.longer() > SMALL)
        .flat_map(move |(side, shared)| squares(whole, side * long, shared * long))
}

/// Squares that cover a picture, of that part of its longer side each, of which neighbours share that part.
pub fn parts(whole: Rect, side: f32, shared: f32) -> impl Iterator<Item = Rect> + Clone {
    squares(whole, side * whole.longer(), shared * whole.longer())
}

/// Cut off where the picture ends.
fn squares(whole: Rect, side: f32, shared: f32) -> impl Iterator<Item = Rect> + Clone {
    let spans = move |length| spans(length, side, shared);
    spans(whole.height).flat_map(move |(y, height)| {
        spans(whole.width).map(move |(x, width)| Rect { x: whole.x + x, y: whole.y + y, width, height })
    })
}

/// What a video looks at beside the whole of its frames, one after the other: their tiles, and the whole from
/// further away, for a face that fills it.
pub fn looks(whole: Rect) -> impl Iterator<Item = Rect> + Clone {
    tiles(whole).chain([whole.with_border()])
}

/// Start and length of the fewest spans of `side` that cover `length` and share at least `shared`, evenly
/// spread.
fn spans(length: f32, side: f32, shared: f32) -> impl Iterator<Item = (f32, f32)> + Clone {
    // A thousandth less, so that rounding does not add a span where they fit exactly.
    let count = ((length - shared) / (side - shared) - 1e-3).ceil().max(1.0) as usize;
    let step = if count > 1 { (length - side) / (count - 1) as f32 } else { 0.0 };
    (0..count).map(move |i| (i as f32 * step, side.min(length)))
}

/// Whether a part of the whole shows a box entirely, as far as the whole does. Else an edge of the part that
/// is not the whole's goes through it: the face is cut there, and another part shows it.
pub fn whole_in(part: &Rect, bbox: &Rect, whole: &Rect) -> bool {
    // Half a pixel covers the rounding of edges at the whole's.
    let cut = |[start, length]: [f32; 2], [from, extent]: [f32; 2], [first, all]: [f32; 2]| {
        let inner = |edge: f32| edge > first + 0.5 && edge < first + all - 0.5;
        (inner(start) && from < start) || (inner(start + length) && from + extent > start + length)
    };
    let (x, y) = (|r: &Rect| [r.x, r.width], |r: &Rect| [r.y, r.height]);
    !cut(x(part), x(bbox), x(whole)) && !cut(y(part), y(bbox), y(whole))
}

/// One list of the faces that several views of a frame show, sorted by falling score: into `faces`, whose
/// former content goes. `shown` is used up.
///
/// They are merged by the same weighted suppression as inside a view. Then, of two of which one is a part of
/// the other (half a face, found as a face in a tile) the better one stays.
pub fn merge(shown: &mut Vec<Candidate>, options: &DetectorOptions, faces: &mut Vec<Candidate>) {
    suppress::weighted(shown, options.max_iou, faces);
    let mut kept = 0;
    for i in 0..faces.len() {
        let is_same = |better: &Candidate| {
            is_part(&faces[i].face, &better.face) || is_part(&better.face, &faces[i].face)
        };
        if !faces[..kept].iter().any(is_same) {
            faces.swap(kept, i);
            kept += 1;
        }
    }
    faces.truncate(kept);
}

/// Whether the box `other`, which is no larger, lies for the most part inside `bbox`.
pub(super) fn contains(bbox: &Rect, other: &Rect) -> bool {
    other.area() < bbox.area() && bbox.intersection(other) > CONTAINED * other.area()
}

/// Whether what was taken for a face is a part of `face`. Somebody before somebody else hides some of a face,
/// and shows one.
pub(super) fn is_part(part: &Detection, face: &Detection) -> bool {
    let [right_eye, left_eye, nose, mouth, ..] = face.landmarks;
    let features = [right_eye, left_eye, nose, mouth];
    contains(&face.bbox, &part.bbox)
        && features.iter().filter(|point| part.bbox.holds(**point)).count() >= FEATURES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::Detection;

    fn at(x: f32, y: f32, side: f32, score: f32) -> Detection {
        let bbox = Rect { x, y, width: side, height: side };
        Detection { bbox, score, landmarks: [[x, y]; 6] }
    }

    fn merge(whole: &Rect, found: &[(Rect, Vec<Detection>)]) -> Vec<Detection> {
        let mut candidates = Vec::new();
        for (region, detections) in found {
            let uncut = detections.iter().filter(|face| whole_in(region, &face.bbox, whole));
            let magnification = 128.0 / region.width;
            candidates.extend(uncut.map(|face| Candidate { face: *face, magnification }));
        }
        let mut faces = Vec::new();
        super::merge(&mut candidates, &DetectorOptions::default(), &mut faces);
        faces.iter().map(|candidate| candidate.face).collect()
    }

    #[test]
    fn tiles_cover_large_frames_and_are_few() {
        for (width, height, count) in
            [(193, 193, 13), (641, 641, 13), (1000, 750, 13), (1600, 900, 8), (450, 800, 8), (1000, 400, 5)]
        {
            let tiles: Vec<_> = tiles(Rect::whole([width, height])).collect();
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

    /// Also where another level or another rule begins.
    #[test]
    fn smaller_tiles_follow_the_short_side() {
        let count = |width, height| tiles(Rect::whole([width, height])).count();
        assert_eq!([count(192, 192), count(1, 1), count(193, 10)], [0, 0, count(1930, 100)]);
        assert_eq!(count(8000, 1000), 19);
        // As many as for a picture of twenty to one, however long.
        assert_eq!(count(30_000, 200), count(20_000, 1000));
        for (width, height) in [(1001, 400), (1000, 401), (8000, 1000), (1000, 19_000)] {
            let whole = Rect::whole([width, height]);
            let smallest = tiles(whole).map(|tile| tile.longer()).fold(f32::INFINITY, f32::min);
            let expected = (0.4 * whole.longer()).min(whole.shorter());
            assert!((smallest - expected).abs() < 1.0, "{width}x{height}: {smallest}");
            for tile in tiles(whole) {
                assert!(whole.intersection(&tile) > 0.999 * tile.area(), "{tile:?}");
            }
        }
    }

    #[test]
    fn who_stands_before_somebody_is_no_part_of_them() {
        let whole = Rect::whole([1000, 1000]);
        let face = |x: f32, y: f32, side: f32, score| {
            let point = |u: f32, v: f32| [x + u * side, y + v * side];
            let landmarks = [
                point(0.3, 0.3),
                point(0.7, 0.3),
                point(0.5, 0.55),
                point(0.5, 0.8),
                point(0., 0.4),
                point(1., 0.4),
            ];
            Detection { landmarks, ..at(x, y, side, score) }
        };
        let parent = face(100.0, 100.0, 400.0, 0.9);
        for (child, count) in [
            (face(340.0, 350.0, 150.0, 0.8), 2),  // before the cheek
            (face(340.0, 350.0, 150.0, 0.95), 2), // and surer
            (face(180.0, 180.0, 240.0, 0.8), 1),  // eyes and nose, taken for a face
            (face(180.0, 180.0, 240.0, 0.95), 1),
        ] {
            assert_eq!(merge(&whole, &[(whole, vec![parent, child])]).len(), count, "{child:?}");
        }
    }

    #[test]
    fn cut_and_contained_faces_go() {
        let whole = Rect::whole([1000, 1000]);
        let left = Rect { x: 0.0, y: 0.0, width: 600.0, height: 600.0 };
        let right = Rect { x: 400.0, ..left };
        let found = vec![
            (whole, vec![Detection { landmarks: [[190.0; 2]; 6], ..at(100.0, 100.0, 200.0, 0.9) }]),
            // Over the frame's edge, which cuts nothing that another region shows; over the tile's edge;
            // inside of the face above.
            (
                left,
                vec![at(-5.0, 500.0, 50.0, 0.8), at(560.0, 300.0, 60.0, 0.8), at(150.0, 150.0, 80.0, 0.7)],
            ),
            (right, vec![at(550.0, 300.0, 70.0, 0.6), at(390.0, 20.0, 60.0, 0.95)]),
        ];
        let kept = merge(&whole, &found);
        let places: Vec<_> = kept.iter().map(|d| (d.bbox.x, d.bbox.y)).collect();
        assert_eq!(places, [(100.0, 100.0), (-5.0, 500.0), (550.0, 300.0)]);
    }

    #[test]
    fn the_region_that_shows_a_face_larger_counts_more() {
        let whole = Rect::whole([1000, 1000]);
        let tile = Rect { x: 0.0, y: 0.0, width: 500.0, height: 500.0 };
        let found =
            vec![(whole, vec![at(100.0, 100.0, 50.0, 0.8)]), (tile, vec![at(105.0, 100.0, 50.0, 0.8)])];
        let kept = merge(&whole, &found);
        assert_eq!(kept.len(), 1);
        assert!((kept[0].bbox.x - 104.0).abs() < 1e-3, "{:?}", kept[0]);
    }
}
