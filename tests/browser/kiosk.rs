//! The entrance screen: its rules on made-up people, its contents before a camera, and how it gets up again.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::looks::{axe_finds, screenshots};
use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::site::Site;
use crate::support::{film, grey, heads};
use crate::{assert_only_from, stays_inside, visit, without_query};

/// A visit with the camera allowed for the site, as on a device that stands at an entrance.
pub fn stand_at(options: Options, test: impl FnOnce(&Site, &Page)) {
    stand_where("granted", options, |_, site, page| test(site, page));
}

/// With the camera `granted`, `denied`, or to be asked for (`prompt`).
fn stand_where(camera: &str, options: Options, test: impl FnOnce(&Chromium, &mut Site, &Page)) {
    let chromium = Chromium::start(options);
    let mut site = Site::start();
    permit(&chromium, &site, camera);
    test(&chromium, &mut site, &chromium.page());
    assert_only_from(&site, &chromium);
}

fn permit(chromium: &Chromium, site: &Site, camera: &str) {
    let permission =
        json!({ "origin": site.origin(), "permission": { "name": "camera" }, "setting": camera });
    chromium.connection().call("", "Browser.setPermission", permission);
}

const WAITING: &str = "document.documentElement.dataset.state === 'waiting'";

fn camera() -> Options {
    Options { camera: true, ..Options::default() }
}

/// Rules that change within a second, to be waited for.
fn quick_rules() -> Value {
    json!({
        "idle": ["nobody", "still-nobody"],
        "steadySeconds": 0.3, "minimumSeconds": 1, "absentSeconds": 0.5, "idleSeconds": 2,
        "rules": [
            { "name": "Two or more", "people": [2, 50], "show": "many" },
            { "name": "A child", "age": [0, 11], "show": "child" },
            { "name": "A grown-up", "age": [15, 75], "show": "grown-up" },
        ],
        "contents": {
            "nobody": { "title": "Nobody is here" },
            "still-nobody": { "title": "Still nobody" },
            "many": { "title": "Many are here", "shapes": [{ "kind": "star", "x": 80, "y": 30, "size": 20, "colour": "#e0b04c" }] },
            "child": { "title": "A child is here" },
            "grown-up": { "title": "A grown-up is here", "background": "#1d3557", "ink": "#fdf6e3" },
        },
    })
}

/// Opens the screen and waits until the camera is seen.
fn open(site: &Site, page: &Page, query: &str) {
    page.go(&site.page(&format!("kiosk.html{query}")), "window.kiosk?.lastResult");
}

/// By the sample's rules: whichever of them holds, it is nothing that is shown to nobody.
const SOMEBODY: &str = "kiosk.shown && !['welcome', 'desk'].includes(kiosk.shown)";

fn shows(title: &str) -> String {
    format!("document.querySelector('#scenes .scene:last-child h1')?.textContent === '{title}'")
}

fn text(page: &Page, selector: &str) -> String {
    let text = page.evaluate(&format!("document.querySelector('{selector}').textContent"));
    text.as_str().unwrap().to_owned()
}

// ---- rules ----

/// The module by itself, in the page of the editor, which has no camera.
fn with_rules(script: &str) -> Value {
    let mut value = Value::Null;
    visit(Options::default(), |site, page| {
        page.go(
            &site.page("kiosk/editor.html"),
            "document.documentElement.dataset.state === 'ready' && !document.querySelector('#outcome').textContent.includes('wrong')",
        );
        value = page.evaluate(&format!(
            "import('./rules.js').then(async (rules) => {{ const sample = await (await fetch('rules.json')).json(); {script} }})"
        ));
    });
    value
}

#[test]
fn rules_hold_for_those_who_fit() {
    let chosen = with_rules(
        "const { decide, madeUp, check } = rules;
        const person = (age, female = 0.5, width = 0.2, years = 4) => madeUp({ age, years, female, width });
        const noon = 12 * 60;
        const by = (rule, people, minute = noon) => decide({ rules: [{ name: 'one', show: 'yes', ...rule }], otherwise: 'no' }, people, minute).content ?? null;
        return {
            sample: check(sample),
            ages: [3, 18, 40, 70].map((age) => decide(sample, [person(age)], noon).content),
            family: decide(sample, [person(40), person(6, 0.5, 0.1)], noon).content,
            group: decide(sample, [40, 41, 42, 43].map((age) => person(age)), noon).content,
            closing: [17 * 60 + 29, 17 * 60 + 30, 17 * 60 + 59, 18 * 60].map((minute) => decide(sample, [person(40)], minute).content),
            nobody: by({}, []),
            anyone: by({}, [person(40)]),
            gender: ['any', 'female', 'male'].map((gender) => by({ gender, certainty: 0.8 }, [person(40, 0.9)])),
            unsure: ['female', 'male'].map((gender) => by({ gender, certainty: 0.8 }, [person(40, 0.6)])),
            certainty: [0.5, 0.7, 0.9].map((certainty) => by({ age: [36, 44], certainty }, [person(40)])),
            wide: by({ age: [36, 44] }, [person(40, 0.5, 0.2, 15)]),
            whoever: ['nearest', 'anyone', 'everyone'].map((who) => by({ who, age: [0, 11] }, [person(6, 0.5, 0.1), person(40, 0.5, 0.3)])),
            size: [1, 2, 3].map((count) => by({ people: [2, 2] }, Array(count).fill(person(40)))),
            night: [21, 22, 3, 6, 12].map((hour) => by({ time: ['22:00', '06:00'] }, [person(40)], 60 * hour)),
            first: decide({ rules: [{ name: 'a', show: 'a' }, { name: 'b', show: 'b' }] }, [person(40)], noon),
            halves: Math.round(1000 * rules.chance({ age: [36, 44] }, person(40))),
        };",
    );
    assert_eq!(
        chosen,
        json!({
            "sample": [],
            "ages": ["owls", "workshop", "shelves", "concert"],
            "family": "family",
            "group": "group",
            "closing": ["shelves", "closing", "closing", "shelves"],
            "nobody": null,
            "anyone": "yes",
            "gender": ["yes", "yes", "no"],
            "unsure": ["no", "no"],
            "certainty": ["yes", "yes", "no"],
            "wide": "no",
            "whoever": ["no", "yes", "no"],
            "size": ["no", "yes", "no"],
            "night": ["no", "yes", "yes", "no", "no"],
            "first": { "content": "a", "rule": 0 },
            "halves": chosen["halves"],
        })
    );
    // Four people in five lie within four years, and the years at the ends count in full.
    let within = chosen["halves"].as_f64().unwrap();
    assert!((800.0..880.0).contains(&within), "{within}");
}

