//! Mien beside other libraries that run in a browser, in headless Chromium: `./build.sh bench`.
//!
//! The contenders take turns, each once a round, on the same picture and on one thread; what is printed and
//! written to `docs/benchmarks.md` are medians over the rounds. A first result is timed in a new browser each
//! time, with nothing stored.
//!
//! `BENCH_ROUNDS=3 ./build.sh bench` is for trying: fewer rounds, and nothing is written. What the contenders
//! do lies in `pages/`.

mod onnx;
mod report;
mod server;
// The tests need more of it.
#[allow(dead_code)]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use mien::net::{blaze_face, d_cnn, lite};
use mien::weights::Weights;
use serde_json::{Value, json};

use report::{FirstResult, FirstResults, Report, Times};
use server::{Line, Server};
use support::cdp::Connection;
use support::chromium::{Chromium, Options};
use support::page::Page;
use support::repository;

const ROUNDS: usize = 40;

/// Files of the peers that their pages may ask for, below the packages' folder.
const PEER_FILES: [&str; 11] = [
    "onnxruntime-web/dist/ort.wasm.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "@vladmandic/face-api/dist/face-api.esm.js",
    "@vladmandic/face-api/model",
    "@vladmandic/human/dist/human.esm.js",
    "@vladmandic/human/models",
    "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
    "@mediapipe/tasks-vision/vision_bundle.mjs",
    "@mediapipe/tasks-vision/wasm",
    "@mediapipe/face_detection/face_detection_short_range.tflite",
];

/// Something that several contenders do.
struct Task {
    title: &'static str,
    /// Its name in `pages/`.
    name: &'static str,
    /// Who does it, ours first: the file in `pages/contenders`, and how it is called here.
    contenders: &'static [(&'static str, &'static str)],
    /// Runs timed in one turn. The browser's clock has steps of 0.1 ms.
    runs: usize,
    /// How far the answers of a network's other runtimes may be from ours.
    tolerance: Option<f64>,
}

const TASKS: [Task; 5] = [
    Task {
        title: "D-CNN alone, one face",
        name: "d-cnn",
        contenders: &[("networks", "Mien"), ("onnxruntime", "ONNX Runtime Web")],
        runs: 10,
        tolerance: Some(1e-3),
    },
    Task {
        title: "lite alone, one face",
        name: "lite",
        contenders: &[("networks", "Mien"), ("onnxruntime", "ONNX Runtime Web")],
        runs: 10,
        tolerance: Some(1e-3),
    },
    Task {
        title: "BlazeFace's network alone, one picture of 128x128",
        name: "detector",
        contenders: &[("networks", "Mien"), ("onnxruntime", "ONNX Runtime Web")],
        runs: 10,
        tolerance: Some(1e-3),
    },
    Task {
        title: "Finding the face in a canvas of 640x480, one pass of BlazeFace",
        name: "find",
        contenders: &[("networks", "Mien"), ("mediapipe", "MediaPipe FaceDetector")],
        runs: 10,
        tolerance: None,
    },
    Task {
        title: "The whole frame: face, age and gender from a canvas of 640x480",
        name: "frame",
        contenders: &[("mien", "Mien"), ("face-api", "face-api"), ("human", "Human")],
        runs: 3,
        tolerance: None,
    },
];

/// Who shows a first result: the page's address, a script to run in it, and what it is called here.
const FIRST_RESULTS: [(&str, &str, &str); 4] = [
    ("mien/?engine=cpu", CHOOSE_SAMPLE, "Mien, its page"),
    ("bench/?mien", "", "Mien, a plain page"),
    ("bench/?face-api", "", "face-api, a plain page"),
    ("bench/?human", "", "Human, a plain page"),
];

/// How long a new browser is left alone: it is busy with itself at first.
const REST: Duration = Duration::from_secs(3);

/// What WebPageTest (webpagetest.org) calls 4G: 9 Mbit/s and 170 ms there and back.
const TELEPHONE: Line = Line { round_trip: Duration::from_millis(170), bytes_a_second: 9e6 / 8.0 };

