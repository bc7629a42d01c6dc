//! The program as its users run it: good pictures and everything else that comes in a folder of pictures.

mod crops;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use image::{RgbaImage, imageops};
use mien::data::split::{Part, TestPictures, part};
use mien::weights::{Precision, Weights};
use serde_json::Value;

fn mien(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("mien").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn astronaut() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/astronaut.png")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_face_is_found_and_described() {
    // By the network that is right about her; the default one is not (model-weights/MODEL_CARD.md).
    let output = mien(&["predict", "--json", "--model", "d-cnn", text(&astronaut())]);
    assert!(output.status.success(), "{}", errors(&output));
    let line = &lines(&output)[0];
    assert_eq!(line["file"], text(&astronaut()));
    assert_eq!((line["width"].as_u64(), line["height"].as_u64()), (Some(512), Some(512)));
    let faces = line["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 1);
    let face = &faces[0];
    let numbers = |v: &Value| v.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let bbox = numbers(&face["box"]);
    assert!(
        bbox[0] > 150.0 && bbox[1] > 30.0 && bbox[0] + bbox[2] < 330.0 && bbox[1] + bbox[3] < 240.0,
        "{bbox:?}"
    );
    assert_eq!(face["landmarks"].as_array().unwrap().len(), 6);
    let age = face["age"].as_f64().unwrap();
    let range = numbers(&face["age_range"]);
    assert!(range[0] <= age && age <= range[1] && range[0] < range[1], "{age} {range:?}");
    assert!((15.0..60.0).contains(&age), "{age}");
    let distribution = numbers(&face["age_distribution"]);
    // Each year's probability lies half a year to either side of it.
    let year = age.round() as usize;
    let below = distribution[..year].iter().sum::<f64>() + (age - year as f64 + 0.5) * distribution[year];
    assert!((below - 0.5).abs() < 1e-3, "the age is the median: {below} is below {age}");
    assert_eq!(distribution.len(), 100);
    assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-3);
    let gender = &face["gender"];
    let (female, male) = (gender["female"].as_f64().unwrap(), gender["male"].as_f64().unwrap());
    assert!((female + male - 1.0).abs() < 1e-5 && female > 0.5, "{female}");
}

#[test]
fn the_cpu_engine_agrees_with_the_reference() {
    let path = astronaut();
    let run = |engine: &str| {
        let output = mien(&["predict", "--json", "--engine", engine, text(&path)]);
        assert!(output.status.success(), "{}", errors(&output));
        lines(&output).remove(0)["faces"][0].clone()
    };
    let (cpu, reference) = (run("cpu"), run("reference"));
    for (a, b) in cpu["age_distribution"]
        .as_array()
        .unwrap()
        .iter()
        .zip(reference["age_distribution"].as_array().unwrap())
    {
        assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-3);
    }
    // The detectors agree to a thousandth of a pixel, which can turn a crop's pixel by one step of 256. Where
    // a distribution is as flat as hers, its median moves with that.
    assert!((cpu["age"].as_f64().unwrap() - reference["age"].as_f64().unwrap()).abs() < 0.1);
}

