//! AFAD: `AFAD-Full/<age>/<111 male, 112 female>/109862-0.jpg`.

use super::{DataError, Listing, Tree, choose_split, parse_years};
use crate::data::labels::{Gender, Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures in folders <age>/111 (male) and <age>/112 (female)";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    choose_split(tree, "afad", &[], split)?;
    let mut listing = Listing::default();
    for path in tree.pictures() {
        // Folders are the label here, so equal names in two of them are two pictures.
        listing.push(path, label(path));
    }
    Ok(listing)
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let mut parts = path.rsplit('/').skip(1);
    let (Some(gender), Some(age)) = (parts.next(), parts.next()) else { return Err(Rejection::MissingField) };
    let age = parse_years(age)?;
    let gender = match gender {
        "111" => Gender::Male,
        "112" => Gender::Female,
        _ => return Err(Rejection::UnknownGender),
    };
    Ok(Sample { file: path.into(), age, gender: Some(gender), race: None, person: None })
}

#[cfg(test)]
mod tests {
    use crate::data::layouts::tests::{open_heap, short, tree_of};

    #[test]
    fn folders_and_bad_folders() {
        let folder = tree_of(&[
            "AFAD-Full/15/111/292943-1.jpg",
            "AFAD-Full/72/112/292943-1.jpg",
            "AFAD-Full/72/112/Thumbs.db",
            "AFAD-Full/72/113/1.jpg",
            "AFAD-Full/old/111/1.jpg",
            "AFAD-Full/101/111/1.jpg",
            "logo.png",
        ]);
        let source = open_heap("afad", &folder);
        let expected =
            [("AFAD-Full/15/111/292943-1.jpg", 15.0, 'M'), ("AFAD-Full/72/112/292943-1.jpg", 72.0, 'F')];
        assert_eq!(short(&source), expected);
        assert_eq!(source.rejections.to_string(), "2 missing field, 1 age outside 0..100, 1 unknown gender");
        assert!(super::super::open("afad", folder.path(), Some("val")).is_err());
    }
}
