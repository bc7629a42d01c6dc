//! Reads columns out of a MATLAB file (level 5, what `save -v7` and earlier write): as much of the format as
//! tables need.
//!
//! The variable is one struct whose fields are the columns: numeric arrays, or cell arrays of text.
//! Everything else is skipped as it streams by, compressed or not, so that memory goes into the columns asked
//! for only.
//!
//! A file is a header of 128 bytes and then elements; an element is a tag (type and length, u32 each) and
//! data, padded to 8 bytes. Up to 4 bytes of data sit in the tag itself. A matrix is an element made of
//! elements: flags, dimensions, name, content.

use std::collections::HashMap;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use thiserror::Error;

/// A field of the struct.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// A numeric array, in MATLAB's order.
    Numbers(Vec<f64>),
    /// A cell array of text; cells that hold something else are empty.
    Texts(Vec<String>),
}

/// Why a file can't be read.
#[derive(Debug, Error)]
pub enum MatError {
    /// The system's reason, or the file ends early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not a level-5 file, damaged, or a part of the format that is not read here.
    #[error("{0}")]
    Format(String),
}

type Result<T> = std::result::Result<T, MatError>;

/// The most rows of a column. The largest table of faces has half a million; a small compressed file can
/// promise, and hold, any number.
const MOST_ROWS: usize = 4 << 20;
/// The most bytes of one element, and of all texts of a column.
const MOST_BYTES: usize = 8 * MOST_ROWS;
const MOST_TEXT: usize = 4 * MOST_BYTES;

fn format<T>(reason: impl Into<String>) -> Result<T> {
    Err(MatError::Format(reason.into()))
}

// Types of elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT16: u32 = 3;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const SINGLE: u32 = 7;
const DOUBLE: u32 = 9;
const INT64: u32 = 12;
const UINT64: u32 = 13;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const UTF8: u32 = 16;
const UTF16: u32 = 17;

// Classes of matrices.
const CELL: u8 = 1;
const STRUCT: u8 = 2;
const CHAR: u8 = 4;
const FIRST_NUMERIC: u8 = 6;
const LAST_NUMERIC: u8 = 15;

/// Reads the named fields of the struct `variable`. Fields that it lacks are absent from the result.
///
/// # Errors
/// [`MatError`] if the file is damaged, of another format (such as HDF5, which `save -v7.3` writes), or has
/// no such struct.
pub fn read_struct(mut file: impl Read, variable: &str, fields: &[&str]) -> Result<HashMap<String, Column>> {
    let mut header = [0; 128];
    file.read_exact(&mut header)?;
    // Version 0x0100, then 'MI' as a number: the bytes are in the writer's order.
    if header[124..] != *b"\x00\x01IM" {
        return format("not a little-endian level-5 MAT file; save it with -v7");
    }
    while let Some(tag) = Tag::read_or_end(&mut file)? {
        let mut element = (&mut file as &mut dyn Read).take(tag.len.into());
        let found = match tag.kind {
            COMPRESSED => {
                let mut inflated = ZlibDecoder::new(&mut element);
                match Tag::read(&mut inflated)? {
                    Tag { kind: MATRIX, .. } => struct_fields(&mut inflated, variable, fields)?,
                    _ => None,
                }
            }
            MATRIX => struct_fields(&mut element, variable, fields)?,
            _ => None,
        };
        if let Some(found) = found {
            return Ok(found);
        }
        skip(&mut element)?;
    }
    format(format!("no variable {variable}"))
}

/// The head of an element.
struct Tag {
    kind: u32,
    len: u32,
    /// The data, where it is in the tag.
    small: Option<[u8; 4]>,
}

