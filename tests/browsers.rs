//! The whole page in browsers of three families, each with the same checks: the built site, served by `mien serve`, and Chromium,
//! Firefox and WebKit, driven by WebDriver.
//!
//! What it finds stands in `docs/browsers.md`, which is written by
//!
//!     MIEN_UPDATE_DOCS=1 cargo test --release --test browsers
//!
//! Needs the site (`./build.sh dist`), and what of these is to be tried: Chromium and chromedriver; Firefox and geckodriver;
//! WebKitGTK's WebKitWebDriver and Xvfb. `./build.sh test` sees to them. All checks of a browser that is not there are 'not tried'.

#![cfg(unix)]

#[path = "browsers/checks.rs"]
mod checks;
#[path = "browsers/driven.rs"]
mod driven;
// tests/browser.rs needs more of it.
#[allow(dead_code)]
mod support;

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use checks::{CHECKS, Outcome, Visit};
use driven::{Browser, Kind, Visitor};
use support::repository;
use support::site::Site;

#[test]
fn the_page_in_chromium() {
    look_at_all(Kind::Chromium);
}

#[test]
fn the_page_in_firefox() {
    look_at_all(Kind::Firefox);
}

#[test]
fn the_page_in_webkit() {
    look_at_all(Kind::WebKit);
}

/// One browser at a time, and what came of those before.
static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

struct Report {
    kind: Kind,
    name: String,
    /// One for each check.
    outcomes: Vec<Outcome>,
}

fn look_at_all(kind: Kind) {
    let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let mut name = format!("{kind:?}");
    let mut outcomes = Vec::new();
    for visitor in [Visitor::WithoutACamera, Visitor::AtADesk] {
        let visit = Browser::start(kind, visitor).map(|browser| Visit { browser, site: Site::start() });
        match visit {
            Ok(mut visit) => {
                name.clone_from(&visit.browser.name);
                for check in CHECKS.iter().filter(|check| check.visitor == visitor) {
                    println!("{name}: {}", check.name);
                    outcomes.push((check.look)(&mut visit));
                    println!("    {:?}", outcomes.last());
                }
            }
            Err(why) => {
                // Not by println, which nobody sees of tests that pass.
                let _ = writeln!(std::io::stderr(), "{kind:?} is not tried: {why}");
                let checks = CHECKS.iter().filter(|check| check.visitor == visitor);
                outcomes.extend(checks.map(|_| Outcome::NotTried(why.clone())));
            }
        }
    }
    reports.push(Report { kind, name, outcomes });
    if reports.len() == 3 && std::env::var_os("MIEN_UPDATE_DOCS").is_some_and(|value| value == "1") {
        reports.sort_by_key(|report| report.kind as usize);
        write_document(&reports);
    }
}

fn document() -> PathBuf {
    repository().join("docs/browsers.md")
}

/// Puts a new table in the place of the old one.
fn write_document(reports: &[Report]) {
    let mut table = String::from("| |");
    reports.iter().for_each(|report| table += &format!(" {} |", report.name));
    table += "\n|---|---|---|---|\n";
    for (index, check) in CHECKS.iter().enumerate() {
        table += &format!("| {} |", check.name);
        for report in reports {
            let cell = match &report.outcomes[index] {
                Outcome::Passed(word) if word.is_empty() => "passed".into(),
                Outcome::Passed(word) => format!("passed ({word})"),
                Outcome::NotTried(why) => format!("not tried: {}", why.replace('|', "/").replace('\n', " ")),
            };
            table += &format!(" {cell} |");
        }
        table.push('\n');
    }
    let text = std::fs::read_to_string(document()).unwrap();
    let (before, rest) = text.split_once("| |").expect("a table");
    let (_, after) = rest.split_once("\n\n").expect("words after it");
    std::fs::write(document(), format!("{before}{table}\n{after}")).unwrap();
}

#[test]
fn the_document_has_all_checks() {
    let text = std::fs::read_to_string(document()).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| |"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    let checks: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
    assert_eq!(names, checks, "write it anew: MIEN_UPDATE_DOCS=1 cargo test --release --test browsers");
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(
            row[1..].iter().all(|cell| cell.starts_with("passed") || cell.starts_with("not tried: ")),
            "{row:?}"
        );
    }
}
