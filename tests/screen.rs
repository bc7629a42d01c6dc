//! The entrance screen's rules, in Rust and in the page's JavaScript: the same people before both, the same
//! files to both. `tests/data/screen.json` has what is to come of it; what is made up besides only has to be
//! the same in both.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use mien::age::{AGES, AgeDistribution};
use mien::screen::{Director, Person, Rules};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

const CASES: &str = include_str!("data/screen.json");

/// With the rules' names resolved: what `tests/screen/run.mjs` reads.
fn cases() -> Value {
    let mut cases: Value = serde_json::from_str(CASES).unwrap();
    let sample = include_str!("../www/kiosk/rules.json");
    cases["rules"]["sample"] = serde_json::from_str(sample).unwrap();
    let rules = cases["rules"].clone();
    for play in cases["plays"].as_array_mut().unwrap() {
        if let Some(name) = play["rules"].as_str() {
            play["rules"] = rules[name].clone();
        }
    }
    let base = cases["base"].clone();
    for file in cases["files"].as_array_mut().unwrap() {
        if file.get("text").is_none() {
            file["text"] = changed(&base, file).into();
        }
    }
    cases
}

/// The text of a file that is the case's base but for one place.
fn changed(base: &Value, case: &Value) -> String {
    let mut file = base.clone();
    let (last, path) = case["at"].as_array().unwrap().split_last().unwrap();
    let mut place = &mut file;
    for step in path {
        place = match step {
            Value::String(name) => &mut place[name],
            index => &mut place[index.as_u64().unwrap() as usize],
        };
    }
    match (last, case.get("value")) {
        (Value::String(name), Some(value)) => place[name] = value.clone(),
        (Value::String(name), None) => drop(place.as_object_mut().unwrap().remove(name).unwrap()),
        (index, value) => place[index.as_u64().unwrap() as usize] = value.unwrap().clone(),
    }
    file.to_string()
}

/// Somebody as a play has them: by name, by what they are made up of, or by each year's probability.
fn person(known: &Value, of: &Value) -> Person {
    let of = of.as_str().map_or(of, |name| &known[name]);
    let number = |name: &str, otherwise: f64| of.get(name).map_or(otherwise, |it| it.as_f64().unwrap());
    let ages = match of.get("ages") {
        Some(ages) => std::array::from_fn(|year| ages[year].as_f64().unwrap() as f32),
        None => {
            // As www/kiosk/rules.js makes them up.
            let deviation = (number("years", 0.0) / 1.2816).max(0.3);
            std::array::from_fn(|year| {
                (-0.5 * ((year as f64 - number("age", 0.0)) / deviation).powi(2)).exp() as f32
            })
        }
    };
    let ages = AgeDistribution::new(ages).unwrap();
    Person { ages, female: number("female", 0.5), width: number("width", 0.2) }
}

/// What changes, and when: name of the content, seconds, name of the rule.
fn play(known: &Value, play: &Value) -> Value {
    let rules = Rules::parse(&play["rules"].to_string()).unwrap();
    let names: Vec<String> = rules.rules.iter().map(|rule| rule.name.clone()).collect();
    let mut director = Director::new(rules, 0.0);
    let every = play["every"].as_f64().unwrap();
    let (mut now, mut changes) = (0.0, Vec::<Value>::new());
    for step in play["steps"].as_array().unwrap() {
        let people: Vec<Person> =
            step["people"].as_array().unwrap().iter().map(|it| person(known, it)).collect();
        let end = now + 1000.0 * step["seconds"].as_f64().unwrap();
        while now < end {
            let minute = (play["minute"].as_u64().unwrap() + (now / 60_000.0) as u64) % 1440;
            let shown = director.see(&people, now, minute as u32);
            let (content, rule) = (json!(shown.content), json!(shown.rule.map(|rule| &names[rule])));
            if changes.last().is_none_or(|last| last[0] != content || last[2] != rule) {
                changes.push(json!([content, now / 1000.0, rule]));
            }
            now += every;
        }
    }
    changes.into()
}

fn problems(text: &str) -> Vec<String> {
    Rules::parse(text).map_or_else(|error| error.problems, |_| Vec::new())
}

