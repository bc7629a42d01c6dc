//! See what it sees: the crop, the changes, the map and the networks are what they say, and end with the view.

use std::path::Path;

use image::imageops::{self, FilterType};
use mien::engine::cpu::network_input;
use mien::net::NetworkKind;
use mien::picture::Frame;
use mien::vision::alignment::{aligned, alignment};
use serde_json::{Value, json};

use crate::looks::{axe_finds, screenshots};
use crate::support::chromium::Options;
use crate::support::page::{Estimate, Page};
use crate::support::{heads, repository, sample};
use crate::{assert_near, visit};

const NETWORKS: [NetworkKind; 4] =
    [NetworkKind::Lite, NetworkKind::DCnn, NetworkKind::MCnn, NetworkKind::Base];

/// Keeps each result of the page's Mien, as `estimates`.
const RECORD: &str = "(() => {
    if (window.estimates) {
        estimates.length = 0;
        return;
    }
    const { mien } = mienApp;
    const estimate = mien.estimate.bind(mien);
    window.estimates = [];
    mien.estimate = async (...args) => {
        const result = await estimate(...args);
        estimates.push(result);
        return result;
    };
})()";

fn open(page: &Page) {
    page.click("#see");
    page.wait_for("document.querySelector('dialog.see[open]')?.dataset.ready === ''");
}

fn change(page: &Page, name: &str) {
    page.click(&format!("[data-change={name}]"));
}

/// As the view's figures tell it.
fn answer(page: &Page, figure: &str) -> String {
    let text = page.evaluate(&format!("document.querySelector('[data-{figure}] span').textContent"));
    text.as_str().unwrap().to_owned()
}

/// What the view shows as the network's input is the network's input, but for the browser's own resampling.
#[test]
fn the_crop_is_what_the_network_gets() {
    let folder = tempfile::tempdir().unwrap();
    // One face that is turned, at the picture's edge, and one that is straight.
    let (straight, edge) = (folder.path().join("straight.png"), folder.path().join("edge.png"));
    sample().to_rgb8().save(&straight).unwrap();
    let cut_off = imageops::crop_imm(&sample().to_rgb8(), 150, 40, 190, 200).to_image();
    cut_off.save(&edge).unwrap();
    visit(Options::default(), |site, page| {
        for kind in NETWORKS {
            page.open(&site.page(&format!("?engine=cpu&model={}", kind.name())));
            for path in [&straight, &edge] {
                let estimate = page.estimate_after(|page| page.choose_file(path));
                open(page);
                let shown = page.evaluate(
                    "[...document.querySelectorAll('[data-before] canvas')].flatMap((canvas) =>
                        [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].filter((_, index) => index % 4 < 3))",
                );
                let shown: Vec<f64> = serde_json::from_value(shown).unwrap();
                let pixels = image::open(path).unwrap().to_rgba8();
                let frame =
                    Frame::new(pixels.width() as usize, pixels.height() as usize, pixels.as_raw()).unwrap();
                let landmarks = estimate.faces[0].landmarks.map(|point| point.map(|at| at as f32));
                let crop = aligned(&alignment(&landmarks).unwrap());
                let crop = frame.sample(&crop.transform, crop.side, crop.side, crop.border);
                let expected = network_input(kind, &crop);
                assert_eq!(shown.len(), kind.input_len(), "{kind:?}");
                let off: f64 = shown
                    .iter()
                    .zip(&expected)
                    .map(|(shown, expected)| (shown - 127.5 * f64::from(expected + 1.0)).abs())
                    .sum();
                let off = off / shown.len() as f64;
                println!("{kind:?}, {path:?}: off by {off:.2} of 255");
                assert!(off < 4.0, "{kind:?}, {path:?}: off by {off} of 255 on average");
                page.press("Escape");
                page.wait_for("!document.querySelector('dialog')");
            }
        }
    });
}

