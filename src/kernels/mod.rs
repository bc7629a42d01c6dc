//! The inner loops: 3x3 convolution over rows that stay in cache, its gradients, and normalise + rectify +
//! pool; and the face detector's convolutions.
//!
//! Everything here works on one picture in NHWC layout (a row of pixels, each with its channels side by side,
//! so that a vector register holds neighbouring channels), written once over [`pulp::Simd`] and compiled for
//! AVX-512, AVX2, NEON and WebAssembly's simd128; which one runs is decided at run time where the target has
//! a choice. The trainer's fused block ([`crate::net`]) and the CPU engine ([`crate::engine`]) both run on
//! these.
//!
//! A 3x3 convolution reads, for one output pixel and one kernel row, 3 x C neighbouring floats. So it is
//! three small matrix products per output row, with K = 3 C and a row stride of C (at stride 1) instead of K:
//! no im2col copy is made. Weights are packed `[kernel row][K][output channel]`. With many channels a quarter
//! of the multiplications is enough ([`Winograd`]). The detector's convolutions are the same products, with
//! channels padded to the vector length ([`Separable`], [`Stem`]), and so are those of networks with padding
//! and depthwise convolutions ([`RowConvolution`], [`Pointwise`], [`Depthwise`], [`Bottleneck`]).
//!
//! Functions that are inlined everywhere but in WebAssembly are those that run for a row or more: a browser
//! compiles each function fast at first, and well once it has run much, so small ones are fast sooner
//! (docs/measurements.md). Elsewhere they have to be part of what is compiled for the vector instructions.
//!
//! `unsafe` is confined to the tile functions, which read and write through raw pointers so that no bounds
//! check stands in the innermost loop; each public function asserts the lengths that make them sound.

mod bottleneck;
mod dense;
mod depthwise;
mod pointwise;
mod product;
mod relu_pool;
mod ring;
mod row_convolution;
mod separable;
mod stem;
pub mod training;
mod winograd;

pub use bottleneck::{Bottleneck, BottleneckScratch};
pub use dense::dense;
pub use depthwise::Depthwise;
pub use pointwise::Pointwise;
pub use relu_pool::{ConvShape, conv3x3_relu_pool, pack};
pub use row_convolution::{RowConvolution, Window};
pub use separable::{Separable, SeparableShape};
pub use stem::Stem;
pub use winograd::Winograd;

use pulp::{Simd, WithSimd};

/// What stands behind a convolution and its normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// Nothing.
    None,
    /// The larger of the value and 0.
    Relu,
    /// The same, and 6 at most.
    Relu6,
}

impl Activation {
    /// The least and the largest value that it lets pass.
    pub fn limits(self) -> [f32; 2] {
        match self {
            Self::None => [f32::NEG_INFINITY, f32::INFINITY],
            Self::Relu => [0.0, f32::INFINITY],
            Self::Relu6 => [0.0, 6.0],
        }
    }
}

/// Runs it with the best vector instructions that there are.
///
/// In WebAssembly they are those that the module is compiled for: a browser that lacks them refuses all of it, so nothing has to be
/// asked, and nothing to be downloaded that never runs.
pub fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    #[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd", feature = "relaxed-simd"))]
    return {
        // SAFETY: the module is compiled with relaxed SIMD, which has simd128 in it.
        let simd = unsafe { pulp::wasm::RelaxedSimd::new_unchecked() };
        Simd::vectorize(simd, op)
    };
    #[cfg(all(
        target_arch = "wasm32",
        target_feature = "simd128",
        not(all(target_feature = "relaxed-simd", feature = "relaxed-simd"))
    ))]
    return {
        // SAFETY: the module is compiled with simd128.
        let simd = unsafe { pulp::wasm::Simd128::new_unchecked() };
        Simd::vectorize(simd, op)
    };
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    pulp::Arch::new().dispatch(op)
}

/// The length of a vector on this machine, in floats: what channels are best padded to a multiple of.
pub fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    dispatch(Lanes)
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// Floats of which one begins a line, in any place.
const SLACK: usize = LINE / size_of::<f32>() - 1;

/// Where among these the first line begins. (Only an interpreter for tests says that it can't tell: usize::MAX.)
fn first_line(values: &[f32]) -> usize {
    values.as_ptr().align_offset(LINE).min(SLACK)
}

