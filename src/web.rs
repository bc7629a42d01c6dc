//! What JavaScript sees: one class, [`WebEstimator`], in both browser modules.
//!
//! `www/worker.js` is its only caller; the API for pages is `www/mien.js`.

use std::cell::RefCell;

use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::engine::EngineKind;
use crate::engine::Picture;
use crate::picture::Frame;
use crate::pipeline::estimator::{Estimator, Face, Stopwatch, WarmUp};
use crate::pipeline::schedule::FrameMode;
use crate::pipeline::video::Video;
use crate::vision::Search;
use crate::weights::Weights;

/// How often each part is rehearsed. In the first round a browser finds out what is worth compiling well.
const REHEARSALS: usize = 2;

/// Panics show in the browser's console with their message.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// An estimator on one engine, and the faces it follows.
#[wasm_bindgen]
pub struct WebEstimator {
    estimator: Estimator,
    video: RefCell<Video>,
    /// The picture's pixels, see [`WebEstimator::pixels`].
    rgba: RefCell<Vec<u8>>,
}

fn error(e: impl std::fmt::Display) -> JsError {
    JsError::new(&e.to_string())
}

#[wasm_bindgen]
impl WebEstimator {
    /// `engine` is `cpu` or `webgpu`; `detector` and `network` are weight files.
    ///
    /// # Errors
    /// An `Error` whose message says what to do, for weights that don't fit and engines that don't start.
    pub async fn create(
        engine: String,
        detector: Vec<u8>,
        network: Vec<u8>,
    ) -> Result<WebEstimator, JsError> {
        let kind =
            EngineKind::from_name(&engine).ok_or_else(|| error(format!("no engine is called {engine:?}")))?;
        let detector = Weights::from_bytes(&detector).map_err(error)?;
        let network = Weights::from_bytes(&network).map_err(error)?;
        let estimator = Estimator::new(kind, &detector, &network).await.map_err(error)?;
        Ok(Self { estimator, video: RefCell::default(), rgba: RefCell::default() })
    }

    /// `cpu` or `webgpu`.
    #[wasm_bindgen(getter)]
    pub fn engine(&self) -> String {
        self.estimator.engine().name().into()
    }

    /// `base`, `d-cnn` or `m-cnn`.
    #[wasm_bindgen(getter)]
    pub fn model(&self) -> String {
        self.estimator.network().name().into()
    }

    /// Does one part of what the engine puts off until it first runs, on nothing ([`Estimator::warm_up`]), and says whether there are more:
    /// they count from 0.
    ///
    /// # Errors
    /// An `Error` where the engine stopped.
    pub async fn rehearse(&self, part: usize) -> Result<bool, JsError> {
        let parts = WarmUp::ALL.len();
        self.estimator.warm_up(WarmUp::ALL[part % parts]).await.map_err(error)?;
        Ok(part + 1 < REHEARSALS * parts)
    }

    /// Forgets the faces it follows: for another camera.
    pub fn reset(&self) {
        self.video.borrow_mut().reset();
    }

    /// Where the next picture's pixels are to be written, `width * height * 4` RGBA bytes: a view of this module's memory, which is to be
    /// used before anything else is called. What it holds until then is the picture before.
    pub fn pixels(&self, width: usize, height: usize) -> Uint8Array {
        let mut rgba = self.rgba.borrow_mut();
        rgba.resize(width.saturating_mul(height).saturating_mul(4), 0);
        // SAFETY: the bytes are this estimator's and stay where they are until the next call. JavaScript that kept the view longer would
        // write into memory of this module that has another use by then, or find the view detached; the worker does not.
        unsafe { Uint8Array::view_mut_raw(rgba.as_mut_ptr(), rgba.len()) }
    }

    /// The faces of the picture in [`WebEstimator::pixels`]. With `track`, faces are followed from call to call: they get an `id`,
    /// and steadier numbers. Returns what `www/mien.d.ts` calls `Result`.
    ///
    /// # Errors
    /// An `Error` for a picture of another size than its pixels were asked for, and where the engine stopped.
    pub async fn estimate(
        &self,
        width: usize,
        height: usize,
        track: bool,
        timestamp_ms: f64,
    ) -> Result<JsValue, JsError> {
        // Taken out, since a borrow must not last while something is waited for. The worker lets one call end before the next begins.
        let rgba = self.rgba.take();
        let result = match Frame::new(width, height, &rgba) {
            Ok(frame) => self.see(frame.into(), track, timestamp_ms, Stopwatch::start(), 0.0, "memory").await,
            Err(e) => Err(error(e)),
        };
        self.rgba.replace(rgba);
        result
    }
}

