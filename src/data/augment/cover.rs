//! Things before a face: glasses, a mask, a scarf, a hat, a hand.

use rand::{Rng, RngExt};

use super::canvas::Canvas;
use crate::vision::alignment::{MARGIN, PLACES};

/// Covers a part of the face in a stored crop.
pub fn paint(canvas: &mut Canvas, rng: &mut impl Rng) {
    match rng.random_range(0..6) {
        0 => sunglasses(canvas, rng),
        1 => spectacles(canvas, rng),
        2 => mask(canvas, rng),
        3 => scarf(canvas, rng),
        4 => hat(canvas, rng),
        _ => thing(canvas, rng),
    }
}

/// Places of the aligned crop in the stored one.
fn places() -> [[f32; 2]; 3] {
    PLACES.map(|place| place.map(|at| at + MARGIN as f32))
}

/// Opacity near an edge: 1 inside (`distance` below 0), 0 outside, one pixel between.
fn inside(distance: f32) -> f32 {
    0.5 - distance
}

/// Distance to the edge of a box with round corners, negative inside; `dx` and `dy` from its centre.
fn rounded(dx: f32, dy: f32, half: [f32; 2], radius: f32) -> f32 {
    let (x, y) = (dx.abs() - half[0] + radius, dy.abs() - half[1] + radius);
    x.max(0.0).hypot(y.max(0.0)) + x.max(y).min(0.0) - radius
}

/// A colour of cloth: any hue, often pale, dark or grey.
fn cloth(rng: &mut impl Rng) -> [f32; 3] {
    let level = rng.random_range(15.0..235.0);
    let spread = rng.random::<f32>().powi(2) * 110.0;
    std::array::from_fn(|_| (level + spread * (2.0 * rng.random::<f32>() - 1.0)).clamp(5.0, 250.0))
}

/// Half extents and corner radius of a lens.
fn lens(rng: &mut impl Rng) -> ([f32; 2], f32) {
    let half = [rng.random_range(15.0..21.0), rng.random_range(10.0..17.0)];
    (half, half[1] * rng.random_range(0.4..1.0))
}

/// Distance from the bridge between two lenses and the temples beside them.
fn bar(x: f32, y: f32, half: [f32; 2]) -> f32 {
    let [[left, eye, ..], [right, ..], _] = places();
    let within = x > left - half[0] && x < left + half[0] || x > right - half[0] && x < right + half[0];
    if within { f32::INFINITY } else { (y - eye + 3.0).abs() - 1.8 }
}

fn sunglasses(canvas: &mut Canvas, rng: &mut impl Rng) {
    let (half, radius) = lens(rng);
    let opacity = rng.random_range(0.6..1.0);
    let tint: [f32; 3] = std::array::from_fn(|_| rng.random_range(5.0..70.0));
    let gleam = rng.random_range(0.0..50.0);
    let [left, right, _] = places();
    let shape = |x: f32, y: f32| {
        let lenses = [left, right].map(|[cx, cy]| rounded(x - cx, y - cy - 2.0, half, radius));
        lenses[0].min(lenses[1]).min(bar(x, y, half))
    };
    canvas.paint(
        |x, y| inside(shape(x, y)).min(1.0) * opacity,
        |_, y| tint.map(|v| v + gleam * ((y - left[1]) / half[1]).clamp(0.0, 1.0)),
    );
}

fn spectacles(canvas: &mut Canvas, rng: &mut impl Rng) {
    let (half, radius) = lens(rng);
    let thickness = rng.random_range(0.8..2.4);
    let colour = cloth(rng).map(|v| 0.6 * v);
    let glare = rng.random::<f32>().powi(2) * 0.45;
    let [left, right, _] = places();
    let lenses = |x: f32, y: f32| {
        let lenses = [left, right].map(|[cx, cy]| rounded(x - cx, y - cy - 2.0, half, radius));
        lenses[0].min(lenses[1])
    };
    let frame = |x: f32, y: f32| (lenses(x, y).abs() - thickness).min(bar(x, y, half));
    // A window's reflection in a stripe of each glass.
    canvas.paint(
        |x, y| if lenses(x, y) < 0.0 && (x + y).rem_euclid(46.0) < 17.0 { glare } else { 0.0 },
        |_, _| [235.0, 240.0, 245.0],
    );
    canvas.paint(|x, y| inside(frame(x, y)), |_, _| colour);
}

fn mask(canvas: &mut Canvas, rng: &mut impl Rng) {
    let colour = match rng.random_range(0..4) {
        0 => [150.0, 195.0, 220.0],
        1 => [235.0, 238.0, 240.0],
        2 => [28.0, 28.0, 32.0],
        _ => cloth(rng),
    };
    let [_, _, [mx, my]] = places();
    let half = [rng.random_range(36.0..46.0), rng.random_range(28.0..36.0)];
    let (cx, cy) = (mx + rng.random_range(-3.0..3.0), my + rng.random_range(-4.0..4.0));
    let folds = if rng.random_bool(0.6) { rng.random_range(4.0..14.0) } else { 0.0 };
    canvas.paint(
        |x, y| {
            let (dx, dy) = (x - cx, y - cy);
            // Narrower below, and higher over the nose.
            let narrow = 1.0 + 0.25 * (dy / half[1]).max(0.0);
            let raised = dy + 5.0 * (1.0 - (dx / half[0]).abs()).max(0.0);
            let straps =
                if dx.abs() > half[0] * 0.9 { (dy + 14.0 + 0.15 * dx.abs() - 6.0).abs() - 1.0 } else { 9.0 };
            inside(rounded(dx * narrow, raised, half, 14.0).min(straps))
        },
        |x, y| {
            let fold = folds * ((y - cy) * 0.5).sin().max(0.0);
            let round = 26.0 * ((x - cx) / half[0]).powi(2);
            colour.map(|v| (v - fold - round).max(0.0))
        },
    );
}

