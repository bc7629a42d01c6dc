//! Which pictures are learned from, chosen by, and tested on: fixed by a hash, so that no run ever draws again.
//!
//! What is hashed is the person where the data set names people, so that the same face is never on two sides,
//! and the picture where it does not.

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by: learning rate, best weights, calibration.
    Validation,
    /// To be read once, when nothing is to be chosen any more.
    Test,
}

/// Whether test pictures have to be taken out of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestPictures {
    /// Its authors, or whoever made its tars, set some aside: the others are for training and validation.
    SetAside,
    /// It is one heap.
    Drawn,
}

/// Share of a data set that is for validation, in percent.
pub const VALIDATION_PERCENT: u32 = 8;

/// Share of a data set that is for testing, in percent, where nobody has set any aside: the study's 80:20.
pub const TEST_PERCENT: u32 = 20;

/// The part that a picture, or all pictures of a person, belong to. Depends on the data set's name and on
/// `name`, and on nothing else. What is for validation is so whether test pictures are drawn or not.
pub fn part(dataset: &str, name: &str, test: TestPictures) -> Part {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(dataset.as_bytes());
    hasher.update(b"/");
    hasher.update(name.as_bytes());
    // Neighbouring names have neighbouring checksums; a multiplication mixes them (Knuth's golden ratio).
    let hash = hasher.finalize().wrapping_mul(2_654_435_769) >> 8;
    match hash % 100 {
        ..VALIDATION_PERCENT => Part::Validation,
        percent if percent >= 100 - TEST_PERCENT && test == TestPictures::Drawn => Part::Test,
        _ => Part::Train,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_met_and_fixed() {
        let names: Vec<String> = (0..20_000).map(|i| format!("{i:05}A{:02}", i % 80)).collect();
        let of = |test, wanted| names.iter().filter(|name| part("aaf", name, test) == wanted).count();
        for test in [TestPictures::SetAside, TestPictures::Drawn] {
            let validation = of(test, Part::Validation);
            assert!((1_480..=1_720).contains(&validation), "{validation}");
            // A change of the hash would leak validation pictures into training between two runs.
            let is_first = |i: &usize| part("aaf", &names[*i], test) == Part::Validation;
            assert_eq!((0..100).filter(is_first).collect::<Vec<_>>(), FIRST);
        }
        assert_eq!(of(TestPictures::SetAside, Part::Test), 0);
        let tested = of(TestPictures::Drawn, Part::Test);
        assert!((3_800..=4_200).contains(&tested), "{tested}");
    }

    const FIRST: [usize; 7] = [16, 26, 45, 63, 64, 74, 90];
}
