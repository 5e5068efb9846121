//! What can have become of a file whose position was kept, and what is done about it.

use std::fmt;

/// What becomes of a file that has changed since a position in it was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// The query fails.
    #[default]
    Fail,
    /// What was written behind the position is read; a file of other contents is read from its beginning.
    Follow,
}

/// How a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It is longer.
    Grown {
        /// Its bytes at the position.
        was: u64,
        /// Its bytes now.
        is: u64,
    },
    /// It is shorter.
    Shrunk {
        /// Its bytes at the position.
        was: u64,
        /// Its bytes now.
        is: u64,
    },
    /// What was read of it is not in it any more.
    Rewritten {
        /// Its bytes at the position.
        was: u64,
        /// Its bytes now.
        is: u64,
        /// Another file has its name.
        replaced: bool,
    },
    /// It grew while its last line was read, which has no line end: it may not be whole.
    Growing {
        /// Its bytes when its end was read.
        was: u64,
        /// Its bytes now.
        is: u64,
    },
}

impl FileChange {
    fn bytes(&self) -> (u64, u64) {
        match *self {
            FileChange::Grown { was, is }
            | FileChange::Shrunk { was, is }
            | FileChange::Rewritten { was, is, .. }
            | FileChange::Growing { was, is } => (was, is),
        }
    }

    /// What has happened to the file, and when: `the file has grown since its position was stored (from 7 to 11 bytes)`.
    pub(super) fn described(&self, since: Since) -> String {
        let what = match self {
            FileChange::Grown { .. } => "has grown",
            FileChange::Shrunk { .. } => "has shrunk",
            FileChange::Rewritten { replaced: true, .. } => "was replaced by another file",
            FileChange::Rewritten { replaced: false, .. } => "was rewritten",
            FileChange::Growing { .. } => "has grown within its last line",
        };
        let when = match since {
            Since::Kept { .. } => "since its position was stored",
            Since::Read => "while it was read",
        };
        let (was, is) = self.bytes();
        format!("the file {what} {when} (from {was} to {is} bytes)")
    }
}

/// When a change came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since the position was kept that is to be gone on from. `goes_on` says that the file can be read on there.
    Kept {
        /// What was read is still there.
        goes_on: bool,
    },
    /// While it was read.
    Read,
}

/// A change that is not followed, with what can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// How the file has changed.
    pub change: FileChange,
    /// Since when.
    pub since: Since,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.change.described(self.since))?;
        f.write_str(match self.since {
            Since::Kept { goes_on: true } => {
                "set `on_change = \"follow\"` to continue at that position, or remove the folder of the query's `state` \
                 to read everything again"
            }
            Since::Kept { goes_on: false } => {
                "restore the old file, or set `on_change = \"follow\"` to read the new one from the beginning, or remove the folder of the \
                 query's `state` to read everything again"
            }
            Since::Read => {
                "run the query when the file is complete, or set `on_change = \"follow\"` with a `state` in `[delivery]`"
            }
        })
    }
}
