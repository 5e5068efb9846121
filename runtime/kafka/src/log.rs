//! librdkafka's log lines.

use crate::HiddenValues;

/// Passes a log line of librdkafka to `tracing`, under the target `librdkafka`. Every client context calls this in its
/// `ClientContext::log`, with the syslog level: 0 is the most severe, 7 is for debugging. Values of options are hidden.
pub fn log_librdkafka(level: i32, facility: &str, line: &str, hidden: &HiddenValues) {
    let line = hidden.hide(line);
    // The call in a transaction that fails returns the error too, and its caller reports it: a rebalance, for example, is ordinary.
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
