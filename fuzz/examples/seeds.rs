//! Writes `fuzz/corpus`: what fuzzing begins with, of each kind of input a few that are whole.
//!
//!     cargo run --release --package mien-fuzz --example seeds

use std::fs;
use std::io::Cursor;
use std::path::Path;

use burn::nn::LinearConfig;
use burn::optim::AdamWConfig;
use burn::tensor::Device;
use half::f16;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, RgbImage};
use mien::data::answers::{TeacherAnswer, file};
use mien::data::crops::{CROP_LEN, Crops, write_version};
use mien::engine::RawEstimate;
use mien::picture::{Border, Similarity};
use mien::pipeline::track::{Observation, Tracker};
use mien::train::checkpoint::{Checkpoint, CheckpointState};
use mien::train::schedule::{LearningRateSchedule, ScheduleKind};
use mien::weights::{NamedTensor, Precision, Weights};
use mien_fuzz::{Input, TOY_TABLE, folder, portrait};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

fn main() {
    pictures();
    weights();
    answers();
    checkpoints();
    mats();
    tables();
    tars();
    states();
    decisions();
}

/// Writes a seed.
fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn pictures() {
    let (width, height) = (14, 11);
    let portrait = portrait();
    let view = Similarity::new(14.0, 0.0, 120.0, 40.0);
    let rgb = portrait.frame().sample(&view, width, height, Border::Replicate);
    let rgb = RgbImage::from_raw(width as u32, height as u32, rgb).unwrap();
    let image = DynamicImage::from(rgb.clone());
    let written = |image: &DynamicImage, format| {
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, format).unwrap();
        file.into_inner()
    };
    for (name, format) in [
        ("png", ImageFormat::Png),
        ("jpeg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
        ("gif", ImageFormat::Gif),
        ("bmp", ImageFormat::Bmp),
        ("tiff", ImageFormat::Tiff),
    ] {
        seed("decode", name, &written(&image, format));
    }
    for (name, image) in [
        ("png-grey", DynamicImage::from(image.to_luma8())),
        ("png-grey-alpha", DynamicImage::from(image.to_luma_alpha8())),
        ("png-alpha", DynamicImage::from(image.to_rgba8())),
        ("png-16", DynamicImage::from(image.to_rgb16())),
    ] {
        seed("decode", name, &written(&image, ImageFormat::Png));
    }
    seed("decode", "jpeg-grey", &written(&DynamicImage::from(image.to_luma8()), ImageFormat::Jpeg));
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_icc_profile(profile).unwrap();
    encoder.write_image(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8).unwrap();
    seed("decode", "png-profile", &png);
    // On its side, by its EXIF data.
    let mut jpeg = Vec::new();
    let mut encoder = JpegEncoder::new(&mut jpeg);
    encoder
        .set_exif_metadata(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec())
        .unwrap();
    encoder.write_image(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8).unwrap();
    seed("decode", "jpeg-turned", &jpeg);
}

fn weights() {
    let tensor = |shape: &[usize]| NamedTensor {
        shape: shape.to_vec(),
        values: (0..shape.iter().product()).map(|i: usize| (i as f32 * 0.7).sin()).collect(),
    };
    let of = |network: &str, tensors: &[(&str, &[usize])]| Weights {
        network: network.into(),
        metadata: [("range_mass".into(), "0.8,0.75,0.8,0.8,0.8,0.8,0.8,0.85,0.9,0.9".into())].into(),
        tensors: tensors.iter().map(|(name, shape)| ((*name).into(), tensor(shape))).collect(),
    };
    let small = of("m-cnn", &[("heads.gender.bias", &[2]), ("heads.age_regression.weight", &[10, 1])]);
    let large = of("lite", &[("stem.conv.weight", &[12, 10, 3, 3]), ("heads.gender.weight", &[64, 17])]);
    for (name, precision) in [("single", Precision::Single), ("half", Precision::Half)] {
        seed("weights", name, &small.to_bytes(precision).unwrap());
    }
    for (name, precision) in [("eight", Precision::EightBit), ("six", Precision::SixBit)] {
        seed("weights", name, &large.to_bytes(precision).unwrap());
    }
    seed("weights", "none", &of("", &[]).to_bytes(Precision::Single).unwrap());
}

fn answers() {
    let folder = folder("seeds");
    fs::write(folder.join("toy.csv"), TOY_TABLE).unwrap();
    write_version(&folder, "toy").unwrap();
    fs::File::create(folder.join("toy.crops")).unwrap().set_len(2 * CROP_LEN as u64).unwrap();
    let crops = Crops::open(&folder, "toy").unwrap();
    let answer = |age: usize| {
        let mut ages = [0.0; 100];
        (ages[age], ages[age + 1]) = (0.25, 0.75);
        TeacherAnswer { ages, female: 0.5 }
    };
    seed("answers", "half", &file(&[(&crops, vec![answer(7), answer(60)])]).unwrap());
    let numbers = [7, 60].map(answer).into_iter().flat_map(|it| it.ages.into_iter().chain([it.female]));
    let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
    let view = TensorView::new(Dtype::F32, vec![2, 101], &bytes).unwrap();
    let checksum = [("toy".to_owned(), format!("{:08x}", crops.checksum))];
    seed("answers", "single", &serialize([("toy", view)], Some(checksum.into())).unwrap());
    let bytes: Vec<u8> = [f16::ONE; 202].iter().flat_map(|one| one.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F16, vec![2, 101], &bytes).unwrap();
    seed("answers", "no-probabilities", &serialize([("toy", view)], None).unwrap());
}

