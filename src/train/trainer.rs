//! The training loop.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::Scope;
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

use super::average;
use super::calibrate;
use super::checkpoint::{Checkpoint, CheckpointError, CheckpointState};
use super::loss::{self, LossConfig, Losses, class_balance, losses};
use super::replicas::Replicas;
use super::schedule::{LearningRateSchedule, ScheduleKind};
use super::validate::{SetMetrics, by_set, judge, summary};
use crate::data::DataError;
use crate::data::augment::Augmentation;
use crate::data::batch::Dataset;
use crate::data::sampler::{DatasetSampler, Draw, SamplerConfig};
use crate::engine::cpu::CpuPlan;
use crate::files::write_atomically;
use crate::net::{HeadOutputs, NetworkKind, NetworkModule};
use crate::plot::{self, PlotError};
use crate::weights::{Precision, Weights, WeightsError};

/// The settings of a run. Its data and the weights that it begins with fix it as well, and a run in a folder
/// goes on with the same ones only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    /// Which network.
    pub network: NetworkKind,
    /// Losses.
    pub loss: LossConfig,
    /// Focal loss with class weights from the training ages.
    pub balance: bool,
    /// Pictures run through the network at once; batch normalisation sees these.
    pub batch: usize,
    /// Batches whose gradients make one step: the study's batch of 512 in the memory of a smaller one.
    pub accumulate: usize,
    /// How long.
    #[serde(flatten)]
    pub length: Length,
    /// Highest learning rate.
    pub rate: f64,
    /// Its course.
    pub schedule: ScheduleKind,
    /// AdamW's weight decay.
    pub weight_decay: f32,
    /// Decay of the weights' moving average.
    pub average: f32,
    /// Which pictures a pass draws.
    pub sampler: SamplerConfig,
    /// Random changes.
    pub augmentation: Augmentation,
    /// Share of a teacher's answers in what is learned, 0..1, where the training pictures have any.
    pub teacher_weight: f32,
    /// Seed of everything random.
    pub seed: u64,
}

/// How long a run is. Validation comes at the end of every pass and at the end of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// So many passes over the training pictures, at least 1.
    Epochs(usize),
    /// So many pictures seen, at least 1, rounded up to whole steps: the same work whatever the size of the
    /// data sets.
    Pictures(usize),
}

/// Why a run failed.
#[derive(Debug, Error)]
pub enum TrainError {
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Weights to start from.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The checkpoint.
    #[error("{path}: {source}")]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CheckpointError,
    },
    /// The folder belongs to a run with other settings.
    #[error("{folder} holds a run with other settings ({differences}); choose another folder or delete it")]
    OtherRun {
        /// Which.
        folder: PathBuf,
        /// What was otherwise.
        differences: String,
    },
    /// Another process trains in the folder.
    #[error("another run is at work in {0}")]
    Busy(PathBuf),
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(&'static str),
    /// Nothing to choose the best weights by.
    #[error("the data sets to validate on have no validation pictures")]
    NoValidation,
    /// Too few pictures.
    #[error("{found} training pictures are too few for batches of {batch}")]
    TooFew {
        /// Pictures.
        found: usize,
        /// Batch size.
        batch: usize,
    },
    /// The batches of a step can't be dealt out evenly.
    #[error(
        "{devices} devices can't share the {accumulate} batches of a step; let it accumulate a multiple of {devices}"
    )]
    Share {
        /// Devices to train on.
        devices: usize,
        /// See [`TrainConfig::accumulate`].
        accumulate: usize,
    },
    /// One of several devices failed.
    #[error("device {rank} of those in use, counted from 0, failed: {reason}; the last checkpoint is kept")]
    Replica {
        /// Its place among the devices.
        rank: usize,
        /// Why.
        reason: String,
    },
    /// The loss is not a number.
    #[error("the loss is no longer a number at step {0}; lower the learning rate")]
    Diverged(usize),
    /// A chart.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A log file.
    #[error("{path}: {source}")]
    Log {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Passes done.
    pub epoch: usize,
    /// Steps done.
    pub step: usize,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean losses of the pass.
    pub class: f64,
    /// Training MAE, augmented and with dropout, years.
    pub regression: f64,
    /// Gender cross entropy.
    pub gender: f64,
    /// Training gender accuracy, augmented and with dropout, 0..1.
    pub gender_accuracy: f64,
    /// Validation MAE of the averaged weights, years: the mean over the data sets.
    pub validation_mae: f64,
    /// Validation gender accuracy, 0..1, likewise.
    pub validation_gender: f64,
    /// Training pictures a second.
    pub pictures_per_second: f64,
    /// Validation of each data set by itself.
    #[serde(skip)]
    pub sets: Vec<SetMetrics>,
}

