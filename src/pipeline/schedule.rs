//! What a frame of a video needs, by the time and by what is known.
//!
//! Times are milliseconds from any origin. Where the clock goes back or is no number, everything is due.

use crate::pipeline::track::Recognised;

/// The longest that a new face goes unseen beside known ones, in milliseconds: so often the whole frame is
/// searched.
const SEARCH_MS: f64 = 400.0;

/// How often one of the frame's tiles is searched, too, in milliseconds, if the frame is: in [`SEARCH_MS`]
/// each beside known faces.
const TILE_MS: f64 = 70.0;

/// As many tiles as a frame has and the look with a border. Until so many have had their turn, in a new video
/// and where something moves after a stillness, one has it every [`TILE_MS`], also in frames that are not
/// searched, and no frame is left out: whoever is far away is seen within a second.
const ROUND: usize = 14;

/// How often a settled face is estimated anew, in milliseconds: so soon another person in its place is
/// noticed. (Then, and as long as a face is not settled, it is estimated in each frame: see
/// [`steady`](super::steady).)
const ESTIMATE_MS: f64 = 200.0;

/// How long a picture must have stood still before frames are left out, in milliseconds: boxes come to rest
/// meanwhile.
const STILL_MS: f64 = 500.0;

/// How often a frame is compared with those before, in milliseconds, as long as frames are processed whatever
/// they show.
const COMPARE_MS: f64 = 100.0;

/// The longest that frames are left out for, in milliseconds.
const RECHECK_MS: f64 = 1000.0;

/// How much work a frame gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameMode {
    /// Not at all: it shows what the last one showed.
    Skip,
    /// Only for the known faces, each where it is expected.
    Follow,
    /// All of it.
    Search,
}

impl FrameMode {
    /// The name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Follow => "follow",
            Self::Search => "search",
        }
    }
}

/// What is known of the faces when a frame comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFaces {
    /// Faces in the last frame that was processed.
    pub faces: usize,
    /// Whether a face was out of sight in it and may come back.
    pub misses_one: bool,
    /// Whether one in it has no number yet, or one in doubt.
    pub unsure: bool,
}

/// Decides what each frame needs.
#[derive(Debug, Clone, Default)]
pub struct FrameSchedule {
    /// When the last frame came, whatever was done with it.
    frame: Option<f64>,
    /// Milliseconds from the frame before to this one: a guess at how far the next one is.
    gap: f64,
    /// When something new was seen last, and when frames were compared, processed and searched.
    changed: Option<f64>,
    compared: Option<f64>,
    processed: Option<f64>,
    searched: Option<f64>,
    /// When a tile was searched last, or the first frame.
    tiled: Option<f64>,
    /// Tiles searched so far, and in this round.
    tiles: usize,
    round: usize,
    /// Estimates of settled faces that are due, in parts of one.
    due: f64,
    /// Settled faces and how long they have waited.
    waiting: Vec<(f64, usize)>,
}

impl FrameSchedule {
    /// Whether a frame of time `now` is to be compared with those before: see [`FrameSchedule::compared`].
    pub fn compares(&self, now: f64) -> bool {
        self.is_still(now) || since(self.compared, now) >= COMPARE_MS
    }

    /// Whether a frame of time `now` is left out unless it is known to show something new.
    pub fn skips(&self, now: f64, known: KnownFaces) -> bool {
        // In time, even if it is the next frame that would come too late.
        !known.unsure
            && self.round >= ROUND
            && self.is_still(now)
            && since(self.processed, now) + self.gap(now) <= RECHECK_MS
    }

    /// A frame of time `now` was compared with those before: says whether it shows anything else. Where the
    /// frame is [left out](FrameSchedule::skips) otherwise, this has to be known before
    /// [`FrameSchedule::mode`].
    pub fn compared(&mut self, now: f64, changed: bool) {
        self.compared = Some(now);
        if changed {
            if self.is_still(now) {
                self.round = 0;
            }
            self.changed = Some(now);
        }
    }