/// By a clock of the test's own: what is shown from moment to moment.
#[test]
fn contents_change_when_a_rule_has_held_for_a_while() {
    let shown = with_rules(
        "const { Director, madeUp } = rules;
        const [child, adult] = [6, 40].map((age) => madeUp({ age, years: 3, female: 0.5 }));
        const file = {
            idle: ['one', 'two'], otherwise: 'other', steadySeconds: 1, minimumSeconds: 5, absentSeconds: 2, idleSeconds: 10,
            rules: [{ name: 'c', age: [0, 11], show: 'child' }, { name: 'a', age: [20, 99], show: 'adult' }, { name: 'n', time: ['20:00', '21:00'], show: 'night' }],
        };
        // Steps: who, for how many seconds; ten frames a second.
        const play = (steps, every = 100, minute = 720) => {
            const director = new Director(file, 0);
            const changes = [];
            let now = 0;
            for (const [people, seconds] of steps) {
                for (const end = now + 1000 * seconds; now < end; now += every) {
                    const { content } = director.see(typeof people === 'function' ? people(now) : people, now, minute);
                    if (content !== changes.at(-1)?.[0]) changes.push([content, now / 1000]);
                }
            }
            return changes;
        };
        const teen = madeUp({ age: 15, years: 1, female: 0.5 });
        return {
            idle: play([[[], 25]]),
            waits: play([[[], 9.5], [[child], 5]]),
            comes: play([[[], 3], [[child], 10]]),
            passes: play([[[], 3], [[child], 0.8], [[], 5]]),
            goes: play([[[child], 10], [[], 5]]),
            stays: play([[[child], 2], [[adult], 10]]),
            blinks: play([[[child], 4], [[], 0.2], [[child], 4], [[adult], 0.2], [[child], 4]]),
            wavers: play([[[adult], 10], [(now) => (now / 100) % 2 ? [child] : [adult], 20]]),
            slow: play([[[], 2], [[child], 8], [[adult], 10]], 700),
            otherwise: play([[[teen], 4]]),
            night: play([[[teen], 4]], 100, 20 * 60),
        };",
    );
    assert_eq!(shown["idle"], json!([["one", 0], ["two", 10], ["one", 20]]));
    // Nobody's turn ends while somebody's content is about to come.
    assert_eq!(shown["waits"], json!([["one", 0], ["child", 10.5]]));
    assert_eq!(shown["comes"], json!([["one", 0], ["child", 4]]));
    assert_eq!(shown["passes"], json!([["one", 0]]));
    assert_eq!(shown["goes"], json!([["one", 0], ["child", 1], ["one", 12]]));
    // Five seconds of the child's content, though the adult has been there for longer than one.
    assert_eq!(shown["stays"], json!([["one", 0], ["child", 1], ["adult", 6]]));
    assert_eq!(shown["blinks"], json!([["one", 0], ["child", 1]]));
    assert_eq!(shown["wavers"], json!([["one", 0], ["adult", 1]]));
    let names: Vec<&str> =
        shown["slow"].as_array().unwrap().iter().map(|it| it[0].as_str().unwrap()).collect();
    assert_eq!(names, ["one", "child", "adult"], "{}", shown["slow"]);
    assert_eq!(shown["otherwise"], json!([["one", 0], ["other", 1]]));
    assert_eq!(shown["night"], json!([["one", 0], ["night", 1]]));
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_rule_and_field() {
    let told = with_rules(
        "const wrong = (change) => {
            const file = structuredClone(sample);
            change(file);
            return rules.check(file).map(({ text }) => text);
        };
        return [
            rules.parse('{ \"idle\": ').problems.map(({ text }) => text.slice(0, 22)),
            rules.parse('[1]').problems.map(({ text }) => text),
            wrong((file) => { file.rules[1].age = [11, 0]; }),
            wrong((file) => { file.rules[1].age = [0, 120]; }),
            wrong((file) => { file.rules[0].time = ['25:00', '18:00']; }),
            wrong((file) => { file.rules[3].show = 'owl'; }),
            wrong((file) => { file.rules[3].certanty = 0.6; }),
            wrong((file) => { file.rules[3].certainty = 60; }),
            wrong((file) => { file.rules[3].gender = 'woman'; }),
            wrong((file) => { file.rules[3].constructor = 1; delete file.rules[3].name; }),
            wrong((file) => { file.rules[4] = 7; }),
            wrong((file) => { file.rules = {}; }),
            wrong((file) => { file.idle = ['toString']; }),
            wrong((file) => { file.minimumSeconds = 0; }),
            wrong((file) => { file.contents.owls.background = 'blue'; }),
            wrong((file) => { file.contents.owls.shapes[1].kind = 'owl'; }),
            wrong((file) => { delete file.contents.welcome.title; }),
            wrong((file) => { file.notice = ''; }),
        ].flat();",
    );
    let told: Vec<&str> = told.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    let expected = [
        "The file is not JSON: ",
        "The file is [1] and has to be an object in braces.",
        "Rule 2 (“A family”), field “age”: begins at 11, which is after its end, 0.",
        "Rule 2 (“A family”), field “age”: is from 0 to 120 and has to lie within 0 to 99.",
        "Rule 1 (“Before we close”), field “time”: is [\"25:00\",\"18:00\"] and has to be two times in brackets, such as [\"08:00\", \"17:30\"].",
        "Rule 4 (“A child”), field “show”: names \"owl\", which is not among the contents",
        "Rule 4 (“A child”), field “certanty”: is unknown; there are name, show, who, age, gender, certainty, people, time.",
        "Rule 4 (“A child”), field “certainty”: is 60 and has to be from 0 to 1.",
        "Rule 4 (“A child”), field “gender”: is \"woman\" and has to be one of \"any\", \"female\", \"male\".",
        "Rule 4, field “constructor”: is unknown",
        "Rule 4, field “name”: is missing.",
        "Rule 5 is 7 and has to be an object in braces.",
        "The file, field “rules”: is {} and has to be a list in brackets.",
        "The file, field “idle”: names \"toString\", which is not among the contents",
        "The file, field “minimumSeconds”: is 0 and has to be from 1 to 600.",
        "Content “owls”, field “background”: is \"blue\" and has to be a colour such as \"#17604d\".",
        "Content “owls”, shape 2, field “kind”: is \"owl\" and has to be one of",
        "Content “welcome”, field “title”: is missing.",
        "The file, field “notice”: has 0 characters and has to have 20 to 500.",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}

// ---- before a camera ----

/// Nobody for four seconds, then one person, then three, at 30 frames a second.
fn come_and_go() -> Vec<u8> {
    let for_seconds =
        |seconds: usize, middles: &[[i64; 2]]| film(&[heads([640, 480], 150, middles)]).repeat(30 * seconds);
    [
        film(&[grey(640, 480)]).repeat(30 * 4),
        for_seconds(5, &[[320, 220]]),
        for_seconds(5, &[[120, 220], [320, 240], [520, 220]]),
    ]
    .concat()
}

#[test]
fn contents_follow_who_is_there() {
    stand_at(Options { film: Some(come_and_go()), ..Options::default() }, |site, page| {
        site.replace("kiosk/mine.json", Some(&quick_rules().to_string()));
        open(site, page, "?engine=cpu&rules=kiosk/mine.json");
        page.evaluate(
            "void (window.seen = [], new MutationObserver(() => {
                const [title, count] = [document.querySelector('#scenes .scene:last-child h1').textContent, kiosk.lastResult.faces.length];
                if (title !== seen.at(-1)?.[0]) seen.push([title, count, performance.now()]);
            }).observe(document.querySelector('#scenes'), { childList: true }))",
        );
        page.wait_for("seen.filter(([title]) => title === 'Many are here').length === 2");
        let seen: Vec<(String, u32, f64)> = serde_json::from_value(page.evaluate("seen")).unwrap();
        println!("{seen:?}");
        let end = seen.iter().rposition(|it| it.0 == "Many are here").unwrap();
        let start = seen.iter().position(|it| it.0 == "Many are here").unwrap();
        let between: Vec<_> = seen[start..=end].iter().map(|it| it.0.as_str()).collect();
        let mut without = between;
        without.retain(|title| *title != "Still nobody");
        without.dedup();
        assert_eq!(without, ["Many are here", "Nobody is here", "A grown-up is here", "Many are here"]);
        // Those who are there are those of whom it speaks.
        let count = |title: &str| seen.iter().find(|it| it.0 == title).unwrap().1;
        assert_eq!([count("A grown-up is here"), count("Many are here"), count("Nobody is here")], [1, 3, 0]);
        // What is shown to somebody stays for a second.
        for pair in seen.windows(2).filter(|pair| !pair[0].0.contains("obody")) {
            assert!(pair[1].2 - pair[0].2 > 950.0, "{seen:?}");
        }
    });
}

