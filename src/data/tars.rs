//! The layout `labels.csv` + `<dataset>-<split>.tar`: many small pictures in one file, their labels in one
//! table.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::labels::{Rejection, Rejections, Sample, parse_age, parse_gender};
use super::{DataError, read_at};

/// A tar is made of blocks of so many bytes, and ends with empty ones.
const BLOCK: u64 = 512;

/// Pictures of one data set and split, readable in any order.
#[derive(Debug)]
pub struct TarSet {
    /// The labelled pictures that are in the tar, in the table's order.
    pub samples: Vec<Sample>,
    /// Rows that were left out.
    pub rejections: Rejections,
    path: PathBuf,
    tar: File,
    /// Place and length of each file in the tar.
    places: HashMap<String, (u64, u64)>,
}

/// A row's fields, those empty that it is too short for or that are not UTF-8.
#[derive(Default)]
struct LabelRow {
    dataset: String,
    split: String,
    file: String,
    age: String,
    gender: String,
    race: String,
}

impl LabelRow {
    /// The columns that a table has to have.
    const COLUMNS: [&str; 5] = ["dataset", "split", "file", "age", "gender"];

    fn of(header: &csv::ByteRecord, record: &csv::ByteRecord) -> Self {
        let field = |name: &str| {
            let place = header.iter().position(|column| column == name.as_bytes());
            let bytes = place.and_then(|place| record.get(place)).unwrap_or_default();
            std::str::from_utf8(bytes).unwrap_or_default().to_owned()
        };
        let [dataset, split, file, age, gender] = Self::COLUMNS.map(field);
        Self { dataset, split, file, age, gender, race: field("race") }
    }
}

