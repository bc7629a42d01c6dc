//! Every door that a browser has, tried from inside the page and from inside the worker that sees the pictures:
//! nothing may arrive anywhere else. What is said of it: docs/security.md.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::site::Site;
use crate::support::{poll, repository};

/// Another origin, which writes down all that it is sent, whatever the protocol.
struct Ear {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Ear {
    fn listen() -> Ear {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ear = Ear { port: listener.local_addr().unwrap().port(), heard: Arc::default() };
        let heard = ear.heard.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let heard = heard.clone();
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
                    let mut bytes = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut bytes) {
                        heard.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
                        let answer = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Headers: *\r\n\
                                      Content-Type: text/javascript\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                        let _ = stream.write_all(answer.as_bytes());
                        let _ = stream.shutdown(std::net::Shutdown::Write);
                    }
                });
            }
        });
        ear
    }

    fn address(&self) -> String {
        format!("http://localhost:{}", self.port)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Whether a request of that name has come.
    fn has_heard(&self, name: &str) -> bool {
        self.heard().iter().any(|bytes| bytes.contains(&format!("/face-by-{name} ")))
    }
}

/// `attempts(to, bare)` tries to send a face to that address in every way that both pages and workers have; resolves with what
/// became of each. With the functions that a script kept before they were removed, where there are any.
const ATTEMPTS: &str = r#"
    self.kept ??= { ...Object.fromEntries(['fetch', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource', 'Worker',
        'FontFace', 'caches', 'indexedDB', 'importScripts', 'BroadcastChannel'].map((name) => [name, self[name]])), storage: navigator.storage };
    self.attempt = (name, run) => Promise.race([
        (async () => run())().then(() => [name, 'open'], (error) => [name, `refused: ${error?.name}`]),
        new Promise((resolve) => setTimeout(resolve, 4000, [name, 'silent'])),
    ]);
    self.attempts = async (to) => {
        const at = (name) => `${to}/face-by-${name}`;
        const event = (target, ok) => new Promise((resolve, reject) => {
            target.addEventListener(ok, resolve);
            target.addEventListener('error', reject);
        });
        const blob = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
        return Object.fromEntries(await Promise.all([
            attempt('fetch', () => kept.fetch.call(self, at('fetch'))),
            attempt('fetch-no-cors', () => kept.fetch.call(self, at('fetch-no-cors'), { method: 'POST', body: 'face', mode: 'no-cors', keepalive: true })),
            attempt('xhr', () => {
                const request = new kept.XMLHttpRequest();
                request.open('POST', at('xhr'));
                request.send('face');
                return event(request, 'load');
            }),
            attempt('socket', () => event(new kept.WebSocket(at('socket').replace('http', 'ws')), 'open')),
            attempt('socket-stream', () => new kept.WebSocketStream(at('socket-stream').replace('http', 'ws')).opened),
            attempt('transport', () => new kept.WebTransport(at('transport').replace('http', 'https')).ready),
            attempt('events', () => event(new kept.EventSource(at('events')), 'open')),
            attempt('import', () => import(at('import'))),
            attempt('import-of-import', () => import(blob(`import '${at('import-of-import')}';`))),
            attempt('cache', () => kept.caches.open('mine').then((cache) => cache.add(new Request(at('cache'), { mode: 'no-cors' })))),
            attempt('font', () => new kept.FontFace('face', `url(${at('font')})`).load()),
            attempt('scripts', () => kept.importScripts(at('scripts'))),
            attempt('worker', () => event(new kept.Worker(at('worker')), 'message')),
            attempt('nested', () => event(new kept.Worker(blob(`
                fetch('${at('nested')}', { mode: 'no-cors' }).then(() => postMessage('sent'), (error) => { throw error; })`)), 'message')),
        ]));
    };
"#;