#[test]
fn a_folder_with_everything_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(astronaut(), at("good.png")).unwrap();
    fs::write(at("text.jpg"), "this is no picture").unwrap();
    fs::write(at("empty.png"), "").unwrap();
    fs::write(at("notes.txt"), "counted").unwrap();
    RgbaImage::from_pixel(1, 1, image::Rgba([80, 90, 100, 255])).save(at("dot.png")).unwrap();
    RgbaImage::from_fn(300, 200, |x, y| image::Rgba([(x % 256) as u8, (y % 256) as u8, 90, 255]))
        .save(at("nobody.png"))
        .unwrap();
    let truncated = fs::read(astronaut()).unwrap();
    fs::write(at("truncated.png"), &truncated[..truncated.len() / 2]).unwrap();
    // 12 megapixels, the face about a sixth of its height.
    let face =
        image::open(astronaut()).unwrap().resize(1500, 1500, imageops::FilterType::Triangle).into_rgba8();
    let mut large = RgbaImage::from_pixel(4000, 3000, image::Rgba([120, 120, 120, 255]));
    imageops::replace(&mut large, &face, 2200, 900);
    image::DynamicImage::ImageRgba8(large).into_rgb8().save(at("large.jpg")).unwrap();
    fs::create_dir(at("below")).unwrap();
    fs::copy(astronaut(), at("below/good.png")).unwrap();

    let copies = tempfile::tempdir().unwrap();
    let output = mien(&["predict", "--json", "--annotate", text(copies.path()), text(folder.path())]);
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let faces = |name: &str| {
        let line = lines
            .iter()
            .find(|l| l["file"] == text(&at(name)))
            .unwrap_or_else(|| panic!("no line for {name}"));
        line["faces"].as_array().unwrap().len()
    };
    assert_eq!(lines.len(), 5);
    assert_eq!([faces("good.png"), faces("below/good.png"), faces("large.jpg")], [1, 1, 1]);
    assert_eq!([faces("dot.png"), faces("nobody.png")], [0, 0]);
    let errors = errors(&output);
    let reported: Vec<&str> = errors.lines().collect();
    assert_eq!(reported.len(), 4, "{errors}");
    assert!(errors.contains("left out 1 file that is no picture"), "{errors}");
    for name in ["text.jpg", "empty.png", "truncated.png"] {
        assert_eq!(reported.iter().filter(|line| line.contains(name)).count(), 1, "{name}: {errors}");
    }

    let copy = image::open(copies.path().join("good.png")).unwrap();
    assert_eq!((copy.width(), copy.height()), (512, 512));
    let plain = image::open(astronaut()).unwrap().into_rgb8();
    let changed = copy.into_rgb8().pixels().zip(plain.pixels()).filter(|(a, b)| a != b).count();
    assert!((500..100_000).contains(&changed), "{changed} pixels of the annotated copy differ");
    assert!(copies.path().join("below/good.png").is_file());
}

#[test]
fn what_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = mien(&["predict", text(folder.path()), "nowhere.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(errors.contains("no pictures in this folder"), "{errors}");
    assert!(errors.contains("nowhere.jpg: no such file"), "{errors}");
}

/// What is wrong is said once, in one line, by the name of what is wrong, before any work is done for it.
#[test]
fn what_cannot_work_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    write_labelled(folder.path());
    let data = text(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (nowhere, a_file, in_nowhere) = (path("nowhere"), path("labels.csv"), path("nowhere/file"));
    let lite = "model-weights/lite/lite.half.safetensors";
    let short = path("short");
    fs::create_dir(&short).unwrap();
    fs::copy(&a_file, path("short/labels.csv")).unwrap();
    let tar = fs::read(path("toy-test.tar")).unwrap();
    fs::write(path("short/toy-test.tar"), &tar[..tar.len() / 2]).unwrap();
    let face = astronaut();
    let face = text(&face);
    let (annotate, manual) = (["predict", "--annotate", &a_file, face], ["manual", &a_file]);
    let evaluate = ["evaluate", "--dataset", "toy", "--split", "test", "--data"];
    let with = |more: &[&str]| [&evaluate[..], more].concat().into_iter().map(str::to_owned).collect();
    let of = |arguments: &[&str]| arguments.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let cases: Vec<(Vec<String>, &str)> = vec![
        (
            of(&["predict", "--weights-dir", &nowhere, face]),
            "no such weight file; name its folder with --weights-dir",
        ),
        (
            of(&["predict", "--model", "d-cnn", "--weights", lite, face]),
            "say which network they are of with --model",
        ),
        (of(&annotate), "that is a file; name a folder"),
        (of(&manual), "that is a file; name a folder"),
        (with(&[&nowhere]), "nowhere: No such file or directory (os error 2)"),
        (with(&[&short]), "toy-test.tar: ends early; get it again"),
        (with(&[data, "--plots", &a_file]), "that is a file; name a folder"),
        (with(&[data, "--predictions", &in_nowhere]), "make it first"),
        (of(&["convert", "--precision", "half", lite, &in_nowhere]), "make it first"),
        (of(&["calibrate", "--data", data, "--datasets", "toy", &in_nowhere]), "make it first"),
        (
            of(&["prepare", "--dataset", "toy", "--input", data, "--output", &a_file]),
            "that is a file; name a folder",
        ),
        (
            of(&["train", "--data", data, "--datasets", "toy", "--run", &path("run")]),
            "there are no crops of toy; make them with: mien prepare",
        ),
        (
            of(&[
                "experiment",
                "answers",
                "--data",
                data,
                "--datasets",
                "toy",
                "--weights",
                lite,
                "--output",
                &in_nowhere,
            ]),
            "make it first",
        ),
    ];
    for (arguments, reason) in cases {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = mien(&arguments);
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.lines().count() == 1 && errors.contains(reason), "{arguments:?}: {errors}");
        let reason = errors.trim_end().rsplit(": ").next().unwrap();
        assert_eq!(errors.matches(reason).count(), 1, "{arguments:?}: {errors}");
    }
}

