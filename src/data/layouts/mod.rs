//! Data sets by name, whatever shape they come in: as tars with one table ([`super::tars`]), or as their
//! authors publish them.
//!
//! [`open`] tells the two apart by itself: a folder with `labels.csv` holds tars, any other is searched for
//! the layout that the data set is known for. One file per layout:
//!
//! | name | labels are in |
//! |---|---|
//! | `aaf` | file names: number and age; the numbers are ordered by gender |
//! | `utkface` | file names: age, gender, race |
//! | `fairface` | tables: age range, gender, race |
//! | `afad` | folder names: age, gender |
//! | `imdb-wiki` | `imdb.mat`, `wiki.mat` ([`mat`]), or imdb-clean's tables |
//! | `cacd` | file names: age; no gender |
//! | `fg-net` | file names: subject and age; no gender |
//! | `megaage-asian` | list files: age; no gender |
//!
//! A bad row never stops a data set: it is left out and counted ([`Rejections`]).

mod aaf;
mod afad;
mod cacd;
mod fairface;
mod fg_net;
mod imdb_wiki;
pub mod mat;
mod megaage_asian;
mod tree;
mod utkface;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::labels::{Rejection, Rejections, Sample, parse_age};
use super::tars::TarSet;
use crate::age::AgeLabel;
use tree::Tree;

/// The labelled pictures of one data set.
#[derive(Debug)]
pub struct LabelledPictures {
    /// Those with a usable label, in an order that depends on nothing but the files.
    pub samples: Vec<Sample>,
    /// Rows and pictures that were left out.
    pub rejections: Rejections,
    pictures: Pictures,
}

#[derive(Debug)]
enum Pictures {
    Tar(TarSet),
    /// Samples are named by their path below this folder.
    Folder(PathBuf),
}

impl LabelledPictures {
    /// The encoded picture of a sample. Nothing is kept in memory.
    ///
    /// # Errors
    /// [`DataError::Io`] if it can't be read.
    pub fn read(&self, sample: &Sample) -> Result<Vec<u8>, DataError> {
        match &self.pictures {
            Pictures::Tar(set) => set.read(sample),
            Pictures::Folder(folder) => {
                let path = folder.join(&sample.file);
                std::fs::read(&path).map_err(DataError::io(path))
            }
        }
    }
}

impl From<TarSet> for LabelledPictures {
    fn from(mut set: TarSet) -> Self {
        let (samples, rejections) = (std::mem::take(&mut set.samples), std::mem::take(&mut set.rejections));
        Self { samples, rejections, pictures: Pictures::Tar(set) }
    }
}

/// Opens a data set in the folder `input`.
///
/// `split` is one of the data set's own (tars: as in `labels.csv`). Without it: the training split, or all
/// pictures where the data set draws no line itself.
///
/// # Errors
/// [`DataError::NotRecognised`] if the folder holds neither tars nor the data set's own layout, with what was
/// looked for; [`DataError::NoSuchSet`] if there is no such split; [`DataError`] if a table or folder can't
/// be read.
pub fn open(dataset: &str, input: &Path, split: Option<&str>) -> Result<LabelledPictures, DataError> {
    if input.join("labels.csv").is_file() {
        return Ok(TarSet::open(input, dataset, split.unwrap_or("train"))?.into());
    }
    let Some(layout) = LAYOUTS.iter().find(|layout| layout.dataset == dataset) else {
        let known: Vec<_> = LAYOUTS.iter().map(|layout| layout.dataset).collect();
        return Err(DataError::NotRecognised {
            path: input.into(),
            dataset: dataset.into(),
            looked_for: format!(
                "labels.csv with tars (the only layout for other names than {})",
                known.join(", ")
            ),
            found: "no such file".into(),
        });
    };
    let tree = Tree::of(input)?;
    let Listing { samples, rejections, .. } = (layout.list)(&tree, split)?;
    if samples.is_empty() {
        return Err(DataError::NotRecognised {
            path: input.into(),
            dataset: dataset.into(),
            looked_for: format!("labels.csv with tars, or {}", layout.looked_for),
            found: if rejections.total() == 0 {
                "nothing of it".into()
            } else {
                format!("only {rejections}")
            },
        });
    }
    Ok(LabelledPictures { samples, rejections, pictures: Pictures::Folder(input.into()) })
}

