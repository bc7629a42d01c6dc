//! Photos: many at once, large ones, those that cannot be read; and taking a result home.

use std::path::Path;

use image::ImageFormat;
use image::imageops::{self, FilterType};
use serde_json::{Value, json};

use crate::groups::group;
use crate::support::chromium::Options;
use crate::support::{heads, repository, sample};
use crate::visit;

#[test]
fn several_photos_are_read_and_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    sample().to_rgb8().save(path("one.png")).unwrap();
    heads([500, 300], 140, &[[130, 150], [360, 150]]).save(path("two.png")).unwrap();
    std::fs::write(path("broken.jpg"), "no picture").unwrap();
    image::RgbImage::from_pixel(300, 200, [90; 3].into()).save(path("none.png")).unwrap();
    group().save(path("group.png")).unwrap();
    let names = ["broken.jpg", "one.png", "two.png", "none.png", "group.png"].map(path);
    let paths: Vec<&Path> = names.iter().map(|path| path.as_path()).collect();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "void (window.told = [], new MutationObserver(() => told.push(document.querySelector('#status').textContent))
                .observe(document.querySelector('#status'), { childList: true, characterData: true, subtree: true }))",
        );
        page.choose_files(&paths);
        page.wait_for("document.querySelector('#status').innerText.startsWith('4 pictures, 16 faces')");
        assert!(page.words().contains("1 could not be read"), "{}", page.words());
        let told = page.evaluate("told");
        for number in 1..=5 {
            let progress = format!("Reading picture {number} of 5…");
            assert!(told.as_array().unwrap().contains(&json!(progress)), "{progress}: {told}");
        }
        let options = page.evaluate(
            "[...document.querySelectorAll('.strip [role=option]')].map(({ ariaLabel }) => ariaLabel)",
        );
        assert_eq!(options.as_array().unwrap().len(), 5, "{options}");
        assert!(options[0].as_str().unwrap().contains("broken.jpg"), "{options}");
        // The first that could be read is shown, and any other by choosing it.
        assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 1);
        for (index, faces) in [(2, 2), (4, 13), (3, 0), (1, 1)] {
            page.evaluate(&format!(
                "document.querySelectorAll('.strip[aria-label=Photos] [role=option]')[{index}].click()"
            ));
            page.wait_for(&format!(
                "document.querySelectorAll('.face').length === {faces} && mienApp.lastResult.faces.length === {faces}
                && document.querySelectorAll('.strip [role=option]')[{index}].ariaSelected === 'true'"
            ));
        }
        page.evaluate("document.querySelector('.strip [role=option]').click()");
        page.wait_for("document.querySelector('#status').innerText.startsWith('broken.jpg: ')");
        // One picture by itself ends that.
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(page.evaluate("document.querySelectorAll('.strip').length"), 0);
    });
}

/// What nobody sees is no face, and what is half there is seen over white, on both engines as by the program.
#[test]
fn what_is_transparent_is_over_white() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let save = |name: &str, change: fn(&mut image::Rgba<u8>)| {
        let mut picture = sample().to_rgba8();
        picture.pixels_mut().for_each(change);
        picture.save(path(name)).unwrap();
    };
    save("ghost.png", |pixel| pixel[3] = 0);
    save("veiled.png", |pixel| pixel[3] = 153);
    save("on-white.png", |pixel| {
        pixel.0[..3]
            .iter_mut()
            .for_each(|value| *value = ((u32::from(*value) * 153 + 255 * 102) / 255) as u8);
    });
    for engine in ["cpu", "webgpu"] {
        visit(Options { webgpu: engine == "webgpu", ..Options::default() }, |site, page| {
            page.open(&site.page(&format!("?engine={engine}&model=d-cnn")));
            let [veiled, on_white] = ["veiled.png", "on-white.png"].map(|name| {
                let estimate = page.estimate_after(|page| page.choose_files(&[&path(name)]));
                assert_eq!(estimate.engine, engine);
                estimate.faces[0].age
            });
            assert!((veiled - on_white).abs() < 1.0, "{engine}: {veiled} {on_white}");
            page.choose_files(&[&path("ghost.png")]);
            page.wait_for("mienApp.lastResult.faces.length === 0");
        });
    }
}

