//! What is looked at in each browser, in this order.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fantoccini::key::Key;
use serde_json::{Value, json};

use crate::driven::{Browser, Kind, Visitor};
use crate::support::page::Estimate;
use crate::support::site::{Site, predict};
use crate::support::{poll, repository, sample};

pub struct Check {
    pub name: &'static str,
    pub visitor: Visitor,
    pub look: fn(&mut Visit) -> Outcome,
}

/// A check that finds something wrong panics.
#[derive(Debug)]
pub enum Outcome {
    /// With what is worth a word, or nothing.
    Passed(String),
    /// And why.
    NotTried(String),
}

use Outcome::{NotTried, Passed};

/// A browser with the page, and the site that it came from.
pub struct Visit {
    pub browser: Browser,
    pub site: Site,
}

macro_rules! checks {
    ($($visitor:ident: $name:literal => $look:ident;)*) => {
        pub const CHECKS: &[Check] = &[$(Check { name: $name, visitor: Visitor::$visitor, look: $look },)*];
    };
}

checks! {
    WithoutACamera: "no camera: the page says so, and photos go on" => no_camera;
    WithoutACamera: "390 x 844 pixels: nothing lies beside the screen" => phone;
    WithoutACamera: "the pages in about/ open" => about;
    WithoutACamera: "no errors in the console" => console;
    AtADesk: "opens, and is ready" => opens;
    AtADesk: "speaks the visitor's language" => language;
    AtADesk: "is dark where the desktop is" => dark;
    AtADesk: "takes the module for the browser's vector instructions" => module;
    AtADesk: "Tab leads to the camera and to the photos" => keyboard;
    AtADesk: "a photo: faces, ages and genders are those of `mien predict`" => photo;
    AtADesk: "the engine is the best that the browser offers" => engine;
    AtADesk: "a broken picture is explained, and the next one works" => broken;
    AtADesk: "a picture is cleared away" => cleared;
    AtADesk: "a camera gives results, can be frozen, and stops" => camera;
    AtADesk: "the entrance screen follows the camera" => kiosk;
    AtADesk: "no errors in the console, with a camera" => console;
    AtADesk: "the browser shuts the worker in" => sealed;
    AtADesk: "nothing is asked for while pictures are seen" => silent;
    AtADesk: "nothing is stored but the page itself" => stored;
    AtADesk: "another site hears nothing" => unheard;
    AtADesk: "works without its server after the first visit" => offline;
}

// ---- a visitor without a camera ----

fn no_camera(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.open(&site.page(""));
    browser.click("#start-camera");
    browser.wait_for("mienApp.lastError");
    let title = browser.evaluate("document.querySelector('#trouble-title').innerText");
    assert_eq!(title, "No camera found");
    assert!(browser.is("document.querySelector('#trouble').checkVisibility()"));
    assert_is_the_sample(&browser.result_after(|browser| browser.click("#use-sample")));
    assert!(browser.is("!document.querySelector('#trouble').checkVisibility()"));
    Passed(String::new())
}

fn phone(Visit { browser, .. }: &mut Visit) -> Outcome {
    browser.open_window(390, 844);
    assert_is_the_sample(&browser.result_after(|browser| browser.click("#use-sample")));
    assert_eq!(browser.evaluate("innerWidth"), 390);
    let beside = browser.evaluate(
        "[...document.querySelectorAll('button, .button, select, summary, h1, h2, p')].filter((it) => it.checkVisibility()).filter((it) => {
            const { left, right } = it.getBoundingClientRect();
            return left < 0 || right > innerWidth;
        }).map(({ id, innerText }) => `${id} ${innerText}`).filter((it) => !it.startsWith('announcer'))",
    );
    assert_eq!(beside, json!([]));
    assert!(browser.is("document.documentElement.scrollWidth <= document.documentElement.clientWidth"));
    Passed(String::new())
}

fn about(Visit { browser, site }: &mut Visit) -> Outcome {
    for (page, title) in [("model-card", "Model card"), ("notices", "What the page is made with")] {
        browser.go(&site.page(&format!("about/{page}.html")));
        assert_eq!(browser.evaluate("document.title"), format!("Mien: {title}"));
        assert!(browser.is("document.querySelector('pre').innerText.length > 1000"));
    }
    Passed(String::new())
}

/// An error of the test's own shows first that they are heard.
fn console(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.go(&site.page("about/terms.html"));
    browser.evaluate("console.error('heard')");
    std::thread::sleep(Duration::from_millis(500));
    let (heard, others): (Vec<_>, Vec<_>) =
        browser.console_errors().into_iter().partition(|line| line.contains("\"heard\""));
    assert!(others.is_empty(), "{others:#?}");
    match (heard.len(), browser.kind) {
        (1, _) => Passed(String::new()),
        (0, Kind::WebKit) => NotTried(
            "sessions of its driver are private ones, of whose consoles WebKit prints nothing".into(),
        ),
        _ => panic!("heard {heard:?}"),
    }
}

