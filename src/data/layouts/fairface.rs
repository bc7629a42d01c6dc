//! FairFace: tables (`fairface_label_train.csv`, ...) with columns file, age, gender, race; the files are
//! `train/1.jpg` and `val/1.jpg`, the ages ranges such as 20-29 and 'more than 70'. All races are read; the
//! shared tar has Asian faces only.

use std::collections::BTreeSet;

use super::{DataError, Listing, Tree, choose_split, read_table};
use crate::data::labels::{Rejection, Sample, parse_age, parse_gender};

pub const LOOKED_FOR: &str =
    "tables with columns file, age, gender, race, and the pictures train/1.jpg, val/1.jpg, ...";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    let mut rows = Vec::new();
    for path in tree.with_extensions(&["csv"]) {
        rows.extend(read_table(&tree.on_disk(path), ["file", "age", "gender", "race"])?.unwrap_or_default());
    }
    // Sorted: train comes before val.
    let own: BTreeSet<String> = rows.iter().filter_map(|[file, ..]| split_of(file)).map(Into::into).collect();
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let split = choose_split(tree, "fairface", &own, split)?;
    let rows = rows.iter().filter(|[file, ..]| split_of(file).is_none() || split_of(file) == split);
    let mut listing = Listing { own_split: split.is_some(), ..Listing::default() };
    listing.push_table(tree, rows.map(label).collect());
    Ok(listing)
}

/// The folder that a file is in, by its name in the table.
fn split_of(file: &str) -> Option<&str> {
    file.split_once('/').map(|(split, _)| split)
}

fn label([file, age, gender, race]: &[String; 4]) -> Result<Sample, Rejection> {
    if split_of(file).is_none() {
        return Err(Rejection::MissingField);
    }
    Ok(Sample {
        file: file.clone(),
        age: parse_age(age)?,
        gender: parse_gender(gender)?,
        race: Some(race.clone()).filter(|race| !race.is_empty()),
        person: None,
    })
}

#[cfg(test)]
mod tests {
    use crate::age::AgeLabel;
    use crate::data::layouts::tests::{open_all, short, tree_of, write};

    #[test]
    fn tables_and_bad_rows() {
        let folder = tree_of(&["margin025/train/1.jpg", "margin025/train/2.jpg", "margin025/val/1.jpg"]);
        write(
            &folder,
            "fairface_label_train.csv",
            b"file,age,gender,race,service_test\ntrain/9.jpg,3-9,Male,Black,True\ntrain/1.jpg,50-59,Male,East Asian,True\n\
              train/2.jpg,more than 70,Female,,False\ntrain/2.jpg,20-29,Female,Indian,False\ntrain/1.jpg,?,Male,White,True\n\
              train/1.jpg,90-120,Male,White,True\ntrain/1.jpg,20-29,Both,White,True\ntrain/1.jpg\n,,,,\n",
        );
        write(
            &folder,
            "labels/val.csv",
            b"file,age,gender,race,service_test\nval/1.jpg,0-2,Female,Indian,False\n",
        );
        write(&folder, "other.csv", b"a,b\n1,2\n");
        let train = open_all("fairface", &folder, None);
        assert_eq!(
            short(&train),
            [("margin025/train/1.jpg", 54.5, 'M'), ("margin025/train/2.jpg", 84.5, 'F')]
        );
        assert_eq!(train.samples[1].age, AgeLabel::Range(70.0, 99.0));
        assert_eq!(train.samples[0].race.as_deref(), Some("East Asian"));
        let counts =
            "3 missing field, 1 age outside 0..100, 1 unknown gender, 1 missing picture, 1 repeated picture";
        assert_eq!(train.rejections.to_string(), counts);
        // The row without a file could be of either.
        assert_eq!(short(&open_all("fairface", &folder, Some("val"))), [("margin025/val/1.jpg", 1.0, 'F')]);
        let error = super::super::open("fairface", folder.path(), Some("test")).unwrap_err().to_string();
        assert!(error.contains("it has train, val"), "{error}");
    }
}
