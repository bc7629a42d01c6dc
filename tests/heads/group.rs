//! Pictures made of the astronaut's head. For tests within the library and measurements outside, so they take
//! the library's types from the module above.

use super::{Border, Detection, Frame, Similarity};

/// Of the astronaut picture.
pub const SIDE: usize = 512;

pub fn astronaut() -> Vec<u8> {
    let png = include_bytes!("../../tests/data/astronaut.png");
    image::load_from_memory(png).unwrap().into_rgba8().into_raw()
}

/// A picture with copies of the astronaut's head: centre x, y, width of the face's box in pixels, and
/// rotation in degrees of each.
pub fn group(width: usize, height: usize, heads: &[[f32; 4]]) -> Vec<u8> {
    let source = astronaut();
    let source = Frame::new(SIDE, SIDE, &source).unwrap();
    // A wall with some structure.
    let mut rgba: Vec<u8> = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let v = 110 + (x / 40 + y / 25) as u8 % 7 * 8 + (x * 7 + y * 13) as u8 % 11;
            [v, v - 10, v - 20, 255]
        })
        .collect();
    for &[cx, cy, face, degrees] in heads {
        // The face's box is 94.5 pixels wide around (224.5, 128) in the picture; the head fits into 2.2 times
        // that.
        let scale = 94.5 / face;
        let side = (2.2 * face) as usize;
        let turn = Similarity::new(scale, degrees.to_radians(), 0.0, 0.0);
        let [dx, dy] = turn.apply([side as f32 / 2.0, side as f32 / 2.0]);
        let from = Similarity { tx: 224.5 - dx, ty: 128.0 - dy, ..turn };
        let patch = source.sample(&from, side, side, Border::Replicate);
        let (left, top) = (cx as usize - side / 2, cy as usize - side / 2);
        for (i, rgb) in patch.chunks(3).enumerate() {
            let at = ((top + i / side) * width + left + i % side) * 4;
            rgba[at..at + 3].copy_from_slice(rgb);
        }
    }
    rgba
}

/// The heads that have a detection in their place and of their size, and how many detections there are beside
/// them.
pub fn recognised(found: &[Detection], heads: &[[f32; 4]]) -> (Vec<[f32; 4]>, usize) {
    let is = |d: &Detection, &[cx, cy, face, _]: &[f32; 4]| {
        let [x, y] = d.bbox.centre();
        (x - cx).hypot(y - cy) < 0.25 * face && (d.bbox.width / face - 1.0).abs() < 0.35
    };
    let seen = heads.iter().filter(|head| found.iter().any(|d| is(d, head))).copied().collect();
    let others = found.iter().filter(|d| !heads.iter().any(|head| is(d, head))).count();
    (seen, others)
}

/// Eyes, nose and so on of a head in a [`group`], from those in the astronaut picture.
fn placed(landmarks: &[[f32; 2]; 6], &[cx, cy, face, degrees]: &[f32; 4]) -> [[f32; 2]; 6] {
    let turn = Similarity::new(face / 94.5, -degrees.to_radians(), 0.0, 0.0);
    landmarks.map(|[x, y]| {
        let [x, y] = turn.apply([x - 224.5, y - 128.0]);
        [x + cx, y + cy]
    })
}

/// A picture of 12 megapixels with heads of one size.
pub struct Heads {
    pub places: Vec<[f32; 4]>,
    width: usize,
    height: usize,
    rgba: Vec<u8>,
}

/// What a search found of them.
#[derive(Debug)]
pub struct Found {
    pub heads: usize,
    /// Faces that are no heads.
    pub others: usize,
    /// Mean distance of the landmarks from their places, as a part of the face's width.
    pub error: f32,
}

impl Heads {
    /// Faces of `part` of the long side.
    pub fn new(part: f32) -> Self {
        let (width, height) = (4000, 3000);
        let face = part * width as f32;
        // Off any grid; turned by up to 20 degrees.
        let spread = |i: usize, end: f32, phase: f32| {
            1.2 * face + ((i as f32 * 0.618 + phase) % 1.0) * (end - 2.4 * face)
        };
        let mut places: Vec<[f32; 4]> = Vec::new();
        for i in 0..400 {
            let (x, y) = (spread(i, width as f32, 0.1), spread(i * i, height as f32, 0.7));
            let clear = |h: &[f32; 4]| (h[0] - x).abs().max((h[1] - y).abs()) > 2.3 * face;
            if places.len() < 8 && places.iter().all(clear) {
                places.push([x, y, face, -20.0 + 10.0 * (i % 5) as f32]);
            }
        }
        let rgba = group(width, height, &places);
        Self { places, width, height, rgba }
    }

    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.width, self.height, &self.rgba).unwrap()
    }

    /// `truth` are the landmarks in the astronaut picture.
    pub fn compare(&self, found: &[Detection], truth: &[[f32; 2]; 6]) -> Found {
        let (seen, others) = recognised(found, &self.places);
        let error = |head: &[f32; 4]| {
            let places = placed(truth, head);
            let error = |d: &Detection| {
                let off = d.landmarks.iter().zip(places).map(|(l, p)| (l[0] - p[0]).hypot(l[1] - p[1]));
                off.sum::<f32>() / 6.0 / head[2]
            };
            found.iter().map(error).fold(f32::INFINITY, f32::min)
        };
        let error = seen.iter().map(error).sum::<f32>() / seen.len() as f32;
        Found { heads: seen.len(), others, error }
    }
}
