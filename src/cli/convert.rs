//! `mien convert`: a weight file in another precision.

use std::path::PathBuf;

use anyhow::Context;
use mien::files::write_atomically;
use mien::weights::{Precision, Weights};

use super::output::expect_place;

/// Write a weight file in another precision
#[derive(clap::Args)]
pub struct ConvertArgs {
    /// Weight file to read
    input: PathBuf,

    /// Weight file to write
    output: PathBuf,

    /// How numbers are stored
    #[arg(long, value_enum)]
    precision: Precision,
}

pub fn run(args: ConvertArgs) -> anyhow::Result<()> {
    expect_place(&args.output)?;
    let bytes = super::read_weights(&args.input)?.to_bytes(args.precision)?;
    // Numbers that are too large for a precision are infinite in it.
    Weights::from_bytes(&bytes).with_context(|| format!("{}: in that precision", args.input.display()))?;
    write_atomically(&args.output, &bytes).with_context(|| args.output.display().to_string())?;
    println!("{}: {} bytes", args.output.display(), bytes.len());
    Ok(())
}
