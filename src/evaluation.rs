//! How far off a network is on labelled pictures.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::age::{AgeDistribution, AgeLabel, Hill};
use crate::data::labels::Gender;

/// A label and what was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Name of the picture in its data set.
    pub file: String,
    /// First year of the label.
    pub age_low: f32,
    /// Last year of it.
    pub age_high: f32,
    /// Gender label.
    pub label_gender: Option<Gender>,
    /// Race label.
    pub race: Option<String>,
    /// Whether the detector found a face; if not, the centred square was judged.
    pub found: bool,
    /// Estimated age.
    pub age: f32,
    /// Lower end of the stated range.
    pub range_low: f32,
    /// Upper end.
    pub range_high: f32,
    /// Probability of female.
    pub female: f32,
}

impl Prediction {
    fn label(&self) -> AgeLabel {
        AgeLabel::Range(self.age_low, self.age_high)
    }

    /// Years off, positive for too old, none inside a labelled range.
    pub fn error(&self) -> f32 {
        self.label().error(self.age)
    }

    /// Whether the stated range meets the label.
    pub fn covered(&self) -> bool {
        self.range_low <= self.age_high && self.age_low <= self.range_high
    }

    fn gender_right(&self) -> Option<bool> {
        self.label_gender.map(|g| (self.female >= 0.5) == (g == Gender::Female))
    }
}

/// Measures over some pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Pictures.
    pub n: usize,
    /// Pictures in which no face was found; they are judged on the centred square.
    pub missed: usize,
    /// Mean absolute error, years.
    pub mae: f64,
    /// Its standard error.
    pub mae_stderr: f64,
    /// Mean error, years, positive for too old.
    pub bias: f64,
    /// Share within 5 years.
    pub within_5: f64,
    /// Share of right genders among those labelled; `None` if none is.
    pub gender_accuracy: Option<f64>,
    /// Share of labels that the stated age range holds.
    pub range_coverage: f64,
}

/// What a network said of a picture of known age, for the ways to read one age from it.
#[derive(Debug, Clone)]
pub struct Reading {
    /// What is known.
    pub label: AgeLabel,
    /// The age by regression.
    pub regressed: f32,
    /// All else that was said.
    pub distribution: AgeDistribution,
}

impl Reading {
    /// A Markdown table: the errors of each way to read an age; then those of pictures whose distribution has
    /// two hills. `None` of no pictures.
    pub fn markdown(readings: &[Self]) -> Option<String> {
        type Way = fn(&Reading) -> f32;
        let ways: [(&str, Way); 4] = [
            ("regression", |reading| reading.regressed),
            ("mean", |reading| reading.distribution.mean()),
            ("median", |reading| reading.distribution.median()),
            ("likeliest year", |reading| reading.distribution.mode()),
        ];
        let mut table =
            String::from("| age read as | n | MAE (years) | bias | within 5 |\n|---|---|---|---|---|\n");
        let mut row = |name: &str, errors: &[f32]| {
            let n = errors.len() as f32;
            let mean = |of: &dyn Fn(f32) -> f32| errors.iter().map(|error| of(*error)).sum::<f32>() / n;
            let (mae, bias) = (mean(&f32::abs), mean(&|error| error));
            let stderr = (mean(&|error: f32| (error.abs() - mae).powi(2)) / n).sqrt();
            let within = 100.0 * mean(&|error| f32::from(u8::from(error.abs() <= 5.0)));
            writeln!(table, "| {name} | {n} | {mae:.2} ± {stderr:.2} | {bias:+.2} | {within:.1} % |")
                .expect("strings take everything");
        };
        if readings.is_empty() {
            return None;
        }
        for (name, way) in ways {
            row(name, &readings.iter().map(|reading| reading.label.error(way(reading))).collect::<Vec<_>>());
        }
        let two: Vec<_> =
            readings.iter().filter_map(|reading| Some((reading, reading.distribution.hills()?))).collect();
        if !two.is_empty() {
            let error = |reading: &Self, age: f32| reading.label.error(age);
            let median = |(reading, _): &(&Self, _)| error(reading, reading.distribution.median());
            row("two hills: median", &two.iter().map(median).collect::<Vec<_>>());
            let nearer = |(reading, hills): &(&Self, [Hill; 2])| {
                let [a, b] = hills.map(|hill| error(reading, hill.age));
                if a.abs() <= b.abs() { a } else { b }
            };
            row("two hills: nearer hill", &two.iter().map(nearer).collect::<Vec<_>>());
            let higher = |(reading, [a, b]): &(&Self, [Hill; 2])| {
                error(reading, if a.share > b.share { a.age } else { b.age })
            };
            row("two hills: larger hill", &two.iter().map(higher).collect::<Vec<_>>());
        }
        Some(table)
    }
}

