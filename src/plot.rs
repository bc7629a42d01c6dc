//! Charts as SVG: the course of a run, how estimates lie against labels, and how costs grow.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use thiserror::Error;

use crate::evaluation::Prediction;
use crate::files::write_atomically;

/// Why a chart could not be drawn.
#[derive(Debug, Error)]
#[error("{path}: {reason}")]
pub struct PlotError {
    path: String,
    reason: String,
}

const SIZE: (u32, u32) = (720, 480);
const TRAINING: RGBColor = RGBColor(200, 90, 60);
const VALIDATION: RGBColor = RGBColor(30, 120, 160);

type Painted = Result<(), Box<dyn std::error::Error>>;

/// Paints a chart of so many pixels and puts it at `path` when it is whole.
fn draw(
    path: &Path,
    size: (u32, u32),
    paint: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Painted,
) -> Result<(), PlotError> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let painted = area.fill(&WHITE).map_err(Into::into).and_then(|()| paint(&area));
    let painted = painted.and_then(|()| Ok(area.present()?));
    drop(area);
    let written = painted.and_then(|()| Ok(write_atomically(path, svg.as_bytes())?));
    written.map_err(|e| PlotError { path: path.display().to_string(), reason: e.to_string() })
}

/// Name, colour and points.
type Series<'a> = (&'a str, RGBColor, Vec<(f64, f64)>);

/// One or two lines.
struct Curves<'a> {
    title: &'a str,
    /// What the points' places are.
    along: &'a str,
    /// What their heights are in.
    unit: &'a str,
    /// Whether heights are shown from zero, not from the lowest.
    from_zero: bool,
    lines: Vec<Series<'a>>,
}

/// What is drawn of a pass over the training pictures: of these and of the validation pictures.
#[derive(Debug, Clone, Copy)]
pub struct PlottedPass {
    /// Passes done.
    pub epoch: usize,
    /// Mean absolute errors of age, years.
    pub mae: [f64; 2],
    /// Gender accuracies, 0..1.
    pub gender_accuracy: [f64; 2],
}

/// Draws MAE and gender accuracy of training and validation over the passes (the study's figures 4.4 and 4.5)
/// into `mae.svg` and `gender.svg` in `folder`.
///
/// # Errors
/// [`PlotError`] if a file can't be written.
pub fn run_curves(passes: &[PlottedPass], folder: &Path) -> Result<(), PlotError> {
    let line =
        |value: fn(&PlottedPass) -> f64| passes.iter().map(|pass| (pass.epoch as f64, value(pass))).collect();
    let charts = [
        (
            "mae.svg",
            Curves {
                title: "Mean absolute error of age",
                along: "pass",
                unit: "years",
                from_zero: false,
                lines: vec![
                    ("training", TRAINING, line(|pass| pass.mae[0])),
                    ("validation", VALIDATION, line(|pass| pass.mae[1])),
                ],
            },
        ),
        (
            "gender.svg",
            Curves {
                title: "Gender accuracy",
                along: "pass",
                unit: "%",
                from_zero: false,
                lines: vec![
                    ("training", TRAINING, line(|pass| 100.0 * pass.gender_accuracy[0])),
                    ("validation", VALIDATION, line(|pass| 100.0 * pass.gender_accuracy[1])),
                ],
            },
        ),
    ];
    for (name, curves) in charts {
        draw(&folder.join(name), SIZE, |area| draw_curves(&curves, area))?;
    }
    Ok(())
}