impl EpochMetrics {
    /// What the run's charts show of it.
    fn drawn(&self) -> plot::PlottedPass {
        plot::PlottedPass {
            epoch: self.epoch,
            mae: [self.regression, self.validation_mae],
            gender_accuracy: [self.gender_accuracy, self.validation_gender],
        }
    }
}

/// Columns of the log before those of the data sets, `mae NAME` and `gender NAME` for each.
const COLUMNS: [&str; 10] = [
    "epoch",
    "step",
    "rate",
    "class",
    "regression",
    "gender",
    "gender_accuracy",
    "validation_mae",
    "validation_gender",
    "pictures_per_second",
];

/// What the caller is told during a run.
pub enum Event<'a> {
    /// The run starts, or goes on, at a step out of so many.
    Start {
        /// Steps done before.
        step: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Class, regression and gender loss of it.
        losses: [f32; 3],
    },
    /// A pass, or the whole run, is done.
    Epoch(&'a EpochMetrics),
}

/// Best weights of a run, in its folder.
pub const BEST: &str = "best.safetensors";
const CHECKPOINT: &str = "checkpoint.bin";
const METRICS: &str = "metrics.csv";
const LOCK: &str = "lock";
/// Time between checkpoints within a pass.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(120);

impl TrainConfig {
    pub(super) fn optimizer(&self) -> ModuleOptimizer {
        // Adam's usual epsilon: burn's larger default holds back parameters with small gradients.
        AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(self.weight_decay).init()
    }

    /// Whether it can be run.
    ///
    /// # Errors
    /// [`TrainError::Setting`] with the first setting that makes no sense.
    pub fn check(&self) -> Result<(), TrainError> {
        let loss = &self.loss;
        let weights =
            [loss.class_weight, loss.regression_weight, loss.gender_weight, loss.consistency, loss.gamma];
        let shares = [self.teacher_weight, loss.gender_smoothing, self.average];
        let rules = [
            (loss.gap >= 1.0 && loss.gap.is_finite(), "the gap of the soft label must be a number from 1 on"),
            (self.batch >= 2, "a batch needs at least 2 pictures"),
            (self.accumulate >= 1, "at least 1 batch must make a step"),
            (
                !matches!(self.length, Length::Epochs(0) | Length::Pictures(0)),
                "a run of length 0 trains nothing",
            ),
            (self.rate > 0.0 && self.rate.is_finite(), "the learning rate must be a positive number"),
            (
                self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
                "the weight decay must be a number from 0 on",
            ),
            (
                weights.iter().all(|w| *w >= 0.0 && w.is_finite()),
                "weights of losses must be numbers from 0 on",
            ),
            (
                shares.iter().all(|share| (0.0..=1.0).contains(share)),
                "the teacher's weight, the smoothing of genders and the decay of the average lie from 0 to 1",
            ),
            (
                loss.consistency == 0.0 || self.batch.is_multiple_of(2),
                "consistency needs an even batch: every face is in it twice",
            ),
            (
                (0.0..=1.5).contains(&self.augmentation.strength),
                "the strength of the augmentation lies from 0 to 1.5",
            ),
            (
                self.sampler.set_weights.values().all(|w| *w >= 0.0 && w.is_finite()),
                "weights of data sets must be numbers from 0 on",
            ),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, reason)) => Err(TrainError::Setting(reason)),
            None => Ok(()),
        }
    }

    /// The draws of a pass of `steps` steps. For consistency, the second half of each batch is the first once
    /// more.
    fn pass(&self, sampler: &DatasetSampler, steps: usize, pass: usize) -> Vec<Draw> {
        let n = steps * self.batch * self.accumulate;
        if self.loss.consistency == 0.0 {
            return sampler.pass(n, self.seed, pass);
        }
        // Far from the copies that the sampler counts.
        let again = |draw: &Draw| Draw { copy: draw.copy + (1 << 20), ..*draw };
        let once = sampler.pass(n / 2, self.seed, pass);
        let batches = once.chunks_exact(self.batch / 2);
        batches.flat_map(|half| half.iter().copied().chain(half.iter().map(again))).collect()
    }
}

/// Trains in `folder`, going on from its checkpoint if there is one, and leaves the best weights by
/// validation MAE in [`BEST`], single precision, with their calibration. Stops, with a checkpoint, as soon as
/// `on_event` says so.
///
/// Several `devices` share the batches of each step; see `replicas`. A run may go on on others than it began
/// on.
///
/// # Errors
/// [`TrainError`].
///
/// # Panics
/// If there are no devices, and if the first one is lost.
pub fn train(
    config: &TrainConfig,
    training: &Dataset,
    validation: &Dataset,
    init: Option<&Weights>,
    folder: &Path,
    devices: &[Device],
    on_event: impl FnMut(Event) -> ControlFlow<()>,
) -> Result<(), TrainError> {
    std::thread::scope(|scope| train_in(scope, config, training, validation, init, folder, devices, on_event))
}

