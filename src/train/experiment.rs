//! The study's experiments, on data sets of one's own choice: which networks are trained and how, and the
//! tables of what came out.
//!
//! Every cell of a table is a pre-training and a fine-tuning that starts from its best weights, both ordinary
//! runs of [`trainer`](super::trainer) in folders of their own. A folder is named for what is trained in it,
//! so cells of different tables that train the same share their runs. Budget, rates and everything else are
//! equal for all cells. In both stages the pass is chosen by the validation part of the data sets of the
//! second one; test pictures are read by whoever fills in [`Outcome::tests`], when all runs are done.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::loss::{ClassLoss, LossConfig};
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

/// One of the study's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// The three networks by two losses, pre-trained only and fine-tuned
    Networks,
    /// D-CNN by the gap of the soft label
    Gaps,
    /// D-CNN by the weights of the losses
    Weights,
}

/// What is the same for all cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    /// Data sets of the first stage.
    pub pretrain_on: Vec<String>,
    /// Data sets of the second, whose validation part chooses the pass in both.
    pub finetune_on: Vec<String>,
    /// Pictures seen in the first stage.
    pub pretrain_pictures: usize,
    /// Pictures seen in the second.
    pub finetune_pictures: usize,
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

impl Table {
    /// What its rows try, in their order; of the networks only those among `models`.
    pub fn settings(self, models: &[NetworkKind]) -> Vec<Setting> {
        let default = LossConfig::default;
        let d_cnn = |loss| Setting { network: NetworkKind::DCnn, loss };
        let all = match self {
            Self::Networks => {
                let losses = [ClassLoss::Kl, ClassLoss::Focal];
                let of = |network| {
                    losses.map(|class| Setting { network, loss: LossConfig { class, ..default() } })
                };
                NetworkKind::STUDY.into_iter().flat_map(of).collect()
            }
            Self::Gaps => [1.0, 3.0, 5.0, 7.0].map(|gap| d_cnn(LossConfig { gap, ..default() })).to_vec(),
            Self::Weights => {
                let heavy = LossConfig { class_weight: 30.0, gender_weight: 10.0, ..default() };
                let none = LossConfig { class: ClassLoss::None, ..default() };
                vec![d_cnn(heavy), d_cnn(none), d_cnn(default())]
            }
        };
        all.into_iter().filter(|setting: &Setting| models.contains(&setting.network)).collect()
    }