/// What the page's rules make of it.
fn by_the_page(cases: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screen/run.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node, which runs the page's rules. Debian and Ubuntu: sudo apt-get install nodejs");
    node.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Times are what floating point makes of them, in both.
fn assert_shown(name: &str, shown: &Value, expected: &Value) {
    let is_same = |a: &Value, b: &Value| {
        a[0] == b[0] && a[2] == b[2] && (a[1].as_f64().unwrap() - b[1].as_f64().unwrap()).abs() < 1e-6
    };
    let (a, b) = (shown.as_array().unwrap(), expected.as_array().unwrap());
    let all = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b));
    assert!(all, "{name}: {shown}, and it has to be {expected}");
}

#[test]
fn contents_follow_the_rules() {
    let cases = cases();
    let plays = cases["plays"].as_array().unwrap();
    assert!(plays.len() > 30);
    for it in plays {
        assert_shown(it["name"].as_str().unwrap(), &play(&cases["people"], it), &it["shown"]);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_told_by_rule_and_field() {
    let cases = cases();
    let files = cases["files"].as_array().unwrap();
    assert!(files.len() > 50);
    for file in files {
        assert_eq!(json!(problems(file["text"].as_str().unwrap())), file["problems"], "{}", file["name"]);
    }
    let error = problems("{ \"idle\": ").join("");
    assert!(error.starts_with("The file is not JSON: "), "{error}");
}

#[test]
fn the_page_goes_by_the_same_rules() {
    let mut cases = cases();
    let expected = cases.clone();
    let texts = cases["files"].as_array().unwrap().iter().map(|file| file["text"].clone()).collect();
    cases["files"] = Value::Array(texts);
    let page = by_the_page(&cases);
    for (it, shown) in expected["plays"].as_array().unwrap().iter().zip(page["plays"].as_array().unwrap()) {
        assert_shown(it["name"].as_str().unwrap(), shown, &it["shown"]);
    }
    for (file, problems) in
        expected["files"].as_array().unwrap().iter().zip(page["files"].as_array().unwrap())
    {
        assert_eq!(*problems, file["problems"], "{}", file["name"]);
    }
}

/// Rules, people and broken files that chance makes: both say the same of all of them.
#[test]
fn both_say_the_same_of_what_chance_makes() {
    let mut rng = StdRng::seed_from_u64(7);
    let plays: Vec<Value> = (0..120).map(|_| any_play(&mut rng)).collect();
    let files: Vec<String> = (0..400).map(|_| any_file(&mut rng)).collect();
    let page = by_the_page(&json!({ "plays": plays, "files": files }));
    let (mut changes, mut wrong) = (0, 0);
    for (at, it) in plays.iter().enumerate() {
        let shown = play(&Value::Null, it);
        changes += shown.as_array().unwrap().len();
        assert_shown(&format!("play {at}: {}", it["rules"]), &shown, &page["plays"][at]);
    }
    for (at, text) in files.iter().enumerate() {
        let problems = problems(text);
        wrong += problems.len();
        assert_eq!(json!(problems), page["files"][at], "{text}");
    }
    assert!(changes > 1000 && wrong > 400, "{changes} changes, {wrong} problems");
}

fn one_of<'a, T>(rng: &mut StdRng, of: &'a [T]) -> &'a T {
    &of[rng.random_range(0..of.len())]
}