/// How a change to pictures moves their estimates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shift {
    /// The change, in words.
    pub change: String,
    /// Measures of the changed pictures.
    #[serde(flatten)]
    pub measures: Measures,
    /// Standard error of the gender accuracy; `None` if no gender is labelled.
    pub gender_stderr: Option<f64>,
    /// Mean distance between the ages of the changed and the unchanged picture, years.
    pub mean_shift: f64,
    /// Its standard error.
    pub mean_shift_stderr: f64,
    /// Mean of how much older the changed picture is estimated than the unchanged one, years.
    pub mean_change: f64,
    /// The distance that 90 % of the pictures stay below.
    pub shift_90: f64,
    /// Share of pictures whose gender turns.
    pub flips: f64,
    /// Its standard error.
    pub flips_stderr: f64,
}

impl Shift {
    /// Of the same pictures `plain` and `changed`, in the same order; `None` of none.
    pub fn of(change: &str, plain: &[Prediction], changed: &[Prediction]) -> Option<Self> {
        let measures = Measures::of(changed)?;
        let n = changed.len() as f64;
        let pairs = || plain.iter().zip(changed);
        let mut shifts: Vec<f64> = pairs().map(|(p, c)| f64::from((p.age - c.age).abs())).collect();
        shifts.sort_by(f64::total_cmp);
        let mean_shift = shifts.iter().sum::<f64>() / n;
        let variance = shifts.iter().map(|shift| (shift - mean_shift).powi(2)).sum::<f64>() / n;
        let flips = pairs().filter(|(p, c)| (p.female >= 0.5) != (c.female >= 0.5)).count() as f64 / n;
        let of_share = |share: f64, n: f64| (share * (1.0 - share) / n).sqrt();
        let labelled = changed.iter().filter(|p| p.label_gender.is_some()).count() as f64;
        Some(Self {
            change: change.into(),
            gender_stderr: measures.gender_accuracy.map(|share| of_share(share, labelled)),
            measures,
            mean_shift,
            mean_shift_stderr: (variance / n).sqrt(),
            mean_change: pairs().map(|(p, c)| f64::from(c.age - p.age)).sum::<f64>() / n,
            shift_90: shifts[((shifts.len() - 1) as f64 * 0.9).round() as usize],
            flips,
            flips_stderr: of_share(flips, n),
        })
    }

    /// A Markdown table, of which the first row is the unchanged pictures.
    pub fn markdown(shifts: &[Self]) -> String {
        let mut table = String::from(
            "| change | n | missed | MAE (years) | gender | mean shift (years) | older by (years) | 90 % of shifts below | gender flips |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for (i, shift) in shifts.iter().enumerate() {
            let Measures { n, missed, mae, mae_stderr, gender_accuracy, .. } = &shift.measures;
            let percent = |share: f64, error: f64| format!("{:.1} ± {:.1} %", 100.0 * share, 100.0 * error);
            let gender = gender_accuracy.zip(shift.gender_stderr).map_or("-".into(), |(g, e)| percent(g, e));
            write!(table, "| {} | {n} | {missed} | {mae:.2} ± {mae_stderr:.2} | {gender} ", shift.change)
                .expect("strings take everything");
            if i == 0 {
                table += "| | | | |\n";
                continue;
            }
            let flips = percent(shift.flips, shift.flips_stderr);
            let (mean, error) = (shift.mean_shift, shift.mean_shift_stderr);
            writeln!(
                table,
                "| {mean:.2} ± {error:.2} | {:+.2} | {:.1} | {flips} |",
                shift.mean_change, shift.shift_90
            )
            .expect("strings take everything");
        }
        table
    }
}

/// Measures of a data set, in all and by part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// All pictures.
    #[serde(flatten)]
    pub all: Measures,
    /// Share of pictures within 0, 1, ..., 15 years: the cumulative score.
    pub cumulative_score: Vec<f64>,
    /// By decade of the label's middle: `00-09`, `10-19`, ... `90+`.
    pub by_decade: BTreeMap<String, Measures>,
    /// By gender label.
    pub by_gender: BTreeMap<String, Measures>,
    /// By race label.
    pub by_race: BTreeMap<String, Measures>,
}