impl Tag {
    fn read(file: &mut dyn Read) -> Result<Self> {
        match Self::read_or_end(file)? {
            Some(tag) => Ok(tag),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// `None` where there is nothing left.
    fn read_or_end(file: &mut dyn Read) -> Result<Option<Self>> {
        let mut first = [0; 1];
        if file.read(&mut first)? == 0 {
            return Ok(None);
        }
        let mut rest = [0; 7];
        file.read_exact(&mut rest)?;
        let [b, c, d, data @ ..] = rest;
        let kind = u32::from_le_bytes([first[0], b, c, d]);
        // A length in the upper half of the type.
        let tag = match kind >> 16 {
            0 => Self { kind, len: u32::from_le_bytes(data), small: None },
            len @ 1..=4 => Self { kind: kind & 0xffff, len, small: Some(data) },
            _ => return format("damaged: an element of no known form"),
        };
        Ok(Some(tag))
    }

    /// The whole data of an element that is not a matrix.
    fn data(&self, file: &mut dyn Read) -> Result<Vec<u8>> {
        if let Some(small) = self.small {
            return Ok(small[..self.len as usize].to_vec());
        }
        if self.len as usize > MOST_BYTES {
            return format(format!("an element of {} bytes; no column of a table has so many", self.len));
        }
        // Grows as the data comes: a damaged length asks for no memory.
        let mut data = Vec::new();
        file.take(self.len.into()).read_to_end(&mut data)?;
        if data.len() < self.len as usize {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        skip(&mut file.take((8 - u64::from(self.len) % 8) % 8))?;
        Ok(data)
    }
}

/// An element that is not a matrix: its type and data.
fn element(file: &mut dyn Read) -> Result<(u32, Vec<u8>)> {
    let tag = Tag::read(file)?;
    Ok((tag.kind, tag.data(file)?))
}

/// Reads to the end.
fn skip(file: &mut dyn Read) -> Result<()> {
    io::copy(file, &mut io::sink())?;
    Ok(())
}

/// How a matrix begins.
struct MatrixHeader {
    class: u8,
    /// Product of the dimensions.
    count: usize,
    name: Vec<u8>,
}

impl MatrixHeader {
    fn read(file: &mut dyn Read) -> Result<Self> {
        let (_, flags) = element(file)?;
        let (_, dimensions) = element(file)?;
        let (_, name) = element(file)?;
        let sizes = dimensions.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes) as usize);
        let count = sizes.into_iter().try_fold(1usize, usize::checked_mul);
        match (flags.first(), count) {
            (Some(class), Some(count)) => Ok(Self { class: *class, count, name }),
            _ => format("damaged: a matrix without flags or of endless size"),
        }
    }
}

/// The content of a matrix, if it is the struct looked for.
fn struct_fields(
    file: &mut dyn Read,
    variable: &str,
    fields: &[&str],
) -> Result<Option<HashMap<String, Column>>> {
    let head = MatrixHeader::read(file)?;
    if head.name != variable.as_bytes() {
        return Ok(None);
    }
    if head.class != STRUCT || head.count != 1 {
        return format(format!("{variable} is not a single struct"));
    }
    let (_, width) = element(file)?;
    let Some(Ok(width @ 1..)) = width.first_chunk().map(|b| usize::try_from(i32::from_le_bytes(*b))) else {
        return format("damaged: a struct without its field names' length");
    };
    let (_, names) = element(file)?;
    let mut columns = HashMap::new();
    for name in names.chunks_exact(width) {
        let name = name.split(|b| *b == 0).next().unwrap_or_default();
        let tag = Tag::read(file)?;
        let mut value = (&mut *file).take(tag.len.into());
        if let Some(field) = fields.iter().find(|field| field.as_bytes() == name) {
            let column = column(&mut value)?;
            columns.insert((*field).to_owned(), column);
        }
        skip(&mut value)?;
    }
    Ok(Some(columns))
}

fn column(file: &mut dyn Read) -> Result<Column> {
    let head = MatrixHeader::read(file)?;
    match head.class {
        FIRST_NUMERIC..=LAST_NUMERIC => {
            let (kind, data) = element(file)?;
            let numbers = numbers(kind, &data)?;
            if numbers.len() != head.count {
                return format("damaged: a column of another length than it says");
            }
            Ok(Column::Numbers(numbers))
        }
        CELL => {
            let (mut texts, mut bytes) = (Vec::new(), 0);
            if head.count > MOST_ROWS {
                return format(format!("a column of {} cells, more than {MOST_ROWS}", head.count));
            }
            for _ in 0..head.count {
                let tag = Tag::read(file)?;
                let mut cell = (&mut *file).take(tag.len.into());
                let text = if tag.len == 0 { String::new() } else { text(&mut cell)? };
                skip(&mut cell)?;
                bytes += text.len();
                if bytes > MOST_TEXT {
                    return format(format!("a column of texts of more than {MOST_TEXT} bytes"));
                }
                texts.push(text);
            }
            Ok(Column::Texts(texts))
        }
        class => format(format!("a column of class {class}, neither numbers nor cells")),
    }
}

/// The text of a cell; empty if it holds something else.
fn text(file: &mut dyn Read) -> Result<String> {
    let head = MatrixHeader::read(file)?;
    if head.class != CHAR {
        return Ok(String::new());
    }
    let (kind, data) = element(file)?;
    Ok(match kind {
        INT8 | UINT8 | UTF8 => String::from_utf8_lossy(&data).into_owned(),
        UINT16 | UTF16 => {
            let units: Vec<_> = data.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect();
            String::from_utf16_lossy(&units)
        }
        _ => return format(format!("text of type {kind}")),
    })
}

/// MATLAB stores whole numbers in the smallest type that holds them, whatever the array's class.
fn numbers(kind: u32, data: &[u8]) -> Result<Vec<f64>> {
    fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        data.as_chunks().0.iter().map(|bytes| number(*bytes)).collect()
    }
    Ok(match kind {
        INT8 => each(data, |b| i8::from_le_bytes(b).into()),
        UINT8 => each(data, |b| u8::from_le_bytes(b).into()),
        INT16 => each(data, |b| i16::from_le_bytes(b).into()),
        UINT16 => each(data, |b| u16::from_le_bytes(b).into()),
        INT32 => each(data, |b| i32::from_le_bytes(b).into()),
        UINT32 => each(data, |b| u32::from_le_bytes(b).into()),
        SINGLE => each(data, |b| f32::from_le_bytes(b).into()),
        DOUBLE => each(data, f64::from_le_bytes),
        INT64 => each(data, |b| i64::from_le_bytes(b) as f64),
        UINT64 => each(data, |b| u64::from_le_bytes(b) as f64),
        _ => return format(format!("numbers of type {kind}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Both written by SciPy from testdata/make.py, with compression and without.
    const COMPRESSED_FILE: &[u8] = include_bytes!("testdata/wiki.mat");
    const PLAIN_FILE: &[u8] = include_bytes!("testdata/wiki-plain.mat");

    const FIELDS: [&str; 4] = ["dob", "gender", "full_path", "none"];

    #[test]
    fn both_forms_of_the_file_give_the_columns() {
        for file in [COMPRESSED_FILE, PLAIN_FILE] {
            let columns = read_struct(file, "wiki", &FIELDS).unwrap();
            assert_eq!(columns.len(), 3);
            let Column::Numbers(dob) = &columns["dob"] else { panic!("{columns:?}") };
            assert_eq!((dob.len(), dob[0], dob[1]), (10, 723667.0, 703184.0));
            let Column::Numbers(gender) = &columns["gender"] else { panic!("{columns:?}") };
            assert!(gender[0] == 1.0 && gender[2].is_nan());
            let Column::Texts(paths) = &columns["full_path"] else { panic!("{columns:?}") };
            assert_eq!(
                (paths[0].as_str(), paths[7].as_str(), paths[8].as_str()),
                ("17/a.jpg", "", "12/é.jpg")
            );
        }
    }

    #[test]
    fn what_is_not_there_is_said() {
        let error = read_struct(PLAIN_FILE, "imdb", &FIELDS).unwrap_err().to_string();
        assert_eq!(error, "no variable imdb");
        let error = read_struct(PLAIN_FILE, "first", &FIELDS).unwrap_err().to_string();
        assert_eq!(error, "first is not a single struct");
        let error = read_struct(PLAIN_FILE, "wiki", &["nested"]).unwrap_err().to_string();
        assert!(error.contains("class 2"), "{error}");
        let hdf5 = [b"MATLAB 7.3 MAT-file".as_slice(), &[b' '; 105], b"\x00\x02IM"].concat();
        let error = read_struct(hdf5.as_slice(), "wiki", &FIELDS).unwrap_err().to_string();
        assert!(error.contains("-v7"), "{error}");
    }

    #[test]
    fn cut_and_damaged_files_are_errors_or_read() {
        for file in [COMPRESSED_FILE, PLAIN_FILE] {
            for len in 0..file.len() {
                let _ = read_struct(&file[..len], "wiki", &FIELDS);
            }
            // Any byte changed: no panic, and no memory for lengths that are not there.
            for at in 128..file.len() {
                let mut damaged = file.to_vec();
                damaged[at] ^= 0xff;
                let _ = read_struct(damaged.as_slice(), "wiki", &FIELDS);
            }
        }
    }

    /// An element: its tag, then its data.
    fn of(kind: u32, data: &[u8]) -> Vec<u8> {
        let padding = vec![0; data.len().wrapping_neg() % 8];
        [&kind.to_le_bytes()[..], &(data.len() as u32).to_le_bytes(), data, &padding].concat()
    }

    /// A matrix with this class, this many rows, and this content.
    fn matrix(class: u8, rows: u32, name: &[u8], content: &[u8]) -> Vec<u8> {
        let dimensions = [rows.to_le_bytes(), 1u32.to_le_bytes()].concat();
        let parts = [
            of(UINT32, &[class, 0, 0, 0, 0, 0, 0, 0]),
            of(INT32, &dimensions),
            of(INT8, name),
            content.to_vec(),
        ];
        of(MATRIX, &parts.concat())
    }

    /// A few kilobytes that hold, compressed, more than any table has.
    #[test]
    fn a_small_file_of_endless_columns_is_refused() {
        use std::io::Write;
        let numbers = of(UINT8, &vec![0; MOST_BYTES + 8]);
        let cells = vec![0; 8 * (MOST_ROWS + 1)];
        for (class, rows, content) in
            [(FIRST_NUMERIC, MOST_BYTES as u32 + 8, numbers), (CELL, MOST_ROWS as u32 + 1, cells)]
        {
            let field = matrix(class, rows, b"", &content);
            let names = [of(INT32, &8u32.to_le_bytes()), of(INT8, b"dob\0\0\0\0\0")].concat();
            let variable = matrix(STRUCT, 1, b"wiki", &[names, field].concat());
            let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            packed.write_all(&variable).unwrap();
            let packed = packed.finish().unwrap();
            assert!(packed.len() < 100_000);
            let header = [&[b' '; 124][..], b"\x00\x01IM"].concat();
            let file = [header, of(COMPRESSED, &packed)].concat();
            let error = read_struct(file.as_slice(), "wiki", &FIELDS).unwrap_err().to_string();
            assert!(error.contains("no column") || error.contains("more than"), "{error}");
        }
    }

    #[test]
    fn numbers_of_every_type() {
        let minus = |kind, len| numbers(kind, &vec![0xff; len]).unwrap();
        for (kind, len) in [(INT8, 1), (INT16, 2), (INT32, 4), (INT64, 8)] {
            assert_eq!(minus(kind, 3 * len), [-1.0; 3]);
        }
        for (kind, len, expected) in [(UINT8, 1, 255.0), (UINT16, 2, 65535.0), (UINT32, 4, 4294967295.0)] {
            assert_eq!(minus(kind, len), [expected]);
        }
        assert_eq!(numbers(SINGLE, &1.5f32.to_le_bytes()).unwrap(), [1.5]);
        assert_eq!(numbers(DOUBLE, &f64::NEG_INFINITY.to_le_bytes()).unwrap(), [f64::NEG_INFINITY]);
        assert_eq!(numbers(UINT64, &7u64.to_le_bytes()).unwrap(), [7.0]);
        assert!(numbers(MATRIX, &[]).is_err());
    }
}