/// The name by which [`super::split::part`] knows a picture: the same whether it comes from a tar or from the
/// original's folders.
pub fn split_name(dataset: &str, file: &str) -> String {
    let name = file_name(file);
    match dataset {
        // train/1.jpg is train_1.webp in the tar.
        "fairface" => match folder(file) {
            "" => name.into(),
            folder => format!("{}_{name}", file_name(folder)),
        },
        // A face's chip, its chip re-encoded, and the picture it was cut from: X.jpg.chip.jpg, X.webp, X.jpg.
        "utkface" => name.split('.').next().unwrap_or(name).into(),
        _ => name.into(),
    }
}

/// How a data set's own layout is read.
struct Layout {
    dataset: &'static str,
    /// For the error message.
    looked_for: &'static str,
    list: fn(&Tree, Option<&str>) -> Result<Listing, DataError>,
}

const LAYOUTS: [Layout; 8] = [
    Layout { dataset: "aaf", looked_for: aaf::LOOKED_FOR, list: aaf::list },
    Layout { dataset: "utkface", looked_for: utkface::LOOKED_FOR, list: utkface::list },
    Layout { dataset: "fairface", looked_for: fairface::LOOKED_FOR, list: fairface::list },
    Layout { dataset: "afad", looked_for: afad::LOOKED_FOR, list: afad::list },
    Layout { dataset: "imdb-wiki", looked_for: imdb_wiki::LOOKED_FOR, list: imdb_wiki::list },
    Layout { dataset: "cacd", looked_for: cacd::LOOKED_FOR, list: cacd::list },
    Layout { dataset: "fg-net", looked_for: fg_net::LOOKED_FOR, list: fg_net::list },
    Layout { dataset: "megaage-asian", looked_for: megaage_asian::LOOKED_FOR, list: megaage_asian::list },
];

/// What a layout found.
#[derive(Debug, Default)]
struct Listing {
    samples: Vec<Sample>,
    rejections: Rejections,
    seen: HashSet<String>,
}

impl Listing {
    /// Takes a row. `key` says which picture it is: the second row of the same picture is rejected.
    fn push(&mut self, key: &str, row: Result<Sample, Rejection>) {
        match row {
            Ok(_) if self.seen.contains(key) => self.rejections.count(Rejection::Repeated),
            Ok(sample) => {
                self.seen.insert(key.into());
                self.samples.push(sample);
            }
            Err(reason) => self.rejections.count(reason),
        }
    }

    /// Takes the rows of a table whose pictures lie anywhere in the tree, all under the same folder.
    fn push_table(&mut self, tree: &Tree, rows: Vec<Result<Sample, Rejection>>) {
        // A few may be missing; if a hundred are, so are the others.
        let root = rows.iter().flatten().take(100).find_map(|sample| tree.root_of(&sample.file));
        for row in rows {
            let row = row.and_then(|mut sample| {
                sample.file.insert_str(0, root.unwrap_or_default());
                if tree.has(&sample.file) { Ok(sample) } else { Err(Rejection::MissingPicture) }
            });
            let key = row.as_ref().map_or_else(|_| String::new(), |sample| sample.file.clone());
            self.push(&key, row);
        }
    }
}

/// Pictures whose label is in their path. Those of equal file name are the same picture in several folders:
/// the first counts.
fn list_pictures<'a>(
    pictures: impl Iterator<Item = &'a str>,
    label: impl Fn(&str) -> Result<Sample, Rejection>,
) -> Listing {
    let mut listing = Listing::default();
    for path in pictures {
        listing.push(file_name(path), label(path));
    }
    listing
}

/// The split to read: the one asked for, else the data set's first; `None` if it has none of its own.
fn choose_split<'a>(
    tree: &Tree,
    dataset: &str,
    own: &[&'a str],
    asked: Option<&str>,
) -> Result<Option<&'a str>, DataError> {
    let Some(asked) = asked else { return Ok(own.first().copied()) };
    match own.iter().find(|name| **name == asked) {
        Some(name) => Ok(Some(name)),
        None => Err(DataError::NoSuchSet {
            path: tree.folder().into(),
            dataset: dataset.into(),
            split: asked.into(),
            present: if own.is_empty() { "no splits of its own".into() } else { own.join(", ") },
        }),
    }
}

