//! `mien experiment sheet`: crops on one picture, to look at labels or at random changes.

use std::path::PathBuf;

use ab_glyph::FontRef;
use anyhow::{Context, bail};
use image::{Rgb, RgbImage};
use imageproc::drawing::draw_text_mut;
use mien::data::augment::{Augmentation, KINDS, Kind};
use mien::data::batch::{Dataset, middle};
use mien::data::corrections;
use mien::data::crops::{CropRow, Crops};
use mien::data::labels::Gender;
use mien::data::split::Part;
use mien::vision::alignment::SIDE;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Draw crops with their labels, or with random changes beside them, on one picture to look at
#[derive(clap::Args)]
pub struct SheetArgs {
    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Data sets to draw from
    #[arg(long, value_delimiter = ',', required = true)]
    datasets: Vec<String>,

    /// The picture to write, such as sheet.png
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// Crops in all, drawn by chance from the training part
    #[arg(long, default_value_t = 80)]
    count: usize,

    /// Show so many changed copies beside each crop instead of the labels
    #[arg(long, default_value_t = 0)]
    changed: usize,

    /// Strength of the random changes
    #[arg(long, default_value_t = Augmentation::default().strength)]
    augmentation: f32,

    /// Kinds of random changes
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = KINDS.map(|(kind, _)| kind))]
    augment: Vec<Kind>,

    /// Only labels whose middle lies in this range of years, such as 60-99
    #[arg(long, value_name = "YEARS")]
    ages: Option<String>,

    /// Only the pictures in this table of wrong labels, each with its reason
    #[arg(long, value_name = "CSV")]
    wrong: Option<PathBuf>,

    /// Seed of what is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Height of the line below a crop.
const LINE: usize = 22;

pub fn run(args: SheetArgs) -> anyhow::Result<()> {
    let sets =
        args.datasets.iter().map(|name| Crops::open(&args.data, name)).collect::<Result<Vec<_>, _>>()?;
    let data = Dataset::new(sets, Part::Train);
    let wrong = args.wrong.as_deref().map(corrections::read).transpose()?;
    let [youngest, oldest] = match &args.ages {
        Some(text) => {
            let (low, high) = text.split_once('-').context("--ages takes a range, such as 60-99")?;
            [low.parse::<f32>()?, high.parse()?]
        }
        None => [0.0, f32::INFINITY],
    };
    let reason = |i: usize| {
        let row = wrong
            .as_ref()?
            .iter()
            .find(|c| c.file == data.row(i).file && c.dataset == data.set_name(data.set_of(i)));
        row.map(|c| c.reason.clone())
    };
    let mut drawn: Vec<(usize, String)> = (0..data.len())
        .filter(|i| (youngest..=oldest).contains(&data.row(*i).age().middle()))
        .filter_map(|i| if wrong.is_some() { Some((i, reason(i)?)) } else { Some((i, String::new())) })
        .collect();
    drawn.shuffle(&mut ChaCha8Rng::seed_from_u64(args.seed));
    drawn.truncate(args.count);
    if drawn.is_empty() {
        bail!("no crop to show");
    }

    let change = Augmentation { strength: args.augmentation, kinds: args.augment };
    let mut tiles = Vec::new();
    for (i, reason) in &drawn {
        let stored = data.stored(*i)?;
        tiles.push((middle(&stored), format!("{} {reason}", words(data.row(*i)))));
        for copy in 0..args.changed {
            let mut rng = ChaCha8Rng::seed_from_u64(args.seed);
            rng.set_stream((*i * args.changed + copy) as u64);
            tiles.push((change.apply(&stored, &mut rng), String::new()));
        }
    }
    let columns = if args.changed > 0 { args.changed + 1 } else { 10 };
    draw(&tiles, columns).save(&args.output).with_context(|| args.output.display().to_string())?;
    for (n, (i, reason)) in drawn.iter().enumerate() {
        println!("{} {} {} {reason}", n + 1, data.set_name(data.set_of(*i)), data.row(*i).file);
    }
    Ok(())
}

/// Age and gender of a label.
fn words(row: &CropRow) -> String {
    let gender = match row.gender {
        Some(Gender::Female) => "f",
        Some(Gender::Male) => "m",
        None => "-",
    };
    if row.age_low == row.age_high {
        format!("{} {gender}", row.age_low)
    } else {
        format!("{}-{} {gender}", row.age_low, row.age_high)
    }
}

fn draw(tiles: &[(Vec<u8>, String)], columns: usize) -> RgbImage {
    let font = FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .expect("a font that ships with the crate");
    let rows = tiles.len().div_ceil(columns);
    let mut sheet = RgbImage::new((columns * SIDE) as u32, (rows * (SIDE + LINE)) as u32);
    for (at, (crop, text)) in tiles.iter().enumerate() {
        let (left, top) = ((at % columns * SIDE) as u32, (at / columns * (SIDE + LINE)) as u32);
        for (i, pixel) in crop.as_chunks::<3>().0.iter().enumerate() {
            sheet.put_pixel(left + (i % SIDE) as u32, top + (i / SIDE) as u32, Rgb(*pixel));
        }
        let place = ((left + 3) as i32, (top as usize + SIDE + 2) as i32);
        draw_text_mut(&mut sheet, Rgb([255; 3]), place.0, place.1, 15.0, &font, text);
    }
    sheet
}