/// Where the camera is allowed nobody touches anything; elsewhere there is one large button.
#[test]
fn it_starts_by_itself_or_on_one_tap() {
    stand_at(camera(), |site, page| {
        open(site, page, "?engine=cpu");
        page.wait_for(SOMEBODY);
        assert_eq!(page.evaluate("document.documentElement.dataset.state"), "running");
        assert_eq!(text(page, "#status"), "");
        let notice = text(page, "#notice");
        for word in ["camera", "age and gender", "on this device", "nothing is stored"] {
            assert!(notice.contains(word), "{notice}");
        }
    });
    stand_where("prompt", camera(), |_, site, page| {
        page.go(&site.page("kiosk.html?engine=cpu"), WAITING);
        assert_eq!(page.evaluate("document.querySelector('#video').srcObject"), Value::Null);
        let [x, y] = middle_of(page, "#start-screen");
        page.tap([x, y]);
        page.wait_for("kiosk.lastResult");
        page.wait_for("document.fullscreenElement === document.documentElement");
        page.wait_for(SOMEBODY);
    });
}

fn middle_of(page: &Page, selector: &str) -> [f64; 2] {
    let middle = page.evaluate(&format!(
        "(({{ left, top, width, height }}) => [left + width / 2, top + height / 2])(document.querySelector('{selector}').getBoundingClientRect())"
    ));
    serde_json::from_value(middle).unwrap()
}

