//! `mien evaluate`: how far off the estimates are on labelled pictures.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use mien::age::AgeLabel;
use mien::data::labels::{Rejection, Rejections, Sample};
use mien::data::layouts::{self, LabelledPictures, VALIDATION};
use mien::data::split::Part;
use mien::engine::RawEstimate;
use mien::evaluation::{Evaluation, Prediction, Reading, Shift};
use mien::picture::{Frame, Pixels};
use mien::pipeline::estimator::Estimator;
use mien::plot;
use mien::train::validate::Judged;
use mien::vision::Search;
use mien::vision::alignment;

use super::output::{expect_place, make_folder, reasons, say};
use super::{EstimatorArgs, EstimatorSource, perturb};

/// Estimate the faces of a labelled data set and compare with the labels
///
/// The picture's largest face is judged; where none is found, the centred square. Ages labelled as a range
/// count as right anywhere inside it.
#[derive(clap::Args)]
pub struct EvaluateArgs {
    /// Folder with labels.csv and <dataset>-<split>.tar, or with the data set as its authors publish it
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Name of the data set: as in labels.csv, or as `mien prepare` knows it
    #[arg(long)]
    dataset: String,

    /// Name of the split: as in labels.csv, one of the data set's own, test where it has none (a fifth of it),
    /// or validation: the part of train that is not trained on [default with --perturb and --readings:
    /// validation]
    #[arg(long, required_unless_present_any = ["perturb", "readings"])]
    split: Option<String>,

    /// Change every picture in several ways, and say how far the estimates move: everyday (light, size, ...) or
    /// beauty (what beauty filters do)
    #[arg(long, value_name = "CHANGES", num_args = 0..=1, require_equals = true, default_missing_value = "everyday",
        value_enum, conflicts_with_all = ["predictions", "plots"])]
    perturb: Option<perturb::Changes>,

    /// Read the age from the network's answer in each way there is (regression, mean, median, likeliest
    /// year), and say how far off each is
    #[arg(long, conflicts_with_all = ["perturb", "predictions", "plots", "json"])]
    readings: bool,

    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,

    /// Also write every prediction to this file
    #[arg(long, value_name = "CSV")]
    predictions: Option<PathBuf>,

    /// Also draw scatter.svg and confusion.svg into this folder
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

pub fn run(args: EvaluateArgs) -> anyhow::Result<()> {
    if let Some(folder) = &args.plots {
        make_folder(folder)?;
    }
    if let Some(path) = &args.predictions {
        expect_place(path)?;
    }
    let set = layouts::open(&args.dataset, &args.data, Some(args.split.as_deref().unwrap_or(VALIDATION)))?;
    if let Some(changes) = args.perturb {
        let (shifts, rejections) = perturb::shifts(&args.estimator.load()?, &set, changes)?;
        if rejections.total() > 0 {
            eprintln!("left out: {rejections}");
        }
        if shifts.is_empty() {
            return Err(anyhow!("no picture could be judged"));
        }
        if args.json {
            println!("{}", serde_json::to_string_pretty(&shifts)?);
        } else {
            print!("{}", Shift::markdown(&shifts));
        }
        return Ok(());
    }
    if args.readings {
        let judge = |estimator: &Estimator, frame: &Frame, sample: &Sample| {
            let seen = see(estimator, frame)?;
            let distribution = estimator.finish(&seen.raw).age_distribution;
            Ok(Reading { label: sample.age, regressed: seen.raw.age, distribution })
        };
        let (readings, rejections) = each(&args.estimator.load()?, &set, judge)?;
        if rejections.total() > 0 {
            eprintln!("left out: {rejections}");
        }
        print!("{}", Reading::markdown(&readings).ok_or_else(|| anyhow!("no picture could be judged"))?);
        return Ok(());
    }
    let (predictions, rejections) = predictions(&args.estimator.load()?, &set)?;
    if rejections.total() > 0 {
        eprintln!("left out: {rejections}");
    }
    if let Some(path) = &args.predictions {
        let write = || {
            let mut writer = csv::Writer::from_path(path)?;
            predictions.iter().try_for_each(|prediction| writer.serialize(prediction))?;
            writer.flush().map_err(anyhow::Error::new)
        };
        write().with_context(|| path.display().to_string())?;
    }
    if let Some(folder) = &args.plots {
        make_folder(folder)?;
        plot::scatter(&predictions, &folder.join("scatter.svg"))?;
        plot::confusion(&predictions, &folder.join("confusion.svg"))?;
    }
    let evaluation = Evaluation::of(&predictions).ok_or_else(|| anyhow!("no picture could be judged"))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&evaluation)?);
    } else {
        print!("{}", evaluation.markdown());
    }
    Ok(())
}

