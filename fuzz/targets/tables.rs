//! Tables of labels in every form that there is, of crops, and of labels that are thought wrong.

#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use mien::data::corrections;
use mien::data::crops::read_rows;
use mien::data::labels::Sample;
use mien::data::layouts;
use mien_fuzz::folder;

/// A data set of its authors' layout, and what of it a table says.
struct Layout {
    dataset: &'static str,
    split: Option<&'static str>,
    table: &'static str,
    /// Other files of it.
    beside: &'static [(&'static str, &'static str)],
}

const LAYOUTS: [Layout; 5] = [
    Layout {
        dataset: "fairface",
        split: None,
        table: "fairface_label_train.csv",
        beside: &[("train/1.jpg", ""), ("val/2.jpg", "")],
    },
    Layout {
        dataset: "fairface",
        split: Some("val"),
        table: "fairface_label_val.csv",
        beside: &[("train/1.jpg", ""), ("val/2.jpg", "")],
    },
    Layout {
        dataset: "imdb-wiki",
        split: None,
        table: "imdb_train_new_1024.csv",
        beside: &[("00/a.jpg", ""), ("01/b.jpg", "")],
    },
    Layout {
        dataset: "megaage-asian",
        split: None,
        table: "list/train_name.txt",
        beside: &[("list/train_age.txt", "7\n30\n"), ("train/1.jpg", ""), ("train/2.jpg", "")],
    },
    Layout {
        dataset: "aaf",
        split: Some("train"),
        table: "image sets/train.txt",
        beside: &[("original images/00001A02.jpg", ""), ("original images/07381A30.jpg", "")],
    },
];

thread_local! {
    static FOLDER: LazyCell<PathBuf> = LazyCell::new(|| folder("tables"));
    static LAYOUT_FOLDERS: LazyCell<[PathBuf; LAYOUTS.len()]> = LazyCell::new(|| {
        std::array::from_fn(|index| {
            let folder = folder("tables").join(format!("layout-{index}"));
            for (name, content) in LAYOUTS[index].beside.iter().chain([&(LAYOUTS[index].table, "")]) {
                let path = folder.join(name);
                fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder in TMPDIR");
                fs::write(path, content).expect("a file in TMPDIR");
            }
            folder
        })
    });
    /// labels.csv beside a tar of nothing.
    static TARS: LazyCell<PathBuf> = LazyCell::new(|| {
        let folder = folder("tables").join("tars");
        fs::create_dir_all(&folder).expect("a folder in TMPDIR");
        fs::write(folder.join("toy-train.tar"), include_bytes!("../corpus/tar/two")).expect("a file in TMPDIR");
        folder
    });
}

fuzz_target!(|bytes: &[u8]| {
    let (kind, table) = bytes.split_first().unwrap_or((&0, &[]));
    match kind % 8 {
        0 => TARS.with(|folder| are_labels(folder, "labels.csv", "toy", None, table)),
        1 => FOLDER.with(|folder| are_rows(&folder.join("toy.csv"), table)),
        2 => FOLDER.with(|folder| are_corrections(&folder.join("wrong.csv"), table)),
        layout => {
            let index = usize::from(layout - 3);
            let Layout { dataset, split, table: name, .. } = LAYOUTS[index];
            LAYOUT_FOLDERS.with(|folders| are_labels(&folders[index], name, dataset, split, table));
        }
    }
});

fn are_labels(folder: &Path, name: &str, dataset: &str, split: Option<&str>, table: &[u8]) {
    fs::write(folder.join(name), table).expect("a file in TMPDIR");
    let Ok(source) = layouts::open(dataset, folder, split) else { return };
    // No row of a table is two, and each has a line of its own. (Aaf's pictures are not the table's.)
    let lines = 2 + table.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    let rows = source.samples.len() + source.rejections.total();
    assert!(rows <= lines, "{rows} rows of {lines} lines");
    for sample in &source.samples {
        let Sample { file, age, .. } = sample;
        let (low, high) = age.bounds();
        assert!(0.0 <= low && low <= high && high <= 100.0, "{sample:?}");
        let label: f32 = age.soft_label(2.0).iter().sum();
        assert!((label - 1.0).abs() < 1e-3, "{sample:?}");
        assert!(!layouts::split_name(dataset, file).is_empty(), "{sample:?}");
        source.read(sample).expect("pictures that are not there are left out");
    }
}

fn are_rows(path: &Path, table: &[u8]) {
    fs::write(path, table).expect("a file in TMPDIR");
    let Ok(rows) = read_rows(path) else { return };
    for row in &rows {
        let (low, high) = row.age().bounds();
        assert!(0.0 <= low && low <= high && high <= 100.0, "{row:?}");
    }
    // As a preparation goes on with it.
    let mut writer = csv::Writer::from_path(path).expect("a file in TMPDIR");
    rows.iter()
        .try_for_each(|row| writer.serialize(row))
        .and_then(|()| Ok(writer.flush()?))
        .expect("rows can be written");
    assert_eq!(read_rows(path).expect("and read"), rows);
}

fn are_corrections(path: &Path, table: &[u8]) {
    fs::write(path, table).expect("a file in TMPDIR");
    let Ok(rows) = corrections::read(path) else { return };
    assert!(rows.iter().all(|row| row.weight >= 0.0 && row.weight.is_finite()));
    corrections::write(path, &rows).expect("rows can be written");
    assert_eq!(corrections::read(path).expect("and read"), rows);
}
