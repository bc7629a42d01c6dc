//! What is kept of results, and the comparison with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A face, as `mien predict --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Face {
    #[serde(rename = "box")]
    pub bounds: [f64; 4],
    pub score: f64,
    pub landmarks: [[f64; 2]; 6],
    pub age: f64,
    pub age_range: [f64; 2],
    pub gender: Gender,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gender {
    pub female: f64,
}

/// A picture, as `mien predict --json` prints it.
#[derive(Debug, Deserialize)]
pub struct Line {
    pub faces: Vec<Face>,
}

/// A frame of a video: its mode, and the faces with the numbers they go by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub mode: String,
    pub faces: Vec<(u32, Face)>,
}

/// Faces of pictures by the pictures' names.
pub type Photos = BTreeMap<String, Vec<Face>>;

/// How far results may be from those kept.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Of boxes and landmarks.
    pub pixels: f64,
    pub score: f64,
    pub years: f64,
    /// Of gender.
    pub probability: f64,
}

/// By the same instructions as when results were kept.
const SAME: Tolerance = Tolerance { pixels: 0.1, score: 1e-3, years: 0.01, probability: 1e-3 };

/// By others, or by another engine: where sums are made in another order, detectors differ by a thousandth of
/// a pixel, which can turn a value of a crop by one of 256.
pub const ROUNDING: Tolerance = Tolerance { years: 0.1, probability: 1e-2, ..SAME };

/// By a GPU, which also samples and adds in another order.
pub const GPU: Tolerance = Tolerance { years: 0.2, ..ROUNDING };

/// What may differ on this machine.
fn tolerance() -> Tolerance {
    let kept_by = std::fs::read_to_string(kept_by()).unwrap();
    if kept_by.trim() == instructions() { SAME } else { ROUNDING }
}

/// The instructions that the kernels take on this machine (pulp's choice).
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "avx512";
        }
        if is_x86_feature_detected!("avx2") {
            return "avx2";
        }
    }
    std::env::consts::ARCH
}

/// The file that says by which of them results were kept.
fn kept_by() -> PathBuf {
    path("instructions").with_extension("txt")
}

/// Compares with the file of that name in this folder, or writes it where `MIEN_WRITE_GOLDEN=1` asks for
/// that.
pub fn check<T>(name: &str, actual: &T)
where
    T: Numbers + Serialize + for<'de> Deserialize<'de>,
{
    if writes() {
        std::fs::write(path(name), actual.text()).unwrap();
        std::fs::write(kept_by(), format!("{}\n", instructions())).unwrap();
        return;
    }
    let differences = differences(actual, &kept::<T>(name), tolerance());
    assert!(
        differences.is_empty(),
        "{name}: {} differences. If they are meant: MIEN_WRITE_GOLDEN=1 cargo test --release --test golden\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// What was kept under a name.
pub fn kept<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.json"))
}

/// Whether results are to be kept instead of compared.
pub fn writes() -> bool {
    std::env::var_os("MIEN_WRITE_GOLDEN").is_some_and(|value| value == "1")
}

/// Where two results are further apart than is allowed, in words.
pub fn differences(actual: &impl Numbers, expected: &impl Numbers, tolerance: Tolerance) -> Vec<String> {
    let (mut actual, mut expected) = (actual.numbers(), expected.numbers());
    let mut differences = Vec::new();
    let names: Vec<_> = actual.keys().chain(expected.keys()).cloned().collect();
    for name in names {
        match (actual.remove(&name), expected.remove(&name)) {
            (Some(a), Some(e)) if a.what != e.what => {
                differences.push(format!("{name}: {}, not {}", a.what, e.what));
            }
            (Some(a), Some(e)) => {
                for ((what, a), (_, e)) in
                    a.faces.iter().flat_map(values).zip(e.faces.iter().flat_map(values))
                {
                    let allowed = match what {
                        "score" => tolerance.score,
                        "age" | "age range" => tolerance.years,
                        "female" => tolerance.probability,
                        _ => tolerance.pixels,
                    };
                    let near = (a - e).abs() <= allowed;
                    if !near {
                        differences.push(format!("{name}: {what} {a}, not {e}"));
                    }
                }
            }
            (Some(_), None) => differences.push(format!("{name}: not kept before")),
            (None, Some(_)) => differences.push(format!("{name}: missing")),
            (None, None) => {} // compared already
        }
    }
    differences
}

/// A part of a result: what has to be the same, and faces, whose numbers may differ a little.
pub struct Part {
    what: String,
    faces: Vec<Face>,
}

/// A result in parts by name, and as text.
pub trait Numbers {
    fn numbers(&self) -> BTreeMap<String, Part>;
    fn text(&self) -> String;
}

impl Numbers for Photos {
    fn numbers(&self) -> BTreeMap<String, Part> {
        let part =
            |faces: &Vec<Face>| Part { what: format!("{} faces", faces.len()), faces: in_order(faces) };
        self.iter().map(|(name, faces)| (name.clone(), part(faces))).collect()
    }

    /// A face a line.
    fn text(&self) -> String {
        let entry = |(name, faces): (&String, &Vec<Face>)| {
            let faces: Vec<_> = faces.iter().map(|face| format!("\n    {}", rounded(face))).collect();
            format!("  {name:?}: [{}]", faces.join(","))
        };
        format!("{{\n{}\n}}\n", self.iter().map(entry).collect::<Vec<_>>().join(",\n"))
    }
}

impl Numbers for Vec<Seen> {
    fn numbers(&self) -> BTreeMap<String, Part> {
        let part = |seen: &Seen| {
            let mut faces = seen.faces.clone();
            faces.sort_by_key(|(id, _)| *id);
            let (ids, faces): (Vec<_>, _) = faces.into_iter().unzip();
            Part { what: format!("{}, faces {ids:?}", seen.mode), faces }
        };
        self.iter().enumerate().map(|(i, seen)| (format!("frame {i:03}"), part(seen))).collect()
    }

    /// A face a line.
    fn text(&self) -> String {
        let entry = |seen: &Seen| {
            let face = |(id, face): &(u32, Face)| format!("\n    [{id}, {}]", rounded(face));
            let faces: Vec<_> = seen.faces.iter().map(face).collect();
            format!("  {{\"mode\": {:?}, \"faces\": [{}]}}", seen.mode, faces.join(","))
        };
        format!("[\n{}\n]\n", self.iter().map(entry).collect::<Vec<_>>().join(",\n"))
    }
}

/// From left to right: by score, two of nearly the same one could change places.
fn in_order(faces: &[Face]) -> Vec<Face> {
    let mut faces = faces.to_vec();
    faces.sort_by(|a, b| a.bounds[0].total_cmp(&b.bounds[0]));
    faces
}

fn values(face: &Face) -> Vec<(&'static str, f64)> {
    let mut values = vec![("score", face.score), ("age", face.age), ("female", face.gender.female)];
    values.extend(face.bounds.map(|at| ("box", at)));
    values.extend(face.landmarks.as_flattened().iter().map(|at| ("landmark", *at)));
    values.extend(face.age_range.map(|age| ("age range", age)));
    values
}

/// As JSON, with as many digits as comparisons need.
fn rounded(face: &Face) -> String {
    let round = |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
    let face = Face {
        bounds: face.bounds.map(|at| round(at, 2)),
        score: round(face.score, 4),
        landmarks: face.landmarks.map(|point| point.map(|at| round(at, 2))),
        age: round(face.age, 4),
        age_range: face.age_range.map(|age| round(age, 3)),
        gender: Gender { female: round(face.gender.female, 5) },
    };
    serde_json::to_string(&face).unwrap()
}
