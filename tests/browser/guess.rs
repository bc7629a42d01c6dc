//! Guess first: no number before the guess, and after it the truth about both.

use serde_json::{Value, json};

use crate::looks::axe_finds;
use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::support::repository;
use crate::{assert_is_the_sample, visit};

/// Keeps each result of the page's Mien, as `estimates`.
const RECORD: &str = "(() => {
    const { mien } = mienApp;
    const estimate = mien.estimate.bind(mien);
    window.estimates = [];
    mien.estimate = async (...args) => {
        const result = await estimate(...args);
        estimates.push(result);
        return result;
    };
})()";

const STEP: &str = "document.querySelector('dialog.guess').dataset.step";

fn open(page: &Page) {
    page.click("#guess");
    page.wait_for("document.querySelector('dialog.guess[open]')");
}

fn wait_for_step(page: &Page, step: &str) {
    page.wait_for(&format!("{STEP} === '{step}'"));
}

fn choose(page: &Page, file: &str) {
    page.fill_in("dialog.guess [type=file]", &[&repository().join(file)]);
}

fn submit(page: &Page, step: &str) {
    page.click(&format!("dialog.guess form[data-step={step}] .primary"));
}

/// All that the document says to anybody: words, names, descriptions, and what is typed in.
fn everything(page: &Page) -> String {
    let said = page.evaluate(
        "(() => {
            const said = [document.title, document.querySelector('main').textContent, document.querySelector('dialog.guess').textContent];
            for (const it of document.querySelectorAll('main *, dialog.guess *')) {
                for (const name of ['aria-label', 'aria-valuetext', 'title', 'alt']) said.push(it.getAttribute(name) ?? '');
                if ('value' in it && it.id !== 'guess-line') said.push(String(it.value));
            }
            return said.join('\\n');
        })()",
    );
    said.as_str().unwrap().to_owned()
}

/// Whether a number stands there by itself, rather than within another one.
fn names(text: &str, number: u64) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|word| word == number.to_string())
}

#[test]
fn nothing_says_the_number_before_the_guess() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(RECORD);
        open(page);
        assert_eq!(page.evaluate(STEP), "ask");
        choose(page, "www/sample.jpg");
        wait_for_step(page, "age");
        let face = page.evaluate("estimates.at(-1).faces[0]");
        let age = face["age"].as_f64().unwrap().round() as u64;
        assert!(!names(&everything(page), age), "{age}: {}", everything(page));
        assert_eq!(page.evaluate("mienApp.lastResult"), Value::Null);

        // The true age is asked for, and hidden from those who guess.
        let truth = age + 7;
        submit(page, "age");
        assert_eq!(page.evaluate(STEP), "age", "without an age it does not go on");
        page.evaluate(&format!("void (document.querySelector('#guess-truth').value = '{truth}')"));
        submit(page, "age");
        wait_for_step(page, "guess");
        let said = everything(page);
        assert!(!names(&said, age) && !names(&said, truth), "{age} or {truth}: {said}");
        assert_eq!(
            page.evaluate("document.querySelector('dialog.guess form[data-step=guess] button').disabled"),
            true
        );
        let line = page.evaluate(
            "(() => {
                const { type, min, max, labels } = document.querySelector('#guess-line');
                return [type, min, max, labels[0].textContent, document.activeElement.id];
            })()",
        );
        assert_eq!(line, json!(["range", "0", "99", "How old is this face?", "guess-line"]));

        // The mark is moved, and only then is there an answer.
        let guess = truth + 2;
        page.evaluate(&format!(
            "(() => {{
                const line = document.querySelector('#guess-line');
                line.value = '{guess}';
                line.dispatchEvent(new Event('input'));
            }})()"
        ));
        let said = everything(page);
        assert!(names(&said, guess) && !names(&said, age) && !names(&said, truth), "{said}");
        submit(page, "guess");
        wait_for_step(page, "answer");
        let rows = page.evaluate(
            "[...document.querySelectorAll('dialog.guess dl div')].map((row) => [...row.children].map(({ textContent }) => textContent))",
        );
        assert_eq!(rows[0], json!(["True age", truth.to_string(), ""]), "{rows}");
        assert_eq!(rows[1], json!(["You", guess.to_string(), "2 years off"]), "{rows}");
        assert_eq!((&rows[2][0], &rows[2][1]), (&json!("Mien"), &json!(age.to_string())), "{rows}");
        assert!(rows[2][2].as_str().unwrap().starts_with("7 years off · "), "{rows}");
        let status = page.evaluate("document.querySelector('dialog.guess [role=status]').textContent");
        assert_eq!(
            status,
            format!("The true age is {truth}. You said {guess}: 2 years off. Mien says {age}: 7 years off.")
        );
        assert!(
            page.evaluate(
                "document.querySelector('dialog.guess .hill path.outline').getAttribute('d').length"
            )
            .as_u64()
            .unwrap()
                > 500
        );
    });
}

