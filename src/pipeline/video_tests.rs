//! Made-up videos: the sample picture, moved about before a grey wall.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::scene;
use super::*;
use crate::engine::cpu::brightness;
use crate::engine::{Engine, EngineKind};
use crate::picture::Pixels;
use crate::picture::{Border, Frame};
use crate::vision::Search;
use crate::weights::Weights;

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
const FRAME_MS: f64 = 1000.0 / 30.0;

/// Waits for what needs no waiting: the CPU engine is done when it returns.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}

/// Detector and network.
fn weights() -> [Weights; 2] {
    let detector = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
    let network = include_bytes!("../../model-weights/d-cnn/d-cnn.safetensors");
    [&detector[..], network].map(|file| Weights::from_bytes(file).unwrap())
}

fn on(kind: EngineKind) -> Estimator {
    let [detector, network] = weights();
    now(Estimator::new(kind, &detector, &network)).unwrap()
}

fn estimator() -> Estimator {
    on(EngineKind::Cpu)
}

/// With an engine whose answers have to be waited for.
fn waiting() -> Estimator {
    let [detector, network] = weights();
    Estimator { engine: Engine::waiting(&detector, &network), ..estimator() }
}

/// The head of the sample picture, which is square.
struct Head {
    picture: Pixels,
    face: Detection,
}

/// Where a head is in a frame: centre of the face, its width in pixels, and how far it is turned, in degrees.
#[derive(Clone, Copy)]
struct At {
    x: f32,
    y: f32,
    width: f32,
    degrees: f32,
}

impl Head {
    fn new(estimator: &Estimator) -> Self {
        let picture = Pixels::decode(include_bytes!("../../www/sample.jpg")).unwrap();
        let faces = now(estimator.detect(&picture.frame(), Search::Refined)).unwrap();
        let [face] = faces[..] else { panic!("{faces:?}") };
        Self { picture, face }
    }

    /// From pixels of a frame to pixels of the picture.
    fn view(&self, at: &At) -> Similarity {
        let turn = Similarity::new(self.face.bbox.width / at.width, -at.degrees.to_radians(), 0.0, 0.0);
        let ([fx, fy], [cx, cy]) = (turn.apply([at.x, at.y]), self.face.bbox.centre());
        turn.shifted(cx - fx, cy - fy)
    }

    /// A frame with this head in some places.
    fn frame(&self, places: &[At]) -> Vec<u8> {
        let places: Vec<_> = places.iter().map(|at| (*at, *at)).collect();
        self.windows(&places)
    }

    /// A frame with windows (the first of each pair) through which the head is seen (where the second one
    /// says).
    fn windows(&self, places: &[(At, At)]) -> Vec<u8> {
        let mut rgba = [120, 118, 115, 255].repeat(WIDTH * HEIGHT);
        for (at, head) in places {
            let from_frame = self.view(head);
            let half = (1.05 * at.width) as i32;
            let (left, top) = (at.x as i32 - half, at.y as i32 - half);
            let side = 2 * half as usize;
            let patch = Similarity::new(1.0, 0.0, left as f32, top as f32);
            let patch = self.picture.frame().sample(&from_frame.after(&patch), side, side, Border::Replicate);
            for (i, rgb) in patch.chunks_exact(3).enumerate() {
                let (x, y) = (left + (i % side) as i32, top + (i / side) as i32);
                if (0..WIDTH as i32).contains(&x) && (0..HEIGHT as i32).contains(&y) {
                    rgba[(y as usize * WIDTH + x as usize) * 4..][..3].copy_from_slice(rgb);
                }
            }
        }
        rgba
    }
}

fn at(x: f32, y: f32) -> At {
    At { x, y, width: 120.0, degrees: 0.0 }
}

fn process(video: &mut Video, estimator: &Estimator, rgba: &[u8], ms: f64) -> FrameReport {
    now(video.process(estimator, &Frame::new(WIDTH, HEIGHT, rgba).unwrap(), ms)).unwrap()
}

/// Adds noise of a standard deviation (sums of four uniform numbers).
fn noisy(rgba: &[u8], deviation: f32, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    let mut noise = || (uniform() + uniform() + uniform() + uniform()) * 3f32.sqrt() * deviation;
    rgba.iter().map(|value| (f32::from(*value) + noise()).round() as u8).collect()
}

