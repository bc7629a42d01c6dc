//! The search: which regions of a picture the network is shown, and which faces come of it.

use super::{
    Candidate, Detection, DetectionError, DetectorOptions, INPUT_SIDE, REFINEMENT_SIDE, Rect, confirm,
    decode, enlarges, iou, letterbox, refinement, suppress, tiles,
};
use crate::engine::{Outputs, Region};
use crate::picture::{Border, Similarity};

/// How thoroughly to search.
///
/// How small a face each of them finds, and how well it is placed, is measured in docs/measurements.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Search {
    /// The whole picture, in one pass. Finds faces that are not small in it; the smaller they are, the
    /// coarser their landmarks.
    #[default]
    Whole,
    /// The whole picture, and then, for a quarter of the work each, the faces that a
    /// [`refinement()`](refinement()) shows larger: whose landmarks are better then.
    Refined,
    /// The whole picture and its [`tiles()`](tiles::tiles()), 14 passes of the network mostly; then, for a
    /// quarter of a pass each, the faces that a refinement shows larger than these did, and doubtful ones: for
    /// photos, with small faces in them.
    Tiled,
}

/// The score of a face that deserves a refinement, as a part of the least score; and in a photo, where time
/// is for small and faded ones as well (docs/measurements.md).
const CANDIDATE: f32 = 0.6;
const CANDIDATE_IN_PHOTO: f32 = 0.25;

/// A refinement with a score below the least one, and of at least this part of it, is a near miss.
const NEAR: f32 = 0.8;

/// How much of the way from the least score to 1 a refinement must reach, for faces that reached the least
/// score at first, and for those that did not. A refinement shows real faces as BlazeFace likes them best:
/// they score high.
const SURE: f32 = 0.25;
const UNSURE: f32 = 0.5;

/// The same in photos, for all: of so many candidates a few are none.
const IN_PHOTO: f32 = 0.4;

/// The same for the score that spares a face the refinement if only a tile shows it large enough. Tiles show
/// much that seems a face in one pass, and not in two.
const CERTAIN: f32 = 0.6;

/// The most candidates that are refined: in a frame of a video, and in a photo.
const MOST_IN_FRAME: usize = 50;
const MOST_IN_PHOTO: usize = 600;

/// A face that is larger than this part of a picture's longer side fills it: it is cut off, or nearly, and is
/// seen as a whole from further away only.
const FILLS: f32 = 0.75;

/// What a search has to say beside the faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remarks {
    /// There are more faces than [`DetectorOptions::most_faces`], of which those with the best scores are
    /// known.
    pub more: bool,
    /// Places that look much like a face, but not enough: some are faces.
    pub near_misses: usize,
    /// A face fills the picture. It is not among those found, or not well: what is cut off has to be seen from
    /// further away ([`Rect::with_border`]). [`Search::Tiled`] notices it.
    pub is_filled: bool,
}

/// The detection in the coordinates that `transform` leads to. The box stays upright, whatever the rotation.
fn mapped(face: &Detection, transform: &Similarity) -> Detection {
    let scale = transform.scale();
    let (width, height) = (face.bbox.width * scale, face.bbox.height * scale);
    let [x, y] = transform.apply(face.bbox.centre());
    Detection {
        bbox: Rect { x: x - width / 2.0, y: y - height / 2.0, width, height },
        score: face.score,
        landmarks: face.landmarks.map(|point| transform.apply(point)),
    }
}

/// Finds faces, and keeps its buffers: once it has searched a picture of some size, searching more of them
/// allocates nothing ([`Search::Tiled`] does).
///
/// Its functions take `run`, which is the network: it is given [regions](Region) of the picture, and fills in
/// what the network says of each. It gets several at once, because a network on a graphics device must be
/// waited for: first all parts of the picture and faces whose place is known, then refinements of new faces.
#[derive(Debug, Clone, Default)]
pub struct Finder {
    options: DetectorOptions,
    views: Views,
    /// As the views show them.
    shown: Vec<Candidate>,
    /// One for each face.
    candidates: Vec<Candidate>,
    /// By a refinement where they were expected.
    confirmed: Vec<Candidate>,
    faces: Vec<Detection>,
    remarks: Remarks,
}

/// What the network is shown, and what it says of it.
#[derive(Debug, Clone, Default)]
struct Views {
    regions: Vec<Region>,
    outputs: Outputs,
    decoded: Vec<Detection>,
    shown: Vec<Candidate>,
    seen: Vec<Candidate>,
}

