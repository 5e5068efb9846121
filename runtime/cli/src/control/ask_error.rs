//! Why a process did not answer.

use std::io;

use hyper::StatusCode;
use weir_admin::{ANSWER_BYTES_MAX, RequestProblem};

use super::folder::FolderError;

/// A process that gave no answer, or a problem for one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("it has ended")]
    Gone,
    #[error("it does not respond")]
    Silent,
    #[error("its response exceeds {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("invalid response: {0}")]
    Answer(#[from] serde_json::Error),
    #[error(
        "it does not speak HTTP; if it is an older version of weir, control it with that version, or stop it with a signal"
    )]
    Older,
    #[error("it responds with {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Problem(#[from] RequestProblem),
    #[error("cannot connect: {0}")]
    Io(#[from] io::Error),
    #[error("cannot connect: {0}")]
    Http(hyper::Error),
    #[error("cannot read the response: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl From<hyper::Error> for AskError {
    fn from(error: hyper::Error) -> AskError {
        let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
        let cut = cause
            .is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset));
        if error.is_parse() {
            AskError::Older
        } else if cut || error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            AskError::Gone
        } else {
            AskError::Http(error)
        }
    }
}
