//! What a JPEG says that the `image` crate doesn't.

use image::RgbaImage;
use image::metadata::Orientation;
use moxcms::{ColorProfile, Layout, TransformOptions};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Whether a JPEG has no end: what is missing would be grey, and browsers refuse it.
pub fn ends_early(jpeg: &[u8]) -> bool {
    let mut at = 2;
    let mut is_in_scan = false;
    while let Some(&[first, marker]) = jpeg.get(at..).and_then(|rest| rest.first_chunk()) {
        if first != 0xff || marker == 0xff {
            at += 1;
            continue;
        }
        let has_length = match marker {
            // End of image.
            0xd9 => return false,
            // In the data of a scan only what can stand between two scans.
            0xc4 | 0xda..=0xdd | 0xe0..=0xef | 0xfe => true,
            _ => !is_in_scan && !matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8),
        };
        is_in_scan |= marker == 0xda;
        at += 2;
        if has_length {
            let Some(length) = jpeg.get(at..).and_then(|rest| rest.first_chunk()) else { return true };
            at += usize::from(u16::from_be_bytes(*length)).max(2);
        }
    }
    true
}

/// What is in a JPEG for which there is no decoder here, by the marker of its frame (ITU-T T.81, table B.1).
pub fn unusual(jpeg: &[u8]) -> Option<&'static str> {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = jpeg.get(at..).and_then(|rest| rest.first_chunk()) {
        match marker {
            0xff => {
                at += 1; // a fill byte
                continue;
            }
            0xda => return None,
            0xc3 | 0xc7 | 0xcb | 0xcf => return Some("lossless JPEG"),
            0xc5 | 0xc6 | 0xcd | 0xce => return Some("hierarchical JPEG"),
            0xc9 | 0xca => return Some("arithmetic coding"),
            0xc0..=0xc2 => return jpeg.get(at + 4).filter(|bits| **bits == 12).map(|_| "12 bits a colour"),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
        }
    }
    None
}

/// How a JPEG is to be turned. Of several segments of EXIF data browsers believe the first, even if nothing in it
/// can be read; the `image` crate the last.
pub fn orientation(jpeg: &[u8]) -> Option<Orientation> {
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = jpeg.get(at..).and_then(|rest| rest.first_chunk()) {
        if marker == 0xda {
            return None;
        }
        if marker == 0xff {
            at += 1; // a fill byte
            continue;
        }
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low])).max(2);
        if marker == 0xe1
            && let Some(exif) = jpeg.get(at + 4..end)?.strip_prefix(b"Exif\0\0")
        {
            return Orientation::from_exif_chunk(exif);
        }
        at = end;
    }
    None
}

/// The colours of a JPEG for printing, by the profile of its inks. `None` where it has others, or can't be read.
pub fn of_inks(jpeg: &[u8], profile: &ColorProfile) -> Option<RgbaImage> {
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
    decoder.decode_headers().ok()?;
    let kind = decoder.input_colorspace()?;
    if !matches!(kind, ColorSpace::CMYK | ColorSpace::YCCK) {
        return None;
    }
    // As they are in the file.
    decoder.set_options(options.jpeg_set_out_colorspace(kind));
    let mut inks = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    for pixel in inks.as_chunks_mut::<4>().0 {
        *pixel = if kind == ColorSpace::YCCK { from_ycck(*pixel) } else { pixel.map(|value| 255 - value) };
    }
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgba, options).ok()?;
    let mut image = RgbaImage::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    for (inks, colours) in inks.chunks_exact(width * 4).zip(image.chunks_exact_mut(width * 4)) {
        transform.transform(inks, colours).ok()?;
    }
    Some(image)
}

/// Files have no ink as 255; and of the first three, by their colours, brightness and two differences.
fn from_ycck([y, cb, cr, k]: [u8; 4]) -> [u8; 4] {
    let [y, cb, cr] = [f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0];
    let ink = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    [ink(y + 1.402 * cr), ink(y - 0.344_136 * cb - 0.714_136 * cr), ink(y + 1.772 * cb), 255 - k]
}

#[cfg(test)]
mod tests {
    use crate::picture::Pixels;

