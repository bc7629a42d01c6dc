//! 3x3 convolution by Winograd's method F(4x4, 3x3).
//!
//! A tile of 4x4 outputs reads 6x6 inputs. Seen as polynomials, the one-dimensional convolution is a product;
//! it is taken at the six points 0, 1, -1, 2, -2 and infinity, in both directions, and a product of points
//! costs one multiplication for each pair of channels: 36 for a tile, where the definition has 144. To and
//! from the points lead short sums of whole vectors. (Lavin and Gray 2015, "Fast Algorithms for Convolutional
//! Neural Networks", whose matrices these are.)
//!
//! Values at the points are larger than those that they stand for, so that rounding weighs more
//! than by the definition. The tests say how much.

use pulp::{Simd, WithSimd};

use super::product::Product;
use super::training::add_sums;
use super::{Activation, ConvShape, aligned, dispatch, load, store};

/// Outputs of a tile in one direction.
const TILE: usize = 4;
/// Inputs of a tile in one direction, and points.
const POINTS: usize = TILE + 2;
const AREA: usize = POINTS * POINTS;
/// Tiles that go through together: enough to fill the registers with at every vector length and to read the
/// weights rarely, few enough for their points to stay in the second-nearest cache.
const GROUP: usize = 24;
/// Floats between the points of a group, so that the points of one tile do not all fall on the same few lines
/// of the cache.
const GAP: usize = 16;

