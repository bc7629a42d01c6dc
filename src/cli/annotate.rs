//! Frames and labels on a copy of a picture.

use ab_glyph::FontRef;
use image::{DynamicImage, Rgba, RgbaImage};
use imageproc::drawing::{draw_filled_rect_mut, draw_hollow_rect_mut, draw_text_mut, text_size};
use imageproc::rect::Rect;
use mien::pipeline::estimator::Face;

use super::predict::words;

const FRAME: Rgba<u8> = Rgba([46, 196, 182, 255]);
const BACKGROUND: Rgba<u8> = Rgba([16, 24, 32, 255]);
const TEXT: Rgba<u8> = Rgba([255, 255, 255, 255]);

/// A face's place, in pixels, and what is written there.
pub struct Label {
    /// Left, top, width, height.
    pub bbox: [f32; 4],
    pub text: String,
}

/// Draws each face's frame, and what is said of it.
pub fn annotate(image: RgbaImage, faces: &[Face]) -> DynamicImage {
    let labels: Vec<_> = faces.iter().map(|face| Label { bbox: face.bbox, text: words(face) }).collect();
    // PNG keeps whatever the picture had; transparency would only hide the labels.
    DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(draw(image, &labels)).into_rgb8())
}

/// Draws each frame, and above it (or below, where there is no room) its text.
pub fn draw(mut image: RgbaImage, labels: &[Label]) -> RgbaImage {
    let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .expect("a font that ships with the crate");
    let (width, height) = image.dimensions();
    let longest = width.max(height) as f32;
    let stroke = (longest / 400.0).ceil() as i32;
    let size = (longest / 45.0).clamp(11.0, 60.0);
    for Label { bbox, text } in labels {
        let [x, y, w, h] = *bbox;
        let (left, top) = (x.round() as i32, y.round() as i32);
        for i in 0..stroke {
            let side = |length: f32| (length.round() as i32 - 2 * i).max(1) as u32;
            draw_hollow_rect_mut(&mut image, Rect::at(left + i, top + i).of_size(side(w), side(h)), FRAME);
        }
        let (text_width, text_height) = text_size(size, &font, text);
        let (box_width, box_height) = (text_width + size as u32 / 2, text_height + size as u32 / 2);
        let above = top - box_height as i32;
        let label_top =
            if above >= 0 { above } else { ((y + h) as i32).min(height as i32 - box_height as i32).max(0) };
        let label_left = left.min(width as i32 - box_width as i32).max(0);
        draw_filled_rect_mut(
            &mut image,
            Rect::at(label_left, label_top).of_size(box_width, box_height),
            BACKGROUND,
        );
        let inset = size as i32 / 4;
        draw_text_mut(&mut image, TEXT, label_left + inset, label_top + inset, size, &font, text);
    }
    image
}
