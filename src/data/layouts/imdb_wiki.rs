//! IMDB-WIKI: `imdb.mat` and `wiki.mat`, each beside folders 00 to 99 of pictures; or imdb-clean, which
//! corrects the labels of the IMDB part and has tables `imdb_train_new_1024.csv`, `..._valid_...`,
//! `..._test_...`.
//!
//! With the `.mat` files: age is the year taken minus the birth date, at the middle of that year, since no
//! more than the year is known. Pictures without a face (face score minus infinity) or with a second one are
//! left out: there the label is a guess.

use std::fs::File;
use std::io::BufReader;

use super::mat::{Column, read_struct};
use super::{DataError, Listing, Tree, choose_split, file_name, folder, person, read_table};
use crate::age::AgeLabel;
use crate::data::labels::{Gender, Rejection, Sample, parse_age, parse_gender};

pub const LOOKED_FOR: &str = "imdb.mat or wiki.mat beside folders 00 to 99 of pictures, or imdb-clean's tables with columns \
                              filename, age, gender";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    let mut listing = Listing::default();
    let mut tables = Vec::new();
    for path in tree.with_extensions(&["csv"]) {
        if let Some(rows) = read_table(&tree.on_disk(path), ["filename", "age", "gender"])? {
            tables.push((path, rows));
        }
    }
    if tables.is_empty() {
        choose_split(tree, "imdb-wiki", &[], split)?;
        for variable in ["imdb", "wiki"] {
            for path in tree.named(&format!("{variable}.mat")) {
                let rows = read_mat(tree, path, variable)?;
                listing.push_table(tree, rows);
            }
        }
        return Ok(listing);
    }
    let of_split = |path: &str, split: &str| file_name(path).contains(split);
    let has = |split: &&str| tables.iter().any(|(path, _)| of_split(path, split));
    let own: Vec<_> = ["train", "valid", "test"].into_iter().filter(has).collect();
    let split = choose_split(tree, "imdb-wiki", &own, split)?;
    listing.own_split = split.is_some();
    for (_, rows) in tables.iter().filter(|(path, _)| split.is_none_or(|split| of_split(path, split))) {
        listing.push_table(tree, rows.iter().map(clean_label).collect());
    }
    Ok(listing)
}

fn clean_label([file, age, gender]: &[String; 3]) -> Result<Sample, Rejection> {
    if file.is_empty() {
        return Err(Rejection::MissingField);
    }
    let (age, gender) = (parse_age(age)?, parse_gender(gender)?);
    Ok(Sample { file: file.clone(), age, gender, race: None, person: person("imdb-wiki", file) })
}

fn read_mat(tree: &Tree, path: &str, variable: &str) -> Result<Vec<Result<Sample, Rejection>>, DataError> {
    const NUMBERS: [&str; 5] = ["dob", "photo_taken", "gender", "face_score", "second_face_score"];
    let on_disk = tree.on_disk(path);
    let bad = |reason: String| DataError::Table { path: on_disk.clone(), reason };
    let file = BufReader::new(File::open(&on_disk).map_err(DataError::io(&on_disk))?);
    let fields: Vec<_> = NUMBERS.into_iter().chain(["full_path", "name"]).collect();
    let mut columns = read_struct(file, variable, &fields).map_err(|e| bad(e.to_string()))?;
    let Some(Column::Texts(paths)) = columns.remove("full_path") else {
        return Err(bad("full_path is missing or no text".into()));
    };
    let mut numbers = Vec::new();
    for name in NUMBERS {
        match columns.remove(name) {
            Some(Column::Numbers(values)) if values.len() == paths.len() => numbers.push(values),
            _ => return Err(bad(format!("{name} is missing, no numbers, or not as long as full_path"))),
        }
    }
    // The same people are in both tables, by other numbers.
    let names = match columns.remove("name") {
        Some(Column::Texts(names)) if names.len() == paths.len() => names,
        _ => Vec::new(),
    };
    let name =
        |row: usize| names.get(row).map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let beside = folder(path);
    let slash = if beside.is_empty() { "" } else { "/" };
    let row = |(i, file): (usize, &String)| {
        let [born, taken, gender, score, second] = std::array::from_fn(|column| numbers[column][i]);
        label(file, born, taken, gender, score, second).map(|sample| {
            let person = name(i).or(sample.person);
            Sample { file: format!("{beside}{slash}{file}"), person, ..sample }
        })
    };
    Ok(paths.iter().enumerate().map(row).collect())
}

fn label(
    file: &str,
    born: f64,
    taken: f64,
    gender: f64,
    score: f64,
    second: f64,
) -> Result<Sample, Rejection> {
    if file.is_empty() {
        return Err(Rejection::MissingField);
    }
    if !score.is_finite() {
        return Err(Rejection::NoFace);
    }
    if !second.is_nan() {
        return Err(Rejection::SeveralFaces);
    }
    let age = age_at_mid_year(born, taken).ok_or(Rejection::MissingField)?;
    if !(0.0..=100.0).contains(&age) {
        return Err(Rejection::AgeOutOfRange);
    }
    let gender = match gender {
        0.0 => Some(Gender::Female),
        1.0 => Some(Gender::Male),
        unknown if unknown.is_nan() => None,
        _ => return Err(Rejection::UnknownGender),
    };
    let person = person("imdb-wiki", file);
    Ok(Sample { file: file.into(), age: AgeLabel::Exact(age as f32), gender, race: None, person })
}

