//! Why a file was not read.

use std::io;
use weir_fault::Fault;

use crate::FileKind;

/// A file that is not read. The message says what it is; who asked adds the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else than a regular file.
    #[error("is {kind}: expected a regular file")]
    NotRegular {
        /// What it is.
        kind: FileKind,
    },
    /// It has more bytes than a file of its purpose may have, or never ends.
    #[error("is too large: the maximum is {bytes_max} bytes")]
    TooLarge {
        /// The most.
        bytes_max: u64,
    },
}

impl FileError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            FileError::Io(_) => Fault::External,
            FileError::NotRegular { .. } | FileError::TooLarge { .. } => Fault::Tenant,
        }
    }

    /// Whether the same may succeed later: where the system was interrupted.
    pub fn retryable(&self) -> bool {
        matches!(self, FileError::Io(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut))
    }
}

impl FileError {
    /// Whether there is no such file.
    pub fn is_not_found(&self) -> bool {
        matches!(self, FileError::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        let kind = match &error {
            FileError::Io(_) => io::ErrorKind::Other,
            FileError::NotRegular { .. } => io::ErrorKind::InvalidInput,
            FileError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
        };
        match error {
            FileError::Io(error) => error,
            error => io::Error::new(kind, error),
        }
    }
}
