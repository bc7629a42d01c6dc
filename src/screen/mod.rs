//! The entrance screen's rules without a page: what its file may say, who fits a rule, and when the content
//! changes. docs/kiosk.md describes the file.
//!
//! The page has the same in JavaScript (`www/kiosk/rules.js`), part for part; `tests/screen.rs` plays the same
//! people before both. Nothing here knows of a camera or a clock: moments and the time of day are given.

pub mod director;
mod json;
pub mod rules;

pub use director::{Director, Person, Shown, people_in};
pub use rules::{Rules, RulesError};
