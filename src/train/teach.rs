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
    (0..set.rows.len())
        .into_par_iter()
        .map_init(Buffers::default, |buffers, row| {
            let crop = middle(&set.read(row)?);
            answer(networks, &crop, buffers).map_err(|name| DataError::Table {
                path: set.rows[row].file.clone().into(),
                reason: format!("{name} has no answer to it"),
            })
        })
        .collect()
}

/// What each thread needs.
type Buffers = (InputMaker, CpuScratch, Vec<f32>);

/// The same of one crop, `[SIDE, SIDE, 3]`; or the name of a network that has no answer.
fn answer(
    networks: &[(NetworkKind, CpuPlan)],
    crop: &[u8],
    (maker, scratch, numbers): &mut Buffers,
) -> Result<TeacherAnswer, &'static str> {
    let share = 1.0 / (2 * networks.len()) as f32;
    let mut mean = TeacherAnswer { ages: [0.0; AGES], female: 0.0 };
    for seen in [crop, &mirrored(crop)] {
        for (kind, plan) in networks {
            numbers.clear();
            plan.run(maker.run(*kind, seen), kind.side(), scratch, numbers);
            let estimate = RawEstimate::from_numbers(numbers).ok_or(kind.name())?;
            mean.ages.iter_mut().zip(estimate.age_distribution).for_each(|(sum, p)| *sum += share * p);
            mean.female += share * estimate.female;
        }
    }
    Ok(mean)
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

    fn network() -> (NetworkKind, CpuPlan) {
        let file = include_bytes!("../../model-weights/m-cnn/m-cnn.safetensors");
        let weights = Weights::from_bytes(file).unwrap();
        (NetworkKind::MCnn, CpuPlan::new(NetworkKind::MCnn.network(), &weights).unwrap())
    }

    #[test]
    fn a_crop_and_its_mirror_image_have_one_answer() {
        // Darker to the right.
        let row = (0..SIDE).flat_map(|x| [(220 - x) as u8, (200 - x) as u8, 90]);
        let crop: Vec<u8> = row.collect::<Vec<_>>().repeat(SIDE);
        let turned = mirrored(&crop);
        assert_eq!(turned[..3], crop[3 * (SIDE - 1)..][..3]);
        let alone = |crop: &[u8]| {
            let ((kind, plan), mut numbers) = (network(), Vec::new());
            let mut maker = InputMaker::default();
            plan.run(maker.run(kind, crop), kind.side(), &mut CpuScratch::default(), &mut numbers);
            RawEstimate::from_numbers(&numbers).unwrap().female
        };
        let both = [&crop, &turned].map(|crop| alone(crop));
        assert!((both[0] - both[1]).abs() > 1e-5, "{both:?}");
        for crop in [&crop, &turned] {
            // Twice the same network is that network.
            for networks in [vec![network()], vec![network(), network()]] {
                let answer = answer(&networks, crop, &mut Buffers::default()).unwrap();
                assert!((answer.female - 0.5 * (both[0] + both[1])).abs() < 1e-6, "{both:?} {answer:?}");
                assert!((answer.ages.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{answer:?}");
            }
        }
    }

    #[test]
    fn every_row_has_an_answer() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let set = Crops::open(folder.path(), "toy").unwrap();
        let answers = answers(&[network()], &set).unwrap();
        assert_eq!(answers.len(), set.rows.len());
        let expected = answer(&[network()], &middle(&set.read(3).unwrap()), &mut Buffers::default());
        assert_eq!(answers[3], expected.unwrap());
    }
}
