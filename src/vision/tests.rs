//! The search, on pictures made of the astronaut's head.

use std::cell::RefCell;

use super::testing::{reference, values, weights};
use super::*;
use crate::engine::cpu::DetectionNetwork;
use crate::engine::{Outputs, Region};
use crate::picture::{Border, Frame, Similarity};

#[path = "../../tests/heads/group.rs"]
mod group;

use group::{Heads, SIDE, astronaut, group, recognised};

type SharedDetector = RefCell<DetectionNetwork>;

fn network() -> SharedDetector {
    RefCell::new(DetectionNetwork::new(&weights()).unwrap())
}

fn find_with(network: &SharedDetector, frame: &Frame, search: Search) -> Vec<Detection> {
    find_counting(network, frame, search).0
}

/// Also counts the refinements.
fn find_counting(network: &SharedDetector, frame: &Frame, search: Search) -> (Vec<Detection>, usize) {
    let mut refinements = 0;
    let whole = Rect::whole([frame.width(), frame.height()]);
    let run = |regions: &[Region], outputs: &mut Outputs| {
        refinements += regions.iter().filter(|region| region.side == REFINEMENT_SIDE).count();
        outputs.clear();
        network.borrow_mut().run(frame, regions, outputs);
        Ok::<_, DetectionError>(())
    };
    let found = find(whole, search, &DetectorOptions::default(), run);
    (found.unwrap(), refinements)
}

#[test]
fn no_face_in_nothing() {
    let network = network();
    for (width, height) in [(1, 1), (2, 1), (1, 5000), (5000, 3), (640, 480), (700, 700)] {
        for value in [0, 255] {
            let rgba = vec![value; width * height * 4];
            let frame = Frame::new(width, height, &rgba).unwrap();
            for search in [Search::Whole, Search::Refined, Search::Tiled] {
                assert_eq!(find_with(&network, &frame, search), [], "{width}x{height} of {value}");
            }
        }
    }
}

#[test]
fn errors_of_the_network_come_through() {
    let run = |_: &[Region], _: &mut Outputs| Ok::<_, DetectionError>(());
    let error = find(Rect::whole([1, 1]), Search::Whole, &DetectorOptions::default(), run);
    assert_eq!(error, Err(DetectionError::Length { expected: 15232, found: 0 }));
}

#[test]
fn the_astronaut_is_where_mediapipe_sees_her() {
    let rgba = astronaut();
    let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
    let found = find_with(&network(), &frame, Search::Whole);
    let reference = reference();
    assert_eq!(found.len(), 1);
    let face = &found[0];
    let Rect { x, y, width, height } = face.bbox;
    let ours: Vec<f32> =
        [x, y, width, height].into_iter().chain(face.landmarks.into_iter().flatten()).collect();
    let theirs = [values(&reference, "boxes"), values(&reference, "landmarks")].concat();
    let off: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
    println!("off by {off:?} pixels, score {} against {}", face.score, values(&reference, "scores")[0]);
    assert_eq!(ours.len(), theirs.len());
    assert!(off.iter().all(|d| d.abs() < 1.0), "{off:?}");
    assert!((face.score - values(&reference, "scores")[0]).abs() < 0.02);
    assert!(face.landmarks[0][0] < face.landmarks[1][0], "the subject's right eye is on the left");
}

#[test]
fn several_faces_of_several_sizes() {
    let heads = [[160.0, 180.0, 120.0, 0.0], [420.0, 150.0, 100.0, -20.0], [380.0, 350.0, 80.0, 15.0]];
    let rgba = group(640, 480, &heads);
    let frame = Frame::new(640, 480, &rgba).unwrap();
    let found = find_with(&network(), &frame, Search::Whole);
    assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{found:?}");
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
}

#[test]
fn faces_that_a_tile_shows_large_need_no_refinement() {
    let network = network();
    for (face, expected) in [(260.0, 0), (220.0, 0), (80.0, 4)] {
        // In the middle of small tiles.
        let places = [[320.0, 320.0], [1280.0, 320.0], [320.0, 880.0], [1280.0, 880.0]];
        let heads = places.map(|[x, y]| [x, y, face, 0.0]);
        let rgba = group(1600, 1200, &heads);
        let frame = Frame::new(1600, 1200, &rgba).unwrap();
        let (found, refinements) = find_counting(&network, &frame, Search::Tiled);
        assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{face}: {found:?}");
        assert_eq!(refinements, expected, "{face}");
    }
}

#[test]
fn a_twentieth_of_a_large_photo_is_enough() {
    let network = network();
    let rgba = astronaut();
    let truth = find_with(&network, &Frame::new(SIDE, SIDE, &rgba).unwrap(), Search::Tiled)[0].landmarks;
    for part in [0.12, 0.05] {
        let heads = Heads::new(part);
        let found = find_with(&network, &heads.frame(), Search::Tiled);
        let found = heads.compare(&found, &truth);
        assert_eq!((found.heads, found.others), (heads.places.len(), 0), "{part}");
        assert!(found.error < 0.03, "{part}: {found:?}");
    }
}

/// A border changes nothing but where the search begins: the same face, in the same place.
#[test]
fn a_border_needs_no_copy() {
    let rgba = astronaut();
    let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
    let whole = Rect::whole([SIDE, SIDE]);
    let bordered = whole.with_border();
    assert_eq!(bordered, Rect { x: -154.0, y: -154.0, width: 820.0, height: 820.0 });
    let network = network();
    let search = |frame: &Frame, whole: Rect| {
        let run = |regions: &[Region], outputs: &mut Outputs| {
            outputs.clear();
            network.borrow_mut().run(frame, regions, outputs);
            Ok::<_, DetectionError>(())
        };
        let found = find(whole, Search::Refined, &DetectorOptions::default(), run).unwrap();
        let [face] = found[..] else { panic!("{found:?}") };
        face
    };
    let mut copy = vec![0; 820 * 820 * 4];
    for (y, row) in rgba.chunks_exact(SIDE * 4).enumerate() {
        copy[((y + 154) * 820 + 154) * 4..][..SIDE * 4].copy_from_slice(row);
    }
    let (here, there) =
        (search(&frame, bordered), search(&Frame::new(820, 820, &copy).unwrap(), Rect::whole([820, 820])));
    let points = here.landmarks.iter().zip(there.landmarks);
    let off = points.map(|(a, b)| (a[0] + 154.0 - b[0]).hypot(a[1] + 154.0 - b[1])).fold(0.0, f32::max);
    assert!(off < 0.05 && (here.score - there.score).abs() < 1e-3, "{off} {here:?} {there:?}");
}

#[test]
fn a_photo_of_one_face_keeps_it() {
    let rgba = astronaut();
    let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
    let network = network();
    let found = find_with(&network, &frame, Search::Tiled);
    assert_eq!(found.len(), 1);
    assert!(iou(&found[0].bbox, &find_with(&network, &frame, Search::Whole)[0].bbox) > 0.7);
}
