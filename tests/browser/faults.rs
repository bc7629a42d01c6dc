//! What browsers and networks do to a page: it recovers, or says in a sentence what to do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use image::imageops;
use serde_json::{Value, json};

use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::site::Site;
use crate::support::{poll, repository, sample};
use crate::{assert_is_the_sample, visit};

/// A network between the browser and the site, on which a file breaks off in its middle or comes as another type.
struct Network {
    origin: String,
    broken: Arc<Mutex<Option<(String, Break)>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Break {
    Middle,
    /// There, too, and nobody says so.
    Silence,
    Type,
    /// Not broken: every file of that ending has the headers of a page that is isolated from others.
    Isolated,
}

impl Network {
    fn to(site: &Site) -> Network {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let broken: Arc<Mutex<Option<(String, Break)>>> = Arc::default();
        let (answers, server) = (broken.clone(), site.origin().replace("http://", ""));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (broken, server) = (answers.clone(), server.clone());
                std::thread::spawn(move || relay(stream, &server, &broken));
            }
        });
        Network { origin, broken }
    }

    fn page(&self, query: &str) -> String {
        format!("{}/mien/{query}", self.origin)
    }

    fn breaks(&self, file: &str, how: Break) {
        *self.broken.lock().unwrap() = Some((file.to_owned(), how));
    }

    fn mends(&self) {
        *self.broken.lock().unwrap() = None;
    }
}

/// One request and its answer.
fn relay(mut stream: TcpStream, server: &str, lock: &Mutex<Option<(String, Break)>>) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1)?.to_owned();
    let mut upstream = TcpStream::connect(server).ok()?;
    write!(upstream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).ok()?;
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let broken = lock.lock().unwrap().clone();
    match broken.filter(|(file, _)| {
        path.split('?').next().is_some_and(|path| path.ends_with(&format!("/{file}")) || file.is_empty())
    }) {
        Some((_, Break::Middle)) => answer.truncate(body + (answer.len() - body) / 2),
        Some((_, Break::Silence)) => {
            stream.write_all(&answer[..body + (answer.len() - body) / 2]).ok()?;
            while lock.lock().unwrap().is_some() {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            return None;
        }
        Some((_, Break::Type)) => {
            let head = String::from_utf8_lossy(&answer[..body]).replace("text/javascript", "text/plain");
            answer = [head.as_bytes(), &answer[body..]].concat();
        }
        Some((_, Break::Isolated)) => {
            let headers = "\r\nCross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Embedder-Policy: require-corp\r\n\r\n";
            answer.splice(body - 4..body, headers.bytes());
        }
        None => {}
    }
    stream.write_all(&answer).ok()
}

/// Everything that the page asks for before its first result, but for its look.
fn needed() -> Vec<String> {
    let page = std::fs::read_to_string(repository().join("dist/index.html")).unwrap();
    let named = page
        .split('"')
        .map(|it| it.split('?').next().unwrap())
        .filter(|it| it.ends_with(".js") || it.ends_with(".safetensors"));
    let mut files: Vec<String> = named.map(str::to_owned).collect();
    files.extend(["pkg/mien_cpu_relaxed.js", "pkg/mien_cpu_relaxed_bg.wasm"].map(str::to_owned));
    files.sort();
    files.dedup();
    files
}

fn is_told(page: &Page, file: &str) {
    page.wait_for("document.documentElement?.dataset.state === 'error'");
    let words = page.words();
    let says =
        ["online", "Try again", "broke off", "loaded", "incomplete"].iter().any(|it| words.contains(it));
    assert!(says && !words.contains("Getting ready"), "{file}: {words}");
}

#[test]
fn a_network_that_breaks_off_in_any_file_is_told_and_another_try_mends_it() {
    let files = needed();
    assert!(files.len() > 15, "{files:?}");
    visit_over_network(|network, page| {
        for file in &files {
            network.breaks(file, Break::Middle);
            page.evaluate("window.leaving = true");
            // With another address each time, since a broken copy is the browser's, and not to be asked for again.
            page.go(
                &network.page(&format!("?engine=cpu&without={}", file.replace('/', "-"))),
                "document.body",
            );
            is_told(page, file);
            network.mends();
            if page.evaluate("window.mienApp && !document.querySelector('#trouble-action').hidden") == true {
                page.click("#trouble-action");
            } else {
                page.evaluate("(window.leaving = true, location.reload())");
            }
            page.wait_for("!window.leaving && document.documentElement.dataset.state === 'ready'");
        }
    });
}