impl Views {
    /// Adds a region of `side` x `side` pixels.
    fn add(&mut self, side: usize, transform: Similarity) {
        self.regions.push(Region { transform, side, border: Border::Black, mirrored: false });
    }

    /// Shows all of them to the network.
    async fn run<E>(
        &mut self,
        run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.regions.is_empty() { Ok(()) } else { run(&self.regions, &mut self.outputs).await }
    }

    /// The faces of at least `min_score` in one of them.
    fn faces(
        &mut self,
        at: usize,
        min_score: f32,
        options: &DetectorOptions,
    ) -> Result<&[Candidate], DetectionError> {
        let Region { transform, side, .. } = &self.regions[at];
        decode::decode(self.outputs.row(at), *side, min_score, &mut self.decoded)?;
        let magnification = 1.0 / transform.scale();
        self.shown.clear();
        self.shown.reserve(self.decoded.capacity());
        self.shown.extend(self.decoded.iter().map(|face| Candidate { face: *face, magnification }));
        suppress::weighted(&mut self.shown, options.max_iou, &mut self.seen);
        self.seen.iter_mut().for_each(|candidate| candidate.face = mapped(&candidate.face, transform));
        Ok(&self.seen)
    }

    /// What the refinement of a face says of it, if its score goes that `way` from the least one to 1.
    fn confirm(
        &mut self,
        at: usize,
        face: &Rect,
        way: f32,
        options: &DetectorOptions,
    ) -> Result<Option<Candidate>, DetectionError> {
        let found = confirm(face, self.faces(at, options.min_score, options)?);
        Ok(found.filter(|seen| seen.face.score >= options.higher(way)))
    }

    /// Whether the refinement of a face comes near to showing one.
    fn nearly_confirm(
        &mut self,
        at: usize,
        face: &Rect,
        options: &DetectorOptions,
    ) -> Result<bool, DetectionError> {
        Ok(confirm(face, self.faces(at, NEAR * options.min_score, options)?).is_some())
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

    /// What counts as a face.
    pub fn options(&self) -> &DetectorOptions {
        &self.options
    }

    /// What else is to be said of them.
    pub fn remarks(&self) -> Remarks {
        self.remarks
    }

    /// Finds the faces in `whole`, a picture with or without a border: see [`Finder::faces`].
    ///
    /// # Errors
    /// What `run` returns, or a [`DetectionError`] about what it filled in.
    pub async fn find<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        search: Search,
        mut run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_photo = search == Search::Tiled;
        let parts = std::iter::once(whole).chain(tiles::tiles(whole).filter(|_| is_photo));
        self.views.regions.clear();
        for part in parts.clone() {
            self.views.add(INPUT_SIDE, letterbox(&part));
        }
        // As if all of it were a face: a quarter of a pass.
        let filled = refinement(&whole).filter(|_| is_photo).map(|view| {
            self.views.add(REFINEMENT_SIDE, view);
            self.views.regions.len() - 1
        });
        let (least, most) = match search {
            Search::Whole => (1.0, MOST_IN_FRAME),
            Search::Refined => (CANDIDATE, MOST_IN_FRAME),
            Search::Tiled => (CANDIDATE_IN_PHOTO, MOST_IN_PHOTO),
        };
        self.search_parts(whole, parts, least * self.options.min_score, most, &mut run).await?;
        self.remarks = Remarks::default();
        if let Some(view) = filled {
            let seen = self.views.faces(view, self.options.min_score, &self.options)?;
            self.remarks.is_filled = seen.iter().any(|seen| fills(&seen.face.bbox, &whole));
        }
        if search != Search::Whole {
            self.refine(whole, is_photo, &mut run).await?;
        }
        self.finish();
        Ok(())
    }