    /// The stages whose results it shows.
    pub fn stages(self) -> &'static [Stage] {
        match self {
            Self::Networks => &[Stage::PreTrain, Stage::FineTune],
            Self::Gaps | Self::Weights => &[Stage::FineTune],
        }
    }

    /// All runs that it needs, each behind the one that it starts from: seed by seed, so that a whole table
    /// is there early.
    pub fn runs(self, models: &[NetworkKind], seeds: &[u64]) -> Vec<Run> {
        let mut runs = Vec::new();
        for &seed in seeds {
            for setting in self.settings(models) {
                let run = |stage| Run { setting: setting.clone(), stage, seed };
                runs.extend([Stage::PreTrain, Stage::FineTune].map(run));
            }
        }
        runs
    }

    fn row_titles(self) -> &'static [&'static str] {
        match self {
            Self::Networks => &["network", "loss"],
            Self::Gaps => &["gap"],
            Self::Weights => &["loss weights (class, regression, gender)"],
        }
    }

    fn row_names(self, Setting { network, loss }: &Setting) -> Vec<String> {
        match self {
            Self::Networks => vec![network.network().title.into(), class_loss_title(loss.class).into()],
            Self::Gaps => vec![loss.gap.to_string()],
            Self::Weights if loss.class == ClassLoss::None => {
                vec![format!("no class, {}, {}", loss.regression_weight, loss.gender_weight)]
            }
            Self::Weights => {
                vec![format!("{}, {}, {}", loss.class_weight, loss.regression_weight, loss.gender_weight)]
            }
        }
    }

    /// MAE on AFAD, fine-tuned, that the study published for a row.
    fn study(self, Setting { network, loss }: &Setting) -> Option<f64> {
        match (self, network, loss.class) {
            (Self::Networks, NetworkKind::Base, ClassLoss::Kl) => Some(4.670),
            (Self::Networks, NetworkKind::DCnn, ClassLoss::Kl) => Some(3.505),
            (Self::Networks, NetworkKind::MCnn, ClassLoss::Kl) => Some(5.588),
            (Self::Networks, NetworkKind::Base, ClassLoss::Focal) => Some(4.521),
            (Self::Networks, NetworkKind::DCnn, ClassLoss::Focal) => Some(3.843),
            (Self::Networks, NetworkKind::MCnn, ClassLoss::Focal) => Some(4.898),
            (Self::Gaps, ..) => match loss.gap {
                1.0 => Some(4.063),
                3.0 => Some(3.505),
                5.0 => Some(3.734),
                7.0 => Some(3.756),
                _ => None,
            },
            (Self::Weights, _, ClassLoss::None) => Some(4.065),
            (Self::Weights, ..) if loss.class_weight == 30.0 => Some(4.063),
            (Self::Weights, ..) => Some(3.505),
            _ => None,
        }
    }

    /// The table in Markdown, with what it was measured on. `test` is the test set among [`Outcome::tests`]
    /// to show.
    pub fn markdown(
        self,
        models: &[NetworkKind],
        budget: &Budget,
        test: Option<&str>,
        outcomes: &[(Run, Outcome)],
    ) -> String {
        let stage_titles = self.stages().iter().flat_map(|stage| {
            let name = stage.title();
            [format!("{name}: MAE (years)"), "gender".into(), "validation MAE".into()]
        });
        let titles = self.row_titles().iter().map(|t| (*t).to_owned());
        let titles: Vec<String> =
            titles.chain(stage_titles).chain(["study, on AFAD: MAE".to_owned()]).collect();
        let mut text = line(&titles);
        text += &line(&vec!["---".to_owned(); titles.len()]).replace(' ', "");
        for setting in self.settings(models) {
            let mut cells = self.row_names(&setting);
            for stage in self.stages() {
                let found: Vec<&Outcome> = outcomes
                    .iter()
                    .filter(|(run, _)| run.setting == setting && run.stage == *stage)
                    .map(|(_, outcome)| outcome)
                    .collect();
                let tested = found.iter().filter_map(|outcome| outcome.tests.get(test?));
                let genders = tested.clone().filter_map(|m| m.gender_accuracy).map(|share| 100.0 * share);
                cells.push(spread(tested.map(|m| m.mae), 2, ""));
                cells.push(spread(genders, 1, " %"));
                cells.push(spread(found.iter().map(|outcome| outcome.validation_mae), 2, ""));
            }
            cells.push(self.study(&setting).map_or("-".into(), |mae| format!("{mae:.3}")));
            text += &line(&cells);
        }
        text + "\n" + &notes(budget, test, outcomes)
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Mean ± sample standard deviation; the latter of two or more values only.
fn spread(values: impl Iterator<Item = f64>, decimals: usize, unit: &str) -> String {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    match values.len() {
        0 => "-".into(),
        1 => format!("{mean:.decimals$}{unit}"),
        _ => {
            let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
            format!("{mean:.decimals$} ± {:.decimals$}{unit}", variance.sqrt())
        }
    }
}

fn notes(budget: &Budget, test: Option<&str>, outcomes: &[(Run, Outcome)]) -> String {
    let seeds: Vec<String> = budget.seeds.iter().map(u64::to_string).collect();
    let mut text = format!(
        "Every row: pre-trained on {} pictures drawn from {} at a highest rate of {}, then fine-tuned on {} drawn from {} at {}; \
         {} pictures a step, cosine schedule, seeds {}. ",
        budget.pretrain_pictures,
        budget.pretrain_on.join(", "),
        budget.pretrain_rate,
        budget.finetune_pictures,
        budget.finetune_on.join(", "),
        budget.finetune_rate,
        budget.batch,
        seeds.join(", ")
    );
    if let Some(test) = test {
        write!(text, "MAE and gender accuracy are of {test}").expect("strings take everything");
        if let Some(measures) = outcomes.iter().find_map(|(_, outcome)| outcome.tests.get(test)) {
            let Measures { n, missed, .. } = measures;
            write!(text, ", {n} pictures, {missed} without a face found").expect("strings take everything");
        }
        text += ". ";
    }
    writeln!(
        text,
        "The pass was chosen by the validation part of {}. With several seeds: mean ± standard deviation over them.\n\n\
         The study's column is as published, of other pictures (AFAD, fine-tuned), and no measure for ours: its weights were chosen by \
         the pictures that they were tested on, some of which were trained on after an interruption. Before one, D-CNN with KL had 3.74.",
        budget.finetune_on.join(", ")
    )
    .expect("strings take everything");
    text
}

fn class_loss_title(loss: ClassLoss) -> &'static str {
    match loss {
        ClassLoss::Kl => "KL",
        ClassLoss::Focal => "FL",
        ClassLoss::None => "none",
    }
}

