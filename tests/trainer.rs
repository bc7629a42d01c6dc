//! What a training survives, and what it says where it can't go on: killed at any moment, a full disk, a
//! broken data set, a loss that is no number, a second run in its folder. Each by the program itself.
//!
//!     MIEN_KILLS=200 cargo test --release --test trainer killed -- --nocapture
//!
//! kills it as often as docs/training.md says.

mod crops;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use assert_cmd::cargo::CommandCargoExt;
use mien::data::crops::write_version;
use mien::train::trainer::read_metrics;
use mien::weights::Weights;

/// A run of passes of 4 steps.
fn train(data: &Path, run: &Path, passes: usize) -> Command {
    let mut command = Command::cargo_bin("mien").unwrap();
    command.args([
        "train",
        "--model",
        "m-cnn",
        "--datasets",
        "toy",
        "--batch",
        "4",
        "--seed",
        "5",
        "--epochs",
    ]);
    command.arg(passes.to_string()).arg("--data").arg(data).arg("--run").arg(run);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[derive(PartialEq)]
struct Outcome {
    best: Vec<u8>,
    state: Vec<u8>,
    average: Vec<u8>,
    /// Step, MAE and share of right genders of each validation.
    judged: Vec<(usize, f64, f64)>,
}

/// What a run leaves that another one of the same settings leaves as well, to the last bit: its best weights, the
/// state and the averaged weights in its checkpoint, and what validation said. (How fast it was, the means over
/// passes that were cut in two, and the random names by which a checkpoint knows its parameters differ.)
fn result(run: &Path) -> Outcome {
    let file = |name: &str| fs::read(run.join(name)).unwrap();
    let checkpoint = file("checkpoint.bin");
    let line = checkpoint.iter().position(|b| *b == b'\n').unwrap();
    let (state, mut rest) = checkpoint.split_at(line + 1);
    let mut part = || {
        let (len, tail) = rest.split_first_chunk().unwrap();
        let (part, tail) = tail.split_at(u64::from_le_bytes(*len) as usize);
        rest = tail;
        part.to_vec()
    };
    let [_network, average] = [part(), part()];
    let metrics = read_metrics(run).unwrap();
    let judged = metrics.iter().map(|m| (m.step, m.validation_mae, m.validation_gender)).collect();
    Outcome { best: file("best.safetensors"), state: state.to_vec(), average, judged }
}

/// That every file of a run is whole, whenever it was stopped. Files that end in `partial` are what it was
/// about to put in another's place.
fn check_whole(run: &Path) -> BTreeMap<String, usize> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(run).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        match name.as_str() {
            "lock" => assert!(bytes.is_empty()),
            "config.toml" => assert_eq!(text.parse::<toml::Table>().unwrap()["seed"].as_integer(), Some(5)),
            "metrics.csv" => assert!(text.ends_with('\n') && !read_metrics(run).unwrap().is_empty()),
            "mae.svg" | "gender.svg" => assert!(text.trim_end().ends_with("</svg>"), "{name}: {text}"),
            "best.safetensors" => assert_eq!(Weights::from_bytes(&bytes).unwrap().network, "m-cnn"),
            // Its parts fill it, as the next start of the program sees.
            "checkpoint.bin" => assert!(text.starts_with("{\"step\":")),
            _ => assert!(name.ends_with(".partial"), "{name}"),
        }
        files.insert(name, bytes.len());
    }
    files
}

/// Numbers from 0 to 1 without a pattern.
struct Noise(u64);