#[test]
fn the_first_tap_fills_the_screen_and_the_button_does_again() {
    stand_at(camera(), |site, page| {
        open(site, page, "?engine=cpu");
        let full = "document.fullscreenElement === document.documentElement";
        assert_eq!(page.evaluate(full), false);
        page.press("Tab"); // a step within the page
        assert_eq!(page.evaluate(full), false);
        page.tap([200.0, 100.0]);
        page.wait_for(full);
        page.wait_for("document.querySelector('#full-screen').offsetParent === null");
        page.evaluate("document.exitFullscreen()");
        page.wait_for(
            "!document.fullscreenElement && document.querySelector('#full-screen').offsetParent !== null",
        );
        // Who has left it is not brought back by the next tap.
        page.tap([200.0, 100.0]);
        page.evaluate("new Promise((resume) => setTimeout(resume, 300))");
        assert_eq!(page.evaluate(full), false);
        page.tap(middle_of(page, "#full-screen"));
        page.wait_for(full);
    });
}

#[test]
fn the_screen_is_kept_awake() {
    stand_at(camera(), |site, page| {
        site.prepend(
            "start.js",
            "window.locks = [];
            Object.defineProperty(navigator, 'wakeLock', { value: { async request(type) {
                const lock = { type, held: true, async release() { lock.held = false; } };
                locks.push(lock);
                return lock;
            } } });",
        );
        open(site, page, "?engine=cpu");
        page.wait_for("locks.some(({ held }) => held)");
        // Also while the camera is away, and again after a browser has taken it back.
        page.evaluate(
            "document.querySelector('#video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))",
        );
        page.wait_for("document.documentElement.dataset.state === 'trouble'");
        assert_eq!(page.evaluate("locks.some(({ held }) => held)"), true);
        page.evaluate(
            "void (window.before = locks.length, document.dispatchEvent(new Event('visibilitychange')))",
        );
        page.wait_for("locks.length > before && locks.some(({ held }) => held)");
    });
}

/// One over the other where things may move, and at once where they may not.
#[test]
fn contents_fade_where_things_may_move() {
    for (motion, fades) in [("no-preference", true), ("reduce", false)] {
        stand_at(camera(), |site, page| {
            page.emulate(&[("prefers-reduced-motion", motion)]);
            site.replace("kiosk/mine.json", Some(&quick_rules().to_string()));
            site.prepend(
                "start.js",
                "window.most = 0;
                window.fades = 0;
                const { animate } = Element.prototype;
                Element.prototype.animate = function (...args) { fades += 1; return animate.apply(this, args); };
                new MutationObserver(() => (most = Math.max(most, document.querySelectorAll('.scene').length)))
                    .observe(document, { subtree: true, childList: true });",
            );
            open(site, page, "?engine=cpu&rules=kiosk/mine.json");
            page.wait_for(&shows("A grown-up is here"));
            page.wait_for("document.querySelectorAll('.scene').length === 1");
            // A third one only where a busy machine is late with taking the first away.
            let seen = page.evaluate("[most > 1, fades > 0]");
            assert_eq!(seen, json!([fades, fades]), "{motion}");
        });
    }
}

// ---- trouble ----

#[test]
fn missing_and_broken_rules_are_told_and_mended_ones_taken() {
    stand_at(camera(), |site, page| {
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 5000 ? 300 : ms, ...rest);",
        );
        site.replace("kiosk/rules.json", None);
        let in_trouble = "document.documentElement.dataset.state === 'trouble' && document.querySelector('#trouble').checkVisibility()";
        page.go(&site.page("kiosk.html?engine=cpu"), in_trouble);
        let told = text(page, "#problems");
        assert!(told.contains("kiosk/rules.json") && told.contains("404"), "{told}");

        site.replace("kiosk/rules.json", Some("{ \"idle\": [,] }"));
        page.wait_for("document.querySelector('#problems').textContent.includes('not JSON')");

        let mut rules = quick_rules();
        rules["rules"][1]["age"] = json!([11]);
        rules["rules"][2]["show"] = json!("man");
        site.replace("kiosk/rules.json", Some(&rules.to_string()));
        page.wait_for("document.querySelectorAll('#problems li').length === 2");
        let told = text(page, "#problems");
        assert!(told.contains("Rule 2 (“A child”), field “age”"), "{told}");
        assert!(told.contains("Rule 3 (“A grown-up”), field “show”"), "{told}");
        assert_eq!(page.evaluate("document.querySelector('#video').srcObject"), Value::Null);

        site.replace("kiosk/rules.json", Some(&quick_rules().to_string()));
        page.wait_for(&shows("A grown-up is here"));
        assert_eq!(page.evaluate("document.querySelector('#trouble').checkVisibility()"), false);
    });
}

