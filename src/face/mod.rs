//! Finding faces: where they are, and six landmarks of each.
//!
//! In the order the data flows:
//!
//! - a part of the frame (all of it; [`tiles`](mod@tiles), too, in a photo) becomes the network's input
//!   ([`letterbox`](mod@letterbox)),
//! - [`network`] (BlazeFace) gives values for each of its [`anchors`],
//! - [`decode`] turns them into boxes and landmarks, [`suppress`] into one for each face,
//! - [`merge`] joins the parts of the frame,
//! - and a [`close_up`](mod@close_up) of each face in a photo places its landmarks.
//!
//! [`find`] is all of it, around whatever runs the network.

pub mod anchors;
pub mod architecture;
pub mod close_up;
pub mod decode;
pub mod letterbox;
#[cfg(feature = "burn")]
pub mod network;
pub mod suppress;
pub mod tiles;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::frame::{Frame, Similarity};

pub use close_up::{close_up, confirm};
pub use letterbox::{Letterbox, letterbox, letterboxes, normalise};
#[cfg(feature = "burn")]
pub use network::BlazeFace;
pub use suppress::iou;
pub use tiles::{Region, merge, tiles};

/// Width and height of the network's input, in pixels.
pub const INPUT_SIDE: usize = 128;

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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detection {
    /// Where the face is, in frame pixels: from the brows to the chin, near square. May reach beyond the frame.
    pub bbox: BoundingBox,
    /// How sure the network is that this is a face, 0 to 1.
    pub score: f32,
    /// x, y in frame pixels of the right eye, the left eye (the subject's: the right eye is on the left in a
    /// picture that is not mirrored), the tip of the nose, the middle of the mouth, the right and the left ear tragion.
    pub landmarks: [[f32; 2]; 6],
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
    /// coarse (off by 4 % of the face's width where it is a fifth of the frame, by 10 % where it is a seventh).
    #[default]
    Whole,
    /// At the whole frame, and then at each face in a [`close_up()`]: for video on a device that has the time for one more
    /// run for each face. Landmarks are off by about 2 % of the width.
    Refined,
    /// Refined, and beside the whole frame at [`tiles()`] of a large one, 14 runs of the network at most and one more for each
    /// face: for photos. Finds faces from about a twentieth of the frame's long side.
    Tiled,
}

/// The score of a face that deserves a second look, as a part of the least score.
const CANDIDATE: f32 = 0.6;

/// How much of the way from the least score to 1 the second look must reach, for faces that reached the least score at
/// first, and for those that did not. A close-up shows real faces as BlazeFace likes them best: they score 0.85 and more.
const SURE: f32 = 0.25;
const UNSURE: f32 = 0.5;

/// The most faces that get a second look.
const MOST_FACES: usize = 50;

/// The faces in the network's outputs: `regressors`, 896 x 16, and `logits`, 896 ([`BlazeFace::forward`]), mapped to the
/// frame by `to_frame` ([`Letterbox`]), sorted by falling score.
///
/// # Errors
/// [`FaceError`] if an output has another length or holds infinities or NaN.
pub fn detections(
    regressors: &[f32],
    logits: &[f32],
    to_frame: &Similarity,
    options: &DetectorOptions,
) -> Result<Vec<Detection>, FaceError> {
    let found = decode::decode(regressors, logits, options.min_score)?;
    let faces = suppress::weighted(found.into_iter().map(|d| (d, 1.0)).collect(), options.max_iou);
    Ok(faces.into_iter().map(|face| mapped(&face, to_frame)).collect())
}

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

/// Finds the faces in a frame, sorted by falling score.
///
/// `run` is the network: it gets 128 x 128 RGB pixels ([`Letterbox::input`]; [`normalise`] makes [`BlazeFace`]'s input of them) and
/// returns regressors and logits ([`BlazeFace::forward`]).
///
/// # Errors
/// What `run` returns, or a [`FaceError`] about its outputs.
pub fn find<E: From<FaceError>>(
    frame: &Frame,
    search: Search,
    options: &DetectorOptions,
    mut run: impl FnMut(&[u8]) -> Result<(Vec<f32>, Vec<f32>), E>,
) -> Result<Vec<Detection>, E> {
    let run = async |views: &[&[u8]]| views.iter().map(|rgb| run(rgb)).collect();
    let search = pin!(find_async(frame, search, options, run));
    match search.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(found) => found,
        Poll::Pending => unreachable!("nothing in it waits"),
    }
}

