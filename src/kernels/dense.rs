//! Dense layers for one picture.

use pulp::{Simd, WithSimd};

use super::{dispatch, load, store};

/// `out[o] = bias[o] + sum over k of input[k] * weights[k][o]`.
///
/// # Panics
/// If `weights` is not `input.len() * out.len()` or `bias` not `out.len()` long.
pub fn dense(input: &[f32], weights: &[f32], bias: &[f32], out: &mut [f32]) {
    assert_eq!(weights.len(), input.len() * out.len());
    assert_eq!(bias.len(), out.len());
    dispatch(RunDense { input, weights, bias, out });
}

struct RunDense<'a> {
    input: &'a [f32],
    weights: &'a [f32],
    bias: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for RunDense<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut o = 0;
        while o + 4 * S::F32_LANES <= self.out.len() {
            self.columns::<S, 4>(simd, o);
            o += 4 * S::F32_LANES;
        }
        while o + S::F32_LANES <= self.out.len() {
            self.columns::<S, 1>(simd, o);
            o += S::F32_LANES;
        }
        // The rest, fewer than a vector holds, all in one pass over the weights.
        let n = self.out.len();
        let rest = &mut self.out[o..];
        rest.copy_from_slice(&self.bias[o..]);
        if !rest.is_empty() {
            for (x, row) in self.input.iter().zip(self.weights.chunks_exact(n)) {
                rest.iter_mut().zip(&row[o..]).for_each(|(sum, weight)| *sum += x * weight);
            }
        }
    }
}

impl RunDense<'_> {
    /// `NV` vectors of outputs from `o` on, in registers while all inputs pass by.
    #[inline(always)]
    fn columns<S: Simd, const NV: usize>(&mut self, simd: S, o: usize) {
        let n = self.out.len();
        assert!(o + NV * S::F32_LANES <= n);
        // SAFETY: the vectors end before `n`; there are `input.len()` rows of `n` weights and `n` biases (see
        // `dense`).
        unsafe {
            let mut acc: [S::f32s; NV] =
                std::array::from_fn(|v| load(simd, self.bias.as_ptr().add(o + v * S::F32_LANES)));
            let mut row = self.weights.as_ptr().add(o);
            for x in self.input {
                let x = simd.splat_f32s(*x);
                for (v, acc) in acc.iter_mut().enumerate() {
                    *acc = simd.mul_add_e_f32s(x, load(simd, row.add(v * S::F32_LANES)), *acc);
                }
                row = row.wrapping_add(n);
            }
            for (v, acc) in acc.iter().enumerate() {
                store(simd, self.out.as_mut_ptr().add(o + v * S::F32_LANES), *acc);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_agrees_with_the_plain_sum() {
        for n in [1, 2, 16, 32, 64, 100, 130] {
            let input: Vec<f32> = (0..37).map(|i| (i as f32 * 0.7).sin()).collect();
            let weights: Vec<f32> = (0..37 * n).map(|i| (i as f32 * 0.3).cos()).collect();
            let bias: Vec<f32> = (0..n).map(|i| i as f32 * 0.01).collect();
            let mut out = vec![0.0; n];
            dense(&input, &weights, &bias, &mut out);
            for o in 0..n {
                let sum = (0..37).map(|k| input[k] * weights[k * n + o]).sum::<f32>() + bias[o];
                assert!((out[o] - sum).abs() < 1e-4, "{n}: {o}");
            }
        }
    }
}
