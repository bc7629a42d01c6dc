//! Browsers that are driven by WebDriver: Chromium, Firefox and WebKit, each with a profile of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::support::page::{Estimate, LAST_RESULT};
use crate::support::{camera_film, poll, repository};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Chromium,
    Firefox,
    WebKit,
}

/// Who opens the page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Visitor {
    /// Has a camera, which every page may use, and a dark desktop; reads the German of Austria, then English.
    AtADesk,
    /// Has no camera, and reads English.
    WithoutACamera,
}

pub struct Browser {
    pub kind: Kind,
    /// As it calls itself.
    pub name: String,
    runtime: Runtime,
    client: Client,
    log: PathBuf,
    // In the order in which they are to end.
    _driver: Process,
    _screen: Option<Process>,
    _home: tempfile::TempDir,
}

/// The language that the visitor at a desk reads first.
const LANGUAGE: &str = "de-AT";

impl Browser {
    /// `Err` says why this browser cannot be tried here.
    pub fn start(kind: Kind, visitor: Visitor) -> Result<Browser, String> {
        let home = tempfile::tempdir().unwrap();
        let log = home.path().join("log");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut driver = match kind {
            Kind::Chromium => {
                let mut driver = Command::new(program("chromedriver")?);
                driver.arg(format!("--port={port}")).arg("--enable-chrome-logs");
                driver
            }
            Kind::Firefox => {
                program("firefox").or_else(|_| program("firefox-esr"))?;
                let mut driver = Command::new(geckodriver()?);
                driver.arg(format!("--port={port}")).arg("--websocket-port=0");
                driver
            }
            Kind::WebKit => {
                let mut driver = Command::new(program("WebKitWebDriver")?);
                driver.arg(format!("--port={port}"));
                driver
            }
        };
        driver.env("HOME", home.path()).env("TMPDIR", home.path());
        for variable in ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            driver.env_remove(variable);
        }
        let mut screen = None;
        if kind == Kind::WebKit {
            // It has windows only.
            let (process, display) = screen_in_memory()?;
            screen = Some(process);
            driver.env("DISPLAY", display).env("GDK_BACKEND", "x11").env_remove("WAYLAND_DISPLAY");
            if visitor == Visitor::AtADesk {
                driver.env("GTK_THEME", "Adwaita:dark");
                speak(&mut driver, home.path());
            }
        }
        let output = File::create(&log).unwrap();
        driver.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let driver = Process::start(&mut driver);
        poll(|| TcpStream::connect(("127.0.0.1", port)).ok()).expect("the driver answers");

        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let Value::Object(capabilities) = capabilities(kind, visitor, home.path()) else { unreachable!() };
        let client = runtime.block_on(
            ClientBuilder::new(HttpConnector::new())
                .capabilities(capabilities)
                .connect(&format!("http://127.0.0.1:{port}")),
        );
        let client = match client {
            Ok(client) => client,
            // Of another version than the browser, as both may be on machines that are not Debian's.
            Err(error) if error.to_string().contains("only supports") => return Err(error.to_string()),
            Err(error) => {
                panic!("{kind:?} does not start: {error}\n{}", std::fs::read_to_string(&log).unwrap())
            }
        };
        let capabilities = client.capabilities().expect("a new session says what it has");
        let version = capabilities["browserVersion"].as_str().unwrap_or_default();
        let name = match kind {
            Kind::Chromium => format!("Chromium {version}"),
            Kind::Firefox => format!("Firefox {version}"),
            Kind::WebKit => format!("WebKitGTK {version} (MiniBrowser)"),
        };
        Ok(Browser { kind, name, runtime, client, log, _driver: driver, _screen: screen, _home: home })
    }

    fn run<T>(&self, command: impl Future<Output = Result<T, CmdError>>) -> T {
        self.runtime.block_on(command).unwrap_or_else(|error| panic!("{error}\n{}", self.describe()))
    }

    // ---- opening ----

    /// Opens an address, whatever is there.
    pub fn go(&self, url: &str) {
        self.run(self.client.goto(url));
    }

    /// Opens the page, and waits until it is ready for use.
    pub fn open(&self, url: &str) {
        self.go(url);
        self.becomes_ready();
    }

    /// As the browser's button does. (WebDriver's own command has Firefox go past its service workers.)
    pub fn reload(&self) {
        self.evaluate("void (window.leaving = true, setTimeout(() => location.reload()))");
        self.wait_for("!window.leaving");
        self.becomes_ready();
    }

    pub fn becomes_ready(&self) {
        self.wait_for(
            "window.mienApp && ['ready', 'error'].includes(document.documentElement.dataset.state)",
        );
        assert_eq!(self.evaluate("document.documentElement.dataset.state"), "ready", "{}", self.describe());
    }

    /// Opens the same page in a window of this size, without the bars whose width is the least that browsers on desktops have.
    pub fn open_window(&self, width: u32, height: u32) {
        let before = self.run(self.client.windows());
        self.evaluate(&format!("void window.open(location.href, '', 'popup,width={width},height={height}')"));
        let opened = || self.run(self.client.windows()).into_iter().find(|window| !before.contains(window));
        let window = poll(opened).unwrap_or_else(|| panic!("no window opens\n{}", self.describe()));
        self.run(self.client.switch_to_window(window));
        self.becomes_ready();
    }

    // ---- using ----

    pub fn click(&self, selector: &str) {
        self.run(async { self.client.find(Locator::Css(selector)).await?.click().await });
    }

    pub fn choose_file(&self, path: &Path) {
        let path = path.to_str().unwrap();
        self.run(async { self.client.find(Locator::Css("#file-input")).await?.send_keys(path).await });
    }

    /// Presses a key, such as `fantoccini::key::Key::Tab`.
    pub fn press(&self, key: impl Into<char>) {
        let value = key.into();
        let keys =
            KeyActions::new("keyboard".into()).then(KeyAction::Down { value }).then(KeyAction::Up { value });
        self.run(self.client.perform_actions(keys));
    }

    /// What comes of an action: the first new result.
    pub fn result_after(&self, action: impl FnOnce(&Browser)) -> Estimate {
        self.evaluate(
            "void ([window.earlier, window.earlierError] = [mienApp.lastResult, mienApp.lastError])",
        );
        action(self);
        self.wait_for(
            "(mienApp.lastResult && mienApp.lastResult !== earlier) || (mienApp.lastError && mienApp.lastError !== earlierError)",
        );
        let result =
            self.evaluate(&format!("mienApp.lastResult && mienApp.lastResult !== earlier && {LAST_RESULT}"));
        serde_json::from_value(result)
            .unwrap_or_else(|error| panic!("no result ({error})\n{}", self.describe()))
    }

    // ---- reading ----

    /// The value of a JavaScript expression; of a promise, what it resolves to.
    pub fn evaluate(&self, expression: &str) -> Value {
        self.try_evaluate(expression)
            .unwrap_or_else(|error| panic!("{expression}: {error}\n{}", self.describe()))
    }

    fn try_evaluate(&self, expression: &str) -> Result<Value, String> {
        let script = format!(
            "const done = arguments[arguments.length - 1];
            (async () => ({expression}))().then((value) => done([value ?? null]), (error) => done(`${{error}}\\n${{error.stack}}`));"
        );
        match self.runtime.block_on(self.client.execute_async(&script, Vec::new())) {
            Ok(Value::Array(mut value)) => Ok(value.remove(0)),
            Ok(error) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub fn is(&self, condition: &str) -> bool {
        self.evaluate(&format!("Boolean({condition})")) == true
    }

    pub fn wait_for(&self, condition: &str) {
        // While one document gives way to the next, there may be nobody to ask.
        let met = || (self.try_evaluate(&format!("Boolean({condition})")) == Ok(true.into())).then_some(());
        poll(met).unwrap_or_else(|| panic!("waited in vain for: {condition}\n{}", self.describe()));
    }

    /// What pages have written into the console as errors, and what no script caught. (Chromium's log has no levels: all that they have
    /// written, but for what it says itself of a device without WebGPU, and of the worker's attempt to connect.)
    pub fn console_errors(&self) -> Vec<String> {
        let log = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned();
        let is_error = |line: &&str| match self.kind {
            Kind::Chromium => {
                let known = ["\"No available adapters.\"", "mien-tries-whether-its-worker-is-shut-in"];
                line.contains(":CONSOLE") && !known.iter().any(|known| line.contains(known))
            }
            // What is not in quotes is the browser's own.
            Kind::Firefox => {
                line.starts_with("console.error: \"") || line.starts_with("JavaScript error: http")
            }
            Kind::WebKit => line.contains("CONSOLE") && line.contains(" ERROR "),
        };
        log.lines().filter(is_error).map(str::to_owned).collect()
    }

    /// For the message of a failed test.
    fn describe(&self) -> String {
        let state = self.try_evaluate(
            "{
                address: location.href,
                state: document.documentElement.dataset.state,
                status: document.querySelector('#status')?.innerText,
                trouble: document.querySelector('#trouble')?.innerText,
                faces: window.mienApp?.lastResult?.faces.length,
                error: window.mienApp?.lastError && `${mienApp.lastError.stack} / ${mienApp.lastError.cause?.stack}`,
            }",
        );
        let state = state.map_or_else(|error| error, |state| format!("{state:#}"));
        let log = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned();
        let lines: Vec<_> = log.lines().collect();
        format!("{}: {state}\n  {}", self.name, lines[lines.len().saturating_sub(20)..].join("\n  "))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Then the browser ends, and not its driver alone.
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}

/// What to ask of the driver for a browser as that visitor has it.
fn capabilities(kind: Kind, visitor: Visitor, home: &Path) -> Value {
    let at_a_desk = visitor == Visitor::AtADesk;
    match kind {
        Kind::Chromium => {
            let mut arguments: Vec<String> = [
                "--headless=new",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-dev-shm-usage",
                "--enable-logging=stderr",
                // Nothing leaves this machine, whatever a broken page may try.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
            ]
            .map(str::to_owned)
            .into();
            if crate::support::chromium::is_root() {
                arguments.push("--no-sandbox".into());
            }
            if at_a_desk {
                let film = home.join("film.mjpeg");
                std::fs::write(&film, camera_film()).unwrap();
                arguments.extend([
                    "--use-fake-ui-for-media-stream".into(),
                    "--use-fake-device-for-media-stream".into(),
                    format!("--use-file-for-fake-video-capture={}", film.display()),
                    format!("--accept-lang={LANGUAGE},en"),
                    "--blink-settings=preferredColorScheme=0".into(), // dark
                ]);
            }
            let binary = crate::support::chromium::executable();
            json!({ "browserName": "chrome", "goog:chromeOptions": { "binary": binary, "args": arguments } })
        }
        Kind::Firefox => {
            let mut settings = json!({
                // What pages say, into the log.
                "devtools.console.stdout.content": true,
                "dom.disable_open_during_load": false,
                "media.navigator.permission.disabled": true,
                "media.navigator.streams.fake": at_a_desk,
            });
            if at_a_desk {
                settings["intl.accept_languages"] = format!("{LANGUAGE},en").into();
                settings["ui.systemUsesDarkTheme"] = 1.into();
            }
            json!({ "browserName": "firefox", "moz:firefoxOptions": { "args": ["-headless"], "prefs": settings } })
        }
        Kind::WebKit => {
            let mut arguments = vec![
                "--automation",
                "--enable-write-console-messages-to-stdout=true",
                "--javascript-can-open-windows-automatically=true",
            ];
            if at_a_desk {
                arguments.extend(["--enable-media-stream=true", "--enable-mock-capture-devices=true"]);
            }
            json!({ "browserName": "MiniBrowser", "webkitgtk:browserOptions": { "args": arguments } })
        }
    }
}

/// WebKitGTK has its languages from the C library, which has to know them: it is given one where that can be made.
fn speak(driver: &mut Command, home: &Path) {
    let name = format!("{}.UTF-8", LANGUAGE.replace('-', "_"));
    let made = Command::new("localedef")
        .args(["-i", &LANGUAGE.replace('-', "_"), "-f", "UTF-8"])
        .arg(home.join(&name))
        .stderr(Stdio::null())
        .status();
    if made.is_ok_and(|status| status.success()) {
        driver.env("LOCPATH", home).env("LANG", name);
        for variable in ["LC_ALL", "LC_MESSAGES", "LANGUAGE"] {
            driver.env_remove(variable);
        }
    }
}

/// A display that nobody sees, and its name.
fn screen_in_memory() -> Result<(Process, String), String> {
    let mut command = Command::new(program("Xvfb")?);
    command.args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp"]);
    let mut process =
        Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut display = String::new();
    BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut display).unwrap();
    Ok((process, format!(":{}", display.trim())))
}

/// Where build.sh has it.
fn geckodriver() -> Result<PathBuf, String> {
    let built = std::env::var_os("MIEN_GECKODRIVER").map(PathBuf::from);
    let built = built.unwrap_or_else(|| repository().join("target/tools/bin/geckodriver"));
    if built.is_file() { Ok(built) } else { program("geckodriver") }
}

fn program(name: &str) -> Result<PathBuf, String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("there is no {name} here"))
}

/// Ends with this value, and with it all that it has started.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Process {
        Process(command.process_group(0).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["--", &group]).stderr(Stdio::null()).status();
        std::thread::sleep(Duration::from_millis(100));
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
