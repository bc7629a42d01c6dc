//! The page for all hands and eyes: large letters, narrow and low windows, spacing, few colours. Nothing may
//! be cut off or lie on something else.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::groups::group;
use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::support::repository;
use crate::visit;

/// What is lost of the page's words, or of a dialog's where one is open: cut off by something around them, beyond
/// the page's sides, or on each other. The words on the stage's labels are not looked at: they lie on the picture.
pub const LOST: &str = r#"(() => {
    const lost = [];
    const dialog = document.querySelector('dialog[open]');
    const words = [];
    const walker = document.createTreeWalker(dialog ?? document.body, NodeFilter.SHOW_TEXT);
    for (let node; (node = walker.nextNode());) {
        const text = node.data.trim();
        const parent = node.parentElement;
        if (!text || parent.closest('.unseen, script, noscript, .faces, .drop, [hidden]') || !parent.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const rect of range.getClientRects()) {
            if (rect.width < 1 || rect.height < 1) continue;
            const what = `${text.slice(0, 40)} (${parent.tagName}.${parent.className?.baseVal ?? parent.className}#${parent.id})`;
            if (rect.left < -1 || rect.right > document.documentElement.clientWidth + 1) {
                if (!parent.closest('.table, .strip')) lost.push(`beside the page: ${what}`);
            }
            for (let around = parent; around && around !== document.body; around = around.parentElement) {
                const { overflowX, overflowY } = getComputedStyle(around);
                const edge = around.getBoundingClientRect();
                const cut = (overflow, before, after) => !['visible', 'auto', 'scroll'].includes(overflow) && (before < -1 || after < -1);
                if (cut(overflowX, rect.left - edge.left, edge.right - rect.right) || cut(overflowY, rect.top - edge.top, edge.bottom - rect.bottom)) {
                    lost.push(`cut off: ${what}`);
                }
            }
            words.push({ rect, what, parent });
        }
    }
    const overlap = (a, b) => Math.min(Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
    words.forEach((a, index) => {
        for (const b of words.slice(index + 1)) {
            // Lines of one sentence may be close, and the plot's number may pass its own ticks.
            if (a.parent === b.parent || a.parent.contains(b.parent) || b.parent.contains(a.parent)) continue;
            if (a.parent.closest('svg') && b.parent.closest('svg')) continue;
            if (a.parent.closest('.strip, .table') || b.parent.closest('.strip, .table')) continue;
            if (overlap(a.rect, b.rect) > 3) lost.push(`on each other: ${a.what} and ${b.what}`);
        }
    });
    const controls = [...document.querySelectorAll('button, .button, summary')].filter((it) => it.offsetParent && !it.closest('.faces, dialog'));
    controls.forEach((a, index) => {
        const [one, rest] = [a.getBoundingClientRect(), controls.slice(index + 1)];
        for (const b of rest) if (overlap(one, b.getBoundingClientRect()) > 1) lost.push(`controls on each other: ${a.id} and ${b.id}`);
        if (one.height < 24 || one.width < 24) lost.push(`too small to hit: ${a.id}`);
    });
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) lost.push(`the page is ${wide} pixels too wide`);
    const stage = document.querySelector('#stage').getBoundingClientRect();
    if (stage.height < 140 || stage.width < 200) lost.push(`a stage of ${stage.width} x ${stage.height}`);
    const plot = document.querySelector('#distribution').getBoundingClientRect();
    if (plot.height < 60 || plot.width < 90) lost.push(`a plot of ${plot.width} x ${plot.height}`);
    return [...new Set(lost)];
})()"#;

/// As people space words who read them better so (WCAG 2.2, 1.4.12).
const SPACED: &str = "(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-bottom: 2em !important }');
    document.adoptedStyleSheets = [sheet];
})()";

/// As in a language of long words.
const LONG_WORDS: &str = "(() => {
    const put = (selector, text) => document.querySelectorAll(selector).forEach((it) => { (it.lastChild ?? it).textContent = text; });
    put('.dock .button', 'Kameraaufnahmebeispielübertragung');
    put('#status', 'Gesichtsaltersschätzungsverfahren: Aufmerksamkeitsstörungsvermeidung');
    put('#gender', 'Wahrscheinlichkeitsverteilungsangabe');
    put('.range', 'höchstwahrscheinlichkeitsbereich 31–43');
    put('h2', 'Datenschutzfolgenabschätzungsnachweis');
    put('#engine summary', 'Grafikprozessorbeschleunigung · 12 ms');
})()";

struct Way {
    name: &'static str,
    size: [u32; 2],
    letters: u32,
    script: &'static str,
    features: &'static [(&'static str, &'static str)],
}

