//! Errors of reading files.

use std::io;
use weir_fault::Fault;

use crate::FileKind;

/// A file could not be read. The message describes the file; the caller adds the path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// An error of the operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is not a regular file.
    #[error("is {kind}: expected a regular file")]
    NotRegular {
        /// The kind of the file.
        kind: FileKind,
    },
    /// The file is larger than the caller accepts, or endless.
    #[error("is too large: the maximum is {bytes_max} bytes")]
    TooLarge {
        /// The maximum size.
        bytes_max: u64,
    },
}

impl FileError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            FileError::Io(_) => Fault::External,
            FileError::NotRegular { .. } | FileError::TooLarge { .. } => Fault::Tenant,
        }
    }

    /// Whether the same call may succeed later: true if the system call was interrupted.
    pub fn retryable(&self) -> bool {
        matches!(self, FileError::Io(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut))
    }
}

impl FileError {
    /// Whether the file does not exist.
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