/// Whatever the picture's size and kind, what the view begins with is what the panel says, to the last bit.
#[test]
fn before_is_what_the_panel_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let portrait = sample().to_rgb8();
    imageops::resize(&portrait, 301, 333, FilterType::Triangle).save(path("small.png")).unwrap();
    // More than the page copies by itself, and more than networks read as they are.
    imageops::resize(&portrait, 2500, 2300, FilterType::Triangle).save(path("large.jpg")).unwrap();
    imageops::resize(&portrait, 5000, 4100, FilterType::Nearest).save(path("huge.jpg")).unwrap();
    heads([900, 500], 150, &[[130, 150], [430, 250], [760, 350]]).save(path("three.png")).unwrap();
    let mut veiled = sample().to_rgba8();
    veiled.pixels_mut().for_each(|pixel| pixel[3] = 200);
    veiled.save(path("veiled.png")).unwrap();
    visit(Options::default(), |site, page| {
        for name in ["small.png", "large.jpg", "huge.jpg", "three.png", "veiled.png"] {
            page.open(&site.page("?engine=cpu"));
            page.estimate_after(|page| page.choose_file(&path(name)));
            if name == "three.png" {
                page.evaluate("document.querySelectorAll('.face')[1].click()");
            }
            let panel = page.evaluate(
                "(() => {
                    const text = (id) => document.querySelector(id).textContent;
                    const said = `${text('#age')}, ${text('#range')} · ${text('#gender')}`;
                    const pressed = [...document.querySelectorAll('.face')].findIndex(({ ariaPressed }) => ariaPressed === 'true');
                    return [said, Math.max(0, pressed)];
                })()",
            );
            page.evaluate(RECORD);
            open(page);
            assert_eq!(answer(page, "before"), panel[0].as_str().unwrap(), "{name}");
            let same = page.evaluate(
                "(() => {
                    const exact = ({ faces }) => JSON.stringify(faces.map(({ age, ageRange, gender, landmarks, box }) => [age, ageRange, gender, landmarks, box]));
                    return exact(estimates[0]) === exact(mienApp.lastResult);
                })()",
            );
            assert_eq!(same, true, "{name}");
        }
    });
}

/// Each change is one of all of the picture, and the answer follows.
#[test]
fn changes_are_made_to_all_of_the_picture() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu&model=d-cnn"));
        let estimate = page.estimate_after(|page| page.click("#use-sample"));
        page.evaluate(RECORD);
        open(page);
        let before = answer(page, "before");
        let names = ["mirror", "dark", "blur", "small", "grey", "eyes", "mouth"];
        let buttons = page
            .evaluate("[...document.querySelectorAll('[data-change]')].map(({ dataset }) => dataset.change)");
        assert_eq!(buttons, json!(names));
        let mut answers = Vec::new();
        for name in names {
            let count = page.evaluate("estimates.length").as_u64().unwrap();
            change(page, name);
            page.wait_for(&format!("estimates.length === {}", count + 1));
            page.wait_for(
                "/before\\.|no guess/.test(document.querySelector('dialog [role=status]').textContent)",
            );
            let seen: Value = page.evaluate(
                "(() => {
                    const { width, height, faces } = estimates.at(-1);
                    return { width, height, landmarks: faces[0]?.landmarks, age: faces[0]?.age, pressed: document.querySelectorAll('dialog [aria-pressed=true]').length };
                })()",
            );
            assert_eq!(seen["pressed"], 1);
            let scale = seen["width"].as_f64().unwrap() / estimate.width;
            assert_eq!(scale < 1.0, name == "small", "{name}: {seen}");
            assert_eq!(seen["width"], seen["height"], "{name}: all of it");
            assert_eq!(answer(page, "before"), before);
            if seen["age"].is_f64() {
                let text = answer(page, "after");
                let age = seen["age"].as_f64().unwrap().round();
                assert!(text.starts_with(&format!("{age}, probably ")), "{name}: {text} {seen}");
                let nose: [f64; 2] = serde_json::from_value(seen["landmarks"][2].clone()).unwrap();
                let [x, y] = estimate.faces[0].landmarks[2].map(|at| at * scale);
                let x = if name == "mirror" { estimate.width - x } else { x };
                let apart =
                    (estimate.faces[0].landmarks[0][0] - estimate.faces[0].landmarks[1][0]).abs() * scale;
                assert_near(name, &nose, &[x, y], 0.25 * apart);
                answers.push(text);
            }
            change(page, name);
            page.wait_for("document.querySelectorAll('dialog [aria-pressed=true]').length === 0 && document.querySelector('[data-after] .crops').childElementCount === 0");
        }
        println!("{before}\n{answers:#?}");
        assert!(answers.len() >= 5, "{answers:?}");
        answers.dedup();
        assert!(answers.len() >= 4, "they differ: {answers:?}");

        // What was done to the pixels, of one made-up picture.
        let pixels = page.evaluate(
            "import('./later/changes.js').then(({ changed }) => {
                const picture = Object.assign(document.createElement('canvas'), { width: 400, height: 300 });
                const context = picture.getContext('2d');
                const fill = (colour, ...box) => { context.fillStyle = colour; context.fillRect(...box); };
                fill('rgb(200 100 50)', 0, 0, 200, 300);
                fill('rgb(20 40 220)', 200, 0, 200, 300);
                const landmarks = [[170, 130], [230, 130], [200, 160], [200, 196], [140, 140], [260, 140]];
                const at = (names, x, y) => {
                    const { canvas } = changed(picture, landmarks, new Set(names));
                    return [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3);
                };
                return { plain: at([], 5, 5), mirror: at(['mirror'], 5, 5), dark: at(['dark'], 5, 5), grey: at(['grey'], 5, 5),
                    eyes: at(['eyes'], 180, 130), beside: at(['eyes'], 180, 196), mouth: at(['mouth'], 190, 196),
                    edge: at(['blur'], 200, 5), all: at(['mirror', 'eyes', 'dark'], 180, 130) };
            })",
        );
        let near = |name: &str, expected: [f64; 3]| {
            let actual: Vec<f64> = serde_json::from_value(pixels[name].clone()).unwrap();
            assert_near(name, &actual, &expected, 2.0);
        };
        near("plain", [200.0, 100.0, 50.0]);
        near("mirror", [20.0, 40.0, 220.0]);
        near("dark", [70.0, 35.0, 17.5]);
        near("eyes", [128.0, 128.0, 128.0]);
        near("beside", [200.0, 100.0, 50.0]);
        near("mouth", [128.0, 128.0, 128.0]);
        near("all", [44.8, 44.8, 44.8]);
        let grey: Vec<f64> = serde_json::from_value(pixels["grey"].clone()).unwrap();
        assert!(grey[0] == grey[1] && grey[1] == grey[2] && (90.0..150.0).contains(&grey[0]), "{pixels}");
        let edge: Vec<f64> = serde_json::from_value(pixels["edge"].clone()).unwrap();
        assert!((60.0..160.0).contains(&edge[0]), "{pixels}");
    });
}

