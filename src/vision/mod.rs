//! Finding faces: where they are, and six landmarks of each.
//!
//! In the order the data flows:
//!
//! - a part of the frame (all of it; [`tiles`](mod@tiles), too: in a photo all, in a video one now and then) becomes the network's input
//!   ([`letterbox`](mod@letterbox)),
//! - BlazeFace gives values for each of its [`anchors`],
//! - [`decode`] turns them into boxes and landmarks, [`suppress`] into one for each face,
//! - [`tiles::merge`] joins the parts of the frame,
//! - and a [`close_up`](mod@close_up) of each small face places its landmarks.
//!
//! A [`Finder`] does all of it, around whatever runs the network.

pub mod alignment;
pub mod anchors;
pub mod close_up;
pub mod decode;
pub mod letterbox;
pub mod suppress;
pub mod tiles;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::picture::{Border, Sampler, Similarity};
use crate::source::{Cut, Source};

pub use close_up::{close_up, confirm, enlarges};
pub use letterbox::{letterbox, normalise, small_copy};
pub use suppress::iou;
pub use tiles::{Region, tiles};

/// Width and height of the network's input for a frame or a part of one, in pixels.
pub const INPUT_SIDE: usize = 128;

/// Width and height of its input for a face from close up: a quarter of the work.
pub const CLOSE_UP_SIDE: usize = 64;

/// An upright rectangle, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl BoundingBox {
    /// The middle: x, y.
    pub fn centre(&self) -> [f32; 2] {
        [self.x + self.width / 2.0, self.y + self.height / 2.0]
    }

    /// Width times height; 0 where one of them is negative.
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// The area both boxes share.
    pub fn intersection(&self, other: &Self) -> f32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }
}

/// A face.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Where the face is, in frame pixels: from the brows to the chin, near square. May reach beyond the frame.
    pub bbox: BoundingBox,
    /// How sure the network is that this is a face, 0 to 1.
    pub score: f32,
    /// x, y in frame pixels of the right eye, the left eye (the subject's: the right eye is on the left in a
    /// picture that is not mirrored), the tip of the nose, the middle of the mouth, the right and the left ear tragion.
    pub landmarks: [[f32; 2]; 6],
}

/// A face as one view of a frame shows it, or several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sighting {
    /// In frame pixels.
    pub face: Detection,
    /// Pixels of the network's input for one pixel of the frame; in the view that shows the face largest, if several do.
    pub magnification: f32,
}

/// What the network says of one input ([`BlazeFace::forward`](crate::face::network::BlazeFace::forward)).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawDetections {
    /// 896 x 16 values, in input pixels relative to the [`anchors`].
    pub regressors: Vec<f32>,
    /// 896 scores before the sigmoid.
    pub logits: Vec<f32>,
}

/// What counts as a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorOptions {
    /// The least score, 0 to 1.
    pub min_score: f32,
    /// Boxes that overlap more than this ([`iou`], 0 to 1) are the same face.
    pub max_iou: f32,
}

impl Default for DetectorOptions {
    /// MediaPipe's: 0.5 and 0.3.
    fn default() -> Self {
        Self { min_score: 0.5, max_iou: 0.3 }
    }
}

impl DetectorOptions {
    /// The score that goes `way` from the least score to 1.
    fn higher(&self, way: f32) -> f32 {
        self.min_score + way * (1.0 - self.min_score)
    }
}

/// Why the network's outputs can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaceError {
    /// Not the outputs of this network.
    #[error("the face detector gave {found} {output}, not {expected}")]
    Length {
        /// Which output.
        output: &'static str,
        /// Its length in the network.
        expected: usize,
        /// Its length at hand.
        found: usize,
    },
    /// Infinities or NaN: the device computes wrongly.
    #[error("the face detector's {output} are not all finite numbers; try another engine")]
    NotFinite {
        /// Which output.
        output: &'static str,
    },
}

