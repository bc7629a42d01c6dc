//! Aligned crops of a data set in one packed file, ready to be read in any order.
//!
//! `NAME.crops` holds raw [`STORED_SIDE`] x [`STORED_SIDE`] RGB pictures one behind the other; `NAME.csv` has
//! a row for every picture looked at, in the same order, those left out with their reason. A crop counts once
//! its row is there, so a run that was cut off at any moment goes on from the last whole row. `NAME.version` is
//! the [version of the alignment](VERSION) by which they were cut; the first version's had no such file.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::labels::{Gender, Rejection, Rejections};
use super::split::Part;
use super::{DataError, read_at};
use crate::age::AgeLabel;
use crate::vision::alignment::{STORED_SIDE, VERSION};

/// Bytes of one stored crop.
pub const CROP_LEN: usize = STORED_SIDE * STORED_SIDE * 3;

/// A row of `NAME.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CropRow {
    /// File name in the data set.
    pub file: String,
    /// Why it has no crop; empty if it has one. Files on disk call the column so.
    #[serde(rename = "refused")]
    pub rejected: Option<Rejection>,
    /// Train or validation.
    pub part: Part,
    /// First year of the age label.
    pub age_low: f32,
    /// Last year of it.
    pub age_high: f32,
    /// Gender, if labelled.
    pub gender: Option<Gender>,
    /// Race, if labelled.
    pub race: Option<String>,
}

impl CropRow {
    /// The age label.
    pub fn age(&self) -> AgeLabel {
        if self.age_low == self.age_high {
            AgeLabel::Exact(self.age_low)
        } else {
            AgeLabel::Range(self.age_low, self.age_high)
        }
    }
}

/// Paths of the two files of a prepared data set.
pub fn paths(folder: &Path, dataset: &str) -> (PathBuf, PathBuf) {
    (folder.join(format!("{dataset}.crops")), folder.join(format!("{dataset}.csv")))
}

fn version_path(folder: &Path, dataset: &str) -> PathBuf {
    folder.join(format!("{dataset}.version"))
}

/// Says of crops that are about to be made by which version they are cut.
///
/// # Errors
/// [`DataError::Io`].
pub fn write_version(folder: &Path, dataset: &str) -> Result<(), DataError> {
    let path = version_path(folder, dataset);
    std::fs::write(&path, format!("{VERSION}\n")).map_err(DataError::io(path))
}

/// Refuses crops that another version cut: old and new ones must not meet.
///
/// # Errors
/// [`DataError::Table`].
pub fn check_version(folder: &Path, dataset: &str) -> Result<(), DataError> {
    let path = version_path(folder, dataset);
    let (crops, _) = paths(folder, dataset);
    if !path.exists() && !crops.exists() {
        let reason =
            format!("there are no crops of {dataset}; make them with: mien prepare --dataset {dataset}");
        return Err(DataError::Table { path: folder.into(), reason });
    }
    let found = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().to_owned(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => "1".into(),
        Err(e) => return Err(DataError::io(path)(e)),
    };
    if found == VERSION.to_string() {
        return Ok(());
    }
    let reason = format!(
        "the crops are of version {found}, and this program's of {VERSION}: prepare them in another folder"
    );
    Err(DataError::Table { path, reason })
}

/// Reads the table, and drops a half-written last row.
///
/// # Errors
/// [`DataError`] if it can't be read, or has an age that nobody has.
pub fn read_rows(table: &Path) -> Result<Vec<CropRow>, DataError> {
    parse_rows(table, std::fs::read(table).map_err(DataError::io(table))?)
}

fn parse_rows(table: &Path, mut text: Vec<u8>) -> Result<Vec<CropRow>, DataError> {
    let mut rows = Vec::new();
    let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    text.truncate(whole);
    let bad = |reason: String| DataError::Table { path: table.into(), reason };
    for row in csv::Reader::from_reader(text.as_slice()).deserialize() {
        let row: CropRow = row.map_err(|e| bad(e.to_string()))?;
        // A soft label of ages up to infinity would take for ever.
        if !row.age().is_possible() {
            return Err(bad(format!("{} has the age {} to {}", row.file, row.age_low, row.age_high)));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// A prepared data set.
#[derive(Debug)]
pub struct Crops {
    /// Rows that have a crop; the crop of row i is the i-th.
    pub rows: Vec<CropRow>,
    /// What was left out.
    pub rejections: Rejections,
    /// Name of the data set.
    pub name: String,
    /// CRC-32 of the table, by which other files say that they belong to it.
    pub checksum: u32,
    path: PathBuf,
    file: File,
}

impl Crops {
    /// Opens what `mien prepare` made.
    ///
    /// # Errors
    /// [`DataError`] if a file is missing or the two do not belong together.
    pub fn open(folder: &Path, dataset: &str) -> Result<Self, DataError> {
        check_version(folder, dataset)?;
        let (path, table) = paths(folder, dataset);
        let mut rejections = Rejections::default();
        let text = std::fs::read(&table).map_err(DataError::io(&table))?;
        let checksum = crc32fast::hash(&text);
        let mut rows = parse_rows(&table, text)?;
        rows.retain(|row| match row.rejected {
            Some(reason) => {
                rejections.count(reason);
                false
            }
            None => true,
        });
        let file = File::open(&path).map_err(DataError::io(&path))?;
        let len = file.metadata().map_err(DataError::io(&path))?.len();
        if len < (rows.len() * CROP_LEN) as u64 {
            let reason = format!("has {len} bytes, too few for {} crops; run prepare again", rows.len());
            return Err(DataError::Table { path, reason });
        }
        Ok(Self { rows, rejections, name: dataset.into(), checksum, path, file })
    }

    /// Reads the crop of row `index`.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn read(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let mut crop = vec![0; CROP_LEN];
        read_at(&self.file, &mut crop, (index * CROP_LEN) as u64).map_err(DataError::io(&self.path))?;
        Ok(crop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A soft label of the second and the third would have been made for as long as nobody waits.
    #[test]
    fn ages_that_nobody_has_are_refused() {
        let table = |low: &str, high: &str| {
            let text =
                format!("file,refused,part,age_low,age_high,gender,race\n0.png,,train,{low},{high},,\n");
            parse_rows(Path::new("toy.csv"), text.into_bytes())
        };
        assert_eq!(table("20", "29").unwrap()[0].age(), AgeLabel::Range(20.0, 29.0));
        assert_eq!(table("0", "0").unwrap()[0].age(), AgeLabel::Exact(0.0));
        for (low, high) in
            [("60", "29"), ("0", "inf"), ("-1e9", "1e9"), ("NaN", "7"), ("7", "NaN"), ("101", "101")]
        {
            let error = table(low, high).unwrap_err().to_string();
            assert!(error.contains("0.png has the age"), "{low} to {high}: {error}");
        }
    }
}
