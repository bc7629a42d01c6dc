//! An old photograph: faded, toned, soft, grainy, scratched, and scanned.

use rand::{Rng, RngExt};

use super::canvas::Canvas;
use crate::vision::alignment::STORED_SIDE;

/// Makes a print of it, some decades old.
pub fn age(canvas: &mut Canvas, rng: &mut impl Rng) {
    let relative = canvas.side as f32 / STORED_SIDE as f32;
    canvas.blur((relative * rng.random_range(0.5..2.0)).max(0.3));
    let vignette = rng.random::<f32>().powi(2) * 0.5;
    canvas.multiply(|x, y| 1.0 - vignette * 0.5 * (x * x + y * y));
    fade(canvas, rng);
    if rng.random_bool(0.2) {
        // The lines of a newspaper's screen or a scanner.
        let (period, depth) = (rng.random_range(2.0..5.0f32), rng.random_range(0.03..0.12));
        let side = canvas.side as f32;
        let (sin, cos) =
            if rng.random_bool(0.5) { (1.0, 0.0) } else { rng.random_range(0.0..3.1f32).sin_cos() };
        let per_pixel = std::f32::consts::TAU / period * side / 2.0;
        canvas.multiply(|x, y| 1.0 - depth * (0.5 + 0.5 * ((x * cos + y * sin) * per_pixel).sin()));
    }
    let grain = rng.random_range(1..=2);
    canvas.noise(rng.random_range(3.0..16.0), rng.random_range(0.0..0.3), grain, rng);
    for _ in 0..rng.random_range(0..5) {
        scratch(canvas, rng);
    }
    for _ in 0..rng.random_range(0..12) {
        speck(canvas, rng);
    }
}

/// Grey, sepia or colours that have shifted, between a grey black and a yellowed white.
fn fade(canvas: &mut Canvas, rng: &mut impl Rng) {
    let gamma = rng.random_range(0.7..1.4f32);
    let black = rng.random_range(0.05..0.35f32);
    let white = rng.random_range(black + 0.38..1.0);
    let paper: [f32; 3] = match rng.random_range(0..3) {
        0 => {
            canvas.saturate(0.0);
            [1.0, 1.0, 1.0]
        }
        1 => {
            canvas.saturate(0.0);
            let depth = rng.random_range(0.3..1.0);
            [1.0, 1.0 - 0.13 * depth, 1.0 - 0.36 * depth]
        }
        _ => {
            canvas.saturate(rng.random_range(0.25..0.8));
            // Dyes fade at different speeds: mostly what is left is red, magenta or yellow.
            [rng.random_range(0.95..1.1), rng.random_range(0.8..1.0), rng.random_range(0.65..0.95)]
        }
    };
    canvas.map(&paper.map(|tone| {
        std::array::from_fn(|v| {
            ((black + (white - black) * (v as f32 / 255.0).powf(gamma)) * tone * 255.0 + 0.5) as u8
        })
    }));
}

/// A thin line across, mostly upright, light or dark.
fn scratch(canvas: &mut Canvas, rng: &mut impl Rng) {
    let side = canvas.side as f32;
    let (x0, lean, bend) =
        (rng.random_range(0.0..side), rng.random_range(-0.4..0.4f32), rng.random_range(-0.002..0.002));
    let (from, to) = (rng.random_range(0.0..0.5) * side, rng.random_range(0.5..1.0) * side);
    let (width, opacity) = (rng.random_range(0.4..1.1), rng.random_range(0.25..0.75));
    let across = rng.random_bool(0.3);
    let colour = if rng.random_bool(0.7) { [225.0; 3] } else { [40.0; 3] };
    canvas.paint(
        |x, y| {
            let (x, y) = if across { (y, x) } else { (x, y) };
            let off = (x - x0 - lean * (y - side / 2.0) - bend * (y - side / 2.0).powi(2)).abs();
            if (from..to).contains(&y) { (width + 0.5 - off).clamp(0.0, 1.0) * opacity } else { 0.0 }
        },
        |_, _| colour,
    );
}

/// A grain of dust, or a spot.
fn speck(canvas: &mut Canvas, rng: &mut impl Rng) {
    let side = canvas.side as f32;
    let (cx, cy) = (rng.random_range(0.0..side), rng.random_range(0.0..side));
    let radius = 0.6 + 2.4 * rng.random::<f32>().powi(3);
    let opacity = rng.random_range(0.3..0.9);
    let colour = if rng.random_bool(0.6) { [230.0; 3] } else { [50.0, 42.0, 35.0] };
    // Only the few pixels about it.
    let last = canvas.side - 1;
    let range = |c: f32| ((c - radius - 1.0).max(0.0) as usize)..=((c + radius + 1.0) as usize).min(last);
    for y in range(cy) {
        for x in range(cx) {
            let part =
                (radius + 0.5 - (x as f32 + 0.5 - cx).hypot(y as f32 + 0.5 - cy)).clamp(0.0, 1.0) * opacity;
            let pixel = &mut canvas.pixels[(y * (last + 1) + x) * 4..][..3];
            pixel
                .iter_mut()
                .zip(colour)
                .for_each(|(v, c)| *v = (f32::from(*v) + (c - f32::from(*v)) * part) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn prints_lose_contrast_and_most_of_their_colour() {
        let rgb: Vec<u8> = (0..STORED_SIDE * STORED_SIDE)
            .flat_map(|i| if i % STORED_SIDE < 96 { [0, 0, 0] } else { [255, 60, 20] })
            .collect();
        let mean = |canvas: &Canvas, columns: std::ops::Range<usize>, channel: usize| {
            let rows = canvas.pixels.chunks_exact(canvas.side * 4);
            let values = rows.flat_map(|row| columns.clone().map(|x| f32::from(row[x * 4 + channel])));
            values.sum::<f32>() / (columns.len() * canvas.side) as f32
        };
        for seed in 0..30 {
            let mut canvas = Canvas::of(&rgb, STORED_SIDE, false);
            age(&mut canvas, &mut ChaCha8Rng::seed_from_u64(seed));
            let (dark, bright) = (mean(&canvas, 10..80, 0), mean(&canvas, 110..180, 0));
            assert!(dark > 5.0 && bright > dark && bright - dark < 240.0, "{seed}: {dark} {bright}");
            let colour = bright - mean(&canvas, 110..180, 2);
            assert!(colour < 0.8 * 235.0, "{seed}: {colour}");
        }
    }
}
