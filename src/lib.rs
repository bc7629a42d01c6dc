//! Mien estimates the age and gender of the faces in a picture, on the device that shows it.
#![warn(missing_docs)]

pub mod age;
pub mod crop;
#[cfg(feature = "native")]
pub mod data;
pub mod engine;
pub mod estimator;
#[cfg(feature = "native")]
pub mod evaluation;
pub mod face;
pub mod frame;
pub mod kernels;
pub mod model;
#[cfg(feature = "native")]
pub mod picture;
#[cfg(feature = "native")]
pub mod plot;
pub mod track;
#[cfg(feature = "native")]
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;
