//! Batch normalisation with what follows it, activation and average pooling, and the way back: by rows of
//! pixels.
//!
//! `P` is [`BlockShape::pool`](super::BlockShape::pool). Rows have the padded channels of the convolution's
//! output.

use pulp::Simd;

use crate::kernels::{Activation, load, store};

/// A scale and a shift for each channel, which is batch normalisation with its statistics worked in, and the
/// activation behind them.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// Factor, one a padded channel.
    pub scale: Vec<f32>,
    /// Added after, one a padded channel.
    pub shift: Vec<f32>,
    /// What follows.
    pub activation: Activation,
}

impl Normalisation {
    pub(super) fn check(&self, channels: usize) {
        assert_eq!([self.scale.len(), self.shift.len()], [channels; 2]);
    }
}

/// How a gradient passes pooling, activation and batch normalisation back to the convolution's output v, a
/// channel at a time: `scale * r + offset + slope * v`, where r is the gradient behind the activation (the
/// pixel's share of the pooled one where the activation lets v pass, else 0). The last two terms are how the
/// batch's statistics depend on v.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradient {
    /// The way forward, to know where the activation was open.
    pub forward: Normalisation,
    /// Constant term.
    pub offset: Vec<f32>,
    /// Factor of v.
    pub slope: Vec<f32>,
}

impl NormGradient {
    pub(super) fn check(&self, channels: usize) {
        self.forward.check(channels);
        assert_eq!([self.offset.len(), self.slope.len()], [channels; 2]);
    }
}

/// Calls the function for all channels, as many vectors of them at once as leave their constants and sums in registers.
macro_rules! by_channels {
    ($simd:ident, $channels:expr, |$c:ident, $vectors:ident| $call:expr) => {{
        let mut $c = 0;
        macro_rules! some {
            ($n:expr) => {
                while $c + $n * $simd::F32_LANES <= $channels {
                    const $vectors: usize = $n;
                    // SAFETY: the lengths were checked before, and these channels are below all.
                    unsafe { $call };
                    $c += $n * $simd::F32_LANES;
                }
            };
        }
        if $simd::REGISTER_COUNT >= 32 {
            some!(6);
            some!(3);
        }
        some!(2);
        some!(1);
    }};
}

/// Adds the sum and the sum of squares of each channel of `row` to `sums`.
#[inline(always)]
pub(in crate::kernels) fn add_sums<S: Simd>(simd: S, row: &[f32], channels: usize, sums: &mut [f64]) {
    assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES) && sums.len() == 2 * channels);
    by_channels!(S, channels, |c, NV| add_sums_of::<S, NV>(simd, row, channels, c, sums));
}

/// The same for `NV` vectors of channels from `c` on.
///
/// # Safety
/// They must be the channels at most, and the lengths those of [`add_sums`].
#[inline(always)]
unsafe fn add_sums_of<S: Simd, const NV: usize>(
    simd: S,
    row: &[f32],
    channels: usize,
    c: usize,
    sums: &mut [f64],
) {
    let zero = simd.splat_f32s(0.0);
    let (mut sum, mut square) = ([zero; NV], [zero; NV]);
    for pixel in row.chunks_exact(channels) {
        for v in 0..NV {
            // SAFETY: the caller's promise.
            let value = unsafe { load(simd, pixel.as_ptr().add(c + v * S::F32_LANES)) };
            sum[v] = simd.add_f32s(sum[v], value);
            square[v] = simd.mul_add_e_f32s(value, value, square[v]);
        }
    }
    flush::<S, NV>(&sum, &mut sums[c..]);
    flush::<S, NV>(&square, &mut sums[channels + c..]);
}

/// Adds vectors to sums.
#[inline(always)]
fn flush<S: Simd, const NV: usize>(values: &[S::f32s; NV], sums: &mut [f64]) {
    let values: &[f32] = bytemuck::cast_slice(values);
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value));
}

/// One vector of channels of a [`Normalisation`].
#[derive(Clone, Copy)]
struct Channels<V> {
    scale: V,
    shift: V,
    limits: [V; 2],
}

