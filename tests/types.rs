//! `www/mien.d.ts` says what there is: to TypeScript's compiler, which compares it with `mien.js`, with a
//! program that uses it (`types/`) and with results of the built page.
//!
//! `./build.sh test` sees to the compiler, and leaves these tests out, in words, where there is no npm to
//! install it.

#![cfg(unix)]

// Other tests need more of it.
#[allow(dead_code)]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::chromium::{Chromium, Options};
use support::repository;
use support::site::Site;

#[test]
fn the_types_fit_the_implementation_and_a_program() {
    let Some(compiler) = Compiler::find() else { return };
    assert_eq!(compiler.complaints(&[]), "");
    let types = fs::read_to_string(repository().join("www/mien.d.ts")).unwrap();
    for (what, wrong) in [
        (
            "a member that is not there",
            types.replace("  reset(): void;", "  reset(): void;\n  forget(): void;"),
        ),
        ("one left out", types.replace("  close(): void;", "")),
        ("one of another type", types.replace("readonly engine: EngineKind", "readonly engine: number")),
    ] {
        assert_ne!(wrong, types, "{what}");
        assert_ne!(compiler.complaints(&[("mien.d.ts", &wrong)]), "", "{what}");
    }
}

#[test]
fn the_types_fit_real_results() {
    let Some(compiler) = Compiler::find() else { return };
    let mut program = String::from(
        "import type { Face, Result } from './mien.js';
        interface Photo extends Result { mode: 'search'; faces: (Face & { id?: never })[] }
        interface Tracked extends Result { faces: [Face & { id: number }] }\n",
    );
    for engine in ["cpu", "webgpu"] {
        let chromium = Chromium::start(Options { webgpu: engine == "webgpu", ..Options::default() });
        let (site, page) = (Site::start(), chromium.page());
        page.open(&site.page(&format!("?engine={engine}")));
        page.takes_its_time();
        let results = page.evaluate(RESULTS);
        for (name, source) in results.as_object().unwrap() {
            let (kind, source) = source.as_str().unwrap().split_once(' ').unwrap();
            assert!(source.contains(&format!("\"engine\": \"{engine}\"")), "{source}");
            program += &format!("export const {name}_{engine}: {kind} = {source};\n");
        }
    }
    assert_eq!(compiler.complaints(&[("results.ts", &program)]), "");
    for (what, from, to) in [
        ("a field that is missing", "\"ageRange\": [", "\"ageSpan\": ["),
        ("one too many", "\"score\": ", "\"glasses\": true, \"score\": "),
        ("a word of another list", "\"path\": \"memory\"", "\"path\": \"disk\""),
        ("a plain array", "new Float32Array(", "Array.of("),
        ("a face without its id", ", \"id\": 1", ""),
    ] {
        let wrong = program.replacen(from, to, 1);
        assert_ne!(wrong, program, "{what}");
        assert_ne!(compiler.complaints(&[("results.ts", &wrong)]), "", "{what}");
    }
}

/// Results of each kind as TypeScript writes them, each after its type.
const RESULTS: &str = "(async () => {
    const { mien } = mienApp;
    const bitmap = await createImageBitmap(await (await fetch('sample.jpg')).blob());
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 480 });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const pixels = new ImageData(64, 64);
    const literal = (value) => {
        if (value instanceof Float32Array) return `new Float32Array(${literal([...value])})`;
        if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
        if (value?.constructor !== Object) return value instanceof Object ? value.constructor.name : JSON.stringify(value);
        return `{ ${Object.entries(value).map(([key, value]) => `${JSON.stringify(key)}: ${literal(value)}`).join(', ')} }`;
    };
    const results = {
        photo: `Photo ${literal(await mien.estimate(bitmap))}`,
        nothing: `Photo ${literal(await mien.estimate(canvas))}`,
        tiny: `Photo ${literal(await mien.estimate(pixels))}`,
    };
    context.drawImage(bitmap, 80, 0, 480, 480);
    // A second until all parts of a still picture have been searched, and frames that show nothing new.
    for (let timestamp = 0; timestamp <= 2000; timestamp += 80) {
        const result = await mien.estimate(canvas, { track: true, timestamp });
        results[result.mode] = `Tracked ${literal(result)}`;
    }
    if (!(results.search && results.follow && results.skip)) throw new Error(Object.keys(results));
    return results;
})()";

/// TypeScript's compiler.
struct Compiler(PathBuf);

impl Compiler {
    /// Where `./build.sh test` has put it; `None` where that could not be done.
    fn find() -> Option<Self> {
        let installed = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools");
        let installed = installed.join("npm/node_modules/typescript/bin/tsc");
        let path = match std::env::var_os("MIEN_TYPESCRIPT") {
            Some(path) if path.is_empty() => {
                eprintln!("left out: there is no TypeScript");
                return None;
            }
            Some(path) => repository().join(path),
            None => installed,
        };
        assert!(path.is_file(), "{} is missing: run ./build.sh test, which installs it", path.display());
        Some(Self(path))
    }

    /// What it says of `mien.js`, `mien.d.ts` and what lies in `types/`, with `files` besides or in their
    /// place: nothing if all is well.
    fn complaints(&self, files: &[(&str, &str)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let copy = |from: &Path, name: &str| fs::copy(from, folder.path().join(name)).unwrap();
        let www = repository().join("www");
        copy(&www.join("mien.d.ts"), "mien.d.ts");
        // Beside mien.d.ts nobody would look at it by its own name.
        copy(&www.join("mien.js"), "implementation.js");
        fs::create_dir(folder.path().join("lib")).unwrap();
        for (from, to) in [(www.join("lib"), "lib/"), (repository().join("tests/types"), "")] {
            for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
                copy(&entry.path(), &format!("{to}{}", entry.file_name().to_str().unwrap()));
            }
        }
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let output = Command::new("node").arg(&self.0).arg("-p").arg(folder.path()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert_eq!(output.status.success(), text.is_empty(), "{}", String::from_utf8_lossy(&text));
        String::from_utf8(text).unwrap()
    }
}