#[test]
fn the_score_is_kept_in_memory_alone() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(RECORD);
        open(page);
        let play = |off: [i64; 2]| {
            choose(page, "www/sample.jpg");
            wait_for_step(page, "age");
            let age = page.evaluate("Math.round(estimates.at(-1).faces[0].age)").as_i64().unwrap();
            let truth = age + off[1];
            page.evaluate(&format!("void (document.querySelector('#guess-truth').value = '{truth}')"));
            submit(page, "age");
            page.evaluate(&format!(
                "(() => {{
                    const line = document.querySelector('#guess-line');
                    line.value = '{}';
                    line.dispatchEvent(new Event('input'));
                }})()",
                truth + off[0]
            ));
            submit(page, "guess");
            wait_for_step(page, "answer");
            page.evaluate("document.querySelector('dialog.guess [data-score]').textContent")
        };
        assert_eq!(
            play([1, 4]),
            "After one round you are off by 1.0 years on average, Mien by 4.0. Nearer to the truth: you 1, Mien 0."
        );
        page.click("dialog.guess [data-next]");
        assert_eq!(
            play([-6, 3]),
            "After 2 rounds you are off by 3.5 years on average, Mien by 3.5. Nearer to the truth: you 1, Mien 1."
        );
        // The view may be closed meanwhile.
        page.press("Escape");
        page.wait_for("!document.querySelector('dialog.guess')");
        open(page);
        assert_eq!(
            play([5, 5]),
            "After 3 rounds you are off by 4.0 years on average, Mien by 4.0. Nearer to the truth: you 1, Mien 1, both alike 1."
        );
        let stored = page.evaluate(
            "(async () => [localStorage.length, sessionStorage.length, document.cookie, (await indexedDB.databases()).length])()",
        );
        assert_eq!(stored, json!([0, 0, "", 0]));

        page.reload();
        page.evaluate(RECORD);
        open(page);
        let said = play([0, 2]);
        assert!(said.as_str().unwrap().starts_with("After one round you are off by 0.0 years"), "{said}");
    });
}