#[test]
fn a_moving_face_is_followed_in_every_frame() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    for speed in [0.3, 1.0, 2.5] {
        let mut video = Video::default();
        let (mut searches, mut estimated, mut worst) = (0, 0, 0.0f32);
        let frames = 45;
        for frame in 0..frames {
            // To the right and back.
            let way = speed * 120.0 * frame as f32 / 30.0;
            let x = 140.0 + 180.0 - (way % 720.0 - 360.0).abs().min(360.0) + 180.0;
            let seen = process(
                &mut video,
                &estimator,
                &head.frame(&[at(x, 240.0)]),
                1e6 + FRAME_MS * f64::from(frame),
            );
            let [TrackedFace { id: 1, face }] = video.faces() else { panic!("{:?}", video.faces()) };
            let [left, _, width, _] = face.bbox;
            worst = worst.max((left + width / 2.0 - x).abs() / 120.0);
            searches += u32::from(seen.mode == FrameMode::Search);
            estimated += seen.estimated;
            assert_ne!(seen.mode, FrameMode::Skip);
        }
        println!("{speed} widths a second: {searches} searches, {estimated} estimates, off by {worst:.3}");
        assert!(worst < 0.15, "{speed}: {worst}");
        // 1.5 s: at first, and one in each 400 ms.
        assert!(searches <= 4, "{speed}: {searches}");
        // Five at first, then five a second.
        assert!((10..=14).contains(&estimated), "{speed}: {estimated}");
    }
}

#[test]
fn a_new_face_appears_within_half_a_second() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let (wall, one) = (head.frame(&[]), at(150.0, 240.0));
    let mut video = Video::default();
    for frame in 0..20 {
        process(&mut video, &estimator, &wall, FRAME_MS * f64::from(frame));
        assert!(video.faces().is_empty());
    }
    // Nobody was there: at once, though frames were skipped.
    let seen = process(&mut video, &estimator, &head.frame(&[one]), 20.0 * FRAME_MS);
    assert_eq!((seen.mode, seen.estimated, video.faces().len()), (FrameMode::Search, 1, 1));
    // A second face comes at one time or another between searches.
    for arrival in [8, 11, 14, 17] {
        let mut appeared = None;
        video.reset();
        for frame in 0..arrival + 20 {
            // The first face trembles, or frames would be skipped.
            let mut places = vec![At { x: 150.0 + (frame % 2) as f32, ..one }];
            if frame >= arrival {
                places.push(at(450.0, 240.0));
            }
            process(&mut video, &estimator, &head.frame(&places), FRAME_MS * f64::from(frame));
            if video.faces().len() == 2 && appeared.is_none() {
                appeared = Some(frame - arrival);
            }
        }
        let frames = appeared.expect("the second face was found");
        println!("{frames} frames late");
        assert!(f64::from(frames) * FRAME_MS <= 500.0, "{frames}");
        assert!(video.faces().iter().all(|face| [1, 2].contains(&face.id)));
    }
}

#[test]
fn small_faces_appear_soon_and_stay() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    // Of a fourteenth of the frame's width, which large tiles are for, and of a twentieth, which small ones
    // are for.
    for (width, tiles) in [(46.0, 4), (32.0, 13)] {
        for others in 0..2 {
            let mut video = Video::default();
            let (mut appeared, mut missed) = (None, 0);
            for frame in 0..200u32 {
                let tremble = (frame % 2) as f32;
                let mut places = vec![At { width, ..at(430.0 + tremble, 140.0) }];
                places.extend((0..others).map(|_| at(150.0 + tremble, 240.0)));
                let now = FRAME_MS * f64::from(frame);
                process(&mut video, &estimator, &head.frame(&places), now);
                let small = video.faces().iter().filter(|seen| seen.face.bbox[2] < 60.0).count();
                assert!(small <= 1);
                match appeared {
                    None if small == 1 => appeared = Some(now),
                    Some(_) => missed += usize::from(small == 0),
                    None => {}
                }
            }
            let appeared = appeared.expect("the face was found");
            println!(
                "{width} pixels, {others} others: after {appeared:.0} ms, then missed in {missed} frames"
            );
            // The searches of as many tiles, of which each takes a frame more to be due.
            let every = if others == 0 { 100.0 } else { 400.0 } + FRAME_MS;
            assert!(appeared <= every * f64::from(tiles), "{appeared}");
            assert_eq!(missed, 0);
        }
    }
}

