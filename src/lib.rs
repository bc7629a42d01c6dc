//! Mien estimates the age and gender of the faces in a picture, on the device that shows it.
//!
//! ```
//! use mien::engine::EngineKind;
//! use mien::picture::Pixels;
//! use mien::pipeline::Estimator;
//! use mien::vision::Search;
//! use mien::weights::Weights;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let weights = |path| Ok::<_, Box<dyn std::error::Error>>(Weights::from_bytes(&std::fs::read(path)?)?);
//! let detector = weights("model-weights/blazeface/blazeface-short.safetensors")?;
//! let network = weights("model-weights/lite/lite.safetensors")?;
//! let photo = Pixels::decode(&std::fs::read("www/sample.jpg")?)?; // the feature `decode`
//!
//! // An engine on a graphics device has to be waited for, and so all of them are.
//! let estimator = pollster::block_on(Estimator::new(EngineKind::Cpu, &detector, &network))?;
//! let faces = pollster::block_on(estimator.estimate(&photo.frame(), Search::Tiled))?;
//!
//! let [low, high] = faces[0].estimate.age_range;
//! assert!(faces.len() == 1 && low < 40.0 && high > 25.0);
//! # Ok(())
//! # }
//! ```
//!
//! The rooms of the house. Each uses rooms before it in this list and none after it, which `tests/rooms.rs`
//! sees to; how a picture goes through them is in `docs/architecture.md`.
//!
//! - [`files`]: files that are written whole or not at all.
//! - [`kernels`]: the inner loops on the CPU, which use and training share.
//! - [`picture`]: pixels in memory, resampling of them, decoding of files.
//! - [`age`]: what is said of an age: soft labels to train on, a distribution to answer with.
//! - [`weights`]: the files that networks come in.
//! - [`net`]: the networks, a table of operations each; what trains them, and what folds their normalisation
//!   away.
//! - [`engine`]: how networks run, fused kernels on the CPU, burn on WebGPU: regions of a picture in, numbers
//!   out. The rooms after it never touch a pixel.
//! - [`vision`]: where the faces are: anchors, decoding and suppression, tiles for small faces, refinement
//!   from close up; and from six landmarks to the aligned region that a network is shown, the same in
//!   training and in use.
//! - [`pipeline`]: all of that in one call, a picture in, faces with estimates out: the public API. Also the
//!   frames of a video, who is who from frame to frame, and steadier numbers.
//! - `web`: what JavaScript sees (only on wasm32).
//! - `web_bench`: the networks alone, for `benches/browser`.
//!
//! With the feature `train`, how the networks come to be and how good they are:
//!
//! - [`data`]: labelled faces, from ten data sets' layouts to the tensors of a training step.
//! - [`evaluation`]: errors on labelled pictures, in all and by decade, gender and race label.
//! - [`plot`]: drawings of them, and of a training.
//! - [`train`]: losses, schedule, the loop, checkpoints, calibration, the study's experiments.
//!
//! And with the feature `cli`, on top of it all:
//!
//! - `screen`: the entrance screen's rules, as the page has them: who fits, and when the content changes.
//! - `cli`: the program's commands.
//!
//! Features. The library alone estimates faces in pictures that are in memory already, on the CPU: no burn,
//! no command line, no server.
//!
//! - `cli` (default): the program's commands `predict`, `watch`, `convert`, `serve`, and what they need.
//! - `train` (default): the rooms above; burn on the CPU, as [`engine::burn`] too. With `cli`, the program's
//!   other commands.
//! - `decode`: [`picture::decode`], files to pixels; both bring it.
//! - `v4l`: cameras of Linux for `watch` without ffmpeg. Its build needs libclang.
//! - `webgpu`: the engine on WebGPU, by burn. In the browser it takes a module of its own; the program can
//!   also train on it.
//! - `cuda`: training on NVIDIA's graphics processors.
//! - `relaxed-simd`: for a browser module with fused multiply-add. `bench`: one for `benches/browser` alone.
#![warn(missing_docs)]
#![cfg_attr(not(feature = "train"), allow(rustdoc::broken_intra_doc_links))]

pub mod age;
#[cfg(feature = "train")]
pub mod data;
pub mod engine;
#[cfg(feature = "train")]
pub mod evaluation;
#[cfg(not(target_arch = "wasm32"))]
pub mod files;
pub mod kernels;
pub mod net;
pub mod picture;
pub mod pipeline;
#[cfg(feature = "train")]
pub mod plot;
#[cfg(feature = "cli")]
pub mod screen;
#[cfg(feature = "train")]
pub mod train;
pub mod vision;
#[cfg(target_arch = "wasm32")]
pub mod web;
#[cfg(all(target_arch = "wasm32", feature = "bench"))]
pub mod web_bench;
pub mod weights;
