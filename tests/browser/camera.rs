//! The page beside a camera: whom it counts, what it says and when, and what that costs.

use serde_json::{Value, json};

use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::support::{film, heads, repository, two_who_move};
use crate::visit;

/// A phone shows the middle of what a camera sees; who stands beside it is neither counted, nor named, nor
/// chosen.
#[test]
fn a_face_beside_the_stage_is_not_spoken_of() {
    let film = film(&vec![heads([640, 360], 150, &[[125, 180], [320, 180], [515, 180]]); 3]);
    visit(Options { film: Some(film), ..Options::default() }, |site, page| {
        page.resize(390, 844, true);
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for("mienApp.lastResult?.faces.length === 3");
        page.wait_for("document.querySelector('#status').innerText.startsWith('One face')");
        page.wait_for("document.querySelector('#announcer').textContent.startsWith('Guess:')");
        let seen = page.evaluate(
            "({
                frames: document.querySelectorAll('.face').length,
                who: document.querySelector('#who').innerText,
                announced: document.querySelector('#announcer').textContent.split(';').length,
            })",
        );
        assert_eq!(seen, json!({ "frames": 1, "who": "Age", "announced": 1 }));

        // The same camera on a wide stage.
        page.resize(1280, 800, false);
        page.wait_for("document.querySelectorAll('.face').length === 3");
        page.wait_for("document.querySelector('#status').innerText.startsWith('3 faces')");
    });
}

/// Whatever the numbers do: words at most five times a second, news for screen readers when all has been the
/// same for a second, and no question to the page that has it laid out again.
#[test]
fn a_camera_moves_frames_and_hardly_anything_else() {
    visit(Options { film: Some(two_who_move()), ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for(
            "mienApp.lastResult?.faces.length === 2 && document.querySelectorAll('.face').length === 2",
        );
        let seen = page.evaluate(
            "(async () => {
                await new Promise((resume) => setTimeout(resume, 2000));
                const seen = { panel: [], moves: 0, asked: [], names: {}, news: [] };
                const watch = (selector, see, what) => new MutationObserver(see).observe(document.querySelector(selector), what);
                const deep = { subtree: true, childList: true, characterData: true, attributes: true };
                // Words that take another line make the plot another size, which is the same drawing.
                watch('#readout', () => {
                    const now = performance.now();
                    if (!(now - seen.panel.at(-1) < 50)) seen.panel.push(now);
                }, deep);
                watch('#faces', () => seen.moves += 1, { subtree: true, attributes: true, attributeFilter: ['style'] });
                watch('#announcer', () => seen.news.push(performance.now()), deep);
                watch('#status', () => seen.news.push(performance.now()), deep);
                for (const [type, names] of [
                    [HTMLElement, ['offsetWidth', 'offsetHeight', 'offsetLeft', 'offsetTop']],
                    [Element, ['clientWidth', 'clientHeight', 'scrollWidth', 'scrollLeft']],
                ]) for (const name of names) {
                    const { get, ...rest } = Object.getOwnPropertyDescriptor(type.prototype, name);
                    Object.defineProperty(type.prototype, name, { ...rest, get() { seen.asked.push(new Error(name).stack); return get.call(this); } });
                }
                for (const name of ['getBoundingClientRect', 'getClientRects']) {
                    const method = Element.prototype[name];
                    Element.prototype[name] = function () { seen.asked.push(new Error(name).stack); return method.call(this); };
                }
                const { getComputedStyle } = window;
                window.getComputedStyle = (...args) => { seen.asked.push(new Error().stack); return getComputedStyle(...args); };
                const names = setInterval(() => {
                    for (const face of document.querySelectorAll('.face')) {
                        (seen.names[face.dataset.key] ??= new Set()).add(face.textContent.match(/face [0-9]+/)?.[0]);
                    }
                }, 20);
                await new Promise((resume) => setTimeout(resume, 4000));
                clearInterval(names);
                // Where the stage has another size, as when the line of the last seconds joins in, the letters' size is asked for.
                seen.asked = seen.asked.filter((stack) => !stack.includes('ResizeObserver'));
                return { ...seen, names: Object.values(seen.names).map((names) => [...names].filter(Boolean).length) };
            })()",
        );
        let times = |name: &str| -> Vec<f64> { serde_json::from_value(seen[name].clone()).unwrap() };
        let panel = times("panel");
        assert!(panel.len() > 1, "the panel follows: {seen}");
        assert!(
            panel.windows(2).all(|pair| pair[1] - pair[0] > 150.0),
            "at most five times a second: {panel:?}"
        );
        assert!(
            seen["moves"].as_f64().unwrap() > panel.len() as f64,
            "frames move more often than that: {seen}"
        );
        assert_eq!(seen["asked"], json!([]), "nothing asks for a layout");
        assert!(times("news").len() <= 8, "news in 4 s: {seen}");
        let names: Vec<usize> = serde_json::from_value(seen["names"].clone()).unwrap();
        assert!(names.iter().all(|names| *names == 1), "each face keeps its number: {seen}");
    });
}