/// See [`train`]; `scope` is for the threads of further devices.
#[allow(clippy::too_many_arguments)]
fn train_in<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    config: &'env TrainConfig,
    training: &'env Dataset,
    validation: &Dataset,
    init: Option<&Weights>,
    folder: &Path,
    devices: &[Device],
    mut on_event: impl FnMut(Event) -> ControlFlow<()>,
) -> Result<(), TrainError> {
    config.check()?;
    std::fs::create_dir_all(folder).map_err(DataError::io(folder))?;
    let lock = folder.join(LOCK);
    let lock = File::create(&lock).map_err(DataError::io(lock))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(TrainError::Busy(folder.into())),
        Err(TryLockError::Error(e)) => return Err(DataError::io(folder.join(LOCK))(e).into()),
    }
    let device = devices[0].clone().autodiff();
    if !config.accumulate.is_multiple_of(devices.len()) {
        return Err(TrainError::Share { devices: devices.len(), accumulate: config.accumulate });
    }
    let step_len = config.batch * config.accumulate;
    let per_epoch = training.len() / step_len;
    if per_epoch == 0 {
        return Err(TrainError::TooFew { found: training.len(), batch: step_len });
    }
    if validation.is_empty() {
        return Err(TrainError::NoValidation);
    }
    let sampler = DatasetSampler::new(&config.sampler, training)
        .ok_or(TrainError::Setting("no training picture has any weight"))?;
    let steps = match config.length {
        Length::Epochs(epochs) => per_epoch * epochs,
        Length::Pictures(pictures) => pictures.div_ceil(step_len),
    };
    let path = folder.join(CHECKPOINT);
    let described = describe(config, training, validation, init)?;
    let mut run = start(config, &described, steps, init, &path, &device)?;
    if run.state.config != described {
        let [before, now] =
            [&run.state.config, &described].map(|text| serde_json::from_str(text).unwrap_or_default());
        return Err(TrainError::OtherRun { folder: folder.into(), differences: differences(&before, &now) });
    }
    let work = Work::new(config, training, &device);
    let replicas = (devices.len() > 1).then(|| Replicas::start(scope, &work, &run, devices));
    if on_event(Event::Start { step: run.state.step, steps }).is_break() {
        return Ok(());
    }

    let mut saved = Instant::now();
    while run.state.step < steps {
        let epoch = run.state.step / per_epoch;
        let draws = config.pass(&sampler, per_epoch, epoch);
        let mut sums = [0.0f64; 4];
        let first = run.state.step % per_epoch;
        // The last pass may be cut short.
        let end = (epoch * per_epoch + per_epoch).min(steps);
        let taken = end - run.state.step;
        let began = Instant::now();
        let (mut rate, mut stop) = (0.0, false);
        for pictures in draws.chunks_exact(step_len).skip(first).take(taken) {
            rate = run.state.schedule.rate(run.state.step);
            device.seed(config.seed ^ (run.state.step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let parts = step(&work, replicas.as_ref(), pictures, epoch, rate, &mut run)?;
            if parts.iter().any(|p| !p.is_finite()) {
                return Err(TrainError::Diverged(run.state.step));
            }
            run.state.step += 1;
            sums.iter_mut().zip(parts).for_each(|(s, p)| *s += f64::from(p));
            let [class, regression, gender, _] = parts;
            stop = on_event(Event::Step { step: run.state.step, losses: [class, regression, gender] })
                .is_break();
            // At the end of a pass validation comes first, so that a resumed run does not leave it out.
            if (stop || saved.elapsed() > CHECKPOINT_EVERY) && run.state.step < end {
                save(&run, &path)?;
                saved = Instant::now();
                if stop {
                    return Ok(());
                }
            }
        }
        let taken = taken as f64;
        let pictures_per_second = taken * step_len as f64 / began.elapsed().as_secs_f64();
        check_finite(&run)?;
        let plan = CpuPlan::new(config.network.network(), &run.average)?;
        let judged = judge(config.network, &plan, validation)?;
        let sets = by_set(&judged, validation);
        let (mae, gender) = summary(&sets);
        if !mae.is_finite() {
            return Err(TrainError::Diverged(run.state.step));
        }
        run.state.schedule.validated(mae);
        let metrics = EpochMetrics {
            epoch: epoch + 1,
            step: run.state.step,
            rate,
            class: sums[0] / taken,
            regression: sums[1] / taken,
            gender: sums[2] / taken,
            gender_accuracy: sums[3] / taken,
            validation_mae: mae,
            validation_gender: gender,
            pictures_per_second,
            sets,
        };
        log(folder, &metrics)?;
        let passes: Vec<_> = read_metrics(folder)?.iter().map(EpochMetrics::drawn).collect();
        plot::run_curves(&passes, folder)?;
        if run.state.best_mae.is_none_or(|best| mae < best) {
            run.state.best_mae = Some(mae);
            let mut best = run.average.clone();
            best.metadata.insert("range_mass".into(), calibrate::range_mass(&judged).to_string());
            let best_path = folder.join(BEST);
            write_atomically(&best_path, &best.to_bytes(Precision::Single)?)
                .map_err(DataError::io(&best_path))?;
        }
        save(&run, &path)?;
        saved = Instant::now();
        // Also where the last step of the pass was the one to stop after.
        if on_event(Event::Epoch(&metrics)).is_break() || stop {
            return Ok(());
        }
    }
    Ok(())
}

/// Fails where a step made numbers that are none: nothing is kept that the run could never go on from.
fn check_finite(run: &Checkpoint<NetworkModule>) -> Result<(), TrainError> {
    // What the network has, its average has, too.
    let mut values = run.average.tensors.values().flat_map(|tensor| &tensor.values);
    if values.all(|value| value.is_finite()) { Ok(()) } else { Err(TrainError::Diverged(run.state.step)) }
}

fn save(run: &Checkpoint<NetworkModule>, path: &Path) -> Result<(), TrainError> {
    check_finite(run)?;
    run.save(path).map_err(|source| TrainError::Checkpoint { path: path.into(), source })
}

fn start(
    config: &TrainConfig,
    described: &str,
    steps: usize,
    init: Option<&Weights>,
    path: &Path,
    device: &Device,
) -> Result<Checkpoint<NetworkModule>, TrainError> {
    device.seed(config.seed);
    let network = NetworkModule::new(config.network.network(), device);
    if path.exists() {
        return Checkpoint::load(path, network, config.optimizer())
            .map_err(|source| TrainError::Checkpoint { path: path.into(), source });
    }
    let network = match init {
        Some(weights) => {
            weights.expect_network(config.network.name())?;
            NetworkModule::from_weights(weights, device)?
        }
        None => network,
    };
    let state = CheckpointState {
        step: 0,
        schedule: LearningRateSchedule::new(config.schedule, config.rate, steps),
        best_mae: None,
        config: described.into(),
    };
    let average = network.to_weights();
    Ok(Checkpoint { state, network, average, optimizer: config.optimizer() })
}

/// Everything that makes a run what it is, as text: settings, data and the weights it began with.
fn describe(
    config: &TrainConfig,
    training: &Dataset,
    validation: &Dataset,
    init: Option<&Weights>,
) -> Result<String, TrainError> {
    let init = init.map(|weights| weights.to_bytes(Precision::Single)).transpose()?;
    let init = init.map(|bytes| format!("{:08x}", crc32fast::hash(&bytes)));
    let (training, validation) = (training.identity(), validation.identity());
    Ok(json!({ "settings": config, "training": training, "validation": validation, "init": init })
        .to_string())
}

/// Where two descriptions differ, in words, such as `settings.rate 0.001 before, now 0.002`.
pub(super) fn differences(before: &Value, now: &Value) -> String {
    fn find(path: &str, before: &Value, now: &Value, found: &mut Vec<String>) {
        if let (Value::Object(a), Value::Object(b)) = (before, now) {
            let names: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for name in names {
                let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let [a, b] = [a, b].map(|map| map.get(name).unwrap_or(&Value::Null));
                find(&inner, a, b, found);
            }
        } else if before != now {
            let [before, now] =
                [before, now].map(|v| if v.is_null() { "none".into() } else { v.to_string() });
            found.push(format!("{path} {before} before, now {now}"));
        }
    }
    let mut found = Vec::new();
    find("", before, now, &mut found);
    found.join("; ")
}

/// One step on `pictures`; returns the means of class, regression and gender loss and of the gender accuracy.
fn step(
    work: &Work,
    replicas: Option<&Replicas>,
    pictures: &[Draw],
    epoch: usize,
    rate: f64,
    run: &mut Checkpoint<NetworkModule>,
) -> Result<[f32; 4], TrainError> {
    let (gradients, means) = match replicas {
        Some(replicas) => replicas.gradients(work, pictures, epoch, rate, &mut run.network)?,
        None => {
            let batches = pictures.chunks_exact(work.config.batch);
            work.gradients(epoch, batches, &run.network, |inputs| Ok(run.network.forward(inputs)))?
        }
    };
    run.network = run.optimizer.step(rate, run.network.clone(), gradients);
    let latest = run.network.valid().to_weights();
    average::update(&mut run.average, &latest, work.config.average, run.state.step);
    Ok(means)
}

/// What a device takes gradients with.
#[derive(Clone)]
pub(super) struct Work<'a> {
    pub(super) config: &'a TrainConfig,
    training: &'a Dataset,
    balance: Option<Tensor<1>>,
    pub(super) device: Device,
}