/// Of the page's look nothing hangs.
#[test]
fn a_network_that_falls_silent_in_any_file_is_told_and_another_try_mends_it() {
    let chromium = Chromium::start(Options::default());
    let site = Site::start();
    let (network, page) = (Network::to(&site), chromium.page());
    // A tenth of the patience.
    site.prepend(
        "start.js",
        "const { setInterval } = window;
        window.setInterval = (run, ms, ...rest) => setInterval(run, ms === 1000 ? 100 : ms, ...rest);",
    );
    site.write("sw.js", None);
    let address = |file: &str| network.page(&format!("?engine=cpu&without={}", file.replace('/', "-")));
    for file in
        ["weights/lite.safetensors", "pkg/mien_cpu_relaxed_bg.wasm", "pkg/mien_cpu_relaxed.js", "worker.js"]
    {
        network.breaks(file, Break::Silence);
        page.evaluate("window.leaving = true");
        page.go(&address(file), "document.body");
        is_told(&page, file);
        let code = page.evaluate("mienApp.lastError.code");
        assert!(code == "download" || code == "weights", "{file}: {code}, {}", page.words());
        network.mends();
        page.click("#trouble-action");
        page.wait_for("document.documentElement.dataset.state === 'ready'");
    }
    // By those that browsers fetch for themselves, the page has no buttons yet.
    for (file, is_needed) in [("app.js", true), ("style.css", false)] {
        network.breaks(file, Break::Silence);
        page.evaluate("window.leaving = true");
        page.go(&address(file), "document.body");
        if is_needed {
            page.wait_for("document.querySelector('#status').textContent.includes('slow to come')");
        } else {
            page.wait_for("document.documentElement.dataset.state === 'ready'");
            assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        }
        network.mends();
    }
    network.breaks("style.css", Break::Middle);
    page.go(
        &network.page("?engine=cpu&without=half-a-style"),
        "document.documentElement.dataset.state === 'ready'",
    );
    assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
}

