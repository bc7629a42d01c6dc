//! `mien bench growth`: what a picture costs with more faces in it, and with more pixels.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use image::imageops::{FilterType, crop_imm, overlay, resize};
use image::{Rgba, RgbaImage};
use mien::picture::Frame;
use mien::picture::Pixels;
use mien::pipeline::estimator::Estimator;
use mien::pipeline::schedule::FrameMode;
use mien::pipeline::video::Video;
use mien::plot;
use mien::train::bench::peak_memory;
use mien::vision::{Rect, Search};
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

    /// Photos timed of each, and seconds of video
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
/// Side of what is cut out of the picture for a tile, in sides of the face's box. A face is an eighth of the
/// picture's long side then.
const AROUND: f32 = 1.15;

/// VGA, three of video, and cameras of 8 and 12 megapixels.
const SIZES: [[u32; 2]; 6] =
    [[640, 480], [1280, 720], [1920, 1080], [2560, 1440], [3264, 2448], [4000, 3000]];

/// A video's frames a second.
const FRAMES: usize = 30;
/// Seconds of video before it is timed: all faces have been found by then, and their estimates have settled.
const SECONDS_BEFORE: usize = 6;
/// How far the picture moves up and down from frame to frame, as a part of its height: frames that show
/// nothing new are skipped.
const TREMBLE: f32 = 1.0 / 120.0;

/// What a photo or a frame of a video took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Cost {
    faces: usize,
    milliseconds: f64,
    /// Of these, the estimates, and cutting the faces out.
    network: f64,
    crop: f64,
}

/// What was measured of one picture.
#[derive(Debug, Serialize, Deserialize)]
struct Point {
    /// A frame of a video, on average.
    video: Cost,
    /// A photo, the median.
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
    super::output::make_folder(&args.output)?;
    let mut text = String::from("# How costs grow\n\n");
    text += &format!(
        "`mien bench growth`, one thread. A video is {} seconds of frames that all differ, {FRAMES} a second, and its time is the mean of a \
         frame; a photo's is the median of {} runs. In parentheses what the estimates of age and gender take of it: in a photo one for each \
         face, in a video five a second for each. Memory is the most that the process took, the program included.\n",
        args.runs, args.runs
    );
    // All pictures of the first series are of one size, so that only the number of faces grows.
    let by_faces = FACES.map(|faces| (f64::from(faces), faces.to_string(), [CROWD[0], CROWD[1], faces]));
    let by_size = SIZES.map(|[w, h]| (f64::from(w * h) / 1e6, format!("{w}x{h}"), [w, h, 1]));
    let crowd = format!("faces in a picture of {}x{}", CROWD[0], CROWD[1]);
    for (name, along, series) in
        [("faces", crowd.as_str(), by_faces), ("pixels", "megapixels, one face", by_size)]
    {
        text += &format!("\n| {along} | a frame of video | faces found | a photo | faces found | memory |\n");
        text += "|---|---|---|---|---|---|\n";
        let (mut video, mut photo, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        let mut points = Vec::new();
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
            points.push(point);
        }
        text += &further_face(&points);
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
    for (option, path) in
        [("--weights", &estimator.means.weights), ("--weights-dir", &estimator.means.weights_dir)]
    {
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
    let picture = Pixels::decode(&bytes).with_context(|| args.picture.display().to_string())?;
    let canvas = if [width, height] == CROWD {
        let face = pollster::block_on(estimator.detect(&picture.frame(), Search::Tiled))?;
        let face = face.first().context("no face in the picture")?.bbox;
        crowd(&picture.into_image(), face, faces)
    } else {
        enlarged(&picture.into_image(), width, height)
    };
    let frame = Frame::new(width as usize, height as usize, canvas.as_raw())?;
    let photo = photo(&estimator, &frame, args.runs)?;
    Ok(Point { video: video(&estimator, canvas, args.runs)?, photo, memory: peak_memory() })
}

/// What a face more costs, from the first and the last of a series with more and more faces, in a sentence;
/// nothing for another series.
fn further_face(points: &[Point]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let each = |of: fn(&Point) -> Cost, cost: fn(&Cost) -> f64| {
        let (first, last) = (of(first), of(last));
        (last.faces > first.faces).then(|| (cost(&last) - cost(&first)) / (last.faces - first.faces) as f64)
    };
    let all = |cost: &Cost| cost.milliseconds;
    let (Some(video), Some(photo)) = (each(|point| point.video, all), each(|point| point.photo, all)) else {
        return String::new();
    };
    let part = |cost| each(|point| point.photo, cost).unwrap_or_default();
    let (network, crop) = (part(|cost| cost.network), part(|cost| cost.crop));
    format!(
        "\nA further face takes {photo:.2} ms in a photo: its estimate {network:.2}, cutting it out {crop:.2}, and its refinement \
         {:.2}. (A crop's 25,600 pixels take a sample of four pixels each, or four such samples and more where the face shrinks; the refinement is for small \
         faces, whose landmarks are too coarse without.) In a frame of video it takes {video:.2} ms, {:.2} times an estimate.\n",
        photo - network - crop,
        video / network
    )
}

fn photo(estimator: &Estimator, frame: &Frame, runs: usize) -> anyhow::Result<Cost> {
    let (mut costs, mut faces) = (Vec::new(), 0);
    // The first run also pays for fresh memory.
    for run in 0..=runs.max(1) {
        let began = Instant::now();
        let found = pollster::block_on(estimator.estimate_timed(frame, Search::Tiled))?;
        faces = found.faces.len();
        if run > 0 {
            costs.push((began.elapsed().as_secs_f64() * 1e3, found.timings));
        }
    }
    costs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (milliseconds, timings) = costs[costs.len() / 2];
    Ok(Cost { faces, milliseconds, network: timings.network, crop: timings.crop })
}

fn video(estimator: &Estimator, canvas: RgbaImage, seconds: usize) -> anyhow::Result<Cost> {
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let moved = (TREMBLE * height as f32) as usize * width * 4;
    // Frames that move, without a copy of the picture for each: a window on a picture with more rows.
    let mut rgba = canvas.into_raw();
    let size = rgba.len();
    rgba.extend_from_within(size - moved..);
    let mut video = Video::default();
    let mut cost = Cost { faces: 0, milliseconds: 0.0, network: 0.0, crop: 0.0 };
    let (before, timed) = (FRAMES * SECONDS_BEFORE, FRAMES * seconds.max(1));
    for i in 0..before + timed {
        let frame = Frame::new(width, height, &rgba[moved * (i % 2)..][..size])?;
        let began = Instant::now();
        let report = pollster::block_on(video.process(estimator, &frame, 1e3 * i as f64 / FRAMES as f64))?;
        let milliseconds = began.elapsed().as_secs_f64() * 1e3;
        ensure!(report.mode != FrameMode::Skip, "a frame of the video was skipped");
        if i >= before {
            cost.milliseconds += milliseconds / timed as f64;
            cost.network += report.timings.network / timed as f64;
            cost.crop += report.timings.crop / timed as f64;
        }
    }
    cost.faces = video.faces().len();
    Ok(cost)
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
fn crowd(picture: &RgbaImage, face: Rect, faces: u32) -> RgbaImage {
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
