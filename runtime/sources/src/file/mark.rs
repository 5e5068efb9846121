//! Marks of files, and differences from them.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use sha2::{Digest, Sha256};
use weir_state::Seen;

use super::change::FileChange;

const TAIL_BYTES_MIN: u64 = 4 * 1024;

/// How a file differs from its mark.
pub(super) struct Difference {
    pub(super) change: FileChange,
    /// The bytes that were read are unchanged, and the file can be read from there on.
    pub(super) goes_on: bool,
}

/// The mark for the first `bytes` bytes of a file, of which the last `new` were read since the last mark; these determine the cost.
/// `head` is the known hash of the head, if the head has its full length.
pub(super) fn seen(file: &File, bytes: u64, new: u64, head: Option<&str>) -> io::Result<Seen> {
    let metadata = file.metadata()?;
    let tail_bytes = (new / 16).clamp(TAIL_BYTES_MIN, Seen::TAIL_BYTES_MAX).min(bytes);
    let head = match head {
        Some(head) => head.to_owned(),
        None => hash(file, 0, bytes.min(Seen::HEAD_BYTES_MAX))?,
    };
    let tail = hash(file, bytes - tail_bytes, tail_bytes)?;
    Ok(Seen { size: metadata.len(), bytes, head, tail_bytes, tail, inode: metadata.ino() })
}

/// Whether the file still contains the bytes that were read, according to the hashes.
fn is_in(seen: &Seen, file: &File) -> io::Result<bool> {
    if file.metadata()?.len() < seen.bytes {
        return Ok(false);
    }
    // The file was shortened meanwhile.
    let or_shorter = |same: io::Result<bool>| match same {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        same => same,
    };
    let head = hash(file, 0, seen.bytes.min(Seen::HEAD_BYTES_MAX)).map(|hash| hash == seen.head);
    let tail = || hash(file, seen.bytes - seen.tail_bytes, seen.tail_bytes).map(|hash| hash == seen.tail);
    or_shorter(head.and_then(|same| Ok(same && tail()?)))
}

/// How the file differs from the mark, if it does. `appendable` says that its format can be appended to.
pub(super) fn difference(seen: &Seen, file: &File, appendable: bool) -> io::Result<Option<Difference>> {
    let metadata = file.metadata()?;
    let (was, is) = (seen.size, metadata.len());
    let same = is_in(seen, file)?;
    let change = match same {
        true if is == was => return Ok(None),
        true if is > was => FileChange::Grown { was, is },
        _ if is < was => FileChange::Shrunk { was, is },
        _ => FileChange::Rewritten { was, is, replaced: metadata.ino() != seen.inode },
    };
    Ok(Some(Difference { change, goes_on: same && appendable }))
}

/// The SHA-256 of a part of a file, in hex.
fn hash(file: &File, from: u64, bytes: u64) -> io::Result<String> {
    // At most 64 KiB: the length was validated, or computed here.
    let mut part = vec![0; usize::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?];
    file.read_exact_at(&mut part, from)?;
    Ok(weir_text::hex(Sha256::digest(&part)))
}
