//! Runs blocking work.

use crate::SinkError;

/// Runs the work on a thread on which it may block. If the caller stops waiting, the work still runs to its end, and its result is
/// dropped on that thread.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_panicked_or_shut_down| Err(SinkError::Ended))
}
