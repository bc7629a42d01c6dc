//! What the page says of a face, and of itself.

use serde_json::{Value, json};

use crate::support::chromium::Options;
use crate::visit;

/// Made-up faces: age, range, probability of female; the word for them, and the sentence on gender.
#[test]
fn words_promise_no_more_than_was_measured() {
    let faces = [
        // No gender where it is a coin with a little weight.
        (json!([34, [27, 41], 0.58]), "Person", "Not sure: female 58%, male 42%"),
        (json!([34, [27, 41], 0.78]), "Person", "Not sure: female 78%, male 22%"),
        (json!([34, [27, 41], 0.93]), "Woman", "Woman, 93%"),
        (json!([70, [61, 78], 0.004]), "Man", "Man, over 99%"),
        (json!([34, [27, 41], 1.0]), "Woman", "Woman, over 99%"),
        // Of children less often still; and nobody is a man from one day to the next.
        (json!([6, [4, 8], 0.86]), "Child", "Not sure: female 86%, male 14%"),
        (json!([6, [4, 8], 0.97]), "Girl", "Girl, 97%"),
        (json!([6, [4, 8], 0.03]), "Boy", "Boy, 97%"),
        (json!([16, [12, 22], 0.03]), "Young man", "Young man, 97%"),
        (json!([16, [12, 22], 0.4]), "Young person", "Not sure: female 40%, male 60%"),
        (json!([21, [17, 26], 0.97]), "Young woman", "Young woman, 97%"),
        (json!([24, [19, 29], 0.97]), "Woman", "Woman, 97%"),
    ];
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        for (face, word, sentence) in faces {
            let said = page.evaluate(&format!(
                "import('./views/words.js').then((words) => {{
                    const [age, ageRange, female] = {face};
                    const face = {{ age, ageRange, gender: {{ female, male: 1 - female }} }};
                    return [words.word(face), words.genderSentence(face), words.summary(face), words.describe(face)];
                }})"
            ));
            assert_eq!(said[0], word, "{face}");
            assert_eq!(said[1], sentence, "{face}");
            let (low, high) = (&face[1][0], &face[1][1]);
            assert_eq!(said[2], format!("4 of 5 people with this result are between {low} and {high}."));
            let described = format!("{}, about {}, probably {low} to {high}", word.to_lowercase(), face[0]);
            assert_eq!(said[3], described);
        }
    });
}

/// Two hills are told as two, and of a face that is not settled there is no number.
#[test]
fn what_is_not_one_number_is_not_told_as_one() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        let said = page.evaluate(
            "Promise.all([import('./views/words.js'), import('./views/readout.js')]).then(([words, { Readout }]) => {
                const ageDistribution = new Float32Array(100).fill(0.01);
                const face = { age: 19, ageRange: [6, 33], gender: { female: 0.9, male: 0.1 }, ageDistribution };
                const hills = [{ age: 8, share: 0.4 }, { age: 30, share: 0.6 }];
                const readout = new Readout(document.querySelector('#readout'));
                readout.show({ ...face, settled: false }, 2);
                const panel = document.querySelector('#readout').innerText;
                return [words.summary({ ...face, hills }), words.describeAll([{ ...face, settled: false }]), panel];
            })",
        );
        let summary = said[0].as_str().unwrap();
        assert!(summary.starts_with("Either a child of about 8, or an adult of about 30."), "{summary}");
        assert_eq!(said[1], "");
        let panel = said[2].as_str().unwrap();
        assert!(panel.contains("One moment") && !panel.contains("19") && panel.contains("face 2"), "{panel}");
    });
}

