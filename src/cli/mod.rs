//! The program's commands, a file each, and what they share.

mod annotate;
#[cfg(feature = "train")]
mod answers;
#[cfg(feature = "train")]
pub mod bench;
#[cfg(feature = "train")]
pub mod calibrate;
pub mod completions;
pub mod config;
pub mod convert;
#[cfg(feature = "train")]
mod device;
#[cfg(feature = "train")]
pub mod evaluate;
#[cfg(feature = "train")]
pub mod experiment;
#[cfg(feature = "train")]
mod growth;
mod inputs;
#[cfg(feature = "train")]
mod label_errors;
pub mod manual;
#[cfg(any(test, not(feature = "train")))]
pub mod missing;
pub mod output;
#[cfg(feature = "train")]
mod perturb;
pub mod predict;
#[cfg(feature = "train")]
pub mod prepare;
pub mod serve;
#[cfg(feature = "train")]
mod sheet;
#[cfg(feature = "train")]
mod steadiness;
#[cfg(feature = "train")]
pub mod train;
pub mod watch;

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use mien::engine::EngineKind;
use mien::net::NetworkKind;
use mien::pipeline::estimator::{Estimator, EstimatorError, Looks};
use mien::weights::Weights;
use rayon::ThreadPoolBuilder;

/// What stands below the options in `mien --help`.
pub fn after_help() -> String {
    let statuses =
        "Exit status: 0 if all was done, 1 if something failed, 2 if the command line makes no sense.";
    #[cfg(not(feature = "train"))]
    return format!("{statuses}\n\n{}", missing::WHICH);
    #[cfg(feature = "train")]
    return statuses.into();
}

/// The file of a network in the folder with all weights.
fn network_file(folder: &Path, model: NetworkKind) -> PathBuf {
    folder.join(format!("{0}/{0}.safetensors", model.name()))
}

/// Where weights are looked for, in this order: the folder asked for, `model-weights` here, beside the
/// program, and in the source tree it was built from.
fn weights_folder(asked: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = asked {
        return Ok(folder.into());
    }
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("model-weights")));
    let candidates = [
        Some(PathBuf::from("model-weights")),
        beside,
        Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("model-weights")),
    ];
    match candidates.into_iter().flatten().find(|folder| folder.is_dir()) {
        Some(folder) => Ok(folder),
        None => bail!("no folder model-weights here; name it with --weights-dir"),
    }
}

/// No weights take as much; what has no end, as a device, is not read for ever.
const MOST_WEIGHTS: u64 = 512 << 20;

fn read_weights(path: &Path) -> anyhow::Result<Weights> {
    let shown = || path.display().to_string();
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "{}: no such weight file; name its folder with --weights-dir, or a file with --weights",
                shown()
            )
        }
        file => {
            file.and_then(|file| file.take(MOST_WEIGHTS + 1).read_to_end(&mut bytes)).with_context(shown)?
        }
    };
    ensure!(bytes.len() as u64 <= MOST_WEIGHTS, "{}: longer than 512 MiB, and so no weight file", shown());
    Weights::from_bytes(&bytes).with_context(shown)
}

fn detector_weights(folder: &Path) -> anyhow::Result<Weights> {
    read_weights(&folder.join("blazeface/blazeface-short.safetensors"))
}

/// Which network, which weights, which engine: the same options wherever pictures are estimated.
#[cfg(feature = "train")]
#[derive(clap::Args, Debug, Clone)]
pub struct EstimatorArgs {
    /// Which network
    #[arg(long, value_enum, default_value_t)]
    model: NetworkKind,

    #[command(flatten)]
    means: MeansArgs,
}

/// Which weights, which engine, how many looks: those options for whatever network.
#[derive(clap::Args, Debug, Clone)]
pub struct MeansArgs {
    /// A weight file of that network, instead of the one in the weights folder
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// Folder with all weights [default: model-weights]
    #[arg(long, value_name = "DIR")]
    weights_dir: Option<PathBuf>,

    /// What to compute on
    #[arg(long, value_enum, default_value_t = EngineKind::Cpu)]
    engine: EngineKind,

    /// How often each face of a photo is looked at
    #[arg(long, value_enum, default_value_t)]
    looks: Looks,
}

/// The weights that options name, read once; each thread makes its own estimator of them.
struct EstimatorSource {
    engine: EngineKind,
    looks: Looks,
    detector: Weights,
    network: Weights,
}

#[cfg(feature = "train")]
impl EstimatorArgs {
    fn load(&self) -> anyhow::Result<EstimatorSource> {
        self.means.load(self.model)
    }
}

impl MeansArgs {
    fn load(&self, model: NetworkKind) -> anyhow::Result<EstimatorSource> {
        let name = model.name();
        let folder = weights_folder(self.weights_dir.as_deref());
        let network = match &self.weights {
            Some(path) => read_weights(path)?,
            None => read_weights(&network_file(folder.as_ref().map_err(|e| anyhow::anyhow!("{e}"))?, model))?,
        };
        network.expect_network(name).with_context(|| match &self.weights {
            Some(path) => format!("{}: say which network they are of with --model", path.display()),
            None => format!("{}'s file in the folder of weights", name),
        })?;
        Ok(EstimatorSource {
            engine: self.engine,
            looks: self.looks,
            detector: detector_weights(&folder?)?,
            network,
        })
    }
}

