//! The line of what the camera's number has been: whose it is, what it says, when it comes and goes.

use serde_json::json;

use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::visit;

/// How many pixels of the line's canvas have something on them.
const INK: &str = "(() => {
    const canvas = document.querySelector('.steady canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, index) => index % 4 === 3 && value > 0).length;
})()";

const FETCHED: &str =
    "performance.getEntriesByType('resource').filter(({ name }) => name.includes('later/steady')).length";

fn pause(page: &Page, ms: u32) {
    page.evaluate(&format!("new Promise((resume) => setTimeout(resume, {ms}))"));
}

#[test]
fn the_cameras_number_is_drawn_as_it_goes_on() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(page.evaluate("document.querySelector('.steady')"), json!(null), "a photo has no line");
        assert_eq!(page.evaluate(FETCHED), 0, "and none is fetched for it");

        page.click("#start-camera");
        page.wait_for("/the age (has stood at|was between)/.test(document.querySelector('.steady figcaption')?.textContent)");
        page.wait_for(&format!("{INK} > 0"));
        assert!(page.evaluate(FETCHED).as_u64().unwrap() > 0);
        // It goes on while nothing changes, without a change of the document, and is told to nobody who did not ask.
        let before = page.evaluate(INK).as_u64().unwrap();
        pause(page, 4000);
        let after = page.evaluate(INK).as_u64().unwrap();
        assert!(after > before, "{before}, then {after}");
        let is_live =
            page.evaluate("document.querySelector('.steady').closest('[aria-live], [role=status]') !== null");
        assert_eq!(is_live, false);
        let said = page.evaluate(
            "[document.querySelector('.steady figcaption').textContent, document.querySelector('#age').innerText]",
        );
        assert!(said[0].as_str().unwrap().contains(said[1].as_str().unwrap()), "{said}");

        // A frozen picture keeps it as it is; without a picture there is none.
        page.click("#freeze");
        page.wait_for("!document.querySelector('#photo').hidden");
        let frozen = page.evaluate(INK);
        pause(page, 1000);
        assert_eq!(page.evaluate(INK), frozen);
        page.click("#clear");
        page.wait_for("document.querySelector('.steady') === null");
    });
}

/// With a clock of its own: each track has a line, and what is older than half a minute is in none.
#[test]
fn each_person_has_a_line_of_their_own() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        let said = page.evaluate(
            "import('./later/steady.js').then(({ Steady }) => {
                let clock = 0;
                performance.now = () => clock;
                const parent = document.querySelector('#readout');
                const steady = new Steady(parent, () => ({}));
                const say = (at, key, age, settled = true) => {
                    clock = at;
                    steady.show([{ key, number: 1, face: { age, settled, ageRange: [age - 8, age + 8] } }], key);
                    return parent.querySelector('.steady figcaption').textContent;
                };
                const said = [say(0, 1, 30)];
                say(1000, 1, 34);
                said.push(say(3000, 1, 34), say(3100, 2, 60), say(3200, 1, 34), say(3300, 3, 50, false), say(40000, 1, 41));
                for (let at = 40000; at < 71000; at += 500) say(at, 1, 41);
                said.push(say(71000, 1, 41));
                steady.close();
                return [said, parent.querySelector('.steady')];
            })",
        );
        assert_eq!(
            said,
            json!([
                [
                    "So far the age has stood at 30.",
                    "So far the age was between 30 and 34.",
                    "So far the age has stood at 60.",
                    "So far the age was between 30 and 34.",
                    "No number in the last 30 seconds.",
                    "So far the age has stood at 41.",
                    "In the last 30 seconds the age has stood at 41.",
                ],
                null
            ])
        );
    });
}

#[test]
fn the_line_leaves_the_controls_on_the_first_screen() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for("document.querySelector('.steady figcaption')?.textContent");
        for (width, height, is_phone) in [(390, 844, true), (1280, 800, false)] {
            page.resize(width, height, is_phone);
            page.screenshot(); // once all has come to rest
            // However long what the meter says is.
            page.evaluate(
                "void (document.querySelector('#engine summary').textContent = 'WebGPU · 25.9 ms · 30 fps')",
            );
            let below =
                page.evaluate("document.querySelector('.dock').getBoundingClientRect().bottom - innerHeight");
            assert!(below.as_f64().unwrap() <= 0.0, "the controls end {below} pixels too low at {width}");
            let wide = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(wide.as_f64().unwrap() <= 0.0, "{wide} pixels too wide at {width}");
        }
    });
}