const WAYS: &[Way] = &[
    Way { name: "a phone", size: [390, 844], letters: 16, script: "", features: &[] },
    Way { name: "a desktop", size: [1280, 800], letters: 16, script: "", features: &[] },
    Way { name: "320 pixels", size: [320, 568], letters: 16, script: "", features: &[] },
    Way { name: "a low window", size: [1280, 560], letters: 16, script: "", features: &[] },
    Way { name: "a phone on its side", size: [844, 390], letters: 16, script: "", features: &[] },
    Way { name: "a tablet", size: [768, 1024], letters: 16, script: "", features: &[] },
    Way { name: "a large screen", size: [2560, 1300], letters: 16, script: "", features: &[] },
    // A browser's zoom is a smaller window of larger pixels.
    Way { name: "zoom of 200 %", size: [640, 400], letters: 16, script: "", features: &[] },
    Way { name: "zoom of 400 %", size: [320, 256], letters: 16, script: "", features: &[] },
    Way { name: "large letters on a phone", size: [390, 844], letters: 32, script: "", features: &[] },
    Way { name: "large letters on a desktop", size: [1280, 800], letters: 32, script: "", features: &[] },
    Way { name: "large letters on 320 pixels", size: [320, 568], letters: 32, script: "", features: &[] },
    Way { name: "spaced words on a phone", size: [390, 844], letters: 16, script: SPACED, features: &[] },
    Way { name: "spaced words on a desktop", size: [1280, 800], letters: 16, script: SPACED, features: &[] },
    Way {
        name: "spaced words in a low window",
        size: [1280, 560],
        letters: 16,
        script: SPACED,
        features: &[],
    },
    Way { name: "long words on a phone", size: [320, 568], letters: 16, script: LONG_WORDS, features: &[] },
    Way {
        name: "long words on a desktop",
        size: [1280, 800],
        letters: 16,
        script: LONG_WORDS,
        features: &[],
    },
    Way {
        name: "the system's colours",
        size: [1280, 800],
        letters: 16,
        script: "",
        features: &[("forced-colors", "active"), ("prefers-reduced-motion", "reduce")],
    },
];

#[test]
fn nothing_is_lost_whatever_the_letters_and_the_window() {
    visit(Options::default(), |site, page| {
        let mut losses = Vec::new();
        for way in WAYS {
            page.emulate(way.features);
            page.set_letters(way.letters);
            page.resize(way.size[0], way.size[1], way.size[0] < 600);
            page.open(&site.page("?engine=cpu"));
            let mut look = |when: &str| {
                if !way.script.is_empty() {
                    page.evaluate(way.script);
                }
                page.screenshot(); // once all has come to rest
                for loss in page.evaluate(LOST).as_array().unwrap() {
                    losses.push(format!("{}, {when}: {}", way.name, loss.as_str().unwrap()));
                }
            };
            look("empty");
            page.estimate_after(|page| page.click("#use-sample"));
            look("a photo");
            page.evaluate("document.querySelector('#about').scrollIntoView()");
            page.wait_for("document.querySelector('#measured table')");
            look("below");
        }
        assert!(losses.is_empty(), "{losses:#?}");
    });
}

/// Trouble takes the picture's place, with a way out that can be reached.
#[test]
fn trouble_is_told_in_full_on_the_smallest_screen() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("IMG_0001.HEIC");
    std::fs::write(&picture, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    visit(Options::default(), |site, page| {
        for (size, letters) in [([320, 568], 16), ([390, 844], 32), ([640, 300], 16)] {
            page.set_letters(letters);
            page.resize(size[0], size[1], true);
            page.open(&site.page("?engine=cpu"));
            page.choose_file(&picture);
            page.wait_for("mienApp.lastError");
            page.screenshot();
            assert_eq!(page.evaluate(LOST), json!([]), "{size:?} {letters}");
        }
    });
}

/// What is told by colours alone is told by lines where the system has its own colours.
#[test]
fn the_systems_colours_leave_everything_to_be_seen() {
    visit(Options::default(), |site, page| {
        page.emulate(&[("forced-colors", "active")]);
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let seen = page.evaluate(
            "(() => {
                const style = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
                return {
                    forced: matchMedia('(forced-colors: active)').matches,
                    frame: style('.face', 'outlineStyle'),
                    button: style('#start-camera', 'borderTopStyle'),
                    scale: style('#gender-scale', 'backgroundColor') !== style('.scale', 'backgroundColor'),
                    range: style('.plot .range', 'fill') !== style('.plot .hill', 'fill'),
                };
            })()",
        );
        assert_eq!(
            seen,
            json!({ "forced": true, "frame": "solid", "button": "solid", "scale": true, "range": true })
        );
    });
}

