//! `mien experiment`: the study's tables, trained anew on one's own data.

use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use mien::data::tars::TarSet;
use mien::engine::EngineKind;
use mien::evaluation::Measures;
use mien::files::write_atomically;
use mien::net::NetworkKind;
use mien::pipeline::estimator::Looks;
use mien::train::experiment::{Budget, Outcome, Run, Table};

use super::answers::AnswersArgs;
use super::device::TrainDevice;
use super::label_errors::LabelErrorsArgs;
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

    /// Folder with labels.csv and <dataset>-<split>.tar: once all is trained, measure on pictures that
    /// nothing was chosen by
    #[arg(long, value_name = "DIR")]
    test_data: Option<PathBuf>,

    /// Data set to measure on, as in labels.csv
    #[arg(long, default_value = "aaf")]
    test_dataset: String,

    /// Split to measure on, as in labels.csv
    #[arg(long, default_value = "test")]
    test_split: String,

    /// Also write the table to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

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

    /// Pictures seen in pre-training
    #[arg(long, default_value_t = 40_000)]
    pretrain_pictures: usize,

    /// Pictures seen in fine-tuning
    #[arg(long, default_value_t = 30_000)]
    finetune_pictures: usize,

    /// Pictures a step
    #[arg(long, default_value_t = 64)]
    batch: usize,

    /// Highest learning rate of pre-training
    #[arg(long, default_value_t = 1.5e-3)]
    pretrain_rate: f64,

    /// Highest learning rate of fine-tuning
    #[arg(long, default_value_t = 8e-4)]
    finetune_rate: f64,

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

fn run_table(table: Table, args: TableArgs) -> anyhow::Result<()> {
    super::keep_freed_memory();
    if args.pretrain_pictures == 0 || args.finetune_pictures == 0 || args.batch < 2 {
        bail!("--pretrain-pictures and --finetune-pictures must be at least 1, --batch at least 2");
    }
    let budget = Budget {
        pretrain_on: args.pretrain_on,
        finetune_on: args.finetune_on,
        pretrain_pictures: args.pretrain_pictures,
        finetune_pictures: args.finetune_pictures,
        batch: args.batch,
        pretrain_rate: args.pretrain_rate,
        finetune_rate: args.finetune_rate,
        seeds: args.seeds,
    };
    let runs = table.runs(&args.models, &budget.seeds);
    if runs.is_empty() {
        bail!("none of these networks is in the table");
    }
    let device = args.device.open()?;
    // Opened first, so that a wrong name is not found out after hours of training. Read after it.
    let test = match &args.test_data {
        Some(folder) => Some(TarSet::open(folder, &args.test_dataset, &args.test_split)?),
        None => None,
    };
    let mut outcomes: Vec<(Run, Outcome)> = Vec::with_capacity(runs.len());
    for (i, run) in runs.iter().enumerate() {
        let folder = run.folder(&args.run);
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
    let table = table.markdown(&args.models, &budget, test_name, &outcomes);
    print!("{table}");
    if let Some(path) = &args.output {
        write_atomically(path, table.as_bytes()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}
