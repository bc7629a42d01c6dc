//! What a camera offers, what of it is taken, and its frames as pixels. Nothing here asks a device, so that it is tested
//! without one (`camera.rs` asks).

use std::cmp::Reverse;
use std::io::Cursor;
use std::sync::LazyLock;

use anyhow::{Context, ensure};
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ExtendedColorType, ImageDecoder};

use super::frames::Colours;

/// Kinds of frames that are read, the cheapest to read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Two pixels' brightness and the differences that they share, by turns.
    Yuyv,
    /// All brightness, then both differences by turns.
    Nv12,
    /// All brightness, then all of each difference.
    Yu12,
    /// Each frame a JPEG.
    Mjpeg,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Yuyv, Self::Nv12, Self::Yu12, Self::Mjpeg];

    /// As Video4Linux calls it.
    pub fn code(self) -> [u8; 4] {
        *match self {
            Self::Yuyv => b"YUYV",
            Self::Nv12 => b"NV12",
            Self::Yu12 => b"YU12",
            Self::Mjpeg => b"MJPG",
        }
    }

    /// Pixels to a difference of colour.
    fn shared(self) -> [usize; 2] {
        if self == Self::Yuyv { [2, 1] } else { [2, 2] }
    }
}

/// Frames that a camera can be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    pub kind: Kind,
    pub size: [u32; 2],
    /// Seconds from frame to frame, as numerator and denominator; none where the camera does not say.
    pub interval: Option<[u32; 2]>,
}

/// Faces are found in frames of this size at no great cost.
const WANTED: [u32; 2] = [640, 480];

/// Fewer frames a second are too few to follow a face through.
const LEAST_RATE: f64 = 15.0;

/// And more cost more than they tell; with room for the 30.0003 of some.
const MOST_RATE: f64 = 30.5;

/// What is best tried first: no fewer than 15 frames a second; then whole pixels before JPEGs, which have to be decoded, unless
/// their size is far off; then the size that is nearest to 640x480.
pub fn by_preference(mut offers: Vec<Offer>) -> Vec<Offer> {
    offers.sort_by_key(|offer| {
        let is_slow = offer.interval.and_then(rate).is_some_and(|rate| rate < LEAST_RATE);
        let [width, height] = offer.size.map(u64::from);
        let [wanted_width, wanted_height] = WANTED.map(u64::from);
        let (pixels, wanted) = (width.saturating_mul(height), wanted_width * wanted_height);
        let is_far = pixels < wanted / 4 || pixels > 4 * wanted;
        let distance = width.abs_diff(wanted_width) + height.abs_diff(wanted_height);
        // Of two that are as near, the larger.
        (is_slow, is_far, offer.kind == Kind::Mjpeg, distance, Reverse(pixels), offer.kind)
    });
    offers
}

/// Frames a second.
fn rate([numerator, denominator]: [u32; 2]) -> Option<f64> {
    (numerator != 0 && denominator != 0).then(|| f64::from(denominator) / f64::from(numerator))
}

/// Of several intervals the fastest of no more than 30 frames a second, or else the slowest.
pub fn best_interval(intervals: impl IntoIterator<Item = [u32; 2]>) -> Option<[u32; 2]> {
    let rated = intervals.into_iter().filter_map(|interval| Some((rate(interval)?, interval)));
    let better = |a: (f64, [u32; 2]), b: (f64, [u32; 2])| {
        let usable = |rate: f64| if rate <= MOST_RATE { rate } else { -rate };
        if usable(b.0) > usable(a.0) { b } else { a }
    };
    rated.reduce(better).map(|(_, interval)| interval)
}

/// Of intervals from the shortest to the longest.
pub fn interval_within(shortest: [u32; 2], longest: [u32; 2]) -> Option<[u32; 2]> {
    let at_30 = [1, 30];
    match (rate(longest)?, rate(shortest)?) {
        (slow, fast) if slow <= 30.0 && 30.0 <= fast => Some(at_30),
        _ => best_interval([shortest, longest]),
    }
}