/// It is ended before it has begun, of which a browser tells nobody.
#[test]
fn a_worker_that_never_starts_is_told() {
    visit(Options::default(), |site, page| {
        let own = site.read("worker.js");
        site.replace("worker.js", Some("self.close();"));
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 60000 ? 3000 : ms, ...rest);",
        );
        page.go(&site.page("?engine=cpu"), "document.documentElement.dataset.state === 'error'");
        assert_eq!(page.evaluate("mienApp.lastError.code"), "download");
        assert!(page.words().contains("does not start"), "{}", page.words());
        site.replace("worker.js", Some(&own));
        page.evaluate("navigator.serviceWorker.getRegistration().then((it) => it?.unregister())");
        page.click("#trouble-action");
        page.wait_for("document.documentElement.dataset.state === 'ready'");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

/// Browsers say that they could not read what they have stored, or hang on to a part of it.
#[test]
fn a_store_that_cannot_be_read_is_done_without() {
    visit(Options::default(), |site, page| {
        site.prepend(
            "sw.js",
            "const match = caches.match.bind(caches);
            caches.match = (request, ...rest) => (String(request.url ?? request).includes('about/') ? match(request, ...rest)
                : self.broken ? Promise.reject(new DOMException('', 'UnknownError')) : match(request, ...rest));
            addEventListener('message', ({ data }) => { if (data === 'break') self.broken = true; });",
        );
        page.open(&site.page("?engine=cpu"));
        page.settles();
        page.wait_for("navigator.serviceWorker.controller && document.querySelector('#offline').textContent");
        page.evaluate("navigator.serviceWorker.controller.postMessage('break')");
        page.reload();
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

/// As by a server that does not say how long it is.
#[test]
fn a_page_that_came_in_part_is_told() {
    let whole = std::fs::read_to_string(repository().join("dist/index.html")).unwrap();
    visit(Options::default(), |site, page| {
        for end in ["<section id=\"stage\"", "<section id=\"readout\"", "<footer"] {
            site.write("part.html", Some(whole.split(end).next().unwrap()));
            page.go(
                &site.page("part.html?engine=cpu"),
                "document.documentElement?.dataset.state === 'error'",
            );
            let words = page.evaluate("document.body.innerText");
            assert!(words.as_str().unwrap().contains("came incomplete"), "{end}: {words}");
        }
    });
}

#[test]
fn scripts_of_another_type_and_files_without_a_server_are_told() {
    visit_over_network(|network, page| {
        network.breaks("app.js", Break::Type);
        page.go(&network.page(""), "document.documentElement?.dataset.state === 'error'");
        assert!(page.words().contains("text/javascript"), "{}", page.words());
        for file in ["index.html", "kiosk.html"] {
            let address = format!("file://{}", repository().join("dist").join(file).display());
            page.go(&address, "document.documentElement?.dataset.state === 'error'");
            let words = page.words();
            assert!(words.contains("web server") && words.contains("http.server"), "{file}: {words}");
        }
    });
}

/// With the headers that some sites send, for shared memory.
#[test]
fn an_isolated_page_works() {
    visit_over_network(|network, page| {
        network.breaks("", Break::Isolated);
        page.open(&network.page("?engine=cpu"));
        assert_eq!(page.evaluate("crossOriginIsolated"), true);
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

/// As browsers do that hide which device it is: all pixels random, or a little noise.
#[test]
fn pixels_that_a_browser_scrambles_are_told_and_a_little_noise_is_not() {
    for (noise, is_told) in [(255, true), (2, false)] {
        visit(Options::default(), |site, page| {
            site.before_workers(&format!(
                "const {{ getImageData }} = OffscreenCanvasRenderingContext2D.prototype;
                OffscreenCanvasRenderingContext2D.prototype.getImageData = function (...args) {{
                    const image = getImageData.apply(this, args);
                    for (let at = 0; at < image.data.length; at += 4) image.data[at] = ({noise} > 9 ? 0 : image.data[at]) + {noise} * Math.random();
                    return image;
                }};"
            ));
            page.open(&site.page("?engine=cpu"));
            if is_told {
                page.click("#use-sample");
                page.wait_for("mienApp.lastError");
                assert_eq!(page.evaluate("mienApp.lastError.code"), "bad-picture");
                assert!(page.words().contains("Allow this page to read"), "{}", page.words());
            } else {
                assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
            }
        });
    }
}

/// Not `visit`: what a page asks for goes by another address here.
fn visit_over_network(test: impl FnOnce(&Network, &Page)) {
    let chromium = Chromium::start(Options::default());
    let site = Site::start();
    let (network, page) = (Network::to(&site), chromium.page());
    // The service worker would answer in the network's place.
    site.write("sw.js", None);
    test(&network, &page);
}

// ---- engines ----

#[test]
fn a_graphics_process_that_dies_leaves_the_cpu_at_work() {
    let chromium = Chromium::start(Options { camera: true, webgpu: true, ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    site.small_sample();
    page.open(&site.page("?engine=webgpu"));
    let estimate = page.estimate_after(|page| page.click("#start-camera"));
    assert_eq!(estimate.engine, "webgpu");
    // It ends before it answers.
    let _ = chromium.connection().try_call("", "Browser.crashGpuProcess", json!({}));
    page.wait_for("mienApp.lastResult?.engine === 'cpu' && mienApp.lastResult.faces.length === 1");
    assert_eq!(
        page.evaluate("[mienApp.lastError, document.documentElement.dataset.state]"),
        json!([null, "running"])
    );
}

#[test]
fn an_adapter_that_vanishes_is_told_or_done_without() {
    let gone = "if (self.name === 'mien-webgpu') GPU.prototype.requestAdapter = async () => null;";
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        site.before_workers(gone);
        page.go(&site.page("?engine=webgpu"), "document.documentElement.dataset.state === 'error'");
        assert_eq!(page.evaluate("mienApp.lastError.code"), "no-webgpu");
        assert!(page.words().contains("Use the CPU"), "{}", page.words());
        page.open(&site.page(""));
        page.estimate_after(|page| page.click("#use-sample"));
        poll(|| site.requested().iter().any(|url| url.contains("mien_gpu_bg")).then_some(()))
            .expect("it is tried");
        page.evaluate("new Promise((resume) => setTimeout(resume, 1000))");
        let estimate = page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(estimate.engine, "cpu");
        assert_eq!(page.evaluate("mienApp.lastError"), Value::Null);
    });
}

/// What is dropped is there until the browser's collector thinks of it, if nobody destroys it.
#[test]
fn pictures_of_many_sizes_leave_nothing_on_the_gpu() {
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        site.before_workers(
            "self.setTimeout = () => {};
            self.live = { textures: new Set(), buffers: new Set() };
            if (self.name === 'mien-webgpu') {
                const watch = (make, made, objects) => {
                    const [create, { destroy }] = [GPUDevice.prototype[make], made.prototype];
                    GPUDevice.prototype[make] = function (...args) {
                        const object = create.apply(this, args);
                        objects.add(object);
                        return object;
                    };
                    made.prototype.destroy = function () {
                        objects.delete(this);
                        return destroy.call(this);
                    };
                };
                watch('createTexture', GPUTexture, live.textures);
                watch('createBuffer', GPUBuffer, live.buffers);
            }",
        );
        page.open(&site.page("?engine=webgpu"));
        let worker = page.worker("mien-webgpu");
        let mut counts = Vec::new();
        for sides in [[300, 340, 380], [420, 460, 500], [320, 360, 400], [310, 350, 390], [300, 440, 500]] {
            let engines = page.evaluate(&format!(
                "(async () => {{
                    const sample = await createImageBitmap(await (await fetch('sample.jpg')).blob());
                    const engines = [];
                    for (const side of {sides:?}) {{
                        const canvas = new OffscreenCanvas(side, side);
                        canvas.getContext('2d').drawImage(sample, 0, 0, side, side);
                        engines.push((await mienApp.mien.estimate(canvas)).engine);
                    }}
                    return engines;
                }})()"
            ));
            assert_eq!(engines, json!(["webgpu", "webgpu", "webgpu"]));
            counts.push(worker.evaluate("[live.textures.size, live.buffers.size]"));
        }
        println!("{counts:?}");
        // The last picture's.
        assert!(counts.iter().all(|count| count[0] == 1), "{counts:?}");
        // burn's own are a pool, which is whole after a while.
        let buffers = counts.iter().map(|count| count[1].as_u64().unwrap()).collect::<Vec<_>>();
        assert!(buffers[4] <= buffers[3] + 1, "{counts:?}");
    });
}

/// A graphics driver that computes nothing, and fast.
#[test]
fn an_engine_that_sees_other_faces_is_not_taken_however_fast() {
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        site.before_workers(
            "if (self.name === 'mien-webgpu') {
                const { createShaderModule } = GPUDevice.prototype;
                GPUDevice.prototype.createShaderModule = function ({ code, ...rest }) {
                    return createShaderModule.call(this, { ...rest, code: code.replaceAll('textureLoad(', '0.0 * textureLoad(') });
                };
            } else {
                const now = performance.now.bind(performance);
                performance.now = () => 1000 * now();
            }",
        );
        page.open(&site.page("?engine=auto"));
        page.estimate_after(|page| page.click("#use-sample"));
        poll(|| site.requested().iter().any(|url| url.contains("mien_gpu_bg")).then_some(()))
            .expect("it is tried");
        poll(|| page.has_worker("mien-webgpu").then_some(())).expect("it is started");
        poll(|| (!page.has_worker("mien-webgpu")).then_some(())).expect("it is dropped");
        assert_eq!(
            page.evaluate("[mienApp.mien.engine, mienApp.mien.comparison ?? null]"),
            json!(["cpu", null])
        );
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

#[test]
fn a_worker_that_the_browser_ends_is_replaced() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms >= 15000 ? 8000 : ms, ...rest);",
        );
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        // With the document that started it, and without a word to anybody.
        page.evaluate("document.querySelector('iframe').remove()");
        // A photo that went with the worker is told about, and the next one is read.
        page.click("#use-sample");
        page.wait_for("mienApp.lastError");
        assert!(
            page.words().contains("does not answer") && page.words().contains("Try again"),
            "{}",
            page.words()
        );
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        page.estimate_after(|page| page.click("#start-camera"));
        page.evaluate("document.querySelector('iframe').remove()");
        page.evaluate("void (window.before = mienApp.lastResult)");
        page.wait_for("mienApp.lastResult !== before && mienApp.lastResult?.faces.length === 1");
        assert_eq!(page.evaluate("document.documentElement.dataset.state"), "running");
    });
}