#[test]
fn a_scene_cut_shows_at_once() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let mut video = Video::default();
    let mut frame = |places: &[At], ms: f64| {
        let seen = process(&mut video, &estimator, &head.frame(places), ms);
        (seen, video.faces().iter().map(|face| face.id).collect::<Vec<_>>())
    };
    assert_eq!(frame(&[at(150.0, 240.0)], 0.0).1, [1]);
    assert_eq!(frame(&[at(151.0, 240.0)], 33.0).0.mode, FrameMode::Follow);
    // The known face has gone from its place: the frame is searched, though it is not time.
    let (seen, ids) = frame(&[at(480.0, 200.0)], 66.0);
    assert_eq!((seen.mode, seen.estimated, ids), (FrameMode::Search, 1, vec![2]));
    let (seen, ids) = frame(&[], 99.0);
    assert_eq!((seen.mode, ids), (FrameMode::Search, vec![]));
}

#[test]
fn frames_that_show_nothing_new_are_skipped() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let still = head.frame(&[at(320.0, 240.0)]);
    let mut video = Video::default();
    let mut looked = Vec::new();
    for frame in 0..90u32 {
        // A camera's noise in a dim room.
        let seen = process(&mut video, &estimator, &noisy(&still, 5.0, frame), FRAME_MS * f64::from(frame));
        assert_eq!(video.faces().len(), 1);
        if seen.mode != FrameMode::Skip {
            looked.push(frame);
        }
    }
    println!("{looked:?}");
    // Half a second, and then a look each second.
    assert!(looked[..15].iter().copied().eq(0..15));
    assert_eq!(looked.len(), 17, "{looked:?}");
    // When the face moves by a thirtieth of its width, the frame is looked at.
    let moved = head.frame(&[at(324.0, 240.0)]);
    assert_ne!(process(&mut video, &estimator, &moved, 90.0 * FRAME_MS).mode, FrameMode::Skip);
}

#[test]
fn another_video_starts_anew() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let frame = head.frame(&[at(320.0, 240.0)]);
    let mut video = Video::default();
    process(&mut video, &estimator, &frame, 0.0);
    video.reset();
    assert!(video.faces().is_empty());
    assert_eq!(process(&mut video, &estimator, &frame, 0.0).mode, FrameMode::Search);
    assert_eq!(video.faces()[0].id, 1);
}

/// Two people who tremble, so that no frame is skipped.
fn two(head: &Head, frame: u32) -> Vec<u8> {
    let tremble = (frame % 2) as f32;
    head.frame(&[at(150.0 + tremble, 240.0), At { width: 100.0, ..at(450.0, 200.0 + tremble) }])
}

/// Whatever engine each frame comes to.
#[test]
fn a_switch_of_engines_keeps_ids_and_averages() {
    let (cpu, reference, waiting) = (estimator(), on(EngineKind::Reference), waiting());
    let head = Head::new(&cpu);
    let run = |engine: &dyn Fn(u32) -> usize| {
        let mut video = Video::default();
        let mut all = Vec::new();
        for frame in 0..24 {
            let estimator = [&cpu, &reference, &waiting][engine(frame)];
            process(&mut video, estimator, &two(&head, frame), FRAME_MS * f64::from(frame));
            let mut faces = video.faces().to_vec();
            faces.sort_by_key(|face| face.id);
            assert_eq!(faces.iter().map(|face| face.id).collect::<Vec<_>>(), [1, 2], "frame {frame}");
            all.push(faces);
        }
        all
    };
    let expected = run(&|_| 0);
    let switched: [&dyn Fn(u32) -> usize; 3] = [
        &|frame| usize::from(frame >= 8),
        // Answers that the one engine owes come while the other one runs.
        &|frame| 2 * usize::from((5..9).contains(&frame) || frame >= 14),
        &|frame| frame as usize % 3,
    ];
    for engine in switched {
        for (frame, (found, expected)) in run(engine).iter().zip(&expected).enumerate() {
            for (found, expected) in found.iter().zip(expected) {
                let off = (found.face.estimate.age - expected.face.estimate.age).abs();
                // What comes a frame late is averaged a frame later, which counts as long as there are few.
                assert!(off < if frame < 10 { 4.0 } else { 1.0 }, "frame {frame}: {off}");
                let left = (found.face.bbox[0] - expected.face.bbox[0]).abs();
                assert!(left < 0.5, "frame {frame}: {left}");
            }
        }
    }
}

