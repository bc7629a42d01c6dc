//! Whether a frame shows anything new.

use crate::picture::Frame;
use crate::source::Source;

/// Cells along each side of the frame.
pub const CELLS: usize = 32;

/// Pixels read along each side of a cell, evenly spread. (Sensor noise, which differs from pixel to pixel, averages to an eighth.)
pub const READ: usize = 8;

/// By how much the mean brightness of a cell must differ (of 255) for something to have moved.
///
/// `cargo test --release --lib noise_and_motion -- --ignored --nocapture`, on frames of 640 x 480 pixels: noise of a standard deviation of 5 makes
/// the most different cell differ by 2.4, noise of 10 by 4.7; a face 60 pixels wide that moves by a hundredth of that by 10, larger ones
/// by more.
const MOVED: f32 = 4.0;

/// The brightness of a picture, in 32 x 32 cells.
///
/// A mean over the whole picture would not do: a face that turns a little is a small part of it. So cells are compared, and the one that differs most
/// counts.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Of the last frame that showed something new.
    shown: Vec<f32>,
    now: Vec<f32>,
    size: [usize; 2],
}

impl Scene {
    /// Whether a frame shows anything else than the last one for which this was so. Changes that are too slow to be seen from one frame
    /// to the next add up until they are.
    pub fn changes(&mut self, frame: &impl Source) -> bool {
        let size = [frame.width(), frame.height()];
        // Both at once, so that nothing is allocated later.
        for cells in [&mut self.shown, &mut self.now] {
            cells.reserve((CELLS * CELLS).saturating_sub(cells.len()));
        }
        frame.brightness(&mut self.now);
        let same = self.size == size && difference(&self.shown, &self.now) < MOVED;
        if !same {
            std::mem::swap(&mut self.shown, &mut self.now);
            self.size = size;
        }
        !same
    }
}

/// The largest difference of two cells in the same place.
pub(super) fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Fills `cells` with the mean brightness of each, row by row.
pub fn brightness(frame: &Frame, cells: &mut Vec<f32>) {
    cells.clear();
    let range = |cell: usize, side: usize| {
        let from = cell * side / CELLS;
        let to = ((cell + 1) * side / CELLS).clamp(from + 1, side.max(from + 1));
        (from, to, (to - from).div_ceil(READ))
    };
    for row in 0..CELLS {
        let (top, bottom, down) = range(row, frame.height());
        for column in 0..CELLS {
            let (left, right, along) = range(column, frame.width());
            let (mut sum, mut count) = (0u32, 0u32);
            for y in (top..bottom).step_by(down) {
                for pixel in frame.row(y, left..right).iter().step_by(along) {
                    let [r, g, b, _] = pixel.map(u32::from);
                    sum += r + 2 * g + b;
                    count += 4;
                }
            }
            cells.push(sum as f32 / count as f32);
        }
    }
}

/// For measurements.
#[cfg(test)]
pub(super) fn brightness_of(frame: &Frame) -> Vec<f32> {
    let mut cells = Vec::new();
    brightness(frame, &mut cells);
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_things_that_move_are_a_change() {
        let (width, height) = (640, 480);
        let mut rgba: Vec<u8> = (0..width * height * 4).map(|i| (i / 7 % 90) as u8).collect();
        let mut scene = Scene::default();
        let mut changes =
            |rgba: &[u8], width, height| scene.changes(&Frame::new(width, height, rgba).unwrap());
        assert!(changes(&rgba, width, height), "the first frame is new");
        assert!(!changes(&rgba, width, height));
        // A square of a thirtieth of the height, 60 brighter.
        for y in 300..316 {
            for value in &mut rgba[(y * width + 200) * 4..(y * width + 216) * 4] {
                *value += 60;
            }
        }
        assert!(changes(&rgba, width, height));
        assert!(!changes(&rgba, width, height));
        assert!(changes(&rgba, height, width), "the camera was turned");
    }

    #[test]
    fn slow_changes_add_up() {
        let mut scene = Scene::default();
        let mut changed = Vec::new();
        for value in 100..111u8 {
            changed.push(scene.changes(&Frame::new(40, 30, &[value; 40 * 30 * 4]).unwrap()));
        }
        let changed: Vec<_> = changed.iter().enumerate().filter(|(_, c)| **c).map(|(i, _)| i).collect();
        assert_eq!(changed, [0, 4, 8]);
    }

    #[test]
    fn pictures_of_any_size() {
        let mut scene = Scene::default();
        for (width, height) in [(1, 1), (1, 700), (31, 33), (5000, 2)] {
            let rgba = vec![9; width * height * 4];
            let frame = Frame::new(width, height, &rgba).unwrap();
            assert!(scene.changes(&frame));
            assert!(!scene.changes(&frame));
            assert_eq!(scene.shown, [9.0; CELLS * CELLS]);
        }
    }
}
