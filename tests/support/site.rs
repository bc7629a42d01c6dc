//! The built site, served by `mien serve` itself.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use image::imageops::FilterType;

use super::{repository, sample};

/// Below a path, as GitHub Pages has it: https://user.github.io/mien/.
const BELOW: &str = "/mien/";

/// Scripts that know the others by their contents, beside the service worker.
const KNOW: [&str; 2] = ["start.js", "lib/all.js"];

pub struct Site {
    server: Child,
    origin: String,
    log: Arc<Mutex<Vec<String>>>,
    root: tempfile::TempDir,
}

impl Site {
    pub fn start() -> Site {
        let dist = repository().join("dist");
        assert!(
            dist.join("pkg/mien_cpu_bg.wasm").is_file(),
            "there is no built site in dist/. Build it first: ./build.sh dist"
        );
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("index.html"), "").unwrap();
        let below = root.path().join(BELOW.trim_matches('/'));
        std::fs::create_dir(&below).unwrap();
        for entry in std::fs::read_dir(&dist).unwrap().map(Result::unwrap) {
            std::os::unix::fs::symlink(entry.path(), below.join(entry.file_name())).unwrap();
        }
        Site::serve(root)
    }

    /// Has the page's workers run a script before their own.
    pub fn before_workers(&self, script: &str) {
        self.prepend("worker.js", script);
    }

    /// Has a script do something before all that it does itself. What that names is known to nothing else.
    pub fn prepend(&self, file: &str, text: &str) {
        let own = self.read(file);
        self.replace(file, Some(&format!("{{\n{text}\n}}\n{own}")));
    }

    /// Puts a file of its own in the place of one below the page, `kiosk/rules.json` for one; takes it away for
    /// `None`.
    pub fn replace(&self, file: &str, text: Option<&str>) {
        self.write(file, text);
        // It is no more what the build knows.
        for knows in ["sw.js"].iter().chain(&KNOW) {
            let script = self.read(knows);
            let lines = script.lines().map(|line| match line.starts_with("const DIGESTS = ") {
                true => "const DIGESTS = {};",
                false => line,
            });
            self.write(knows, Some(&lines.collect::<Vec<_>>().join("\n")));
        }
    }

    /// The page once more, below another path; inside this one below `inner`.
    pub fn add_copy(&self, path: &str) {
        let folder = self.root.path().join(path);
        std::fs::create_dir(&folder).unwrap();
        for entry in std::fs::read_dir(repository().join("dist")).unwrap().map(Result::unwrap) {
            std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name())).unwrap();
        }
    }

    /// From now on there is another build, of another name: in these files it has these contents.
    pub fn publish(&self, build: &str, changes: &[(&str, &str)]) {
        let line =
            |script: &str| script.lines().find(|line| line.starts_with("const BUILD = ")).unwrap().to_owned();
        let former = line(&self.read("sw.js")).split('\'').nth(1).unwrap().to_owned();
        // The scripts name the build in the addresses of what they import.
        let scripts = self.files().into_iter().filter(|it| it.ends_with(".js") || it.ends_with(".html"));
        let texts: Vec<(String, String)> = scripts
            .filter(|file| {
                file != "sw.js"
                    && !KNOW.contains(&file.as_str())
                    && !file.starts_with("about/")
                    && !file.starts_with("inner/")
            })
            .map(|file| {
                let text = changes.iter().find(|(changed, _)| *changed == file);
                let text = text.map_or_else(|| self.read(&file), |(_, text)| (*text).to_owned());
                (file, text.replace(&format!("?{former}"), &format!("?{build}")))
            })
            .collect();
        let (mut worker, knows) = (self.read("sw.js"), self.read(KNOW[0]));
        let mut replaced = vec![(format!("?{former}"), format!("?{build}"))];
        for (file, text) in texts {
            let (before, after) = (digest(self.read(&file).as_bytes()), digest(text.as_bytes()));
            // The page itself does not know its languages.
            let is_known =
                worker.contains(&before) && (knows.contains(&before) || file.starts_with("locales/"));
            assert!(is_known, "the build knows {file}");
            worker = worker.replace(&before, &after);
            replaced.push((before, after));
            self.write(&file, Some(&text));
        }
        for script in KNOW {
            let own = self.read(script);
            let text = replaced.iter().fold(own.clone(), |text, (before, after)| text.replace(before, after));
            worker = worker.replace(&digest(own.as_bytes()), &digest(text.as_bytes()));
            self.write(script, Some(&text));
        }
        let named = worker.replace(&line(&worker), &format!("const BUILD = '{build}';"));
        self.write("sw.js", Some(&named));
    }

    /// All files below the page.
    fn files(&self) -> Vec<String> {
        let (mut folders, mut files) = (vec![String::new()], Vec::new());
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(self.path(&folder)).unwrap().map(Result::unwrap) {
                let name = format!("{folder}{}", entry.file_name().to_string_lossy());
                if self.path(&name).is_dir() {
                    folders.push(format!("{name}/"));
                } else {
                    files.push(name);
                }
            }
        }
        files
    }

    /// As [`Site::publish`] while it is under way: the file is there, and the service worker's list is not yet.
    pub fn write(&self, file: &str, text: Option<&str>) {
        let path = self.path(file);
        let folder = path.parent().unwrap();
        if folder.is_symlink() {
            let built = std::fs::read_link(folder).unwrap();
            std::fs::remove_file(folder).unwrap(); // the link
            std::fs::create_dir(folder).unwrap();
            for entry in std::fs::read_dir(built).unwrap().map(Result::unwrap) {
                std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }
        let _ = std::fs::remove_file(&path); // the link, not what it leads to
        if let Some(text) = text {
            std::fs::write(&path, text).unwrap();
        }
    }

    /// Offers a smaller sample picture, of which no parts are searched: for each, a GPU made of software takes seconds.
    pub fn small_sample(&self) {
        let small = sample().resize_exact(176, 176, FilterType::Triangle).to_rgb8();
        let path = self.path("sample.jpg");
        std::fs::remove_file(&path).unwrap(); // the link
        small.save(path).unwrap();
    }

    /// Offers the whole one again.
    pub fn whole_sample(&self) {
        let path = self.path("sample.jpg");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(repository().join("dist/sample.jpg"), path).unwrap();
    }

    /// A text file below the page, as it is now.
    pub fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn path(&self, file: &str) -> std::path::PathBuf {
        self.root.path().join(BELOW.trim_matches('/')).join(file)
    }

    /// Takes the WebGPU module out of the page, as it is while build.sh still compiles it.
    pub fn without_webgpu(&self) {
        let built = repository().join("dist/pkg");
        let pkg = self.root.path().join(BELOW.trim_matches('/')).join("pkg");
        std::fs::remove_file(&pkg).unwrap(); // the link
        std::fs::create_dir(&pkg).unwrap();
        for entry in std::fs::read_dir(built).unwrap().map(Result::unwrap) {
            if !entry.file_name().to_string_lossy().starts_with("mien_gpu") {
                std::os::unix::fs::symlink(entry.path(), pkg.join(entry.file_name())).unwrap();
            }
        }
    }

    /// Puts it there.
    pub fn with_webgpu(&self) {
        let pkg = self.root.path().join(BELOW.trim_matches('/')).join("pkg");
        for file in ["mien_gpu.js", "mien_gpu_bg.wasm"] {
            std::os::unix::fs::symlink(repository().join("dist/pkg").join(file), pkg.join(file)).unwrap();
        }
    }

    fn serve(root: tempfile::TempDir) -> Site {
        let mut server = Command::new(env!("CARGO_BIN_EXE_mien"))
            .arg("serve")
            .arg(root.path())
            .args(["--port", "0", "--log"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mien serve starts");
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let origin = line.trim().rsplit(' ').next().filter(|word| word.starts_with("http://"));
        let origin =
            origin.unwrap_or_else(|| panic!("no address in what mien serve printed: {line:?}")).to_owned();

        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, sink) = (BufReader::new(server.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| sink.lock().unwrap().push(line))
        });
        Site { server, origin, log, root }
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address of the page, with a query such as `?engine=cpu`.
    pub fn page(&self, query: &str) -> String {
        format!("{}{BELOW}{query}", self.origin)
    }

    /// The addresses that were asked for so far.
    pub fn requested(&self) -> Vec<String> {
        // A line is: status, method, path.
        let path = |line: &String| line.rsplit(' ').next().map(|path| format!("{}{path}", self.origin));
        self.log.lock().unwrap().iter().filter_map(path).collect()
    }

    /// From now on nobody answers at this address.
    pub fn stop(&mut self) {
        self.server.kill().and_then(|()| self.server.wait()).expect("mien serve can be stopped");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// As build.sh writes it into the service worker.
fn digest(bytes: &[u8]) -> String {
    use std::io::Write;
    let mut program = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sha256sum starts");
    program.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = program.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..24].to_owned()
}

/// What `mien predict --json` says about one picture.
pub fn predict(picture: &Path) -> serde_json::Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mien"))
        .arg("predict")
        .arg("--json")
        .arg(picture)
        .output()
        .expect("mien predict starts");
    assert!(output.status.success(), "mien predict: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}