/// A network that looks at the mouth alone: the map names the mouth; and faces that are lost are left out.
#[test]
fn the_map_names_what_the_age_depends_on() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let found = page.evaluate(
            "Promise.all([import('./later/occlusion.js'), import('./later/crop.js')]).then(async ([{ byPart, occlusion }, { alignment }]) => {
                const picture = Object.assign(document.createElement('canvas'), { width: 400, height: 300 });
                const context = picture.getContext('2d');
                context.fillStyle = '#fff';
                context.fillRect(0, 0, 400, 300);
                context.fillStyle = '#000';
                context.fillRect(170, 180, 60, 32); // the mouth
                context.fillRect(0, 0, 4, 4);
                const landmarks = [[170, 130], [230, 130], [200, 160], [200, 196], [140, 140], [260, 140]];
                const face = { age: 30, box: [120, 90, 160, 160], landmarks };
                let last;
                const mien = { async estimate(canvas) {
                    const of = (x, y) => canvas.getContext('2d').getImageData(x, y, 1, 1).data[0];
                    last = canvas;
                    // Without its right eye nobody finds it.
                    const hidden = of(170, 130) < 250;
                    return { faces: hidden ? [] : [{ ...face, age: of(200, 196) > 20 ? 42 : 30 }] };
                } };
                const steps = [];
                const seen = await occlusion(mien, picture, face, { isStopped: () => false, onProgress: (done, total) => steps.push([done, total]) });
                const stopped = await occlusion(mien, picture, face, { isStopped: () => true, onProgress() {} });
                // What was covered is as it was in the end.
                const [a, b] = [picture, last].map((canvas) => [...canvas.getContext('2d').getImageData(0, 0, 400, 300).data].join());
                return { parts: byPart(seen.cells), hidden: seen.hidden, total: seen.total, steps: [steps[0], steps.at(-1)], stopped: stopped === undefined, restored: a === b };
            })",
        );
        assert_eq!(found["parts"][0]["part"], "Mouth", "{found:#}");
        let years = |part: &str| {
            let parts = found["parts"].as_array().unwrap();
            parts.iter().find(|it| it["part"] == part).unwrap()["years"].as_f64().unwrap()
        };
        assert!(years("Mouth") > 4.0 && years("Forehead").abs() < 0.1, "{found:#}");
        let total = found["total"].as_u64().unwrap();
        let hidden = found["hidden"].as_u64().unwrap();
        assert!(hidden >= 1 && hidden < total / 4, "{found:#}");
        assert_eq!(found["steps"], json!([[0, total], [total, total]]));
        assert_eq!((&found["stopped"], &found["restored"]), (&json!(true), &json!(true)));
    });
}

