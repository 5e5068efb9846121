//! Detects changes of a file while it is read.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use weir_state::Seen;

use super::change::FileChange;
use super::mark::{self, Difference};

/// Checks a file after each of its batches. For an unchanged file this costs a system call; for text also a hash of a small part of
/// the bytes that were read.
pub(super) struct Watch {
    // The same open file as the decoder's; its file position is not used here.
    file: File,
    // Whether the format can be appended to.
    appendable: bool,
    last: Option<(Seen, Stamp)>,
}

/// Differs after every change of the file, as far as the file system's clock shows it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &File) -> io::Result<Stamp> {
        let metadata = file.metadata()?;
        Ok(Stamp {
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

impl Watch {
    /// Watches a file from which nothing was read, or which was read as `seen` says.
    pub(super) fn new(file: File, appendable: bool, seen: Option<&Seen>) -> io::Result<Watch> {
        let stamp = Stamp::of(&file)?;
        let seen = match (seen, appendable) {
            (Some(seen), _) => Some(seen.clone()),
            (None, true) => None,
            (None, false) => Some(mark::seen(&file, stamp.size, u64::MAX, None)?),
        };
        Ok(Watch { file, appendable, last: seen.map(|seen| (seen, stamp)) })
    }

    /// The mark after `bytes` bytes, of which `new` were read since the last call; or how the bytes that were read have changed.
    /// `cut_off` says that the file ended within its last record.
    pub(super) fn look(&mut self, bytes: u64, new: u64, cut_off: bool) -> io::Result<Result<Seen, FileChange>> {
        let stamp = Stamp::of(&self.file)?;
        let is = stamp.size;
        if let Some((seen, then)) = &mut self.last
            && *then != stamp
        {
            if let Some(Difference { change, goes_on: false }) = mark::difference(seen, &self.file, self.appendable)? {
                return Ok(Err(change));
            }
            *then = stamp;
        }
        if !self.appendable
            && let Some((seen, _)) = &self.last
        {
            return Ok(Ok(seen.clone()));
        }
        if is < bytes {
            return Ok(Err(FileChange::Shrunk { was: bytes, is }));
        }
        if cut_off && is > bytes {
            return Ok(Err(FileChange::Growing { was: bytes, is }));
        }
        let known = self.last.as_ref().map(|(seen, _)| seen);
        let seen = match known {
            // At the end of the file: nothing more was read.
            Some(seen) if seen.bytes == bytes && seen.size == is => seen.clone(),
            known => match mark::seen(&self.file, bytes, new, known.and_then(Seen::full_head)) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Ok(Err(FileChange::Shrunk { was: bytes, is: self.file.metadata()?.len() }));
                }
                seen => seen?,
            },
        };
        self.last = Some((seen.clone(), stamp));
        Ok(Ok(seen))
    }
}
