//! The study's experiments, on data sets of one's own choice: which networks are trained and how, and what came
//! of it. [`table`] makes the tables, [`figure`] the figures.
//!
//! Every cell of a table is a pre-training and a fine-tuning that starts from its best weights, both ordinary
//! runs of [`trainer`](super::trainer) in folders of their own. A folder is named for what is trained in it,
//! so cells of different tables that train the same share their runs. Budget, rates and everything else are
//! equal for all cells. In both stages the pass is chosen by the validation part of the data sets of the
//! second one; test pictures are read by whoever fills in [`Outcome::tests`], when all runs are done.

pub mod figure;
pub mod table;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::json;

use self::table::class_loss_title;
use super::loss::LossConfig;
use super::schedule::ScheduleKind;
use super::trainer::{BEST, Event, Length, TrainConfig, TrainError, differences, read_metrics, train};
use crate::data::DataError;
use crate::data::augment::Augmentation;
use crate::data::batch::Dataset;
use crate::data::crops::Crops;
use crate::data::sampler::{SamplerConfig, SamplerKind};
use crate::data::split::Part;
use crate::evaluation::Measures;
use crate::files::write_atomically;
use crate::net::NetworkKind;
use crate::weights::Weights;

/// How cells are trained, beside what they try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Recipe {
    /// As the study did: Adam, 512 pictures a step, a rate of 1e-3 that falls tenfold when 10 passes have not
    /// helped, pictures as they are
    Study,
    /// As we would: AdamW, 64 pictures a step, a cosine schedule, pictures changed at random, weights averaged
    Ours,
}

impl Recipe {
    /// Pictures a step.
    pub fn batch(self) -> usize {
        match self {
            Self::Study => 512,
            Self::Ours => 64,
        }
    }

    /// Highest learning rate of a stage.
    pub fn rate(self, stage: Stage) -> f64 {
        match (self, stage) {
            (Self::Study, _) => 1e-3,
            (Self::Ours, Stage::PreTrain) => 1.5e-3,
            (Self::Ours, Stage::FineTune) => 8e-4,
        }
    }
}

/// Pictures that run through a network at once, at most; steps of more add up the gradients of several. More
/// memory than of so many is not needed.
const AT_ONCE: usize = 64;

/// What is the same for all cells.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Budget {
    /// By which recipe.
    pub recipe: Recipe,
    /// Data sets of the first stage.
    pub pretrain_on: Vec<String>,
    /// Data sets of the second, whose validation part chooses the pass in both.
    pub finetune_on: Vec<String>,
    /// Length of the first stage.
    pub pretrain: Length,
    /// Length of the second.
    pub finetune: Length,
    /// Pictures a step.
    pub batch: usize,
    /// Highest learning rate of the first stage.
    pub pretrain_rate: f64,
    /// Highest learning rate of the second.
    pub finetune_rate: f64,
    /// A cell is trained once with each.
    pub seeds: Vec<u64>,
}

/// What a cell tries.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Which network.
    pub network: NetworkKind,
    /// Trained by which losses.
    pub loss: LossConfig,
}

/// The two stages of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// On the larger data sets, from random weights.
    PreTrain,
    /// From there, on the data sets that it is for.
    FineTune,
}

/// One training run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// What it tries.
    pub setting: Setting,
    /// Which stage of it.
    pub stage: Stage,
    /// With which seed.
    pub seed: u64,
}

/// What came of a run, kept in its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it was trained.
    pub config: TrainConfig,
    /// On which data sets.
    pub trained_on: Vec<String>,
    /// Whose validation part chose the pass.
    pub chosen_on: Vec<String>,
    /// Validation MAE of the best pass, years.
    pub validation_mae: f64,
    /// Validation gender accuracy of that pass, 0..1.
    pub validation_gender: f64,
    /// Measures of its weights on test sets, by name.
    pub tests: BTreeMap<String, Measures>,
}

const OUTCOME: &str = "outcome.json";

impl Stage {
    /// In tables, and as a folder's name.
    pub fn title(self) -> &'static str {
        match self {
            Self::PreTrain => "pre-trained",
            Self::FineTune => "fine-tuned",
        }
    }
}

impl Budget {
    fn trained_on(&self, stage: Stage) -> &[String] {
        match stage {
            Stage::PreTrain => &self.pretrain_on,
            Stage::FineTune => &self.finetune_on,
        }
    }

    /// How `run` is trained.
    pub fn config(&self, run: &Run) -> TrainConfig {
        let (length, rate) = match run.stage {
            Stage::PreTrain => (self.pretrain, self.pretrain_rate),
            Stage::FineTune => (self.finetune, self.finetune_rate),
        };
        let at_once = self.batch.min(AT_ONCE);
        let ours = TrainConfig {
            network: run.setting.network,
            loss: run.setting.loss.clone(),
            balance: false,
            batch: at_once,
            accumulate: self.batch / at_once,
            length,
            rate,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.01,
            average: 0.998,
            sampler: SamplerConfig { kind: SamplerKind::AsTheyCome, ..SamplerConfig::default() },
            augmentation: Augmentation::default(),
            teacher_weight: 0.0,
            seed: run.seed,
        };
        match self.recipe {
            Recipe::Ours => ours,
            Recipe::Study => TrainConfig {
                schedule: ScheduleKind::Plateau,
                // AdamW without it is Adam.
                weight_decay: 0.0,
                average: 0.0,
                augmentation: Augmentation { strength: 0.0, kinds: Vec::new() },
                ..ours
            },
        }
    }
}

