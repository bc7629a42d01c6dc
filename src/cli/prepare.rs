//! `mien prepare`: from pictures to aligned crops.

use std::path::PathBuf;

use anyhow::{Context, bail};
use mien::data::layouts;
use mien::data::prepare::prepare;

use super::output::make_folder;

/// Cut the aligned crops of a data set, once, for training
///
/// Takes the training pictures: the data set's own training list where it has one, four fifths of the pictures
/// where it has none (the rest is for testing). Pictures with no face, or several of about the same size, are left out, and so are rows without a
/// usable label. Run it again to go on after an interruption.
#[derive(clap::Args)]
pub struct PrepareArgs {
    /// Name of the data set: as in labels.csv, or one of aaf, utkface, fairface, afad, imdb-wiki, cacd,
    /// fg-net, megaage-asian, mufac, rafdb
    #[arg(long)]
    dataset: String,

    /// Folder with labels.csv and <dataset>-train.tar, or with the data set as its authors publish it
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
    make_folder(&args.output)?;
    let source = layouts::open(&args.dataset, &args.input, None)?;
    let detector = super::detector_weights(&super::weights_folder(args.weights_dir.as_deref())?)?;
    let bar = super::progress_bar(source.samples.len() as u64, "pictures");
    let report =
        prepare(&source, &args.dataset, &args.output, &detector, |done| bar.set_position(done as u64))
            .context("preparing stopped; run the same command again to go on")?;
    bar.finish_and_clear();
    if report.kept == 0 {
        bail!("{}: no crops could be made; left out: {}", args.dataset, report.rejections);
    }
    println!(
        "{}: {} crops in {}; left out: {}",
        args.dataset,
        report.kept,
        args.output.display(),
        report.rejections
    );
    Ok(())
}
