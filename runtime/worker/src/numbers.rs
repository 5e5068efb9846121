//! The numbers of this process's questions to its supervisor.

use std::sync::{Arc, Mutex, PoisonError};

use weir_frame::RequestId;

/// Numbers that ascend in the order in which the questions are sent, of whatever kind they are. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Arc<Mutex<u64>>);

impl Numbers {
    /// Sends a question, or all pieces of one, with the next number. No other question is sent meanwhile.
    pub(crate) fn next<T>(&self, send: impl FnOnce(RequestId) -> T) -> T {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        send(RequestId(*last))
    }
}