/// Pictures that the browser hands to the graphics device itself.
#[cfg(feature = "webgpu")]
#[wasm_bindgen]
impl WebEstimator {
    /// As [`WebEstimator::estimate`], of an `ImageBitmap` or a `VideoFrame` of that size, whose pixels are not read here. It stays
    /// the caller's. `undefined` where the browser or the device don't take it: its pixels have to be read then.
    ///
    /// # Errors
    /// An `Error` where the engine stopped.
    #[wasm_bindgen(js_name = estimatePicture)]
    pub async fn estimate_picture(
        &self,
        picture: JsValue,
        width: usize,
        height: usize,
        track: bool,
        timestamp_ms: f64,
    ) -> Result<JsValue, JsError> {
        let (watch, mut loading) = (Stopwatch::start(), Stopwatch::start());
        match self.estimator.engine.upload(&picture, [width, height]) {
            Some(texture) => {
                self.see((&texture).into(), track, timestamp_ms, watch, loading.lap(), "texture").await
            }
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

impl WebEstimator {
    /// `watch` has run since the picture came, `loading` milliseconds of them went before this call, and it came by `path`.
    async fn see(
        &self,
        picture: Picture<'_>,
        track: bool,
        timestamp_ms: f64,
        mut watch: Stopwatch,
        loading: f64,
        path: &str,
    ) -> Result<JsValue, JsError> {
        let faces = Array::new();
        let (mode, timings) = if track {
            let mut video = self.video.take();
            let report = video.process(&self.estimator, picture, timestamp_ms).await;
            self.video.replace(video);
            let report = report.map_err(error)?;
            for tracked in self.video.borrow().faces() {
                faces.push(&face(&tracked.face, Some(tracked.id))?);
            }
            (report.mode, report.timings)
        } else {
            let (found, timings) =
                self.estimator.estimate_timed(picture, Search::Tiled).await.map_err(error)?;
            for found in &found {
                faces.push(&face(found, None)?);
            }
            (FrameMode::Search, timings)
        };
        let [width, height] = picture.size();
        let timings = object(&[
            ("detect", (loading + timings.detect).into()),
            ("crop", timings.crop.into()),
            ("network", timings.network.into()),
            ("track", timings.track.into()),
            ("total", watch.lap().into()),
        ])?;
        object(&[
            ("width", (width as f64).into()),
            ("height", (height as f64).into()),
            ("faces", faces.into()),
            ("look", mode.name().into()),
            ("path", path.into()),
            ("timings", timings),
        ])
    }
}

fn object(fields: &[(&str, JsValue)]) -> Result<JsValue, JsError> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &JsValue::from_str(name), value)
            .map_err(|_| error("an object refused a field"))?;
    }
    Ok(object.into())
}

fn numbers(values: &[f32]) -> JsValue {
    values.iter().map(|v| JsValue::from_f64(f64::from(*v))).collect::<Array>().into()
}

fn face(face: &Face, id: Option<u32>) -> Result<JsValue, JsError> {
    let estimate = &face.estimate;
    let gender = object(&[
        ("female", f64::from(estimate.gender.female).into()),
        ("male", f64::from(estimate.gender.male).into()),
    ])?;
    object(&[
        ("box", numbers(&face.bbox)),
        ("score", f64::from(face.score).into()),
        ("landmarks", face.landmarks.iter().map(|p| numbers(p)).collect::<Array>().into()),
        ("age", f64::from(estimate.age).into()),
        ("ageRange", numbers(&estimate.age_range)),
        ("ageDistribution", Float32Array::from(estimate.age_distribution.probabilities()).into()),
        ("gender", gender),
        ("id", id.map_or(JsValue::UNDEFINED, |id| f64::from(id).into())),
    ])
}
