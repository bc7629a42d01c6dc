//! What files a folder holds, listed once: looking up half a million pictures one by one would take longer.

use std::path::{Path, PathBuf};

use crate::data::DataError;

/// Folders within folders, at most. Deeper than any data set, and ends circles of links.
const MAX_DEPTH: usize = 8;

/// Files below a folder, hidden ones left out (macOS archives put a `._` file beside every picture).
#[derive(Debug)]
pub struct Tree {
    folder: PathBuf,
    /// Paths below the folder with `/` between the parts, sorted.
    files: Vec<String>,
}

impl Tree {
    /// Lists a folder.
    ///
    /// # Errors
    /// [`DataError::Io`] if it, or a folder in it, can't be read.
    pub fn of(folder: &Path) -> Result<Self, DataError> {
        let mut files = Vec::new();
        list(folder, "", MAX_DEPTH, &mut files)?;
        files.sort_unstable();
        Ok(Self { folder: folder.into(), files })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// All pictures, by their extension, sorted by path.
    pub fn pictures(&self) -> impl Iterator<Item = &str> {
        const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff"];
        self.with_extensions(&EXTENSIONS)
    }

    /// All files with one of these extensions.
    pub fn with_extensions(&self, extensions: &[&str]) -> impl Iterator<Item = &str> {
        let has = |file: &str| {
            let (_, extension) = file.rsplit_once('.')?;
            extensions.iter().find(|e| extension.eq_ignore_ascii_case(e))
        };
        self.files.iter().map(String::as_str).filter(move |file| has(file).is_some())
    }

    /// All files that have this name in whatever folder; `name` may begin with folders.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |file: &str| {
            file.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        };
        self.files.iter().map(String::as_str).filter(move |file| named(file))
    }

    /// The folder that `path` is relative to: empty, or ending in `/`.
    pub fn root_of(&self, path: &str) -> Option<&str> {
        self.named(path).next()?.strip_suffix(path)
    }

    /// Where a file of the tree is on disk.
    pub fn on_disk(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

fn list(folder: &Path, prefix: &str, depth: usize, files: &mut Vec<String>) -> Result<(), DataError> {
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // A name that is not UTF-8 stays listed, in a form that can't be opened: its picture is counted as
        // unreadable.
        let path = format!("{prefix}{}", name.to_string_lossy());
        let kind = entry.file_type().map_err(DataError::io(entry.path()))?;
        if kind.is_dir() || kind.is_symlink() && entry.path().is_dir() {
            if depth > 0 {
                list(&entry.path(), &format!("{path}/"), depth - 1, files)?;
            }
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::layouts::tests::tree_of;

    #[test]
    fn files_are_found_by_name_and_kind() {
        let folder =
            tree_of(&["b/2.JPG", "b/1.jpg", "b/._1.jpg", ".hidden/3.jpg", "a/list/names.txt", "noext"]);
        let tree = Tree::of(folder.path()).unwrap();
        assert_eq!(tree.pictures().collect::<Vec<_>>(), ["b/1.jpg", "b/2.JPG"]);
        assert!(tree.has("noext") && !tree.has("b") && !tree.has("1.jpg"));
        assert_eq!(tree.named("list/names.txt").collect::<Vec<_>>(), ["a/list/names.txt"]);
        assert_eq!(tree.named("ames.txt").count(), 0);
        assert_eq!((tree.root_of("1.jpg"), tree.root_of("b/1.jpg")), (Some("b/"), Some("")));
        assert_eq!(tree.root_of("9.jpg"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_circle_of_links_ends() {
        let folder = tree_of(&["a/1.jpg"]);
        std::os::unix::fs::symlink(folder.path(), folder.path().join("a/round")).unwrap();
        assert!(Tree::of(folder.path()).unwrap().pictures().count() < 20);
    }
}
