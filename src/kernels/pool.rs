//! Normalise, rectify and average-pool, and the way back. `P` is [`ConvShape::pool`].

use pulp::{Arch, Simd, WithSimd};

use super::{ConvShape, load, store};

/// A scale and a shift for each channel: batch normalisation with its statistics worked in.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Factor, one a channel.
    pub scale: Vec<f32>,
    /// Added after, one a channel.
    pub shift: Vec<f32>,
}

impl Affine {
    fn check(&self, shape: &ConvShape, conv_out: &[f32], pooled: &[f32]) {
        shape.check();
        assert_eq!(conv_out.len(), shape.out_len());
        assert_eq!(pooled.len(), shape.pooled_len());
        assert_eq!(self.scale.len(), shape.channels_out);
        assert_eq!(self.shift.len(), shape.channels_out);
    }
}

/// `out[y][x][c]` = mean over the P x P pixels of `max(0, scale[c] * conv_out + shift[c])`.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn affine_relu_pool(shape: &ConvShape, conv_out: &[f32], affine: &Affine, out: &mut [f32]) {
    affine.check(shape, conv_out, out);
    match shape.pool {
        1 => Arch::new().dispatch(ForwardPool::<1> { shape, conv_out, affine, out }),
        _ => Arch::new().dispatch(ForwardPool::<2> { shape, conv_out, affine, out }),
    }
}

struct ForwardPool<'a, const P: usize> {
    shape: &'a ConvShape,
    conv_out: &'a [f32],
    affine: &'a Affine,
    out: &'a mut [f32],
}

impl<const P: usize> WithSimd for ForwardPool<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let co = self.shape.channels_out;
        let row = self.shape.out_width() * co;
        let pooled = self.shape.pooled_width();
        let (zero, share) = (simd.splat_f32s(0.0), simd.splat_f32s(share::<P>()));
        if pooled == 0 {
            return;
        }
        for (y, out) in self.out.chunks_exact_mut(pooled * co).enumerate() {
            let rows = &self.conv_out[P * y * row..][..P * row];
            for c in (0..co).step_by(S::F32_LANES) {
                // SAFETY: c + lanes <= co (a multiple of the lanes); P x + P <= out_width, as x < pooled.
                unsafe {
                    let scale = load(simd, self.affine.scale.as_ptr().add(c));
                    let shift = load(simd, self.affine.shift.as_ptr().add(c));
                    for x in 0..pooled {
                        let mut sum = zero;
                        for i in 0..P {
                            for j in 0..P {
                                let v = load(simd, rows.as_ptr().add(i * row + (P * x + j) * co + c));
                                let v = simd.mul_add_e_f32s(v, scale, shift);
                                sum = simd.add_f32s(sum, simd.max_f32s(v, zero));
                            }
                        }
                        store(simd, out.as_mut_ptr().add(x * co + c), simd.mul_f32s(sum, share));
                    }
                }
            }
        }
    }
}

/// What one pixel counts in the mean.
const fn share<const P: usize>() -> f32 {
    1.0 / (P * P) as f32
}

/// How a gradient passes pooling, rectifier and batch normalisation back to the convolution's output v, a channel at a time:
/// `scale * r + offset + slope * v`, where r is the gradient behind the rectifier (the pixel's share of the pooled one where
/// `affine` of v is positive, else 0). The last two terms are how the batch's statistics depend on v.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradient {
    /// The forward transform, to know where the rectifier was open.
    pub affine: Affine,
    /// Constant term.
    pub offset: Vec<f32>,
    /// Factor of v.
    pub slope: Vec<f32>,
}

impl NormGradient {
    pub(super) fn check(&self, channels: usize) {
        for values in [&self.affine.scale, &self.affine.shift, &self.offset, &self.slope] {
            assert_eq!(values.len(), channels);
        }
    }
}

/// The sums over one picture that the gradients of batch normalisation are made of, one a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolSums {
    /// Sum of the gradient r behind the rectifier.
    pub gradient: Vec<f64>,
    /// Sum of r times the convolution's output.
    pub product: Vec<f64>,
}

/// Takes those sums.
///
/// # Panics
/// If a length does not fit `shape`.
pub fn pool_gradient_sums(
    shape: &ConvShape,
    conv_out: &[f32],
    pooled_gradient: &[f32],
    affine: &Affine,
) -> PoolSums {
    affine.check(shape, conv_out, pooled_gradient);
    let nothing = vec![0.0; shape.channels_out];
    let mut result = PoolSums { gradient: nothing.clone(), product: nothing };
    let sums = &mut result;
    match shape.pool {
        1 => Arch::new().dispatch(GradientSums::<1> { shape, conv_out, pooled_gradient, affine, sums }),
        _ => Arch::new().dispatch(GradientSums::<2> { shape, conv_out, pooled_gradient, affine, sums }),
    }
    result
}

