//! `mien predict`: estimates for files and folders of pictures.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use mien::picture::Pixels;
use mien::pipeline::estimator::{Estimator, Face};
use mien::vision::Search;
use serde::Serialize;

use super::EstimatorArgs;
use super::annotate::annotate;

/// Estimate age and gender of every face in pictures
#[derive(clap::Args)]
pub struct PredictArgs {
    /// Pictures, or folders whose pictures (jpg, png, webp, gif, bmp, tiff) are taken, those in folders below
    /// included
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print a JSON object for each picture, one a line
    #[arg(long)]
    json: bool,

    /// Write copies with frames and labels into this folder
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

/// A picture to estimate, and its path in the folder of annotated copies.
struct PredictJob {
    path: PathBuf,
    copy: PathBuf,
}

#[derive(Serialize)]
struct PictureLine<'a> {
    file: &'a str,
    width: usize,
    height: usize,
    faces: &'a [Face],
}

struct Done {
    width: usize,
    height: usize,
    faces: Vec<Face>,
}

const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

pub fn run(args: PredictArgs) -> anyhow::Result<ExitCode> {
    let mut failed = 0;
    let mut jobs = Vec::new();
    for path in &args.paths {
        if let Err(error) = collect(path, &mut jobs) {
            eprintln!("mien: {}: {error:#}", path.display());
            failed += 1;
        }
    }
    let source = args.estimator.load()?;
    let bar = if jobs.len() > 1 {
        super::progress_bar(jobs.len() as u64, "pictures")
    } else {
        ProgressBar::hidden()
    };
    let mut broken_pipe = None;
    super::for_each_in_order(
        &source,
        &jobs,
        |estimator, job| predict(estimator, job, args.annotate.as_deref()),
        |job, result| {
            let name = job.path.to_string_lossy();
            let printed = match result {
                Ok(done) => bar.suspend(|| print(&name, &done, args.json)),
                Err(error) => {
                    failed += 1;
                    bar.suspend(|| eprintln!("mien: {name}: {error:#}"));
                    Ok(())
                }
            };
            broken_pipe = broken_pipe.take().or(printed.err());
            bar.inc(1);
        },
    )?;
    bar.finish_and_clear();
    if let Some(error) = broken_pipe {
        return Err(error.context("standard output"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Adds the pictures at `path`.
fn collect(path: &Path, jobs: &mut Vec<PredictJob>) -> anyhow::Result<()> {
    if !path.is_dir() {
        if !path.exists() {
            bail!("no such file or folder");
        }
        let name = path.file_name().context("not a file name")?;
        jobs.push(PredictJob { path: path.into(), copy: name.into() });
        return Ok(());
    }
    let before = jobs.len();
    collect_folder(path, path, jobs)?;
    if jobs.len() == before {
        bail!("no pictures in this folder (looked for {})", EXTENSIONS.join(", "));
    }
    Ok(())
}

fn collect_folder(root: &Path, folder: &Path, jobs: &mut Vec<PredictJob>) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    for path in paths {
        // Links to folders are not followed: they can lead in circles.
        if path.is_dir() && !path.is_symlink() {
            collect_folder(root, &path, jobs)?;
            continue;
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        if path.is_file() && EXTENSIONS.contains(&extension.as_str()) {
            let copy = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            jobs.push(PredictJob { path, copy });
        }
    }
    Ok(())
}

fn predict(estimator: &Estimator, job: &PredictJob, copies: Option<&Path>) -> anyhow::Result<Done> {
    let picture = Pixels::decode(&fs::read(&job.path)?)?;
    let frame = picture.frame();
    let (width, height) = (frame.width(), frame.height());
    let faces = pollster::block_on(estimator.estimate(&frame, Search::Tiled))?;
    if let Some(folder) = copies {
        let mut name = job.copy.clone().into_os_string();
        name.push(".png");
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(|| path.display().to_string())?;
        annotate(picture.into_image(), &faces).save(&path).with_context(|| path.display().to_string())?;
    }
    Ok(Done { width, height, faces })
}

fn print(name: &str, done: &Done, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let line = PictureLine { file: name, width: done.width, height: done.height, faces: &done.faces };
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
        return Ok(());
    }
    let count = match done.faces.len() {
        0 => "no face found".into(),
        1 => "1 face".into(),
        n => format!("{n} faces"),
    };
    writeln!(out, "{name}: {count}")?;
    for face in &done.faces {
        let [x, y, width, height] = face.bbox;
        writeln!(out, "  {} at {x:.0},{y:.0}, {width:.0}x{height:.0}", words(face))?;
    }
    Ok(())
}

/// What is said of a face, in a line.
pub fn words(face: &Face) -> String {
    let e = &face.estimate;
    let [low, high] = e.age_range;
    let (gender, p) =
        if e.gender.female >= 0.5 { ("female", e.gender.female) } else { ("male", e.gender.male) };
    format!("about {:.0} ({:.0} to {:.0}), {gender} ({:.0} %)", e.age, low.floor(), high.ceil(), 100.0 * p)
}
