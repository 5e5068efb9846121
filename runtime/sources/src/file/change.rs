//! Changes of files whose position was stored.

use std::fmt;

/// What to do if a file has changed since its position was stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// The query fails.
    #[default]
    Fail,
    /// Reads what was added after the position. A file with other contents is read from its beginning.
    Follow,
}

/// How a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    /// It is longer.
    Grown {
        /// Its length at the time of the position.
        was: u64,
        /// Its length now.
        is: u64,
    },
    /// It is shorter.
    Shrunk {
        /// Its length at the time of the position.
        was: u64,
        /// Its length now.
        is: u64,
    },
    /// The bytes that were read have changed.
    Rewritten {
        /// Its length at the time of the position.
        was: u64,
        /// Its length now.
        is: u64,
        /// Another file has its name.
        replaced: bool,
    },
    /// It grew while its last line was read, which has no line end and may be incomplete.
    Growing {
        /// Its length when its end was read.
        was: u64,
        /// Its length now.
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

    /// Describes the change and its time: `the file has grown since its position was stored (from 7 to 11 bytes)`.
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

/// When a change happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Since the position was stored. `goes_on` says that the file can be read from there on.
    Kept {
        /// The bytes that were read are unchanged.
        goes_on: bool,
    },
    /// While the file was read.
    Read,
}

/// A change that is not followed, with a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