#[test]
fn what_is_known_goes_from_one_video_to_another() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let mut video = Video::default();
    for frame in 0..12 {
        process(&mut video, &estimator, &two(&head, frame), FRAME_MS * f64::from(frame));
    }
    let before = video.faces().to_vec();
    let state = video.state();
    println!("{} bytes", state.len());
    let mut other = Video::default();
    other.restore(&state).unwrap();
    assert_eq!(other.state(), state);
    let report = process(&mut other, &estimator, &two(&head, 12), 12.0 * FRAME_MS);
    assert_eq!(report.mode, FrameMode::Search);
    process(&mut video, &estimator, &two(&head, 12), 12.0 * FRAME_MS);
    for (found, expected) in other.faces().iter().zip(video.faces()) {
        assert_eq!(found.id, expected.id);
        assert!((found.face.estimate.age - expected.face.estimate.age).abs() < 0.5);
        assert!((found.face.bbox[0] - expected.face.bbox[0]).abs() < 1.0);
    }
    assert_eq!(other.faces().len(), before.len());
    // A newcomer gets a new id.
    let third = head.frame(&[at(150.0, 240.0), at(320.0, 100.0)]);
    process(&mut other, &estimator, &third, 2000.0);
    let mut ids: Vec<u32> = other.faces().iter().map(|face| face.id).collect();
    ids.sort_unstable();
    let left = before.iter().min_by(|a, b| a.face.bbox[0].total_cmp(&b.face.bbox[0])).unwrap();
    assert_eq!(ids, [left.id, 3]);
}

#[test]
fn bytes_that_are_no_state_are_refused() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let mut video = Video::default();
    process(&mut video, &estimator, &two(&head, 0), 0.0);
    let state = video.state();
    let mut other = Video::default();
    for end in (0..state.len()).step_by(7) {
        assert!(other.restore(&state[..end]).is_err(), "cut off at {end}");
    }
    let frame = two(&head, 1);
    let (mut refused, mut taken) = (0, 0);
    for at in (0..state.len()).step_by(3) {
        for byte in [b'9', b'-', b'e', 0, 0xff] {
            let mut state = state.clone();
            state[at] = byte;
            match other.restore(&state) {
                Ok(()) => taken += 1,
                Err(_) => refused += 1,
            }
        }
        // Whatever was taken in does no harm.
        if at % 300 == 0 {
            process(&mut other, &estimator, &frame, 33.0);
            assert_eq!(other.faces().len(), 2);
        }
    }
    println!("{refused} refused, {taken} taken in");
    assert!(refused > 0 && taken > 0);
}

#[test]
fn a_face_that_fills_the_frame_is_followed() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let mut video = Video::default();
    for frame in 0..4u32 {
        let large = At { width: 340.0, ..at(320.0 + frame as f32, 240.0) };
        let rgba = head.frame(&[large]);
        let seen = process(&mut video, &estimator, &rgba, FRAME_MS * f64::from(frame));
        let expected = if frame == 0 { FrameMode::Search } else { FrameMode::Follow };
        assert_eq!((seen.mode, video.faces().len()), (expected, 1));
        // As good as a search.
        let searched =
            now(estimator.detect(&Frame::new(WIDTH, HEIGHT, &rgba).unwrap(), Search::Refined)).unwrap();
        let [face] = searched[..] else { panic!("{searched:?}") };
        let off = face.landmarks.iter().zip(video.faces()[0].face.landmarks);
        let off = off.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum::<f32>() / 6.0 / 340.0;
        println!("{:?}: landmarks differ by {:.1} % of the width", seen.mode, 100.0 * off);
        assert!(off < 0.04, "{off}");
    }
}