/// As Chromium does now and then, under load: an error that says nothing.
#[test]
fn a_worker_that_fails_without_a_reason_is_started_once_more() {
    visit(Options::default(), |site, page| {
        site.prepend(
            "start.js",
            "window.failed = 0;
            const { append } = Element.prototype;
            Element.prototype.append = function (...nodes) {
                append.apply(this, nodes);
                for (const { contentWindow: room } of nodes) {
                    if (!room) continue;
                    room.Worker = class extends room.Worker {
                        constructor(...args) {
                            super(...args);
                            if (failed < 1) setTimeout(() => this.dispatchEvent(new Event('error')));
                            window.failed += 1;
                        }
                    };
                }
            };",
        );
        page.open(&site.page("?engine=cpu"));
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        assert!(page.evaluate("failed").as_u64().unwrap() >= 2);
    });
}

/// A real trap of the module: there is no memory left to put a picture into.
#[test]
fn an_exhausted_memory_is_told_and_the_next_picture_works() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("large.png");
    imageops::resize(&sample().to_rgb8(), 1900, 1900, imageops::FilterType::Triangle).save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        site.before_workers(
            "self.setTimeout = () => {};
            const { instantiateStreaming } = WebAssembly;
            WebAssembly.instantiateStreaming = async (...args) => {
                const made = await instantiateStreaming(...args);
                self.memory = made.instance.exports.memory;
                return made;
            };",
        );
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        page.worker("mien-cpu").evaluate(
            "(() => {
                for (let pages = 65536; pages >= 1;) {
                    try { memory.grow(pages); } catch { pages = Math.floor(pages / 2); }
                }
            })()",
        );
        page.choose_file(&picture);
        page.wait_for("mienApp.lastError");
        assert_eq!(page.evaluate("mienApp.lastError.code"), "estimate");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        assert_is_the_sample(&page.estimate_after(|page| page.choose_file(&picture)));
    });
}

