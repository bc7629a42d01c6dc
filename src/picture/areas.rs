//! Shrinking by averaging areas.

use std::ops::Range;

use super::{Border, Frame, SampleBuffers, Similarity};

/// Means of so many numbers whose sum fits 16 bits: division by multiplication, exact (Granlund & Montgomery
/// 1994, section 4).
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundedMean {
    half: u32,
    inverse: u64,
    shift: u32,
}

impl RoundedMean {
    /// Of 1 to 256.
    pub(super) fn of(count: usize) -> Self {
        let count = count as u32;
        let shift = 16 + count.next_power_of_two().ilog2();
        Self { half: count / 2, inverse: (1u64 << shift).div_ceil(u64::from(count)), shift }
    }

    /// Of bytes with that sum, rounded.
    #[inline(always)]
    pub(super) fn round(self, sum: u32) -> u8 {
        ((u64::from(sum + self.half) * self.inverse) >> self.shift) as u8
    }
}

impl Frame<'_> {
    /// The blocks of `factor` x `factor` pixels that a cut needs: their columns and rows, of which the frame
    /// has at least one each.
    pub(super) fn blocks_under(
        &self,
        transform: &Similarity,
        [width, height]: [usize; 2],
        factor: usize,
    ) -> (Range<usize>, Range<usize>) {
        let [right, bottom] = [width as f32, height as f32];
        let corners =
            [[0.0, 0.0], [right, 0.0], [0.0, bottom], [right, bottom]].map(|corner| transform.apply(corner));
        let range = |axis: usize, len: usize| {
            let blocks = len.div_ceil(factor);
            let places = corners.iter().map(|corner| corner[axis] / factor as f32);
            let low = places.clone().fold(f32::INFINITY, f32::min);
            let high = places.fold(f32::NEG_INFINITY, f32::max);
            // One more on either side to interpolate with. What is negative becomes 0.
            let first = ((low - 1.0).floor() as usize).min(blocks - 1);
            first..((high + 1.0).ceil() as usize).clamp(first + 1, blocks)
        };
        (range(0, self.width), range(1, self.height))
    }

    /// The means of blocks of `factor` x `factor` pixels, at most 16, in those columns and rows of blocks:
    /// RGBA, appended to `out`.
    pub(super) fn reduce(
        &self,
        factor: usize,
        [columns, rows]: [&Range<usize>; 2],
        border: Border,
        sums: &mut Vec<u16>,
        out: &mut Vec<u8>,
    ) {
        let (left, right) = (columns.start * factor, (columns.end * factor).min(self.width));
        let mean = RoundedMean::of(factor * factor);
        sums.clear();
        sums.reserve(self.width * 4);
        sums.resize((right - left) * 4, 0);
        for row in rows.clone() {
            sums.fill(0);
            for y in row * factor..(row + 1) * factor {
                if y >= self.height && border == Border::Black {
                    break;
                }
                let row = self.row(y.min(self.height - 1), left..right).as_flattened();
                for (sum, byte) in sums.iter_mut().zip(row) {
                    *sum += u16::from(*byte);
                }
            }
            for block in sums.as_chunks::<4>().0.chunks(factor) {
                let mut sum = [0; 4];
                for pixel in block {
                    for c in 0..4 {
                        sum[c] += pixel[c];
                    }
                }
                if border == Border::Replicate {
                    // Beyond the edge.
                    let last = block[block.len() - 1];
                    for c in 0..4 {
                        sum[c] += last[c] * (factor - block.len()) as u16;
                    }
                }
                out.extend(sum.map(|sum| mean.round(u32::from(sum))));
            }
        }
    }

    /// Shrinks without turning: each output pixel is the mean of the frame's pixels under it, those cut by
    /// its edge in part.
    pub(super) fn average_areas(
        &self,
        transform: &Similarity,
        [width, height]: [usize; 2],
        border: Border,
        SampleBuffers { columns, rows, sums, .. }: &mut SampleBuffers,
        out: &mut [u8],
    ) {
        columns.lay_out([transform.tx, transform.a], width, self.width, border);
        rows.lay_out([transform.ty, transform.a], height, self.height, border);
        // Only the columns that count.
        let left = columns.iter().next().map_or(0, |(from, _)| from);
        let right = columns.iter().last().map_or(0, |(from, weights)| from + weights.len());
        sums.clear();
        sums.reserve(self.width * 4);
        sums.resize((right - left) * 4, 0);
        for ((top, row_weights), out) in rows.iter().zip(out.chunks_exact_mut(width * 3)) {
            // Down the columns first: whole rows at a time, as they lie in memory. A sum of bytes is at most
            // 255 * WHOLE.
            sums.fill(0);
            for (i, weight) in row_weights.iter().enumerate() {
                let row = &self.rgba[((top + i) * self.width + left) * 4..][..sums.len()];
                for (sum, byte) in sums.iter_mut().zip(row) {
                    *sum += u16::from(*byte) * weight;
                }
            }
            for ((from, weights), out) in columns.iter().zip(out.as_chunks_mut().0) {
                let mut sum = [HALF; 4];
                for (pixel, weight) in sums.as_chunks::<4>().0[from - left..].iter().zip(weights) {
                    for c in 0..4 {
                        sum[c] += u32::from(pixel[c]) * u32::from(*weight);
                    }
                }
                let [r, g, b, _] = sum.map(|s| (s / (WHOLE * WHOLE)) as u8);
                *out = [r, g, b];
            }
        }
    }
}

