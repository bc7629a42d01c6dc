//! Made-up frames of a video: the head of the sample picture, moved about before a grey wall. For tests
//! within the library and measurements outside, so it takes the library's types from the module above.

use pollster::block_on;

use super::{Border, Detection, Estimator, Pixels, Search, Similarity};

/// Of a frame.
pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 480;

/// The head of the sample picture, which is square.
pub struct Head {
    picture: Pixels,
    /// Where its face is in the picture.
    pub face: Detection,
}

/// Where a head is in a frame: centre of the face, its width in pixels, and how far it is turned, in degrees.
#[derive(Debug, Clone, Copy)]
pub struct At {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub degrees: f32,
}

impl Head {
    pub fn new(estimator: &Estimator) -> Self {
        Self::of(estimator, Pixels::decode(include_bytes!("../../www/sample.jpg")).unwrap())
    }

    /// That of another picture with one face.
    pub fn of(estimator: &Estimator, picture: Pixels) -> Self {
        let faces = block_on(estimator.detect(&picture.frame(), Search::Refined)).unwrap();
        let [face] = faces[..] else { panic!("{faces:?}") };
        Self { picture, face }
    }

    /// From pixels of a frame to pixels of the picture.
    pub fn view(&self, at: &At) -> Similarity {
        let turn = Similarity::new(self.face.bbox.width / at.width, -at.degrees.to_radians(), 0.0, 0.0);
        let ([fx, fy], [cx, cy]) = (turn.apply([at.x, at.y]), self.face.bbox.centre());
        turn.shifted(cx - fx, cy - fy)
    }

    /// A frame with this head in some places.
    pub fn frame(&self, places: &[At]) -> Vec<u8> {
        let places: Vec<_> = places.iter().map(|at| (*at, *at)).collect();
        self.windows(&places)
    }

    /// A frame with windows (the first of each pair) through which the head is seen (where the second one
    /// says).
    pub fn windows(&self, places: &[(At, At)]) -> Vec<u8> {
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

/// A face of 120 pixels, upright.
pub fn at(x: f32, y: f32) -> At {
    At { x, y, width: 120.0, degrees: 0.0 }
}

/// Adds noise of a standard deviation (sums of four uniform numbers).
pub fn noisy(rgba: &[u8], deviation: f32, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut uniform = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    let mut noise = || (uniform() + uniform() + uniform() + uniform()) * 3f32.sqrt() * deviation;
    rgba.iter().map(|value| (f32::from(*value) + noise()).round() as u8).collect()
}
