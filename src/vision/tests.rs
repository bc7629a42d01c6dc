//! The search, on pictures made of the astronaut's head.

use std::cell::RefCell;

use super::testing::{reference, values, weights};
use super::*;
use crate::engine::cpu::Detector;
use crate::engine::{Outputs, Region};
use crate::picture::{Border, Frame, Similarity};

type Network = RefCell<Detector>;

fn network() -> Network {
    RefCell::new(Detector::new(&weights()).unwrap())
}

fn find_with(network: &Network, frame: &Frame, search: Search) -> Vec<Detection> {
    find_counting(network, frame, search).0
}

/// Also counts the close-ups.
fn find_counting(network: &Network, frame: &Frame, search: Search) -> (Vec<Detection>, usize) {
    let mut close_ups = 0;
    let whole = Rect::whole([frame.width(), frame.height()]);
    let run = |regions: &[Region], outputs: &mut Outputs| {
        close_ups += regions.iter().filter(|region| region.side == CLOSE_UP_SIDE).count();
        outputs.clear();
        network.borrow_mut().run(frame, regions, outputs);
        Ok::<_, DetectionError>(())
    };
    let found = find(whole, search, &DetectorOptions::default(), run);
    (found.unwrap(), close_ups)
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

const SIDE: usize = 512;

fn astronaut() -> Vec<u8> {
    let png = include_bytes!("../../tests/data/astronaut.png");
    image::load_from_memory(png).unwrap().into_rgba8().into_raw()
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

/// A picture with copies of the astronaut's head: centre x, y, width of the face's box in pixels, and
/// rotation in degrees of each.
fn group(width: usize, height: usize, heads: &[[f32; 4]]) -> Vec<u8> {
    let source = astronaut();
    let source = Frame::new(SIDE, SIDE, &source).unwrap();
    // A wall with some structure.
    let mut rgba: Vec<u8> = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let v = 110 + (x / 40 + y / 25) as u8 % 7 * 8 + (x * 7 + y * 13) as u8 % 11;
            [v, v - 10, v - 20, 255]
        })
        .collect();
    for &[cx, cy, face, degrees] in heads {
        // The face's box is 94.5 pixels wide around (224.5, 128) in the picture; the head fits into 2.2 times
        // that.
        let scale = 94.5 / face;
        let side = (2.2 * face) as usize;
        let turn = Similarity::new(scale, degrees.to_radians(), 0.0, 0.0);
        let [dx, dy] = turn.apply([side as f32 / 2.0, side as f32 / 2.0]);
        let from = Similarity { tx: 224.5 - dx, ty: 128.0 - dy, ..turn };
        let patch = source.sample(&from, side, side, Border::Replicate);
        let (left, top) = (cx as usize - side / 2, cy as usize - side / 2);
        for (i, rgb) in patch.chunks(3).enumerate() {
            let at = ((top + i / side) * width + left + i % side) * 4;
            rgba[at..at + 3].copy_from_slice(rgb);
        }
    }
    rgba
}

