//! FG-NET: `images/001A02.JPG` is subject and age; `001A43a.JPG` a further picture at that age. Gender is not
//! labelled.

use super::{DataError, Listing, Tree, choose_split, list_pictures, parse_years, person, stem};
use crate::data::labels::{Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures named 001A02.JPG or 001A43a.JPG";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    choose_split(tree, "fg-net", &[], split)?;
    Ok(list_pictures(tree.pictures(), label))
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let (subject, age) = stem(path).split_once(['A', 'a']).ok_or(Rejection::MissingField)?;
    if subject.parse::<u32>().is_err() {
        return Err(Rejection::MissingField);
    }
    let age = age.strip_suffix(|c: char| c.is_ascii_alphabetic()).unwrap_or(age);
    let person = person("fg-net", path);
    Ok(Sample { file: path.into(), age: parse_years(age)?, gender: None, race: None, person })
}

#[cfg(test)]
mod tests {
    use crate::data::layouts::tests::{open_heap, short, tree_of};

    #[test]
    fn names_and_bad_names() {
        let folder = tree_of(&[
            "images/001A02.JPG",
            "images/001A43a.JPG",
            "images/001a18b.jpg",
            "images/001A.JPG",
            "images/xA02.JPG",
            "images/001.JPG",
            "images/001A43ab.JPG",
            "images/001A430.JPG",
            "points/001a02.pts",
        ]);
        let source = open_heap("fg-net", &folder);
        let expected = [
            ("images/001A02.JPG", 2.0, '-'),
            ("images/001A43a.JPG", 43.0, '-'),
            ("images/001a18b.jpg", 18.0, '-'),
        ];
        assert_eq!(short(&source), expected);
        assert_eq!(source.rejections.to_string(), "4 missing field, 1 age outside 0..100");
    }
}
