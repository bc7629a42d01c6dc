//! RAF-DB: `Annotation/manual/train_00001_manu_attri.txt` holds five landmarks, a line each, and then gender,
//! race and age group as numbers; the picture is `aligned/train_00001_aligned.jpg` or `original/train_00001.jpg`.
//! Test pictures are named `test_...`.

use std::collections::HashMap;

use super::{DataError, Listing, Tree, choose_split, file_name, stem};
use crate::age::AgeLabel;
use crate::data::labels::{Gender, Rejection, Sample};

pub const LOOKED_FOR: &str =
    "files named train_00001_manu_attri.txt and pictures named train_00001_aligned.jpg or train_00001.jpg";

const ATTRIBUTES: &str = "_manu_attri.txt";

/// First and last year of the age groups.
const GROUPS: [[f32; 2]; 5] = [[0.0, 3.0], [4.0, 19.0], [20.0, 39.0], [40.0, 69.0], [70.0, 99.0]];

const RACES: [&str; 3] = ["Caucasian", "African-American", "Asian"];

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    let texts = || tree.with_extensions(&["txt"]).filter_map(|path| Some((path, name(path)?)));
    let has = |split: &&str| texts().any(|(_, name)| name.starts_with(*split));
    let own: Vec<_> = ["train", "test"].into_iter().filter(has).collect();
    let split = choose_split(tree, "rafdb", &own, split)?;
    let mut pictures: HashMap<&str, &str> = HashMap::new();
    for path in tree.pictures() {
        let name = stem(path).trim_end_matches("_aligned");
        let place = pictures.entry(name).or_insert(path);
        // What is around the face helps the detector: the aligned ones only where there are no others.
        if !stem(path).ends_with("_aligned") {
            *place = path;
        }
    }
    let mut listing = Listing { own_split: split.is_some(), ..Listing::default() };
    for (path, name) in texts().filter(|(_, name)| split.is_none_or(|split| name.starts_with(split))) {
        let path = tree.on_disk(path);
        let text = std::fs::read(&path).map_err(DataError::io(path))?;
        let picture = pictures.get(name).ok_or(Rejection::MissingPicture);
        listing.push(name, picture.and_then(|picture| label(picture, &String::from_utf8_lossy(&text))));
    }
    Ok(listing)
}

/// The picture that a file of attributes is about.
fn name(path: &str) -> Option<&str> {
    file_name(path).strip_suffix(ATTRIBUTES)
}

fn label(picture: &str, text: &str) -> Result<Sample, Rejection> {
    let numbers: Vec<Option<usize>> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| line.parse().ok()).collect();
    let [.., Some(gender), Some(race), Some(age)] = numbers[..] else { return Err(Rejection::MissingField) };
    let gender = match gender {
        0 => Some(Gender::Male),
        1 => Some(Gender::Female),
        // The label's own 'unsure'.
        2 => None,
        _ => return Err(Rejection::UnknownGender),
    };
    let [low, high] = *GROUPS.get(age).ok_or(Rejection::AgeOutOfRange)?;
    let race = RACES.get(race).map(|race| (*race).into());
    Ok(Sample { file: picture.into(), age: AgeLabel::Range(low, high), gender, race, person: None })
}

#[cfg(test)]
mod tests {
    use crate::age::AgeLabel;
    use crate::data::layouts::open;
    use crate::data::layouts::tests::{open_all, short, tree_of, write};

    #[test]
    fn attributes_and_bad_ones() {
        let folder = tree_of(&[
            "basic/Image/aligned/train_00001_aligned.jpg",
            "basic/Image/aligned/train_00002_aligned.jpg",
            "basic/Image/original/train_00002.jpg",
            "basic/Image/aligned/train_00004_aligned.jpg",
            "basic/Image/aligned/train_00005_aligned.jpg",
            "basic/Image/aligned/train_00006_aligned.jpg",
            "basic/Image/aligned/test_0001_aligned.jpg",
            "basic/EmoLabel/list_patition_label.txt",
        ]);
        let landmarks = "55.1\t60.2\r\n".repeat(5);
        let attributes = |name: &str, [gender, race, age]: [&str; 3]| {
            let path = format!("basic/Annotation/manual/{name}_manu_attri.txt");
            write(&folder, &path, format!("{landmarks}{gender}\r\n{race}\r\n{age}\r\n").as_bytes());
        };
        attributes("train_00001", ["0", "2", "1"]);
        attributes("train_00002", ["2", "0", "4"]);
        attributes("train_00003", ["0", "0", "0"]);
        attributes("train_00004", ["0", "0", "7"]);
        attributes("train_00005", ["5", "0", "0"]);
        attributes("train_00006", ["female", "0", "0"]);
        attributes("test_0001", ["1", "1", "0"]);
        let train = open_all("rafdb", &folder, None);
        let expected = [
            ("basic/Image/aligned/train_00001_aligned.jpg", 11.5, 'M'),
            ("basic/Image/original/train_00002.jpg", 84.5, '-'),
        ];
        assert_eq!(short(&train), expected);
        assert_eq!(train.samples[1].age, AgeLabel::Range(70.0, 99.0));
        assert_eq!(train.samples[0].race.as_deref(), Some("Asian"));
        let counts = "1 missing field, 1 age outside 0..100, 1 unknown gender, 1 missing picture";
        assert_eq!(train.rejections.to_string(), counts);
        let test = open_all("rafdb", &folder, Some("test"));
        assert_eq!(short(&test), [("basic/Image/aligned/test_0001_aligned.jpg", 1.5, 'F')]);
        assert!(open("rafdb", folder.path(), Some("valid")).is_err());
    }
}
