//! What a BMP says that the `image` crate's errors don't.

/// Width and height as the file has them; `None` for what is no BMP.
pub fn size(bmp: &[u8]) -> Option<[u32; 2]> {
    let header = bmp.strip_prefix(b"BM")?.get(12..)?;
    // The oldest headers are told by their length, and have shorter numbers.
    let old = header.first_chunk().map(|length| u32::from_le_bytes(*length))? == 12;
    let [first, second] = if old { [4, 6] } else { [4, 8] };
    let number = |at: usize| {
        let bytes = header.get(at..)?;
        if old {
            return bytes.first_chunk().map(|it| u32::from(u16::from_le_bytes(*it)));
        }
        bytes.first_chunk().map(|it| i32::from_le_bytes(*it).unsigned_abs())
    };
    Some([number(first)?, number(second)?])
}
