//! A small set of prepared crops, for the tests that train.

use std::fs;
use std::path::Path;

use mien::data::crops::{CROP_LEN, CropRow, paths, write_version};
use mien::data::labels::Gender;
use mien::data::split::Part;

/// Writes `count` flat pictures, four of five to train on.
pub fn write(folder: &Path, name: &str, count: u8) {
    let (crops, table) = paths(folder, name);
    let mut writer = csv::Writer::from_path(table).unwrap();
    let mut bytes = Vec::new();
    for i in 0..count {
        bytes.extend(std::iter::repeat_n(200 / count * i, CROP_LEN));
        let row = CropRow {
            file: format!("{i}.png"),
            rejected: None,
            part: if i % 5 == 4 { Part::Validation } else { Part::Train },
            age_low: f32::from(i),
            age_high: f32::from(i),
            gender: Some(if i % 2 == 0 { Gender::Female } else { Gender::Male }),
            race: None,
        };
        writer.serialize(row).unwrap();
    }
    writer.flush().unwrap();
    fs::write(crops, bytes).unwrap();
    write_version(folder, name).unwrap();
}
