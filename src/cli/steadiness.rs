//! `mien bench steadiness`: how soon numbers in a video are right and how still they stand, on clips made
//! of held pictures.

use std::collections::BTreeSet;
use std::f32::consts::TAU;
use std::path::PathBuf;

use anyhow::ensure;
use mien::data::layouts::{self, LabelledPictures, VALIDATION};
use mien::picture::{Border, Frame, Pixels, Similarity};
use mien::pipeline::estimator::Estimator;
use mien::pipeline::video::{TrackedFace, Video};
use mien::vision::{Detection, Search};

use super::EstimatorArgs;

#[derive(clap::Args)]
pub struct SteadinessArgs {
    /// Folder with labels.csv and <dataset>-train.tar; its validation pictures are people, held before the
    /// camera
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Name of the data set, as in labels.csv
    #[arg(long, default_value = "aaf")]
    dataset: String,

    /// People
    #[arg(long, default_value_t = 24)]
    people: usize,

    #[command(flatten)]
    estimator: EstimatorArgs,
}

const WIDTH: usize = 640;
const HEIGHT: usize = 480;
const FRAMES: f32 = 30.0;

/// Standard deviation of the sensor's noise, of 255.
const NOISE: f32 = 4.0;

/// Pixels of noise before those of the first frame.
const OFFSETS: u32 = 16_381;

/// A number is right, and the first one good, where it is no further from what it should be, in years.
const NEAR: f32 = 3.0;

/// Seconds within which a number is to be right.
const SOON: f32 = 1.0;

/// Who comes in another's place has that one's identity for a moment; identities are counted after so many
/// seconds.
const CHANGING: f32 = 0.5;

/// The settled number is that of a visit's last second.
const SETTLED: f32 = 1.0;

/// A person: the largest face of a picture.
struct Person {
    picture: Pixels,
    face: Detection,
    /// The age that photos of this person in such a video give on average.
    age: f32,
}

/// How a person is seen in a frame.
#[derive(Debug, Clone, Copy)]
struct Shot {
    /// The middle and the width of the face, in pixels.
    x: f32,
    y: f32,
    width: f32,
    degrees: f32,
    /// Factors of red, green and blue.
    light: [f32; 3],
    /// Pixels that it moves to the side while the shutter is open.
    blur: f32,
}

/// Held still in the middle.
const STILL: Shot = Shot { x: 320.0, y: 240.0, width: 130.0, degrees: 0.0, light: [1.0; 3], blur: 0.0 };

/// A person in a clip: which visit, whose (both counted from 0), and how it is seen.
type Seen = (usize, usize, Shot);

/// A clip: people and what becomes of them.
struct Clip {
    name: &'static str,
    seconds: f32,
    /// Who is visible at a time in seconds.
    at: fn(f32) -> Vec<Seen>,
}

const CLIPS: [Clip; 10] = [
    Clip { name: "a still person", seconds: 10.0, at: |_| vec![(0, 0, STILL)] },
    Clip { name: "a shaking one", seconds: 8.0, at: |t| vec![(0, 0, shaken(t))] },
    Clip { name: "light that turns", seconds: 8.0, at: |t| vec![(0, 0, lit(t))] },
    Clip { name: "a detector that blinks", seconds: 6.0, at: blinks },
    Clip { name: "somebody comes in", seconds: 4.0, at: |t| vec![(0, 0, coming(t))] },
    Clip { name: "four, one after another", seconds: 12.0, at: |t| one_of_four(t, 3.0, 0.0) },
    Clip { name: "four, shaken", seconds: 12.0, at: four_shaken },
    Clip { name: "four, with half a second between", seconds: 14.0, at: |t| one_of_four(t, 3.5, 0.5) },
    Clip { name: "leaves for a second, comes back", seconds: 7.0, at: returns },
    Clip { name: "two cross", seconds: 4.0, at: crossing },
];

fn shaken(t: f32) -> Shot {
    let wave = |hertz: f32, phase: f32| (TAU * hertz * t + phase).sin();
    let x = |t: f32| 0.04 * STILL.width * ((TAU * 2.3 * t).sin() + 0.6 * (TAU * 5.1 * t + 1.0).sin());
    Shot {
        x: STILL.x + x(t),
        y: STILL.y + 0.03 * STILL.width * (wave(1.9, 2.0) + 0.6 * wave(4.3, 0.5)),
        width: STILL.width * (1.0 + 0.03 * wave(0.7, 1.0)),
        degrees: 3.0 * wave(1.1, 0.0) + 1.5 * wave(3.7, 1.5),
        // The shutter is open for half a frame.
        blur: (x(t + 0.5 / FRAMES) - x(t)).abs(),
        ..STILL
    }
}

