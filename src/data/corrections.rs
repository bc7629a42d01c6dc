//! Labels that are thought wrong, in a table: `dataset,file,weight,gender,reason`.
//! `mien experiment label-errors` writes it and `mien train --exclude` reads it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::DataError;

/// Whether a gender label is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GenderCorrection {
    /// It is.
    Keep,
    /// It is not: the face counts as one whose gender is not labelled.
    Drop,
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the picture in it.
    pub file: String,
    /// How often it is drawn, 1 as often as any, 0 never.
    pub weight: f32,
    /// What becomes of its gender label.
    pub gender: GenderCorrection,
    /// Why, in words.
    pub reason: String,
}

/// Reads a table.
///
/// # Errors
/// [`DataError`] if it can't be read, or a weight is not a number from 0 on.
pub fn read(path: &Path) -> Result<Vec<Correction>, DataError> {
    let bad = |reason: String| DataError::Table { path: path.into(), reason };
    let text = std::fs::read(path).map_err(DataError::io(path))?;
    let rows = csv::Reader::from_reader(text.as_slice()).into_deserialize::<Correction>();
    let rows = rows.collect::<Result<Vec<_>, _>>().map_err(|e| bad(e.to_string()))?;
    match rows.iter().find(|row| !(row.weight >= 0.0 && row.weight.is_finite())) {
        Some(row) => Err(bad(format!("{} has the weight {}", row.file, row.weight))),
        None => Ok(rows),
    }
}

/// Writes a table.
///
/// # Errors
/// [`DataError`] if it can't be written.
pub fn write(path: &Path, corrections: &[Correction]) -> Result<(), DataError> {
    let bad = |e: csv::Error| DataError::Table { path: path.into(), reason: e.to_string() };
    let mut writer = csv::Writer::from_path(path).map_err(bad)?;
    corrections.iter().try_for_each(|row| writer.serialize(row)).map_err(bad)?;
    writer.flush().map_err(DataError::io(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_and_bad_weights_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wrong.csv");
        let row = |weight| Correction {
            dataset: "aaf".into(),
            file: "1, A.webp".into(),
            weight,
            gender: GenderCorrection::Drop,
            reason: "20 years".into(),
        };
        write(&path, &[row(0.3)]).unwrap();
        assert_eq!(read(&path).unwrap(), [row(0.3)]);
        for bad in [-1.0, f32::NAN, f32::INFINITY] {
            write(&path, &[row(bad)]).unwrap();
            assert!(read(&path).unwrap_err().to_string().contains("1, A.webp"), "{bad}");
        }
    }
}
