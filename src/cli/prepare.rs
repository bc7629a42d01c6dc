//! `mien prepare`: from pictures to aligned crops.

use std::path::PathBuf;

use anyhow::Context;
use mien::data::prepare::prepare;
use mien::data::tars::TarSet;

/// Cut the aligned crops of a data set, once, for training
#[derive(clap::Args)]
pub struct PrepareArgs {
    /// Name of the data set, as in labels.csv
    #[arg(long)]
    dataset: String,

    /// Folder with labels.csv and <dataset>-train.tar
    #[arg(long, value_name = "DIR")]
    input: PathBuf,

    /// Folder for the crops
    #[arg(long, value_name = "DIR")]
    output: PathBuf,

    /// Folder with all weights [default: model-weights]
    #[arg(long, value_name = "DIR")]
    weights_dir: Option<PathBuf>,
}

pub fn run(args: PrepareArgs) -> anyhow::Result<()> {
    let set = TarSet::open(&args.input, &args.dataset, "train")?;
    let detector = super::detector_weights(&super::weights_folder(args.weights_dir.as_deref())?)?;
    let bar = super::progress_bar(set.samples.len() as u64, "pictures");
    let report = prepare(&set, &args.dataset, &args.output, &detector, |done| bar.set_position(done as u64))
        .context("preparing stopped; run the same command again to go on")?;
    bar.finish_and_clear();
    println!(
        "{}: {} crops in {}; left out: {}",
        args.dataset,
        report.kept,
        args.output.display(),
        report.refusals
    );
    Ok(())
}