// ---- a visitor at a desk ----

fn opens(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.open(&site.page(""));
    assert_eq!(browser.evaluate("mienApp.lastError"), Value::Null);
    Passed(String::new())
}

fn language(Visit { browser, .. }: &mut Visit) -> Outcome {
    let wished = browser.evaluate("navigator.language");
    if wished != "de-AT" {
        return NotTried(format!("it cannot be told to read German here (navigator.language is {wished})"));
    }
    browser.wait_for("document.documentElement.lang === 'de'");
    browser.wait_for("document.querySelector('#start-camera').innerText.trim() === 'Kamera starten'");
    Passed("German".into())
}

fn dark(Visit { browser, .. }: &mut Visit) -> Outcome {
    if !browser.is("matchMedia('(prefers-color-scheme: dark)').matches") {
        return NotTried("it does not follow the desktop here".into());
    }
    let ground =
        browser.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)");
    let ground: Vec<f64> = serde_json::from_value(ground).unwrap();
    assert!(ground[..3].iter().all(|light| *light < 64.0), "the ground is {ground:?}");
    Passed(String::new())
}

/// What the page has asked the site for, against what the browser itself says of a module with such an instruction.
fn module(Visit { browser, site }: &mut Visit) -> Outcome {
    let relaxed = browser.is(
        "WebAssembly.validate(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
            10, 15, 1, 13, 0, 65, 0, 253, 15, 65, 0, 253, 15, 253, 128, 2, 11))",
    );
    let asked = |name: &str| site.requested().iter().any(|url| url.contains(name));
    assert_eq!([asked("pkg/mien_cpu_relaxed_bg.wasm"), asked("pkg/mien_cpu_bg.wasm")], [relaxed, !relaxed]);
    Passed(if relaxed { "relaxed SIMD" } else { "SIMD without relaxed instructions" }.into())
}

fn keyboard(Visit { browser, .. }: &mut Visit) -> Outcome {
    let mut reached = Vec::new();
    for _ in 0..25 {
        browser.press(Key::Tab);
        let at = browser.evaluate("document.activeElement?.id");
        reached.push(at.as_str().unwrap_or_default().to_owned());
        if ["start-camera", "file-input"].iter().all(|id| reached.iter().any(|it| it == id)) {
            return Passed(String::new());
        }
    }
    panic!("Tab leads to {reached:?}");
}

/// PNG, so that both decode the very same pixels; and JPEG, of which the program's decoder makes a little other ones than those of
/// the browsers, as `docs/browsers.md` says.
fn photo(Visit { browser, .. }: &mut Visit) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let same = folder.path().join("sample.png");
    sample().to_rgb8().save(&same).unwrap();
    let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
    let mut words = Vec::new();
    for (picture, pixels, years, share) in
        [(same, 0.5, 0.05, 1e-3), (repository().join("www/sample.jpg"), 0.5, 1.0, 0.05)]
    {
        let mut native = predict(&picture);
        let native = if native.is_array() { native[0].take() } else { native };
        let native = native["faces"].as_array().unwrap();
        let seen = browser.result_after(|browser| browser.choose_file(&picture));
        assert_is_the_sample(&seen);
        assert_eq!(seen.faces.len(), native.len());
        let (face, native) = (&seen.faces[0], &native[0]);
        let near = |what: &str, seen: &[f64], native: &[f64], tolerance: f64| {
            let is_near = seen.iter().zip(native).all(|(a, b)| (a - b).abs() < tolerance);
            assert!(
                is_near && seen.len() == native.len(),
                "{what} of {}: {seen:?}, and not {native:?}",
                picture.display()
            );
        };
        near("box", &face.bounds, &numbers(&native["box"]), pixels);
        near("age", &[face.age], &[native["age"].as_f64().unwrap()], years);
        near("gender", &[face.gender.female], &[native["gender"]["female"].as_f64().unwrap()], share);
        assert_eq!(browser.evaluate("document.querySelector('#age').innerText"), format!("{:.0}", face.age));
        let kind = picture.extension().unwrap().to_string_lossy();
        words.push(format!(
            "{kind} {:.2} years, the program {:.2}",
            face.age,
            native["age"].as_f64().unwrap()
        ));
    }
    let times = (0..5).map(|_| {
        browser.result_after(|browser| browser.click("#use-sample"));
        browser.evaluate("mienApp.lastResult.timings.total").as_f64().unwrap()
    });
    words.push(format!("{:.0} ms", times.fold(f64::INFINITY, f64::min)));
    Passed(words.join("; "))
}