/// From dark to bright and back in four seconds, and warmer and colder in five.
fn lit(t: f32) -> Shot {
    let light = 1.0 - 0.4 * (TAU * t / 4.0).cos();
    let warm = 0.12 * (TAU * t / 5.0).sin();
    Shot { light: [light * (1.0 + warm), light, light * (1.0 - warm)], ..STILL }
}

/// Out of sight for 1, 3, 6 and 9 frames.
fn blinks(t: f32) -> Vec<Seen> {
    let gone = [(1.0, 1.0), (2.0, 3.0), (3.0, 6.0), (4.0, 9.0)];
    let hidden = gone.iter().any(|(start, frames)| (*start..start + (frames - 0.5) / FRAMES).contains(&t));
    if hidden { vec![] } else { vec![(0, 0, STILL)] }
}

/// From the left edge to the middle within a second, nearer and nearer.
fn coming(t: f32) -> Shot {
    let way = |t: f32| {
        let t = t.clamp(0.0, 1.0);
        t * (2.0 - t)
    };
    let x = |t: f32| 400.0 * way(t) - 80.0;
    Shot { x: x(t), width: 100.0 + 30.0 * way(t), blur: (x(t + 0.5 / FRAMES) - x(t)).abs(), ..STILL }
}

fn one_of_four(t: f32, each: f32, gap: f32) -> Vec<Seen> {
    let visit = ((t / each) as usize).min(3);
    if t - visit as f32 * each > each - gap { vec![] } else { vec![(visit, visit, STILL)] }
}

fn four_shaken(t: f32) -> Vec<Seen> {
    one_of_four(t, 3.0, 0.0).into_iter().map(|(visit, person, _)| (visit, person, shaken(t))).collect()
}

fn returns(t: f32) -> Vec<Seen> {
    match t {
        t if t < 3.0 => vec![(0, 0, STILL)],
        t if t < 4.0 => vec![],
        _ => vec![(1, 0, STILL)],
    }
}

/// Past each other at the same height after a second, at 300 pixels a second each; one hides the other.
fn crossing(t: f32) -> Vec<Seen> {
    let way = 300.0 * (t - 1.0).clamp(0.0, 4.0 / 3.0);
    let at = |x: f32| Shot { x, width: 110.0, ..STILL };
    vec![(0, 0, at(120.0 + way)), (1, 1, at(520.0 - way))]
}

/// What was shown of a person from its coming to its going, a row a frame: seconds since it came, id, and the
/// number, if one is shown.
#[derive(Debug, Default, Clone)]
struct Visit {
    person: usize,
    shown: Vec<(f32, u32, Option<f32>)>,
}

/// The number that is shown of a face, if one is.
fn number(face: &TrackedFace) -> Option<f32> {
    face.settled.then_some(face.face.estimate.age)
}

pub fn run(args: SteadinessArgs) -> anyhow::Result<()> {
    let set = layouts::open(&args.dataset, &args.data, Some(VALIDATION))?;
    let source = args.estimator.load()?;
    let people = people(&set, &source.estimator()?, args.people)?;
    let noise = noise();
    let jobs: Vec<(usize, usize)> =
        (0..CLIPS.len()).flat_map(|clip| (0..people.len()).map(move |first| (clip, first))).collect();
    let bar = super::progress_bar(jobs.len() as u64, "clips");
    let mut visits: Vec<Vec<Vec<Visit>>> = vec![Vec::new(); CLIPS.len()];
    let mut failed = None;
    super::for_each_in_order(
        &source,
        &jobs,
        |estimator, (clip, first)| play(estimator, &CLIPS[*clip], &people, *first, &noise),
        |(clip, _), result| {
            match result {
                Ok(seen) => visits[*clip].push(seen),
                Err(error) => failed = Some(error),
            }
            bar.inc(1);
        },
    )?;
    bar.finish_and_clear();
    if let Some(error) = failed {
        return Err(error);
    }
    println!(
        "| clip | right and staying so after (s) | right within 1 s | right at last | first number of a track after (s) \
         | off its settled one: 95 % below | within 3 years | changes a minute | identities a person: mean, most \
         | keeps another's identity |\n|---|---|---|---|---|---|---|---|---|---|"
    );
    for (clip, visits) in CLIPS.iter().zip(&visits) {
        println!("{}", row(clip.name, visits, &people));
    }
    Ok(())
}

/// People evenly spread over the set, and such an order that neighbours differ.
fn people(set: &LabelledPictures, estimator: &Estimator, count: usize) -> anyhow::Result<Vec<Person>> {
    let noise = noise();
    let mut people = Vec::new();
    let samples = set.samples.len();
    for i in 0..samples {
        // Steps of the golden ratio: each part of the list is as full as the others, and neighbours are far
        // apart.
        let sample = &set.samples[((i as f64 * 0.618_034).fract() * samples as f64) as usize];
        let Ok(picture) = Pixels::decode(&set.read(sample)?) else { continue };
        let faces = pollster::block_on(estimator.detect(&picture.frame(), Search::Tiled))?;
        let [face] = faces[..] else { continue };
        let mut person = Person { picture, face, age: 0.0 };
        if let Some(age) = photographed(estimator, &person, &noise)? {
            person.age = age;
            people.push(person);
        }
        if people.len() == count {
            return Ok(people);
        }
    }
    ensure!(people.len() >= 4, "only {} pictures have one face that is found again", people.len());
    Ok(people)
}

