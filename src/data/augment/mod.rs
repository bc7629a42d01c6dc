//! Random changes that leave age and gender as they are: what life does to a picture of a face.
//!
//! They come in the order in which they happen. Something covers the face (`cover`); a camera of some
//! resolution takes it in some light; film, noise and compression do theirs (`canvas`, `print`); and the
//! aligner, a little off, samples the crop. That last step is the only resampling, by the sampler that use
//! has, where the picture has its own resolution.

mod canvas;
mod cover;
mod print;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::picture::{Border, Similarity};
use crate::vision::alignment::{MARGIN, PLACES, SIDE, STORED_SIDE};
use canvas::Canvas;

/// A kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The mirror image.
    Mirror,
    /// Landmarks as far off as a detector's, and so a turn, a scale and a shift.
    Place,
    /// Glasses, a mask, a scarf, a hat, a hand.
    Cover,
    /// Few pixels: a face of 40 and more across.
    Small,
    /// Gamma, contrast, brightness.
    Light,
    /// Light from one side.
    Shade,
    /// Colour temperature and saturation.
    Colour,
    /// No colour.
    Grey,
    /// Out of focus, or moved.
    Blur,
    /// An old print, scanned: faded, toned, grainy, scratched.
    Print,
    /// A sensor's noise.
    Noise,
    /// JPEG of quality 10 to 90.
    Jpeg,
}

/// The kinds in their order, with the probability of each at strength 1.
pub const KINDS: [(Kind, f64); 12] = [
    (Kind::Mirror, 0.5),
    (Kind::Place, 1.0),
    (Kind::Cover, 0.12),
    (Kind::Small, 0.25),
    (Kind::Light, 0.7),
    (Kind::Shade, 0.2),
    (Kind::Colour, 0.5),
    (Kind::Grey, 0.1),
    (Kind::Blur, 0.15),
    (Kind::Print, 0.06),
    (Kind::Noise, 0.2),
    (Kind::Jpeg, 0.3),
];

/// The width of a face in the aligned crop, in pixels.
const FACE: f32 = 105.0;
/// The smallest face, in pixels of a camera.
const SMALLEST_FACE: f32 = 40.0;
/// How far off landmarks are, as a share of the face's width: standard deviation of each coordinate.
const LANDMARK_ERROR: f32 = 0.02;
/// Further turn in degrees, scale as a share, and shift in pixels, to either side: faces that are aligned
/// rightly but differ in build.
const TURN: f32 = 4.0;
const SCALE: f32 = 0.05;
const SHIFT: f32 = 2.5;

/// How often and how far pictures are changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Factor on the probabilities of [`KINDS`], but the mirror's; below 1 also on how far a change may go. 0
    /// is none, 1.5 the most.
    pub strength: f32,
    /// The kinds that there are.
    pub kinds: Vec<Kind>,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { strength: 1.0, kinds: KINDS.map(|(kind, _)| kind).to_vec() }
    }
}

