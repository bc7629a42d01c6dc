//! MATLAB files, plain and compressed.

#![no_main]

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use libfuzzer_sys::{Corpus, fuzz_target};
use mien::data::layouts::mat::{Column, MatError, read_struct};

const VARIABLE: &str = "wiki";
const FIELDS: [&str; 6] = ["dob", "photo_taken", "gender", "face_score", "second_face_score", "full_path"];
const COMPRESSED: u32 = 15;
const MATRIX: u32 = 14;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let (choice, body) = bytes.split_first().unwrap_or((&0, &[]));
    if *choice < 64 {
        // A whole file, header and all.
        let _ = read(body);
        return Corpus::Keep;
    }
    let header = [&[b' '; 124][..], b"\x00\x01IM"].concat();
    let plain = read(&[&header, body].concat());
    if let Ok(columns) = &plain {
        for (name, column) in columns {
            assert!(FIELDS.contains(&name.as_str()));
            // Each number and each character has a byte of its own; what is no text takes three.
            match column {
                Column::Numbers(numbers) => assert!(numbers.len() <= body.len()),
                Column::Texts(texts) => {
                    assert!(texts.len() * 8 <= body.len());
                    assert!(texts.iter().map(String::len).sum::<usize>() <= 3 * body.len());
                }
            }
        }
    }
    // The first variable as it is when compressed: the same columns.
    if let Some(first) = first_matrix(body) {
        let alone = read(&[&header, first].concat());
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(first).expect("memory");
        let packed = packed.finish().expect("memory");
        let tag = [COMPRESSED.to_le_bytes(), (packed.len() as u32).to_le_bytes()].concat();
        let compressed = read(&[&header[..], &tag, &packed].concat());
        match (&alone, &compressed) {
            (Ok(alone), Ok(compressed)) => assert!(are_same(alone, compressed), "{alone:?} {compressed:?}"),
            (Err(_), Err(_)) => {}
            _ => panic!("{alone:?} {compressed:?}"),
        }
    }
    Corpus::Keep
});

fn read(file: &[u8]) -> Result<HashMap<String, Column>, MatError> {
    read_struct(file, VARIABLE, &FIELDS)
}

/// The whole of the first element, if it is a matrix that is as long as it says.
fn first_matrix(body: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = body.split_first_chunk::<4>()?;
    let (len, _) = rest.split_first_chunk::<4>()?;
    let whole = body.get(..8usize.checked_add(u32::from_le_bytes(*len) as usize)?)?;
    (u32::from_le_bytes(*kind) == MATRIX).then_some(whole)
}

fn are_same(a: &HashMap<String, Column>, b: &HashMap<String, Column>) -> bool {
    a.len() == b.len()
        && a.iter().all(|(name, a)| match (a, b.get(name)) {
            // NaN is NaN here.
            (Column::Numbers(a), Some(Column::Numbers(b))) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
            }
            (a, Some(b)) => a == b,
            _ => false,
        })
}
