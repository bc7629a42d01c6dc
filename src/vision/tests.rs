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
    // What is no face may be refined as well, and is not many.
    for (face, expected) in [(260.0, 0..=6), (220.0, 0..=6), (80.0, 4..=10)] {
        // In the middle of small tiles.
        let places = [[320.0, 320.0], [1280.0, 320.0], [320.0, 880.0], [1280.0, 880.0]];
        let heads = places.map(|[x, y]| [x, y, face, 0.0]);
        let rgba = group(1600, 1200, &heads);
        let frame = Frame::new(1600, 1200, &rgba).unwrap();
        let (found, refinements) = find_counting(&network, &frame, Search::Tiled);
        assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{face}: {found:?}");
        assert!(expected.contains(&refinements), "{face}: {refinements}");
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

/// As a photo is looked at.
fn find_photo(network: &SharedDetector, width: usize, height: usize, rgba: &[u8]) -> FoundFaces {
    find_photo_with(DetectorOptions::default(), network, width, height, rgba)
}

fn find_photo_with(
    options: DetectorOptions,
    network: &SharedDetector,
    width: usize,
    height: usize,
    rgba: &[u8],
) -> FoundFaces {
    let frame = Frame::new(width, height, rgba).unwrap();
    let run = async |regions: &[Region], outputs: &mut Outputs| {
        outputs.clear();
        network.borrow_mut().run(&frame, regions, outputs);
        Ok::<_, DetectionError>(())
    };
    pollster::block_on(find_in_photo(&mut Finder::new(options), [width, height], run)).unwrap()
}

/// Turned clockwise by 90 degrees.
fn on_its_side(width: usize, height: usize, rgba: &[u8]) -> Vec<u8> {
    let pixels = rgba.as_chunks::<4>().0;
    let pixel = |i: usize| pixels[(height - 1 - i % height) * width + i / height];
    (0..width * height).flat_map(pixel).collect()
}

/// Large faces and small ones, upright and not quite: whatever way the picture lies, they are the same ones.
#[test]
fn photos_that_lie_on_their_side_or_upside_down() {
    let network = network();
    for (width, height, heads) in [
        (512, 512, vec![]), // the astronaut
        (640, 480, vec![[200.0, 200.0, 120.0, 0.0], [480.0, 260.0, 90.0, 15.0]]),
        (1200, 900, vec![[300.0, 300.0, 72.0, -10.0], [800.0, 500.0, 64.0, 5.0]]),
        (1600, 640, vec![[1200.0, 300.0, 90.0, 0.0]]),
    ] {
        let mut rgba = if heads.is_empty() { astronaut() } else { group(width, height, &heads) };
        let (mut width, mut height) = (width, height);
        let upright = find_photo(&network, width, height, &rgba);
        assert_eq!((upright.turn, upright.faces.len()), (Turn::None, heads.len().max(1)), "{heads:?}");
        let mut expected = upright.faces.clone();
        for turn in [Turn::Left, Turn::Over, Turn::Right] {
            rgba = on_its_side(width, height, &rgba);
            for face in &mut expected {
                face.landmarks = face.landmarks.map(|[x, y]| [height as f32 - y, x]);
            }
            (width, height) = (height, width);
            let found = find_photo(&network, width, height, &rgba);
            assert_eq!((found.turn, found.faces.len()), (turn, expected.len()), "{heads:?}");
            for face in &found.faces {
                let off = |other: &Detection| {
                    let pairs = face.landmarks.iter().zip(other.landmarks);
                    pairs.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f32::max)
                };
                let off = expected.iter().map(off).fold(f32::INFINITY, f32::min);
                assert!(off < 0.06 * face.bbox.width, "{turn:?} {heads:?}: off by {off}");
                assert!(face.landmarks.iter().take(4).all(|point| face.bbox.holds(*point)), "{face:?}");
            }
        }
    }
}

/// The smallest face: a twentieth of the long side, or 24 pixels, or an eighth of the short side of a long
/// picture. On both sides of all sizes at which the search changes.
#[test]
fn the_smallest_face_is_found_in_pictures_of_every_size() {
    let network = network();
    for (width, height) in [
        (160, 120),
        (192, 192),
        (193, 193),
        (320, 240),
        (480, 480),
        (512, 384),
        (640, 480),
        (641, 480),
        (900, 1200),
        (1600, 1200),
        (1000, 401),
        (1000, 399),
        (401, 1000),
        (399, 1000),
        (2400, 300),
        (300, 2400),
    ] {
        let (long, short) = (width.max(height) as f32, width.min(height) as f32);
        for larger in [1.0, 1.2, 1.5, 2.0] {
            let face = larger * (0.05 * long).min(0.125 * short).max(24.0);
            if 2.3 * face > short {
                continue;
            }
            let heads = [[0.37 * width as f32, 0.55 * height as f32, face, 0.0]];
            let rgba = group(width, height, &heads);
            let found = find_photo(&network, width, height, &rgba);
            assert_eq!(
                recognised(&found.faces, &heads),
                (heads.to_vec(), 0),
                "{width}x{height}, {face}: {found:?}"
            );
        }
    }
}

