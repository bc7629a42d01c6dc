//! The counter of requests and bytes: it counts what there is, whoever asks, and says what is stored.

use std::collections::BTreeMap;

use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::poll;
use crate::support::site::Site;
use crate::{stays_inside, visit, without_query};

const COUNTED: &str = "import(document.querySelector('script[src*=start]').src).then(({ traffic: { addresses, count, sent } }) => ({ addresses: Object.fromEntries(addresses), count, sent: String(sent) }))";

fn open(page: &Page) {
    page.evaluate("document.querySelector('#watch').open = true");
    page.wait_for("document.querySelector('#watch [data-stored] li')");
}

fn shown(page: &Page, what: &str) -> String {
    let text = page.evaluate(&format!("document.querySelector('#watch [data-{what}]').textContent"));
    text.as_str().unwrap().to_owned()
}

/// Whatever reached the server is in the count, also what the service worker asked for; and nothing
/// is in it that nobody asked for.
#[test]
fn every_request_is_counted() {
    let chromium = Chromium::start(Options { camera: true, webgpu: true, ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    site.small_sample();
    page.open(&site.page(""));
    page.estimate_after(|page| page.click("#use-sample"));
    page.wait_for("mienApp.mien.comparison");
    page.evaluate("document.querySelector('#about').scrollIntoView()");
    page.wait_for("document.querySelector('#measured table')");
    page.estimate_after(|page| page.click("#start-camera"));
    page.settles();
    open(&page);
    page.settles();
    let counted = page.evaluate(COUNTED);
    let addresses: BTreeMap<String, u64> = serde_json::from_value(counted["addresses"].clone()).unwrap();
    let tally = |urls: Vec<String>| {
        let mut tally: BTreeMap<String, u64> = BTreeMap::new();
        urls.into_iter().filter(|url| !stays_inside(url)).for_each(|url| *tally.entry(url).or_default() += 1);
        tally
    };
    let served = tally(site.requested());
    assert!(served.len() > 40, "{served:#?}");
    for (url, count) in &served {
        let of = addresses.get(url).copied().unwrap_or(0);
        println!("{count} served, {of} counted: {url}");
    }
    for (url, count) in &served {
        // Whether there is a newer service worker, the browser asks by itself, as often as it likes.
        let least = if without_query(url).ends_with("/sw.js") { 1 } else { *count };
        let of = addresses.get(url).copied().unwrap_or(0);
        assert!(of >= least, "{url} was asked for {count} times, and {of} counted: {addresses:#?}");
    }
    let recorded = tally(chromium.connection().requests());
    for url in addresses.keys() {
        assert!(recorded.contains_key(url), "{url} was never asked for");
    }
    assert_eq!(counted["sent"], "0");
    assert_eq!(shown(&page, "sent"), "0");
    page.wait_for(&format!(
        "document.querySelector('#watch [data-count]').textContent === '{}'",
        counted["count"]
    ));
    let lines = page.evaluate("document.querySelectorAll('#watch [data-addresses] li').length");
    assert_eq!(lines, addresses.len());
}

/// A request more, by whatever way: the counter moves; so does that of bytes, where something is sent.
#[test]
fn one_request_more_is_seen() {
    let chromium = Chromium::start(Options::default());
    let (site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.settles();
    open(&page);
    page.settles();
    let number = |what: &str| shown(&page, what).parse::<u64>().unwrap();
    let before = page.evaluate(COUNTED)["count"].as_u64().unwrap();
    page.wait_for(&format!("document.querySelector('#watch [data-count]').textContent === '{before}'"));
    let mut expected = [before, 0];
    for (who, script, bytes) in [
        (&page, "fetch('icon.svg?1').then(() => true)", 0),
        (&page, "fetch(new Request('icon.svg?2')).then(() => true)", 0),
        (&page, "fetch('icon.svg?3', { method: 'POST', body: 'häh' }).then(() => true)", 4),
        (
            &page,
            "fetch(new Request('icon.svg?4', { method: 'POST', body: new Uint8Array(7) })).then(() => true)",
            7,
        ),
        (&page, "navigator.sendBeacon('icon.svg?5', new Blob(['12345']))", 5),
        (
            &page,
            "new Promise((done) => { const it = new XMLHttpRequest(); it.open('POST', 'icon.svg?6'); it.onloadend = () => done(true); it.send('abc'); })",
            3,
        ),
        (
            &page,
            "new Promise((done) => { const it = new Image(); it.onload = it.onerror = () => done(true); it.src = 'icon.svg?7'; })",
            0,
        ),
        (&page, "import('./views/order.js?8').then(() => true)", 0),
        // To a site that the policy does not allow: the browser stops it, and it is counted as tried.
        (&page, "fetch('https://elsewhere.invalid/', { method: 'POST', body: '12' }).catch(() => true)", 2),
    ] {
        assert_eq!(who.evaluate(script), true, "{script}");
        expected[0] += 1;
        expected[1] += bytes;
        let is_so = || ([number("count"), number("sent")] == expected).then_some(());
        poll(is_so).unwrap_or_else(|| {
            panic!("{script}: {} requests, {} bytes, not {expected:?}", number("count"), number("sent"))
        });
    }
    // What can't be weighed is not called nothing.
    page.evaluate("new RTCPeerConnection().close()");
    page.wait_for("document.querySelector('#watch [data-sent]').textContent === 'cannot be told'");
}

#[test]
fn what_is_stored_is_said() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.settles();
        open(page);
        let stored = page.evaluate(
            "caches.keys().then(async (names) => {
                const cache = await caches.open(names[0]);
                const keys = await cache.keys();
                let bytes = 0;
                for (const key of keys) bytes += (await (await cache.match(key)).arrayBuffer()).byteLength;
                return [names.length, keys.length, bytes];
            })",
        );
        assert_eq!(stored[0], 1);
        page.click("#watch button");
        let files = format!(
            "{} files of this site for use offline, {:.1} MB",
            stored[1],
            stored[2].as_f64().unwrap() / 1e6
        );
        page.wait_for(&format!(
            "document.querySelector('#watch [data-stored]').textContent.includes('{files}')"
        ));
        assert!(
            shown(page, "stored").contains("No cookies.") && shown(page, "stored").contains("Nothing else")
        );
        page.evaluate("(localStorage.setItem('a', 'b'), document.cookie = 'a=b')");
        page.click("#watch button");
        page.wait_for(
            "/1 cookies.*1 entries/.test(document.querySelector('#watch [data-stored]').textContent)",
        );
    });
}