    /// The search that a frame of a video gets: of the whole frame, of one `tile` of it, and refinements
    /// of the faces `known` already, where they are expected.
    ///
    /// A tile at a time makes small faces known without making a frame much dearer than others; and once
    /// known, they need none.
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub async fn search<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        tile: Option<Rect>,
        known: &[Rect],
        run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        self.search_known(whole, true, tile, known, run).await?;
        Ok(())
    }

    /// Shows the network what a refinement of a face of that box shows, turned by each of these transforms
    /// from a turned picture's pixels to the picture's. Returns the face's scores, 0 where there is none.
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub(super) async fn scores_turned<E: From<DetectionError>>(
        &mut self,
        face: &Rect,
        turns: &[Similarity],
        mut run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<Vec<f32>, E> {
        let Self { options, views, .. } = self;
        let Some(view) = refinement(face) else { return Ok(vec![0.0; turns.len()]) };
        let middle = REFINEMENT_SIDE as f32 / 2.0;
        views.regions.clear();
        for turn in turns {
            // About the middle of the square.
            let turned = Similarity { tx: 0.0, ty: 0.0, ..*turn };
            let [x, y] = turned.apply([middle, middle]);
            views.add(REFINEMENT_SIDE, view.after(&turned.shifted(middle - x, middle - y)));
        }
        views.run(&mut run).await?;
        let mut scores = Vec::new();
        for at in 0..turns.len() {
            let seen = confirm(face, views.faces(at, options.min_score, options)?);
            scores.push(seen.map_or(0.0, |seen| seen.face.score));
        }
        Ok(scores)
    }

    /// Finds known faces, by a refinement of each where it is expected, a quarter of the network's work for
    /// each, and what one `tile` of the frame shows. Says whether all of them are in sight; where one is not,
    /// the frame has to be searched.
    ///
    /// A face is found again up to half of its width from where it was expected (docs/measurements.md), and
    /// its landmarks are as good as at the expected place.
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub async fn follow<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        tile: Option<Rect>,
        expected: &[Rect],
        run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<bool, E> {
        let confirmed = self.search_known(whole, false, tile, expected, run).await?;
        Ok(confirmed == expected.len() && self.faces.len() >= confirmed)
    }

    /// Runs the network once, on the whole if `sees_whole`, on a part of it, and on the known faces that a
    /// refinement shows larger than the whole does; and once more only where something turns up beside them.
    /// Returns how many of the known ones a refinement has confirmed.
    async fn search_known<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        sees_whole: bool,
        tile: Option<Rect>,
        known: &[Rect],
        mut run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<usize, E> {
        let parts = sees_whole.then_some(whole).into_iter().chain(tile);
        self.views.regions.clear();
        for part in parts.clone() {
            self.views.add(INPUT_SIDE, letterbox(&part));
        }
        let mut next = self.views.regions.len();
        let magnification = if sees_whole { 1.0 / letterbox(&whole).scale() } else { 0.0 };
        let view = |bbox: &Rect| refinement(bbox).filter(|view| enlarges(view, magnification));
        for transform in known.iter().filter_map(view) {
            self.views.add(REFINEMENT_SIDE, transform);
        }
        let least = CANDIDATE * self.options.min_score;
        self.search_parts(whole, parts, least, MOST_IN_FRAME, &mut run).await?;
        let Self { options, views, candidates, confirmed, .. } = self;
        // There will be other frames, so that who is best seen in the tile can wait until a refinement is
        // sure.
        for seen in candidates.iter_mut().filter(|seen| owes_its_size_to_a_tile(seen, &whole)) {
            seen.face.score = seen.face.score.min(CANDIDATE * options.min_score);
        }
        for bbox in known {
            let is = |seen: &Candidate, bbox: &Rect| iou(&seen.face.bbox, bbox) > options.max_iou;
            let mut found = None;
            if view(bbox).is_some() {
                found = views.confirm(next, bbox, SURE, options)?;
                next += 1;
            }
            if let Some(found) = found {
                candidates.retain(|seen| !is(seen, &found.face.bbox));
                confirmed.push(found);
            } else if let Some(seen) = candidates.iter_mut().find(|seen| is(seen, bbox)) {
                // No stranger.
                seen.face.score = seen.face.score.max(options.min_score);
            } else if view(bbox).is_none() && refinement(bbox).is_some() {
                // Large enough for the whole frame's view, which does not show it.
                candidates.push(unseen(bbox));
            }
        }
        let count = confirmed.len();
        self.refine(whole, false, &mut run).await?;
        self.finish();
        Ok(count)
    }

    /// What the network sees in these parts with at least that score, which are the first views: the best of
    /// it into `candidates`, `most` of it.
    async fn search_parts<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        parts: impl IntoIterator<Item = Rect>,
        least: f32,
        most: usize,
        run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, shown, candidates, .. } = self;
        views.run(run).await?;
        shown.clear();
        for (at, part) in parts.into_iter().enumerate() {
            // Larger parts come first.
            let before = shown.len();
            for seen in views.faces(at, least, options)? {
                // A face that this part cuts is no face of its own in it: its box and its landmarks are wrong, and
                // would count for more, since they are seen from closer up.
                let is_piece = |face: &Candidate| {
                    face.face.score >= options.min_score
                        && iou(&face.face.bbox, &seen.face.bbox) > options.max_iou
                        && !tiles::whole_in(&part, &face.face.bbox, &whole)
                };
                if tiles::whole_in(&part, &seen.face.bbox, &whole) && !shown[..before].iter().any(is_piece) {
                    shown.push(*seen);
                }
            }
        }
        tiles::merge(shown, options, candidates);
        candidates.truncate(most);
        Ok(())
    }

    /// Shows the network each candidate that a refinement enlarges or that is in doubt, and keeps those that it
    /// confirms, beside the ones confirmed already. In doubt are in photos all that are not quite certain, and
    /// in videos those of them that owe their size to a tile.
    async fn refine<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        is_photo: bool,
        run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, shown, candidates, confirmed, remarks, .. } = self;
        let certain = options.higher(CERTAIN);
        let in_doubt = |seen: &Candidate| {
            (seen.face.score < certain && (is_photo || owes_its_size_to_a_tile(seen, &whole)))
                || is_contained(seen, candidates)
        };
        let view = |seen: &Candidate| {
            let view = refinement(&seen.face.bbox)?;
            let enlarges = enlarges(&view, seen.magnification);
            (enlarges || in_doubt(seen)).then_some((view, enlarges))
        };
        views.regions.clear();
        for (transform, _) in candidates.iter().filter_map(view) {
            views.add(REFINEMENT_SIDE, transform);
        }
        views.run(run).await?;
        shown.clear();
        shown.append(confirmed);
        let mut next = 0;
        for seen in &*candidates {
            let sure = seen.face.score >= options.min_score;
            let Some((_, enlarges)) = view(seen) else {
                shown.extend(sure.then_some(*seen));
                continue;
            };
            let way = match (is_photo, sure) {
                (true, _) => IN_PHOTO,
                (false, true) if !is_contained(seen, candidates) => SURE,
                (false, _) => UNSURE,
            };
            let found = views.confirm(next, &seen.face.bbox, way, options)?;
            match found {
                Some(found) if enlarges => shown.push(found),
                // It shows no more than there is already.
                Some(_) => shown.push(*seen),
                None if is_photo && views.nearly_confirm(next, &seen.face.bbox, options)? => {
                    remarks.near_misses += 1
                }
                None => {}
            }
            next += 1;
        }
        // Two of them may turn out to be one face.
        tiles::merge(shown, options, candidates);
        remarks.more = candidates.len() > options.most_faces;
        candidates.truncate(options.most_faces);
        Ok(())
    }

    fn finish(&mut self) {
        self.faces.clear();
        self.faces.extend(self.candidates.iter().map(|seen| seen.face));
    }
}

