//! A prepared data set for tests.

use std::path::Path;

use super::batch::Dataset;
use super::crops::{CROP_LEN, CropRow, Crops, paths, write_version};
use super::labels::Gender;
use super::split::Part;

/// Writes 40 flat pictures whose brightness tells the age and whose colour tells the gender; 32 are to train
/// on.
pub fn write(folder: &Path, name: &str) {
    let (crops, table) = paths(folder, name);
    let mut writer = csv::Writer::from_path(table).unwrap();
    let mut bytes = Vec::new();
    for i in 0..40u8 {
        let female = i % 2 == 0;
        let level = 5 * i;
        let pixel = if female { [level, level, 30] } else { [30, level, level] };
        bytes.extend(pixel.into_iter().cycle().take(CROP_LEN));
        let row = CropRow {
            file: format!("{i}.png"),
            rejected: None,
            part: if i % 5 == 4 { Part::Validation } else { Part::Train },
            age_low: f32::from(i),
            age_high: f32::from(i),
            gender: Some(if female { Gender::Female } else { Gender::Male }),
            race: None,
        };
        writer.serialize(row).unwrap();
    }
    writer.flush().unwrap();
    write_version(folder, name).unwrap();
    std::fs::write(crops, bytes).unwrap();
}

/// Writes black pictures of exact ages and genders (whether female), all to train on, named 0.png, 1.png and
/// so on.
pub fn write_labels(folder: &Path, name: &str, people: impl Iterator<Item = (f32, bool)>) {
    let (crops, table) = paths(folder, name);
    let mut writer = csv::Writer::from_path(table).unwrap();
    let mut count = 0;
    for (i, (age, female)) in people.enumerate() {
        let row = CropRow {
            file: format!("{i}.png"),
            rejected: None,
            part: Part::Train,
            age_low: age,
            age_high: age,
            gender: Some(if female { Gender::Female } else { Gender::Male }),
            race: None,
        };
        writer.serialize(row).unwrap();
        count += 1;
    }
    writer.flush().unwrap();
    write_version(folder, name).unwrap();
    // Nothing is written: the system reads zeros.
    std::fs::File::create(crops).unwrap().set_len(count * CROP_LEN as u64).unwrap();
}

/// Its two parts.
pub fn open(folder: &Path, name: &str) -> (Dataset, Dataset) {
    let open = |part| Dataset::new(vec![Crops::open(folder, name).unwrap()], part);
    (open(Part::Train), open(Part::Validation))
}
