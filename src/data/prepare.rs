//! From a data set's pictures to aligned crops, once.

use std::fs::OpenOptions;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::DataError;
use super::crops::{CROP_LEN, CropRow, check_version, paths, read_rows, write_version};
use super::labels::{Rejection, Rejections, Sample};
use super::layouts::LabelledPictures;
use crate::engine::cpu::DetectionNetwork;
use crate::engine::{Outputs, Region};
use crate::picture::Pixels;
use crate::vision::{self, Detection, DetectionError, DetectorOptions, Rect, Search, alignment};
use crate::weights::Weights;

/// Pictures between two writes: what a cut-off run has to do again at most.
const CHUNK: usize = 256;

/// What was kept and what was not.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Crops in the file, those of earlier runs included.
    pub kept: usize,
    /// Pictures and rows left out.
    pub rejections: Rejections,
}

/// Cuts the crops of `source` into `folder/<dataset>.crops` and `.csv`, going on where an earlier run
/// stopped.
///
/// Memory stays bounded: beside the labels, 256 crops and a picture a thread at a time. `progress` is told
/// how many pictures are done, from whichever thread did the last.
///
/// # Errors
/// [`DataError`] if a file can't be read or written, or the folder holds the crops of other pictures under
/// that name.
pub fn prepare(
    source: &LabelledPictures,
    dataset: &str,
    folder: &Path,
    detector: &Weights,
    progress: impl Fn(usize) + Sync,
) -> Result<Report, DataError> {
    std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let (crops_path, table_path) = paths(folder, dataset);
    let done = if table_path.exists() { read_rows(&table_path)? } else { Vec::new() };
    if done.is_empty() {
        write_version(folder, dataset)?
    } else {
        check_version(folder, dataset)?
    }
    let mut report = Report { kept: 0, rejections: source.rejections.clone() };
    for (i, row) in done.iter().enumerate() {
        let sample = source.samples.get(i).filter(|sample| sample.file == row.file);
        let wrong = match sample {
            None => Some(format!("is not the input's picture {i}")),
            // Half by one rule and half by another would put people on two sides.
            Some(sample) if source.part(sample) != row.part => Some("is in another part than it was".into()),
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            let reason = format!("{} {wrong}; name another output folder", row.file);
            return Err(DataError::Table { path: table_path, reason });
        }
        match row.rejected {
            Some(reason) => report.rejections.count(reason),
            None => report.kept += 1,
        }
    }
    let open = |path: &Path, len: u64| {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.and_then(|mut file| {
            let found = file.metadata()?.len();
            if found < len {
                let reason =
                    format!("has {found} bytes where its table needs {len}; delete both to begin anew");
                return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, reason));
            }
            // Without the half-written end of a run that was cut off.
            file.set_len(len)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        });
        file.map_err(DataError::io(path))
    };
    let mut crops = open(&crops_path, (report.kept * CROP_LEN) as u64)?;
    let table = open(&table_path, if done.is_empty() { 0 } else { whole_rows(&table_path)? })?;
    let mut table = csv::WriterBuilder::new().has_headers(done.is_empty()).from_writer(BufWriter::new(table));
    let write_row = |table: &mut csv::Writer<_>, row: &CropRow| {
        table.serialize(row).map_err(|e| DataError::Table { path: table_path.clone(), reason: e.to_string() })
    };

    let count = AtomicUsize::new(done.len());
    progress(done.len());
    let finder = || DetectionNetwork::new(detector);
    finder().map_err(|e| DataError::Table { path: "the detector".into(), reason: e.to_string() })?;
    for chunk in source.samples.get(done.len()..).unwrap_or_default().chunks(CHUNK) {
        let results: Vec<_> = chunk
            .par_iter()
            .map_init(
                || finder().expect("loaded above"),
                |finder, sample| {
                    let result = cut(source, sample, finder);
                    progress(count.fetch_add(1, Ordering::Relaxed) + 1);
                    result
                },
            )
            .collect();
        for (sample, result) in chunk.iter().zip(&results) {
            let rejected = match result {
                Ok(crop) => {
                    crops.write_all(crop).map_err(DataError::io(&crops_path))?;
                    report.kept += 1;
                    None
                }
                Err(reason) => {
                    report.rejections.count(*reason);
                    Some(*reason)
                }
            };
            let (age_low, age_high) = sample.age.bounds();
            let row = CropRow {
                file: sample.file.clone(),
                rejected,
                part: source.part(sample),
                age_low,
                age_high,
                gender: sample.gender,
                race: sample.race.clone(),
            };
            write_row(&mut table, &row)?;
        }
        // Crops first: a row promises its crop.
        crops.flush().map_err(DataError::io(&crops_path))?;
        table.flush().map_err(DataError::io(&table_path))?;
    }
    Ok(report)
}

/// Length of a table up to the end of its last whole row.
fn whole_rows(table: &Path) -> Result<u64, DataError> {
    let text = std::fs::read(table).map_err(DataError::io(table))?;
    Ok(text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at as u64 + 1))
}