impl<'a> Work<'a> {
    /// `device` is an autodiff one.
    pub(super) fn new(config: &'a TrainConfig, training: &'a Dataset, device: &Device) -> Self {
        let labels = (0..training.len()).map(|i| training.row(i).age().soft_label(config.loss.gap));
        let balance = config.balance.then(|| class_balance(labels, device));
        Self { config, training, balance, device: device.clone() }
    }

    /// The same on another device.
    pub(super) fn on(&self, device: &Device) -> Self {
        Self::new(self.config, self.training, &device.clone().autodiff())
    }

    /// The mean gradients of `network` over `batches`, run by `forward`, and the means of class, regression
    /// and gender loss and of the gender accuracy.
    pub(super) fn gradients<'b>(
        &self,
        epoch: usize,
        batches: impl ExactSizeIterator<Item = &'b [Draw]>,
        network: &NetworkModule,
        forward: impl Fn(Tensor<5>) -> Result<HeadOutputs, TrainError>,
    ) -> Result<(GradientsParams, [f32; 4]), TrainError> {
        let Self { config, training, balance, device } = self;
        let seed = config.seed.wrapping_add(1 + epoch as u64);
        let share = 1.0 / batches.len() as f32;
        let mut gradients = GradientsAccumulator::new();
        let mut means = [0.0; 4];
        for batch in batches {
            let inputs = training.inputs(config.network, batch, &config.augmentation, seed, device)?;
            let targets = training.targets(batch, config.loss.gap, config.teacher_weight, device);
            let out = forward(inputs)?;
            let accuracy = loss::gender_accuracy(out.gender_logits.clone().detach(), targets.gender.clone());
            let Losses { total, class, regression, gender } =
                losses(&config.loss, out, &targets, balance.as_ref());
            let batch_gradients = GradientsParams::from_grads((total * share).backward(), network);
            gradients.accumulate(network, batch_gradients);
            for (mean, part) in means.iter_mut().zip([class, regression, gender, accuracy]) {
                *mean += part.into_scalar::<f32>() * share;
            }
        }
        Ok((gradients.grads(), means))
    }
}

