//! Frames of the kind YUV4MPEG2, as pixels; and what brightness and differences of colour are as red, green and blue,
//! wherever they come from.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{bail, ensure};
use y4m::{Colorspace, Decoder, Limits};

/// How such a film begins.
pub const MAGIC: &[u8] = b"YUV4MPEG2 ";

/// The most that a frame may take.
const MOST_BYTES: usize = 512 << 20;

/// From so many rows on, colours are meant as ITU-R BT.709 has them; below, as BT.601.
const HIGH_DEFINITION: usize = 720;

/// Frames a second where the film does not say, as of most.
const USUAL_RATE: f64 = 25.0;

/// Reads, and counts what was read: the decoder says of every end that it is one.
struct Counted {
    source: BufReader<Box<dyn Read + Send>>,
    bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

/// Frames, one after the other.
pub struct Frames {
    decoder: Decoder<Counted>,
    /// What the decoder has had, and what of it was whole frames.
    bytes: Arc<AtomicU64>,
    whole: u64,
}

/// Why there are no frames.
pub enum NoFrames {
    /// There is not a byte.
    Empty,
    /// Of another kind, or not to be read.
    Other(anyhow::Error),
}

impl Frames {
    /// Reads how the film begins.
    ///
    /// # Errors
    /// [`NoFrames`] where the frames are of a kind that is not read, or there are none.
    pub fn of(source: Box<dyn Read + Send>) -> Result<Self, NoFrames> {
        let bytes = Arc::<AtomicU64>::default();
        let source = Counted { source: BufReader::with_capacity(1 << 20, source), bytes: bytes.clone() };
        let decoder = match Decoder::new_with_limits(source, Limits { bytes: MOST_BYTES }) {
            Ok(decoder) => decoder,
            Err(y4m::Error::EOF) if bytes.load(Ordering::Relaxed) == 0 => return Err(NoFrames::Empty),
            Err(error) => return Err(NoFrames::Other(reason(error))),
        };
        let frames = Self { whole: bytes.load(Ordering::Relaxed), decoder, bytes };
        frames.check().map_err(NoFrames::Other)?;
        Ok(frames)
    }

    fn check(&self) -> anyhow::Result<()> {
        let [width, height] = self.size();
        let is_usual = width.checked_mul(height).is_some_and(|pixels| (1..=MOST_BYTES / 4).contains(&pixels));
        ensure!(is_usual, "frames of {width}x{height} pixels are not read");
        let bits = self.decoder.get_colorspace().get_bit_depth();
        if bits != 8 {
            bail!(
                "frames of {bits} bits a colour are not read; have ffmpeg make yuv420p of them (-pix_fmt yuv420p)"
            );
        }
        Ok(())
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        [self.decoder.get_width(), self.decoder.get_height()]
    }

    /// Frames a second, as the film says.
    pub fn rate(&self) -> f64 {
        let rate = self.decoder.get_framerate();
        let rate = rate.num as f64 / rate.den as f64;
        if rate.is_finite() && rate > 0.0 { rate } else { USUAL_RATE }
    }

    /// The next frame's pixels, as RGBA into `rgba`; false at the end.
    ///
    /// # Errors
    /// Of reading, or where it ends in the middle of a frame.
    pub fn next(&mut self, rgba: &mut Vec<u8>) -> anyhow::Result<bool> {
        let (size, colours) = (self.size(), Colours::of(&self.decoder));
        match self.decoder.read_frame() {
            Ok(frame) => {
                let planes = [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()];
                colours.convert(planes, size, rgba);
                self.whole = self.bytes.load(Ordering::Relaxed);
                Ok(true)
            }
            Err(y4m::Error::EOF) => {
                ensure!(self.bytes.load(Ordering::Relaxed) == self.whole, "it ends in the middle of a frame");
                Ok(false)
            }
            Err(error) => Err(reason(error)),
        }
    }
}

fn reason(error: y4m::Error) -> anyhow::Error {
    match error {
        y4m::Error::IoError(error) => error.into(),
        y4m::Error::OutOfMemory => anyhow::anyhow!("its frames are too large: more than 512 MiB"),
        _ => anyhow::anyhow!("these are no frames of the kind YUV4MPEG2, or damaged ones"),
    }
}

/// How brightness and two differences of colour are red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Pixels to a difference, in each direction; none where there are no differences.
    shared: Option<[usize; 2]>,
    /// Black, and what brightness and differences are multiplied by.
    black: f32,
    scale: [f32; 2],
    /// Parts of red and blue in the brightness.
    parts: [f32; 2],
}

impl Colours {
    fn of<R: Read>(decoder: &Decoder<R>) -> Self {
        let shared = match decoder.get_colorspace() {
            Colorspace::Cmono | Colorspace::Cmono12 => None,
            Colorspace::C444 | Colorspace::C444p10 | Colorspace::C444p12 => Some([1, 1]),
            Colorspace::C422 | Colorspace::C422p10 | Colorspace::C422p12 => Some([2, 1]),
            _ => Some([2, 2]),
        };
        let is_full =
            decoder.get_raw_params().split(|byte| *byte == b' ').any(|it| it == b"XCOLORRANGE=FULL");
        Self::new(shared, is_full, decoder.get_height() >= HIGH_DEFINITION)
    }