/// Whether a face of this box fills a picture.
pub(super) fn fills(bbox: &Rect, whole: &Rect) -> bool {
    bbox.longer() > FILLS * whole.longer()
}

/// Whether this one lies inside a larger one: a part of that face, or a smaller one before it.
fn is_contained(seen: &Candidate, candidates: &[Candidate]) -> bool {
    candidates.iter().any(|other| tiles::contains(&other.face.bbox, &seen.face.bbox))
}

/// Whether a tile shows this face large enough, and the whole does not.
fn owes_its_size_to_a_tile(seen: &Candidate, whole: &Rect) -> bool {
    let magnification = 1.0 / letterbox(whole).scale();
    seen.magnification > magnification
        && refinement(&seen.face.bbox).is_some_and(|view| enlarges(&view, magnification))
}

/// A known face that no view has shown yet.
fn unseen(bbox: &Rect) -> Candidate {
    Candidate {
        face: Detection { bbox: *bbox, score: 1.0, landmarks: [bbox.centre(); 6] },
        magnification: 0.0,
    }
}

/// [`Finder::find`] once, with a network that needs no waiting for.
///
/// # Errors
/// As [`Finder::find`].
pub fn find<E: From<DetectionError>>(
    whole: Rect,
    search: Search,
    options: &DetectorOptions,
    mut run: impl FnMut(&[Region], &mut Outputs) -> Result<(), E>,
) -> Result<Vec<Detection>, E> {
    let mut finder = Finder::new(*options);
    let run = async |regions: &[Region], outputs: &mut Outputs| run(regions, outputs);
    pollster::block_on(finder.find(whole, search, run))?;
    Ok(finder.faces)
}
