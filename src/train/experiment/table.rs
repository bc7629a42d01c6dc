//! The study's tables: what their rows try, what was published of them, and what came out here.

use std::fmt::Write;

use serde::Serialize;

use super::super::loss::{ClassLoss, LossConfig};
use super::super::trainer::Length;
use super::{Budget, Outcome, Recipe, Run, Setting, Stage};
use crate::net::NetworkKind;

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

/// What the study published of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Published {
    /// Data set whose test part it is of.
    pub on: &'static str,
    /// Mean absolute error, years.
    pub mae: f64,
    /// Gender accuracy, 0..1, where it is given.
    pub gender: Option<f64>,
}

/// A figure of one or several runs that differ in their seeds alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean over the seeds.
    pub mean: f64,
    /// Its standard error by the choice of pictures, where these are at hand.
    pub stderr: Option<f64>,
    /// Standard deviation over the seeds, of two or more.
    pub deviation: Option<f64>,
}

/// What came of a row in one stage. What is not there has not been trained or measured yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Which stage.
    pub stage: &'static str,
    /// How many seeds are done.
    pub seeds: usize,
    /// Mean absolute error on the test set, years.
    pub mae: Option<Spread>,
    /// Gender accuracy on the test set, 0..1.
    pub gender: Option<Spread>,
    /// Mean absolute error on the validation part that chose the pass, years.
    pub validation_mae: Option<Spread>,
    /// What the study has in that place.
    pub published: Option<Published>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What it is called, by the columns of [`Table::titles`].
    pub names: Vec<String>,
    /// Which network.
    pub network: &'static str,
    /// Loss on the classes of age: KL, FL or none.
    pub class_loss: &'static str,
    /// Gap of the soft label.
    pub gap: f32,
    /// Weights of the class, regression and gender losses.
    pub loss_weights: [f32; 3],
    /// By stage.
    pub cells: Vec<Cell>,
}

/// A whole table, as `mien experiment` writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Its number in the study.
    pub table: &'static str,
    /// What is the same for all cells.
    pub budget: Budget,
    /// The test set, if there is one.
    pub test: Option<TestSet>,
    /// Its rows, in the study's order.
    pub rows: Vec<Row>,
    #[serde(skip)]
    kind: Table,
}

/// The pictures that a table is of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestSet {
    /// Data set and split.
    pub name: String,
    /// Pictures.
    pub n: usize,
    /// Pictures in which no face was found; they are judged on the centred square.
    pub missed: usize,
}

impl Table {
    /// Its number in the study.
    pub fn number(self) -> &'static str {
        match self {
            Self::Networks => "4-1",
            Self::Gaps => "4-3",
            Self::Weights => "4-4",
        }
    }

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

    /// Its first columns.
    pub fn titles(self) -> &'static [&'static str] {
        match self {
            Self::Networks => &["network", "loss"],
            Self::Gaps => &["gap"],
            Self::Weights => &["loss weights (class, regression, gender)"],
        }
    }

    fn names(self, Setting { network, loss }: &Setting) -> Vec<String> {
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

    /// What the study published of a row in a stage: it pre-trained on IMDB-WIKI and fine-tuned on AFAD.
    fn published(self, Setting { network, loss }: &Setting, stage: Stage) -> Option<Published> {
        let with_gender = |on, [mae, gender]: [f64; 2]| Published { on, mae, gender: Some(gender) };
        let without = |mae| Published { on: "AFAD", mae, gender: None };
        Some(match (self, network, loss.class) {
            (Self::Networks, network, class) => {
                let [pretrained, finetuned] = match (network, class) {
                    (NetworkKind::Base, ClassLoss::Kl) => [[10.014, 0.660], [4.670, 0.890]],
                    (NetworkKind::DCnn, ClassLoss::Kl) => [[7.689, 0.770], [3.505, 0.945]],
                    (NetworkKind::MCnn, ClassLoss::Kl) => [[7.832, 0.632], [5.588, 0.416]],
                    (NetworkKind::Base, ClassLoss::Focal) => [[9.698, 0.676], [4.521, 0.910]],
                    (NetworkKind::DCnn, ClassLoss::Focal) => [[7.521, 0.766], [3.843, 0.943]],
                    (NetworkKind::MCnn, ClassLoss::Focal) => [[9.425, 0.743], [4.898, 0.781]],
                    _ => return None,
                };
                match stage {
                    Stage::PreTrain => with_gender("IMDB-WIKI", pretrained),
                    Stage::FineTune => with_gender("AFAD", finetuned),
                }
            }
            (_, _, _) if stage == Stage::PreTrain => return None,
            (Self::Gaps, ..) => without(match loss.gap {
                1.0 => 4.063,
                3.0 => 3.505,
                5.0 => 3.7339,
                7.0 => 3.7562,
                _ => return None,
            }),
            (Self::Weights, _, ClassLoss::None) => without(4.0651),
            (Self::Weights, ..) if loss.class_weight == 30.0 => without(4.063),
            (Self::Weights, ..) => without(3.505),
        })
    }

    /// The table of what has come out so far. `test` is the test set among [`Outcome::tests`] to show.
    pub fn report(
        self,
        models: &[NetworkKind],
        budget: &Budget,
        test: Option<&str>,
        outcomes: &[(Run, Outcome)],
    ) -> Report {
        let row = |setting: Setting| {
            let cell = |stage: &Stage| {
                let done = outcomes.iter().filter(|(run, _)| run.setting == setting && run.stage == *stage);
                let done: Vec<&Outcome> = done.map(|(_, outcome)| outcome).collect();
                let tested = || done.iter().filter_map(|outcome| outcome.tests.get(test?));
                Cell {
                    stage: stage.title(),
                    seeds: done.len(),
                    mae: Spread::of(tested().map(|measures| (measures.mae, Some(measures.mae_stderr)))),
                    gender: Spread::of(tested().filter_map(|measures| {
                        let share = measures.gender_accuracy?;
                        Some((share, Some((share * (1.0 - share) / measures.n as f64).sqrt())))
                    })),
                    validation_mae: Spread::of(done.iter().map(|outcome| (outcome.validation_mae, None))),
                    published: self.published(&setting, *stage),
                }
            };
            let loss = &setting.loss;
            let class_weight = if loss.class == ClassLoss::None { 0.0 } else { loss.class_weight };
            Row {
                names: self.names(&setting),
                network: setting.network.name(),
                class_loss: class_loss_title(loss.class),
                gap: loss.gap,
                loss_weights: [class_weight, loss.regression_weight, loss.gender_weight],
                cells: self.stages().iter().map(cell).collect(),
            }
        };
        let test = test.map(|name| {
            let measures = outcomes.iter().find_map(|(_, outcome)| outcome.tests.get(name));
            let (n, missed) = measures.map_or((0, 0), |measures| (measures.n, measures.missed));
            TestSet { name: name.into(), n, missed }
        });
        let rows = self.settings(models).into_iter().map(row).collect();
        Report { table: self.number(), budget: budget.clone(), test, rows, kind: self }
    }
}