impl<V: Copy> Channels<V> {
    /// # Safety
    /// `c` and a vector must be the channels at most.
    #[inline(always)]
    unsafe fn at<S: Simd<f32s = V>>(simd: S, norm: &Normalisation, c: usize) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            Self {
                scale: load(simd, norm.scale.as_ptr().add(c)),
                shift: load(simd, norm.shift.as_ptr().add(c)),
                limits: norm.activation.limits().map(|limit| simd.splat_f32s(limit)),
            }
        }
    }

    /// Of `NV` vectors.
    ///
    /// # Safety
    /// `c` and these vectors must be the channels at most.
    #[inline(always)]
    unsafe fn some<S: Simd<f32s = V>, const NV: usize>(
        simd: S,
        norm: &Normalisation,
        c: usize,
    ) -> [Self; NV] {
        // SAFETY: the caller's promise.
        std::array::from_fn(|v| unsafe { Self::at(simd, norm, c + v * S::F32_LANES) })
    }

    #[inline(always)]
    fn activate<S: Simd<f32s = V>>(self, simd: S, v: V) -> V {
        let z = simd.mul_add_e_f32s(v, self.scale, self.shift);
        simd.min_f32s(simd.max_f32s(z, self.limits[0]), self.limits[1])
    }

    /// `r` where the activation lets `v` pass, else 0.
    #[inline(always)]
    fn open<S: Simd<f32s = V>>(self, simd: S, v: V, r: V) -> V {
        let z = simd.mul_add_e_f32s(v, self.scale, self.shift);
        let above = simd.greater_than_f32s(z, self.limits[0]);
        let below = simd.less_than_f32s(z, self.limits[1]);
        simd.select_f32s(simd.and_m32s(above, below), r, simd.splat_f32s(0.0))
    }
}

/// Of pixels of the convolution's output, what stands behind the activation.
#[inline(always)]
pub(super) fn activate<S: Simd>(simd: S, norm: &Normalisation, values: &[f32], out: &mut [f32]) {
    let channels = norm.scale.len();
    assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES) && norm.shift.len() == channels);
    assert!(values.len() == out.len() && out.len().is_multiple_of(channels));
    by_channels!(S, channels, |c, NV| activate_of::<S, NV>(simd, norm, values, c, out));
}

/// The same for `NV` vectors of channels from `c` on.
///
/// # Safety
/// They must be the channels at most, and the lengths those of [`activate`].
#[inline(always)]
unsafe fn activate_of<S: Simd, const NV: usize>(
    simd: S,
    norm: &Normalisation,
    values: &[f32],
    c: usize,
    out: &mut [f32],
) {
    let channels = norm.scale.len();
    // SAFETY: the caller's promise.
    unsafe {
        let of: [Channels<S::f32s>; NV] = Channels::some(simd, norm, c);
        for (values, out) in values.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
            for (v, of) in of.iter().enumerate() {
                let at = c + v * S::F32_LANES;
                let value = load(simd, values.as_ptr().add(at));
                store(simd, out.as_mut_ptr().add(at), of.activate(simd, value));
            }
        }
    }
}

/// A row behind activation and pooling, of two rows of `row` floats in `values`. What is left over of them is
/// dropped.
#[inline(always)]
pub(super) fn activate_pool<S: Simd>(
    simd: S,
    norm: &Normalisation,
    values: &[f32],
    row: usize,
    out: &mut [f32],
) {
    let channels = norm.scale.len();
    assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES) && norm.shift.len() == channels);
    assert!(values.len() >= 2 * row && row >= 2 * out.len() && out.len().is_multiple_of(channels));
    let quarter = simd.splat_f32s(0.25);
    for (x, out) in out.chunks_exact_mut(channels).enumerate() {
        for c in (0..channels).step_by(S::F32_LANES) {
            // SAFETY: c + lanes <= channels, and both rows hold two pixels for each of the output's.
            unsafe {
                let of = Channels::at(simd, norm, c);
                let mut sum = simd.splat_f32s(0.0);
                for at in [0, channels, row, row + channels] {
                    let v = load(simd, values.as_ptr().add(2 * x * channels + at + c));
                    sum = simd.add_f32s(sum, of.activate(simd, v));
                }
                store(simd, out.as_mut_ptr().add(c), simd.mul_f32s(sum, quarter));
            }
        }
    }
}

/// What one pixel counts in the mean.
const fn share<const P: usize>() -> f32 {
    1.0 / (P * P) as f32
}

/// Adds to `sums` what the gradients of batch normalisation are made of: of each channel the sum of r (see
/// [`NormGradient`]), then of each the sum of r times v. `values` are `P` rows of `row` floats, `above` the
/// gradient at the row that they are pooled to.
#[inline(always)]
pub(super) fn gradient_sums<S: Simd, const P: usize>(
    simd: S,
    norm: &Normalisation,
    values: &[f32],
    row: usize,
    above: &[f32],
    sums: &mut [f64],
) {
    let channels = norm.scale.len();
    assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES) && norm.shift.len() == channels);
    assert!(values.len() >= P * row && row >= P * above.len() && above.len().is_multiple_of(channels));
    assert!(sums.len() == 2 * channels);
    by_channels!(S, channels, |c, NV| gradient_sums_of::<S, P, NV>(simd, norm, values, row, above, c, sums));
}

