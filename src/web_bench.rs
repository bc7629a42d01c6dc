//! The CPU engine's networks by themselves, as no visitor needs them: for `benches/browser`, which measures
//! them beside other runtimes.
//!
//! Only in a browser module of its own, with the feature `bench`.

use wasm_bindgen::prelude::*;

use crate::engine::cpu::{CpuPlan, CpuScratch, DetectionNetwork};
use crate::engine::{Outputs, Region};
use crate::net::{NetworkKind, blaze_face};
use crate::picture::Frame;
use crate::vision::{self, DetectionError, DetectorOptions, INPUT_SIDE, Rect, Search};
use crate::weights::Weights;

/// The detector and a network, laid out for the CPU's kernels.
#[wasm_bindgen]
pub struct WebNetworks {
    /// Of pictures of any size.
    finder: DetectionNetwork,
    /// Of its own input.
    detector: CpuPlan,
    network: CpuPlan,
    kind: NetworkKind,
    scratch: CpuScratch,
}

fn error(e: impl std::fmt::Display) -> JsError {
    JsError::new(&e.to_string())
}

#[wasm_bindgen]
impl WebNetworks {
    /// `detector` and `network` are weight files.
    ///
    /// # Errors
    /// An `Error` for weights that don't fit.
    pub fn create(detector: &[u8], network: &[u8]) -> Result<WebNetworks, JsError> {
        let detector = Weights::from_bytes(detector).map_err(error)?;
        let network = Weights::from_bytes(network).map_err(error)?;
        let kind = NetworkKind::of(&network).map_err(error)?;
        Ok(Self {
            finder: DetectionNetwork::new(&detector).map_err(error)?,
            detector: CpuPlan::new(blaze_face::network(), &detector).map_err(error)?,
            network: CpuPlan::new(kind.network(), &network).map_err(error)?,
            kind,
            scratch: CpuScratch::default(),
        })
    }

    /// Runs the detector on 128 x 128 RGB pixels; returns 896 x 16 regressors, then 896 logits.
    pub fn detect(&mut self, rgb: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::new();
        self.detector.run(rgb, INPUT_SIDE, &mut self.scratch, &mut numbers);
        numbers
    }

    /// One pass of the detector over a picture, `width * height * 4` RGBA bytes; returns left, top, width,
    /// height and score of each.
    ///
    /// # Errors
    /// An `Error` for a picture of the wrong size.
    pub fn find(&mut self, rgba: &[u8], width: usize, height: usize) -> Result<Vec<f32>, JsError> {
        let frame = Frame::new(width, height, rgba).map_err(error)?;
        let run = |regions: &[Region], outputs: &mut Outputs| {
            outputs.clear();
            self.finder.run(&frame, regions, outputs);
            Ok::<_, DetectionError>(())
        };
        let whole = Rect::whole([width, height]);
        let faces = vision::find(whole, Search::Whole, &DetectorOptions::default(), run).map_err(error)?;
        Ok(faces.iter().flat_map(|f| [f.bbox.x, f.bbox.y, f.bbox.width, f.bbox.height, f.score]).collect())
    }

    /// Runs the network on one face's crops, RGB ([`InputMaker`](crate::engine::cpu::InputMaker)); returns
    /// 100 probabilities of the ages 0 to 99, the age in years and the probability of female.
    pub fn estimate(&mut self, rgb: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::new();
        self.network.run(rgb, self.kind.side(), &mut self.scratch, &mut numbers);
        numbers
    }
}
