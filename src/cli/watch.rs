//! `mien watch`: the faces of a camera or a film, followed from frame to frame as the page follows them.

#[cfg(all(feature = "v4l", target_os = "linux"))]
mod camera;
mod command;
mod contents;
mod draw;
mod frames;
// Its tests need no camera, nor the feature.
#[cfg(any(test, all(feature = "v4l", target_os = "linux")))]
mod raw;
mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::civil::Time;
use mien::net::NetworkKind;
use mien::picture::Frame;
use mien::pipeline::estimator::Face;
use mien::pipeline::video::{TrackedFace, Video};
use mien::screen::rules::minute_of;
use serde::Serialize;

use super::MeansArgs;
use super::output::RESULT_SCHEMA;
use super::predict::words;
use contents::{ContentLine, Contents};
use draw::{Draw, Drawing};
use source::{Next, Source};

/// For so long a frame is waited for before the clock is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Follow the faces of a camera, a film, or frames that another program sends
///
/// Says a line of each face when its numbers change, or with --json one of each frame. A face has a number that it
/// keeps; its age and gender are steadied over its frames, and said once a few of them agree. With --rules also the
/// name of the content that an entrance screen would show, when it changes.
#[derive(clap::Args, Debug)]
pub struct WatchArgs {
    /// A camera such as /dev/video0, a film or an address (rtsp://...), all by ffmpeg (in builds with the feature v4l,
    /// cameras without it); a film of the kind YUV4MPEG2 (.y4m),
    /// or - for such frames from standard input, as in `ffmpeg -i film.mp4 -f yuv4mpegpipe - | mien watch -`
    source: PathBuf,

    /// Print a JSON object a frame, and one for each change of the content
    #[arg(long)]
    json: bool,

    /// Draw the frames with what is said of their faces
    #[arg(long, value_enum, value_name = "WHERE", conflicts_with = "json")]
    draw: Option<Draw>,

    /// Rules of an entrance screen, as its page has them (docs/kiosk.md)
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Run a program whenever the content changes, with its name as the argument; one at a time
    #[arg(long, value_name = "PROGRAM", requires = "rules")]
    run: Option<PathBuf>,

    /// The time of day at the first frame, for the rules, instead of the clock's: 17:30
    #[arg(long, value_name = "TIME", requires = "rules", value_parser = time_of_day)]
    clock: Option<Time>,

    /// Frames of standard input or a film come as they are taken: leave out those that come too fast
    #[arg(long)]
    live: bool,

    /// End after so many frames
    #[arg(long, value_name = "COUNT")]
    frames: Option<u64>,

    /// Which network
    #[arg(long, value_enum, default_value_t)]
    model: NetworkKind,

    #[command(flatten)]
    means: MeansArgs,
}

/// As the rules have it.
fn time_of_day(text: &str) -> Result<Time, String> {
    let minute = minute_of(text).ok_or("has to be a time such as 17:30")?;
    Time::new((minute / 60) as i8, (minute % 60) as i8, 0, 0).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct FrameLine<'a> {
    schema: u32,
    /// Seconds since the first frame.
    time: f64,
    width: usize,
    height: usize,
    model: &'a str,
    /// What the frame was worth: `search`, `follow` or `skip`.
    mode: &'a str,
    faces: Vec<FaceLine<'a>>,
}

#[derive(Serialize)]
struct FaceLine<'a> {
    id: u32,
    settled: bool,
    #[serde(flatten)]
    face: &'a Face,
}

