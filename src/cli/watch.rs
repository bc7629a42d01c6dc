//! `mien watch`: the faces of a camera or a film, followed from frame to frame as the page follows them.

mod frames;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use mien::net::NetworkKind;
use mien::picture::Frame;
use mien::pipeline::estimator::Face;
use mien::pipeline::video::{TrackedFace, Video};
use serde::Serialize;

use super::MeansArgs;
use super::output::RESULT_SCHEMA;
use super::predict::words;
use frames::Frames;

/// Follow the faces of a camera, a film, or frames that another program sends
///
/// Says a line of each face when its numbers change, or with --json one of each frame. A face has a number that it
/// keeps; its age and gender are steadied over its frames, and said once a few of them agree.
#[derive(clap::Args, Debug)]
pub struct WatchArgs {
    /// A camera such as /dev/video0 or a film, both by ffmpeg; a film of the kind YUV4MPEG2 (.y4m), or - for such
    /// frames from standard input, as in `ffmpeg -i film.mp4 -f yuv4mpegpipe - | mien watch -`
    source: PathBuf,

    /// Print a JSON object a frame
    #[arg(long)]
    json: bool,

    /// End after so many frames
    #[arg(long, value_name = "COUNT")]
    frames: Option<u64>,

    /// Which network
    #[arg(long, value_enum, default_value_t)]
    model: NetworkKind,

    #[command(flatten)]
    means: MeansArgs,
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
    let estimator = args.means.load(args.model)?.estimator()?;
    let mut frames = Frames::open(&args.source)?;
    let (mut video, mut said) = (Video::default(), BTreeMap::new());
    let (begun, shown) = (Instant::now(), || args.source.display().to_string());
    let (mut rgba, mut is_over) = (Vec::new(), false);
    for number in 0..args.frames.unwrap_or(u64::MAX) {
        let Some([width, height]) = frames.next(&mut rgba).with_context(shown)? else {
            is_over = true;
            break;
        };
        let seconds = match frames.rate() {
            Some(rate) => number as f64 / rate,
            None => begun.elapsed().as_secs_f64(),
        };
        let frame = Frame::new(width, height, &rgba)?;
        let report = pollster::block_on(video.process(&estimator, &frame, 1000.0 * seconds))?;
        // A line at once, for whoever reads on.
        if args.json {
            let faces = video.faces().iter();
            let faces = faces.map(|it| FaceLine { id: it.id, settled: it.settled, face: &it.face }).collect();
            let (model, mode) = (args.model.name(), report.mode.name());
            let line = FrameLine { schema: RESULT_SCHEMA, time: seconds, width, height, model, mode, faces };
            println!("{}", serde_json::to_string(&line)?);
        } else {
            for line in news(&mut said, video.faces()) {
                println!("{seconds:.2} s  {line}");
            }
        }
    }
    frames.end(is_over).with_context(shown)
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