/// A picture of 24 million pixels: decoded once, and made smaller beside the page.
#[test]
fn a_large_photo_is_decoded_once_and_not_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("large.jpg");
    imageops::resize(&sample().to_rgb8(), 6000, 4000, FilterType::Nearest).save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(() => {
                const { createImageBitmap } = window;
                window.made = { decoded: 0, scaled: 0, copied: 0 };
                window.createImageBitmap = (source, options) => {
                    if (source instanceof Blob) made.decoded += 1;
                    else if (options?.resizeWidth) made.scaled += 1;
                    else made.copied += 1;
                    return createImageBitmap(source, options);
                };
                window.longest = 0;
                new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => longest = Math.max(longest, duration)))
                    .observe({ type: 'longtask' });
            })()",
        );
        let estimate = page.estimate_after(|page| page.choose_file(&picture));
        assert_eq!(estimate.faces.len(), 1);
        assert_eq!(page.evaluate("made"), json!({ "decoded": 1, "scaled": 0, "copied": 0 }));
        assert_eq!(
            page.evaluate("document.querySelectorAll('img:not([src$=svg])').length"),
            0,
            "nothing else decodes it"
        );
        println!("the page's longest task: {} ms", page.evaluate("longest"));
        // The frame is where the face is.
        let off = page.evaluate(
            "(() => {
                const { width, height, faces: [{ box }] } = mienApp.lastResult;
                const stage = document.querySelector('#stage').getBoundingClientRect();
                const frame = document.querySelector('.face').getBoundingClientRect();
                const scale = Math.min(stage.width / width, stage.height / height);
                const x = (stage.width - width * scale) / 2 + (box[0] + box[2] / 2) * scale;
                return Math.abs(frame.left - stage.left + frame.width / 2 - x);
            })()",
        );
        assert!(off.as_f64().unwrap() < 1.0, "{off}");
    });
}

/// What a browser shows in part it does not read. As the program, the page says why.
#[test]
fn a_file_that_is_incomplete_is_told_from_one_that_is_no_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (name, format) in [
        ("a.jpg", ImageFormat::Jpeg),
        ("a.png", ImageFormat::Png),
        ("a.gif", ImageFormat::Gif),
        ("a.bmp", ImageFormat::Bmp),
    ] {
        let mut file = std::io::Cursor::new(Vec::new());
        image::DynamicImage::ImageRgb8(sample().to_rgb8()).write_to(&mut file, format).unwrap();
        let file = file.into_inner();
        let path = folder.path().join(name);
        std::fs::write(&path, &file[..file.len() * 7 / 10]).unwrap();
        files.push((path, "incomplete or damaged:"));
    }
    for (name, content) in
        [("no.jpg", "Dear diary"), ("a.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")]
    {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        files.push((path, "of a kind that"));
    }
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        for (path, words) in files {
            page.evaluate("mienApp.lastError = null");
            page.choose_file(&path);
            page.wait_for("mienApp.lastError");
            assert_eq!(page.evaluate("mienApp.lastError.code"), "bad-picture");
            assert!(page.words().contains(words), "{}: {}", path.display(), page.words());
        }
    });
}

#[test]
fn what_heic_is_and_what_to_do_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("IMG_0001.HEIC");
    std::fs::write(&picture, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x08meta").unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.choose_file(&picture);
        page.wait_for("mienApp.lastError");
        assert_eq!(page.evaluate("mienApp.lastError.code"), "bad-picture");
        let words = page.words();
        assert!(words.contains("HEIC") && words.contains("JPEG") && words.contains("iPhone"), "{words}");
    });
}

#[test]
fn dropped_or_pasted_words_change_nothing() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        for event in [
            "new DragEvent('drop', { dataTransfer: words, bubbles: true, cancelable: true })",
            "new ClipboardEvent('paste', { clipboardData: words, bubbles: true })",
        ] {
            page.evaluate(&format!(
                "(() => {{
                    const words = new DataTransfer();
                    words.setData('text/plain', 'a word');
                    document.querySelector('#stage').dispatchEvent({event});
                }})()"
            ));
            assert!(page.words().contains("no picture"), "{}", page.words());
            assert_eq!(page.evaluate("document.querySelectorAll('.face').length"), 1);
            assert_eq!(page.evaluate("document.querySelector('#photo').hidden"), false);
            assert_eq!(page.evaluate("mienApp.lastError"), Value::Null);
        }
    });
}

// ---- taking it home ----

const CARD: &str = "(async () => {
    const pause = () => new Promise((resume) => setTimeout(resume, 50));
    while (!document.querySelector('dialog[open] canvas')) await pause();
})()";

