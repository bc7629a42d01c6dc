//! Random changes that leave age and gender as they are.

use rand::{Rng, RngExt};

use crate::picture::Similarity;
use crate::vision::alignment::{MARGIN, SIDE, STORED_SIDE};

/// How far each change may go.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Augmentation {
    /// Probability of a mirror image.
    pub flip: f64,
    /// Rotation in degrees to either side.
    pub rotation: f32,
    /// Scale, as a share, up or down.
    pub scale: f32,
    /// Shift in pixels, each direction.
    pub shift: f32,
    /// Brightness, contrast and saturation, as a share.
    pub colour: f32,
    /// Probability of losing all colour.
    pub grey: f64,
    /// Probability of a loss of detail, as from a small or soft picture.
    pub soft: f64,
    /// Probability that a rectangle is painted over.
    pub erase: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            flip: 0.5,
            rotation: 8.0,
            scale: 0.08,
            shift: 5.0,
            colour: 0.25,
            grey: 0.05,
            soft: 0.15,
            erase: 0.2,
        }
    }
}

impl Augmentation {
    /// The middle of a stored crop, [`SIDE`] x [`SIDE`] RGB, changed at random.
    pub fn apply(&self, stored: &[u8], rng: &mut impl Rng) -> Vec<u8> {
        let mut out = self.place(stored, rng);
        if rng.random_bool(self.soft) {
            soften(&mut out, rng.random_range(1.5..3.0));
        }
        self.recolour(&mut out, rng);
        if rng.random_bool(self.erase) {
            erase(&mut out, rng);
        }
        out
    }

    fn place(&self, stored: &[u8], rng: &mut impl Rng) -> Vec<u8> {
        let mut within = |limit: f32| if limit > 0.0 { rng.random_range(-limit..=limit) } else { 0.0 };
        let centre = SIDE as f32 / 2.0;
        let turn = Similarity::new(1.0 + within(self.scale), within(self.rotation).to_radians(), 0.0, 0.0);
        let (dx, dy) = (within(self.shift), within(self.shift));
        let [cx, cy] = turn.apply([-centre, -centre]);
        let middle = centre + MARGIN as f32;
        let flip = rng.random_bool(self.flip);
        let (tx, ty) = (cx + middle + dx, cy + middle + dy);
        let mut out = vec![0; SIDE * SIDE * 3];
        for (y, row) in out.chunks_exact_mut(SIDE * 3).enumerate() {
            for (x, pixel) in row.as_chunks_mut::<3>().0.iter_mut().enumerate() {
                let x = if flip { SIDE - 1 - x } else { x } as f32 + 0.5;
                let y = y as f32 + 0.5;
                let (fx, fy) = (turn.a * x - turn.b * y + tx, turn.b * x + turn.a * y + ty);
                *pixel = bilinear(stored, fx - 0.5, fy - 0.5);
            }
        }
        out
    }

