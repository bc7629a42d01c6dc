//! Photos: many at once, large ones, those that cannot be read; and taking a result home.

use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder};
use image::imageops::{self, FilterType};
use image::{ExtendedColorType, ImageEncoder, ImageFormat};
use serde_json::{Value, json};

use crate::groups::group;
use crate::looks::axe_finds;
use crate::support::chromium::Options;
use crate::support::{heads, repository, sample};
use crate::{assert_is_the_sample, visit};

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

/// Exif data with a date: in the directory of what the camera did, or in the first one alone.
fn exif(is_little: bool, by_camera: bool, date: &str) -> Vec<u8> {
    let [two, four] = [2, 4].map(|bytes: usize| {
        move |value: u32| {
            let all = value.to_be_bytes();
            let mut bytes = all[4 - bytes..].to_vec();
            if is_little {
                bytes.reverse();
            }
            bytes
        }
    });
    let entry = |tag, kind, count, value| [two(tag), two(kind), four(count), four(value)].concat();
    let directory = |entry: Vec<u8>| [two(1), entry, four(0)].concat();
    let mut file = [if is_little { b"II".to_vec() } else { b"MM".to_vec() }, two(42), four(8)].concat();
    if by_camera {
        file.extend(directory(entry(0x8769, 4, 1, 26)));
        file.extend(directory(entry(0x9003, 2, 20, 44)));
    } else {
        file.extend(directory(entry(0x0132, 2, 20, 26)));
    }
    file.extend(format!("{date}\0").bytes());
    file
}

#[test]
fn photos_of_one_person_are_hills_in_the_order_of_their_dates() {
    let folder = tempfile::tempdir().unwrap();
    let picture = sample().to_rgb8();
    let (width, height) = picture.dimensions();
    let write = |name: &str, exif: Option<Vec<u8>>| {
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        let encode = |mut encoder: Box<dyn FnMut(Option<Vec<u8>>)>| encoder(exif.clone());
        encode(match path.extension().unwrap().to_str().unwrap() {
            "png" => Box::new(|exif| {
                let mut encoder = PngEncoder::new(&file);
                exif.into_iter().for_each(|exif| encoder.set_exif_metadata(exif).unwrap());
                encoder.write_image(&picture, width, height, ExtendedColorType::Rgb8).unwrap();
            }),
            "webp" => Box::new(|exif| {
                let mut encoder = WebPEncoder::new_lossless(&file);
                exif.into_iter().for_each(|exif| encoder.set_exif_metadata(exif).unwrap());
                encoder.write_image(&picture, width, height, ExtendedColorType::Rgb8).unwrap();
            }),
            _ => Box::new(|exif| {
                let mut encoder = JpegEncoder::new_with_quality(&file, 95);
                exif.into_iter().for_each(|exif| encoder.set_exif_metadata(exif).unwrap());
                encoder.write_image(&picture, width, height, ExtendedColorType::Rgb8).unwrap();
            }),
        });
        path
    };
    let files = [
        write("2010-05-06.jpg", None),
        write("by camera.jpg", Some(exif(true, true, "2001:02:03 10:20:30"))),
        write("IMG_1987.jpg", None),
        write("at its end.webp", Some(exif(true, true, "1964:03:04 01:02:03"))),
        write("Aunt 1953.jpg", None),
        write("of the file.png", Some(exif(false, false, "1999:12:31 23:59:59"))),
        write("never.jpg", Some(exif(true, true, "2001:02:31 10:20:30"))),
    ];
    let paths: Vec<&Path> = files.iter().map(|path| path.as_path()).collect();
    let button = "document.querySelector('#strips > button')";
    let rows = "[...document.querySelectorAll('.years li button')].map((row) => [row.querySelector('time').innerText, row.textContent])";
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.choose_files(&paths[..6]);
        page.wait_for(button);
        let asked =
            "performance.getEntriesByType('resource').some(({ name }) => name.includes('later/years'))";
        assert_eq!(page.evaluate(asked), false, "fetched when used");
        page.evaluate(&format!("{button}.click()"));
        page.wait_for("document.querySelector('.years')");
        assert_eq!(page.evaluate(&format!("{button}.ariaExpanded")), "true");
        let shown: Vec<[String; 2]> = serde_json::from_value(page.evaluate(rows)).unwrap();
        let dates: Vec<&str> = shown.iter().map(|[date, _]| date.as_str()).collect();
        assert_eq!(dates[..5], ["1953", "Mar 4, 1964", "Dec 31, 1999?", "Feb 3, 2001", "May 6, 2010"]);
        // A camera's count is no year, and what a file says of itself is not sure.
        assert!(dates[5].ends_with('?') && !dates[5].contains("1987"), "{dates:?}");
        assert!(shown[0][1].ends_with(", Aunt 1953.jpg") && shown[0][1].contains("probably "), "{shown:?}");
        assert!(
            page.evaluate("document.querySelector('.years .note').innerText")
                .as_str()
                .unwrap()
                .contains("question mark")
        );
        // A row shows its picture.
        page.evaluate("document.querySelectorAll('.years li button')[2].click()");
        page.wait_for("document.querySelectorAll('.strip [role=option]')[5].ariaSelected === 'true'");
        assert_eq!(
            page.evaluate(
                "[...document.querySelectorAll('.years li button')].map(({ ariaCurrent }) => ariaCurrent)"
            ),
            json!([null, null, "true", null, null, null])
        );
        assert_eq!(axe_finds(page), json!([]));
        page.evaluate(&format!("{button}.click()"));
        assert_eq!(page.evaluate("document.querySelector('.years').hidden"), true);

        // Where all dates are known, what lies between them is said; and there is no 31 February.
        page.choose_files(&[paths[6], paths[1], paths[3]]);
        page.wait_for(&format!("{button} && !document.querySelector('.years')"));
        page.evaluate(&format!("{button}.click()"));
        page.wait_for("document.querySelector('.years')");
        let shown: Vec<[String; 2]> = serde_json::from_value(page.evaluate(rows)).unwrap();
        assert!(shown[2][0].ends_with('?') && shown[2][1].contains("never.jpg"), "{shown:?}");
        page.choose_files(&[paths[1], paths[3]]);
        page.wait_for(&format!("{button} && !document.querySelector('.years')"));
        page.evaluate(&format!("{button}.click()"));
        page.wait_for("document.querySelector('.years')");
        let note = page.evaluate("document.querySelector('.years .note').innerText");
        let ages =
            page.evaluate("[...document.querySelectorAll('.years b')].map((it) => Number(it.innerText))");
        let ages: Vec<i64> = serde_json::from_value(ages).unwrap();
        let guessed = ages[1] - ages[0];
        assert_eq!(
            note,
            format!("From the first to the last: 37 years by their dates, {guessed} by the guesses.")
        );

        // One picture has no line, and ends that of others.
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(page.evaluate("document.querySelectorAll('#strips > *').length"), 0);
    });
}

