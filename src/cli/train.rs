//! `mien train`: a run, from prepared crops to a weight file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use clap::ArgAction;
use indicatif::ProgressBar;
use mien::data::augment::{Augmentation, KINDS, Kind};
use mien::data::batch::Dataset;
use mien::data::corrections;
use mien::data::crops::Crops;
use mien::data::sampler::{SamplerConfig, SamplerKind};
use mien::data::split::Part;
use mien::files::write_atomically;
use mien::net::NetworkKind;
use mien::train::loss::{ClassLoss, LossConfig};
use mien::train::schedule::ScheduleKind;
use mien::train::trainer::{BEST, Event, Length, TrainConfig, train};
use mien::weights::Precision;
use serde::Serialize;

use super::device::TrainDevice;

/// Train a network on prepared crops; the same command again goes on with a run that was cut off
///
/// All options may also come from a file; the run's folder gets one, config.toml, that repeats the run.
#[derive(clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainArgs {
    /// TOML file with any of the options below, such as `epochs = 7`; the command line wins
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,

    /// Which network
    #[arg(long, value_enum, default_value_t)]
    model: NetworkKind,

    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR", required = false, required_unless_present = "config")]
    data: PathBuf,

    /// Data sets to train on
    #[arg(long, value_delimiter = ',', required_unless_present = "config")]
    datasets: Vec<String>,

    /// Data sets whose validation part chooses the best weights [default: those trained on]
    #[arg(long, value_delimiter = ',')]
    validate_on: Vec<String>,

    /// Folder of the run: checkpoint, metrics, best weights
    #[arg(long, value_name = "DIR", required = false, required_unless_present = "config")]
    run: PathBuf,

    /// Weights to start from
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,

    /// Where to put the best weights at the end, in half precision
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Loss on the age classes
    #[arg(long, value_enum, default_value_t = ClassLoss::Kl)]
    loss: ClassLoss,

    /// Gap of the soft label
    #[arg(long, default_value_t = 3.0)]
    gap: f32,

    /// Weights of the class, regression and gender losses
    #[arg(long, value_delimiter = ',', num_args = 1, default_values_t = [1.0, 1.0, 1.0])]
    loss_weights: Vec<f32>,

    /// Weigh rare ages more in the focal loss
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value_t = false,
        default_missing_value = "true")]
    balance: bool,

    /// Passes over the training pictures [default: 20]
    #[arg(long, conflicts_with = "pictures")]
    epochs: Option<usize>,

    /// Pictures seen, instead of whole passes
    #[arg(long, conflicts_with = "epochs")]
    pictures: Option<usize>,

    /// Pictures run through the network at once
    #[arg(long, default_value_t = 64)]
    batch: usize,

    /// Batches whose gradients make one step (the study's 512 is --batch 64 --accumulate 8)
    #[arg(long, default_value_t = 1)]
    accumulate: usize,

    /// Highest learning rate
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,

    /// Course of the learning rate
    #[arg(long, value_enum, default_value_t = ScheduleKind::Cosine)]
    schedule: ScheduleKind,

    /// Weight decay of AdamW
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f32,

    /// Decay of the moving average of the weights
    #[arg(long, default_value_t = 0.998)]
    average: f32,

    /// How pictures are drawn: every one once a pass, or rare ages, genders and sets more often
    #[arg(long, value_enum, default_value_t = SamplerKind::Balanced)]
    sampler: SamplerKind,

    /// Factors on how often the pictures of a data set are drawn, such as mufac=2,rafdb=0.5
    #[arg(long, value_delimiter = ',', value_name = "NAME=FACTOR")]
    set_weights: Vec<String>,

    /// Strength of the random changes to the pictures, 0 to 1.5
    #[arg(long, default_value_t = Augmentation::default().strength)]
    augmentation: f32,

    /// Kinds of random changes
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = KINDS.map(|(kind, _)| kind))]
    augment: Vec<Kind>,

    /// Table of wrong labels, as `mien experiment label-errors` writes it: these pictures weigh less, or
    /// count as of unknown gender
    #[arg(long, value_name = "CSV")]
    exclude: Option<PathBuf>,

    /// A teacher's answers to the crops (see docs/data.md)
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,

    /// Share of the teacher's answers in what is learned; the rest is the label
    #[arg(long, default_value_t = 0.5)]
    teacher_weight: f32,

    /// Weight of the difference between the answers to two random changes of one face: every batch is half as
    /// many faces, twice
    #[arg(long, default_value_t = 0.0)]
    consistency: f32,

    /// Share of a gender label that both genders get alike
    #[arg(long, default_value_t = 0.0)]
    gender_smoothing: f32,

    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What to train on
    #[arg(long, value_enum, default_value_t = TrainDevice::Cpu)]
    device: TrainDevice,

    /// Which of them, counted from 0; several, such as 0,1, share the batches of a step (--accumulate, a
    /// multiple of their number) [default: the first]
    #[arg(long, value_delimiter = ',')]
    devices: Vec<usize>,
}

/// What `mien train` says while it runs.
pub(super) struct ProgressDisplay {
    bar: ProgressBar,
    began: Instant,
    losses: Option<[f32; 3]>,
}

