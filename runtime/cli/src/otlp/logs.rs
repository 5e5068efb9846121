//! Log records on their way out of the process: guests' lines, and the runtime's own warnings.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::{InstrumentationScope, SpanId, TraceFlags, TraceId};
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder, BatchLogProcessor, LogBatch, LogExporter as SdkExporter, SdkLogger, SdkLoggerProvider,
};
use weir_query::{GuestLine, LogExporter};
use weir_sandbox::LogLevel;

use super::client::Client;
use super::environment::Signal;
use super::fate::Fate;
use super::own_words::{self, OwnLine};
use super::settings::LogSettings;

/// The exporter of log records.
pub(super) struct Logs {
    exporter: Arc<Exporter>,
    provider: SdkLoggerProvider,
}

impl Logs {
    /// From here on the runtime's own warnings go to it as well.
    pub(super) fn open(settings: &LogSettings) -> anyhow::Result<Logs> {
        let fate = Arc::new(Fate::new(Signal::Logs, settings.queue_max));
        let otlp = opentelemetry_otlp::LogExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.outlet.url)
            .with_http_client(Client::open(&settings.outlet, &fate)?)
            // The client's own.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        let counted = Counted { inner: otlp, fate: Arc::clone(&fate) };
        // Delays and sizes are read from `OTEL_BLRP_*` by the default.
        let config = BatchConfigBuilder::default().with_max_queue_size(settings.queue_max).build();
        let processor = BatchLogProcessor::builder(counted).with_batch_config(config).build();
        let resource = settings.outlet.resource.clone();
        let provider = SdkLoggerProvider::builder().with_log_processor(processor).with_resource(resource).build();
        let scope = |name: &'static str| {
            let scope = InstrumentationScope::builder(name).with_version(env!("CARGO_PKG_VERSION")).build();
            provider.logger_with_scope(scope)
        };
        let exporter = Arc::new(Exporter { guests: scope("weir.guest"), own: scope("weir"), fate });
        let own = Arc::clone(&exporter);
        own_words::listen(move |line| own.own(line));
        Ok(Logs { exporter, provider })
    }

    /// What queries are to hand their guests' lines to.
    pub(super) fn exporter(&self) -> Arc<dyn LogExporter> {
        Arc::clone(&self.exporter) as Arc<dyn LogExporter>
    }

    /// Counts lines that another process had no room for.
    pub(super) fn lose(&self, lines: u64) {
        self.exporter.fate.lose(lines, "a worker makes more than it can send");
    }

    /// Sends what is left, for at most this time, and logs how many records were lost.
    pub(super) fn close(self, within: Duration) {
        own_words::listen_no_more();
        let in_time = self.provider.shutdown_with_timeout(within).is_ok();
        self.exporter.fate.close(in_time);
    }
}

/// The exporter that counts what the one inside fails to send.
#[derive(Debug)]
struct Counted<E> {
    inner: E,
    fate: Arc<Fate>,
}

impl<E: SdkExporter> SdkExporter for Counted<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().count();
        let sent = self.inner.export(batch).await;
        self.fate.leave(records, &sent);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

/// Hands records to the SDK's queue. Guests and the runtime have a scope each: no guest can pass for the runtime.
struct Exporter {
    guests: SdkLogger,
    own: SdkLogger,
    fate: Arc<Fate>,
}

impl LogExporter for Exporter {
    fn export(&self, line: GuestLine) {
        if !self.fate.enter() {
            return;
        }
        let GuestLine { speaker, time, level, text, dropped, trace, .. } = line;
        let mut record = self.guests.create_log_record();
        let (severity, name) = match level {
            LogLevel::Error => (Severity::Error, "ERROR"),
            LogLevel::Warn => (Severity::Warn, "WARN"),
            LogLevel::Info => (Severity::Info, "INFO"),
            LogLevel::Debug => (Severity::Debug, "DEBUG"),
        };
        record.set_timestamp(time);
        record.set_severity_number(severity);
        record.set_severity_text(name);
        record.set_body(AnyValue::from(text));
        for (name, value) in [
            ("weir.tenant", &speaker.tenant),
            ("weir.query", &speaker.query),
            ("weir.stage", &speaker.stage),
            ("weir.module", &speaker.module),
            ("weir.function", &speaker.function),
        ] {
            record.add_attribute(name, value.to_string());
        }
        if let Some(dropped) = dropped {
            record.add_attribute("weir.log.lines_dropped", i64::try_from(dropped).unwrap_or(i64::MAX));
        }
        if let Some(trace) = trace {
            let (trace_id, span_id) = (TraceId::from_bytes(trace.trace_id()), SpanId::from_bytes(trace.span_id()));
            record.set_trace_context(trace_id, span_id, Some(TraceFlags::SAMPLED));
        }
        self.guests.emit(record);
    }
}

impl Exporter {
    fn own(&self, line: OwnLine) {
        if !self.fate.enter() {
            return;
        }
        let mut record = self.own.create_log_record();
        let (severity, name) = if line.error { (Severity::Error, "ERROR") } else { (Severity::Warn, "WARN") };
        record.set_timestamp(SystemTime::now());
        record.set_severity_number(severity);
        record.set_severity_text(name);
        record.set_body(AnyValue::from(line.text));
        for (name, value) in line.fields {
            record.add_attribute(name, value);
        }
        self.own.emit(record);
    }
}