#[test]
fn a_crowd_is_found_up_to_a_number_which_is_said() {
    let network = network();
    let place = |i: usize| [225.0 + 355.0 * (i % 11) as f32, 225.0 + 362.0 * (i / 11) as f32, 200.0, 0.0];
    let heads: Vec<_> = (0..88).map(place).collect();
    let rgba = group(4000, 3000, &heads);
    let found = find_photo(&network, 4000, 3000, &rgba);
    let (seen, others) = recognised(&found.faces, &heads);
    assert_eq!((seen.len(), others), (88, 0), "{:?}", heads.iter().find(|head| !seen.contains(head)));
    assert!(!found.more && !found.remarks().more_faces);
    let options = DetectorOptions { most_faces: 87, ..DetectorOptions::default() };
    let found = find_photo_with(options, &network, 4000, 3000, &rgba);
    assert!(found.more && found.remarks().more_faces && found.faces.len() == 87);
}

#[test]
fn a_small_face_before_a_large_one_is_another() {
    let network = network();
    for (small, dx, dy) in
        [(120.0, 100.0, 100.0), (90.0, 110.0, 90.0), (110.0, -110.0, 110.0), (100.0, 0.0, 190.0)]
    {
        // The smaller head's picture is small, so that it hides little of the other.
        let large = [600.0, 420.0, 320.0, 0.0];
        let mut rgba = group(1280, 960, &[large]);
        let child = [large[0] + dx, large[1] + dy, small, 0.0];
        let head = group(1280, 960, &[child]);
        for y in 0..960 {
            for x in 0..1280 {
                let off = (x as f32 - child[0]).abs().max((y as f32 - child[1]).abs());
                if off < 0.65 * small {
                    let at = (y * 1280 + x) * 4;
                    rgba[at..at + 4].copy_from_slice(&head[at..at + 4]);
                }
            }
        }
        let found = find_photo(&network, 1280, 960, &rgba);
        assert_eq!(recognised(&found.faces, &[large, child]).0.len(), 2, "{child:?}: {found:?}");
        assert_eq!(found.faces.len(), 2, "{child:?}: {found:?}");
    }
}

/// Of any size, with nothing beside it and no part of it.
#[test]
fn one_picture_has_the_same_faces_at_all_sizes() {
    let network = network();
    let rgba = astronaut();
    let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
    for side in [128, 256, 512, 700, 1024, 1400, 2048] {
        let scale = SIDE as f32 / side as f32;
        let rgb = frame.sample(&Similarity::new(scale, 0.0, 0.0, 0.0), side, side, Border::Replicate);
        let rgba: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let found = find_photo(&network, side, side, &rgba);
        let [face] = found.faces[..] else { panic!("{side}: {found:?}") };
        let [x, y] = face.bbox.centre();
        assert!((scale * x - 224.5).abs() < 8.0 && (scale * y - 124.0).abs() < 12.0, "{side}: {face:?}");
        assert_eq!(found.remarks(), PhotoRemarks::default(), "{side}: {found:?}");
    }
}

/// Tiles that cut a face show something smaller in its place, from closer up: that is not where it is.
#[test]
fn a_face_that_tiles_cut_is_where_the_whole_shows_it() {
    let network = network();
    let source = astronaut();
    let source = Frame::new(SIDE, SIDE, &source).unwrap();
    let side = 250;
    for part in [0.55, 0.62, 0.69] {
        for [right, down] in [[0.0, 0.0], [0.1, 0.0], [-0.1, 0.05], [0.0, 0.1], [0.05, -0.05]] {
            // The face is 100 pixels wide there.
            let (scale, shown) = (100.0 / part / side as f32, 100.0 / part);
            let (left, top) = (224.5 - shown * (0.5 + right), 124.0 - shown * (0.5 + down));
            let view = Similarity::new(scale, 0.0, left, top);
            let rgb = source.sample(&view, side, side, Border::Replicate);
            let rgba: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
            let found = find_photo(&network, side, side, &rgba);
            let [face] = found.faces[..] else { panic!("{part} {right} {down}: {found:?}") };
            let wanted = 100.0 / scale;
            let middle = [(224.5 - left) / scale, (124.0 - top) / scale];
            let [x, y] = face.bbox.centre();
            let width = face.bbox.width / wanted;
            assert!((0.85..1.2).contains(&width), "{part} {right} {down}: {width} {face:?}");
            let off = (x - middle[0]).hypot(y - middle[1]) / wanted;
            assert!(off < 0.12, "{part} {right} {down}: {off} {face:?}");
        }
    }
}