    /// A segment of EXIF data that has an orientation and nothing else.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
        tiff.extend([0, orientation, 0, 0, 0, 0, 0, 0]);
        let length = (tiff.len() as u16 + 2).to_be_bytes();
        [&[0xff, 0xe1], &length[..], &tiff[..]].concat()
    }

    #[test]
    fn the_first_of_two_orientations_counts() {
        let mut file = Vec::new();
        image::RgbImage::new(16, 8)
            .write_to(&mut std::io::Cursor::new(&mut file), image::ImageFormat::Jpeg)
            .unwrap();
        let unreadable = b"\xff\xe1\0\x0cExif\0\0XXXX".to_vec();
        let fill = [&[0xff][..], &exif(6)].concat();
        let size = |segments: &[&Vec<u8>]| {
            let segments: Vec<u8> = segments.iter().copied().flatten().copied().collect();
            let frame = Pixels::decode(&[&file[..2], &segments, &file[2..]].concat()).unwrap();
            [frame.frame().width(), frame.frame().height()]
        };
        assert_eq!(size(&[&exif(6)]), [8, 16]);
        assert_eq!(size(&[&fill]), [8, 16]);
        assert_eq!(size(&[&exif(6), &exif(1)]), [8, 16]);
        assert_eq!(size(&[&exif(1), &exif(6)]), [16, 8]);
        assert_eq!(size(&[&exif(9)]), [16, 8]);
        assert_eq!(size(&[&unreadable, &exif(6)]), [16, 8]);
    }

    /// A profile of four inks, in which cyan and magenta are exchanged: two steps for each ink.
    fn profile() -> Vec<u8> {
        let mut lut = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
        for at in 0..9 {
            lut.extend((if at % 4 == 0 { 65_536u32 } else { 0 }).to_be_bytes());
        }
        (0..4).for_each(|_| lut.extend(0..=255));
        for corner in 0..16u8 {
            let [cyan, magenta, yellow, black] = [8, 4, 2, 1].map(|ink| corner & ink > 0);
            // Lightness, and how far to red and to yellow: of what is left of red, green and blue.
            let lab: [u8; 3] = match (!magenta && !black, !cyan && !black, !yellow && !black) {
                (true, true, true) => [255, 128, 128],
                (true, true, false) => [248, 106, 222],
                (true, false, true) => [154, 226, 67],
                (true, false, false) => [136, 208, 195],
                (false, true, true) => [231, 80, 114],
                (false, true, false) => [224, 42, 211],
                (false, false, true) => [82, 207, 20],
                (false, false, false) => [0, 128, 128],
            };
            lut.extend(lab);
        }
        (0..3).for_each(|_| lut.extend(0..=255));
        let mut profile = vec![0; 128];
        profile[8] = 2;
        profile[12..24].copy_from_slice(b"prtrCMYKLab ");
        profile[36..40].copy_from_slice(b"acsp");
        for (at, number) in [(68, 63_190u32), (72, 65_536), (76, 54_061)] {
            profile[at..at + 4].copy_from_slice(&number.to_be_bytes());
        }
        profile.extend(1u32.to_be_bytes());
        profile.extend(b"A2B0");
        for number in [144, lut.len() as u32] {
            profile.extend(number.to_be_bytes());
        }
        profile.extend(lut);
        let length = (profile.len() as u32).to_be_bytes();
        profile[..4].copy_from_slice(&length);
        profile
    }

    /// 8x8 pixels of one colour, of four components.
    fn jpeg(colour: [u8; 4], transform: u8, profile: &[u8]) -> Vec<u8> {
        let mut file = b"\xff\xd8".to_vec();
        let mut segment = |marker: u8, content: &[u8]| {
            file.extend([0xff, marker]);
            file.extend((content.len() as u16 + 2).to_be_bytes());
            file.extend(content);
        };
        segment(0xee, &[b"Adobe\0\x64\0\0\0\0", &[transform][..]].concat());
        if !profile.is_empty() {
            segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", profile].concat());
        }
        segment(0xdb, &[&[0][..], &[8; 64]].concat());
        let component = |i: u8| [i, 0x11, 0];
        segment(
            0xc0,
            &[&[8, 0, 8, 0, 8, 4][..], (1..=4).map(component).collect::<Vec<_>>().as_flattened()].concat(),
        );
        // Nine lengths of numbers, by four bits each; and one code for the end.
        segment(0xc4, &[&[0, 0, 0, 0, 9][..], &[0; 12], &[0, 1, 2, 3, 4, 5, 6, 7, 8]].concat());
        segment(0xc4, &[&[0x10, 1][..], &[0; 15], &[0]].concat());
        segment(0xda, &[4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
        let mut bits = String::new();
        for value in colour {
            let number = i32::from(value) - 128;
            let length = 32 - number.unsigned_abs().leading_zeros() as usize;
            bits += &format!("{length:04b}");
            if length > 0 {
                let number = if number < 0 { number + (1 << length) - 1 } else { number };
                bits += &format!("{number:0length$b}");
            }
            bits.push('0');
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        for byte in bits.as_bytes().chunks(8) {
            let byte = byte.iter().fold(0, |byte, bit| byte << 1 | (bit - b'0'));
            file.push(byte);
            if byte == 0xff {
                file.push(0);
            }
        }
        file.extend(b"\xff\xd9");
        file
    }

    #[test]
    fn inks_are_what_their_profile_means() {
        let decoded = |file: &[u8]| Pixels::decode(file).unwrap().into_image().get_pixel(4, 4).0;
        let near = |a: [u8; 4], b: [u8; 4]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 24);
        // No ink is 255. Cyan alone, by itself and as brightness and differences of what it is without.
        for (colour, transform) in [([0, 255, 255, 255], 0), ([76, 85, 255, 255], 2)] {
            let plain = decoded(&jpeg(colour, transform, b""));
            assert!(near(plain, [0, 255, 255, 255]), "{transform}: {plain:?}");
            let exchanged = decoded(&jpeg(colour, transform, &profile()));
            assert!(near(exchanged, [255, 0, 255, 255]), "{transform}: {exchanged:?}");
            // One that is no profile counts as none.
            assert_eq!(decoded(&jpeg(colour, transform, &profile()[..200])), plain);
        }
        assert!(near(decoded(&jpeg([255; 4], 0, &profile())), [255; 4]));
        assert!(near(decoded(&jpeg([255, 255, 255, 0], 0, &profile())), [0, 0, 0, 255]));
    }
}