/// The mean age of photos of a person, each a little different.
fn photographed(estimator: &Estimator, person: &Person, noise: &[i8]) -> anyhow::Result<Option<f32>> {
    let mut ages = Vec::new();
    for i in 0..12u32 {
        let turn = TAU * i as f32 / 12.0;
        let shot = Shot { x: STILL.x + 2.0 * turn.cos(), y: STILL.y + 2.0 * turn.sin(), ..STILL };
        let rgba = drawn(&[(person, shot)], noise, i);
        let frame = Frame::new(WIDTH, HEIGHT, &rgba)?;
        let faces = pollster::block_on(estimator.estimate(&frame, Search::Refined))?;
        let [face] = &faces[..] else { return Ok(None) };
        ages.push(face.estimate.age);
    }
    Ok(Some(ages.iter().sum::<f32>() / ages.len() as f32))
}

/// Shows a clip to a video, with the people from `first` on.
fn play(
    estimator: &Estimator,
    clip: &Clip,
    people: &[Person],
    first: usize,
    noise: &[i8],
) -> anyhow::Result<Vec<Visit>> {
    let mut video = Video::default();
    let mut visits: Vec<(f32, Visit)> = Vec::new();
    let who = |person: usize| (first + person) % people.len();
    for i in 0..(clip.seconds * FRAMES) as u32 {
        let t = i as f32 / FRAMES;
        let seen = (clip.at)(t);
        let shots: Vec<_> = seen.iter().map(|(_, person, shot)| (&people[who(*person)], *shot)).collect();
        let rgba = drawn(&shots, noise, i);
        let frame = Frame::new(WIDTH, HEIGHT, &rgba)?;
        pollster::block_on(video.process(estimator, &frame, 1e3 * f64::from(t)))?;
        for (visit, person, shot) in &seen {
            while visits.len() <= *visit {
                visits.push((t, Visit { person: who(*person), ..Visit::default() }));
            }
            // Where two are in one place nobody can say whose face it is.
            let beside = |other: &Seen| other.0 != *visit && (other.2.x - shot.x).abs() < shot.width;
            if seen.iter().any(beside) {
                continue;
            }
            let off = |face: &TrackedFace| {
                let [x, y, width, height] = face.face.bbox;
                (x + width / 2.0 - shot.x).hypot(y + height / 2.0 - shot.y) / shot.width
            };
            let nearest = video.faces().iter().min_by(|a, b| off(a).total_cmp(&off(b)));
            if let Some(face) = nearest.filter(|face| off(face) < 0.5) {
                let (came, visit) = &mut visits[*visit];
                visit.shown.push((t - *came, face.id, number(face)));
            }
        }
    }
    Ok(visits.into_iter().map(|(_, visit)| visit).collect())
}

/// A frame with people before a wall; `seed` is that of its noise.
fn drawn(people: &[(&Person, Shot)], noise: &[i8], seed: u32) -> Vec<u8> {
    let mut rgba: Vec<u8> = (0..WIDTH * HEIGHT)
        .flat_map(|i| {
            let light = 150 - (60 * (i % WIDTH) / WIDTH) as u8;
            [light, light, light - 5, 255]
        })
        .collect();
    for (person, shot) in people {
        let turn = Similarity::new(person.face.bbox.width / shot.width, -shot.degrees.to_radians(), 0.0, 0.0);
        let ([fx, fy], [cx, cy]) = (turn.apply([shot.x, shot.y]), person.face.bbox.centre());
        let from_frame = turn.shifted(cx - fx, cy - fy);
        let half = (1.05 * shot.width) as i32;
        let (left, top, side) = (shot.x as i32 - half, shot.y as i32 - half, 2 * half as usize);
        let patch = Similarity::new(1.0, 0.0, left as f32, top as f32);
        let rgb = person.picture.frame().sample(&from_frame.after(&patch), side, side, Border::Replicate);
        let steps = shot.blur.round() as usize;
        for i in 0..side * side {
            let (x, y) = (left + (i % side) as i32, top + (i / side) as i32);
            if !(0..WIDTH as i32).contains(&x) || !(0..HEIGHT as i32).contains(&y) {
                continue;
            }
            let pixel = &mut rgba[(y as usize * WIDTH + x as usize) * 4..][..3];
            for (channel, value) in pixel.iter_mut().enumerate() {
                // The mean of those that pass by while the shutter is open.
                let last = (i % side).min(steps);
                let sum: u32 = (0..=last).map(|step| u32::from(rgb[(i - step) * 3 + channel])).sum();
                *value = (sum as f32 / (last + 1) as f32 * shot.light[channel] + 0.5) as u8;
            }
        }
    }
    let start = 4 * (seed.wrapping_mul(2_654_435_769) % OFFSETS) as usize;
    for (value, noise) in rgba.iter_mut().zip(&noise[start..]) {
        *value = value.saturating_add_signed(*noise);
    }
    rgba
}

