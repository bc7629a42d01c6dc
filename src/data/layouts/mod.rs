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
//! | `mufac` | file names: person, gender by role in the family, age group |
//! | `rafdb` | a text file a picture: age group, gender, race |
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
mod mufac;
mod rafdb;
mod tree;
mod utkface;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::DataError;
use super::labels::{Rejection, Rejections, Sample, parse_age};
use super::split::{self, Part, TestPictures};
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
    dataset: String,
    test: TestPictures,
    pictures: Pictures,
}

#[derive(Debug)]
enum Pictures {
    Tar(TarSet),
    /// Samples are named by their path below this folder.
    Folder(PathBuf),
}

impl LabelledPictures {
    fn of_tar(mut set: TarSet, dataset: &str) -> Self {
        let (samples, rejections) = (std::mem::take(&mut set.samples), std::mem::take(&mut set.rejections));
        let (dataset, test) = (dataset.into(), TestPictures::SetAside);
        Self { samples, rejections, dataset, test, pictures: Pictures::Tar(set) }
    }

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

    /// The part that a sample belongs to: with all others of the same person, where people are named.
    pub fn part(&self, sample: &Sample) -> Part {
        match &sample.person {
            Some(person) => split::part(&self.dataset, person, self.test),
            None => split::part(&self.dataset, &split_name(&self.dataset, &sample.file), self.test),
        }
    }

    fn keep(&mut self, wanted: impl Fn(Part) -> bool) {
        let samples = std::mem::take(&mut self.samples);
        self.samples = samples.into_iter().filter(|sample| wanted(self.part(sample))).collect();
    }
}

/// The split that is always there: the part of the training split that nothing is learned from.
pub const VALIDATION: &str = "validation";

/// Opens a data set in the folder `input`.
///
/// `split` is one of the data set's own (tars: as in `labels.csv`), of which the first is for training and
/// taken without one; or [`VALIDATION`]. Where the data set draws no line itself, it has a `train` and a
/// `test` by [`split::part`].
///
/// # Errors
/// [`DataError::NotRecognised`] if the folder holds neither tars nor the data set's own layout, with what was
/// looked for; [`DataError::NoSuchSet`] if there is no such split; [`DataError`] if a table or folder can't
/// be read.
pub fn open(dataset: &str, input: &Path, split: Option<&str>) -> Result<LabelledPictures, DataError> {
    std::fs::metadata(input).map_err(DataError::io(input))?;
    let own = split.filter(|split| *split != VALIDATION);
    let mut pictures = if input.join("labels.csv").is_file() {
        LabelledPictures::of_tar(TarSet::open(input, dataset, own.unwrap_or(TRAIN))?, dataset)
    } else {
        open_folder(dataset, input, own)?
    };
    if split == Some(VALIDATION) {
        pictures.keep(|part| part == Part::Validation);
    }
    Ok(pictures)
}

fn open_folder(dataset: &str, input: &Path, split: Option<&str>) -> Result<LabelledPictures, DataError> {
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
    let Listing { samples, rejections, own_split, .. } = (layout.list)(&tree, split)?;
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
    let test = if own_split { TestPictures::SetAside } else { TestPictures::Drawn };
    let (dataset, pictures) = (dataset.into(), Pictures::Folder(input.into()));
    let mut pictures = LabelledPictures { samples, rejections, dataset, test, pictures };
    if test == TestPictures::Drawn {
        pictures.keep(|part| (part == Part::Test) == (split == Some(TEST)));
    }
    Ok(pictures)
}

/// The name by which [`split::part`] knows a picture of nobody in particular: the same whether it comes from a
/// tar or from the original's folders, and however it is encoded.
pub fn split_name(dataset: &str, file: &str) -> String {
    let stem = stem(file);
    match dataset {
        // train/1.jpg is train_1.webp in the tar.
        "fairface" => match folder(file) {
            "" => stem.into(),
            folder => format!("{}_{stem}", file_name(folder)),
        },
        // A face's chip, its chip re-encoded, and the picture it was cut from: X.jpg.chip.jpg, X.webp, X.jpg.
        "utkface" => stem.split('.').next().unwrap_or(stem).into(),
        // Aligned, as in the tar, or not.
        "rafdb" => format!("{}_aligned", stem.trim_end_matches("_aligned")),
        _ => stem.into(),
    }
}

/// Who is on a picture, of the data sets that say so in its name.
pub fn person(dataset: &str, file: &str) -> Option<String> {
    let stem = stem(file);
    let person = match dataset {
        // 53_Robin_Williams_0001
        "cacd" => stem.split_once('_')?.1.rsplit_once('_')?.0.into(),
        // 001A02
        "fg-net" => stem.split_once(['A', 'a'])?.0.into(),
        // nm0000001_rm124825600_1899-5-10_1968 of the one part, 10000217_1981-05-05_2009 of the other
        "imdb-wiki" => stem.split_once('_')?.0.into(),
        // F0001_AGE_D_18_a1: family and role in it
        "mufac" => {
            let mut fields = stem.split('_');
            format!("{}_{}", fields.next()?, fields.nth(1)?)
        }
        _ => return None,
    };
    Some(person).filter(|person: &String| !person.is_empty())
}

/// How a data set's own layout is read.
struct Layout {
    dataset: &'static str,
    /// For the error message.
    looked_for: &'static str,
    list: fn(&Tree, Option<&str>) -> Result<Listing, DataError>,
}