/// A camera before which nothing moves changes nothing on the page.
#[test]
fn nothing_is_drawn_when_nothing_has_changed() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#start-camera"));
        let changes = page.evaluate(
            "(async () => {
                const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
                const skips = async (count) => {
                    for (let last; count > 0; await pause(5)) {
                        if (mienApp.lastResult !== last && (last = mienApp.lastResult).mode === 'skip') count -= 1;
                    }
                };
                await pause(4000);
                let changes = [];
                const observer = new MutationObserver((records) => changes.push(...records.map(({ target }) => target.outerHTML ?? target.data)));
                observer.observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true, attributes: true });
                let quiet = 0;
                // The face is looked at again now and then, which may move its numbers.
                for (let attempt = 0; attempt < 20 && quiet < 3; attempt++) {
                    changes = [];
                    await skips(10);
                    if (changes.length === 0) quiet += 1;
                }
                return [quiet, changes];
            })()",
        );
        assert_eq!(changes[0], 3, "{changes}");
    });
}

fn pause(page: &Page, ms: u32) {
    page.evaluate(&format!("new Promise((resume) => setTimeout(resume, {ms}))"));
}

// ---- starting, and out of sight ----

/// On a slow phone the page is there seconds before its scripts.
#[test]
fn a_tap_before_the_scripts_are_there_is_remembered() {
    for (tap, then) in [
        ("#use-sample", "mienApp.lastResult?.faces.length === 1"),
        ("#start-camera", "document.documentElement.dataset.state === 'running' && mienApp.lastResult"),
    ] {
        visit(Options { camera: true, ..Options::default() }, |site, page| {
            site.prepend("start.js", "await new Promise((resume) => (window.resume = resume));");
            page.evaluate(&format!("location.href = '{}'", site.page("?engine=cpu")));
            page.wait_for("typeof window.resume === 'function' && document.querySelector('#start-camera')");
            page.click(tap);
            assert!(page.words().contains("moment"), "{}", page.words());
            page.evaluate("resume()");
            page.wait_for(&format!("window.mienApp && {then}"));
        });
    }
}

#[test]
fn a_photo_chosen_before_the_scripts_are_there_is_read() {
    visit(Options::default(), |site, page| {
        site.prepend("start.js", "await new Promise((resume) => (window.resume = resume));");
        page.evaluate(&format!("location.href = '{}'", site.page("?engine=cpu")));
        page.wait_for("typeof window.resume === 'function' && document.querySelector('#file-input')");
        page.choose_file(&repository().join("www/sample.jpg"));
        page.evaluate("resume()");
        page.wait_for("window.mienApp?.lastResult?.faces.length === 1");
    });
}

#[test]
fn a_second_tap_while_the_browser_asks_is_answered() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(() => {
                const { mediaDevices } = navigator;
                const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
                window.asked = 0;
                mediaDevices.getUserMedia = (wishes) => new Promise((resolve) => {
                    asked += 1;
                    window.allow = () => resolve(getUserMedia(wishes));
                });
            })()",
        );
        page.click("#start-camera");
        page.wait_for("asked === 1");
        page.click("#start-camera");
        assert!(page.words().contains("asks whether"), "{}", page.words());
        assert_eq!(page.evaluate("asked"), 1);
        page.estimate_after(|page| {
            page.evaluate("void allow()");
        });
    });
}

