//! The page in other languages: which one it speaks, that it has all words of each, and that none is lost.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::kiosk::stand_at;
use crate::looks::{LOST, axe_finds};
use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::repository;
use crate::support::site::Site;
use crate::{assert_is_the_sample, assert_only_from, visit};

const LANGUAGES: [&str; 6] = ["de", "ja", "ko", "vi", "zh-Hans", "zh-Hant"];

/// Looks for words that are missing and the like: a function of the paths of scripts and documents.
const COMPLAINTS: &str = include_str!("languages.js");

fn language(page: &Page) -> Value {
    page.evaluate("document.documentElement.lang")
}

fn text(page: &Page, selector: &str) -> String {
    let text = page.evaluate(&format!("document.querySelector('{selector}').innerText"));
    text.as_str().unwrap().to_owned()
}

/// By the menu.
fn choose(page: &Page, tag: &str) {
    page.evaluate(&format!(
        "(() => {{
            const menu = document.querySelector('#language');
            menu.value = '{tag}';
            menu.dispatchEvent(new Event('change'));
        }})()"
    ));
    page.wait_for(&format!("document.documentElement.lang === '{tag}'"));
}

// ---- which one ----

/// The first of the browser's languages that there is; none of them is English.
#[test]
fn the_browsers_languages_decide() {
    visit(Options::default(), |site, page| {
        for (wanted, spoken) in [
            ("en-GB,de", "en"),
            ("de-AT,en", "de"),
            ("fr,ja,en", "ja"),
            ("ko-KR", "ko"),
            ("vi-VN,en", "vi"),
            ("zh-CN,zh", "zh-Hans"),
            ("zh", "zh-Hans"),
            ("zh-TW,en", "zh-Hant"),
            ("zh-HK,zh,en", "zh-Hant"),
            ("fr,it", "en"),
        ] {
            page.set_languages(wanted);
            page.open(&site.page("?engine=cpu"));
            page.wait_for(&format!("document.documentElement.lang === '{spoken}'"));
            assert_eq!(page.evaluate("document.documentElement.dir || 'ltr'"), "ltr", "{wanted}");
            assert_eq!(page.evaluate("document.querySelector('#language').value"), spoken, "{wanted}");
            let title = page.evaluate("document.title");
            assert_eq!(title == "Mien: how old does a face look?", spoken == "en", "{wanted}: {title}");
            // Nothing is kept of what nobody has chosen.
            assert_eq!(page.evaluate("localStorage.length"), 0, "{wanted}");
        }
    });
}

#[test]
fn english_asks_for_no_other_words() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(language(page), "en");
        page.settles();
        let others: Vec<_> = site.requested().into_iter().filter(|url| url.contains("/locales/")).collect();
        assert!(others.is_empty(), "{others:?}");
    });
}

#[test]
fn a_choice_is_kept_for_the_next_visit() {
    visit(Options::default(), |site, page| {
        page.set_languages("de");
        page.open(&site.page("?engine=cpu&lang=ko"));
        page.wait_for("document.documentElement.lang === 'ko'");
        let names = page.evaluate("[...document.querySelector('#language').options].map(({ text }) => text)");
        assert_eq!(
            names,
            json!(["English", "Deutsch", "日本語", "한국어", "Tiếng Việt", "简体中文", "繁體中文"])
        );
        choose(page, "ja");
        // It goes before the browser's languages, and before what the address asked for.
        assert_eq!(page.evaluate("location.search"), "?engine=cpu");
        page.reload();
        page.wait_for("document.documentElement.lang === 'ja'");
        choose(page, "en");
        assert_eq!(page.evaluate("document.title"), "Mien: how old does a face look?");
        page.reload();
        assert_eq!(language(page), "en");
    });
}

