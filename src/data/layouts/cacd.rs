//! CACD: `CACD2000/53_Robin_Williams_0001.jpg` is age, name and number. Gender is not labelled.

use super::{DataError, Listing, Tree, choose_split, list_pictures, parse_years, person, stem};
use crate::data::labels::{Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures named age_name_number.jpg";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    choose_split(tree, "cacd", &[], split)?;
    Ok(list_pictures(tree.pictures(), label))
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let fields = stem(path).split_once('_').and_then(|(age, rest)| Some((age, rest.rsplit_once('_')?)));
    let (age, (name, number)) = fields.ok_or(Rejection::MissingField)?;
    if name.is_empty() || number.parse::<u32>().is_err() {
        return Err(Rejection::MissingField);
    }
    let person = person("cacd", path);
    Ok(Sample { file: path.into(), age: parse_years(age)?, gender: None, race: None, person })
}

#[cfg(test)]
mod tests {
    use crate::data::layouts::tests::{open_heap, short, tree_of};

    #[test]
    fn names_and_bad_names() {
        let folder = tree_of(&[
            "CACD2000/53_Robin_Williams_0001.jpg",
            "CACD2000/14_X_0002.jpg",
            "CACD2000/14_0002.jpg",
            "CACD2000/Robin_Williams_0001.jpg",
            "CACD2000/53_Robin_Williams.jpg",
            "CACD2000/530_Robin_Williams_0001.jpg",
            "celebrity2000.mat",
        ]);
        let source = open_heap("cacd", &folder);
        let expected =
            [("CACD2000/14_X_0002.jpg", 14.0, '-'), ("CACD2000/53_Robin_Williams_0001.jpg", 53.0, '-')];
        assert_eq!(short(&source), expected);
        assert_eq!(source.rejections.to_string(), "3 missing field, 1 age outside 0..100");
    }
}
