//! `mien bench`: how fast a training step and the networks are.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use ::burn::tensor::Device;
use anyhow::{Context, ensure};
use clap::Subcommand;
use mien::engine::burn;
use mien::engine::cpu::{CpuPlan, CpuScratch};
use mien::net::{NetworkKind, NetworkModule, blaze_face};
use mien::train::bench::{StepSpeed, peak_memory, train_steps};
use serde::Serialize;

use super::{growth, steadiness};

/// Measure speed on this machine
#[derive(clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Whole training steps, fused against composed of burn's operations
    Train {
        /// Which network [default: all]
        #[arg(long, value_enum)]
        model: Option<NetworkKind>,
        /// Pictures a step
        #[arg(long, default_value_t = 64)]
        batch: usize,
        /// Fused steps timed; composed ones are a quarter of it, at least 2
        #[arg(long, default_value_t = 16)]
        steps: usize,
        /// Leave out the composed steps, as for a profile
        #[arg(long, conflicts_with = "composed_only")]
        fused_only: bool,
        /// A Python that has PyTorch, such as python3: lite's steps by benches/pytorch/lite.py as well, in
        /// turn with ours
        #[arg(long, value_name = "PYTHON", conflicts_with = "composed_only")]
        beside: Option<PathBuf>,
        /// Only the composed steps, and nothing printed but their speed
        #[arg(long, hide = true, requires = "model")]
        composed_only: bool,
    },
    /// One picture through the detector and each network on one thread, fused kernels against burn,
    /// interleaved
    Engine {
        /// Runs timed of each
        #[arg(long, default_value_t = 50)]
        runs: usize,
        /// Folder with all weights [default: model-weights]
        #[arg(long, value_name = "DIR")]
        weights_dir: Option<PathBuf>,
        /// Print parameters, bytes of the file and the fused kernels' milliseconds as JSON
        #[arg(long)]
        json: bool,
    },
    /// A whole picture on one thread, as it holds more faces and more pixels: time and memory, as a table and
    /// as charts
    Growth(growth::GrowthArgs),
    /// Clips made of held pictures: how soon the number is right, how still it stands, and who keeps an
    /// identity
    Steadiness(steadiness::SteadinessArgs),
}

pub fn run(args: BenchArgs) -> anyhow::Result<()> {
    match args.what {
        Benchmark::Train { model: Some(kind), batch, steps, composed_only: true, .. } => {
            println!("{}", train_steps(kind, batch, steps, false).whole);
            Ok(())
        }
        Benchmark::Train { model, batch, steps, fused_only, beside, .. } => {
            train(model, batch, steps, fused_only)?;
            beside.map_or(Ok(()), |python| beside_pytorch(&python, batch, steps))
        }
        Benchmark::Engine { runs, weights_dir, json } => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().context("starting a thread")?;
            pool.install(|| engine(runs, weights_dir.as_deref(), json))
        }
        Benchmark::Growth(args) => growth::run(args),
        Benchmark::Steadiness(args) => steadiness::run(args),
    }
}

fn train(model: Option<NetworkKind>, batch: usize, steps: usize, fused_only: bool) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let models = model.map_or(NetworkKind::ALL.to_vec(), |m| vec![m]);
    for kind in models {
        let name = kind.name();
        let StepSpeed { whole: fused, ready } = train_steps(kind, batch, steps, true);
        if let Some(bytes) = peak_memory() {
            println!("{name} peak memory so far {:.2} GiB", bytes as f64 / f64::from(1 << 30));
        }
        println!(
            "{name} fused batch {batch}: {fused:.1} pictures/s ({ready:.1} where they need not be changed)"
        );
        if !fused_only {
            let composed = composed_steps(kind, batch, (steps / 4).max(2))?;
            println!(
                "{name} composed batch {batch}: {composed:.1} pictures/s, ratio {:.1}",
                fused / composed
            );
        }
    }
    Ok(())
}

/// The same steps as burn alone does them, in a process of its own: without the allocator's settings, which
/// can't be taken back.
fn composed_steps(kind: NetworkKind, batch: usize, steps: usize) -> anyhow::Result<f64> {
    let program = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(program);
    command
        .args(["bench", "train", "--composed-only", "--model", kind.name()])
        .args([("--batch", batch), ("--steps", steps)].map(option).concat());
    said_speed(&mut command)
}

/// Turns of a comparison: the machine may be busier in one than in another.
const TURNS: usize = 5;