/// The same for `NV` vectors of channels from `c` on.
///
/// # Safety
/// They must be the channels at most, and the lengths those of [`gradient_sums`].
#[inline(always)]
unsafe fn gradient_sums_of<S: Simd, const P: usize, const NV: usize>(
    simd: S,
    norm: &Normalisation,
    values: &[f32],
    row: usize,
    above: &[f32],
    c: usize,
    sums: &mut [f64],
) {
    let channels = norm.scale.len();
    let (zero, share) = (simd.splat_f32s(0.0), simd.splat_f32s(share::<P>()));
    let (mut sum, mut product) = ([zero; NV], [zero; NV]);
    // SAFETY: the caller's promise; rows hold P pixels for each of `above`.
    unsafe {
        let of: [Channels<S::f32s>; NV] = Channels::some(simd, norm, c);
        for x in 0..above.len() / channels {
            for v in 0..NV {
                let at = c + v * S::F32_LANES;
                let r = simd.mul_f32s(load(simd, above.as_ptr().add(x * channels + at)), share);
                for i in 0..P {
                    for j in 0..P {
                        let value = load(simd, values.as_ptr().add(i * row + (P * x + j) * channels + at));
                        let r = of[v].open(simd, value, r);
                        sum[v] = simd.add_f32s(sum[v], r);
                        product[v] = simd.mul_add_e_f32s(r, value, product[v]);
                    }
                }
            }
        }
    }
    flush::<S, NV>(&sum, &mut sums[c..]);
    flush::<S, NV>(&product, &mut sums[channels + c..]);
}

/// The gradient at a row `values` of the convolution's output. `above` is the one at the row that it was
/// pooled to; `None` for a last row that pooling dropped, which gets nothing from above, but the statistics
/// saw it. So it is with the last pixel.
#[inline(always)]
pub(super) fn gradient_row<S: Simd, const P: usize>(
    simd: S,
    norm: &NormGradient,
    values: &[f32],
    above: Option<&[f32]>,
    out: &mut [f32],
) {
    let channels = norm.forward.scale.len();
    norm.check(channels);
    assert!(channels > 0 && channels.is_multiple_of(S::F32_LANES));
    assert!(values.len() == out.len() && out.len().is_multiple_of(channels));
    assert!(above.is_none_or(|above| above.len().is_multiple_of(channels)));
    by_channels!(S, channels, |c, NV| gradient_row_of::<S, P, NV>(simd, norm, values, above, c, out));
}

/// The same for `NV` vectors of channels from `c` on.
///
/// # Safety
/// They must be the channels at most, and the lengths those of [`gradient_row`].
#[inline(always)]
unsafe fn gradient_row_of<S: Simd, const P: usize, const NV: usize>(
    simd: S,
    norm: &NormGradient,
    values: &[f32],
    above: Option<&[f32]>,
    c: usize,
    out: &mut [f32],
) {
    let channels = norm.forward.scale.len();
    let share = simd.splat_f32s(share::<P>());
    // SAFETY: the caller's promise.
    unsafe {
        let of: [Channels<S::f32s>; NV] = Channels::some(simd, &norm.forward, c);
        let [slope, offset]: [[S::f32s; NV]; 2] = [&norm.slope, &norm.offset]
            .map(|all| std::array::from_fn(|v| load(simd, all.as_ptr().add(c + v * S::F32_LANES))));
        let pixels = values.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
        for (x, (values, out)) in pixels.enumerate() {
            let above = above.and_then(|above| above.get(x / P * channels..)?.get(..channels));
            for v in 0..NV {
                let at = c + v * S::F32_LANES;
                let value = load(simd, values.as_ptr().add(at));
                let mut result = simd.mul_add_e_f32s(slope[v], value, offset[v]);
                if let Some(above) = above {
                    let mut r = load(simd, above.as_ptr().add(at));
                    if P > 1 {
                        r = simd.mul_f32s(r, share);
                    }
                    result = simd.mul_add_e_f32s(of[v].scale, of[v].open(simd, value, r), result);
                }
                store(simd, out.as_mut_ptr().add(at), result);
            }
        }
    }
}
