//! What runs for long, or often: memory, frames, workers and objects on the graphics device stay as many as they were.
//!
//! An hour of it, and the figures of docs/long-runs.md:
//!
//!     MIEN_CAMERA_SECONDS=3600 MIEN_UPDATE_DOCS=1 cargo test --release --test browser camera_runs_on -- --nocapture

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::chromium::{Chromium, Options};
use crate::support::page::Page;
use crate::support::site::Site;
use crate::support::{film, grey, heads, poll, repository};
use crate::visit;

/// Has a worker count what it holds: the module's memory, pictures that are open, buffers and textures on the graphics device.
const HELD: &str = "
    self.held = { memory: undefined, pictures: 0, objects: 0 };
    const counted = new WeakSet();
    const open = (what, count) => { counted.add(what); held[count] += 1; return what; };
    const closes = (type, name, count) => {
        const original = type.prototype[name];
        type.prototype[name] = function () {
            if (counted.delete(this)) held[count] -= 1;
            return original.call(this);
        };
    };
    for (const type of [VideoFrame, ImageBitmap]) closes(type, 'close', 'pictures');
    self.addEventListener('message', ({ data: { frame } }) => {
        if (frame instanceof VideoFrame || frame instanceof ImageBitmap) open(frame, 'pictures');
    });
    const { createImageBitmap: make } = self;
    self.createImageBitmap = async (...args) => open(await make.call(self, ...args), 'pictures');
    for (const name of ['instantiate', 'instantiateStreaming']) {
        const original = WebAssembly[name];
        WebAssembly[name] = async (...args) => {
            const made = await original.apply(WebAssembly, args);
            held.memory = (made.instance ?? made).exports.memory;
            return made;
        };
    }
    if (self.name === 'mien-webgpu') {
        for (const [name, type] of [['createBuffer', GPUBuffer], ['createTexture', GPUTexture]]) {
            const original = GPUDevice.prototype[name];
            GPUDevice.prototype[name] = function (...args) { return open(original.apply(this, args), 'objects'); };
            closes(type, 'destroy', 'objects');
        }
    }
";

/// What there is at a time.
#[derive(Debug, Clone, Copy)]
struct Held {
    seconds: f64,
    results: f64,
    /// Bytes of the page's and the worker's scripts.
    heaps: [f64; 2],
    nodes: f64,
    /// Bytes of the module's memory.
    module: f64,
    pictures: f64,
    objects: f64,
    workers: usize,
    /// MiB of the process that renders pages.
    process: f64,
}

impl Held {
    fn now(chromium: &Chromium, page: &Page, worker: &Page) -> Held {
        let [heap, nodes] = page.heap_and_nodes();
        let of_worker = worker.evaluate("[held.memory.buffer.byteLength, held.pictures, held.objects]");
        let [module, pictures, objects] = serde_json::from_value(of_worker).unwrap();
        let shown = page.evaluate("[performance.now() / 1000, window.results]");
        let [seconds, results] = serde_json::from_value(shown).unwrap();
        Held {
            seconds,
            results,
            heaps: [heap, worker.heap()],
            nodes,
            module,
            pictures,
            objects,
            workers: page.workers(),
            process: chromium.resident(),
        }
    }

    fn row(&self, start: f64, since: &Held) -> String {
        let mib = |bytes: f64| bytes / f64::from(1 << 20);
        format!(
            "| {:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0} | {} | {} | {} | {:.0} |",
            self.seconds - start,
            (self.results - since.results) / (self.seconds - since.seconds).max(1e-9),
            mib(self.heaps[0]),
            mib(self.heaps[1]),
            mib(self.module),
            self.nodes,
            self.pictures,
            self.objects,
            self.workers,
            self.process,
        )
    }
}

const HEAD: &str = "| seconds | results a second | page's heap, MiB | worker's heap, MiB | module, MiB | nodes | open pictures | GPU objects | workers | process, MiB |
|---|---|---|---|---|---|---|---|---|---|";

/// People who come, go and move, for as long as one wants.
fn film_of_people() -> Vec<u8> {
    let moving = |count: usize| {
        let frame = |frame: i64| {
            let step = (frame - 20).abs();
            let all = [[130 + 3 * step, 200 + step], [330 - step, 260], [540 - 2 * step, 220 - step]];
            heads([640, 480], 130, &all[..count])
        };
        film(&(0..40).map(frame).collect::<Vec<_>>()).repeat(3)
    };
    [film(&[grey(640, 480)]).repeat(60), moving(1), moving(3), moving(2)].concat()
}