    /// What a frame of time `now` gets.
    pub fn mode(&mut self, now: f64, known: KnownFaces) -> FrameMode {
        let skips = self.skips(now, known);
        self.gap = self.gap(now);
        self.frame = Some(now);
        if skips {
            return FrameMode::Skip;
        }
        self.processed = Some(now);
        if known.faces == 0 || known.misses_one || since(self.searched, now) + self.gap > SEARCH_MS {
            return FrameMode::Search;
        }
        FrameMode::Follow
    }

    /// The frame of time `now` is searched: returns which of its tiles is due, too, if one is, counted on and
    /// on. None is with the first frame, whose result somebody waits for.
    pub fn search(&mut self, now: f64) -> Option<usize> {
        self.searched = Some(now);
        self.tile(now)
    }

    /// The frame of time `now` is not searched: the same.
    pub fn look(&mut self, now: f64) -> Option<usize> {
        if self.round < ROUND { self.tile(now) } else { None }
    }

    fn tile(&mut self, now: f64) -> Option<usize> {
        let waited = since(self.tiled, now);
        if waited < TILE_MS {
            return None;
        }
        let is_first = self.tiled.is_none();
        // What this frame comes too late, the next tile comes sooner.
        self.tiled = Some(if waited < 2.0 * TILE_MS { now - (waited - TILE_MS) } else { now });
        if is_first {
            return None;
        }
        self.tiles += 1;
        self.round += 1;
        Some(self.tiles - 1)
    }

    /// Which faces of a frame to estimate: into `faces`, as indices in rising order. `known` are its faces,
    /// where they were recognised.
    ///
    /// All that are not recognised or not sure. The settled ones take turns, the one first that has waited
    /// longest, as many in a frame as keep up, so that no frame is much dearer than the others.
    pub fn estimates(&mut self, known: &[Option<Recognised>], faces: &mut Vec<usize>) {
        faces.clear();
        faces.reserve(known.len());
        self.waiting.clear();
        self.waiting.reserve(known.len());
        for (index, known) in known.iter().enumerate() {
            match known {
                Some(known) if known.sure => self.waiting.push((known.seconds, index)),
                _ => faces.push(index),
            }
        }
        self.due += self.waiting.len() as f64 * self.gap / ESTIMATE_MS;
        let turns = (self.due as usize).min(self.waiting.len());
        // After a long gap nothing is made up for.
        self.due = (self.due - turns as f64).min(1.0);
        self.waiting.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        faces.extend(self.waiting.iter().take(turns).map(|(_, index)| *index));
        faces.sort_unstable();
    }

    fn is_still(&self, now: f64) -> bool {
        since(self.changed, now) >= STILL_MS
    }

    /// Milliseconds from the frame before to one of time `now`; 0 if there was none.
    fn gap(&self, now: f64) -> f64 {
        Some(since(self.frame, now)).filter(|gap| gap.is_finite()).unwrap_or_default()
    }
}

