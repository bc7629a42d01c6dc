//! The study on the page: it shows what the experiments wrote.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::looks::axe_finds;
use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::visit;

const OPEN: &str = "document.querySelector('#study').open = true";
const TABLES: &str = "[...document.querySelectorAll('#study table')].map((table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)))";

fn open(page: &Page) {
    page.evaluate(OPEN);
    page.wait_for("document.querySelectorAll('#study table').length === 3");
}

fn written(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/study").join(name);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The error of a row here, its standard error, and the published error, in years.
fn errors(row: &Value) -> [f64; 3] {
    let cell = row["cells"].as_array().unwrap().last().unwrap();
    [&cell["mae"]["mean"], &cell["mae"]["stderr"], &cell["published"]["mae"]].map(|it| it.as_f64().unwrap())
}

#[test]
fn the_study_is_what_the_experiments_wrote() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        open(page);
        let shown = page.evaluate(TABLES);
        for (at, name) in ["table-4-1.json", "table-4-3.json", "table-4-4.json"].iter().enumerate() {
            let written = written(name);
            let rows = written["rows"].as_array().unwrap();
            for (row, shown) in rows.iter().zip(shown[at].as_array().unwrap()) {
                let cells = shown.as_array().unwrap();
                let words =
                    cells[cells.len() - 2..].iter().flat_map(|cell| cell.as_str().unwrap().split(" ± "));
                let numbers: Vec<f64> = words.map(|word| word.parse().unwrap()).collect();
                let expected = errors(row);
                assert_eq!(numbers.len(), expected.len(), "{name}: {cells:?}");
                for (number, expected) in numbers.iter().zip(expected) {
                    assert!((number - expected).abs() < 0.0051, "{name}: {cells:?}, {expected}");
                }
            }
            // FaceNet and VGG16 come after the networks.
            let others = if at == 0 { written_sizes() } else { 0 };
            assert_eq!(shown[at].as_array().unwrap().len(), rows.len() + others, "{name}");
        }
        assert_eq!(shown[0][2][2], "632,299");
    });
}

fn written_sizes() -> usize {
    written("sizes.json")["networks"].as_object().unwrap().len()
}

#[test]
fn the_slider_shows_the_soft_label() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        open(page);
        let label = |gap: usize| {
            page.evaluate(&format!(
                "(() => {{
                    const input = document.querySelector('#study input');
                    input.value = {gap};
                    input.dispatchEvent(new Event('input'));
                    const bars = [...document.querySelectorAll('#study rect')].map((bar) => Number(bar.getAttribute('height')));
                    const most = Math.max(...bars);
                    return [
                        document.querySelector('#study [data-of-gap]').textContent,
                        bars.map((height) => Math.round(100 * height / most)).filter((height) => height > 0),
                        [...document.querySelectorAll('#study tr[data-chosen]')].map((row) => row.cells[0].textContent),
                    ];
                }})()"
            ))
        };
        assert_eq!(label(1), json!(["Of somebody of 30: 100% for 30; ages with a share: 1.", [100], ["1"]]));
        assert_eq!(
            label(3),
            json!(["Of somebody of 30: 33% for 30; ages with a share: 5.", [33, 67, 100, 67, 33], ["3"]])
        );
        assert_eq!(label(4)[2], json!([]));
        page.appear([390, 844], 16, "dark", "none");
        assert_eq!(axe_finds(page), json!([]));
        assert_eq!(page.evaluate("document.documentElement.scrollWidth <= innerWidth"), json!(true));
    });
}

/// What is not there is said, and fetched when the study is opened again.
#[test]
fn a_study_that_does_not_come_can_be_opened_again() {
    visit(Options::default(), |site, page| {
        let sizes = site.read("study/sizes.json");
        site.replace("study/sizes.json", None);
        page.open(&site.page("?engine=cpu"));
        page.evaluate(OPEN);
        page.wait_for("document.querySelector('#study > div').textContent.startsWith('A part of the page could not be loaded')");
        site.replace("study/sizes.json", Some(&sizes));
        page.evaluate("document.querySelector('#study').open = false");
        open(page);
    });
}
