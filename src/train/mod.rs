//! Training: losses, schedule, the loop, and where a run is kept.
//!
//! - [`loss`]: KL and focal on the soft label, the cascade's MAE, gender cross entropy.
//! - [`schedule`]: the learning rate over a run.
//! - [`average`]: the moving average of the weights, which is what is validated and kept.
//! - [`checkpoint`]: a run on disk, to go on from.
//! - [`validate`]: metrics on held-out crops.
//! - [`trainer`]: the loop.
//! - `replicas`: the loop on several devices at once.
//! - [`calibrate`]: how wide the stated age range must be.
//! - [`label_errors`]: labels that several networks contradict.
//! - [`teach`]: what networks answer to crops, for another to learn from.
//! - [`experiment`]: the study's tables, as many runs.
//! - [`bench`](mod@bench): pictures a second.

pub mod average;
pub mod bench;
pub mod calibrate;
pub mod checkpoint;
pub mod experiment;
pub mod label_errors;
pub mod loss;
mod replicas;
pub mod schedule;
pub mod teach;
pub mod trainer;
pub mod validate;
