//! The command line: `mien --help`.

mod cli;

#[cfg(not(feature = "train"))]
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Age and gender of the faces in pictures, estimated on this machine.
#[derive(Parser)]
#[command(version, about, after_help = cli::after_help())]
struct Arguments {
    /// Say nothing on standard error but what fails: no progress, no word on what is left out
    #[arg(long, short, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Predict(cli::predict::PredictArgs),
    #[cfg(feature = "train")]
    Evaluate(cli::evaluate::EvaluateArgs),
    Watch(cli::watch::WatchArgs),
    Serve(cli::serve::ServeArgs),
    #[cfg(feature = "train")]
    Prepare(cli::prepare::PrepareArgs),
    #[cfg(feature = "train")]
    Train(cli::train::TrainArgs),
    #[cfg(feature = "train")]
    Experiment(cli::experiment::ExperimentArgs),
    Convert(cli::convert::ConvertArgs),
    #[cfg(feature = "train")]
    Calibrate(cli::calibrate::CalibrateArgs),
    #[cfg(feature = "train")]
    Bench(cli::bench::BenchArgs),
    Completions(cli::completions::CompletionsArgs),
    Manual(cli::manual::ManualArgs),
    #[cfg(not(feature = "train"))]
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

fn main() -> ExitCode {
    cli::output::quiet_panics();
    run().unwrap_or_else(|error| {
        cli::output::say(cli::output::reasons(&error));
        ExitCode::FAILURE
    })
}

fn run() -> anyhow::Result<ExitCode> {
    let Arguments { quiet, command } = cli::config::parse()?;
    if quiet {
        cli::output::be_quiet();
    }
    match command {
        Command::Predict(args) => return cli::predict::run(args),
        Command::Watch(args) => cli::watch::run(args)?,
        Command::Serve(args) => cli::serve::run(args)?,
        Command::Convert(args) => cli::convert::run(args)?,
        #[cfg(feature = "train")]
        Command::Calibrate(args) => cli::calibrate::run(args)?,
        #[cfg(feature = "train")]
        Command::Evaluate(args) => cli::evaluate::run(args)?,
        #[cfg(feature = "train")]
        Command::Prepare(args) => cli::prepare::run(args)?,
        #[cfg(feature = "train")]
        Command::Train(args) => cli::train::run(args)?,
        #[cfg(feature = "train")]
        Command::Experiment(args) => cli::experiment::run(args)?,
        #[cfg(feature = "train")]
        Command::Bench(args) => cli::bench::run(args)?,
        Command::Completions(args) => cli::completions::run(&args, Arguments::command())?,
        Command::Manual(args) => cli::manual::run(&args, Arguments::command())?,
        #[cfg(not(feature = "train"))]
        Command::Other(words) => return Err(cli::missing::explain(&words[0])),
    }
    Ok(ExitCode::SUCCESS)
}
