//! `mien completions`: what a shell needs to complete the program's options.

use std::io::Write;

use anyhow::Context;
use clap_complete::Shell;

/// Print what a shell needs to complete options, for the place where it looks for that
#[derive(clap::Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

pub fn run(args: &CompletionsArgs, mut command: clap::Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "mien", &mut script);
    std::io::stdout().write_all(&script).context("standard output")
}
