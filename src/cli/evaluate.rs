//! `mien evaluate`: how far off the estimates are on labelled pictures.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use mien::data::labels::{Refusal, Refusals, Sample};
use mien::data::tars::TarSet;
use mien::evaluation::{Evaluation, Prediction};
use mien::picture::Pixels;
use mien::pipeline::estimator::Estimator;
use mien::plot;
use mien::vision::Search;
use mien::vision::alignment;

use super::{EstimatorArgs, EstimatorSource};

/// Estimate the faces of a labelled data set and compare with the labels
///
/// The picture's largest face is judged; where none is found, the centred square. Ages labelled as a range count as right
/// anywhere inside it.
#[derive(clap::Args)]
pub struct EvaluateArgs {
    /// Folder with labels.csv and <dataset>-<split>.tar
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Name of the data set, as in labels.csv
    #[arg(long)]
    dataset: String,

    /// Name of the split, as in labels.csv
    #[arg(long)]
    split: String,

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
    let set = TarSet::open(&args.data, &args.dataset, &args.split)?;
    let (predictions, refusals) = predictions(&args.estimator.load()?, &set)?;
    if refusals.total() > 0 {
        eprintln!("left out: {refusals}");
    }
    if let Some(path) = &args.predictions {
        let mut writer = csv::Writer::from_path(path).with_context(|| path.display().to_string())?;
        for prediction in &predictions {
            writer.serialize(prediction)?;
        }
        writer.flush()?;
    }
    if let Some(folder) = &args.plots {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
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

/// What the network says of every picture, and what was left out.
pub(super) fn predictions(
    source: &EstimatorSource,
    set: &TarSet,
) -> anyhow::Result<(Vec<Prediction>, Refusals)> {
    let bar = super::progress_bar(set.samples.len() as u64, "pictures");
    let mut refusals = set.refusals.clone();
    let mut predictions = Vec::with_capacity(set.samples.len());
    super::for_each_in_order(
        source,
        &set.samples,
        |estimator, sample| judge(estimator, set, sample),
        |sample, result| {
            match result {
                Ok(prediction) => predictions.push(prediction),
                Err(error) => {
                    bar.suspend(|| eprintln!("mien: {}: {error:#}", sample.file));
                    refusals.count(Refusal::UnreadablePicture);
                }
            }
            bar.inc(1);
        },
    )?;
    bar.finish_and_clear();
    Ok((predictions, refusals))
}

fn judge(estimator: &Estimator, set: &TarSet, sample: &Sample) -> anyhow::Result<Prediction> {
    let picture = Pixels::decode(&set.read(sample)?)?;
    let frame = picture.frame();
    let faces = pollster::block_on(estimator.detect(&frame, Search::Tiled))?;
    let largest = faces.iter().max_by(|a, b| a.bbox.area().total_cmp(&b.bbox.area()));
    let found = largest.and_then(|face| alignment::alignment(&face.landmarks));
    let alignment = found.unwrap_or_else(|| alignment::centred_square([frame.width(), frame.height()]));
    let raw = &pollster::block_on(estimator.raw_estimates(&frame, &[alignment]))?[0];
    let estimate = estimator.finish(&raw.age_distribution, raw.age, raw.female);
    let (age_low, age_high) = sample.age.bounds();
    Ok(Prediction {
        file: sample.file.clone(),
        age_low,
        age_high,
        label_gender: sample.gender,
        race: sample.race.clone(),
        found: found.is_some(),
        age: estimate.age,
        range_low: estimate.age_range[0],
        range_high: estimate.age_range[1],
        female: estimate.gender.female,
    })
}
