//! The pictures that results are kept of. All of them are made here, of the two portraits in the repository.

use image::imageops::{self, FilterType};
use image::{Rgba, RgbaImage};

/// Where the astronaut's head is in her picture: middle and half a side of a square around it, in pixels.
const HEAD: [u32; 3] = [226, 108, 100];

/// The pictures, each with a name.
pub fn pictures() -> Vec<(&'static str, RgbaImage)> {
    let (astronaut, sample) = (astronaut(), sample());
    let head = head(&astronaut);
    vec![
        ("astronaut", astronaut.clone()),
        ("turned 20", turned(&astronaut, 20.0)),
        ("turned -40", turned(&astronaut, -40.0)),
        ("turned 90", imageops::rotate90(&astronaut)),
        ("turned 180", imageops::rotate180(&astronaut)),
        ("mirrored", imageops::flip_horizontal(&astronaut)),
        ("scaled to 100", scaled(&astronaut, 100, 100)),
        ("scaled to 233", scaled(&astronaut, 233, 233)),
        ("scaled to 1100", scaled(&astronaut, 1100, 1100)),
        ("scaled to 2400", scaled(&astronaut, 2400, 2400)),
        ("cut tight", imageops::crop_imm(&astronaut, 170, 55, 110, 130).to_image()),
        ("margin", placed(grey(1280, 720), &astronaut, 700, 100, 512)),
        ("two", placed(placed(wall(640, 480), &head, 40, 130, 220), &sample, 270, 50, 360)),
        ("five", crowd(960, 540, 5, &head)),
        ("twelve", crowd(1280, 720, 12, &head)),
        ("far", placed(placed(wall(1920, 1080), &head, 300, 400, 160), &head, 1100, 620, 176)),
        ("dark", changed(&astronaut, |value| value * 2 / 5)),
        ("bright", changed(&astronaut, |value| value * 8 / 5)),
        ("without colour", without_colour(&astronaut)),
        ("half out of sight", imageops::crop_imm(&astronaut, 205, 0, 307, 512).to_image()),
        ("wide with a face", placed(grey(1600, 240), &head, 1234, 20, 200)),
        ("sample", sample),
        ("noise", noise(400, 300)),
        ("gradient", wall(640, 480)),
        ("wide", wall(3000, 200)),
        ("one pixel", RgbaImage::from_pixel(1, 1, Rgba([80, 90, 100, 255]))),
    ]
}

/// A video of 640 x 480 pixels: frames and their times in milliseconds. A face moves, another one comes,
/// turns and goes, and at last nothing moves any more.
pub fn video() -> impl Iterator<Item = (f64, RgbaImage)> {
    let head = head(&astronaut());
    let other = imageops::flip_horizontal(&changed(&head, |value| value * 3 / 4));
    (0..70).map(move |frame| {
        let step = frame.min(45);
        let mut picture = placed(wall(640, 480), &head, 40 + 4 * step, 120 + step, 220);
        if (12..36).contains(&frame) {
            let other = turned(&other, -15.0 + f64::from(frame - 12));
            picture = placed(picture, &other, 640 - 20 * (frame - 11).min(12), 60, 180);
        }
        (f64::from(frame) * 100.0 / 3.0, picture)
    })
}

/// The same picture, each value moved by one at most.
pub fn with_noise(picture: &RgbaImage) -> RgbaImage {
    let mut random = random();
    changed(picture, |value| (value + random() % 3).saturating_sub(1))
}

fn open(path: &str) -> RgbaImage {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    image::open(&path).unwrap_or_else(|error| panic!("{path}: {error}")).into_rgba8()
}

fn astronaut() -> RgbaImage {
    open("tests/data/astronaut.png")
}

fn sample() -> RgbaImage {
    open("www/sample.jpg")
}

fn head(astronaut: &RgbaImage) -> RgbaImage {
    let [x, y, half] = HEAD;
    imageops::crop_imm(astronaut, x - half, y - half, 2 * half, 2 * half).to_image()
}

