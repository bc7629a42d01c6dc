//! That the frames of a video allocate nothing on the CPU engine, once the first of them have been seen.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use mien::engine::EngineKind;
use mien::picture::Pixels;
use mien::picture::{Frame, Similarity};
use mien::pipeline::estimator::Estimator;
use mien::pipeline::schedule::Look;
use mien::pipeline::video::Video;
use mien::weights::Weights;

thread_local! {
    /// Allocations of this thread. (The test runner has others.)
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, counting.
struct Counting;

fn count() {
    // Threads that end allocate after their locals are gone; nobody counts those.
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: all of it is the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
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

/// Waits for what needs no waiting: the CPU engine is done when it returns.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}

fn weights(path: &str) -> Weights {
    let path = format!("{}/model-weights/{path}.safetensors", env!("CARGO_MANIFEST_DIR"));
    Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap()
}

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

    for network in ["d-cnn/d-cnn", "m-cnn/m-cnn"] {
        let estimator =
            now(Estimator::new(EngineKind::Cpu, &weights("blazeface/blazeface-short"), &weights(network)))
                .unwrap();
        let mut video = Video::default();
        let (mut looks, mut searches) = (Vec::new(), 0);
        for (i, frame) in frames.iter().enumerate() {
            let before = COUNT.get();
            let seen = now(video.look(&estimator, frame, 33.0 * i as f64)).unwrap();
            let allocated = COUNT.get() - before;
            assert_eq!(video.faces().len(), 2, "{network}: frame {i}");
            searches += usize::from(seen.look == Look::Search);
            // The first one sees the buffers grow; the second is the first to be followed rather than searched, and the second search the first
            // of a tile.
            let grows = seen.look == Look::Search && searches == 2;
            if i == 0 {
                assert!(allocated > 0, "allocations are counted");
            } else if i > 1 && !grows {
                assert_eq!(allocated, 0, "{network}: frame {i}, {seen:?}");
                looks.push((seen.look, seen.estimated));
            }
        }
        // All that frames are made of was among them: searching and following, with estimates and without.
        for look in [Look::Search, Look::Follow] {
            assert!(looks.iter().any(|(seen, _)| *seen == look), "{looks:?}");
        }
        for estimated in [0, 1, 2] {
            assert!(looks.iter().any(|(_, count)| *count == estimated), "{looks:?}");
        }
    }
}
