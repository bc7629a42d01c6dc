//! The file with the rules: what it may say, in sentences of what is wrong with it, and its contents as values.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::json::{Json, number};
use crate::age::AGES;

const MOST_RULES: usize = 100;
const MOST_CONTENTS: usize = 100;
const MOST_SHAPES: usize = 40;
/// Characters of a content's name.
const LONGEST_NAME: usize = 40;

/// All that is wrong with a file, a sentence each, which names rule and field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", problems.join("\n"))]
pub struct RulesError {
    /// The sentences, those of the page.
    pub problems: Vec<String>,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// Names of contents that take turns while nobody is there: one at least.
    pub idle: Vec<String>,
    /// Name of the content where somebody is there and no rule holds; without it the idle ones.
    pub otherwise: Option<String>,
    /// For so long a rule has to hold.
    #[serde(default = "defaults::steady")]
    pub steady_seconds: f64,
    /// For so long a content stays, unless it is an idle one.
    #[serde(default = "defaults::minimum")]
    pub minimum_seconds: f64,
    /// For so long nobody has to be there before the idle contents come back.
    #[serde(default = "defaults::absent")]
    pub absent_seconds: f64,
    /// The turn of each of them.
    #[serde(default = "defaults::idle")]
    pub idle_seconds: f64,
    /// Smaller faces are too far away to count; part of the picture's width.
    #[serde(default = "defaults::smallest")]
    pub smallest_face: f64,
    /// The first that holds is shown.
    pub rules: Vec<Rule>,
    /// By their names.
    pub contents: BTreeMap<String, Content>,
}

mod defaults {
    pub fn steady() -> f64 {
        1.0
    }
    pub fn minimum() -> f64 {
        8.0
    }
    pub fn absent() -> f64 {
        4.0
    }
    pub fn idle() -> f64 {
        15.0
    }
    pub fn smallest() -> f64 {
        0.05
    }
    pub fn certainty() -> f64 {
        0.5
    }
    pub fn people() -> [f64; 2] {
        [1.0, 50.0]
    }
}

/// When a content is shown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// For people.
    pub name: String,
    /// Name of a content.
    pub show: String,
    /// Who has to be of that age and gender.
    #[serde(default)]
    pub who: Who,
    /// First and last year; any without it.
    pub age: Option<[f64; 2]>,
    /// Which gender.
    #[serde(default)]
    pub gender: Gender,
    /// What part of the distribution of ages has to lie in `age`, times the probability of `gender`.
    #[serde(default = "defaults::certainty")]
    pub certainty: f64,
    /// Fewest and most people.
    #[serde(default = "defaults::people")]
    pub people: [f64; 2],
    /// From the first minute to before the last, over midnight where it begins later than it ends.
    pub time: Option<[String; 2]>,
}

/// Of those who are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Who {
    /// Whose face is the largest.
    #[default]
    Nearest,
    /// One of them.
    Anyone,
    /// All of them.
    Everyone,
}

/// As the pictures were labelled that the network learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Gender {
    /// Whichever.
    #[default]
    Any,
    /// Female.
    Female,
    /// Male.
    Male,
}

/// What is shown. Colours and shapes are the page's alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Content {
    /// In large letters.
    pub title: String,
    /// Below it.
    pub text: Option<String>,
}

impl Rules {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`RulesError`] with a sentence for each thing that is wrong, those of the page's editor.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let no_json = |error| RulesError { problems: vec![format!("The file is not JSON: {error}.")] };
        let file: Json = serde_json::from_str(text).map_err(no_json)?;
        let problems = check(&file);
        if !problems.is_empty() {
            return Err(RulesError { problems });
        }
        // Of what stands there twice this keeps the last, too.
        serde_json::from_str::<serde_json::Value>(text).and_then(serde_json::from_value).map_err(no_json)
    }
}

// ---- what the file may say ----

