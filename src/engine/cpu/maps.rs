//! What needs no kernel: the smaller steps on maps in memory.

use crate::net::fold::FoldedActivation;

/// Replaces numbers by their activation, pixels of `channels`.
pub fn activate(activation: &FoldedActivation, values: &mut [f32], channels: usize) {
    match activation {
        FoldedActivation::None => {}
        FoldedActivation::Relu => values.iter_mut().for_each(|v| *v = v.max(0.0)),
        FoldedActivation::Relu6 => values.iter_mut().for_each(|v| *v = v.clamp(0.0, 6.0)),
        FoldedActivation::PRelu(alpha) => {
            for pixel in values.chunks_exact_mut(channels) {
                pixel.iter_mut().zip(alpha).for_each(|(v, alpha)| *v = v.max(0.0) + alpha * v.min(0.0));
            }
        }
    }
}

/// Combines each 2x2 pixels of `channels`, and multiplies what comes of it.
pub fn pool(
    input: &[f32],
    side: usize,
    channels: usize,
    out: &mut [f32],
    combine: impl Fn(f32, f32) -> f32,
    factor: f32,
) {
    let row = side * channels;
    for (at, out) in out.chunks_exact_mut(channels).enumerate() {
        let first = 2 * (at / (side / 2)) * row + 2 * (at % (side / 2)) * channels;
        let [above, below] = [first, first + row].map(|at| input[at..at + 2 * channels].split_at(channels));
        for (c, out) in out.iter_mut().enumerate() {
            *out = factor * combine(combine(above.0[c], above.1[c]), combine(below.0[c], below.1[c]));
        }
    }
}

/// The mean of all pixels.
pub fn mean(input: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    let pixels = input.chunks_exact(out.len());
    let factor = 1.0 / pixels.len() as f32;
    for pixel in pixels {
        out.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += value);
    }
    out.iter_mut().for_each(|sum| *sum *= factor);
}

/// Adds pixels of `less` channels to pixels of `more`.
pub fn add(input: &[f32], less: usize, out: &mut [f32], more: usize) {
    for (to, from) in out.chunks_exact_mut(more).zip(input.chunks_exact(less)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}
