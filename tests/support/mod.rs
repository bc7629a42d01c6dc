//! What the browser tests stand on: the served site, Chromium, and the page in it.

pub mod cdp;
pub mod chromium;
pub mod page;
pub mod site;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat, RgbImage, imageops};

/// For whatever a loaded two-core machine may take: compiling shaders for a software GPU is the longest.
pub const PATIENCE: Duration = Duration::from_secs(240);

pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Asks again and again until there is an answer; `None` when patience ends.
pub fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if start.elapsed() > PATIENCE {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The portrait that the page offers as its sample: Eileen Collins at about 36, 512 x 512.
pub fn sample() -> DynamicImage {
    let path = repository().join("www/sample.jpg");
    image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the fake camera films: the sample in the middle of a grey 640 x 480 picture, as Motion JPEG
/// (JPEG pictures one after the other).
pub fn camera_film() -> Vec<u8> {
    const FRAMES: usize = 5;
    let mut frame = RgbImage::from_pixel(640, 480, [128; 3].into());
    let portrait = imageops::resize(&sample().to_rgb8(), 480, 480, imageops::FilterType::Triangle);
    imageops::replace(&mut frame, &portrait, 80, 0);
    let mut jpeg = std::io::Cursor::new(Vec::new());
    frame.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
    jpeg.into_inner().repeat(FRAMES)
}
