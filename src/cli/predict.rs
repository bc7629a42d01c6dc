//! `mien predict`: estimates for files and folders of pictures.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use image::ImageFormat;
use indicatif::ProgressBar;
use mien::files::write_atomically;
use mien::net::NetworkKind;
use mien::picture::{Pixels, decode};
use mien::pipeline::estimator::{Estimator, Face, GenderProbabilities, Photo, Wanted};
use mien::vision::{PhotoRemarks, Search};
use serde::Serialize;

use super::MeansArgs;
use super::annotate::annotate;
use super::inputs::{Inputs, PredictJob, is_standard_input, shown, text};
use super::output::{RESULT_SCHEMA, make_folder, reasons, say};

/// Estimate age and gender of every face in pictures
#[derive(clap::Args)]
pub struct PredictArgs {
    /// Pictures (JPEG, PNG, WebP, GIF, BMP, TIFF), or folders: all of their pictures, those in folders below
    /// included, are taken, and what is left out is counted. One from standard input is -
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Print a JSON object for each picture, one a line
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print a table with a row for each face
    #[arg(long)]
    csv: bool,

    /// Write copies with frames and labels, as PNG, into this folder
    #[arg(long, value_name = "DIR")]
    annotate: Option<PathBuf>,

    /// Which networks; of several, separated by commas, each answers
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [NetworkKind::default()])]
    model: Vec<NetworkKind>,

    /// The most faces of a picture: those that are surest
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_faces: Option<u32>,

    /// The least size of a face: the longer side of its box
    #[arg(long, value_name = "PIXELS", default_value_t = 0)]
    smallest_face: u32,

    #[command(flatten)]
    means: MeansArgs,
}

/// How pictures and faces are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Words,
    Json,
    Csv,
}

#[derive(Serialize)]
struct PictureLine<'a> {
    schema: u32,
    file: &'a str,
    model: &'a str,
    width: usize,
    height: usize,
    looks: usize,
    #[serde(flatten)]
    remarks: PhotoRemarks,
    faces: &'a [Face],
}

/// A row of `--csv`. Of a picture without a face there is one, whose last fields are empty.
#[derive(Serialize, Default)]
struct FaceRow<'a> {
    file: &'a str,
    model: &'a str,
    width: usize,
    height: usize,
    looks: usize,
    turn: u16,
    more_faces: bool,
    may_miss_faces: bool,
    face: Option<usize>,
    box_left: Option<f32>,
    box_top: Option<f32>,
    box_width: Option<f32>,
    box_height: Option<f32>,
    score: Option<f32>,
    age: Option<f32>,
    age_low: Option<f32>,
    age_high: Option<f32>,
    female: Option<f32>,
    male: Option<f32>,
}

/// A picture, and what each network answers.
struct Done {
    width: usize,
    height: usize,
    answers: Vec<Answer>,
}

struct Answer {
    model: NetworkKind,
    looks: usize,
    remarks: PhotoRemarks,
    faces: Vec<Face>,
}

/// Bytes that a picture takes for each of its pixels while it is decoded, estimated and copied.
const BYTES_A_PIXEL: u64 = 16;

