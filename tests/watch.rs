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
        (["/dev/video999"], "/dev/video999: there is no such camera. "),
        (["rtsp://203.0.113.1/stream"], "read by ffmpeg, which is not here"),
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

/// Rules that change soon: one content for somebody, one for nobody.
fn rules(title: &str) -> String {
    serde_json::json!({
        "idle": ["nobody"], "steadySeconds": 0.2, "minimumSeconds": 1, "absentSeconds": 0.5,
        "rules": [
            { "name": "By night", "time": ["22:00", "06:00"], "show": "night" },
            { "name": "Somebody", "show": "hello" },
        ],
        "contents": { "nobody": { "title": "Nobody" }, "hello": { "title": title }, "night": { "title": "Night" } },
    })
    .to_string()
}

/// A folder with a film of somebody who comes and goes, and rules.
fn entrance(title: &str) -> (tempfile::TempDir, [String; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let [film, file] = ["walk.y4m", "rules.json"].map(|name| folder.path().join(name));
    fs::write(&film, walk()).unwrap();
    fs::write(&file, rules(title)).unwrap();
    (folder, [film, file].map(|path| path.to_str().unwrap().to_owned()))
}

#[test]
fn contents_follow_who_is_there() {
    let (_folder, [film, rules]) = entrance("Hello");
    let output = watch(&["--json", "--rules", &rules, "--clock", "12:00", &film]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let contents: Vec<&Value> = lines.iter().filter(|line| line.get("content").is_some()).collect();
    let names: Vec<_> = contents.iter().map(|line| line["content"].as_str().unwrap()).collect();
    assert_eq!(names, ["nobody", "hello", "nobody"]);
    let [first, second, third] = contents[..] else { unreachable!() };
    assert_eq!(
        *first,
        serde_json::json!({ "time": 0.0, "content": "nobody", "title": "Nobody", "rule": null, "idle": true })
    );
    assert_eq!((&second["rule"], &second["idle"]), (&"Somebody".into(), &false.into()));
    // Somebody is there from 0.2 s to 2.2 s, and has to be known for a moment.
    let [comes, goes] = [second, third].map(|line| line["time"].as_f64().unwrap());
    assert!((0.4..1.6).contains(&comes) && (2.6..3.6).contains(&goes), "{comes} {goes}");
    assert_eq!(lines.len(), 95 + 3, "and a line of each frame");

    // In words; and the time of day is the one that is given.
    let output = watch(&["--rules", &rules, "--clock", "05:59", &film]).output().unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(
        words.starts_with("0.00 s  content nobody\n") && words.contains(" s  content night (By night)\n"),
        "{words}"
    );
}

#[test]
fn wrong_rules_are_refused_by_rule_and_field() {
    let (folder, [film, file]) = entrance("Hello");
    let wrong = rules("Hello").replace("\"hello\"", "\"hallo\"").replace("\"22:00\"", "\"22 Uhr\"");
    let put = |text: &[u8]| fs::write(&file, text).unwrap();
    let run = || {
        let output = watch(&["--rules", &file, &film]).output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        errors(&output)
    };
    put(wrong.replace("\"hallo\":", "\"hello\":").as_bytes());
    let said = run();
    for part in [
        "Rule 1 (“By night”), field “time”: is [\"22 Uhr\",\"06:00\"]",
        "Rule 2 (“Somebody”), field “show”: names \"hallo\"",
    ] {
        assert!(said.lines().any(|line| line.starts_with(&format!("mien: {file}: {part}"))), "{said}");
    }
    assert_eq!(said.lines().count(), 3);
    put(b"{ \"idle\": [");
    assert!(run().contains("The file is not JSON: "));
    put(b"\xff\xfe");
    assert!(run().contains("that is no text"));
    fs::remove_file(&file).unwrap();
    assert!(run().contains("rules.json: No such file"));
    // What makes no sense without others.
    for arguments in [
        &["--run", "true", &film][..],
        &["--clock", "12:00", &film],
        &["--rules", "x", "--clock", "25:00", &film],
        &["--draw", "terminal", "--json", &film],
    ] {
        let output = watch(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    drop(folder);
}

/// A program of somebody's own: a script in the folder, which may use it.
#[cfg(unix)]
fn script(folder: &tempfile::TempDir, text: &str) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join("show.sh");
    fs::write(&path, format!("#!/bin/sh\ncd '{}'\n{text}\n", folder.path().display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[cfg(unix)]
#[test]
fn a_program_is_told_of_each_change() {
    // Nothing of it is a shell's.
    let title = "$(touch x) `touch x` \"; touch x; '\n";
    let (folder, [film, rules]) = entrance(title);
    let program = script(
        &folder,
        "echo said; printf '%s|%s|%s|%s\\n' $# \"$1\" \"$MIEN_RULE\" \"$MIEN_TITLE\" >> told",
    );
    let output =
        watch(&["--json", "--rules", &rules, "--clock", "12:00", "--run", &program, &film]).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let told = fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(told, format!("1|nobody||Nobody\n1|hello|Somebody|{title}\n1|nobody||Nobody\n"));
    assert!(!folder.path().join("x").exists());
    // What it prints does not mix with the lines of JSON.
    assert!(String::from_utf8_lossy(&output.stdout).lines().all(|line| line.starts_with('{')));
    assert_eq!(errors(&output), "said\n".repeat(3));
}

#[cfg(unix)]
#[test]
fn whatever_becomes_of_it_the_watching_goes_on() {
    let (folder, [film, rules]) = entrance("Hello");
    let run = |program: &str| {
        let arguments = ["--json", "--rules", &rules, "--clock", "12:00", "--run", program, &film];
        let output = watch(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        assert_eq!(output.stdout.iter().filter(|byte| **byte == b'\n').count(), 95 + 3);
        errors(&output)
    };
    let said = run(&script(&folder, "exit 3"));
    assert_eq!(
        said.lines().filter(|line| line.ends_with("show.sh hello failed: exit status: 3")).count(),
        1,
        "{said}"
    );
    assert_eq!(said.lines().count(), 3, "{said}");
    let said = run(folder.path().join("none").to_str().unwrap());
    assert_eq!(said.matches("none nobody can't be run: No such file").count(), 2, "{said}");
    // One that takes longer than the film: the others wait for it, and of those between only the last is run.
    let said = run(&script(&folder, "echo begins $1 >> times; sleep 4; echo ends $1 >> times"));
    assert_eq!(said, "");
    let times = fs::read_to_string(folder.path().join("times")).unwrap();
    let times: Vec<_> = times.lines().collect();
    assert!(times.len() % 2 == 0 && times.len() >= 4, "{times:?}");
    for pair in times.chunks(2) {
        assert_eq!(
            pair[0].strip_prefix("begins "),
            pair[1].strip_prefix("ends "),
            "one at a time: {times:?}"
        );
    }
    assert_eq!(times[0], "begins nobody");
    assert_eq!(times[times.len() - 1], "ends nobody");
}

#[test]
fn nothing_is_drawn_where_that_cannot_be() {
    let (_folder, [film, _]) = entrance("Hello");
    let output = watch(&["--draw", "terminal", &film]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(errors(&output).contains("standard output is no terminal"), "{}", errors(&output));
    if cfg!(target_os = "linux") {
        let output = watch(&["--draw", "window", &film]).env_remove("DISPLAY").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
        let said = errors(&output);
        assert!(
            said.contains("there is no window to be had here") && said.contains("--draw terminal"),
            "{said}"
        );
    }
}

/// In a terminal that `script` makes: the picture on a page of its own, which is left at the end and on Ctrl-C.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_is_left_as_it_was() {
    use std::io::Write;
    let (folder, [film, rules]) = entrance("Hello to all");
    let shown = folder.path().join("shown");
    let draw = |source: &str| {
        let mien = env!("CARGO_BIN_EXE_mien");
        let line = format!(
            "trap : INT; stty cols 80 rows 25; '{mien}' watch --draw terminal --rules '{rules}' --clock 12:00 {source}; echo status $?"
        );
        let mut command = Command::new("script");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("SHELL", "/bin/sh");
        command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped());
        // A pipe would be full before anybody reads it.
        command.stdout(fs::File::create(&shown).unwrap()).spawn().expect("script, of Debian's bsdutils")
    };
    let check = || {
        let text = fs::read_to_string(&shown).unwrap();
        let drawn = text.split_once("\x1b[?1049h\x1b[?25l").expect("a page of its own").1;
        let (drawn, after) = drawn.split_once("\x1b[?25h\x1b[?1049l").expect("and back");
        assert_eq!(after.trim(), "status 0", "nothing is drawn after it");
        drawn.to_owned()
    };
    draw(&format!("--frames 60 '{film}'")).wait().unwrap();
    let drawn = check();
    assert_eq!(drawn.matches("\x1b[H").count(), 60);
    for part in ["▀", "about ", "Hello to all", "Nobody", "\x1b[38;2;46;196;182m"] {
        assert!(drawn.contains(part), "no {part:?}");
    }

    // A camera that goes on for ever: a pipe that stays open.
    let camera = folder.path().join("camera");
    assert!(Command::new("mkfifo").arg(&camera).status().unwrap().success());
    let mut child = draw(&format!("- < '{}'", camera.display()));
    let mut frames = fs::OpenOptions::new().write(true).open(&camera).unwrap();
    let film = walk();
    frames.write_all(&film[..film.len() / 95 * 20]).unwrap();
    let begun = std::time::Instant::now();
    while !fs::read_to_string(&shown).is_ok_and(|text| text.matches("\x1b[H").count() > 10) {
        assert!(begun.elapsed().as_secs() < 30, "nothing is drawn");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    child.wait().unwrap();
    check();
}

/// A film of so many frames, read from standard input: the most memory that it took, in MiB, as Linux has it.
#[cfg(target_os = "linux")]
fn peak_memory(size: [u32; 2], frames: usize) -> u64 {
    use std::io::{BufRead, BufReader, Write};
    let sample = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/www/sample.jpg")).unwrap().to_luma8();
    let head = imageops::crop_imm(&sample, 116, 8, SIDE, SIDE).to_image();
    let (_folder, [_, rules]) = entrance("Hello");
    let mut child = watch(&["--json", "--rules", &rules, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut film = child.stdin.take().unwrap();
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        writeln!(film, "YUV4MPEG2 W{} H{} F25:1 Ip C420jpeg", size[0], size[1]).unwrap();
        for frame in 0..frames as i64 {
            // Three people who walk, so that nothing is skipped.
            let mut picture = image::GrayImage::from_pixel(size[0], size[1], image::Luma([120]));
            for person in 0..3 {
                imageops::replace(
                    &mut picture,
                    &head,
                    (200 * person + 3 * frame) % i64::from(size[0]),
                    60 + frame % 90,
                );
            }
            film.write_all(b"FRAME\n").unwrap();
            film.write_all(picture.as_raw()).unwrap();
            film.write_all(&vec![128; (size[0] * size[1] / 2) as usize]).unwrap();
        }
        // It is asked while it runs.
        let _ = wait.recv();
    });
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let seen = lines
        .filter(|line| line.contains("\"mode\""))
        .take(frames)
        .filter(|line| line.contains("\"id\""))
        .count();
    assert!(seen > frames / 2, "faces in {seen} frames");
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("what Linux says");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(go_on);
    writer.join().unwrap();
    drop(child.kill());
    child.wait().unwrap();
    peak >> 10
}

/// A small computer has little of it (docs/watch.md).
#[cfg(target_os = "linux")]
#[test]
fn memory_stays_below_what_a_small_computer_has() {
    for size in [[640, 480], [1280, 720]] {
        let peak = peak_memory(size, 300);
        println!("{size:?}: {peak} MiB at most");
        assert!(peak < 150, "{size:?}: {peak} MiB");
    }
}
