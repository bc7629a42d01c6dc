//! Pictures of small and odd sizes, with a face in them or without, through the whole estimator.

#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::fuzz_target;
use mien::engine::EngineKind;
use mien::picture::{Border, Frame, Pixels, Similarity, flatten};
use mien::pipeline::estimator::{Estimator, Face, Looks, Photo};
use mien::vision::{DetectorOptions, Search};
use mien_fuzz::{Input, detector, m_cnn, portrait};
use pollster::block_on;

/// A picture that is longer is searched in tiles, at ten times the work: in a few of them only.
const SMALL: usize = 192;

thread_local! {
    static ESTIMATORS: LazyCell<[Estimator; 2]> = LazyCell::new(|| {
        [Looks::One, Looks::Mirrored].map(|looks| {
            let estimator = block_on(Estimator::new(EngineKind::Cpu, &detector(), &m_cnn()));
            estimator.expect("the CPU and Mien's own weights").with_looks(looks)
        })
    });
    static PORTRAIT: LazyCell<Pixels> = LazyCell::new(portrait);
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let [kind, looks] = input.bytes();
    let search = match kind {
        0..=127 => Search::Whole,
        128..=223 => Search::Refined,
        _ => Search::Tiled,
    };
    let most = if search != Search::Tiled || kind >= 254 { 320 } else { SMALL };
    let [width, height] = [1 + input.below(most), 1 + input.below(most)];
    let mut rgba = PORTRAIT.with(|portrait| seen(portrait, [width, height], &mut input));
    // And over it what is left, again and again.
    let over = input.rest();
    if !over.is_empty() {
        rgba.iter_mut().zip(over.iter().cycle()).for_each(|(value, other)| *value ^= other);
        flatten(&mut rgba);
    }
    let frame = Frame::new(width, height, &rgba).expect("so many bytes");
    let photo = ESTIMATORS.with(|estimators| {
        block_on(estimators[usize::from(looks % 2)].estimate_timed(frame, search))
            .expect("the CPU does not stop")
    });
    let Photo { faces, remarks, .. } = photo;
    assert!(faces.len() <= DetectorOptions::default().most_faces);
    assert!(faces.is_sorted_by(|a, b| a.score >= b.score));
    assert!([0, 90, 180, 270].contains(&remarks.turn));
    assert!(search == Search::Tiled || remarks.turn == 0);
    for face in &faces {
        is_possible(face, [width, height]);
    }
});

/// The portrait as it is seen from somewhere, or nothing.
fn seen(portrait: &Pixels, [width, height]: [usize; 2], input: &mut Input) -> Vec<u8> {
    let transform = match input.byte() {
        0..=63 => return vec![input.byte(); width * height * 4],
        // The face, filling the picture more or less, turned now and then.
        64..=159 => {
            let scale = input.between(60.0, 400.0) / width.max(height) as f32;
            let angle = if input.byte() < 192 { 0.0 } else { input.between(-3.2, 3.2) };
            let face = Similarity::new(scale, angle, 0.0, 0.0);
            let [x, y] = face.apply([width as f32 / 2.0, height as f32 / 2.0]);
            face.shifted(220.0 - x + input.between(-50.0, 50.0), 120.0 - y + input.between(-50.0, 50.0))
        }
        _ => Similarity::new(
            input.between(0.1, 12.0),
            input.between(-3.2, 3.2),
            input.between(-200.0, 500.0),
            input.between(-200.0, 500.0),
        ),
    };
    let rgb = portrait.frame().sample(&transform, width, height, Border::Replicate);
    rgb.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect()
}

fn is_possible(face: &Face, [width, height]: [usize; 2]) {
    let Face { bbox, score, landmarks, estimate } = face;
    assert!((0.0..=1.0).contains(score), "{score}");
    let [left, top, wide, high] = *bbox;
    assert!(wide > 0.0 && high > 0.0, "{bbox:?}");
    // Not far from the picture.
    let far = 4.0 * width.max(height) as f32 + 64.0;
    let places = landmarks.iter().flatten().chain([&left, &top, &wide, &high]);
    assert!(places.clone().all(|place| place.abs() < far), "{face:?}");
    let [low, high] = estimate.age_range;
    assert!(0.0 <= low && low <= estimate.age && estimate.age <= high && high <= 99.0, "{estimate:?}");
    let ages: f32 = estimate.age_distribution.probabilities().iter().sum();
    let gender = estimate.gender.female + estimate.gender.male;
    assert!((ages - 1.0).abs() < 1e-3 && (gender - 1.0).abs() < 1e-5, "{estimate:?}");
    assert!((0.0..=1.0).contains(&estimate.gender.female));
    if let Some([young, old]) = estimate.hills {
        assert!(young.age <= old.age && (young.share + old.share - 1.0).abs() < 1e-5, "{estimate:?}");
    }
}
