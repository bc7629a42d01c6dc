//! Encoded pictures: decoding, to the pixels that a browser would show of them.

mod bmp;
mod gif;
mod jpeg;
mod png;

use std::cell::Cell;
use std::error::Error;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use thiserror::Error;

use super::{Frame, flatten};

/// The most bytes that a picture's pixels may take.
pub const MOST_BYTES: u64 = 512 << 20;

/// And what a PNG has beside them, or one row of them.
const MOST_BESIDE_PIXELS: u64 = 16 << 20;

/// Why a file is not a usable picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// No picture at all, or of a kind that can't be read.
    #[error("not a picture that can be read (JPEG, PNG, WebP, GIF, BMP or TIFF)")]
    Unknown,
    /// A kind that is known and not read.
    #[error("{0} pictures can't be read; save it as a JPEG first")]
    Unsupported(&'static str),
    /// Of a kind that is read mostly.
    #[error("a picture of that kind, but such as can't be read ({0}); save it as an ordinary JPEG first")]
    Unusual(String),
    /// The file ends before the picture does.
    #[error("the file is incomplete: it ends before the picture does")]
    Incomplete,
    /// It says that it has no pixels.
    #[error("the picture is empty ({width}x{height} pixels)")]
    NoPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More pixels than memory is spent on.
    #[error("{width}x{height} pixels are too many: they would take more than 512 MiB")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// More memory than a picture of its size has a need for.
    #[error("the picture would take too much memory to decode")]
    TooDemanding,
    /// What the decoder says.
    #[error("the picture is damaged ({0})")]
    Damaged(String),
}

impl From<image::ImageError> for DecodeError {
    fn from(error: image::ImageError) -> Self {
        // The first cause; those around it say no more.
        let mut cause: &dyn Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        // In one line, which not every decoder's is.
        let reason = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let is_end = |e: &std::io::Error| e.kind() == std::io::ErrorKind::UnexpectedEof;
        let says_end = ["unexpected end", "fill whole buffer", "not enough bytes"];
        let lower = reason.to_lowercase();
        if cause.downcast_ref::<std::io::Error>().is_some_and(is_end)
            || says_end.iter().any(|words| lower.contains(words))
        {
            return Self::Incomplete;
        }
        match error {
            image::ImageError::Unsupported(_) => return Self::Unusual(reason),
            image::ImageError::Limits(_) => return Self::TooDemanding,
            _ => {}
        }
        Self::Damaged(reason)
    }
}

/// A decoded picture in memory, upright, in sRGB, and without transparency.
#[derive(Debug, Clone)]
pub struct Pixels(RgbaImage);

impl Pixels {
    /// Decodes JPEG, PNG, WebP, GIF, BMP or TIFF as browsers do: of an animation its first picture, turned as
    /// its EXIF data say, in the colours that its ICC profile means, and what is transparent over white
    /// ([`flatten`]).
    ///
    /// # Errors
    /// [`DecodeError`], also where a decoder panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        catch(|| decode(bytes))
    }

    /// The pixels, for the estimator.
    pub fn frame(&self) -> Frame<'_> {
        let (width, height) = self.0.dimensions();
        Frame::new(width as usize, height as usize, self.0.as_raw()).expect("none without pixels was decoded")
    }

    /// The picture as the `image` crate has it.
    pub fn into_image(self) -> RgbaImage {
        self.0
    }
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread decodes a picture: a panic is no more than a [`DecodeError`] then.
pub fn is_decoding() -> bool {
    // A thread that ends may have lost its locals.
    DECODING.try_with(Cell::get).unwrap_or(false)
}

/// Width and height of a picture as its file has it, before it is turned: cheap, and no promise that it can be
/// decoded.
pub fn size_of_file(path: &Path) -> Option<[u32; 2]> {
    let reader = || ImageReader::open(path)?.with_guessed_format();
    let size = || Ok(reader().map_err(image::ImageError::IoError)?.into_dimensions()?);
    catch(size).ok().map(|(width, height)| [width, height])
}