#[test]
fn a_card_can_be_saved_shared_and_its_numbers_copied() {
    let folder = tempfile::tempdir().unwrap();
    let picture = folder.path().join("two.png");
    heads([500, 300], 140, &[[130, 150], [360, 150]]).save(&picture).unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "(() => {
                window.copied = [], window.shared = [], window.saved = [];
                Object.defineProperty(navigator, 'clipboard', { value: { async writeText(text) { copied.push(text); } } });
                navigator.canShare = () => true;
                navigator.share = async ({ files }) => shared.push(...files);
                const { click } = HTMLAnchorElement.prototype;
                HTMLAnchorElement.prototype.click = function () {
                    if (this.download) saved.push([this.download, this.href]);
                    else click.call(this);
                };
            })()",
        );
        assert_eq!(page.evaluate("document.querySelector('#take').hidden"), true, "there is nothing yet");
        page.estimate_after(|page| page.choose_file(&picture));
        page.click("#take");
        page.evaluate(CARD);
        let press = |words: &str| {
            page.evaluate(&format!(
                "[...document.querySelectorAll('dialog button')].find(({{ innerText }}) => innerText === '{words}').click()"
            ));
        };
        press("Copy as text");
        page.wait_for("copied.length === 1");
        let text = page.evaluate("copied[0]");
        let text = text.as_str().unwrap();
        let age = page.evaluate("String(Math.round(mienApp.lastResult.faces[0].age))");
        assert!(
            text.contains(&format!("about {}", age.as_str().unwrap())) && text.contains("Face 2: "),
            "{text}"
        );
        assert!(text.contains("on my computer"), "{text}");
        press("Copy as JSON");
        page.wait_for("copied.length === 2");
        let faces = page.evaluate("JSON.parse(copied[1]).faces.map((face) => [face.number, face.box.length, face.ageDistribution.length])");
        assert_eq!(faces, json!([[1, 4, 100], [2, 4, 100]]));
        press("Share…");
        page.wait_for("shared.length === 1");
        press("Save picture");
        page.wait_for("saved.length === 1");
        let size = page.evaluate("createImageBitmap(shared[0]).then(({ width, height }) => [width, height])");
        assert!(size[0].as_u64() == Some(1080) && size[1].as_u64().unwrap() > 1000, "{size}");
        press("Close");
        assert_eq!(page.evaluate("document.querySelectorAll('dialog').length"), 0);
    });
}

/// A blurred face has as many shades in its middle as squares, and not more; numbers alone show none of the
/// picture.
#[test]
fn blurred_faces_are_gone_from_the_card() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        page.click("#take");
        page.evaluate(CARD);
        // How rough the picture is around the face's middle: from pixel to pixel, in the mean.
        let roughness = |kind: &str| {
            let choose = format!("document.querySelector('dialog input[value={kind}]').click()");
            page.evaluate(&choose);
            let rough = page.evaluate(
                "(() => {
                    const canvas = document.querySelector('dialog canvas');
                    const { box: [x, y, w, h] } = mienApp.lastResult.faces[0];
                    const scale = canvas.width / mienApp.lastResult.width;
                    const side = Math.round(w * scale);
                    const { data } = canvas.getContext('2d').getImageData(Math.round(x * scale), Math.round(y * scale), side, side);
                    let sum = 0;
                    for (let at = 0; at + 4 < data.length; at += 4) sum += Math.abs(data[at] - data[at + 4]);
                    return [sum / (side * side), canvas.height];
                })()",
            );
            (rough[0].as_f64().unwrap(), rough[1].as_f64().unwrap())
        };
        let (plain, tall) = roughness("picture");
        let (blurred, _) = roughness("blurred");
        let (_, short) = roughness("hill");
        println!("{plain} {blurred}");
        assert!(blurred < 0.5 * plain, "{blurred} after {plain}");
        assert!(short < tall - 1000.0, "{short} {tall}");
        assert!(page.words().len() > 3);
    });
}

/// The picture that is shown where the page's address is shared: with MIEN_UPDATE_DOCS=1, www/preview.jpg is
/// made anew.
#[test]
fn the_preview_is_made_of_the_sample() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let card = page.evaluate(
            "Promise.all([import('./later/card.js'), import('./views/order.js')]).then(([{ drawCard }, { keyOf }]) => {
                const canvas = document.createElement('canvas');
                const result = mienApp.lastResult;
                const shown = result.faces.map((face, index) => ({ face, key: keyOf(face, index), number: index + 1 }));
                drawCard(canvas, { source: document.querySelector('#photo'), mirrored: false, result, shown, chosen: shown[0].key },
                    { kind: 'picture', isWide: true, by: 'Guessed on the device' });
                return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];
            })",
        );
        let jpeg = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, card.as_str().unwrap()).unwrap();
        let card = image::load_from_memory(&jpeg).unwrap();
        assert_eq!((card.width(), card.height()), (1200, 630));
        if std::env::var_os("MIEN_UPDATE_DOCS").is_some_and(|value| value == "1") {
            std::fs::write(repository().join("www/preview.jpg"), &jpeg).unwrap();
        }
    });
}