/// Training steps of lite, ours and PyTorch's in turn: on pictures that are ready, which PyTorch's are. Ours are
/// given beside that with the changes that training makes to them, too.
fn beside_pytorch(python: &Path, batch: usize, steps: usize) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let script = Path::new("benches/pytorch/lite.py");
    ensure!(script.exists(), "{} is not here: run this in Mien's repository", script.display());
    let kind = NetworkKind::Lite;
    let mut speeds = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..TURNS {
        let StepSpeed { whole, ready } = train_steps(kind, batch, steps, true);
        speeds[0].push(ready);
        speeds[2].push(whole);
        let mut command = Command::new(python);
        command
            .arg(script)
            .args([("--batch", batch), ("--steps", steps), ("--side", kind.side())].map(option).concat());
        speeds[1].push(said_speed(&mut command)?);
    }
    let [ours, theirs, whole] = speeds.each_mut().map(|speeds| {
        speeds.sort_by(f64::total_cmp);
        speeds[speeds.len() / 2]
    });
    let side = kind.side();
    println!(
        "{} on {side}x{side} pixels, batch {batch}, medians of {TURNS} turns: {ours:.1} pictures/s, PyTorch {theirs:.1}, ratio {:.2}; whole steps, with changed pictures, {whole:.1}",
        kind.name(),
        ours / theirs
    );
    Ok(())
}

fn option((name, value): (&str, usize)) -> [String; 2] {
    [name.to_owned(), value.to_string()]
}

/// The number that a program prints.
fn said_speed(command: &mut Command) -> anyhow::Result<f64> {
    let name = command.get_program().display().to_string();
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {name}"))?;
    ensure!(output.status.success(), "{name} failed: {}", output.status);
    let speed = String::from_utf8_lossy(&output.stdout);
    speed.trim().parse().with_context(|| format!("{name} said {speed:?}"))
}

/// How large and how fast a network is.
#[derive(Serialize)]
struct NetworkSize {
    /// As Keras counts them.
    parameters: usize,
    /// Of the weight file.
    bytes: u64,
    /// One input, one thread, median.
    ms: f64,
}

fn engine(runs: usize, weights_dir: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let device = Device::flex();
    let folder = super::weights_folder(weights_dir)?;
    let weights = super::detector_weights(&folder)?;
    let detector = NetworkModule::new(blaze_face::network(), &device).with_weights(&weights)?;
    let networks = NetworkKind::ALL.map(|kind| NetworkModule::new(kind.network(), &device));
    let mut sizes = BTreeMap::new();
    for module in std::iter::once(detector).chain(networks) {
        let network = module.network();
        let plan = CpuPlan::new(network, &module.to_weights())?;
        let side = network.input.side;
        let input: Vec<u8> = (0..network.input.values()).map(|i| (i * 31 % 251) as u8).collect();
        let (mut scratch, mut numbers) = (CpuScratch::default(), Vec::new());
        let run = || {
            numbers.clear();
            plan.run(&input, side, &mut scratch, &mut numbers);
            black_box(&numbers);
        };
        let [fused, burn] = compare(runs, run, || drop(black_box(burn::run(&module, &input, side, &device))));
        if json {
            // The detector's is no network of the study's kind, and its file has another folder's name.
            if let Some(kind) = NetworkKind::ALL.into_iter().find(|kind| kind.name() == network.name) {
                let path = super::network_file(&folder, kind);
                let bytes = std::fs::metadata(&path).with_context(|| path.display().to_string())?.len();
                let size = NetworkSize { parameters: network.parameters(), bytes, ms: rounded(fused) };
                sizes.insert(network.title, size);
            }
        } else {
            println!("{} fused: {fused:.2} ms, burn {burn:.2} ms, ratio {:.1}", network.name, burn / fused);
        }
    }
    if json {
        let by = format!("mien bench engine, median of {runs} runs, one thread");
        println!("{}", serde_json::to_string_pretty(&serde_json::json!({ "by": by, "networks": sizes }))?);
    }
    Ok(())
}

/// To a hundredth.
fn rounded(ms: f64) -> f64 {
    (100.0 * ms).round() / 100.0
}

/// The median times of two ways to the same result, in milliseconds. They take turns, so that whatever else the
/// machine does weighs on both.
fn compare(runs: usize, mut fused: impl FnMut(), mut burn: impl FnMut()) -> [f64; 2] {
    let mut times = [Vec::new(), Vec::new()];
    // The first run also pays for fresh memory.
    for run in 0..=runs.max(1) {
        let began = Instant::now();
        fused();
        let middle = Instant::now();
        burn();
        if run > 0 {
            times[0].push((middle - began).as_secs_f64() * 1e3);
            times[1].push(middle.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}
