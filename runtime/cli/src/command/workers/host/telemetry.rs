//! Spans and lines of queries in workers.

use weir_frame::QueryId;
use weir_worker::QueryTelemetry;

use super::Host;

impl Host {
    /// Shows and exports what a worker says of a query's work.
    pub(super) fn telemetry(&self, id: QueryId, bytes: &[u8]) {
        let Some(query) = self.queries.get(&id) else { return };
        let Some(name) = query.name() else { return };
        let told = match QueryTelemetry::from_bytes(bytes, &name.tenant, &name.query) {
            Ok(told) => told,
            Err(error) => return tracing::warn!(tenant = query.tenant, "the worker sent {error}"),
        };
        {
            let _of_query = match self.files.len() {
                ..=1 => tracing::Span::none().entered(),
                _ => tracing::error_span!("query", query = %name.query, tenant = %name.tenant).entered(),
            };
            told.lines.iter().for_each(weir_query::GuestLine::log);
            if told.lines_lost > 0 {
                tracing::warn!(
                    "{} lines of functions were dropped: the worker makes more than it can send",
                    told.lines_lost
                );
            }
        }
        if let Some(otlp) = &self.otlp {
            otlp.hand_on(told);
        }
    }
}