/// Where a browser lets the page store nothing, a choice holds for this visit.
#[test]
fn a_choice_that_cannot_be_kept_does_no_harm() {
    visit(Options::default(), |site, page| {
        site.prepend(
            "language.js",
            "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('not here', 'SecurityError'); } });",
        );
        page.open(&site.page("?engine=cpu"));
        choose(page, "de");
        page.wait_for("document.querySelector('#start-camera').innerText === 'Kamera starten'");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

/// A language that cannot be had leaves the one that is spoken.
#[test]
fn a_language_that_does_not_come_leaves_the_present_one() {
    visit(Options::default(), |site, page| {
        site.replace("locales/vi.js", None);
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(() => {
                const menu = document.querySelector('#language');
                menu.value = 'vi';
                menu.dispatchEvent(new Event('change'));
            })()",
        );
        page.wait_for("document.querySelector('#status').innerText.includes('could not be loaded')");
        assert_eq!(page.evaluate("document.querySelector('#language').value"), "en");
        assert_eq!(language(page), "en");
        assert_eq!(page.evaluate("localStorage.length"), 0);
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

/// No result waits for words: what is there in English by then is said again when they have come.
#[test]
fn words_that_come_late_take_the_place_of_english() {
    visit(Options::default(), |site, page| {
        site.prepend("locales/de.js", "await new Promise((go) => (window.letComeWords = go));");
        page.open(&site.page("?engine=cpu&lang=de"));
        page.wait_for("window.letComeWords && document.documentElement.style.visibility === ''");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        assert!(page.words().starts_with("One face."), "{}", page.words());
        let age = text(page, "#age");
        page.evaluate("document.querySelector('#private').scrollIntoView()");
        page.wait_for("document.querySelector('#sealed').textContent.startsWith('It has tried')");
        page.evaluate("letComeWords()");
        page.wait_for("document.documentElement.lang === 'de'");
        page.wait_for("document.querySelector('#range').innerText.startsWith('vermutlich')");
        assert!(page.words().starts_with("Ein Gesicht."), "{}", page.words());
        assert_eq!(text(page, "#age"), age);
        assert!(text(page, "#sealed").contains("in diesem Browser"), "{}", text(page, "#sealed"));
        let label = page.evaluate("document.querySelector('#distribution svg').getAttribute('aria-label')");
        assert!(label.as_str().unwrap().starts_with("Altersverteilung."), "{label}");
    });
}

#[test]
fn a_language_that_was_used_is_there_without_a_network_and_in_the_next_build() {
    let chromium = Chromium::start(Options::default());
    let (mut site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.settles();
    page.wait_for("navigator.serviceWorker.controller && document.querySelector('#offline').textContent");
    choose(&page, "de");
    page.settles();
    site.publish("second", &[]);
    page.evaluate("navigator.serviceWorker.getRegistration().then((it) => it.update())");
    page.wait_for("!document.querySelector('#news').hidden");
    page.changes();
    site.stop();
    page.reload();
    page.wait_for("document.documentElement.lang === 'de'");
    assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    assert!(page.words().starts_with("Ein Gesicht."), "{}", page.words());
    assert_only_from(&site, &chromium);
}

// ---- all words ----

/// Scripts and documents that speak to people, as they are published. (mien.js and lib/ are in start.js, too.)
fn sources() -> Vec<String> {
    let www = repository().join("dist");
    let (mut folders, mut paths) = (vec![www.clone()], Vec::<PathBuf>::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                if !["about", "lib", "locales", "pkg"].iter().any(|name| entry.ends_with(name)) {
                    folders.push(entry);
                }
            } else {
                paths.push(entry.strip_prefix(&www).unwrap().to_owned());
            }
        }
    }
    let names = paths.into_iter().map(|path| path.to_str().unwrap().to_owned());
    let mut names: Vec<String> = names
        .filter(|name| name.ends_with(".js") || name.ends_with(".html"))
        .filter(|name| !["404.html", "mien.js", "sw.js"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

fn complaints(page: &Page) -> Vec<String> {
    // Without the comment before it.
    let function = &COMPLAINTS[COMPLAINTS.find("async (paths)").unwrap()..];
    let found = page.evaluate(&format!("({})({})", function.trim_end(), json!(sources())));
    serde_json::from_value(found).unwrap()
}

#[test]
fn each_language_has_all_words_and_no_others() {
    visit(Options::default(), |site, page| {
        assert!(sources().len() > 35, "{:?}", sources());
        page.open(&site.page("?engine=cpu"));
        let found = complaints(page);
        assert!(found.is_empty(), "{found:#?}");
    });
}

/// The test above finds what it is for.
#[test]
fn what_is_wrong_with_a_language_is_found() {
    visit(Options::default(), |site, page| {
        let words = site.read("locales/de.js");
        let without = |words: &str, key: &str| {
            let lines: Vec<_> = words.lines().filter(|line| !line.contains(key)).collect();
            assert!(lines.len() < words.lines().count(), "{key}");
            lines.join("\n")
        };
        let words = without(&words, "  'Start camera':");
        let words = without(&words, "  'This picture is empty.':");
        let mut words =
            words.replace("export default {", "export default {\n  'Nobody says this': 'Niemand',");
        for (from, to) in [
            ("'{0} Gesichter'", "'Gesichter'"),
            ("'über {0}'", "'über {1}'"),
            ("'4 von 5 Menschen", "'Die meisten Menschen"),
            ("<0>Modellbeschreibung</0>", "Modellbeschreibung"),
            ("{one: '{0} Cookie dieser Website.', other:", "{few: '{0} Cookie dieser Website.', other:"),
        ] {
            assert!(words.contains(from), "{from}");
            words = words.replace(from, to);
        }
        site.replace("locales/de.js", Some(&words));
        page.open(&site.page("?engine=cpu"));
        let found = complaints(page);
        for expected in [
            "de: missing: Start camera",
            "de: missing message: This picture is empty.",
            "de: not said: This picture is empty.",
            "de: superfluous: Nobody says this",
            "de: other values or elements: {0} faces /",
            "de: other values or elements: over {0} /",
            "de: other numbers: 4 of 5 people",
            "de: other values or elements: <0>Model card</0>",
            "de: other plurals: {0} cookies",
        ] {
            assert!(found.iter().any(|it| it.starts_with(expected)), "{expected}: {found:#?}");
        }
        assert!(found.iter().all(|it| it.starts_with("de: ")), "{found:#?}");
    });
}

/// Numbers as the language writes them; no language says more than the English does.
#[test]
fn faces_are_told_as_the_language_has_it() {
    let said = [
        ("en", "Woman, 93%", "probably 27–41", "Girl, over 99%"),
        ("de", "Frau, 93\u{a0}%", "vermutlich 27–41", "Mädchen, über 99\u{a0}%"),
        ("ja", "女性、93%", "おそらく27～41歳", "女の子、99%超"),
        ("ko", "여성, 93%", "아마 27~41세", "여자아이, 99% 초과"),
        ("vi", "Nữ, 93%", "có lẽ 27-41 tuổi", "Bé gái, trên 99%"),
        ("zh-Hans", "女性，93%", "可能在 27-41 岁", "女孩，超过 99%"),
        ("zh-Hant", "女性，93%", "可能在 27-41 歲", "女孩，超過 99%"),
    ];
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        for (tag, woman, range, girl) in said {
            choose(page, tag);
            let told = page.evaluate(
                "Promise.all([import('./views/words.js'), import('./views/readout.js')]).then(([words, { Readout }]) => {
                    const face = (age, ageRange, female) => ({ age, ageRange, gender: { female, male: 1 - female }, ageDistribution: new Float32Array(100).fill(0.01) });
                    new Readout(document.querySelector('#readout')).show(face(34, [27, 41], 0.93));
                    return [words.genderSentence(face(34, [27, 41], 0.93)), document.querySelector('#range').textContent, words.genderSentence(face(6, [4, 8], 0.999))];
                })",
            );
            assert_eq!(told, json!([woman, range, girl]), "{tag}");
        }
    });
}

// ---- none is lost ----

/// What is still in English of what the page shows and tells, and marks that nothing was put in the place of.
fn left_in_english(page: &Page, tag: &str) -> Vec<String> {
    let found = page.evaluate(&format!(
        "import(new URL('locales/{tag}.js', document.querySelector('link[rel=icon]').href)).then(({{ default: words, messages }}) => {{
            const other = (text) => Object.hasOwn(words, text) ? words[text] : Object.hasOwn(messages, text) ? messages[text] : text;
            const texts = [];
            const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
            for (let node; (node = walker.nextNode());) if (!node.parentElement.closest('script, noscript, style, option')) texts.push(node.data);
            for (const name of ['aria-label', 'title']) for (const it of document.querySelectorAll(`[${{name}}]`)) texts.push(it.getAttribute(name));
            return texts.map((text) => text.trim().replace(/\\s+/g, ' ')).filter((text) => other(text) !== text || /\\{{\\d\\}}|<\\/?\\d/.test(text));
        }})"
    ));
    serde_json::from_value(found).unwrap()
}

