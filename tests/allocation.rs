//! That the frames of a video allocate nothing on the CPU engine, once the first of them have been seen; and
//! that no photo takes more memory than its own pixels do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mien::engine::EngineKind;
use mien::picture::Pixels;
use mien::picture::{Frame, Similarity};
use mien::pipeline::estimator::Estimator;
use mien::pipeline::schedule::FrameMode;
use mien::pipeline::video::Video;
use mien::vision::Search;
use mien::weights::Weights;
use pollster::block_on;

thread_local! {
    /// Allocations of this thread. (The test runner has others.)
    static COUNT: Cell<usize> = const { Cell::new(0) };
    /// Their bytes.
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

fn count(bytes: usize) {
    // Threads that end allocate after their locals are gone; nobody counts those.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|all| all.set(all.get().saturating_add(bytes)));
}

// SAFETY: all of it is the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn weights(path: &str) -> Weights {
    let path = format!("{}/model-weights/{path}.safetensors", env!("CARGO_MANIFEST_DIR"));
    Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap()
}

/// After so many frames, 33 ms apart, each part of the frame has been looked at, one each 100 ms.
const SEEN: usize = 46;

#[test]
fn frames_allocate_nothing() {
    let sample =
        Pixels::decode(&std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/www/sample.jpg")).unwrap())
            .unwrap();
    let sample = sample.frame();
    let (width, height) = (640, 480);
    // Two faces that move from frame to frame.
    let frames: Vec<Vec<u8>> = (0..30)
        .map(|i| {
            let view = Similarity::new(0.9, 0.0, 3.0 * i as f32 + 20.0, 2.0 * i as f32 - 60.0);
            let rgb = sample.sample(&view, width / 2, height, mien::picture::Border::Replicate);
            let row = |row: &[u8]| row.chunks(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect::<Vec<_>>();
            rgb.chunks(width / 2 * 3).flat_map(|pixels| row(pixels).repeat(2)).collect()
        })
        .collect();
    let frames: Vec<_> = frames.iter().map(|rgba| Frame::new(width, height, rgba).unwrap()).collect();

    for network in ["lite/lite", "d-cnn/d-cnn", "m-cnn/m-cnn"] {
        let estimator = block_on(Estimator::new(
            EngineKind::Cpu,
            &weights("blazeface/blazeface-short"),
            &weights(network),
        ))
        .unwrap();
        let mut video = Video::default();
        let mut modes = Vec::new();
        // There, back, and there again.
        let there_and_back = frames.iter().chain(frames.iter().rev()).chain(&frames);
        for (i, frame) in there_and_back.enumerate() {
            let before = COUNT.get();
            let report = block_on(video.process(&estimator, frame, 33.0 * i as f64)).unwrap();
            let allocated = COUNT.get() - before;
            assert_eq!(video.faces().len(), 2, "{network}: frame {i}");
            if i == 0 {
                assert!(allocated > 0, "allocations are counted");
            } else if i >= SEEN {
                assert_eq!(allocated, 0, "{network}: frame {i}, {report:?}");
                modes.push((report.mode, report.estimated));
            }
        }
        // All that frames are made of was among them: searching and following, with estimates and without.
        for mode in [FrameMode::Search, FrameMode::Follow] {
            assert!(modes.iter().any(|(seen, _)| *seen == mode), "{modes:?}");
        }
        for estimated in [0, 1] {
            assert!(modes.iter().any(|(_, count)| *count == estimated), "{modes:?}");
        }
    }
}

/// Pictures that are much longer than wide are searched with a border as well, since no face is in them:
/// without a copy.
#[test]
fn a_photo_takes_no_more_than_its_pixels() {
    let estimator = block_on(Estimator::new(
        EngineKind::Cpu,
        &weights("blazeface/blazeface-short"),
        &weights("d-cnn/d-cnn"),
    ))
    .unwrap();
    for (width, height) in [(30_000, 200), (200, 30_000), (1080, 20_000), (16_384, 1), (4000, 3000)] {
        let rgba = vec![90; width * height * 4];
        let frame = Frame::new(width, height, &rgba).unwrap();
        let before = BYTES.get();
        let faces = block_on(estimator.estimate(frame, Search::Tiled)).unwrap();
        let bytes = BYTES.get() - before;
        println!("{width}x{height}: {bytes} of {} bytes", rgba.len());
        assert!(faces.is_empty());
        // The networks' own buffers are the least of it.
        assert!(bytes < rgba.len().max(16 << 20), "{width}x{height}: {bytes}");
    }
}

/// A colour profile of nothing but zeros, packed a thousand times smaller: such a picture has none.
#[test]
fn what_is_packed_in_a_file_takes_no_more_than_is_useful() {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    encoder.set_icc_profile(vec![0; 100 << 20]).unwrap();
    encoder.write_image(&[90; 48], 4, 4, ExtendedColorType::Rgb8).unwrap();
    assert!(file.len() < 1 << 20, "{} bytes", file.len());
    let before = BYTES.get();
    let picture = Pixels::decode(&file).unwrap();
    let bytes = BYTES.get() - before;
    assert_eq!(picture.into_image().into_raw(), [90, 90, 90, 255].repeat(16));
    assert!(bytes < 50 << 20, "{bytes}");
}