fn scaled(picture: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    imageops::resize(picture, width, height, FilterType::Triangle)
}

/// A picture in another one: left, top, and width, in pixels.
fn placed(mut ground: RgbaImage, picture: &RgbaImage, left: u32, top: u32, width: u32) -> RgbaImage {
    let height = width * picture.height() / picture.width();
    imageops::replace(&mut ground, &scaled(picture, width, height), left.into(), top.into());
    ground
}

/// Heads in rows of six at most, each a little different.
fn crowd(width: u32, height: u32, count: u32, head: &RgbaImage) -> RgbaImage {
    let rows = count.div_ceil(6);
    let columns = count.div_ceil(rows);
    let mut picture = wall(width, height);
    for i in 0..count {
        let light = 7 + i % 4;
        let mut one = changed(head, |value| value * light / 8);
        if i % 2 == 1 {
            one = imageops::flip_horizontal(&one);
        }
        let one = turned(&one, 5.0 * f64::from(i % 5) - 10.0);
        let (column, row) = (i % columns, i / columns);
        let side = 150 - 8 * (i % 6);
        picture = placed(picture, &one, 10 + column * width / columns, 30 + row * height / rows, side);
    }
    picture
}

/// Turned about its middle, clockwise, by bilinear interpolation; what comes in from outside repeats the
/// edge.
fn turned(picture: &RgbaImage, degrees: f64) -> RgbaImage {
    let (width, height) = picture.dimensions();
    let (sin, cos) = degrees.to_radians().sin_cos();
    let [cx, cy] = [width, height].map(|side| f64::from(side - 1) / 2.0);
    RgbaImage::from_fn(width, height, |x, y| {
        let (dx, dy) = (f64::from(x) - cx, f64::from(y) - cy);
        let x = (cx + cos * dx + sin * dy).clamp(0.0, f64::from(width - 1));
        let y = (cy - sin * dx + cos * dy).clamp(0.0, f64::from(height - 1));
        let (left, top) = (x as u32, y as u32);
        let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let (x, y) = (x.fract(), y.fract());
        let corners = [[left, top], [right, top], [left, bottom], [right, bottom]];
        let corners = corners.map(|[x, y]| picture.get_pixel(x, y).0.map(f64::from));
        let mix = |channel: usize| {
            let [a, b, c, d] = corners.map(|corner| corner[channel]);
            ((a * (1.0 - x) + b * x) * (1.0 - y) + (c * (1.0 - x) + d * x) * y).round() as u8
        };
        Rgba([mix(0), mix(1), mix(2), 255])
    })
}

/// With other values of red, green and blue, at most 255.
fn changed(picture: &RgbaImage, mut value: impl FnMut(u32) -> u32) -> RgbaImage {
    let mut picture = picture.clone();
    for Rgba([red, green, blue, _]) in picture.pixels_mut() {
        for channel in [red, green, blue] {
            *channel = value(u32::from(*channel)).min(255) as u8;
        }
    }
    picture
}

fn without_colour(picture: &RgbaImage) -> RgbaImage {
    let mut picture = picture.clone();
    for Rgba([red, green, blue, _]) in picture.pixels_mut() {
        let grey = (u32::from(*red) * 3 + u32::from(*green) * 6 + u32::from(*blue)) / 10;
        [*red, *green, *blue] = [grey as u8; 3];
    }
    picture
}

fn grey(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_pixel(width, height, Rgba([120, 118, 115, 255]))
}

/// A wall that gets darker from left to right and redder from top to bottom.
fn wall(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let light = 200 - 100 * x / width;
        Rgba([(light + 40 * y / height) as u8, light as u8, light as u8, 255])
    })
}

fn noise(width: u32, height: u32) -> RgbaImage {
    let mut random = random();
    changed(&grey(width, height), |_| random())
}

/// Numbers from 0 to 255 without a pattern, always the same ones.
fn random() -> impl FnMut() -> u32 {
    let mut state = 1u32;
    move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    }
}
