//! A word where the picture of a face is too poor for a number: in its place beside a camera, beside it of a photo.

use image::RgbImage;
use serde_json::json;

use crate::support::chromium::Options;
use crate::support::{film, grey, sample};
use crate::visit;

/// The sample in a camera's picture, in so much of its light.
fn lit(light: f32) -> RgbImage {
    let portrait =
        image::imageops::resize(&sample().to_rgb8(), 480, 480, image::imageops::FilterType::Triangle);
    let mut frame = grey(640, 480);
    image::imageops::replace(&mut frame, &portrait, 80, 0);
    frame.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|value| (f32::from(value) * light) as u8));
    frame
}

/// The page's own picture of the sample, made poor in one way after the other; with a clock of its own.
#[test]
fn each_kind_of_poor_picture_has_its_word() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let words = page.evaluate(
            "(async () => {
                const { Quality } = await import('./later/quality.js');
                const bitmap = await createImageBitmap(await (await fetch('sample.jpg')).blob());
                const canvas = Object.assign(document.createElement('canvas'), { width: 512, height: 512 });
                const context = canvas.getContext('2d', { willReadFrequently: true });
                const [found] = mienApp.lastResult.faces;
                const draw = (filter) => {
                    context.filter = filter;
                    context.drawImage(bitmap, 0, 0);
                };
                const kinds = {
                    good: ['none', found.landmarks],
                    dark: ['brightness(0.06)', found.landmarks],
                    bright: ['brightness(6)', found.landmarks],
                    blurred: ['blur(12px)', found.landmarks],
                    small: ['none', found.landmarks.map(([x, y]) => [200 + (x - 200) / 8, 100 + (y - 100) / 8])],
                    turned: ['none', found.landmarks.with(2, found.landmarks[5].map((at, axis) => at + (axis === 0 ? 30 : 0)))],
                };
                const words = {};
                for (const [kind, [filter, landmarks]] of Object.entries(kinds)) {
                    draw(filter);
                    const judge = (id) => {
                        const shown = [{ key: 0, number: 1, face: { ...found, landmarks, ...(id && { id }) } }];
                        new Quality(() => {}).judge(shown, canvas, { width: 512, height: 512 });
                        return shown[0].face;
                    };
                    const [photo, camera] = [judge(), judge(7)];
                    words[kind] = [photo.settled, photo.poor ?? '', camera.settled, camera.poor ?? ''];
                }
                return words;
            })()",
        );
        assert_eq!(
            words,
            json!({
                "good": [true, "", true, ""],
                "dark": [true, "dark", false, "Too dark to guess"],
                "bright": [true, "overexposed", false, "Too bright to guess"],
                "blurred": [true, "blurred", false, "Hold still"],
                "small": [true, "few pixels", false, "Come closer"],
                "turned": [true, "turned away", false, "Turn to the camera"],
            })
        );
    });
}

/// What is seen lasts for half a second before it is said, and before it is said no more.
#[test]
fn the_number_comes_back_after_half_a_second() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        let said = page.evaluate(
            "(async () => {
                const { Quality } = await import('./later/quality.js');
                let clock = 0;
                performance.now = () => clock;
                const canvas = document.querySelector('#photo');
                const [found] = mienApp.lastResult.faces;
                const small = found.landmarks.map(([x, y]) => [200 + (x - 200) / 8, 100 + (y - 100) / 8]);
                const quality = new Quality(() => {});
                const judge = (at, landmarks) => {
                    clock = at;
                    const shown = [{ key: 7, number: 1, face: { ...found, id: 7, landmarks } }];
                    quality.judge(shown, canvas, { width: 512, height: 512 });
                    return shown[0].face.poor ?? 'a number';
                };
                const { landmarks } = found;
                return [judge(0, landmarks), judge(1000, small), judge(1300, small), judge(1600, small),
                    judge(2000, landmarks), judge(2300, landmarks), judge(2600, landmarks),
                    judge(3000, small), judge(3300, landmarks), judge(3900, landmarks)];
            })()",
        );
        let (number, word) = ("a number", "Come closer");
        assert_eq!(said, json!([number, number, number, word, word, word, number, number, number, number]));
    });
}

#[test]
fn a_dark_photo_has_its_number_and_a_word_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (dark, light) = (folder.path().join("dark.png"), folder.path().join("light.png"));
    lit(DARK).save(&dark).unwrap();
    lit(1.0).save(&light).unwrap();
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.choose_file(&light));
        page.wait_for(
            "performance.getEntriesByType('resource').some(({ name }) => name.includes('later/quality.js'))",
        );
        page.evaluate("new Promise((resume) => setTimeout(resume, 1000))");
        let range = "document.querySelector('#range').innerText";
        assert!(!page.evaluate(range).as_str().unwrap().contains('·'), "{}", page.evaluate(range));

        page.estimate_after(|page| page.choose_file(&dark));
        page.wait_for(&format!("{range}.startsWith('probably ') && {range}.endsWith(' · dark')"));
        let said = page.evaluate(
            "[document.querySelector('#age').innerText, String(Math.round(mienApp.lastResult.faces[0].age)), document.querySelector('.chip small').innerText, document.querySelector('#announcer').textContent]",
        );
        assert_eq!(said[0], said[1], "the number stays");
        assert!(said[2].as_str().unwrap().ends_with(" · dark"), "{said}");
        assert!(said[3].as_str().unwrap().contains("dark"), "{said}");
    });
}

/// A light that goes down and up, for a page that wants more of it than the real one: so the face is always found.
#[test]
fn beside_a_camera_a_word_takes_the_numbers_place() {
    let mut frames = vec![lit(1.0); 120];
    frames.extend(vec![lit(0.3); 120]);
    visit(Options { film: Some(film(&frames)), ..Options::default() }, |site, page| {
        let script = site.read("later/quality.js");
        let wants_more = script.replace("light: 12,", "light: 90,");
        assert_ne!(script, wants_more);
        site.replace("later/quality.js", Some(&wants_more));
        page.open(&site.page("?engine=cpu"));
        page.click("#start-camera");
        for _ in 0..2 {
            page.wait_for("/^\\d+$/.test(document.querySelector('#age').innerText)");
            page.wait_for("document.querySelector('.chip')?.innerText.includes('Too dark to guess') && document.querySelector('#range').innerText === 'Too dark to guess'");
            let said = page.evaluate(
                "({
                    age: document.querySelector('#age').innerText,
                    label: document.querySelector('#distribution svg').ariaLabel,
                    button: document.querySelector('.face').textContent,
                })",
            );
            assert_eq!(said["age"], "…", "{said}");
            assert_eq!(said["button"], "…Too dark to guess", "{said}");
            assert!(!said["label"].as_str().unwrap().contains("between"), "{said}");
        }
        page.wait_for("document.querySelector('#status').innerText === 'Too dark to guess.'");
    });
}

/// So little light that the face is found, and no more.
const DARK: f32 = 0.06;