impl EstimatorSource {
    fn estimator(&self) -> Result<Estimator, EstimatorError> {
        let estimator = pollster::block_on(Estimator::new(self.engine, &self.detector, &self.network))?;
        Ok(estimator.with_looks(self.looks))
    }
}

/// Runs `work` on every item, on all cores with an estimator each, and hands the results to `take` in the
/// order of the items as soon as they and those before them are there.
#[cfg(feature = "train")]
fn for_each_in_order<T: Sync, R: Send>(
    source: &EstimatorSource,
    items: &[T],
    work: impl Fn(&Estimator, &T) -> R + Sync,
    mut take: impl FnMut(&T, R),
) -> anyhow::Result<()> {
    while_in_order(
        std::slice::from_ref(source),
        items,
        u64::MAX,
        |_| 0,
        |estimators, item| work(&estimators[0], item),
        |item, result| {
            take(item, result);
            ControlFlow::Continue(())
        },
    )
}

/// The same with an estimator of each source, until `take` has enough, and with no more items at once than there is `room` for, in bytes of
/// memory, of which each needs what `memory` says. One that needs more is done alone.
fn while_in_order<T: Sync, R: Send>(
    sources: &[EstimatorSource],
    items: &[T],
    room: u64,
    memory: impl Fn(&T) -> u64,
    work: impl Fn(&[Estimator], &T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> ControlFlow<()>,
) -> anyhow::Result<()> {
    thread_local! {
        static ESTIMATORS: Cell<Vec<Estimator>> = const { Cell::new(Vec::new()) };
    }
    let (is_over, in_use) = (AtomicBool::new(false), AtomicU64::new(0));
    // They are taken out while they work: a thread that waits for others may do another item meanwhile.
    let run = |item: &T| {
        let mut estimators = ESTIMATORS.take();
        if estimators.is_empty() {
            estimators = sources.iter().map(EstimatorSource::estimator).collect::<Result<_, _>>()?;
        }
        let result = work(&estimators, item);
        ESTIMATORS.set(estimators);
        Ok::<_, EstimatorError>(result)
    };
    // Of threads that end with it, and their estimators with them.
    let pool = ThreadPoolBuilder::new().build()?;
    // Results wait for a slow picture before them, and must not pile up.
    let ahead = 4 * pool.current_num_threads();
    pool.in_place_scope_fifo(|scope| {
        let (mut next, mut begun) = (items.iter().peekable(), VecDeque::new());
        loop {
            while begun.len() < ahead {
                let Some(item) = next.peek() else { break };
                let needs = memory(item);
                let busy = in_use.load(Ordering::Acquire);
                if busy > 0 && busy.saturating_add(needs) > room {
                    break;
                }
                in_use.fetch_add(needs, Ordering::AcqRel);
                let (send, result) = mpsc::channel();
                let (run, is_over, in_use) = (&run, &is_over, &in_use);
                let item: &T = next.next().expect("it was seen");
                scope.spawn_fifo(move |_| {
                    if !is_over.load(Ordering::Relaxed) {
                        let result = run(item);
                        in_use.fetch_sub(needs, Ordering::AcqRel);
                        // Nobody waits for it where one before it failed.
                        drop(send.send(result));
                    }
                });
                begun.push_back((item, result));
            }
            let Some((item, result)) = begun.pop_front() else { return Ok(()) };
            // None comes of an item that panics, and the scope panics in its turn.
            let Ok(result) = result.recv() else { return Ok(()) };
            let flow = result.map(|result| take(item, result));
            if !matches!(flow, Ok(ControlFlow::Continue(()))) {
                is_over.store(true, Ordering::Relaxed);
                return Ok(flow.map(drop)?);
            }
        }
    })
}

/// Bytes of memory that other programs leave, and a container that this one runs in: by Linux; elsewhere 4 GiB.
fn free_memory() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let machine = kib.map_or(4 << 30, |kib| kib << 10);
    left_to_groups(&groups, Path::new("/sys/fs/cgroup")).map_or(machine, |left| left.min(machine))
}

