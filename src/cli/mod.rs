//! The program's commands, a file each, and what they share.

#[cfg(feature = "train")]
pub mod bench;
pub mod evaluate;
pub mod predict;
#[cfg(feature = "train")]
pub mod prepare;
pub mod serve;
#[cfg(feature = "train")]
pub mod train;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use mien::engine::EngineKind;
use mien::model::NetworkKind;
use mien::weights::Weights;

/// Where weights are looked for, in this order: the folder asked for, `model-weights` here, beside the program, and in the
/// source tree it was built from.
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

fn read_weights(path: &Path) -> anyhow::Result<Weights> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    Weights::from_bytes(&bytes).with_context(|| path.display().to_string())
}

fn detector_weights(folder: &Path) -> anyhow::Result<Weights> {
    read_weights(&folder.join("blazeface/blazeface-short.safetensors"))
}

/// Which network, which weights, which engine: the same options wherever pictures are estimated.
#[derive(clap::Args, Debug, Clone)]
pub struct EstimatorArgs {
    /// Which network
    #[arg(long, value_enum, default_value_t = NetworkKind::DCnn)]
    model: NetworkKind,

    /// A weight file of that network, instead of the one in the weights folder
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// Folder with all weights [default: model-weights]
    #[arg(long, value_name = "DIR")]
    weights_dir: Option<PathBuf>,

    /// What to compute on
    #[arg(long, value_enum, default_value_t = EngineKind::Cpu)]
    engine: EngineKind,
}

/// The weights that [`EstimatorArgs`] name, read once; each thread makes its own estimator of them.
struct EstimatorSource {
    engine: EngineKind,
    detector: Weights,
    network: Weights,
}

impl EstimatorArgs {
    fn load(&self) -> anyhow::Result<EstimatorSource> {
        let name = self.model.name();
        let folder = weights_folder(self.weights_dir.as_deref());
        let network = match &self.weights {
            Some(path) => read_weights(path)?,
            None => read_weights(
                &folder
                    .as_ref()
                    .map_err(|e| anyhow::anyhow!("{e}"))?
                    .join(format!("{name}/{name}.safetensors")),
            )?,
        };
        network.expect_network(name)?;
        Ok(EstimatorSource { engine: self.engine, detector: detector_weights(&folder?)?, network })
    }
}

impl EstimatorSource {
    fn estimator(&self) -> Result<mien::estimator::Estimator, mien::estimator::EstimatorError> {
        pollster::block_on(mien::estimator::Estimator::new(self.engine, &self.detector, &self.network))
    }
}

/// A progress bar on standard error; hidden where that is no terminal.
fn progress_bar(len: u64, what: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what} {{per_sec}}, {{eta}} left {{msg}}");
    let style = ProgressStyle::with_template(&template).expect("a fixed template");
    ProgressBar::new(len).with_style(style)
}