/// A full disk is no panic.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_said() {
    let folder = tempfile::tempdir().unwrap();
    write_labelled(folder.path());
    let output = folder.path().join("out.safetensors");
    for arguments in [
        ["convert", "--precision", "half", "model-weights/lite/lite.half.safetensors", text(&output)]
            .as_slice(),
        &["evaluate", "--data", text(folder.path()), "--dataset", "toy", "--split", "test"],
        &["predict", text(&astronaut())],
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mien"));
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output =
            command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments).stdout(full).output().unwrap();
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        let last = errors.lines().last().unwrap();
        assert_eq!(
            last, "mien: standard output: No space left on device (os error 28)",
            "{arguments:?}: {errors}"
        );
    }
}

/// Larger than a precision has numbers.
#[test]
fn numbers_that_do_not_fit_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let [large, small] = ["large", "small"].map(|name| folder.path().join(name));
    let half = Path::new(env!("CARGO_MANIFEST_DIR")).join("model-weights/lite/lite.half.safetensors");
    let mut weights = Weights::from_bytes(&fs::read(half).unwrap()).unwrap();
    weights.tensors.values_mut().next().unwrap().values[0] = 1e6;
    fs::write(&large, weights.to_bytes(Precision::Single).unwrap()).unwrap();
    let output = mien(&["convert", "--precision", "half", text(&large), text(&small)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("in that precision: the tensor"), "{}", errors(&output));
    assert!(!small.exists());
}

#[test]
fn bad_weights_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.safetensors");
    let good = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("model-weights/d-cnn/d-cnn.safetensors"))
        .unwrap();
    for (bytes, reason) in
        [(&good[..good.len() / 2], "download it again"), (b"hello".as_slice(), "not a complete weight file")]
    {
        fs::write(&file, bytes).unwrap();
        let output = mien(&["predict", "--weights", text(&file), text(&astronaut())]);
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).contains(reason), "{}", errors(&output));
    }
    let output = mien(&[
        "predict",
        "--weights",
        "model-weights/blazeface/blazeface-short.safetensors",
        text(&astronaut()),
    ]);
    assert!(errors(&output).contains("blazeface-short"), "{}", errors(&output));
}

#[test]
fn converting_keeps_the_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.safetensors");
    let half = "model-weights/d-cnn/d-cnn.half.safetensors";
    for (network, precision) in [("lite", "six-bit"), ("d-cnn", "eight-bit")] {
        let half = format!("model-weights/{network}/{network}.half.safetensors");
        let output = mien(&["convert", "--precision", precision, &half, text(&file)]);
        assert!(output.status.success(), "{}", errors(&output));
        // What is shipped is the half-precision file made smaller.
        let shipped = format!("model-weights/{network}/{network}.safetensors");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(shipped);
        // Not assert_eq, which would print both.
        assert!(fs::read(&file).unwrap() == fs::read(shipped).unwrap(), "convert {half} again");
    }
    let path = astronaut();
    let age = |weights: &str| {
        let output = mien(&["predict", "--json", "--model", "d-cnn", "--weights", weights, text(&path)]);
        lines(&output).remove(0)["faces"][0]["age"].as_f64().unwrap()
    };
    let (small, large) = (age(text(&file)), age(half));
    // One face moves by half a year; over a test set the errors cancel (see the model card).
    assert!((small - large).abs() < 1.5, "{small} {large}");
}

