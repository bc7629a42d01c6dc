//! `mien calibrate`: how common ages are, and how wide the stated range of them must be.

use std::path::PathBuf;

use anyhow::{Context, bail};
use mien::files::write_atomically;
use mien::train::calibrate::{AGE_PRIOR, expect_ages, gender_scale, log_age_prior, range_mass, scale_gender};
use mien::weights::Precision;

use super::output::expect_place;
use super::{EstimatorArgs, evaluate};

/// Calibrate the range of ages that a network's file states
///
/// The range is to hold the age of four people in five, whatever age is said of them. Validation pictures decide, seen as
/// photos are in use. `mien train` calibrates as well, by aligned crops.
///
/// With `--prior` the network expects ages as they come in the training pictures of these data sets, where training showed it
/// all alike. With `--gender` one in ten is of the other gender where it says 90 %.
#[derive(clap::Args)]
pub struct CalibrateArgs {
    /// Weight file to write
    output: PathBuf,

    /// Folder with labels.csv and <dataset>-train.tar
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Data sets, as in labels.csv; ages known to the year count, where there are any
    #[arg(long, value_delimiter = ',', required = true)]
    datasets: Vec<String>,

    /// How much of that the network is to expect, 0..1; 0: nothing is changed
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    prior: f32,

    /// Have probabilities of a gender be what they say, by a factor of their logits
    #[arg(long)]
    gender: bool,

    /// How numbers are stored
    #[arg(long, value_enum, default_value = "half")]
    precision: Precision,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

pub fn run(args: CalibrateArgs) -> anyhow::Result<()> {
    expect_place(&args.output)?;
    let mut source = args.estimator.load()?;
    if args.prior > 0.0 {
        if let Some(before) = source.network.metadata.get(AGE_PRIOR) {
            bail!(
                "these weights expect ages as they come already, with a prior of {before}; begin with the ones from before that"
            );
        }
        let labels = args.datasets.iter().map(|dataset| evaluate::training_ages(&args.data, dataset));
        let labels = labels.collect::<anyhow::Result<Vec<_>>>()?;
        let log_prior = log_age_prior(labels.iter().map(Vec::as_slice));
        expect_ages(&mut source.network, args.prior, &log_prior)?;
    }
    let mut judged = Vec::new();
    for dataset in &args.datasets {
        let (more, rejections) = evaluate::judged_validation(&source, &args.data, dataset)?;
        if rejections.total() > 0 {
            eprintln!("{dataset}: left out: {rejections}");
        }
        judged.extend(more);
    }
    if judged.is_empty() {
        bail!("no picture could be judged");
    }
    if args.gender {
        let scale = gender_scale(&judged);
        scale_gender(&mut source.network, scale)?;
        println!("logits of gender times {scale:.3}");
    }
    let mass = range_mass(&judged).to_string();
    source.network.metadata.insert("range_mass".into(), mass.clone());
    let bytes = source.network.to_bytes(args.precision)?;
    write_atomically(&args.output, &bytes).with_context(|| args.output.display().to_string())?;
    println!("{}: {} pictures, mass {mass}", args.output.display(), judged.len());
    Ok(())
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("that is no number from 0 to 1".into()),
    }
}