#[test]
fn the_map_is_drawn_and_can_be_stopped() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu&model=d-cnn"));
        page.estimate_after(|page| page.click("#use-sample"));
        page.evaluate(RECORD);
        open(page);
        page.click("[data-map]");
        page.wait_for("estimates.length > 3 && !document.querySelector('dialog progress').hidden");
        page.click("[data-map]");
        page.wait_for("document.querySelector('dialog [role=status]').textContent === 'Stopped.'");
        let count = page.evaluate("estimates.length").as_u64().unwrap();
        assert!(count < 80, "{count}");
        page.evaluate("new Promise((done) => setTimeout(done, 500))");
        assert_eq!(page.evaluate("estimates.length"), count, "it goes on");
        assert_eq!(page.evaluate("document.querySelector('.map').hidden"), true);

        page.click("[data-map]");
        page.wait_for(
            "!document.querySelector('.map').hidden && document.querySelector('dialog progress').hidden",
        );
        let rows = page.evaluate(
            "[...document.querySelectorAll('.map tbody tr')].map(({ cells }) => cells[0].textContent)",
        );
        let mut rows: Vec<String> = serde_json::from_value(rows).unwrap();
        rows.sort();
        assert_eq!(
            rows,
            ["Cheeks", "Chin", "Eyes", "Forehead", "Mouth", "Nose", "Surroundings (hair, ears, background)"]
        );
        let said = page.evaluate("document.querySelector('dialog [role=status]').textContent");
        assert!(
            said.as_str().unwrap().starts_with("Covering the ")
                || said.as_str().unwrap().contains("single place"),
            "{said}"
        );
        // And it is no longer the crop alone.
        let coloured = page.evaluate(
            "(() => {
                const { data } = document.querySelector('.map canvas').getContext('2d').getImageData(0, 0, 240, 240);
                let count = 0;
                for (let at = 0; at < data.length; at += 4) count += Math.abs(data[at] - data[at + 2]) > 60 ? 1 : 0;
                return count / 240 / 240;
            })()",
        );
        assert!(coloured.as_f64().unwrap() > 0.02, "{coloured}");
    });
}