fn cut(
    source: &LabelledPictures,
    sample: &Sample,
    detector: &mut DetectionNetwork,
) -> Result<Vec<u8>, Rejection> {
    let bytes = source.read(sample).map_err(|_| Rejection::UnreadablePicture)?;
    let picture = Pixels::decode(&bytes).map_err(|_| Rejection::UnreadablePicture)?;
    let frame = picture.frame();
    // Tight chips show no more than the face, which the detector has not learned to see.
    let whole = Rect::whole([frame.width(), frame.height()]).with_border();
    let run = |regions: &[Region], outputs: &mut Outputs| {
        outputs.clear();
        detector.run(&frame, regions, outputs);
        Ok::<_, DetectionError>(())
    };
    let faces = vision::find(whole, Search::Refined, &DetectorOptions::default(), run);
    let faces = faces.map_err(|_| Rejection::NoFace)?;
    let face = labelled_face(&faces)?;
    let alignment = alignment::alignment(&face.landmarks).ok_or(Rejection::NoFace)?;
    let Region { transform, side, border, .. } = alignment::aligned_with_margin(&alignment);
    Ok(frame.sample(&transform, side, side, border))
}

/// The face that a label speaks of: the only one, or the one whose area is at least twice any other's.
///
/// # Errors
/// [`Rejection::NoFace`] or [`Rejection::SeveralFaces`].
pub fn labelled_face(faces: &[Detection]) -> Result<&Detection, Rejection> {
    let area = |d: &Detection| d.bbox.width * d.bbox.height;
    let largest = faces.iter().max_by(|a, b| area(a).total_cmp(&area(b))).ok_or(Rejection::NoFace)?;
    let rivals = faces.iter().filter(|d| !std::ptr::eq(*d, largest) && 2.0 * area(d) > area(largest)).count();
    if rivals > 0 { Err(Rejection::SeveralFaces) } else { Ok(largest) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::crops::Crops;
    use crate::data::layouts::open;
    use crate::vision::alignment::VERSION;

    #[test]
    fn a_run_goes_on_where_it_stopped() {
        let weights =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("model-weights/blazeface/blazeface-short.safetensors");
        let detector = Weights::from_bytes(&std::fs::read(weights).unwrap()).unwrap();
        let input = tempfile::tempdir().unwrap();
        let grey = image::RgbImage::from_pixel(64, 64, image::Rgb([128; 3]));
        // None of whom is for testing.
        for i in [0, 1, 3, 4] {
            grey.save(input.path().join(format!("{i:03}A20.png"))).unwrap();
        }
        std::fs::write(input.path().join("006A20.jpg"), "no picture").unwrap();
        std::fs::write(input.path().join("007A.jpg"), "no age").unwrap();
        let source = open("fg-net", input.path(), None).unwrap();
        let output = tempfile::tempdir().unwrap();
        let highest = AtomicUsize::new(0);
        let run = |source: &LabelledPictures| {
            let progress = |done| _ = highest.fetch_max(done, Ordering::Relaxed);
            prepare(source, "fg-net", output.path(), &detector, progress)
        };
        let whole = run(&source).unwrap();
        assert_eq!((whole.kept, highest.load(Ordering::Relaxed)), (0, 5));
        assert_eq!(whole.rejections.to_string(), "1 missing field, 1 unreadable picture, 4 no face found");

        // Cut off in the middle of a row, with a crop that no row promises.
        let (crops, table) = paths(output.path(), "fg-net");
        let rows = std::fs::read(&table).unwrap();
        std::fs::write(&table, &rows[..rows.len() * 2 / 3]).unwrap();
        std::fs::write(&crops, "half a crop").unwrap();
        assert_eq!(run(&source).unwrap().rejections, whole.rejections);
        assert_eq!(std::fs::read(&table).unwrap(), rows);
        assert_eq!(std::fs::metadata(&crops).unwrap().len(), 0);

        // A row that promises a crop, and no crop: filling up with black would go unnoticed.
        let promised = String::from_utf8(rows.clone()).unwrap().replacen("no-face", "", 1);
        std::fs::write(&table, &promised).unwrap();
        for missing in [false, true] {
            if missing {
                std::fs::remove_file(&crops).unwrap();
            }
            let error = run(&source).unwrap_err().to_string();
            assert!(error.contains("fg-net.crops: has 0 bytes where its table needs 110592"), "{error}");
        }
        std::fs::write(&table, &rows).unwrap();

        // Of another version of the alignment.
        let version = output.path().join("fg-net.version");
        assert_eq!(std::fs::read_to_string(&version).unwrap(), format!("{VERSION}\n"));
        std::fs::write(&version, "0\n").unwrap();
        for error in
            [run(&source).map(drop).unwrap_err(), Crops::open(output.path(), "fg-net").map(drop).unwrap_err()]
        {
            assert!(error.to_string().contains("of version 0"), "{error}");
        }
        // Crops of before there were versions are of the first.
        std::fs::remove_file(&version).unwrap();
        let error = run(&source).map(drop).unwrap_err().to_string();
        assert!(error.contains("of version 1"), "{error}");
        std::fs::write(&version, format!("{VERSION}\n")).unwrap();
        assert!(run(&source).is_ok());

        std::fs::remove_file(input.path().join("001A20.png")).unwrap();
        let error = run(&open("fg-net", input.path(), None).unwrap()).unwrap_err().to_string();
        assert!(error.contains("001A20.png is not the input's picture 1"), "{error}");
        assert_eq!(std::fs::read(&table).unwrap(), rows);
    }
}
