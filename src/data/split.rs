//! Which pictures are for validation: fixed by a hash of the name, so that no run ever draws again.

/// A part of the training pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose by: learning rate, best weights, calibration.
    Validation,
}

/// Share of a data set's training pictures that are for validation, in percent.
pub const VALIDATION_PERCENT: u32 = 8;

/// The part that a picture belongs to. Depends on the data set's name and the file's name without its
/// extension (the same picture may come re-encoded), and on nothing else.
pub fn part(dataset: &str, file: &str) -> Part {
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(dataset.as_bytes());
    hasher.update(b"/");
    hasher.update(stem.as_bytes());
    // Neighbouring names have neighbouring checksums; a multiplication mixes them (Knuth's golden ratio).
    let hash = hasher.finalize().wrapping_mul(2_654_435_769) >> 8;
    if hash % 100 < VALIDATION_PERCENT { Part::Validation } else { Part::Train }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_met_and_fixed() {
        let names: Vec<String> = (0..20_000).map(|i| format!("{i:05}A{:02}.webp", i % 80)).collect();
        let validation = names.iter().filter(|n| part("aaf", n) == Part::Validation).count();
        assert!((1_480..=1_720).contains(&validation), "{validation}");
        // A change of the hash would leak validation pictures into training between two runs.
        let first: Vec<usize> = (0..100).filter(|i| part("aaf", &names[*i]) == Part::Validation).collect();
        assert_eq!(first, FIRST);
        assert_eq!(part("aaf", "00012A20.webp"), part("aaf", "00012A20.jpg"));
    }

    const FIRST: [usize; 7] = [16, 26, 45, 63, 64, 74, 90];
}