/// Whole years from a birth day, in MATLAB's count of days from the year 0, to the end of June of the year
/// `taken`.
fn age_at_mid_year(born: f64, taken: f64) -> Option<f64> {
    if !born.is_finite() || !taken.is_finite() || born < 1.0 || taken < 1.0 {
        return None;
    }
    // Days of the mean Gregorian year; MATLAB's day 1 is January 1st of the year 0, a leap year.
    const YEAR: f64 = 365.2425;
    let first_of = |year: f64| {
        let before = year - 1.0;
        // Leap days of the years 1 to `before`, and 366 days of the year 0.
        year * 365.0 + (before / 4.0).floor() - (before / 100.0).floor() + (before / 400.0).floor() + 2.0
    };
    let day = born.floor();
    let guess = ((day - 1.0) / YEAR).floor();
    let year = [guess + 1.0, guess, guess - 1.0].into_iter().find(|year| first_of(*year) <= day)?;
    let leap = first_of(year + 1.0) - first_of(year) > 365.5;
    // Day 0 is January 1st; July 1st is day 181, or 182 in a leap year.
    let later_half = day - first_of(year) >= if leap { 182.0 } else { 181.0 };
    Some(taken.floor() - year - f64::from(later_half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::layouts::open;
    use crate::data::layouts::tests::{open_all, open_heap, short, tree_of, write};

    /// Rows of wiki.mat that are samples, in the order of their files.
    const PEOPLE: [usize; 3] = [3, 9, 1];
    const WIKI: &[u8] = include_bytes!("testdata/wiki.mat");

    #[test]
    fn mat_rows_and_bad_rows() {
        let pictures = [
            "17/a.jpg",
            "12/c.jpg",
            "12/é.jpg",
            "12/noface.jpg",
            "12/two.jpg",
            "12/old.jpg",
            "12/gender.jpg",
            "12/unborn.jpg",
        ];
        let folder =
            tree_of(&pictures.map(|path| ["wiki_crop", path].join("/")).each_ref().map(String::as_str));
        write(&folder, "wiki_crop/wiki.mat", WIKI);
        let source = open_heap("imdb-wiki", &folder);
        let expected = [
            ("wiki_crop/12/c.jpg", 29.0, '-'),
            ("wiki_crop/12/é.jpg", 30.0, 'F'),
            ("wiki_crop/17/a.jpg", 28.0, 'M'),
        ];
        assert_eq!(short(&source), expected);
        let counts = "2 missing field, 1 age outside 0..100, 1 unknown gender, 1 missing picture, 1 no face found, \
                      1 several faces of the same size";
        assert_eq!(source.rejections.to_string(), counts);
        // Named in the table, the first as x, the third as xxx, ...
        let people: Vec<_> =
            source.samples.iter().map(|sample| sample.person.clone().unwrap().len()).collect();
        assert_eq!(people, PEOPLE);
        assert!(open("imdb-wiki", folder.path(), Some("valid")).is_err());
        // The folder itself, and not only the one above.
        let inside =
            |split| open("imdb-wiki", &folder.path().join("wiki_crop"), split).unwrap().samples.len();
        assert_eq!(inside(None) + inside(Some("test")), 3);
        write(&folder, "wiki_crop/wiki.mat", &WIKI[..WIKI.len() / 2]);
        let error = open("imdb-wiki", folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("wiki.mat"), "{error}");
    }

    #[test]
    fn clean_tables_and_bad_rows() {
        let folder = tree_of(&[
            "imdb-clean-1024/imdb-clean-1024/06/1.jpg",
            "imdb-clean-1024/imdb-clean-1024/06/2.jpg",
        ]);
        write(
            &folder,
            "csvs/imdb_train_new_1024.csv",
            b"filename,age,gender,x_min\n06/1.jpg,44,M,1\n06/9.jpg,44,M,1\n,44,M,1\n06/2.jpg,144,M,1\n06/2.jpg,,M,1\n\
              06/2.jpg,14,Q,1\n",
        );
        write(&folder, "csvs/imdb_test_new_1024.csv", b"filename,age,gender,x_min\n06/2.jpg,30,F,1\n");
        let train = open_all("imdb-wiki", &folder, None);
        assert_eq!(short(&train), [("imdb-clean-1024/imdb-clean-1024/06/1.jpg", 44.0, 'M')]);
        let counts = "2 missing field, 1 age outside 0..100, 1 unknown gender, 1 missing picture";
        assert_eq!(train.rejections.to_string(), counts);
        let test = open_all("imdb-wiki", &folder, Some("test"));
        assert_eq!(short(&test), [("imdb-clean-1024/imdb-clean-1024/06/2.jpg", 30.0, 'F')]);
    }

    #[test]
    fn ages_around_the_turn_of_the_year_half() {
        // MATLAB's datenum(1970, 1, 1).
        let day = 719_529.0;
        assert_eq!(age_at_mid_year(day, 2000.0), Some(30.0));
        assert_eq!(age_at_mid_year(day - 1.0, 2000.0), Some(30.0)); // 1969-12-31
        assert_eq!(age_at_mid_year(day + 180.7, 2000.0), Some(30.0)); // 1970-06-30
        assert_eq!(age_at_mid_year(day + 181.0, 2000.0), Some(29.0)); // 1970-07-01
        assert_eq!(age_at_mid_year(730_667.0, 2010.0), Some(10.0)); // 2000-06-30, in a leap year
        assert_eq!(age_at_mid_year(730_668.0, 2010.0), Some(9.0)); // 2000-07-01
        assert_eq!(age_at_mid_year(47.0, 2008.0), Some(2008.0));
        assert_eq!(age_at_mid_year(f64::NAN, 2008.0), None);
        assert_eq!(age_at_mid_year(day, 0.0), None);
    }
}