impl Measures {
    /// Of at least one prediction; `None` of none.
    pub fn of<'a>(predictions: impl IntoIterator<Item = &'a Prediction>) -> Option<Self> {
        let all: Vec<&Prediction> = predictions.into_iter().collect();
        let n = all.len();
        if n == 0 {
            return None;
        }
        let mean = |f: &dyn Fn(&Prediction) -> f64| all.iter().map(|p| f(p)).sum::<f64>() / n as f64;
        let mae = mean(&|p| f64::from(p.error().abs()));
        let variance = mean(&|p| (f64::from(p.error().abs()) - mae).powi(2));
        let genders: Vec<bool> = all.iter().filter_map(|p| p.gender_right()).collect();
        let right = genders.iter().filter(|r| **r).count() as f64;
        Some(Self {
            n,
            missed: all.iter().filter(|p| !p.found).count(),
            mae,
            mae_stderr: (variance / n as f64).sqrt(),
            bias: mean(&|p| f64::from(p.error())),
            within_5: mean(&|p| f64::from(u8::from(p.error().abs() <= 5.0))),
            gender_accuracy: (!genders.is_empty()).then(|| right / genders.len() as f64),
            range_coverage: mean(&|p| f64::from(u8::from(p.covered()))),
        })
    }
}

impl Evaluation {
    /// Of at least one prediction; `None` of none.
    pub fn of(predictions: &[Prediction]) -> Option<Self> {
        let by = |key: &dyn Fn(&Prediction) -> Option<String>| {
            let mut groups: BTreeMap<String, Vec<&Prediction>> = BTreeMap::new();
            for prediction in predictions {
                if let Some(key) = key(prediction) {
                    groups.entry(key).or_default().push(prediction);
                }
            }
            groups.into_iter().filter_map(|(key, group)| Some((key, Measures::of(group)?))).collect()
        };
        let decade = |p: &Prediction| {
            let decade = (p.label().middle() / 10.0) as u32 * 10;
            Some(if decade < 90 { format!("{decade:02}-{:02}", decade + 9) } else { "90+".into() })
        };
        let gender = |p: &Prediction| {
            p.label_gender.map(|g| if g == Gender::Female { "female" } else { "male" }.to_owned())
        };
        let score = |years: usize| {
            let within = predictions.iter().filter(|p| p.error().abs() <= years as f32).count();
            within as f64 / predictions.len() as f64
        };
        Some(Self {
            all: Measures::of(predictions)?,
            cumulative_score: (0..=15).map(score).collect(),
            by_decade: by(&decade),
            by_gender: by(&gender),
            by_race: by(&|p| p.race.clone()),
        })
    }

