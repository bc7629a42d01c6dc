//! A picture in a window.

use anyhow::{Context, anyhow};
use image::RgbaImage;
use minifb::{Key, ScaleMode, WindowOptions};

use crate::cli::annotate::{Label, draw};
use crate::cli::watch::source::Picture;

/// Its size at first, in pixels; somebody may pull it larger.
const SIZE: [usize; 2] = [960, 720];

/// A window, closed when this is dropped.
pub struct Window {
    window: minifb::Window,
    pixels: Vec<u32>,
    title: String,
}

impl Window {
    /// Opens it.
    ///
    /// # Errors
    /// Where there is no display.
    pub fn begin() -> anyhow::Result<Self> {
        let options =
            WindowOptions { resize: true, scale_mode: ScaleMode::AspectRatioStretch, ..Default::default() };
        let window = minifb::Window::new("Mien", SIZE[0], SIZE[1], options).map_err(|error| {
            anyhow!(
                "--draw window: there is no window to be had here ({error}). It needs a display and, on Linux, X11 \
                 (DISPLAY); --draw terminal needs neither"
            )
        })?;
        Ok(Self { window, pixels: Vec::new(), title: "Mien".into() })
    }

    pub fn show(&mut self, picture: &Picture, labels: &[Label], line: &str) -> anyhow::Result<bool> {
        let image = RgbaImage::from_raw(picture.width as u32, picture.height as u32, picture.rgba.clone())
            .context("a frame of another size")?;
        let image = draw(image, labels);
        self.pixels.clear();
        self.pixels.extend(image.pixels().map(|it| u32::from_be_bytes([0, it[0], it[1], it[2]])));
        // A title goes to the system, for which a zero ends it.
        let title = if line.is_empty() { "Mien".into() } else { format!("Mien: {}", line.replace('\0', "")) };
        if title != self.title {
            self.window.set_title(&title);
            self.title = title;
        }
        self.window.update_with_buffer(&self.pixels, picture.width, picture.height).context("the window")?;
        Ok(self.window.is_open() && ![Key::Escape, Key::Q].iter().any(|key| self.window.is_key_down(*key)))
    }
}