impl TarSet {
    /// Opens `folder/labels.csv` and `folder/<dataset>-<split>.tar`.
    ///
    /// # Errors
    /// [`DataError`] if a file can't be read, the table lacks a column, or has no rows of that name. Single
    /// bad rows, and rows whose picture is not in the tar, are counted in [`TarSet::rejections`].
    pub fn open(folder: &Path, dataset: &str, split: &str) -> Result<Self, DataError> {
        let table = folder.join("labels.csv");
        let file = File::open(&table).map_err(DataError::io(&table))?;
        let path = folder.join(format!("{dataset}-{split}.tar"));
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
        let mut present = BTreeSet::new();
        let (mut rows, mut rejections) = (Vec::new(), Rejections::default());
        let bad = |reason: String| DataError::Table { path: table.clone(), reason };
        let header = reader.byte_headers().map_err(|e| bad(e.to_string()))?.clone();
        if let Some(missing) =
            LabelRow::COLUMNS.iter().find(|name| !header.iter().any(|c| c == name.as_bytes()))
        {
            return Err(bad(format!("has no column {missing}")));
        }
        for record in reader.byte_records() {
            let row = LabelRow::of(&header, &record.map_err(|e| bad(e.to_string()))?);
            if row.dataset == dataset && row.split == split {
                rows.push(row);
            } else {
                present.insert(format!("{}-{}", row.dataset, row.split));
            }
        }
        if rows.is_empty() {
            return Err(DataError::NoSuchSet {
                path: table,
                dataset: dataset.into(),
                split: split.into(),
                present: present.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        let tar = File::open(&path).map_err(DataError::io(&path))?;
        let places = index(&tar).map_err(DataError::io(&path))?.ok_or_else(|| DataError::Table {
            path: path.clone(),
            reason: "ends early; get it again".into(),
        })?;
        let mut samples = Vec::new();
        for row in rows {
            match sample(&row) {
                Ok(sample) if places.contains_key(&sample.file) => samples.push(sample),
                Ok(_) => rejections.count(Rejection::MissingPicture),
                Err(reason) => rejections.count(reason),
            }
        }
        Ok(Self { samples, rejections, path, tar, places })
    }

    /// The encoded picture of a sample.
    ///
    /// # Errors
    /// [`DataError::Io`] if it is not in the tar or can't be read.
    pub fn read(&self, sample: &Sample) -> Result<Vec<u8>, DataError> {
        let missing = || std::io::Error::new(std::io::ErrorKind::NotFound, format!("no {}", sample.file));
        let (at, len) =
            *self.places.get(&sample.file).ok_or_else(missing).map_err(DataError::io(&self.path))?;
        let mut bytes = vec![0; len as usize];
        read_at(&self.tar, &mut bytes, at).map_err(DataError::io(&self.path))?;
        Ok(bytes)
    }
}

fn sample(row: &LabelRow) -> Result<Sample, Rejection> {
    if row.file.is_empty() {
        return Err(Rejection::MissingField);
    }
    Ok(Sample {
        file: row.file.clone(),
        age: parse_age(&row.age)?,
        gender: parse_gender(&row.gender)?,
        race: Some(row.race.clone()).filter(|r| !r.is_empty()),
        person: super::layouts::person(&row.dataset, &row.file),
    })
}

/// Where each file of a tar lies; none where the tar ends before they do. Names are without folders.
fn index(tar: &File) -> std::io::Result<Option<HashMap<String, (u64, u64)>>> {
    let mut places = HashMap::new();
    let end = tar.metadata()?.len();
    let mut last = [1; BLOCK as usize];
    if end < BLOCK || read_at(tar, &mut last, end - BLOCK).is_err() || last.iter().any(|byte| *byte != 0) {
        return Ok(None);
    }
    let mut archive = tar::Archive::new(std::io::BufReader::new(tar));
    for entry in archive.entries_with_seek()? {
        let entry = entry?;
        // A damaged header may promise more than there is.
        if entry.raw_file_position().checked_add(entry.size()).is_none_or(|last| last > end) {
            return Ok(None);
        }
        if let Some(name) = entry.path()?.file_name().and_then(|n| n.to_str()) {
            places.insert(name.to_owned(), (entry.raw_file_position(), entry.size()));
        }
    }
    Ok(Some(places))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::age::AgeLabel;
    use crate::data::labels::Gender;

    fn folder(csv: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("labels.csv"), csv).unwrap();
        let mut tar = tar::Builder::new(File::create(folder.path().join("toy-train.tar")).unwrap());
        for (name, content) in [("a.webp", "first"), ("b.webp", "second, longer")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        tar.finish().unwrap();
        folder
    }

    #[test]
    fn rows_and_pictures_meet() {
        let folder = folder(
            "dataset,split,file,age,gender,race\n\
             toy,train,b.webp,20-29,F,Asian\ntoy,train,a.webp,7,M,\ntoy,train,c.webp,7,M,\n\
             toy,train,a.webp,old,M,\ntoy,train,a.webp,130,M,\ntoy,train,a.webp,30,7,\ntoy,test,a.webp,30,F,\n",
        );
        let set = TarSet::open(folder.path(), "toy", "train").unwrap();
        assert_eq!(set.samples.len(), 2);
        let first = &set.samples[0];
        assert_eq!(first.age, AgeLabel::Range(20.0, 29.0));
        assert_eq!((first.gender, first.race.as_deref()), (Some(Gender::Female), Some("Asian")));
        assert_eq!(set.read(first).unwrap(), b"second, longer");
        assert_eq!(set.read(&set.samples[1]).unwrap(), b"first");
        assert_eq!(set.rejections.total(), 4);
        assert_eq!(set.rejections.of(Rejection::MissingPicture), 1);
    }

    #[test]
    fn bad_rows_are_counted() {
        let mut csv =
            b"dataset,split,file,age,gender,race\ntoy,train,a.webp\ntoy,train,b.webp,20,F\n".to_vec();
        csv.extend(b"toy,train,\xff.webp,7,M,\nshort\n\n");
        let folder = folder("");
        std::fs::write(folder.path().join("labels.csv"), csv).unwrap();
        let set = TarSet::open(folder.path(), "toy", "train").unwrap();
        assert_eq!(set.samples.len(), 1);
        assert_eq!((set.samples[0].file.as_str(), set.samples[0].race.clone()), ("b.webp", None));
        assert_eq!(set.rejections.of(Rejection::MissingField), 2);

        std::fs::write(folder.path().join("labels.csv"), "dataset,split,file,gender\ntoy,train,a.webp,F\n")
            .unwrap();
        let error = TarSet::open(folder.path(), "toy", "train").unwrap_err().to_string();
        assert!(error.contains("has no column age"), "{error}");
    }

    #[test]
    fn a_tar_that_ends_before_its_files_is_refused() {
        let folder =
            folder("dataset,split,file,age,gender,race\ntoy,train,a.webp,7,M,\ntoy,train,b.webp,7,M,\n");
        let path = folder.path().join("toy-train.tar");
        let whole = std::fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        // The second file's header is behind the first one's and its block.
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&bytes[1024..1536]);
        header.set_size(1 << 40);
        header.set_cksum();
        bytes[1024..1536].copy_from_slice(header.as_bytes());
        let damaged = bytes.clone();
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let error = TarSet::open(folder.path(), "toy", "train").unwrap_err().to_string();
            assert!(error.ends_with("toy-train.tar: ends early; get it again"), "{error}");
        };
        refused(&damaged);
        // In a header, in a file, between two, and before anything.
        for length in [1300, 700, 1024, 0] {
            refused(&whole[..length]);
        }
    }

    #[test]
    fn errors_name_what_is_there() {
        let folder = folder("dataset,split,file,age,gender,race\ntoy,train,a.webp,7,M,\n");
        let error = TarSet::open(folder.path(), "other", "test").unwrap_err().to_string();
        assert!(error.contains("no pictures of other-test; it has toy-train"), "{error}");
        let error = TarSet::open(Path::new("nowhere"), "toy", "train").unwrap_err().to_string();
        assert!(error.contains("nowhere/labels.csv"), "{error}");
    }
}