/// From a kernel's three weights to its points.
const KERNEL_POINTS: [[f64; 3]; POINTS] = [
    [1.0 / 4.0, 0.0, 0.0],
    [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
    [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
    [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
    [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// The point at 1 in both directions. A constant polynomial is itself there and nothing at the others, so the
/// bias is added here.
const BIAS_POINT: usize = POINTS + 1;

/// From six neighbouring inputs to their points.
#[inline(always)]
fn input_points<S: Simd>(simd: S, d: [S::f32s; POINTS]) -> [S::f32s; POINTS] {
    let (two, four) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0));
    let minus_four = simd.splat_f32s(-4.0);
    let even = simd.mul_add_e_f32s(minus_four, d[2], d[4]);
    let odd = simd.mul_add_e_f32s(minus_four, d[1], d[3]);
    let outer = simd.sub_f32s(d[4], d[2]);
    let inner = simd.sub_f32s(d[3], d[1]);
    let twice = simd.mul_f32s(two, inner);
    [
        simd.mul_add_e_f32s(four, simd.sub_f32s(d[0], d[2]), outer),
        simd.add_f32s(even, odd),
        simd.sub_f32s(even, odd),
        simd.add_f32s(outer, twice),
        simd.sub_f32s(outer, twice),
        simd.mul_add_e_f32s(minus_four, inner, simd.sub_f32s(d[5], d[3])),
    ]
}

/// From the six points of a product to four outputs.
#[inline(always)]
fn outputs<S: Simd>(simd: S, m: [S::f32s; POINTS]) -> [S::f32s; TILE] {
    let (two, four, eight) = (simd.splat_f32s(2.0), simd.splat_f32s(4.0), simd.splat_f32s(8.0));
    let (near, near_difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
    let (far, far_difference) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
    [
        simd.add_f32s(simd.add_f32s(m[0], near), far),
        simd.mul_add_e_f32s(two, far_difference, near_difference),
        simd.mul_add_e_f32s(four, far, near),
        simd.mul_add_e_f32s(eight, far_difference, simd.add_f32s(near_difference, m[5])),
    ]
}

/// A 3x3 convolution at stride 1, of many channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Winograd {
    shape: ConvShape,
    /// `[36][in][out]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    zeros: Vec<f32>,
}

impl Winograd {
    /// Lays out a kernel `[out][in][3][3]` and its bias `[out]`.
    ///
    /// # Panics
    /// If a length does not fit the shape, or [`Winograd::serves`] says no.
    pub fn new(shape: ConvShape, kernel: &[f32], bias: &[f32]) -> Self {
        shape.check();
        assert!(Self::serves(&shape));
        assert_eq!([kernel.len(), bias.len()], [shape.weight_len(), shape.channels_out]);
        let (ci, co) = (shape.channels_in, shape.channels_out);
        let mut weights = vec![0.0; AREA * ci * co];
        for (at, kernel) in kernel.chunks_exact(9).enumerate() {
            let (o, i) = (at / ci, at % ci);
            let rows = KERNEL_POINTS.map(|along| {
                [0, 1, 2].map(|y| (0..3).map(|x| along[x] * f64::from(kernel[3 * y + x])).sum::<f64>())
            });
            for (point, weights) in weights.chunks_exact_mut(ci * co).enumerate() {
                let (down, rows) = (KERNEL_POINTS[point / POINTS], rows[point % POINTS]);
                weights[i * co + o] = (0..3).map(|y| down[y] * rows[y]).sum::<f64>() as f32;
            }
        }
        Self { shape, weights, bias: bias.to_vec(), zeros: vec![0.0; co] }
    }

    /// The transposed convolution, which takes the gradient at the output of a convolution with this kernel
    /// to the one at its input: turned by 180 degrees, channels exchanged. The shape is that of the
    /// transposed one, whose input is the gradient within as many zeros as it needs.
    ///
    /// # Panics
    /// As [`Winograd::new`].
    pub fn transposed(shape: ConvShape, kernel: &[f32]) -> Self {
        assert_eq!(kernel.len(), shape.weight_len());
        let (ci, co) = (shape.channels_in, shape.channels_out);
        let turned: Vec<f32> = (0..ci * co * 9)
            .map(|at| {
                let (o, i, t) = (at / (ci * 9), at / 9 % ci, at % 9);
                kernel[(i * co + o) * 9 + 8 - t]
            })
            .collect();
        Self::new(shape, &turned, &vec![0.0; co])
    }

    /// Whether a convolution can be run this way: at stride 1, with channels of the input that are a multiple
    /// of 16.
    pub fn serves(shape: &ConvShape) -> bool {
        shape.stride == 1 && shape.channels_in.is_multiple_of(16)
    }

    /// Its extents.
    pub fn shape(&self) -> &ConvShape {
        &self.shape
    }

    /// Convolution, ReLU and 2x2 average pooling of one picture, for use once trained. `scratch` is resized
    /// as needed and can be used again.
    ///
    /// # Panics
    /// If `input` or `out` does not fit the shape, or its pooling is not 2.
    pub fn relu_pool(&self, input: &[f32], out: &mut [f32], scratch: &mut Vec<f32>) {
        assert_eq!(self.shape.pool, 2);
        assert_eq!(input.len(), self.shape.in_len());
        assert_eq!(out.len(), self.shape.pooled_len());
        dispatch(RunWinograd::<2> { of: self, input, out, sums: &mut [], scratch });
    }

    /// The convolution alone. `sums` receives each output channel's sum, then each one's sum of squares over
    /// the picture; it may be empty.
    ///
    /// # Panics
    /// If a length does not fit the shape.
    pub fn convolve(&self, input: &[f32], out: &mut [f32], sums: &mut [f64], scratch: &mut Vec<f32>) {
        assert_eq!(input.len(), self.shape.in_len());
        assert_eq!(out.len(), self.shape.out_len());
        assert!(sums.is_empty() || sums.len() == 2 * self.shape.channels_out);
        dispatch(RunWinograd::<1> { of: self, input, out, sums, scratch });
    }
}

/// `P` is 2 to rectify and pool, 1 to leave the convolution as it is.
struct RunWinograd<'a, const P: usize> {
    of: &'a Winograd,
    input: &'a [f32],
    out: &'a mut [f32],
    sums: &'a mut [f64],
    scratch: &'a mut Vec<f32>,
}

impl<const P: usize> WithSimd for RunWinograd<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { of, input, out, sums, scratch } = self;
        let (shape, ci, co) = (&of.shape, of.shape.channels_in, of.shape.channels_out);
        let (height, width) = (shape.out_height() / P, shape.out_width() / P);
        // Tiles in a row, and all of them; those at the edges may hang over.
        let across = width.div_ceil(TILE / P);
        let tiles = across * height.div_ceil(TILE / P);
        let (before, after) = (GROUP * ci + GAP, GROUP * co + GAP);
        let scratch = aligned(scratch, AREA * (before + after));
        let (points, products) = scratch.split_at_mut(AREA * before);
        sums.fill(0.0);
        let mut summed = 0;

        for first in (0..tiles).step_by(GROUP) {
            let group = GROUP.min(tiles - first);
            for tile in 0..group {
                let place = [(first + tile) / across, (first + tile) % across];
                to_points(simd, shape, place, input, &mut points[tile * ci..], before);
            }
            for point in 0..AREA {
                let product = Product {
                    rows: &[&points[point * before..][..group * ci]],
                    step: ci,
                    depth: ci,
                    weights: &of.weights[point * ci * co..][..ci * co],
                    bias: if point == BIAS_POINT { &of.bias } else { &of.zeros },
                    shortcut: &[],
                    shortcut_channels: 0,
                    limits: Activation::None.limits(),
                };
                product.run(simd, &mut products[point * after..][..group * co]);
            }
            for tile in 0..group {
                let place = [(first + tile) / across, (first + tile) % across];
                from_points::<S, P>(simd, shape, place, &products[tile * co..], after, out);
            }
            if !sums.is_empty() {
                // The rows that are whole now, while they are in cache.
                let whole = ((first + group) / across * (TILE / P)).min(height);
                out[summed * width * co..whole * width * co]
                    .chunks_exact(width * co)
                    .for_each(|row| add_sums(simd, row, co, sums));
                summed = whole;
            }
        }
    }
}

