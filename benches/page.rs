//! What a result of the camera costs the page's main thread, and how many a second it comes to, on this
//! machine and on slower ones: `./build.sh dist`, then `cargo bench --bench page`. docs/page.md keeps it.

// The tests need more of it.
#[allow(dead_code)]
#[path = "../tests/support/mod.rs"]
mod support;

use serde_json::Value;

use support::chromium::{Chromium, Options};
use support::page::Page;
use support::site::Site;
use support::two_who_move;

const COUNT: &str = "(() => {
    window.results = 0;
    let last;
    Object.defineProperty(mienApp, 'lastResult', { get: () => last, set: (result) => { last = result; results += 1; } });
})()";

fn main() {
    for (what, film) in [("one face, still", None), ("two faces that move", Some(two_who_move()))] {
        let chromium = Chromium::start(Options { camera: true, film, ..Options::default() });
        let (site, page) = (Site::start(), chromium.page());
        page.resize(390, 844, true);
        page.open(&site.page("?engine=cpu"));
        page.evaluate(COUNT);
        page.estimate_after(|page| page.click("#start-camera"));
        for times in [1.0, 4.0, 6.0] {
            page.slow_down(times);
            pause(&page, 3000);
            let before = (page.busy_seconds(), results(&page));
            pause(&page, 10_000);
            let (busy, [results, seconds]) = (page.busy_seconds() - before.0, results(&page));
            let (results, seconds) = (results - before.1[0], seconds - before.1[1]);
            println!(
                "{what}, {times}x slower: {:.1} results a second, {:.2} ms of the main thread each",
                results / seconds,
                1000.0 * busy / results
            );
        }
    }
}

/// Results so far, and the seconds they took.
fn results(page: &Page) -> [f64; 2] {
    let both: Value = page.evaluate("[results, performance.now() / 1000]");
    [0, 1].map(|at| both[at].as_f64().unwrap())
}

fn pause(page: &Page, ms: u32) {
    page.evaluate(&format!("new Promise((resume) => setTimeout(resume, {ms}))"));
}
