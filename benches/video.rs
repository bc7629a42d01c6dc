//! What the constants of the search and of videos rest on, measured on made-up pictures:
//! `cargo bench --bench video`. Prints tables; docs/measurements.md keeps them.

use std::cell::RefCell;
use std::time::Instant;

use mien::engine::cpu::{DetectionNetwork, brightness};
use mien::engine::{Engine, EngineKind, Outputs, Region, Task};
use mien::picture::{Border, Frame, Pixels, Similarity};
use mien::pipeline::estimator::{Estimator, EstimatorError};
use mien::vision::{Detection, DetectionError, DetectorOptions, Finder, Rect, Search, find};
use mien::weights::Weights;
use pollster::block_on;

#[path = "../tests/heads/group.rs"]
mod group;
#[path = "../tests/heads/moving.rs"]
mod moving;

use group::{Heads, SIDE, astronaut};
use moving::{At, HEIGHT, Head, WIDTH, at, noisy};

fn main() {
    let [detector, network] = weights();
    let estimator = block_on(Estimator::new(EngineKind::Cpu, &detector, &network)).unwrap();
    let head = Head::new(&estimator);
    faces_by_size(&detector);
    noise_and_motion(&head);
    how_far_a_face_is_followed(
        &head,
        &block_on(Engine::start(EngineKind::Cpu, &detector, &network)).unwrap(),
    );
    how_estimates_scatter(&head, &estimator);
}

/// Detector and network.
fn weights() -> [Weights; 2] {
    let detector = include_bytes!("../model-weights/blazeface/blazeface-short.safetensors");
    let network = include_bytes!("../model-weights/d-cnn/d-cnn.safetensors");
    [&detector[..], network].map(|file| Weights::from_bytes(file).unwrap())
}

fn title(words: &str, columns: &[&str]) {
    println!("\n{words}\n\n| {} |", columns.join(" | "));
    println!("|{}", "---|".repeat(columns.len()));
}

/// How small a face each search finds, and how well it places landmarks.
fn faces_by_size(detector: &Weights) {
    let network = RefCell::new(DetectionNetwork::new(detector).unwrap());
    let search = |frame: &Frame, search| {
        let run = |regions: &[Region], outputs: &mut Outputs| {
            outputs.clear();
            network.borrow_mut().run(frame, regions, outputs);
            Ok::<_, DetectionError>(())
        };
        let whole = Rect::whole([frame.width(), frame.height()]);
        find(whole, search, &DetectorOptions::default(), run).unwrap()
    };
    let rgba = astronaut();
    let truth = search(&Frame::new(SIDE, SIDE, &rgba).unwrap(), Search::Tiled)[0].landmarks;
    title(
        "Copies of the astronaut's head in a picture of 12 megapixels. Landmarks: mean distance from their places, of the face's width.",
        &["face, of the long side", "search", "found", "other faces", "landmarks off by", "seconds"],
    );
    for part in [0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.05, 0.045, 0.04, 0.035, 0.03] {
        let heads = Heads::new(part);
        for kind in [Search::Whole, Search::Refined, Search::Tiled] {
            let start = Instant::now();
            let found = search(&heads.frame(), kind);
            let seconds = start.elapsed().as_secs_f64();
            let found = heads.compare(&found, &truth);
            let error = match found.heads {
                0 => "-".into(),
                _ => format!("{:.1} %", 100.0 * found.error),
            };
            println!(
                "| {:.1} % | {kind:?} | {} of {} | {} | {error} | {seconds:.3} |",
                100.0 * part,
                found.heads,
                heads.places.len(),
                found.others,
            );
        }
    }
}