fn camera_runs_on(engine: &str, seconds: u64) -> Vec<Held> {
    let options = Options { film: Some(film_of_people()), webgpu: engine == "webgpu", ..Options::default() };
    let chromium = Chromium::start(options);
    let (site, page) = (Site::start(), chromium.page());
    site.before_workers(HELD);
    page.open(&site.page(&format!("?engine={engine}")));
    page.estimate_after(|page| page.click("#start-camera"));
    let counts = "(() => { window.results = 0; let last; const count = () => {
        if (mienApp.lastResult !== last) { last = mienApp.lastResult; window.results += 1; }
        setTimeout(count, 5);
    }; count(); })()";
    page.evaluate(counts);
    let worker = page.worker(&format!("mien-{engine}"));
    // Everything has been seen and made once.
    std::thread::sleep(Duration::from_secs(if seconds > 60 { 30 } else { 8 }));
    let (start, mut all) = (Instant::now(), vec![Held::now(&chromium, &page, &worker)]);
    println!("{engine}\n{HEAD}");
    while start.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_secs(seconds.div_ceil(60).max(2)));
        let now = Held::now(&chromium, &page, &worker);
        println!("{}", now.row(all[0].seconds, &all[all.len() - 1]));
        all.push(now);
    }
    assert_eq!(page.evaluate("mienApp.lastError ?? null"), Value::Null);
    let unclosed =
        chromium.connection().console().into_iter().find(|line| line.contains("without being closed"));
    assert_eq!(unclosed, None);
    // Most of the way there is nothing more than in the part before.
    let (first, last) = (&all[0], &all[all.len() - 1]);
    // A graphics device of software, on a machine that does other work, has one in one or two seconds.
    assert!(last.results > first.results + seconds as f64 / 4.0, "{first:?} {last:?}");
    assert_eq!(last.workers, first.workers);
    let most = |of: fn(&Held) -> f64, part: &[Held]| part.iter().map(of).fold(0.0, f64::max);
    let (before, after) = all.split_at(all.len() / 2);
    assert!(most(|held| held.pictures, &all) <= 3.0, "{all:?}");
    assert_eq!(most(|held| held.module, after), most(|held| held.module, before), "the module's memory grew");
    let objects = |part| most(|held| held.objects, part);
    // Where a frame takes a second, it may be late that more people are seen for the first time.
    let more = if engine == "webgpu" { 1.5 } else { 1.1 };
    assert!(
        objects(after) <= more * objects(before) + 8.0,
        "{} GPU objects, then {}",
        objects(before),
        objects(after)
    );
    for of in [|held: &Held| held.heaps[0], |held: &Held| held.heaps[1]] {
        let [before, after] = [before, after].map(|part| most(of, part));
        assert!(after < before + 3e6, "{before} bytes of heap, then {after}");
    }
    assert!(most(|held| held.nodes, after) < 1.5 * most(|held| held.nodes, before) + 100.0);
    all
}

#[test]
fn the_camera_runs_on() {
    let seconds = std::env::var("MIEN_CAMERA_SECONDS").ok().map_or(16, |text| text.parse().unwrap());
    let all = camera_runs_on("cpu", seconds);
    if std::env::var_os("MIEN_UPDATE_DOCS").is_some() {
        write_docs(&all);
    }
}

/// The figures and a plot of them.
fn write_docs(all: &[Held]) {
    let first = all[0].seconds;
    let line = |of: &dyn Fn(&Held) -> f64| {
        all.iter().map(|held| ((held.seconds - first) / 60.0, of(held))).collect()
    };
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let lines: [(&str, Vec<(f64, f64)>); 3] = [
        ("the page's heap", line(&|held| mib(held.heaps[0]))),
        ("the worker's heap", line(&|held| mib(held.heaps[1]))),
        ("the module", line(&|held| mib(held.module))),
    ];
    let folder = repository().join("docs");
    mien::plot::growth(
        ["Memory while the camera runs", "minutes", "MiB"],
        &lines,
        &folder.join("long-runs.svg"),
    )
    .unwrap();
    let mut rows = String::new();
    let step = all.len().div_ceil(12);
    for (i, held) in all.iter().enumerate().skip(step).step_by(step) {
        writeln!(rows, "{}", held.row(first, &all[i - step])).unwrap();
    }
    let text = format!(
        "# Long runs\n\nWritten by `MIEN_CAMERA_SECONDS={:.0} MIEN_UPDATE_DOCS=1 cargo test --release --test browser the_camera_runs_on`: headless Chromium,\n\
        the CPU engine, a film of nobody, one, three and two people who move, again and again. The tests run it for a quarter of a minute, and on WebGPU, too.\n\n\
        ![Heaps of the page and the worker and the module's memory over the time: level](long-runs.svg)\n\n{HEAD}\n{rows}",
        all[all.len() - 1].seconds - first
    );
    std::fs::write(folder.join("long-runs.md"), text).unwrap();
}