/// Of sizes from the least to the most, in steps, the nearest to the wanted one, which is width if `axis` is 0 and height if 1.
pub fn nearest_size(axis: usize, least: u32, most: u32, step: u32) -> u32 {
    let wanted = WANTED[axis].min(most).max(least);
    wanted - (wanted - least) % step.max(1)
}

/// How frames of one kind lie in memory.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub kind: Kind,
    pub size: [usize; 2],
    /// Bytes from row to row of brightness; 0 where a camera does not say, which then has nothing between rows.
    pub stride: usize,
    pub colours: Colours,
}

/// What Video4Linux says of colours, as the numbers of its header `videodev2.h`.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub space: u32,
    pub encoding: u32,
    pub range: u32,
}

impl Said {
    /// As `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT` of that header have it where it is left open.
    pub fn colours(self, kind: Kind) -> Colours {
        const SPACE_709: u32 = 3;
        const SPACE_JPEG: u32 = 7;
        const SPACE_DCI_P3: u32 = 12;
        const ENCODING_601: [u32; 3] = [1, 3, 5]; // also xvYCC 601 and sYCC
        const RANGE_FULL: u32 = 1;
        let is_709 = match self.encoding {
            0 => matches!(self.space, SPACE_709 | SPACE_DCI_P3),
            // The others, of BT.2020 and SMPTE 240M, are nearer to BT.709.
            encoding => !ENCODING_601.contains(&encoding),
        };
        let is_full = self.range == RANGE_FULL || self.range == 0 && self.space == SPACE_JPEG;
        Colours::new(Some(kind.shared()), is_full, is_709)
    }
}

/// Brightness and differences, without anything between rows; memory that is used again.
#[derive(Default)]
pub struct Planes([Vec<u8>; 3]);

impl Layout {
    /// A frame as RGBA into `rgba`.
    ///
    /// # Errors
    /// Where it is short, or no frame.
    pub fn convert(&self, frame: &[u8], planes: &mut Planes, rgba: &mut Vec<u8>) -> anyhow::Result<()> {
        if self.kind == Kind::Mjpeg {
            *rgba = self.decode(frame)?;
            return Ok(());
        }
        self.take_apart(frame, planes)?;
        let [y, u, v] = &planes.0;
        self.colours.convert([y, u, v], self.size, rgba);
        Ok(())
    }

    fn take_apart(&self, frame: &[u8], Planes([y, u, v]): &mut Planes) -> anyhow::Result<()> {
        let [width, height] = self.size;
        let [across, down] = self.kind.shared();
        let [few, low] = [width.div_ceil(across), height.div_ceil(down)];
        for plane in [&mut *y, u, v] {
            plane.clear();
        }
        // Where rows begin, from row to row, how many, and what of each is pixels.
        let stride = |least: usize| if self.stride == 0 { least } else { self.stride };
        match self.kind {
            Kind::Yuyv => {
                for row in rows(frame, 0, stride(4 * few), height, 4 * few)? {
                    let pairs = row.as_chunks::<4>().0;
                    // An odd width leaves a pixel over.
                    y.extend(pairs.iter().flat_map(|[y, _, next, _]| [*y, *next]).take(width));
                    u.extend(pairs.iter().map(|[_, u, _, _]| u));
                    v.extend(pairs.iter().map(|[_, _, _, v]| v));
                }
            }
            Kind::Nv12 => {
                let stride = stride(2 * few);
                rows(frame, 0, stride, height, width)?.for_each(|row| y.extend(row));
                for row in rows(frame, stride.saturating_mul(height), stride, low, 2 * few)? {
                    let pairs = row.as_chunks::<2>().0;
                    u.extend(pairs.iter().map(|[u, _]| u));
                    v.extend(pairs.iter().map(|[_, v]| v));
                }
            }
            Kind::Yu12 => {
                let stride = stride(width);
                rows(frame, 0, stride, height, width)?.for_each(|row| y.extend(row));
                let half = stride.div_ceil(2);
                let begin = stride.saturating_mul(height);
                rows(frame, begin, half, low, few)?.for_each(|row| u.extend(row));
                let begin = begin.saturating_add(half.saturating_mul(low));
                rows(frame, begin, half, low, few)?.for_each(|row| v.extend(row));
            }
            Kind::Mjpeg => unreachable!("it is decoded"),
        }
        Ok(())
    }