/// Runs a decoder, whose panic is an error.
fn catch<T>(run: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    let before = DECODING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    DECODING.set(before);
    result.unwrap_or_else(|_| Err(DecodeError::Damaged("its decoder gave up".into())))
}

fn decode(bytes: &[u8]) -> Result<Pixels, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if let Some(kind) = foreign(bytes) {
        return Err(DecodeError::Unsupported(kind));
    }
    if let Some((riff, b"WEBP")) = bytes.get(4..12).and_then(|start| start.split_first_chunk::<4>())
        && u64::from(u32::from_le_bytes(*riff)) + 8 > bytes.len() as u64
    {
        return Err(DecodeError::Incomplete);
    }
    let file = gif::with_room(bytes);
    let bytes = &file[..];
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::IoError)?;
    let Some(format) = reader.format() else { return Err(DecodeError::Unknown) };
    let check = |width: u32, height: u32, bytes: u64| {
        if width == 0 || height == 0 {
            return Err(DecodeError::NoPixels { width, height });
        }
        // As the decoder gives them, and as they are kept.
        let kept = 4 * u64::from(width) * u64::from(height);
        if bytes.max(kept) > MOST_BYTES { Err(DecodeError::TooLarge { width, height }) } else { Ok(()) }
    };
    let (is_jpeg, is_png) = (format == ImageFormat::Jpeg, format == ImageFormat::Png);
    // Their decoders have other words for it.
    if let Some([width, height]) = if is_png { png::size(bytes) } else { bmp::size(bytes) } {
        check(width, height, 0)?;
    }
    if is_jpeg && let Some(what) = jpeg::unusual(bytes) {
        return Err(DecodeError::Unusual(what.into()));
    }
    let mut decoder: Box<dyn ImageDecoder> = match is_png {
        // What is packed in such a file beside its pixels, a colour profile for one, may be a thousand times
        // as long.
        true => {
            let mut limits = Limits::default();
            limits.max_alloc = Some(MOST_BESIDE_PIXELS);
            Box::new(PngDecoder::with_limits(Cursor::new(bytes), limits)?)
        }
        false => Box::new(reader.into_decoder()?),
    };
    let (width, height) = decoder.dimensions();
    check(width, height, decoder.total_bytes())?;
    if is_jpeg && jpeg::ends_early(bytes) {
        return Err(DecodeError::Incomplete);
    }
    // What browsers can't make sense of they leave; and whatever WebP files say.
    let orientation = match format {
        ImageFormat::Jpeg => jpeg::orientation(bytes),
        ImageFormat::WebP => None,
        _ => decoder.orientation().ok(),
    };
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    let embedded = decoder.icc_profile().ok().flatten();
    let embedded = embedded.and_then(|profile| ColorProfile::new_from_slice(&profile).ok());
    let profile = is_png.then(|| png::profile(bytes)).flatten().or(embedded);
    let inks = profile.as_ref().filter(|it| is_jpeg && it.color_space == DataColorSpace::Cmyk);
    let mut image = match inks.and_then(|profile| jpeg::of_inks(bytes, profile)) {
        Some(image) => image.into(),
        None if is_png && png::hides_its_pixels(bytes) => first_of_animation(bytes)?.into(),
        None => DynamicImage::from_decoder(decoder)?,
    };
    image.apply_orientation(orientation);
    let is_grey = !image.color().has_color();
    let mut image = image.into_rgba8();
    if let Some(profile) = profile {
        convert(&mut image, &profile, is_grey);
    }
    flatten(&mut image);
    Ok(Pixels(image))
}

/// What a browser shows of an animated PNG whose pixels are not a part of it.
fn first_of_animation(png: &[u8]) -> Result<RgbaImage, DecodeError> {
    let decoder = PngDecoder::with_limits(Cursor::new(png), Limits::default())?;
    let first = decoder.apng()?.into_frames().next().ok_or(DecodeError::Incomplete)?;
    Ok(first?.into_buffer())
}