/// Has the page's Mien answer with the present result, at once and each time with another age: the map asks 81 times.
const ANSWER_AT_ONCE: &str = "(() => {
    const { mien, lastResult } = mienApp;
    window.askMien ??= mien.estimate;
    let asked = 0;
    mien.estimate = async () => ({ ...lastResult, faces: lastResult.faces.map((face) => ({ ...face, age: face.age - 3 + (asked++ % 7) })) });
})()";

/// Every view in every language, on the narrowest screen, a phone and a desktop: no word cut off, beside the page or
/// on another, and none left in English.
#[test]
fn no_word_is_lost_in_any_language() {
    let folder = tempfile::tempdir().unwrap();
    let heic = folder.path().join("IMG_0001.HEIC");
    std::fs::write(&heic, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    let sample = repository().join("www/sample.jpg");
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        let mut losses = Vec::new();
        for (width, height) in [(320, 568), (390, 844), (1280, 800)] {
            page.resize(width, height, width < 600);
            page.open(&site.page("?engine=cpu"));
            let mut look = |tag: &str, view: &str| {
                page.screenshot(); // once all has come to rest
                for loss in page.evaluate(LOST).as_array().unwrap() {
                    losses.push(format!("{tag}, {width} wide, {view}: {}", loss.as_str().unwrap()));
                }
                for text in left_in_english(page, tag) {
                    losses.push(format!("{tag}, {width} wide, {view}, as it was: {text}"));
                }
            };
            for tag in LANGUAGES {
                choose(page, tag);
                look(tag, "empty");
            }
            page.estimate_after(|page| page.click("#use-sample"));
            page.evaluate("document.querySelector('#about').scrollIntoView()");
            page.wait_for("document.querySelector('#measured table')");
            page.evaluate("document.querySelector('#watch').open = true");
            page.wait_for("document.querySelector('#watch [data-stored] li')");
            page.evaluate("scrollTo(0, 0)");
            page.evaluate(ANSWER_AT_ONCE);
            for tag in LANGUAGES {
                choose(page, tag);
                // Once they have been said anew in their own words.
                page.evaluate("document.querySelector('#watch button').click()");
                page.evaluate("new Promise((done) => setTimeout(done, 300))");
                look(tag, "a photo, and below");
                see_in_full(page, width == 320);
                look(tag, "what the network sees");
                page.evaluate("document.querySelector('dialog[open]').close()");
                page.click("#take");
                page.wait_for("document.querySelector('dialog[open] canvas')");
                look(tag, "the card");
                page.evaluate("document.querySelector('dialog input[value=blurred]').click()");
                look(tag, "the card, blurred");
                page.evaluate("document.querySelector('dialog[open]').close()");
            }
            page.evaluate("mienApp.mien.estimate = askMien");
            page.choose_files(&[&sample, &sample, Path::new("/dev/null")]);
            page.wait_for("document.querySelectorAll('.strip [role=option]').length === 3 && document.documentElement.dataset.state === 'ready'");
            for tag in LANGUAGES {
                choose(page, tag);
                look(tag, "photos");
            }
            page.choose_file(&heic);
            page.wait_for("mienApp.lastError");
            for tag in LANGUAGES {
                choose(page, tag);
                look(tag, "trouble");
            }
            page.estimate_after(|page| page.click("#start-camera"));
            for tag in LANGUAGES {
                choose(page, tag);
                page.evaluate("new Promise((done) => setTimeout(done, 1500))"); // what has come to rest is told
                look(tag, "a camera");
            }
            page.click("#stop-camera");
        }
        assert!(losses.is_empty(), "{losses:#?}");
    });
}