/// How thoroughly to look.
///
/// The figures are those of the measurement `faces_by_size` in this file's tests: one woman's face, copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// Once, at the whole frame. Finds faces from about an eighth of the frame's long side; the landmarks of small ones are
    /// coarse (off by 3 % of the face's width where it is a fifth of the frame, by 9 % where it is a seventh).
    #[default]
    Whole,
    /// At the whole frame, and then, for a quarter of the work each, at the faces that a [`close_up()`] shows larger. Landmarks are off
    /// by 2 to 3 % of the width.
    Refined,
    /// At the whole frame and, of one that is not small, at its [`tiles()`], 14 runs of the network at most; then, for a quarter of a run
    /// each, at the faces that a close-up shows larger than these did, and at doubtful ones: for photos. Finds faces from about a twentieth of
    /// the frame's long side.
    Tiled,
}

/// The score of a face that deserves a second look, as a part of the least score.
const CANDIDATE: f32 = 0.6;

/// How much of the way from the least score to 1 the second look must reach, for faces that reached the least score at
/// first, and for those that did not. A close-up shows real faces as BlazeFace likes them best: they score 0.85 and more.
const SURE: f32 = 0.25;
const UNSURE: f32 = 0.5;

/// The same for the score that spares a face the second look if only a tile shows it large enough. Tiles show much that looks like a face at
/// one glance, and not at two.
const CERTAIN: f32 = 0.6;

/// The most faces that get a second look.
const MOST_FACES: usize = 50;

/// The detection in the coordinates that `transform` leads to. The box stays upright, whatever the rotation.
fn mapped(face: &Detection, transform: &Similarity) -> Detection {
    let scale = transform.scale();
    let (width, height) = (face.bbox.width * scale, face.bbox.height * scale);
    let [x, y] = transform.apply(face.bbox.centre());
    Detection {
        bbox: BoundingBox { x: x - width / 2.0, y: y - height / 2.0, width, height },
        score: face.score,
        landmarks: face.landmarks.map(|point| transform.apply(point)),
    }
}

/// Finds faces, and keeps its buffers: once it has seen a frame of some size, looking at more of them allocates nothing
/// ([`Search::Tiled`] does).
///
/// Its functions take `run`, which is the network: it fills in what it says of each view ([`View`]). It gets several at once, because
/// a network on WebGPU must be waited for: first all views of the frame and faces whose place is known, then new faces from close up.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    options: DetectorOptions,
    views: Views,
    candidates: Vec<Sighting>,
    sightings: Vec<Sighting>,
    /// By a close-up where they were expected.
    confirmed: Vec<Sighting>,
    faces: Vec<Detection>,
}

/// What the network is shown, and what it says of it.
#[derive(Debug, Clone)]
pub struct View {
    /// Width and height in pixels: [`INPUT_SIDE`] or [`CLOSE_UP_SIDE`].
    pub side: usize,
    /// The pixels; [`normalise`] makes BlazeFace's input of them.
    pub input: Cut,
    /// Filled in by the network.
    pub raw: RawDetections,
}

impl View {
    /// Of which the network has said nothing yet.
    pub fn new(side: usize, input: Cut) -> Self {
        Self { side, input, raw: RawDetections::default() }
    }
}

/// Parts of a frame, each brought to the network's size.
#[derive(Debug, Clone, Default)]
struct Views {
    sampler: Sampler,
    /// The first ones are in use, as many as there are `to_frame`.
    views: Vec<View>,
    /// From a view's pixels to the frame's.
    to_frame: Vec<Similarity>,
    decoded: Vec<Detection>,
    candidates: Vec<Sighting>,
    seen: Vec<Sighting>,
}

impl Views {
    fn clear(&mut self) {
        self.to_frame.clear();
    }

    /// Adds a part of a picture, as an input of `side` x `side`. `to_picture` leads from the input's pixels to the picture's, `to_frame` to
    /// the frame's.
    fn add(&mut self, picture: &impl Source, side: usize, to_picture: &Similarity, to_frame: Similarity) {
        let at = self.to_frame.len();
        if at == self.views.len() {
            self.views.push(View::new(side, Cut::default()));
        }
        let view = &mut self.views[at];
        view.side = side;
        picture.cut(to_picture, side, Border::Black, &mut self.sampler, &mut view.input);
        self.to_frame.push(to_frame);
    }

    /// Has the network look at all of them.
    async fn look<E>(&mut self, run: &mut impl AsyncFnMut(&mut [View]) -> Result<(), E>) -> Result<(), E> {
        let views = &mut self.views[..self.to_frame.len()];
        if views.is_empty() { Ok(()) } else { run(views).await }
    }