/// And those that only pages have.
const PAGE_ATTEMPTS: &str = r#"
    self.pageAttempts = (to) => {
        const at = (name) => `${to}/face-by-${name}`;
        const made = (tag, properties, parent = document.body) => {
            const element = Object.assign(document.createElement(tag), properties);
            parent.append(element);
            return element;
        };
        const link = (rel, more = {}) => made('link', { rel, href: at(rel), ...more }, document.head);
        const tries = {
            beacon: () => navigator.sendBeacon(at('beacon'), 'face'),
            image: () => made('img', { src: at('image') }),
            'image-set': () => made('img', { srcset: `${at('image-set')} 1x` }),
            style: () => made('p', { textContent: 'x' }).style.setProperty('background', `url(${at('style')})`),
            video: () => made('video', { src: at('video'), preload: 'auto' }),
            poster: () => made('video', { poster: at('poster') }),
            frame: () => made('iframe', { src: at('frame') }),
            object: () => made('object', { data: at('object'), type: 'text/html' }),
            embed: () => made('embed', { src: at('embed'), type: 'text/html' }),
            script: () => made('script', { src: at('script') }),
            ping: () => made('a', { href: '#', ping: at('ping') }).click(),
            form: () => {
                made('iframe', { name: 'target' });
                const form = made('form', { action: at('form'), method: 'post', target: 'target' });
                made('input', { name: 'face', value: 'face' }, form);
                form.submit();
            },
            stylesheet: () => link('stylesheet'),
            prefetch: () => link('prefetch'),
            preload: () => link('preload', { as: 'image' }),
            modulepreload: () => link('modulepreload'),
            icon: () => link('icon'),
            alternate: () => link('alternate stylesheet', { title: 'another' }),
            audio: () => made('audio', { src: at('audio'), preload: 'auto' }),
            source: () => {
                const picture = made('picture', {});
                made('source', { srcset: at('source') }, picture);
                made('img', { src: 'data:,' }, picture);
            },
            drawing: () => {
                const namespace = 'http://www.w3.org/2000/svg';
                const svg = document.body.appendChild(document.createElementNS(namespace, 'svg'));
                svg.appendChild(document.createElementNS(namespace, 'image')).setAttribute('href', at('drawing'));
            },
            input: () => made('input', { type: 'image', src: at('input') }),
            content: () => made('span', {}).style.setProperty('content', `url(${at('content')})`),
            list: () => made('li', { textContent: 'x' }).style.setProperty('list-style-image', `url(${at('list')})`),
            attribute: () => made('p', { textContent: 'x' }).setAttribute('style', `background: url(${at('attribute')})`),
            'style-element': () => made('style', { textContent: `@import url(${at('style-element')})` }, document.head),
            paint: () => CSS.paintWorklet.addModule(at('paint')),
            worklet: () => new AudioContext().audioWorklet.addModule(at('worklet')),
            later: () => fetchLater(at('later'), { method: 'POST', body: 'face', activateAfter: 0 }),
            speculation: () => made('script', { type: 'speculationrules', textContent: JSON.stringify({ prefetch: [{ urls: [at('speculation')] }] }) }, document.head),
            srcdoc: () => made('iframe', { srcdoc: `<img src=${at('srcdoc')}>` }),
            'blob-frame': () => made('iframe', { src: URL.createObjectURL(new Blob([`<img src=${at('blob-frame')}>`], { type: 'text/html' })) }),
            shared: () => new SharedWorker(at('shared')),
            'shared-nested': () => new SharedWorker(URL.createObjectURL(new Blob([`fetch('${at('shared-nested')}', { mode: 'no-cors' })`], { type: 'text/javascript' }))),
            register: () => navigator.serviceWorker.register(at('register')),
            keep: () => navigator.serviceWorker.controller?.postMessage({ keep: 'kiosk', rules: at('keep') }),
            // A worker of the page's own files, with no policy of the page's: were one to run there, it would load what it is told.
            'own-worker': () => {
                const worker = new Worker('/mien/worker.js', { type: 'module' });
                worker.postMessage({ id: 1, type: 'scripts', glue: at('own-worker') });
            },
            // One of the site's own files is a document without a policy.
            'own-frame': () => {
                const frame = made('iframe', { src: '/' });
                frame.onload = () => frame.contentWindow.fetch(at('own-frame'), { mode: 'no-cors' });
            },
        };
        for (const run of Object.values(tries)) try { Promise.resolve(run()).catch(() => {}); } catch {}
        return Object.keys(tries);
    };
"#;

