//! UTKFace: `age_gender_race_time.jpg.chip.jpg`, gender 0 male and 1 female. A few names lack a field.
//! Archives hold the same faces in several folders, and the pictures they were cut from under `X.jpg`.

use super::{DataError, Listing, Tree, choose_split, file_name, parse_years, split_name};
use crate::data::labels::{Gender, Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures named age_gender_race_time.jpg or .jpg.chip.jpg";

const RACES: [&str; 5] = ["White", "Black", "Asian", "Indian", "Others"];

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    choose_split(tree, "utkface", &[], split)?;
    let mut listing = Listing::default();
    for path in tree.pictures() {
        listing.push(&split_name("utkface", path), label(path));
    }
    Ok(listing)
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let name = file_name(path).split('.').next().unwrap_or_default();
    let fields: Vec<_> = name.split('_').map(str::trim).collect();
    let [age, gender, race, _time] = fields[..] else { return Err(Rejection::MissingField) };
    let age = parse_years(age)?;
    let gender = match gender {
        "0" => Gender::Male,
        "1" => Gender::Female,
        "" => return Err(Rejection::MissingField),
        _ => return Err(Rejection::UnknownGender),
    };
    let race = race.parse().ok().and_then(|index: usize| RACES.get(index)).ok_or(Rejection::MissingField)?;
    let race = Some((*race).into());
    Ok(Sample { file: path.into(), age, gender: Some(gender), race, person: None })
}

#[cfg(test)]
mod tests {
    use crate::data::layouts::tests::{open_heap, short, tree_of};

    #[test]
    fn names_and_bad_names() {
        let folder = tree_of(&[
            "UTKFace/1_0_2_20161219140623097.jpg.chip.jpg",
            "crop_part1/1_0_2_20161219140623097.jpg.chip.jpg",
            "UTKFace/26_1_4_20170104.jpg",
            "UTKFace/39_1_20170116174525125.jpg.chip.jpg",
            "UTKFace/53__0_20170116184028385.jpg.chip.jpg",
            "UTKFace/116_1_0_20170112.jpg.chip.jpg",
            "UTKFace/30_3_0_20170112.jpg.chip.jpg",
            "UTKFace/30_0_7_20170112.jpg.chip.jpg",
            "UTKFace/Thumbs.db",
        ]);
        let source = open_heap("utkface", &folder);
        let expected = [
            ("UTKFace/1_0_2_20161219140623097.jpg.chip.jpg", 1.0, 'M'),
            ("UTKFace/26_1_4_20170104.jpg", 26.0, 'F'),
        ];
        assert_eq!(short(&source), expected);
        let races: Vec<_> = source.samples.iter().map(|s| s.race.as_deref().unwrap()).collect();
        assert_eq!(races, ["Asian", "Others"]);
        let counts = "3 missing field, 1 age outside 0..100, 1 unknown gender, 1 repeated picture";
        assert_eq!(source.rejections.to_string(), counts);
    }
}