/// The limit of a GPU is for its work, not for those who wait.
#[test]
fn many_photos_at_once_do_not_stop_a_healthy_gpu_and_are_answered_in_order() {
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        // Each message takes a moment, together longer than the limit, which is shorter here.
        site.before_workers(
            "let turn = Promise.resolve();
            const { setTimeout: later } = self;
            let handle;
            Object.defineProperty(self, 'onmessage', { set: (own) => (handle = own) });
            self.addEventListener('message', (event) => {
                turn = turn.then(() => new Promise((resume) => later(resume, 150))).then(() => handle(event));
            });",
        );
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 8000 ? 2500 : ms, ...rest);",
        );
        page.open(&site.page("?engine=webgpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let seen = page.evaluate(
            "(async () => {
                const blob = await (await fetch('sample.jpg')).blob();
                const order = [];
                const results = await Promise.all(Array.from({ length: 30 }, (_, index) => {
                    // What is decoded and what is there at once, by turns.
                    const source = index % 2 ? new ImageData(64, 64) : blob;
                    return mienApp.mien.estimate(source).finally(() => order.push(index));
                }));
                return { engines: [...new Set(results.map(({ engine }) => engine))], sorted: order.every((it, index) => it === index) };
            })()",
        );
        assert_eq!(seen, json!({ "engines": ["webgpu"], "sorted": true }));
    });
}

// ---- pictures ----

/// Browsers that know `createImageBitmap` refuse a picture by options that they do not know, and some cannot resize.
#[test]
fn older_browsers_and_the_largest_pictures() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(() => {
                const { createImageBitmap } = window;
                window.createImageBitmap = async (source, options = {}) => {
                    if (options.imageOrientation === 'from-image') throw new TypeError('not a value of ImageOrientation');
                    if (options.resizeWidth) throw new DOMException('no', 'InvalidStateError');
                    return createImageBitmap(source, options);
                };
            })()",
        );
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
        let came = page.evaluate(
            "(async () => {
                const canvas = new OffscreenCanvas(5000, 4000);
                canvas.getContext('2d').fillRect(0, 0, 1, 1);
                const error = await mienApp.mien.estimate(canvas).then(() => undefined, (error) => error);
                const next = await mienApp.mien.estimate(new ImageData(64, 64));
                return [error.name, error.code, error.message.includes('smaller'), next.faces.length];
            })()",
        );
        assert_eq!(came, json!(["MienError", "bad-picture", true, 0]));
    });
}

