//! The state of a sink between opening and closing.

use crate::SinkError;

/// Open until an error or `close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Failed,
    Closed,
}

impl Phase {
    /// Fails unless the sink is open.
    pub(crate) fn check(self) -> Result<(), SinkError> {
        match self {
            Phase::Open => Ok(()),
            Phase::Failed => Err(SinkError::AfterError),
            Phase::Closed => Err(SinkError::AfterClose),
        }
    }

    /// Passes on a result, and remembers an error.
    pub(crate) fn keep<T>(&mut self, result: Result<T, SinkError>) -> Result<T, SinkError> {
        if result.is_err() {
            *self = Phase::Failed;
        }
        result
    }
}