impl Spread {
    /// Of values with their standard errors, one of each seed; `None` of none.
    fn of(values: impl Iterator<Item = (f64, Option<f64>)>) -> Option<Self> {
        let values: Vec<(f64, Option<f64>)> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().map(|(value, _)| value).sum::<f64>() / n;
        let stderr = values.iter().map(|(_, error)| *error).sum::<Option<f64>>().map(|sum| sum / n);
        let variance = values.iter().map(|(value, _)| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let deviation = (values.len() > 1).then(|| variance.sqrt());
        (!values.is_empty()).then_some(Self { mean, stderr, deviation })
    }

    /// Mean ± standard error (standard deviation over seeds).
    fn words(self, scale: f64, decimals: usize, unit: &str) -> String {
        let number = |value: f64| format!("{:.decimals$}", scale * value);
        let error = self.stderr.map_or(String::new(), |error| format!(" ± {}", number(error)));
        let seeds = self.deviation.map_or(String::new(), |deviation| format!(" ({})", number(deviation)));
        format!("{}{error}{seeds}{unit}", number(self.mean))
    }
}

impl Report {
    /// The table in Markdown, with what it was measured on.
    pub fn markdown(&self) -> String {
        let stages = self.kind.stages().iter().flat_map(|stage| {
            let name = stage.title();
            [format!("{name}: MAE (years)"), "gender".into(), "validation MAE".into(), "the study's".into()]
        });
        let titles: Vec<String> =
            self.kind.titles().iter().map(|title| (*title).to_owned()).chain(stages).collect();
        let mut text = line(&titles);
        text += &line(&vec!["---".to_owned(); titles.len()]).replace(' ', "");
        let words = |spread: Option<Spread>, scale, decimals, unit| {
            spread.map_or("-".to_owned(), |spread| spread.words(scale, decimals, unit))
        };
        for row in &self.rows {
            let cells = row.cells.iter().flat_map(|cell| {
                let published = cell.published.map_or("-".into(), |published| {
                    let gender =
                        published.gender.map_or(String::new(), |share| format!(", {:.1} %", 100.0 * share));
                    format!("{:.3}{gender}", published.mae)
                });
                [
                    words(cell.mae, 1.0, 2, ""),
                    words(cell.gender, 100.0, 1, " %"),
                    words(cell.validation_mae, 1.0, 2, ""),
                    published,
                ]
            });
            text += &line(&row.names.iter().cloned().chain(cells).collect::<Vec<_>>());
        }
        text + "\n" + &self.notes()
    }

