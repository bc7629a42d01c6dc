//! What a data set says of a picture.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::age::AgeLabel;

/// Gender as the data sets label it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// Class 0.
    Male,
    /// Class 1.
    Female,
}

impl Gender {
    /// The class index of the networks' gender head.
    pub fn class(self) -> usize {
        match self {
            Self::Male => 0,
            Self::Female => 1,
        }
    }
}

/// One labelled picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// File name, or path below the data set's folder.
    pub file: String,
    /// Age.
    pub age: AgeLabel,
    /// Gender, where the data set gives one.
    pub gender: Option<Gender>,
    /// Race as the data set words it, where it gives one.
    pub race: Option<String>,
    /// Who is on it, where the data set says so: the same text on all pictures of that person.
    pub person: Option<String>,
}

/// Why a row or picture is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejection {
    /// A field is missing or not of its kind.
    MissingField,
    /// Age outside of 0..=100.
    AgeOutOfRange,
    /// A gender that is neither given in the data set's terms nor left out.
    UnknownGender,
    /// The picture can't be decoded.
    UnreadablePicture,
    /// The picture is not there.
    MissingPicture,
    /// The detector found no face.
    NoFace,
    /// Several faces of about the same size: the label could be anyone's.
    SeveralFaces,
    /// A picture that is there already, under another path or in another row.
    Repeated,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingField => "missing field",
            Self::AgeOutOfRange => "age outside 0..100",
            Self::UnknownGender => "unknown gender",
            Self::UnreadablePicture => "unreadable picture",
            Self::MissingPicture => "missing picture",
            Self::NoFace => "no face found",
            Self::SeveralFaces => "several faces of the same size",
            Self::Repeated => "repeated picture",
        })
    }
}

/// How many were left out, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rejections(BTreeMap<Rejection, usize>);

impl Rejections {
    /// Counts one.
    pub fn count(&mut self, reason: Rejection) {
        *self.0.entry(reason).or_default() += 1;
    }

    /// How many in all.
    pub fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// How many for one reason.
    pub fn of(&self, reason: Rejection) -> usize {
        self.0.get(&reason).copied().unwrap_or(0)
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none left out");
        }
        for (i, (reason, count)) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {reason}")?;
        }
        Ok(())
    }
}

/// Reads an age: `23`, `20-29`, or `more than 70`.
///
/// # Errors
/// [`Rejection::MissingField`] if it is none of these, [`Rejection::AgeOutOfRange`] outside of 0..=100.
pub fn parse_age(text: &str) -> Result<AgeLabel, Rejection> {
    let text = text.trim();
    let number = |t: &str| t.trim().parse::<f32>().ok().filter(|v| v.is_finite());
    let label = if let Some(low) = text.strip_prefix("more than ") {
        number(low).map(|low| AgeLabel::Range(low, 99.0))
    } else if let Some(age) = number(text) {
        Some(AgeLabel::Exact(age))
    } else {
        let ends = text.split_once('-').and_then(|(low, high)| Some((number(low)?, number(high)?)));
        ends.filter(|(low, high)| low <= high).map(|(low, high)| AgeLabel::Range(low, high))
    };
    let label = label.ok_or(Rejection::MissingField)?;
    // 'more than 120' would end before it begins.
    if label.is_possible() { Ok(label) } else { Err(Rejection::AgeOutOfRange) }
}

/// Reads a gender: F, M or nothing.
///
/// # Errors
/// [`Rejection::UnknownGender`] for anything else.
pub fn parse_gender(text: &str) -> Result<Option<Gender>, Rejection> {
    match text.trim().to_ascii_lowercase().as_str() {
        "" => Ok(None),
        "f" | "female" => Ok(Some(Gender::Female)),
        "m" | "male" => Ok(Some(Gender::Male)),
        _ => Err(Rejection::UnknownGender),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(parse_age("23"), Ok(AgeLabel::Exact(23.0)));
        assert_eq!(parse_age(" 20-29 "), Ok(AgeLabel::Range(20.0, 29.0)));
        assert_eq!(parse_age("more than 70"), Ok(AgeLabel::Range(70.0, 99.0)));
        for bad in ["", "old", "30-20", "-", "nan"] {
            assert_eq!(parse_age(bad), Err(Rejection::MissingField), "{bad}");
        }
        for bad in ["-1", "101", "90-110", "more than 100", "more than 120", "more than -5"] {
            assert_eq!(parse_age(bad), Err(Rejection::AgeOutOfRange), "{bad}");
        }
    }

    #[test]
    fn genders() {
        assert_eq!(parse_gender("F"), Ok(Some(Gender::Female)));
        assert_eq!(parse_gender("male"), Ok(Some(Gender::Male)));
        assert_eq!(parse_gender(""), Ok(None));
        assert_eq!(parse_gender("3"), Err(Rejection::UnknownGender));
    }

    #[test]
    fn refusals_are_counted_by_reason() {
        let mut rejections = Rejections::default();
        assert_eq!(rejections.to_string(), "none left out");
        rejections.count(Rejection::NoFace);
        rejections.count(Rejection::NoFace);
        rejections.count(Rejection::MissingField);
        assert_eq!((rejections.total(), rejections.of(Rejection::NoFace)), (3, 2));
        assert_eq!(rejections.to_string(), "1 missing field, 2 no face found");
    }
}
