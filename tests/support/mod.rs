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

/// What the fake camera films: the sample in the middle of a grey 640 x 480 picture.
pub fn camera_film() -> Vec<u8> {
    let portrait = imageops::resize(&sample().to_rgb8(), 480, 480, imageops::FilterType::Triangle);
    let mut frame = grey(640, 480);
    imageops::replace(&mut frame, &portrait, 80, 0);
    film(&vec![frame; 5])
}

/// Motion JPEG: JPEG pictures one after the other, which the fake camera shows again and again.
pub fn film(frames: &[RgbImage]) -> Vec<u8> {
    let jpeg = |frame: &RgbImage| {
        let mut jpeg = std::io::Cursor::new(Vec::new());
        frame.write_to(&mut jpeg, ImageFormat::Jpeg).unwrap();
        jpeg.into_inner()
    };
    frames.iter().flat_map(jpeg).collect()
}

pub fn grey(width: u32, height: u32) -> RgbImage {
    RgbImage::from_pixel(width, height, [128; 3].into())
}

/// The head of the sample, a square of this side.
pub fn head(side: u32) -> RgbImage {
    let head = imageops::crop_imm(&sample().to_rgb8(), 116, 8, 220, 220).to_image();
    imageops::resize(&head, side, side, imageops::FilterType::Triangle)
}

/// Heads of this side with their middles at these places of a grey picture.
pub fn heads(size: [u32; 2], side: u32, middles: &[[i64; 2]]) -> RgbImage {
    let (head, mut picture) = (head(side), grey(size[0], size[1]));
    for [x, y] in middles {
        imageops::replace(&mut picture, &head, x - i64::from(side / 2), y - i64::from(side / 2));
    }
    picture
}

/// Frames of two people, who move.
pub fn two_who_move() -> Vec<u8> {
    let frames: Vec<_> = (0..40i64)
        .map(|frame| {
            let step = (frame - 20).abs();
            heads([640, 480], 200, &[[150 + 4 * step, 200 + step], [490 - 2 * step, 300 - 3 * step]])
        })
        .collect();
    film(&frames)
}