/// Whatever a picture comes in: what is transparent is over white, on both engines.
#[test]
fn every_kind_of_source_has_white_behind_it() {
    for engine in ["cpu", "webgpu"] {
        visit(Options { webgpu: engine == "webgpu", ..Options::default() }, |site, page| {
            page.open(&site.page(&format!("?engine={engine}&model=d-cnn")));
            let ages = page.evaluate(
                "(async () => {
                    const SIDE = 192; // seen in one pass: a graphics device of software is slow
                    const sample = await createImageBitmap(await (await fetch('sample.jpg')).blob());
                    const drawn = (alpha, background, canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE })) => {
                        const context = canvas.getContext('2d');
                        if (background) {
                            context.fillStyle = background;
                            context.fillRect(0, 0, SIDE, SIDE);
                        }
                        context.globalAlpha = alpha;
                        context.drawImage(sample, 0, 0, SIDE, SIDE);
                        return canvas;
                    };
                    const age = async (source) => {
                        const { engine, faces } = await mienApp.mien.estimate(source);
                        return [engine, faces.length, faces[0]?.age];
                    };
                    const veiled = drawn(0.6);
                    const png = await new Promise((resolve) => veiled.toBlob(resolve));
                    const image = Object.assign(new Image(), { src: URL.createObjectURL(png) });
                    const frame = document.body.appendChild(document.createElement('iframe'));
                    const sources = {
                        white: drawn(0.6, '#fff'),
                        canvas: veiled,
                        offscreen: drawn(0.6, undefined, new OffscreenCanvas(SIDE, SIDE)),
                        data: veiled.getContext('2d').getImageData(0, 0, SIDE, SIDE),
                        bitmap: await createImageBitmap(veiled),
                        image,
                        file: new File([png], 'veiled.png'),
                        // Of another window.
                        foreign: drawn(0.6, undefined, Object.assign(frame.contentDocument.createElement('canvas'), { width: SIDE, height: SIDE })),
                        ghost: drawn(0),
                    };
                    const ages = {};
                    for (const [name, source] of Object.entries(sources)) ages[name] = await age(source);
                    // Where video frames can't be made, and of a canvas of another size before it.
                    await mienApp.mien.estimate(drawn(0.6, undefined, new OffscreenCanvas(300, SIDE)));
                    ages.resized = await age(veiled);
                    const { VideoFrame } = window;
                    window.VideoFrame = class { constructor() { throw new DOMException('no', 'SecurityError'); } };
                    ages.unframed = await age(veiled);
                    window.VideoFrame = VideoFrame;
                    ages.framed = await age(veiled);
                    return ages;
                })()",
            );
            let expected = ages["white"][2].as_f64().unwrap();
            for (name, seen) in ages.as_object().unwrap() {
                if name == "ghost" {
                    assert_eq!(seen[1], 0, "{engine}: {ages}");
                } else {
                    assert_eq!((&seen[0], &seen[1]), (&json!(engine), &json!(1)), "{engine}, {name}: {ages}");
                    let age = seen[2].as_f64().unwrap();
                    assert!((age - expected).abs() < 1.0, "{engine}, {name}: {age} and {expected}");
                }
            }
        });
    }
}

/// Between one photo and the answer to the next, nothing of the former is drawn.
#[test]
fn no_frame_of_a_former_photo_is_over_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("small.png");
    imageops::resize(&sample().to_rgb8(), 300, 300, imageops::FilterType::Triangle).save(&picture).unwrap();
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        page.evaluate(
            "(() => {
                const { mien } = mienApp;
                const estimate = mien.estimate.bind(mien);
                mien.estimate = (...args) => new Promise((resolve) => (window.answer = () => resolve(estimate(...args))));
            })()",
        );
        let nothing_is_drawn = || {
            page.resize(700, 600, false);
            page.resize(1000, 700, false);
            page.screenshot();
            assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 0);
        };
        page.choose_file(&picture);
        page.wait_for("window.answer && !document.querySelector('#photo').hidden");
        nothing_is_drawn();
        page.estimate_after(|page| {
            page.evaluate("answer()");
        });
        page.evaluate("window.answer = undefined");
        page.click("#start-camera");
        page.wait_for("window.answer && !document.querySelector('#video').hidden");
        nothing_is_drawn();
    });
}

