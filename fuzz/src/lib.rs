//! What the targets share: numbers out of an input's bytes, Mien's own networks, a place for files.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;

use mien::picture::{Pixels, is_decoding};
use mien::vision::{Detection, Rect};
use mien::weights::Weights;

/// Bytes that are taken for decisions and numbers, one after the other; zeros where there are no more.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// Whether there is more.
    pub fn has_more(&self) -> bool {
        !self.0.is_empty()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A number from 0 to `end`, which is not among them.
    pub fn below(&mut self, end: usize) -> usize {
        if end <= 256 {
            usize::from(self.byte()) % end
        } else {
            u32::from_le_bytes(self.bytes()) as usize % end
        }
    }

    /// A number between two others.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * f32::from(u16::from_le_bytes(self.bytes())) / 65535.0
    }

    /// Any number there is, those at the edges of what numbers can say more often than others.
    pub fn any_f32(&mut self) -> f32 {
        const EDGES: [f32; 16] = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            0.5,
            f32::MIN_POSITIVE,
            f32::EPSILON,
            1e-20,
            1e9,
            -1e9,
            2_147_483_648.0,
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
        ];
        match self.byte() {
            kind @ 0..=63 => EDGES[usize::from(kind % 16)],
            64..=127 => f32::from(i16::from_le_bytes(self.bytes())) / 16.0,
            _ => f32::from_le_bytes(self.bytes()),
        }
    }

    /// The same, of those with twice the bits.
    pub fn any_f64(&mut self) -> f64 {
        match self.byte() {
            0..=63 => f64::from(self.any_f32()),
            64..=127 => {
                [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 1e300, -1e300, 1e15, 1e-9][self.below(8)]
            }
            _ => f64::from_le_bytes(self.bytes()),
        }
    }

    /// The time of a video's next frame, after that of the last one, in milliseconds: often as a camera has
    /// it, else anything.
    pub fn next_ms(&mut self, last: f64) -> f64 {
        let from = if last.is_finite() { last } else { 0.0 };
        match self.byte() {
            0..=99 => from + 33.0,
            100..=159 => from + f64::from(self.byte()),
            160..=189 => from + f64::from(u16::from_le_bytes(self.bytes())),
            190..=209 => from - f64::from(u16::from_le_bytes(self.bytes())),
            210..=219 => from,
            220..=229 => from + self.any_f64(),
            _ => self.any_f64(),
        }
    }

    /// A face somewhere in a picture of a few hundred pixels, as a finder has it.
    pub fn face(&mut self) -> Detection {
        let [x, y] = [0; 2].map(|_| f32::from(self.byte()));
        let side = 8.0 + f32::from(self.byte() % 96);
        let score = self.between(0.0, 1.0);
        let tremble = f32::from(self.byte()) / 64.0;
        let point = |u: f32, v: f32| [x + u * side + tremble, y + v * side];
        let landmarks = [
            point(0.3, 0.3),
            point(0.7, 0.3),
            point(0.5, 0.55),
            point(0.5, 0.8),
            point(0.0, 0.4),
            point(1.0, 0.4),
        ];
        Detection { bbox: Rect { x, y, width: side, height: side }, score, landmarks }
    }

    /// A face whose numbers are any.
    pub fn any_face(&mut self) -> Detection {
        let bbox = self.any_rect();
        let score = self.any_f32();
        Detection { bbox, score, landmarks: [0; 6].map(|_| [self.any_f32(), self.any_f32()]) }
    }

    /// A rectangle whose numbers are any.
    pub fn any_rect(&mut self) -> Rect {
        let [x, y, width, height] = [0; 4].map(|_| self.any_f32());
        Rect { x, y, width, height }
    }
}

/// The weights of the face finder.
pub fn detector() -> Weights {
    Weights::from_bytes(include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors"))
        .expect("Mien's own weights")
}

/// Those of the smallest network.
pub fn m_cnn() -> Weights {
    Weights::from_bytes(include_bytes!("../../model-weights/m-cnn/m-cnn.safetensors"))
        .expect("Mien's own weights")
}

/// A face, and much around it.
pub fn portrait() -> Pixels {
    Pixels::decode(include_bytes!("../../tests/data/astronaut.png")).expect("a picture of the tests")
}

/// A folder for files of a target: below TMPDIR, since nobody clears it away.
pub fn folder(target: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mien-fuzz-{target}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder in TMPDIR");
    folder
}

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// To be called once, at the beginning: panics of a decoder, which Mien catches, are not found to be faults.
/// (libFuzzer's hook ends the program before anything can be caught.)
pub fn let_decoders_panic() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !is_decoding() && !CAUGHT.get() {
            hook(panic);
        }
    }));
}

/// What a decoder says, or `None` where it panics.
pub fn caught<T>(run: impl FnOnce() -> T) -> Option<T> {
    CAUGHT.set(true);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
    CAUGHT.set(false);
    result.ok()
}

/// The table of a prepared data set of two crops.
pub const TOY_TABLE: &str = "file,refused,part,age_low,age_high,gender,race\n0.png,,train,7,7,male,\n1.png,,validation,20,29,,Asian\n";