#[test]
fn the_mean_of_weights_is_between_them() {
    let folder = tempfile::tempdir().unwrap();
    let half = "model-weights/lite/lite.half.safetensors";
    let file = |name: &str| folder.path().join(name);
    // Others, of the same shapes: its own, as six bits know them.
    let (coarse, mean) = (file("coarse.safetensors"), file("mean.safetensors"));
    assert!(mien(&["convert", "--precision", "six-bit", half, text(&coarse)]).status.success());
    let output = mien(&["convert", "--precision", "single", half, "--mean-with", text(&coarse), text(&mean)]);
    assert!(output.status.success(), "{}", errors(&output));
    let of = |path: &Path| Weights::from_bytes(&fs::read(path).unwrap()).unwrap();
    let (first, second, mean) = (of(Path::new(half)), of(&coarse), of(&mean));
    let name = "head.conv.weight";
    let pairs = first.tensors[name].values.iter().zip(&second.tensors[name].values);
    assert!(pairs.clone().any(|(a, b)| a != b));
    for ((a, b), mean) in pairs.zip(&mean.tensors[name].values) {
        assert!((f32::midpoint(*a, *b) - mean).abs() < 1e-6, "{a} {b} {mean}");
    }
    assert!(mean.metadata.is_empty(), "{:?}", mean.metadata);
    let other = mien(&[
        "convert",
        "--precision",
        "half",
        half,
        "--mean-with",
        "model-weights/d-cnn/d-cnn.half.safetensors",
        text(&coarse),
    ]);
    assert!(errors(&other).contains("are for the network \"d-cnn\", not \"lite\""), "{}", errors(&other));
}

/// A labelled data set made of the one face: found, not found, and a row that can't be read.
fn write_labelled(folder: &Path) {
    let table = "dataset,split,file,age,gender,race\n\
                 toy,test,a.png,36,F,White\ntoy,test,b.png,30-39,F,White\ntoy,test,c.png,30-99,M,\n\
                 toy,test,d.png,20,F,\ntoy,test,e.png,abc,F,\n";
    fs::write(folder.join("labels.csv"), table).unwrap();
    let mut blank = Vec::new();
    RgbaImage::from_pixel(64, 64, image::Rgba([50, 60, 70, 255]))
        .write_to(&mut std::io::Cursor::new(&mut blank), image::ImageFormat::Png)
        .unwrap();
    let face = fs::read(astronaut()).unwrap();
    let mut tar = tar::Builder::new(fs::File::create(folder.join("toy-test.tar")).unwrap());
    for (name, bytes) in
        [("a.png", &face), ("b.png", &face), ("c.png", &blank), ("d.png", &b"broken".to_vec())]
    {
        append(&mut tar, name, bytes);
    }
    tar.finish().unwrap();
}

fn append(tar: &mut tar::Builder<fs::File>, name: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, bytes).unwrap();
}

