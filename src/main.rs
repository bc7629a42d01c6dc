//! The command line: `mien --help`.

mod cli;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Age and gender of the faces in pictures, estimated on this machine.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Predict(cli::predict::PredictArgs),
    Evaluate(cli::evaluate::EvaluateArgs),
    Serve(cli::serve::ServeArgs),
    Prepare(cli::prepare::PrepareArgs),
    Train(cli::train::TrainArgs),
    Experiment(cli::experiment::ExperimentArgs),
    Convert(cli::convert::ConvertArgs),
    Bench(cli::bench::BenchArgs),
}

fn main() -> ExitCode {
    let arguments = match cli::config::parse::<Arguments>() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("mien: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let result = match arguments.command {
        Command::Predict(args) => cli::predict::run(args),
        Command::Evaluate(args) => cli::evaluate::run(args).map(|()| ExitCode::SUCCESS),
        Command::Serve(args) => cli::serve::run(args).map(|()| ExitCode::SUCCESS),
        Command::Prepare(args) => cli::prepare::run(args).map(|()| ExitCode::SUCCESS),
        Command::Train(args) => cli::train::run(args).map(|()| ExitCode::SUCCESS),
        Command::Experiment(args) => cli::experiment::run(args).map(|()| ExitCode::SUCCESS),
        Command::Convert(args) => cli::convert::run(args).map(|()| ExitCode::SUCCESS),
        Command::Bench(args) => cli::bench::run(args).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("mien: {error:#}");
        ExitCode::FAILURE
    })
}