#[test]
fn a_face_that_fills_the_picture_and_a_small_one_beside_it() {
    let network = network();
    let source = astronaut();
    let source = Frame::new(SIDE, SIDE, &source).unwrap();
    for (width, height) in [(900, 900), (1200, 900)] {
        // As wide as the picture is high.
        let scale = 104.0 / height as f32;
        let view = Similarity::new(
            scale,
            0.0,
            224.5 - scale * height as f32 / 2.0,
            128.0 - scale * height as f32 / 2.0,
        );
        let rgb = source.sample(&view, width, height, Border::Replicate);
        let plain: Vec<u8> = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let large = [height as f32 / 2.0, height as f32 / 2.0, 94.5 / scale, 0.0];
        let found = find_photo(&network, width, height, &plain);
        assert_eq!(recognised(&found.faces, &[large]), (vec![large], 0), "{width}: {found:?}");
        let small = [width as f32 - 120.0, 120.0, 90.0, 0.0];
        let poster = group(width, height, &[small]);
        let mut rgba = plain;
        for y in 20..220 {
            let row = (y * width + width - 220) * 4..(y * width + width - 20) * 4;
            rgba[row.clone()].copy_from_slice(&poster[row]);
        }
        let found = find_photo(&network, width, height, &rgba);
        assert_eq!(recognised(&found.faces, &[large, small]), (vec![large, small], 0), "{width}: {found:?}");
    }
}

/// Faces a quarter as high as the picture, which are a thirtieth of its width.
#[test]
fn faces_in_panoramas() {
    let network = network();
    let heads = [0.12, 0.4, 0.71, 0.93].map(|part| [3200.0 * part, 210.0, 100.0, 0.0]);
    let rgba = group(3200, 400, &heads);
    let found = find_photo(&network, 3200, 400, &rgba);
    assert_eq!(recognised(&found.faces, &heads), (heads.to_vec(), 0), "{found:?}");
}

/// Faded by more and more, faces are doubted before they are lost.
#[test]
fn missed_faces_are_suspected() {
    let network = network();
    let place = |i: usize| [130.0 + 130.0 * (i % 8) as f32, 150.0 + 140.0 * (i / 8) as f32, 55.0, 0.0];
    let heads: Vec<_> = (0..24).map(place).collect();
    let rgba = group(1200, 600, &heads);
    let (mut said, mut unsaid) = (0, 0);
    for contrast in [1.0, 0.6, 0.4, 0.3, 0.25, 0.2, 0.17, 0.15, 0.13, 0.11, 0.1] {
        let faded: Vec<u8> =
            rgba.iter().map(|value| (110.0 + contrast * (f32::from(*value) - 110.0)) as u8).collect();
        let found = find_photo(&network, 1200, 600, &faded);
        let (seen, _) = recognised(&found.faces, &heads);
        println!("{contrast}: {} of 24, {} near misses", seen.len(), found.near_misses);
        match (seen.len(), found.remarks().may_miss_faces) {
            (24, told) => assert!(!told || found.near_misses > 0),
            (_, true) => said += 1,
            (_, false) => unsaid += 1,
        }
    }
    assert!(said > 0, "{unsaid} without a word");
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

/// Of so few pixels nearly anything is taken for a face.
#[test]
fn pictures_of_a_few_pixels_have_no_faces() {
    let network = network();
    let mut noise = 1u32;
    let mut found = Vec::new();
    for side in [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24] {
        for kind in 0..12 {
            let colour = [
                [255, 255, 255],
                [200, 150, 120],
                [220, 30, 40],
                [40, 160, 70],
                [128, 128, 128],
                [90, 60, 45],
            ][kind % 6];
            let mut pixel = |i: usize| {
                let below = i / side > side / 2;
                colour.map(|value: u8| match kind {
                    0..6 => value,
                    6..9 => {
                        if below {
                            255 - value
                        } else {
                            value
                        }
                    }
                    _ => {
                        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (noise >> 24) as u8
                    }
                })
            };
            let rgba: Vec<u8> = (0..side * side)
                .flat_map(|i| {
                    let [r, g, b] = pixel(i);
                    [r, g, b, 255]
                })
                .collect();
            let faces = find_photo(&network, side, side, &rgba).faces;
            if !faces.is_empty() {
                found.push((side, kind, faces[0].bbox.width));
            }
        }
    }
    assert_eq!(found, []);
}

/// Smaller faces than a twentieth of the picture, where there are many.
#[test]
fn a_crowd_is_looked_at_more_closely() {
    let network = network();
    for (width, height, face) in [(1500, 1000, 60.0f32), (3000, 2000, 108.0)] {
        let step = 2.1 * face;
        let [across, down] = [width, height].map(|side| ((side as f32 - 0.4 * face) / step) as usize);
        let place =
            |i: usize| [step * ((i % across) as f32 + 0.6), step * ((i / across) as f32 + 0.6), face, 0.0];
        let heads: Vec<_> = (0..across * down).map(place).collect();
        let rgba = group(width, height, &heads);
        let found = find_photo(&network, width, height, &rgba);
        let (seen, others) = recognised(&found.faces, &heads);
        println!("{} of {}, {others} others", seen.len(), heads.len());
        assert!(seen.len() * 100 >= 98 * heads.len() && others == 0, "{} of {}", seen.len(), heads.len());
    }
}