    /// A Markdown table: all, then each part.
    pub fn markdown(&self) -> String {
        let mut table = String::from(
            "| pictures | n | missed | MAE (years) | bias | within 5 | gender | range holds |\n|---|---|---|---|---|---|---|---|\n",
        );
        let all = std::iter::once(("all", &self.all));
        let parts = [&self.by_decade, &self.by_gender, &self.by_race];
        let parts = parts.into_iter().flatten().map(|(name, m)| (name.as_str(), m));
        for (name, m) in all.chain(parts) {
            let gender = m.gender_accuracy.map_or("-".into(), |g| format!("{:.1} %", 100.0 * g));
            writeln!(
                table,
                "| {name} | {} | {} | {:.2} ± {:.2} | {:+.2} | {:.1} % | {gender} | {:.1} % |",
                m.n,
                m.missed,
                m.mae,
                m.mae_stderr,
                m.bias,
                100.0 * m.within_5,
                100.0 * m.range_coverage
            )
            .expect("strings take everything");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(age: f32, low: f32, high: f32) -> Prediction {
        Prediction {
            file: String::new(),
            age_low: low,
            age_high: high,
            label_gender: Some(Gender::Female),
            race: None,
            found: true,
            age,
            range_low: age - 3.0,
            range_high: age + 3.0,
            female: 0.7,
        }
    }

    #[test]
    fn measures_by_hand() {
        let mut off = prediction(30.0, 36.0, 36.0);
        off.label_gender = Some(Gender::Male);
        off.found = false;
        let inside = prediction(25.0, 20.0, 29.0);
        let m = Measures::of([&off, &inside]).unwrap();
        assert_eq!((m.n, m.missed, m.mae, m.bias, m.within_5), (2, 1, 3.0, -3.0, 0.5));
        assert_eq!((m.gender_accuracy, m.range_coverage), (Some(0.5), 0.5));
        assert!((m.mae_stderr - 3.0 / 2f64.sqrt()).abs() < 1e-9);
        assert_eq!(Measures::of([]), None);
    }

    #[test]
    fn shifts_by_hand() {
        let plain: Vec<_> = (0..11).map(|_| prediction(30.0, 30.0, 30.0)).collect();
        let mut changed = plain.clone();
        changed[0].age = 25.0;
        changed[1].age = 41.0;
        changed[2].female = 0.2;
        let none = Shift::of("none", &plain, &plain).unwrap();
        assert_eq!((none.mean_shift, none.flips, none.measures.mae), (0.0, 0.0, 0.0));
        let shift = Shift::of("some", &plain, &changed).unwrap();
        assert_eq!((shift.measures.mae, shift.shift_90), (shift.mean_shift, 5.0));
        assert!((shift.mean_shift - 16.0 / 11.0).abs() < 1e-6);
        assert!((shift.flips - 1.0 / 11.0).abs() < 1e-12);
        assert!((shift.flips_stderr - (10.0f64 / 121.0 / 11.0).sqrt()).abs() < 1e-12);
        let table = Shift::markdown(&[none, shift]);
        assert!(table.contains("| none | 11 | 0 | 0.00 ± 0.00 | 100.0 ± 0.0 % | | | | |\n"), "{table}");
        // One 5 years younger, one 11 older.
        assert!(table.contains("| +0.55 | 5.0 | 9.1 ± 8.7 % |\n"), "{table}");
        assert_eq!(Shift::of("none", &[], &[]), None);
    }

    #[test]
    fn readings_by_hand() {
        let reading = |age: f32, shares: &[(usize, f32)], regressed| {
            let mut probabilities = [0.0; 100];
            shares.iter().for_each(|(age, share)| probabilities[*age] = *share);
            let distribution = AgeDistribution::new(probabilities).unwrap();
            Reading { label: AgeLabel::Exact(age), regressed, distribution }
        };
        // A third at 10, two thirds at 40: the median is a quarter of the way into the year of 40.
        let table = Reading::markdown(&[reading(12.0, &[(10, 1.0), (40, 2.0)], 25.0)]).unwrap();
        for row in [
            "| regression | 1 | 13.00 ± 0.00 | +13.00 | 0.0 % |",
            "| mean | 1 | 18.00 ± 0.00 | +18.00 | 0.0 % |",
            "| median | 1 | 27.75 ± 0.00 | +27.75 | 0.0 % |",
            "| likeliest year | 1 | 28.00 ± 0.00 | +28.00 | 0.0 % |",
            "| two hills: median | 1 | 27.75 ± 0.00 | +27.75 | 0.0 % |",
            "| two hills: nearer hill | 1 | 2.00 ± 0.00 | -2.00 | 100.0 % |",
            "| two hills: larger hill | 1 | 28.00 ± 0.00 | +28.00 | 0.0 % |",
        ] {
            assert!(table.contains(row), "{row}\n{table}");
        }
        assert_eq!(Reading::markdown(&[]), None);
    }

    #[test]
    fn the_oldest_share_a_part() {
        let evaluation =
            Evaluation::of(&[prediction(80.0, 90.0, 90.0), prediction(80.0, 100.0, 100.0)]).unwrap();
        assert_eq!(evaluation.by_decade["90+"].n, 2);
    }

    #[test]
    fn parts_and_table() {
        let all = [prediction(30.0, 36.0, 36.0), prediction(25.0, 20.0, 29.0), prediction(3.0, 5.0, 5.0)];
        let evaluation = Evaluation::of(&all).unwrap();
        let decades: Vec<_> = evaluation.by_decade.keys().map(String::as_str).collect();
        assert_eq!(decades, ["00-09", "20-29", "30-39"]);
        assert_eq!(evaluation.cumulative_score[5], 2.0 / 3.0);
        assert!(
            evaluation
                .markdown()
                .contains("| 30-39 | 1 | 0 | 6.00 ± 0.00 | -6.00 | 0.0 % | 100.0 % | 0.0 % |")
        );
        let json = serde_json::to_value(&evaluation).unwrap();
        for field in ["n", "missed", "mae", "mae_stderr", "bias", "gender_accuracy", "range_coverage"] {
            assert!(!json[field].is_null(), "{field}");
        }
    }
}
