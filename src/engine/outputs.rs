//! What comes of asking an engine, and when it has to be waited for.
//!
//! On a CPU the answer is there at once. On a graphics device asking and answering are apart: the answer
//! comes by a read-back, a round trip in which nothing else can be done. So all that has been asked for comes
//! with the same read-back, and there is one only when somebody [waits](Outputs::wait) for an answer that is
//! not [here](Outputs::is_here) yet. Nothing else in Mien waits for a device.

use super::EngineError;
#[cfg(feature = "burn")]
use super::gpu::Awaited;

/// Numbers, a row of them for each region that an engine was asked about.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    numbers: Vec<f32>,
    /// Where each row ends.
    ends: Vec<usize>,
    sampling_ms: f64,
    /// Rows that are still to come, behind those that are here.
    #[cfg(feature = "burn")]
    awaited: Vec<Awaited>,
}

impl Outputs {
    /// The numbers of a region, by its place among those asked about; none of one that is not here.
    pub fn row(&self, region: usize) -> &[f32] {
        let Some(&end) = self.ends.get(region) else { return &[] };
        let start = region.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.numbers[start..end]
    }

    /// The numbers of each region that are here.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        (0..self.ends.len()).map(|region| self.row(region))
    }

    /// Milliseconds that cutting the regions out of a picture in memory took.
    pub fn sampling_ms(&self) -> f64 {
        self.sampling_ms
    }

    /// Whether all numbers are here; else they have to be waited for.
    pub fn is_here(&self) -> bool {
        #[cfg(feature = "burn")]
        if self.awaited.iter().any(|awaited| !awaited.is_here()) {
            return false;
        }
        true
    }

    /// Takes in the numbers, by a read-back where they are not here yet, which brings all others that were
    /// asked for as well.
    ///
    /// # Errors
    /// [`EngineError::Lost`]; the numbers never come then.
    #[cfg_attr(not(feature = "burn"), allow(clippy::unused_async))]
    pub async fn wait(&mut self) -> Result<(), EngineError> {
        #[cfg(feature = "burn")]
        for awaited in std::mem::take(&mut self.awaited) {
            awaited.wait().await?;
            awaited.take_in(self)?;
        }
        Ok(())
    }

    /// Forgets all, buffers excepted. What was awaited is not read back for this.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.ends.clear();
        self.sampling_ms = 0.0;
        #[cfg(feature = "burn")]
        self.awaited.clear();
    }

    /// Adds a row: what `fill` appends.
    pub fn push(&mut self, fill: impl FnOnce(&mut Vec<f32>)) {
        fill(&mut self.numbers);
        self.ends.push(self.numbers.len());
    }

    /// Says how long sampling took.
    pub(super) fn sampled(&mut self, milliseconds: f64) {
        self.sampling_ms = milliseconds;
    }

    /// Adds rows that are to be waited for.
    #[cfg(feature = "burn")]
    pub(super) fn await_rows(&mut self, awaited: Awaited) {
        self.awaited.push(awaited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_each_region() {
        let mut outputs = Outputs::default();
        for row in [&[1.0, 2.0][..], &[], &[3.0]] {
            outputs.push(|numbers| numbers.extend(row));
        }
        assert!(outputs.rows().eq([&[1.0, 2.0][..], &[], &[3.0]]));
        assert_eq!((outputs.row(2), outputs.row(3)), (&[3.0][..], &[][..]));
        outputs.clear();
        assert_eq!((outputs.row(0), outputs.rows().count()), (&[][..], 0));
    }
}
