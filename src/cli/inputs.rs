//! Which pictures are meant by paths on the command line, and what each one's annotated copy is called.

use std::collections::{BTreeMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::output::{make_folder, reasons, remark, say};

/// What pictures are called that are read in folders.
pub const EXTENSIONS: [&str; 14] =
    ["jpg", "jpeg", "jpe", "jfif", "pjpeg", "pjp", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "tiff"];

/// What pictures are called that can't be read.
const FOREIGN: [&str; 18] = [
    "heic", "heif", "hif", "avif", "jxl", "jp2", "svg", "ico", "psd", "dng", "cr2", "cr3", "nef", "arw",
    "raf", "orf", "rw2", "raw",
];

/// What standard input is called, among files.
const STANDARD_INPUT: &str = "-";

/// Whether standard input is meant. (A file of that name is `./-`.)
pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

/// A picture to estimate, and its path in the folder of annotated copies.
#[derive(Debug)]
pub struct PredictJob {
    pub path: PathBuf,
    pub copy: PathBuf,
}

/// What is in a folder and is not taken.
#[derive(Debug, Default)]
struct LeftOut {
    /// Pictures of other kinds, by extension.
    foreign: BTreeMap<String, usize>,
    hidden: usize,
    /// The folder of annotated copies.
    copies: usize,
    /// Links to folders, which may lead in circles, and links to nothing.
    links: usize,
    others: usize,
}

impl LeftOut {
    fn is_empty(&self) -> bool {
        self.foreign.is_empty() && self.hidden + self.copies + self.links + self.others == 0
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |count: usize, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {more}")),
        };
        let foreign: Vec<String> = self.foreign.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let parts = [
            (!foreign.is_empty())
                .then(|| format!("{} (can't be read here; save them as JPEG)", foreign.join(" and "))),
            several(self.hidden, "hidden file or folder", "hidden files and folders"),
            (self.copies > 0).then(|| "the folder of copies".to_owned()),
            several(self.links, "link to a folder or to nothing", "links to folders or to nothing"),
            several(self.others, "file that is no picture", "files that are no pictures"),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }
}

/// Finds pictures, and says on standard error what is wrong and what is left out.
#[derive(Debug)]
pub struct Inputs {
    /// Those found.
    pub jobs: Vec<PredictJob>,
    /// Paths and folders that could not be read.
    pub failed: usize,
    copies: Option<PathBuf>,
    taken: HashSet<String>,
}

impl Inputs {
    /// The pictures at `paths`, whose copies are to be put into the folder `copies`, which is made.
    ///
    /// # Errors
    /// Where that folder can't be made, or is one of those that pictures come from: a copy would take the
    /// place of its picture.
    pub fn find(paths: &[PathBuf], copies: Option<&Path>) -> anyhow::Result<Self> {
        let made = |folder: &Path| {
            make_folder(folder)?;
            folder.canonicalize().with_context(|| shown(folder))
        };
        let copies = copies.map(made).transpose()?;
        let mut inputs = Self { jobs: Vec::new(), failed: 0, copies, taken: HashSet::new() };
        for path in paths {
            if inputs.is_copies(path) {
                bail!(
                    "{} can't hold both pictures and copies; name another folder for --annotate",
                    shown(path)
                );
            }
            if let Err(error) = inputs.add(path) {
                inputs.complain(path, &error);
            }
        }
        inputs.name_copies();
        Ok(inputs)
    }

    fn is_copies(&self, path: &Path) -> bool {
        self.copies.is_some() && path.canonicalize().ok() == self.copies
    }

    fn complain(&mut self, path: &Path, error: &anyhow::Error) {
        say(format_args!("{}: {}", shown(path), reasons(error)));
        self.failed += 1;
    }

    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        if is_standard_input(path) {
            if self.jobs.iter().any(|job| is_standard_input(&job.path)) {
                bail!("standard input can be read only once");
            }
            self.jobs.push(PredictJob { path: path.into(), copy: "stdin".into() });
            return Ok(());
        }
        match path.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!("no such file or folder"),
            Err(error) => return Err(error.into()),
            Ok(found) if !found.is_dir() => {
                let name = path.file_name().context("not a file name")?;
                self.jobs.push(PredictJob { path: path.into(), copy: name.into() });
                return Ok(());
            }
            Ok(_) => {}
        }
        let before = (self.jobs.len(), self.failed);
        let mut left_out = LeftOut::default();
        self.add_folder(path, path, &mut left_out)?;
        if !left_out.is_empty() {
            remark(format_args!("{}: left out {left_out}", shown(path)));
        }
        if (self.jobs.len(), self.failed) == before {
            bail!("no pictures in this folder (looked for {})", EXTENSIONS.join(", "));
        }
        Ok(())
    }

    /// An error is of this folder; those of folders below are said.
    fn add_folder(&mut self, root: &Path, folder: &Path, left_out: &mut LeftOut) -> anyhow::Result<()> {
        let mut paths = fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>()?;
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap_or_default();
            if name.as_encoded_bytes().starts_with(b".") {
                left_out.hidden += 1;
            } else if path.is_dir() {
                if path.is_symlink() {
                    left_out.links += 1;
                } else if self.is_copies(&path) {
                    left_out.copies += 1;
                } else if let Err(error) = self.add_folder(root, &path, left_out) {
                    self.complain(&path, &error);
                }
            } else if !path.is_file() && path.is_symlink() {
                left_out.links += 1;
            } else {
                let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
                if path.is_file() && EXTENSIONS.contains(&extension.as_str()) {
                    let copy = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
                    self.jobs.push(PredictJob { path, copy });
                } else if FOREIGN.contains(&extension.as_str()) {
                    *left_out.foreign.entry(extension).or_default() += 1;
                } else {
                    left_out.others += 1;
                }
            }
        }
        Ok(())
    }

    /// `holiday/beach.jpg` becomes `holiday/beach.png`, and a second one of that name `holiday/beach-2.png`. No
    /// copy takes the place of a picture.
    fn name_copies(&mut self) {
        let Some(folder) = &self.copies else { return };
        let pictures: HashSet<PathBuf> =
            self.jobs.iter().filter_map(|job| job.path.canonicalize().ok()).collect();
        for job in &mut self.jobs {
            let stem = job.copy.file_stem().unwrap_or_default().to_owned();
            let named = |count: usize| {
                let mut name: OsString = stem.clone();
                if count > 1 {
                    name.push(format!("-{count}"));
                }
                name.push(".png");
                job.copy.with_file_name(name)
            };
            let taken = &mut self.taken;
            let is_free = |copy: &PathBuf| {
                // Folders exist where capital letters are the same as small ones.
                !pictures.contains(&folder.join(copy)) && taken.insert(copy.to_string_lossy().to_lowercase())
            };
            job.copy = (1..).map(named).find(is_free).unwrap_or_default();
        }
    }
}

