//! The inverted bottleneck of MobileNetV2 and EfficientNet in one pass: 1x1 convolution to many channels,
//! depthwise convolution, 1x1 convolution to few, residual.

use pulp::{Simd, WithSimd};

use super::ring::Ring;
use super::{Depthwise, Pointwise, aligned, dispatch};

/// Pixels that are widened or projected together, whole rows: each time all weights pass by, from the far
/// caches where they are many.
const BAND: usize = 24;

/// `project(depthwise(expand(x))) + x`. The wide maps between exist a few rows at a time, in the near caches.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// From the input's channels to the depthwise convolution's; `None` where they are the same.
    expand: Option<Pointwise>,
    depthwise: Depthwise,
    project: Pointwise,
    /// Whether the input is added.
    residual: bool,
}

/// Buffers of [`Bottleneck::run`]. One a thread.
#[derive(Debug, Clone, Default)]
pub struct BottleneckScratch {
    wide: Vec<f32>,
    ring: Vec<f32>,
    band: Vec<f32>,
}

impl Bottleneck {
    /// Of its parts, all padded alike.
    ///
    /// # Panics
    /// If channels don't fit, or a residual is asked for where output and input have different shapes.
    pub fn new(expand: Option<Pointwise>, depthwise: Depthwise, project: Pointwise, residual: bool) -> Self {
        assert!(expand.as_ref().is_none_or(|expand| expand.padded_out() == depthwise.padded()));
        assert_eq!(project.padded_in(), depthwise.padded());
        let block = Self { expand, depthwise, project, residual };
        let window = block.depthwise.window();
        let same = window.stride == 1 && window.padding.iter().sum::<usize>() + 1 == window.kernel;
        assert!(!residual || (same && block.padded_in() == block.padded_out()));
        block
    }

    /// Channels of the input, padding included.
    pub fn padded_in(&self) -> usize {
        self.expand.as_ref().map_or(self.depthwise.padded(), Pointwise::padded_in)
    }

    /// Channels of the output, padding included.
    pub fn padded_out(&self) -> usize {
        self.project.padded_out()
    }

    /// Height and width of the output for an input of that height and width.
    pub fn out(&self, size: [usize; 2]) -> [usize; 2] {
        self.depthwise.window().out(size)
    }

    /// Runs one map of padded channels, `size` its height and width.
    ///
    /// # Panics
    /// If `input` or `out` does not fit the size, or the padding this machine.
    pub fn run(&self, input: &[f32], size: [usize; 2], out: &mut [f32], scratch: &mut BottleneckScratch) {
        let [rows, columns] = self.out(size);
        assert_eq!(input.len(), size[0] * size[1] * self.padded_in());
        assert_eq!(out.len(), rows * columns * self.padded_out());
        dispatch(RunBottleneck { of: self, input, size, out, scratch });
    }
}

struct RunBottleneck<'a> {
    of: &'a Bottleneck,
    input: &'a [f32],
    size: [usize; 2],
    out: &'a mut [f32],
    scratch: &'a mut BottleneckScratch,
}

impl WithSimd for RunBottleneck<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, input, size, out, scratch } = self;
        let Bottleneck { expand, depthwise, project, residual } = of;
        let shape = depthwise.ring(size);
        let mut ring = Ring::new(shape, aligned(&mut scratch.ring, shape.len()));
        let window = depthwise.window();
        let columns = window.out(size)[1];
        let (in_row, wide_row) = (size[1] * of.padded_in(), columns * depthwise.padded());
        // Rows of the input that are widened together, and those that lie ready.
        let together = BAND.div_ceil(size[1]);
        let ring_row = size[1] * depthwise.padded();
        let ahead = aligned(&mut scratch.wide, if together > 1 { together * ring_row } else { 0 });
        let mut ready = 0..0;
        let rows = BAND.div_ceil(columns);
        let band = aligned(&mut scratch.band, rows * wide_row);
        for (i, out) in out.chunks_mut(rows * columns * project.padded_out()).enumerate() {
            let wide = &mut band[..out.len() / (columns * project.padded_out()) * wide_row];
            for (y, wide) in wide.chunks_exact_mut(wide_row).enumerate() {
                let y = i * rows + y;
                while let Some((y, row)) = ring.next(window.stride * y + window.kernel) {
                    let Some(expand) = expand else {
                        row.copy_from_slice(&input[y * in_row..][..in_row]);
                        continue;
                    };
                    if together == 1 {
                        expand.pixels(simd, &input[y * in_row..][..in_row], None, row);
                        continue;
                    }
                    if !ready.contains(&y) {
                        ready = y..(y + together).min(size[0]);
                        let input = &input[y * in_row..ready.end * in_row];
                        expand.pixels(simd, input, None, &mut ahead[..ready.len() * ring_row]);
                    }
                    row.copy_from_slice(&ahead[(y - ready.start) * ring_row..][..ring_row]);
                }
                depthwise.row(simd, &ring, y, wide);
            }
            let shortcut = residual.then(|| &input[i * rows * in_row..][..out.len()]);
            project.pixels(simd, wide, shortcut, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{cases, noise};
    use crate::kernels::{Activation, Window, lanes};

    /// The same by the parts, whose own tests hold them to the definition.
    #[test]
    fn agrees_with_its_parts() {
        let mut scratch = BottleneckScratch::default();
        let all = [
            ([8, 8], [24, 48, 24], 3, 1, true, true),
            ([5, 7], [20, 36, 20], 5, 1, true, true),
            ([16, 16], [16, 96, 24], 3, 2, true, false),
            ([9, 12], [40, 48, 24], 5, 2, true, false),
            ([6, 40], [32, 32, 16], 3, 1, false, false),
        ];
        let few = [
            ([3, 5], [5, 9, 5], 3, 1, true, true),
            ([4, 6], [4, 8, 6], 5, 2, true, false),
            ([3, 7], [8, 8, 4], 3, 1, false, false),
        ];
        for &(size, [channels_in, wide, channels_out], kernel, stride, expands, residual) in cases(&all, &few)
        {
            let n = lanes();
            let window = Window { kernel, stride, padding: [kernel / 2; 2] };
            let expand = expands.then(|| {
                Pointwise::new(&noise(channels_in * wide, 1), &noise(wide, 2), n).activated(Activation::Relu6)
            });
            let (weights, bias) = (noise(kernel * kernel * wide, 3), noise(wide, 4));
            let depthwise = Depthwise::new(window, &weights, &bias, Activation::Relu6, n);
            let project = Pointwise::new(&noise(wide * channels_out, 5), &noise(channels_out, 6), n);
            let block = Bottleneck::new(expand.clone(), depthwise.clone(), project.clone(), residual);

            let [pixels, after] = [size, window.out(size)].map(|[height, width]| height * width);
            let x = noise(pixels * block.padded_in(), 7);
            let mut out = vec![f32::NAN; after * block.padded_out()];
            block.run(&x, size, &mut out, &mut scratch);

            let mut expanded = vec![0.0; pixels * depthwise.padded()];
            match &expand {
                Some(expand) => expand.run(&x, None, &mut expanded),
                None => expanded.copy_from_slice(&x),
            }
            let mut middle = vec![0.0; after * depthwise.padded()];
            depthwise.run(&expanded, size, &mut middle, &mut Vec::new());
            let mut expected = vec![0.0; out.len()];
            project.run(&middle, residual.then_some(x.as_slice()), &mut expected);
            for (a, b) in out.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-4, "{a} {b}");
            }
        }
    }
}
