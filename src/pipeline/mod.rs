//! From pictures to faces with ages: [`estimator`] takes photos, [`video`] the frames of a camera. Neither
//! touches a pixel.

pub mod estimator;
pub mod scene;
pub mod schedule;
pub mod steady;
pub mod track;
pub mod video;

pub use estimator::{Estimate, Estimator, EstimatorError, Face};
pub use video::Video;