impl Noise {
    fn number(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn wait(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

#[test]
fn killed_at_random_moments_it_goes_on_to_the_same_weights() {
    let most: usize =
        std::env::var("MIEN_KILLS").map_or(6, |text| text.parse().expect("MIEN_KILLS is a number"));
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let passes = 6;
    let whole = folder.path().join("whole");
    let began = Instant::now();
    let output = train(folder.path(), &whole, passes).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let took = began.elapsed().as_secs_f64();
    let expected = result(&whole);
    assert_eq!(expected.judged.len(), passes);

    let seed = std::env::var("MIEN_SEED").map_or(1, |text| text.parse().expect("MIEN_SEED is a number"));
    let mut noise = Noise(seed);
    let (mut kills, mut runs, mut in_vain) = (0, 0, 0);
    let mut left = BTreeMap::<String, usize>::new();
    while kills < most {
        let run = folder.path().join(format!("run-{runs}"));
        runs += 1;
        loop {
            let mut child = train(folder.path(), &run, passes).spawn().unwrap();
            if kills < most {
                // Less long than the whole run, which was begun before.
                sleep(Duration::from_secs_f64(0.7 * took * noise.number()));
                if child.try_wait().unwrap().is_none() {
                    child.kill().unwrap();
                    wait(child);
                    kills += 1;
                    for name in check_whole(&run).into_keys() {
                        *left.entry(name).or_default() += 1;
                    }
                    continue;
                }
                in_vain += 1;
            }
            let output = wait(child);
            assert!(output.status.success(), "after {kills} kills: {}", errors(&output));
            break;
        }
        check_whole(&run);
        assert!(result(&run) == expected, "run {runs}, after {kills} kills: other weights than without");
        fs::remove_dir_all(&run).unwrap();
    }
    println!(
        "{kills} kills in {runs} runs of {passes} passes, {took:.1} s each where nobody kills them; {in_vain} came too late"
    );
    println!("files after the kills: {left:?}");
}

/// Every file that a run writes, written to a disk without room.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_it_with_the_reason_and_it_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let whole = folder.path().join("whole");
    assert!(train(folder.path(), &whole, 2).output().unwrap().status.success());
    let expected = result(&whole);
    let written =
        ["config.toml", "metrics.csv", "mae.svg", "gender.svg", "best.safetensors", "checkpoint.bin"];
    let files: Vec<String> = check_whole(&whole).into_keys().filter(|name| name != "lock").collect();
    assert_eq!(files.len(), written.len(), "a new file: {files:?}");
    for name in written {
        // From the beginning, and where there is an old file.
        for passes in [0, 1] {
            let run = folder.path().join(format!("{name}-{passes}"));
            fs::create_dir(&run).unwrap();
            if passes == 1 {
                // Stopped after the first pass.
                let mut child = train(folder.path(), &run, 2).spawn().unwrap();
                while !run.join("checkpoint.bin").exists() && child.try_wait().unwrap().is_none() {
                    sleep(Duration::from_millis(1));
                }
                let _ = child.kill();
                wait(child);
            }
            let is_done = read_metrics(&run).is_ok_and(|metrics| metrics.len() == 2);
            // What is about to be put in the file's place is written to a device that is always full.
            let partial = run.join(format!("{name}.partial"));
            let _ = fs::remove_file(&partial);
            std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
            let output = train(folder.path(), &run, 2).output().unwrap();
            let said = errors(&output);
            if output.status.success() {
                assert!(is_done, "{name}: it went on without room: {said}");
            } else {
                assert!(said.contains("No space left on device") && said.contains(name), "{name}: {said}");
                check_whole(&run);
            }
            let output = train(folder.path(), &run, 2).output().unwrap();
            assert!(output.status.success(), "{name}: {}", errors(&output));
            assert!(result(&run) == expected, "{name}: other weights than with room");
        }
    }
}

/// `mien prepare` where no file may grow beyond 64 KiB, which no crop fits in.
#[cfg(target_os = "linux")]
#[test]
fn crops_that_find_no_room_are_cut_when_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let face = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/astronaut.png")).unwrap();
    let mut tar = tar::Builder::new(fs::File::create(folder.path().join("toy-train.tar")).unwrap());
    let mut table = "dataset,split,file,age,gender,race\n".to_owned();
    for i in 0..3 {
        let mut header = tar::Header::new_gnu();
        header.set_size(face.len() as u64);
        header.set_cksum();
        tar.append_data(&mut header, format!("{i}.png"), face.as_slice()).unwrap();
        table += &format!("toy,train,{i}.png,{},F,\n", 30 + i);
    }
    tar.finish().unwrap();
    fs::write(folder.path().join("labels.csv"), table).unwrap();
    let prepare = |out: &Path, limit: &str| {
        // A write beyond the limit is an error then, not a signal that ends the program.
        let script = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh"]).arg(Command::cargo_bin("mien").unwrap().get_program());
        command.args(["prepare", "--dataset", "toy", "--input"]).arg(folder.path()).arg("--output").arg(out);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
    };
    let (whole, short) = (folder.path().join("whole"), folder.path().join("short"));
    let output = prepare(&whole, "unlimited");
    assert!(output.status.success(), "{}", errors(&output));
    // Blocks of 512 bytes.
    let output = prepare(&short, "128");
    assert_eq!(output.status.code(), Some(1));
    let said = errors(&output);
    assert!(said.contains("toy.crops") && said.contains("too large"), "{said}");
    let output = prepare(&short, "unlimited");
    assert!(output.status.success(), "{}", errors(&output));
    for name in ["toy.crops", "toy.csv", "toy.version"] {
        assert!(fs::read(short.join(name)).unwrap() == fs::read(whole.join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_broken_data_set_stops_it_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let (crops, table) = (folder.path().join("toy.crops"), folder.path().join("toy.csv"));
    let (good_crops, good_table) = (fs::read(&crops).unwrap(), fs::read_to_string(&table).unwrap());
    let run = folder.path().join("run");
    let refused = |reasons: &[&str]| {
        let output = train(folder.path(), &run, 1).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(reasons.iter().all(|reason| said.contains(reason)), "{reasons:?}: {said}");
        assert!(!run.join("checkpoint.bin").exists());
    };
    fs::write(&crops, &good_crops[..good_crops.len() - 1]).unwrap();
    refused(&["toy.crops", "too few for 20 crops"]);
    fs::write(&crops, "").unwrap();
    refused(&["toy.crops", "too few"]);
    fs::remove_file(&crops).unwrap();
    refused(&["toy.crops"]);
    fs::write(&crops, &good_crops).unwrap();
    for (from, to, reason) in [
        ("\n3.png,,train,3", "\n3.png,,train,x", "toy.csv"),
        ("\n3.png,,train,", "\n3.png,,none,", "toy.csv"),
    ] {
        assert!(good_table.contains(from), "{good_table}");
        fs::write(&table, good_table.replace(from, to)).unwrap();
        refused(&[reason]);
    }
    let version = folder.path().join("toy.version");
    fs::write(&version, "0\n").unwrap();
    refused(&["version 0"]);
    fs::remove_file(&version).unwrap();
    refused(&["version 1"]);
    write_version(folder.path(), "toy").unwrap();
    fs::write(&table, &good_table).unwrap();

    // A checkpoint that is cut off, or another file: refused, and left as it is.
    assert!(train(folder.path(), &run, 1).output().unwrap().status.success());
    let checkpoint = fs::read(run.join("checkpoint.bin")).unwrap();
    let line = checkpoint.iter().position(|b| *b == b'\n').unwrap();
    for damaged in [&checkpoint[..checkpoint.len() / 2], &checkpoint[..line], b"", b"{}\n"] {
        fs::write(run.join("checkpoint.bin"), damaged).unwrap();
        let output = train(folder.path(), &run, 1).output().unwrap();
        let said = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("checkpoint.bin") && said.contains("not a usable checkpoint"), "{said}");
        assert_eq!(fs::read(run.join("checkpoint.bin")).unwrap(), damaged);
    }
}

#[test]
fn a_loss_that_is_no_number_stops_it_before_anything_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let run = folder.path().join("run");
    let output = train(folder.path(), &run, 3).args(["--rate", "1e38"]).output().unwrap();
    let said = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("no longer a number at step") && said.contains("lower the learning rate"),
        "{said}"
    );
    for name in ["best.safetensors", "checkpoint.bin"] {
        assert!(!run.join(name).exists(), "{name} was kept");
    }
    // With a rate that is none it goes on in the same folder: nothing of it is left to go on from.
    let output = train(folder.path(), &run, 1).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn a_second_run_in_its_folder_is_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    crops::write(folder.path(), "toy", 20);
    let (whole, run) = (folder.path().join("whole"), folder.path().join("run"));
    assert!(train(folder.path(), &whole, 6).output().unwrap().status.success());
    let mut first = train(folder.path(), &run, 6).spawn().unwrap();
    let mut refused = 0;
    while first.try_wait().unwrap().is_none() {
        // It holds the lock from before its first file on.
        if run.join("config.toml").exists() {
            let output = train(folder.path(), &run, 6).output().unwrap();
            let said = errors(&output);
            if !output.status.success() {
                assert!(said.contains("another run is at work in") && said.contains("run"), "{said}");
                refused += 1;
            }
        }
    }
    let output = wait(first);
    assert!(output.status.success(), "{}", errors(&output));
    assert!(refused > 0, "the first run was over before a second one could begin");
    assert!(result(&run) == result(&whole), "the second run changed the first one's weights");
}