#[derive(Clone, Copy)]
enum Kind {
    /// Characters, spaces at the ends counted not towards the fewest.
    Text(usize, usize),
    Number(f64, f64),
    Choice(&'static [&'static str]),
    Range(f64, f64),
    Times,
    Colour,
    Content,
    Contents,
}

struct Field {
    name: &'static str,
    kind: Kind,
    is_needed: bool,
}

const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_needed: false }
}

const fn needed(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, is_needed: true }
}

const SETTINGS: [Field; 8] = [
    field("notice", Kind::Text(20, 500)),
    needed("idle", Kind::Contents),
    field("otherwise", Kind::Content),
    field("steadySeconds", Kind::Number(0.2, 60.0)),
    field("minimumSeconds", Kind::Number(1.0, 600.0)),
    field("absentSeconds", Kind::Number(0.5, 600.0)),
    field("idleSeconds", Kind::Number(2.0, 3600.0)),
    field("smallestFace", Kind::Number(0.0, 1.0)),
];

const RULE: [Field; 8] = [
    needed("name", Kind::Text(1, 80)),
    needed("show", Kind::Content),
    field("who", Kind::Choice(&["nearest", "anyone", "everyone"])),
    field("age", Kind::Range(0.0, (AGES - 1) as f64)),
    field("gender", Kind::Choice(&["any", "female", "male"])),
    field("certainty", Kind::Number(0.0, 1.0)),
    field("people", Kind::Range(1.0, 50.0)),
    field("time", Kind::Times),
];

const CONTENT: [Field; 4] = [
    needed("title", Kind::Text(1, 120)),
    field("text", Kind::Text(0, 600)),
    field("background", Kind::Colour),
    field("ink", Kind::Colour),
];

const SHAPE: [Field; 5] = [
    needed("kind", Kind::Choice(&["circle", "ring", "square", "triangle", "hill", "star"])),
    needed("x", Kind::Number(-50.0, 150.0)),
    needed("y", Kind::Number(-50.0, 150.0)),
    needed("size", Kind::Number(1.0, 200.0)),
    field("colour", Kind::Colour),
];

/// All that is wrong with a file, in the page's sentences and their order.
fn check(file: &Json) -> Vec<String> {
    let mut problems = Vec::new();
    let Some(_) = file.fields() else {
        return vec![no_object("The file", file)];
    };
    let no_contents = Json::Object(Vec::new());
    let contents = file.get("contents").filter(|it| it.fields().is_some()).unwrap_or(&no_contents);
    let contents = contents.fields().unwrap_or_default();
    let names: Vec<&str> = contents.iter().map(|(name, _)| &**name).collect();

    check_part(file, &SETTINGS, "The file", &["rules", "contents"], &names, &mut problems);
    match file.get("rules") {
        Some(Json::List(rules)) if rules.len() <= MOST_RULES => {
            for (index, rule) in rules.iter().enumerate() {
                check_part(rule, &RULE, &which_rule(rule, index), &[], &names, &mut problems);
            }
        }
        Some(Json::List(rules)) => problems
            .push(format!("The file, field “rules”: has {} rules; {MOST_RULES} are the most.", rules.len())),
        other => problems.push(no_part("The file", "rules", other, "a list in brackets")),
    }
    match file.get("contents") {
        Some(Json::Object(all)) if all.len() > MOST_CONTENTS => problems.push(format!(
            "The file, field “contents”: has {} contents; {MOST_CONTENTS} are the most.",
            all.len()
        )),
        Some(Json::Object(_)) => {}
        other => problems.push(no_part("The file", "contents", other, "an object in braces")),
    }
    for (name, content) in contents.iter().take(MOST_CONTENTS) {
        if !is_name(name) {
            problems.push(format!(
                "The file, field “{name}”: has to be a name of letters, digits, - and _, 40 at most."
            ));
        }
        let place = format!("Content “{name}”");
        check_part(content, &CONTENT, &place, &["shapes"], &names, &mut problems);
        match content.get("shapes") {
            None | Some(Json::Null) => {}
            Some(Json::List(shapes)) if shapes.len() <= MOST_SHAPES => {
                for (index, shape) in shapes.iter().enumerate() {
                    let place = format!("{place}, shape {}", index + 1);
                    check_part(shape, &SHAPE, &place, &[], &names, &mut problems);
                }
            }
            Some(Json::List(shapes)) => problems.push(format!(
                "{place}, field “shapes”: has {} shapes; {MOST_SHAPES} are the most.",
                shapes.len()
            )),
            other => problems.push(no_part(&place, "shapes", other, "a list in brackets")),
        }
    }
    problems
}

