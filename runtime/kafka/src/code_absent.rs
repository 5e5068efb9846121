//! The error code in a program without the Kafka client.

use std::fmt;

/// An error code of Kafka's protocol or of the client. It has no values in this program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {}

impl ErrorCode {
    /// Whether the error is temporary.
    pub fn passes(self) -> bool {
        match self {}
    }

    pub(crate) fn passes_for_producers(self) -> bool {
        match self {}
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
