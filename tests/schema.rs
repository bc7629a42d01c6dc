//! Results as JSON follow `www/result.schema.json`, whoever writes them: the program, the page, the package's `toJson()`.
//!
//! A validator from npm says so (`schema/validate.mjs`), which `./build.sh test` installs; where there is no npm,
//! these tests are left out, in words.

#![cfg(unix)]

// Other tests need more of it.
#[allow(dead_code)]
mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use image::imageops;
use serde_json::{Value, json};

use support::chromium::{Chromium, Options};
use support::repository;
use support::site::Site;

/// What the schema says of JSON, a line for each that does not follow it; `None` where there is no validator.
fn complaints(lines: &str) -> Option<String> {
    let ajv = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools").join("npm/node_modules/ajv");
    // Set and empty where there is no npm.
    if std::env::var_os("MIEN_TYPESCRIPT").is_some_and(|path| path.is_empty()) {
        eprintln!("left out: there is no npm");
        return None;
    }
    assert!(ajv.is_dir(), "{} is missing: run ./build.sh test, which installs it", ajv.display());
    let mut validator = Command::new("node")
        .arg(repository().join("tests/schema/validate.mjs"))
        .args([&ajv, &repository().join("www/result.schema.json")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    validator.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = validator.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What the program prints.
fn printed(arguments: &[&str]) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_mien"));
    let output = Command::new(program).current_dir(repository()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn parsed(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_program_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, picture: image::RgbImage| {
        let path = folder.path().join(name);
        picture.save(&path).unwrap();
        path
    };
    let sample = image::open(repository().join("www/sample.jpg")).unwrap().into_rgb8();
    // Lying on its side; a child, as far as a network can tell, or a small face at least; nobody.
    put("turned.png", imageops::rotate90(&sample));
    put("small.png", imageops::resize(&sample, 160, 160, imageops::FilterType::Triangle));
    put("nobody.png", image::RgbImage::new(64, 64));
    let folder = folder.path().to_str().unwrap();
    let photos = printed(&["predict", "--json", "--model", "lite,d-cnn", "www/sample.jpg", folder]);
    let few = printed(&["predict", "--json", "--looks", "1", "--max-faces", "1", "www/sample.jpg"]);
    let film = format!("{folder}/film.y4m");
    let sample = imageops::grayscale(&sample);
    let mut frames =
        format!("YUV4MPEG2 W{} H{} F25:1 Ip Cmono\n", sample.width(), sample.height()).into_bytes();
    for _ in 0..20 {
        frames.extend(b"FRAME\n");
        frames.extend(sample.as_raw());
    }
    std::fs::write(&film, frames).unwrap();
    let watched = printed(&["watch", "--json", &film]);

    let lines = [&*photos, &few, &watched].concat();
    let Some(said) = complaints(&lines) else { return };
    assert_eq!(said, "");
    assert_eq!(parsed(&photos).len(), 8);
    assert!(parsed(&photos).iter().any(|line| line["turn"] != 0) && parsed(&watched).len() == 20);
    assert!(lines.contains("\"faces\":[]") && watched.contains("\"settled\":true"));
}

#[test]
fn it_refuses_what_does_not_follow_it() {
    let line = parsed(&printed(&["predict", "--json", "www/sample.jpg"])).remove(0);
    type Change = fn(&mut Value);
    let changes: [(&str, Change, &str); 8] = [
        ("another version", |it| it["schema"] = json!(2), "/schema"),
        ("none", |it| drop(it.as_object_mut().unwrap().remove("schema")), "schema"),
        ("a photo without its turn", |it| drop(it.as_object_mut().unwrap().remove("turn")), "turn"),
        ("a name of JavaScript's", |it| it["faces"][0]["ageRange"] = json!([1, 2]), "ageRange"),
        ("a field of no one's", |it| it["glasses"] = json!(true), "glasses"),
        ("half a range", |it| it["faces"][0]["age_range"] = json!([30]), "age_range"),
        ("no probability", |it| it["faces"][0]["gender"]["male"] = json!(1.2), "male"),
        (
            "years short",
            |it| drop(it["faces"][0]["age_distribution"].as_array_mut().unwrap().pop()),
            "age_distribution",
        ),
    ];
    for (what, change, word) in changes {
        let mut wrong = line.clone();
        change(&mut wrong);
        let Some(said) = complaints(&wrong.to_string()) else { return };
        assert!(said.contains(word), "{what}: {said}");
    }
}

#[test]
fn the_page_and_the_package_follow_it() {
    if complaints("").is_none() {
        return;
    }
    let chromium = Chromium::start(Options::default());
    let (site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.takes_its_time();
    page.estimate_after(|page| page.click("#use-sample"));
    // As the page copies it, and without what its visitor may not want.
    page.evaluate(
        "(() => {
            window.copied = [];
            Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => copied.push(text) } });
        })()",
    );
    for count in 1..=2 {
        page.click("#take");
        page.wait_for("document.querySelector('dialog[open] canvas')");
        page.evaluate(
            "[...document.querySelectorAll('dialog button')].find(({ innerText }) => innerText === 'Copy as JSON').click()",
        );
        page.wait_for(&format!("copied.length === {count}"));
        page.press("Escape");
        page.wait_for("!document.querySelector('dialog')");
        page.click("#age-only");
    }
    let results = page.evaluate(RESULTS);
    let results: Vec<&str> = results.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let mode = |name: &str| results.iter().any(|it| it.contains(&format!("\"mode\":\"{name}\"")));
    assert!(mode("search") && mode("follow") && mode("skip"), "{results:?}");
    assert!(results.iter().all(|it| it.contains("\"engine\":\"cpu\"")), "{results:?}");
    assert_eq!(complaints(&results.join("\n")), Some(String::new()));
}

/// What was copied, and results of each kind, as JSON.
const RESULTS: &str = "(async () => {
    const { mien } = mienApp;
    const { toJson } = await import(new URL('later/json.js', document.baseURI));
    const results = copied.map((text) => JSON.stringify(JSON.parse(text)));
    if (results[0].includes('male') === results[1].includes('male')) throw new Error('age-only says nothing');
    const bitmap = await createImageBitmap(await (await fetch('sample.jpg')).blob());
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const add = (result) => results.push(JSON.stringify(toJson(result)));
    add(await mien.estimate(bitmap));
    add(await mien.estimate(canvas, { looks: 1, maxFaces: 1 }));
    context.drawImage(bitmap, 80, 0, 480, 480);
    for (let timestamp = 0; timestamp <= 2000; timestamp += 80) add(await mien.estimate(canvas, { track: true, timestamp }));
    return results;
})()";
