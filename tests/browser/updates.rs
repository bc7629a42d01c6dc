//! Another build on the site: no page has files of two, and visitors change when they want to.

use serde_json::{Value, json};

use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::poll;
use crate::support::site::Site;
use crate::{assert_is_the_sample, assert_only_from, visit};

/// A file of another build, which says so: in the words that a result is told in, and in the card's.
fn changes(site: &Site) -> Vec<(&'static str, String)> {
    [("views/words.js", "words"), ("later/card.js", "card"), ("worker.js", "worker")]
        .map(|(file, name)| {
            (file, format!("(globalThis.builds ??= {{}}).{name} = 'second';\n{}", site.read(file)))
        })
        .to_vec()
}

fn publish_second(site: &Site) {
    let changes = changes(site);
    let changes: Vec<(&str, &str)> = changes.iter().map(|(file, text)| (*file, text.as_str())).collect();
    site.publish("second", &changes);
}

/// A page of the first build, saved.
fn open_first(site: &Site, page: &Page) {
    page.open(&site.page("?engine=cpu"));
    page.settles();
    page.wait_for("navigator.serviceWorker.controller && document.querySelector('#offline').textContent");
}

fn newer_is_offered(page: &Page) {
    // As a browser does now and then, and whenever the page is opened.
    page.evaluate("navigator.serviceWorker.getRegistration().then((it) => it.update())");
    page.wait_for("!document.querySelector('#news').hidden");
}

const OPEN_CARD: &str = "(async () => {
    document.querySelector('#take').click();
    while (!document.querySelector('dialog[open] canvas')) await new Promise((resume) => setTimeout(resume, 50));
    document.querySelector('dialog').close();
    return globalThis.builds ?? null;
})()";

/// What builds the workers are of, those of all pages.
fn worker_builds(page: &Page) -> Vec<Value> {
    let workers = page.workers_named("mien-cpu");
    let mut builds: Vec<Value> = workers.iter().map(|it| it.evaluate("globalThis.builds ?? null")).collect();
    builds.sort_by_key(|build| !build.is_null());
    builds
}

#[test]
fn a_newer_build_waits_until_the_visitor_changes_to_it() {
    let chromium = Chromium::start(Options::default());
    let (site, one, two) = (Site::start(), chromium.page(), chromium.page());
    open_first(&site, &one);
    open_first(&site, &two);
    publish_second(&site);
    newer_is_offered(&one);
    newer_is_offered(&two);

    // Both go on as they are, reloaded too.
    two.reload();
    for page in [&one, &two] {
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        assert_eq!(page.evaluate("globalThis.builds ?? null"), Value::Null);
    }

    // One of them changes.
    two.is_saved();
    one.changes();
    one.estimate_after(|page| page.click("#use-sample"));
    assert_eq!(one.evaluate(OPEN_CARD), json!({ "words": "second", "card": "second" }));
    let each_its_own = [Value::Null, json!({ "worker": "second" })];
    assert_eq!(worker_builds(&one), each_its_own);

    // The other one has what it first needs now from its own build, and so has a worker that is started anew.
    assert_eq!(two.evaluate(OPEN_CARD), Value::Null);
    two.evaluate(
        "import(document.querySelector('script[src*=start]').src).then(async ({ Mien }) => {
            mienApp.mien.close();
            mienApp.mien = await Mien.load({ engine: 'cpu' });
        })",
    );
    assert_eq!(worker_builds(&two), each_its_own);
    // And is free to change, too.
    two.changes();
    assert_eq!(two.evaluate("globalThis.builds"), json!({ "words": "second" }));

    // The former build is forgotten when nobody has it open.
    two.reload();
    two.wait_for("caches.keys().then((names) => names.length === 1 && names[0].endsWith(' second'))");
    assert_only_from(&site, &chromium);
}

