//! How the networks run.
//!
//! - [`fused`]: on the CPU, by the kernels of [`crate::kernels`], with batch normalisation folded into the weights.

pub mod fused;
