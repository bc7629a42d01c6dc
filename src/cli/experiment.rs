//! `mien experiment`: the study's tables, trained anew on one's own data.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use mien::data::layouts;
use mien::engine::EngineKind;
use mien::evaluation::Measures;
use mien::files::write_atomically;
use mien::net::NetworkKind;
use mien::pipeline::estimator::Looks;
use mien::train::experiment::table::Table;
use mien::train::experiment::{Budget, Outcome, Recipe, Run, Stage, figure};
use mien::train::trainer::Length;

use super::answers::AnswersArgs;
use super::device::TrainDevice;
use super::label_errors::LabelErrorsArgs;
use super::output::{expect_place, make_folder};
use super::sheet::SheetArgs;
use super::train::ProgressDisplay;
use super::{EstimatorSource, detector_weights, evaluate, read_weights, weights_folder};

/// Train the networks of one of the study's tables, or look into the training data
///
/// In a table every cell is pre-trained and then fine-tuned with the same budget. The same command again goes
/// on where it was cut off, and what is done is not repeated, nor what another table in the same folder has
/// trained.
#[derive(clap::Args)]
pub struct ExperimentArgs {
    #[command(subcommand)]
    what: Experiment,
}

#[derive(clap::Subcommand)]
enum Experiment {
    /// The three networks by two losses, pre-trained only and fine-tuned
    #[command(name = "table-4-1")]
    Networks(TableArgs),
    /// D-CNN by the gap of the soft label
    #[command(name = "table-4-3")]
    Gaps(TableArgs),
    /// D-CNN by the weights of the losses
    #[command(name = "table-4-4")]
    Weights(TableArgs),
    Sheet(SheetArgs),
    LabelErrors(LabelErrorsArgs),
    Answers(AnswersArgs),
}

#[derive(clap::Args)]
struct TableArgs {
    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Folder of the experiment: a folder for each run
    #[arg(long, value_name = "DIR")]
    run: PathBuf,

    /// Folder with labels.csv and <dataset>-<split>.tar, or with the data set as its authors publish it: once
    /// all is trained, measure on pictures that nothing was chosen by
    #[arg(long, value_name = "DIR")]
    test_data: Option<PathBuf>,

    /// Data set to measure on
    #[arg(long, default_value = "aaf")]
    test_dataset: String,

    /// Split to measure on
    #[arg(long, default_value = "test")]
    test_split: String,

    /// Also write the table to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Also write it to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Of the table of networks: also draw the study's figures 4.4 and 4.5 into this folder
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,

    /// Train nothing: the table of what is done
    #[arg(long)]
    done: bool,

    /// How cells are trained
    #[arg(long, value_enum, default_value_t = Recipe::Ours)]
    recipe: Recipe,

    /// By the study's recipe: the share of its 100 passes
    #[arg(long, default_value_t = 1.0, conflicts_with_all = ["pretrain_pictures", "finetune_pictures"])]
    share: f64,

    /// Networks to train, of those in the table
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = NetworkKind::STUDY)]
    models: Vec<NetworkKind>,

    /// Each cell is trained once with each of these
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seeds: Vec<u64>,

    /// Data sets to pre-train on
    #[arg(long, value_delimiter = ',', default_value = "utkface,fairface")]
    pretrain_on: Vec<String>,

    /// Data sets to fine-tune on, and to choose the best pass by
    #[arg(long, value_delimiter = ',', default_value = "aaf")]
    finetune_on: Vec<String>,

    /// Pictures seen in pre-training [default by our recipe: 80,000]
    #[arg(long)]
    pretrain_pictures: Option<usize>,

    /// Pictures seen in fine-tuning [default by our recipe: 110,000]
    #[arg(long)]
    finetune_pictures: Option<usize>,

    /// Pictures a step [default: the recipe's]
    #[arg(long)]
    batch: Option<usize>,

    /// Highest learning rate of pre-training [default: the recipe's]
    #[arg(long)]
    pretrain_rate: Option<f64>,

    /// Highest learning rate of fine-tuning [default: the recipe's]
    #[arg(long)]
    finetune_rate: Option<f64>,

    /// What to train on
    #[arg(long, value_enum, default_value_t = TrainDevice::Cpu)]
    device: TrainDevice,

    /// Folder with all weights [default: model-weights]
    #[arg(long, value_name = "DIR")]
    weights_dir: Option<PathBuf>,
}

pub fn run(args: ExperimentArgs) -> anyhow::Result<()> {
    match args.what {
        Experiment::Networks(args) => run_table(Table::Networks, args),
        Experiment::Gaps(args) => run_table(Table::Gaps, args),
        Experiment::Weights(args) => run_table(Table::Weights, args),
        Experiment::Sheet(args) => super::sheet::run(args),
        Experiment::LabelErrors(args) => super::label_errors::run(args),
        Experiment::Answers(args) => super::answers::run(args),
    }
}

