//! Data sets as their authors publish them, from pictures to a table of the study, by the program: made-up trees in the real layouts,
//! of the one face.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use image::imageops;
use serde_json::Value;

fn mien(arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mien"));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args(arguments.split_whitespace()).output().unwrap()
}

fn ran(arguments: &str) -> Output {
    let output = mien(arguments);
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// People in a tree, enough for some of them to be in each part.
const PEOPLE: usize = 24;

/// Files of a data set in its own layout: two pictures of each person where it names them.
fn files(dataset: &str) -> Vec<String> {
    let of = |person: usize| match dataset {
        "aaf" => vec![format!("All-Age-Faces/original images/{:05}A{:02}.jpg", 300 * person, 20 + person)],
        "afad" => {
            vec![format!("AFAD-Full/{}/{}/{}-0.jpg", 20 + person, 111 + person % 2, 11 * person)]
        }
        "cacd" => [20, 40].map(|age| format!("CACD2000/{age}_Some_Body{person}_{age:04}.jpg")).to_vec(),
        "fg-net" => [10, 50].map(|age| format!("images/{person:03}A{age}.JPG")).to_vec(),
        "megaage-asian" => {
            vec![format!("{}/{person}.jpg", if person.is_multiple_of(4) { "test" } else { "train" })]
        }
        "mufac" => [1, 2].map(|at| format!("images/F{person:04}_AGE_M_{}_e{at}.jpg", 40 + person)).to_vec(),
        "utkface" => vec![format!("UTKFace/{}_{}_2_2017{person:04}.jpg.chip.jpg", 20 + person, person % 2)],
        "rafdb" => {
            let split = if person.is_multiple_of(4) { "test" } else { "train" };
            vec![format!("basic/Image/aligned/{split}_{person:05}_aligned.jpg")]
        }
        "fairface" => {
            vec![format!("{}/{person}.jpg", if person.is_multiple_of(4) { "val" } else { "train" })]
        }
        // imdb-clean's tables and the pictures of IMDB.
        "imdb-wiki" => [1, 2]
            .map(|at| format!("imdb/{:02}/nm{person:07}_rm{at}_1970-1-1_2000.jpg", person % 10))
            .to_vec(),
        _ => unreachable!(),
    };
    (0..PEOPLE).flat_map(of).collect()
}

/// Writes the tree: the face, and what tables the layout has.
fn write(dataset: &str, folder: &Path) {
    let head = image::open(concat!(env!("CARGO_MANIFEST_DIR"), "/www/sample.jpg")).unwrap().to_rgb8();
    let head = imageops::crop_imm(&head, 116, 8, 220, 220).to_image();
    let files = files(dataset);
    for file in &files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        head.save_with_format(&path, image::ImageFormat::Jpeg).unwrap();
    }
    let table = |name: &str, text: String| {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    match dataset {
        "fairface" => {
            let rows = files.iter().map(|file| format!("{file},30-39,Female,East Asian\n"));
            table("labels.csv.txt.csv", "file,age,gender,race\n".to_owned() + &rows.collect::<String>());
        }
        "megaage-asian" => {
            for split in ["train", "test"] {
                let names = files.iter().filter_map(|file| file.strip_prefix(&format!("{split}/")));
                table(
                    &format!("list/{split}_name.txt"),
                    names.clone().map(|name| format!("{name}\n")).collect(),
                );
                table(&format!("list/{split}_age.txt"), names.map(|_| "30\n").collect());
            }
        }
        "rafdb" => {
            for file in &files {
                let name = file.rsplit_once('/').unwrap().1.replace("_aligned.jpg", "_manu_attri.txt");
                let landmarks = "50.0\t50.0\n".repeat(5);
                table(&format!("basic/Annotation/manual/{name}"), format!("{landmarks}1\n2\n2\n"));
            }
        }
        "imdb-wiki" => {
            // No table says which split it is: then it is one heap.
            let rows = files.iter().map(|file| format!("{},30,F\n", file.strip_prefix("imdb/").unwrap()));
            table("imdb.csv", "filename,age,gender\n".to_owned() + &rows.collect::<String>());
        }
        _ => {}
    }
}

/// The file names in the first column of a table.
fn first_column(table: &str) -> Vec<String> {
    table.lines().skip(1).map(|line| line.split(',').next().unwrap().to_owned()).collect()
}

#[test]
fn each_is_prepared_trained_on_and_tested_from_its_folders_alone() {
    for (dataset, test) in [
        ("aaf", "test"),
        ("afad", "test"),
        ("cacd", "test"),
        ("fairface", "val"),
        ("fg-net", "test"),
        ("imdb-wiki", "test"),
        ("megaage-asian", "test"),
        ("mufac", "test"),
        ("rafdb", "test"),
        ("utkface", "test"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        write(dataset, &folder.path().join("data"));
        let (data, crops, run) = (at("data"), at("crops"), at("run"));
        ran(&format!("prepare --dataset {dataset} --input {data} --output {crops}"));
        let rows = fs::read_to_string(folder.path().join(format!("crops/{dataset}.csv"))).unwrap();
        let learned: BTreeSet<String> = first_column(&rows).into_iter().collect();
        assert!(rows.contains(",train,") && rows.contains(",validation,"), "{dataset}: {rows}");

        ran(&format!(
            "train --model m-cnn --data {crops} --datasets {dataset} --run {run} --pictures 8 --batch 4"
        ));

        let predictions = at("predictions.csv");
        let output = ran(&format!(
            "evaluate --data {data} --dataset {dataset} --split {test} --json --model m-cnn --weights {run}/best.safetensors \
             --predictions {predictions}"
        ));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let tested: BTreeSet<String> =
            first_column(&fs::read_to_string(&predictions).unwrap()).into_iter().collect();
        assert!(tested.len() > 1 && result["n"] == tested.len(), "{dataset}: {result}");
        assert_eq!(result["missed"], 0, "{dataset}");
        // Nothing is on both sides, and together they are all that there is.
        assert!(tested.is_disjoint(&learned), "{dataset}");
        assert_eq!(tested.len() + learned.len(), files(dataset).len(), "{dataset}");

        let output = ran(&format!(
            "evaluate --data {data} --dataset {dataset} --split validation --json --model m-cnn --weights {run}/best.safetensors"
        ));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let validation = rows.lines().filter(|line| line.contains(",validation,")).count();
        assert_eq!(result["n"], validation, "{dataset}");
    }
}

#[test]
fn a_table_of_the_study_comes_of_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for dataset in ["imdb-wiki", "afad"] {
        write(dataset, &folder.path().join(dataset));
        ran(&format!("prepare --dataset {dataset} --input {} --output {}", at(dataset), at("crops")));
    }
    // As the study had it.
    let arguments = format!(
        "experiment table-4-1 --models m-cnn --recipe study --share 0.01 --batch 8 --data {} --run {} --pretrain-on imdb-wiki \
         --finetune-on afad --test-data {} --test-dataset afad --json {} --figures {}",
        at("crops"),
        at("run"),
        at("afad"),
        at("table.json"),
        at("figures")
    );
    let output = ran(&arguments);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("By the study's recipe. Every row: pre-trained for 1 passes of imdb-wiki"),
        "{said}"
    );
    let json: Value = serde_json::from_slice(&fs::read(at("table.json")).unwrap()).unwrap();
    assert_eq!((&json["test"]["name"], json["rows"].as_array().unwrap().len()), (&"afad-test".into(), 2));
    for row in json["rows"].as_array().unwrap() {
        for cell in row["cells"].as_array().unwrap() {
            assert!(
                cell["mae"]["mean"].as_f64().unwrap() > 0.0 && cell["published"]["mae"].is_f64(),
                "{cell}"
            );
        }
    }
    for figure in ["figure-4-4.svg", "figure-4-5.svg"] {
        let svg = fs::read_to_string(folder.path().join("figures").join(figure)).unwrap();
        for words in ["M-CNN, KL", "M-CNN, FL", "pre-trained, training", "fine-tuned, validation"] {
            assert!(svg.contains(words), "{figure}: {words}");
        }
    }
    // What is done is shown without training.
    let shown = ran(&format!("{arguments} --done"));
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(said.ends_with(&shown) && !shown.is_empty(), "{shown}");
    // And so is a table of which one seed is not there yet, with its figures.
    let drawn = fs::read(at("figures/figure-4-4.svg")).unwrap();
    fs::remove_file(at("figures/figure-4-4.svg")).unwrap();
    ran(&format!("{arguments} --done --seeds 1,2"));
    assert_eq!(fs::read(at("figures/figure-4-4.svg")).unwrap(), drawn);
    let other = mien(&arguments.replace("--share 0.01", "--share 0.02"));
    assert!(String::from_utf8_lossy(&other.stderr).contains("other settings"));
}