/// What arrives from a page, or from a worker of it, without any policy, with which everything else is compared.
const HEARD_OF_A_BARE_ONE: &[&str] = &[
    "fetch",
    "fetch-no-cors",
    "xhr",
    "socket",
    "events",
    "import",
    "import-of-import",
    "cache",
    "font",
    "nested",
];
/// (A style sheet that is not in use, `alternate`, comes whenever the browser likes.)
const HEARD_OF_A_BARE_PAGE: &[&str] = &[
    "beacon",
    "image",
    "image-set",
    "style",
    "video",
    "poster",
    "frame",
    "object",
    "embed",
    "script",
    "ping",
    "form",
    "stylesheet",
    "prefetch",
    "preload",
    "modulepreload",
    "icon",
    "audio",
    "source",
    "drawing",
    "input",
    "content",
    "list",
    "attribute",
    "style-element",
    "paint",
    "worklet",
    "later",
    "speculation",
    "srcdoc",
    "blob-frame",
    "shared-nested",
    "own-worker",
    "own-frame",
];

fn define(page: &Page, scripts: &[&str]) {
    page.evaluate(&format!("(() => {{ {} }})()", scripts.concat()));
}

/// What was tried has had its time.
fn rest(page: &Page) {
    page.evaluate("new Promise((resume) => setTimeout(resume, 1500))");
}

/// Without a policy all of this goes out: else the tests below would prove nothing.
#[test]
fn without_a_policy_every_door_is_open() {
    let (ear, chromium) = (Ear::listen(), Chromium::start(Options::default()));
    let (site, page) = (Site::start(), chromium.page());
    // As worker.js was: it loads what it is told to.
    site.replace("worker.js", Some("self.onmessage = ({ data }) => import(data.glue);"));
    page.go(&format!("{}/", site.origin()), "document.body");
    define(&page, &[ATTEMPTS, PAGE_ATTEMPTS]);
    page.evaluate(&format!("attempts('{}')", ear.address()));
    page.evaluate(&format!("pageAttempts('{}')", ear.address()));
    for name in HEARD_OF_A_BARE_ONE.iter().chain(HEARD_OF_A_BARE_PAGE) {
        poll(|| ear.has_heard(name).then_some(()))
            .unwrap_or_else(|| panic!("{name} did not arrive: {:#?}", ear.heard()));
    }
}

#[test]
fn the_page_reaches_no_other_site_by_any_door() {
    for address in ["?engine=cpu", "kiosk.html?engine=cpu"] {
        let (ear, chromium) = (Ear::listen(), Chromium::start(Options::default()));
        let (site, page) = (Site::start(), chromium.page());
        page.open(&site.page("?engine=cpu"));
        page.settles(); // with the service worker in charge
        if address.contains("kiosk") {
            page.go(&site.page(address), "window.kiosk && document.readyState === 'complete'");
        }
        page.wait_for("navigator.serviceWorker.controller");
        define(&page, &[ATTEMPTS, PAGE_ATTEMPTS]);
        let came_of_it = page.evaluate(&format!("attempts('{}')", ear.address()));
        assert_all_refused(&came_of_it);
        page.evaluate(&format!("pageAttempts('{}')", ear.address()));
        rest(&page);
        assert_eq!(ear.heard(), Vec::<String>::new(), "{address}");

        // What remains: its own site, which the policy names.
        let own = page.evaluate(
            "fetch('./face-by-own', { method: 'POST', body: 'face' }).then(({ status }) => status)",
        );
        assert_eq!(own, 405, "mien serve, as every static site, takes nothing");
        assert!(site.requested().iter().any(|url| url.ends_with("/face-by-own")));
    }
}

/// Not even its own site. With functions that were kept before worker.js removed them, too.
#[test]
fn the_worker_that_sees_pictures_reaches_nothing_at_all() {
    for engine in ["cpu", "webgpu"] {
        let options = Options { webgpu: engine == "webgpu", ..Options::default() };
        let (ear, chromium) = (Ear::listen(), Chromium::start(options));
        let (site, page) = (Site::start(), chromium.page());
        site.small_sample();
        site.before_workers(ATTEMPTS);
        page.open(&site.page(&format!("?engine={engine}")));
        assert_eq!(page.evaluate("mienApp.mien.isSealed()"), true);
        page.evaluate("document.querySelector('#private').scrollIntoView()");
        page.wait_for("document.querySelector('#sealed').textContent.includes('it cannot')");
        page.settles();
        let worker = page.worker(&format!("mien-{engine}"));
        for to in [ear.address(), site.origin().to_owned()] {
            assert_all_refused(&worker.evaluate(&format!("attempts('{to}')")));
        }
        // By the prototype, if the browser has it there.
        let by_prototype = worker.evaluate(&format!(
            "Promise.resolve().then(() => WorkerGlobalScope.prototype.fetch.call(self, '{}/face-by-prototype')).then(() => 'open', () => 'refused')",
            ear.address()
        ));
        assert_eq!(by_prototype, "refused");
        rest(&page);
        assert_eq!(ear.heard(), Vec::<String>::new(), "{engine}");
        let own: Vec<_> = site.requested().into_iter().filter(|url| url.contains("face-by")).collect();
        assert_eq!(own, Vec::<String>::new(), "{engine}");
        // And it still does what it is there for.
        assert_eq!(page.estimate_after(|page| page.click("#use-sample")).engine, engine);
    }
}