/// `cargo test --release --lib noise_and_motion -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn noise_and_motion() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    for width in [60.0, 120.0, 200.0] {
        let place = At { width, ..at(320.0, 240.0) };
        let still = head.frame(&[place]);
        for deviation in [2.0, 5.0, 10.0] {
            let differences = (0..20).map(|i| {
                let frames = [noisy(&still, deviation, 2 * i), noisy(&still, deviation, 2 * i + 1)];
                difference_of(&frames[0], &frames[1])
            });
            let largest = differences.fold(0.0, f32::max);
            println!("face of {width} pixels, noise of {deviation}: cells differ by up to {largest:.2}");
        }
        for part in [0.01, 0.02, 0.03, 0.05] {
            let moved = head.windows(&[(place, At { x: place.x + part * width, ..place })]);
            let difference = difference_of(&still, &moved);
            println!("face of {width} pixels, moved by {part} of its width: {difference:.2}");
        }
        let turned = head.windows(&[(place, At { degrees: 2.0, ..place })]);
        println!("face of {width} pixels, turned by 2 degrees: {:.2}", difference_of(&still, &turned));
    }
}

fn difference_of(a: &[u8], b: &[u8]) -> f32 {
    let [a, b] = [a, b].map(|rgba| {
        let mut cells = Vec::new();
        brightness(&Frame::new(WIDTH, HEIGHT, rgba).unwrap(), &mut cells);
        cells
    });
    scene::difference(&a, &b)
}

/// `cargo test --release --lib how_far_a_face_is_followed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_far_a_face_is_followed() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let whole = Rect::whole([WIDTH, HEIGHT]);
    let mut finder = Finder::default();
    for width in [60.0, 120.0, 200.0] {
        for part in [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] {
            let (mut followed, mut off, mut count) = (0, 0.0, 0);
            for i in 0..24u32 {
                let (angle, degrees) = (i as f32 * 0.2618, (i % 5) as f32 * 8.0 - 16.0);
                let from = At { width, degrees, ..at(310.0 + i as f32, 240.0) };
                let to = At {
                    x: from.x + part * width * angle.cos(),
                    y: from.y + part * width * angle.sin(),
                    ..from
                };
                let place =
                    |at: &At| Rect { x: at.x - width / 2.0, y: at.y - width / 2.0, width, height: width };
                let rgba = head.frame(&[to]);
                let frame = Frame::new(WIDTH, HEIGHT, &rgba).unwrap();
                count += 1;
                let run = async |regions: &[Region], outputs: &mut Outputs| {
                    let engine = &estimator.engine;
                    Ok::<_, EstimatorError>(
                        engine.run(Task::Detection, frame.into(), regions, outputs).await?,
                    )
                };
                if now(finder.follow(whole, &[place(&from)], run)).unwrap() {
                    followed += 1;
                    let to_frame = head.view(&to).inverse().unwrap();
                    let truth = head.face.landmarks.map(|p| to_frame.apply(p));
                    let found = finder.faces()[0].landmarks;
                    off +=
                        found.iter().zip(truth).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum::<f32>()
                            / 6.0
                            / width;
                }
            }
            println!(
                "face of {width} pixels, off by {part} of its width: {followed} of {count} followed, landmarks off by {:.1} %",
                100.0 * off / followed as f32
            );
        }
    }
}

/// `cargo test --release --lib how_estimates_scatter -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn how_estimates_scatter() {
    let estimator = estimator();
    let head = Head::new(&estimator);
    let mut ages = Vec::new();
    for i in 0..60u32 {
        let spread = |k: f32| (i as f32 * k) % 1.0 - 0.5;
        let place = At {
            x: 320.0 + 20.0 * spread(0.618),
            y: 240.0 + 20.0 * spread(0.755),
            width: 120.0,
            degrees: 10.0 * spread(0.569),
        };
        let rgba = noisy(&head.frame(&[place]), 3.0, i);
        let frame = Frame::new(WIDTH, HEIGHT, &rgba).unwrap();
        ages.push(now(estimator.estimate(&frame, Search::Refined)).unwrap()[0].estimate.age);
    }
    let deviation = |ages: &[f32]| {
        let mean = ages.iter().sum::<f32>() / ages.len() as f32;
        (ages.iter().map(|age| (age - mean).powi(2)).sum::<f32>() / ages.len() as f32).sqrt()
    };
    println!("standard deviation of {} estimates: {:.2} years", ages.len(), deviation(&ages));
    for n in [2, 3, 5, 10] {
        let means: Vec<f32> = ages.chunks_exact(n).map(|some| some.iter().sum::<f32>() / n as f32).collect();
        println!("of means of {n}: {:.2} years", deviation(&means));
    }
}
