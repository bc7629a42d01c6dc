//! What browsers make of a GIF, and the `image` crate doesn't.

use std::borrow::Cow;

/// A GIF with a screen that its first picture fits, as browsers show it: some say less, and would be cut. Others
/// as they are, and those that say none at all.
pub fn with_room(gif: &[u8]) -> Cow<'_, [u8]> {
    let mut file = Cow::Borrowed(gif);
    if let Some([x, y, width, height]) = first_picture(gif)
        && gif[6..10].as_chunks::<2>().0.iter().all(|side| *side != [0, 0])
    {
        for (at, least) in [(6, u32::from(x) + u32::from(width)), (8, u32::from(y) + u32::from(height))] {
            let least = least.min(u32::from(u16::MAX)) as u16;
            if u16::from_le_bytes([gif[at], gif[at + 1]]) < least {
                file.to_mut()[at..at + 2].copy_from_slice(&least.to_le_bytes());
            }
        }
    }
    file
}

/// Left, top, width and height of the first picture on the screen.
fn first_picture(gif: &[u8]) -> Option<[u16; 4]> {
    if !gif.starts_with(b"GIF8") {
        return None;
    }
    let packed = *gif.get(10)?;
    let table = if packed & 0x80 != 0 { 3 << ((packed & 7) + 1) } else { 0 };
    let mut at = 13 + table;
    loop {
        match *gif.get(at)? {
            // An extension: its kind, then blocks, of which an empty one is the last.
            0x21 => {
                at += 2;
                while *gif.get(at)? != 0 {
                    at += 1 + usize::from(gif[at]);
                }
                at += 1;
            }
            0x2c => {
                let numbers = gif.get(at + 1..)?.first_chunk::<8>()?.as_chunks::<2>().0;
                return Some(std::array::from_fn(|i| u16::from_le_bytes(numbers[i])));
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::gif::{GifEncoder, Repeat};
    use image::{Frame, ImageFormat, Rgba, RgbaImage};

    use crate::picture::Pixels;

    #[test]
    fn a_screen_is_as_large_as_its_first_picture() {
        let image =
            RgbaImage::from_fn(
                40,
                30,
                |x, _| if x < 20 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 0, 200, 255]) },
            );
        let mut plain = Vec::new();
        image.write_to(&mut Cursor::new(&mut plain), ImageFormat::Gif).unwrap();
        // With an extension before the picture.
        let mut repeated = Vec::new();
        let mut encoder = GifEncoder::new(&mut repeated);
        encoder.set_repeat(Repeat::Infinite).unwrap();
        encoder.encode_frame(Frame::new(image.clone())).unwrap();
        drop(encoder);
        for gif in [plain, repeated] {
            let at = gif.windows(9).position(|bytes| bytes == b"\x2c\0\0\0\0\x28\0\x1e\0").unwrap();
            let with = |[width, height]: [u8; 2], [x, y]: [u8; 2]| {
                let mut gif = gif.clone();
                gif[6..10].copy_from_slice(&[width, 0, height, 0]);
                gif[at + 1..at + 5].copy_from_slice(&[x, 0, y, 0]);
                Pixels::decode(&gif).unwrap().into_image()
            };
            assert_eq!(with([10, 10], [0, 0]), with([40, 30], [0, 0]));
            assert_eq!(with([10, 10], [0, 0]).get_pixel(39, 29), &Rgba([0, 0, 200, 255]));
            let moved = with([40, 30], [7, 5]);
            assert_eq!((moved.dimensions(), moved.get_pixel(7, 5)), ((47, 35), &Rgba([200, 0, 0, 255])));
            assert_eq!(with([60, 50], [7, 5]).dimensions(), (60, 50));
        }
    }
}
