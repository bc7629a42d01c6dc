//! `mien experiment answers`: what networks say of prepared crops, for another to learn from.

use std::path::PathBuf;

use anyhow::Context;
use mien::data::answers;
use mien::data::crops::Crops;
use mien::engine::cpu::CpuPlan;
use mien::files::write_atomically;
use mien::net::NetworkKind;
use mien::train::teach;

use super::output::expect_place;

/// Write the mean of several networks' answers to prepared crops and their mirror images, for
/// `mien train --teacher`
#[derive(clap::Args)]
pub struct AnswersArgs {
    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Data sets to answer
    #[arg(long, value_delimiter = ',', required = true)]
    datasets: Vec<String>,

    /// Weight files of the networks that answer
    #[arg(long, value_delimiter = ',', required = true, value_name = "FILES")]
    weights: Vec<PathBuf>,

    /// The file to write
    #[arg(long, value_name = "SAFETENSORS")]
    output: PathBuf,
}

pub fn run(args: AnswersArgs) -> anyhow::Result<()> {
    expect_place(&args.output)?;
    let sets =
        args.datasets.iter().map(|name| Crops::open(&args.data, name)).collect::<Result<Vec<_>, _>>()?;
    let mut networks = Vec::new();
    for path in &args.weights {
        let weights = super::read_weights(path)?;
        let kind = NetworkKind::of(&weights).with_context(|| path.display().to_string())?;
        let plan = CpuPlan::new(kind.network(), &weights).with_context(|| path.display().to_string())?;
        networks.push((kind, plan));
    }
    let mut answered = Vec::new();
    for set in &sets {
        answered.push((set, teach::answers(&networks, set)?));
        println!("{}: {} crops", set.name, set.rows.len());
    }
    let file = answers::file(&answered).map_err(anyhow::Error::msg)?;
    write_atomically(&args.output, &file).with_context(|| args.output.display().to_string())
}
