//! Headless Chromium with a profile of its own, for one test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::camera_film;
use super::cdp::Connection;
use super::page::Page;

/// What else a test needs of its browser.
#[derive(Default)]
pub struct Options {
    /// A camera that films the sample picture, and that every page may use unasked.
    pub camera: bool,
    /// Another film for that camera, as Motion JPEG.
    pub film: Option<Vec<u8>>,
    /// WebGPU on the CPU: shows that it is right, not how fast it is.
    pub webgpu: bool,
}

/// Ends with this value, and at the latest with the test program, whose end closes the pipe.
pub struct Chromium {
    connection: Connection,
    process: Child,
    profile: tempfile::TempDir,
    // Last, so that it is released last.
    _turn: Turn,
}

/// Two browsers at a time are enough for a small machine: many a test mostly waits. One with a camera, whose frames come at
/// their own pace, or with WebGPU, which takes all cores, is alone.
struct Turn(usize);

const AT_A_TIME: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static RELEASED: Condvar = Condvar::new();

impl Turn {
    fn take(options: &Options) -> Turn {
        let alone = options.camera || options.film.is_some() || options.webgpu;
        let places = if alone { AT_A_TIME } else { 1 };
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = RELEASED
            .wait_while(taken, |taken| *taken + places > AT_A_TIME)
            .unwrap_or_else(PoisonError::into_inner);
        *taken += places;
        Turn(places)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= self.0;
        RELEASED.notify_all();
    }
}

impl Chromium {
    pub fn start(options: Options) -> Chromium {
        let turn = Turn::take(&options);

        let profile = tempfile::tempdir().unwrap();
        // Chromium reads commands from descriptor 3 and writes to 4; the shell puts them there.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$@" 3<&0 4>&1 </dev/null >&2"#, "sh"])
            .arg(executable())
            .args([
                "--remote-debugging-pipe",
                "--headless=new",
                "--disable-quic",
                "--no-first-run",
                "--no-default-browser-check",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-extensions",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--mute-audio",
                // Tests judge the same colours and words everywhere.
                "--force-color-profile=srgb",
                "--lang=en-US",
                // Nothing leaves this machine, whatever a broken page may try.
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
            ])
            .arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        if is_root() {
            command.arg("--no-sandbox");
        }
        if options.camera || options.film.is_some() {
            let film = profile.path().join("film.mjpeg");
            std::fs::write(&film, options.film.unwrap_or_else(camera_film)).unwrap();
            command
                .args(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"])
                .arg(format!("--use-file-for-fake-video-capture={}", film.display()));
        }
        if options.webgpu {
            command.args([
                "--enable-unsafe-webgpu",
                "--use-webgpu-adapter=swiftshader",
                "--enable-features=Vulkan",
            ]);
        }
        let mut process = command
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(profile.path().join("stderr")).unwrap())
            .spawn()
            .expect("sh starts");
        let connection = Connection::open(process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Chromium { connection, process, profile, _turn: turn }
    }

    /// An empty page of its own.
    pub fn page(&self) -> Page {
        Page::new(self.connection.clone(), self.connection.open_page())
    }

    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// MiB in memory of the largest process that renders pages; 0 where the system does not say.
    pub fn resident(&self) -> f64 {
        let processes = self.connection.call("", "SystemInfo.getProcessInfo", json!({}));
        let pages =
            processes["processInfo"].as_array().into_iter().flatten().filter(|it| it["type"] == "renderer");
        let kibibytes = |process: &Value| {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", process["id"])).unwrap_or_default();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).map(str::to_owned);
            line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0)
        };
        pages.map(kibibytes).fold(0.0, f64::max) / 1024.0
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let stderr = std::fs::read_to_string(self.profile.path().join("stderr")).unwrap_or_default();
            // Desktop services, which machines for tests do without.
            let lines: Vec<_> = stderr.lines().filter(|line| !line.contains("dbus/")).collect();
            eprintln!("Chromium's last words:\n  {}", lines[lines.len().saturating_sub(15)..].join("\n  "));
        }
        // Politely first: then its helpers are gone, too, when the profile is removed.
        let _ = self.connection.try_call("", "Browser.close", json!({}));
        let asked = Instant::now();
        while asked.elapsed() < Duration::from_secs(10) && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub fn executable() -> PathBuf {
    let asked = std::env::var_os("CHROME").map(PathBuf::from);
    // A path. A name alone is looked for, which chromedriver would not do.
    if let Some(path) = asked.as_ref().filter(|path| path.components().count() > 1) {
        return path.clone();
    }
    let asked = asked.as_ref().and_then(|name| name.to_str());
    let names = [asked.unwrap_or("chromium"), "chromium-browser", "google-chrome", "google-chrome-stable"];
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let mut candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "no Chromium found. Install it (Debian: sudo apt-get install chromium), or set CHROME to its path"
        )
    })
}

/// Chromium's sandbox refuses to work for root, which is who tests run as in containers.
pub fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
