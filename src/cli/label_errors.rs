//! `mien experiment label-errors`: labels that several networks contradict.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use mien::data::batch::Dataset;
use mien::data::corrections::{self, GenderCorrection};
use mien::data::crops::Crops;
use mien::data::split::Part;
use mien::engine::RawEstimate;
use mien::engine::cpu::CpuPlan;
use mien::net::NetworkKind;
use mien::train::label_errors;
use mien::train::validate::{Judged, judge};

/// Find training labels that several networks contradict, and write them to a table for
/// `mien train --exclude`
#[derive(clap::Args)]
pub struct LabelErrorsArgs {
    /// Folder that `mien prepare` wrote
    #[arg(long, value_name = "DIR")]
    data: PathBuf,

    /// Data sets to look through
    #[arg(long, value_delimiter = ',', required = true)]
    datasets: Vec<String>,

    /// Weight files of the networks, all of which must contradict
    #[arg(long, value_delimiter = ',', value_name = "FILES")]
    weights: Vec<PathBuf>,

    /// A teacher's answers, which count as another network
    #[arg(long, value_name = "FILE")]
    teacher: Option<PathBuf>,

    /// Only genders: ages that weak networks contradict are often right, of faces that are hard to see
    #[arg(long)]
    gender_only: bool,

    /// The table to write
    #[arg(long, value_name = "CSV")]
    output: PathBuf,
}

pub fn run(args: LabelErrorsArgs) -> anyhow::Result<()> {
    let sets =
        args.datasets.iter().map(|name| Crops::open(&args.data, name)).collect::<Result<Vec<_>, _>>()?;
    let mut data = Dataset::new(sets, Part::Train);
    let mut networks = Vec::new();
    for path in &args.weights {
        let weights = super::read_weights(path)?;
        let kind = NetworkKind::of(&weights).with_context(|| path.display().to_string())?;
        let plan = CpuPlan::new(kind.network(), &weights).with_context(|| path.display().to_string())?;
        networks.push(judge(kind, &plan, &data)?);
    }
    if let Some(path) = &args.teacher {
        data.teach(path)?;
        let judged = |i: usize| {
            let answer = data.answer(i).expect("read above");
            let age = answer.ages.iter().enumerate().map(|(age, p)| age as f32 * p).sum();
            let estimate = RawEstimate { age_distribution: answer.ages, age, female: answer.female };
            Judged { estimate, age: data.row(i).age(), gender: data.row(i).gender }
        };
        networks.push((0..data.len()).map(judged).collect());
    }
    if networks.len() < 2 {
        bail!("one network may be wrong by itself: name two or more by --weights and --teacher");
    }
    let mut found = label_errors::find(&data, &networks);
    if args.gender_only {
        found.retain(|correction| correction.gender == GenderCorrection::Drop);
        found.iter_mut().for_each(|correction| correction.weight = 1.0);
    }
    corrections::write(&args.output, &found)?;
    let mut pictures = BTreeMap::<&str, usize>::new();
    (0..data.len()).for_each(|i| *pictures.entry(data.set_name(data.set_of(i))).or_default() += 1);
    println!("| set | pictures | age left out | age doubtful | gender forgotten |\n|---|---|---|---|---|");
    for (name, n) in pictures {
        let count = |of: &dyn Fn(&corrections::Correction) -> bool| {
            let count = found.iter().filter(|c| c.dataset == name && of(c)).count();
            format!("{count} ({:.2} %)", 100.0 * count as f64 / n as f64)
        };
        println!(
            "| {name} | {n} | {} | {} | {} |",
            count(&|c| c.weight == 0.0),
            count(&|c| c.weight == label_errors::DOUBTFUL),
            count(&|c| c.gender == GenderCorrection::Drop)
        );
    }
    Ok(())
}
