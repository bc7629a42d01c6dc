//! What a PNG says in other chunks than the `image` crate reads.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile, MatrixCoefficients,
    ToneReprCurve, TransferCharacteristics,
};

/// The chunks before the first pixels, by name.
fn chunks(png: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = png.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let (data, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after.get(4..)?;
        Some((name, data))
    })
    .take_while(|(name, _)| *name != b"IDAT")
}

fn find<'a>(png: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    chunks(png).find(|(name, _)| *name == wanted).map(|(_, data)| data)
}

/// Width and height as the file has them; `None` for what is no PNG.
pub fn size(png: &[u8]) -> Option<[u32; 2]> {
    let numbers = find(png, b"IHDR")?.as_chunks::<4>().0;
    Some([u32::from_be_bytes(*numbers.first()?), u32::from_be_bytes(*numbers.get(1)?)])
}

/// Whether its pixels are for those alone who don't know animations: what is shown are later ones.
pub fn hides_its_pixels(png: &[u8]) -> bool {
    find(png, b"acTL").is_some() && find(png, b"fcTL").is_none()
}

/// The colours that a PNG means by other means than an ICC profile: by a standard's number (cICP), which goes
/// before a profile, or by gamma and chromaticities where there is neither.
pub fn profile(png: &[u8]) -> Option<ColorProfile> {
    if let Some(standard) = find(png, b"cICP").and_then(of_standard) {
        return Some(standard);
    }
    if [b"iCCP", b"sRGB"].iter().any(|name| find(png, name).is_some()) {
        return None;
    }
    let numbers = |name| {
        let data = find(png, name)?.as_chunks::<4>().0;
        Some(data.iter().map(|number| u32::from_be_bytes(*number) as f32 / 100_000.0).collect::<Vec<_>>())
    };
    let gamma = *numbers(b"gAMA")?.first()?;
    // As sRGB says it.
    let is_usual = (gamma - 0.454_55).abs() < 0.005;
    let chromaticities = numbers(b"cHRM");
    if !(0.1..=10.0).contains(&gamma) || is_usual && chromaticities.is_none() {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    if let Some(&[wx, wy, rx, ry, gx, gy, bx, by]) = chromaticities.as_deref() {
        let point = |x, y| Chromaticity { x, y };
        let [red, green, blue] = [point(rx, ry), point(gx, gy), point(bx, by)];
        let near = |(x, y): (f32, f32), (u, v): (f32, f32)| (x - u).abs() < 0.002 && (y - v).abs() < 0.002;
        let pairs = [((rx, ry), (0.64, 0.33)), ((gx, gy), (0.3, 0.6)), ((bx, by), (0.15, 0.06))];
        if is_usual && pairs.into_iter().all(|(a, b)| near(a, b)) {
            return None;
        }
        // Red, green and blue in this order around white: else no light has such colours.
        let turn = (gx - rx) * (by - ry) - (gy - ry) * (bx - rx);
        if !(turn > 1e-4 && wy > 0.0 && [ry, gy, by].iter().all(|y| *y > 0.0)) {
            return None;
        }
        profile.update_rgb_colorimetry(point(wx, wy).to_xyyb(), ColorPrimaries { red, green, blue });
    }
    profile.cicp = None;
    let curve = ToneReprCurve::Parametric(vec![1.0 / gamma]);
    profile.red_trc = Some(curve.clone());
    profile.green_trc = Some(curve.clone());
    profile.blue_trc = Some(curve);
    Some(profile)
}

/// By the numbers of ITU-T H.273. Those for pictures brighter than a screen (PQ, HLG) are left to a profile.
fn of_standard(cicp: &[u8]) -> Option<ColorProfile> {
    let &[primaries, transfer, 0, 1] = cicp else { return None };
    let color_primaries = CicpColorPrimaries::try_from(primaries).ok()?;
    let transfer_characteristics = TransferCharacteristics::try_from(transfer).ok()?;
    if matches!(transfer_characteristics, TransferCharacteristics::Smpte2084 | TransferCharacteristics::Hlg) {
        return None;
    }
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries,
        transfer_characteristics,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    // Numbers that stand for nothing leave it without.
    profile.red_trc.is_some().then_some(profile)
}

#[cfg(test)]
mod tests {
    use crate::picture::{DecodeError, Pixels};
    use image::{ImageFormat, Rgba, RgbaImage};
    use std::io::Cursor;

    fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
        let named = [name, data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &named, &crc32fast::hash(&named).to_be_bytes()].concat()
    }

    fn encoded(pixel: [u8; 4], side: u32) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        RgbaImage::from_pixel(side, side, Rgba(pixel)).write_to(&mut file, ImageFormat::Png).unwrap();
        file.into_inner()
    }

    /// A picture of one colour, with these chunks after the first one.
    fn png(pixel: [u8; 4], chunks: &[Vec<u8>]) -> Vec<u8> {
        let plain = encoded(pixel, 4);
        [&plain[..33], &chunks.concat(), &plain[33..]].concat()
    }

    fn first(file: &[u8]) -> [u8; 4] {
        Pixels::decode(file).unwrap().into_image().get_pixel(0, 0).0
    }

    /// As Chromium 156 shows them.
    #[test]
    fn colours_are_what_gamma_and_chromaticities_mean() {
        let hundred_thousandths =
            |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>();
        let gamma = |n: u32| chunk(b"gAMA", &hundred_thousandths(&[n]));
        let points =
            |rgb: [u32; 6]| chunk(b"cHRM", &hundred_thousandths(&[&[31_270, 32_900][..], &rgb].concat()));
        let srgb = points([64_000, 33_000, 30_000, 60_000, 15_000, 6_000]);
        let adobe = points([64_000, 33_000, 21_000, 71_000, 15_000, 6_000]);
        let exchanged = points([30_000, 60_000, 64_000, 33_000, 15_000, 6_000]);
        let at = [200, 100, 50, 255];
        for (chunks, expected) in [
            (vec![], at),
            (vec![gamma(45_455)], at),
            (vec![gamma(45_455), srgb.clone()], at),
            (vec![srgb], at),
            (vec![gamma(0)], at),
            // Only light has a gamma of 1: 200 of 255 are 0.78 of it, which sRGB has as 229.
            (vec![gamma(100_000)], [229, 168, 122, 255]),
            (vec![gamma(55_556)], [210, 119, 65, 255]),
            (vec![gamma(55_556), chunk(b"sRGB", b"\0")], at),
            (vec![gamma(45_470), adobe], [227, 100, 42, 255]),
            // No light has these.
            (vec![gamma(45_455), exchanged], at),
            (vec![chunk(b"cICP", &[12, 13, 0, 1])], [215, 93, 31, 255]),
            (vec![gamma(100_000), chunk(b"cICP", &[1, 13, 0, 1])], at),
            (vec![chunk(b"cICP", &[9, 16, 0, 1])], at),
            (vec![chunk(b"cICP", &[99, 99, 0, 1])], at),
            (vec![chunk(b"cICP", &[1])], at),
        ] {
            let found = first(&png(at, &chunks));
            let off = found.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= 3, "{chunks:?}: {found:?} {expected:?}");
        }
    }

    /// Of an animation the first picture counts, which need not be the one that others show.
    #[test]
    fn pixels_that_are_no_part_of_an_animation_are_not_taken() {
        let [red, green] = [[200, 0, 0, 255], [0, 200, 0, 255]];
        let control = |number: u32, side: u32| {
            let words = [number, side, side, 0, 0].map(u32::to_be_bytes).concat();
            chunk(b"fcTL", &[&words[..], &[0, 1, 0, 10, 0, 0]].concat())
        };
        let data = |pixel, side| {
            let file = encoded(pixel, side);
            let at = file.windows(4).position(|name| name == b"IDAT").unwrap();
            let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
            file[at + 4..at + 4 + length].to_vec()
        };
        let animation = chunk(b"acTL", &[1u32.to_be_bytes(), 0u32.to_be_bytes()].concat());
        let later =
            |number: u32, side| chunk(b"fdAT", &[&number.to_be_bytes()[..], &data(green, side)].concat());
        let plain = encoded(red, 4);
        let end = plain.len() - 12;
        let file = |before: &[Vec<u8>], after: &[Vec<u8>]| {
            [&plain[..33], &before.concat(), &plain[33..end], &after.concat(), &plain[end..]].concat()
        };
        let shown = file(&[animation.clone(), control(0, 4)], &[]);
        assert_eq!(first(&shown), red);
        let hidden = file(std::slice::from_ref(&animation), &[control(0, 4), later(1, 4)]);
        assert_eq!(first(&hidden), green);
        // It may be a part of the picture's size, with nothing beside it.
        let part = file(std::slice::from_ref(&animation), &[control(0, 2), later(1, 2)]);
        let part = Pixels::decode(&part).unwrap().into_image();
        assert_eq!(
            (part.dimensions(), part.get_pixel(1, 1).0, part.get_pixel(2, 2).0),
            ((4, 4), green, [255; 4])
        );
        let cut = file(&[animation], &[]);
        assert!(
            matches!(Pixels::decode(&cut), Err(DecodeError::Incomplete | DecodeError::Damaged(_))),
            "{:?}",
            Pixels::decode(&cut)
        );
    }
}