impl ProgressDisplay {
    pub(super) fn new() -> Self {
        Self { bar: super::progress_bar(0, "steps"), began: Instant::now(), losses: None }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Start { step, steps } => {
                self.bar.set_length(*steps as u64);
                self.bar.set_position(*step as u64);
                self.bar.reset_eta();
            }
            Event::Step { step, losses } => {
                let means = self.losses.get_or_insert(*losses);
                means.iter_mut().zip(losses).for_each(|(mean, loss)| *mean += (loss - *mean) * 0.05);
                let [class, regression, gender] = means;
                self.bar.set_position(*step as u64);
                self.bar.set_message(format!("class {class:.3} mae {regression:.2} gender {gender:.3}"));
            }
            Event::Epoch(m) => self.bar.suspend(|| {
                let sets: Vec<String> = m.sets.iter().map(|set| {
                    let gender = set.gender.map_or("-".into(), |g| format!("{:.1}", 100.0 * g));
                    format!("{} {:.2} / {gender}", set.name, set.mae)
                }).collect();
                println!(
                    "pass {:3}: class {:.3}, mae {:.2}, gender {:.3} | validation mae {:.3}, gender {:.2} % | {:.0} pictures/s, {:.0} min\n          {}",
                    m.epoch,
                    m.class,
                    m.regression,
                    m.gender,
                    m.validation_mae,
                    100.0 * m.validation_gender,
                    m.pictures_per_second,
                    self.began.elapsed().as_secs_f64() / 60.0,
                    sets.join(", ")
                );
            }),
        }
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

pub fn run(args: TrainArgs) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let &[class_weight, regression_weight, gender_weight] = args.loss_weights.as_slice() else {
        bail!("--loss-weights takes three numbers, such as 1,1,1");
    };
    let length = match (args.pictures, args.epochs) {
        (Some(pictures), _) => Length::Pictures(pictures),
        (None, epochs) => Length::Epochs(epochs.unwrap_or(20)),
    };
    let open = |names: &[String], part| {
        let sets = names.iter().map(|name| Crops::open(&args.data, name)).collect::<Result<Vec<_>, _>>();
        sets.map(|sets| Dataset::new(sets, part)).context("run `mien prepare` first")
    };
    let mut training = open(&args.datasets, Part::Train)?;
    if let Some(path) = &args.exclude {
        let read = corrections::read(path)?;
        let touched = training.correct(&read).map_err(|reason| anyhow!("{}: {reason}", path.display()))?;
        println!("{touched} training pictures have labels that are thought wrong");
    }
    if let Some(path) = &args.teacher {
        training.teach(path)?;
    }
    let judges = if args.validate_on.is_empty() { &args.datasets } else { &args.validate_on };
    let validation = open(judges, Part::Validation)?;
    let init = args.init.as_deref().map(super::read_weights).transpose()?;
    let loss = LossConfig {
        class: args.loss,
        gap: args.gap,
        class_weight,
        regression_weight,
        gender_weight,
        gender_smoothing: args.gender_smoothing,
        consistency: args.consistency,
        ..LossConfig::default()
    };
    let set_weight = |text: &String| {
        let (name, factor) = text.split_once('=')?;
        args.datasets.iter().any(|set| set == name).then_some((name.to_owned(), factor.parse().ok()?))
    };
    let set_weights = args.set_weights.iter().map(set_weight).collect::<Option<_>>();
    let set_weights = set_weights.context("--set-weights takes data sets of --datasets, such as mufac=2")?;
    let config = TrainConfig {
        network: args.model,
        loss,
        balance: args.balance,
        batch: args.batch,
        accumulate: args.accumulate,
        length,
        rate: args.rate,
        schedule: args.schedule,
        weight_decay: args.weight_decay,
        average: args.average,
        sampler: SamplerConfig { kind: args.sampler, set_weights },
        augmentation: Augmentation { strength: args.augmentation, kinds: args.augment.clone() },
        teacher_weight: if args.teacher.is_some() { args.teacher_weight } else { 0.0 },
        seed: args.seed,
    };
    if let Some(output) = &args.output {
        super::output::expect_place(output)?;
    }
    println!("{} training pictures, {} for validation", training.len(), validation.len());

    let devices = args.device.open_each(&args.devices)?;
    let repeat = toml::to_string(&args).context("writing the configuration")?;
    let mut written = Ok(());
    let mut display = ProgressDisplay::new();
    train(&config, &training, &validation, init.as_ref(), &args.run, &devices, |event| {
        display.show(&event);
        // Only now is it certain that the folder holds no other run.
        if matches!(event, Event::Start { .. }) {
            written = write_atomically(&args.run.join("config.toml"), repeat.as_bytes());
        }
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    drop(display);
    written.with_context(|| format!("config.toml in {}", args.run.display()))?;
    let best = args.run.join(BEST);
    if let Some(output) = args.output {
        let bytes = super::read_weights(&best)?.to_bytes(Precision::Half)?;
        write_atomically(&output, &bytes).with_context(|| output.display().to_string())?;
        println!("best weights in {}", output.display());
    } else {
        println!("best weights in {}", best.display());
    }
    Ok(())
}
