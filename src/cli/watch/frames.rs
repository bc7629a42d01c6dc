//! Frames of a film or a camera: read as YUV4MPEG2, which ffmpeg makes of what is something else.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use y4m::{Colorspace, Decoder, Limits};

use crate::cli::inputs::is_standard_input;

/// How such a film begins.
const MAGIC: &[u8] = b"YUV4MPEG2 ";

/// The most that a frame may take.
const MOST_BYTES: usize = 512 << 20;

/// From so many rows on, colours are meant as ITU-R BT.709 has them; below, as BT.601.
const HIGH_DEFINITION: usize = 720;

/// Reads, and counts what was read: the decoder says of every end that it is one.
struct Counted {
    source: BufReader<Box<dyn Read>>,
    bytes: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.bytes.set(self.bytes.get() + bytes as u64);
        Ok(bytes)
    }
}

/// Frames, one after the other.
pub struct Frames {
    decoder: Decoder<Counted>,
    /// What the decoder has had, and what of it was whole frames.
    bytes: Rc<Cell<u64>>,
    whole: u64,
    /// ffmpeg, where it is needed.
    program: Option<Child>,
    is_live: bool,
}

impl Frames {
    /// Opens a film, a camera, or standard input (`-`).
    ///
    /// # Errors
    /// Where there is no such thing, no ffmpeg for what needs it, or the frames are of a kind that is not read.
    pub fn open(source: &Path) -> anyhow::Result<Self> {
        let shown = || source.display().to_string();
        if is_standard_input(source) {
            return Self::of(Box::new(io::stdin()), None, false).context("standard input");
        }
        let kind = source.metadata().with_context(shown)?.file_type();
        ensure!(!kind.is_dir(), "{}: that is a folder; mien predict reads pictures in folders", shown());
        let is_live = !kind.is_file();
        if !is_live {
            let mut start = Vec::new();
            File::open(source)?.take(MAGIC.len() as u64).read_to_end(&mut start).with_context(shown)?;
            if start == MAGIC {
                return Self::of(Box::new(File::open(source)?), None, false).with_context(shown);
            }
        }
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error"]);
        if is_live && cfg!(target_os = "linux") {
            command.args(["-f", "v4l2"]);
        }
        command.arg("-i").arg(source).args(["-an", "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]);
        let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "{}: cameras and films are read by ffmpeg, which is not here. Install it (Debian: sudo apt-get install \
                 ffmpeg), or hand over frames of the kind YUV4MPEG2",
                shown()
            ),
            child => child.context("ffmpeg")?,
        };
        let frames = child.stdout.take().expect("it is piped");
        Self::of(Box::new(frames), Some(child), is_live).with_context(shown)
    }

    fn of(source: Box<dyn Read>, mut program: Option<Child>, is_live: bool) -> anyhow::Result<Self> {
        let bytes = Rc::<Cell<u64>>::default();
        let source = Counted { source: BufReader::with_capacity(1 << 20, source), bytes: bytes.clone() };
        let decoder = match Decoder::new_with_limits(source, Limits { bytes: MOST_BYTES }) {
            Ok(decoder) => decoder,
            // It has said why, on standard error.
            Err(_) if program.as_mut().is_some_and(|it| it.wait().is_ok_and(|status| !status.success())) => {
                bail!("ffmpeg can't read it")
            }
            Err(y4m::Error::EOF) if bytes.get() == 0 => bail!("there are no frames in it"),
            Err(error) => return Err(reason(error)),
        };
        let (width, height) = (decoder.get_width(), decoder.get_height());
        let is_usual = width.checked_mul(height).is_some_and(|pixels| (1..=MOST_BYTES / 4).contains(&pixels));
        ensure!(is_usual, "frames of {width}x{height} pixels are not read");
        ensure!(
            decoder.get_colorspace().get_bit_depth() == 8,
            "frames of {} bits a colour are not read; have ffmpeg make yuv420p of them (-pix_fmt yuv420p)",
            decoder.get_colorspace().get_bit_depth()
        );
        Ok(Self { decoder, whole: bytes.get(), bytes, program, is_live })
    }

    /// Frames a second, as the film says; none of a camera, whose frames are of the moment at which they come.
    pub fn rate(&self) -> Option<f64> {
        let rate = self.decoder.get_framerate();
        let rate = rate.num as f64 / rate.den as f64;
        (!self.is_live).then(|| if rate.is_finite() && rate > 0.0 { rate } else { 25.0 })
    }

    /// The next frame's pixels, as RGBA into `rgba`, and its width and height; none at the end.
    ///
    /// # Errors
    /// Of reading, or where it ends in the middle of a frame.
    pub fn next(&mut self, rgba: &mut Vec<u8>) -> anyhow::Result<Option<[usize; 2]>> {
        let (width, height) = (self.decoder.get_width(), self.decoder.get_height());
        let colours = Colours::of(&self.decoder);
        match self.decoder.read_frame() {
            Ok(frame) => {
                let planes = [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()];
                colours.convert(planes, [width, height], rgba);
                self.whole = self.bytes.get();
                Ok(Some([width, height]))
            }
            Err(y4m::Error::EOF) => {
                ensure!(self.bytes.get() == self.whole, "it ends in the middle of a frame");
                Ok(None)
            }
            Err(error) => Err(reason(error)),
        }
    }

    /// Ends the program behind it, which `is_over` where there were no more frames.
    ///
    /// # Errors
    /// Where it failed before that.
    pub fn end(self, is_over: bool) -> anyhow::Result<()> {
        let Some(mut program) = self.program else { return Ok(()) };
        if is_over {
            ensure!(program.wait()?.success(), "ffmpeg could not read all of it");
            return Ok(());
        }
        // It has more to send, to nobody.
        program.kill()?;
        program.wait()?;
        Ok(())
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
#[derive(Clone, Copy)]
struct Colours {
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
        let parts = if decoder.get_height() >= HIGH_DEFINITION { [0.2126, 0.0722] } else { [0.299, 0.114] };
        let (black, scale) = if is_full { (0.0, [1.0; 2]) } else { (16.0, [255.0 / 219.0, 255.0 / 224.0]) };
        Self { shared, black, scale, parts }
    }

    fn convert(&self, [y, u, v]: [&[u8]; 3], [width, height]: [usize; 2], rgba: &mut Vec<u8>) {
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
        let mut frames = Frames::of(Box::new(io::Cursor::new(film.to_vec())), None, false)?;
        let (mut all, mut rgba) = (Vec::new(), Vec::new());
        while let Some([width, height]) = frames.next(&mut rgba)? {
            all.push((width, height, rgba.clone()));
        }
        frames.end(true)?;
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
