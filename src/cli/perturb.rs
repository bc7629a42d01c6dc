//! `mien evaluate --perturb`: how far estimates move with what leaves age and gender as they are.

use std::f32::consts::PI;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage, imageops};
use imageproc::filter::bilateral::{GaussianEuclideanColorDistance, bilateral_filter};
use mien::data::labels::{Rejection, Rejections};
use mien::data::layouts::LabelledPictures;
use mien::evaluation::{Prediction, Shift};
use mien::picture::{Border, Frame, Pixels, Similarity};

use super::EstimatorSource;
use super::evaluate::judge;
use super::output::{reasons, say};

/// Which changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Changes {
    /// What happens to pictures every day: light, size, compression, ...
    Everyday,
    /// What beauty filters do: skin smoothed, the picture brightened
    Beauty,
}

impl Changes {
    /// Them all, with their names.
    fn all(self) -> &'static [(Change, &'static str)] {
        match self {
            Self::Everyday => &EVERYDAY,
            Self::Beauty => &BEAUTY,
        }
    }
}

/// A change to a whole picture, before the faces are found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Mirrored,
    Darker,
    Brighter,
    Jpeg,
    Small,
    Grey,
    Turned,
    Blurred,
    Warm,
    /// Smoothed where neighbours are alike, as skin is, and not over edges: by a bilateral filter whose reach is
    /// such a share of the face's width, 0 for none. Then lifted towards white by so much, the middle tones most.
    Retouched {
        reach: f32,
        lift: f32,
    },
}

const BEAUTY: [(Change, &str); 5] = [
    (Change::Retouched { reach: 0.0, lift: 0.25 }, "brightened"),
    (Change::Retouched { reach: 0.015, lift: 0.0 }, "smoothed a little"),
    (Change::Retouched { reach: 0.03, lift: 0.0 }, "smoothed"),
    (Change::Retouched { reach: 0.015, lift: 0.25 }, "smoothed a little, brightened"),
    (Change::Retouched { reach: 0.03, lift: 0.25 }, "smoothed, brightened"),
];

/// How far apart colours may be, of 255, and still be smoothed: the bilateral filter's sigma in colour. Pores and
/// wrinkles in soft light are; lips, brows and lashes are not.
const SKIN_TONES: f32 = 30.0;
/// The farthest reach of the filter in pixels: its work grows with the square.
const FARTHEST: f32 = 12.0;

const EVERYDAY: [(Change, &str); 9] = [
    (Change::Mirrored, "mirrored"),
    (Change::Darker, "darker x0.5"),
    (Change::Brighter, "brighter x1.6"),
    (Change::Jpeg, "JPEG quality 20"),
    (Change::Small, "face of about 45 pixels"),
    (Change::Grey, "grey"),
    (Change::Turned, "turned by 12 degrees"),
    (Change::Blurred, "blurred (sigma: side / 120)"),
    (Change::Warm, "warm light"),
];

/// Width of a small face in pixels.
const SMALL_FACE: f32 = 45.0;

/// The unchanged pictures first, then each change against them, and what was left out.
pub fn shifts(
    source: &EstimatorSource,
    set: &LabelledPictures,
    changes: Changes,
) -> anyhow::Result<(Vec<Shift>, Rejections)> {
    let changes = changes.all();
    let bar = super::progress_bar(set.samples.len() as u64, "pictures");
    let mut rejections = set.rejections.clone();
    let mut columns = vec![Vec::<Prediction>::new(); changes.len() + 1];
    super::for_each_in_order(
        source,
        &set.samples,
        |estimator, sample| -> anyhow::Result<Vec<Prediction>> {
            let picture = Pixels::decode(&set.read(sample)?)?;
            let (plain, width) = judge(estimator, &picture.frame(), sample)?;
            let picture = picture.into_image();
            let changed = changes.iter().map(|(change, _)| {
                let changed = apply(*change, &picture, width)?;
                let (width, height) = changed.dimensions();
                let frame = Frame::new(width as usize, height as usize, changed.as_raw())?;
                Ok(judge(estimator, &frame, sample)?.0)
            });
            std::iter::once(Ok(plain)).chain(changed).collect()
        },
        |sample, result| {
            match result {
                Ok(row) => {
                    columns.iter_mut().zip(row).for_each(|(column, prediction)| column.push(prediction))
                }
                Err(error) => {
                    bar.suspend(|| say(format_args!("{}: {}", sample.file, reasons(&error))));
                    rejections.count(Rejection::UnreadablePicture);
                }
            }
            bar.inc(1);
        },
    )?;
    bar.finish_and_clear();
    let names = std::iter::once("none").chain(changes.iter().map(|(_, name)| *name));
    let shifts = names.zip(&columns).filter_map(|(name, column)| Shift::of(name, &columns[0], column));
    Ok((shifts.collect(), rejections))
}

