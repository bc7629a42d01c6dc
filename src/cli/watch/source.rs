//! Where frames come from: a camera, a film, an address of the network, another program. They are read beside
//! the estimates, by a thread; of what is live only the newest frame is kept, so that a slow machine does not fall
//! behind.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

#[cfg(all(feature = "v4l", target_os = "linux"))]
use super::camera::{self, Camera, Refusal};
use super::frames::{Frames, MAGIC, NoFrames};
use crate::cli::inputs::is_standard_input;

/// A frame.
pub struct Picture {
    pub rgba: Vec<u8>,
    pub width: usize,
    pub height: usize,
    /// How many were read before it.
    pub number: u64,
    /// When it was.
    pub at: Instant,
}

/// What is to be had of a source.
pub enum Next {
    Picture(Picture),
    /// Nothing for as long as was waited.
    Nothing,
    /// There are no more.
    End,
}

/// Frames that are read beside what is made of them.
pub struct Source {
    slot: Arc<Slot>,
    rate: Option<f64>,
    /// ffmpeg, where it is needed.
    program: Option<Child>,
}

/// Where the next frame lies until it is taken.
#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    picture: Option<Picture>,
    /// Of a picture that is done with, to be filled again.
    spare: Option<Vec<u8>>,
    end: Option<anyhow::Result<()>>,
    /// Nobody wants more.
    is_closed: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source {
    /// Opens a film, a camera, an address (`rtsp://...`), or standard input (`-`), and begins to read. Frames of a film
    /// and of standard input come one after the other, unless `is_live` is asked for.
    ///
    /// # Errors
    /// Where there is no such thing, no ffmpeg for what needs it, or the frames are of a kind that is not read.
    pub fn open(source: &Path, is_live: bool) -> anyhow::Result<Self> {
        let shown = || source.display().to_string();
        if is_standard_input(source) {
            return Self::of(Box::new(io::stdin()), None, is_live).context("standard input");
        }
        if is_address(source) {
            return Self::by_ffmpeg(source, &[], true).with_context(shown);
        }
        let kind = match source.metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound && is_camera(source) => {
                bail!("{}: there is no such camera. {}", shown(), cameras())
            }
            kind => kind.with_context(shown)?.file_type(),
        };
        ensure!(!kind.is_dir(), "{}: that is a folder; mien predict reads pictures in folders", shown());
        #[cfg(all(feature = "v4l", target_os = "linux"))]
        if camera::is_video(&source.metadata().with_context(shown)?) {
            match Camera::open(source) {
                Ok(camera) => return Ok(Self::by_camera(camera)),
                Err(Refusal::Final(error)) => return Err(error.context(shown())),
                Err(Refusal::Here(error)) => eprintln!("{}: {error:#}; trying ffmpeg", shown()),
            }
        }
        if !kind.is_file() {
            let camera: &[&str] = if cfg!(target_os = "linux") { &["-f", "v4l2"] } else { &[] };
            return Self::by_ffmpeg(source, camera, true).with_context(shown);
        }
        let mut start = Vec::new();
        File::open(source)?.take(MAGIC.len() as u64).read_to_end(&mut start).with_context(shown)?;
        if start == MAGIC {
            return Self::of(Box::new(File::open(source)?), None, is_live).with_context(shown);
        }
        Self::by_ffmpeg(source, &[], is_live).with_context(shown)
    }

    fn by_ffmpeg(source: &Path, before: &[&str], is_live: bool) -> anyhow::Result<Self> {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-loglevel", "error"]).args(before).arg("-i").arg(source);
        command.args(["-an", "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]);
        let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "cameras, films and addresses are read by ffmpeg, which is not here. Install it (Debian: sudo apt-get \
                 install ffmpeg), or hand over frames of the kind YUV4MPEG2"
            ),
            child => child.context("ffmpeg")?,
        };
        let frames = child.stdout.take().expect("it is piped");
        Self::of(Box::new(frames), Some(child), is_live)
    }

    fn of(source: Box<dyn Read + Send>, mut program: Option<Child>, is_live: bool) -> anyhow::Result<Self> {
        let frames = match Frames::of(source) {
            Ok(frames) => frames,
            // It has said why, on standard error.
            Err(_) if program.as_mut().is_some_and(|it| it.wait().is_ok_and(|status| !status.success())) => {
                bail!("ffmpeg can't read it")
            }
            Err(NoFrames::Empty) => bail!("there are no frames in it"),
            Err(NoFrames::Other(error)) => return Err(error),
        };
        let rate = (!is_live).then(|| frames.rate());
        let (slot, size) = (Arc::<Slot>::default(), frames.size());
        let (filled, mut frames) = (slot.clone(), frames);
        thread::spawn(move || read(size, |rgba| frames.next(rgba), &filled, is_live));
        Ok(Self { slot, rate, program })
    }

    #[cfg(all(feature = "v4l", target_os = "linux"))]
    fn by_camera(mut camera: Camera) -> Self {
        let slot = Arc::<Slot>::default();
        let filled = slot.clone();
        // It has no end but by an error.
        thread::spawn(move || read(camera.size(), |rgba| camera.next(rgba).map(|()| true), &filled, true));
        Self { slot, rate: None, program: None }
    }

    /// Frames a second of a film; none of what is live, whose frames are of the moment at which they come.
    pub fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// The next frame, if it comes within `patience`.
    ///
    /// # Errors
    /// Of reading, or where it ends in the middle of a frame; after the frames before that.
    pub fn next(&self, patience: Duration) -> anyhow::Result<Next> {
        let state = self.slot.state();
        let is_empty = |state: &mut State| state.picture.is_none() && state.end.is_none();
        let waited = self.slot.changed.wait_timeout_while(state, patience, is_empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(picture) = state.picture.take() {
            self.slot.changed.notify_all();
            return Ok(Next::Picture(picture));
        }
        state.end.take().map_or(Ok(Next::Nothing), |end| end.map(|()| Next::End))
    }

    /// Has the memory of a picture filled again.
    pub fn give_back(&self, picture: Picture) {
        self.slot.state().spare = Some(picture.rgba);
    }

    /// Ends the program behind it, which `is_over` where there were no more frames.
    ///
    /// # Errors
    /// Where it failed before that.
    pub fn end(self, is_over: bool) -> anyhow::Result<()> {
        self.slot.state().is_closed = true;
        self.slot.changed.notify_all();
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

/// What ffmpeg takes for an address: `rtsp://camera/stream`.
fn is_address(source: &Path) -> bool {
    let scheme = source.to_str().and_then(|text| text.split_once("://")).map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric()))
}