#[test]
fn evaluation_counts() {
    let folder = tempfile::tempdir().unwrap();
    write_labelled(folder.path());
    let csv = folder.path().join("predictions.csv");
    let data = text(folder.path());
    let arguments = [
        "evaluate",
        "--data",
        data,
        "--dataset",
        "toy",
        "--split",
        "test",
        "--json",
        "--predictions",
        text(&csv),
    ];
    let output = mien(&arguments);
    assert!(output.status.success(), "{}", errors(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((result["n"].as_u64(), result["missed"].as_u64()), (Some(3), Some(1)));
    for field in ["mae", "mae_stderr", "bias", "gender_accuracy", "range_coverage"] {
        assert!(result[field].is_f64(), "{field}: {result}");
    }
    assert_eq!(result["by_race"]["White"]["n"], 2);
    let errors = errors(&output);
    assert!(errors.contains("d.png") && errors.contains("1 missing field, 1 unreadable picture"), "{errors}");
    let written = fs::read_to_string(&csv).unwrap();
    assert_eq!(written.lines().count(), 4);
    // The face's age in the table is the one that predict gives for the file.
    let predicted = lines(&mien(&["predict", "--json", text(&astronaut())])).remove(0)["faces"][0]["age"]
        .as_f64()
        .unwrap();
    let row = csv::Reader::from_reader(written.as_bytes())
        .into_deserialize::<std::collections::HashMap<String, String>>()
        .next();
    let age: f64 = row.unwrap().unwrap()["age"].parse().unwrap();
    assert!((age - predicted).abs() < 1e-3);

    // It is the median, of all ways to read an answer.
    let output = mien(&["evaluate", "--data", data, "--dataset", "toy", "--split", "test", "--readings"]);
    let table = String::from_utf8(output.stdout).unwrap();
    for way in ["regression", "mean", "median", "likeliest year"] {
        assert!(table.contains(&format!("| {way} | 3 | ")), "{table}");
    }
    let mae = format!("| median | 3 | {:.2} ± ", result["mae"].as_f64().unwrap());
    assert!(table.contains(&mae), "{mae}: {table}");

    let output = mien(&["evaluate", "--data", data, "--dataset", "other", "--split", "test"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it has toy-test"));
}

#[test]
fn calibration_widens_the_range_to_the_labels() {
    let folder = tempfile::tempdir().unwrap();
    let picture = fs::read(astronaut()).unwrap();
    // Two pictures that are kept for validation, of somebody who is said to be 45.
    let of =
        |wanted| (0..).filter(move |i: &u32| part("toy", &i.to_string(), TestPictures::SetAside) == wanted);
    let names = of(Part::Validation).map(|i| format!("{i}.png"));
    let mut tar = tar::Builder::new(fs::File::create(folder.path().join("toy-train.tar")).unwrap());
    let mut labels = "dataset,split,file,age,gender,race\n".to_owned();
    for name in names.take(2) {
        append(&mut tar, &name, &picture);
        labels += &format!("toy,train,{name},45,F,\n");
    }
    // And three to learn from, of somebody of 70.
    let names = of(Part::Train).map(|i| format!("{i}.png"));
    for name in names.take(3) {
        append(&mut tar, &name, &picture);
        labels += &format!("toy,train,{name},70,F,\n");
    }
    tar.finish().unwrap();
    fs::write(folder.path().join("labels.csv"), labels).unwrap();
    let file = folder.path().join("calibrated.safetensors");
    let data = text(folder.path());
    let half = "model-weights/lite/lite.half.safetensors";
    let output = mien(&["calibrate", "--data", data, "--datasets", "toy", "--weights", half, text(&file)]);
    assert!(output.status.success(), "{}", errors(&output));
    let face = |weights: &str| {
        lines(&mien(&["predict", "--json", "--weights", weights, text(&astronaut())])).remove(0)["faces"][0]
            .take()
    };
    let (before, after) = (face(half), face(text(&file)));
    assert_eq!(before["age"], after["age"]);
    let oldest = |face: &Value| face["age_range"][1].as_f64().unwrap();
    assert!(oldest(&before) < 43.0 && (oldest(&after) - 45.0).abs() < 0.3, "{before} {after}");

    // Where people are 70, somebody is thought older.
    let d_cnn = ["--model", "d-cnn", "--weights"];
    let half = "model-weights/d-cnn/d-cnn.half.safetensors";
    let calibrate = ["calibrate", "--prior", "0.5", "--data", data, "--datasets", "toy"];
    let output = mien(&[&calibrate[..], &d_cnn, &[half, text(&file)]].concat());
    assert!(output.status.success(), "{}", errors(&output));
    let age = |weights: &str| {
        let shown = mien(&[&["predict", "--json"][..], &d_cnn, &[weights, text(&astronaut())]].concat());
        lines(&shown)[0]["faces"][0]["age"].as_f64().unwrap()
    };
    assert!(age(text(&file)) > age(half) + 1.0, "{} {}", age(half), age(text(&file)));
    let again = mien(
        &[&calibrate[..], &d_cnn, &[text(&file), text(&folder.path().join("again.safetensors"))]].concat(),
    );
    assert!(errors(&again).contains("with a prior of 0.5"), "{}", errors(&again));
}

#[test]
fn training_takes_options_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    crops::write(folder.path(), "a", 20);
    crops::write(folder.path(), "b", 20);
    let file = at("train.toml");
    let lists =
        "model = \"m-cnn\"\ndatasets = [\"a\", \"b\"]\nloss-weights = [1, 0.1, 1.5]\nbalance = true\n";
    let options =
        format!("{lists}data = {:?}\nrun = {:?}\nepochs = 1\nbatch = 4\n", folder.path(), at("run"));
    fs::write(&file, &options).unwrap();
    let steps = |run: &str| {
        let log = fs::read_to_string(at(run).join("metrics.csv")).unwrap();
        log.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().to_owned()).collect::<Vec<_>>()
    };

    // The command line wins: two passes of 8 steps.
    let output = mien(&["train", "--config", text(&file), "--epochs", "2", "--balance=false"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(steps("run"), ["8", "16"]);
    // What is kept repeats the run: in its own folder there is nothing left to do, in another the same comes
    // out.
    let kept = at("run/config.toml");
    let settings: toml::Table = fs::read_to_string(&kept).unwrap().parse().unwrap();
    assert_eq!((settings["epochs"].as_integer(), settings["balance"].as_bool()), (Some(2), Some(false)));
    assert_eq!(settings["rate"].as_float(), Some(1e-3));
    assert!(!settings.contains_key("pictures") && !settings.contains_key("config"));
    let output = mien(&["train", "--config", text(&kept)]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(steps("run"), ["8", "16"]);
    let output = mien(&["train", "--config", text(&kept), "--run", text(&at("again"))]);
    assert!(output.status.success(), "{}", errors(&output));
    let best = |run: &str| fs::read(at(run).join("best.safetensors")).unwrap();
    assert_eq!(best("again"), best("run"));
    // A length in pictures takes the place of the file's passes.
    let output = mien(&["train", "--config", text(&file), "--run", text(&at("short")), "--pictures", "9"]);
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(steps("short"), ["3"]);
    // Other settings in a folder that holds a run leave its file as it is.
    let output = mien(&["train", "--config", text(&kept), "--epochs", "3"]);
    assert!(errors(&output).contains("other settings"), "{}", errors(&output));
    assert_eq!(fs::read_to_string(&kept).unwrap().parse::<toml::Table>().unwrap(), settings);

    for (more, reasons) in [
        ("epoch = 3\nlearning-rate = 1\n", ["no such option: epoch, learning-rate", "train.toml"]),
        ("seed = \"x\"\n", ["'x' for '--seed", "train.toml"]),
        ("seed = { a = 1 }\n", ["seed: must be text, a number", "train.toml"]),
        ("seed = \n", ["train.toml", "TOML parse error"]),
    ] {
        fs::write(&file, format!("{options}{more}")).unwrap();
        let output = mien(&["train", "--config", text(&file)]);
        assert_eq!(output.status.code(), Some(1));
        let errors = errors(&output);
        assert!(reasons.iter().all(|reason| errors.contains(reason)), "{errors}");
    }
    fs::write(&file, lists).unwrap();
    let output = mien(&["train", "--config", text(&file)]);
    assert!(!output.status.success() && errors(&output).contains("data"), "{}", errors(&output));
}

#[test]
fn training_names_the_devices_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let run = folder.path().join("run");
    let train = |devices: &str| {
        let data = text(folder.path());
        let line = format!(
            "train --model m-cnn --data {data} --datasets toy --epochs 1 --batch 4 --devices {devices}"
        );
        let output = mien(&line.split(' ').chain(["--run", text(&run)]).collect::<Vec<_>>());
        (output.status.success(), errors(&output))
    };
    for (devices, reason) in [
        ("0,1", "there is no device 1: --device cpu has 1, counted from 0"),
        ("0,0", "--devices names 0 twice"),
        ("x", "invalid value 'x' for '--devices"),
    ] {
        let (success, errors) = train(devices);
        assert!(!success && errors.contains(reason), "{errors}");
        assert!(!run.exists());
    }
    let (success, errors) = train("0");
    assert!(success, "{errors}");
    let kept: toml::Table = fs::read_to_string(run.join("config.toml")).unwrap().parse().unwrap();
    assert_eq!(kept["devices"].as_array().unwrap(), &[0.into()]);
}

#[test]
fn an_experiment_is_trained_once_and_measured_on_test_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_labelled(folder.path());
    crops::write(folder.path(), "large", 20);
    crops::write(folder.path(), "toy", 20);
    let (data, run, table) = (text(folder.path()).to_owned(), at("run"), at("table.md"));
    let arguments = format!(
        "experiment table-4-1 --models m-cnn --seeds 1,2 --data {data} --run {} --pretrain-on large,toy \
         --finetune-on toy --pretrain-pictures 24 --finetune-pictures 8 --batch 4 --test-data {data} \
         --test-dataset toy --output {}",
        text(&run),
        text(&table)
    );
    let arguments: Vec<&str> = arguments.split(' ').collect();
    let output = mien(&arguments);
    assert!(output.status.success(), "{}", errors(&output));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    // KL and focal, two stages, two seeds.
    assert_eq!(said.matches("\npass ").count(), 8, "{said}");
    let written = fs::read_to_string(&table).unwrap();
    assert!(said.ends_with(&written));
    let rows: Vec<&str> = written.lines().filter(|line| line.starts_with("| M-CNN |")).collect();
    assert_eq!(rows.len(), 2, "{written}");
    assert!(written.contains("toy-test, 3 pictures, 1 without a face found"), "{written}");

    // Its figures are those of `evaluate`.
    let pretrained = |seed: u64| {
        let folder = format!("m-cnn-kl-gap-3-weights-1-1-1-seed-{seed}/pre-trained/best.safetensors");
        let weights = run.join(folder);
        let arguments = format!(
            "evaluate --data {data} --dataset toy --split test --json --looks 1 --model m-cnn --weights {}",
            text(&weights)
        );
        let output = mien(&arguments.split(' ').collect::<Vec<_>>());
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        ["mae", "mae_stderr"].map(|name| result[name].as_f64().unwrap())
    };
    let ([first, first_error], [second, second_error]) = (pretrained(1), pretrained(2));
    let (mean, error) = ((first + second) / 2.0, (first_error + second_error) / 2.0);
    let spread = (first - second).abs() / 2f64.sqrt();
    let expected = format!("| M-CNN | KL | {mean:.2} ± {error:.2} ({spread:.2}) |");
    assert!(rows[0].starts_with(&expected), "{expected} {}", rows[0]);

    // Nothing is trained or measured twice.
    let output = mien(&arguments);
    assert!(output.status.success() && errors(&output).is_empty(), "{}", errors(&output));
    let again = String::from_utf8(output.stdout).unwrap();
    assert!(again.ends_with(&written) && !again.contains("\npass "), "{again}");
}

#[test]
fn a_network_learns_from_the_answers_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&folder.path().join(name)).to_owned();
    crops::write(folder.path(), "toy", 20);
    let (data, answers) = (at(""), at("answers.safetensors"));
    let weights = "model-weights/lite/lite.safetensors,model-weights/m-cnn/m-cnn.safetensors";
    let arguments =
        format!("experiment answers --data {data} --datasets toy --weights {weights} --output {answers}");
    let output = mien(&arguments.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "toy: 20 crops\n");
    let train = |run: &str, options: &str| {
        let arguments = format!(
            "train --model m-cnn --data {data} --datasets toy --pictures 16 --batch 4 --run {}{options}",
            at(run)
        );
        mien(&arguments.split(' ').collect::<Vec<_>>())
    };
    let taught = format!(" --teacher {answers} --teacher-weight 0.9");
    for (run, options) in [("alone", ""), ("taught", &taught)] {
        let output = train(run, options);
        assert!(output.status.success(), "{}", errors(&output));
    }
    let trained = |run: &str| fs::read(folder.path().join(run).join("best.safetensors")).unwrap();
    assert!(trained("alone") != trained("taught"), "the answers were not used");

    // Of other crops of that name.
    crops::write(folder.path(), "toy", 19);
    let output = train("again", &taught);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("toy"), "{}", errors(&output));
}

