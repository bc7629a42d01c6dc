//! From a face's landmarks to the region that a network is shown.
//!
//! A similarity transform (rotation, scale, shift) brings the eyes and the mouth to fixed places of a 160x160
//! picture, by least squares. Training crops are such regions, too, with a margin for augmentation around
//! them.

use crate::engine::Region;
use crate::picture::{Border, Similarity};

/// Side of the aligned crop in pixels.
pub const SIDE: usize = 160;

/// Extra pixels at each side of a stored training crop.
pub const MARGIN: usize = 16;

/// Side of a stored training crop.
pub const STORED_SIDE: usize = SIDE + 2 * MARGIN;

/// Where the landmarks go, in pixels of the crop: the subject's right eye (left in the picture), left eye,
/// and the mouth's centre.
///
/// The eyes' distance of 46 leaves the forehead up to the hair, the chin and the ears inside.
pub const PLACES: [[f32; 2]; 3] = [[57.0, 56.0], [103.0, 56.0], [80.0, 107.0]];

/// Counts what crops have shown: one more with every change to the above or to how faces are found for them.
/// Stored crops of another version are refused.
pub const VERSION: u32 = 2;

/// The transform from pixels of the crop to pixels of the frame.
///
/// `landmarks` are a detection's six, in frame pixels (see [`crate::vision`]). `None` if eyes and
/// mouth fall on one point.
pub fn alignment(landmarks: &[[f32; 2]; 6]) -> Option<Similarity> {
    let [right_eye, left_eye, _nose, mouth, ..] = *landmarks;
    Similarity::fit(&PLACES, &[right_eye, left_eye, mouth])
}

/// What a network is shown of an aligned face.
pub fn aligned(alignment: &Similarity) -> Region {
    Region { transform: *alignment, side: SIDE, border: Border::Replicate, mirrored: false }
}

/// The same with its margin.
pub fn aligned_with_margin(alignment: &Similarity) -> Region {
    let shift = Similarity::new(1.0, 0.0, -(MARGIN as f32), -(MARGIN as f32));
    Region {
        transform: alignment.after(&shift),
        side: STORED_SIDE,
        border: Border::Replicate,
        mirrored: false,
    }
}

/// As if the largest square in the middle were an aligned face, for pictures of `width` x `height` in which
/// no face is found.
pub fn centred_square([width, height]: [usize; 2]) -> Similarity {
    let (width, height) = (width as f32, height as f32);
    let side = width.min(height);
    Similarity::new(side / SIDE as f32, 0.0, (width - side) / 2.0, (height - side) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Frame;
    use std::f32::consts::FRAC_PI_6;

    #[test]
    fn what_crops_show_changes_with_the_version() {
        assert_eq!((VERSION, SIDE, MARGIN), (2, 160, 16), "raise VERSION");
        assert_eq!(PLACES, [[57.0, 56.0], [103.0, 56.0], [80.0, 107.0]], "raise VERSION");
    }

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

    fn cut(frame: &Frame, Region { transform, side, border, .. }: Region) -> Vec<u8> {
        frame.sample(&transform, side, side, border)
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
        let expected = cut(&frame, aligned(&alignment(&landmarks(&upright)).unwrap()));
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
            let crop = cut(&frame, aligned(&alignment(&landmarks(&view)).unwrap()));
            let difference = mean_difference(&crop, &expected);
            assert!(difference < 2.0, "{view:?}: {difference}");
        }
        // The measure notices a face that is not aligned.
        let off = cut(&frame, aligned(&Similarity::new(1.2, 0.3, 40.0, 40.0)));
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
        let (crop, stored) = (cut(&frame, aligned(&t)), cut(&frame, aligned_with_margin(&t)));
        let inner: Vec<u8> = (0..SIDE)
            .flat_map(|y| stored[((y + MARGIN) * STORED_SIDE + MARGIN) * 3..][..SIDE * 3].to_vec())
            .collect();
        assert!(mean_difference(&crop, &inner) < 0.05);
    }

    #[test]
    fn the_square_is_in_the_middle() {
        let square = centred_square([30, 20]);
        assert_eq!(square.apply([0.0, 0.0]), [5.0, 0.0]);
        assert_eq!(square.apply([160.0, 160.0]), [25.0, 20.0]);
    }
}