#[test]
fn it_gets_up_again_by_itself() {
    stand_at(camera(), |site, page| {
        // No camera at first, then one that another program holds, then a camera.
        site.prepend(
            "start.js",
            "window.said = [];
            window.refusals = ['NotFoundError', 'NotReadableError'];
            const { mediaDevices } = navigator;
            const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
            mediaDevices.getUserMedia = async (wishes) => {
                const name = refusals.shift();
                if (name) throw new DOMException('refused', name);
                return getUserMedia(wishes);
            };
            const status = document.querySelector('#status');
            new MutationObserver(() => said.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });",
        );
        site.replace("kiosk/mine.json", Some(&quick_rules().to_string()));
        open(site, page, "?engine=cpu&rules=kiosk/mine.json");
        let runs_after = |sentence: &str| {
            page.wait_for(&format!("said.some((text) => text.includes('{sentence}')) && document.documentElement.dataset.state === 'running'"));
            page.wait_for(&shows("A grown-up is here"));
            assert_eq!(text(page, "#status"), "");
            page.evaluate("void (window.said = [])");
        };
        page.wait_for("said.some((text) => text.includes('Another program'))");
        runs_after("No camera is connected");

        // Taken away. Nobody is there then, as far as the screen knows.
        page.evaluate(
            "document.querySelector('#video').srcObject.getTracks()[0].dispatchEvent(new Event('ended'))",
        );
        page.wait_for("kiosk.shown === 'nobody'");
        runs_after("The camera has gone");

        // A worker that ends without a word.
        page.worker("mien-cpu").evaluate("self.close()");
        runs_after("The estimates have stopped");

        // A camera that says nothing more.
        page.evaluate("document.querySelector('#video').pause()");
        runs_after("sends no pictures");
        assert_eq!(page.evaluate("kiosk.starts"), 4);
    });
}

/// The engine starts anew by itself; the screen goes on.
#[test]
fn an_engine_that_traps_does_not_stop_the_screen() {
    stand_at(camera(), |site, page| {
        site.before_workers(
            "self.setTimeout = () => {};
            const now = performance.now.bind(performance);
            let asked = -Infinity;
            performance.now = () => {
                if (++asked > 1) throw new WebAssembly.RuntimeError('unreachable');
                return now();
            };
            self.trap = () => asked = 0;",
        );
        open(site, page, "?engine=cpu");
        page.worker("mien-cpu").evaluate("self.trap()");
        page.wait_for("kiosk.lastError?.code === 'estimate'");
        assert!(text(page, "#status").contains("The estimates have stopped"), "{}", text(page, "#status"));
        page.evaluate("void (window.before = kiosk.results)");
        page.wait_for("kiosk.results > before + 3 && document.documentElement.dataset.state === 'running'");
    });
}

#[test]
fn a_camera_that_is_not_allowed_is_asked_for_and_taken_once_it_is() {
    // There is none in this browser, which is found out once it is allowed.
    stand_where("denied", Options::default(), |chromium, site, page| {
        site.prepend(
            "start.js",
            "const { mediaDevices, permissions } = navigator;
            const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
            mediaDevices.getUserMedia = async (wishes) => {
                // As browsers do that have a camera to refuse.
                if ((await permissions.query({ name: 'camera' })).state === 'denied') throw new DOMException('denied', 'NotAllowedError');
                return getUserMedia(wishes);
            };",
        );
        page.go(&site.page("kiosk.html?engine=cpu"), WAITING);
        page.click("#start-screen");
        page.wait_for("document.querySelector('#status').textContent.includes('not allowed')");
        assert_eq!(page.evaluate("document.querySelector('#start-screen').checkVisibility()"), true);
        permit(chromium, site, "granted");
        page.wait_for("document.querySelector('#status').textContent.includes('No camera is connected')");
        page.wait_for(&shows("Welcome to the library"));
    });
}

// ---- nothing stored, nothing sent ----

#[test]
fn nothing_is_stored_or_sent_and_it_opens_without_a_network() {
    let chromium = Chromium::start(camera());
    let (mut site, page) = (Site::start(), chromium.page());
    permit(&chromium, &site, "granted");
    site.replace("kiosk/mine.json", Some(&quick_rules().to_string()));
    let address = site.page("kiosk.html?engine=cpu&rules=kiosk/mine.json");
    page.go(&address, "window.kiosk?.lastResult");
    page.settles();
    page.wait_for("caches.match(new URL('kiosk/screen.js', location)).then(Boolean)");
    let recorded = chromium.connection().requests();
    page.evaluate("void (window.before = kiosk.results)");
    page.wait_for("kiosk.results > before + 60");
    let sent: Vec<_> = chromium.connection().requests().split_off(recorded.len());
    let outside: Vec<_> = sent.iter().filter(|url| !stays_inside(url)).collect();
    assert!(outside.is_empty(), "requests during use: {outside:#?}");

    let stored = page.evaluate(
        "(async () => {
            const keys = [];
            for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) keys.push(url);
            return {
                local: localStorage.length,
                session: sessionStorage.length,
                databases: (await indexedDB.databases()).length,
                cookies: document.cookie,
                files: keys,
            };
        })()",
    );
    for name in ["local", "session", "databases"] {
        assert_eq!(stored[name], 0, "{name}");
    }
    assert_eq!(stored["cookies"], "");
    let files: Vec<&str> =
        stored["files"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let asked = chromium.connection().requests();
    for file in &files {
        assert!(file.starts_with(&format!("{}/", site.origin())), "{file}");
        assert!(asked.iter().any(|url| without_query(url) == *file), "{file} is no file of the site's");
    }
    for own in ["kiosk.html", "kiosk/screen.js", "kiosk/editor.html", "kiosk/rules.json", "kiosk/mine.json"] {
        assert!(files.contains(&site.page(own).as_str()), "{own} is not kept: {files:#?}");
    }

    site.stop();
    page.go(&address, "window.kiosk?.lastResult");
    page.wait_for(&shows("A grown-up is here"));
    page.go(&site.page("kiosk/editor.html"), "document.querySelectorAll('#rules > fieldset').length > 0");
    assert_only_from(&site, &chromium);
}

/// Rules on the site are read anew each time, though the page's other files come from what is stored.
#[test]
fn changed_rules_are_taken_by_the_next_visit() {
    stand_at(camera(), |site, page| {
        site.replace("kiosk/rules.json", Some(&quick_rules().to_string()));
        open(site, page, "?engine=cpu");
        page.settles();
        page.wait_for("navigator.serviceWorker.controller");
        let mut rules = quick_rules();
        rules["contents"]["grown-up"]["title"] = json!("Something new");
        site.replace("kiosk/rules.json", Some(&rules.to_string()));
        open(site, page, "?engine=cpu");
        page.wait_for(&shows("Something new"));
    });
}