/// The log of a run, a line a pass. A half-written last line is left out.
///
/// # Errors
/// [`TrainError::Log`] if there is none.
pub fn read_metrics(folder: &Path) -> Result<Vec<EpochMetrics>, TrainError> {
    let path = folder.join(METRICS);
    let fail = |source| TrainError::Log { path: path.clone(), source };
    let bad = |e: csv::Error| fail(std::io::Error::other(e));
    let mut text = std::fs::read(&path).map_err(fail)?;
    text.truncate(text.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1));
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let header = reader.headers().map_err(bad)?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let names: Vec<&str> = header.iter().filter_map(|column| column.strip_prefix("mae ")).collect();
    let mut passes = Vec::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let mut metrics: EpochMetrics = record.deserialize(Some(&header)).map_err(bad)?;
        let number = |column: Option<usize>| record.get(column?)?.parse::<f64>().ok();
        metrics.sets = names
            .iter()
            .map(|name| SetMetrics {
                name: (*name).into(),
                mae: number(column(&format!("mae {name}"))).unwrap_or(f64::NAN),
                gender: number(column(&format!("gender {name}"))),
            })
            .collect();
        passes.push(metrics);
    }
    Ok(passes)
}

/// Adds a pass to the log. One that is repeated after an interruption replaces what was there.
fn log(folder: &Path, metrics: &EpochMetrics) -> Result<(), TrainError> {
    let path = folder.join(METRICS);
    let fail = |source| TrainError::Log { path: path.clone(), source };
    let bad = |e: csv::Error| fail(std::io::Error::other(e));
    let before = if path.exists() { read_metrics(folder)? } else { Vec::new() };
    let passes: BTreeMap<usize, &EpochMetrics> =
        before.iter().chain([metrics]).map(|metrics| (metrics.epoch, metrics)).collect();
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let sets =
        metrics.sets.iter().flat_map(|set| [format!("mae {}", set.name), format!("gender {}", set.name)]);
    writer.write_record(COLUMNS.map(str::to_owned).into_iter().chain(sets)).map_err(bad)?;
    for pass in passes.values() {
        let sets: Vec<Option<f64>> = pass.sets.iter().flat_map(|set| [Some(set.mae), set.gender]).collect();
        writer.serialize((pass, sets)).map_err(bad)?;
    }
    let text = writer.into_inner().map_err(|e| fail(e.into_error()))?;
    write_atomically(&path, &text).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::corrections::{Correction, GenderCorrection};
    use crate::data::crops::Crops;
    use crate::data::sampler::SamplerKind;
    use crate::data::split::Part;
    use crate::data::{crops, toy};
    use std::fs::OpenOptions;

    fn open(folder: &Path) -> (Dataset, Dataset) {
        toy::write(folder, "toy");
        toy::open(folder, "toy")
    }

    fn config(epochs: usize) -> TrainConfig {
        TrainConfig {
            network: NetworkKind::MCnn,
            loss: LossConfig::default(),
            balance: false,
            batch: 4,
            accumulate: 2,
            length: Length::Epochs(epochs),
            rate: 3e-3,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.01,
            average: 0.9,
            sampler: SamplerConfig { kind: SamplerKind::AsTheyCome, ..SamplerConfig::default() },
            augmentation: Augmentation::default(),
            teacher_weight: 0.0,
            seed: 9,
        }
    }

    /// Trains until step `until` on so many devices, and returns the averaged weights in the checkpoint.
    fn run_until(
        folder: &Path,
        until: usize,
        init: &Weights,
        config: &TrainConfig,
        devices: usize,
    ) -> Weights {
        let (training, validation) = open(folder);
        assert_eq!((training.len(), validation.len()), (32, 8));
        let run = folder.join("run");
        let device = Device::flex();
        let devices = vec![device.clone(); devices];
        train(config, &training, &validation, Some(init), &run, &devices, |event| match event {
            Event::Step { step, .. } if step >= until => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
        let network = NetworkModule::new(config.network.network(), &device.autodiff());
        let checkpoint = Checkpoint::load(&run.join(CHECKPOINT), network, config.optimizer()).unwrap();
        checkpoint.average
    }

    #[test]
    fn interrupted_and_resumed_equals_uninterrupted() {
        let init = NetworkModule::new(NetworkKind::MCnn.network(), &Device::flex()).to_weights();
        let balanced = TrainConfig {
            sampler: SamplerConfig::default(),
            loss: LossConfig { consistency: 1.0, gender_smoothing: 0.05, ..LossConfig::default() },
            ..config(2)
        };
        for (devices, config) in [(1, &config(2)), (2, &config(2)), (1, &balanced)] {
            let whole = tempfile::tempdir().unwrap();
            let expected = run_until(whole.path(), usize::MAX, &init, config, devices);
            let parts = tempfile::tempdir().unwrap();
            // Cut within the first pass and within the second.
            run_until(parts.path(), 3, &init, config, devices);
            run_until(parts.path(), 6, &init, config, devices);
            let resumed = run_until(parts.path(), usize::MAX, &init, config, devices);
            assert_eq!(resumed, expected);
            let best = |folder: &Path| std::fs::read(folder.join("run").join(BEST)).unwrap();
            assert_eq!(best(parts.path()), best(whole.path()));
            assert_ne!(expected, init);
        }
    }

    #[test]
    fn whichever_device_fails_ends_the_run_and_the_checkpoint_is_good() {
        let init = NetworkModule::new(NetworkKind::MCnn.network(), &Device::flex()).to_weights();
        for failing in [0, 1] {
            // The last training picture is lost during the second pass. It falls to the device that is to
            // fail.
            let probe = tempfile::tempdir().unwrap();
            let sampler = DatasetSampler::new(&config(2).sampler, &open(probe.path()).0).unwrap();
            let rank = |seed: u64| {
                let draws = sampler.pass(32, seed, 1);
                draws.iter().position(|draw| draw.picture == 31).unwrap() % 8 / 4
            };
            let config =
                TrainConfig { seed: (0..).find(|seed| rank(*seed) == failing).unwrap(), ..config(2) };
            let go = |folder: &Path, lose: bool| {
                let (training, validation) = open(folder);
                let (run, devices) = (folder.join("run"), [Device::flex(), Device::flex()]);
                train(&config, &training, &validation, Some(&init), &run, &devices, |event| {
                    if lose && matches!(event, Event::Epoch(_)) {
                        let (crops, _) = crops::paths(folder, "toy");
                        let file = OpenOptions::new().write(true).open(crops).unwrap();
                        file.set_len(38 * crops::CROP_LEN as u64).unwrap();
                    }
                    ControlFlow::Continue(())
                })
            };
            let interrupted = tempfile::tempdir().unwrap();
            let error = go(interrupted.path(), true).unwrap_err();
            match failing {
                0 => assert!(matches!(error, TrainError::Data(_)), "{error}"),
                _ => assert!(matches!(error, TrainError::Replica { rank: 1, .. }), "{error}"),
            }
            assert!(error.to_string().contains("toy.crops"), "{error}");
            go(interrupted.path(), false).unwrap();
            let whole = tempfile::tempdir().unwrap();
            go(whole.path(), false).unwrap();
            let best = |folder: &Path| std::fs::read(folder.join("run").join(BEST)).unwrap();
            assert_eq!(best(interrupted.path()), best(whole.path()));
        }
    }

    #[test]
    fn devices_that_do_not_divide_a_step_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let devices = vec![Device::flex(); 3];
        let result = train(&config(1), &training, &validation, None, folder.path(), &devices, |_| {
            ControlFlow::Continue(())
        });
        assert!(matches!(result, Err(TrainError::Share { devices: 3, accumulate: 2 })));
    }

    #[test]
    fn a_run_learns_and_is_logged() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let run = folder.path().join("run");
        let mut maes = Vec::new();
        let devices = [Device::flex()];
        train(&config(12), &training, &validation, None, &run, &devices, |event| {
            if let Event::Epoch(metrics) = event {
                maes.push(metrics.validation_mae);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        // Saying the middle of the training ages for everyone is 10 years off.
        let best = maes.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(best < 9.0, "{maes:?}");
        let log = std::fs::read_to_string(run.join(METRICS)).unwrap();
        assert_eq!(log.lines().count(), 13);
        let weights = Weights::from_bytes(&std::fs::read(run.join(BEST)).unwrap()).unwrap();
        assert!(weights.metadata.contains_key("range_mass"));
        // The same folder with other settings.
        let other =
            train(&config(3), &training, &validation, None, &run, &devices, |_| ControlFlow::Continue(()));
        assert!(matches!(other, Err(TrainError::OtherRun { .. })));
    }

    #[test]
    fn other_data_and_other_weights_are_another_run() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        toy::write(folder.path(), "more");
        let open = |names: &[&str], part| {
            let sets = names.iter().map(|name| Crops::open(folder.path(), name).unwrap()).collect();
            Dataset::new(sets, part)
        };
        let weights = || NetworkModule::new(NetworkKind::MCnn.network(), &Device::flex()).to_weights();
        let (init, other) = (weights(), weights());
        let run = folder.path().join("run");
        let go = |trained: &[&str], judged: &[&str], init: &Weights, wrong: Option<f32>| {
            let (mut training, validation) = (open(trained, Part::Train), open(judged, Part::Validation));
            if let Some(weight) = wrong {
                let (dataset, file) = ("toy".into(), "0.png".into());
                let row = Correction {
                    dataset,
                    file,
                    weight,
                    gender: GenderCorrection::Keep,
                    reason: String::new(),
                };
                training.correct(&[row]).unwrap();
            }
            let first = |event: Event| match event {
                Event::Step { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            };
            let result =
                train(&config(1), &training, &validation, Some(init), &run, &[Device::flex()], first);
            result.map_err(|e| e.to_string())
        };
        go(&["toy"], &["toy"], &init, None).unwrap();
        for (error, named) in [
            (go(&["toy", "more"], &["toy"], &init, None), "training.sets.more none before"),
            (go(&["toy"], &["more"], &init, None), "validation.sets.more none before"),
            (go(&["toy"], &["toy"], &other, None), "init "),
            (go(&["toy"], &["toy"], &init, Some(0.0)), "training.corrections none before"),
        ] {
            let error = error.unwrap_err();
            assert!(error.contains(named) && !error.contains("settings."), "{error}");
        }
        go(&["toy"], &["toy"], &init, None).unwrap();
    }

    #[test]
    fn a_stop_is_heard_at_any_step() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let run = folder.path().join("run");
        // 4 steps make a pass.
        for until in [3, 4, 5] {
            let mut last = 0;
            train(&config(2), &training, &validation, None, &run, &[Device::flex()], |event| {
                let Event::Step { step, .. } = event else { return ControlFlow::Continue(()) };
                last = step;
                if step == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
            assert_eq!(last, until);
        }
        assert_eq!(read_metrics(&run).unwrap().len(), 1);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let loss = LossConfig::default();
        for wrong in [
            TrainConfig { loss: LossConfig { gap: f32::NAN, ..loss.clone() }, ..config(1) },
            TrainConfig { loss: LossConfig { gap: 0.5, ..loss.clone() }, ..config(1) },
            TrainConfig { loss: LossConfig { gender_weight: -1.0, ..loss.clone() }, ..config(1) },
            TrainConfig { loss: LossConfig { consistency: 1.0, ..loss }, batch: 5, ..config(1) },
            TrainConfig { rate: f64::NAN, ..config(1) },
            TrainConfig { teacher_weight: 1.5, ..config(1) },
            TrainConfig { length: Length::Pictures(0), ..config(1) },
            TrainConfig {
                augmentation: Augmentation { strength: f32::NAN, ..Augmentation::default() },
                ..config(1)
            },
        ] {
            let run = folder.path().join("run");
            let result = train(&wrong, &training, &validation, None, &run, &[Device::flex()], |_| {
                ControlFlow::Continue(())
            });
            assert!(matches!(result, Err(TrainError::Setting(_))), "{wrong:?}");
            assert!(!run.exists());
        }
        let none = Dataset::new(Vec::new(), Part::Validation);
        let result = train(&config(1), &training, &none, None, folder.path(), &[Device::flex()], |_| {
            ControlFlow::Continue(())
        });
        assert!(matches!(result, Err(TrainError::NoValidation)));
    }

    #[test]
    fn a_folder_has_one_run_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let run = folder.path().join("run");
        let mut second = None;
        let devices = [Device::flex()];
        train(&config(1), &training, &validation, None, &run, &devices, |_| {
            let inner = |_: Event| ControlFlow::Continue(());
            second = Some(train(&config(1), &training, &validation, None, &run, &devices, inner));
            ControlFlow::Break(())
        })
        .unwrap();
        assert!(matches!(second, Some(Err(TrainError::Busy(_)))), "{second:?}");
        // It is free again.
        train(&config(1), &training, &validation, None, &run, &devices, |_| ControlFlow::Continue(()))
            .unwrap();
    }

    #[test]
    fn the_log_has_columns_for_each_set_and_outlives_a_torn_line() {
        let folder = tempfile::tempdir().unwrap();
        let set = |name: &str, mae, gender| SetMetrics { name: name.into(), mae, gender };
        let pass = |epoch| EpochMetrics {
            epoch,
            step: 10 * epoch,
            rate: 1e-3,
            class: 1.0,
            regression: 2.0,
            gender: 0.5,
            gender_accuracy: 0.75,
            validation_mae: 6.0,
            validation_gender: 0.9,
            pictures_per_second: 100.0,
            sets: vec![set("aaf", 5.0, Some(0.9)), set("mute", 7.0, None)],
        };
        log(folder.path(), &pass(1)).unwrap();
        log(folder.path(), &pass(2)).unwrap();
        assert_eq!(read_metrics(folder.path()).unwrap(), [pass(1), pass(2)]);
        let path = folder.path().join(METRICS);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.lines()
                .next()
                .unwrap()
                .ends_with("pictures_per_second,mae aaf,gender aaf,mae mute,gender mute")
        );
        // As an append that was cut off leaves it.
        std::fs::write(&path, &text[..text.len() - 20]).unwrap();
        assert_eq!(read_metrics(folder.path()).unwrap(), [pass(1)]);
        log(folder.path(), &pass(2)).unwrap();
        log(folder.path(), &EpochMetrics { class: 0.5, ..pass(2) }).unwrap();
        assert_eq!(read_metrics(folder.path()).unwrap(), [pass(1), EpochMetrics { class: 0.5, ..pass(2) }]);
    }

    #[test]
    fn a_length_in_pictures_ends_within_a_pass() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let run = folder.path().join("run");
        // 4 steps of 8 pictures are a pass; 41 pictures are 6 steps.
        let config = TrainConfig { length: Length::Pictures(41), ..config(1) };
        let go_on = |until: usize| {
            train(&config, &training, &validation, None, &run, &[Device::flex()], |event| match event {
                Event::Step { step, .. } if step >= until => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
            .unwrap();
            let log = read_metrics(&run).unwrap_or_default();
            log.iter().map(|m| (m.epoch, m.step)).collect::<Vec<_>>()
        };
        assert_eq!(go_on(5), [(1, 4)]);
        assert_eq!(go_on(usize::MAX), [(1, 4), (2, 6)]);
        // Nothing is left to do.
        assert_eq!(go_on(usize::MAX), [(1, 4), (2, 6)]);
        assert_eq!(std::fs::read_to_string(run.join(METRICS)).unwrap().lines().count(), 3);
    }

    #[test]
    fn checkpoints_hold_the_length_as_one_field() {
        // The text that a checkpoint is recognised by.
        let text = serde_json::to_string(&config(7)).unwrap();
        assert!(text.contains(r#""accumulate":2,"epochs":7,"rate":0.003,"#), "{text}");
        assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), config(7));
    }

    #[test]
    fn too_few_pictures_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (training, validation) = open(folder.path());
        let config = TrainConfig { batch: 32, ..config(1) };
        let run = folder.path().join("run");
        let result = train(&config, &training, &validation, None, &run, &[Device::flex()], |_| {
            ControlFlow::Continue(())
        });
        assert!(matches!(result, Err(TrainError::TooFew { found: 32, batch: 64 })));
    }
}
