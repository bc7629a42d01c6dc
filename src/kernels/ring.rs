//! The rows under a kernel that goes down a picture.

/// As many rows of a padded picture as a kernel has, each laid down where the oldest one was. Rows and pixels
/// of padding are zeros.
pub(super) struct Ring<'a> {
    buffer: &'a mut [f32],
    /// Rows that it holds.
    kernel: usize,
    /// Rows of the picture.
    height: usize,
    /// Rows of padding above it.
    above: usize,
    /// Floats of padding before a row, in a row, and in a padded row.
    before: usize,
    row: usize,
    padded: usize,
    /// Rows laid down so far, counted from the padding's first.
    ready: usize,
}

/// What a [`Ring`] needs to know of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RingShape {
    /// Rows of the kernel.
    pub kernel: usize,
    /// Rows and pixels in a row of the picture.
    pub size: [usize; 2],
    /// Rows or pixels of zeros before and after it.
    pub padding: [usize; 2],
    /// Floats of a pixel.
    pub channels: usize,
}

impl RingShape {
    fn padded(&self) -> usize {
        (self.padding[0] + self.size[1] + self.padding[1]) * self.channels
    }

    /// Floats that a ring needs.
    pub fn len(&self) -> usize {
        self.kernel * self.padded()
    }
}

impl<'a> Ring<'a> {
    /// With nothing laid down, in `buffer` of [`RingShape::len`] floats.
    pub fn new(shape: RingShape, buffer: &'a mut [f32]) -> Self {
        assert_eq!(buffer.len(), shape.len());
        buffer.fill(0.0);
        let RingShape { kernel, size: [height, width], padding: [above, _], channels } = shape;
        let (before, row, padded) = (above * channels, width * channels, shape.padded());
        Self { buffer, kernel, height, above, before, row, padded, ready: 0 }
    }

    /// The next row of the picture to fill in, and where, as long as one is missing of the padded picture's
    /// first `end`.
    #[inline(always)]
    pub fn next(&mut self, end: usize) -> Option<(usize, &mut [f32])> {
        while self.ready < end {
            let at = self.ready % self.kernel * self.padded + self.before;
            let y = self.ready.wrapping_sub(self.above);
            self.ready += 1;
            if y < self.height {
                return Some((y, &mut self.buffer[at..at + self.row]));
            }
            self.buffer[at..at + self.row].fill(0.0);
        }
        None
    }

    /// Row `y` of the padded picture, one of the last that were laid down.
    #[inline(always)]
    pub fn row(&self, y: usize) -> &[f32] {
        debug_assert!(y < self.ready && y + self.kernel >= self.ready);
        &self.buffer[y % self.kernel * self.padded..][..self.padded]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_within_zeros() {
        let shape = RingShape { kernel: 3, size: [4, 2], padding: [1, 2], channels: 2 };
        let mut buffer = vec![9.0; shape.len()];
        let mut ring = Ring::new(shape, &mut buffer);
        for top in 0..5 {
            while let Some((y, row)) = ring.next(top + 3) {
                row.fill(y as f32 + 1.0);
            }
            for y in top..top + 3 {
                let value = if (1..5).contains(&y) { y as f32 } else { 0.0 };
                let expected = [0.0, 0.0, value, value, value, value, 0.0, 0.0, 0.0, 0.0];
                assert_eq!(ring.row(y), expected, "{y}");
            }
        }
    }
}