/// Chooses the sample as soon as Mien's page lets one, and notes when its result is there.
const CHOOSE_SAMPLE: &str = "{
    const bench = (globalThis.bench = { ready: false });
    const timer = setInterval(() => {
        const app = globalThis.mienApp;
        if (!app) return;
        if (!bench.chosen) {
            document.querySelector('#use-sample').click();
            bench.chosen = true;
        }
        if (!app.lastResult && !app.lastError) return;
        clearInterval(timer);
        const face = app.lastResult?.faces[0];
        bench.firstAt = performance.now();
        bench.first = face && { age: face.age, female: face.gender.female };
        bench.error = app.lastError?.message;
        bench.ready = true;
    }, 1);
}";

fn main() -> anyhow::Result<()> {
    let asked = std::env::var("BENCH_ROUNDS").ok();
    let rounds = match &asked {
        Some(text) => text.parse().ok().filter(|rounds| *rounds > 0),
        None => Some(ROUNDS),
    };
    let rounds: usize = rounds.context("BENCH_ROUNDS is a number of rounds, at least 1")?;
    let peers = folder("MIEN_PEERS")?;
    let server = publish(&peers)?;
    let mut report = Report::new(&peers, rounds)?;

    for task in &TASKS {
        eprintln!("{}", task.title);
        report.times.push(compare(task, &server, rounds)?);
    }
    let repetitions = rounds.div_ceil(4);
    eprintln!("First results");
    report.first_results.push(FirstResults { line: None, results: first_results(&server, repetitions)? });
    server.set_line(Some(TELEPHONE));
    let results = first_results(&server, repetitions.div_ceil(2))?;
    report.first_results.push(FirstResults { line: Some(TELEPHONE), results });

    let text = report.to_markdown();
    println!("{text}");
    if asked.is_none() {
        let path = repository().join("docs/benchmarks.md");
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
        eprintln!("written to docs/benchmarks.md");
    }
    Ok(())
}

/// A folder that `./build.sh bench` has filled.
fn folder(variable: &str) -> anyhow::Result<PathBuf> {
    let path =
        std::env::var_os(variable).with_context(|| format!("{variable} is not set: run ./build.sh bench"))?;
    Ok(repository().join(path))
}

fn publish(peers: &Path) -> anyhow::Result<Server> {
    let server = Server::start()?;
    let put = |from: PathBuf, address: &str| {
        server.publish(&from, address).with_context(|| format!("{}: run ./build.sh bench", from.display()))
    };
    put(repository().join("dist"), "mien")?;
    put(repository().join("benches/browser/pages"), "bench")?;
    let module = folder("MIEN_BENCH_MODULE")?;
    for file in ["mien_bench.js", "mien_bench_bg.wasm"] {
        put(module.join(file), &format!("networks/{file}"))?;
    }
    for file in PEER_FILES {
        put(peers.join(file), &format!("peers/{file}"))?;
    }
    let networks = [
        (d_cnn::table(), "models/d-cnn.onnx"),
        (lite::table(), "models/lite.onnx"),
        (blaze_face::table(), "models/blazeface.onnx"),
    ];
    for (network, model) in networks {
        // The very files that the page loads, so rounded weights in both runtimes.
        let path = repository().join("dist/weights").join(network.name).with_extension("safetensors");
        let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
        server.publish_bytes(&onnx::export(&network, &Weights::from_bytes(&bytes)?)?, model)?;
    }
    Ok(server)
}

/// A page of a contender.
struct Turn {
    connection: Connection,
    session: String,
    page: Page,
}

impl Turn {
    /// Opens an address, with a script to run in it, and waits until the contender has loaded.
    fn open(chromium: &Chromium, url: &str, script: &str) -> anyhow::Result<Self> {
        let connection = chromium.connection().clone();
        let session = connection.open_page();
        let page = Page::new(connection.clone(), session.clone());
        let turn = Self { connection, session, page };
        turn.call("Page.enable", json!({}));
        turn.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
        turn.call("Page.navigate", json!({ "url": url }));
        turn.page.wait_for("globalThis.bench?.ready");
        let error = turn.page.evaluate("bench.error ?? null");
        ensure!(error.is_null(), "{url}: {}", error.as_str().unwrap_or_default());
        Ok(turn)
    }

