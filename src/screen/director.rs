//! Who fits a rule, and when the content changes.

use std::collections::HashMap;

use super::rules::{Gender, Rule, Rules, Who, minute_of};
use crate::age::{AGES, AgeDistribution};
use crate::pipeline::video::TrackedFace;

/// Something else may be wanted for so long before a rule counts as broken: detectors blink.
const BLINK_MS: f64 = 300.0;

/// Somebody before the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Person {
    /// Probability of each age.
    pub ages: AgeDistribution,
    /// Probability.
    pub female: f64,
    /// Of the face, as a part of the picture's.
    pub width: f64,
}

/// Those who are near enough and whose first moments are over.
///
/// `smallest` is the width of a face, as a part of the picture's, which has `width` pixels.
pub fn people_in(faces: &[TrackedFace], width: usize, smallest: f64) -> Vec<Person> {
    let near = faces.iter().filter(|it| it.settled).map(|it| Person {
        ages: it.face.estimate.age_distribution,
        female: it.face.estimate.gender.female.into(),
        width: f64::from(it.face.bbox[2]) / width as f64,
    });
    near.filter(|it| it.width >= smallest).collect()
}

/// What is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The content's name.
    pub content: &'a str,
    /// By which rule, where it is by one.
    pub rule: Option<usize>,
    /// Whether it is one of those that are shown to nobody.
    pub is_idle: bool,
}

/// Calm changes: a content is shown once its rule has held for a while, and stays for a while. What is shown
/// to nobody gives way at any time.
#[derive(Debug, Clone)]
pub struct Director {
    rules: Rules,
    /// What has been wanted, by its name, which is empty for what is shown to nobody.
    wanted: HashMap<String, Wanted>,
    last: Option<String>,
    at: f64,
    shown: String,
    since: f64,
    rule: Option<usize>,
    turn: usize,
}

/// Since when, and for how long something else has been wanted since.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    since: f64,
    away: f64,
}

impl Director {
    /// `now` is a moment in milliseconds, from any origin.
    pub fn new(rules: Rules, now: f64) -> Self {
        Self {
            rules,
            wanted: HashMap::new(),
            last: None,
            at: now,
            shown: String::new(),
            since: now,
            rule: None,
            turn: 0,
        }
    }

    /// The rules that it goes by.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is to be shown to those who are there `now`, at this minute of the day. The moments of calls
    /// follow each other.
    pub fn see(&mut self, people: &[Person], now: f64, minute: u32) -> Shown<'_> {
        let (wanted, rule) = decide(&self.rules, people, minute);
        let wanted = wanted.to_owned();
        self.note(&wanted, now);
        let rules = &self.rules;
        if wanted == self.shown {
            self.rule = rule;
        } else {
            let patience = if people.is_empty() { rules.absent_seconds } else { rules.steady_seconds };
            let since = self.wanted.get(&wanted).map_or(now, |it| it.since);
            let is_steady = now - since >= 1000.0 * patience;
            let is_over = self.shown.is_empty() || now - self.since >= 1000.0 * rules.minimum_seconds;
            let is_held = self.wanted.get(&self.shown).is_some_and(|it| it.away <= BLINK_MS);
            if is_steady && is_over && !is_held {
                self.shown.clone_from(&wanted);
                self.since = now;
                self.rule = rule;
            }
        }
        if !self.shown.is_empty() {
            return Shown { content: &self.shown, rule: self.rule, is_idle: false };
        }
        let idle = &self.rules.idle;
        // Whose content is about to come is not shown another one before.
        if wanted.is_empty() && !idle.is_empty() {
            let turns = ((now - self.since) / (1000.0 * self.rules.idle_seconds)).floor();
            self.turn = (turns % idle.len() as f64) as usize;
        }
        Shown { content: idle.get(self.turn).map_or("", String::as_str), rule: None, is_idle: true }
    }

    /// The time between two calls counts for what was wanted at the first.
    fn note(&mut self, wanted: &str, now: f64) {
        for (name, it) in &mut self.wanted {
            if self.last.as_ref() != Some(name) {
                it.away += now - self.at;
            }
        }
        match self.wanted.get_mut(wanted) {
            Some(it) if it.away <= BLINK_MS => it.away = 0.0,
            _ => drop(self.wanted.insert(wanted.into(), Wanted { since: now, away: 0.0 })),
        }
        self.last = Some(wanted.into());
        self.at = now;
    }
}

/// The first rule that holds and what is to be shown; an empty name where that is what is shown to nobody.
fn decide<'a>(rules: &'a Rules, people: &[Person], minute: u32) -> (&'a str, Option<usize>) {
    if people.is_empty() {
        return ("", None);
    }
    match rules.rules.iter().position(|rule| holds(rule, people, minute)) {
        Some(index) => (&rules.rules[index].show, Some(index)),
        None => (rules.otherwise.as_deref().unwrap_or_default(), None),
    }
}

/// How probable it is that somebody is of a rule's age and gender, by the network's own distribution.
fn chance(rule: &Rule, person: &Person) -> f64 {
    let age = rule.age.map_or(1.0, |[low, high]| {
        let years = low.max(0.0) as usize..=(high as usize).min(AGES - 1);
        let sum: f64 = years.map(|year| f64::from(person.ages.years()[year])).sum();
        sum.min(1.0)
    });
    let gender = match rule.gender {
        Gender::Any => 1.0,
        Gender::Female => person.female,
        Gender::Male => 1.0 - person.female,
    };
    age * gender
}

fn holds(rule: &Rule, people: &[Person], minute: u32) -> bool {
    let [few, many] = rule.people;
    if !(few..=many).contains(&(people.len() as f64)) {
        return false;
    }
    if let Some(times) = &rule.time {
        let [Some(from), Some(to)] = [&times[0], &times[1]].map(|time| minute_of(time)) else { return false };
        if !is_within([from, to], minute) {
            return false;
        }
    }
    let chances = people.iter().map(|person| chance(rule, person));
    let decides = match rule.who {
        Who::Nearest => {
            let nearest = people.iter().reduce(|best, it| if it.width > best.width { it } else { best });
            nearest.map_or(0.0, |person| chance(rule, person))
        }
        Who::Anyone => chances.fold(f64::NEG_INFINITY, f64::max),
        Who::Everyone => chances.fold(f64::INFINITY, f64::min),
    };
    decides >= rule.certainty
}

/// From the first minute to before the last one; over midnight where it begins later than it ends.
fn is_within([from, to]: [u32; 2], minute: u32) -> bool {
    if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}