/// The name of a kind that cameras and browsers save pictures as and that is not read here.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    const BRANDS: [(&[u8], &str); 11] = [
        (b"avif", "AVIF"),
        (b"avis", "AVIF"),
        (b"heic", "HEIC"),
        (b"heix", "HEIC"),
        (b"hevc", "HEIC"),
        (b"heim", "HEIC"),
        (b"heis", "HEIC"),
        (b"hevm", "HEIC"),
        (b"hevs", "HEIC"),
        (b"mif1", "HEIC"),
        (b"msf1", "HEIC"),
    ];
    if bytes.starts_with(b"\xff\x0a") || bytes.starts_with(b"\0\0\0\x0cJXL \r\n") {
        return Some("JPEG XL");
    }
    let brand = bytes.get(4..)?.strip_prefix(b"ftyp")?.get(..4)?;
    BRANDS.iter().find(|(name, _)| *name == brand).map(|(_, kind)| *kind)
}

/// To sRGB, by a picture's profile. One of other channels than the pixels have by now (CMYK) counts as none.
fn convert(image: &mut RgbaImage, profile: &ColorProfile, is_grey: bool) {
    let from = match (profile.color_space, is_grey) {
        (DataColorSpace::Rgb, _) => Layout::Rgba,
        (DataColorSpace::Gray, true) => Layout::GrayAlpha,
        _ => return,
    };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(transform) = profile.create_transform_8bit(from, &srgb, Layout::Rgba, options) else { return };
    // Row by row, for one row's copy.
    let width = image.width() as usize;
    let mut row = Vec::with_capacity(width * 4);
    for pixels in image.chunks_exact_mut(width * 4) {
        row.clear();
        match from {
            Layout::GrayAlpha => {
                row.extend(pixels.as_chunks::<4>().0.iter().flat_map(|[v, _, _, a]| [*v, *a]))
            }
            _ => row.extend_from_slice(pixels),
        }
        if transform.transform(&row, pixels).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, GrayImage, ImageEncoder, RgbImage, Rgba};

    fn png(image: &RgbaImage) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    /// Fine detail, so that much of the file is scan.
    fn jpeg(side: u32) -> Vec<u8> {
        let image =
            RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 37) as u8, (y * 59) as u8, (x * y) as u8]));
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Jpeg).unwrap();
        file.into_inner()
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert_eq!(Pixels::decode(b"").unwrap_err(), DecodeError::Empty);
        assert_eq!(Pixels::decode(b"hello, world").unwrap_err(), DecodeError::Unknown);
        // Numbers with a point: a TIFF, and yet none that is read.
        let mut tiff = Cursor::new(Vec::new());
        let light = image::Rgb32FImage::from_pixel(4, 4, image::Rgb([0.5; 3]));
        DynamicImage::ImageRgb32F(light).write_to(&mut tiff, ImageFormat::Tiff).unwrap();
        let mut tiff = tiff.into_inner();
        // As palettes, of which the decoder knows none.
        let at = tiff.windows(4).position(|tag| tag == [0x06, 0x01, 3, 0]).unwrap();
        tiff[at + 8] = 3;
        let error = Pixels::decode(&tiff).unwrap_err();
        assert!(matches!(error, DecodeError::Unusual(_)), "{error:?}");
        // JPEGs with other numbers and other codes than there are decoders for.
        let usual = jpeg(16);
        let frame = usual.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        for (at, value, what) in [(1, 0xc9, "arithmetic"), (1, 0xc3, "lossless"), (4, 12, "12 bits")] {
            let mut jpeg = usual.clone();
            jpeg[frame + at] = value;
            let error = Pixels::decode(&jpeg).unwrap_err();
            assert!(matches!(&error, DecodeError::Unusual(why) if why.contains(what)), "{error:?}");
        }
        for (start, kind) in [(b"\0\0\0\x18ftypheic", "HEIC"), (b"\0\0\0\x1cftypavif", "AVIF")] {
            assert_eq!(Pixels::decode(start).unwrap_err(), DecodeError::Unsupported(kind));
        }
        let mut png = png(&RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 255])));
        let picture = Pixels::decode(&png).unwrap();
        assert_eq!((picture.frame().width(), picture.frame().height()), (3, 2));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        std::fs::write(&path, &png).unwrap();
        assert_eq!((size_of_file(&path), size_of_file(folder.path())), (Some([3, 2]), None));
        png.truncate(png.len() / 2);
        assert!(Pixels::decode(&png).is_err());
    }

    /// A GIF and a BMP of no width, as damaged files have it.
    #[test]
    fn pictures_without_pixels_are_refused() {
        let mut gif = Cursor::new(Vec::new());
        RgbaImage::from_pixel(4, 4, Rgba([9, 9, 9, 255])).write_to(&mut gif, ImageFormat::Gif).unwrap();
        let mut gif = gif.into_inner();
        gif[6..10].fill(0);
        assert_eq!(Pixels::decode(&gif).unwrap_err(), DecodeError::NoPixels { width: 0, height: 0 });
        let mut bmp = Cursor::new(Vec::new());
        RgbaImage::from_pixel(4, 4, Rgba([9, 9, 9, 255])).write_to(&mut bmp, ImageFormat::Bmp).unwrap();
        let mut bmp = bmp.into_inner();
        bmp[18..22].fill(0);
        assert_eq!(Pixels::decode(&bmp).unwrap_err(), DecodeError::NoPixels { width: 0, height: 4 });
    }

    /// They would take gigabytes; that they are refused at once is what keeps this test short.
    #[test]
    fn pictures_that_would_fill_memory_are_refused() {
        let mut png = png(&RgbaImage::from_pixel(4, 4, Rgba([9, 9, 9, 255])));
        for at in [16, 20] {
            png[at..at + 4].copy_from_slice(&40_000u32.to_be_bytes());
        }
        let checksum = crc32fast::hash(&png[12..29]);
        png[29..33].copy_from_slice(&checksum.to_be_bytes());
        let error = DecodeError::TooLarge { width: 40_000, height: 40_000 };
        assert_eq!(Pixels::decode(&png).unwrap_err(), error);
        // Of which a row alone is more than a decoder takes.
        png[16..20].copy_from_slice(&800_000_000u32.to_be_bytes());
        let error = DecodeError::TooLarge { width: 800_000_000, height: 40_000 };
        assert_eq!(Pixels::decode(&png).unwrap_err(), error);
        let mut bmp = Cursor::new(Vec::new());
        RgbaImage::from_pixel(4, 4, Rgba([9, 9, 9, 255])).write_to(&mut bmp, ImageFormat::Bmp).unwrap();
        let mut bmp = bmp.into_inner();
        bmp[18..22].copy_from_slice(&524_289i32.to_le_bytes());
        // From above, which files have as a height below zero.
        bmp[22..26].copy_from_slice(&(-40_000i32).to_le_bytes());
        let error = DecodeError::TooLarge { width: 524_289, height: 40_000 };
        assert_eq!(Pixels::decode(&bmp).unwrap_err(), error);

        let mut jpeg = jpeg(16);
        let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        for at in [frame + 5, frame + 7] {
            jpeg[at..at + 2].copy_from_slice(&65_500u16.to_be_bytes());
        }
        let error = DecodeError::TooLarge { width: 65_500, height: 65_500 };
        assert_eq!(Pixels::decode(&jpeg).unwrap_err(), error);
    }

    #[test]
    fn a_picture_that_is_cut_off_is_refused() {
        let image =
            RgbaImage::from_fn(64, 64, |x, y| Rgba([(x * 37) as u8, (y * 59) as u8, (x * y) as u8, 255]));
        let kinds =
            [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp, ImageFormat::Tiff];
        for format in kinds {
            let mut file = Cursor::new(Vec::new());
            image.write_to(&mut file, format).unwrap();
            let file = file.into_inner();
            let error = Pixels::decode(&file[..file.len() * 7 / 10]).unwrap_err();
            assert_eq!(error, DecodeError::Incomplete, "{format:?}");
        }
        let whole = jpeg(64);
        assert!(Pixels::decode(&whole).is_ok());
        // Cameras put more behind it.
        assert!(Pixels::decode(&[&whole[..], b"\xff\xd8 a video"].concat()).is_ok());
        let scan = whole.windows(2).position(|w| w == [0xff, 0xda]).unwrap();
        for percent in [30, 70, 99] {
            let cut = scan + 20 + (whole.len() - scan - 20) * percent / 100;
            assert_eq!(Pixels::decode(&whole[..cut]).unwrap_err(), DecodeError::Incomplete, "{percent} %");
        }
    }

    #[test]
    fn errors_have_one_reason() {
        let mut damaged = png(&RgbaImage::from_pixel(3, 2, Rgba([1, 2, 3, 255])));
        let at = damaged.len() / 2;
        damaged[at..].fill(7);
        let error = Pixels::decode(&damaged).unwrap_err();
        assert!(error.source().is_none());
        assert!(error.to_string().matches(':').count() <= 1, "{error}");
    }

    #[test]
    fn a_panic_of_a_decoder_is_an_error() {
        assert!(!is_decoding());
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| assert!(is_decoding())));
        let result = catch::<()>(|| panic!("as a decoder may"));
        std::panic::set_hook(hook);
        assert!(matches!(result, Err(DecodeError::Damaged(_))), "{result:?}");
        assert!(!is_decoding());
    }

    #[test]
    fn what_is_transparent_is_over_white() {
        let colours = [[10, 20, 30, 0], [10, 20, 30, 255], [10, 20, 30, 51]];
        let image = RgbaImage::from_fn(3, 1, |x, _| Rgba(colours[x as usize]));
        let picture = Pixels::decode(&png(&image)).unwrap();
        let [clear, opaque, fifth] = picture.frame().row(0, 0..3) else { panic!("three pixels") };
        assert_eq!((*clear, *opaque, *fifth), ([255; 4], [10, 20, 30, 255], [206, 208, 210, 255]));
    }

    /// A profile with red and green exchanged: as far from sRGB as one can be.
    #[test]
    fn colours_are_those_that_the_profile_means() {
        let mut exchanged = ColorProfile::new_srgb();
        (exchanged.red_colorant, exchanged.green_colorant) =
            (exchanged.green_colorant, exchanged.red_colorant);
        let encoded = |profile: &ColorProfile| {
            let mut file = Vec::new();
            let mut encoder = PngEncoder::new(&mut file);
            encoder.set_icc_profile(profile.encode().unwrap()).unwrap();
            encoder.write_image(&[200, 100, 50], 1, 1, ExtendedColorType::Rgb8).unwrap();
            file
        };
        let first = |file: &[u8]| Pixels::decode(file).unwrap().frame().row(0, 0..1)[0];
        assert!(near(first(&encoded(&exchanged)), [100, 200, 50, 255]));
        assert!(near(first(&encoded(&ColorProfile::new_srgb())), [200, 100, 50, 255]));

        // Grey of a linear profile is lighter than its number, in JPEG as in PNG.
        let linear = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, 100);
        encoder.set_icc_profile(linear).unwrap();
        encoder.encode_image(&GrayImage::from_pixel(8, 8, image::Luma([55]))).unwrap();
        assert!(near(first(&file), [128, 128, 128, 255]), "{:?}", first(&file));

        // One that is no profile counts as none.
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        encoder.set_icc_profile(b"no profile".to_vec()).unwrap();
        encoder.write_image(&[200, 100, 50], 1, 1, ExtendedColorType::Rgb8).unwrap();
        assert_eq!(first(&file), [200, 100, 50, 255]);
    }

    fn near(pixel: [u8; 4], expected: [u8; 4]) -> bool {
        pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2)
    }
}