#[test]
fn nothing_moves_for_those_who_want_it_so() {
    visit(Options::default(), |site, page| {
        page.emulate(&[("prefers-reduced-motion", "reduce")]);
        page.open(&site.page("?engine=cpu"));
        let moving = page.evaluate(
            "[...document.querySelectorAll('*')].filter((it) => {
                const { transitionDuration, animationName } = getComputedStyle(it);
                return (transitionDuration !== '0s' && transitionDuration !== '') || animationName !== 'none';
            }).length",
        );
        assert_eq!(moving, 0);
    });
}

/// axe finds nothing, in each of the page's states.
#[test]
fn axe_finds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("group.png");
    group().save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        for scheme in ["light", "dark"] {
            page.emulate(&[("prefers-color-scheme", scheme)]);
            page.open(&site.page("?engine=cpu"));
            let complaints = |state: &str| {
                let found = axe_finds(page);
                assert_eq!(found, json!([]), "{scheme}, {state}: {found:#}");
            };
            complaints("empty");
            page.estimate_after(|page| page.click("#use-sample"));
            page.evaluate("document.querySelector('#about').scrollIntoView()");
            page.wait_for("document.querySelector('#measured table')");
            complaints("a photo");
            page.estimate_after(|page| page.choose_file(&picture));
            page.wait_for("document.querySelectorAll('.strip [role=option]').length === 13");
            complaints("a group");
            page.click("#take");
            page.wait_for("document.querySelector('dialog[open] canvas')");
            complaints("the card");
        }
    });
}

/// The pages of the API and of the study: on a phone and on a desk, in both themes.
#[test]
fn the_api_and_the_study_are_for_all_eyes_too() {
    if !repository().join("dist/about/api.html").is_file() {
        eprintln!("left out: there is no page of the API, for want of npm");
        return;
    }
    visit(Options::default(), |site, page| {
        for (path, heading, links) in
            [("about/api.html", "#mien", 50), ("about/study.html", "#its-questions-answered", 2)]
        {
            for (size, scheme) in [([390, 844], "light"), ([320, 640], "dark"), ([1280, 800], "dark")] {
                let name = format!("{path}, {size:?}, {scheme}");
                page.appear(size, 16, scheme, "none");
                page.go(&site.page(path), &format!("document.querySelector('{heading}')"));
                let wide = page
                    .evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth");
                assert_eq!(wide, 0, "{name}: pixels too wide");
                let found = axe_finds(page);
                assert_eq!(found, json!([]), "{name}: {found:#}");
                let dark =
                    page.evaluate("getComputedStyle(document.body).backgroundColor === 'rgb(14, 20, 18)'");
                assert_eq!(dark, scheme == "dark");
            }
            let astray = "[...document.querySelectorAll('a[href^=\"#\"]')].map(({ hash }) => hash).filter((hash) => !document.getElementById(hash.slice(1)))";
            assert_eq!(page.evaluate(astray), json!([]), "{path}");
            assert!(page.evaluate("document.links.length").as_u64().unwrap() > links, "{path}");
            let unseen = "[...document.images].filter(({ complete, naturalWidth }) => !complete || naturalWidth === 0).length";
            assert_eq!(page.evaluate(unseen), json!(0), "{path}");
        }
    });
}

/// What axe complains of in the page as it is; of nothing where there is no axe.
pub fn axe_finds(page: &Page) -> Value {
    let Some(axe) = axe() else { return json!([]) };
    page.evaluate(&format!("void (window.axe || (() => {{ {axe} }})())"));
    page.evaluate(
        "axe.run({ rules: { 'label-content-name-mismatch': { enabled: true }, 'target-size': { enabled: true } } })
            .then(({ violations }) => violations.map(({ id, impact, nodes }) => [id, impact, nodes.map(({ html }) => html.slice(0, 200))]))",
    )
}

/// Where `./build.sh test` has put it; `None` where that could not be done.
fn axe() -> Option<String> {
    let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
    let path = match std::env::var_os("MIEN_AXE") {
        Some(path) if path.is_empty() => {
            eprintln!("left out: there is no axe");
            return None;
        }
        Some(path) => repository().join(path),
        None => installed.join("npm/node_modules/axe-core/axe.min.js"),
    };
    let text = std::fs::read_to_string(&path);
    Some(
        text.unwrap_or_else(|_| {
            panic!("{} is missing: run ./build.sh test, which installs it", path.display())
        }),
    )
}