/// The points of one tile's inputs: `points` from the tile's first on, those of the next point `step` floats
/// further.
#[inline(always)]
fn to_points<S: Simd>(
    simd: S,
    shape: &ConvShape,
    [row, column]: [usize; 2],
    input: &[f32],
    points: &mut [f32],
    step: usize,
) {
    let channels = shape.channels_in;
    // Where a tile hangs over, the last row or column again: what is made of it is dropped.
    let rows: [usize; POINTS] = std::array::from_fn(|i| (row * TILE + i).min(shape.height - 1) * shape.width);
    let columns: [usize; POINTS] = std::array::from_fn(|j| (column * TILE + j).min(shape.width - 1));
    assert!(input.len() == shape.in_len() && channels.is_multiple_of(S::F32_LANES));
    assert!(points.len() >= (AREA - 1) * step + channels);
    for c in (0..channels).step_by(S::F32_LANES) {
        let mut half = [[simd.splat_f32s(0.0); POINTS]; POINTS];
        for j in 0..POINTS {
            let mut d = [simd.splat_f32s(0.0); POINTS];
            for (d, row) in d.iter_mut().zip(rows) {
                // SAFETY: all rows and columns lie in the picture, and c + lanes <= channels.
                *d = unsafe { load(simd, input.as_ptr().add((row + columns[j]) * channels + c)) };
            }
            for (half, v) in half.iter_mut().zip(input_points(simd, d)) {
                half[j] = v;
            }
        }
        for (i, half) in half.into_iter().enumerate() {
            for (j, v) in input_points(simd, half).into_iter().enumerate() {
                // SAFETY: checked above for the last point.
                unsafe { store(simd, points.as_mut_ptr().add((i * POINTS + j) * step + c), v) }
            }
        }
    }
}