fn scarf(canvas: &mut Canvas, rng: &mut impl Rng) {
    let (one, two) = (cloth(rng), cloth(rng));
    let [_, _, [mx, my]] = places();
    let top = my + rng.random_range(-8.0..18.0);
    let (slope, sag) = (rng.random_range(-0.25..0.25), rng.random_range(0.0..0.006));
    let (period, angle) = (rng.random_range(6.0..24.0), rng.random_range(-0.8..0.8f32));
    let striped = rng.random_bool(0.5);
    canvas.paint(
        |x, y| inside(top + slope * (x - mx) - sag * (x - mx).powi(2) - y),
        |x, y| {
            let along = x * angle.sin() + y * angle.cos();
            let colour = if striped && along.rem_euclid(period) < period / 2.0 { two } else { one };
            let crease = 14.0 * (0.23 * y + 0.06 * x).sin();
            colour.map(|v| (v + crease).clamp(0.0, 255.0))
        },
    );
}

/// A hat, or hair over the forehead.
fn hat(canvas: &mut Canvas, rng: &mut impl Rng) {
    let [[left, eye], [right, _], _] = places();
    let centre = (left + right) / 2.0;
    let brim = eye - rng.random_range(12.0..32.0);
    let (bend, slope) = (rng.random_range(-0.004..0.004), rng.random_range(-0.15..0.15));
    let hair = rng.random_bool(0.4);
    let colour = if hair { cloth(rng).map(|v| 0.35 * v) } else { cloth(rng) };
    // Strands of hair end at different heights; knitting has ribs.
    let (period, ragged) =
        (rng.random_range(2.5..7.0f32), if hair { rng.random_range(4.0..10.0) } else { 0.0 });
    let phase = rng.random_range(0.0..6.0);
    canvas.paint(
        |x, y| {
            let dx = x - centre;
            let wave = (dx / period + phase).sin() + (dx / period * 0.37 + phase).sin();
            inside(y - (brim + slope * dx + bend * dx * dx + ragged * 0.5 * wave))
        },
        |x, y| {
            let rib = 12.0 * ((x - centre) / period + phase).sin() + 0.15 * (brim - y);
            colour.map(|v| (v + rib).clamp(0.0, 255.0))
        },
    );
}

/// A hand, a phone, a shoulder: something in any place, up to two fifths of the face across.
fn thing(canvas: &mut Canvas, rng: &mut impl Rng) {
    let side = canvas.side as f32;
    let skin = [rng.random_range(120.0..235.0), 0.0, 0.0];
    let colour = if rng.random_bool(0.5) { [skin[0], 0.76 * skin[0], 0.62 * skin[0]] } else { cloth(rng) };
    let (cx, cy) = (rng.random_range(0.15..0.85) * side, rng.random_range(0.15..0.85) * side);
    let half = [rng.random_range(8.0..32.0), rng.random_range(8.0..32.0f32)];
    let (sin, cos) = rng.random_range(0.0..std::f32::consts::PI).sin_cos();
    let radius = half[0].min(half[1]) * rng.random_range(0.1..1.0);
    let shading = rng.random_range(-1.0..1.0f32);
    let turned = |x: f32, y: f32| [(x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin];
    canvas.paint(
        |x, y| {
            let [dx, dy] = turned(x, y);
            inside(rounded(dx, dy, half, radius))
        },
        |x, y| {
            let [dx, _] = turned(x, y);
            colour.map(|v| (v * (1.0 + 0.3 * shading * dx / half[0])).clamp(0.0, 255.0))
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::alignment::STORED_SIDE;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Whether the pixel at a place of the stored crop has changed.
    fn covered(paint: impl Fn(&mut Canvas, &mut ChaCha8Rng), seed: u64, [x, y]: [f32; 2]) -> bool {
        let mut canvas = Canvas::of(&[0, 255, 0].repeat(STORED_SIDE * STORED_SIDE), STORED_SIDE, false);
        paint(&mut canvas, &mut ChaCha8Rng::seed_from_u64(seed));
        canvas.pixels[(y as usize * STORED_SIDE + x as usize) * 4..][..3] != [0, 255, 0]
    }

    #[test]
    fn things_cover_what_they_are_for() {
        let [left, right, mouth] = places();
        for seed in 0..40 {
            assert!(covered(sunglasses, seed, left) && covered(sunglasses, seed, right));
            assert!(!covered(sunglasses, seed, mouth) && !covered(spectacles, seed, mouth));
            assert!(covered(mask, seed, mouth) && !covered(mask, seed, left));
            assert!(covered(scarf, seed, [mouth[0], 190.0]) && !covered(scarf, seed, left));
            assert!(covered(hat, seed, [mouth[0], 2.0]) && !covered(hat, seed, mouth));
        }
    }

    #[test]
    fn no_more_than_half_is_covered() {
        for seed in 0..120 {
            let mut canvas = Canvas::of(&[0, 255, 0].repeat(STORED_SIDE * STORED_SIDE), STORED_SIDE, false);
            paint(&mut canvas, &mut ChaCha8Rng::seed_from_u64(seed));
            let changed = canvas.pixels.as_chunks::<4>().0.iter().filter(|p| p[..3] != [0, 255, 0]).count();
            assert!(changed > 0 && 2 * changed < STORED_SIDE * STORED_SIDE, "{seed}: {changed}");
        }
    }
}