pub fn run(args: PredictArgs) -> anyhow::Result<ExitCode> {
    let PredictArgs { paths, json, csv, annotate, model: models, max_faces, smallest_face, means } = args;
    let wanted = Wanted {
        looks: means.looks,
        most_faces: max_faces.map_or(usize::MAX, |count| count as usize),
        smallest_face: smallest_face as f32,
    };
    ensure!(
        means.weights.is_none() || models.len() == 1,
        "--weights are those of one network; name it with --model"
    );
    let sources = models.iter().map(|model| means.load(*model)).collect::<anyhow::Result<Vec<_>>>()?;
    let Inputs { jobs, mut failed, .. } = Inputs::find(&paths, annotate.as_deref())?;
    let bar = if jobs.len() > 1 {
        super::progress_bar(jobs.len() as u64, "pictures")
    } else {
        ProgressBar::hidden()
    };
    let form = match (json, csv) {
        (true, _) => Form::Json,
        (_, true) => Form::Csv,
        _ => Form::Words,
    };
    let mut written = if csv { print_head() } else { Ok(()) };
    if written.is_ok() {
        super::while_in_order(
            &sources,
            &jobs,
            super::free_memory() / 2,
            memory,
            |estimators, job| predict(estimators, &models, &wanted, job, annotate.as_deref()),
            |job, result| {
                match result {
                    Ok(done) => written = bar.suspend(|| print(&job.path, &done, form)),
                    Err(error) => {
                        failed += 1;
                        bar.suspend(|| say(format_args!("{}: {}", shown(&job.path), reasons(&error))));
                    }
                }
                bar.inc(1);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            },
        )?;
    }
    bar.finish_and_clear();
    match written {
        // Whoever reads has read enough, as `head` does.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        written => written.context("standard output")?,
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a picture takes, by its size where its file begins with that.
fn memory(job: &PredictJob) -> u64 {
    // What is looked at in a pipe is gone.
    let Some(file) = job.path.metadata().ok().filter(|file| file.is_file()) else { return 0 };
    let size = decode::size_of_file(&job.path).unwrap_or_default();
    size.map(u64::from).iter().product::<u64>() * BYTES_A_PIXEL + file.len().min(decode::MOST_BYTES)
}

/// A file's bytes, of which a device or a film that is called a picture may have any number.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let source: Box<dyn Read> =
        if is_standard_input(path) { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    source.take(decode::MOST_BYTES + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= decode::MOST_BYTES, "the file is too large: longer than 512 MiB");
    Ok(bytes)
}

fn predict(
    estimators: &[Estimator],
    models: &[NetworkKind],
    wanted: &Wanted,
    job: &PredictJob,
    copies: Option<&Path>,
) -> anyhow::Result<Done> {
    let picture = Pixels::decode(&read(&job.path)?)?;
    let frame = picture.frame();
    let (width, height) = (frame.width(), frame.height());
    let mut answers = Vec::new();
    for (estimator, &model) in estimators.iter().zip(models) {
        let Photo { faces, remarks, .. } =
            pollster::block_on(estimator.estimate_wanted(&frame, Search::Tiled, wanted))?;
        answers.push(Answer { model, looks: wanted.looks.count(), remarks, faces });
    }
    if let Some(folder) = copies {
        let path = folder.join(&job.copy);
        make_folder(path.parent().unwrap_or(folder))?;
        // With the first network's answers.
        let copy = annotate(picture.into_image(), &answers[0].faces);
        let mut file = io::Cursor::new(Vec::new());
        copy.write_to(&mut file, ImageFormat::Png)?;
        write_atomically(&path, file.get_ref()).with_context(|| shown(&path))?;
    }
    Ok(Done { width, height, answers })
}

fn print(path: &Path, done: &Done, form: Form) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for answer in &done.answers {
        match form {
            Form::Words => print_words(&mut out, path, answer, done.answers.len() > 1)?,
            Form::Json => print_json(&mut out, path, done, answer)?,
            Form::Csv => print_rows(&mut out, path, done, answer)?,
        }
    }
    Ok(())
}

fn print_words(
    out: &mut impl Write,
    path: &Path,
    answer: &Answer,
    is_one_of_several: bool,
) -> io::Result<()> {
    let count = match answer.faces.len() {
        0 => "no face found".into(),
        1 => "1 face".into(),
        n => format!("{n} faces"),
    };
    let by = if is_one_of_several { format!(" by {}", answer.model.name()) } else { String::new() };
    writeln!(out, "{}: {count}{by}{}", shown(path), beside(&answer.remarks))?;
    for face in &answer.faces {
        let [x, y, width, height] = face.bbox;
        writeln!(out, "  {} at {x:.0},{y:.0}, {width:.0}x{height:.0}", words(face))?;
    }
    Ok(())
}

fn print_json(out: &mut impl Write, path: &Path, done: &Done, answer: &Answer) -> io::Result<()> {
    let &Answer { model, looks, remarks, ref faces } = answer;
    let Done { width, height, .. } = *done;
    let (schema, file) = (RESULT_SCHEMA, &text(path));
    let line = PictureLine { schema, file, model: model.name(), width, height, looks, remarks, faces };
    writeln!(out, "{}", serde_json::to_string(&line)?)
}

/// The names of a table's columns.
fn print_head() -> io::Result<()> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.serialize(FaceRow::default())?;
    let head = table.into_inner().map_err(|error| error.into_error())?;
    let end = head.iter().position(|byte| *byte == b'\n').map_or(head.len(), |at| at + 1);
    io::stdout().lock().write_all(&head[..end])
}

