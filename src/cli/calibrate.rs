//! `mien calibrate`: how wide the stated range of ages must be.

use std::path::PathBuf;

use anyhow::Context;
use mien::files::write_atomically;
use mien::train::calibrate::range_mass;
use mien::weights::Precision;

use super::output::expect_place;
use super::{EstimatorArgs, evaluate};

/// Calibrate the range of ages that a network's file states
///
/// The range is to hold the age of four people in five, whatever age is said of them. Validation pictures decide, seen as
/// photos are in use. `mien train` calibrates as well, by aligned crops.
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

    /// How numbers are stored
    #[arg(long, value_enum, default_value = "half")]
    precision: Precision,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

pub fn run(args: CalibrateArgs) -> anyhow::Result<()> {
    expect_place(&args.output)?;
    let mut source = args.estimator.load()?;
    let mut judged = Vec::new();
    for dataset in &args.datasets {
        let (more, rejections) = evaluate::judged_validation(&source, &args.data, dataset)?;
        if rejections.total() > 0 {
            eprintln!("{dataset}: left out: {rejections}");
        }
        judged.extend(more);
    }
    if judged.is_empty() {
        anyhow::bail!("no picture could be judged");
    }
    let mass = range_mass(&judged).to_string();
    source.network.metadata.insert("range_mass".into(), mass.clone());
    let bytes = source.network.to_bytes(args.precision)?;
    write_atomically(&args.output, &bytes).with_context(|| args.output.display().to_string())?;
    println!("{}: {} pictures, mass {mass}", args.output.display(), judged.len());
    Ok(())
}