    fn decode(&self, frame: &[u8]) -> anyhow::Result<Vec<u8>> {
        let whole = with_tables(frame);
        let decoder =
            JpegDecoder::new(Cursor::new(whole.as_deref().unwrap_or(frame))).context("a frame is no JPEG")?;
        let (width, height) = decoder.dimensions();
        // Before memory is asked for.
        ensure!(
            [width as usize, height as usize] == self.size,
            "a frame of {width}x{height} pixels, not as agreed"
        );
        let picture = DynamicImage::from_decoder(decoder).context("a frame is a damaged JPEG")?;
        Ok(picture.into_rgba8().into_raw())
    }
}

/// A JPEG without tables of Huffman codes, as many cameras send them, with those that are usual; none if it has its own.
fn with_tables(jpeg: &[u8]) -> Option<Vec<u8>> {
    // `image` writes them itself.
    static USUAL: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut jpeg = Vec::new();
        let written = JpegEncoder::new(&mut jpeg).encode(&[0; 3], 1, 1, ExtendedColorType::Rgb8);
        written.map(|()| head(&jpeg).0).unwrap_or_default()
    });
    let (tables, scan) = head(jpeg);
    let (before, after) = jpeg.split_at_checked(scan?)?;
    tables.is_empty().then(|| [before, &USUAL, after].concat())
}

/// A JPEG's tables of Huffman codes, and where its picture begins.
fn head(jpeg: &[u8]) -> (Vec<u8>, Option<usize>) {
    let (mut tables, mut at) = (Vec::new(), 2);
    while let Some([0xff, kind, high, low]) = jpeg.get(at..).and_then(|rest| rest.first_chunk()) {
        let end = at + 2 + usize::from(u16::from_be_bytes([*high, *low]));
        match kind {
            0xda => return (tables, Some(at)),
            0xc4 => tables.extend(jpeg.get(at..end).unwrap_or_default()),
            _ => {}
        }
        at = end;
    }
    (tables, None)
}

/// So many rows of a frame, each `stride` after the one before it; of each the first `bytes`.
fn rows(
    frame: &[u8],
    begin: usize,
    stride: usize,
    count: usize,
    bytes: usize,
) -> anyhow::Result<impl Iterator<Item = &[u8]>> {
    ensure!(bytes > 0, "frames without columns");
    ensure!(stride >= bytes, "rows of {stride} bytes are too short for {bytes}");
    let end = count
        .checked_sub(1)
        .and_then(|rows| rows.checked_mul(stride)?.checked_add(begin)?.checked_add(bytes));
    let end = end.context("frames without rows")?;
    // What follows the last row's pixels may be missing.
    let all = frame
        .get(begin..end)
        .with_context(|| format!("a frame of {} bytes is short of {end}", frame.len()))?;
    Ok(all.chunks(stride).map(move |row| &row[..bytes]))
}

#[cfg(test)]
mod tests {
    use image::ImageEncoder;

    use super::*;

    fn offer(kind: Kind, size: [u32; 2], rate: u32) -> Offer {
        Offer { kind, size, interval: Some([1, rate]) }
    }