fn print_rows(out: &mut impl Write, path: &Path, done: &Done, answer: &Answer) -> io::Result<()> {
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    let (file, remarks) = (text(path), answer.remarks);
    let picture = || FaceRow {
        file: &file,
        model: answer.model.name(),
        width: done.width,
        height: done.height,
        looks: answer.looks,
        turn: remarks.turn,
        more_faces: remarks.more_faces,
        may_miss_faces: remarks.may_miss_faces,
        ..FaceRow::default()
    };
    if answer.faces.is_empty() {
        table.serialize(picture())?;
    }
    for (number, face) in (1..).zip(&answer.faces) {
        let ([left, top, width, height], estimate) = (face.bbox.map(Some), &face.estimate);
        let [age_low, age_high] = estimate.age_range.map(Some);
        table.serialize(FaceRow {
            face: Some(number),
            box_left: left,
            box_top: top,
            box_width: width,
            box_height: height,
            score: Some(face.score),
            age: Some(estimate.age),
            age_low,
            age_high,
            female: Some(estimate.gender.female),
            male: Some(estimate.gender.male),
            ..picture()
        })?;
    }
    table.flush()
}

/// What is said of a photo after the number of its faces.
fn beside(remarks: &PhotoRemarks) -> String {
    let turned = match remarks.turn {
        0 => String::new(),
        180 => "; the picture is upside down".into(),
        degrees => format!("; the picture lies on its side, turned by {degrees} degrees it is upright"),
    };
    let more = if remarks.more_faces { "; there are more, these are the surest" } else { "" };
    let missing = if remarks.may_miss_faces { "; some faces may be missing" } else { "" };
    format!("{turned}{more}{missing}")
}

/// What is said of a face, in a line: a gender by the page's rule.
pub fn words(face: &Face) -> String {
    let e = &face.estimate;
    let [low, high] = e.age_range;
    let GenderProbabilities { female, male } = e.gender;
    let gender = match (e.is_gender_sure(), female >= male) {
        (true, true) => format!("female ({})", percent(female)),
        (true, false) => format!("male ({})", percent(male)),
        _ => format!("gender not sure (female {}, male {})", percent(female), percent(male)),
    };
    format!("about {:.0} ({low:.0} to {high:.0}), {gender}", e.age)
}

/// Never more than there is to know.
fn percent(p: f32) -> String {
    match p {
        p if p > 0.99 => "over 99 %".into(),
        p if p < 0.01 => "under 1 %".into(),
        p => format!("{:.0} %", 100.0 * p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mien::age::AgeDistribution;
    use mien::pipeline::estimator::{Estimate, SURE, SURE_OF_CHILD};

    fn face(age: f32, female: f32) -> Face {
        let age_distribution = AgeDistribution::new([0.01; 100]).unwrap();
        let gender = GenderProbabilities { female, male: 1.0 - female };
        let age_range = [age - 5.4, age + 5.4];
        let estimate = Estimate { age, age_range, hills: None, age_distribution, gender };
        Face { bbox: [0.0; 4], score: 1.0, landmarks: [[0.0; 2]; 6], estimate }
    }

    #[test]
    fn a_gender_is_named_where_the_page_names_one() {
        assert_eq!(words(&face(40.0, 0.59)), "about 40 (35 to 45), gender not sure (female 59 %, male 41 %)");
        assert_eq!(words(&face(40.0, 0.85)), "about 40 (35 to 45), female (85 %)");
        assert_eq!(words(&face(40.0, 0.004)), "about 40 (35 to 45), male (over 99 %)");
        assert_eq!(words(&face(9.0, 0.15)), "about 9 (4 to 14), gender not sure (female 15 %, male 85 %)");
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/www/views/words.js")).unwrap();
        for line in [
            format!("const SURE = {SURE};"),
            format!("const SURE_OF_CHILD = {SURE_OF_CHILD};"),
            "const CHILD = 13;".into(),
        ] {
            assert!(page.contains(&line), "{line}");
        }
    }
}