/// Who opens the page alone fetches and stores nothing of the entrance screen's.
#[test]
fn the_page_does_without_the_entrance_screen() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.settles();
        let fetched: Vec<_> = site.requested().into_iter().filter(|url| url.contains("kiosk")).collect();
        assert!(fetched.is_empty(), "{fetched:?}");
    });
}

// ---- the editor ----

#[test]
fn the_editor_writes_and_tries_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (broken, odd) = (folder.path().join("broken.json"), folder.path().join("odd.json"));
    std::fs::write(&broken, "{ rules: [] }").unwrap();
    let mut rules = quick_rules();
    rules["rules"][1]["age"] = json!([11, 0]);
    rules["rules"][2]["gendre"] = json!("female");
    std::fs::write(&odd, rules.to_string()).unwrap();

    visit(Options::default(), |site, page| {
        page.go(&site.page("kiosk/editor.html"), "document.documentElement.dataset.state === 'ready'");
        assert_eq!(page.evaluate("document.querySelectorAll('#rules > fieldset').length"), 7);
        assert!(text(page, "#outcome").contains("Rule 6 (“Adults”) holds"), "{}", text(page, "#outcome"));
        assert_eq!(text(page, "#preview h3"), "New on the shelves");

        let type_in = |selector: &str, value: &str| page.type_in(selector, value);
        // Other people, another time.
        type_in("#people input", "6");
        assert!(text(page, "#outcome").contains("Rule 4 (“A child”) holds"), "{}", text(page, "#outcome"));
        type_in("#time", "17:45");
        assert!(text(page, "#outcome").contains("Rule 1 (“Before we close”)"), "{}", text(page, "#outcome"));
        type_in("#time", "10:00");
        page.click("#add-person");
        assert!(text(page, "#outcome").contains("Rule 2 (“A family”)"), "{}", text(page, "#outcome"));
        let reasons = text(page, "#reasons");
        assert!(reasons.contains("A group: 2 people are there, and it asks for 4 to 50"), "{reasons}");

        // A rule of one's own, first in the order.
        page.click("#add-rule");
        type_in("[data-path=\"rules/7/name\"]", "Two together");
        type_in("[data-path=\"rules/7/people\"]", "2");
        page.evaluate("void document.querySelector('[data-path=\"rules/7/show\"]').focus()");
        for index in (1..=7).rev() {
            page.click(&format!("[aria-label=\"Rule {} up\"]", index + 1));
        }
        assert!(
            text(page, "#outcome").contains("Rule 1 (“Two together”) holds"),
            "{}",
            text(page, "#outcome")
        );
        let saved = saved_file(page);
        assert_eq!(saved["rules"][0]["name"], "Two together");
        assert_eq!(saved["rules"][0]["people"], json!([2, 50]));
        assert_eq!(saved["rules"].as_array().unwrap().len(), 8);

        // What is wrong is named where it is, and not saved.
        type_in("[data-path=\"rules/0/name\"]", "");
        assert!(
            text(page, "#problems").contains("Rule 1, field “name”: has 0 characters"),
            "{}",
            text(page, "#problems")
        );
        assert_eq!(
            page.evaluate("document.querySelector('[data-path=\"rules/0/name\"]').ariaInvalid"),
            "true"
        );
        page.click("#save");
        assert!(text(page, "#said").contains("Not saved"), "{}", text(page, "#said"));
        page.click("#problems button");
        assert_eq!(page.evaluate("document.activeElement.dataset.path"), "rules/0/name");
        type_in("[data-path=\"rules/0/name\"]", "Two");
        assert_eq!(page.evaluate("document.querySelector('#wrong').hidden"), true);

        // A content that rules show cannot go unnoticed; a new one can be shown.
        page.click("[aria-label=\"Remove owls\"]");
        assert!(
            text(page, "#problems").contains("(“A child”), field “show”: names \"owls\""),
            "{}",
            text(page, "#problems")
        );
        page.evaluate("document.querySelector('#content-name').value = 'owls'");
        page.click("#add-content button");
        page.click("[aria-label=\"Add a shape to owls\"]");
        assert_eq!(page.evaluate("document.querySelector('#wrong').hidden"), true);
        let saved = saved_file(page);
        assert_eq!(saved["contents"]["owls"]["title"], "A title");
        assert_eq!(saved["contents"]["owls"]["shapes"].as_array().unwrap().len(), 1);

        // Bad files.
        page.fill_in("#open", &[&broken]);
        page.wait_for("document.querySelector('#problems').textContent.includes('not JSON')");
        assert!(text(page, "#said").contains("broken.json was not opened"), "{}", text(page, "#said"));
        page.fill_in("#open", &[&odd]);
        page.wait_for(
            "document.querySelector('#said').textContent.includes('odd.json is open. 2 things are wrong')",
        );
        let told = text(page, "#problems");
        assert!(told.contains("Rule 2 (“A child”), field “age”: begins at 11"), "{told}");
        assert!(told.contains("Rule 3 (“A grown-up”), field “gendre”: is unknown"), "{told}");
        page.click("[aria-label^=\"Remove it: Rule 3\"]");
        type_in("[data-path=\"rules/1/age\"]", "0");
        assert_eq!(
            page.evaluate("document.querySelector('#wrong').hidden"),
            true,
            "{}",
            text(page, "#problems")
        );
        // To be left without the browser's question.
        assert_eq!(saved_file(page)["rules"][1]["age"], json!([0, 0]));
        let stored =
            page.evaluate("indexedDB.databases().then(({ length }) => [length, localStorage.length])");
        assert_eq!(stored, json!([0, 0]));
    });
}

