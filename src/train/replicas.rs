//! A run on several devices: data-parallel training.
//!
//! Each device has a replica of the network, in a thread of its own; the first is the run's network itself,
//! in the caller's. The batches of a step are dealt out, of n replicas the r-th gets batches r, r + n and so
//! on, and each takes the gradient of its own. Gradients and losses are then averaged over the replicas, and
//! all take the same step of AdamW: equal at the start, they stay equal. A step is thus what one device does
//! with as many batches, up to the order of the sums.
//!
//! The running statistics of batch normalisation, which training itself does not use, are averaged over the
//! replicas after each step. One device updates them once a batch, n devices once for every n batches, with
//! the mean of their statistics.
//!
//! burn draws dropout from one generator for the whole process, so forward passes take turns in the order of
//! the batches, and each gets the numbers that it would get on one device. A graphics processor only queues
//! its work meanwhile, and on the CPU one pass has all cores.

use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::Scope;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
#[cfg(feature = "cuda")]
use burn::tensor::{
    DeviceType,
    distributed::{ReduceOperation, all_reduce},
};

use super::checkpoint::Checkpoint;
use super::trainer::{TrainError, Work};
use crate::data::sampler::Draw;
use crate::net::NetworkModule;

/// The replicas beside the run's own network. They end when this is dropped.
pub(super) struct Replicas {
    shared: Arc<Shared>,
    jobs: Vec<Sender<StepJob>>,
}

struct Shared {
    meeting: Meeting,
    collective: Collective,
}

/// A step.
#[derive(Clone)]
struct StepJob {
    pictures: Arc<[Draw]>,
    epoch: usize,
    rate: f64,
}

impl Replicas {
    /// Starts a replica of `run` on each of `devices` but the first, which is the run's own and that of
    /// `work`.
    pub(super) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        work: &Work<'env>,
        run: &Checkpoint<NetworkModule>,
        devices: &[Device],
    ) -> Self {
        let meeting = Meeting::new(devices.len());
        let shared = Arc::new(Shared { meeting, collective: Collective::of(devices) });
        let jobs = devices.iter().enumerate().skip(1).map(|(rank, device)| {
            let (sender, jobs) = channel();
            let (shared, work) = (shared.clone(), work.on(device));
            // Not in the thread: a new network may draw random numbers, which would come between those of the
            // first step.
            let network = NetworkModule::new(work.config.network.network(), &work.device);
            let network = network.load_record(run.network.clone().into_record());
            let optimizer = work.config.optimizer().load_record(run.optimizer.to_record());
            scope.spawn(move || {
                shared.meeting.guard(rank, || follow(&shared, rank, &work, network, optimizer, &jobs));
            });
            sender
        });
        Self { jobs: jobs.collect(), shared }
    }

    /// The gradients and losses of a step, averaged over all replicas, and in `network` the running
    /// statistics; the other replicas take the step at `rate` with them.
    ///
    /// # Errors
    /// [`TrainError::Replica`] if another one failed, and [`TrainError`] for this one's own reasons.
    pub(super) fn gradients(
        &self,
        work: &Work,
        pictures: &[Draw],
        epoch: usize,
        rate: f64,
        network: &mut NetworkModule,
    ) -> Result<(GradientsParams, [f32; 4]), TrainError> {
        let job = StepJob { pictures: pictures.into(), epoch, rate };
        for replica in &self.jobs {
            // One that has failed takes no more jobs; the meeting knows why.
            let _ = replica.send(job.clone());
        }
        self.shared.gradients(0, work, &job, network)
    }
}

impl Drop for Replicas {
    fn drop(&mut self) {
        self.shared.meeting.fail(0, "the run has ended".into());
    }
}

/// What a thread of [`Replicas`] does: every step with the others, until no more come.
fn follow(
    shared: &Shared,
    rank: usize,
    work: &Work,
    mut network: NetworkModule,
    mut optimizer: ModuleOptimizer,
    jobs: &Receiver<StepJob>,
) -> Result<(), TrainError> {
    for job in jobs {
        let (gradients, _) = shared.gradients(rank, work, &job, &mut network)?;
        network = optimizer.step(job.rate, network, gradients);
    }
    Ok(())
}