    /// The faces of at least `min_score` in one of them.
    fn faces(
        &mut self,
        at: usize,
        min_score: f32,
        options: &DetectorOptions,
    ) -> Result<&[Sighting], FaceError> {
        let View { side, raw, .. } = &self.views[at];
        decode::decode(raw, *side, min_score, &mut self.decoded)?;
        let to_frame = &self.to_frame[at];
        let magnification = 1.0 / to_frame.scale();
        self.candidates.clear();
        self.candidates.reserve(self.decoded.capacity());
        self.candidates.extend(self.decoded.iter().map(|face| Sighting { face: *face, magnification }));
        suppress::weighted(&mut self.candidates, options.max_iou, &mut self.seen);
        self.seen.iter_mut().for_each(|sighting| sighting.face = mapped(&sighting.face, to_frame));
        Ok(&self.seen)
    }

    /// What the close-up of a face says of it, if its score goes that `way` from the least one to 1.
    fn confirm(
        &mut self,
        at: usize,
        face: &BoundingBox,
        way: f32,
        options: &DetectorOptions,
    ) -> Result<Option<Sighting>, FaceError> {
        let second = confirm(face, self.faces(at, options.min_score, options)?);
        Ok(second.filter(|seen| seen.face.score >= options.higher(way)))
    }
}

impl Finder {
    /// With other options than the default ones.
    pub fn new(options: DetectorOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// The faces that were found last, sorted by falling score.
    pub fn faces(&self) -> &[Detection] {
        &self.faces
    }

    /// Finds the faces in a frame: see [`Finder::faces`].
    ///
    /// # Errors
    /// What `run` returns, or a [`FaceError`] about what it filled in.
    pub async fn find<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        search: Search,
        mut run: impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<(), E> {
        let whole = Region::whole(frame);
        self.views.clear();
        if search == Search::Tiled && frame.width().max(frame.height()) > tiles::LONGEST_WHOLE {
            let regions = [whole].into_iter().chain(tiles(frame));
            let (copy, scale) = small_copy(frame);
            let from_copy = Similarity::new(scale, 0.0, 0.0, 0.0);
            for region in regions.clone() {
                let to_copy = letterbox(&region.scaled(1.0 / scale));
                self.views.add(&copy, INPUT_SIDE, &to_copy, from_copy.after(&to_copy));
            }
            self.look(frame, regions, search, &mut run).await?;
        } else {
            let to_frame = letterbox(&whole);
            self.views.add(frame, INPUT_SIDE, &to_frame, to_frame);
            self.look(frame, [whole], search, &mut run).await?;
        }
        if search != Search::Whole {
            self.look_closer(frame, &mut run).await?;
        }
        self.finish();
        Ok(())
    }

    /// The search that a frame of a video gets: at the whole frame, at one more `part` of it, and, from close up, at the faces `known`
    /// already, where they are expected.
    ///
    /// A part at a time makes small faces known without making a frame much dearer than others; and once known, they need no part.
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub async fn search<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        part: Option<Region>,
        known: &[BoundingBox],
        run: impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.look_again(frame, [Region::whole(frame)].into_iter().chain(part), known, run).await
    }

