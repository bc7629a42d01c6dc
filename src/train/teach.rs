//! What networks answer to prepared crops, for others to learn from.

use rayon::prelude::*;

use crate::data::DataError;
use crate::data::answers::TeacherAnswer;
use crate::data::batch::middle;
use crate::data::crops::Crops;
use crate::engine::cpu::{CpuPlan, CpuScratch, InputMaker};
use crate::net::{AGES, NetworkKind, RawEstimate};
use crate::vision::alignment::SIDE;

/// The mean of all `networks`' answers to every crop of `set` and to its mirror image, in the order of its rows.
///
/// # Errors
/// [`DataError`] if a crop can't be read, or if a network's answer is none, for one of NaN.
pub fn answers(networks: &[(NetworkKind, CpuPlan)], set: &Crops) -> Result<Vec<TeacherAnswer>, DataError> {
    let share = 1.0 / (2 * networks.len()) as f32;
    (0..set.rows.len())
        .into_par_iter()
        .map_init(<(InputMaker, CpuScratch, Vec<f32>)>::default, |(maker, scratch, numbers), row| {
            let crop = middle(&set.read(row)?);
            let mut mean = TeacherAnswer { ages: [0.0; AGES], female: 0.0 };
            for seen in [&mirrored(&crop), &crop] {
                for (kind, plan) in networks {
                    numbers.clear();
                    plan.run(maker.run(*kind, seen), kind.side(), scratch, numbers);
                    let estimate = RawEstimate::from_numbers(numbers).ok_or_else(|| DataError::Table {
                        path: set.rows[row].file.clone().into(),
                        reason: format!("{} has no answer to it", kind.name()),
                    })?;
                    mean.ages
                        .iter_mut()
                        .zip(estimate.age_distribution)
                        .for_each(|(sum, p)| *sum += share * p);
                    mean.female += share * estimate.female;
                }
            }
            Ok(mean)
        })
        .collect()
}

/// A crop, `[SIDE, SIDE, 3]`, with its left side on the right.
fn mirrored(crop: &[u8]) -> Vec<u8> {
    crop.chunks_exact(3 * SIDE)
        .flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::toy;
    use crate::weights::Weights;

    #[test]
    fn a_face_and_its_mirror_image_have_one_answer() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let set = Crops::open(folder.path(), "toy").unwrap();
        let file = include_bytes!("../../model-weights/m-cnn/m-cnn.safetensors");
        let weights = Weights::from_bytes(file).unwrap();
        let plan = || CpuPlan::new(NetworkKind::MCnn.network(), &weights).unwrap();
        let one = answers(&[(NetworkKind::MCnn, plan())], &set).unwrap();
        assert_eq!(one.len(), set.rows.len());
        for answer in &one {
            assert!((answer.ages.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{answer:?}");
        }
        // By hand, of one crop.
        let crop = middle(&set.read(3).unwrap());
        let alone = |crop: &[u8]| {
            let mut numbers = Vec::new();
            let mut maker = InputMaker::default();
            let kind = NetworkKind::MCnn;
            plan().run(maker.run(kind, crop), kind.side(), &mut CpuScratch::default(), &mut numbers);
            RawEstimate::from_numbers(&numbers).unwrap()
        };
        let (plain, turned) = (alone(&crop), alone(&mirrored(&crop)));
        assert!((one[3].female - 0.5 * (plain.female + turned.female)).abs() < 1e-6);
        assert_ne!(crop, mirrored(&crop));
        assert_eq!(crop, mirrored(&mirrored(&crop)));
        // Twice the same network is that network.
        let two = answers(&[(NetworkKind::MCnn, plan()), (NetworkKind::MCnn, plan())], &set).unwrap();
        for (a, b) in one.iter().zip(&two) {
            assert!((a.female - b.female).abs() < 1e-6);
        }
    }
}
