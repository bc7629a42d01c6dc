//! All that these tests ask of the library and the program: what moves there is followed here.

use std::path::Path;
use std::process::Command;

use image::RgbaImage;
use mien::engine::EngineKind;
use mien::picture::Frame;
use mien::pipeline::{estimator, video};
use mien::vision::Search;
use mien::weights::Weights;
use pollster::block_on;
use serde::Serialize;
use serde_json::Value;

use crate::record::{Face, Line, Seen};

/// An engine with two networks.
pub struct Estimator(estimator::Estimator);

impl Estimator {
    /// Engine and network by their names on the command line.
    pub fn new(engine: &str, network: &str) -> Self {
        let engine = EngineKind::from_name(engine).unwrap();
        let [detector, network] =
            ["blazeface/blazeface-short".into(), format!("{network}/{network}")].map(|name: String| {
                let path = format!("{}/model-weights/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
                Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap()
            });
        Self(block_on(estimator::Estimator::new(engine, &detector, &network)).unwrap())
    }

    /// The faces of a photo.
    pub fn photo(&self, picture: &RgbaImage) -> Vec<Face> {
        let faces = block_on(self.0.estimate(&frame(picture), Search::Tiled)).unwrap();
        faces.iter().map(face).collect()
    }
}

/// A video and its faces so far.
#[derive(Default)]
pub struct Video(video::Video);

impl Video {
    /// The faces of the next frame.
    pub fn process(&mut self, estimator: &Estimator, picture: &RgbaImage, ms: f64) -> Seen {
        let report = block_on(self.0.process(&estimator.0, &frame(picture), ms)).unwrap();
        let faces = self.0.faces().iter().map(|it| (it.id, face(&it.face))).collect();
        Seen { mode: report.mode.name().into(), faces }
    }
}

/// What the program prints for files, in their order.
pub fn predict(files: &[impl AsRef<Path>], network: &str) -> Vec<Line> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mien"));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["predict", "--json", "--model", network]).args(files.iter().map(AsRef::as_ref));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn frame(picture: &RgbaImage) -> Frame<'_> {
    Frame::new(picture.width() as usize, picture.height() as usize, picture.as_raw()).unwrap()
}

/// A face as it is printed: the names there stay when those of the fields change.
fn face(face: &impl Serialize) -> Face {
    let value: Value = serde_json::to_value(face).unwrap();
    serde_json::from_value(value).unwrap()
}
