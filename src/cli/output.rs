//! What the program says on standard error, and how it ends where nobody reads on.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use mien::picture::is_decoding;

/// The status of a program that its reader's end has ended, as shells see it: 128 and SIGPIPE's number.
const READER_GONE: i32 = 141;

/// The version of `www/result.schema.json`, which results as JSON follow; `www/later/json.js` has it, too.
pub const RESULT_SCHEMA: u32 = 1;

static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on standard error has failures alone (`--quiet`).
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether it has.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// What is no failure, and said unless the program is to be quiet.
pub fn remark(what: impl Display) {
    if !is_quiet() {
        say(what);
    }
}

/// A line on standard error: `mien: ` and what is to be said. Where nobody reads it, nothing happens.
pub fn say(what: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "mien: {what}");
}

/// An error and what caused it, as one sentence; causes that those before them end with are not said again.
pub fn reasons(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if said.is_empty() {
            said = cause;
        } else if !said.ends_with(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// What can be told before the work is done of why its result can't be written there.
///
/// # Errors
/// That there is no such folder, or no file but a folder.
pub fn expect_place(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        bail!("{}: there is no folder {}; make it first", path.display(), folder.display());
    }
    ensure!(!path.is_dir(), "{}: that is a folder; name a file", path.display());
    Ok(())
}

/// The folder `path`, made where it is not there yet.
///
/// # Errors
/// That a file has its name, or the system's reason.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    let shown = || path.display().to_string();
    if path.metadata().is_ok_and(|it| !it.is_dir()) {
        bail!("{}: that is a file; name a folder", path.display());
    }
    fs::create_dir_all(path).with_context(shown)
}

/// Ends the program where `println!` panics: without a word because nobody reads on, as in `mien ... | head`,
/// and with the reason where standard output can't be written, as on a full disk. Says nothing of what becomes
/// the error of one picture, either.
pub fn quiet_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_decoding() {
            return;
        }
        let text = info.payload_as_str().unwrap_or_default();
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe).to_string();
        if let Some(reason) = text.strip_prefix("failed printing to stdout: ") {
            if reason.to_lowercase().contains(&gone) {
                std::process::exit(READER_GONE);
            }
            say(format_args!("standard output: {reason}"));
            std::process::exit(1);
        }
        if text.starts_with("failed printing to stderr") {
            std::process::exit(if text.to_lowercase().contains(&gone) { READER_GONE } else { 1 });
        }
        usual(info);
    }));
}
