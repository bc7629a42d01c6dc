//! `mien convert`: a weight file in another precision, or the mean of several.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use mien::files::write_atomically;
use mien::weights::{Precision, Weights};

use super::output::expect_place;

/// Write a weight file in another precision
///
/// With `--mean-with` the mean of several: of runs that began with the same weights it is often better than each (Wortsman et al. 2022).
#[derive(clap::Args)]
pub struct ConvertArgs {
    /// Weight file to read
    input: PathBuf,

    /// Weight file to write
    output: PathBuf,

    /// How numbers are stored
    #[arg(long, value_enum)]
    precision: Precision,

    /// More weights of that network, from `mien train`: the mean of all of them is written
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    mean_with: Vec<PathBuf>,
}

pub fn run(args: ConvertArgs) -> anyhow::Result<()> {
    expect_place(&args.output)?;
    let mut weights = super::read_weights(&args.input)?;
    if !args.mean_with.is_empty() {
        let others =
            args.mean_with.iter().map(|path| super::read_weights(path)).collect::<Result<Vec<_>, _>>()?;
        for (path, other) in args.mean_with.iter().zip(&others) {
            add(&mut weights, other).with_context(|| path.display().to_string())?;
        }
        let share = 1.0 / (1 + others.len()) as f32;
        let tensors = weights.tensors.values_mut();
        tensors.flat_map(|tensor| &mut tensor.values).for_each(|value| *value *= share);
        // What was calibrated was another network.
        weights.metadata.clear();
    }
    let bytes = weights.to_bytes(args.precision)?;
    // Numbers that are too large for a precision are infinite in it.
    Weights::from_bytes(&bytes).with_context(|| format!("{}: in that precision", args.input.display()))?;
    write_atomically(&args.output, &bytes).with_context(|| args.output.display().to_string())?;
    println!("{}: {} bytes", args.output.display(), bytes.len());
    Ok(())
}

fn add(sum: &mut Weights, other: &Weights) -> anyhow::Result<()> {
    other.expect_network(&sum.network)?;
    let names = |weights: &Weights| weights.tensors.keys().cloned().collect::<Vec<_>>();
    ensure!(names(sum) == names(other), "it has other tensors");
    for (name, tensor) in &mut sum.tensors {
        let values = &other.tensor(name, &tensor.shape)?.values;
        tensor.values.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    Ok(())
}