const LAYOUTS: [Layout; 10] = [
    Layout { dataset: "aaf", looked_for: aaf::LOOKED_FOR, list: aaf::list },
    Layout { dataset: "utkface", looked_for: utkface::LOOKED_FOR, list: utkface::list },
    Layout { dataset: "fairface", looked_for: fairface::LOOKED_FOR, list: fairface::list },
    Layout { dataset: "afad", looked_for: afad::LOOKED_FOR, list: afad::list },
    Layout { dataset: "imdb-wiki", looked_for: imdb_wiki::LOOKED_FOR, list: imdb_wiki::list },
    Layout { dataset: "cacd", looked_for: cacd::LOOKED_FOR, list: cacd::list },
    Layout { dataset: "fg-net", looked_for: fg_net::LOOKED_FOR, list: fg_net::list },
    Layout { dataset: "megaage-asian", looked_for: megaage_asian::LOOKED_FOR, list: megaage_asian::list },
    Layout { dataset: "mufac", looked_for: mufac::LOOKED_FOR, list: mufac::list },
    Layout { dataset: "rafdb", looked_for: rafdb::LOOKED_FOR, list: rafdb::list },
];

/// What a layout found.
#[derive(Debug, Default)]
struct Listing {
    samples: Vec<Sample>,
    rejections: Rejections,
    seen: HashSet<String>,
    /// Whether they are a split that the data set has itself.
    own_split: bool,
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

/// What is asked for where a data set has no splits of its own.
const TRAIN: &str = "train";
const TEST: &str = "test";

/// The split to read: the one asked for, else the data set's first; `None` if it has none of its own.
fn choose_split<'a>(
    tree: &Tree,
    dataset: &str,
    own: &[&'a str],
    asked: Option<&str>,
) -> Result<Option<&'a str>, DataError> {
    let Some(asked) = asked else { return Ok(own.first().copied()) };
    if own.is_empty() && [TRAIN, TEST].contains(&asked) {
        return Ok(None);
    }
    match own.iter().find(|name| **name == asked) {
        Some(name) => Ok(Some(name)),
        None => Err(DataError::NoSuchSet {
            path: tree.folder().into(),
            dataset: dataset.into(),
            split: asked.into(),
            present: if own.is_empty() { [TRAIN, TEST].join(", ") } else { own.join(", ") }
                + " and validation",
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

    /// All of a data set that has no splits of its own, sorted by their files.
    pub(super) fn open_heap(dataset: &str, folder: &tempfile::TempDir) -> LabelledPictures {
        let mut heap = open_all(dataset, folder, None);
        heap.samples.extend(open_all(dataset, folder, Some(TEST)).samples);
        heap.samples.sort_by(|a, b| a.file.cmp(&b.file));
        heap
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

    /// Names of the form that tells who is on them: `count` people, each several times.
    fn of_people(dataset: &str, count: usize) -> Vec<String> {
        let names = |person: usize| match dataset {
            "cacd" => [14, 30].map(|age| format!("CACD2000/{age}_Some_{person}_{age:04}.jpg")),
            "fg-net" => [2, 31].map(|age| format!("images/{person:03}A{age:02}.JPG")),
            "mufac" => [1, 2].map(|picture| format!("F{person:04}_AGE_M_40_e{picture}.jpg")),
            _ => unreachable!(),
        };
        (0..count).flat_map(names).collect()
    }

    #[test]
    fn a_heap_is_split_80_to_20_and_nobody_is_on_two_sides() {
        for dataset in ["cacd", "fg-net", "mufac"] {
            let files = of_people(dataset, 400);
            let folder = tree_of(&files.iter().map(String::as_str).collect::<Vec<_>>());
            let [learned, tested] = [None, Some("test")].map(|split| open_all(dataset, &folder, split));
            let validation = open_all(dataset, &folder, Some(VALIDATION));
            // Two pictures of each, and both in one part.
            let mut parts = std::collections::HashMap::new();
            let tests = tested.samples.iter().map(|sample| (sample, Part::Test));
            for (sample, part) in learned.samples.iter().map(|s| (s, learned.part(s))).chain(tests) {
                let person = sample.person.as_ref().expect("named");
                assert_eq!(*parts.entry(person).or_insert(part), part, "{dataset} {person}");
            }
            assert_eq!((parts.len(), learned.samples.len() + tested.samples.len()), (400, 800));
            assert!((120..=200).contains(&tested.samples.len()), "{}", tested.samples.len());
            assert!((40..=90).contains(&validation.samples.len()), "{}", validation.samples.len());
            assert!(validation.samples.iter().all(|sample| learned.samples.contains(sample)));
            assert_eq!(short(&open_all(dataset, &folder, Some("train"))), short(&learned));
            let error = open(dataset, folder.path(), Some("val")).unwrap_err().to_string();
            assert!(error.contains("it has train, test and validation"), "{error}");
        }
    }

    #[test]
    fn a_picture_is_in_the_same_part_in_every_layout() {
        for (dataset, tar, original) in [
            ("aaf", "00012A20.webp", "All-Age-Faces Dataset/original images/00012A20.jpg"),
            ("utkface", "1_0_0_2016.webp", "UTKFace/1_0_0_2016.jpg.chip.jpg"),
            ("fairface", "train_1.webp", "margin025/train/1.jpg"),
            ("rafdb", "train_00001_aligned.webp", "basic/Image/original/train_00001.jpg"),
        ] {
            let [tar, original] = [tar, original].map(|file| split_name(dataset, file));
            assert_eq!(stem(&tar), stem(&original), "{dataset}");
        }
        assert_eq!(split_name("cacd", "CACD2000/14_A_0001.jpg"), "14_A_0001");
    }
}
