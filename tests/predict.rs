//! `mien predict` on what folders of pictures really hold: files that are damaged, huge, foreign or named
//! alike. And readers that stop reading.

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::codecs::png::PngEncoder;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, ImageFormat, Rgba, RgbaImage, imageops};
use serde_json::Value;

fn command(arguments: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mien"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("predict").args(arguments);
    command
}

fn predict(arguments: &[&Path]) -> Output {
    command(arguments).output().unwrap()
}

/// The same with something on standard input.
fn predict_fed(arguments: &[&Path], input: &[u8]) -> Output {
    let piped = Stdio::piped;
    let mut child = command(arguments).stdin(piped()).stdout(piped()).stderr(piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn astronaut() -> RgbaImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/astronaut.png");
    image::open(path).unwrap().into_rgba8()
}

fn encoded(image: &RgbaImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let image = DynamicImage::ImageRgba8(image.clone());
    match format {
        ImageFormat::Jpeg => image.into_rgb8().write_to(&mut file, format).unwrap(),
        _ => image.write_to(&mut file, format).unwrap(),
    }
    file.into_inner()
}

/// A folder in which to put files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

/// A black PNG whose header says that it is this large.
fn png_of_size(side: u32) -> Vec<u8> {
    let mut png = encoded(&RgbaImage::new(4, 4), ImageFormat::Png);
    for at in [16, 20] {
        png[at..at + 4].copy_from_slice(&side.to_be_bytes());
    }
    let checksum = crc32fast::hash(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    png
}

#[test]
fn a_bad_picture_is_one_line_and_the_others_are_done() {
    let folder = Folder::new();
    let face = encoded(&astronaut(), ImageFormat::Jpeg);
    folder.put("a.jpg", &face);
    folder.put("z.JFIF", &face);
    let mut gif = encoded(&RgbaImage::new(64, 64), ImageFormat::Gif);
    gif[6..10].fill(0);
    folder.put("empty.gif", &gif);
    folder.put("huge.png", &png_of_size(40_000));
    folder.put("cut.jpg", &face[..face.len() * 7 / 10]);
    folder.put("damaged.jpg", &[&face[..300], &[0; 3000][..]].concat());
    folder.put("iphone.jpg", b"\0\0\0\x18ftypheic and so on");
    folder.put("text.png", b"this is no picture");
    let output = predict(&["--json".as_ref(), folder.path()]);
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    for (name, reason) in [
        ("empty.gif", "empty (0x0 pixels)"),
        ("huge.png", "40000x40000 pixels are too many"),
        ("cut.jpg", "incomplete"),
        ("damaged.jpg", ""),
        ("iphone.jpg", "HEIC pictures can't be read"),
        ("text.png", "not a picture that can be read"),
    ] {
        let said: Vec<&str> = errors.lines().filter(|line| line.contains(name)).collect();
        assert!(said.len() == 1 && said[0].contains(reason), "{name}: {errors}");
        // The file and one reason.
        assert!(said[0].matches(": ").count() <= 3, "{said:?}");
    }
    assert_eq!(errors.lines().count(), 6, "{errors}");
    let lines = lines(&output);
    let faces: Vec<usize> = lines.iter().map(|line| line["faces"].as_array().unwrap().len()).collect();
    assert_eq!(faces, [1, 1], "{lines:?}");
}

/// The age of the only face.
fn age(path: &Path) -> f64 {
    let output = predict(&["--json".as_ref(), path]);
    assert!(output.status.success(), "{}", errors(&output));
    let line = lines(&output).remove(0);
    assert_eq!(line["faces"].as_array().unwrap().len(), 1, "{line}");
    line["faces"][0]["age"].as_f64().unwrap()
}

/// Red and green are exchanged, and so they are in the profile.
#[test]
fn colours_count_as_the_profile_means_them() {
    let folder = Folder::new();
    let plain = astronaut();
    let exchanged: Vec<u8> = plain.pixels().flat_map(|Rgba([r, g, b, _])| [*g, *r, *b]).collect();
    let mut profile = moxcms::ColorProfile::new_srgb();
    (profile.red_colorant, profile.green_colorant) = (profile.green_colorant, profile.red_colorant);
    let write = |profile: Option<Vec<u8>>| {
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        if let Some(profile) = profile {
            encoder.set_icc_profile(profile).unwrap();
        }
        encoder.write_image(&exchanged, plain.width(), plain.height(), ExtendedColorType::Rgb8).unwrap();
        file
    };
    let with = folder.put("with.png", &write(Some(profile.encode().unwrap())));
    let without = folder.put("without.png", &write(None));
    let plain = folder.put("plain.png", &encoded(&plain, ImageFormat::Png));
    let [expected, with, without] = [age(&plain), age(&with), age(&without)];
    assert!((with - expected).abs() < 1.0, "{with} {expected}");
    assert!((without - expected).abs() > 1.0, "the test is of no use: {without} {expected}");
}

#[test]
fn what_is_transparent_hides_a_face() {
    let folder = Folder::new();
    let mut ghost = astronaut();
    ghost.pixels_mut().for_each(|pixel| pixel[3] = 0);
    let mut cut_out = astronaut();
    for (x, y, pixel) in cut_out.enumerate_pixels_mut() {
        pixel[3] = if (120..328).contains(&x) && (24..232).contains(&y) { 255 } else { 0 };
    }
    let mut on_white = RgbaImage::from_pixel(512, 512, Rgba([255; 4]));
    imageops::overlay(&mut on_white, &cut_out, 0, 0);
    let ghost = folder.put("ghost.png", &encoded(&ghost, ImageFormat::Png));
    let output = predict(&["--json".as_ref(), &ghost]);
    assert!(output.status.success() && lines(&output)[0]["faces"].as_array().unwrap().is_empty());
    let cut_out = folder.put("cut-out.png", &encoded(&cut_out, ImageFormat::Png));
    let on_white = folder.put("on-white.png", &encoded(&on_white, ImageFormat::Png));
    assert_eq!(age(&cut_out), age(&on_white));
}

/// EXIF data that say how the camera was held, in files that are not JPEGs: browsers read them in PNG files and
/// not in WebP files.
#[test]
fn pictures_of_every_kind_are_turned_as_browsers_turn_them() {
    // Little-endian TIFF with one entry: orientation (0x112), a short, 6.
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let folder = Folder::new();
    // As a sensor sees it whose picture has to be turned by 90 degrees.
    let turned = imageops::rotate270(&astronaut());
    let lying = imageops::crop_imm(&turned, 0, 0, 512, 300).to_image();
    let mut png = Vec::new();
    let mut encoder = PngEncoder::new(&mut png);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.write_image(&turned, 512, 512, ExtendedColorType::Rgba8).unwrap();
    let mut webp = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.write_image(&lying, 512, 300, ExtendedColorType::Rgba8).unwrap();
    let plain = age(&folder.put("plain.png", &encoded(&astronaut(), ImageFormat::Png)));
    assert_eq!(age(&folder.put("turned.png", &png)), plain);
    let output = predict(&["--json".as_ref(), &folder.put("turned.webp", &webp)]);
    assert_eq!([&lines(&output)[0]["width"], &lines(&output)[0]["height"]], [512, 300]);
}

/// The face is in the second picture of the animation.
#[test]
fn of_an_animation_the_first_picture_counts() {
    let folder = Folder::new();
    let mut file = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut file, 30);
        let blank = RgbaImage::from_pixel(512, 512, Rgba([90, 90, 90, 255]));
        encoder.encode_frames([blank, astronaut()].map(image::Frame::new)).unwrap();
    }
    let output = predict(&["--json".as_ref(), &folder.put("a.gif", &file)]);
    assert!(lines(&output)[0]["faces"].as_array().unwrap().is_empty());
}