impl Shared {
    /// The part of the replica `rank` in a step; returns what [`Replicas::gradients`] does.
    fn gradients(
        &self,
        rank: usize,
        work: &Work,
        job: &StepJob,
        network: &mut NetworkModule,
    ) -> Result<(GradientsParams, [f32; 4]), TrainError> {
        let batches = job.pictures.chunks_exact(work.config.batch).skip(rank).step_by(self.meeting.replicas);
        let (own, losses) = work.gradients(job.epoch, batches, network, |inputs| {
            self.meeting.in_turn(rank, || network.forward(inputs))
        })?;

        let mut gather = Gather { gradients: own, with_gradient: HashSet::new(), parts: Vec::new() };
        // The training network may hold back its last update of the running statistics; this brings it in.
        network.valid().visit(&mut gather);
        gather.parts.push(Tensor::from_floats(losses, &work.device.clone().inner()));
        let values = self.collective.mean(&self.meeting, rank, Tensor::cat(gather.parts, 0))?;

        let mut spread =
            Spread { values, at: 0, with_gradient: gather.with_gradient, gradients: GradientsParams::new() };
        *network = network.clone().map(&mut spread);
        let losses = spread.next([losses.len()]).into_data().try_into_vec::<f32>().expect("f32");
        Ok((spread.gradients, losses.try_into().expect("as many as went in")))
    }
}

/// Puts a network's gradients into one vector, and for what has none, the running statistics, the values.
struct Gather {
    gradients: GradientsParams,
    with_gradient: HashSet<ParamId>,
    parts: Vec<Tensor<1>>,
}

impl ModuleVisitor for Gather {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = match self.gradients.remove::<D>(param.id) {
            Some(gradient) => {
                self.with_gradient.insert(param.id);
                gradient
            }
            None => param.val(),
        };
        self.parts.push(values.flatten(0, D - 1));
    }
}

/// Takes them out again.
struct Spread {
    values: Tensor<1>,
    at: usize,
    with_gradient: HashSet<ParamId>,
    gradients: GradientsParams,
}

impl Spread {
    fn next<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let len = shape.iter().product();
        let part = self.values.clone().narrow(0, self.at, len);
        self.at += len;
        part.reshape(shape)
    }
}

impl ModuleMapper for Spread {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let part = self.next(param.dims());
        if self.with_gradient.contains(&param.id) {
            self.gradients.register(param.id, part);
            return param;
        }
        param.map(|_| Tensor::from_inner(part))
    }
}

/// By what replicas average their vectors.
enum Collective {
    /// In the host's memory, which every device reaches.
    Host,
    /// By burn's `all_reduce` between these devices: NVIDIA's NCCL.
    #[cfg(feature = "cuda")]
    Nccl(Vec<Device>),
}

impl Collective {
    fn of(devices: &[Device]) -> Self {
        #[cfg(feature = "cuda")]
        {
            let cuda = Device::enumerate(DeviceType::Cuda);
            if devices.iter().all(|device| cuda.contains(device)) {
                return Self::Nccl(devices.iter().map(|device| device.clone().inner()).collect());
            }
        }
        let _ = devices;
        Self::Host
    }

    /// The mean of what all replicas bring. All must bring equally much.
    fn mean(&self, meeting: &Meeting, rank: usize, values: Tensor<1>) -> Result<Tensor<1>, TrainError> {
        match self {
            Self::Host => {
                let device = values.device();
                let values = values.into_data().try_into_vec::<f32>().expect("f32");
                let mean = meeting.mean(rank, values)?;
                Ok(Tensor::from_data(TensorData::new(mean.to_vec(), [mean.len()]), &device))
            }
            #[cfg(feature = "cuda")]
            Self::Nccl(devices) => {
                // NCCL would wait for a replica that has failed; so all meet before it.
                meeting.mean(rank, Vec::new())?;
                Ok(all_reduce(values, ReduceOperation::Mean, devices.clone()).resolve())
            }
        }
    }
}

/// Where the threads of the replicas wait for each other: none for one that has failed.
struct Meeting {
    replicas: usize,
    state: Mutex<MeetingState>,
    changed: Condvar,
}

