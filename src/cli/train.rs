//! `mien train`: a run, from prepared crops to a weight file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, bail};
use burn::tensor::Device;
use mien::data::augment::Augmentation;
use mien::data::batch::Dataset;
use mien::data::crops::Crops;
use mien::data::split::Part;
use mien::model::NetworkKind;
use mien::train::loss::{ClassLoss, LossConfig};
use mien::train::schedule::ScheduleKind;
use mien::train::trainer::{BEST, Event, TrainConfig, train};
use mien::weights::Precision;

/// Train a network on prepared crops; the same command again goes on with a run that was cut off
#[derive(clap::Args)]
pub struct TrainArgs {
    /// Which network
    #[arg(long, value_enum, default_value_t = NetworkKind::DCnn)]
    model: NetworkKind,

    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Data sets to train on
    #[arg(long, value_delimiter = ',', required = true)]
    datasets: Vec<String>,

    /// Data sets whose validation part chooses the best weights [default: those trained on]
    #[arg(long, value_delimiter = ',')]
    validate_on: Vec<String>,

    /// Folder of the run: checkpoint, metrics, best weights
    #[arg(long, value_name = "DIR")]
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
    #[arg(long)]
    balance: bool,

    /// Passes over the training pictures
    #[arg(long, default_value_t = 20)]
    epochs: usize,

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

    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(args: TrainArgs) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let &[class_weight, regression_weight, gender_weight] = args.loss_weights.as_slice() else {
        bail!("--loss-weights takes three numbers, such as 1,1,1");
    };
    if args.gap < 1.0 || args.epochs == 0 || args.accumulate == 0 || args.batch < 2 {
        bail!("--gap, --epochs and --accumulate must be at least 1, --batch at least 2");
    }
    let open = |names: &[String], part| {
        let sets = names.iter().map(|name| Crops::open(&args.data, name)).collect::<Result<Vec<_>, _>>();
        sets.map(|sets| Dataset::new(sets, part)).context("run `mien prepare` first")
    };
    let training = open(&args.datasets, Part::Train)?;
    let judges = if args.validate_on.is_empty() { &args.datasets } else { &args.validate_on };
    let validation = open(judges, Part::Validation)?;
    let init = args.init.as_deref().map(super::read_weights).transpose()?;
    let loss = LossConfig {
        class: args.loss,
        gap: args.gap,
        class_weight,
        regression_weight,
        gender_weight,
        ..LossConfig::default()
    };
    let config = TrainConfig {
        network: args.model,
        loss,
        balance: args.balance,
        batch: args.batch,
        accumulate: args.accumulate,
        epochs: args.epochs,
        rate: args.rate,
        schedule: args.schedule,
        weight_decay: args.weight_decay,
        average: args.average,
        augmentation: Augmentation::default(),
        seed: args.seed,
    };
    println!("{} training pictures, {} for validation", training.len(), validation.len());

    let bar = super::progress_bar(0, "steps");
    let began = Instant::now();
    let mut means = [0.0f32; 3];
    let mut show = |event: Event| {
        match event {
        Event::Start { step, steps } => {
            bar.set_length(steps as u64);
            bar.set_position(step as u64);
            bar.reset_eta();
        }
        Event::Step { step, losses } => {
            means.iter_mut().zip(losses).for_each(|(m, l)| *m += (l - *m) * if *m == 0.0 { 1.0 } else { 0.05 });
            bar.set_position(step as u64);
            bar.set_message(format!("class {:.3} mae {:.2} gender {:.3}", means[0], means[1], means[2]));
        }
        Event::Epoch(m) => bar.suspend(|| {
            println!(
                "pass {:3}: class {:.3}, mae {:.2}, gender {:.3} | validation mae {:.3}, gender {:.2} % | {:.0} pictures/s, {:.0} min",
                m.epoch,
                m.class,
                m.regression,
                m.gender,
                m.validation_mae,
                100.0 * m.validation_gender,
                m.pictures_per_second,
                began.elapsed().as_secs_f64() / 60.0
            );
        }),
    }
    };
    train(&config, &training, &validation, init.as_ref(), &args.run, &Device::flex(), |event| {
        show(event);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    let best = args.run.join(BEST);
    if let Some(output) = args.output {
        let bytes = super::read_weights(&best)?.to_bytes(Precision::Half)?;
        std::fs::write(&output, bytes).with_context(|| output.display().to_string())?;
        println!("best weights in {}", output.display());
    } else {
        println!("best weights in {}", best.display());
    }
    Ok(())
}
