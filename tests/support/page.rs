//! The page as its visitor has it: opening, clicking, choosing files, reading what it says.

use std::path::Path;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD as BASE64, Engine};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cdp::Connection;
use super::poll;

pub struct Page {
    connection: Connection,
    session: String,
}

/// The page's last result, as a test can have it: an [`Estimate`].
pub const LAST_RESULT: &str = "{
    ...mienApp.lastResult,
    faces: mienApp.lastResult.faces.map((face) => ({ ...face, ageDistribution: [...face.ageDistribution] })),
}";

/// `window.mienApp.lastResult`, as far as tests look at it.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    pub width: f64,
    pub height: f64,
    pub engine: String,
    pub path: String,
    pub faces: Vec<Face>,
}

#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Face {
    #[serde(rename = "box")]
    pub bounds: [f64; 4],
    pub score: f64,
    pub landmarks: [[f64; 2]; 6],
    pub age: f64,
    pub age_range: [f64; 2],
    pub age_distribution: Vec<f64>,
    pub gender: Gender,
}

#[derive(Deserialize, Debug)]
pub struct Gender {
    pub female: f64,
    pub male: f64,
}

impl Page {
    pub fn new(connection: Connection, session: String) -> Page {
        Page { connection, session }
    }

    /// The page's worker of that name, which runs now, to evaluate expressions in it.
    pub fn worker(&self, name: &str) -> Page {
        self.find_worker(name).unwrap_or_else(|| panic!("no worker {name} runs\n{}", self.describe()))
    }

    /// Whether a worker of that name runs.
    pub fn has_worker(&self, name: &str) -> bool {
        self.find_worker(name).is_some()
    }

    fn find_worker(&self, name: &str) -> Option<Page> {
        self.workers_named(name).into_iter().next()
    }

    /// All workers of that name, of other pages, too.
    pub fn workers_named(&self, name: &str) -> Vec<Page> {
        let workers = self.connection.workers().into_iter().map(|it| Page::new(self.connection.clone(), it));
        workers.filter(|worker| worker.try_evaluate("self.name") == Ok(name.into())).collect()
    }

    /// How many workers run.
    pub fn workers(&self) -> usize {
        self.connection.workers().len()
    }

    fn call(&self, method: &str, params: Value) -> Value {
        self.connection.call(&self.session, method, params)
    }

    // ---- opening ----

    /// Opens an address and waits until the page is ready for use.
    pub fn open(&self, url: &str) {
        self.mark_as_old();
        let answer = self.call("Page.navigate", json!({ "url": url }));
        if let Some(error) = answer["errorText"].as_str() {
            panic!("{url}: {error}");
        }
        self.becomes_ready();
    }

    /// Opens an address of another kind and waits until a condition holds there.
    pub fn go(&self, url: &str, condition: &str) {
        self.mark_as_old();
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for(&format!("!window.leaving && ({condition})"));
    }

    pub fn reload(&self) {
        self.mark_as_old();
        self.call("Page.reload", json!({}));
        self.becomes_ready();
    }

    fn mark_as_old(&self) {
        self.evaluate("window.leaving = true");
    }

    fn becomes_ready(&self) {
        self.wait_for(
            "!window.leaving && ['ready', 'error'].includes(document.documentElement.dataset.state)",
        );
        assert_eq!(self.evaluate("document.documentElement.dataset.state"), "ready", "{}", self.describe());
    }

    /// Has the page wait for a GPU as long as one takes that is made of software.
    pub fn takes_its_time(&self) {
        self.evaluate(
            "window.setTimeout = ((own) => (work, ms) => own(work, ms < 8000 ? ms : 60 * ms))(window.setTimeout)",
        );
    }

    /// Waits until the service worker is in charge and everything that goes on in the background is done.
    pub fn settles(&self) {
        self.evaluate("navigator.serviceWorker.ready.then(() => true)");
        poll(|| self.connection.is_quiet(Duration::from_millis(1500)).then_some(()))
            .unwrap_or_else(|| panic!("the page never stops loading\n{}", self.describe()));
    }

    /// Waits until the page is saved for offline use as well, the last that it does by itself.
    pub fn is_saved(&self) {
        self.wait_for("document.querySelector('#offline').textContent");
        self.settles();
    }

    // ---- using ----

    pub fn click(&self, selector: &str) {
        let hidden = self.evaluate(&format!("document.querySelector('{selector}').offsetParent === null"));
        assert_eq!(hidden, false, "{selector} cannot be seen");
        self.evaluate(&format!("document.querySelector('{selector}').click()"));
    }