impl Run {
    /// Its folder below that of the experiment: named for everything that tells it from other runs.
    pub fn folder(&self, experiment: &Path) -> PathBuf {
        let Setting { network, loss } = &self.setting;
        let LossConfig { gap, class_weight, regression_weight, gender_weight, .. } = loss;
        let class = class_loss_title(loss.class).to_lowercase();
        let name = format!(
            "{}-{class}-gap-{gap}-weights-{class_weight}-{regression_weight}-{gender_weight}-seed-{}",
            network.name(),
            self.seed
        );
        experiment.join(name).join(self.stage.title())
    }

    /// The run whose best weights it starts from.
    pub fn before(&self) -> Option<Self> {
        (self.stage == Stage::FineTune).then(|| Self { stage: Stage::PreTrain, ..self.clone() })
    }

    /// Its best weights, once it is done.
    pub fn weights(&self, experiment: &Path) -> PathBuf {
        self.folder(experiment).join(BEST)
    }

    /// Trains on the prepared crops in `crops` unless that was done before, going on where an earlier call
    /// was cut off. `None` if `on_event` stopped it.
    ///
    /// # Errors
    /// [`TrainError`]; [`TrainError::OtherRun`] if its folder holds what was trained otherwise;
    /// [`TrainError::Data`] if the run that it starts from is not done.
    pub fn train(
        &self,
        budget: &Budget,
        crops: &Path,
        experiment: &Path,
        device: &Device,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Option<Outcome>, TrainError> {
        let folder = self.folder(experiment);
        let config = budget.config(self);
        let trained_on = budget.trained_on(self.stage).to_vec();
        let chosen_on = budget.finetune_on.clone();
        if let Some(outcome) = Outcome::load(&folder)? {
            let described = |config: &TrainConfig, trained_on: &[String], chosen_on: &[String]| json!({ "settings": config, "trained on": trained_on, "chosen on": chosen_on });
            let before = described(&outcome.config, &outcome.trained_on, &outcome.chosen_on);
            let differences = differences(&before, &described(&config, &trained_on, &chosen_on));
            let same = differences.is_empty();
            return if same { Ok(Some(outcome)) } else { Err(TrainError::OtherRun { folder, differences }) };
        }
        let open = |names: &[String], part| {
            let sets = names.iter().map(|name| Crops::open(crops, name)).collect::<Result<Vec<_>, _>>();
            sets.map(|sets| Dataset::new(sets, part))
        };
        let training = open(&trained_on, Part::Train)?;
        let validation = open(&chosen_on, Part::Validation)?;
        let init = match self.before() {
            Some(before) => {
                let path = before.weights(experiment);
                Some(Weights::from_bytes(&std::fs::read(&path).map_err(DataError::io(&path))?)?)
            }
            None => None,
        };
        let (mut done, mut all) = (0, 0);
        let devices = std::slice::from_ref(device);
        train(&config, &training, &validation, init.as_ref(), &folder, devices, |event| {
            match event {
                Event::Start { step, steps } => (done, all) = (step, steps),
                Event::Step { step, .. } => done = step,
                Event::Epoch(_) => {}
            }
            on_event(event)
        })?;
        if done < all {
            return Ok(None);
        }
        let log = read_metrics(&folder)?;
        let best = log.iter().min_by(|a, b| a.validation_mae.total_cmp(&b.validation_mae));
        let Some(best) = best else { return Ok(None) };
        let outcome = Outcome {
            config,
            trained_on,
            chosen_on,
            validation_mae: best.validation_mae,
            validation_gender: best.validation_gender,
            tests: BTreeMap::new(),
        };
        outcome.save(&folder)?;
        Ok(Some(outcome))
    }
}

impl Outcome {
    /// Reads what came of the run in `folder`; `None` if it is not done.
    ///
    /// # Errors
    /// [`TrainError::Data`] if it can't be read.
    pub fn load(folder: &Path) -> Result<Option<Self>, TrainError> {
        let path = folder.join(OUTCOME);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(DataError::io(path)(e).into()),
        };
        serde_json::from_slice(&text).map(Some).map_err(|e| {
            DataError::Table { path, reason: format!("{e}; delete it to read the run again") }.into()
        })
    }