impl Stage {
    fn title(self) -> &'static str {
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
        let (pictures, rate) = match run.stage {
            Stage::PreTrain => (self.pretrain_pictures, self.pretrain_rate),
            Stage::FineTune => (self.finetune_pictures, self.finetune_rate),
        };
        TrainConfig {
            network: run.setting.network,
            loss: run.setting.loss.clone(),
            balance: false,
            batch: self.batch,
            accumulate: 1,
            length: Length::Pictures(pictures),
            rate,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.01,
            average: 0.998,
            sampler: SamplerConfig { kind: SamplerKind::AsTheyCome, ..SamplerConfig::default() },
            augmentation: Augmentation::default(),
            teacher_weight: 0.0,
            seed: run.seed,
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
mod tests {
    use super::*;
    use crate::data::toy;

    fn budget() -> Budget {
        Budget {
            pretrain_on: vec!["a".into(), "b".into()],
            finetune_on: vec!["b".into()],
            pretrain_pictures: 72,
            finetune_pictures: 20,
            batch: 8,
            pretrain_rate: 1e-3,
            finetune_rate: 5e-4,
            seeds: vec![1, 2],
        }
    }

    #[test]
    fn the_grids_are_the_studys() {
        let all = &NetworkKind::STUDY;
        let names = |table: Table, models: &[NetworkKind]| -> Vec<String> {
            table.settings(models).iter().map(|s| table.row_names(s).join(" ")).collect()
        };
        let networks = ["Base CNN KL", "Base CNN FL", "D-CNN KL", "D-CNN FL", "M-CNN KL", "M-CNN FL"];
        assert_eq!(names(Table::Networks, all), networks);
        assert_eq!(names(Table::Networks, &[NetworkKind::MCnn]), networks[4..]);
        assert_eq!(names(Table::Gaps, all), ["1", "3", "5", "7"]);
        assert_eq!(names(Table::Weights, all), ["30, 1, 10", "no class, 1, 1", "1, 1, 1"]);
        assert_eq!(Table::Networks.runs(all, &[1, 2, 3]).len(), 3 * 6 * 2);
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
    fn a_table_shows_mean_and_spread() {
        let budget = budget();
        let measures = |mae, gender| Measures {
            n: 50,
            missed: 2,
            mae,
            mae_stderr: 0.1,
            bias: 0.0,
            within_5: 0.5,
            gender_accuracy: Some(gender),
            range_coverage: 0.8,
        };
        let models = [NetworkKind::DCnn];
        let runs = Table::Networks.runs(&models, &budget.seeds);
        let outcomes: Vec<(Run, Outcome)> = runs
            .into_iter()
            .filter(|run| run.setting.loss.class == ClassLoss::Kl || run.stage == Stage::PreTrain)
            .map(|run| {
                let mae = run.seed as f64 + if run.stage == Stage::PreTrain { 7.0 } else { 5.0 };
                let outcome = Outcome {
                    config: budget.config(&run),
                    trained_on: budget.trained_on(run.stage).to_vec(),
                    chosen_on: budget.finetune_on.clone(),
                    validation_mae: mae + 0.25,
                    validation_gender: 0.9,
                    tests: [("b-test".to_owned(), measures(mae, 0.8 + 0.01 * run.seed as f64))].into(),
                };
                (run, outcome)
            })
            .collect();
        let text = Table::Networks.markdown(&models, &budget, Some("b-test"), &outcomes);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "| network | loss | pre-trained: MAE (years) | gender | validation MAE | fine-tuned: MAE (years) | gender \
             | validation MAE | study, on AFAD: MAE |"
        );
        assert_eq!(lines[1], "|---|---|---|---|---|---|---|---|---|");
        // The standard deviation of two values that are 1 apart is 0.71.
        assert_eq!(
            lines[2],
            "| D-CNN | KL | 8.50 ± 0.71 | 81.5 ± 0.7 % | 8.75 ± 0.71 | 6.50 ± 0.71 | 81.5 ± 0.7 % | 6.75 ± 0.71 | 3.505 |"
        );
        assert_eq!(lines[3], "| D-CNN | FL | 8.50 ± 0.71 | 81.5 ± 0.7 % | 8.75 ± 0.71 | - | - | - | 3.843 |");
        assert!(text.contains("72 pictures drawn from a, b at a highest rate of 0.001"), "{text}");
        assert!(text.contains("of b-test, 50 pictures, 2 without a face found. "), "{text}");

        // Without test pictures, of one seed.
        let gaps = Table::Gaps.markdown(&models, &budget, None, &outcomes[..2]);
        assert_eq!(gaps.lines().nth(3), Some("| 3 | - | - | 6.25 | 3.505 |"), "{gaps}");
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