/// Passes of a stage, by the study's recipe.
const PASSES: f64 = 100.0;
/// Pictures of a stage, by ours: three passes over UTKFace and FairFace, twelve over All-Age-Faces.
const PICTURES: [usize; 2] = [80_000, 110_000];

impl TableArgs {
    fn budget(&self) -> anyhow::Result<Budget> {
        let length = |pictures: Option<usize>, ours| match (pictures, self.recipe) {
            (Some(pictures), _) => Length::Pictures(pictures),
            (None, Recipe::Ours) => Length::Pictures(ours),
            (None, Recipe::Study) => Length::Epochs((PASSES * self.share).round().max(1.0) as usize),
        };
        let budget = Budget {
            recipe: self.recipe,
            pretrain_on: self.pretrain_on.clone(),
            finetune_on: self.finetune_on.clone(),
            pretrain: length(self.pretrain_pictures, PICTURES[0]),
            finetune: length(self.finetune_pictures, PICTURES[1]),
            batch: self.batch.unwrap_or(self.recipe.batch()),
            pretrain_rate: self.pretrain_rate.unwrap_or(self.recipe.rate(Stage::PreTrain)),
            finetune_rate: self.finetune_rate.unwrap_or(self.recipe.rate(Stage::FineTune)),
            seeds: self.seeds.clone(),
        };
        if [budget.pretrain, budget.finetune].contains(&Length::Pictures(0)) || budget.batch < 2 {
            bail!("--pretrain-pictures and --finetune-pictures must be at least 1, --batch at least 2");
        }
        if budget.batch > 64 && !budget.batch.is_multiple_of(64) {
            bail!("--batch above 64 must be a multiple of 64, so many are run at once");
        }
        if !(self.share > 0.0 && self.share <= 1.0) {
            bail!("--share is more than 0 and at most 1");
        }
        Ok(budget)
    }
}

fn run_table(table: Table, args: TableArgs) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let budget = args.budget()?;
    let runs = table.runs(&args.models, &budget.seeds);
    if runs.is_empty() {
        bail!("none of these networks is in the table");
    }
    if args.figures.is_some() && table != Table::Networks {
        bail!("--figures goes with table-4-1");
    }
    for path in [&args.output, &args.json].into_iter().flatten() {
        expect_place(path)?;
    }
    let device = args.device.open()?;
    // Opened first, so that a wrong name is not found out after hours of training. Read after it.
    let test = match &args.test_data {
        Some(folder) => Some(layouts::open(&args.test_dataset, folder, Some(&args.test_split))?),
        None => None,
    };
    let mut outcomes: Vec<(Run, Outcome)> = Vec::with_capacity(runs.len());
    for (i, run) in runs.iter().enumerate() {
        let folder = run.folder(&args.run);
        if args.done {
            outcomes.extend(Outcome::load(&folder)?.map(|outcome| (run.clone(), outcome)));
            continue;
        }
        println!("run {} of {}: {}", i + 1, runs.len(), folder.display());
        let mut display = ProgressDisplay::new();
        let outcome = run.train(&budget, &args.data, &args.run, &device, |event| {
            display.show(&event);
            ControlFlow::Continue(())
        });
        drop(display);
        let outcome = outcome.with_context(|| folder.display().to_string())?.expect("nothing stops it");
        println!(
            "validation mae {:.3}, gender {:.2} %",
            outcome.validation_mae,
            100.0 * outcome.validation_gender
        );
        outcomes.push((run.clone(), outcome));
    }
    let test_name = format!("{}-{}", args.test_dataset, args.test_split);
    if let Some(set) = &test {
        let detector = detector_weights(&weights_folder(args.weights_dir.as_deref())?)?;
        for (run, outcome) in &mut outcomes {
            if !table.stages().contains(&run.stage) || outcome.tests.contains_key(&test_name) {
                continue;
            }
            let network = read_weights(&run.weights(&args.run))?;
            let source = EstimatorSource {
                engine: EngineKind::Cpu,
                looks: Looks::One,
                detector: detector.clone(),
                network,
            };
            let (predictions, rejections) = evaluate::predictions(&source, set)?;
            if rejections.total() > 0 {
                eprintln!("left out: {rejections}");
            }
            let measures = Measures::of(&predictions).ok_or_else(|| anyhow!("no picture could be judged"))?;
            outcome.tests.insert(test_name.clone(), measures);
            outcome.save(&run.folder(&args.run))?;
        }
    }
    let test_name = test.is_some().then_some(test_name.as_str());
    let report = table.report(&args.models, &budget, test_name, &outcomes);
    let markdown = report.markdown();
    print!("{markdown}");
    let write = |path: &Option<PathBuf>, text: String| match path {
        Some(path) => write_atomically(path, text.as_bytes()).with_context(|| path.display().to_string()),
        None => Ok(()),
    };
    write(&args.output, markdown)?;
    write(&args.json, serde_json::to_string_pretty(&report)? + "\n")?;
    if let Some(folder) = &args.figures {
        make_folder(folder)?;
        figure::draw(&args.models, &budget.seeds, &args.run, folder)?;
    }
    Ok(())
}