    #[test]
    fn the_best_offer_is_the_first() {
        use Kind::{Mjpeg, Nv12, Yu12, Yuyv};
        let usual = offer(Yuyv, [640, 480], 30);
        for (offers, expected) in [
            (vec![offer(Mjpeg, [640, 480], 30), offer(Yuyv, [1280, 720], 10), usual.clone()], 2),
            // Nearest.
            (vec![offer(Yuyv, [320, 240], 30), offer(Yuyv, [800, 600], 30), offer(Yuyv, [1280, 960], 30)], 1),
            // As near: the cheapest.
            (vec![offer(Mjpeg, [640, 480], 30), offer(Yu12, [640, 480], 30), offer(Nv12, [640, 480], 30)], 2),
            // As near: the larger.
            (vec![offer(Nv12, [560, 480], 30), offer(Nv12, [720, 480], 30)], 1),
            // Whole pixels come too slowly.
            (vec![offer(Yuyv, [640, 480], 10), offer(Mjpeg, [1280, 720], 30)], 1),
            // Or only as a stamp, or too large.
            (vec![offer(Yuyv, [160, 120], 30), offer(Mjpeg, [640, 480], 30)], 1),
            (vec![offer(Yuyv, [1920, 1080], 30), offer(Mjpeg, [640, 480], 30)], 1),
            // Rather slow than nothing.
            (vec![offer(Yuyv, [2592, 1944], 2), offer(Yuyv, [640, 480], 7)], 1),
            // Who does not say is believed to be quick, whatever nonsense is there instead.
            (vec![offer(Yuyv, [640, 480], 10), Offer { interval: None, ..offer(Mjpeg, [640, 480], 1) }], 1),
            (
                vec![offer(Yuyv, [640, 480], 10), offer(Yuyv, [u32::MAX; 2], 0), offer(Mjpeg, [640, 480], 0)],
                2,
            ),
        ] {
            assert_eq!(by_preference(offers.clone())[0], offers[expected], "{offers:?}");
        }
        assert_eq!(by_preference(vec![]), []);
        // And kinds are written down in that order.
        let all = Kind::ALL.map(|kind| offer(kind, [640, 480], 30)).to_vec();
        assert_eq!(by_preference(all.iter().rev().cloned().collect()), all);
        assert_eq!(Kind::ALL.map(Kind::code), [*b"YUYV", *b"NV12", *b"YU12", *b"MJPG"]);
    }

    #[test]
    fn of_intervals_that_of_30_frames_a_second_is_best() {
        let best = |rates: &[u32]| best_interval(rates.iter().map(|rate| [1, *rate]));
        assert_eq!(best(&[60, 30, 15, 5]), Some([1, 30]));
        assert_eq!(best(&[5, 25, 60]), Some([1, 25]));
        assert_eq!(best(&[120, 60]), Some([1, 60]));
        assert_eq!(best(&[0]), None);
        assert_eq!(best_interval([[0, 0], [1001, 30000]]), Some([1001, 30000]));
        assert_eq!(interval_within([1, 90], [1, 2]), Some([1, 30]));
        assert_eq!(interval_within([1, 20], [1, 2]), Some([1, 20]));
        assert_eq!(interval_within([1, 90], [1, 50]), Some([1, 50]));
        assert_eq!(interval_within([0, 1], [1, 50]), None);
    }

    #[test]
    fn sizes_in_steps_are_kept_to() {
        for (axis, least, most, step, expected) in [
            (0, 16, 4096, 2, 640),
            (1, 16, 4096, 2, 480),
            (0, 16, 320, 16, 320),
            (0, 1000, 2000, 8, 1000),
            (0, 48, 4096, 100, 548),
            (1, 16, 4096, 0, 480),
            // Nonsense.
            (1, 500, 400, 1, 500),
        ] {
            assert_eq!(nearest_size(axis, least, most, step), expected, "{axis} {least} {most} {step}");
        }
    }

    const LIMITED_601: Said = Said { space: 8, encoding: 1, range: 0 };
    const FULL: Said = Said { space: 8, encoding: 0, range: 1 };

    fn layout(kind: Kind, size: [usize; 2], stride: usize, said: Said) -> Layout {
        Layout { kind, size, stride, colours: said.colours(kind) }
    }

    fn pixels(layout: Layout, frame: &[u8]) -> anyhow::Result<Vec<[u8; 4]>> {
        let (mut planes, mut rgba) = (Planes::default(), vec![1, 2, 3]);
        // Twice, since memory is used again.
        layout.convert(frame, &mut planes, &mut rgba)?;
        layout.convert(frame, &mut planes, &mut rgba)?;
        assert_eq!(rgba.len(), 4 * layout.size[0] * layout.size[1]);
        Ok(rgba.as_chunks::<4>().0.to_vec())
    }

