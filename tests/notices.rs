//! What others wrote is named in `dist/about`, with its terms (`./build.sh dist` makes them, by
//! src/notices.rs), and the page leads there.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A file of the built site.
fn built(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dist").join(file);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}; run ./build.sh dist", path.display()))
}

/// The text of a page of `dist/about`.
fn text(file: &str) -> String {
    let page = built(&format!("about/{file}"));
    page.replace("&lt;", "<").replace("&amp;", "&")
}

/// What a build with these options compiles into what it makes: packages as `name v1.2.3`.
fn packages(options: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,no-proc-macro", "--prefix", "none"])
        .args(options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packages: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.split(" (").next().unwrap().trim().to_owned())
        .filter(|package| !package.is_empty() && !package.starts_with("mien v"))
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

/// Those of `packages` that a text does not list with a licence, or names above no terms.
fn missing(text: &str, packages: &[String]) -> Vec<String> {
    let (list, terms) = text.split_once(&"=".repeat(100)).unwrap();
    let terms: Vec<(Vec<&str>, usize)> = terms
        .split(&"=".repeat(100))
        .map(|section| {
            let (names, terms) = section.trim_start_matches('\n').split_once("\n\n").unwrap();
            (names.split(", ").collect(), terms.trim().len())
        })
        .collect();
    let named = |package: &&String| {
        let listed = list.lines().any(|line| {
            line.strip_prefix(package.as_str())
                .and_then(|rest| rest.strip_prefix(": "))
                .is_some_and(|l| !l.is_empty())
        });
        listed && terms.iter().any(|(names, len)| names.contains(&package.as_str()) && *len > 100)
    };
    packages.iter().filter(|package| !named(package)).cloned().collect()
}

#[test]
fn every_package_in_the_page_is_named_with_its_terms() {
    let text = text("notices.html");
    for features in ["", "relaxed-simd", "webgpu"] {
        let options = ["--target", "wasm32-unknown-unknown", "--no-default-features", "--features", features];
        let packages = packages(&options);
        assert!(packages.len() > 20, "{packages:?}");
        assert_eq!(missing(&text, &packages), [""; 0], "with the features '{features}'");
    }
}

#[test]
fn every_package_in_the_program_is_named_with_its_terms() {
    let packages = packages(&[]);
    assert!(packages.len() > 100, "{packages:?}");
    assert_eq!(missing(&text("program-notices.html"), &packages), [""; 0]);
}

#[test]
fn a_package_without_terms_is_missed() {
    let rule = "=".repeat(100);
    let long = "x ".repeat(100);
    let text = format!(
        "a v1.0.0: MIT\nb v1.0.0: MIT\nc v1.0.0: \n\n{rule}\na v1.0.0, c v1.0.0\n\n{long}\n{rule}\nb v1.0.0\n\nMIT\n"
    );
    let packages = ["a", "b", "c", "d"].map(|name| format!("{name} v1.0.0"));
    assert_eq!(missing(&text, &packages), packages[1..]);
}

#[test]
fn the_terms_of_what_is_no_package_are_there() {
    for file in ["notices.html", "program-notices.html"] {
        let text = text(file);
        for name in ["BlazeFace", "EfficientNet-Lite0", "The Rust standard library"] {
            let section = text
                .split(&"=".repeat(100))
                .skip(1)
                .find(|section| section.trim_start().split("\n\n").next().unwrap().contains(name));
            let section = section.unwrap_or_else(|| panic!("{file} has no terms of {name}"));
            assert!(
                section.contains("Apache License") && section.contains("END OF TERMS AND CONDITIONS"),
                "{name}"
            );
        }
    }
}

#[test]
fn the_page_leads_to_all_of_it() {
    let page = built("index.html");
    let linked: Vec<&str> =
        page.split("href=\"about/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for file in ["terms.html", "notices.html", "model-card.html", "credits.html"] {
        assert!(linked.contains(&file), "{file}: {linked:?}");
        assert!(built(&format!("about/{file}")).len() > 500, "{file}");
    }
    assert!(built("about/terms.html").contains("non-commercial research"));
    assert!(built("about/model-card.html").contains("non-commercial research"));
}