/// Also makes the README's pictures: target/screenshots/, and with MIEN_UPDATE_DOCS=1 docs/.
#[test]
fn the_page_fits_a_desktop_and_a_phone() {
    let folder = screenshots();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        for (name, width, height, is_phone) in
            [("screenshot.png", 1280, 800, false), ("screenshot-phone.png", 390, 844, true)]
        {
            page.resize(width, height, is_phone);
            let png = page.screenshot();
            std::fs::write(folder.join(name), &png).unwrap();
            let overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth");
            assert!(overflow.as_f64().unwrap() <= 0.0, "{name}: {overflow} pixels too wide");
            let picture = image::load_from_memory(&png).unwrap().to_rgb8();
            assert_eq!(picture.dimensions(), (width, height), "{name}");
            let colours: std::collections::HashSet<_> = picture.pixels().collect();
            assert!(colours.len() > 1000, "{name} shows no photo: {} colours", colours.len());
            // All of the first screen: nothing of the controls is below it.
            let below =
                page.evaluate("document.querySelector('.dock').getBoundingClientRect().bottom - innerHeight");
            assert!(below.as_f64().unwrap() <= 0.0, "{name}: the controls end {below} pixels too low");
        }
        let text = page.evaluate("document.querySelector('#readout').innerText");
        let age = page.evaluate("String(Math.round(mienApp.lastResult.faces[0].age))");
        assert!(text.as_str().unwrap().contains(age.as_str().unwrap()), "the age {age} is not in {text}");
    });

    if std::env::var_os("MIEN_UPDATE_DOCS").is_some_and(|value| value == "1") {
        let docs = repository().join("docs");
        for name in ["screenshot.png", "screenshot-phone.png"] {
            std::fs::copy(folder.join(name), docs.join(name)).unwrap();
        }
    }
}

pub fn screenshots() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Takes pictures of every view, to be looked at: target/screenshots/.
#[test]
#[ignore = "makes pictures for people to look at"]
fn views() {
    let (folder, pictures) = (screenshots(), tempfile::tempdir().unwrap());
    let path = pictures.path().join("group.png");
    group().save(&path).unwrap();
    let sample = repository().join("www/sample.jpg");
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        for (device, width, height, is_phone) in [("phone", 390, 844, true), ("desktop", 1280, 800, false)] {
            for scheme in ["light", "dark"] {
                page.emulate(&[("prefers-color-scheme", scheme)]);
                page.resize(width, height, is_phone);
                page.open(&site.page("?engine=cpu"));
                let shot = |view: &str| {
                    std::fs::write(folder.join(format!("{view}-{device}-{scheme}.png")), page.screenshot())
                        .unwrap();
                };
                shot("empty");
                page.estimate_after(|page| page.click("#use-sample"));
                shot("photo");
                page.click("#take");
                page.wait_for("document.querySelector('dialog[open] canvas')");
                shot("card");
                page.evaluate("document.querySelector('dialog input[value=blurred]').click()");
                shot("card-blurred");
                page.evaluate("document.querySelector('dialog input[value=hill]').click()");
                shot("card-hill");
                page.evaluate("document.querySelector('dialog').close()");
                page.estimate_after(|page| page.choose_file(&path));
                page.wait_for("document.querySelectorAll('.strip [role=option]').length === 13");
                shot("group");
                page.choose_files(&[&sample, &path, &sample, Path::new("/dev/null")]);
                page.wait_for("document.querySelector('#status').innerText.startsWith('3 pictures')");
                shot("album");
                page.evaluate("document.querySelector('#strips > button').click()");
                page.wait_for("document.querySelector('.years')");
                page.evaluate("document.querySelector('.years').scrollIntoView({ block: 'end' })");
                shot("album-by-date");
                page.evaluate("scrollTo(0, 0)");
                page.click("#age-only");
                shot("ages-alone");
                page.click("#age-only");
                page.estimate_after(|page| page.click("#start-camera"));
                page.wait_for("document.querySelector('#status').innerText.startsWith('One face')");
                shot("camera");
                page.click("#stop-camera");
                page.choose_file(Path::new("/dev/null"));
                page.wait_for("mienApp.lastError");
                shot("trouble");
                page.evaluate("document.querySelector('.pages').scrollIntoView()");
                page.wait_for("document.querySelector('#measured table')");
                page.evaluate(
                    "(() => {
                        const input = document.querySelector('#measured input');
                        input.value = '34';
                        input.dispatchEvent(new Event('input'));
                        document.querySelector('#measured details').open = true;
                        document.querySelector('#measured').scrollIntoView();
                    })()",
                );
                shot("below");
            }
        }
    });
}
