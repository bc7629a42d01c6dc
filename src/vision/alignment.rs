//! From a face's key points to the pictures that a network looks at.
//!
//! A similarity transform (rotation, scale, shift) brings the eyes and the mouth to fixed places of a 160x160 picture, by
//! least squares. M-CNN's three 64x64 pictures are cut out of that one. Training crops are cut by the same code, with a margin for
//! augmentation around them.

use crate::model::NetworkKind;
use crate::picture::{Border, Frame, Sampler, Similarity};
use crate::source::{Cut, Source};

/// Side of the aligned crop in pixels.
pub const SIDE: usize = 160;

/// Extra pixels at each side of a stored training crop.
pub const MARGIN: usize = 16;

/// Side of a stored training crop.
pub const STORED_SIDE: usize = SIDE + 2 * MARGIN;

/// Where the key points go, in pixels of the crop: the subject's right eye (left in the picture), left eye, and the mouth's centre.
///
/// The eyes' distance of 46 leaves the forehead up to the hair, the chin and the ears inside.
pub const PLACES: [[f32; 2]; 3] = [[57.0, 56.0], [103.0, 56.0], [80.0, 107.0]];

/// Where the tip of the nose then lies.
const NOSE: [f32; 2] = [80.0, 84.0];

/// Sides of M-CNN's crops, concentric on the nose, in pixels of the aligned crop: the face with context, the face box,
/// the inner face from eyes to mouth.
pub const SCALES: [f32; 3] = [152.0, 112.0, 72.0];

/// The transforms from pixels of M-CNN's pictures, `side` x `side` each, to pixels of the aligned crop.
pub fn scales(side: usize) -> [Similarity; 3] {
    SCALES.map(|extent| {
        let [left, top] = NOSE.map(|centre| centre - extent / 2.0);
        Similarity::new(extent / side as f32, 0.0, left, top)
    })
}

/// The transform from pixels of the crop to pixels of the frame.
///
/// `landmarks` are a detection's six key points in frame pixels (see [`crate::vision`]). `None` if eyes and mouth fall on one point.
pub fn alignment(landmarks: &[[f32; 2]; 6]) -> Option<Similarity> {
    let [right_eye, left_eye, _nose, mouth, ..] = *landmarks;
    Similarity::fit(&PLACES, &[right_eye, left_eye, mouth])
}

/// The largest square in the middle of the frame, for pictures in which no face is found.
pub fn centred_square(frame: &Frame) -> Similarity {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let side = width.min(height);
    Similarity::new(side / SIDE as f32, 0.0, (width - side) / 2.0, (height - side) / 2.0)
}

/// The aligned crop: [`SIDE`] x [`SIDE`] RGB.
pub fn cut(picture: &impl Source, alignment: &Similarity) -> Cut {
    let mut out = Cut::default();
    cut_into(picture, alignment, &mut Sampler::default(), &mut out);
    out
}

/// [`cut`] into a buffer, as [`Frame::sample_into`].
pub fn cut_into(picture: &impl Source, alignment: &Similarity, sampler: &mut Sampler, out: &mut Cut) {
    picture.cut(alignment, SIDE, Border::Replicate, sampler, out);
}

/// The same with its margin: [`STORED_SIDE`] x [`STORED_SIDE`] RGB.
pub fn cut_with_margin(frame: &Frame, alignment: &Similarity) -> Vec<u8> {
    let shift = Similarity::new(1.0, 0.0, -(MARGIN as f32), -(MARGIN as f32));
    frame.sample(&alignment.after(&shift), STORED_SIDE, STORED_SIDE, Border::Replicate)
}

/// The input of a network, made of the aligned crop: `crops x side x side x 3` floats in -1..1 (see [`NetworkKind`]).
///
/// # Panics
/// If `crop` is not [`SIDE`] x [`SIDE`] RGB.
pub fn network_input(kind: NetworkKind, crop: &[u8]) -> Vec<f32> {
    InputMaker::default().run(kind, crop).to_vec()
}

/// Makes the inputs of a network, one after the other in the same buffers.
#[derive(Debug, Clone, Default)]
pub struct InputMaker {
    input: Vec<f32>,
    rgba: Vec<u8>,
    part: Vec<u8>,
    sampler: Sampler,
}

impl InputMaker {
    /// [`network_input`], which allocates nothing from the second one on.
    ///
    /// # Panics
    /// If `crop` is not [`SIDE`] x [`SIDE`] RGB.
    pub fn run(&mut self, kind: NetworkKind, crop: &[u8]) -> &[f32] {
        assert_eq!(crop.len(), SIDE * SIDE * 3);
        let Self { input, rgba, part, sampler } = self;
        input.clear();
        match kind {
            NetworkKind::Base | NetworkKind::DCnn => input.extend(normalised(crop)),
            NetworkKind::MCnn => {
                rgba.clear();
                rgba.extend(crop.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]));
                let frame = Frame::new(SIDE, SIDE, rgba).expect("sizes match");
                let side = kind.side();
                for transform in scales(side) {
                    frame.sample_into(&transform, [side; 2], Border::Replicate, sampler, part);
                    input.extend(normalised(part));
                }
            }
        }
        input
    }
}

