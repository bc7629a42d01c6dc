//! A program of somebody's own, run whenever the content changes.
//!
//! One runs at a time. What changes meanwhile waits for its end, and of several changes only the last. Whatever
//! becomes of it, the watching goes on. The content's name is an argument of its own, never part of a shell's line.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::output;

/// From then on it is said that one takes long, and at the end it is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked after at the end.
const LOOK: Duration = Duration::from_millis(20);

/// What the program is told: the name as its argument, and all of it in its environment.
pub struct Change {
    pub content: String,
    pub title: String,
    pub rule: Option<String>,
}

/// The program, and how far it is.
pub struct Commands {
    program: PathBuf,
    patience: Duration,
    running: Option<Running>,
    waiting: Option<Change>,
}

struct Running {
    child: Child,
    content: String,
    since: Instant,
    is_told: bool,
}

impl Commands {
    pub fn of(program: PathBuf) -> Self {
        Self { program, patience: PATIENCE, running: None, waiting: None }
    }

    /// Runs it for a change, once the one before has ended.
    pub fn run(&mut self, change: Change) {
        self.waiting = Some(change);
    }

    /// Sees whether it has ended, and starts it where that is wanted.
    pub fn tend(&mut self) {
        let program = self.program.display();
        if let Some(Running { child, content, since, is_told }) = &mut self.running {
            match child.try_wait() {
                Ok(None) => {
                    if let (false, Some(next)) = (*is_told || since.elapsed() < self.patience, &self.waiting)
                    {
                        *is_told = true;
                        output::say(format_args!(
                            "{program} {content} has not ended yet; {} waits for that",
                            next.content
                        ));
                    }
                    return;
                }
                Ok(Some(status)) if status.success() => {}
                Ok(Some(status)) => output::say(format_args!("{program} {content} failed: {status}")),
                Err(error) => output::say(format_args!("{program} {content}: {error}")),
            }
            self.running = None;
        }
        if let Some(Change { content, title, rule }) = self.waiting.take() {
            let mut command = Command::new(&self.program);
            command.arg(&content).env("MIEN_CONTENT", &content).env("MIEN_TITLE", title);
            command.env("MIEN_RULE", rule.unwrap_or_default());
            // Standard output has the program's own lines.
            command.stdin(Stdio::null()).stdout(std::io::stderr());
            match command.spawn() {
                Ok(child) => {
                    self.running = Some(Running { child, content, since: Instant::now(), is_told: false });
                }
                Err(error) => output::say(format_args!("{program} {content} can't be run: {error}")),
            }
        }
    }

    /// Waits for it, and for the last change; but not for ever.
    pub fn end(mut self) {
        let until = Instant::now() + self.patience;
        loop {
            self.tend();
            let Some(Running { content, .. }) = &self.running else { return };
            if Instant::now() >= until {
                let program = self.program.display();
                output::say(format_args!("{program} {content} has not ended yet, and is left to itself"));
                return;
            }
            thread::sleep(LOOK);
        }
    }
}