/// What a click on the button would leave among the downloads.
fn saved_file(page: &Page) -> Value {
    let text = page.evaluate(
        "(async () => {
            const { createObjectURL } = URL;
            const { click } = HTMLAnchorElement.prototype;
            let blob;
            let name;
            URL.createObjectURL = (it) => createObjectURL.call(URL, (blob = it));
            HTMLAnchorElement.prototype.click = function () { name = this.download; };
            document.querySelector('#save').click();
            [URL.createObjectURL, HTMLAnchorElement.prototype.click] = [createObjectURL, click];
            return blob && [name, await blob.text()];
        })()",
    );
    assert_eq!(text[0], "rules.json", "nothing was saved");
    serde_json::from_str(text[1].as_str().unwrap()).unwrap()
}

// ---- looks ----

const SIZES: [(&str, u32, u32, bool); 3] =
    [("phone", 390, 844, true), ("desktop", 1280, 800, false), ("small", 320, 568, true)];

/// Words that are beside the page or cut off by a scene. The words on a scene are looked at whole, since it
/// has no scroll bar.
const LOST: &str = "(() => {
    const lost = [];
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    if (wide > 0) lost.push(`${wide} pixels too wide`);
    for (const words of document.querySelectorAll('.scene .words')) {
        const [scene, inner] = [words.closest('.scene').getBoundingClientRect(), words.getBoundingClientRect()];
        if (inner.width < 1) continue;
        if (inner.top < scene.top - 1 || inner.bottom > scene.bottom + 1 || inner.right > scene.right + 1) lost.push(`cut off: ${words.textContent}`);
    }
    for (const it of document.querySelectorAll('button, a, input, select, textarea, legend, p, h1, h2')) {
        if (!it.checkVisibility() || it.closest('.scene')) continue;
        const { left, right, width } = it.getBoundingClientRect();
        if (width > 0 && (left < -1 || right > document.documentElement.clientWidth + 1)) lost.push(`beside the page: ${it.outerHTML.slice(0, 90)}`);
    }
    return lost;
})()";

fn assert_whole(page: &Page, what: &str) {
    page.screenshot(); // once all has come to rest
    assert_eq!(page.evaluate(LOST), json!([]), "{what}");
}

#[test]
fn nothing_of_the_screen_and_the_editor_is_lost() {
    stand_at(camera(), |site, page| {
        // As many words as a content may have.
        let mut rules = quick_rules();
        let words = |count: usize| "open every day ".repeat(40)[..count].trim().to_owned();
        rules["contents"]["grown-up"] = json!({ "title": words(120), "text": words(600) });
        site.replace("kiosk/mine.json", Some(&rules.to_string()));
        for (name, width, height, is_phone) in SIZES {
            page.resize(width, height, is_phone);
            open(site, page, "?engine=cpu&rules=kiosk/mine.json");
            page.wait_for("kiosk.shown === 'grown-up' && document.querySelectorAll('.scene').length === 1");
            assert_whole(page, &format!("many words, {name}"));
        }
        for (name, width, height, is_phone) in SIZES {
            for letters in [16, 32] {
                page.set_letters(letters);
                page.resize(width, height, is_phone);
                open(site, page, "?engine=cpu");
                page.wait_for(SOMEBODY);
                page.wait_for("document.querySelectorAll('.scene').length === 1");
                assert_whole(page, &format!("screen, {name}, {letters}"));
                page.go(
                    &site.page("kiosk/editor.html"),
                    "document.documentElement.dataset.state === 'ready'",
                );
                assert_whole(page, &format!("editor, {name}, {letters}"));
            }
        }
    });
}

#[test]
fn axe_finds_nothing_of_the_screen_and_the_editor() {
    stand_at(camera(), |site, page| {
        let complaints = |state: &str| {
            page.screenshot(); // once all has come to rest
            let found = axe_finds(page);
            assert_eq!(found, json!([]), "{state}: {found:#}");
        };
        for scheme in ["light", "dark"] {
            page.emulate(&[("prefers-color-scheme", scheme)]);
            open(site, page, "?engine=cpu");
            page.wait_for(SOMEBODY);
            page.wait_for("document.querySelectorAll('.scene').length === 1");
            complaints(&format!("{scheme}, a content"));
            page.go(
                &site.page("kiosk.html?rules=kiosk/none.json"),
                "document.querySelector('#trouble')?.checkVisibility()",
            );
            complaints(&format!("{scheme}, no rules"));
            page.go(&site.page("kiosk/editor.html"), "document.documentElement.dataset.state === 'ready'");
            page.click("#add-person");
            complaints(&format!("{scheme}, the editor"));
            page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
            page.click("[aria-label=\"Remove owls\"]");
            complaints(&format!("{scheme}, the editor with something wrong"));
            page.click("#fresh");
            page.wait_for("document.querySelector('#wrong').hidden && document.querySelector('#said').textContent.includes('is open')");
        }
    });
    stand_where("prompt", camera(), |_, site, page| {
        page.go(&site.page("kiosk.html?engine=cpu"), WAITING);
        let found = axe_finds(page);
        assert_eq!(found, json!([]), "before the start: {found:#}");
    });
}