fn no_object(place: &str, value: &Json) -> String {
    format!("{place} is {} and has to be an object in braces.", named(value))
}

fn no_part(place: &str, field: &str, value: Option<&Json>, what: &str) -> String {
    let is = value.map_or("missing".into(), named);
    format!("{place}, field “{field}”: is {is} and has to be {what}.")
}

fn check_part(
    value: &Json,
    fields: &[Field],
    place: &str,
    others: &[&str],
    contents: &[&str],
    problems: &mut Vec<String>,
) {
    let Some(given) = value.fields() else {
        problems.push(no_object(place, value));
        return;
    };
    let known: Vec<&str> = fields.iter().map(|field| field.name).chain(others.iter().copied()).collect();
    for (name, _) in given {
        if !known.contains(&&**name) {
            problems.push(format!("{place}, field “{name}”: is unknown; there are {}.", known.join(", ")));
        }
    }
    for Field { name, kind, is_needed } in fields {
        let wrong = match value.get(name) {
            Some(value) => wrong_with(value, *kind, contents),
            None => is_needed.then(|| "is missing.".into()),
        };
        problems.extend(wrong.map(|wrong| format!("{place}, field “{name}”: {wrong}")));
    }
}

/// The rest of the sentence; none where nothing is wrong.
fn wrong_with(value: &Json, kind: Kind, contents: &[&str]) -> Option<String> {
    let is = named(value);
    let other = |what: &str| Some(format!("is {is} and has to be {what}."));
    match (kind, value) {
        (Kind::Text(from, to), Json::Text(text)) => {
            let length = length(trimmed(text));
            (length < from || self::length(text) > to)
                .then(|| format!("has {length} characters and has to have {from} to {to}."))
        }
        (Kind::Text(..), _) => other("text in quotes"),
        (Kind::Number(from, to), Json::Number(value)) => (!(from..=to).contains(value))
            .then(|| format!("is {is} and has to be from {} to {}.", number(from), number(to))),
        (Kind::Number(..), _) => other("a number"),
        (Kind::Choice(of), Json::Text(text)) if of.contains(&&**text) => None,
        (Kind::Choice(of), _) => {
            let of: Vec<_> = of.iter().map(|name| format!("\"{name}\"")).collect();
            other(&format!("one of {}", of.join(", ")))
        }
        (Kind::Range(from, to), _) => {
            let [from, to] = [from, to].map(number);
            let Some([low, high]) = whole_pair(value) else {
                return other(&format!("two whole numbers in brackets, such as [{from}, {to}]"));
            };
            let Kind::Range(fewest, most) = kind else { return None };
            let [first, last] = [low, high].map(number);
            if low < fewest || high > most {
                Some(format!("is from {first} to {last} and has to lie within {from} to {to}."))
            } else {
                (low > high).then(|| format!("begins at {first}, which is after its end, {last}."))
            }
        }
        (Kind::Times, Json::List(times)) if times.len() == 2 && times.iter().all(is_time) => None,
        (Kind::Times, _) => other("two times in brackets, such as [\"08:00\", \"17:30\"]"),
        (Kind::Colour, Json::Text(text)) if is_colour(text) => None,
        (Kind::Colour, _) => other("a colour such as \"#17604d\""),
        (Kind::Content, Json::Text(name)) if contents.contains(&&**name) => None,
        (Kind::Content, Json::Text(_)) => {
            let there = if contents.is_empty() { "there are none".into() } else { contents.join(", ") };
            Some(format!("names {is}, which is not among the contents ({there})."))
        }
        (Kind::Content, _) => other("the name of a content"),
        (Kind::Contents, Json::List(list)) if !list.is_empty() => {
            list.iter().find_map(|name| wrong_with(name, Kind::Content, contents))
        }
        (Kind::Contents, _) => other("a list of at least one content"),
    }
}

