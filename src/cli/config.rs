//! `--config`: a command's options from a TOML file.
//!
//! A key is an option's long name, a value what would stand behind it; lists are TOML arrays. The file's
//! options are put behind the command's name as if they had been typed, those left out that the command line
//! gives itself or that would contradict one it gives.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, Parser};
use toml::{Table, Value};

const CONFIG: &str = "config";

/// As [`Parser::parse`], with the options of the subcommand's `--config FILE`, if it has that.
pub fn parse<A: Parser>() -> anyhow::Result<A> {
    let typed: Vec<OsString> = std::env::args_os().collect();
    let command = A::command();
    let matches = command.clone().get_matches_from(&typed);
    let Some((name, matches)) = matches.subcommand() else { return Ok(A::parse()) };
    let Ok(Some(path)) = matches.try_get_one::<PathBuf>(CONFIG) else { return Ok(A::parse()) };
    let subcommand = command.find_subcommand(name).expect("one that matched");
    let options = options(path, subcommand, matches)?;
    let at = typed.iter().position(|argument| argument == name).expect("it was typed") + 1;
    let all = typed[..at].iter().cloned().chain(options).chain(typed[at..].iter().cloned());
    A::try_parse_from(all).with_context(|| format!("the command line with {}", path.display()))
}

/// The options in the file at `path`, each as `--name=value`.
fn options(path: &Path, command: &Command, typed: &ArgMatches) -> anyhow::Result<Vec<OsString>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| shown.to_string())?;
    let table: Table = text.parse().with_context(|| shown.to_string())?;
    let is_typed = |id: &clap::Id| typed.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let mut options = Vec::new();
    let mut unknown = Vec::new();
    for (key, value) in &table {
        let argument = command.get_arguments().find(|a| a.get_long() == Some(key) && key != CONFIG);
        let Some(argument) = argument else {
            unknown.push(key.as_str());
            continue;
        };
        let contradicted = command.get_arg_conflicts_with(argument).iter().any(|a| is_typed(a.get_id()));
        // An empty list is an option that is not given.
        let empty = value.as_array().is_some_and(Vec::is_empty);
        if !is_typed(argument.get_id()) && !contradicted && !empty {
            let value = plain(value).with_context(|| format!("{shown}: {key}"))?;
            options.push(format!("--{key}={value}").into());
        }
    }
    if !unknown.is_empty() {
        bail!("{shown}: no such option: {}", unknown.join(", "));
    }
    Ok(options)
}

/// A value as it would be typed.
fn plain(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Array(values) => values.iter().map(plain).collect::<anyhow::Result<Vec<_>>>()?.join(","),
        Value::Table(_) | Value::Datetime(_) => {
            bail!("must be text, a number, true or false, or a list of them")
        }
    })
}
