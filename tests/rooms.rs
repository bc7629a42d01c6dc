//! The order of the rooms: each uses those before it in the list of `src/lib.rs`, and none after it.
//!
//! A use is a path from the crate's root, in `use` or anywhere in the code, macros included. Comments may
//! link where they like. Code for tests (`#[cfg(test)]`) may use every room: a test of the detector needs a
//! picture from a file. The program (`cli`) is a crate of its own, which uses the library by its name.
//!
//! The figure of `docs/architecture.md` is drawn of the same uses:
//!
//!     MIEN_UPDATE_DOCS=1 cargo test --release --test rooms

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A room as it is used: where, and which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    room: String,
    uses: String,
    file: PathBuf,
    line: usize,
}

#[test]
fn each_room_uses_only_rooms_before_it() {
    let rooms = rooms();
    let place: BTreeMap<&str, usize> = rooms.iter().enumerate().map(|(i, room)| (&**room, i)).collect();
    let mut wrong = Vec::new();
    let uses = uses();
    assert!(uses.len() > 50, "only {} uses were found", uses.len());
    for Use { room, uses, file, line } in uses {
        let at = format!("{}:{line}: {room} -> {uses}", file.display());
        match (place.get(&*room), place.get(&*uses)) {
            (Some(own), Some(other)) if own >= other => {}
            (Some(_), Some(_)) => wrong.push(format!("{at}, which stands after it")),
            (Some(_), None) => wrong.push(format!("{at}, which is no room")),
            (None, _) => wrong.push(format!("{at}: {room} is not in the list")),
        }
    }
    assert!(wrong.is_empty(), "the order is {}\n{}", rooms.join(", "), wrong.join("\n"));
}

#[test]
fn the_list_has_every_room_once() {
    let mut listed = rooms();
    let mut there: Vec<_> = fs::read_dir(source())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !["lib", "main", "bindgen", "notices"].contains(&&**name))
        .collect();
    listed.sort();
    there.sort();
    assert_eq!(listed, there);
}

/// Each arrow of the figure goes to a room that is used; where a room is used by way of another one as well,
/// that way is shown alone.
#[test]
fn the_figure_shows_the_uses() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("```mermaid\n").expect("a figure");
    let (figure, after) = rest.split_once("```").unwrap();

    let rooms = rooms();
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut drawn = String::from("flowchart TD\n");
    let uses = uses();
    // From the first room on, so that what a room reaches is known before its users ask; in one, from the
    // last used one on.
    for room in &rooms {
        let mut all: BTreeSet<&str> = BTreeSet::new();
        for used in rooms.iter().rev().filter(|it| *it != room) {
            let is_used = uses.iter().any(|it| it.room == *room && it.uses == *used);
            if !is_used || !all.insert(used) {
                continue;
            }
            all.extend(reached.get(&**used).into_iter().flatten());
            drawn += &format!("    {room} --> {used}\n");
        }
        reached.insert(room, all);
    }
    if std::env::var_os("MIEN_UPDATE_DOCS").is_some_and(|value| value == "1") {
        fs::write(&path, format!("{before}```mermaid\n{drawn}```{after}")).unwrap();
        return;
    }
    assert_eq!(figure, drawn, "draw it anew: MIEN_UPDATE_DOCS=1 cargo test --release --test rooms");
    for room in &rooms {
        assert!(after.contains(&format!("`{room}`")), "{room} is not explained");
    }
}

/// What the reader of code sees, and what it passes over.
#[test]
fn uses_are_read() {
    let code = r#"
        //! [`crate::comment`], crate::comment::a
        use crate::one::{self, A};
        use crate::{two, three::{B, C}, four as other};
        pub(crate) const TEXT: &str = "crate::text";
        fn f() -> crate::five::D {
            println!("{}", crate::six::E);
            super::seven::f()
        }
        mod inner {
            use super::super::eight;
            use super::own;
            #[cfg(test)]
            use crate::tested;
        }
        #[cfg(all(test, feature = "x"))]
        mod tests {
            use crate::tested::F;
        }
        #[cfg(not(test))]
        use crate::nine;
        #[cfg(test)]
        #[path = "a_tests.rs"]
        mod tests;
        #[cfg(test)]
        mod more;
    "#;
    let mut found = Found { root: "crate", ..Found::default() };
    found.read(code.parse().unwrap(), 1);
    let names: Vec<_> = found.uses.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]);
    assert_eq!(found.uses[0].1, 3, "the line");
    assert_eq!(found.test_files, ["a_tests", "more"]);
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The rooms in their order: each is an item of a list in the documentation of the library, and stands at its
/// beginning.
fn rooms() -> Vec<String> {
    let text = fs::read_to_string(source().join("lib.rs")).unwrap();
    let room = |line: &str| {
        let item = line.strip_prefix("//! - ")?.trim_start_matches('[').strip_prefix('`')?;
        Some(item.split_once('`')?.0.to_owned())
    };
    text.lines().take_while(|line| !line.starts_with("//! Features")).filter_map(room).collect()
}