/// These stay on the device, and no browser's policy closes them: the worker has given them up before the
/// program is loaded.
#[test]
fn the_worker_has_nowhere_to_store_a_picture() {
    let chromium = Chromium::start(Options::default());
    let (site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    let left = page.worker("mien-cpu").evaluate(
        "(() => {
            const left = ['caches', 'indexedDB', 'BroadcastChannel', 'Worker', 'SharedWorker', 'webkitRequestFileSystem', 'fetch', 'XMLHttpRequest',
                'WebSocket', 'importScripts'].filter((name) => name in self);
            return [...left, ...['storage', 'storageBuckets', 'serviceWorker'].filter((name) => name in navigator)];
        })()",
    );
    assert_eq!(left, json!([]));
    // After use, the browser has nothing but the site's own files.
    page.estimate_after(|page| page.click("#use-sample"));
    page.settles();
    let stored = page.evaluate(
        "(async () => {
            const stored = [];
            for (const name of await caches.keys()) for (const { url } of await (await caches.open(name)).keys()) stored.push(url);
            const files = [];
            for await (const name of (await navigator.storage.getDirectory()).keys()) files.push(name);
            const databases = (await indexedDB.databases()).map(({ name }) => name);
            return { stored, files, databases, local: localStorage.length + sessionStorage.length, cookies: document.cookie };
        })()",
    );
    for url in stored["stored"].as_array().unwrap() {
        let path = url.as_str().unwrap().strip_prefix(&site.page("")).expect("below the page").to_owned();
        assert!(
            path.is_empty() || repository().join("dist").join(&path).is_file(),
            "{path} is no file of the site"
        );
    }
    let none = json!([]);
    assert_eq!([&stored["files"], &stored["databases"]], [&none, &none]);
    assert_eq!([&stored["local"], &stored["cookies"]], [&json!(0), &json!("")]);
}

/// What a page's policy cannot forbid (another address in this window or a new one, connections between browsers, look-ups of names)
/// is nowhere in the scripts; nor is any worker but a sealed one.
#[test]
fn scripts_name_no_way_out_that_a_policy_leaves_open() {
    let mut scripts = Vec::new();
    let mut folders = vec![repository().join("www")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|it| it == "js" || it == "html") {
                scripts.push(entry);
            }
        }
    }
    assert!(scripts.len() > 20);
    for script in scripts {
        let mut text = std::fs::read_to_string(&script).unwrap();
        if script.ends_with("lib/traffic.js") {
            // It watches them.
            let watched = "['WebSocket', 'WebSocketStream', 'WebTransport', 'RTCPeerConnection']";
            assert!(text.contains(watched));
            text = text.replace(watched, "");
        }
        for word in [
            "RTCPeerConnection",
            "window.open",
            "location.assign",
            "location.href =",
            "dns-prefetch",
            "preconnect",
        ] {
            assert!(!text.contains(word), "{}: {word}", script.display());
        }
        // Only to this page itself.
        let elsewhere = text
            .match_indices("location.replace(")
            .any(|(at, _)| !text[at..].starts_with("location.replace(location.pathname)"));
        assert!(!elsewhere, "{}", script.display());
        let makes_workers = text.contains("new Worker(") || text.contains("new SharedWorker(");
        assert_eq!(makes_workers, script.ends_with("lib/sealed.js"), "{}", script.display());
    }
}

fn assert_all_refused(came_of_it: &Value) {
    for (name, outcome) in came_of_it.as_object().unwrap() {
        assert!(!outcome.as_str().unwrap().starts_with("open"), "{name}: {outcome}");
    }
}