    fn call(&self, method: &str, params: Value) {
        self.connection.call(&self.session, method, params);
    }
}

/// Lets the contenders of a task take turns.
fn compare(task: &Task, server: &Server, rounds: usize) -> anyhow::Result<Times> {
    let chromium = Chromium::start(Options::default());
    let open = |(file, _): &(&str, _)| Turn::open(&chromium, &server.url(&format!("bench/?{file}")), "");
    let turns = task.contenders.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    let difference = match task.tolerance {
        None => None,
        Some(tolerance) => {
            let difference = difference(task, &turns)?;
            ensure!(difference <= tolerance, "{}: answers differ by {difference:e}", task.title);
            Some(difference)
        }
    };
    // What was found, so that nobody is fast at finding nothing.
    let found = turns.iter().zip(task.contenders).map(|(turn, (_, name))| match task.name {
        "find" => {
            let faces = turn.page.evaluate("bench.tasks.find()");
            ensure!(faces == 1, "{name} finds {faces} faces, not one");
            Ok(None)
        }
        "frame" => said(&turn.page, name).map(Some),
        _ => Ok(None),
    });
    let found = found.collect::<anyhow::Result<Vec<_>>>()?;

    let mut times = vec![Vec::with_capacity(rounds); turns.len()];
    // The first round is for whatever a browser still compiles.
    for round in 0..=rounds {
        for (turn, times) in turns.iter().zip(&mut times) {
            // Browsers give pages in the background less of the machine.
            turn.call("Page.bringToFront", json!({}));
            let time = turn.page.evaluate(&format!("bench.time('{}', {})", task.name, task.runs));
            if round > 0 {
                times.push(time.as_f64().context("a time is a number")?);
            }
        }
    }
    let names = task.contenders.iter().map(|(_, name)| *name);
    Ok(Times {
        title: task.title,
        runs: task.runs,
        contenders: names.zip(times).zip(found).map(|((name, times), found)| (name, times, found)).collect(),
        difference,
    })
}

/// The largest difference between our answers and another runtime's.
fn difference(task: &Task, turns: &[Turn]) -> anyhow::Result<f64> {
    let answers = turns.iter().map(|turn| {
        let numbers = turn.page.evaluate(&format!("bench.numbers('{}')", task.name));
        Ok(serde_json::from_value::<Vec<f64>>(numbers)?)
    });
    let answers = answers.collect::<anyhow::Result<Vec<_>>>()?;
    let (ours, others) = answers.split_first().context("a task has contenders")?;
    let mut largest = 0.0;
    for other in others {
        ensure!(other.len() == ours.len(), "{}: {} numbers, not {}", task.title, other.len(), ours.len());
        largest = ours.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(largest, f64::max);
    }
    Ok(largest)
}

/// What a contender said of the face at its first result.
fn said(page: &Page, name: &str) -> anyhow::Result<String> {
    let first = page.evaluate("bench.first ?? null");
    let (age, female) = (first["age"].as_f64(), first["female"].as_f64());
    let age = age.with_context(|| format!("{name} finds no face"))?;
    let female = female.with_context(|| format!("{name} says no gender"))?;
    let (gender, probability) = if female >= 0.5 { ("female", female) } else { ("male", 1.0 - female) };
    Ok(format!("{age:.0} years, {gender} {probability:.2}"))
}

/// Opens every page in new browsers, in turns.
fn first_results(server: &Server, repetitions: usize) -> anyhow::Result<Vec<FirstResult>> {
    let mut results: Vec<_> = FIRST_RESULTS
        .iter()
        .map(|(_, _, name)| FirstResult { name, times: Vec::new(), bytes: Vec::new() })
        .collect();
    for _ in 0..repetitions {
        for ((address, script, name), result) in FIRST_RESULTS.iter().zip(&mut results) {
            let chromium = Chromium::start(Options::default());
            std::thread::sleep(REST);
            let before = server.sent();
            let turn = Turn::open(&chromium, &server.url(address), script)?;
            result.bytes.push((server.sent() - before) as f64);
            said(&turn.page, name)?;
            let time = turn.page.evaluate("bench.firstAt").as_f64();
            result.times.push(time.context("a time is a number")?);
        }
    }
    Ok(results)
}
