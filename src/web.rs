//! What JavaScript sees: one class, [`WebEstimator`], in both browser modules.
//!
//! `www/worker.js` is its only caller; the API for pages is `www/mien.js`.

use std::cell::RefCell;

use js_sys::{Float32Array, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;
#[cfg(feature = "webgpu")]
use web_sys::{ImageBitmap, VideoFrame};

use crate::age::Hill;
#[cfg(feature = "webgpu")]
use crate::engine::gpu::ExternalImageSource;
use crate::engine::{EngineKind, Picture};
use crate::picture::{Frame, flatten};
use crate::pipeline::estimator::{Estimator, Face, Looks, Photo, Stopwatch, Timings, Wanted, WarmUp};
use crate::pipeline::schedule::FrameMode;
use crate::pipeline::video::Video;
use crate::vision::{PhotoRemarks, Search};
use crate::weights::Weights;

/// How often each part is warmed up. In the first round a browser finds out what is worth compiling well.
const WARM_UP_ROUNDS: usize = 2;

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

    /// `lite`, `d-cnn`, `m-cnn` or `base`.
    #[wasm_bindgen(getter)]
    pub fn model(&self) -> String {
        self.estimator.network().name().into()
    }

    /// Does one part of what the engine puts off until it first runs, on nothing ([`Estimator::warm_up`]),
    /// and says whether there are more: they count from 0.
    ///
    /// # Errors
    /// An `Error` where the engine stopped.
    #[wasm_bindgen(js_name = warmUp)]
    pub async fn warm_up(&self, part: usize) -> Result<bool, JsError> {
        let parts = WarmUp::ALL.len();
        self.estimator.warm_up(WarmUp::ALL[part % parts]).await.map_err(error)?;
        Ok(part + 1 < WARM_UP_ROUNDS * parts)
    }

    /// Forgets the faces it follows: for another camera.
    pub fn reset(&self) {
        self.video.borrow_mut().reset();
    }

    /// The faces it follows and their averages, as bytes: for another estimator, on another engine, which
    /// goes on with them.
    pub fn state(&self) -> Vec<u8> {
        self.video.borrow().state()
    }

    /// Goes on with the faces of another estimator's [`WebEstimator::state`].
    ///
    /// # Errors
    /// An `Error` for bytes of anything else; nothing changes then.
    pub fn restore(&self, state: &[u8]) -> Result<(), JsError> {
        self.video.borrow_mut().restore(state).map_err(error)
    }

    /// Where the next picture's pixels are to be written, `width * height * 4` RGBA bytes: a view of this
    /// module's memory, which is to be used before anything else is called. What it holds until then is the
    /// picture before.
    pub fn pixels(&self, width: usize, height: usize) -> Uint8Array {
        let mut rgba = self.rgba.borrow_mut();
        rgba.resize(width.saturating_mul(height).saturating_mul(4), 0);
        // SAFETY: the bytes are this estimator's and stay where they are until the next call. JavaScript that
        // kept the view longer would write into memory of this module that has another use by then, or find
        // the view detached; the worker does not.
        unsafe { Uint8Array::view_mut_raw(rgba.as_mut_ptr(), rgba.len()) }
    }

    /// The faces of the picture in [`WebEstimator::pixels`]. With a time, in milliseconds, it is the next frame of
    /// a video, whose faces are followed from call to call: they get an `id`, and steadier numbers. `looks`,
    /// `most_faces` and `smallest_face` are those of [`Wanted`], the last as a part of the picture's longer side.
    /// Returns what `www/mien.d.ts` calls `Result`.
    ///
    /// # Errors
    /// An `Error` for a picture of another size than its pixels were asked for, and where the engine stopped.
    pub async fn estimate(
        &self,
        width: usize,
        height: usize,
        timestamp_ms: Option<f64>,
        looks: usize,
        most_faces: usize,
        smallest_face: f32,
    ) -> Result<JsValue, JsError> {
        // Taken out, since a borrow must not last while something is waited for. The worker lets one call end
        // before the next begins.
        let mut rgba = self.rgba.take();
        flatten(&mut rgba);
        let result = match Frame::new(width, height, &rgba) {
            Ok(frame) => {
                let wanted = wanted(looks, most_faces, smallest_face);
                self.see(frame.into(), timestamp_ms, wanted, Stopwatch::start(), 0.0, "memory").await
            }
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
    /// As [`WebEstimator::estimate`], of an `ImageBitmap` or a `VideoFrame`, whose pixels are not read here.
    /// It stays the caller's. `undefined` where it is neither, or the browser or the device don't take it:
    /// its pixels have to be read then.
    ///
    /// # Errors
    /// An `Error` where the engine stopped.
    #[wasm_bindgen(js_name = estimatePicture)]
    pub async fn estimate_picture(
        &self,
        picture: JsValue,
        timestamp_ms: Option<f64>,
        looks: usize,
        most_faces: usize,
        smallest_face: f32,
    ) -> Result<JsValue, JsError> {
        let (watch, mut loading) = (Stopwatch::start(), Stopwatch::start());
        let frame = picture.dyn_into::<VideoFrame>().map(ExternalImageSource::VideoFrame);
        let bitmap = |other: JsValue| other.dyn_into::<ImageBitmap>().map(ExternalImageSource::ImageBitmap);
        let Ok(source) = frame.or_else(bitmap) else { return Ok(JsValue::UNDEFINED) };
        match self.estimator.engine.upload(&source) {
            Some(texture) => {
                let wanted = wanted(looks, most_faces, smallest_face);
                self.see((&texture).into(), timestamp_ms, wanted, watch, loading.lap(), "texture").await
            }
            None => Ok(JsValue::UNDEFINED),
        }
    }
}

fn wanted(looks: usize, most_faces: usize, smallest_face: f32) -> Wanted {
    Wanted { looks: Looks::from_count(looks).unwrap_or_default(), most_faces, smallest_face }
}

impl WebEstimator {
    /// `watch` has run since the picture came, `loading` milliseconds of them went before this call, and it
    /// came by `path`.
    async fn see(
        &self,
        picture: Picture<'_>,
        timestamp_ms: Option<f64>,
        mut wanted: Wanted,
        mut watch: Stopwatch,
        loading: f64,
        path: &'static str,
    ) -> Result<JsValue, JsError> {
        let [width, height] = picture.size();
        wanted.smallest_face *= width.max(height) as f32;
        let (faces, mode, timings, looks, remarks) = if let Some(timestamp_ms) = timestamp_ms {
            let mut video = self.video.take();
            let report = video.process(&self.estimator, picture, timestamp_ms).await;
            self.video.replace(video);
            let report = report.map_err(error)?;
            let video = self.video.borrow();
            let (faces, more_faces) = wanted.of(video.faces());
            let faces = faces.iter().map(|it| WebFace::new(&it.face, it.settled, Some(it.id))).collect();
            let remarks = PhotoRemarks { more_faces, ..PhotoRemarks::default() };
            (faces, report.mode, report.timings, 1, remarks)
        } else {
            let Photo { faces, remarks, timings } =
                self.estimator.estimate_wanted(picture, Search::Tiled, &wanted).await.map_err(error)?;
            let faces = faces.iter().map(|face| WebFace::new(face, true, None)).collect();
            (faces, FrameMode::Search, timings, wanted.looks.count(), remarks)
        };
        let Timings { detect, crop, network, track } = timings;
        let result = WebResult {
            width,
            height,
            faces,
            mode: mode.name(),
            path,
            looks,
            turn: remarks.turn,
            more_faces: remarks.more_faces,
            may_miss_faces: remarks.may_miss_faces,
            timings: WebTimings { detect: loading + detect, crop, network, track, total: watch.lap() },
        };
        Ok(serde_wasm_bindgen::to_value(&result)?)
    }
}

/// `Result` in `www/mien.d.ts`, but for the engine's name, which the page knows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebResult {
    width: usize,
    height: usize,
    faces: Vec<WebFace>,
    mode: &'static str,
    path: &'static str,
    looks: usize,
    turn: u16,
    more_faces: bool,
    may_miss_faces: bool,
    timings: WebTimings,
}

/// `Timings` in `www/mien.d.ts`.
#[derive(Serialize)]
struct WebTimings {
    detect: f64,
    crop: f64,
    network: f64,
    track: f64,
    total: f64,
}

/// `Face` in `www/mien.d.ts`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WebFace {
    r#box: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 6],
    settled: bool,
    age: f32,
    age_range: [f32; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    hills: Option<[Hill; 2]>,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    age_distribution: Float32Array,
    gender: WebGender,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
}

/// `gender` there.
#[derive(Serialize)]
struct WebGender {
    female: f32,
    male: f32,
}

impl WebFace {
    fn new(face: &Face, settled: bool, id: Option<u32>) -> Self {
        let estimate = &face.estimate;
        Self {
            r#box: face.bbox,
            score: face.score,
            landmarks: face.landmarks,
            settled,
            age: estimate.age,
            age_range: estimate.age_range,
            hills: estimate.hills,
            age_distribution: estimate.age_distribution.probabilities()[..].into(),
            gender: WebGender { female: estimate.gender.female, male: estimate.gender.male },
            id,
        }
    }
}
