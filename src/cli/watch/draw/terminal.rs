//! A picture in a terminal: each character is two pixels, its upper half and its lower one, in 24-bit colours.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use anyhow::{Context, ensure};
use image::RgbaImage;
use image::imageops::thumbnail;
use terminal_size::{Height, Width, terminal_size};

use crate::cli::annotate::Label;
use crate::cli::watch::source::Picture;

/// The size of a terminal that does not tell.
const USUAL: [u32; 2] = [80, 24];

const FRAME: [u8; 3] = [46, 196, 182];
const TEXT: [u8; 3] = [255, 255, 255];
const BACKGROUND: [u8; 3] = [16, 24, 32];

/// Another page of the terminal, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";
/// What lies between these appears at once, where the terminal knows of that.
const TOGETHER: [&str; 2] = ["\x1b[?2026h", "\x1b[?2026l"];

/// The terminal, which is as it was when this is dropped.
pub struct Terminal {
    size: [u32; 2],
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// Where standard output is none.
    pub fn begin() -> anyhow::Result<Self> {
        ensure!(
            io::stdout().is_terminal(),
            "--draw terminal: standard output is no terminal. Leave the option out for lines of text, or take --draw window"
        );
        write(ENTER)?;
        Ok(Self { size: size() })
    }

    pub fn show(&mut self, picture: &Picture, labels: &[Label], line: &str) -> anyhow::Result<bool> {
        let size = size();
        let clear = if size == self.size { "" } else { "\x1b[0m\x1b[2J" };
        self.size = size;
        let image = RgbaImage::from_raw(picture.width as u32, picture.height as u32, picture.rgba.clone())
            .context("a frame of another size")?;
        write(&format!("{}{clear}{}{}", TOGETHER[0], characters(&image, labels, line, size), TOGETHER[1]))?;
        Ok(true)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where it is gone, there is nothing to put back.
        let _ = write(LEAVE);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Columns and rows.
fn size() -> [u32; 2] {
    match terminal_size() {
        Some((Width(columns), Height(rows))) if columns > 0 && rows > 0 => [columns.into(), rows.into()],
        _ => USUAL,
    }
}

/// A character's colours, and itself where it is no half of two pixels.
#[derive(Clone, Copy, PartialEq)]
struct Cell {
    front: [u8; 3],
    back: [u8; 3],
    character: char,
}

/// The picture as large as there is room for, frames around the faces, what is said of them above or below, and a line
/// at the bottom.
fn characters(image: &RgbaImage, labels: &[Label], line: &str, [columns, rows]: [u32; 2]) -> String {
    let rows = rows.saturating_sub(1).max(1);
    // Pixels are as high as they are wide: two to a character.
    let scale = f64::min(
        f64::from(columns) / f64::from(image.width()),
        f64::from(2 * rows) / f64::from(image.height()),
    );
    let side = |length: u32, most: u32| ((f64::from(length) * scale).round() as u32).clamp(1, most);
    let (width, height) = (side(image.width(), columns), side(image.height(), 2 * rows));
    let mut small = thumbnail(image, width, height);
    for label in labels {
        outline(&mut small, label.bbox.map(|it| (f64::from(it) * scale).round() as i64));
    }
    let pixel = |x: u32, y: u32| small.get_pixel_checked(x, y).map_or(BACKGROUND, |it| [it[0], it[1], it[2]]);
    let mut cells: Vec<Vec<Cell>> = (0..height.div_ceil(2))
        .map(|row| {
            let cell = |x| Cell { front: pixel(x, 2 * row), back: pixel(x, 2 * row + 1), character: '▀' };
            (0..width).map(cell).collect()
        })
        .collect();
    for label in labels {
        let [x, y, _, high] = label.bbox.map(|it| (f64::from(it) * scale / 2.0).round() as i64);
        let row = if y >= 1 { y - 1 } else { y + high };
        put(&mut cells, &label.text, 2 * x, row.clamp(0, i64::from(height.div_ceil(2)) - 1));
    }
    let mut text = String::from("\x1b[H");
    for row in &cells {
        let mut last: Option<Cell> = None;
        for cell in row {
            let Cell { front: [r, g, b], back, character } = *cell;
            if last.is_none_or(|last| last.front != cell.front) {
                let _ = write!(text, "\x1b[38;2;{r};{g};{b}m");
            }
            if last.is_none_or(|last| last.back != cell.back) {
                let [r, g, b] = back;
                let _ = write!(text, "\x1b[48;2;{r};{g};{b}m");
            }
            text.push(character);
            last = Some(*cell);
        }
        text.push_str("\x1b[0m\x1b[K\r\n");
    }
    // Not into the last column, where some terminals go on in a new line.
    text.extend(line.chars().filter(|it| !it.is_control()).take(columns.saturating_sub(1) as usize));
    text.push_str("\x1b[K");
    text
}

/// A frame of one pixel around a face.
fn outline(image: &mut RgbaImage, [left, top, wide, high]: [i64; 4]) {
    let [r, g, b] = FRAME;
    let (right, bottom) = (left + wide.max(1) - 1, top + high.max(1) - 1);
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let mut set = |x: i64, y: i64| {
        if (0..width).contains(&x) && (0..height).contains(&y) {
            image.put_pixel(x as u32, y as u32, image::Rgba([r, g, b, 255]));
        }
    };
    for x in left.max(0)..=right.min(width - 1) {
        set(x, top);
        set(x, bottom);
    }
    for y in top.max(0)..=bottom.min(height - 1) {
        set(left, y);
        set(right, y);
    }
}

/// Text in place of pixels, moved to where it has room.
fn put(cells: &mut [Vec<Cell>], text: &str, column: i64, row: i64) {
    let Some(row) = cells.get_mut(row as usize) else { return };
    let length = text.chars().count() as i64;
    let column = column.min(row.len() as i64 - length).max(0) as usize;
    for (cell, character) in row.iter_mut().skip(column).zip(text.chars()) {
        *cell = Cell { front: TEXT, back: BACKGROUND, character };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal shows: rows of characters, without colours.
    fn rows(text: &str) -> Vec<String> {
        let mut shown = String::new();
        let mut parts = text.split('\x1b');
        shown.push_str(parts.next().unwrap());
        for part in parts {
            let end = part.find(|it: char| it.is_ascii_alphabetic()).unwrap();
            shown.push_str(&part[end + 1..]);
        }
        shown.split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn a_picture_fills_the_terminal_and_keeps_its_shape() {
        let image = RgbaImage::from_pixel(640, 480, image::Rgba([10, 20, 30, 255]));
        let label = Label { bbox: [320.0, 240.0, 160.0, 160.0], text: "about 34".into() };
        let text = characters(&image, &[label], "owls\x1b[2J", [80, 25]);
        let rows = rows(&text);
        // 24 rows are 48 pixels, of which 64 by 48 keep four to three; the line is below them.
        assert_eq!((rows.len(), rows[0].chars().count()), (25, 64));
        assert_eq!(rows[24], "owls[2J");
        assert_eq!(rows.iter().position(|row| row.contains("about 34")), Some(11));
        assert_eq!(rows[11].chars().position(|it| it == 'a'), Some(32));
        assert!(text.contains("\x1b[38;2;10;20;30m") && text.contains("\x1b[38;2;46;196;182m"));
        // A colour is said where it begins, not for each of a thousand characters.
        assert!((24..72).contains(&text.matches("38;2;10;20;30m").count()));
    }

    #[test]
    fn no_size_is_too_small_and_no_face_too_far_out() {
        for size in [[1, 1], [2, 1], [80, 2], [3, 50], [500, 200]] {
            for pixels in [[1, 1], [640, 480], [3, 2000], [2000, 3]] {
                let image = RgbaImage::new(pixels[0], pixels[1]);
                let far = |bbox| Label { bbox, text: "face 1 with a long text".into() };
                let labels = [
                    far([-50.0, -50.0, 3000.0, 3000.0]),
                    far([5000.0, 5000.0, 1.0, 1.0]),
                    far([0.0, 0.0, 0.0, 0.0]),
                    far([f32::MAX, f32::MIN, f32::MAX, 1.0]),
                ];
                let rows = rows(&characters(&image, &labels, "line", size));
                assert!(rows.len() as u32 <= size[1].max(2), "{size:?} {pixels:?}: {}", rows.len());
                assert!(rows.iter().all(|row| row.chars().count() as u32 <= size[0]), "{size:?} {pixels:?}");
            }
        }
    }
}