    fn is_near(pixel: [u8; 4], [red, green, blue]: [u8; 3], most: u8) -> bool {
        pixel.iter().zip([red, green, blue, 255]).all(|(a, b)| a.abs_diff(b) <= most)
    }

    /// A frame of one colour, with 7 where nothing is to be read.
    fn plain(
        kind: Kind,
        [width, height]: [usize; 2],
        padding: usize,
        [y, u, v]: [u8; 3],
    ) -> (usize, Vec<u8>) {
        let (few, low) = (width.div_ceil(2), height.div_ceil(2));
        let padded = |row: Vec<u8>, padding| [row, vec![7; padding]].concat();
        let stride = padding + [4 * few, 2 * few, 2 * few][kind as usize];
        let frame = match kind {
            Kind::Yuyv => padded([y, u, y, v].repeat(few), padding).repeat(height),
            Kind::Nv12 => {
                let bright = padded(vec![y; width], stride - width).repeat(height);
                [bright, padded([u, v].repeat(few), padding).repeat(low)].concat()
            }
            _ => {
                let half = |it: u8| padded(vec![it; few], stride / 2 - few).repeat(low);
                [padded(vec![y; width], stride - width).repeat(height), half(u), half(v)].concat()
            }
        };
        (stride, frame)
    }

    #[test]
    fn colours_are_those_that_were_meant() {
        // BT.601 with the short range, and with the whole one.
        for (said, yuv, rgb) in [
            (LIMITED_601, [16, 128, 128], [0; 3]),
            (LIMITED_601, [126, 128, 128], [128; 3]),
            (LIMITED_601, [235, 128, 128], [255; 3]),
            (LIMITED_601, [81, 90, 240], [255, 0, 0]),
            (LIMITED_601, [145, 54, 34], [0, 255, 0]),
            (LIMITED_601, [41, 240, 110], [0, 0, 255]),
            (FULL, [0, 128, 128], [0; 3]),
            (FULL, [128, 128, 128], [128; 3]),
            (FULL, [255, 128, 128], [255; 3]),
            (FULL, [76, 85, 255], [255, 0, 0]),
            (FULL, [150, 44, 21], [0, 255, 0]),
            (FULL, [29, 255, 107], [0, 0, 255]),
        ] {
            for kind in [Kind::Yuyv, Kind::Nv12, Kind::Yu12] {
                for size in [[4, 4], [5, 3], [1, 1], [2, 7]] {
                    for padding in [0, 6] {
                        let (stride, frame) = plain(kind, size, padding, yuv);
                        let all = pixels(layout(kind, size, stride, said), &frame).unwrap();
                        let is_right = all.iter().all(|pixel| is_near(*pixel, rgb, 2));
                        assert!(is_right, "{kind:?} {size:?} {padding} {said:?} {yuv:?}: {all:?}");
                    }
                }
            }
        }
    }

    /// By brightness, each in its place.
    #[test]
    fn pixels_keep_their_places() {
        let grey = |kind, size, stride, frame: &[u8]| -> Vec<u8> {
            pixels(layout(kind, size, stride, FULL), frame).unwrap().iter().map(|pixel| pixel[0]).collect()
        };
        let yuyv = [1, 128, 2, 128, 3, 128, 99, 128, 77, 77, 4, 128, 5, 128, 6, 128, 99, 128];
        assert_eq!(grey(Kind::Yuyv, [3, 2], 10, &yuyv), [1, 2, 3, 4, 5, 6]);
        let half = [128; 6];
        let nv12 = [&[1, 2, 3, 99, 4, 5, 6, 99][..], &half[..4]].concat();
        assert_eq!(grey(Kind::Nv12, [3, 2], 0, &nv12), [1, 2, 3, 4, 5, 6]);
        let yu12 = [&[1, 2, 3, 4, 5, 6][..], &half[..4]].concat();
        assert_eq!(grey(Kind::Yu12, [3, 2], 0, &yu12), [1, 2, 3, 4, 5, 6]);
        // And differences: the right half is red, the left one blue.
        let nv12 = [[29, 29, 76, 76].repeat(2), vec![255, 107, 85, 255]].concat();
        let all = pixels(layout(Kind::Nv12, [4, 2], 4, FULL), &nv12).unwrap();
        assert!(is_near(all[1], [0, 0, 255], 2) && is_near(all[2], [255, 0, 0], 2), "{all:?}");
        assert_eq!(all[..4], all[4..]);
    }