/// As slow as a graphics device of software is.
#[test]
fn the_camera_runs_on_with_webgpu() {
    camera_runs_on("webgpu", 16);
}

/// Each size has a texture of its own, and nothing frees it but the engine.
#[test]
fn pictures_of_many_sizes_leave_nothing_on_the_graphics_device() {
    let chromium = Chromium::start(Options { webgpu: true, ..Options::default() });
    let (site, page) = (Site::start(), chromium.page());
    site.before_workers(HELD);
    page.open(&site.page("?engine=webgpu"));
    let worker = page.worker("mien-webgpu");
    let mut objects = Vec::new();
    for time in 0..16 {
        let [width, height] = [320 + 17 * time, 240 + 11 * time];
        let engine = page.evaluate(&format!(
            "(async () => {{
                const sample = await createImageBitmap(await (await fetch('sample.jpg')).blob());
                const canvas = new OffscreenCanvas({width}, {height});
                canvas.getContext('2d').drawImage(sample, 0, 0, {height}, {height});
                const {{ engine, faces }} = await mienApp.mien.estimate(canvas, {{ track: true }});
                return `${{engine}}, ${{faces.length}}`;
            }})()"
        ));
        assert_eq!(engine, "webgpu, 1", "{width}x{height}");
        objects.push(worker.evaluate("held.objects").as_f64().unwrap());
    }
    println!("{objects:?}");
    assert!(objects[0] > 0.0, "none was seen");
    let most = |part: &[f64]| part.iter().copied().fold(0.0, f64::max);
    assert!(most(&objects[8..]) <= most(&objects[..8]) + 2.0, "{objects:?}");
}

/// A camera's results would fill the memory in a day.
#[test]
fn former_results_are_let_go() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(async () => {
                const picture = await (await fetch('sample.jpg')).blob();
                window.first = new WeakRef(await mienApp.mien.estimate(picture));
                for (let i = 0; i < 2; i++) await mienApp.mien.estimate(picture);
            })()",
        );
        page.heap_and_nodes(); // which collects what nobody holds
        assert_eq!(page.evaluate("first.deref() === undefined"), true);
    });
}

/// Loaded and closed again and again, with a picture between.
#[test]
fn loading_and_closing_leaves_nothing() {
    let times = std::env::var("MIEN_LOADS").ok().map_or(12, |text| text.parse().unwrap());
    let chromium = Chromium::start(Options::default());
    let (site, page) = (Site::start(), chromium.page());
    page.open(&site.page("?engine=cpu"));
    page.evaluate(
        "(async () => {
            const { Mien } = await import(document.querySelector('script[src*=start]').src);
            const picture = await (await fetch('sample.jpg')).blob();
            window.once = async () => {
                const mien = await Mien.load({ engine: 'cpu' });
                const { faces } = await mien.estimate(picture);
                mien.close();
                return faces.length;
            };
            return true;
        })()",
    );
    let workers = page.workers();
    let mut heaps = Vec::new();
    for time in 0..times {
        assert_eq!(page.evaluate("once()"), 1, "{time}");
        poll(|| (page.workers() == workers).then_some(()))
            .unwrap_or_else(|| panic!("{} workers after {time}, {workers} before", page.workers()));
        heaps.push(page.heap_and_nodes()[0]);
    }
    println!(
        "{times} times: heap {:.2} MiB, then {:.2}; {:.0} MiB in memory",
        heaps[2] / 1048576.0,
        heaps[times - 1] / 1048576.0,
        chromium.resident()
    );
    assert!(heaps[times - 1] < heaps[2] + 1.5e6 + 1e4 * times as f64, "{heaps:?}");
}
