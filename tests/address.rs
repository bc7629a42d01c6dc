//! What names the site in full, where `MIEN_ADDRESS` says where it will be: by the function of `build.sh`, on the built site.

#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_site_says_where_it_is() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    for page in ["index.html", "404.html"] {
        fs::copy(repository.join("dist").join(page), folder.path().join(page)).expect("run ./build.sh dist");
    }
    // Its functions, without what it does in the end.
    let script = fs::read_to_string(repository.join("build.sh")).unwrap();
    let (functions, _) = script.split_once("\n[ $# = 1 ]").unwrap();
    let functions = functions.replace("cd \"$(dirname \"${BASH_SOURCE[0]}\")\"", "");
    let pages = ["kiosk.html", "about/terms.html"];
    let call = format!("{functions}\naddressed \"$@\"");
    let status = Command::new("bash")
        .current_dir(repository)
        .args(["-c", &call, "build.sh"])
        .arg(folder.path())
        .arg("https://example.org/mien")
        .args(pages)
        .status()
        .unwrap();
    assert!(status.success());

    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let index = read("index.html");
    for (part, count) in [
        ("<link rel=\"canonical\" href=\"https://example.org/mien/\">", 1),
        ("<meta property=\"og:url\" content=\"https://example.org/mien/\">", 1),
        // By both of the names that it has.
        ("content=\"https://example.org/mien/preview.jpg\"", 2),
        ("content=\"preview.jpg\"", 0),
    ] {
        assert_eq!(index.matches(part).count(), count, "{part}");
    }
    // Which is shown at any depth.
    let nowhere = read("404.html");
    assert!(
        nowhere.contains("href=\"https://example.org/mien/\"") && !nowhere.contains("href=\"./"),
        "{nowhere}"
    );
    let map = read("sitemap.xml");
    let places: Vec<&str> =
        map.split("<loc>").skip(1).map(|rest| rest.split_once("</loc>").unwrap().0).collect();
    let expected: Vec<String> =
        ["", pages[0], pages[1]].iter().map(|page| format!("https://example.org/mien/{page}")).collect();
    assert_eq!(places, expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left over");
}
