//! What the program says on standard error, and how it ends where nobody reads on.

use std::fmt::Display;
use std::io::Write;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use mien::picture::is_decoding;

/// The status of a program that its reader's end has ended, as shells see it: 128 and SIGPIPE's number.
const READER_GONE: i32 = 141;

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

/// Ends the program without a word where `println!` panics because nobody reads on, as in `mien ... | head`.
/// Says nothing of what becomes the error of one picture, either.
pub fn quiet_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_decoding() {
            return;
        }
        let text = info.payload_as_str().unwrap_or_default();
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe).to_string();
        if text.starts_with("failed printing to std") && text.to_lowercase().contains(&gone) {
            std::process::exit(READER_GONE);
        }
        usual(info);
    }));
}
