//! Resolves retries of stages and sinks.

use std::time::Duration;

use weir_config::RetryKeys;

use super::plan::Retry;

/// The number of retries, and the pauses.
pub(super) fn resolve(keys: &RetryKeys) -> Retry {
    // Errors have been reported, and both values are far below the limits of their types.
    Retry {
        times_max: keys.times_max.value.and_then(|times| u32::try_from(times).ok()).unwrap_or_default(),
        backoff: Duration::from_millis(keys.backoff_ms.value.unwrap_or_default()),
    }
}