/// One tile's outputs from its products, which are laid out as the points are. `P` as in [`RunWinograd`].
#[inline(always)]
fn from_points<S: Simd, const P: usize>(
    simd: S,
    shape: &ConvShape,
    [row, column]: [usize; 2],
    products: &[f32],
    step: usize,
    out: &mut [f32],
) {
    let channels = shape.channels_out;
    let (height, width) = (shape.out_height() / P, shape.out_width() / P);
    assert!(out.len() == height * width * channels && channels.is_multiple_of(S::F32_LANES));
    assert!(products.len() >= (AREA - 1) * step + channels);
    let (zero, quarter) = (simd.splat_f32s(0.0), simd.splat_f32s(0.25));
    for c in (0..channels).step_by(S::F32_LANES) {
        let mut half = [[zero; POINTS]; TILE];
        for j in 0..POINTS {
            let mut m = [zero; POINTS];
            for (i, m) in m.iter_mut().enumerate() {
                // SAFETY: checked above for the last point.
                *m = unsafe { load(simd, products.as_ptr().add((i * POINTS + j) * step + c)) };
            }
            for (half, v) in half.iter_mut().zip(outputs(simd, m)) {
                half[j] = v;
            }
        }
        for i in 0..TILE / P {
            // Loops, for a closure given to `map` may be compiled by itself, and without the vector
            // instructions.
            let mut values = [zero; TILE];
            for half in &half[P * i..P * (i + 1)] {
                for (value, v) in values.iter_mut().zip(outputs(simd, *half)) {
                    *value = if P == 1 { v } else { simd.add_f32s(*value, simd.max_f32s(v, zero)) };
                }
            }
            let (y, first) = (row * (TILE / P) + i, column * (TILE / P));
            for j in 0..TILE / P {
                if y < height && first + j < width {
                    let value = match P {
                        1 => values[j],
                        _ => simd.mul_f32s(simd.add_f32s(values[2 * j], values[2 * j + 1]), quarter),
                    };
                    let at = (y * width + first + j) * channels + c;
                    // SAFETY: the pixel lies in the output, and c + lanes <= channels.
                    unsafe { store(simd, out.as_mut_ptr().add(at), value) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{cases, noise, plain};
    use crate::kernels::{Window, conv3x3_relu_pool, pack};

    /// The largest difference to the convolution by its definition, in units of the largest output.
    fn difference(shape: ConvShape, run: impl Fn(RunWinograd<2>)) -> f32 {
        let (input, kernel) = (noise(shape.in_len(), 1), noise(shape.weight_len(), 2));
        let bias = noise(shape.channels_out, 3);
        let winograd = Winograd::new(shape, &kernel, &bias);
        let mut out = vec![f32::NAN; shape.pooled_len()];
        run(RunWinograd {
            of: &winograd,
            input: &input,
            out: &mut out,
            sums: &mut [],
            scratch: &mut Vec::new(),
        });
        let mut expected = vec![0.0; shape.pooled_len()];
        let packed = pack(&kernel, &shape);
        conv3x3_relu_pool(&shape, &input, &packed, &bias, &mut expected);
        farthest(&out, &expected)
    }

    /// The largest difference, in units of the largest number expected.
    fn farthest(found: &[f32], expected: &[f32]) -> f32 {
        assert_eq!(found.len(), expected.len());
        let largest = expected.iter().fold(0.0f32, |largest, v| largest.max(v.abs()));
        // A NaN, for an output that was not written, must stay one.
        let worst =
            |worst: f32, (a, b): (&f32, &f32)| if (a - b).abs() <= worst { worst } else { (a - b).abs() };
        found.iter().zip(expected).fold(0.0, worst) / largest
    }

    fn shape(height: usize, width: usize) -> ConvShape {
        let (channels_in, channels_out) = cases(&[(32, 48)], &[(16, 16)])[0];
        ConvShape { height, width, channels_in, channels_out, stride: 1, pool: 2 }
    }

    /// Sides that tiles fill, and every way of hanging over.
    #[test]
    fn agrees_with_the_definition_at_every_size() {
        let all = [(4, 4), (5, 9), (6, 6), (7, 10), (8, 12), (14, 31), (38, 38), (79, 79)];
        for &(height, width) in cases(&all, &[(5, 9)]) {
            let difference = difference(shape(height, width), |op| dispatch(op));
            assert!(difference < 1e-5, "{height}x{width}: {difference:e}");
        }
    }

    #[test]
    fn agrees_at_every_vector_length() {
        let (height, width) = cases(&[(9, 23)], &[(4, 7)])[0];
        let shape = shape(height, width);
        assert!(difference(shape, |op| pulp::Scalar128b.vectorize(op)) < 1e-5);
        assert!(difference(shape, |op| pulp::Scalar256b.vectorize(op)) < 1e-5);
        assert!(difference(shape, |op| pulp::Scalar512b.vectorize(op)) < 1e-5);
    }

    #[test]
    fn the_convolution_alone_and_its_sums() {
        for &(height, width) in cases(&[(3, 3), (6, 6), (9, 23), (79, 79)], &[(3, 3), (5, 7)]) {
            let shape = shape(height, width);
            let (input, kernel) = (noise(shape.in_len(), 1), noise(shape.weight_len(), 2));
            let bias = noise(shape.channels_out, 3);
            let mut out = vec![f32::NAN; shape.out_len()];
            let mut sums = vec![9.0; 2 * shape.channels_out];
            Winograd::new(shape, &kernel, &bias).convolve(&input, &mut out, &mut sums, &mut Vec::new());
            let window = Window { kernel: 3, stride: 1, padding: [0, 0] };
            let expected = plain(window, [height, width], &input, &kernel, &bias, false);
            assert!(farthest(&out, &expected) < 1e-5, "{height}x{width}");
            let channels = shape.channels_out;
            for (c, sum) in sums.iter().enumerate() {
                let channel = expected.iter().skip(c % channels).step_by(channels).map(|v| f64::from(*v));
                let expected: f64 = channel.map(|v| if c < channels { v } else { v * v }).sum();
                assert!((sum - expected).abs() < 1e-4 * (1.0 + expected.abs()), "{sum} {expected}");
            }
        }
    }

    /// The transposed convolution T of C has <C x, y> = <x, T y>.
    #[test]
    fn the_transposed_convolution_is_the_adjoint() {
        let (height, width) = cases(&[(9, 12)], &[(4, 5)])[0];
        let shape = ConvShape { pool: 1, ..shape(height, width) };
        let (x, y) = (noise(shape.in_len(), 1), noise(shape.out_len(), 4));
        let kernel = noise(shape.weight_len(), 2);
        let mut cx = vec![0.0; shape.out_len()];
        let forward = Winograd::new(shape, &kernel, &vec![0.0; shape.channels_out]);
        forward.convolve(&x, &mut cx, &mut [], &mut Vec::new());

        let [height, width] = [shape.out_height() + 4, shape.out_width() + 4];
        let [channels_in, channels_out] = [shape.channels_out, shape.channels_in];
        let around = ConvShape { height, width, channels_in, channels_out, ..shape };
        let transposed = Winograd::transposed(around, &kernel);
        let padded = transposed.shape().width * shape.channels_out;
        let mut around = vec![0.0; transposed.shape().in_len()];
        let row = shape.out_width() * shape.channels_out;
        for (i, y) in y.chunks_exact(row).enumerate() {
            around[(i + 2) * padded + 2 * shape.channels_out..][..row].copy_from_slice(y);
        }
        let mut ty = vec![0.0; shape.in_len()];
        transposed.convolve(&around, &mut ty, &mut [], &mut Vec::new());
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let (left, right) = (dot(&cx, &y), dot(&x, &ty));
        assert!(left.abs() > 1.0 && (left - right).abs() < 1e-4 * left.abs(), "{left} {right}");
    }

    #[test]
    fn a_picture_too_small_to_pool_gives_nothing() {
        let shape = shape(3, 9);
        let winograd = Winograd::new(shape, &vec![1.0; shape.weight_len()], &vec![0.0; shape.channels_out]);
        winograd.relu_pool(&vec![1.0; shape.in_len()], &mut [], &mut Vec::new());
    }
}