fn checkpoints() {
    let path = folder("seeds").join("checkpoint.bin");
    let network = LinearConfig::new(3, 2).init(&Device::flex().autodiff());
    for (name, kind, best_mae) in
        [("cosine", ScheduleKind::Cosine, None), ("plateau", ScheduleKind::Plateau, Some(5.25))]
    {
        let schedule = LearningRateSchedule::new(kind, 1e-3, 10);
        let state = CheckpointState { step: 3, schedule, best_mae, config: "{}".into() };
        let tensor = NamedTensor { shape: vec![2], values: vec![0.5, -1.0] };
        let average = Weights { tensors: [("bias".into(), tensor)].into(), ..Weights::default() };
        let optimizer = AdamWConfig::new().init();
        Checkpoint { state, network: network.clone(), average, optimizer }.save(&path).unwrap();
        let file = fs::read(&path).unwrap();
        seed("checkpoint", name, &[b"\0", &file[..]].concat());
        seed("checkpoint", &format!("{name}-checked"), &[b"\xff", &file[..file.len() - 4]].concat());
    }
}

fn mats() {
    for (name, file) in [
        ("compressed", &include_bytes!("../../src/data/layouts/testdata/wiki.mat")[..]),
        ("plain", include_bytes!("../../src/data/layouts/testdata/wiki-plain.mat")),
    ] {
        seed("mat", name, &[b"\0", file].concat());
        seed("mat", &format!("{name}-body"), &[b"\xff", &file[128..]].concat());
    }
}

fn tables() {
    for (kind, name, table) in [
        (
            0,
            "labels",
            "dataset,split,file,age,gender,race\ntoy,train,b.webp,20-29,F,Asian\ntoy,train,a.webp,7,M,\ntoy,train,a.webp,more than 70,,\ntoy,test,a.webp,30,F,\n",
        ),
        (
            1,
            "crops",
            "file,refused,part,age_low,age_high,gender,race\n0.png,,train,7,7,male,\n1.png,no-face,validation,20,29,,\"East, Asian\"\n",
        ),
        (
            2,
            "corrections",
            "dataset,file,weight,gender,reason\naaf,a.jpg,0,drop,\"said to be, of 7\"\naaf,b.jpg,0.5,keep,\n",
        ),
        (
            3,
            "fairface",
            "file,age,gender,race,service_test\ntrain/1.jpg,20-29,Male,East Asian,True\nval/2.jpg,more than 70,Female,Black,False\n",
        ),
        (
            4,
            "fairface-val",
            "file,age,gender,race\ntrain/1.jpg,20-29,Male,East Asian\nval/2.jpg,more than 70,Female,Black\n",
        ),
        (5, "imdb-clean", "filename,age,gender\n00/a.jpg,23,M\n01/b.jpg,41,F\n"),
        (6, "megaage", "1.jpg\n2.jpg\n"),
        (7, "aaf", "00001A02.jpg 0\n07381A30.jpg 1\n"),
    ] {
        seed("tables", name, &[&[kind], table.as_bytes()].concat());
    }
}

fn tars() {
    let written = |names: &[(&str, &[u8])], gnu: bool| {
        let mut tar = tar::Builder::new(Vec::new());
        for (name, content) in names {
            let mut header = if gnu { tar::Header::new_gnu() } else { tar::Header::new_ustar() };
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, *content).unwrap();
        }
        // Without the two blocks of nothing at the end.
        let mut bytes = tar.into_inner().unwrap();
        bytes.truncate(bytes.len() - 1024);
        bytes
    };
    let long = format!("{}/c.webp", "folder".repeat(20));
    seed("tar", "two", &written(&[("a.webp", b"first"), ("faces/b.webp", b"second, longer")], true));
    seed("tar", "ustar", &written(&[("a.webp", b""), ("b.webp", b"\0\0")], false));
    seed("tar", "long-name", &written(&[(&long, b"third")], true));
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_pax_extensions([("path", &b"faces/a.webp"[..]), ("size", b"5")]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    header.set_path("x").unwrap();
    header.set_cksum();
    tar.append(&header, &b"first"[..]).unwrap();
    let mut bytes = tar.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    seed("tar", "pax", &bytes);
}

fn states() {
    let mut tracker = Tracker::default();
    seed("state", "none", &tracker.state());
    for (frames, name) in [(1, "first"), (40, "settled")] {
        let bytes: Vec<u8> = (0..20).map(|i| i * 3).collect();
        for frame in 0..frames {
            let detection = Input(&bytes).face();
            let mut ages = [0.0; 100];
            (ages[30], ages[31]) = (0.5, 0.5);
            let estimate = RawEstimate { age_distribution: ages, age: 30.5, female: 0.75 };
            tracker.update(33.0 * f64::from(frame), &[Observation { detection, estimate: Some(estimate) }]);
        }
        seed("state", name, &tracker.state());
    }
}

/// Of the targets that take their input for decisions: nothing, everything, and in between.
fn decisions() {
    for target in ["estimate", "finder", "regions", "tracker", "video"] {
        for (name, step) in [("a", 37u8), ("b", 101), ("c", 151)] {
            let bytes: Vec<u8> =
                (0..192u8).map(|i| i.wrapping_mul(step).rotate_left(u32::from(i / 32))).collect();
            seed(target, name, &bytes);
        }
        seed(target, "small", &[200, 1, 40, 40, 100, 128, 128, 10, 128, 128, 128, 128, 128, 128]);
    }
}