/// [`find`] with a network that must be waited for (WebGPU). So that it is waited for as rarely as can be, `run` gets several pictures
/// at once: first all views of the frame, then all faces from close up.
///
/// # Errors
/// What `run` returns, or a [`FaceError`] about its outputs.
pub async fn find_async<E: From<FaceError>>(
    frame: &Frame<'_>,
    search: Search,
    options: &DetectorOptions,
    mut run: impl AsyncFnMut(&[&[u8]]) -> Result<Vec<(Vec<f32>, Vec<f32>)>, E>,
) -> Result<Vec<Detection>, E> {
    let mut look = async |views: &[&Letterbox], options: &DetectorOptions| {
        if views.is_empty() {
            return Ok(Vec::new());
        }
        let inputs: Vec<&[u8]> = views.iter().map(|view| view.input.as_slice()).collect();
        let outputs = run(&inputs).await?;
        let seen = views.iter().zip(outputs).map(|(view, (regressors, logits))| {
            Ok::<_, E>(detections(&regressors, &logits, &view.to_frame, options)?)
        });
        seen.collect::<Result<Vec<_>, E>>()
    };
    let mut regions = vec![Region::whole(frame)];
    if search == Search::Tiled {
        regions.extend(tiles(frame));
    }
    let mut first = *options;
    if search != Search::Whole {
        first.min_score *= CANDIDATE;
    }
    let views = letterboxes(frame, &regions);
    let found = look(&views.iter().collect::<Vec<_>>(), &first).await?;
    let mut faces = merge(frame, regions.into_iter().zip(found).collect(), options);
    if search == Search::Whole {
        return Ok(faces);
    }

    faces.truncate(MOST_FACES);
    let views: Vec<_> = faces.iter().map(|face| close_up(frame, face)).collect();
    let mut found = look(&views.iter().flatten().collect::<Vec<_>>(), options).await?.into_iter();
    let mut confirmed = Vec::with_capacity(faces.len());
    for (face, view) in faces.into_iter().zip(&views) {
        let sure = face.score >= options.min_score;
        if view.is_some() {
            let second = confirm(&face, found.next().expect("as many as there are views"));
            let way = if sure { SURE } else { UNSURE };
            let least = options.min_score + way * (1.0 - options.min_score);
            confirmed.extend(second.filter(|face| face.score >= least));
        } else if sure {
            confirmed.push(face);
        }
    }
    // Two candidates may turn out to be one face.
    Ok(merge(frame, vec![(Region::whole(frame), confirmed)], options))
}

/// What the tests of this folder share.
#[cfg(test)]
mod testing {
    use super::*;
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
        find(frame, search, &DetectorOptions::default(), |rgb| {
            let data = TensorData::new(normalise(rgb), [1, 3, INPUT_SIDE, INPUT_SIDE]);
            let (regressors, logits) = network.forward(Tensor::from_data(data, &Device::flex()));
            let vec = |data: TensorData| data.try_into_vec().unwrap();
            Ok::<_, FaceError>((vec(regressors.into_data()), vec(logits.into_data())))
        })
        .unwrap()
    }

    pub fn network() -> BlazeFace {
        BlazeFace::from_weights(&weights(), &Device::flex()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{find_with, network};
    use super::*;

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
        let error = find(&frame, Search::Whole, &DetectorOptions::default(), |_| {
            Ok::<_, FaceError>((vec![], vec![]))
        });
        assert!(matches!(error, Err(FaceError::Length { output: "regressors", .. })));
    }
}

/// On a picture. Reading PNG takes the feature `cli`.
#[cfg(all(test, feature = "native"))]
mod picture_tests {
    use super::testing::{find_with, network, reference, values};
    use super::*;
    use crate::frame::Border;

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