    /// Asks for the newer build that is offered, and waits until it is there. The site's other pages are saved before: Chromium
    /// ends their service worker for that, begins it anew where one of them asks for something just then, and waits until
    /// that one is idle, which with a debugger it never is.
    pub fn changes(&self) {
        self.is_saved();
        self.mark_as_old();
        self.click("#change");
        self.becomes_ready();
    }

    pub fn choose_file(&self, path: &Path) {
        self.choose_files(&[path]);
    }

    pub fn choose_files(&self, paths: &[&Path]) {
        self.fill_in("#file-input", paths);
    }

    /// Chooses files in an input of that kind.
    pub fn fill_in(&self, selector: &str, paths: &[&Path]) {
        let input = format!("document.querySelector('{selector}')");
        let input = self.call("Runtime.evaluate", json!({ "expression": input }));
        let input = &input["result"]["objectId"];
        self.call("DOM.setFileInputFiles", json!({ "objectId": input, "files": paths }));
    }

    /// Has an input hold a value, as if it had been typed.
    pub fn type_in(&self, selector: &str, value: &str) {
        self.evaluate(&format!(
            "(() => {{
                const input = document.querySelector('{selector}');
                input.value = '{value}';
                input.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})()"
        ));
    }

    /// Touches the screen, in CSS pixels, for a moment.
    pub fn tap(&self, [x, y]: [f64; 2]) {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key, such as `ArrowRight`.
    pub fn press(&self, key: &str) {
        // By which a browser knows those keys that it acts on itself.
        let code = match key {
            "Tab" => 9,
            "Escape" => 27,
            _ => 0,
        };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// As `prefers-color-scheme`, `forced-colors`, ... say: pairs of name and value.
    pub fn emulate(&self, features: &[(&str, &str)]) {
        let features: Vec<_> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// As where there is no network.
    pub fn set_offline(&self, is_offline: bool) {
        let conditions =
            json!({ "offline": is_offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.call("Network.emulateNetworkConditions", conditions);
    }

    /// As somebody who has set this size of letters in the browser; 16 unless told.
    pub fn set_letters(&self, pixels: u32) {
        self.call("Page.setFontSizes", json!({ "fontSizes": { "standard": pixels } }));
    }

    /// On a screen of this size, a phone's where it is narrow, with letters of so many pixels, a colour scheme and
    /// forced colours or none; and where nothing moves.
    pub fn appear(&self, [width, height]: [u32; 2], letters: u32, scheme: &str, forced: &str) {
        self.emulate(&[
            ("prefers-color-scheme", scheme),
            ("forced-colors", forced),
            ("prefers-reduced-motion", "reduce"),
        ]);
        self.set_letters(letters);
        self.resize(width, height, width < 600);
    }

    /// As a processor that is so many times slower would run the page's main thread.
    pub fn slow_down(&self, times: f64) {
        self.call("Emulation.setCPUThrottlingRate", json!({ "rate": times }));
    }

    /// As a browser whose owner reads these languages, from the most wanted on: `de-AT,en`.
    pub fn set_languages(&self, languages: &str) {
        let agent = self.evaluate("navigator.userAgent");
        let languages = json!({ "userAgent": agent, "acceptLanguage": languages });
        self.call("Emulation.setUserAgentOverride", languages);
    }

    /// As on a disk where an origin may store no more than this.
    pub fn set_quota(&self, origin: &str, bytes: u64) {
        self.call("Storage.overrideQuotaForOrigin", json!({ "origin": origin, "quotaSize": bytes }));
    }

    /// As a browser does with tabs that nobody looks at.
    pub fn freeze(&self) {
        self.call("Page.setWebLifecycleState", json!({ "state": "frozen" }));
    }

    /// Somebody looks at a frozen page again.
    pub fn thaw(&self) {
        self.call("Page.setWebLifecycleState", json!({ "state": "active" }));
        // Freezing has hidden the page; changing from another one to it shows it again.
        self.connection.open_page();
        self.call("Page.bringToFront", json!({}));
        let shown = || (self.evaluate("document.visibilityState") == "visible").then_some(());
        poll(shown).unwrap_or_else(|| panic!("the page stays hidden\n{}", self.describe()));
    }

    /// Seconds that the page's main thread has been busy.
    pub fn busy_seconds(&self) -> f64 {
        self.metric("TaskDuration")
    }

    /// Bytes of the page's scripts' own, garbage collected, and how many nodes there are.
    pub fn heap_and_nodes(&self) -> [f64; 2] {
        self.call("HeapProfiler.collectGarbage", json!({}));
        ["JSHeapUsedSize", "Nodes"].map(|name| self.metric(name))
    }

    /// The same of a worker, which has no nodes.
    pub fn heap(&self) -> f64 {
        self.call("HeapProfiler.collectGarbage", json!({}));
        self.call("Runtime.getHeapUsage", json!({}))["usedSize"].as_f64().unwrap()
    }

    /// As `Performance.getMetrics` has it.
    fn metric(&self, name: &str) -> f64 {
        self.call("Performance.enable", json!({ "timeDomain": "threadTicks" }));
        let metrics = self.call("Performance.getMetrics", json!({}));
        let metrics = metrics["metrics"].as_array().unwrap();
        let metric = metrics.iter().find(|metric| metric["name"] == name).unwrap();
        metric["value"].as_f64().unwrap()
    }

    /// What comes of an action: the first new result with a face in it.
    pub fn estimate_after(&self, action: impl FnOnce(&Page)) -> Estimate {
        self.evaluate("[window.earlier, window.earlierError] = [mienApp.lastResult, mienApp.lastError]");
        action(self);
        self.wait_for(
            "(mienApp.lastResult !== earlier && mienApp.lastResult?.faces.length > 0) ||
             (mienApp.lastError && mienApp.lastError !== earlierError)",
        );
        let result = self.evaluate(&format!("mienApp.lastResult === earlier ? null : {LAST_RESULT}"));
        serde_json::from_value(result)
            .unwrap_or_else(|error| panic!("no result ({error})\n{}", self.describe()))
    }

    // ---- reading ----

    /// The value of a JavaScript expression; of a promise, what it resolves to.
    pub fn evaluate(&self, expression: &str) -> Value {
        self.try_evaluate(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let params = json!({
            // In brackets, so that { ... } is an object and not a block.
            "expression": format!("({expression})"),
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let mut answer = self.connection.try_call(&self.session, "Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details["exception"]["description"].to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    pub fn wait_for(&self, condition: &str) {
        // While one document gives way to the next, there may be nobody to ask.
        let met = || (self.try_evaluate(&format!("Boolean({condition})")) == Ok(true.into())).then_some(());
        poll(met).unwrap_or_else(|| panic!("waited in vain for: {condition}\n{}", self.describe()));
    }

    /// What a visitor reads about how things stand.
    pub fn words(&self) -> String {
        let words = self.evaluate(
            "['#status', '#trouble'].map((part) => document.querySelector(part)?.innerText ?? '').join('\\n').trim()",
        );
        words.as_str().unwrap_or_default().to_owned()
    }

    /// Sees the page as on a screen of this size, in CSS pixels.
    pub fn resize(&self, width: u32, height: u32, is_phone: bool) {
        let screen = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone });
        self.call("Emulation.setDeviceMetricsOverride", screen);
        self.call("Emulation.setTouchEmulationEnabled", json!({ "enabled": is_phone }));
    }

    /// A PNG of what is on the screen, once all that moves has come to rest.
    pub fn screenshot(&self) -> Vec<u8> {
        self.evaluate(
            "(async () => {
                await document.fonts.ready;
                const ends = document.getAnimations().filter((it) => it.effect.getComputedTiming().endTime < Infinity);
                await Promise.allSettled(ends.map((animation) => animation.finished));
                await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            })()",
        );
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        BASE64.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// For the message of a failed test.
    fn describe(&self) -> String {
        let state = self.try_evaluate(
            "{
                address: location.href,
                state: document.documentElement.dataset.state,
                status: document.querySelector('#status')?.innerText,
                trouble: document.querySelector('#trouble')?.innerText,
                engine: document.querySelector('#engine')?.innerText,
                faces: window.mienApp?.lastResult?.faces.length,
                error: window.mienApp?.lastError && `${mienApp.lastError.stack} / ${mienApp.lastError.cause?.stack}`,
            }",
        );
        let state = state.map_or_else(|error| error, |state| format!("{state:#}"));
        let console = self.connection.console();
        let console = console[console.len().saturating_sub(20)..].join("\n  ");
        format!("page: {state}\nin flight: {:?}\nconsole:\n  {console}", self.connection.in_flight())
    }
}