    /// Looks for known faces only, each where it is expected, from close up: a quarter of the network's work for each. Says whether all of them are
    /// in sight; where one is not, the frame has to be searched.
    ///
    /// A face is found again up to half of its width from where it was expected, and no longer at 0.7 of it; its landmarks are as good as at
    /// the expected place (`cargo test --release --lib how_far_a_face_is_followed -- --ignored --nocapture`).
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub async fn follow<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        expected: &[BoundingBox],
        run: impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.look_again(frame, [], expected, run).await?;
        Ok(self.faces.len() == expected.len())
    }

    /// Runs the network once, on these regions, the first of which is the whole frame if there are any, and on the known faces that a close-up
    /// shows larger than that; and once more only where something turns up beside them.
    async fn look_again<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        regions: impl IntoIterator<Item = Region, IntoIter: Clone>,
        known: &[BoundingBox],
        mut run: impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<(), E> {
        let regions = regions.into_iter();
        self.views.clear();
        for region in regions.clone() {
            let to_frame = letterbox(&region);
            self.views.add(frame, INPUT_SIDE, &to_frame, to_frame);
        }
        let mut next = self.views.to_frame.len();
        let magnification = self.views.to_frame.first().map_or(0.0, |whole| 1.0 / whole.scale());
        let view = |bbox: &BoundingBox| close_up(bbox).filter(|view| enlarges(view, magnification));
        for to_frame in known.iter().filter_map(view) {
            self.views.add(frame, CLOSE_UP_SIDE, &to_frame, to_frame);
        }
        self.look(frame, regions, Search::Refined, &mut run).await?;
        let Self { options, views, sightings, confirmed, .. } = self;
        // There will be other frames, so that who is best seen in the tile can wait until a close-up is sure.
        for seen in sightings.iter_mut().filter(|seen| owes_its_size_to_a_tile(seen, frame)) {
            seen.face.score = seen.face.score.min(CANDIDATE * options.min_score);
        }
        for bbox in known {
            let is = |seen: &Sighting, bbox: &BoundingBox| iou(&seen.face.bbox, bbox) > options.max_iou;
            let mut found = None;
            if view(bbox).is_some() {
                found = views.confirm(next, bbox, SURE, options)?;
                next += 1;
            }
            if let Some(found) = found {
                sightings.retain(|seen| !is(seen, &found.face.bbox));
                confirmed.push(found);
            } else if let Some(seen) = sightings.iter_mut().find(|seen| is(seen, bbox)) {
                // No stranger.
                seen.face.score = seen.face.score.max(options.min_score);
            } else if view(bbox).is_none() && close_up(bbox).is_some() {
                // Large enough for the whole frame's view, which does not show it.
                sightings.push(unseen(bbox));
            }
        }
        self.look_closer(frame, &mut run).await?;
        self.finish();
        Ok(())
    }

    /// What the network sees in the views of these regions: into `sightings`.
    async fn look<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        regions: impl IntoIterator<Item = Region>,
        search: Search,
        run: &mut impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, candidates, sightings, .. } = self;
        views.look(run).await?;
        let least = if search == Search::Whole { 1.0 } else { CANDIDATE } * options.min_score;
        candidates.clear();
        for (at, region) in regions.into_iter().enumerate() {
            let seen = views.faces(at, least, options)?.iter();
            candidates.extend(seen.filter(|seen| tiles::whole_in(&region, &seen.face.bbox, frame)));
        }
        tiles::merge(candidates, options, sightings);
        sightings.truncate(MOST_FACES);
        Ok(())
    }

    /// Looks again at each sighting that a close-up enlarges or that a tile leaves in doubt, and keeps those that it confirms, beside
    /// the ones confirmed already.
    async fn look_closer<E: From<FaceError>>(
        &mut self,
        frame: &impl Source,
        run: &mut impl AsyncFnMut(&mut [View]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, candidates, sightings, confirmed, .. } = self;
        let certain = options.higher(CERTAIN);
        let in_doubt = |seen: &Sighting| seen.face.score < certain && owes_its_size_to_a_tile(seen, frame);
        let view = |seen: &Sighting| {
            close_up(&seen.face.bbox).filter(|view| enlarges(view, seen.magnification) || in_doubt(seen))
        };
        views.clear();
        for to_frame in sightings.iter().filter_map(view) {
            views.add(frame, CLOSE_UP_SIDE, &to_frame, to_frame);
        }
        views.look(run).await?;
        candidates.clear();
        candidates.append(confirmed);
        let mut next = 0;
        for seen in &*sightings {
            let sure = seen.face.score >= options.min_score;
            if view(seen).is_some() {
                let way = if sure { SURE } else { UNSURE };
                candidates.extend(views.confirm(next, &seen.face.bbox, way, options)?);
                next += 1;
            } else if sure {
                candidates.push(*seen);
            }
        }
        // Two of them may turn out to be one face.
        tiles::merge(candidates, options, sightings);
        Ok(())
    }

    fn finish(&mut self) {
        self.faces.clear();
        self.faces.extend(self.sightings.iter().map(|seen| seen.face));
    }
}

/// Whether a tile shows this face large enough, and the whole frame does not.
fn owes_its_size_to_a_tile(seen: &Sighting, frame: &impl Source) -> bool {
    let whole = 1.0 / letterbox(&Region::whole(frame)).scale();
    seen.magnification > whole && close_up(&seen.face.bbox).is_some_and(|view| enlarges(&view, whole))
}