/// The service worker and the program for WebGPU, of which the site has another build's by the time that it is wanted.
#[test]
fn webgpu_that_is_wanted_late_is_not_another_builds() {
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        page.open(&site.page(""));
        page.settles();
        page.wait_for("navigator.serviceWorker.controller && document.querySelector('#offline').textContent");
        let glue = format!("throw new Error('another build');\n{}", site.read("pkg/mien_gpu.js"));
        site.publish("second", &[("pkg/mien_gpu.js", &glue)]);
        let asked = || site.requested().iter().any(|url| url.contains("/mien_gpu.js"));
        assert!(!asked());
        page.estimate_after(|page| page.click("#use-sample"));
        poll(|| asked().then_some(())).expect("the page looks for WebGPU");
        let answer = page.evaluate("fetch('pkg/mien_gpu.js').then(({ status }) => status)");
        assert_eq!(answer, 409);
        assert_eq!(page.estimate_after(|page| page.click("#use-sample")).engine, "cpu");
    });
}

/// The site is changing while the page is being saved, or a cache on the way has files of two builds.
#[test]
fn a_set_of_two_builds_is_not_saved() {
    visit(Options::default(), |site, page| {
        let words = site.read("views/words.js");
        site.write("later/take.js", Some("// of another build"));
        page.open(&site.page("?engine=cpu"));
        page.wait_for("navigator.serviceWorker.getRegistration()");
        poll(|| {
            let gone = page.evaluate(
                "navigator.serviceWorker.getRegistration().then((it) => !it || !(it.installing || it.waiting || it.active))",
            );
            (gone == true).then_some(())
        })
        .expect("its installation fails");
        assert_eq!(page.evaluate("document.querySelector('#offline').textContent"), "");
        assert_eq!(page.evaluate("caches.keys().then((names) => names.length)"), 0);
        // The page works, without being saved.
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        // When the site is whole again, it is saved.
        site.write(
            "later/take.js",
            Some(&std::fs::read_to_string(crate::support::repository().join("dist/later/take.js")).unwrap()),
        );
        site.publish("second", &[("views/words.js", &format!("{words}\n// second"))]);
        page.reload();
        page.is_saved();
    });
}

/// Two copies of the page on one origin, as user.github.io/mien/ and /mien/next/: neither touches what the other has saved.
#[test]
fn two_copies_on_one_origin_leave_each_other_alone() {
    let chromium = Chromium::start(Options::default());
    let (mut site, page) = (Site::start(), chromium.page());
    site.add_copy("next");
    site.add_copy("mien/inner");
    let addresses =
        [site.page("?engine=cpu"), site.page("../next/?engine=cpu"), site.page("inner/?engine=cpu")];
    for address in &addresses {
        page.open(address);
        page.is_saved();
    }
    // Of a build that did not name its cache after its place.
    page.evaluate("caches.open('mien-123').then((cache) => cache.put('/next/', new Response('')))");
    site.publish("second", &[("views/words.js", &format!("{}\n// second", site.read("views/words.js")))]);
    page.open(&addresses[0]);
    newer_is_offered(&page);
    page.changes();
    page.wait_for(
        "caches.keys().then((names) => names.filter((name) => name.endsWith(' second')).length === 1)",
    );
    assert_eq!(page.evaluate("caches.has('mien-123')"), true);
    site.stop();
    for address in &addresses {
        page.open(address);
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    }
}

/// Whatever was chosen by the address is there without a network, too.
#[test]
fn what_is_in_use_is_saved() {
    for (address, options) in [
        ("?engine=cpu&model=m-cnn", Options::default()),
        ("index.html?engine=cpu", Options::default()),
        ("?engine=webgpu", Options { webgpu: true, ..Options::default() }),
    ] {
        let chromium = Chromium::start(options);
        let (mut site, page) = (Site::start(), chromium.page());
        page.open(&site.page(address));
        page.is_saved();
        site.stop();
        page.reload();
        let estimate = page.estimate_after(|page| page.click("#use-sample"));
        assert_is_the_sample(&estimate);
        assert!(address.contains(&format!("engine={}", estimate.engine)), "{address}");
    }
}
