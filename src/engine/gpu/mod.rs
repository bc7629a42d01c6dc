//! The networks on WebGPU, by burn's convolutions.
//!
//! Each kernel costs its start, and each read-back is a round trip to the device. So all faces of a frame go
//! through in one pass, layers are merged where that saves a kernel, weights and everything between the
//! layers stay on the device, and what has to come back comes [together](ReadBack).
//!
//! A frame of a camera takes one read-back: of the frame or a part of it, if it is searched, of refinements
//! of known faces, of the brightness of cells, by which frames are compared, and of the estimates that were
//! begun with the frame before. More are taken where something new is not to wait for the next frame: a
//! candidate is refined, and a new face is estimated, at once. A frame that ends a still picture is compared
//! first, and searched then. A photo takes three: to find faces, to place their landmarks, to estimate.
//!
//! What is used of burn decides the size of the browser module:
//!
//! - Dense layers are 1x1 convolutions. A matrix product brings every kernel for it that there is, and so do
//!   burn's modules, by their initialisation with orthogonal matrices: see the sizes in `build.sh`.
//! - The last step, from the logits of a hundred ages to probabilities and an age, is left to the CPU.
//!
//! Pixels come straight from the browser (`texture`): it copies its picture into a texture, and one shader of
//! our own cuts the networks' inputs out of that. Where the browser refuses, or the picture is larger than
//! textures may be, the inputs are cut in main memory, as for the CPU, and uploaded; the brightness of cells
//! then comes from there as well.
//!
//! Traps of burn 0.22.1:
//!
//! - Without its features `autotune` and `fusion` every shader of ours is valid WGSL without extensions; with
//!   them, matrix kernels that need `subgroups` are tried, browsers refuse those, and the device is lost.
//! - Its convolutions read maps and kernels channels last. What lies in another order is copied at every run.
//! - Its rectifier is two kernels, clamping is one.

#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
mod browser;
mod networks;
mod plan;
mod read_back;
// A native program with this feature has no browser to hand it a picture.
#[cfg(feature = "webgpu")]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
mod texture;

pub use networks::{Awaited, GpuNetworks};
pub use plan::GpuPlan;
pub use read_back::{ReadBack, ReadBackAnswer};
#[cfg(feature = "webgpu")]
pub use texture::{Texture, TextureSampler};
/// A picture as the browser has it.
#[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
pub use wgpu::ExternalImageSource;
