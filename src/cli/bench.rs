//! `mien bench train`: how fast a training step is.

use clap::{Subcommand, ValueEnum};
use mien::model::NetworkKind;
use mien::train::bench::{peak_memory, train_steps};

/// Measure speed on this machine
#[derive(clap::Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Whole training steps, fused against composed of burn's operations, interleaved
    Train {
        /// Which network [default: all three]
        #[arg(long, value_enum)]
        model: Option<NetworkKind>,
        /// Pictures a step
        #[arg(long, default_value_t = 64)]
        batch: usize,
        /// Fused steps timed; composed ones are a quarter of it, at least 2
        #[arg(long, default_value_t = 16)]
        steps: usize,
        /// Leave out the composed steps, as for a profile
        #[arg(long)]
        fused_only: bool,
    },
}

pub fn run(args: BenchArgs) -> anyhow::Result<()> {
    super::keep_freed_memory();
    let What::Train { model, batch, steps, fused_only } = args.what;
    let models = model.map_or(NetworkKind::value_variants().to_vec(), |m| vec![m]);
    for kind in models {
        let name = kind.name();
        let fused = train_steps(kind, batch, steps, true);
        if let Some(bytes) = peak_memory() {
            println!("{name} peak memory {:.2} GiB", bytes as f64 / f64::from(1 << 30));
        }
        println!("{name} fused batch {batch}: {fused:.1} pictures/s");
        if fused_only {
            continue;
        }
        let composed = train_steps(kind, batch, (steps / 4).max(2), false);
        println!("{name} composed batch {batch}: {composed:.1} pictures/s, ratio {:.1}", fused / composed);
    }
    Ok(())
}
