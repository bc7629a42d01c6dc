//! MUFAC: `F0001_AGE_D_18_a1.jpg` is family, role in it, age when the pictures were collected, and the group of
//! ages that the picture is of, with a number where there are several. Roles of women and girls are D, M and
//! GM (daughter, mother, grandmother), of men and boys S, F and GF; a number tells several apart.

use super::{DataError, Listing, Tree, choose_split, list_pictures, parse_years, person, stem};
use crate::age::AgeLabel;
use crate::data::labels::{Gender, Rejection, Sample};

pub const LOOKED_FOR: &str = "pictures named F0001_AGE_D_18_a1.jpg";

/// First and last year of the groups a to h.
const GROUPS: [[f32; 2]; 8] = [
    [0.0, 6.0],
    [7.0, 12.0],
    [13.0, 19.0],
    [20.0, 30.0],
    [31.0, 45.0],
    [46.0, 55.0],
    [56.0, 66.0],
    [67.0, 80.0],
];

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    choose_split(tree, "mufac", &[], split)?;
    Ok(list_pictures(tree.pictures(), label))
}

fn label(path: &str) -> Result<Sample, Rejection> {
    let fields: Vec<&str> = stem(path).split('_').collect();
    let [family, "AGE", role, collected, group] = fields[..] else { return Err(Rejection::MissingField) };
    if !family.starts_with('F') {
        return Err(Rejection::MissingField);
    }
    let gender = match role.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "D" | "M" | "GM" => Gender::Female,
        "S" | "F" | "GF" => Gender::Male,
        _ => return Err(Rejection::UnknownGender),
    };
    let group = group.bytes().next().map(|letter| usize::from(letter.wrapping_sub(b'a')));
    let [low, high] = *group.and_then(|group| GROUPS.get(group)).ok_or(Rejection::MissingField)?;
    // Nobody was older on a picture than when it was collected.
    let (_, collected) = parse_years(collected)?.bounds();
    if collected < low {
        return Err(Rejection::AgeOutOfRange);
    }
    let age = AgeLabel::Range(low, high.min(collected));
    let person = person("mufac", path);
    Ok(Sample { file: path.into(), age, gender: Some(gender), race: Some("Korean".into()), person })
}

#[cfg(test)]
mod tests {
    use crate::age::AgeLabel;
    use crate::data::layouts::tests::{open_heap, short, tree_of};

    #[test]
    fn names_and_bad_names() {
        let folder = tree_of(&[
            "a/F0001_AGE_D_18_a1.jpg",
            "a/F0001_AGE_GF2_70_h1.jpg",
            "a/F0002_AGE_M_40_e2.jpg",
            "a/F0001_AGE_X_18_a1.jpg",
            "a/F0001_AGE_D_18_x1.jpg",
            "a/F0001_AGE_D_18_e1.jpg",
            "a/F0001_D_18_a1.jpg",
            "a/G0001_AGE_D_18_a1.jpg",
            "b/F0001_AGE_D_18_a1.jpg",
        ]);
        let source = open_heap("mufac", &folder);
        let (low, high) = (AgeLabel::Range(0.0, 6.0), AgeLabel::Range(67.0, 70.0));
        let people: Vec<_> = source.samples.iter().map(|s| (s.person.as_deref().unwrap(), s.age)).collect();
        // The first folder's, and none older than when they were collected.
        assert_eq!(people, [("F0001_D", low), ("F0001_GF2", high), ("F0002_M", AgeLabel::Range(31.0, 40.0))]);
        assert_eq!(short(&source).iter().map(|(_, _, gender)| gender).collect::<String>(), "FMF");
        assert_eq!(source.rejections.to_string(), COUNTS);
    }

    const COUNTS: &str = "3 missing field, 1 age outside 0..100, 1 unknown gender, 1 repeated picture";
}