/// The networks' numbers are those that the page says with them; files and errors are those on disk.
#[test]
fn the_networks_are_compared_as_they_are() {
    let json = |model: &str, set: &str| -> Option<Value> {
        let path = repository().join(format!("model-weights/{model}/{set}.json"));
        Some(serde_json::from_slice(&std::fs::read(path).ok()?).unwrap())
    };
    visit(Options::default(), |site, page| {
        let mut ages = Vec::new();
        for kind in NETWORKS {
            page.open(&site.page(&format!("?engine=cpu&model={}", kind.name())));
            ages.push(page.estimate_after(|page| page.click("#use-sample")).faces[0].age);
        }
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let workers = page.workers();
        open(page);
        assert_eq!(page.workers(), workers, "nothing is started before it is asked for");
        assert_eq!(page.evaluate("document.querySelectorAll('.networks li').length"), 0);
        page.click("[data-networks] summary");
        page.wait_for("document.querySelector('.networks .note')?.textContent");
        let rows = page.evaluate(
            "[...document.querySelectorAll('.networks li')].map((card) => ['h4', '.age', '[data-range]', '[data-ms]', '[data-bytes]', '[data-error]', ':scope > :last-child'].map((part) => card.querySelector(part).textContent))",
        );
        let mut fetched = 0;
        for ((kind, age), row) in NETWORKS.iter().zip(&ages).zip(rows.as_array().unwrap()) {
            println!("{row}");
            assert_eq!(row[1].as_str().unwrap(), age.round().to_string(), "{row}");
            assert!(row[2].as_str().unwrap().contains('–'), "{row}");
            let ms: f64 = row[3].as_str().unwrap().trim_end_matches(" ms").parse().unwrap();
            assert!(ms >= 0.0, "{row}");
            let file = repository().join(format!("model-weights/{0}/{0}.safetensors", kind.name()));
            let bytes = std::fs::metadata(file).unwrap().len();
            let size = if bytes < 1_000_000 {
                format!("{:.0} kB", bytes as f64 / 1e3)
            } else {
                format!("{:.1} MB", bytes as f64 / 1e6)
            };
            assert_eq!(row[4], size, "{row}");
            fetched += if *kind == NetworkKind::Lite { 0 } else { bytes };
            let sets: Vec<Value> =
                ["aaf-test", "utkface-test"].iter().filter_map(|set| json(kind.name(), set)).collect();
            let n: f64 = sets.iter().map(|set| set["n"].as_f64().unwrap()).sum();
            let mae: f64 =
                sets.iter().map(|set| set["n"].as_f64().unwrap() * set["mae"].as_f64().unwrap()).sum();
            assert!(!sets.is_empty(), "{kind:?} was measured");
            assert_eq!(row[5], format!("{:.1} years", mae / n), "{row}");
        }
        assert_eq!(rows[0][6], "In use");
        // What is said beforehand of how much is fetched.
        let said = page.evaluate("document.querySelector('[data-networks] > .note').textContent");
        assert!(
            said.as_str().unwrap().contains("up to 5 MB") && fetched < 5_000_000 && fetched > 4_000_000,
            "{fetched}: {said}"
        );
        page.wait_for("document.querySelector('dialog [role=status]').textContent.startsWith('lite: ')");
        // All have ended.
        crate::support::poll(|| (page.workers() == workers).then_some(())).expect("workers end");

        // Any can be the one in use, and reads the same photo.
        let estimate: Estimate = page.estimate_after(|page| {
            page.evaluate("document.querySelector('[data-network=d-cnn] button').click()");
        });
        assert_eq!(page.evaluate("[mienApp.mien.model, new URLSearchParams(location.search).get('model'), new URLSearchParams(location.search).get('engine')]"), json!(["d-cnn", "d-cnn", "cpu"]));
        assert_near("age", &[estimate.faces[0].age], &[ages[1]], 1e-6);
        assert_eq!(page.evaluate("document.querySelector('dialog')"), Value::Null);
        crate::support::poll(|| (page.workers() == workers).then_some(())).expect("the other's worker ends");
        page.evaluate("document.querySelector('#about').scrollIntoView()");
        let n = json("d-cnn", "aaf-test").unwrap()["n"].as_f64().unwrap() as u64
            + json("d-cnn", "utkface-test").unwrap()["n"].as_f64().unwrap() as u64;
        page.wait_for(&format!(
            "document.querySelector('#measured h3')?.textContent.replaceAll(',', '').includes('{n}')"
        ));
        page.reload();
        assert_eq!(page.evaluate("mienApp.mien.model"), "d-cnn");
    });
}

/// Whatever is under way, Escape ends it, and the focus is where it was.
#[test]
fn escape_closes_the_view_and_ends_what_it_started() {
    visit(Options::default(), |site, page| {
        // So that a network is on its way long enough to be caught.
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let workers = page.workers();
        for way in ["at once", "the map", "networks, loading", "networks, at work"] {
            page.evaluate("document.querySelector('#see').focus()");
            page.evaluate(RECORD);
            page.click("#see");
            match way {
                "at once" => page.wait_for("document.querySelector('dialog.see[open]')"),
                _ => page.wait_for("document.querySelector('dialog.see[open]')?.dataset.ready === ''"),
            }
            match way {
                "the map" => {
                    page.click("[data-map]");
                    page.wait_for("estimates.length > 3");
                }
                "networks, loading" => {
                    page.evaluate(
                        "(() => {
                            const { fetch } = window;
                            window.fetch = (url, ...rest) => (String(url).includes('d-cnn.safetensors')
                                ? new Promise((resolve, reject) => {
                                    window.held = true;
                                    rest[0].signal.addEventListener('abort', () => reject(rest[0].signal.reason));
                                }) : fetch(url, ...rest));
                            window.release = () => { window.fetch = fetch; };
                        })()",
                    );
                    page.click("[data-networks] summary");
                    page.wait_for("window.held");
                    crate::support::poll(|| (page.workers() > workers).then_some(()))
                        .expect("a network starts");
                }
                "networks, at work" => {
                    page.evaluate("release()");
                    page.click("[data-networks] summary");
                    page.wait_for("/^\\d/.test(document.querySelector('.networks .age')?.textContent)");
                }
                _ => {}
            }
            page.press("Escape");
            page.wait_for("!document.querySelector('dialog')");
            crate::support::poll(|| (page.workers() == workers).then_some(()))
                .unwrap_or_else(|| panic!("{way}: {} workers, {workers} before", page.workers()));
            assert_eq!(page.evaluate("document.activeElement.id"), "see", "{way}");
            let count = page.evaluate("estimates.length");
            page.evaluate("new Promise((done) => setTimeout(done, 400))");
            assert!(
                page.evaluate("estimates.length").as_u64().unwrap() <= count.as_u64().unwrap() + 1,
                "{way}: it goes on"
            );
            // The page goes on as before.
            page.estimate_after(|page| page.click("#use-sample"));
        }
    });
}

