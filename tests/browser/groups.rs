//! Many faces: their labels, the strip, and which one a tap means.

use serde_json::json;

use crate::support::chromium::Options;
use crate::support::heads;
use crate::visit;

/// Thirteen people in three rows, close together.
pub fn group() -> image::RgbImage {
    let row = |count: i64, y: i64, left: i64| (0..count).map(move |at| [left + 145 * at, y]);
    let middles: Vec<_> = row(4, 120, 182).chain(row(5, 300, 110)).chain(row(4, 480, 182)).collect();
    heads([800, 600], 130, &middles)
}

#[test]
fn each_of_a_group_can_be_told_and_chosen_on_a_phone() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("group.png");
    group().save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        page.resize(360, 740, true);
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.choose_file(&picture));
        page.wait_for("document.querySelectorAll('.strip [role=option]').length === 13");
        assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 13);

        // Labels can be read: none on another, all on the stage.
        page.wait_for(
            "(() => {
                const stage = document.querySelector('#stage').getBoundingClientRect();
                const chips = [...document.querySelectorAll('.chip')].map((chip) => chip.getBoundingClientRect());
                const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
                return chips.every((a, i) => a.left >= stage.left && a.right <= stage.right && a.top >= stage.top && a.bottom <= stage.bottom
                    && a.width > 0 && chips.slice(i + 1).every((b) => apart(a, b)));
            })()",
        );

        // A tap on a face is that face's.
        let middles = page.evaluate(
            "[...document.querySelectorAll('.face')].map((face) => {
                const { left, top, width, height } = face.getBoundingClientRect();
                return [face.dataset.key, left + width / 2, top + height / 2];
            })",
        );
        let middles: Vec<(String, f64, f64)> = serde_json::from_value(middles).unwrap();
        let chosen = "[...document.querySelectorAll('.face[aria-pressed=true]')].map(({ dataset }) => dataset.key).join()";
        for (key, x, y) in &middles {
            page.tap([*x, *y]);
            assert_eq!(page.evaluate(chosen), json!(key));
            // And of one beside it, the nearest.
            page.tap([x + 3.0, y - 5.0]);
            assert_eq!(page.evaluate(chosen), json!(key));
        }

        // By their places: rows from above, in each from the left.
        let order = page.evaluate(
            "[...document.querySelectorAll('.strip [role=option]')].map(({ dataset: { key } }) => {
                const { left, top } = document.querySelector(`.face[data-key='${key}']`).getBoundingClientRect();
                return [top, left];
            })",
        );
        let order: Vec<[f64; 2]> = serde_json::from_value(order).unwrap();
        for row in [&order[..4], &order[4..9], &order[9..]] {
            assert!(row.windows(2).all(|pair| pair[0][1] < pair[1][1]), "{order:?}");
        }
        assert!(order[3][0] < order[4][0] && order[8][0] < order[9][0], "{order:?}");

        // By the arrows, and one stop for the tabulator.
        page.evaluate("document.querySelector('.strip [role=option]').click()");
        page.evaluate("document.querySelector('.strip [tabindex=\"0\"]').focus()");
        for number in 2..=13 {
            page.press("ArrowRight");
            let who = page.evaluate("document.querySelector('#who').innerText");
            assert_eq!(who, format!("Age of face {number}"));
        }
        page.press("ArrowRight");
        page.press("Home");
        assert_eq!(page.evaluate("document.querySelector('#who').innerText"), "Age of face 1");
        let stops = page
            .evaluate("document.querySelectorAll('.strip [tabindex=\"0\"], .face[tabindex=\"0\"]').length");
        assert_eq!(stops, 1);
        // The option that is chosen is in sight, at once and for good, however fast the keys come.
        let in_sight = "(() => {
            const strip = document.querySelector('.strip').getBoundingClientRect();
            const { left, right } = document.querySelector('.strip [aria-selected=true]').getBoundingClientRect();
            return left >= strip.left && right <= strip.right;
        })()";
        let seen = page.evaluate(&format!(
            "['End', 'Home', 'End'].map((key) => {{
                document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true, cancelable: true }}));
                return {in_sight};
            }})"
        ));
        assert_eq!(seen, json!([true, true, true]));
        page.evaluate("new Promise((done) => setTimeout(done, 700))");
        assert_eq!(page.evaluate(in_sight), json!(true));
        assert_eq!(page.evaluate("document.querySelector('#who').innerText"), "Age of face 13");
    });
}

#[test]
fn the_faces_of_a_photo_are_in_the_order_of_their_ages_if_wished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("six.png");
    let mut picture = heads([960, 160], 130, &[80, 240, 400, 560, 720, 880].map(|x| [x, 80]));
    // The darker, the other the age.
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        let light = [1.0, 0.4, 0.8, 0.5, 0.9, 0.6][x as usize / 160];
        pixel.0 = pixel.0.map(|value| (f32::from(value) * light) as u8);
    }
    picture.save(&path).unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.choose_file(&path));
        page.wait_for("document.querySelectorAll('.strip [role=option]').length === 6");
        let keys = "[...document.querySelectorAll('.strip [role=option]')].map(({ dataset }) => dataset.key)";
        let by_place = page.evaluate(keys);
        let button = "document.querySelector('#strips > button')";
        page.evaluate(&format!("{button}.click()"));
        assert_eq!(page.evaluate(&format!("{button}.ariaPressed")), "true");
        let ages = page.evaluate(
            "[...document.querySelectorAll('.strip [role=option] span')].map(({ innerText }) => Number(innerText.split('·')[1]))",
        );
        let ages: Vec<f64> = serde_json::from_value(ages).unwrap();
        assert!(ages.is_sorted() && ages[0] < ages[5], "{ages:?}");
        assert_ne!(page.evaluate(keys), by_place);
        page.evaluate(&format!("{button}.click()"));
        assert_eq!(page.evaluate(keys), by_place);
    });
}

/// Two that lie close to each other keep their words, and these are moved apart.
#[test]
fn the_labels_of_two_are_moved_apart() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("two.png");
    heads([400, 300], 120, &[[130, 100], [240, 190]]).save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        page.resize(360, 740, true);
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.choose_file(&picture));
        page.wait_for("document.querySelectorAll('.face').length === 2");
        page.wait_for(
            "(() => {
                const [a, b] = [...document.querySelectorAll('.chip')].map((chip) => chip.getBoundingClientRect());
                return a.width > 0 && (a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top);
            })()",
        );
        let strips = page.evaluate("document.querySelectorAll('.strip').length");
        assert_eq!(strips, 0, "two need no strip");
    });
}