/// By how much noise and small motions change the brightness of the cells that frames are compared by.
fn noise_and_motion(head: &Head) {
    let difference = |a: &[u8], b: &[u8]| {
        let [a, b] = [a, b].map(|rgba| {
            let mut cells = Vec::new();
            brightness(&Frame::new(WIDTH, HEIGHT, rgba).unwrap(), &mut cells);
            cells
        });
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };
    title(
        "Frames of 640x480 pixels: by how much the cell that differs most does, of 255.",
        &["face", "change", "difference"],
    );
    for width in [60.0, 120.0, 200.0] {
        let place = At { width, ..at(320.0, 240.0) };
        let still = head.frame(&[place]);
        for deviation in [2.0, 5.0, 10.0] {
            let differences = (0..20).map(|i| {
                let frames = [noisy(&still, deviation, 2 * i), noisy(&still, deviation, 2 * i + 1)];
                difference(&frames[0], &frames[1])
            });
            let largest = differences.fold(0.0, f32::max);
            println!("| {width} pixels | noise of {deviation} (the most of 20) | {largest:.2} |");
        }
        for part in [0.01, 0.02, 0.03, 0.05] {
            let moved = head.windows(&[(place, At { x: place.x + part * width, ..place })]);
            let change = difference(&still, &moved);
            println!("| {width} pixels | moved by {part} of its width | {change:.2} |");
        }
        let turned = head.windows(&[(place, At { degrees: 2.0, ..place })]);
        println!("| {width} pixels | turned by 2 degrees | {:.2} |", difference(&still, &turned));
    }
}

/// How far from where it is expected a refinement still finds a face.
fn how_far_a_face_is_followed(head: &Head, engine: &Engine) {
    let whole = Rect::whole([WIDTH, HEIGHT]);
    let mut finder = Finder::default();
    title(
        "A known face, in 24 directions from where it is expected, turned by up to 16 degrees.",
        &["face", "off by, of its width", "followed", "landmarks off by, of its width"],
    );
    for width in [60.0, 120.0, 200.0] {
        for part in [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] {
            let (mut followed, mut off) = (0, 0.0);
            for i in 0..24u32 {
                let (angle, degrees) = (i as f32 * 0.2618, (i % 5) as f32 * 8.0 - 16.0);
                let from = At { width, degrees, ..at(310.0 + i as f32, 240.0) };
                let to = At {
                    x: from.x + part * width * angle.cos(),
                    y: from.y + part * width * angle.sin(),
                    ..from
                };
                let expected =
                    Rect { x: from.x - width / 2.0, y: from.y - width / 2.0, width, height: width };
                let rgba = head.frame(&[to]);
                let frame = Frame::new(WIDTH, HEIGHT, &rgba).unwrap();
                let run = async |regions: &[Region], outputs: &mut Outputs| {
                    Ok::<_, EstimatorError>(
                        engine.run(Task::Detection, frame.into(), regions, outputs).await?,
                    )
                };
                if block_on(finder.follow(whole, None, &[expected], run)).unwrap() {
                    followed += 1;
                    let to_frame = head.view(&to).inverse().unwrap();
                    let truth = head.face.landmarks.map(|p| to_frame.apply(p));
                    let distances = finder.faces()[0].landmarks.iter().zip(truth);
                    let distances = distances.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]));
                    off += distances.sum::<f32>() / 6.0 / width;
                }
            }
            let off = match followed {
                0 => "-".into(),
                _ => format!("{:.1} %", 100.0 * off / followed as f32),
            };
            println!("| {width} pixels | {part} | {followed} of 24 | {off} |");
        }
    }
}

/// How far single estimates of a face and means of some of them scatter.
fn how_estimates_scatter(head: &Head, estimator: &Estimator) {
    let age = |i: u32| {
        let spread = |k: f32| (i as f32 * k) % 1.0 - 0.5;
        let place = At {
            x: 320.0 + 20.0 * spread(0.618),
            y: 240.0 + 20.0 * spread(0.755),
            width: 120.0,
            degrees: 10.0 * spread(0.569),
        };
        let rgba = noisy(&head.frame(&[place]), 3.0, i);
        let frame = Frame::new(WIDTH, HEIGHT, &rgba).unwrap();
        block_on(estimator.estimate(&frame, Search::Refined)).unwrap()[0].estimate.age
    };
    let ages: Vec<f32> = (0..60).map(age).collect();
    let deviation = |ages: &[f32]| {
        let mean = ages.iter().sum::<f32>() / ages.len() as f32;
        (ages.iter().map(|age| (age - mean).powi(2)).sum::<f32>() / ages.len() as f32).sqrt()
    };
    title(
        "60 estimates of one face, a little moved and turned from each to the next, with noise of 3.",
        &["mean of", "standard deviation, years"],
    );
    for n in [1, 2, 3, 5, 10] {
        let means: Vec<f32> = ages.chunks_exact(n).map(|some| some.iter().sum::<f32>() / n as f32).collect();
        println!("| {n} | {:.2} |", deviation(&means));
    }
}