    /// With so many pixels to a difference, across and down; brightness from 0 to 255 if it `is_full`, from 16 to 235 if
    /// not; after BT.709 if it `is_709`, after BT.601 if not.
    pub fn new(shared: Option<[usize; 2]>, is_full: bool, is_709: bool) -> Self {
        let parts = if is_709 { [0.2126, 0.0722] } else { [0.299, 0.114] };
        let (black, scale) = if is_full { (0.0, [1.0; 2]) } else { (16.0, [255.0 / 219.0, 255.0 / 224.0]) };
        Self { shared, black, scale, parts }
    }

    /// Planes without anything between their rows, as RGBA into `rgba`.
    pub fn convert(&self, [y, u, v]: [&[u8]; 3], [width, height]: [usize; 2], rgba: &mut Vec<u8>) {
        let [red, blue] = self.parts;
        let green = 1.0 - red - blue;
        rgba.clear();
        rgba.reserve(4 * width * height);
        for (row, y) in y.chunks_exact(width).take(height).enumerate() {
            for (column, y) in y.iter().enumerate() {
                let bright = (f32::from(*y) - self.black) * self.scale[0];
                let [to_blue, to_red] = self.shared.map_or([0.0; 2], |[across, down]| {
                    let at = row / down * width.div_ceil(across) + column / across;
                    [u, v].map(|plane| (f32::from(plane[at]) - 128.0) * self.scale[1])
                });
                let r = bright + 2.0 * (1.0 - red) * to_red;
                let b = bright + 2.0 * (1.0 - blue) * to_blue;
                let g = (bright - red * r - blue * b) / green;
                // The casts saturate.
                rgba.extend([(r + 0.5) as u8, (g + 0.5) as u8, (b + 0.5) as u8, 255]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(film: &[u8]) -> anyhow::Result<Vec<(usize, usize, Vec<u8>)>> {
        let mut frames = match Frames::of(Box::new(io::Cursor::new(film.to_vec()))) {
            Ok(frames) => frames,
            Err(NoFrames::Empty) => bail!("there are no frames in it"),
            Err(NoFrames::Other(error)) => return Err(error),
        };
        let (mut all, mut rgba) = (Vec::new(), Vec::new());
        while frames.next(&mut rgba)? {
            let [width, height] = frames.size();
            all.push((width, height, rgba.clone()));
        }
        Ok(all)
    }

    #[test]
    fn colours_are_those_of_their_standard() {
        // Red as BT.601 has it, with a brightness that has 16 for black; three by three, so that differences end
        // beyond the picture.
        let red = [&b"YUV4MPEG2 W3 H3 F25:1 C420jpeg\nFRAME\n"[..], &[81; 9], &[90; 4], &[240; 4]].concat();
        let all = frames(&red).unwrap();
        assert_eq!((all.len(), all[0].0, all[0].1), (1, 3, 3));
        for pixel in all[0].2.as_chunks::<4>().0 {
            let near = |a: u8, b: u8| a.abs_diff(b) <= 2;
            assert!(near(pixel[0], 255) && near(pixel[1], 0) && near(pixel[2], 0), "{pixel:?}");
        }
        // Each pixel its own; the whole range; black, grey and white.
        let grey = [&b"YUV4MPEG2 W3 H1 F30:1 C444 XCOLORRANGE=FULL\nFRAME\n"[..], &[0, 128, 255], &[128; 6]]
            .concat();
        assert_eq!(frames(&grey).unwrap()[0].2, [[0, 0, 0, 255], [128, 128, 128, 255], [255; 4]].concat());
        let mono =
            [&b"YUV4MPEG2 W2 H1 F30:1 Cmono\nFRAME\n"[..], &[16, 235], b"FRAME\n", &[235, 16]].concat();
        let all = frames(&mono).unwrap();
        assert_eq!(all[0].2, [[0, 0, 0, 255], [255; 4]].concat());
        assert_eq!(all[1].2, [[255; 4], [0, 0, 0, 255]].concat());
    }

    #[test]
    fn what_is_no_film_is_refused() {
        for (film, words) in [
            (&b""[..], "there are no frames in it"),
            (b"RIFF....AVI ", "no frames of the kind"),
            (b"YUV4MPEG2 W0 H4 F25:1\nFRAME\n", "no frames of the kind"),
            (b"YUV4MPEG2 W4 H4 F25:1 C420p10\nFRAME\n", "10 bits"),
            (b"YUV4MPEG2 W4 H4 F25:1 Cmono\nFRAME\n1234", "in the middle of a frame"),
            (b"YUV4MPEG2 W4 H1 F25:1 Cmono\nFRAME\n1234FRAM", "in the middle of a frame"),
            (b"YUV4MPEG2 W4 H1 F25:1 Cmono\nFRAME\n1234FRAMES\n", "no frames of the kind"),
            (b"YUV4MPEG2 W99999999 H99999999 F25:1 Cmono\nFRAME\n1234", ""),
        ] {
            let error = format!("{:#}", frames(film).unwrap_err());
            assert!(error.contains(words), "{:?}: {error}", String::from_utf8_lossy(film));
        }
    }
}