fn engine(Visit { browser, site }: &mut Visit) -> Outcome {
    let adapter = browser.evaluate("(async () => Boolean(await navigator.gpu?.requestAdapter()))()");
    if adapter == true {
        browser.wait_for("mienApp.mien.engine === 'webgpu'");
        assert_is_the_sample(&browser.result_after(|browser| browser.click("#use-sample")));
        return Passed("WebGPU".into());
    }
    // There have been faces, after which it would come.
    assert_eq!(browser.evaluate("mienApp.mien.engine"), "cpu");
    assert!(!site.requested().iter().any(|url| url.contains("mien_gpu")), "{:?}", site.requested());
    let what = if browser.is("navigator.gpu") { "offers WebGPU, and no adapter" } else { "offers no WebGPU" };
    Passed(format!("CPU: it {what}"))
}

fn broken(Visit { browser, .. }: &mut Visit) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("holiday.jpg");
    std::fs::write(&picture, "Dear diary, this is not a picture.").unwrap();
    browser.choose_file(&picture);
    browser.wait_for("mienApp.lastError");
    assert_eq!(browser.evaluate("mienApp.lastError.code"), "bad-picture");
    assert!(browser.is("document.querySelector('#trouble').checkVisibility()"));
    assert!(browser.is("document.querySelector('#trouble-text').innerText.length > 20"));
    assert_is_the_sample(
        &browser.result_after(|browser| browser.choose_file(&repository().join("www/sample.jpg"))),
    );
    Passed(String::new())
}

fn cleared(Visit { browser, .. }: &mut Visit) -> Outcome {
    assert!(
        browser.is("document.querySelector('#photo').checkVisibility() && document.querySelector('.face')")
    );
    browser.click("#clear");
    assert!(
        browser.is("!document.querySelector('#photo').checkVisibility() && !document.querySelector('.face')")
    );
    assert_eq!(browser.evaluate("mienApp.lastResult"), Value::Null);
    Passed(String::new())
}

/// Begun by the keyboard.
fn camera(Visit { browser, .. }: &mut Visit) -> Outcome {
    browser.evaluate("document.querySelector('#start-camera').focus()");
    let seen = browser.result_after(|browser| browser.press(' '));
    let size = browser.evaluate(
        "[document.querySelector('video').videoWidth, document.querySelector('video').videoHeight]",
    );
    assert_eq!(size, json!([seen.width as u32, seen.height as u32]));
    assert_eq!(browser.evaluate("document.documentElement.dataset.state"), "running");
    // Frame after frame.
    for _ in 0..3 {
        browser.result_after(|_| ());
    }
    // What Chromium films is the sample; the others show a pattern of theirs.
    let has_film = browser.kind == Kind::Chromium;
    if has_film {
        browser.wait_for("mienApp.lastResult?.faces[0]?.settled");
        assert_is_the_sample(&browser.result_after(|_| ()));
    }
    let is_off = "!document.querySelector('video').srcObject?.active";
    assert!(!browser.is(is_off));
    browser.click("#freeze");
    browser.wait_for("document.documentElement.dataset.state === 'ready'");
    assert!(browser.is(is_off) && browser.is("document.querySelector('#photo').checkVisibility()"));
    browser.result_after(|browser| browser.click("#start-camera"));
    browser.click("#stop-camera");
    browser.wait_for("document.documentElement.dataset.state === 'ready'");
    assert!(browser.is(is_off) && !browser.is("document.querySelector('#photo').checkVisibility()"));
    Passed(if has_film { "a film of a face" } else { "the browser's own test pattern" }.into())
}

fn kiosk(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.go(&site.page("kiosk.html"));
    browser.wait_for("window.kiosk && document.documentElement.dataset.state !== 'loading'");
    if browser.is("document.querySelector('#start').checkVisibility()") {
        browser.click("#start-screen");
    }
    browser.wait_for("kiosk.lastResult && document.querySelector('#scenes .scene h1')");
    Passed(String::new())
}

/// By the page's own attempt.
fn sealed(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.open(&site.page(""));
    assert_eq!(browser.evaluate("mienApp.mien.isSealed()"), true);
    Passed(String::new())
}

fn silent(Visit { browser, site }: &mut Visit) -> Outcome {
    // The page saves itself first.
    browser.wait_for("document.querySelector('#offline').textContent");
    std::thread::sleep(Duration::from_millis(500));
    let before = site.requested().len();
    assert_is_the_sample(
        &browser.result_after(|browser| browser.choose_file(&repository().join("www/sample.jpg"))),
    );
    for _ in 0..3 {
        browser.result_after(|browser| {
            if browser.is("!document.querySelector('#start-camera').hidden") {
                browser.click("#start-camera")
            }
        });
    }
    browser.click("#stop-camera");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(site.requested()[before..], [""; 0], "with a photo and a camera");
    Passed(String::new())
}

