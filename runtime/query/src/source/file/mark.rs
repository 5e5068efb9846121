//! What is kept of a file beside the number of its next record: where to go on, and what the file looked like.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use weir_formats::Place;

use super::change::FileChange;

/// Kept with the position in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileMark {
    /// Where decoding goes on: at the next record, or at the beginning of what is decoded at once and holds it.
    pub place: Place,
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

/// How a file differs from what was seen of it.
pub(super) struct Difference {
    pub(super) change: FileChange,
    /// What was read is still there, and the file may be read on behind it.
    pub(super) goes_on: bool,
}

impl Seen {
    const HEAD_BYTES_MAX: u64 = 64 * 1024;
    const TAIL_BYTES_MAX: u64 = 64 * 1024;
    const TAIL_BYTES_MIN: u64 = 4 * 1024;
    const HASH_CHARS: usize = 64;

    /// What these first bytes of a file look like, the last `new` of which were read since the last look: the costs follow from
    /// these. `head` is what is known of the head, where that is as long as it can be.
    pub(super) fn of(file: &File, bytes: u64, new: u64, head: Option<&str>) -> io::Result<Seen> {
        let metadata = file.metadata()?;
        let tail_bytes = (new / 16).clamp(Seen::TAIL_BYTES_MIN, Seen::TAIL_BYTES_MAX).min(bytes);
        let head = match head {
            Some(head) => head.to_owned(),
            None => hash(file, 0, bytes.min(Seen::HEAD_BYTES_MAX))?,
        };
        let tail = hash(file, bytes - tail_bytes, tail_bytes)?;
        Ok(Seen { size: metadata.len(), bytes, head, tail_bytes, tail, inode: metadata.ino() })
    }

    /// The hash of the head, where it cannot become another one by more bytes.
    pub(super) fn full_head(&self) -> Option<&str> {
        (self.bytes >= Seen::HEAD_BYTES_MAX).then_some(&self.head)
    }

    /// Whether the bytes that were read are in this file, as far as that is looked at.
    pub(super) fn is_in(&self, file: &File) -> io::Result<bool> {
        if file.metadata()?.len() < self.bytes {
            return Ok(false);
        }
        // Shortened meanwhile.
        let or_shorter = |same: io::Result<bool>| match same {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            same => same,
        };
        let head = hash(file, 0, self.bytes.min(Seen::HEAD_BYTES_MAX)).map(|hash| hash == self.head);
        let tail = || hash(file, self.bytes - self.tail_bytes, self.tail_bytes).map(|hash| hash == self.tail);
        or_shorter(head.and_then(|same| Ok(same && tail()?)))
    }

    /// How this file differs, if it does. `appendable` says that its format can be written on at the end.
    pub(super) fn difference(&self, file: &File, appendable: bool) -> io::Result<Option<Difference>> {
        let metadata = file.metadata()?;
        let (was, is) = (self.size, metadata.len());
        let same = self.is_in(file)?;
        let change = match same {
            true if is == was => return Ok(None),
            true if is > was => FileChange::Grown { was, is },
            _ if is < was => FileChange::Shrunk { was, is },
            _ => FileChange::Rewritten { was, is, replaced: metadata.ino() != self.inode },
        };
        Ok(Some(Difference { change, goes_on: same && appendable }))
    }

    fn validate(&self) -> Result<(), String> {
        let Seen { size, bytes, tail_bytes, .. } = *self;
        let is_hash = |text: &str| text.len() == Seen::HASH_CHARS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash(&self.head) || !is_hash(&self.tail) {
            return Err(format!("its hashes are not {} hex digits", Seen::HASH_CHARS));
        }
        if bytes > size || tail_bytes > bytes || tail_bytes > Seen::TAIL_BYTES_MAX {
            return Err(format!("{tail_bytes} of {bytes} of {size} bytes cannot be"));
        }
        Ok(())
    }
}

impl FileMark {
    /// Whether this can have been kept with the number of a next record. It may come from anywhere.
    pub(super) fn validate(&self, next: i64) -> Result<(), String> {
        self.seen.validate()?;
        let record = self.place.record;
        if record < 0 || record > next || record == i64::MAX {
            return Err(format!("record {record} is not between 0 and the next one, {next}"));
        }
        match self.place.at.text() {
            Some(text) if text.byte > self.seen.bytes => {
                Err(format!("byte {} is behind the {} that were read", text.byte, self.seen.bytes))
            }
            _ => Ok(()),
        }
    }
}

/// The SHA-256 of a part of a file, in hex.
fn hash(file: &File, from: u64, bytes: u64) -> io::Result<String> {
    // Validated, or made here: 64 KiB at most.
    let mut part = vec![0; usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?];
    file.read_exact_at(&mut part, from)?;
    Ok(Sha256::digest(&part).iter().map(|byte| format!("{byte:02x}")).collect())
}
