//! Whether a frame shows anything new: by the brightness of its cells, which engines measure.

/// By how much the mean brightness of a cell must differ (of 255) for something to have moved: more than a
/// camera's noise in a dim room makes it, less than the least motion of a small face (docs/measurements.md).
const MOVED: f32 = 4.0;

/// The brightness of a picture, cell by cell.
///
/// A mean over the whole picture would not do: a face that turns a little is a small part of it. So cells are
/// compared, and the one that differs most counts.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Of the last frame that showed something new.
    shown: Vec<f32>,
    size: [usize; 2],
}

impl Scene {
    /// Whether a frame of that width and height, whose cells have that brightness, shows anything else than
    /// the last one for which this was so. Changes that are too slow to be seen from one frame to the next
    /// add up until they are.
    pub fn changes(&mut self, size: [usize; 2], cells: &[f32]) -> bool {
        let same = self.size == size && difference(&self.shown, cells) < MOVED;
        if !same {
            self.shown.clear();
            self.shown.extend(cells);
            self.size = size;
        }
        !same
    }
}

/// The largest difference of two cells in the same place.
pub(super) fn difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::brightness;
    use crate::picture::Frame;

    fn changes(scene: &mut Scene, rgba: &[u8], width: usize, height: usize) -> bool {
        let mut cells = Vec::new();
        brightness(&Frame::new(width, height, rgba).unwrap(), &mut cells);
        scene.changes([width, height], &cells)
    }

    #[test]
    fn small_things_that_move_are_a_change() {
        let (width, height) = (640, 480);
        let mut rgba: Vec<u8> = (0..width * height * 4).map(|i| (i / 7 % 90) as u8).collect();
        let mut scene = Scene::default();
        assert!(changes(&mut scene, &rgba, width, height), "the first frame is new");
        assert!(!changes(&mut scene, &rgba, width, height));
        // A square of a thirtieth of the height, 60 brighter.
        for y in 300..316 {
            for value in &mut rgba[(y * width + 200) * 4..(y * width + 216) * 4] {
                *value += 60;
            }
        }
        assert!(changes(&mut scene, &rgba, width, height));
        assert!(!changes(&mut scene, &rgba, width, height));
        assert!(changes(&mut scene, &rgba, height, width), "the camera was turned");
    }

    #[test]
    fn slow_changes_add_up() {
        let mut scene = Scene::default();
        let mut changed = Vec::new();
        for value in 100..111u8 {
            changed.push(changes(&mut scene, &[value; 40 * 30 * 4], 40, 30));
        }
        let changed: Vec<_> = changed.iter().enumerate().filter(|(_, c)| **c).map(|(i, _)| i).collect();
        assert_eq!(changed, [0, 4, 8]);
    }
}
