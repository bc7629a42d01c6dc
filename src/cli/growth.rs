//! `mien bench growth`: what a picture costs with more faces in it, and with more pixels.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use image::imageops::{FilterType, crop_imm, overlay, resize};
use image::{Rgba, RgbaImage};
use mien::face::{BoundingBox, Search};
use mien::frame::Frame;
use mien::picture::Picture;
use mien::plot;
use mien::train::bench::peak_memory;
use serde::{Deserialize, Serialize};

use super::EstimatorArgs;

#[derive(clap::Args)]
pub struct GrowthArgs {
    /// A picture of one face: it is copied as often, and enlarged as far, as is measured
    #[arg(value_name = "PICTURE", default_value = "www/sample.jpg")]
    picture: PathBuf,

    /// Folder for the table and the charts
    #[arg(long, value_name = "DIR", default_value = "docs")]
    output: PathBuf,

    /// Runs timed of each
    #[arg(long, default_value_t = 15)]
    runs: usize,

    /// Measure one picture and print the result as JSON: width, height, faces
    #[arg(long, hide = true, value_delimiter = ',')]
    point: Option<Vec<u32>>,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

/// Faces in a picture of [`CROWD`], each in a tile of [`TILE`] pixels.
const FACES: [u32; 6] = [1, 2, 4, 8, 16, 32];
const TILE: u32 = 256;
const CROWD: [u32; 2] = [7 * TILE, 5 * TILE];
/// Side of what is cut out of the picture for a tile, in sides of the face's box. A face is an eighth of the picture's long side
/// then, just large enough for video.
const AROUND: f32 = 1.15;

/// VGA, three of video, and cameras of 8 and 12 megapixels.
const SIZES: [[u32; 2]; 6] =
    [[640, 480], [1280, 720], [1920, 1080], [2560, 1440], [3264, 2448], [4000, 3000]];

/// What one search, with the estimates of the faces found, was.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    faces: usize,
    milliseconds: f64,
    /// Of these, the estimates.
    network: f64,
}

/// What was measured of one picture.
#[derive(Debug, Serialize, Deserialize)]
struct Point {
    /// The search that video gets.
    video: Cost,
    /// The search that photos get.
    photo: Cost,
    /// The process' most memory, in bytes: the program, the weights, and the picture twice.
    memory: Option<u64>,
}

