//! All-Age-Faces: `original images/00012A20.jpg` is number and age; numbers up to 07380 are female, the rest
//! male. The same pictures again, aligned, are in a folder whose name is misspelt `aglined faces`.
//! `image sets/train.txt` and `val.txt` have lines `00012A20.jpg 0`.

use std::collections::HashSet;

use super::{DataError, Listing, Tree, choose_split, file_name, list_pictures, parse_years, stem};
use crate::data::labels::{Gender, Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures named 00012A20.jpg";

/// The last number of a woman.
const LAST_FEMALE: u32 = 7380;

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    let lists = |split: &'static str| {
        Some((split, tree.named(&format!("image sets/{split}.txt")).next()?.to_owned()))
    };
    let lists: Vec<_> = ["train", "val"].into_iter().filter_map(lists).collect();
    let own: Vec<_> = lists.iter().map(|(split, _)| *split).collect();
    let names = match choose_split(tree, "aaf", &own, split)? {
        None => None,
        Some(split) => {
            let (_, list) = lists.iter().find(|(name, _)| *name == split).expect("chosen from them");
            let path = tree.on_disk(list);
            let text = std::fs::read_to_string(&path).map_err(DataError::io(&path))?;
            let first = |line: &str| line.split_whitespace().next().map(|name| stem(name).to_owned());
            Some(text.lines().filter_map(first).collect::<HashSet<_>>())
        }
    };
    let wanted = |path: &&str| names.as_ref().is_none_or(|names| names.contains(stem(path)));
    let mut pictures: Vec<_> = tree.pictures().filter(wanted).collect();
    // The aligned ones leave less around the face for the detector: only where there are no others.
    pictures.sort_by_key(|path| path.contains("aglined faces/"));
    let mut listing = list_pictures(pictures.iter().copied(), label);
    listing.own_split = names.is_some();
    let present: HashSet<_> = pictures.iter().map(|path| stem(file_name(path))).collect();
    for _ in names.iter().flatten().filter(|name| !present.contains(name.as_str())) {
        listing.rejections.count(Rejection::MissingPicture);
    }
    Ok(listing)
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let (number, age) = stem(path).split_once('A').ok_or(Rejection::MissingField)?;
    let number: u32 = number.parse().map_err(|_| Rejection::MissingField)?;
    let gender = if number <= LAST_FEMALE { Gender::Female } else { Gender::Male };
    Ok(Sample { file: path.into(), age: parse_years(age)?, gender: Some(gender), race: None, person: None })
}

#[cfg(test)]
mod tests {
    use crate::data::labels::Rejection;
    use crate::data::layouts::tests::{open_all, open_heap, short, tree_of, write};

    #[test]
    fn any_depth_and_bad_names() {
        let folder = tree_of(&[
            "x/y/00000A02.jpg",
            "07380A33.jpg",
            "07381A80.webp",
            "x/00005.jpg",
            "1A.jpg",
            "1A101.jpg",
        ]);
        let source = open_heap("aaf", &folder);
        let expected =
            [("07380A33.jpg", 33.0, 'F'), ("07381A80.webp", 80.0, 'M'), ("x/y/00000A02.jpg", 2.0, 'F')];
        assert_eq!(short(&source), expected);
        assert_eq!(source.rejections.to_string(), "2 missing field, 1 age outside 0..100");
        let error = super::super::open("aaf", folder.path(), Some("val")).unwrap_err().to_string();
        assert!(error.contains("it has train, test and validation"), "{error}");
    }

    #[test]
    fn own_lists_and_both_folders() {
        let folder = tree_of(&[
            "aglined faces/00001A10.jpg",
            "aglined faces/09000A40.jpg",
            "original images/00001A10.jpg",
            "original images/00002A10.jpg",
        ]);
        write(&folder, "image sets/train.txt", b"00001A10.jpg 0\r\n09000A40.jpg 1\n00007A07.jpg 0\n\n");
        write(&folder, "image sets/val.txt", b"00002A10.jpg 0\n");
        let train = open_all("aaf", &folder, None);
        let expected =
            [("original images/00001A10.jpg", 10.0, 'F'), ("aglined faces/09000A40.jpg", 40.0, 'M')];
        assert_eq!(short(&train), expected);
        assert_eq!(train.rejections.of(Rejection::Repeated), 1);
        assert_eq!(train.rejections.of(Rejection::MissingPicture), 1);
        let val = open_all("aaf", &folder, Some("val"));
        assert_eq!(short(&val), [("original images/00002A10.jpg", 10.0, 'F')]);
    }
}
