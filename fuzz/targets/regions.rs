//! Regions of a frame, wherever they lie and however they are turned and scaled, through the CPU engine's
//! sampling.

#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use mien::engine::cpu::{DetectionNetwork, brightness};
use mien::engine::region::CELLS;
use mien::engine::{Outputs, Region};
use mien::net::blaze_face::{VALUES, anchors};
use mien::picture::{Border, Frame, SampleBuffers, Similarity};
use mien::vision::alignment;
use mien_fuzz::{Input, detector};

/// A sixteenth of the detector's work.
const SIDE: usize = 32;
/// More pixels take longer and nothing else.
const MOST_PIXELS: usize = 1 << 14;

thread_local! {
    static NETWORK: RefCell<DetectionNetwork> =
        RefCell::new(DetectionNetwork::new(&detector()).expect("the detector's weights"));
    static BUFFERS: RefCell<SampleBuffers> = RefCell::default();
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    // Which takes ten times as long.
    let runs_network = input.byte() < 16;
    // Now and then longer than what a reduced copy is made of.
    let widest = if input.byte() < 32 { 3000 } else { 64 };
    let width = 1 + input.below(widest);
    let height = 1 + input.below((MOST_PIXELS / width).min(256));
    let [darkest, brightest] = input.bytes();
    let (darkest, brightest) = (darkest.min(brightest), darkest.max(brightest));
    let span = u32::from(brightest - darkest) + 1;
    let seed = u32::from(input.byte());
    let value = |i: usize| (i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed << 20) >> 13;
    let rgba: Vec<u8> = (0..width * height * 4).map(|i| darkest + (value(i) % span) as u8).collect();
    let frame = Frame::new(width, height, &rgba).expect("so many bytes");

    let regions: Vec<Region> = (0..1 + input.below(6)).map(|_| region(&mut input)).collect();
    for Region { transform, border, .. } in &regions {
        is_between(
            &frame,
            transform,
            *border,
            [darkest, brightest],
            [1 + input.below(33), 1 + input.below(9)],
        );
    }
    if !runs_network {
        return;
    }
    let mut outputs = Outputs::default();
    NETWORK.with_borrow_mut(|network| network.run(&frame, &regions, &mut outputs));
    assert_eq!(outputs.rows().count(), regions.len());
    for row in outputs.rows() {
        assert_eq!(row.len(), anchors(SIDE) * (VALUES + 1));
        assert!(row.iter().all(|number| number.is_finite()));
    }

    let mut cells = Vec::new();
    brightness(&frame, &mut cells);
    assert_eq!(cells.len(), CELLS * CELLS);
    let range = f32::from(darkest)..=f32::from(brightest);
    assert!(cells.iter().all(|cell| range.contains(cell)));
});

fn region(input: &mut Input) -> Region {
    let transform = match input.byte() {
        0..=63 => {
            Similarity { a: input.any_f32(), b: input.any_f32(), tx: input.any_f32(), ty: input.any_f32() }
        }
        // Upright, which is sampled in a way of its own.
        64..=127 => Similarity { a: input.any_f32(), b: 0.0, tx: input.any_f32(), ty: input.any_f32() },
        // Of landmarks, as faces have it.
        128..=159 => alignment::alignment(&input.any_face().landmarks)
            .unwrap_or_else(|| alignment::centred_square([1 + input.below(256), 1 + input.below(256)])),
        160..=191 => alignment::alignment(&input.face().landmarks).expect("it has eyes and a mouth"),
        _ => Similarity::new(
            input.between(0.01, 40.0),
            input.between(-4.0, 4.0),
            input.between(-300.0, 300.0),
            input.between(-300.0, 300.0),
        ),
    };
    let [border, mirrored] = input.bytes();
    let border = if border < 128 { Border::Black } else { Border::Replicate };
    Region { transform, side: SIDE, border, mirrored: mirrored < 64 }
}

/// Means of pixels are no darker than the darkest of them and no brighter than the brightest.
fn is_between(
    frame: &Frame,
    transform: &Similarity,
    border: Border,
    [darkest, brightest]: [u8; 2],
    [width, height]: [usize; 2],
) {
    let mut out = vec![0; width * height * 3];
    BUFFERS.with_borrow_mut(|buffers| {
        frame.sample_into(transform, [width, height], border, buffers, &mut out);
    });
    let darkest = if border == Border::Black { 0 } else { darkest };
    assert!(
        out.iter().all(|value| (darkest..=brightest).contains(value)),
        "{transform:?} {border:?} {width}x{height} {out:?}"
    );
}