struct GradientSums<'a, const P: usize> {
    shape: &'a ConvShape,
    conv_out: &'a [f32],
    pooled_gradient: &'a [f32],
    affine: &'a Affine,
    sums: &'a mut PoolSums,
}

impl<const P: usize> WithSimd for GradientSums<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let co = self.shape.channels_out;
        let row = self.shape.out_width() * co;
        let pooled = self.shape.pooled_width();
        let (zero, share) = (simd.splat_f32s(0.0), simd.splat_f32s(share::<P>()));
        for y in 0..self.shape.pooled_height() {
            let rows = &self.conv_out[P * y * row..][..P * row];
            let gradient = &self.pooled_gradient[y * pooled * co..][..pooled * co];
            for c in (0..co).step_by(S::F32_LANES) {
                let (mut sum, mut product) = (zero, zero);
                // SAFETY: as in the forward pass.
                unsafe {
                    let scale = load(simd, self.affine.scale.as_ptr().add(c));
                    let shift = load(simd, self.affine.shift.as_ptr().add(c));
                    for x in 0..pooled {
                        let r = simd.mul_f32s(load(simd, gradient.as_ptr().add(x * co + c)), share);
                        for i in 0..P {
                            for j in 0..P {
                                let v = load(simd, rows.as_ptr().add(i * row + (P * x + j) * co + c));
                                let open = simd.greater_than_f32s(simd.mul_add_e_f32s(v, scale, shift), zero);
                                let r = simd.select_f32s(open, r, zero);
                                sum = simd.add_f32s(sum, r);
                                product = simd.mul_add_e_f32s(r, v, product);
                            }
                        }
                    }
                }
                let sum: &[f32] = bytemuck::cast_slice(std::slice::from_ref(&sum));
                let product: &[f32] = bytemuck::cast_slice(std::slice::from_ref(&product));
                for i in 0..S::F32_LANES {
                    self.sums.gradient[c + i] += f64::from(sum[i]);
                    self.sums.product[c + i] += f64::from(product[i]);
                }
            }
        }
    }
}

/// Row `y` of the gradient at the convolution's output.
#[inline(always)]
pub(super) fn gradient_row<S: Simd, const P: usize>(
    simd: S,
    norm: &NormGradient,
    conv_out: &[f32],
    pooled_gradient: &[f32],
    shape: &ConvShape,
    y: usize,
    out: &mut [f32],
) {
    let (columns, co) = (shape.out_width(), shape.channels_out);
    let values = &conv_out[y * columns * co..][..columns * co];
    let pooled = shape.pooled_width();
    assert!(out.len() == columns * co);
    // The row and the column that pooling dropped get nothing from above, but the statistics saw them.
    let above =
        (y / P < shape.pooled_height()).then(|| &pooled_gradient[y / P * pooled * co..][..pooled * co]);
    let (zero, share) = (simd.splat_f32s(0.0), simd.splat_f32s(share::<P>()));
    for c in (0..co).step_by(S::F32_LANES) {
        // SAFETY: c + lanes <= co, x < columns, x / P < pooled where read.
        unsafe {
            let scale = load(simd, norm.affine.scale.as_ptr().add(c));
            let shift = load(simd, norm.affine.shift.as_ptr().add(c));
            let offset = load(simd, norm.offset.as_ptr().add(c));
            let slope = load(simd, norm.slope.as_ptr().add(c));
            let share_scale = simd.mul_f32s(scale, share);
            let pixel = Pixel { affine: [scale, shift], rest: [offset, slope], zero };
            let (values, out) = (values.as_ptr().add(c), out.as_mut_ptr().add(c));
            let mut x = 0;
            if let Some(above) = above {
                while x < P * pooled {
                    let r = simd.mul_f32s(load(simd, above.as_ptr().add(x / P * co + c)), share_scale);
                    for j in 0..P {
                        pixel.run(simd, values.add((x + j) * co), r, out.add((x + j) * co));
                    }
                    x += P;
                }
            }
            while x < columns {
                pixel.run(simd, values.add(x * co), zero, out.add(x * co));
                x += 1;
            }
        }
    }
}

/// One pixel's vector of channels on the way back; the constants of [`NormGradient`] in registers.
#[derive(Clone, Copy)]
struct Pixel<V> {
    affine: [V; 2],
    rest: [V; 2],
    zero: V,
}

impl<V: Copy> Pixel<V> {
    /// # Safety
    /// A vector must be readable at `value` and writable at `out`.
    #[inline(always)]
    unsafe fn run<S: Simd<f32s = V>>(self, simd: S, value: *const f32, r: V, out: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            let v = load(simd, value);
            let open =
                simd.greater_than_f32s(simd.mul_add_e_f32s(v, self.affine[0], self.affine[1]), self.zero);
            let rest = simd.mul_add_e_f32s(self.rest[1], v, self.rest[0]);
            store(simd, out, simd.add_f32s(rest, simd.select_f32s(open, r, self.zero)));
        }
    }
}