#[test]
fn shells_and_man_know_the_options() {
    for (shell, word) in
        [("bash", "--annotate"), ("zsh", "--annotate"), ("fish", "annotate"), ("powershell", "--annotate")]
    {
        let output = mien(&["completions", shell]);
        assert!(output.status.success(), "{}", errors(&output));
        assert!(String::from_utf8(output.stdout).unwrap().contains(word), "{shell}");
    }
    // As bash itself reads it.
    let script = mien(&["completions", "bash"]).stdout;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mien.bash"), script).unwrap();
    let completed = std::process::Command::new("bash")
        .args(["-c", "source mien.bash; COMP_WORDS=(mien predict --anno); COMP_CWORD=2; _mien mien --anno predict; echo ${COMPREPLY[0]}"])
        .current_dir(folder.path())
        .output();
    if let Ok(completed) = completed {
        assert_eq!(String::from_utf8_lossy(&completed.stdout), "--annotate\n");
    }

    let pages = folder.path().join("man1");
    let output = mien(&["manual", text(&pages)]);
    assert!(output.status.success(), "{}", errors(&output));
    let page = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    assert!(page("mien.1").contains("Exit status"), "{}", page("mien.1"));
    assert!(page("mien-predict.1").contains("annotate"), "{}", page("mien-predict.1"));
    let output = mien(&["manual", text(&astronaut())]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_command_line_that_makes_no_sense_has_its_own_status() {
    assert_eq!(mien(&["predict"]).status.code(), Some(2));
    assert_eq!(mien(&["predict", "--json", "--csv", "x.jpg"]).status.code(), Some(2));
    assert_eq!(mien(&["predict", "there-is-none.jpg"]).status.code(), Some(1));
}
