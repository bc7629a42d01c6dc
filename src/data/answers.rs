//! Soft answers of a teacher to the crops of prepared data sets, to learn from beside the labels
//! (distillation, Hinton et al. 2015).
//!
//! A safetensors file: for each data set a tensor of its name, `F16` or `F32`, of a row for each crop in the
//! order of `NAME.crops` and 101 columns: the probabilities of the ages 0 to 99, then that of female. Its
//! metadata says for each name the CRC-32 of `NAME.csv`, as 8 hex digits, so that answers never meet the
//! crops of another preparation. The answers should be to the crop's middle without augmentation, best
//! averaged over it and its mirror image.

use std::collections::BTreeMap;

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::crops::Crops;
use crate::net::AGES;

/// Numbers of an answer.
const COLUMNS: usize = AGES + 1;

/// A teacher's answers to the crops of one data set.
#[derive(Debug, Clone)]
pub struct TeacherAnswers(Vec<f16>);

/// What a teacher says of a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TeacherAnswer {
    /// Probability of each age, summing to 1.
    pub ages: [f32; AGES],
    /// Probability of female.
    pub female: f32,
}

impl TeacherAnswers {
    /// The answer to a crop.
    pub fn of(&self, crop: usize) -> TeacherAnswer {
        let row = &self.0[crop * COLUMNS..][..COLUMNS];
        let ages: [f32; AGES] = std::array::from_fn(|age| row[age].to_f32());
        // Half precision rounds.
        let sum: f32 = ages.iter().sum();
        TeacherAnswer { ages: ages.map(|p| p / sum), female: row[AGES].to_f32() }
    }
}

/// The file of a teacher's answers to all crops of `sets`, each in the order of its rows.
///
/// # Errors
/// In words, if there is not one answer for each row.
pub fn file(sets: &[(&Crops, Vec<TeacherAnswer>)]) -> Result<Vec<u8>, String> {
    let mut tensors = Vec::new();
    for (set, answers) in sets {
        if answers.len() != set.rows.len() {
            return Err(format!("{} answers to {} crops of {}", answers.len(), set.rows.len(), set.name));
        }
        let numbers = answers.iter().flat_map(|answer| answer.ages.into_iter().chain([answer.female]));
        let bytes: Vec<u8> = numbers.flat_map(|number| f16::from_f32(number).to_le_bytes()).collect();
        tensors.push((set, bytes));
    }
    let views = tensors.iter().map(|(set, bytes)| {
        let view = TensorView::new(Dtype::F16, vec![set.rows.len(), COLUMNS], bytes);
        Ok((set.name.as_str(), view.map_err(|e| e.to_string())?))
    });
    let views = views.collect::<Result<Vec<_>, String>>()?;
    let checksums = sets.iter().map(|(set, _)| (set.name.clone(), format!("{:08x}", set.checksum)));
    safetensors::serialize(views, Some(checksums.collect())).map_err(|e| e.to_string())
}

/// The answers in a file to the crops of `sets`, in their order.
///
/// # Errors
/// In words, if the file is damaged, lacks a set, belongs to another preparation, or holds what are no
/// probabilities.
pub fn parse<'a>(bytes: &[u8], sets: impl Iterator<Item = &'a Crops>) -> Result<Vec<TeacherAnswers>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let none = BTreeMap::new().into_iter().collect();
    let checksums = metadata.metadata().as_ref().unwrap_or(&none);
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    sets.map(|set| {
        let name = &set.name;
        let tensor = file.tensor(name).map_err(|_| format!("has no answers to {name}"))?;
        let expected = format!("{:08x}", set.checksum);
        let found = checksums.get(name).map_or("none", String::as_str);
        if found != expected {
            return Err(format!("belongs to another {name}.csv (checksum {found}, not {expected})"));
        }
        if tensor.shape() != [set.rows.len(), COLUMNS] {
            let (shape, rows) = (tensor.shape(), set.rows.len());
            return Err(format!("answers {name} with {shape:?} numbers, not [{rows}, {COLUMNS}]"));
        }
        let values: Vec<f16> = match tensor.dtype() {
            Dtype::F16 => tensor.data().as_chunks().0.iter().map(|b| f16::from_le_bytes(*b)).collect(),
            Dtype::F32 => {
                tensor.data().as_chunks().0.iter().map(|b| f16::from_f32(f32::from_le_bytes(*b))).collect()
            }
            other => return Err(format!("holds {other:?}, not F16 or F32")),
        };
        let whole = |row: &[f16]| {
            let sum: f32 = row[..AGES].iter().map(|p| p.to_f32()).sum();
            (sum - 1.0).abs() < 0.05 && row.iter().all(|p| (0.0..=1.001).contains(&p.to_f32()))
        };
        match values.chunks_exact(COLUMNS).position(|row| !whole(row)) {
            Some(row) => Err(format!("what it says of crop {row} of {name} are no probabilities")),
            None => Ok(TeacherAnswers(values)),
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::toy;

    #[test]
    fn answers_are_read_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let crops = Crops::open(folder.path(), "toy").unwrap();
        let file = |checksum: u32, rows: usize, total: f32| {
            let mut values = vec![f16::ZERO; rows * COLUMNS];
            for (i, row) in values.chunks_exact_mut(COLUMNS).enumerate() {
                row[i] = f16::from_f32(total);
                row[AGES] = f16::from_f32(0.25);
            }
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            let tensor = TensorView::new(Dtype::F16, vec![rows, COLUMNS], &bytes).unwrap();
            let metadata = [("toy".to_owned(), format!("{checksum:08x}"))].into_iter().collect();
            safetensors::serialize([("toy", tensor)], Some(metadata)).unwrap()
        };
        let read = |bytes: &[u8]| parse(bytes, [&crops].into_iter());
        let answers = read(&file(crops.checksum, 40, 0.99)).unwrap();
        let answer = answers[0].of(7);
        assert!((answer.ages[7] - 1.0).abs() < 1e-6 && answer.ages[8] == 0.0 && answer.female == 0.25);
        for (bytes, reason) in [
            (file(crops.checksum, 39, 1.0), "not [40, 101]"),
            (file(crops.checksum ^ 1, 40, 1.0), "another toy.csv"),
            (file(crops.checksum, 40, 0.5), "crop 0 of toy"),
            (b"no such file".to_vec(), ""),
        ] {
            assert!(read(&bytes).unwrap_err().contains(reason), "{reason}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let crops = Crops::open(folder.path(), "toy").unwrap();
        let answer = |i: usize| {
            let mut ages = [0.0; AGES];
            (ages[i], ages[i + 1]) = (0.25, 0.75);
            TeacherAnswer { ages, female: i as f32 / 64.0 }
        };
        let answers: Vec<TeacherAnswer> = (0..crops.rows.len()).map(answer).collect();
        let bytes = file(&[(&crops, answers.clone())]).unwrap();
        let read = parse(&bytes, [&crops].into_iter()).unwrap();
        for (i, answer) in answers.iter().enumerate() {
            assert_eq!(read[0].of(i), *answer, "{i}");
        }
        assert!(file(&[(&crops, answers[1..].to_vec())]).unwrap_err().contains("39 answers to 40 crops"));
    }
}