impl Augmentation {
    /// The middle of a stored crop, [`SIDE`] x [`SIDE`] RGB, changed at random.
    pub fn apply(&self, stored: &[u8], rng: &mut impl Rng) -> Vec<u8> {
        // Drawn all at once, so that a kind left out changes nothing about the others.
        let mut on = KINDS.map(|(kind, probability)| {
            let factor = if kind == Kind::Mirror { 1.0 } else { f64::from(self.strength) };
            let drawn = rng.random_bool((probability * factor).min(1.0));
            drawn && self.strength > 0.0 && self.kinds.contains(&kind)
        });
        let mut on = |kind: Kind| std::mem::take(&mut on[kind as usize]);
        let far = self.strength.min(1.0);

        let mut canvas = Canvas::of(stored, STORED_SIDE, on(Kind::Mirror));
        if on(Kind::Cover) {
            cover::paint(&mut canvas, rng);
        }
        if on(Kind::Small) {
            let smallest = (SMALLEST_FACE / FACE).powf(far);
            let face = smallest.powf(rng.random::<f32>());
            canvas = canvas.resized((STORED_SIDE as f32 * face).round() as usize);
        }
        if on(Kind::Print) {
            print::age(&mut canvas, rng);
        }
        if on(Kind::Shade) {
            canvas.shade(0.6 * far * rng.random::<f32>(), rng.random_range(0.0..std::f32::consts::TAU));
        }
        if on(Kind::Blur) {
            blur(&mut canvas, far, rng);
        }
        let grey = on(Kind::Grey);
        let colour = on(Kind::Colour);
        if grey || colour {
            canvas.saturate(if grey { 0.0 } else { 1.0 + 0.5 * far * bell(rng) });
        }
        let mut tones = [1.0f32; 3];
        if colour && !grey {
            // Warm is more red and less blue; a little green either way is what lamps differ in.
            let warmth = (0.3 * far * bell(rng)).exp();
            tones = [warmth, (0.08 * far * bell(rng)).exp(), 1.0 / warmth];
        }
        let [mut gamma, mut contrast] = [1.0f32; 2];
        if on(Kind::Light) {
            let mut up_to = |limit: f32| limit.powf(far * bell(rng));
            (gamma, contrast) = (up_to(1.7), up_to(1.6));
            // A camera lets no whole face burn out: twice as bright only where it was dark.
            let brightest = (0.85 / canvas.mean().max(0.01)).max(1.6);
            let brightness = up_to(2.0).min(brightest);
            tones = tones.map(|tone| tone * brightness);
        }
        canvas.expose(gamma, contrast, tones);
        if on(Kind::Noise) {
            let sigma = 1.0 + 13.0 * far * rng.random::<f32>().powi(2);
            canvas.noise(sigma, rng.random(), 1, rng);
        }
        if on(Kind::Jpeg) {
            canvas.compress(rng.random_range(10..=90));
        }
        let place = if on(Kind::Place) { misplaced(far, rng) } else { Similarity::new(1.0, 0.0, 0.0, 0.0) };
        let side = canvas.side as f32 / STORED_SIDE as f32;
        let to_canvas = Similarity::new(side, 0.0, MARGIN as f32 * side, MARGIN as f32 * side);
        canvas.frame().sample(&to_canvas.after(&place), SIDE, SIDE, Border::Replicate)
    }
}

/// From -1 to 1, most often near 0: the mean of two even draws.
fn bell(rng: &mut impl Rng) -> f32 {
    rng.random::<f32>() + rng.random::<f32>() - 1.0
}

/// A normal deviate (Box and Muller 1958).
fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f32>()).ln()).sqrt();
    radius * (std::f32::consts::TAU * rng.random::<f32>()).cos()
}

/// Where the aligner takes the crop from when it errs.
fn misplaced(far: f32, rng: &mut impl Rng) -> Similarity {
    let sigma = LANDMARK_ERROR * FACE * far;
    let found = PLACES.map(|place| place.map(|at| at + sigma * normal(rng)));
    let aligned = Similarity::fit(&PLACES, &found).unwrap_or(Similarity::new(1.0, 0.0, 0.0, 0.0));
    let mut within = |limit: f32| far * limit * rng.random_range(-1.0..=1.0);
    let turn = Similarity::new(1.0 + within(SCALE), within(TURN).to_radians(), 0.0, 0.0);
    let centre = SIDE as f32 / 2.0;
    let [x, y] = turn.apply([-centre, -centre]);
    aligned.after(&turn.shifted(x + centre + within(SHIFT), y + centre + within(SHIFT)))
}