#[derive(Default)]
struct MeetingState {
    /// Turns taken.
    turns: usize,
    /// What each replica brings to the next mean.
    brought: Vec<Option<Vec<f32>>>,
    /// Means taken, and the last of them.
    means: usize,
    mean: Arc<[f32]>,
    /// Who failed first, and why.
    failure: Option<(usize, String)>,
}

impl Meeting {
    fn new(replicas: usize) -> Self {
        let state = MeetingState { brought: vec![None; replicas], ..MeetingState::default() };
        Self { replicas, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, MeetingState> {
        self.state.lock().expect("nothing panics while it is held")
    }

    /// Waits until `ready`.
    fn wait(
        &self,
        ready: impl Fn(&MeetingState) -> bool,
    ) -> Result<MutexGuard<'_, MeetingState>, TrainError> {
        let over = |state: &mut MeetingState| !ready(state) && state.failure.is_none();
        let state = self.changed.wait_while(self.lock(), over).expect("nothing panics while it is held");
        match &state.failure {
            Some((rank, reason)) if !ready(&state) => {
                Err(TrainError::Replica { rank: *rank, reason: reason.clone() })
            }
            _ => Ok(state),
        }
    }

    /// Runs `f` when it is the turn of `rank`. Turns go round.
    fn in_turn<T>(&self, rank: usize, f: impl FnOnce() -> T) -> Result<T, TrainError> {
        drop(self.wait(|state| state.turns % self.replicas == rank)?);
        let result = f();
        self.lock().turns += 1;
        self.changed.notify_all();
        Ok(result)
    }

    /// The mean of what all replicas bring, once all have come; summed in their order, so that it is the same
    /// for any timing.
    fn mean(&self, rank: usize, values: Vec<f32>) -> Result<Arc<[f32]>, TrainError> {
        let mut state = self.lock();
        let before = state.means;
        state.brought[rank] = Some(values);
        if state.brought.iter().all(Option::is_some) {
            let mut brought = state.brought.iter_mut().filter_map(Option::take);
            let mut mean = brought.next().expect("one's own at least");
            for values in brought {
                mean.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            let share = 1.0 / self.replicas as f32;
            mean.iter_mut().for_each(|value| *value *= share);
            state.mean = mean.into();
            state.means += 1;
            self.changed.notify_all();
        }
        drop(state);
        Ok(self.wait(|state| state.means > before)?.mean.clone())
    }

    /// Lets nobody wait any longer.
    fn fail(&self, rank: usize, reason: String) {
        self.lock().failure.get_or_insert((rank, reason));
        self.changed.notify_all();
    }

    /// Runs what the replica `rank` does. If it fails or panics, as burn does when a device is lost, the
    /// others are told.
    fn guard(&self, rank: usize, f: impl FnOnce() -> Result<(), TrainError>) {
        match catch_unwind(AssertUnwindSafe(f)) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => self.fail(rank, e.to_string()),
            Err(panic) => self.fail(rank, panic_message(&*panic)),
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Augmentation;
    use crate::data::sampler::SamplerConfig;
    use crate::data::toy;
    use crate::net::NetworkKind;
    use crate::train::checkpoint::CheckpointState;
    use crate::train::loss::LossConfig;
    use crate::train::schedule::{LearningRateSchedule, ScheduleKind};
    use crate::train::trainer::{Length, TrainConfig};

    struct Gradients(GradientsParams, Vec<f32>);

    impl ModuleVisitor for Gradients {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.1.extend(gradient.into_data().try_into_vec::<f32>().unwrap());
            }
        }
    }

    fn values(gradients: GradientsParams, network: &NetworkModule) -> Vec<f32> {
        let mut visitor = Gradients(gradients, Vec::new());
        network.visit(&mut visitor);
        visitor.1
    }

    #[test]
    fn gradients_losses_and_running_statistics_are_averaged() {
        let folder = tempfile::tempdir().unwrap();
        toy::write(folder.path(), "toy");
        let (training, _) = toy::open(folder.path(), "toy");
        let config = TrainConfig {
            network: NetworkKind::MCnn,
            loss: LossConfig::default(),
            balance: false,
            batch: 4,
            accumulate: 4,
            length: Length::Epochs(1),
            rate: 3e-3,
            schedule: ScheduleKind::Cosine,
            weight_decay: 0.01,
            average: 0.9,
            sampler: SamplerConfig::default(),
            augmentation: Augmentation::default(),
            teacher_weight: 0.0,
            seed: 9,
        };
        let device = Device::flex().autodiff();
        let work = Work::new(&config, &training, &device);
        let pictures: Vec<Draw> = (0..16).map(|picture| Draw { picture, copy: 0 }).collect();
        let init = NetworkModule::new(config.network.network(), &Device::flex()).to_weights();
        let fresh = || NetworkModule::from_weights(&init, &device).unwrap();
        // The gradients, losses and weights afterwards of one device that has these batches.
        let alone = |batches: &[usize]| {
            let batches: Vec<&[Draw]> = batches.iter().map(|b| &pictures[b * 4..][..4]).collect();
            let network = fresh();
            let forward = |inputs| Ok(network.forward(inputs));
            let (gradients, losses) = work.gradients(0, batches.into_iter(), &network, forward).unwrap();
            (values(gradients, &network), losses, network.valid().to_weights())
        };
        let (expected, expected_losses, _) = alone(&[0, 1, 2, 3]);
        let statistics = [alone(&[0, 2]).2, alone(&[1, 3]).2];

        let state = CheckpointState {
            step: 0,
            schedule: LearningRateSchedule::new(config.schedule, config.rate, 1),
            best_mae: None,
            config: String::new(),
        };
        let (network, optimizer) = (fresh(), config.optimizer());
        let mut run = Checkpoint { state, network, average: init.clone(), optimizer };
        let (gradients, losses) = std::thread::scope(|scope| {
            let replicas = Replicas::start(scope, &work, &run, &[Device::flex(), Device::flex()]);
            replicas.gradients(&work, &pictures, 0, config.rate, &mut run.network).unwrap()
        });

        let found = values(gradients, &run.network);
        assert_eq!(found.len(), expected.len());
        let size = expected.iter().map(|g| g * g).sum::<f32>().sqrt();
        let gap = found.iter().zip(&expected).map(|(f, e)| (f - e) * (f - e)).sum::<f32>().sqrt();
        assert!(gap < 1e-5 * size, "{gap} of {size}");
        for (found, expected) in losses.iter().zip(expected_losses) {
            assert!((found - expected).abs() < 1e-5 * expected.abs(), "{found} {expected}");
        }
        let weights = run.network.valid().to_weights();
        let running = weights.tensors.keys().filter(|name| name.contains("running")).collect::<Vec<_>>();
        assert_eq!(running.len(), 10);
        for name in running {
            let [first, second] = statistics.each_ref().map(|weights| &weights.tensors[name].values);
            for ((found, first), second) in weights.tensors[name].values.iter().zip(first).zip(second) {
                assert!((found - (first + second) / 2.0).abs() < 1e-6, "{name}: {found} {first} {second}");
            }
        }
    }

    #[test]
    fn nobody_waits_for_one_that_panics() {
        let meeting = Meeting::new(3);
        let (turn, mean) = std::thread::scope(|scope| {
            let turn = scope.spawn(|| meeting.in_turn(2, || ()));
            let mean = scope.spawn(|| meeting.in_turn(0, || ()).and_then(|()| meeting.mean(0, vec![1.0])));
            meeting.guard(1, || meeting.in_turn(1, || panic!("device lost")));
            (turn.join().unwrap(), mean.join().unwrap())
        });
        for error in [turn.unwrap_err(), mean.unwrap_err()] {
            assert!(
                matches!(&error, TrainError::Replica { rank: 1, reason } if reason == "device lost"),
                "{error}"
            );
        }
    }

    #[test]
    fn means_are_of_all_and_one_after_the_other() {
        let meeting = Meeting::new(3);
        std::thread::scope(|scope| {
            for rank in 0..3 {
                let meeting = &meeting;
                scope.spawn(move || {
                    for round in 0..50 {
                        let mean = meeting.mean(rank, vec![round as f32, 3.0 * rank as f32]).unwrap();
                        assert!((mean[0] - round as f32).abs() < 1e-5 && (mean[1] - 3.0).abs() < 1e-5);
                    }
                });
            }
        });
    }
}