/// All uses of rooms in the library.
fn uses() -> Vec<Use> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let (mut uses, mut test_files) = (Vec::new(), BTreeSet::new());
    for file in files {
        let short = file.strip_prefix(source()).unwrap();
        let parts: Vec<_> =
            short.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if ["lib", "main"].contains(&&*parts[0]) {
            continue;
        }
        // Modules from the root to this one.
        let is_folder = parts.last().unwrap() == "mod";
        let depth = parts.len() - usize::from(is_folder);
        let mut found = Found { root: if parts[0] == "cli" { "mien" } else { "crate" }, ..Found::default() };
        let code: TokenStream = fs::read_to_string(&file).unwrap().parse().unwrap();
        found.read(code, depth);
        // A module's files are in the folder of its name, or beside its mod.rs; those with a path beside it.
        let beside = file.parent().unwrap();
        let below = if is_folder { beside.to_owned() } else { file.with_extension("") };
        for name in found.test_files {
            let names = [beside.join(&name), below.join(&name), below.join(&name).join("mod")];
            test_files.extend(names.map(|name| name.with_extension("rs")));
        }
        for (used, line) in found.uses {
            uses.push(Use { room: parts[0].clone(), uses: used, file: Path::new("src").join(short), line });
        }
    }
    uses.retain(|it| !test_files.contains(&source().join(it.file.strip_prefix("src").unwrap())));
    uses.sort();
    uses
}

/// What was read of a file.
#[derive(Default)]
struct Found {
    /// The name of the library's root.
    root: &'static str,
    /// Names below the root, and the lines they are in.
    uses: Vec<(String, usize)>,
    /// Files with modules of tests.
    test_files: Vec<String>,
}

impl Found {
    /// Reads code that is so many modules below the root.
    fn read(&mut self, code: TokenStream, depth: usize) {
        let tokens: Vec<_> = code.into_iter().collect();
        let mut rest = &tokens[..];
        while let [first, after @ ..] = rest {
            rest = match (first, after) {
                (TokenTree::Punct(hash), [TokenTree::Group(attribute), after @ ..])
                    if hash.as_char() == '#' && is_for_tests(attribute.stream()) =>
                {
                    self.skip_item(after)
                }
                (TokenTree::Ident(word), [TokenTree::Ident(_), TokenTree::Group(body), after @ ..])
                    if word == "mod" && body.delimiter() == Delimiter::Brace =>
                {
                    self.read(body.stream(), depth + 1);
                    after
                }
                (TokenTree::Ident(word), _) if word == self.root => self.read_path(after),
                (TokenTree::Ident(word), _) if word == "super" && self.root == "crate" => {
                    let (mut supers, mut after) = (1, after);
                    while let Some([TokenTree::Ident(word), next @ ..]) = behind_colons(after)
                        && word == "super"
                    {
                        (supers, after) = (supers + 1, next);
                    }
                    if supers == depth { self.read_path(after) } else { after }
                }
                (TokenTree::Group(group), _) => {
                    self.read(group.stream(), depth);
                    after
                }
                _ => after,
            };
        }
    }

    /// Notes what a path from the root begins with.
    fn read_path<'a>(&mut self, path: &'a [TokenTree]) -> &'a [TokenTree] {
        match behind_colons(path) {
            Some([TokenTree::Ident(name), after @ ..]) => {
                self.uses.push((name.to_string(), name.span().start().line));
                after
            }
            Some([TokenTree::Group(group), after @ ..]) => {
                let tokens: Vec<_> = group.stream().into_iter().collect();
                let is_comma =
                    |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == ',');
                for path in tokens.split(is_comma) {
                    if let Some(TokenTree::Ident(name)) = path.first() {
                        self.uses.push((name.to_string(), name.span().start().line));
                    }
                }
                after
            }
            _ => path,
        }
    }

    /// What stands behind an item; if its code is in a file of its own, notes that.
    fn skip_item<'a>(&mut self, item: &'a [TokenTree]) -> &'a [TokenTree] {
        let ends = |token: &TokenTree| match token {
            TokenTree::Punct(end) => end.as_char() == ';',
            TokenTree::Group(body) => body.delimiter() == Delimiter::Brace,
            _ => false,
        };
        let Some(end) = item.iter().position(ends) else { return &[] };
        let (mut path, mut module) = (None, None);
        for pair in item[..end].windows(2) {
            match pair {
                [TokenTree::Punct(hash), TokenTree::Group(attribute)] if hash.as_char() == '#' => {
                    let text = attribute.stream().to_string();
                    if let Some(value) = text.strip_prefix("path = \"") {
                        path = Some(value.trim_end_matches(".rs\"").to_owned());
                    }
                }
                [TokenTree::Ident(word), TokenTree::Ident(name)] if word == "mod" => {
                    module = Some(name.to_string());
                }
                _ => {}
            }
        }
        if matches!(item[end], TokenTree::Punct(_)) && module.is_some() {
            self.test_files.extend(path.or(module));
        }
        &item[end + 1..]
    }
}

/// `::` and what stands behind it.
fn behind_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [TokenTree::Punct(one), TokenTree::Punct(two), after @ ..]
            if one.as_char() == ':' && two.as_char() == ':' =>
        {
            Some(after)
        }
        _ => None,
    }
}

/// Whether an attribute (without its brackets) is `cfg(test)`, or says so among other conditions that must
/// hold.
fn is_for_tests(attribute: TokenStream) -> bool {
    let tokens: Vec<_> = attribute.into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(word), TokenTree::Group(condition)] if word == "cfg" || word == "all" => {
            let parts: Vec<_> = condition.stream().into_iter().collect();
            let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(it) if it.as_char() == ',');
            parts.split(is_comma).any(|part| match part {
                [TokenTree::Ident(word)] => word == "test",
                _ => is_for_tests(part.iter().cloned().collect()),
            })
        }
        _ => false,
    }
}
