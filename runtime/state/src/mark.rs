//! What is kept of a file beside the number of its next record: where to go on, and what the file looked like.

use serde::{Deserialize, Serialize};
use weir_formats::ResumePlace;

/// Kept with the position in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Where decoding goes on: at the next record, or at the beginning of what is decoded at once and holds it.
    pub place: ResumePlace,
    /// What the file looked like.
    pub seen: Seen,
}

/// What a file looked like when a position in it was taken. Costs two reads of 64 KiB at most to make and to compare, however
/// large the file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Its length in bytes.
    pub size: u64,
    /// How many of them were read, from the first one on: only these are compared. All of a file whose format is read from
    /// its end.
    pub bytes: u64,
    /// The SHA-256 of the first 64 KiB of these, in hex.
    pub head: String,
    /// How many of the last of these `tail` is of: 64 KiB at most.
    pub tail_bytes: u64,
    /// The SHA-256 of those, in hex.
    pub tail: String,
    /// The file's number in its file system. It only tells a rewritten file from a replaced one: a copy is the same file.
    pub inode: u64,
}

impl Seen {
    /// The most bytes at the beginning of a file that are hashed.
    pub const HEAD_BYTES_MAX: u64 = 64 * 1024;
    /// The most bytes at its end.
    pub const TAIL_BYTES_MAX: u64 = 64 * 1024;
    const HASH_CHARS: usize = 64;

    /// The hash of the head, where it cannot become another one by more bytes.
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
    /// Whether this can have been kept with the number of a next record. It may come from anywhere.
    ///
    /// # Errors
    ///
    /// What cannot be.
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