// ---- cameras ----

/// Three cameras, of which `gone` and `busy` ones cannot be had.
const CAMERAS: &str = "
    window.cameras = { ids: ['a', 'b', 'c'], gone: [], busy: [], opened: [] };
    const { mediaDevices } = navigator;
    const getUserMedia = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.enumerateDevices = async () => cameras.ids.map((deviceId) => ({ deviceId, kind: 'videoinput' }));
    mediaDevices.getUserMedia = async ({ video: { deviceId } }) => {
        const id = deviceId?.exact ?? cameras.ids[0];
        if (!cameras.ids.includes(id)) throw new DOMException('', 'OverconstrainedError');
        if (cameras.busy.includes(id)) throw new DOMException('', 'NotReadableError');
        const stream = await getUserMedia({ video: true });
        const [track] = stream.getVideoTracks();
        // A computer's cameras may all look the same way.
        track.getSettings = () => ({ deviceId: id, facingMode: 'user' });
        cameras.opened.push(id);
        return stream;
    };
";

#[test]
fn every_camera_is_reached_and_one_that_is_gone_or_busy_is_forgotten() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        site.prepend("start.js", CAMERAS);
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#start-camera"));
        for count in 2..=4 {
            page.click("#switch-camera");
            page.wait_for(&format!("cameras.opened.length === {count}"));
            // By this camera, and not by the one before: a tap while it starts would be for nothing.
            page.estimate_after(|_| ());
            page.wait_for("!document.querySelector('#switch-camera').hidden");
        }
        assert_eq!(page.evaluate("cameras.opened"), json!(["a", "b", "c", "a"]));
        // The next one is busy: said, and not asked for again.
        page.evaluate("void cameras.busy.push('b')");
        page.click("#switch-camera");
        page.wait_for("mienApp.lastError");
        assert!(page.words().contains("busy"), "{}", page.words());
        page.estimate_after(|page| page.click("#start-camera"));
        page.evaluate("void (cameras.busy = [])");
        page.click("#switch-camera");
        page.wait_for(
            "cameras.opened.at(-1) === 'b' && document.documentElement.dataset.state === 'running'",
        );
        // The chosen one is unplugged: any other.
        page.click("#stop-camera");
        page.evaluate("void (cameras.ids = ['c'])");
        page.estimate_after(|page| page.click("#start-camera"));
        assert_eq!(page.evaluate("cameras.opened.at(-1)"), "c");
    });
}

const TRACK: &str = "document.querySelector('video').srcObject?.getVideoTracks()[0]";

/// As one behind a closed switch, or another program's.
#[test]
fn a_camera_that_sends_nothing_is_told() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        site.prepend(
            "start.js",
            "const { setTimeout } = window;
            window.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === 15000 ? 1000 : ms, ...rest);
            const { play } = HTMLVideoElement.prototype;
            HTMLVideoElement.prototype.play = function () { return window.sends ? play.call(this) : new Promise(() => {}); };",
        );
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        page.wait_for("mienApp.lastError");
        assert!(page.words().contains("sends no picture"), "{}", page.words());
        page.evaluate("window.sends = true");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#start-camera")));
    });
}

#[test]
fn a_camera_that_is_paused_taken_or_forbidden_is_told() {
    let chromium = Chromium::start(Options { camera: true, ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.estimate_after(|page| page.click("#start-camera"));
    // A call comes in, and ends.
    let mute = |muted: bool| {
        page.evaluate(&format!(
            "(() => {{
                const track = {TRACK};
                Object.defineProperty(track, 'muted', {{ configurable: true, value: {muted} }});
                track.dispatchEvent(new Event(track.muted ? 'mute' : 'unmute'));
            }})()"
        ));
    };
    mute(true);
    page.wait_for("document.querySelector('#status').innerText.includes('paused')");
    page.evaluate("new Promise((resume) => setTimeout(resume, 1500))");
    assert!(page.words().contains("goes on by itself"), "{}", page.words());
    page.estimate_after(|_| mute(false));
    page.wait_for("!document.querySelector('#status').innerText.includes('paused')");

    // Unplugged, or another program's.
    page.evaluate(&format!("{TRACK}.dispatchEvent(new Event('ended'))"));
    page.wait_for("mienApp.lastError");
    assert!(page.words().contains("has gone") && page.words().contains("Start it again"), "{}", page.words());

    // Forbidden while it runs.
    page.estimate_after(|page| page.click("#start-camera"));
    let permission =
        json!({ "origin": site.origin(), "permission": { "name": "camera" }, "setting": "denied" });
    chromium.connection().call("", "Browser.setPermission", permission);
    page.evaluate(&format!("{TRACK}?.dispatchEvent(new Event('ended'))"));
    page.wait_for("mienApp.lastError");
    assert!(
        page.words().contains("not allowed") && page.words().contains("Allow the camera"),
        "{}",
        page.words()
    );
    assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
}