/// The changed picture; `face` is the width of its face in pixels.
fn apply(change: Change, picture: &RgbaImage, face: f32) -> anyhow::Result<RgbaImage> {
    let (width, height) = picture.dimensions();
    let scaled = |factors: [f32; 3]| {
        let mut picture = picture.clone();
        for pixel in picture.pixels_mut() {
            // The cast saturates.
            pixel.0.iter_mut().zip(factors).for_each(|(v, factor)| *v = (f32::from(*v) * factor + 0.5) as u8);
        }
        picture
    };
    Ok(match change {
        Change::Mirrored => imageops::flip_horizontal(picture),
        Change::Darker => scaled([0.5; 3]),
        Change::Brighter => scaled([1.6; 3]),
        Change::Warm => scaled([1.15, 1.0, 0.75]),
        Change::Jpeg => {
            let mut file = Cursor::new(Vec::new());
            let rgb = DynamicImage::ImageRgba8(picture.clone()).into_rgb8();
            rgb.write_with_encoder(JpegEncoder::new_with_quality(&mut file, 20))?;
            image::load_from_memory_with_format(file.get_ref(), ImageFormat::Jpeg)?.into_rgba8()
        }
        Change::Small => {
            let scale = (face / SMALL_FACE).max(1.0);
            let sides = [width, height].map(|side| ((side as f32 / scale).round() as usize).max(1));
            sampled(picture, &Similarity::new(scale, 0.0, 0.0, 0.0), sides)?
        }
        Change::Grey => DynamicImage::ImageRgba8(picture.clone()).grayscale().into_rgba8(),
        Change::Turned => {
            let turn = Similarity::new(1.0, 12.0 * PI / 180.0, 0.0, 0.0);
            let centre = [width as f32 / 2.0, height as f32 / 2.0];
            let [x, y] = turn.apply(centre);
            let turn = turn.shifted(centre[0] - x, centre[1] - y);
            sampled(picture, &turn, [width as usize, height as usize])?
        }
        Change::Blurred => imageops::blur(picture, width.min(height) as f32 / 120.0),
        Change::Retouched { reach, lift } => retouched(picture, reach * face, lift),
    })
}

/// As beauty filters do it; the reach in pixels.
fn retouched(picture: &RgbaImage, reach: f32, lift: f32) -> RgbaImage {
    let mut rgb: RgbImage = DynamicImage::ImageRgba8(picture.clone()).into_rgb8();
    if reach > 0.0 {
        let sigma = reach.clamp(0.5, FARTHEST / 2.0);
        let radius = (2.0 * sigma).ceil() as u8;
        let tones = GaussianEuclideanColorDistance::new(SKIN_TONES);
        rgb = bilateral_filter(&rgb, radius, sigma, tones);
    }
    let lifted = |value: u8| {
        let share = f32::from(value) / 255.0;
        (255.0 * (share + 2.0 * lift * share * (1.0 - share)) + 0.5) as u8
    };
    rgb.iter_mut().for_each(|value| *value = lifted(*value));
    DynamicImage::ImageRgb8(rgb).into_rgba8()
}

