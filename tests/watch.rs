//! `mien watch`, run as a program on films that are made here.

use std::fs;
use std::process::{Command, Output, Stdio};

use image::imageops;
use serde_json::Value;

const SIDE: u32 = 220;

fn watch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mien"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("watch").args(arguments);
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A film without colours, at 25 frames a second: for each frame, where the sample's head is.
fn film(heads: &[Option<[i64; 2]>]) -> Vec<u8> {
    let sample = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/www/sample.jpg")).unwrap().to_luma8();
    let head = imageops::crop_imm(&sample, 116, 8, SIDE, SIDE).to_image();
    let mut film = b"YUV4MPEG2 W640 H480 F25:1 Ip Cmono\n".to_vec();
    for place in heads {
        let mut frame = image::GrayImage::from_pixel(640, 480, image::Luma([120]));
        if let Some([x, y]) = place {
            imageops::replace(&mut frame, &head, *x, *y);
        }
        film.extend(b"FRAME\n");
        film.extend(
            frame.as_raw().iter().map(|value| (16.0 + 219.0 * f32::from(*value) / 255.0).round() as u8),
        );
    }
    film
}

/// Somebody comes, walks, and goes.
fn walk() -> Vec<u8> {
    let there = (0..50).map(|frame| Some([60 + 4 * frame, 120 + frame]));
    film(&[None; 5].into_iter().chain(there).chain([None; 40]).collect::<Vec<_>>())
}

#[test]
fn a_face_is_followed_through_a_film() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("walk.y4m");
    fs::write(&path, walk()).unwrap();
    let path = path.to_str().unwrap();
    let output = watch(&["--json", path]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 95);
    assert_eq!((&lines[50]["time"], &lines[50]["width"]), (&2.0.into(), &640.into()));
    assert!(lines[0]["faces"].as_array().unwrap().is_empty());
    let faces: Vec<&Value> = lines[15..55].iter().map(|line| &line["faces"][0]).collect();
    assert!(faces.iter().all(|face| face["id"] == faces[0]["id"]), "one person, one number");
    assert!(faces[39]["settled"] == true && faces[39]["age"].as_f64().unwrap() > 10.0);
    let left = |face: &Value| face["box"][0].as_f64().unwrap();
    assert!(left(faces[39]) > left(faces[0]) + 100.0, "{} {}", faces[0], faces[39]);
    assert!(lines[94]["faces"].as_array().unwrap().is_empty());
    assert!(
        lines.iter().any(|line| line["mode"] == "skip") && lines.iter().any(|line| line["mode"] == "follow")
    );

    // In words, and no more of it than was asked for.
    let output = watch(&[path]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    let id = faces[0]["id"].to_string();
    assert!(
        words.contains(&format!("  face {id}: about ")) && words.contains(&format!("face {id} is gone")),
        "{words}"
    );
    let output = watch(&["--json", "--frames", "7", path]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 7);
}

/// As `ffmpeg ... | mien watch -`, from which somebody reads a line.
#[test]
fn frames_come_from_standard_input_and_lines_at_once() {
    use std::io::{BufRead, BufReader, Write};
    let mut child = watch(&["--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut frames, film) = (child.stdin.take().unwrap(), walk());
    let one = film.len() / 95;
    frames.write_all(&film[..3 * one]).unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"schema\":1,\"time\":0.0,"), "{line}");
    drop(reader);
    // It ends with its reader, and says nothing of that.
    let _ = frames.write_all(&film[3 * one..]);
    drop(frames);
    let output = child.wait_with_output().unwrap();
    assert_eq!(errors(&output), "");
    assert_eq!(output.status.code(), Some(141));
}

#[test]
fn what_cannot_be_watched_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let film = walk();
    let cut = put("cut.y4m", &film[..film.len() / 2 + 1000]);
    let large = put("large.y4m", b"YUV4MPEG2 W99999 H99999 F25:1 C444\nFRAME\n");
    let other = put("film.mp4", b"\0\0\0\x18ftypmp42");
    for (arguments, words) in [
        (["nowhere.mp4"], "nowhere.mp4: No such file or directory"),
        ([folder.path().to_str().unwrap()], "that is a folder"),
        ([cut.as_str()], "it ends in the middle of a frame"),
        ([large.as_str()], "too large"),
        ([other.as_str()], "read by ffmpeg, which is not here"),
        (["-"], "standard input: there are no frames in it"),
    ] {
        let output = watch(&arguments).env("PATH", folder.path()).stdin(Stdio::null()).output().unwrap();
        let errors = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert!(errors.lines().count() == 1 && errors.contains(words), "{arguments:?}: {errors}");
    }
}