    fn notes(&self) -> String {
        let Budget { recipe, pretrain_on, finetune_on, batch, seeds, .. } = &self.budget;
        let length = |length| match length {
            Length::Pictures(pictures) => format!("{pictures} pictures"),
            Length::Epochs(passes) => format!("{passes} passes"),
        };
        let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
        let recipe = match recipe {
            Recipe::Study => "the study's recipe",
            Recipe::Ours => "our recipe",
        };
        let mut text = format!(
            "By {recipe}. Every row: pre-trained for {} of {} at a highest rate of {}, then fine-tuned for {} of {} at {}; {batch} \
             pictures a step, seeds {}. ",
            length(self.budget.pretrain),
            pretrain_on.join(", "),
            self.budget.pretrain_rate,
            length(self.budget.finetune),
            finetune_on.join(", "),
            self.budget.finetune_rate,
            seeds.join(", ")
        );
        if let Some(TestSet { name, n, missed }) = &self.test {
            write!(text, "MAE and gender accuracy are of {name}, {n} pictures, {missed} without a face found, ± the standard error. ")
                .expect("strings take everything");
        }
        writeln!(
            text,
            "The pass was chosen by the validation part of {}. In brackets: standard deviation over the seeds, of rows with several.\n\n\
             The study's columns are as published, of other pictures (pre-trained: IMDB-WIKI; fine-tuned: AFAD), and no measure for ours: \
             its weights were chosen by the pictures that they were tested on, some of which were trained on after an interruption. \
             Before one, D-CNN had 3.74 with KL and 3.84 with FL.",
            finetune_on.join(", ")
        )
        .expect("strings take everything");
        text
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// What a loss is called in tables and, in lower case, in the names of folders.
pub(super) fn class_loss_title(loss: ClassLoss) -> &'static str {
    match loss {
        ClassLoss::Kl => "KL",
        ClassLoss::Focal => "FL",
        ClassLoss::None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::budget;
    use super::*;
    use crate::evaluation::Measures;

    #[test]
    fn the_grids_are_the_studys() {
        let all = &NetworkKind::STUDY;
        let names = |table: Table, models: &[NetworkKind]| -> Vec<String> {
            table.settings(models).iter().map(|s| table.names(s).join(" ")).collect()
        };
        let networks = ["Base CNN KL", "Base CNN FL", "D-CNN KL", "D-CNN FL", "M-CNN KL", "M-CNN FL"];
        assert_eq!(names(Table::Networks, all), networks);
        assert_eq!(names(Table::Networks, &[NetworkKind::MCnn]), networks[4..]);
        assert_eq!(names(Table::Gaps, all), ["1", "3", "5", "7"]);
        assert_eq!(names(Table::Weights, all), ["30, 1, 10", "no class, 1, 1", "1, 1, 1"]);
        assert_eq!(Table::Networks.runs(all, &[1, 2, 3]).len(), 3 * 6 * 2);
        for table in [Table::Networks, Table::Gaps, Table::Weights] {
            for setting in table.settings(all) {
                assert!(table.stages().iter().all(|stage| table.published(&setting, *stage).is_some()));
            }
        }
    }

    #[test]
    fn a_table_shows_mean_error_and_spread() {
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
        let report = Table::Networks.report(&models, &budget, Some("b-test"), &outcomes);
        let text = report.markdown();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "| network | loss | pre-trained: MAE (years) | gender | validation MAE | the study's | fine-tuned: MAE (years) \
             | gender | validation MAE | the study's |"
        );
        assert_eq!(lines[1], "|---|---|---|---|---|---|---|---|---|---|");
        // The standard deviation of two values that are 1 apart is 0.71; of 81.5 % of 50, the error is 5.5.
        assert_eq!(
            lines[2],
            "| D-CNN | KL | 8.50 ± 0.10 (0.71) | 81.5 ± 5.5 (0.7) % | 8.75 (0.71) | 7.689, 77.0 % | 6.50 ± 0.10 (0.71) \
             | 81.5 ± 5.5 (0.7) % | 6.75 (0.71) | 3.505, 94.5 % |"
        );
        assert_eq!(
            lines[3],
            "| D-CNN | FL | 8.50 ± 0.10 (0.71) | 81.5 ± 5.5 (0.7) % | 8.75 (0.71) | 7.521, 76.6 % | - | - | - | 3.843, 94.3 % |"
        );
        assert!(
            text.contains(
                "By our recipe. Every row: pre-trained for 72 pictures of a, b at a highest rate of 0.001"
            ),
            "{text}"
        );
        assert!(text.contains("of b-test, 50 pictures, 2 without a face found, "), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["table"], &json["test"]["n"]), (&"4-1".into(), &50.into()));
        let cell = &json["rows"][0]["cells"][1];
        assert_eq!((&cell["seeds"], &cell["mae"]["mean"]), (&2.into(), &6.5.into()));
        assert_eq!(cell["published"]["on"], "AFAD");
        assert!(json["rows"][1]["cells"][1]["mae"].is_null());

        // Without test pictures, of one seed.
        let gaps = Table::Gaps.report(&models, &budget, None, &outcomes[..2]).markdown();
        assert_eq!(gaps.lines().nth(3), Some("| 3 | - | - | 6.25 | 3.505 |"), "{gaps}");
    }
}