/// Bytes of a picture as the networks take them: 0 to 255 become -1 to 1.
///
/// # Panics
/// If there are not as many values as bytes.
#[inline]
pub fn normalise(bytes: &[u8], values: &mut [f32]) {
    assert_eq!(bytes.len(), values.len());
    let scaled = |byte: u8| f32::from(byte) * (1.0 / 127.5) - 1.0;
    // As many as a vector of bytes holds, for compilers that see vectors in loops of known length alone.
    let ((bytes, last_bytes), (values, last_values)) =
        (bytes.as_chunks::<16>(), values.as_chunks_mut::<16>());
    for (values, bytes) in values.iter_mut().zip(bytes) {
        *values = bytes.map(scaled);
    }
    for (value, byte) in last_values.iter_mut().zip(last_bytes) {
        *value = scaled(*byte);
    }
}

/// The first `n` floats of `buffer` that start with a cache line; it grows as needed. Whole vectors at whole
/// vectors' places never lie across two lines then, which AVX-512 pays double for. What the floats are is
/// left open.
pub fn aligned(buffer: &mut Vec<f32>, n: usize) -> &mut [f32] {
    if buffer.len() < n + SLACK {
        buffer.resize(n + SLACK, 0.0);
    }
    let start = first_line(buffer);
    &mut buffer[start..start + n]
}

/// Zeros, and from where on `n` of them are [`aligned`].
pub fn zeros(n: usize) -> (Vec<f32>, usize) {
    let values = vec![0.0; n + SLACK];
    let start = first_line(&values);
    (values, start)
}

/// Reads one vector.
///
/// # Safety
/// `S::F32_LANES` floats must be readable at `at`.
#[inline(always)]
unsafe fn load<S: Simd>(_: S, at: *const f32) -> S::f32s {
    // SAFETY: the caller's promise; `f32s` is plain data of exactly that many floats.
    unsafe { at.cast::<S::f32s>().read_unaligned() }
}

/// Writes one vector.
///
/// # Safety
/// `S::F32_LANES` floats must be writable at `at`.
#[inline(always)]
unsafe fn store<S: Simd>(_: S, at: *mut f32, value: S::f32s) {
    // SAFETY: the caller's promise.
    unsafe { at.cast::<S::f32s>().write_unaligned(value) }
}

/// What the tests of this folder share.
#[cfg(test)]
mod testing {
    /// All cases; in Miri, which is hundreds of times slower, those of few numbers.
    pub fn cases<'a, T>(all: &'a [T], few: &'a [T]) -> &'a [T] {
        if cfg!(miri) { few } else { all }
    }

    /// Numbers from -1 to 1 without a pattern.
    pub fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// Pixels of `channels`, each followed by zeros to `to` channels.
    pub fn padded(values: &[f32], channels: usize, to: usize) -> Vec<f32> {
        let pixel =
            |p: &[f32]| p.iter().copied().chain(std::iter::repeat_n(0.0, to - channels)).collect::<Vec<_>>();
        values.chunks_exact(channels).flat_map(pixel).collect()
    }

    /// A convolution by the definition, without padded channels. Weights are `[out][in][k][k]`, or
    /// `[channels][k][k]` where it is depthwise.
    pub fn plain(
        window: super::Window,
        [height, width]: [usize; 2],
        x: &[f32],
        weights: &[f32],
        bias: &[f32],
        depthwise: bool,
    ) -> Vec<f32> {
        let super::Window { kernel, stride, padding } = window;
        let (inputs, outputs) = (x.len() / (height * width), bias.len());
        let [rows, columns] = window.out([height, width]);
        let each = if depthwise { 1 } else { inputs };
        let mut out = Vec::with_capacity(rows * columns * outputs);
        for (y, x_) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            for (o, bias) in bias.iter().enumerate() {
                let mut sum = f64::from(*bias);
                for (at, weight) in
                    weights.chunks_exact(each * kernel * kernel).nth(o).unwrap().iter().enumerate()
                {
                    let (i, t) = (at / (kernel * kernel), at % (kernel * kernel));
                    let i = if depthwise { o } else { i };
                    let row = (y * stride + t / kernel).wrapping_sub(padding[0]);
                    let column = (x_ * stride + t % kernel).wrapping_sub(padding[0]);
                    if row < height && column < width {
                        sum += f64::from(*weight) * f64::from(x[(row * width + column) * inputs + i]);
                    }
                }
                out.push(sum as f32);
            }
        }
        out
    }
}