/// What `mien evaluate` wrote of the default network.
fn measured(set: &str) -> Value {
    let path = crate::support::repository().join(format!("model-weights/lite/{set}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The mean over the faces of all sets.
fn pooled(sets: &[Value], part: impl Fn(&Value) -> Value, name: &str) -> f64 {
    let parts: Vec<Value> = sets.iter().map(part).collect();
    let n: f64 = parts.iter().filter_map(|part| part["n"].as_f64()).sum();
    parts.iter().filter_map(|part| Some(part["n"].as_f64()? * part[name].as_f64()?)).sum::<f64>() / n
}

/// The page's figures are those of the files that `mien evaluate` wrote.
#[test]
fn accuracy_is_stated_as_it_was_measured() {
    let sets = ["aaf-test", "utkface-test"].map(measured);
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate("document.querySelector('#about').scrollIntoView()");
        page.wait_for("document.querySelector('#measured table')");
        let words = page.evaluate("document.querySelector('#measured p').innerText");
        let words = words.as_str().unwrap();
        let mae = pooled(&sets, |set| set.clone(), "mae");
        assert!(words.contains(&format!("off by {mae:.1} years")), "{mae}: {words}");
        let rows = page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#measured tbody tr')].map(({ cells }) => [cells[0].innerText, [...cells].map(({ innerText }) => innerText).join(' ')]))",
        );
        let bias = pooled(&sets, |set| set["by_decade"]["80-89"].clone(), "bias");
        assert!(bias < -3.0 && words.contains("too young"), "{bias}: {words}");
        assert!(rows["80–89"].as_str().unwrap().contains(&format!("{:.1} too young", -bias)), "{rows}");
    });
}

/// Every face's age beside the mean that was measured, by whoever asks; and nothing of it leaves the page.
#[test]
fn what_people_of_an_age_are_taken_for_is_said_as_it_was_measured() {
    let sets = ["aaf-test", "utkface-test"].map(measured);
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate("document.querySelector('#about').scrollIntoView()");
        page.wait_for("document.querySelector('#measured input')");
        let asked = page.evaluate("performance.getEntriesByType('resource').length");
        let said = |age: &str| {
            page.type_in("#measured input", age);
            page.evaluate("document.querySelector('#measured output').innerText")
        };
        for (age, decade) in [(25.0, "20-29"), (72.0, "70-79"), (5.0, "00-09")] {
            let bias = pooled(&sets, |set| set["by_decade"][decade].clone(), "bias");
            let said = said(&format!("{age}"));
            let said = said.as_str().unwrap();
            let way = if bias > 0.0 { "older" } else { "younger" };
            assert!(
                said.contains(&format!("for {:.1} years {way} on average", bias.abs())),
                "{bias}: {said}"
            );
            assert!(said.ends_with(&format!(": {age} for {}.", (age + bias).round())), "{bias}: {said}");
        }
        assert_eq!(said("99"), "There were too few test pictures of that age.");
        assert_eq!(said(""), "");
        assert_eq!(page.evaluate("performance.getEntriesByType('resource').length"), asked);
        // By the labels that pictures have.
        page.resize(360, 740, true);
        page.evaluate("document.querySelector('#measured details').open = true");
        assert_eq!(page.evaluate("document.documentElement.scrollWidth"), 360, "tables scroll by themselves");
        let rows = page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('#measured details tbody tr')].map(({ cells }) => [cells[0].innerText, [...cells].slice(1).map(({ innerText }) => innerText)]))",
        );
        assert_eq!(rows.as_object().unwrap().len(), 7, "{rows}");
        for (title, by, label) in
            [("Labelled female", "by_gender", "female"), ("Labelled Black", "by_race", "Black")]
        {
            let mae = pooled(&sets, |set| set[by][label].clone(), "mae");
            assert_eq!(rows[title][1], format!("{mae:.1}"), "{rows}");
        }
    });
}

