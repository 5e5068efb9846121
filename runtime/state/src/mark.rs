//! The data that is stored for a file besides the number of its next record: where to continue, and how the file looked.

use serde::{Deserialize, Serialize};
use weir_formats::ResumePlace;

/// Stored with the position in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Where decoding continues: at the next record, or at the beginning of the unit of decoding that contains it.
    pub place: ResumePlace,
    /// How the file looked.
    pub seen: Seen,
}

/// How a file looked when a position in it was taken. Creating and comparing it reads at most 64 KiB twice, however large the file
/// is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its length in bytes.
    pub size: u64,
    /// The number of bytes that were read, from the beginning: only these are compared. The whole file for formats that are read
    /// from the end.
    pub bytes: u64,
    /// The SHA-256 of the first 64 KiB of these bytes, in hex.
    pub head: String,
    /// The number of last bytes that `tail` covers: at most 64 KiB.
    pub tail_bytes: u64,
    /// The SHA-256 of the last bytes, in hex.
    pub tail: String,
    /// The file's inode number. It only distinguishes a rewritten file from a replaced one; a copy counts as the same file.
    pub inode: u64,
}

impl Seen {
    /// The maximum number of bytes at the beginning of a file that are hashed.
    pub const HEAD_BYTES_MAX: u64 = 64 * 1024;
    /// The maximum number of bytes at the end that are hashed.
    pub const TAIL_BYTES_MAX: u64 = 64 * 1024;
    const HASH_CHARS: usize = 64;

    /// The hash of the head, if it is complete, so that appended bytes cannot change it.
    pub fn full_head(&self) -> Option<&str> {
        (self.bytes >= Seen::HEAD_BYTES_MAX).then_some(&self.head)
    }

    fn validate(&self) -> Result<(), String> {
        let Seen { size, bytes, tail_bytes, .. } = *self;
        let is_hash = |text: &str| text.len() == Seen::HASH_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash(&self.head) || !is_hash(&self.tail) {
            return Err(format!("its hashes are not {} hex digits", Seen::HASH_CHARS));
        }
        if bytes > size || tail_bytes > bytes || tail_bytes > Seen::TAIL_BYTES_MAX {
            return Err(format!("impossible sizes: {tail_bytes} of {bytes} of {size} bytes"));
        }
        Ok(())
    }
}

impl FileMark {
    /// Checks the mark against the number of the next record. The mark may come from anywhere.
    ///
    /// # Errors
    ///
    /// What is impossible about it.
    pub fn validate(&self, next: i64) -> Result<(), String> {
        self.seen.validate()?;
        let record = self.place.record;
        if record < 0 || record > next || record == i64::MAX {
            return Err(format!("record {record} is not between 0 and the next one, {next}"));
        }
        match self.place.at.text() {
            Some(text) if text.byte > self.seen.bytes => {
                Err(format!("byte {} is beyond the {} bytes that were read", text.byte, self.seen.bytes))
            }
            _ => Ok(()),
        }
    }
}