/// The heads that have a detection in their place and of their size, and how many detections there are beside
/// them.
fn recognised(found: &[Detection], heads: &[[f32; 4]]) -> (Vec<[f32; 4]>, usize) {
    let is = |d: &Detection, &[cx, cy, face, _]: &[f32; 4]| {
        let [x, y] = d.bbox.centre();
        (x - cx).hypot(y - cy) < 0.25 * face && (d.bbox.width / face - 1.0).abs() < 0.35
    };
    let seen = heads.iter().filter(|head| found.iter().any(|d| is(d, head))).copied().collect();
    let others = found.iter().filter(|d| !heads.iter().any(|head| is(d, head))).count();
    (seen, others)
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
fn faces_that_a_tile_shows_large_need_no_close_up() {
    let network = network();
    for (face, expected) in [(260.0, 0), (220.0, 0), (80.0, 4)] {
        // In the middle of small tiles.
        let places = [[320.0, 320.0], [1280.0, 320.0], [320.0, 880.0], [1280.0, 880.0]];
        let heads = places.map(|[x, y]| [x, y, face, 0.0]);
        let rgba = group(1600, 1200, &heads);
        let frame = Frame::new(1600, 1200, &rgba).unwrap();
        let (found, close_ups) = find_counting(&network, &frame, Search::Tiled);
        assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{face}: {found:?}");
        assert_eq!(close_ups, expected, "{face}");
    }
}

/// Eyes, nose and so on of a head in a [`group`], from those in the astronaut picture.
fn placed(landmarks: &[[f32; 2]; 6], &[cx, cy, face, degrees]: &[f32; 4]) -> [[f32; 2]; 6] {
    let turn = Similarity::new(face / 94.5, -degrees.to_radians(), 0.0, 0.0);
    landmarks.map(|[x, y]| {
        let [x, y] = turn.apply([x - 224.5, y - 128.0]);
        [x + cx, y + cy]
    })
}

/// Looks for heads of one size in a picture of 12 megapixels. Returns how many there are, how many were
/// found, how many other faces were, and the mean error of their landmarks as a part of the face's width.
fn search_heads(network: &Network, part: f32, search: Search) -> (usize, usize, usize, f32) {
    let (width, height) = (4000, 3000);
    let face = part * width as f32;
    // Off any grid; turned by up to 20 degrees.
    let spread =
        |i: usize, end: f32, phase: f32| 1.2 * face + ((i as f32 * 0.618 + phase) % 1.0) * (end - 2.4 * face);
    let mut heads: Vec<[f32; 4]> = Vec::new();
    for i in 0..400 {
        let (x, y) = (spread(i, width as f32, 0.1), spread(i * i, height as f32, 0.7));
        let clear = |h: &[f32; 4]| (h[0] - x).abs().max((h[1] - y).abs()) > 2.3 * face;
        if heads.len() < 8 && heads.iter().all(clear) {
            heads.push([x, y, face, -20.0 + 10.0 * (i % 5) as f32]);
        }
    }
    let rgba = group(width, height, &heads);
    let frame = Frame::new(width, height, &rgba).unwrap();
    let start = std::time::Instant::now();
    let found = find_with(network, &frame, search);
    let seconds = start.elapsed().as_secs_f32();
    let (seen, others) = recognised(&found, &heads);

    let source = astronaut();
    let source = Frame::new(SIDE, SIDE, &source).unwrap();
    let truth = find_with(network, &source, Search::Tiled)[0].landmarks;
    let mut errors = Vec::new();
    for head in &seen {
        let places = placed(&truth, head);
        let error = |d: &Detection| {
            let off = d.landmarks.iter().zip(places).map(|(l, p)| (l[0] - p[0]).hypot(l[1] - p[1]));
            off.sum::<f32>() / 6.0 / face
        };
        errors.push(found.iter().map(error).fold(f32::INFINITY, f32::min));
    }
    let error = errors.iter().sum::<f32>() / errors.len() as f32;
    println!(
        "{:4.1} % of the long side, {search:?}: {} of {} found, {others} others, landmarks off by {:.1} % of the width, {seconds:.2} s",
        100.0 * part,
        seen.len(),
        heads.len(),
        100.0 * error
    );
    (heads.len(), seen.len(), others, error)
}

#[test]
fn a_twentieth_of_a_large_photo_is_enough() {
    let network = network();
    for part in [0.12, 0.05] {
        let (heads, seen, others, error) = search_heads(&network, part, Search::Tiled);
        assert_eq!((seen, others), (heads, 0), "{part}");
        assert!(error < 0.03, "{part}: {error}");
    }
}

/// `cargo test --release --lib faces_by_size -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn faces_by_size() {
    let network = network();
    for part in [0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.05, 0.045, 0.04, 0.035, 0.03] {
        for search in [Search::Whole, Search::Refined, Search::Tiled] {
            search_heads(&network, part, search);
        }
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
