//! Files of a teacher's answers to crops.

#![no_main]

use std::cell::LazyCell;
use std::fs::File;

use libfuzzer_sys::{Corpus, fuzz_target};
use mien::data::answers::{TeacherAnswer, file, parse};
use mien::data::crops::{CROP_LEN, Crops, write_version};
use mien_fuzz::{TOY_TABLE, folder};

thread_local! {
    static CROPS: LazyCell<Crops> = LazyCell::new(|| {
        let folder = folder("answers");
        std::fs::write(folder.join("toy.csv"), TOY_TABLE).expect("a file in TMPDIR");
        write_version(&folder, "toy").expect("the same");
        let crops = File::create(folder.join("toy.crops")).and_then(|file| file.set_len(2 * CROP_LEN as u64));
        crops.expect("the same");
        Crops::open(&folder, "toy").expect("a prepared data set")
    });
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    CROPS.with(|crops| {
        let crops: &Crops = crops;
        let Ok(answers) = parse(bytes, [crops].into_iter()) else { return };
        let [answers] = &answers[..] else { panic!("one for each set") };
        let rows: Vec<TeacherAnswer> = (0..crops.rows.len()).map(|row| answers.of(row)).collect();
        for TeacherAnswer { ages, female } in &rows {
            let sum: f32 = ages.iter().sum();
            assert!((sum - 1.0).abs() < 1e-3 && ages.iter().all(|p| (0.0..=1.06).contains(p)), "{ages:?}");
            assert!((0.0..=1.001).contains(female), "{female}");
        }
        // They are written as they are read.
        let written = file(&[(crops, rows.clone())]).expect("an answer for each row");
        let again = parse(&written, [crops].into_iter()).expect("what it writes it reads");
        for (row, answer) in rows.iter().enumerate() {
            let again = again[0].of(row);
            let off = answer.ages.iter().zip(&again.ages).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-3 && (answer.female - again.female).abs() < 1e-3, "{off}");
        }
    });
    Corpus::Keep
});
