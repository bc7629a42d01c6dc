//! MegaAge-Asian: `list/train_name.txt` and `list/train_age.txt` side by side, a line a picture, with the
//! pictures in `train/`; and the same for `test`. Gender is not labelled.

use super::{DataError, Listing, Tree, choose_split, folder, parse_years};
use crate::data::labels::{Rejection, Sample};

pub const LOOKED_FOR: &str = "list/train_name.txt, list/train_age.txt and the pictures train/1.jpg, ...";

pub fn list(tree: &Tree, split: Option<&str>) -> Result<Listing, DataError> {
    let lists = |split: &'static str| Some((split, tree.named(&format!("{split}_name.txt")).next()?));
    let lists: Vec<_> = ["train", "test"].into_iter().filter_map(lists).collect();
    let own: Vec<_> = lists.iter().map(|(split, _)| *split).collect();
    let split = choose_split(tree, "megaage-asian", &own, split)?;
    let mut listing = Listing { own_split: split.is_some(), ..Listing::default() };
    let Some((split, list)) = lists.iter().find(|(name, _)| Some(*name) == split) else { return Ok(listing) };
    let read = |path: &str| {
        let path = tree.on_disk(path);
        std::fs::read_to_string(&path).map_err(DataError::io(path))
    };
    let beside = folder(list);
    let slash = if beside.is_empty() { "" } else { "/" };
    let (names, ages) = (read(list)?, read(&format!("{beside}{slash}{split}_age.txt"))?);
    let (names, ages): (Vec<_>, Vec<_>) =
        (names.trim_end().lines().collect(), ages.trim_end().lines().collect());
    if names.len() != ages.len() {
        // From some line on every age would be somebody else's.
        let reason = format!("{} names but {} ages beside it", names.len(), ages.len());
        return Err(DataError::Table { path: tree.on_disk(list), reason });
    }
    let rows = names.iter().zip(ages).map(|(name, age)| label(split, name.trim(), age.trim()));
    listing.push_table(tree, rows.collect());
    Ok(listing)
}

fn label(split: &str, name: &str, age: &str) -> Result<Sample, Rejection> {
    if name.is_empty() {
        return Err(Rejection::MissingField);
    }
    let file = format!("{split}/{name}");
    Ok(Sample { file, age: parse_years(age)?, gender: None, race: None, person: None })
}

#[cfg(test)]
mod tests {
    use crate::data::layouts::open;
    use crate::data::layouts::tests::{open_all, short, tree_of, write};

    #[test]
    fn lists_and_bad_lines() {
        let folder = tree_of(&["m/train/1.jpg", "m/train/2.jpg", "m/train/4.jpg", "m/test/1.jpg"]);
        write(&folder, "m/list/train_name.txt", b"1.jpg\r\n2.jpg\n3.jpg\n4.jpg\n\n4.jpg\n2.jpg\n");
        write(&folder, "m/list/train_age.txt", b"10\n20\n30\nforty\n50\n110\n21\n");
        write(&folder, "m/list/test_name.txt", b"1.jpg\n");
        write(&folder, "m/list/test_age.txt", b"5\n");
        let train = open_all("megaage-asian", &folder, None);
        assert_eq!(short(&train), [("m/train/1.jpg", 10.0, '-'), ("m/train/2.jpg", 20.0, '-')]);
        let counts = "2 missing field, 1 age outside 0..100, 1 missing picture, 1 repeated picture";
        assert_eq!(train.rejections.to_string(), counts);
        let test = open_all("megaage-asian", &folder, Some("test"));
        assert_eq!(short(&test), [("m/test/1.jpg", 5.0, '-')]);

        write(&folder, "m/list/test_age.txt", b"5\n6\n");
        let error = open("megaage-asian", folder.path(), Some("test")).unwrap_err().to_string();
        assert!(error.contains("1 names but 2 ages"), "{error}");
    }
}