pub fn run(args: GrowthArgs) -> anyhow::Result<()> {
    if let Some(point) = &args.point {
        let point = point.as_slice().try_into().context("--point takes three numbers")?;
        let point = measure(&args, point)?;
        println!("{}", serde_json::to_string(&point)?);
        return Ok(());
    }
    std::fs::create_dir_all(&args.output).with_context(|| args.output.display().to_string())?;
    let mut text = String::from("# How costs grow\n\n`mien bench growth`, one thread, the median of ");
    text += &format!("{} runs; memory is the most that the process took, the program included. ", args.runs);
    text += "Video gets one look at the whole picture, which misses small faces, and one from close up at each small face found. ";
    text += "In parentheses what the estimates of age and gender take of it.\n";
    // All pictures of the first series are of one size, so that only the number of faces grows.
    let by_faces = FACES.map(|faces| (f64::from(faces), faces.to_string(), [CROWD[0], CROWD[1], faces]));
    let by_size = SIZES.map(|[w, h]| (f64::from(w * h) / 1e6, format!("{w}x{h}"), [w, h, 1]));
    let crowd = format!("faces in a picture of {}x{}", CROWD[0], CROWD[1]);
    for (name, along, series) in
        [("faces", crowd.as_str(), by_faces), ("pixels", "megapixels, one face", by_size)]
    {
        text += &format!("\n| {along} | as video | faces found | as a photo | faces found | memory |\n");
        text += "|---|---|---|---|---|---|\n";
        let (mut video, mut photo, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for (x, label, point) in series {
            let point = in_a_process(&args, point)?;
            let mib = point.memory.map(|bytes| bytes as f64 / f64::from(1 << 20));
            let cell =
                |cost: Cost| format!("{:.1} ms ({:.1}) | {}", cost.milliseconds, cost.network, cost.faces);
            let memory_cell = mib.map_or_else(|| "-".into(), |mib| format!("{mib:.0} MiB"));
            let row = format!("| {label} | {} | {} | {memory_cell} |", cell(point.video), cell(point.photo));
            println!("{row}");
            text += &format!("{row}\n");
            video.push((x, point.video.milliseconds));
            photo.push((x, point.photo.milliseconds));
            memory.extend(mib.map(|mib| (x, mib)));
        }
        let file = |what: &str| args.output.join(format!("growth-{name}-{what}.svg"));
        plot::growth(["Time", along, "ms"], &[("video", video), ("photo", photo)], &file("time"))?;
        text += &format!("\n![Time](growth-{name}-time.svg)\n");
        if !memory.is_empty() {
            plot::growth(["Memory", along, "MiB"], &[("memory", memory)], &file("memory"))?;
            text += &format!("![Memory](growth-{name}-memory.svg)\n");
        }
    }
    let path = args.output.join("growth.md");
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    println!("written to {}", path.display());
    Ok(())
}

/// In a process of its own, whose memory holds nothing of the pictures before.
fn in_a_process(args: &GrowthArgs, point: [u32; 3]) -> anyhow::Result<Point> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(program);
    command.args(["bench", "growth"]).arg(&args.picture);
    command.args(["--runs", &args.runs.to_string(), "--point", &point.map(|v| v.to_string()).join(",")]);
    let estimator = &args.estimator;
    command.args(["--model", estimator.model.name()]);
    for (option, path) in [("--weights", &estimator.weights), ("--weights-dir", &estimator.weights_dir)] {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
    let output = command.stderr(Stdio::inherit()).output().context("starting this program again")?;
    ensure!(output.status.success(), "measuring {point:?} failed: {}", output.status);
    serde_json::from_slice(&output.stdout).context("reading what was measured")
}

fn measure(args: &GrowthArgs, [width, height, faces]: [u32; 3]) -> anyhow::Result<Point> {
    let estimator = args.estimator.load()?.estimator()?;
    let bytes = std::fs::read(&args.picture).with_context(|| args.picture.display().to_string())?;
    let picture = Picture::decode(&bytes).with_context(|| args.picture.display().to_string())?;
    let canvas = if [width, height] == CROWD {
        let face = pollster::block_on(estimator.detect(&picture.frame(), Search::Tiled))?;
        let face = face.first().context("no face in the picture")?.bbox;
        crowd(&picture.into_image(), face, faces)
    } else {
        enlarged(&picture.into_image(), width, height)
    };
    let frame = Frame::new(width as usize, height as usize, canvas.as_raw())?;
    let cost = |search| -> anyhow::Result<Cost> {
        let (mut times, mut faces) = (Vec::new(), 0);
        // The first run also pays for fresh memory.
        for run in 0..=args.runs.max(1) {
            let began = Instant::now();
            let (found, timings) = pollster::block_on(estimator.estimate_timed(&frame, search))?;
            faces = found.len();
            if run > 0 {
                times.push((began.elapsed().as_secs_f64() * 1e3, timings.network));
            }
        }
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (milliseconds, network) = times[times.len() / 2];
        Ok(Cost { faces, milliseconds, network })
    };
    Ok(Point { video: cost(Search::Refined)?, photo: cost(Search::Tiled)?, memory: peak_memory() })
}

const GREY: Rgba<u8> = Rgba([128, 128, 128, 255]);

/// The picture as large as fits, in the top left corner.
fn enlarged(picture: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    let side = width.min(height);
    let mut canvas = RgbaImage::from_pixel(width, height, GREY);
    overlay(&mut canvas, &resize(picture, side, side, FilterType::Triangle), 0, 0);
    canvas
}

/// So many copies of the face, in rows.
fn crowd(picture: &RgbaImage, face: BoundingBox, faces: u32) -> RgbaImage {
    let side = (AROUND * face.width.max(face.height)) as u32;
    let [x, y] = face.centre().map(|v| (v as u32).saturating_sub(side / 2));
    let tile = crop_imm(picture, x, y, side, side).to_image();
    let tile = resize(&tile, TILE, TILE, FilterType::Triangle);
    let mut canvas = RgbaImage::from_pixel(CROWD[0], CROWD[1], GREY);
    let columns = CROWD[0] / TILE;
    for i in 0..faces {
        overlay(&mut canvas, &tile, i64::from(i % columns * TILE), i64::from(i / columns * TILE));
    }
    canvas
}
