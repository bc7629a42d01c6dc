//! The product under every convolution of the detector: a run of pixels by the weights, many of both in
//! registers at once.

use pulp::Simd;

use super::{load, store};

/// `out[p][o] = bias[o] + shortcut[p][o] + sum over r, i of rows[r][p * step + i] * weights[r][i][o]`, i
/// below `depth`, and kept within `limits`.
///
/// A pointwise convolution is this with one row; a convolution with a larger kernel reads a row of the
/// picture for each of the kernel's rows, and in each of them the pixels under the kernel lie side by side.
#[derive(Clone, Copy)]
pub(super) struct Product<'a> {
    /// R of them.
    pub rows: &'a [&'a [f32]],
    /// Floats from what one output pixel reads to what the next one does.
    pub step: usize,
    /// Floats that an output pixel reads of each row.
    pub depth: usize,
    /// `[R][depth][n]`, n a multiple of the lanes.
    pub weights: &'a [f32],
    /// `[n]`.
    pub bias: &'a [f32],
    /// Pixels of `shortcut_channels`, a multiple of the lanes and at most n. The channels beyond get nothing
    /// added.
    pub shortcut: &'a [f32],
    /// 0 for no shortcut.
    pub shortcut_channels: usize,
    /// See [`Activation::limits`](super::Activation::limits).
    pub limits: [f32; 2],
}

impl Product<'_> {
    /// Fills `out`: pixels of n.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    pub(super) fn run<S: Simd>(&self, simd: S, out: &mut [f32]) {
        let n = self.bias.len();
        assert!(n > 0 && n.is_multiple_of(S::F32_LANES) && out.len().is_multiple_of(n));
        let pixels = out.len() / n;
        if pixels == 0 {
            return;
        }
        assert!(self.rows.iter().all(|row| row.len() >= (pixels - 1) * self.step + self.depth));
        assert!(self.weights.len() == self.rows.len() * self.depth * n);
        assert!(self.shortcut_channels <= n && self.shortcut_channels.is_multiple_of(S::F32_LANES));
        assert!(self.shortcut.len() >= pixels * self.shortcut_channels);
        let (out, lanes) = (out.as_mut_ptr(), S::F32_LANES);
        let mut c = 0;
        // SAFETY: checked above for all pixels and channels; each call covers channels below n.
        unsafe {
            // A single last vector has too few sums in flight to hide their latency: better three at once.
            if wide::<S>() && n / lanes >= 3 && n / lanes % 2 == 1 {
                self.columns::<S, 3>(simd, pixels, c, out);
                c += 3 * lanes;
            }
            while c + 2 * lanes <= n {
                self.columns::<S, 2>(simd, pixels, c, out);
                c += 2 * lanes;
            }
            if c < n {
                self.columns::<S, 1>(simd, pixels, c, out);
            }
        }
    }

    /// All pixels, `NV` vectors of channels from `c` on.
    ///
    /// # Safety
    /// As [`Product::tile`], for all pixels below `pixels`.
    #[inline(always)]
    unsafe fn columns<S: Simd, const NV: usize>(&self, simd: S, pixels: usize, c: usize, out: *mut f32) {
        let mut x = 0;
        // SAFETY: each call covers pixels below `pixels`.
        unsafe {
            macro_rules! tiles {
                ($pixels:literal) => {
                    while pixels - x >= $pixels {
                        self.tile::<S, $pixels, NV>(simd, x, c, out);
                        x += $pixels;
                    }
                };
            }
            // Sums, weights, one input and (without fused multiply-add) one product must fit the registers:
            // with simd128 on x86, six pixels are slower than four (docs/measurements.md). So are steps
            // unrolled by hand, for the compiler loads too many inputs ahead then. A single vector leaves
            // room for eight, and would have too few sums in flight otherwise.
            if wide::<S>() || NV == 1 {
                tiles!(8);
            } else if S::F32_LANES == 8 {
                tiles!(6);
            }
            tiles!(4);
            // A browser downloads each of these.
            if wide::<S>() {
                tiles!(3);
                tiles!(2);
            }
            tiles!(1);
        }
    }

    /// Pixels `x` to `x + PX`, channels `c` to `c + NV` vectors, in registers while all weights of theirs
    /// pass by.
    ///
    /// # Safety
    /// Every row must hold `(x + PX - 1) * step + depth` floats, `out` `x + PX` pixels, `shortcut` as many of
    /// its channels, and `c` and `NV` vectors must be n at most.
    #[inline(always)]
    unsafe fn tile<S: Simd, const PX: usize, const NV: usize>(
        &self,
        simd: S,
        x: usize,
        c: usize,
        out: *mut f32,
    ) {
        let (n, lanes) = (self.bias.len(), S::F32_LANES);
        // SAFETY: as promised by the caller; `shortcut_channels` is a multiple of the lanes.
        unsafe {
            let start: [S::f32s; NV] =
                std::array::from_fn(|v| load(simd, self.bias.as_ptr().add(c + v * lanes)));
            let mut sums = [start; PX];
            let mut from = self.shortcut.as_ptr().wrapping_add(x * self.shortcut_channels + c);
            for sum in &mut sums {
                for (v, sum) in sum.iter_mut().enumerate() {
                    if c + v * lanes < self.shortcut_channels {
                        *sum = simd.add_f32s(*sum, load(simd, from.wrapping_add(v * lanes)));
                    }
                }
                from = from.wrapping_add(self.shortcut_channels);
            }
            let mut weights = self.weights.as_ptr().add(c);
            for row in self.rows {
                let row = row.as_ptr().add(x * self.step);
                for i in 0..self.depth {
                    let weight: [S::f32s; NV] = std::array::from_fn(|v| load(simd, weights.add(v * lanes)));
                    for (p, sum) in sums.iter_mut().enumerate() {
                        let value = simd.splat_f32s(*row.add(p * self.step + i));
                        for (sum, weight) in sum.iter_mut().zip(weight) {
                            *sum = simd.mul_add_e_f32s(value, weight, *sum);
                        }
                    }
                    // After the last one this points beyond the weights, and nothing reads there.
                    weights = weights.wrapping_add(n);
                }
            }
            // Whether there is a limit is asked once a tile: browsers take several instructions to keep to one.
            let [least, most] = self.limits.map(|limit| simd.splat_f32s(limit));
            if self.limits[1] < f32::INFINITY {
                for sum in sums.as_flattened_mut() {
                    *sum = simd.min_f32s(*sum, most);
                }
            }
            if self.limits[0] > f32::NEG_INFINITY {
                for sum in sums.as_flattened_mut() {
                    *sum = simd.max_f32s(*sum, least);
                }
            }
            let mut to = out.add(x * n + c);
            for sum in sums {
                for (v, sum) in sum.into_iter().enumerate() {
                    store(simd, to.add(v * lanes), sum);
                }
                to = to.wrapping_add(n);
            }
        }
    }
}

/// Whether there are 32 registers. (pulp says so of WebAssembly, where the machine below mostly has 16.)
#[inline(always)]
fn wide<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32 && !cfg!(target_arch = "wasm32")
}