/// Reads an age in whole years.
fn parse_years(digits: &str) -> Result<AgeLabel, Rejection> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Rejection::MissingField);
    }
    parse_age(digits)
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A path without its last part; empty if it has no other.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last part of a path without its extension.
fn stem(path: &str) -> &str {
    let name = file_name(path);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// The rows of a table, as text, if it has all of `columns`; `None` if it is another table.
///
/// A row that is cut short, or is not UTF-8, is a row of empty fields.
fn read_table<const N: usize>(
    path: &Path,
    columns: [&str; N],
) -> Result<Option<Vec<[String; N]>>, DataError> {
    let bad = |e: csv::Error| DataError::Table { path: path.into(), reason: e.to_string() };
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_path(path).map_err(bad)?;
    let header = reader.byte_headers().map_err(bad)?.clone();
    let place = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name.as_bytes()));
    let places = columns.map(place);
    if places.contains(&None) {
        return Ok(None);
    }
    let mut rows = Vec::new();
    for record in reader.byte_records() {
        let record = record.map_err(bad)?;
        let field = |place: Option<usize>| std::str::from_utf8(record.get(place?)?).ok();
        rows.push(places.map(|place| field(place).unwrap_or_default().to_owned()));
    }
    Ok(Some(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files; what they hold is their own path.
    pub(super) fn tree_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            write(&folder, file, file.as_bytes());
        }
        folder
    }

    pub(super) fn write(folder: &tempfile::TempDir, file: &str, content: &[u8]) {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Opens, and checks that each sample's picture is where it says.
    pub(super) fn open_all(
        dataset: &str,
        folder: &tempfile::TempDir,
        split: Option<&str>,
    ) -> LabelledPictures {
        let source = open(dataset, folder.path(), split).unwrap();
        for sample in &source.samples {
            assert_eq!(source.read(sample).unwrap(), sample.file.as_bytes());
        }
        source
    }

    /// (file, age, gender as M, F or -) of each sample.
    pub(super) fn short(source: &LabelledPictures) -> Vec<(&str, f32, char)> {
        use crate::data::labels::Gender::{Female, Male};
        let gender = |s: &Sample| match s.gender {
            Some(Male) => 'M',
            Some(Female) => 'F',
            None => '-',
        };
        source.samples.iter().map(|s| (s.file.as_str(), s.age.middle(), gender(s))).collect()
    }

    #[test]
    fn the_error_says_what_was_looked_for() {
        let folder = tree_of(&["notes.txt"]);
        for layout in &LAYOUTS {
            let error = open(layout.dataset, folder.path(), None).unwrap_err().to_string();
            assert!(error.contains(layout.looked_for), "{error}");
            assert!(error.contains("labels.csv"), "{error}");
        }
        let error = open("celeba", folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("labels.csv") && error.contains("megaage-asian"), "{error}");
        let error = open("utkface", &folder.path().join("none"), None).unwrap_err().to_string();
        assert!(error.contains("none"), "{error}");
    }

    #[test]
    fn a_folder_where_nothing_is_usable_is_an_error_with_the_count() {
        let folder = tree_of(&["a.jpg", "b.jpg"]);
        let error = open("utkface", folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("2 missing field"), "{error}");
    }

    #[test]
    fn tars_are_recognised_by_their_table() {
        let folder = tree_of(&[]);
        write(&folder, "labels.csv", b"dataset,split,file,age,gender,race\naaf,train,00001A02.webp,2,F,\n");
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(7);
        header.set_cksum();
        tar.append_data(&mut header, "00001A02.webp", &b"picture"[..]).unwrap();
        write(&folder, "aaf-train.tar", &tar.into_inner().unwrap());
        let source = open("aaf", folder.path(), None).unwrap();
        assert_eq!(short(&source), [("00001A02.webp", 2.0, 'F')]);
        assert_eq!(source.read(&source.samples[0]).unwrap(), b"picture");
        let error = open("aaf", folder.path(), Some("val")).unwrap_err().to_string();
        assert!(error.contains("aaf-val") && error.contains("aaf-train"), "{error}");
    }

    #[test]
    fn a_picture_is_in_the_same_part_in_every_layout() {
        for (dataset, tar, original) in [
            ("aaf", "00012A20.webp", "All-Age-Faces Dataset/original images/00012A20.jpg"),
            ("utkface", "1_0_0_2016.webp", "UTKFace/1_0_0_2016.jpg.chip.jpg"),
            ("fairface", "train_1.webp", "margin025/train/1.jpg"),
        ] {
            let [tar, original] = [tar, original].map(|file| split_name(dataset, file));
            assert_eq!(stem(&tar), stem(&original), "{dataset}");
        }
        assert_eq!(split_name("cacd", "CACD2000/14_A_0001.jpg"), "14_A_0001.jpg");
    }
}
