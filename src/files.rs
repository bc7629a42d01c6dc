//! Files that are written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` so that `path` is at any moment either the old file or the new one, whole, and stays the old
/// one where they can't be written.
///
/// What is no file, such as a pipe, is written to as it is.
///
/// # Errors
/// The system's.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let old = fs::metadata(path);
    if old.as_ref().is_ok_and(|old| !old.is_file()) {
        return fs::write(path, bytes);
    }
    // Of a link the file that it leads to, not the link itself.
    let path = if old.is_ok() { fs::canonicalize(path)? } else { path.to_owned() };
    // The whole name and an ending: `a.half.safetensors` and `a.half.json` may be written at one moment.
    let mut beside = path.clone().into_os_string();
    beside.push(".partial");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, &path)).inspect_err(|_| {
        // It would only take room.
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_old_one_until_it_is_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.half.bin");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // Where it can't be written.
        fs::create_dir(folder.path().join("a.half.bin.partial")).unwrap();
        write_atomically(&path, b"newer").unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // Which is no matter to one beside it, whose name differs by its last ending alone.
        write_atomically(&folder.path().join("a.half.json"), b"new").unwrap();
        assert!(write_atomically(&folder.path().join("none/a.bin"), b"").is_err());
        assert!(write_atomically(folder.path(), b"").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_what_is_no_file_stay_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_atomically(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        write_atomically(Path::new("/dev/null"), b"nothing").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
