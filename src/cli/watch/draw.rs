//! Pictures with what is said of their faces, drawn in the terminal or in a window.

mod terminal;
mod window;

use mien::pipeline::video::TrackedFace;

use super::source::Picture;
use crate::cli::annotate::Label;
use crate::cli::predict::words;
use terminal::Terminal;
use window::Window;

/// Where it is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Draw {
    /// The terminal, in blocks of colour
    Terminal,
    /// A window
    Window,
}

/// Somewhere to draw.
pub enum Drawing {
    Terminal(Terminal),
    Window(Box<Window>),
}

impl Drawing {
    /// Makes ready.
    ///
    /// # Errors
    /// Where there is no such thing here.
    pub fn begin(draw: Draw) -> anyhow::Result<Self> {
        Ok(match draw {
            Draw::Terminal => Self::Terminal(Terminal::begin()?),
            Draw::Window => Self::Window(Box::new(Window::begin()?)),
        })
    }

    /// Draws a frame, its faces, and a line below them. False once somebody wants no more.
    ///
    /// # Errors
    /// Where that can't be drawn any longer.
    pub fn show(&mut self, picture: &Picture, faces: &[TrackedFace], line: &str) -> anyhow::Result<bool> {
        let labels: Vec<Label> = faces.iter().map(label).collect();
        match self {
            Self::Terminal(terminal) => terminal.show(picture, &labels, line),
            Self::Window(window) => window.show(picture, &labels, line),
        }
    }
}

/// Of somebody who has just come there are no numbers yet.
fn label(TrackedFace { id, settled, face }: &TrackedFace) -> Label {
    Label { bbox: face.bbox, text: if *settled { words(face) } else { format!("face {id}") } }
}