/// What Linux calls a camera.
fn is_camera(path: &Path) -> bool {
    path.to_str().is_some_and(|text| text.starts_with("/dev/video"))
}

/// Which cameras there are, as a sentence.
pub fn cameras() -> String {
    let entries = std::fs::read_dir("/dev").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut there: Vec<_> =
        entries.filter(|path| is_camera(path)).map(|path| path.display().to_string()).collect();
    there.sort();
    match there.is_empty() {
        true => "None is connected, or its driver is not loaded".into(),
        false => format!("Those of this machine: {}", there.join(", ")),
    }
}

/// Fills the slot until `next`, which fills memory with a frame, has no more, or nobody wants more.
fn read(
    [width, height]: [usize; 2],
    mut next: impl FnMut(&mut Vec<u8>) -> anyhow::Result<bool>,
    slot: &Slot,
    is_live: bool,
) {
    for number in 0.. {
        let mut rgba = slot.state().spare.take().unwrap_or_default();
        let more = next(&mut rgba);
        let mut state = slot.state();
        if let Ok(true) = more {
            let waits = |state: &mut State| !is_live && state.picture.is_some() && !state.is_closed;
            state = slot.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
            let picture = Picture { rgba, width, height, number, at: Instant::now() };
            // One that nobody has looked at is out of date.
            if let Some(former) = state.picture.replace(picture) {
                state.spare = Some(former.rgba);
            }
        } else {
            state.end = Some(more.map(drop));
        }
        slot.changed.notify_all();
        if state.end.is_some() || state.is_closed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of two pixels, whose brightness counts them.
    fn film(frames: u8) -> Vec<u8> {
        let all = (0..frames).flat_map(|at| [b"FRAME\n", &[16 + at, 16][..]].concat());
        b"YUV4MPEG2 W2 H1 F10:1 Cmono\n".iter().copied().chain(all).collect()
    }

    fn numbers(source: &Source, pause: Duration) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            match source.next(Duration::from_secs(20)).unwrap() {
                Next::Picture(picture) => {
                    assert_eq!((picture.width, picture.height, picture.rgba.len()), (2, 1, 8));
                    numbers.push(picture.number);
                    source.give_back(picture);
                    thread::sleep(pause);
                }
                Next::Nothing => panic!("it takes too long"),
                Next::End => return numbers,
            }
        }
    }

    #[test]
    fn a_film_comes_whole_and_of_what_is_live_the_newest() {
        let open = |is_live| Source::of(Box::new(io::Cursor::new(film(50))), None, is_live).unwrap();
        let source = open(false);
        assert_eq!(source.rate(), Some(10.0));
        assert_eq!(numbers(&source, Duration::from_millis(1)), (0..50).collect::<Vec<_>>());
        let source = open(true);
        assert_eq!(source.rate(), None);
        let seen = numbers(&source, Duration::from_millis(100));
        assert!(seen.len() < 50 && seen.last() == Some(&49), "{seen:?}");
    }

    /// Whose camera is silent does not wait for ever.
    #[test]
    fn silence_is_told() {
        let (reader, mut writer) = io::pipe().unwrap();
        io::Write::write_all(&mut writer, &film(1)).unwrap();
        let source = Source::of(Box::new(reader), None, true).unwrap();
        assert!(matches!(source.next(Duration::from_secs(20)).unwrap(), Next::Picture(_)));
        assert!(matches!(source.next(Duration::from_millis(20)).unwrap(), Next::Nothing));
        io::Write::write_all(&mut writer, b"FRAME\n1").unwrap();
        drop(writer);
        let Err(error) = source.next(Duration::from_secs(20)) else { panic!("half a frame") };
        assert!(error.to_string().contains("in the middle of a frame"), "{error}");
    }

    #[test]
    fn addresses_are_told_from_files() {
        for (text, expected) in [
            ("rtsp://camera/stream", true),
            ("film.mp4", false),
            ("/dev/video0", false),
            ("://x", false),
            ("a/b://c", false),
        ] {
            assert_eq!(is_address(Path::new(text)), expected, "{text}");
        }
    }
}
