//! What was measured, as Markdown.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::server::Line;
use crate::support::chromium::{Chromium, Options};

/// The packages whose versions are stated.
const PACKAGES: [&str; 6] = [
    "onnxruntime-web",
    "@mediapipe/tasks-vision",
    "@mediapipe/face_detection",
    "@vladmandic/face-api",
    "@vladmandic/human",
    "@tensorflow/tfjs-backend-wasm",
];

/// Everything that was measured, and where.
pub struct Report {
    rounds: usize,
    about: Vec<(&'static str, String)>,
    pub times: Vec<Times>,
    pub first_results: Vec<FirstResults>,
}

/// One task.
pub struct Times {
    pub title: &'static str,
    pub runs: usize,
    /// Name, milliseconds of a run for each round, and what was said of the face. Ours is the first.
    pub contenders: Vec<(&'static str, Vec<f64>, Option<String>)>,
    /// The largest difference between the answers.
    pub difference: Option<f64>,
}

/// Pages, opened in turns.
pub struct FirstResults {
    /// What was between the server and the browser.
    pub line: Option<Line>,
    /// Ours is the first.
    pub results: Vec<FirstResult>,
}

/// One page, opened again and again.
pub struct FirstResult {
    pub name: &'static str,
    /// Milliseconds from navigation to the first result.
    pub times: Vec<f64>,
    /// Bytes of all that was sent until then.
    pub bytes: Vec<f64>,
}

impl Report {
    pub fn new(peers: &Path, rounds: usize) -> anyhow::Result<Self> {
        let mut packages = Vec::new();
        for package in PACKAGES {
            let path = peers.join(package).join("package.json");
            let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let version = serde_json::from_str::<serde_json::Value>(&text)?["version"].take();
            packages.push(format!("{package} {}", version.as_str().context("a package has a version")?));
        }
        let chromium = Chromium::start(Options::default());
        let version = chromium.connection().call("", "Browser.getVersion", serde_json::json!({}));
        let cores = std::thread::available_parallelism()?;
        let mut about = vec![
            ("Date", output("date", &["+%Y-%m-%d"])?),
            ("Commit", output("git", &["describe", "--always", "--dirty"])?),
            ("Machine", format!("{}, {cores} cores", processor().unwrap_or_else(|| "unknown".into()))),
            ("Browser", version["product"].as_str().unwrap_or_default().to_owned()),
            ("Packages", packages.join(", ")),
        ];
        if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
            let load = load.split(' ').next().unwrap_or_default();
            about.push(("Load", format!("{load} processes ran or waited in the minute before")));
        }
        Ok(Self { rounds, about, times: Vec::new(), first_results: Vec::new() })
    }

    pub fn to_markdown(&self) -> String {
        let mut text = String::from(
            "# Benchmarks\n\n\
             Written by `./build.sh bench`: Mien beside other libraries in headless Chromium, all served from this machine, on the page's sample \
             picture. They take turns, each on one thread. What each does is in [`benches/browser/pages`](../benches/browser/pages).\n\n",
        );
        for (what, value) in &self.about {
            let _ = writeln!(text, "- {what}: {value}");
        }
        let _ = writeln!(
            text,
            "\nTimes are medians of {} rounds, with the middle half of the rounds in brackets. Ratios are Mien's value over the other's: below 1, Mien \
             takes less.",
            self.rounds
        );
        for task in &self.times {
            task.write(&mut text);
        }
        if !self.first_results.is_empty() {
            text.push_str(
                "\n## The first result, with nothing stored\n\n\
                 From navigation to the first age and gender, in a browser that has started seconds ago with a new profile, medians. Bytes are all that was sent until \
                 then, packed by gzip, pictures excepted. Plain pages load the library and its models and do the whole frame once; Mien's page shows its \
                 interface too, and the sample is chosen at once. Ratios are those of Mien's page.\n",
            );
        }
        for results in &self.first_results {
            results.write(&mut text);
        }
        text
    }
}

impl FirstResults {
    fn write(&self, text: &mut String) {
        let Some(first) = self.results.first() else { return };
        let line = match self.line {
            None => "Over this machine's own network, which takes no time".to_owned(),
            Some(Line { round_trip, bytes_a_second }) => format!(
                "Over a line of {} Mbit/s on which each answer takes {} ms more, as a telephone's",
                8.0 * bytes_a_second / 1e6,
                round_trip.as_millis()
            ),
        };
        let _ = write!(
            text,
            "\n{line}, {} times each:\n\n| | ms | bytes | ratio of times | ratio of bytes |\n|---|---|---|---|---|\n",
            first.times.len()
        );
        for result in &self.results {
            let parts = if result.name == first.name {
                "| | |".to_owned()
            } else {
                let part = |ours: &[f64], theirs: &[f64]| median(ours) / median(theirs);
                format!(
                    "| {:.2} | {:.2} |",
                    part(&first.times, &result.times),
                    part(&first.bytes, &result.bytes)
                )
            };
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} {parts}",
                result.name,
                spread(&result.times),
                median(&result.bytes)
            );
        }
    }
}

impl Times {
    fn write(&self, text: &mut String) {
        let _ = write!(text, "\n## {}\n\n", self.title);
        let says = self.contenders.iter().any(|(_, _, said)| said.is_some());
        let (head, rule) = if says { (" it says |", "---|") } else { ("", "") };
        let _ = write!(text, "| | ms |{head} ratio |\n|---|---|{rule}---|\n");
        let ours = self.contenders.first().map(|(_, times, _)| median(times)).unwrap_or_default();
        for (i, (name, times, said)) in self.contenders.iter().enumerate() {
            let said = said.as_ref().map(|said| format!(" {said} |")).unwrap_or_default();
            let part = if i == 0 { String::new() } else { format!("{:.2} ", ours / median(times)) };
            let _ = writeln!(text, "| {name} | {} |{said} {part}|", spread(times));
        }
        let _ =
            write!(text, "\nEach round has the mean of {} runs, after one that does not count.", self.runs);
        if let Some(difference) = self.difference {
            let _ = write!(text, " The answers differ by {difference:.1e} at most.");
        }
        text.push('\n');
    }
}

/// The median, and the middle half.
fn spread(times: &[f64]) -> String {
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|part| quantile(times, part));
    let digits = if middle < 100.0 { 2 } else { 0 };
    format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
}

fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value that this part of the values lies below, between neighbours by their distance.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = part * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The processor's name, where Linux tells.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
