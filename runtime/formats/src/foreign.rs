//! Recognises files of other formats by their first bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::{Format, FormatError};

/// The number of bytes that are examined.
pub(super) const TELLING_BYTES: usize = 16;

/// The compression format of a file that begins with these bytes, and what to do about it. No supported format begins with them.
fn compression(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match begin {
        [0x1f, 0x8b, ..] => ("compressed by gzip", "unpack it first, for example with `gunzip`"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => ("compressed by zstd", "unpack it first, for example with `unzstd`"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ("compressed by xz", "unpack it first, for example with `unxz`"),
        [0x04, 0x22, 0x4d, 0x18, ..] => ("compressed by lz4", "unpack it first, for example with `unlz4`"),
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => {
            ("compressed by bzip2", "unpack it first, for example with `bunzip2`")
        }
        [b'P', b'K', 3, 4, ..] => ("a zip archive", "unpack it first, for example with `unzip`"),
        _ => return None,
    })
}

/// The same for binary formats, in place of text.
fn no_text(begin: &[u8]) -> Option<(&'static str, &'static str)> {
    Some(match begin {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ("UTF-16", "save it as UTF-8"),
        [b'P', b'A', b'R', b'1', ..] => ("a Parquet file", "set the format to `parquet`"),
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => ("an Arrow IPC file", "set the format to `arrow_ipc`"),
        _ => return None,
    })
}

/// Refuses a file whose first bytes belong to another format.
pub(super) fn refuse(format: Format, begin: &[u8]) -> Result<(), FormatError> {
    let text = matches!(format, Format::JsonLines | Format::Csv);
    match compression(begin).or_else(|| no_text(begin).filter(|_| text)) {
        None => Ok(()),
        Some((found, help)) => Err(FormatError::Foreign { format, found, help }),
    }
}

/// The same for a file in which the position can be restored. A pipe cannot be checked before it is read.
pub(super) fn refuse_file(format: Format, file: &File) -> Result<(), FormatError> {
    let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
    let mut begin = [0; TELLING_BYTES];
    let mut length = 0;
    while regular && length < begin.len() {
        match file.read_at(&mut begin[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    refuse(format, &begin[..length])
}
