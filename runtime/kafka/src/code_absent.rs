//! The error code in a program without the Kafka client. It has no values.

use std::fmt;

/// An error code of Kafka's protocol, or of the client's own. No value of it can be made in this program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {}

impl ErrorCode {
    /// Whether it is over after a while.
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