/// Damaged data are no date, and no error; made to take for ever, they take a moment.
#[test]
fn a_date_that_is_cut_off_is_none() {
    let whole = [b"....".to_vec(), exif(false, true, "2001:02:03 10:20:30")].concat();
    let circle = [b"II*\0\x08\0\0\0\x01\0".to_vec(), vec![0x69, 0x87, 4, 0, 1, 0, 0, 0, 8, 0, 0, 0]].concat();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        let found = page.evaluate(&format!(
            "import('./later/dates.js').then(async ({{ taken }}) => {{
                const of = async (bytes) => (await taken(new File([new Uint8Array(bytes)], 'a.jpg'))).by;
                const whole = {whole:?};
                const cut = await Promise.all(whole.map((_, length) => of(whole.slice(0, length))));
                const endless = new Uint8Array(2 ** 19).map((_, at) => [73, 73, 42, 0, 8, 0, 0, 0, 255, 255][at % 10]);
                const since = performance.now();
                return [await of(whole), [...new Set(cut.slice(0, -1))], await of({circle:?}), await of(endless), performance.now() - since < 5000];
            }})"
        ));
        assert_eq!(found, json!(["camera", ["file"], "file", "file", true]));
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

/// Panoramas and strips, of which nothing was ever seen but that they end the page.
#[test]
fn pictures_of_extreme_shapes_are_read() {
    let folder = tempfile::tempdir().unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        for (width, height) in [(30_000, 200), (200, 30_000), (60_000, 1), (1, 1)] {
            let path = folder.path().join(format!("{width}x{height}.png"));
            image::GrayImage::from_pixel(width, height, image::Luma([120])).save(&path).unwrap();
            page.evaluate("mienApp.lastResult = null");
            page.choose_file(&path);
            page.wait_for("mienApp.lastResult || mienApp.lastError");
            let seen = page.evaluate(
                "[mienApp.lastResult?.width, mienApp.lastResult?.height, mienApp.lastResult?.faces.length]",
            );
            assert_eq!(seen, json!([width, height, 0]), "{}", page.words());
            assert!(page.words().starts_with("No face found"), "{}", page.words());
        }
        assert_is_the_sample(&page.estimate_after(|page| page.click("#use-sample")));
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
    // Whole files of which no more is wrong than that nobody has the memory.
    let mut png = Vec::new();
    image::RgbImage::new(4, 4).write_to(&mut std::io::Cursor::new(&mut png), ImageFormat::Png).unwrap();
    png[16..24].copy_from_slice(&[40_000u32.to_be_bytes(), 40_000u32.to_be_bytes()].concat());
    let checksum = crc32fast::hash(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut jpeg = Vec::new();
    image::RgbImage::new(16, 16).write_to(&mut std::io::Cursor::new(&mut jpeg), ImageFormat::Jpeg).unwrap();
    let frame = jpeg.windows(2).position(|it| it == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[65_500u16.to_be_bytes(), 65_500u16.to_be_bytes()].concat());
    for (name, content) in [("large.png", png), ("large.jpg", jpeg)] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        files.push((path, "more pixels than this browser can make smaller"));
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
        let faces = page.evaluate("JSON.parse(copied[1]).faces.map((face) => [face.number, face.box.length, face.age_distribution.length])");
        assert_eq!(faces, json!([[1, 4, 100], [2, 4, 100]]));
        press("Share…");
        page.wait_for("shared.length === 1");
        press("Save picture");
        page.wait_for("saved.length === 1");
        let size = page.evaluate("createImageBitmap(shared[0]).then(({ width, height }) => [width, height])");
        assert!(size[0].as_u64() == Some(1080) && size[1].as_u64().unwrap() > 1000, "{size}");
        press("Close");
        page.wait_for("!document.querySelector('dialog')");
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