/// Bytes that are left to the control groups of Linux that a process is in, as `/proc/self/cgroup` names them, and
/// to those around them: the least of them. None where none has a limit.
///
/// Of the second version a line `0::/path`, with `memory.max` and `memory.current` in that folder; of the first
/// `5:memory:/path`, with files of other names below `memory/`. A container may see its own as the root.
fn left_to_groups(groups: &str, root: &Path) -> Option<u64> {
    let number = |path: PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let lines = groups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (kinds, path) = rest.split_once(':')?;
        let (folder, limit, usage) = match kinds {
            "" => (root.to_owned(), "memory.max", "memory.current"),
            _ if kinds.split(',').any(|kind| kind == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => return None,
        };
        let around: Vec<_> =
            Path::new(path.trim_start_matches('/')).ancestors().map(Path::to_owned).collect();
        Some(around.into_iter().filter_map(move |path| {
            let group = folder.join(path);
            // Pages of files count as used, and are given back where there is need.
            let statistics = std::fs::read_to_string(group.join("memory.stat")).unwrap_or_default();
            let cached = statistics.lines().rev().find_map(|line| {
                // The first version counts those of the groups below, which its use has, by another name.
                line.strip_prefix("total_").or(Some(line))?.strip_prefix("inactive_file ")?.parse().ok()
            });
            let used = number(group.join(usage))?.saturating_sub(cached.unwrap_or(0));
            Some(number(group.join(limit))?.saturating_sub(used))
        }))
    });
    lines.flatten().min()
}

/// Keeps freed memory in the process, in large pages. A training step gives back hundreds of megabytes and takes
/// them again; by default the C library returns such blocks to the system, and every step pays for their pages
/// anew. And maps of tens of megabytes are read and written from end to end, in small pages with a look at the
/// page table every 4 KiB.
#[cfg(feature = "train")]
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator, and no other thread runs yet. The advice is on whole
    // pages of a block of our own, and changes nothing that can be read there.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, -1);
        // The heap grows by this much, of which nothing is used yet, and keeps it when it is freed. Where there
        // is less address space, or are no such pages, all goes on as it was.
        let bytes = (free_memory() / 2).min(MOST_IN_LARGE_PAGES) as usize;
        let block = libc::malloc(bytes);
        if !block.is_null() {
            let before = block.cast::<u8>().align_offset(LARGE_PAGE);
            let whole = bytes.saturating_sub(before) / LARGE_PAGE * LARGE_PAGE;
            if whole > 0 {
                libc::madvise(block.byte_add(before), whole, libc::MADV_HUGEPAGE);
            }
            libc::free(block);
        }
    }
}

/// What a training run has use for at most.
#[cfg(all(feature = "train", target_os = "linux", target_env = "gnu"))]
const MOST_IN_LARGE_PAGES: u64 = 8 << 30;

/// Bytes of a large page, on most processors.
#[cfg(all(feature = "train", target_os = "linux", target_env = "gnu"))]
const LARGE_PAGE: usize = 2 << 20;

/// A progress bar on standard error; hidden where that is no terminal, and with `--quiet`.
fn progress_bar(len: u64, what: &str) -> ProgressBar {
    if output::is_quiet() {
        return ProgressBar::hidden();
    }
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left {{msg}}");
    let style = ProgressStyle::with_template(&template).expect("a fixed template");
    ProgressBar::new(len).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_container_has_the_memory_that_it_is_given() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("memory.stat", "");
        put("user/app/memory.max", "max\n");
        put("user/app/memory.current", "5000\n");
        put("user/memory.max", "900000\n");
        put("user/memory.current", "400000\n");
        put("user/memory.stat", "anon 300000\ninactive_file 100000\nfile 100000\n");
        assert_eq!(left_to_groups("0::/user/app\n", root.path()), Some(600_000));
        assert_eq!(left_to_groups("0::/\n", root.path()), None);
        // As a container sees its own.
        put("memory.max", "1000\n");
        put("memory.current", "3000\n");
        assert_eq!(left_to_groups("0::/\n", root.path()), Some(0));
        put("memory/docker/memory.limit_in_bytes", "700\n");
        put("memory/docker/memory.usage_in_bytes", "100\n");
        assert_eq!(left_to_groups("3:cpu,cpuacct:/docker\n5:memory:/docker\n", root.path()), Some(600));
        assert_eq!(left_to_groups("", root.path()), None);
    }

    #[test]
    fn no_more_is_done_at_once_than_there_is_room_for() {
        let model = NetworkKind::default();
        let args = MeansArgs { weights: None, weights_dir: None, engine: EngineKind::Cpu, looks: Looks::One };
        let sources = [args.load(model).unwrap()];
        let needs: Vec<u64> = (0..40).map(|i| if i == 20 { 100 } else { 10 }).collect();
        let now = AtomicU64::new(0);
        // What is in use while one of them is done.
        let work = |_: &[Estimator], needs: &u64| {
            let busy = now.fetch_add(*needs, Ordering::SeqCst) + needs;
            std::thread::sleep(Duration::from_millis(2));
            now.fetch_sub(*needs, Ordering::SeqCst);
            busy
        };
        let run = |room, enough: usize| {
            let mut seen = Vec::new();
            let take = |_: &u64, busy| {
                seen.push(busy);
                if seen.len() == enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            while_in_order(&sources, &needs, room, |needs| *needs, work, take).unwrap();
            seen
        };
        assert_eq!(run(15, usize::MAX), needs, "each of them alone");
        assert_eq!(run(1000, 3).len(), 3, "it ends where that is enough");
        assert!(free_memory() > 1 << 20);
    }
}