/// The camera of the game shows no number either, and is off when the picture is taken.
#[test]
fn a_frame_of_the_camera_can_be_guessed() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(RECORD);
        open(page);
        page.click("dialog.guess [data-camera]");
        wait_for_step(page, "camera");
        page.evaluate(
            "void (window.tracks = document.querySelector('dialog.guess video').srcObject.getTracks())",
        );
        assert_eq!(page.evaluate("estimates.length"), 0, "nothing is estimated before the picture is taken");
        page.click("dialog.guess [data-shoot]");
        wait_for_step(page, "age");
        page.wait_for("tracks.every(({ readyState }) => readyState === 'ended')");
        assert_eq!(page.evaluate("estimates.at(-1).faces.length"), 1);

        // And goes off with the view.
        page.evaluate("document.querySelector('dialog.guess form[data-step=age] [data-back]').click()");
        page.click("dialog.guess [data-camera]");
        wait_for_step(page, "camera");
        page.evaluate(
            "void (window.tracks = document.querySelector('dialog.guess video').srcObject.getTracks())",
        );
        page.press("Escape");
        page.wait_for("!document.querySelector('dialog.guess') && tracks.every(({ readyState }) => readyState === 'ended')");

        // The page is as it was.
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        assert_eq!(page.evaluate("document.querySelector('#guess').hidden"), false);
        page.estimate_after(|page| page.click("#start-camera"));
        assert_eq!(
            page.evaluate("document.querySelector('#guess').hidden"),
            true,
            "its number is to be seen"
        );
    });
}

#[test]
fn what_cannot_be_guessed_is_told_and_the_next_picture_can() {
    let folder = tempfile::tempdir().unwrap();
    let (empty, broken) = (folder.path().join("empty.png"), folder.path().join("broken.jpg"));
    crate::support::grey(320, 240).save(&empty).unwrap();
    std::fs::write(&broken, "Dear diary, this is not a picture.").unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(RECORD);
        open(page);
        let status = "document.querySelector('dialog.guess [role=status]').textContent";
        page.fill_in("dialog.guess [type=file]", &[&empty]);
        page.wait_for(&format!("{status}.startsWith('No face found')"));
        page.fill_in("dialog.guess [type=file]", &[&broken]);
        page.wait_for(&format!("/picture is damaged/.test({status})"));
        assert_eq!(page.evaluate(STEP), "ask");
        choose(page, "www/sample.jpg");
        wait_for_step(page, "age");
        assert_eq!(page.evaluate("document.activeElement.id"), "guess-truth");
    });
}

/// On the smallest screen, with large letters and with the system's colours nothing is beside the view; axe finds nothing.
#[test]
fn the_game_fits_and_can_be_used_by_all() {
    visit(Options::default(), |site, page| {
        for (size, letters, scheme, forced) in [
            ([320, 568], 16, "light", "none"),
            ([390, 844], 16, "dark", "none"),
            ([390, 844], 32, "light", "none"),
            ([1280, 800], 16, "light", "none"),
            ([1280, 800], 16, "light", "active"),
        ] {
            page.appear(size, letters, scheme, forced);
            page.open(&site.page("?engine=cpu"));
            let look = |step: &str| {
                let name = format!("{step}, {size:?}, {letters}, {scheme}, {forced}");
                wait_for_step(page, step);
                page.screenshot(); // once all has come to rest
                let beside = page.evaluate(
                    "(() => {
                        const dialog = document.querySelector('dialog.guess');
                        const { left, right, top, bottom } = dialog.getBoundingClientRect();
                        const out = left < 0 || right > innerWidth || top < 0 || bottom > innerHeight || dialog.scrollWidth > dialog.clientWidth;
                        const wide = [...dialog.querySelectorAll('*')].filter((it) => !it.closest('svg, .unseen') && it.getBoundingClientRect().right > right + 1);
                        return [out, wide.map(({ outerHTML }) => outerHTML.slice(0, 100))];
                    })()",
                );
                assert_eq!(beside, json!([false, []]), "{name}");
                if forced == "none" {
                    let found = axe_finds(page);
                    assert_eq!(found, json!([]), "{name}: {found:#}");
                }
            };
            open(page);
            look("ask");
            choose(page, "www/sample.jpg");
            look("age");
            page.evaluate("void (document.querySelector('#guess-truth').value = '91')");
            submit(page, "age");
            look("guess");
            page.evaluate(
                "(() => {
                    const line = document.querySelector('#guess-line');
                    line.value = '99';
                    line.dispatchEvent(new Event('input'));
                })()",
            );
            submit(page, "guess");
            look("answer");
        }
    });
}