/// All that the view has, unfolded.
fn see_in_full(page: &Page, with_networks: bool) {
    page.click("#see");
    page.wait_for("document.querySelector('dialog.see[open]')?.dataset.ready === ''");
    page.click("[data-change=grey]");
    page.wait_for("document.querySelector('[data-after] canvas')");
    page.click("[data-map]");
    page.wait_for(
        "!document.querySelector('.map').hidden && document.querySelector('dialog progress').hidden",
    );
    if with_networks {
        page.evaluate("document.querySelector('[data-networks]').open = true");
        page.wait_for("document.querySelector('.networks .note')?.textContent");
    }
}

#[test]
fn axe_finds_nothing_in_other_languages() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        for tag in LANGUAGES {
            choose(page, tag);
            let found = axe_finds(page);
            assert_eq!(found, json!([]), "{tag}: {found:#}");
        }
    });
}

/// The notice for those before the screen above all; and what it says when something is wrong.
#[test]
fn the_entrance_screen_speaks_other_languages() {
    stand_at(Options { camera: true, ..Options::default() }, |site, page| {
        for tag in LANGUAGES {
            page.resize(1280, 800, false);
            let address = site.page(&format!("kiosk.html?engine=cpu&lang={tag}"));
            page.go(&address, "window.kiosk?.lastResult");
            page.wait_for(&format!("document.documentElement.lang === '{tag}'"));
            let words = page.evaluate(&format!("import('./locales/{tag}.js').then((it) => it.default)"));
            let notice =
                words.as_object().unwrap().iter().find(|(key, _)| key.starts_with("A camera estimates"));
            assert_eq!(text(page, "#notice"), notice.unwrap().1.as_str().unwrap());
            let left = left_in_english(page, tag);
            assert!(left.is_empty(), "{tag}: {left:#?}");
            for (width, height) in [(320, 568), (1080, 1920), (1280, 800)] {
                page.resize(width, height, false);
                let lost = page.evaluate(
                    "(() => {
                        const { scrollWidth, clientWidth } = document.documentElement;
                        const notice = document.querySelector('#notice').getBoundingClientRect();
                        return [scrollWidth - clientWidth, notice.left >= 0 && notice.right <= clientWidth && notice.bottom <= innerHeight + 1];
                    })()",
                );
                assert_eq!(lost, json!([0, true]), "{tag}, {width} wide");
            }
            page.evaluate(
                "document.querySelector('#video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))",
            );
            page.wait_for("document.documentElement.dataset.state === 'trouble'");
            assert_eq!(
                text(page, "#status"),
                words["The camera has gone. The screen goes on by itself when it is back."].as_str().unwrap()
            );
        }
    });
}