fn normalised(rgb: &[u8]) -> impl Iterator<Item = f32> {
    rgb.iter().map(|v| f32::from(*v) / 127.5 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::FRAC_PI_6;

    /// A smooth picture in which every place looks different, seen through `view` (frame pixels to picture).
    fn picture(side: usize, view: &Similarity) -> Vec<u8> {
        let mut rgba = Vec::with_capacity(side * side * 4);
        for y in 0..side {
            for x in 0..side {
                let [u, v] = view.apply([x as f32 + 0.5, y as f32 + 0.5]);
                let wave = |a: f32, b: f32| (127.0 + 60.0 * (u * a).sin() + 60.0 * (v * b).cos()) as u8;
                rgba.extend([wave(0.05, 0.03), wave(0.02, 0.06), wave(0.04, 0.04), 255]);
            }
        }
        rgba
    }

    fn landmarks(view: &Similarity) -> [[f32; 2]; 6] {
        let back = view.inverse().unwrap();
        [[130., 150.], [190., 150.], [160., 185.], [160., 217.], [100., 160.], [220., 160.]]
            .map(|p| back.apply(p))
    }

    fn mean_difference(a: &[u8], b: &[u8]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| f32::from(a.abs_diff(*b))).sum::<f32>() / a.len() as f32
    }

    #[test]
    fn a_turned_or_scaled_face_gives_the_same_crop() {
        let upright = Similarity::new(1.0, 0.0, 0.0, 0.0);
        let plain = picture(320, &upright);
        let frame = Frame::new(320, 320, &plain).unwrap();
        let expected = cut(&frame, &alignment(&landmarks(&upright)).unwrap()).rgb;
        let views = [
            // Turned by 30 degrees either way about the middle, and at other scales.
            Similarity::new(1.0, FRAC_PI_6, 101.4, -58.6),
            Similarity::new(1.0, -FRAC_PI_6, -58.6, 101.4),
            Similarity::new(0.7, 0.2, 60.0, 20.0),
            Similarity::new(1.3, 0.0, -48.0, -48.0),
        ];
        for view in views {
            let turned = picture(400, &view);
            let frame = Frame::new(400, 400, &turned).unwrap();
            let crop = cut(&frame, &alignment(&landmarks(&view)).unwrap()).rgb;
            let difference = mean_difference(&crop, &expected);
            assert!(difference < 2.0, "{view:?}: {difference}");
        }
        // The measure notices a face that is not aligned.
        let off = cut(&frame, &Similarity::new(1.2, 0.3, 40.0, 40.0)).rgb;
        assert!(mean_difference(&off, &expected) > 10.0);
    }

    #[test]
    fn the_places_are_met() {
        let points = [[40., 60.], [80., 50.], [0., 0.], [68., 100.], [0., 0.], [0., 0.]];
        let t = alignment(&points).unwrap();
        // A person's eyes and mouth need not have the template's proportions; the middle of the three is met.
        let middle =
            |p: [[f32; 2]; 3]| [(p[0][0] + p[1][0] + p[2][0]) / 3.0, (p[0][1] + p[1][1] + p[2][1]) / 3.0];
        let [x, y] = t.apply(middle(PLACES));
        let [ex, ey] = middle([points[0], points[1], points[3]]);
        assert!((x - ex).abs() < 1e-3 && (y - ey).abs() < 1e-3);
        assert!(alignment(&[[5.0, 5.0]; 6]).is_none());
    }

    #[test]
    fn the_margin_surrounds_the_crop() {
        let plain = picture(320, &Similarity::new(1.0, 0.0, 0.0, 0.0));
        let frame = Frame::new(320, 320, &plain).unwrap();
        let t = alignment(&landmarks(&Similarity::new(1.0, 0.0, 0.0, 0.0))).unwrap();
        let (crop, stored) = (cut(&frame, &t).rgb, cut_with_margin(&frame, &t));
        let inner: Vec<u8> = (0..SIDE)
            .flat_map(|y| stored[((y + MARGIN) * STORED_SIDE + MARGIN) * 3..][..SIDE * 3].to_vec())
            .collect();
        assert!(mean_difference(&crop, &inner) < 0.05);
    }

    #[test]
    fn network_inputs() {
        let crop: Vec<u8> = (0..SIDE * SIDE * 3).map(|i| (i % 256) as u8).collect();
        let input = network_input(NetworkKind::DCnn, &crop);
        assert_eq!(input.len(), NetworkKind::DCnn.input_len());
        assert!(input[0] == -1.0 && input[255] == 1.0);
        let input = network_input(NetworkKind::MCnn, &[255; SIDE * SIDE * 3]);
        assert_eq!(input.len(), NetworkKind::MCnn.input_len());
        assert!(input.iter().all(|v| *v == 1.0));
        let frame = [9u8; 30 * 20 * 4];
        let square = centred_square(&Frame::new(30, 20, &frame).unwrap());
        assert_eq!(square.apply([0.0, 0.0]), [5.0, 0.0]);
        assert_eq!(square.apply([160.0, 160.0]), [25.0, 20.0]);
    }
}