/// Milliseconds since `last`; for ever if that never was, or the clock can't be trusted.
fn since(last: Option<f64>, now: f64) -> f64 {
    match last {
        Some(last) if now >= last => now - last,
        _ => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: KnownFaces = KnownFaces { faces: 1, misses_one: false, unsure: false };
    const NONE: KnownFaces = KnownFaces { faces: 0, misses_one: false, unsure: false };

    /// Takes frames `gap` apart, of a picture that always changes; returns how.
    fn modes(gap: f64, frames: u32, known: impl Fn(u32) -> KnownFaces) -> Vec<FrameMode> {
        let mut schedule = FrameSchedule::default();
        let mut mode = |frame| {
            let now = 5000.0 + gap * f64::from(frame);
            schedule.compared(now, true);
            let mode = schedule.mode(now, known(frame));
            if mode == FrameMode::Search {
                schedule.search(now);
            }
            mode
        };
        (0..frames).map(&mut mode).collect()
    }

    fn searches(modes: &[FrameMode]) -> Vec<usize> {
        modes.iter().enumerate().filter(|(_, mode)| **mode == FrameMode::Search).map(|(i, _)| i).collect()
    }

    #[test]
    fn known_faces_are_followed_between_searches() {
        let seen = modes(1000.0 / 30.0, 31, |frame| if frame == 0 { NONE } else { ONE });
        assert!(!seen.contains(&FrameMode::Skip));
        let searches = searches(&seen);
        assert_eq!(searches[0], 0);
        // Twelve frames are 400 ms, and rounding may make the thirteenth too late.
        assert!(searches.windows(2).all(|pair| (11..=12).contains(&(pair[1] - pair[0]))), "{searches:?}");
        assert_eq!(searches.len(), 3);
    }

    #[test]
    fn slow_devices_search_in_time_too() {
        for gap in [40.0, 90.0, 150.0, 250.0, 399.0, 450.0, 3000.0] {
            let searches = searches(&modes(gap, 40, |frame| if frame == 0 { NONE } else { ONE }));
            let longest = searches.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
            assert!(longest == 1 || longest as f64 * gap <= SEARCH_MS, "{gap}: {searches:?}");
        }
    }

    #[test]
    fn without_a_face_and_with_one_missing_each_frame_is_searched() {
        assert_eq!(searches(&modes(33.0, 10, |_| NONE)).len(), 10);
        let missing = |frame| KnownFaces { misses_one: (3..6).contains(&frame), ..ONE };
        assert_eq!(searches(&modes(33.0, 10, missing)), [0, 3, 4, 5]);
    }

    #[test]
    fn tiles_take_turns() {
        let tiles = |gap: f64, frames: u32| -> Vec<_> {
            let mut schedule = FrameSchedule::default();
            let tile = |frame| schedule.search(5000.0 + gap * f64::from(frame)).map(|tile| (frame, tile));
            (0..frames).filter_map(tile).collect()
        };
        assert_eq!(tiles(400.0, 4), [(1, 0), (2, 1), (3, 2)]);
        assert_eq!(tiles(25.0, 10), [(3, 0), (6, 1), (9, 2)]);
        // Those that come too late are made up for: a round is done in a second.
        for gap in [16.7, 25.0, 33.3, 41.7, 50.0, 66.7] {
            let last = tiles(gap, 70)[ROUND - 1].0;
            assert!(f64::from(last) * gap <= 1000.0 + gap, "{gap}: {last}");
        }
    }

    /// In a new video, and where something moves again: also in frames that are not searched.
    #[test]
    fn a_round_of_tiles_is_done_within_a_second_whatever_is_known() {
        let mut schedule = FrameSchedule::default();
        let mut rounds = [Vec::new(), Vec::new()];
        for frame in 0..200u32 {
            let now = 33.3 * f64::from(frame);
            schedule.compared(now, frame == 0 || frame == 100);
            let tile = match schedule.mode(now, ONE) {
                FrameMode::Skip => continue,
                FrameMode::Follow => schedule.look(now),
                FrameMode::Search => schedule.search(now),
            };
            rounds[usize::from(frame >= 100)].extend(tile.map(|_| frame));
        }
        for (round, start) in rounds.iter().zip([0, 100]) {
            let last = round[ROUND - 1] - start;
            assert!(last <= 31, "{round:?}");
        }
    }

    #[test]
    fn a_still_picture_is_processed_once_a_second() {
        let mut schedule = FrameSchedule::default();
        let mut processed = Vec::new();
        for frame in 0..200u32 {
            let now = 25.0 * f64::from(frame);
            schedule.compared(now, frame == 0 || frame == 120);
            match schedule.mode(now, ONE) {
                FrameMode::Skip => continue,
                FrameMode::Follow => schedule.look(now),
                FrameMode::Search => schedule.search(now),
            };
            processed.push(frame);
        }
        // A second, until all is at rest and all tiles have had their turn, then once a second; and at once
        // when something moves.
        println!("{processed:?}");
        let first = processed.iter().take_while(|frame| **frame < 60).count() as u32;
        assert!((38..=46).contains(&first), "{first} {processed:?}");
        assert!(processed.contains(&120) && processed.iter().filter(|frame| **frame >= 120).count() < 50);
        assert_eq!(processed.iter().filter(|frame| (60..120).contains(*frame)).count(), 1, "{processed:?}");
    }

    #[test]
    fn moving_pictures_are_compared_now_and_then_and_still_ones_always() {
        let mut schedule = FrameSchedule::default();
        let mut compared = Vec::new();
        for frame in 0..48u32 {
            let now = 25.0 * f64::from(frame);
            if schedule.compares(now) {
                // It moves until the twentieth frame.
                schedule.compared(now, frame < 20);
                compared.push(frame);
            }
            schedule.mode(now, ONE);
        }
        let expected: Vec<u32> = (0..36).step_by(4).chain(36..48).collect();
        assert_eq!(compared, expected);
    }

    #[test]
    fn clocks_that_cannot_be_trusted_make_everything_due() {
        let mut schedule = FrameSchedule::default();
        for now in [1000.0, 500.0, f64::NAN, 400.0, f64::INFINITY, -1e300, f64::NEG_INFINITY] {
            schedule.compared(now, false);
            assert_eq!(schedule.mode(now, ONE), FrameMode::Search, "{now}");
            schedule.search(now);
        }
    }

    /// Runs `faces` settled faces for three seconds; returns how many were estimated in each frame, and the
    /// longest that one waited.
    fn rounds(faces: usize, gap: f64) -> (Vec<usize>, f64) {
        let mut schedule = FrameSchedule::default();
        let mut last = vec![0.0f64; faces];
        let (mut counts, mut longest, mut chosen) = (Vec::new(), 0.0f64, Vec::new());
        let mut now = 0.0;
        while now < 3000.0 {
            schedule.compared(now, true);
            schedule.mode(now, ONE);
            let known: Vec<_> = last
                .iter()
                .map(|last| Some(Recognised { id: 1, sure: true, seconds: (now - last) / 1000.0 }))
                .collect();
            schedule.estimates(&known, &mut chosen);
            counts.push(chosen.len());
            for face in &chosen {
                longest = longest.max(now - last[*face]);
                last[*face] = now;
            }
            now += gap;
        }
        (counts, longest)
    }

    #[test]
    fn settled_faces_take_turns() {
        for (faces, gap, most) in
            [(1, 33.0, 1), (6, 33.0, 1), (20, 33.0, 4), (3, 150.0, 3), (3, 250.0, 3), (1, 16.0, 1)]
        {
            let (counts, longest) = rounds(faces, gap);
            let rate = counts.iter().sum::<usize>() as f64 / (faces as f64 * 3.0);
            println!("{faces} faces, {gap} ms: {rate:.1} a second each, at most {longest} ms apart");
            assert!(counts.iter().all(|count| *count <= most), "{faces} {gap}: {counts:?}");
            assert!(longest <= ESTIMATE_MS + 1.5 * gap, "{faces} {gap}: {longest}");
            let expected = (1000.0 / ESTIMATE_MS).min(1000.0 / gap);
            assert!((rate - expected).abs() < 0.4, "{faces} {gap}: {rate}");
        }
    }

    #[test]
    fn new_and_unsettled_faces_are_estimated_at_once() {
        let mut schedule = FrameSchedule::default();
        let known = |sure, seconds| Some(Recognised { id: 1, sure, seconds });
        let mut chosen = vec![7];
        for frame in 0..3 {
            schedule.compared(100.0 * f64::from(frame), true);
            schedule.mode(100.0 * f64::from(frame), ONE);
            let known = [known(true, 0.1), None, known(false, 0.03), known(true, 0.3)];
            schedule.estimates(&known, &mut chosen);
            // One of the two settled ones in each 100 ms, and not before the first of them.
            assert_eq!(chosen, if frame == 0 { vec![1, 2] } else { vec![1, 2, 3] });
        }
    }
}
