//! The search for faces in pictures of any size, whatever the network says of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mien::engine::{Outputs, Region};
use mien::net::blaze_face::{VALUES, anchors};
use mien::vision::{Detection, DetectionError, DetectorOptions, Finder, Rect, Search, find_in_photo, tiles};
use mien_fuzz::Input;
use pollster::block_on;

/// The most regions of a search: its views, and as many refinements as it makes of candidates.
const MOST_REGIONS: usize = 700;
/// The most of all searches for a photo's faces: as it lies and turned in three ways, each time all of it, with a
/// border, and in the ten parts of a crowd at most.
const MOST_PASSES: usize = 4 * 12 * MOST_REGIONS;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let most = [64, 640, 4000, 40_000][input.below(4)];
    let size = [1 + input.below(most), 1 + input.below(most)];
    let whole = Rect::whole(size);
    let looks = tiles::looks(whole).count();
    assert!(looks <= 400, "{looks}");
    let mut finder = Finder::default();
    for _ in 0..1 + input.below(3) {
        let mut seen = 0;
        let kind = input.byte();
        let tile = tiles::looks(whole).nth(input.below(looks)).filter(|_| kind & 1 == 0);
        let known: Vec<Rect> = (0..input.below(5)).map(|_| known(&mut input)).collect();
        // What a network says of nothing.
        let run = async |regions: &[Region], outputs: &mut Outputs| {
            assert!(regions.len() <= MOST_REGIONS, "{}", regions.len());
            seen += regions.len();
            answer(&mut input, regions, outputs);
            Ok::<_, DetectionError>(())
        };
        let result = match kind {
            0..=63 => block_on(finder.find(whole, Search::Whole, run)),
            64..=99 => block_on(finder.find(whole.with_border(), Search::Refined, run)),
            100..=127 => block_on(finder.find(whole, Search::Tiled, run)),
            128..=159 => block_on(finder.search(whole, tile, &known, run)),
            160..=191 => block_on(finder.follow(whole, tile, &known, run)).map(|_| ()),
            _ => block_on(find_in_photo(&mut finder, size, run)).map(|found| are_faces(&found.faces)),
        };
        assert!(seen <= MOST_PASSES, "{seen}");
        match result {
            Ok(()) => are_faces(finder.faces()),
            Err(error) => assert_eq!(error, DetectionError::NotFinite),
        }
    }
});

/// A place where a face is expected.
fn known(input: &mut Input) -> Rect {
    if input.byte() < 64 { input.any_rect() } else { input.face().bbox }
}

fn answer(input: &mut Input, regions: &[Region], outputs: &mut Outputs) {
    outputs.clear();
    for Region { side, .. } in regions {
        assert!(side % 32 == 0 && (32..=128).contains(side), "{side}");
        outputs.push(|numbers| {
            let (start, count) = (numbers.len(), anchors(*side));
            numbers.resize(start + count * VALUES, 0.0);
            numbers.resize(start + count * (VALUES + 1), -20.0);
            let numbers = &mut numbers[start..];
            // Later regions see what the last ones of the input say: in one place or two.
            for _ in 0..input.below(6) {
                let anchor = input.below(count);
                numbers[count * VALUES + anchor] = match input.byte() {
                    0..=15 => input.any_f32(),
                    logit => f32::from(logit) / 16.0 - 6.0,
                };
                let is_any = input.byte() < 32;
                for value in &mut numbers[anchor * VALUES..][..VALUES] {
                    *value = if is_any { input.any_f32() } else { f32::from(input.byte()) / 2.0 - 16.0 };
                }
            }
        });
    }
}

fn are_faces(faces: &[Detection]) {
    assert!(faces.len() <= DetectorOptions::default().most_faces);
    assert!(faces.is_sorted_by(|a, b| a.score >= b.score), "{faces:?}");
    assert!(faces.iter().all(|face| (0.0..=1.0).contains(&face.score)), "{faces:?}");
}