/// How old those on a data set's training pictures are.
pub(super) fn training_ages(data: &Path, dataset: &str) -> anyhow::Result<Vec<AgeLabel>> {
    let set = layouts::open(dataset, data, None)?;
    let learned_from = set.samples.iter().filter(|sample| set.part(sample) == Part::Train);
    Ok(learned_from.map(|sample| sample.age).collect())
}

/// What the network says of a data set's validation pictures, as of photos, and what was left out.
pub(super) fn judged_validation(
    source: &EstimatorSource,
    data: &Path,
    dataset: &str,
) -> anyhow::Result<(Vec<Judged>, Rejections)> {
    each(source, &layouts::open(dataset, data, Some(VALIDATION))?, |estimator, frame, sample| {
        Ok(Judged { estimate: see(estimator, frame)?.raw, age: sample.age, gender: sample.gender })
    })
}

/// What the network says of every picture, and what was left out.
pub(super) fn predictions(
    source: &EstimatorSource,
    set: &LabelledPictures,
) -> anyhow::Result<(Vec<Prediction>, Rejections)> {
    each(source, set, |estimator, frame, sample| Ok(judge(estimator, frame, sample)?.0))
}

/// What is made of every picture, and what was left out.
fn each<T: Send>(
    source: &EstimatorSource,
    set: &LabelledPictures,
    judge: impl Fn(&Estimator, &Frame, &Sample) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<(Vec<T>, Rejections)> {
    let bar = super::progress_bar(set.samples.len() as u64, "pictures");
    let mut rejections = set.rejections.clone();
    let mut made = Vec::with_capacity(set.samples.len());
    super::for_each_in_order(
        source,
        &set.samples,
        |estimator, sample| judge(estimator, &Pixels::decode(&set.read(sample)?)?.frame(), sample),
        |sample, result: anyhow::Result<T>| {
            match result {
                Ok(one) => made.push(one),
                Err(error) => {
                    bar.suspend(|| say(format_args!("{}: {}", sample.file, reasons(&error))));
                    rejections.count(Rejection::UnreadablePicture);
                }
            }
            bar.inc(1);
        },
    )?;
    bar.finish_and_clear();
    Ok((made, rejections))
}

/// What the network says of a picture's largest face, whether there is one, and the face's width in pixels.
struct JudgedFace {
    raw: RawEstimate,
    found: bool,
    width: f32,
}

fn see(estimator: &Estimator, frame: &Frame) -> anyhow::Result<JudgedFace> {
    let faces = pollster::block_on(estimator.detect(frame, Search::Tiled))?;
    let largest = faces.iter().max_by(|a, b| a.bbox.area().total_cmp(&b.bbox.area()));
    let found = largest.and_then(|face| alignment::alignment(&face.landmarks));
    let alignment = found.unwrap_or_else(|| alignment::centred_square([frame.width(), frame.height()]));
    let raw = pollster::block_on(estimator.raw_estimates(frame, &[alignment]))?[0];
    let width = largest.map_or(frame.width().min(frame.height()) as f32, |face| face.bbox.width);
    Ok(JudgedFace { raw, found: found.is_some(), width })
}

/// What the network says of a picture's largest face, and the face's width in pixels.
pub(super) fn judge(
    estimator: &Estimator,
    frame: &Frame,
    sample: &Sample,
) -> anyhow::Result<(Prediction, f32)> {
    let JudgedFace { raw, found, width } = see(estimator, frame)?;
    let estimate = estimator.finish(&raw);
    let (age_low, age_high) = sample.age.bounds();
    let prediction = Prediction {
        file: sample.file.clone(),
        age_low,
        age_high,
        label_gender: sample.gender,
        race: sample.race.clone(),
        found,
        age: estimate.age,
        range_low: estimate.age_range[0],
        range_high: estimate.age_range[1],
        female: estimate.gender.female,
    };
    Ok((prediction, width))
}
