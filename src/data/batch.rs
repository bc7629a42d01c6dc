//! Crops and labels of one step, as tensors.

use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::DataError;
use super::augment::Augmentation;
use super::crops::{Crops, Row};
use super::split::Part;
use crate::engine::cpu::network_input;
use crate::model::{AGES, NetworkKind};
use crate::vision::alignment::{MARGIN, SIDE, STORED_SIDE};

/// Several prepared data sets as one, of one part.
#[derive(Debug)]
pub struct Dataset {
    sets: Vec<Crops>,
    /// Set and row of each picture.
    places: Vec<(usize, usize)>,
}

/// What a batch is trained towards. N faces.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Soft label of each age, `[N, 100]`.
    pub age_label: Tensor<2>,
    /// First year of the label, `[N]`.
    pub age_low: Tensor<1>,
    /// Last year, `[N]`.
    pub age_high: Tensor<1>,
    /// 1 at the class of the gender (male, female), 0 in both where it is not known, `[N, 2]`.
    pub gender: Tensor<2>,
}

impl Dataset {
    /// The pictures of `sets` that belong to `part`.
    pub fn new(sets: Vec<Crops>, part: Part) -> Self {
        let places = sets
            .iter()
            .enumerate()
            .flat_map(|(s, set)| {
                let rows = set.rows.iter().enumerate().filter(move |(_, row)| row.part == part);
                rows.map(move |(r, _)| (s, r))
            })
            .collect();
        Self { sets, places }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Label of a picture.
    pub fn row(&self, index: usize) -> &Row {
        let (set, row) = self.places[index];
        &self.sets[set].rows[row]
    }

    /// The stored crop of a picture, with its margin.
    ///
    /// # Errors
    /// [`DataError`] if it can't be read.
    pub fn stored(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let (set, row) = self.places[index];
        self.sets[set].read(row)
    }

    /// The pictures at `indices` as network inputs `[N, crops, side, side, 3]`.
    ///
    /// `augmentation` is the kind of random change and a seed; picture i of a run changes the same way whatever batch it is in.
    ///
    /// # Errors
    /// [`DataError`] if a crop can't be read.
    pub fn inputs(
        &self,
        kind: NetworkKind,
        indices: &[usize],
        augmentation: Option<(&Augmentation, u64)>,
        device: &Device,
    ) -> Result<Tensor<5>, DataError> {
        let mut values = vec![0.0; indices.len() * kind.input_len()];
        values.par_chunks_exact_mut(kind.input_len()).zip(indices).try_for_each(|(out, index)| {
            let stored = self.stored(*index)?;
            let crop = match augmentation {
                Some((change, seed)) => {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    rng.set_stream(*index as u64);
                    change.apply(&stored, &mut rng)
                }
                None => middle(&stored),
            };
            out.copy_from_slice(&network_input(kind, &crop));
            Ok(())
        })?;
        let shape = [indices.len(), kind.crops(), kind.side(), kind.side(), 3];
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Their labels, with soft labels of gap `gap`.
    pub fn targets(&self, indices: &[usize], gap: f32, device: &Device) -> Targets {
        targets(indices.iter().map(|i| self.row(*i)), gap, device)
    }
}

/// Labels as tensors.
pub fn targets<'a>(rows: impl Iterator<Item = &'a Row>, gap: f32, device: &Device) -> Targets {
    let (mut labels, mut lows, mut highs, mut genders) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        labels.extend(row.age().soft_label(gap));
        lows.push(row.age_low);
        highs.push(row.age_high);
        let mut gender = [0.0f32; 2];
        if let Some(known) = row.gender {
            gender[known.class()] = 1.0;
        }
        genders.extend(gender);
    }
    let n = lows.len();
    let one = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [n]), device);
    Targets {
        age_label: Tensor::from_data(TensorData::new(labels, [n, AGES]), device),
        age_low: one(lows),
        age_high: one(highs),
        gender: Tensor::from_data(TensorData::new(genders, [n, 2]), device),
    }
}

/// A stored crop without its margin.
pub fn middle(stored: &[u8]) -> Vec<u8> {
    (0..SIDE)
        .flat_map(|y| &stored[((y + MARGIN) * STORED_SIDE + MARGIN) * 3..][..SIDE * 3])
        .copied()
        .collect()
}
