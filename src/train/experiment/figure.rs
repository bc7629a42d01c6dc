//! The study's figures 4.4 and 4.5: error of the age and accuracy of the gender over the passes, of all networks
//! and losses, on training and on validation pictures.

use std::path::Path;

use super::table::{Table, class_loss_title};
use super::{Outcome, Run, Setting, Stage};
use crate::net::NetworkKind;
use crate::plot::{self, Panel, PanelLine};
use crate::train::loss::ClassLoss;
use crate::train::trainer::{EpochMetrics, TrainError, read_metrics};

/// Their names as files.
pub const FILES: [&str; 2] = ["figure-4-4.svg", "figure-4-5.svg"];

/// Draws both of the runs in `experiment` into `folder`: a row of panels for each stage. A line is the mean over
/// those of `seeds` that are done.
///
/// # Errors
/// [`TrainError`] if a log can't be read, or a figure can't be written.
pub fn draw(
    models: &[NetworkKind],
    seeds: &[u64],
    experiment: &Path,
    folder: &Path,
) -> Result<(), TrainError> {
    let settings = Table::Networks.settings(models);
    let mut logs = Vec::new();
    for stage in [Stage::PreTrain, Stage::FineTune] {
        for setting in &settings {
            logs.push((stage, setting, mean_log(setting, stage, seeds, experiment)?));
        }
    }
    type Reading = fn(&EpochMetrics) -> f64;
    let figures: [(&str, &str, [Reading; 2]); 2] = [
        ("Mean absolute error of age", "years", [|pass| pass.regression, |pass| pass.validation_mae]),
        (
            "Gender accuracy",
            "%",
            [|pass| 100.0 * pass.gender_accuracy, |pass| 100.0 * pass.validation_gender],
        ),
    ];
    for (file, (title, unit, readings)) in FILES.iter().zip(figures) {
        let mut panels = Vec::new();
        for stage in [Stage::PreTrain, Stage::FineTune] {
            for (part, reading) in ["training", "validation"].into_iter().zip(readings) {
                let of_stage = logs.iter().filter(|(of, ..)| *of == stage);
                let lines = of_stage.map(|(_, setting, log)| PanelLine {
                    name: format!(
                        "{}, {}",
                        setting.network.network().title,
                        class_loss_title(setting.loss.class)
                    ),
                    colour: NetworkKind::STUDY.iter().position(|kind| *kind == setting.network).unwrap_or(0),
                    dashed: setting.loss.class != ClassLoss::Kl,
                    points: log.iter().map(|pass| (pass.epoch as f64, reading(pass))).collect(),
                });
                panels.push(Panel { title: format!("{}, {part}", stage.title()), lines: lines.collect() });
            }
        }
        plot::panels(title, unit, &panels, &folder.join(file))?;
    }
    Ok(())
}

/// The log of a run, pass by pass the mean over its seeds that are done; as long as the shortest of them.
fn mean_log(
    setting: &Setting,
    stage: Stage,
    seeds: &[u64],
    experiment: &Path,
) -> Result<Vec<EpochMetrics>, TrainError> {
    let mut logs = Vec::new();
    for &seed in seeds {
        let folder = Run { setting: setting.clone(), stage, seed }.folder(experiment);
        if Outcome::load(&folder)?.is_some() {
            logs.push(read_metrics(&folder)?);
        }
    }
    let passes = logs.iter().map(Vec::len).min().unwrap_or(0);
    let mean = |pass: usize, of: fn(&EpochMetrics) -> f64| {
        logs.iter().map(|log| of(&log[pass])).sum::<f64>() / logs.len() as f64
    };
    let mean_of = |pass: usize| EpochMetrics {
        regression: mean(pass, |pass| pass.regression),
        gender_accuracy: mean(pass, |pass| pass.gender_accuracy),
        validation_mae: mean(pass, |pass| pass.validation_mae),
        validation_gender: mean(pass, |pass| pass.validation_gender),
        ..logs[0][pass].clone()
    };
    Ok((0..passes).map(mean_of).collect())
}
