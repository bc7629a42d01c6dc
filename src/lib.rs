//! Mien estimates the age and gender of the faces in a picture, on the device that shows it.
#![warn(missing_docs)]

pub mod frame;
pub mod kernels;
pub mod model;
pub mod weights;