#[test]
fn what_a_folder_holds_besides_is_counted() {
    let folder = Folder::new();
    folder.put("a.jpg", &encoded(&astronaut(), ImageFormat::Jpeg));
    folder.put("._a.jpg", b"\0\x05\x16\x07 what macOS leaves");
    for name in ["1.heic", "2.HEIC", "3.avif", "notes.txt"] {
        folder.put(name, b"x");
    }
    let copies = folder.path().join("copies");
    for _ in 0..2 {
        let output = predict(&["--annotate".as_ref(), &copies, folder.path()]);
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        let errors = errors(&output);
        for part in [
            "left out 1 avif and 2 heic (can't be read here",
            "1 hidden file or folder",
            "the folder of copies",
            "1 file that is no picture",
        ] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert_eq!(String::from_utf8(output.stdout).unwrap().matches("1 face").count(), 1);
    }
    assert!(copies.join("a.png").is_file());
    assert_eq!(fs::read_dir(copies).unwrap().count(), 1);
}

#[test]
fn pictures_of_one_name_have_a_copy_each() {
    let folder = Folder::new();
    let small = |value| encoded(&RgbaImage::from_pixel(8, 8, Rgba([value, 0, 0, 255])), ImageFormat::Png);
    let (x, y) = (folder.put("x/p.png", &small(1)), folder.put("y/p.png", &small(200)));
    let copies = folder.path().join("copies");
    let output = predict(&["--annotate".as_ref(), &copies, &x, &y]);
    assert!(output.status.success(), "{}", errors(&output));
    let red = |name: &str| image::open(copies.join(name)).unwrap().into_rgb8().get_pixel(4, 4)[0];
    assert_eq!([red("p.png"), red("p-2.png")], [1, 200]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cant_be_read_is_one_line_and_the_others_are_done() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let folder = Folder::new();
    let small = encoded(&RgbaImage::from_pixel(8, 8, Rgba([9, 0, 0, 255])), ImageFormat::Png);
    folder.put("a/1.png", &small);
    folder.put("b/closed.png", &small);
    folder.put("c/2.png", &small);
    let closed = folder.path().join("b");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let output = if fs::read_dir(&closed).is_err() {
        predict(&[folder.path()])
    } else {
        // Nothing is closed to root: as nobody, who may not look into the folder that the program is in.
        let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let program = Folder::new();
        let mien = program.path().join("mien");
        fs::copy(env!("CARGO_BIN_EXE_mien"), &mien).unwrap();
        [program.path(), folder.path(), &mien].into_iter().for_each(open);
        for weights in ["blazeface/blazeface-short.safetensors", "lite/lite.safetensors"] {
            let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("model-weights").join(weights);
            open(
                program.put(&format!("model-weights/{weights}"), &fs::read(from).unwrap()).parent().unwrap(),
            );
        }
        open(&program.path().join("model-weights"));
        let mut command = Command::new(mien);
        command.current_dir(program.path()).uid(65_534).gid(65_534).arg("predict").arg(folder.path());
        command.output().unwrap()
    };
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(said.contains("1.png") && said.contains("2.png"), "{said}");
    assert_eq!(errors(&output).lines().count(), 1, "{}", errors(&output));
}

/// As `mien predict ... | head -1`, and the same where standard error goes to it too.
#[test]
fn it_ends_with_its_reader() {
    let folder = Folder::new();
    let face = encoded(&astronaut(), ImageFormat::Jpeg);
    for i in 0..60 {
        folder.put(&format!("{i:02}.jpg"), &face);
        folder.put(&format!("{i:02}-bad.jpg"), b"no picture");
    }
    let mut child = command(&[folder.path()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.contains("00.jpg"), "{first}");
    drop(reader);
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    child.wait().unwrap();
    assert!(errors.lines().all(|line| line.contains("-bad.jpg")), "{errors}");
    // Of sixty a few.
    assert!(errors.lines().count() < 50, "{errors}");

    // Nobody hears the errors: no panic, and all pictures are done.
    let mut child = command(&[folder.path()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(said.matches("1 face").count(), 60);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_told_apart() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    let small = encoded(&RgbaImage::from_pixel(8, 8, Rgba([9, 0, 0, 255])), ImageFormat::Png);
    for name in [&b"\xff.png"[..], b"\xfe.png"] {
        fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), &small).unwrap();
    }
    let copies = Folder::new();
    let output = predict(&["--json".as_ref(), "--annotate".as_ref(), copies.path(), folder.path()]);
    let names: Vec<Value> = lines(&output).iter().map(|line| line["file"].clone()).collect();
    assert!(names[0].as_str().unwrap().ends_with("\\xfe.png"), "{names:?}");
    assert!(names[1].as_str().unwrap().ends_with("\\xff.png"), "{names:?}");
    assert_eq!(fs::read_dir(copies.path()).unwrap().count(), 2);
}

/// As shells hand over what another program writes; and what never ends.
#[cfg(unix)]
#[test]
fn pipes_are_read_and_what_has_no_end_is_not() {
    let face = encoded(&astronaut(), ImageFormat::Jpeg);
    let output = predict_fed(&["--json".as_ref(), "/dev/stdin".as_ref()], &face);
    assert!(output.status.success());
    assert_eq!(lines(&output)[0]["faces"].as_array().unwrap().len(), 1);
    let output = predict(&["/dev/zero".as_ref()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("too large"), "{}", errors(&output));
}

#[test]
fn a_picture_is_read_from_standard_input() {
    let copies = Folder::new();
    let face = encoded(&astronaut(), ImageFormat::Png);
    let output = predict_fed(&["-".as_ref(), "-".as_ref(), "--annotate".as_ref(), copies.path()], &face);
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(said.starts_with("-: 1 face\n"), "{said}");
    assert!(!said.contains('\x1b'), "no colours where there is no terminal: {said}");
    // Once.
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(errors(&output), "mien: -: standard input can be read only once\n");
    assert!(copies.path().join("stdin.png").is_file());
}

#[test]
fn a_table_has_a_row_for_each_face() {
    let folder = Folder::new();
    let mut two = RgbaImage::new(1024, 512);
    imageops::replace(&mut two, &astronaut(), 0, 0);
    imageops::replace(&mut two, &astronaut(), 512, 0);
    folder.put("a, two.png", &encoded(&two, ImageFormat::Png));
    folder.put("b.png", &encoded(&RgbaImage::from_pixel(64, 64, Rgba([90, 90, 90, 255])), ImageFormat::Png));
    let output = predict(&["--csv".as_ref(), "--model".as_ref(), "d-cnn,lite".as_ref(), folder.path()]);
    assert!(output.status.success(), "{}", errors(&output));
    let mut table = csv::Reader::from_reader(&output.stdout[..]);
    let head: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        let at = head.iter().position(|column| column == name).unwrap();
        rows.iter().map(|row| row[at].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(column("model"), ["d-cnn", "d-cnn", "lite", "lite", "d-cnn", "lite"]);
    assert_eq!(column("face"), ["1", "2", "1", "2", "", ""]);
    assert!(column("file")[0].ends_with("a, two.png"), "{:?}", rows[0]);
    // The same numbers as in JSON.
    let json = predict(&["--json".as_ref(), "--model".as_ref(), "d-cnn,lite".as_ref(), folder.path()]);
    let lines = lines(&json);
    let models: Vec<&Value> = lines.iter().map(|line| &line["model"]).collect();
    assert_eq!(models, ["d-cnn", "lite", "d-cnn", "lite"]);
    let number = |text: &str| text.parse::<f64>().unwrap();
    for (i, line, face) in [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)] {
        let face = &lines[line]["faces"][face];
        let fields = [
            ("age", &face["age"]),
            ("age_low", &face["age_range"][0]),
            ("age_high", &face["age_range"][1]),
            ("box_left", &face["box"][0]),
            ("box_height", &face["box"][3]),
            ("female", &face["gender"]["female"]),
        ];
        for (name, value) in fields {
            assert!((number(&column(name)[i]) - value.as_f64().unwrap()).abs() < 1e-4, "{name} {value}");
        }
    }
    let age = column("age");
    assert_ne!(age[0], age[2], "two networks");
    let words = predict(&["--model".as_ref(), "d-cnn,lite".as_ref(), folder.path()]);
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("2 faces by d-cnn") && words.contains("2 faces by lite"), "{words}");
}

#[test]
fn one_weight_file_is_not_of_two_networks() {
    let weights = Path::new("model-weights/lite/lite.safetensors");
    let output = predict(&[
        "--model".as_ref(),
        "lite,d-cnn".as_ref(),
        "--weights".as_ref(),
        weights,
        "tests/data/astronaut.png".as_ref(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("--model"), "{}", errors(&output));
}

#[test]
fn quiet_is_without_remarks_and_not_without_failures() {
    let folder = Folder::new();
    folder.put("a.png", &encoded(&RgbaImage::new(32, 32), ImageFormat::Png));
    folder.put("b.txt", b"text");
    folder.put("c.jpg", b"no picture");
    let said = |options: &[&Path]| {
        let output = predict(&[options, &[folder.path()]].concat());
        assert_eq!(output.status.code(), Some(1));
        errors(&output)
    };
    assert_eq!(said(&[]).lines().count(), 2, "{}", said(&[]));
    let quiet = said(&["--quiet".as_ref()]);
    assert!(quiet.lines().count() == 1 && quiet.contains("c.jpg"), "{quiet}");
    assert_eq!(said(&["-q".as_ref()]), quiet);
}

#[test]
fn as_many_faces_as_are_wanted_of_the_size_that_is() {
    let folder = Folder::new();
    // Twice the face, the second time at half its size.
    let mut two = RgbaImage::new(768, 512);
    imageops::replace(&mut two, &astronaut(), 0, 0);
    let half = imageops::resize(&astronaut(), 256, 256, imageops::FilterType::Triangle);
    imageops::replace(&mut two, &half, 512, 0);
    let two = folder.put("two.png", &encoded(&two, ImageFormat::Png));
    let faces = |options: &[&str]| {
        let arguments: Vec<&Path> = [&["--json"], options].concat().into_iter().map(Path::new).collect();
        let output = predict(&[&arguments[..], &[&two]].concat());
        assert!(output.status.success(), "{}", errors(&output));
        let line = lines(&output).remove(0);
        let sizes: Vec<f64> =
            line["faces"].as_array().unwrap().iter().map(|face| face["box"][3].as_f64().unwrap()).collect();
        (sizes, line["more_faces"] == true)
    };
    let (all, more) = faces(&[]);
    assert!(all.len() == 2 && !more, "{all:?}");
    let (one, more) = faces(&["--max-faces", "1"]);
    assert!(one == all[..1] && more, "{one:?}, {all:?}");
    let between = format!("{:.0}", 0.75 * all[0].max(all[1]));
    let (large, more) = faces(&["--smallest-face", &between]);
    assert!(large.len() == 1 && large[0] == all[0].max(all[1]) && !more, "{large:?}, {all:?}");
    assert_eq!(predict(&["--max-faces".as_ref(), "0".as_ref(), &two]).status.code(), Some(2));
}

/// By `script`, which gives a program a terminal.
#[cfg(target_os = "linux")]
#[test]
fn only_terminals_get_colours() {
    let program = env!("CARGO_BIN_EXE_mien");
    let plain = Command::new(program).arg("--help").output().unwrap().stdout;
    let words = String::from_utf8(plain).unwrap();
    assert!(words.contains("Usage:") && !words.contains('\x1b'), "{words}");
    let mut script = Command::new("script");
    script.args(["-qec", &format!("'{program}' --help"), "/dev/null"]).env("TERM", "xterm");
    let shown =
        |script: &mut Command| Some(String::from_utf8_lossy(&script.output().ok()?.stdout).into_owned());
    // Where there is no such program, there is nothing to try.
    let Some(coloured) = shown(script.env_remove("NO_COLOR")) else { return };
    assert!(coloured.contains("\x1b["), "{coloured}");
    let wished = shown(script.env("NO_COLOR", "1")).unwrap();
    assert!(!wished.contains("\x1b[1m") && wished.contains("Usage:"), "{wished}");
}