/// Like `LOST`, for a page that has neither stage nor plot.
fn words_lost() -> String {
    let (words, _) = LOST.split_once("    const stage =").expect("LOST looks at words first");
    format!("{words}    return [...new Set(lost)];\n}})()")
}

/// The editor of the screen's rules: all that it shows and says, and that another language takes nothing away of
/// what somebody wrote.
#[test]
fn the_editor_of_rules_speaks_other_languages() {
    visit(Options::default(), |site, page| {
        let value = |selector: &str| page.evaluate(&format!("document.querySelector('{selector}').value"));
        let type_in = |selector: &str, value: &str| page.type_in(selector, value);
        let mut losses = Vec::new();
        for tag in LANGUAGES {
            page.resize(1280, 800, false);
            page.go(
                &site.page(&format!("kiosk/editor.html?lang={tag}")),
                &format!(
                    "document.documentElement.dataset.state === 'ready' && document.documentElement.lang === '{tag}'"
                ),
            );
            let words = page.evaluate(&format!("import('../locales/{tag}.js').then((it) => it.default)"));
            let said = |key: &str| words[key].as_str().unwrap_or_else(|| panic!("{tag}: {key}")).to_owned();
            let file = said("The site’s own file");
            assert_eq!(page.evaluate("document.title"), said("Mien: rules of the entrance screen"));
            assert_eq!(value("#language"), tag);
            assert_eq!(text(page, "#said"), said("{0} is open.").replace("{0}", &file));
            assert_eq!(text(page, "[data-move=up]"), said("Up"));
            // Menus are not among what is looked at below.
            let menu = page
                .evaluate("document.querySelector('[data-path=\"rules/1/who\"]').selectedOptions[0].text");
            assert_eq!(menu, said("anyone"), "{tag}");

            let mut look = |view: &str| {
                page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
                for (width, height) in [(320, 568), (390, 844), (1280, 800)] {
                    page.resize(width, height, width < 600);
                    page.screenshot(); // once all has come to rest
                    for loss in page.evaluate(&words_lost()).as_array().unwrap() {
                        losses.push(format!("{tag}, {width} wide, {view}: {}", loss.as_str().unwrap()));
                    }
                }
                for text in left_in_english(page, tag) {
                    losses.push(format!("{tag}, {view}, as it was: {text}"));
                }
            };
            page.click("#add-person");
            look("rules");
            // Something wrong with the file, a rule, a content and a shape, and something unknown.
            let folder = tempfile::tempdir().unwrap();
            let odd = folder.path().join("odd.json");
            let rules = json!({
                "idle": [], "minimumSeconds": 0, "otherwise": "none", "colour": 1,
                "rules": [7, { "show": "a", "age": [9, 1], "people": [0, 99], "time": [], "gender": "x", "certainty": "x", "name": "" }],
                "contents": { "a": { "title": 1, "ink": "blue", "shapes": [1, { "kind": "circle" }] }, "b": 2, "c": { "title": "C", "shapes": 3 } },
            });
            std::fs::write(&odd, rules.to_string()).unwrap();
            page.fill_in("#open", &[&odd]);
            page.wait_for("!document.querySelector('#wrong').hidden");
            look("what is wrong");
            std::fs::write(&odd, "{ rules: [] }").unwrap();
            page.fill_in("#open", &[&odd]);
            page.wait_for("document.querySelectorAll('#problems li').length === 1");
            look("no JSON");
            let broken = said("{0} was not opened, and the form has what it had.");
            assert_eq!(text(page, "#said"), broken.replace("{0}", "odd.json"));

            // Names are the writer's, also those that are words of the page's.
            page.click("#fresh");
            page.wait_for("document.querySelector('#wrong').hidden");
            type_in("#content-name", "child");
            page.click("#add-content button");
            type_in("[data-path=\"rules/0/name\"]", "Rules");
            type_in("[data-path=\"contents/child/title\"]", "Gender");
            type_in("[data-path=\"contents/welcome/text\"]", "Come in");
            type_in("[data-path=\"minimumSeconds\"]", "6.5");
            type_in("#people input", "7");
            type_in("#time", "17:45");
            type_in("#content-name", "half a na");
            page.click("[data-add-to=child]");
            for other in ["en", tag] {
                choose(page, other);
                assert_eq!(value("[data-path=\"rules/0/name\"]"), "Rules", "{other}");
                assert_eq!(value("[data-path=\"contents/child/title\"]"), "Gender", "{other}");
                assert_eq!(value("[data-path=\"contents/child/shapes/0/size\"]"), "30", "{other}");
                assert_eq!(value("[data-path=\"contents/welcome/text\"]"), "Come in", "{other}");
                assert_eq!(value("[data-path=\"minimumSeconds\"]"), "6.5", "{other}");
                assert_eq!(value("#people input"), "7", "{other}");
                assert_eq!(value("#time"), "17:45", "{other}");
                assert_eq!(value("#content-name"), "half a na", "{other}");
                let names = page.evaluate("[...document.querySelectorAll('#contents > fieldset > legend')].map((it) => it.textContent)");
                assert_eq!(names.as_array().unwrap().last().unwrap(), "child", "{other}");
                let outcome = if other == "en" {
                    "{0} holds and shows “{1}”.".to_owned()
                } else {
                    said("{0} holds and shows “{1}”.")
                };
                let rule = if other == "en" {
                    "Rule {0} (“{1}”)".to_owned()
                } else {
                    said("Rule {0} (“{1}”)")
                };
                let rule = rule.replace("{0}", "1").replace("{1}", "Rules");
                let outcome = outcome.replace("{0}", &rule).replace("{1}", "closing");
                assert_eq!(text(page, "#outcome"), outcome, "{other}");
            }
            // To be left without the browser's question.
            page.click("#fresh");
            page.wait_for(
                "document.querySelector('[data-path=\"rules/0/name\"]').value === 'Before we close'",
            );
        }
        assert!(losses.is_empty(), "{losses:#?}");
    });
}
