//! librdkafka's log lines.

use crate::HiddenValues;

/// Hands a log line of librdkafka's to `tracing`, under the target `librdkafka`. Every client's context calls it from
/// its `ClientContext::log`, with syslog's level: 0 is the worst, 7 is for debugging. Values of options are not shown.
pub fn log_librdkafka(level: i32, facility: &str, line: &str, hidden: &HiddenValues) {
    let line = hidden.hide(line);
    // What a transaction fails of is returned by the call that met it, and told by whoever made that: a rebalance is an ordinary event.
    if facility == "TXNERR" {
        return tracing::debug!(target: "librdkafka", facility, "{line}");
    }
    match level {
        ..=3 => tracing::error!(target: "librdkafka", facility, "{line}"),
        4 => tracing::warn!(target: "librdkafka", facility, "{line}"),
        5 | 6 => tracing::info!(target: "librdkafka", facility, "{line}"),
        _ => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}
