//! Frames of a video at whatever times, of changing sizes, with interruptions.

#![no_main]

use std::cell::LazyCell;
use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use mien::engine::EngineKind;
use mien::picture::{Border, Frame, Pixels, Similarity};
use mien::pipeline::{Estimator, Video};
use mien_fuzz::{Input, detector, m_cnn, portrait};
use pollster::block_on;

/// Each takes milliseconds.
const MOST_FRAMES: usize = 4;

thread_local! {
    static ESTIMATOR: LazyCell<Estimator> = LazyCell::new(|| {
        let estimator = block_on(Estimator::new(EngineKind::Cpu, &detector(), &m_cnn()));
        estimator.expect("the CPU and Mien's own weights")
    });
    static PORTRAIT: LazyCell<Pixels> = LazyCell::new(portrait);
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut video = Video::default();
    let (mut time, mut size) = (0.0, [48, 48]);
    for _ in 0..MOST_FRAMES {
        if !input.has_more() {
            break;
        }
        match input.byte() {
            0..=7 => video.reset(),
            8..=15 => {
                let state = video.state();
                let mut other = Video::default();
                other.restore(&state).expect("a state of its own");
                assert_eq!(other.state(), state);
                video = other;
            }
            16..=39 => size = [1 + input.below(72), 1 + input.below(72)],
            _ => {}
        }
        time = input.next_ms(time);
        let rgba = PORTRAIT.with(|portrait| seen(portrait, size, &mut input));
        let frame = Frame::new(size[0], size[1], &rgba).expect("so many bytes");
        let report = ESTIMATOR.with(|estimator| block_on(video.process(estimator, frame, time)));
        let report = report.expect("the CPU does not stop");
        let faces = video.faces();
        assert!(report.estimated <= 300, "{report:?}");
        let ids: HashSet<u32> = faces.iter().map(|face| face.id).collect();
        assert_eq!(ids.len(), faces.len(), "{faces:?}");
        for face in faces {
            let estimate = &face.face.estimate;
            let [low, high] = estimate.age_range;
            assert!(
                0.0 <= low && low <= estimate.age && estimate.age <= high && high <= 99.0,
                "{estimate:?}"
            );
            assert!((0.0..=1.0).contains(&estimate.gender.female), "{estimate:?}");
            let places = face.face.landmarks.iter().flatten().chain(&face.face.bbox);
            assert!(places.clone().all(|place| place.abs() < 1e4), "{face:?}");
        }
    }
});

/// The portrait's face, here or there, or nothing.
fn seen(portrait: &Pixels, [width, height]: [usize; 2], input: &mut Input) -> Vec<u8> {
    let [light, at, far] = input.bytes();
    if light < 24 {
        return vec![light; width * height * 4];
    }
    let scale = (100.0 + f32::from(far)) / width.max(height) as f32;
    let shift = f32::from(at) / 4.0 - 32.0;
    let [x, y] = [width, height].map(|side| scale * side as f32 / 2.0);
    let transform = Similarity::new(scale, 0.0, 220.0 - x + shift, 120.0 - y);
    let rgb = portrait.frame().sample(&transform, width, height, Border::Replicate);
    rgb.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect()
}