fn which_rule(rule: &Json, index: usize) -> String {
    match rule.get("name") {
        Some(Json::Text(name)) if !trimmed(name).is_empty() => {
            format!("Rule {} (“{}”)", index + 1, trimmed(name))
        }
        _ => format!("Rule {}", index + 1),
    }
}

/// A value as it stands in the file.
fn named(value: &Json) -> String {
    let text = value.to_string();
    let units: Vec<u16> = text.encode_utf16().collect();
    match units.get(..60) {
        Some(beginning) if units.len() > 60 => format!("{}…", String::from_utf16_lossy(beginning)),
        _ => text,
    }
}

/// As JavaScript counts: in parts of UTF-16.
fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Without what JavaScript takes for spaces at its ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|it: char| (it.is_whitespace() && it != '\u{85}') || it == '\u{feff}')
}

fn whole_pair(value: &Json) -> Option<[f64; 2]> {
    match value {
        Json::List(list) => match list[..] {
            [Json::Number(low), Json::Number(high)] if low.fract() == 0.0 && high.fract() == 0.0 => {
                Some([low, high])
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_time(value: &Json) -> bool {
    matches!(value, Json::Text(text) if minute_of(text).is_some())
}

/// The minute of the day that `17:30` means; none where it is no such time.
pub fn minute_of(time: &str) -> Option<u32> {
    let bytes = time.as_bytes();
    let is_shaped = bytes.len() == 5 && bytes[2] == b':';
    let digits = [0, 1, 3, 4].map(|at| bytes.get(at).filter(|it| it.is_ascii_digit()));
    let [Some(a), Some(b), Some(c), Some(d)] = digits else { return None };
    let number = |tens: &u8, ones: &u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let (hours, minutes) = (number(a, b), number(c, d));
    (is_shaped && hours < 24 && minutes < 60).then_some(60 * hours + minutes)
}

fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|it| it.len() == 6 && it.bytes().all(|it| it.is_ascii_hexdigit()))
}

fn is_name(name: &str) -> bool {
    let is_word = |it: char| {
        matches!(it.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
    };
    name.starts_with(is_word)
        && name.chars().count() <= LONGEST_NAME
        && name.chars().all(|it| is_word(it) || it == '_' || it == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_optional_has_the_values_of_the_documents() {
        let rules = Rules::parse(
            r#"{ "idle": ["a"], "contents": { "a": { "title": "A" } }, "rules": [{ "name": "x", "show": "a" }] }"#,
        )
        .unwrap();
        assert_eq!(
            [rules.steady_seconds, rules.minimum_seconds, rules.absent_seconds, rules.idle_seconds],
            [1.0, 8.0, 4.0, 15.0]
        );
        assert_eq!((rules.smallest_face, rules.otherwise), (0.05, None));
        let rule = &rules.rules[0];
        assert_eq!(
            (rule.certainty, rule.people, rule.who, rule.gender),
            (0.5, [1.0, 50.0], Who::Nearest, Gender::Any)
        );
        assert_eq!((rule.age, rule.time.as_ref(), &*rules.contents["a"].title), (None, None, "A"));
    }

    #[test]
    fn times_are_of_a_day() {
        assert_eq!(["00:00", "17:30", "23:59"].map(minute_of), [Some(0), Some(1050), Some(1439)]);
        for text in ["24:00", "7:30", "07:60", "07-30", "07:3", "", "0a:00", "é7:30", "07:300"] {
            assert_eq!(minute_of(text), None, "{text}");
        }
    }
}
