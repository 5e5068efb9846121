//! Further attempts, as a stage or sink says.

use std::time::Duration;

use weir_config::RetryKeys;

use super::plan::Retry;

/// How often, and after what pause.
pub(super) fn resolve(keys: &RetryKeys) -> Retry {
    // What is wrong has been reported, and both lie far below what the types hold.
    Retry {
        times_max: keys.times_max.value.and_then(|times| u32::try_from(times).ok()).unwrap_or_default(),
        backoff: Duration::from_millis(keys.backoff_ms.value.unwrap_or_default()),
    }
}