/// Half a minute out of sight, which is shorter here, and back.
#[test]
fn a_page_out_of_sight_lets_go_of_the_camera_and_takes_it_up_again() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 30000 ? 300 : ms, ...rest);
            window.see = (hidden) => {
                Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
                document.dispatchEvent(new Event('visibilitychange'));
            };",
        );
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#start-camera"));
        page.evaluate("void (window.tracks = document.querySelector('video').srcObject.getTracks())");
        // A moment away is not worth a word.
        page.evaluate("(see(true), see(false))");
        pause(page, 600);
        assert_eq!(page.evaluate("tracks[0].readyState"), "live");

        page.evaluate("see(true)");
        page.wait_for("tracks.every(({ readyState }) => readyState === 'ended')");
        page.estimate_after(|page| {
            page.evaluate("see(false)");
        });
        let live = "document.querySelector('video').srcObject?.getTracks()[0].readyState";
        assert_eq!(page.evaluate(live), "live");
        assert_eq!(page.evaluate("document.documentElement.dataset.state"), "running");

        // One that was stopped stays off.
        page.click("#stop-camera");
        page.evaluate("see(true)");
        pause(page, 600);
        page.evaluate("see(false)");
        pause(page, 600);
        assert_eq!(page.evaluate(&format!("{live} ?? null")), Value::Null);
    });
}

#[test]
fn the_screen_stays_awake_while_the_camera_runs() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        site.prepend(
            "start.js",
            "window.locks = [];
            Object.defineProperty(navigator, 'wakeLock', { value: { async request(type) {
                const lock = { type, held: true, async release() { lock.held = false; } };
                locks.push(lock);
                return lock;
            } } });",
        );
        page.open(&site.page("?engine=cpu"));
        assert_eq!(page.evaluate("locks.length"), 0);
        page.estimate_after(|page| page.click("#start-camera"));
        page.wait_for("locks.filter(({ held }) => held).length === 1 && locks[0].type === 'screen'");
        // A browser takes it back from a page out of sight.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
        page.wait_for("locks.length === 2 && locks.filter(({ held }) => held).length === 1");
        page.click("#stop-camera");
        page.wait_for("locks.every(({ held }) => !held)");
    });
}

#[test]
fn a_camera_can_be_frozen() {
    visit(Options { film: Some(two_who_move()), ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for("document.querySelectorAll('.face').length === 2");
        page.evaluate("void (window.tracks = document.querySelector('video').srcObject.getTracks())");
        page.click("#freeze");
        page.wait_for("tracks.every(({ readyState }) => readyState === 'ended')");
        page.wait_for("!document.querySelector('#photo').hidden");
        let at = "[...document.querySelectorAll('.face')].map(({ style }) => style.transform).join()";
        let frozen = page.evaluate(at);
        pause(page, 500);
        assert_eq!(page.evaluate(at), frozen);
        assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 2);
        // Faces can still be chosen.
        page.evaluate("document.querySelector('.face[aria-pressed=false]').click()");
        let who = page.evaluate("document.querySelector('#who').innerText");
        let pressed = page.evaluate(
            "document.querySelector('.face[aria-pressed=true]').textContent.match(/face [0-9]+/)[0]",
        );
        assert!(who.as_str().unwrap().contains(pressed.as_str().unwrap()), "{who} {pressed}");
        page.click("#clear");
        assert_eq!(page.evaluate("mienApp.lastResult"), Value::Null);
        assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 0);
        assert_eq!(page.evaluate("document.querySelector('#readout').hasAttribute('data-empty')"), true);
    });
}

// ---- what comes in later ----

#[test]
fn the_webgpu_program_is_announced_before_it_is_fetched_and_not_at_all_where_data_is_saved() {
    for save_data in [false, true] {
        visit(Options { webgpu: true, ..Options::default() }, |site, page| {
            site.prepend(
                "start.js",
                &format!(
                    "Object.defineProperty(navigator, 'connection', {{ value: {{ saveData: {save_data} }} }});
                    window.notes = [];
                    new MutationObserver(() => notes.push(document.querySelector('#engine').innerText))
                        .observe(document.querySelector('#engine'), {{ subtree: true, childList: true, characterData: true }});"
                ),
            );
            page.open(&site.page(""));
            let announced = page.words().contains("program for WebGPU");
            assert_eq!(announced, !save_data, "{}", page.words());
            let fetched = || site.requested().iter().any(|path| path.contains("mien_gpu"));
            assert!(!fetched(), "before the first picture");
            page.estimate_after(|page| page.click("#use-sample"));
            if save_data {
                pause(page, 2000);
                assert!(!fetched());
            } else {
                page.wait_for("mienApp.mien.comparison");
                assert!(fetched());
                page.wait_for("notes.some((note) => note.includes('fetching the WebGPU program'))");
                let note = page.evaluate("document.querySelector('#engine').innerText");
                assert!(!note.as_str().unwrap().contains("fetching"), "{note}");
            }
        });
    }
}