fn sampled(picture: &RgbaImage, transform: &Similarity, sides: [usize; 2]) -> anyhow::Result<RgbaImage> {
    let (width, height) = picture.dimensions();
    let frame = Frame::new(width as usize, height as usize, picture.as_raw())?;
    let rgb = frame.sample(transform, sides[0], sides[1], Border::Replicate);
    let rgba = rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
    Ok(RgbaImage::from_raw(sides[0] as u32, sides[1] as u32, rgba).expect("as many bytes as pixels"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    #[test]
    fn every_change_is_what_it_says() {
        // A dark left and a bright right half, with a red spot.
        let mut picture = RgbaImage::from_fn(120, 90, |x, _| {
            Rgba(if x < 60 { [20, 20, 20, 255] } else { [160, 160, 160, 255] })
        });
        picture.put_pixel(60, 45, Rgba([200, 10, 10, 255]));
        let [dark, bright] = [(10, 45), (110, 45)];
        for (change, name) in EVERYDAY {
            let changed = apply(change, &picture, 90.0).unwrap();
            let at = |(x, y): (u32, u32)| changed.get_pixel(x, y).0;
            assert!(changed != picture, "{name}");
            match change {
                Change::Mirrored => assert_eq!([at(dark)[0], at(bright)[0]], [160, 20]),
                Change::Darker => assert_eq!([at(dark)[0], at(bright)[0]], [10, 80]),
                Change::Brighter => assert_eq!([at(dark)[0], at(bright)[0]], [32, 255]),
                Change::Warm => assert_eq!(at(bright), [184, 160, 120, 255]),
                Change::Small => assert_eq!(changed.dimensions(), (60, 45)),
                Change::Grey => assert!(changed.pixels().all(|p| p[0] == p[1] && p[1] == p[2])),
                Change::Turned => {
                    // The edge between the halves leans.
                    let edge = |y| (0..120).find(|x| changed.get_pixel(*x, y)[0] > 90).unwrap();
                    assert_eq!(edge(5).abs_diff(edge(85)), 17);
                }
                Change::Retouched { .. } => unreachable!(),
                Change::Jpeg | Change::Blurred => {
                    assert_eq!(changed.dimensions(), (120, 90));
                    assert!(at(dark)[0].abs_diff(20) < 8 && at(bright)[0].abs_diff(160) < 8, "{name}");
                }
            }
        }
        // A face that is small already stays.
        assert_eq!(apply(Change::Small, &picture, 40.0).unwrap(), picture);
    }

    #[test]
    fn a_beauty_filter_smooths_skin_and_keeps_edges() {
        // Skin with a fine pattern, beside something dark.
        let picture = RgbaImage::from_fn(120, 90, |x, y| {
            let pore = if (x + y).is_multiple_of(3) { 12 } else { 0 };
            if x < 60 { Rgba([30, 30, 30, 255]) } else { Rgba([190 - pore, 150 - pore, 130 - pore, 255]) }
        });
        // How far neighbours on the skin differ, and how far both sides of the edge do.
        let measure = |picture: &RgbaImage| {
            let skin: i32 = (70..110)
                .map(|x| i32::from(picture.get_pixel(x, 45)[0].abs_diff(picture.get_pixel(x + 1, 45)[0])))
                .sum();
            (skin, picture.get_pixel(62, 45)[0].abs_diff(picture.get_pixel(57, 45)[0]))
        };
        let (rough, edge) = measure(&picture);
        for (change, name) in BEAUTY {
            let changed = apply(change, &picture, 90.0).unwrap();
            let (skin, kept) = measure(&changed);
            let Change::Retouched { reach, lift } = change else { panic!("{name}") };
            let (smooths, lifts) = (reach > 0.0, lift > 0.0);
            assert_eq!(skin < rough / 2, smooths, "{name}: {skin} of {rough}");
            assert!(kept + 20 > edge, "{name}: {kept} of {edge}");
            assert_eq!(changed.get_pixel(90, 45)[0] > 200, lifts, "{name}: {:?}", changed.get_pixel(90, 45));
            assert_eq!(changed.get_pixel(90, 45)[3], 255);
        }
    }
}