    /// Keeps it in `folder`.
    ///
    /// # Errors
    /// [`TrainError::Data`] if it can't be written.
    pub fn save(&self, folder: &Path) -> Result<(), TrainError> {
        let path = folder.join(OUTCOME);
        let text = serde_json::to_vec_pretty(self).expect("plain data");
        Ok(write_atomically(&path, &text).map_err(DataError::io(&path))?)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::table::Table;
    use super::*;
    use crate::data::toy;

    pub(super) fn budget() -> Budget {
        Budget {
            recipe: Recipe::Ours,
            pretrain_on: vec!["a".into(), "b".into()],
            finetune_on: vec!["b".into()],
            pretrain: Length::Pictures(72),
            finetune: Length::Pictures(20),
            batch: 8,
            pretrain_rate: 1e-3,
            finetune_rate: 5e-4,
            seeds: vec![1, 2],
        }
    }

    #[test]
    fn the_studys_recipe_is_the_studys() {
        let study = Budget { recipe: Recipe::Study, batch: Recipe::Study.batch(), ..budget() };
        let run = &Table::Networks.runs(&[NetworkKind::DCnn], &[1])[0];
        let config = study.config(run);
        assert_eq!((config.batch * config.accumulate, config.schedule), (512, ScheduleKind::Plateau));
        assert_eq!((config.weight_decay, config.average, config.augmentation.strength), (0.0, 0.0, 0.0));
        assert_eq!([Stage::PreTrain, Stage::FineTune].map(|stage| Recipe::Study.rate(stage)), [1e-3; 2]);
        assert!(config.check().is_ok());
        let ours = budget().config(run);
        assert!(ours.average > 0.9 && ours.augmentation.strength > 0.0 && ours.accumulate == 1);
    }

    #[test]
    fn what_is_trained_alike_is_trained_once() {
        let mut folders = BTreeMap::<PathBuf, (Run, usize)>::new();
        for table in [Table::Networks, Table::Gaps, Table::Weights] {
            let runs = table.runs(&NetworkKind::STUDY, &[1, 2]);
            for (at, run) in runs.iter().enumerate() {
                // What it starts from comes before it.
                assert!(run.before().is_none_or(|before| runs[..at].contains(&before)));
                let (first, times) =
                    folders.entry(run.folder(Path::new("x"))).or_insert_with(|| (run.clone(), 0));
                assert_eq!(first, run);
                *times += 1;
            }
        }
        // D-CNN by KL with the default gap and weights is in all three tables: 13 cells, 11 of them
        // different.
        assert_eq!(folders.len(), 11 * 2 * 2);
        assert_eq!(folders.values().filter(|(_, times)| *times == 3).count(), 2 * 2);
        let first = folders.keys().next().unwrap();
        assert_eq!(first, Path::new("x/base-fl-gap-3-weights-1-1-1-seed-1/fine-tuned"));
    }

    #[test]
    fn runs_go_on_and_are_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "a");
        toy::write(folder.path(), "b");
        let experiment = folder.path().join("experiment");
        let budget = budget();
        let runs = Table::Networks.runs(&[NetworkKind::MCnn], &[1]);
        let [pretrain, finetune] = &runs[..2] else { panic!("{}", runs.len()) };
        let device = Device::flex();
        // Trains until a step, and counts the steps.
        let mut taken = 0;
        let mut go_on = |run: &Run, budget: &Budget, until: usize| {
            taken = 0;
            let outcome = run.train(budget, folder.path(), &experiment, &device, |event| match event {
                Event::Step { step, .. } => {
                    taken += 1;
                    if step >= until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                }
                _ => ControlFlow::Continue(()),
            });
            (outcome, taken)
        };
        // Not before what it starts from.
        assert!(matches!(go_on(finetune, &budget, 1).0, Err(TrainError::Data(_))));
        // 72 pictures of 64, 8 a step.
        let (cut, taken) = go_on(pretrain, &budget, 3);
        assert!(cut.unwrap().is_none());
        assert_eq!(taken, 3);
        let (whole, taken) = go_on(pretrain, &budget, usize::MAX);
        assert_eq!(taken, 6);
        let whole = whole.unwrap().unwrap();
        let (again, taken) = go_on(pretrain, &budget, usize::MAX);
        assert_eq!((again.unwrap().unwrap(), taken), (whole.clone(), 0));
        let log = read_metrics(&pretrain.folder(&experiment)).unwrap();
        assert_eq!(log.iter().map(|m| m.step).collect::<Vec<_>>(), [8, 9]);
        let best = log[0].validation_mae.min(log[1].validation_mae);
        assert_eq!((whole.validation_mae, whole.trained_on), (best, vec!["a".to_owned(), "b".into()]));

        let (outcome, taken) = go_on(finetune, &budget, usize::MAX);
        assert_eq!(taken, 3);
        assert_eq!(outcome.unwrap().unwrap().trained_on, ["b"]);
        // Another budget in the same folder.
        let other = Budget { finetune_rate: 1e-3, ..budget };
        assert!(matches!(go_on(finetune, &other, 1).0, Err(TrainError::OtherRun { .. })));
    }
}