    #[test]
    fn a_short_frame_is_an_error() {
        for kind in [Kind::Yuyv, Kind::Nv12, Kind::Yu12] {
            for size in [[4, 4], [5, 3]] {
                for padding in [0, 6] {
                    let (stride, frame) = plain(kind, size, padding, [16, 128, 128]);
                    // What pads the last row may be left out.
                    let least = frame.len() - frame.iter().rev().take_while(|byte| **byte == 7).count();
                    let layout = layout(kind, size, stride, LIMITED_601);
                    assert!(pixels(layout, &frame[..least]).is_ok());
                    for short in 0..least {
                        let error = pixels(layout, &frame[..short]).unwrap_err().to_string();
                        assert!(error.contains("short"), "{kind:?} {size:?} {padding} {short}: {error}");
                    }
                    assert!(pixels(Layout { stride: 3, ..layout }, &frame).is_err());
                    assert!(pixels(Layout { stride: usize::MAX / 2, ..layout }, &frame).is_err());
                    assert!(pixels(Layout { size: [4, 0], ..layout }, &frame).is_err());
                    assert!(pixels(Layout { size: [0, 4], stride: 0, ..layout }, &frame).is_err());
                }
            }
        }
    }

    #[test]
    fn what_a_camera_says_of_colours_counts() {
        let colours = |space, encoding, range| Said { space, encoding, range }.colours(Kind::Yuyv);
        let new = |is_full, is_709| Colours::new(Some([2, 1]), is_full, is_709);
        // sRGB, as cameras by USB have it; BT.709; JPEG.
        assert_eq!(colours(8, 0, 0), new(false, false));
        assert_eq!(colours(3, 0, 0), new(false, true));
        assert_eq!(colours(7, 0, 0), new(true, false));
        // What is said goes before what is usual.
        assert_eq!(colours(3, 1, 1), new(true, false));
        assert_eq!(colours(7, 2, 2), new(false, true));
        // What nobody knows yet.
        assert_eq!(colours(99, 0, 99), new(false, false));
    }

    fn jpeg(size: [u32; 2], rgb: [u8; 3]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let pixels = rgb.repeat((size[0] * size[1]) as usize);
        let encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.write_image(&pixels, size[0], size[1], ExtendedColorType::Rgb8).unwrap();
        bytes
    }

    /// Without its tables of Huffman codes, which cameras leave out since they are always the same.
    fn without_tables(jpeg: &[u8]) -> Vec<u8> {
        let (mut left, mut rest) = (jpeg[..2].to_vec(), &jpeg[2..]);
        while rest[1] != 0xda {
            let segment = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            if rest[1] != 0xc4 {
                left.extend(&rest[..segment]);
            }
            rest = &rest[segment..];
        }
        left.extend(rest);
        left
    }

    #[test]
    fn jpegs_are_frames() {
        let layout = layout(Kind::Mjpeg, [17, 9], 0, LIMITED_601);
        for rgb in [[128; 3], [255, 0, 0], [0, 255, 0], [0, 0, 255]] {
            let whole = jpeg([17, 9], rgb);
            let bare = without_tables(&whole);
            assert!(bare.len() < whole.len());
            // A camera's memory is longer than its frame.
            for frame in [&whole, &[whole.clone(), vec![0; 100]].concat(), &bare] {
                let all = pixels(layout, frame).unwrap();
                assert!(all.iter().all(|pixel| is_near(*pixel, rgb, 4)), "{rgb:?}: {all:?}");
            }
        }
        assert!(pixels(layout, &jpeg([16, 9], [0; 3])).unwrap_err().to_string().contains("16x9"));
        assert!(pixels(layout, b"").is_err());
        assert!(pixels(layout, &jpeg([17, 9], [0; 3])[..100]).is_err());
    }
}