/// A known face that no view has shown yet.
fn unseen(bbox: &BoundingBox) -> Sighting {
    Sighting {
        face: Detection { bbox: *bbox, score: 1.0, landmarks: [bbox.centre(); 6] },
        magnification: 0.0,
    }
}

/// [`Finder::find`] once, with a network that needs no waiting for.
///
/// # Errors
/// As [`Finder::find`].
pub fn find<E: From<FaceError>>(
    frame: &impl Source,
    search: Search,
    options: &DetectorOptions,
    mut run: impl FnMut(&mut [View]) -> Result<(), E>,
) -> Result<Vec<Detection>, E> {
    let mut finder = Finder::new(*options);
    {
        let found = pin!(finder.find(frame, search, async |views: &mut [View]| run(views)));
        match found.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => found?,
            Poll::Pending => unreachable!("nothing in it waits"),
        }
    }
    Ok(finder.faces)
}

/// What the tests of this folder share.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::face::BlazeFace;
    use crate::picture::Frame;
    use crate::weights::Weights;
    use burn::tensor::{Device, Tensor, TensorData};

    pub fn weights() -> Weights {
        let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
        Weights::from_bytes(file).unwrap()
    }

    /// What `model-weights/blazeface/convert.py` computed for the astronaut picture.
    pub fn reference() -> Weights {
        Weights::from_bytes(include_bytes!("../../tests/data/blazeface-astronaut.safetensors")).unwrap()
    }

    pub fn values<'a>(reference: &'a Weights, name: &str) -> &'a [f32] {
        &reference.tensors[name].values
    }

    /// [`find`] with the network on the CPU.
    pub fn find_with(network: &BlazeFace, frame: &Frame, search: Search) -> Vec<Detection> {
        find_counting(network, frame, search).0
    }

    /// Also counts the close-ups.
    pub fn find_counting(network: &BlazeFace, frame: &Frame, search: Search) -> (Vec<Detection>, usize) {
        let mut close_ups = 0;
        let found = find(frame, search, &DetectorOptions::default(), |views| {
            close_ups += views.iter().filter(|view| view.side == CLOSE_UP_SIDE).count();
            for View { side, input, raw } in views {
                let data = TensorData::new(normalise(&input.rgb), [1, 3, *side, *side]);
                let (regressors, logits) = network.forward(Tensor::from_data(data, &Device::flex()));
                let vec = |data: TensorData| data.try_into_vec().unwrap();
                *raw = RawDetections {
                    regressors: vec(regressors.into_data()),
                    logits: vec(logits.into_data()),
                };
            }
            Ok::<_, FaceError>(())
        });
        (found.unwrap(), close_ups)
    }

    pub fn network() -> BlazeFace {
        BlazeFace::from_weights(&weights(), &Device::flex()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{find_with, network};
    use super::*;
    use crate::picture::Frame;

    #[test]
    fn no_face_in_nothing() {
        let network = network();
        for (width, height) in [(1, 1), (2, 1), (1, 5000), (5000, 3), (640, 480), (700, 700)] {
            for value in [0, 255] {
                let rgba = vec![value; width * height * 4];
                let frame = Frame::new(width, height, &rgba).unwrap();
                for search in [Search::Whole, Search::Refined, Search::Tiled] {
                    assert_eq!(find_with(&network, &frame, search), [], "{width}x{height} of {value}");
                }
            }
        }
    }

    #[test]
    fn errors_of_the_network_come_through() {
        let frame = Frame::new(1, 1, &[0; 4]).unwrap();
        let error = find(&frame, Search::Whole, &DetectorOptions::default(), |_| Ok::<_, FaceError>(()));
        assert!(matches!(error, Err(FaceError::Length { output: "regressors", .. })));
    }
}

/// On a picture.
#[cfg(all(test, feature = "train"))]
mod picture_tests {
    use super::testing::{find_counting, find_with, network, reference, values};
    use super::*;
    use crate::face::BlazeFace;
    use crate::picture::{Border, Frame};

    const SIDE: usize = 512;

    fn astronaut() -> Vec<u8> {
        let png = include_bytes!("../../tests/data/astronaut.png");
        image::load_from_memory(png).unwrap().into_rgba8().into_raw()
    }

    #[test]
    fn the_astronaut_is_where_mediapipe_sees_her() {
        let rgba = astronaut();
        let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
        let found = find_with(&network(), &frame, Search::Whole);
        let reference = reference();
        assert_eq!(found.len(), 1);
        let face = &found[0];
        let BoundingBox { x, y, width, height } = face.bbox;
        let ours: Vec<f32> =
            [x, y, width, height].into_iter().chain(face.landmarks.into_iter().flatten()).collect();
        let theirs = [values(&reference, "boxes"), values(&reference, "landmarks")].concat();
        let off: Vec<f32> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
        println!("off by {off:?} pixels, score {} against {}", face.score, values(&reference, "scores")[0]);
        assert_eq!(ours.len(), theirs.len());
        assert!(off.iter().all(|d| d.abs() < 1.0), "{off:?}");
        assert!((face.score - values(&reference, "scores")[0]).abs() < 0.02);
        assert!(face.landmarks[0][0] < face.landmarks[1][0], "the subject's right eye is on the left");
    }

    /// A picture with copies of the astronaut's head: centre x, y, width of the face's box in pixels, and
    /// rotation in degrees of each.
    fn group(width: usize, height: usize, heads: &[[f32; 4]]) -> Vec<u8> {
        let source = astronaut();
        let source = Frame::new(SIDE, SIDE, &source).unwrap();
        // A wall with some structure.
        let mut rgba: Vec<u8> = (0..width * height)
            .flat_map(|i| {
                let (x, y) = (i % width, i / width);
                let v = 110 + (x / 40 + y / 25) as u8 % 7 * 8 + (x * 7 + y * 13) as u8 % 11;
                [v, v - 10, v - 20, 255]
            })
            .collect();
        for &[cx, cy, face, degrees] in heads {
            // The face's box is 94.5 pixels wide around (224.5, 128) in the picture; the head fits into 2.2 times that.
            let scale = 94.5 / face;
            let side = (2.2 * face) as usize;
            let turn = Similarity::new(scale, degrees.to_radians(), 0.0, 0.0);
            let [dx, dy] = turn.apply([side as f32 / 2.0, side as f32 / 2.0]);
            let from = Similarity { tx: 224.5 - dx, ty: 128.0 - dy, ..turn };
            let patch = source.sample(&from, side, side, Border::Replicate);
            let (left, top) = (cx as usize - side / 2, cy as usize - side / 2);
            for (i, rgb) in patch.chunks(3).enumerate() {
                let at = ((top + i / side) * width + left + i % side) * 4;
                rgba[at..at + 3].copy_from_slice(rgb);
            }
        }
        rgba
    }

    /// The heads that have a detection in their place and of their size, and how many detections there are beside them.
    fn recognised(found: &[Detection], heads: &[[f32; 4]]) -> (Vec<[f32; 4]>, usize) {
        let is = |d: &Detection, &[cx, cy, face, _]: &[f32; 4]| {
            let [x, y] = d.bbox.centre();
            (x - cx).hypot(y - cy) < 0.25 * face && (d.bbox.width / face - 1.0).abs() < 0.35
        };
        let seen = heads.iter().filter(|head| found.iter().any(|d| is(d, head))).copied().collect();
        let others = found.iter().filter(|d| !heads.iter().any(|head| is(d, head))).count();
        (seen, others)
    }

    #[test]
    fn several_faces_of_several_sizes() {
        let heads = [[160.0, 180.0, 120.0, 0.0], [420.0, 150.0, 100.0, -20.0], [380.0, 350.0, 80.0, 15.0]];
        let rgba = group(640, 480, &heads);
        let frame = Frame::new(640, 480, &rgba).unwrap();
        let found = find_with(&network(), &frame, Search::Whole);
        assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{found:?}");
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    }

    #[test]
    fn faces_that_a_tile_shows_large_need_no_close_up() {
        let network = network();
        for (face, expected) in [(260.0, 0), (220.0, 0), (80.0, 4)] {
            // In the middle of small tiles.
            let places = [[320.0, 320.0], [1280.0, 320.0], [320.0, 880.0], [1280.0, 880.0]];
            let heads = places.map(|[x, y]| [x, y, face, 0.0]);
            let rgba = group(1600, 1200, &heads);
            let frame = Frame::new(1600, 1200, &rgba).unwrap();
            let (found, close_ups) = find_counting(&network, &frame, Search::Tiled);
            assert_eq!(recognised(&found, &heads), (heads.to_vec(), 0), "{face}: {found:?}");
            assert_eq!(close_ups, expected, "{face}");
        }
    }

    /// Eyes, nose and so on of a head in a [`group`], from those in the astronaut picture.
    fn placed(landmarks: &[[f32; 2]; 6], &[cx, cy, face, degrees]: &[f32; 4]) -> [[f32; 2]; 6] {
        let turn = Similarity::new(face / 94.5, -degrees.to_radians(), 0.0, 0.0);
        landmarks.map(|[x, y]| {
            let [x, y] = turn.apply([x - 224.5, y - 128.0]);
            [x + cx, y + cy]
        })
    }

    /// Looks for heads of one size in a picture of 12 megapixels. Returns how many there are, how many were found, how many
    /// other faces were, and the mean error of their landmarks as a part of the face's width.
    fn look(network: &BlazeFace, part: f32, search: Search) -> (usize, usize, usize, f32) {
        let (width, height) = (4000, 3000);
        let face = part * width as f32;
        // Off any grid; turned by up to 20 degrees.
        let spread = |i: usize, end: f32, phase: f32| {
            1.2 * face + ((i as f32 * 0.618 + phase) % 1.0) * (end - 2.4 * face)
        };
        let mut heads: Vec<[f32; 4]> = Vec::new();
        for i in 0..400 {
            let (x, y) = (spread(i, width as f32, 0.1), spread(i * i, height as f32, 0.7));
            let clear = |h: &[f32; 4]| (h[0] - x).abs().max((h[1] - y).abs()) > 2.3 * face;
            if heads.len() < 8 && heads.iter().all(clear) {
                heads.push([x, y, face, -20.0 + 10.0 * (i % 5) as f32]);
            }
        }
        let rgba = group(width, height, &heads);
        let frame = Frame::new(width, height, &rgba).unwrap();
        let start = std::time::Instant::now();
        let found = find_with(network, &frame, search);
        let seconds = start.elapsed().as_secs_f32();
        let (seen, others) = recognised(&found, &heads);

        let source = astronaut();
        let source = Frame::new(SIDE, SIDE, &source).unwrap();
        let truth = find_with(network, &source, Search::Tiled)[0].landmarks;
        let mut errors = Vec::new();
        for head in &seen {
            let places = placed(&truth, head);
            let error = |d: &Detection| {
                let off = d.landmarks.iter().zip(places).map(|(l, p)| (l[0] - p[0]).hypot(l[1] - p[1]));
                off.sum::<f32>() / 6.0 / face
            };
            errors.push(found.iter().map(error).fold(f32::INFINITY, f32::min));
        }
        let error = errors.iter().sum::<f32>() / errors.len() as f32;
        println!(
            "{:4.1} % of the long side, {search:?}: {} of {} found, {others} others, landmarks off by {:.1} % of the width, {seconds:.2} s",
            100.0 * part,
            seen.len(),
            heads.len(),
            100.0 * error
        );
        (heads.len(), seen.len(), others, error)
    }

    #[test]
    fn a_twentieth_of_a_large_photo_is_enough() {
        let network = network();
        for part in [0.12, 0.05] {
            let (heads, seen, others, error) = look(&network, part, Search::Tiled);
            assert_eq!((seen, others), (heads, 0), "{part}");
            assert!(error < 0.03, "{part}: {error}");
        }
    }

    /// `cargo test --release --lib faces_by_size -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn faces_by_size() {
        let network = network();
        for part in [0.2, 0.15, 0.12, 0.1, 0.08, 0.06, 0.05, 0.045, 0.04, 0.035, 0.03] {
            for search in [Search::Whole, Search::Refined, Search::Tiled] {
                look(&network, part, search);
            }
        }
    }

    #[test]
    fn a_photo_of_one_face_keeps_it() {
        let rgba = astronaut();
        let frame = Frame::new(SIDE, SIDE, &rgba).unwrap();
        let network = network();
        let found = find_with(&network, &frame, Search::Tiled);
        assert_eq!(found.len(), 1);
        assert!(iou(&found[0].bbox, &find_with(&network, &frame, Search::Whole)[0].bbox) > 0.7);
    }
}
