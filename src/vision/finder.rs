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
    /// The whole picture and, of one that is not small, its [`tiles()`](tiles::tiles()), 14 passes of the
    /// network at most; then, for a quarter of a pass each, the faces that a refinement shows larger than
    /// these did, and doubtful ones: for photos, with small faces in them.
    Tiled,
}

/// The score of a face that deserves a refinement, as a part of the least score.
const CANDIDATE: f32 = 0.6;

/// How much of the way from the least score to 1 a refinement must reach, for faces that reached the least
/// score at first, and for those that did not. A refinement shows real faces as BlazeFace likes them best:
/// they score high.
const SURE: f32 = 0.25;
const UNSURE: f32 = 0.5;

/// The same for the score that spares a face the refinement if only a tile shows it large enough. Tiles show
/// much that seems a face in one pass, and not in two.
const CERTAIN: f32 = 0.6;

/// The most faces that are refined.
const MOST_FACES: usize = 50;

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
        let tiled = search == Search::Tiled && whole.longer() > tiles::LONGEST_WHOLE;
        let parts = std::iter::once(whole).chain(tiles::tiles(whole).filter(|_| tiled));
        self.views.regions.clear();
        for part in parts.clone() {
            self.views.add(INPUT_SIDE, letterbox(&part));
        }
        self.search_parts(whole, parts, search, &mut run).await?;
        if search != Search::Whole {
            self.refine(whole, &mut run).await?;
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
        self.search_known(whole, [whole].into_iter().chain(tile), known, run).await
    }

    /// Finds known faces only, by a refinement of each where it is expected: a quarter of the network's work
    /// for each. Says whether all of them are in sight; where one is not, the frame has to be searched.
    ///
    /// A face is found again up to half of its width from where it was expected (docs/measurements.md), and
    /// its landmarks are as good as at the expected place.
    ///
    /// # Errors
    /// As [`Finder::find`].
    pub async fn follow<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        expected: &[Rect],
        run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<bool, E> {
        self.search_known(whole, [], expected, run).await?;
        Ok(self.faces.len() == expected.len())
    }

    /// Runs the network once, on these parts of the whole, the first of which is all of it if there are any,
    /// and on the known faces that a refinement shows larger than that; and once more only where something
    /// turns up beside them.
    async fn search_known<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        parts: impl IntoIterator<Item = Rect, IntoIter: Clone>,
        known: &[Rect],
        mut run: impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let parts = parts.into_iter();
        self.views.regions.clear();
        for part in parts.clone() {
            self.views.add(INPUT_SIDE, letterbox(&part));
        }
        let mut next = self.views.regions.len();
        let magnification = self.views.regions.first().map_or(0.0, |whole| 1.0 / whole.transform.scale());
        let view = |bbox: &Rect| refinement(bbox).filter(|view| enlarges(view, magnification));
        for transform in known.iter().filter_map(view) {
            self.views.add(REFINEMENT_SIDE, transform);
        }
        self.search_parts(whole, parts, Search::Refined, &mut run).await?;
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
        self.refine(whole, &mut run).await?;
        self.finish();
        Ok(())
    }

    /// What the network sees in these parts, which are the first views: into `candidates`.
    async fn search_parts<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        parts: impl IntoIterator<Item = Rect>,
        search: Search,
        run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, shown, candidates, .. } = self;
        views.run(run).await?;
        let least = if search == Search::Whole { 1.0 } else { CANDIDATE } * options.min_score;
        shown.clear();
        for (at, part) in parts.into_iter().enumerate() {
            let seen = views.faces(at, least, options)?.iter();
            shown.extend(seen.filter(|seen| tiles::whole_in(&part, &seen.face.bbox, &whole)));
        }
        tiles::merge(shown, options, candidates);
        candidates.truncate(MOST_FACES);
        Ok(())
    }

    /// Shows the network each candidate that a refinement enlarges or that a tile leaves in doubt, and keeps
    /// those that it confirms, beside the ones confirmed already.
    async fn refine<E: From<DetectionError>>(
        &mut self,
        whole: Rect,
        run: &mut impl AsyncFnMut(&[Region], &mut Outputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { options, views, shown, candidates, confirmed, .. } = self;
        let certain = options.higher(CERTAIN);
        let in_doubt = |seen: &Candidate| seen.face.score < certain && owes_its_size_to_a_tile(seen, &whole);
        let view = |seen: &Candidate| {
            refinement(&seen.face.bbox).filter(|view| enlarges(view, seen.magnification) || in_doubt(seen))
        };
        views.regions.clear();
        for transform in candidates.iter().filter_map(view) {
            views.add(REFINEMENT_SIDE, transform);
        }
        views.run(run).await?;
        shown.clear();
        shown.append(confirmed);
        let mut next = 0;
        for seen in &*candidates {
            let sure = seen.face.score >= options.min_score;
            if view(seen).is_some() {
                let way = if sure { SURE } else { UNSURE };
                shown.extend(views.confirm(next, &seen.face.bbox, way, options)?);
                next += 1;
            } else if sure {
                shown.push(*seen);
            }
        }
        // Two of them may turn out to be one face.
        tiles::merge(shown, options, candidates);
        Ok(())
    }

    fn finish(&mut self) {
        self.faces.clear();
        self.faces.extend(self.candidates.iter().map(|seen| seen.face));
    }
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
