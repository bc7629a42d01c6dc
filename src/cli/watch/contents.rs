//! The entrance screen's contents by its rules: which is to be shown, said when it changes.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::ZonedDateTime;
use jiff::civil::Time;
use mien::pipeline::video::TrackedFace;
use mien::screen::{Director, Person, Rules, people_in};
use serde::Serialize;

use super::command::{Change, Commands};
use crate::cli::output;

/// What a frame said holds for so long, as on the page.
const FRESH: f64 = 2.0;

/// No rules take as much.
const MOST_BYTES: u64 = 16 << 20;

/// The screen that is not drawn: its rules, what it shows, and who is told.
pub struct Contents {
    director: Director,
    people: Vec<Person>,
    seen_at: f64,
    /// The minute of the day at the first moment; without it, that of the clock.
    begins: Option<u32>,
    shown: Option<String>,
    commands: Option<Commands>,
}

/// A change, as it is printed.
#[derive(Serialize)]
pub struct ContentLine {
    /// Seconds since the first frame.
    pub time: f64,
    /// The content's name.
    pub content: String,
    /// Its title.
    pub title: String,
    /// The rule's name, where it is by one.
    pub rule: Option<String>,
    /// Whether it is shown to nobody.
    pub idle: bool,
}

impl Contents {
    /// By the rules in a file. `begins` is the time of day at the first moment; without it, the clock's.
    ///
    /// # Errors
    /// Where the file can't be read, or something in it is wrong, which has been said then.
    pub fn open(path: &Path, begins: Option<Time>, command: Option<PathBuf>) -> anyhow::Result<Self> {
        let shown = || path.display().to_string();
        let bytes = path.metadata().with_context(shown)?.len();
        if bytes > MOST_BYTES {
            bail!("{}: longer than 16 MiB, and so no file of rules", shown());
        }
        let text = String::from_utf8(std::fs::read(path).with_context(shown)?)
            .map_err(|_| anyhow::anyhow!("{}: that is no text", shown()))?;
        let rules = Rules::parse(&text).map_err(|error| {
            for problem in &error.problems {
                output::say(format_args!("{}: {problem}", shown()));
            }
            anyhow::anyhow!("{}: nothing is shown by rules with something wrong in them", shown())
        })?;
        Ok(Self {
            director: Director::new(rules, 0.0),
            people: Vec::new(),
            seen_at: 0.0,
            begins: begins.map(minute),
            shown: None,
            commands: command.map(Commands::of),
        })
    }

    /// Takes in the faces of a frame, which has `width` pixels, so many seconds after the first.
    pub fn see(&mut self, faces: &[TrackedFace], width: usize, seconds: f64) {
        self.people = people_in(faces, width, self.director.rules().smallest_face);
        self.seen_at = seconds;
    }

    /// What is to be shown so many seconds after the first moment, where that is something else than before.
    /// Commands go on meanwhile.
    pub fn change(&mut self, seconds: f64) -> Option<ContentLine> {
        if seconds - self.seen_at >= FRESH {
            self.people.clear();
        }
        let now = match self.begins {
            Some(begins) => (begins + (seconds / 60.0) as u32) % (24 * 60),
            None => minute(ZonedDateTime::now().time()),
        };
        let shown = self.director.see(&self.people, 1000.0 * seconds, now);
        let is_same = self.shown.as_deref() == Some(shown.content);
        let (content, rule, idle) = (shown.content.to_owned(), shown.rule, shown.is_idle);
        let line = (!is_same).then(|| {
            let rules = self.director.rules();
            let title = rules.contents.get(&content).map(|it| it.title.clone()).unwrap_or_default();
            let rule = rule.map(|rule| rules.rules[rule].name.clone());
            ContentLine { time: seconds, content, title, rule, idle }
        });
        if let Some(line) = &line {
            self.shown = Some(line.content.clone());
        }
        if let Some(commands) = &mut self.commands {
            if let Some(ContentLine { content, title, rule, .. }) = &line {
                commands.run(Change { content: content.clone(), title: title.clone(), rule: rule.clone() });
            }
            commands.tend();
        }
        line
    }

    /// What is shown, for people.
    pub fn title(&self) -> Option<&str> {
        Some(&self.director.rules().contents.get(self.shown.as_ref()?)?.title)
    }

    /// Lets commands come to their end, unless somebody has ended all of it.
    pub fn end(self, is_interrupted: bool) {
        if let (Some(commands), false) = (self.commands, is_interrupted) {
            commands.end();
        }
    }
}

fn minute(time: Time) -> u32 {
    60 * time.hour() as u32 + time.minute() as u32
}
