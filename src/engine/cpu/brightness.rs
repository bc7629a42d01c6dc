//! The brightness of a picture in memory.

use crate::engine::region::{CELL_SAMPLES, CELLS};
use crate::picture::Frame;

/// Appends the mean brightness of each of [`CELLS`] x [`CELLS`] cells to `cells`, row by row.
pub fn brightness(frame: &Frame, cells: &mut Vec<f32>) {
    cells.reserve(CELLS * CELLS);
    let range = |cell: usize, side: usize| {
        let from = cell * side / CELLS;
        let to = ((cell + 1) * side / CELLS).clamp(from + 1, side.max(from + 1));
        (from, to, (to - from).div_ceil(CELL_SAMPLES))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_any_size() {
        for (width, height) in [(1, 1), (1, 700), (31, 33), (5000, 2)] {
            let rgba = vec![9; width * height * 4];
            let mut cells = Vec::new();
            brightness(&Frame::new(width, height, &rgba).unwrap(), &mut cells);
            assert_eq!(cells, [9.0; CELLS * CELLS]);
        }
    }
}
