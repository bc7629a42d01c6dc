//! Encoded pictures: decoding, with the rotation a camera noted.

use image::{DynamicImage, ImageDecoder, ImageReader, RgbaImage};
use std::io::Cursor;
use thiserror::Error;

use super::Frame;

/// Why a file is not a usable picture.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Not a picture, of a kind that can't be read, or damaged.
    #[error("not a readable picture ({0})")]
    Decode(#[from] image::ImageError),
}

/// A decoded picture in memory, upright.
#[derive(Debug, Clone)]
pub struct Pixels(RgbaImage);

impl Pixels {
    /// Decodes JPEG, PNG, WebP, GIF (its first frame), BMP or TIFF and applies the EXIF orientation, as
    /// browsers do.
    ///
    /// # Errors
    /// [`DecodeError`]; pictures that would take more than 512 MiB are refused as well.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.is_empty() {
            return Err(DecodeError::Empty);
        }
        let reader =
            ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::IoError)?;
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut image = DynamicImage::from_decoder(decoder)?;
        image.apply_orientation(orientation);
        Ok(Self(image.into_rgba8()))
    }

    /// The pixels, for the estimator.
    pub fn frame(&self) -> Frame<'_> {
        let (width, height) = self.0.dimensions();
        Frame::new(width as usize, height as usize, self.0.as_raw()).expect("decoders give no empty pictures")
    }

    /// The picture as the `image` crate has it.
    pub fn into_image(self) -> RgbaImage {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(matches!(Pixels::decode(b""), Err(DecodeError::Empty)));
        assert!(matches!(Pixels::decode(b"hello, world"), Err(DecodeError::Decode(_))));
        let mut png = Vec::new();
        RgbaImage::from_pixel(3, 2, image::Rgba([1, 2, 3, 255]))
            .write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png)
            .unwrap();
        let picture = Pixels::decode(&png).unwrap();
        assert_eq!((picture.frame().width(), picture.frame().height()), (3, 2));
        png.truncate(png.len() / 2);
        assert!(Pixels::decode(&png).is_err());
    }
}