/// Noise of a standard deviation of [`NOISE`] (sums of four uniform numbers), none of it in alpha.
fn noise() -> Vec<i8> {
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5
    };
    let mut normal = || (uniform() + uniform() + uniform() + uniform()) * 3f32.sqrt();
    let values = WIDTH * HEIGHT * 4 + 4 * OFFSETS as usize;
    (0..values).map(|i| if i % 4 == 3 { 0 } else { (NOISE * normal()).round() as i8 }).collect()
}

/// The figures of a clip: of every visit in every run of it.
fn row(name: &str, runs: &[Vec<Visit>], people: &[Person]) -> String {
    let (mut right, mut first, mut off, mut ids) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut changes, mut seconds, mut inherited, mut later) = (0, 0.0, 0, 0);
    for visits in runs {
        let mut before: Vec<(usize, u32)> = Vec::new();
        for visit in visits {
            let near = |row: &(f32, u32, Option<f32>)| {
                row.2.is_some_and(|age| (age - people[visit.person].age).abs() <= NEAR)
            };
            let wrong = visit.shown.iter().rposition(|row| !near(row));
            let at = visit.shown.get(wrong.map_or(0, |wrong| wrong + 1));
            right.push(at.map_or(f32::INFINITY, |row| row.0));
            // A track is the identity that stays, its first number where it begins.
            let Some(&(_, stays, _)) = visit.shown.last() else { continue };
            let track = visit.shown.iter().filter(|row| row.1 == stays);
            let numbers: Vec<(f32, f32)> = track.filter_map(|row| Some((row.0, row.2?))).collect();
            if let (Some(&(came, number)), Some(last)) = (numbers.first(), numbers.last()) {
                let settled = numbers.iter().filter(|row| row.0 > last.0 - SETTLED);
                let (sum, count) = settled.fold((0.0, 0.0), |(sum, count), row| (sum + row.1, count + 1.0));
                if before.iter().all(|(_, id)| *id != stays) {
                    first.push(came);
                    off.push((number - sum / count).abs());
                }
                seconds += last.0 - came;
                let moved = |pair: &&[(f32, f32)]| pair[0].1.round() != pair[1].1.round();
                changes += numbers.windows(2).filter(moved).count();
            }
            let lasting = visit.shown.iter().filter(|row| row.0 >= CHANGING);
            let own: BTreeSet<u32> = lasting.map(|row| row.1).collect();
            ids.push(own.len() as f32);
            let mut others = before.iter().filter(|(person, _)| *person != visit.person).peekable();
            if others.peek().is_some() {
                later += 1;
                inherited += usize::from(others.any(|(_, id)| *id == stays));
            }
            before.extend(own.iter().map(|id| (visit.person, *id)));
        }
    }
    let within = off.iter().filter(|off| **off <= NEAR).count() as f32 / off.len().max(1) as f32;
    let share = if later > 0 { format!("{inherited} of {later}") } else { "-".into() };
    let mean_ids = ids.iter().sum::<f32>() / ids.len().max(1) as f32;
    format!(
        "| {name} | {} | {} | {} | {} | {} | {:.0} % | {:.1} | {mean_ids:.2}, {:.0} | {share} |",
        part_of(&mut right, 0.5),
        share_of(&right, |at| *at <= SOON),
        share_of(&right, |at| at.is_finite()),
        part_of(&mut first, 0.5),
        part_of(&mut off, 0.95),
        100.0 * within,
        60.0 * changes as f32 / seconds.max(1.0),
        part_most(&ids),
    )
}

fn share_of(values: &[f32], is: impl Fn(&f32) -> bool) -> String {
    format!("{} of {}", values.iter().filter(|value| is(value)).count(), values.len())
}

fn part_most(values: &[f32]) -> f32 {
    values.iter().copied().fold(0.0, f32::max)
}

/// The value that a part of all stays below, in words.
fn part_of(values: &mut [f32], part: f32) -> String {
    values.sort_by(f32::total_cmp);
    match values.get(((values.len() as f32 * part).ceil() as usize).saturating_sub(1)) {
        Some(value) if value.is_finite() => format!("{value:.2}"),
        Some(_) => "never".into(),
        None => "-".into(),
    }
}