/// Out of focus, or in one case of three moved.
fn blur(canvas: &mut Canvas, far: f32, rng: &mut impl Rng) {
    let relative = canvas.side as f32 / STORED_SIDE as f32;
    if rng.random_bool(1.0 / 3.0) {
        canvas.smear(
            relative * (2.0 + 7.0 * far * rng.random::<f32>()),
            rng.random_range(0.0..std::f32::consts::PI),
        );
    } else {
        canvas.blur(relative * (0.6 + 1.8 * far * rng.random::<f32>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn only(kinds: &[Kind]) -> Augmentation {
        Augmentation { strength: 1.0, kinds: kinds.to_vec() }
    }

    fn stored() -> Vec<u8> {
        (0..STORED_SIDE * STORED_SIDE)
            .flat_map(|i| [(i % STORED_SIDE) as u8, (i / STORED_SIDE) as u8, 90])
            .collect()
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f32::from(a.abs_diff(*b))).sum::<f32>() / a.len() as f32
    }

    #[test]
    fn nothing_allowed_is_the_middle() {
        let none = [only(&[]), Augmentation { strength: 0.0, ..Augmentation::default() }];
        for none in none {
            let out = none.apply(&stored(), &mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(out[..3], [MARGIN as u8, MARGIN as u8, 90]);
            let last = (MARGIN + SIDE - 1) as u8;
            assert_eq!(out[out.len() - 3..], [last, last, 90]);
        }
    }

    #[test]
    fn half_of_all_are_mirrored() {
        let mirrored = (0..400)
            .filter(|seed| {
                let out = only(&[Kind::Mirror]).apply(&stored(), &mut ChaCha8Rng::seed_from_u64(*seed));
                assert!(out[0] == MARGIN as u8 || out[0] == (MARGIN + SIDE - 1) as u8);
                out[0] != MARGIN as u8
            })
            .count();
        assert!((160..=240).contains(&mirrored), "{mirrored}");
    }

    #[test]
    fn the_seed_fixes_the_change_and_every_kind_changes_something() {
        // With detail to lose, unlike a slope.
        let fine =
            || stored().into_iter().enumerate().map(|(i, v)| v ^ (i % 5 * 8) as u8).collect::<Vec<u8>>();
        let plain = only(&[]).apply(&fine(), &mut ChaCha8Rng::seed_from_u64(0));
        for (at, (kind, probability)) in KINDS.iter().enumerate() {
            assert_eq!(*kind as usize, at);
            let run = |seed| only(&[*kind]).apply(&fine(), &mut ChaCha8Rng::seed_from_u64(seed));
            let changed = (0..200).filter(|seed| run(*seed) != plain).count() as f64 / 200.0;
            assert_eq!(run(5), run(5));
            assert!((changed - probability).abs() < 0.12, "{kind:?}: {changed}");
        }
        let all = |seed| Augmentation::default().apply(&fine(), &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(all(5), all(5));
        assert_ne!(all(5), all(6));
    }

    #[test]
    fn landmarks_are_as_far_off_as_stated() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (mut shift, mut turn, n) = (0.0, 0.0, 2000.0);
        for _ in 0..n as usize {
            let place = misplaced(1.0, &mut rng);
            let [x, y] = place.apply([80.0, 73.0]);
            shift += ((x - 80.0).powi(2) + (y - 73.0).powi(2)) / n;
            turn += (place.b.atan2(place.a)).to_degrees().powi(2) / n;
        }
        // 2.1 pixels of three points' mean and an even 2.5 in each direction; 2.1 pixels over the points'
        // extent and an even 4 degrees.
        assert!((2.0..4.0).contains(&shift.sqrt()), "{}", shift.sqrt());
        assert!((2.5..5.0).contains(&turn.sqrt()), "{}", turn.sqrt());
    }

    #[test]
    fn a_weaker_change_is_a_smaller_one() {
        let plain = only(&[]).apply(&stored(), &mut ChaCha8Rng::seed_from_u64(0));
        // Without the mirror, which comes as often at any strength.
        let of = |strength| {
            let weak = Augmentation { strength, kinds: KINDS[1..].iter().map(|(kind, _)| *kind).collect() };
            let one =
                |seed| mean_difference(&weak.apply(&stored(), &mut ChaCha8Rng::seed_from_u64(seed)), &plain);
            (0..200).map(one).sum::<f32>()
        };
        let (weak, usual, strong) = (of(0.3), of(1.0), of(1.5));
        assert!(weak < usual && usual < strong, "{weak} {usual} {strong}");
    }
}
