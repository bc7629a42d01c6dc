//! `mien manual`: pages for `man`.

use std::path::PathBuf;

use anyhow::Context;

use super::output::make_folder;

/// Write a page for `man` of the program, and one of each of its commands
#[derive(clap::Args)]
pub struct ManualArgs {
    /// The folder to write them into, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub fn run(args: &ManualArgs, command: clap::Command) -> anyhow::Result<()> {
    let shown = || args.folder.display().to_string();
    make_folder(&args.folder)?;
    clap_mangen::generate_to(command, &args.folder).with_context(shown)
}