fn any_rules(rng: &mut StdRng) -> Value {
    let names = ["a", "b", "c", "d"];
    let contents: Map<_, _> = names.iter().map(|name| (name.to_string(), json!({ "title": name }))).collect();
    let idle = &["a", "b"][..rng.random_range(1..3)];
    let mut file = json!({ "contents": contents, "idle": idle });
    let mut maybe = |rng: &mut StdRng, name: &str, from: f64, to: f64| {
        if rng.random_bool(0.7) {
            file[name] = json!(rng.random_range(from..to));
        }
    };
    maybe(rng, "steadySeconds", 0.2, 2.0);
    maybe(rng, "minimumSeconds", 1.0, 6.0);
    maybe(rng, "absentSeconds", 0.5, 4.0);
    maybe(rng, "idleSeconds", 2.0, 6.0);
    if rng.random_bool(0.5) {
        file["otherwise"] = json!(one_of(rng, &names));
    }
    let count = rng.random_range(0..6);
    let rules = (0..count).map(|at| {
        let mut rule = json!({ "name": format!("rule {at}"), "show": one_of(rng, &names) });
        let mut put = |chance, name: &str, value: Value| {
            if rng.random_bool(chance) {
                rule[name] = value;
            }
            rng.random_range(0..100)
        };
        let low = put(0.0, "", Value::Null);
        let high = put(0.5, "certainty", json!(f64::from(low) / 100.0));
        let [low, high] = [low.min(high), low.max(high)];
        let people = put(0.7, "age", json!([low, high]));
        let who = put(0.4, "people", json!([1 + people / 60, 1 + people / 30]));
        let gender = put(0.6, "who", json!(["nearest", "anyone", "everyone"][who as usize % 3]));
        let hour = put(0.5, "gender", json!(["any", "female", "male"][gender as usize % 3]));
        let [from, to] = [hour % 24, (hour / 4) % 24].map(|hour| format!("{hour:02}:{:02}", low % 60));
        put(0.3, "time", json!([from, to]));
        rule
    });
    file["rules"] = rules.collect::<Vec<_>>().into();
    file
}

fn any_play(rng: &mut StdRng) -> Value {
    let rules = any_rules(rng);
    let crowd: Vec<Value> = (0..6)
        .map(|_| {
            let (middle, wide) = (rng.random_range(0.0..99.0f32), rng.random_range(0.5..20.0f32));
            let ages = std::array::from_fn::<f32, AGES, _>(|year| {
                (-0.5 * ((year as f32 - middle) / wide).powi(2)).exp()
            });
            let ages = AgeDistribution::new(ages).unwrap();
            json!({ "ages": ages, "female": rng.random::<f32>(), "width": rng.random::<f32>() })
        })
        .collect();
    let steps: Vec<Value> = (0..60)
        .map(|_| {
            let people: Vec<_> = (0..rng.random_range(0..4)).map(|_| one_of(rng, &crowd)).collect();
            json!({ "people": people, "seconds": *one_of(rng, &[0.1, 0.2, 0.3, 0.4, 1.0, 3.0, 8.0]) })
        })
        .collect();
    let every = *one_of(rng, &[33.0, 40.0, 100.0, 250.0, 700.0]);
    json!({ "rules": rules, "steps": steps, "every": every, "minute": rng.random_range(0..1440) })
}

/// A file with something else at some of its places. What stands there keeps the order of its names, by which
/// both list them.
fn any_file(rng: &mut StdRng) -> String {
    let mut file = any_rules(rng);
    for _ in 0..rng.random_range(0..4) {
        let mut place = &mut file;
        // Down to some depth, and there another value or none.
        for _ in 0..rng.random_range(1..5) {
            let is_end = match place {
                Value::Object(fields) => fields.is_empty(),
                Value::Array(list) => list.is_empty(),
                _ => true,
            };
            if is_end {
                break;
            }
            place = match place {
                Value::Object(fields) => {
                    let at = rng.random_range(0..fields.len());
                    fields.values_mut().nth(at).unwrap()
                }
                Value::Array(list) => {
                    let at = rng.random_range(0..list.len());
                    &mut list[at]
                }
                _ => unreachable!("it is no end"),
            };
        }
        *place = one_of(
            rng,
            &[
                json!(null),
                json!(true),
                json!(0),
                json!(0.25),
                json!(-7),
                json!(99),
                json!(1e9),
                json!(""),
                json!("a"),
                json!("x y"),
                json!("#12ab9F"),
                json!("07:30"),
                json!([]),
                json!([1, 2]),
                json!([5, 2]),
                json!(["a"]),
                json!(["07:30", "7:30"]),
                json!(["22:00", "06:00"]),
                json!({}),
                json!({ "name": "n", "show": "d" }),
                json!({ "title": "t", "shapes": [{ "kind": "star", "x": 0, "y": 200, "size": 10 }] }),
            ],
        )
        .clone();
        if let (Value::Object(fields), true) = (&mut *place, rng.random_bool(0.5)) {
            fields.insert(
                (*one_of(rng, &["Name", "title", "colour", "é!", "rules"])).into(),
                json!([2.5, "b"]),
            );
        }
    }
    file.to_string()
}