/// Takes pictures of every view, to be looked at: target/screenshots/kiosk-*.
#[test]
#[ignore = "makes pictures for people to look at"]
fn kiosk_views() {
    let folder = screenshots();
    stand_at(camera(), |site, page| {
        for (device, width, height, is_phone) in SIZES {
            for scheme in ["light", "dark"] {
                page.emulate(&[("prefers-color-scheme", scheme)]);
                page.resize(width, height, is_phone);
                let shot = |view: &str| {
                    let name = format!("kiosk-{view}-{device}-{scheme}.png");
                    std::fs::write(folder.join(name), page.screenshot()).unwrap();
                };
                open(site, page, "?engine=cpu");
                page.wait_for(SOMEBODY);
                shot("content");
                let ids = page.evaluate("fetch('kiosk/rules.json').then((it) => it.json()).then(({ contents }) => Object.keys(contents))");
                for id in ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap()) {
                    page.evaluate(&format!(
                        "Promise.all([import('./kiosk/scene.js'), fetch('kiosk/rules.json').then((it) => it.json())]).then(([{{ draw }}, {{ contents }}]) => {{
                            document.querySelector('.preview')?.remove();
                            const over = Object.assign(document.createElement('div'), {{ className: 'preview' }});
                            over.append(draw(contents['{id}']));
                            document.querySelector('#scenes').append(over);
                        }})"
                    ));
                    shot(&format!("content-{id}"));
                }
                page.go(
                    &site.page("kiosk.html?rules=kiosk/none.json"),
                    "document.querySelector('#trouble')?.checkVisibility()",
                );
                shot("trouble");
                page.go(
                    &site.page("kiosk/editor.html"),
                    "document.documentElement.dataset.state === 'ready'",
                );
                shot("editor");
                page.evaluate("document.querySelector('#contents').scrollIntoView()");
                shot("editor-contents");
                page.evaluate("document.querySelector('.try').scrollIntoView()");
                shot("editor-try");
            }
        }
    });
    stand_where("prompt", camera(), |_, site, page| {
        for (device, width, height, is_phone) in SIZES {
            page.resize(width, height, is_phone);
            page.go(&site.page("kiosk.html?engine=cpu"), WAITING);
            std::fs::write(folder.join(format!("kiosk-start-{device}.png")), page.screenshot()).unwrap();
        }
    });
}

// ---- for long ----

/// Runs on and on beside a camera before which people come and go, on a processor that is six times slower.
/// MIEN_KIOSK_SECONDS says for how long; it prints the figures of docs/kiosk.md.
#[test]
fn it_runs_on_at_a_sixth_of_the_speed() {
    // Among the other tests it only has to go on; how fast, a machine without anything else to do says.
    let measured = std::env::var("MIEN_KIOSK_SECONDS").ok().map(|text| text.parse().unwrap());
    let (seconds, least) = measured.map_or((25, 1.0), |seconds: u64| (seconds, 8.0));
    // People who come and go and move.
    let moving = |count: usize| -> Vec<u8> {
        let frame = |frame: i64| {
            let step = (frame - 20).abs();
            let all = [[130 + 3 * step, 200 + step], [330 - step, 260], [540 - 2 * step, 220 - step]];
            heads([640, 480], 130, &all[..count])
        };
        film(&(0..40).map(frame).collect::<Vec<_>>()).repeat(3)
    };
    let film = [film(&[grey(640, 480)]).repeat(150), moving(1), moving(3), moving(2)].concat();
    let chromium = Chromium::start(Options { film: Some(film), ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    permit(&chromium, &site, "granted");
    site.replace("kiosk/mine.json", Some(&quick_rules().to_string()));
    open(&site, &page, "?engine=cpu&rules=kiosk/mine.json");
    page.slow_down(6.0);
    page.evaluate("new Promise((resume) => setTimeout(resume, 3000))");
    let state = || {
        let counts = page.evaluate("[kiosk.results, kiosk.changes, kiosk.starts, performance.now() / 1000]");
        let counts: [f64; 4] = serde_json::from_value(counts).unwrap();
        (counts, page.busy_seconds(), page.heap_and_nodes(), chromium.resident())
    };
    let first = state();
    let (start, mut last, mut fewest) = (Instant::now(), first, f64::INFINITY);
    println!(
        "seconds | results a second | main thread, % | changes | starts | heap, KiB | nodes | memory of the page's process, MiB"
    );
    while start.elapsed() < Duration::from_secs(seconds) {
        let pause = seconds.clamp(5, 300).min(seconds - start.elapsed().as_secs().min(seconds)).max(2);
        std::thread::sleep(Duration::from_secs(pause));
        let now = state();
        let spent = now.0[3] - last.0[3];
        let rate = (now.0[0] - last.0[0]) / spent;
        println!(
            "{:.0} | {rate:.1} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0}",
            now.0[3] - first.0[3],
            100.0 * (now.1 - last.1) / spent,
            now.0[1] - first.0[1],
            now.0[2],
            now.2[0] / 1024.0,
            now.2[1],
            now.3,
        );
        fewest = fewest.min(rate);
        last = now;
    }
    let shown = page.evaluate("document.documentElement.dataset.state");
    assert_eq!(shown, "running", "{}", page.evaluate("String(kiosk.lastError)"));
    assert_eq!(page.evaluate("kiosk.lastError"), Value::Null);
    assert_eq!(last.0[2], 1.0, "starts of the camera");
    assert!(fewest >= least, "{fewest:.1} results a second");
    assert!(last.0[1] > first.0[1], "no content has changed");
    // Nothing piles up.
    assert!(last.2[1] < 2.0 * first.2[1] + 200.0, "{} nodes, then {}", first.2[1], last.2[1]);
    assert!(last.2[0] < first.2[0] + 4e6, "{} bytes of heap, then {}", first.2[0], last.2[0]);
    assert_only_from(&site, &chromium);
}