/// A camera's picture is frozen, and what is said of that one frame is not called the average.
#[test]
fn a_frame_of_the_camera_is_looked_into() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for("mienApp.lastResult?.faces[0]?.settled");
        page.wait_for("document.querySelector('#age').textContent.match(/^\\d+$/)");
        open(page);
        assert!(answer(page, "before").contains("this one frame"), "{}", answer(page, "before"));
        assert_eq!(page.evaluate("document.querySelector('video').srcObject"), Value::Null);
        change(page, "mirror");
        page.wait_for("document.querySelector('[data-after] canvas')");
    });
}

/// On the smallest screen and with large letters nothing is beside the view; axe finds nothing.
#[test]
fn the_view_fits_and_can_be_used_by_all() {
    let folder = screenshots();
    visit(Options::default(), |site, page| {
        for (size, letters, scheme, forced) in [
            ([320, 568], 16, "light", "none"),
            ([390, 844], 16, "light", "none"),
            ([390, 844], 16, "dark", "none"),
            ([390, 844], 32, "light", "none"),
            ([1280, 800], 16, "light", "none"),
            ([1280, 800], 16, "dark", "none"),
            ([1280, 800], 16, "light", "active"),
        ] {
            page.appear(size, letters, scheme, forced);
            page.open(&site.page("?engine=cpu"));
            page.estimate_after(|page| page.click("#use-sample"));
            open(page);
            change(page, "eyes");
            page.wait_for("document.querySelector('[data-after] canvas')");
            page.click("[data-map]");
            page.wait_for(
                "!document.querySelector('.map').hidden && document.querySelector('progress').hidden",
            );
            page.click("[data-networks] summary");
            page.wait_for("document.querySelector('.networks .note')?.textContent");
            let name = format!("see-{}-{letters}-{scheme}-{forced}", size[0]);
            for (part, at) in ["0", "430", "10000"].iter().enumerate() {
                page.evaluate(&format!("document.querySelector('dialog').scrollTo(0, {at})"));
                std::fs::write(folder.join(format!("{name}-{part}.png")), page.screenshot()).unwrap();
            }
            let lost = page.evaluate(
                "(() => {
                    const dialog = document.querySelector('dialog');
                    const edge = dialog.getBoundingClientRect();
                    const lost = [];
                    if (edge.left < 0 || edge.right > innerWidth || edge.bottom > innerHeight + 1) lost.push('beside the screen');
                    if (dialog.scrollWidth > dialog.clientWidth) lost.push(`too wide: ${dialog.scrollWidth} of ${dialog.clientWidth}`);
                    for (const it of dialog.querySelectorAll('button, summary, p, canvas, li, legend, figcaption, h2, h3')) {
                        if (!it.offsetParent || it.closest('.table, .unseen')) continue;
                        const { left, right, width, height } = it.getBoundingClientRect();
                        if (left < edge.left - 1 || right > edge.right + 1) lost.push(`cut off: ${it.outerHTML.slice(0, 60)}`);
                        if (it.matches('button, summary') && (height < 24 || width < 24)) lost.push(`too small: ${it.outerHTML.slice(0, 60)}`);
                    }
                    return lost;
                })()",
            );
            assert_eq!(lost, json!([]), "{name}");
            if forced == "none" {
                let found = axe_finds(page);
                assert_eq!(found, json!([]), "{name}: {found:#}");
            }
        }
    });
}

/// Sight unseen offline: what has been fetched for it before is kept.
#[test]
fn the_view_works_offline_once_the_page_is_saved() {
    let chromium = crate::support::chromium::Chromium::start(Options::default());
    let (mut site, page) = (crate::support::site::Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.settles();
    site.stop();
    page.reload();
    page.estimate_after(|page| page.choose_file(Path::new(&repository().join("www/sample.jpg"))));
    open(&page);
    change(&page, "grey");
    page.wait_for("document.querySelector('[data-after] canvas')");
    page.click("[data-networks] summary");
    page.wait_for("document.querySelector('.networks .note')?.textContent");
    let first = page.evaluate(
        "[...document.querySelectorAll('.networks [data-range]')].map(({ textContent }) => textContent)",
    );
    assert!(
        first[0].as_str().unwrap().contains('–') && first[3].as_str().unwrap().contains("online"),
        "{first}"
    );
}
