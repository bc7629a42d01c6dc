//! `mien evaluate --perturb`: how far estimates move with what leaves age and gender as they are.

use std::f32::consts::PI;
use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, RgbaImage, imageops};
use mien::data::labels::{Rejection, Rejections};
use mien::data::layouts::LabelledPictures;
use mien::evaluation::{Prediction, Shift};
use mien::picture::{Border, Frame, Pixels, Similarity};

use super::EstimatorSource;
use super::evaluate::judge;
use super::output::{reasons, say};

/// A change to a whole picture, before the faces are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

/// Them all, with their names.
const CHANGES: [(Change, &str); 9] = [
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
pub fn shifts(source: &EstimatorSource, set: &LabelledPictures) -> anyhow::Result<(Vec<Shift>, Rejections)> {
    let bar = super::progress_bar(set.samples.len() as u64, "pictures");
    let mut rejections = set.rejections.clone();
    let mut columns = vec![Vec::<Prediction>::new(); CHANGES.len() + 1];
    super::for_each_in_order(
        source,
        &set.samples,
        |estimator, sample| -> anyhow::Result<Vec<Prediction>> {
            let picture = Pixels::decode(&set.read(sample)?)?;
            let (plain, width) = judge(estimator, &picture.frame(), sample)?;
            let picture = picture.into_image();
            let changed = CHANGES.iter().map(|(change, _)| {
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
    let names = std::iter::once("none").chain(CHANGES.map(|(_, name)| name));
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
    })
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
        for (change, name) in CHANGES {
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
                Change::Jpeg | Change::Blurred => {
                    assert_eq!(changed.dimensions(), (120, 90));
                    assert!(at(dark)[0].abs_diff(20) < 8 && at(bright)[0].abs_diff(160) < 8, "{name}");
                }
            }
        }
        // A face that is small already stays.
        assert_eq!(apply(Change::Small, &picture, 40.0).unwrap(), picture);
    }
}
