//! Results of today are those of before: boxes, ages and genders of some pictures and of a video are kept
//! beside this file, for each engine and for the program.
//!
//! Where a change is meant to change them (other weights, a mended fault), they are written anew:
//!
//!     MIEN_WRITE_GOLDEN=1 cargo test --release --test golden
//!
//! That refuses pictures on which results depend on rounding: where engines disagree, or noise makes or
//! unmakes a face.

mod adapter;
mod pictures;
// GPU is of `tests/browser/golden.rs`.
#[allow(dead_code)]
mod record;

use adapter::{Estimator, Video, predict};
use image::RgbaImage;
use pictures::{pictures, video, with_noise};
use record::{Photos, ROUNDING, Seen, check, differences, writes};

/// The pictures that the other networks and the reference engine are asked about: they take longer, or share
/// all but the network.
const FEW: [&str; 7] = ["astronaut", "turned 20", "scaled to 1100", "cut tight", "five", "dark", "sample"];

fn some() -> Vec<(&'static str, RgbaImage)> {
    pictures().into_iter().filter(|(name, _)| FEW.contains(name)).collect()
}

fn photos(estimator: &Estimator, pictures: &[(&'static str, RgbaImage)]) -> Photos {
    pictures.iter().map(|(name, picture)| ((*name).into(), estimator.photo(picture))).collect()
}

#[test]
fn photos_on_the_cpu() {
    let pictures = pictures();
    let estimator = Estimator::new("cpu", "d-cnn");
    let photos = photos(&estimator, &pictures);
    let faces = |name: &str| photos[name].len();
    for (name, count) in [("astronaut", 1), ("two", 2), ("five", 5), ("twelve", 12), ("far", 2)] {
        assert_eq!(faces(name), count, "{name}");
    }
    for name in ["noise", "gradient", "wide", "one pixel"] {
        assert_eq!(faces(name), 0, "{name}");
    }
    if writes() {
        for (name, picture) in &pictures {
            let noisy = estimator.photo(&with_noise(picture));
            assert_eq!(noisy.len(), faces(name), "noise makes or unmakes a face: {name}");
            let least = photos[*name].iter().map(|face| face.score).fold(1.0, f64::min);
            assert!(least > 0.52, "{name}: a score of {least} is too near the least one, 0.5");
        }
    }
    check("d-cnn.cpu", &photos);
}

#[test]
fn photos_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = pictures();
    let file = |name: &str| folder.path().join(format!("{name}.png"));
    let save = |(name, picture): &(&str, RgbaImage)| {
        picture.save(file(name)).unwrap();
        file(name)
    };
    let files: Vec<_> = pictures.iter().map(save).collect();
    let lines = predict(&files, "d-cnn");
    assert_eq!(lines.len(), pictures.len());
    let named = pictures.iter().zip(lines).map(|((name, _), line)| ((*name).into(), line.faces));
    // The same as by the library: it reads the very same pixels.
    if !writes() {
        check("d-cnn.cpu", &named.collect::<Photos>());
    }
}

#[test]
fn photos_of_other_networks() {
    for network in ["lite", "m-cnn", "base"] {
        check(&format!("{network}.cpu"), &photos(&Estimator::new("cpu", network), &some()));
    }
}

#[test]
fn photos_on_the_reference_engine() {
    let pictures = some();
    for network in ["lite", "d-cnn", "m-cnn", "base"] {
        let photos = photos(&Estimator::new("reference", network), &pictures);
        if writes() {
            let cpu = self::photos(&Estimator::new("cpu", network), &pictures);
            assert_eq!(differences(&photos, &cpu, ROUNDING), [""; 0], "{network}: engines disagree");
        }
        check(&format!("{network}.reference"), &photos);
    }
}

#[test]
fn a_video() {
    for network in ["lite", "d-cnn", "m-cnn"] {
        let estimator = Estimator::new("cpu", network);
        let mut state = Video::default();
        let seen: Vec<Seen> = video().map(|(ms, picture)| state.process(&estimator, &picture, ms)).collect();
        for mode in ["search", "follow", "skip"] {
            assert!(seen.iter().any(|seen| seen.mode == mode), "no frame is for {mode}");
        }
        assert!(seen.iter().any(|seen| seen.faces.len() == 2), "the other face is never seen");
        assert_eq!(seen.last().unwrap().faces.len(), 1, "one stays");
        check(&format!("{network}.video"), &seen);
    }
}