/// By how much a frame is made smaller before places in it are sampled: as far as at least one of its pixels
/// is left for each of the cut's.
pub(super) fn reduction(scale: f32) -> usize {
    // A hundredth below a whole factor is near enough.
    ((scale + 0.01) as usize).clamp(1, 16)
}

/// What the weights of one output pixel sum to, along an axis. Bytes times this still fit 16 bits, of which a
/// vector holds twice as many as of 32.
const WHOLE: u32 = 256;

/// Half of a level, in the square of it.
const HALF: u32 = WHOLE * WHOLE / 2;

/// For each output pixel along one axis, the first input pixel that counts and the weights from there on,
/// which sum to [`WHOLE`] where all of it lies inside.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans {
    /// First input pixel, and where its weights end; they begin where those before end.
    spans: Vec<(usize, usize)>,
    weights: Vec<u16>,
}

impl Spans {
    /// For `count` output pixels over an input of `len`. Output pixel i covers `start + i * scale` to `start
    /// + (i + 1) * scale`.
    fn lay_out(&mut self, [start, scale]: [f32; 2], count: usize, len: usize, border: Border) {
        // In f64: a shift of thousands of pixels leaves too few digits behind the point otherwise.
        let (start, scale, last) = (f64::from(start), f64::from(scale), len as f64);
        self.spans.clear();
        self.weights.clear();
        // Every input pixel, and those at the output pixels' edges twice.
        self.weights.reserve(len + 2 * count);
        for i in 0..count {
            let (low, high) = (start + i as f64 * scale, start + (i + 1) as f64 * scale);
            let (first, end) = (low.clamp(0.0, last), high.clamp(0.0, last));
            let from = (first.floor() as usize).min(len - 1);
            let to = (end.ceil() as usize).clamp(from + 1, len);
            // Rounded so that what is left over goes to the next one, and the sum is right.
            let (mut sum, mut given) = (0.0, 0);
            for p in from..to {
                let mut covered = (((p + 1) as f64).min(end) - (p as f64).max(first)).max(0.0);
                if border == Border::Replicate {
                    // What lies outside shows the edge.
                    if p == from {
                        covered += (high.min(0.0) - low).max(0.0);
                    }
                    if p + 1 == to {
                        covered += (high - low.max(last)).max(0.0);
                    }
                }
                sum += covered / scale;
                let due = (sum * f64::from(WHOLE)).round() as u16;
                self.weights.push(due - given);
                given = due;
            }
            self.spans.push((from, self.weights.len()));
        }
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u16])> {
        let mut begin = 0;
        self.spans
            .iter()
            .map(move |&(from, end)| (from, &self.weights[std::mem::replace(&mut begin, end)..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_exact() {
        for count in (1..=16).map(|side| side * side) {
            let mean = RoundedMean::of(count);
            let count = count as u32;
            for sum in 0..=255 * count {
                assert_eq!(u32::from(mean.round(sum)), (sum + count / 2) / count, "{sum} / {count}");
            }
        }
    }

    #[test]
    fn blocks_are_averaged_and_the_last_ones_cut() {
        let rgba: Vec<u8> = (0..15).flat_map(|i| [10 * i, 100, i, 255]).collect();
        let frame = Frame::new(5, 3, &rgba).unwrap();
        let reduce = |border| {
            let mut out = Vec::new();
            frame.reduce(2, [&(1..3), &(0..2)], border, &mut Vec::new(), &mut out);
            out.as_chunks::<4>().0.iter().map(|p| p[0]).collect::<Vec<_>>()
        };
        // Columns 2 and 3, then 4 alone; rows 0 and 1, then 2 alone.
        assert_eq!(reduce(Border::Replicate), [50, 65, 125, 140]);
        assert_eq!(reduce(Border::Black), [50, 33, 63, 35]);
    }
}
