//! The learning rate over a run.

use serde::{Deserialize, Serialize};

/// How the rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Linear warm-up over the first 3 % of the steps, then half a cosine down to a hundredth: for a budget
    /// known beforehand.
    Cosine,
    /// The study's: times 0.1 when the validation MAE has not improved for 10 passes, down to 1e-5.
    Plateau,
}

/// State of the schedule, part of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearningRateSchedule {
    kind: ScheduleKind,
    base: f64,
    steps: usize,
    /// Plateau: present rate, best MAE (`None` at first: JSON has no infinity) and passes since.
    rate: f64,
    best: Option<f64>,
    waited: usize,
}

/// Passes without improvement that the plateau schedule waits for.
const PATIENCE: usize = 10;
/// The plateau schedule's lowest rate.
const FLOOR: f64 = 1e-5;

impl LearningRateSchedule {
    /// A run of `steps` steps with the highest rate `base`.
    pub fn new(kind: ScheduleKind, base: f64, steps: usize) -> Self {
        Self { kind, base, steps, rate: base, best: None, waited: 0 }
    }

    /// The rate of step `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        match self.kind {
            ScheduleKind::Plateau => self.rate,
            ScheduleKind::Cosine => {
                let warm = (self.steps as f64 * 0.03).ceil().max(1.0);
                let step = step as f64;
                if step < warm {
                    return self.base * (step + 1.0) / warm;
                }
                let part = ((step - warm) / (self.steps as f64 - warm).max(1.0)).min(1.0);
                self.base * (0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * part).cos()))
            }
        }
    }

    /// To be told the validation MAE after each pass.
    pub fn validated(&mut self, mae: f64) {
        if self.best.is_none_or(|best| mae < best) {
            self.best = Some(mae);
            self.waited = 0;
            return;
        }
        self.waited += 1;
        if self.waited >= PATIENCE {
            self.rate = (self.rate * 0.1).max(FLOOR);
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_rises_and_falls() {
        let schedule = LearningRateSchedule::new(ScheduleKind::Cosine, 1e-3, 1000);
        assert!((schedule.rate(0) - 1e-3 / 30.0).abs() < 1e-9);
        assert!((schedule.rate(30) - 1e-3).abs() < 1e-9);
        assert!((schedule.rate(515) - 0.505e-3).abs() < 1e-6);
        assert!((schedule.rate(5000) - 1e-5).abs() < 1e-9);
    }

    #[test]
    fn plateau_waits_ten_passes() {
        let mut schedule = LearningRateSchedule::new(ScheduleKind::Plateau, 1e-3, 0);
        schedule.validated(5.0);
        (0..9).for_each(|_| schedule.validated(5.0));
        assert_eq!(schedule.rate(0), 1e-3);
        schedule.validated(5.1);
        assert!((schedule.rate(0) - 1e-4).abs() < 1e-12);
        (0..100).for_each(|_| schedule.validated(5.1));
        assert_eq!(schedule.rate(0), FLOOR);
    }
}