pub fn run(args: WatchArgs) -> anyhow::Result<()> {
    let mut contents =
        args.rules.as_deref().map(|path| Contents::open(path, args.clock, args.run.clone())).transpose()?;
    let estimator = args.means.load(args.model)?.estimator()?;
    let source = Source::open(&args.source, args.live)?;
    let mut drawing = args.draw.map(Drawing::begin).transpose()?;
    // A terminal wants to be put back, and is drawn upon.
    let (is_interrupted, is_drawn_upon) = (Arc::<AtomicBool>::default(), args.draw == Some(Draw::Terminal));
    if is_drawn_upon {
        heed_interrupts(is_interrupted.clone())?;
    }
    let (mut video, mut said) = (Video::default(), BTreeMap::new());
    let shown = || args.source.display().to_string();
    let (mut begun, mut is_over, mut count) = (None, false, 0);
    while count < args.frames.unwrap_or(u64::MAX) && !is_interrupted.load(Ordering::Relaxed) {
        let picture = match source.next(TICK).with_context(shown)? {
            Next::Picture(picture) => picture,
            Next::Nothing => {
                // Contents change by the clock, too.
                if let (Some(contents), Some(begun), None) = (&mut contents, begun, source.rate())
                    && let Some(line) = contents.change(Instant::elapsed(&begun).as_secs_f64())
                    && !is_drawn_upon
                {
                    args.print(&line)?;
                }
                continue;
            }
            Next::End => {
                is_over = true;
                break;
            }
        };
        count += 1;
        let begun = *begun.get_or_insert(picture.at);
        let seconds = match source.rate() {
            Some(rate) => picture.number as f64 / rate,
            None => (picture.at - begun).as_secs_f64(),
        };
        let frame = Frame::new(picture.width, picture.height, &picture.rgba)?;
        let report = pollster::block_on(video.process(&estimator, &frame, 1000.0 * seconds))?;
        // A line at once, for whoever reads on.
        if args.json {
            let faces = video.faces().iter();
            let faces = faces.map(|it| FaceLine { id: it.id, settled: it.settled, face: &it.face }).collect();
            let (model, mode) = (args.model.name(), report.mode.name());
            let (width, height) = (picture.width, picture.height);
            let line = FrameLine { schema: RESULT_SCHEMA, time: seconds, width, height, model, mode, faces };
            println!("{}", serde_json::to_string(&line)?);
        } else if !is_drawn_upon {
            for line in news(&mut said, video.faces()) {
                println!("{seconds:.2} s  {line}");
            }
        }
        if let Some(contents) = &mut contents {
            // Of what is live, the moment at which its numbers are there.
            let now = if source.rate().is_some() { seconds } else { begun.elapsed().as_secs_f64() };
            contents.see(video.faces(), picture.width, now);
            if let Some(line) = contents.change(now)
                && !is_drawn_upon
            {
                args.print(&line)?;
            }
        }
        if let Some(drawing) = &mut drawing {
            let line = contents.as_ref().and_then(Contents::title).unwrap_or_default();
            if !drawing.show(&picture, video.faces(), line)? {
                break;
            }
            // A film is seen at its own pace.
            if source.rate().is_some() {
                thread::sleep(Duration::from_secs_f64(seconds).saturating_sub(begun.elapsed()));
            }
        }
        source.give_back(picture);
    }
    drop(drawing);
    if let Some(contents) = contents {
        contents.end(is_interrupted.load(Ordering::Relaxed));
    }
    source.end(is_over).with_context(shown)
}

impl WatchArgs {
    /// A change of the content, as a line.
    fn print(&self, line: &ContentLine) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(line)?);
        } else {
            let by = line.rule.as_ref().map(|rule| format!(" ({rule})")).unwrap_or_default();
            println!("{:.2} s  content {}{by}", line.time, line.content);
        }
        Ok(())
    }
}

/// Has Ctrl-C, and what else asks a program to end, set a flag instead.
fn heed_interrupts(flag: Arc<AtomicBool>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            #[cfg(unix)]
            {
                use tokio::signal::unix::{SignalKind, signal};
                let [mut ends, mut hangs] = match [SignalKind::terminate(), SignalKind::hangup()].map(signal)
                {
                    [Ok(ends), Ok(hangs)] => [ends, hangs],
                    _ => return,
                };
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = ends.recv() => {}
                    _ = hangs.recv() => {}
                }
            }
            #[cfg(not(unix))]
            let _ = tokio::signal::ctrl_c().await;
        });
        flag.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// What is to be said of the faces, which was not said before: `said` has what was, by their numbers.
fn news(said: &mut BTreeMap<u32, String>, faces: &[TrackedFace]) -> Vec<String> {
    let mut lines = Vec::new();
    for (id, _) in said.extract_if(.., |id, _| faces.iter().all(|face| face.id != *id)) {
        lines.push(format!("face {id} is gone"));
    }
    let mut settled: Vec<_> = faces.iter().filter(|face| face.settled).collect();
    settled.sort_by_key(|face| face.id);
    for TrackedFace { id, face, .. } in settled {
        let words = words(face);
        if said.get(id) != Some(&words) {
            lines.push(format!("face {id}: {words}"));
            said.insert(*id, words);
        }
    }
    lines
}