    fn recolour(&self, rgb: &mut [u8], rng: &mut impl Rng) {
        let mut factor =
            || if self.colour > 0.0 { 1.0 + rng.random_range(-self.colour..=self.colour) } else { 1.0 };
        let (brightness, contrast, mut saturation) = (factor(), factor(), factor());
        let tint: [f32; 3] = std::array::from_fn(|_| 1.0 + (factor() - 1.0) * 0.3);
        if rng.random_bool(self.grey) {
            saturation = 0.0;
        }
        let mean = rgb.iter().map(|v| f32::from(*v)).sum::<f32>() / rgb.len() as f32;
        for pixel in rgb.as_chunks_mut::<3>().0 {
            let [r, g, b] = pixel.map(f32::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            for ((value, out), tint) in [r, g, b].into_iter().zip(pixel).zip(tint) {
                let value = grey + (value - grey) * saturation;
                let value = mean + (value - mean) * contrast;
                // The cast saturates.
                *out = (value * brightness * tint + 0.5) as u8;
            }
        }
    }
}

/// The colour at (x, y), pixel centres at whole numbers, the border replicated.
fn bilinear(stored: &[u8], x: f32, y: f32) -> [u8; 3] {
    const LAST: f32 = (STORED_SIDE - 1) as f32;
    let (x, y) = (x.clamp(0.0, LAST), y.clamp(0.0, LAST));
    let (x0, y0) = (x as usize, y as usize);
    let (x1, y1) = ((x0 + 1).min(STORED_SIDE - 1), (y0 + 1).min(STORED_SIDE - 1));
    let (fx, fy) = (x - x0 as f32, y - y0 as f32);
    let at = |x: usize, y: usize| (y * STORED_SIDE + x) * 3;
    let (p00, p10, p01, p11) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
    std::array::from_fn(|c| {
        let get = |p: usize| f32::from(stored[p + c]);
        let top = get(p00) + (get(p10) - get(p00)) * fx;
        let bottom = get(p01) + (get(p11) - get(p01)) * fx;
        (top + (bottom - top) * fy + 0.5) as u8
    })
}

/// Shrinks by `factor` (nearest pixel of a 3x3 mean) and enlarges again.
fn soften(rgb: &mut [u8], factor: f32) {
    let small = (SIDE as f32 / factor) as usize;
    let scale = SIDE as f32 / small as f32;
    let mut reduced = vec![[0f32; 3]; small * small];
    for (i, pixel) in reduced.iter_mut().enumerate() {
        let (cx, cy) = (((i % small) as f32 + 0.5) * scale, ((i / small) as f32 + 0.5) * scale);
        for dy in -1i32..=1 {
            for dx in -1i32..=1 {
                let x = (cx as i32 + dx).clamp(0, SIDE as i32 - 1) as usize;
                let y = (cy as i32 + dy).clamp(0, SIDE as i32 - 1) as usize;
                for c in 0..3 {
                    pixel[c] += f32::from(rgb[(y * SIDE + x) * 3 + c]) / 9.0;
                }
            }
        }
    }
    for (i, pixel) in rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let limit = (small - 1) as f32;
        let x = (((i % SIDE) as f32 + 0.5) / scale - 0.5).clamp(0.0, limit);
        let y = (((i / SIDE) as f32 + 0.5) / scale - 0.5).clamp(0.0, limit);
        let (x0, y0) = (x as usize, y as usize);
        let (x1, y1) = ((x0 + 1).min(small - 1), (y0 + 1).min(small - 1));
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        for (c, out) in pixel.iter_mut().enumerate() {
            let get = |x: usize, y: usize| reduced[y * small + x][c];
            let top = get(x0, y0) + (get(x1, y0) - get(x0, y0)) * fx;
            let bottom = get(x0, y1) + (get(x1, y1) - get(x0, y1)) * fx;
            *out = (top + (bottom - top) * fy + 0.5) as u8;
        }
    }
}

/// Random erasing (Zhong et al. 2017): a rectangle of up to a third of each side in one random colour.
fn erase(rgb: &mut [u8], rng: &mut impl Rng) {
    let (w, h) = (rng.random_range(SIDE / 10..=SIDE / 3), rng.random_range(SIDE / 10..=SIDE / 3));
    let (x, y) = (rng.random_range(0..=SIDE - w), rng.random_range(0..=SIDE - h));
    let colour: [u8; 3] = rng.random();
    for row in rgb.chunks_exact_mut(SIDE * 3).skip(y).take(h) {
        row.as_chunks_mut::<3>().0[x..x + w].fill(colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    const NONE: Augmentation = Augmentation {
        flip: 0.0,
        rotation: 0.0,
        scale: 0.0,
        shift: 0.0,
        colour: 0.0,
        grey: 0.0,
        soft: 0.0,
        erase: 0.0,
    };

    fn stored() -> Vec<u8> {
        (0..STORED_SIDE * STORED_SIDE)
            .flat_map(|i| [(i % STORED_SIDE) as u8, (i / STORED_SIDE) as u8, 90])
            .collect()
    }

    #[test]
    fn nothing_allowed_is_the_middle() {
        let out = NONE.apply(&stored(), &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(out[..3], [MARGIN as u8, MARGIN as u8, 90]);
        let last = (MARGIN + SIDE - 1) as u8;
        assert_eq!(out[out.len() - 3..], [last, last, 90]);
        let flipped = Augmentation { flip: 1.0, ..NONE }.apply(&stored(), &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(flipped[..3], [last, MARGIN as u8, 90]);
    }

    #[test]
    fn the_seed_fixes_the_change() {
        let all = Augmentation { soft: 1.0, erase: 1.0, ..Augmentation::default() };
        let run = |seed| all.apply(&stored(), &mut ChaCha8Rng::seed_from_u64(seed));
        assert_eq!(run(5), run(5));
        assert_ne!(run(5), run(6));
    }

    #[test]
    fn softening_keeps_flat_and_blurs_sharp() {
        let mut flat = vec![77; SIDE * SIDE * 3];
        soften(&mut flat, 2.3);
        assert!(flat.iter().all(|v| *v == 77));
        let mut board: Vec<u8> = (0..SIDE * SIDE)
            .flat_map(|i| [if (i + i / SIDE).is_multiple_of(2) { 0 } else { 200 }; 3])
            .collect();
        soften(&mut board, 2.0);
        assert!(board.iter().all(|v| (60..140).contains(v)));
    }
}