// ---- the tab ----

#[test]
fn a_tab_that_was_frozen_goes_on() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#start-camera"));
        page.freeze();
        std::thread::sleep(std::time::Duration::from_secs(2));
        page.thaw();
        page.estimate_after(|_| ());
        assert_eq!(page.evaluate("document.documentElement.dataset.state"), "running");
        // Nor is that time one in which anybody has waited for an engine.
        page.evaluate(
            "void import('./lib/all.js').then(({ after }) => {
                window.ended = [];
                after(2000, () => ended.push('waited'));
                after(2000, () => ended.push('called off'))();
            })",
        );
        page.freeze();
        std::thread::sleep(std::time::Duration::from_secs(5));
        page.thaw();
        page.evaluate("new Promise((resume) => setTimeout(resume, 500))");
        assert_eq!(page.evaluate("ended"), json!([]));
        page.wait_for("ended.length > 0");
        assert_eq!(page.evaluate("ended"), json!(["waited"]));
    });
}

/// As Safari and Firefox do it with the page itself: it leaves for the browser's memory, and comes back.
#[test]
fn a_page_that_comes_back_from_the_browsers_memory_has_its_camera_again() {
    visit(Options { camera: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#start-camera"));
        page.evaluate(&format!("void (window.track = {TRACK})"));
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
        assert_eq!(page.evaluate("track.readyState"), "ended");
        page.estimate_after(|page| {
            page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))");
        });
        assert_eq!(page.evaluate("document.documentElement.dataset.state"), "running");
        // And truly, there and back.
        page.go(&site.page("about/credits.html"), "document.querySelector('pre')");
        page.evaluate("void history.back()");
        page.wait_for("location.pathname === '/mien/' && ['running', 'ready'].includes(document.documentElement.dataset.state)");
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    });
}

#[test]
fn a_full_disk_costs_the_offline_use_alone() {
    let chromium = Chromium::start(Options::default());
    let (site, page) = (Site::start(), chromium.page());
    page.go(&format!("{}/", site.origin()), "document.body");
    page.set_quota(site.origin(), 100_000);
    page.open(&site.page("?engine=cpu"));
    assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    poll(|| {
        let gone = page.evaluate(
            "navigator.serviceWorker.getRegistration().then((it) => Boolean(it) && !(it.installing || it.waiting || it.active))
                .then((failed) => failed || performance.now() > 20000)",
        );
        (gone == true).then_some(())
    })
    .expect("it fails to be saved");
    assert_eq!(page.evaluate("document.querySelector('#offline').textContent"), "");
    assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
    assert_eq!(page.evaluate("mienApp.lastError"), Value::Null);
}

/// Inside another page, which may not let it use the camera.
#[test]
fn a_page_inside_another_one_says_that_it_may_be_kept_from_the_camera() {
    let chromium = Chromium::start(Options { camera: true, ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    page.go(&format!("{}/", site.origin()), "document.body");
    page.evaluate(&format!(
        "void Object.assign(document.body.appendChild(document.createElement('iframe')), {{ allow: \"camera 'none'\", src: '{}' }})",
        site.page("?engine=cpu")
    ));
    page.wait_for(
        "document.querySelector('iframe').contentDocument?.documentElement.dataset.state === 'ready'",
    );
    page.evaluate("document.querySelector('iframe').contentDocument.querySelector('#start-camera').click()");
    page.wait_for("document.querySelector('iframe').contentWindow.mienApp.lastError");
    let words =
        page.evaluate("document.querySelector('iframe').contentDocument.querySelector('#trouble').innerText");
    assert!(words.as_str().unwrap().contains("open it by itself"), "{words}");
}
