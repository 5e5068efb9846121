//! librdkafka's log lines.

use rdkafka::config::RDKafkaLogLevel;

use super::HiddenValues;

/// Hands a log line of librdkafka's to `tracing`, under the target `librdkafka`. Every client's context calls it from
/// its `ClientContext::log`. Values of options are not shown.
pub fn log_librdkafka(level: RDKafkaLogLevel, facility: &str, line: &str, hidden: &HiddenValues) {
    let line = hidden.hide(line);
    // What a transaction fails of is returned by the call that met it, and told by whoever made that: a rebalance is an ordinary event.
    if facility == "TXNERR" {
        return tracing::debug!(target: "librdkafka", facility, "{line}");
    }
    use RDKafkaLogLevel::{Alert, Critical, Debug, Emerg, Error, Info, Notice, Warning};
    match level {
        Emerg | Alert | Critical | Error => tracing::error!(target: "librdkafka", facility, "{line}"),
        Warning => tracing::warn!(target: "librdkafka", facility, "{line}"),
        Notice | Info => tracing::info!(target: "librdkafka", facility, "{line}"),
        Debug => tracing::debug!(target: "librdkafka", facility, "{line}"),
    }
}
