//! Encoded pictures, whatever is in them, to pixels or to an error.

#![no_main]

use std::io::Cursor;

use image::{ImageFormat, ImageReader};
use libfuzzer_sys::{Corpus, fuzz_target};
use mien::picture::{Pixels, is_decoding};
use mien_fuzz::{caught, let_decoders_panic};

/// Larger pictures are decoded in the same way, for longer.
const MOST_PIXELS: u32 = 1 << 18;
/// Those that are encoded again.
const FEW_PIXELS: usize = 1 << 10;

fuzz_target!(init: let_decoders_panic(), |bytes: &[u8]| -> Corpus {
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let size = caught(|| reader().ok()?.into_dimensions().ok()).flatten();
    if size.is_some_and(|(width, height)| width.saturating_mul(height) > MOST_PIXELS) {
        return Corpus::Reject;
    }
    let result = Pixels::decode(bytes);
    assert!(!is_decoding());
    match result {
        Ok(picture) => {
            let frame = picture.frame();
            let rows = (0..frame.height()).flat_map(|y| frame.row(y, 0..frame.width()));
            assert!(rows.clone().all(|pixel| pixel[3] == 255), "nothing is transparent");
            assert_eq!(rows.count(), frame.width() * frame.height());
            if frame.width() * frame.height() <= FEW_PIXELS {
                is_decoded_again(picture);
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
        }
    }
    Corpus::Keep
});

/// Without loss: what was decoded is what is decoded.
fn is_decoded_again(picture: Pixels) {
    let image = picture.into_image();
    let mut png = Cursor::new(Vec::new());
    image.write_to(&mut png, ImageFormat::Png).expect("pixels can be encoded");
    let again = Pixels::decode(png.get_ref()).expect("Mien decodes PNG").into_image();
    assert!(again == image);
}