/// A switch of the header's: no gender anywhere, in this visit and the next.
#[test]
fn ages_alone_are_shown_to_those_who_wish_it() {
    // What can be read or heard of the page's own part, links' and tools' names aside.
    let tells = "/\\bwom[ae]n|\\bm[ae]n\\b|male|gender|girl|boy/i.test([...document.querySelectorAll('#stage, #strips, #readout, .line, dialog')]
        .map((part) => part.innerText + [...part.querySelectorAll('[aria-label]')].map(({ ariaLabel }) => ariaLabel)).join())";
    let pressed = "document.querySelector('#age-only').ariaPressed";
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        page.evaluate(
            "void (window.copied = [], Object.defineProperty(navigator, 'clipboard', { value: { writeText: async (text) => copied.push(text) } }))",
        );
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(page.evaluate(tells), true);
        assert_eq!(page.evaluate(pressed), "false");
        page.click("#age-only");
        assert_eq!(page.evaluate(pressed), "true");
        assert_eq!(page.evaluate(tells), false, "{}", page.words());
        let age = page.evaluate("String(Math.round(mienApp.lastResult.faces[0].age))");
        assert_eq!(page.evaluate("document.querySelector('#age').innerText"), age);
        // Nor where it is taken home, or looked into.
        page.click("#take");
        page.wait_for("document.querySelector('dialog[open] canvas')");
        for words in ["Copy as text", "Copy as JSON"] {
            page.evaluate(&format!(
                "[...document.querySelectorAll('dialog button')].find(({{ innerText }}) => innerText === '{words}').click()"
            ));
        }
        page.wait_for("copied.length === 2");
        let copied = page.evaluate("copied.join()");
        let copied = copied.as_str().unwrap();
        assert!(copied.contains("age_distribution") && !copied.contains("male"), "{copied}");
        page.press("Escape");
        page.click("#see");
        page.wait_for("document.querySelector('dialog.see[open]')?.dataset.ready === ''");
        assert_eq!(page.evaluate(tells), false);

        page.open(&site.page("?engine=cpu"));
        page.estimate_after(|page| page.click("#use-sample"));
        assert_eq!(page.evaluate(pressed), "true");
        assert_eq!(page.evaluate(tells), false);
        page.click("#age-only");
        assert_eq!(page.evaluate(tells), true);
        assert_eq!(page.evaluate("localStorage.length"), 0);
    });
}

#[test]
fn a_shared_address_shows_a_preview_and_links_lead_somewhere() {
    visit(Options::default(), |site, page| {
        page.open(&site.page("?engine=cpu"));
        let tags = page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('meta[property], meta[name]')].map((it) => [it.getAttribute('property') ?? it.name, it.content]))",
        );
        for name in ["description", "og:title", "og:description", "og:image", "og:image:alt", "twitter:card"]
        {
            assert!(tags[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {tags}");
        }
        let picture = page.evaluate(
            "createImageBitmap.call(null, new Image()).catch(() => {}).then(async () => {
                const response = await fetch(document.querySelector('meta[property=\"og:image\"]').content);
                const blob = await response.blob();
                const { width, height } = await createImageBitmap(blob);
                return [width, height, blob.size];
            })",
        );
        assert_eq!(
            (&picture[0], &picture[1]),
            (&tags["og:image:width"].as_str().unwrap().parse::<u32>().unwrap().into(), &630.into())
        );
        // Messengers leave out what is larger.
        assert!(picture[2].as_u64().unwrap() < 300_000, "{picture}");
        let nowhere = page.evaluate("fetch('404.html').then((it) => it.text())");
        assert!(nowhere.as_str().unwrap().contains("<a href=\"./\">To Mien"), "{nowhere}");
        let links = page.evaluate(
            "Promise.all([...document.querySelectorAll('a[href]')].map(async ({ href, innerText }) => {
                const response = await fetch(href);
                return [response.status, href, innerText, (await response.text()).length];
            }))",
        );
        let links = links.as_array().unwrap();
        assert!(links.len() >= 3, "{links:?}");
        for link in links {
            assert!(link[0] == 200 && link[3].as_u64().unwrap() > 300, "{link}");
        }
        let of = |name: &str| links.iter().any(|link| link[1].as_str().unwrap().contains(name));
        assert!(of("source") && of("model-card") && of("credits"), "{links:?}");
    });
}
