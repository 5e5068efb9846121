//! A file that may change while it is read.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use weir_state::Seen;

use super::change::FileChange;
use super::mark::{self, Difference};

/// Looks at a file after each batch of it. A file that nobody writes to costs a call of the system, and text a hash of a small
/// part of what was read.
pub(super) struct Watch {
    // The same open file that the decoder has; nothing here depends on where it stands.
    file: File,
    // Whether it can be written on at its end.
    appendable: bool,
    last: Option<(Seen, Stamp)>,
}

/// Changes whenever the file does, as far as its clock tells.
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
    /// Watches a file of which nothing was read, or what `seen` says.
    pub(super) fn new(file: File, appendable: bool, seen: Option<&Seen>) -> io::Result<Watch> {
        let stamp = Stamp::of(&file)?;
        let seen = match (seen, appendable) {
            (Some(seen), _) => Some(seen.clone()),
            (None, true) => None,
            (None, false) => Some(mark::seen(&file, stamp.size, u64::MAX, None)?),
        };
        Ok(Watch { file, appendable, last: seen.map(|seen| (seen, stamp)) })
    }

    /// What was seen of the file after so many bytes, `new` of them since the last look; or how what was read has changed
    /// meanwhile. `cut_off` says that the file ended within its last record.
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
            // At the end: nothing more was read.
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