/// After a photo and a camera: no words about them, no databases, no files but the page's.
fn stored(Visit { browser, site }: &mut Visit) -> Outcome {
    let stored = browser.evaluate(
        "(async () => {
            const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
            return {
                words: [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie],
                databases: await indexedDB.databases(),
                files: requests.flat().map(({ url }) => url),
            };
        })()",
    );
    assert_eq!(stored["words"], json!([[], [], ""]));
    assert_eq!(stored["databases"], json!([]));
    let files: Vec<String> = serde_json::from_value(stored["files"].clone()).unwrap();
    assert!(files.iter().any(|url| url.contains("app.js")), "{files:?}");
    for url in &files {
        let file = url.strip_prefix(&site.page("")).unwrap_or_else(|| panic!("{url} is not the page's"));
        let file = file.split('?').next().unwrap();
        assert!(repository().join("dist").join(file).exists(), "{url}");
    }
    Passed(format!("{} files", files.len()))
}

/// Another origin, which notes what it is asked for.
struct Ear {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn listen() -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let notes = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let notes = notes.clone();
                std::thread::spawn(move || {
                    let mut line = String::new();
                    let _ = BufReader::new(&stream).read_line(&mut line);
                    notes.lock().unwrap().push(line);
                    let answer = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Type: text/html\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                    let _ = (&stream).write_all(answer.as_bytes());
                });
            }
        });
        Ear { address, heard }
    }

    fn has_heard(&self, way: &str) -> bool {
        self.heard.lock().unwrap().iter().any(|line| line.contains(&format!("/face-by-{way} ")))
    }
}

/// Some of the ways out; all of them are tried in Chromium (tests/browser/doors.rs).
const WAYS: [&str; 8] = ["fetch", "post", "xhr", "socket", "events", "beacon", "image", "style"];

const TRY_THEM: &str = "(async (to) => {
    const at = (way) => `${to}face-by-${way}`;
    const ways = {
        fetch: () => fetch(at('fetch')),
        post: () => fetch(at('post'), { method: 'POST', body: 'face', mode: 'no-cors' }),
        xhr: () => { const request = new XMLHttpRequest(); request.open('POST', at('xhr')); request.send('face'); },
        socket: () => new WebSocket(at('socket').replace('http', 'ws')),
        events: () => new EventSource(at('events')),
        beacon: () => navigator.sendBeacon(at('beacon'), 'face'),
        image: () => document.body.append(Object.assign(new Image(), { src: at('image') })),
        style: () => { document.body.style.backgroundImage = `url(${at('style')})`; },
    };
    for (const run of Object.values(ways)) try { Promise.resolve(run()).catch(() => {}); } catch {}
    await new Promise((resume) => setTimeout(resume, 1500));
    return Object.keys(ways);
})";

/// From a document without a policy, all of them are heard.
fn unheard(Visit { browser, site }: &mut Visit) -> Outcome {
    let ear = Ear::listen();
    let tries = format!("{TRY_THEM}('{}')", ear.address);
    browser.evaluate(&tries);
    assert!(WAYS.iter().all(|way| !ear.has_heard(way)), "{:?}", ear.heard.lock().unwrap());
    browser.go(&format!("{}/", site.origin()));
    assert_eq!(browser.evaluate(&tries), json!(WAYS));
    for way in WAYS {
        poll(|| ear.has_heard(way).then_some(()))
            .unwrap_or_else(|| panic!("{way} is a way out without a policy"));
    }
    Passed(format!("{} ways out", WAYS.len()))
}

/// The last: the server is gone then.
fn offline(Visit { browser, site }: &mut Visit) -> Outcome {
    browser.open(&site.page(""));
    let picture = repository().join("www/sample.jpg");
    let before = browser.result_after(|browser| browser.choose_file(&picture));
    site.stop();
    browser.reload();
    let after = browser.result_after(|browser| browser.choose_file(&picture));
    assert_is_the_sample(&after);
    assert!((after.faces[0].age - before.faces[0].age).abs() < 0.01);
    Passed(String::new())
}

/// Eileen Collins at about 36.
fn assert_is_the_sample(estimate: &Estimate) {
    assert_eq!(estimate.faces.len(), 1);
    let face = &estimate.faces[0];
    assert!((20.0..=50.0).contains(&face.age), "age {}", face.age);
    assert!(face.bounds[2] > 0.1 * estimate.width, "box {:?}", face.bounds);
}