fn draw_curves(curves: &Curves, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Painted {
    let points = || curves.lines.iter().flat_map(|(_, _, line)| line.iter());
    let bounds = |value: fn(&(f64, f64)) -> f64| {
        points().map(value).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)))
    };
    let (first, last) = bounds(|p| p.0);
    let (first, last) = if first < last { (first, last) } else { (1.0, 2.0) };
    let (low, high) = bounds(|p| p.1);
    let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
    let margin = (high - low) * 0.05;
    let low = if curves.from_zero { 0.0 } else { low - margin };
    let mut chart = ChartBuilder::on(area)
        .caption(curves.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(first..last, low..high + margin)?;
    chart.configure_mesh().x_desc(curves.along).y_desc(curves.unit).light_line_style(WHITE).draw()?;
    for (name, colour, line) in &curves.lines {
        let colour = *colour;
        chart
            .draw_series(LineSeries::new(line.iter().copied(), colour.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}

/// A chart among several in one figure.
#[derive(Debug, Clone)]
pub struct Panel {
    /// What it is of.
    pub title: String,
    /// Its lines.
    pub lines: Vec<PanelLine>,
}

/// A line of a [`Panel`].
#[derive(Debug, Clone)]
pub struct PanelLine {
    /// For the legend, which the last panel has.
    pub name: String,
    /// Which of the colours, counted from 0.
    pub colour: usize,
    /// Whether it is dashed.
    pub dashed: bool,
    /// Pass and height.
    pub points: Vec<(f64, f64)>,
}

/// Colours that are told apart also by those who see no red or no green (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(213, 94, 0), RGBColor(0, 114, 178), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];

/// Draws panels over the passes, two a row, all of the same heights.
///
/// # Errors
/// [`PlotError`] if the file can't be written.
pub fn panels(title: &str, unit: &str, panels: &[Panel], path: &Path) -> Result<(), PlotError> {
    let rows = panels.len().div_ceil(2);
    draw(path, (960, 40 + 340 * rows as u32), |area| {
        let points = || panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
        let low = points().map(|point| point.1).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        let margin = (high - low) * 0.05;
        let area = area.titled(title, ("sans-serif", 20))?;
        for (i, (panel, area)) in panels.iter().zip(area.split_evenly((rows, 2))).enumerate() {
            draw_panel(panel, unit, low - margin..high + margin, i + 1 == panels.len(), &area)?;
        }
        Ok(())
    })
}

fn draw_panel(
    panel: &Panel,
    unit: &str,
    heights: std::ops::Range<f64>,
    legend: bool,
    area: &DrawingArea<SVGBackend<'_>, Shift>,
) -> Painted {
    let last = panel.lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(2.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(34)
        .y_label_area_size(44)
        .build_cartesian_2d(1.0..last, heights)?;
    let whole = |pass: &f64| if pass.fract() == 0.0 { format!("{pass:.0}") } else { String::new() };
    let mut mesh = chart.configure_mesh();
    mesh.x_label_formatter(&whole).x_desc("pass").y_desc(unit).light_line_style(WHITE).draw()?;
    for line in &panel.lines {
        let style = COLOURS[line.colour % COLOURS.len()].stroke_width(2);
        let points = line.points.iter().copied();
        if line.dashed {
            let drawn = chart.draw_series(DashedLineSeries::new(points, 5, 4, style))?.label(&line.name);
            drawn.legend(move |place| {
                let dash = |from, to| PathElement::new([(from, 0), (to, 0)], style);
                EmptyElement::at(place) + dash(0, 9) + dash(13, 22)
            });
        } else {
            let drawn = chart.draw_series(LineSeries::new(points, style))?.label(&line.name);
            drawn.legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
        }
    }
    if legend {
        // Where lines do not go in the end.
        let rise = |line: &PanelLine| Some(line.points.last()?.1 - line.points.first()?.1);
        let rises = panel.lines.iter().filter_map(rise).sum::<f64>() > 0.0;
        let corner = if rises { SeriesLabelPosition::LowerRight } else { SeriesLabelPosition::UpperRight };
        let mut labels = chart.configure_series_labels();
        labels
            .position(corner)
            .legend_area_size(26)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
    }
    Ok(())
}

/// Draws what something costs against what it grows with: named lines, of which the first two have colours of
/// their own.
///
/// # Errors
/// [`PlotError`] if the file can't be written.
pub fn growth(
    [title, along, unit]: [&str; 3],
    lines: &[(&str, Vec<(f64, f64)>)],
    path: &Path,
) -> Result<(), PlotError> {
    let colours = [TRAINING, VALIDATION].into_iter().chain(std::iter::repeat(BLACK));
    let lines = lines.iter().zip(colours).map(|((name, points), colour)| (*name, colour, points.clone()));
    let curves = Curves { title, along, unit, from_zero: true, lines: lines.collect() };
    draw(path, SIZE, |area| draw_curves(&curves, area))
}

/// Draws estimated against labelled age (the middle of a range), a dot a picture.
///
/// # Errors
/// [`PlotError`] if the file can't be written.
pub fn scatter(predictions: &[Prediction], path: &Path) -> Result<(), PlotError> {
    draw(path, (600, 600), |area| draw_scatter(predictions, area))
}

fn draw_scatter(predictions: &[Prediction], area: &DrawingArea<SVGBackend<'_>, Shift>) -> Painted {
    let mut chart = ChartBuilder::on(area)
        .caption("Estimated against labelled age", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0f32..100f32, 0f32..100f32)?;
    chart.configure_mesh().x_desc("label, years").y_desc("estimate, years").light_line_style(WHITE).draw()?;
    chart.draw_series(LineSeries::new([(0.0, 0.0), (100.0, 100.0)], BLACK.mix(0.5)))?;
    let dots = predictions.iter().map(|p| {
        let at = ((p.age_low + p.age_high) / 2.0, p.age);
        Circle::new(at, 2, VALIDATION.mix(0.35).filled())
    });
    chart.draw_series(dots)?;
    Ok(())
}

/// Draws which decade is taken for which: each row's shares, labels downwards, estimates to the right.
///
/// # Errors
/// [`PlotError`] if the file can't be written.
pub fn confusion(predictions: &[Prediction], path: &Path) -> Result<(), PlotError> {
    draw(path, (640, 640), |area| draw_confusion(predictions, area))
}

/// Pictures by decade of the label (row) and of the estimate (column); 90 and above share the last.
fn decades(predictions: &[Prediction]) -> [[usize; 10]; 10] {
    let decade = |age: f32| ((age.max(0.0) / 10.0) as usize).min(9);
    let mut counts = [[0; 10]; 10];
    for p in predictions {
        counts[decade((p.age_low + p.age_high) / 2.0)][decade(p.age)] += 1;
    }
    counts
}

fn draw_confusion(predictions: &[Prediction], area: &DrawingArea<SVGBackend<'_>, Shift>) -> Painted {
    let counts = decades(predictions);
    let mut chart = ChartBuilder::on(area)
        .caption("Decade: label (down) and estimate (right), % of the row", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(0f32..10f32, 10f32..0f32)?;
    let label = |v: &f32| format!("{:.0}", v * 10.0);
    chart
        .configure_mesh()
        .disable_mesh()
        .x_label_formatter(&label)
        .y_label_formatter(&label)
        .x_desc("estimate, years")
        .y_desc("label, years")
        .draw()?;
    for (row, counts) in counts.iter().enumerate() {
        let total = counts.iter().sum::<usize>().max(1) as f64;
        for (column, count) in counts.iter().enumerate() {
            let share = *count as f64 / total;
            let (x, y) = (column as f32, row as f32);
            let cell = Rectangle::new([(x, y), (x + 1.0, y + 1.0)], VALIDATION.mix(share).filled());
            chart.draw_series(std::iter::once(cell))?;
            if *count > 0 {
                let colour = if share > 0.5 { WHITE } else { BLACK };
                let text = Text::new(
                    format!("{:.0}", 100.0 * share),
                    (x + 0.35, y + 0.4),
                    ("sans-serif", 14).into_font().color(&colour),
                );
                chart.draw_series(std::iter::once(text))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prediction(label: f32, age: f32) -> Prediction {
        Prediction {
            file: String::new(),
            age_low: label,
            age_high: label,
            label_gender: None,
            race: None,
            found: true,
            age,
            range_low: age,
            range_high: age,
            female: 0.5,
        }
    }

    #[test]
    fn decades_are_counted() {
        let counts = decades(&[prediction(29.0, 31.0), prediction(30.0, 31.0), prediction(99.0, 100.0)]);
        assert_eq!((counts[2][3], counts[3][3], counts[9][9]), (1, 1, 1));
        assert_eq!(counts.iter().flatten().sum::<usize>(), 3);
    }

    #[test]
    fn charts_are_svg_with_their_points() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scatter.svg");
        scatter(&[prediction(20.0, 25.0), prediction(60.0, 50.0)], &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.starts_with("<svg") && svg.matches("<circle").count() == 2);
        let path = folder.path().join("confusion.svg");
        confusion(&[prediction(20.0, 25.0)], &path).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().contains("100"));
        let pass = |epoch, mae| PlottedPass { epoch, mae: [mae, mae + 1.0], gender_accuracy: [0.8, 0.75] };
        run_curves(&[pass(1, 9.0), pass(2, 7.0)], folder.path()).unwrap();
        let svg = std::fs::read_to_string(folder.path().join("mae.svg")).unwrap();
        assert!(svg.contains("validation") && svg.contains("<polyline"));
        assert!(run_curves(&[], &folder.path().join("missing")).is_err());
        let path = folder.path().join("growth.svg");
        growth(["Time", "faces", "ms"], &[("photo", vec![(1.0, 3.0), (32.0, 90.0)])], &path).unwrap();
        let svg = std::fs::read_to_string(&path).unwrap();
        assert!(svg.contains("faces") && svg.contains("photo") && svg.contains("<polyline"));
    }
}
