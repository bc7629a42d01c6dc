//! From a data set's pictures to aligned crops, once.

use std::fs::OpenOptions;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use rayon::prelude::*;

use super::DataError;
use super::crops::{CROP_LEN, Row, paths, read_rows};
use super::labels::{Refusal, Refusals, Sample};
use super::split::part;
use super::tars::TarSet;
use crate::crop;
use crate::engine::{Detector, EngineError};
use crate::face::{self, Detection, DetectorOptions, Search};
use crate::frame::Frame;
use crate::picture::Picture;
use crate::weights::Weights;

/// Pictures between two writes: what a cut-off run has to do again at most.
const CHUNK: usize = 256;

/// Share of a picture's side added all around before detecting, in black: tight chips show no more than the face, which the
/// detector has not learned to see.
const PADDING: f32 = 0.3;

/// What was kept and what was not.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Crops in the file, those of earlier runs included.
    pub kept: usize,
    /// Pictures and rows left out.
    pub refusals: Refusals,
}

/// Cuts the crops of `set` into `folder/<dataset>.crops` and `.csv`, going on where an earlier run stopped.
///
/// Memory stays bounded: [`CHUNK`] crops at a time. `progress` is told how many pictures are done.
///
/// # Errors
/// [`DataError`] if a file can't be read or written.
pub fn prepare(
    set: &TarSet,
    dataset: &str,
    folder: &Path,
    detector: &Weights,
    progress: impl Fn(usize),
) -> Result<Report, DataError> {
    std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let (crops_path, table_path) = paths(folder, dataset);
    let done = if table_path.exists() { read_rows(&table_path)? } else { Vec::new() };
    let mut report = Report { kept: 0, refusals: set.refusals.clone() };
    for row in &done {
        match row.refused {
            Some(reason) => report.refusals.count(reason),
            None => report.kept += 1,
        }
    }
    let open = |path: &Path| {
        OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(DataError::io(path))
    };
    let mut crops = open(&crops_path)?;
    let table = open(&table_path)?;
    // Half-written ends of a run that was cut off.
    crops.set_len((report.kept * CROP_LEN) as u64).map_err(DataError::io(&crops_path))?;
    crops.seek(SeekFrom::End(0)).map_err(DataError::io(&crops_path))?;
    table.set_len(0).map_err(DataError::io(&table_path))?;
    let mut table = csv::Writer::from_writer(BufWriter::new(table));
    let write_row = |table: &mut csv::Writer<_>, row: &Row| {
        table.serialize(row).map_err(|e| DataError::Table { path: table_path.clone(), reason: e.to_string() })
    };
    for row in &done {
        write_row(&mut table, row)?;
    }
    table.flush().map_err(DataError::io(&table_path))?;

    let mut count = done.len();
    progress(count);
    let finder = || Detector::on_cpu(detector);
    finder().map_err(|e| DataError::Table { path: "the detector".into(), reason: e.to_string() })?;
    for chunk in set.samples.get(count..).unwrap_or_default().chunks(CHUNK) {
        let results: Vec<_> = chunk
            .par_iter()
            .map_init(|| finder().expect("loaded above"), |finder, sample| cut(set, sample, finder))
            .collect();
        for (sample, result) in chunk.iter().zip(&results) {
            let refused = match result {
                Ok(crop) => {
                    crops.write_all(crop).map_err(DataError::io(&crops_path))?;
                    report.kept += 1;
                    None
                }
                Err(reason) => {
                    report.refusals.count(*reason);
                    Some(*reason)
                }
            };
            let (age_low, age_high) = sample.age.bounds();
            let row = Row {
                file: sample.file.clone(),
                refused,
                part: part(dataset, &sample.file),
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
        count += chunk.len();
        progress(count);
    }
    Ok(report)
}

fn cut(set: &TarSet, sample: &Sample, detector: &Detector) -> Result<Vec<u8>, Refusal> {
    let bytes = set.read(sample).map_err(|_| Refusal::UnreadablePicture)?;
    let picture = Picture::decode(&bytes).map_err(|_| Refusal::UnreadablePicture)?;
    let (padded, width, height, border) = picture.frame().padded(PADDING);
    let padded = Frame::new(width, height, &padded).expect("sizes from the padding");
    let faces = face::find(&padded, Search::Refined, &DetectorOptions::default(), |rgb| {
        pollster::block_on(detector.run(rgb))
    });
    let faces = faces.map_err(|_: EngineError| Refusal::NoFace)?;
    let face = labelled_face(&faces)?;
    let alignment = crop::alignment(&face.landmarks).ok_or(Refusal::NoFace)?;
    // Sampled from the picture itself, so that its border is replicated and not the padding's black.
    let alignment = alignment.shifted(-(border as f32), -(border as f32));
    Ok(crop::cut_with_margin(&picture.frame(), &alignment))
}

/// The face that a label speaks of: the only one, or the one whose area is at least twice any other's.
///
/// # Errors
/// [`Refusal::NoFace`] or [`Refusal::SeveralFaces`].
pub fn labelled_face(faces: &[Detection]) -> Result<&Detection, Refusal> {
    let area = |d: &Detection| d.bbox.width * d.bbox.height;
    let largest = faces.iter().max_by(|a, b| area(a).total_cmp(&area(b))).ok_or(Refusal::NoFace)?;
    let rivals = faces.iter().filter(|d| !std::ptr::eq(*d, largest) && 2.0 * area(d) > area(largest)).count();
    if rivals > 0 { Err(Refusal::SeveralFaces) } else { Ok(largest) }
}