/// A path in a line for people: as [`text`] has it, and without what would end the line or command a terminal.
pub fn shown(path: &Path) -> String {
    let mut line = String::new();
    for char in text(path).chars() {
        if char.is_control() {
            line.extend(char.to_string().bytes().map(|byte| format!("\\x{byte:02x}")));
        } else {
            line.push(char);
        }
    }
    line
}

/// A path as text: bytes that are none as `\xff`, so that two files never look like one.
pub fn text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_of(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    fn copies(inputs: &Inputs) -> Vec<String> {
        inputs.jobs.iter().map(|job| shown(&job.copy)).collect()
    }

    #[test]
    fn every_picture_has_a_copy_of_its_own() {
        let folder = folder_of(&["x/p.jpg", "x/p.png", "x/P.gif", "x/p-2.webp", "y/p.jpg", "y/below/p.jfif"]);
        let at = |path: &str| folder.path().join(path);
        let found = Inputs::find(&[at("x"), at("y"), at("x/p.jpg")], Some(&at("out"))).unwrap();
        let expected = ["P.png", "p-2.png", "p-3.png", "p-4.png", "below/p.png", "p-5.png", "p-6.png"];
        assert_eq!(copies(&found), expected);
        assert_eq!(found.failed, 0);
    }

    #[test]
    fn no_copy_takes_the_place_of_a_picture() {
        let folder = folder_of(&["a.png", "b.jpg"]);
        let at = |path: &str| folder.path().join(path);
        let error = Inputs::find(&[folder.path().into()], Some(folder.path())).unwrap_err();
        assert!(error.to_string().contains("--annotate"), "{error}");
        let found = Inputs::find(&[at("a.png"), at("b.jpg")], Some(folder.path())).unwrap();
        assert_eq!(copies(&found), ["a-2.png", "b.png"]);
        // Nor is one taken for a picture the next time.
        let below = at("copies");
        for _ in 0..2 {
            let found = Inputs::find(&[folder.path().into()], Some(&below)).unwrap();
            assert_eq!(copies(&found), ["a.png", "b.png"]);
            fs::write(below.join("a.png"), "a copy").unwrap();
        }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        left_out.foreign = [("avif".into(), 1), ("heic".into(), 3)].into();
        left_out.hidden = 2;
        left_out.others = 1;
        assert_eq!(
            left_out.to_string(),
            "1 avif and 3 heic (can't be read here; save them as JPEG), 2 hidden files and folders, \
             1 file that is no picture"
        );
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_are_told_apart() {
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes: &[u8]| shown(Path::new(OsStr::from_bytes(bytes)));
        assert_eq!(path(b"a\xff.jpg"), "a\\xff.jpg");
        assert_eq!(path(b"a\xfe.jpg"), "a\\xfe.jpg");
        assert_eq!(path("für.jpg".as_bytes()), "für.jpg");
        assert_eq!(path(b"two\nlines \x1b[31m.jpg"), "two\\x0alines \\x1b[31m.jpg");
        assert_eq!(text(Path::new("two\nlines.jpg")), "two\nlines.jpg");
    }
}