/// Said where it is so: offline, with all that is needed; and a picture is then read.
#[test]
fn the_stamp_says_that_it_works_offline() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        let stamp = "document.querySelector('#stamp').textContent";
        assert_eq!(page.evaluate(stamp), "");
        page.settles();
        page.set_offline(true);
        page.wait_for(&format!("{stamp} === 'You are offline, and it works'"));
        page.estimate_after(|page| page.choose_file(&crate::support::repository().join("www/sample.jpg")));
        page.set_offline(false);
        page.wait_for(&format!("{stamp} === ''"));
        // Not while it can't be said.
        page.evaluate("(mienApp.mien = null, Object.defineProperty(navigator, 'onLine', { value: false }), dispatchEvent(new Event('offline')))");
        assert_eq!(page.evaluate(stamp), "");
    });
}

/// What comes in after the page is ready is of the kinds that the page names, and no other.
#[test]
fn what_comes_later_is_named() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        let before: Vec<String> = site.requested();
        let named = page.evaluate(
            "document.querySelector('.pages section:nth-child(2)').textContent.replace(/\\s+/g, ' ')",
        );
        let named = named.as_str().unwrap();
        for kind in [
            "files once more",
            "graphics chip",
            "parts of the page",
            "sample picture",
            "figures",
            "other networks",
        ] {
            assert!(named.contains(kind), "{kind}: {named}");
        }
        page.estimate_after(|page| page.click("#use-sample"));
        page.click("#take");
        page.wait_for("document.querySelector('dialog[open] canvas')");
        page.evaluate("document.querySelector('dialog').close()");
        page.evaluate("document.querySelector('#about').scrollIntoView()");
        page.wait_for("document.querySelector('#measured table')");
        page.estimate_after(|page| page.click("#start-camera"));
        page.settles();
        let again: Vec<&str> = before.iter().map(|url| without_query(url)).collect();
        for url in site.requested().iter().skip(before.len()) {
            let part = |name: &str| url.contains(name);
            assert!(
                again.contains(&without_query(url))
                    || part("/later/")
                    || part("sample.jpg")
                    || part(".json")
                    || part("/sw.js")
                    || part("manifest")
                    || part("icon")
                    || url.ends_with("/mien/"),
                "{url} was not announced"
            );
        }
    });
}
