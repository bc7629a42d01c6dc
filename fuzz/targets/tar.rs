//! Tars of pictures, with a table beside them that asks for some.

#![no_main]

use std::cell::LazyCell;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mien::data::tars::TarSet;
use mien_fuzz::folder;

/// Names that seeds and dictionary have, too.
const TABLE: &str = "dataset,split,file,age,gender,race\n\
    toy,train,a.webp,7,M,\ntoy,train,b.webp,20-29,F,Asian\ntoy,train,c.webp,more than 70,F,\n";

thread_local! {
    static FOLDER: LazyCell<PathBuf> = LazyCell::new(|| {
        let folder = folder("tar");
        std::fs::write(folder.join("labels.csv"), TABLE).expect("a file in TMPDIR");
        folder
    });
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        std::fs::write(folder.join("toy-train.tar"), bytes).expect("a file in TMPDIR");
        let Ok(set) = TarSet::open(folder, "toy", "train") else { return };
        assert_eq!(set.samples.len() + set.rejections.total(), 3);
        for sample in &set.samples {
            let picture = set.read(sample).expect("the index has whole files only");
            assert!(picture.len() <= bytes.len());
            // And each is a part of the file.
            assert!(picture.is_empty() || bytes.windows(picture.len()).any(|part| part == picture));
        }
    });
});
