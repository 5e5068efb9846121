//! Spans on their way out of the process.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{Protocol, RetryPolicy, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter as SdkExporter, SpanLinks, SpanProcessor,
};
use weir_batch::TraceContext;
use weir_trace::{Sampler, Span, SpanExporter, SpanValue, Tracing};

use super::client::Client;
use super::environment::Signal;
use super::fate::Fate;
use super::settings::TraceSettings;

/// The exporter of spans.
pub(super) struct Traces {
    tracing: Tracing,
    sampler: Sampler,
    exporter: Arc<Exporter>,
}

impl Traces {
    pub(super) fn open(settings: &TraceSettings) -> anyhow::Result<Traces> {
        let fate = Arc::new(Fate::new(Signal::Traces, settings.queue_max));
        let mut otlp = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&settings.outlet.url)
            .with_http_client(Client::open(&settings.outlet, &fate)?)
            // The client's own.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        otlp.set_resource(&settings.outlet.resource);
        let counted = Counted { inner: otlp, fate: Arc::clone(&fate) };
        // Delays and sizes are read from `OTEL_BSP_*` by the default.
        let config = BatchConfigBuilder::default().with_max_queue_size(settings.queue_max).build();
        let processor = BatchSpanProcessor::new(counted, config);
        let scope = InstrumentationScope::builder("weir").with_version(env!("CARGO_PKG_VERSION")).build();
        let exporter = Arc::new(Exporter { processor, fate, scope });
        let tracing = Tracing::new(settings.sampler, Arc::clone(&exporter) as Arc<dyn SpanExporter>);
        Ok(Traces { tracing, sampler: settings.sampler, exporter })
    }

    /// Which batches are traced.
    pub(super) fn sampler(&self) -> Sampler {
        self.sampler
    }

    /// What spans of other processes are handed to.
    pub(super) fn exporter(&self) -> Arc<dyn SpanExporter> {
        Arc::clone(&self.exporter) as Arc<dyn SpanExporter>
    }

    /// Counts spans that another process had no room for.
    pub(super) fn lose(&self, spans: u64) {
        self.exporter.fate.lose(spans, "a worker makes more than it can send");
    }

    /// What queries are to be traced with.
    pub(super) fn tracing(&self) -> Tracing {
        self.tracing.clone()
    }

    /// Sends what is left, for at most this time, and logs how many spans were lost.
    pub(super) fn close(self, within: Duration) {
        let Exporter { processor, fate, .. } = &*self.exporter;
        fate.close(processor.shutdown_with_timeout(within).is_ok());
    }
}

/// The exporter that counts what the one inside fails to send.
#[derive(Debug)]
struct Counted<E> {
    inner: E,
    fate: Arc<Fate>,
}

impl<E: SdkExporter> SdkExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.inner.export(batch).await;
        self.fate.leave(spans, &sent);
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }
}

/// Hands spans to the SDK's queue.
struct Exporter {
    processor: BatchSpanProcessor,
    fate: Arc<Fate>,
    scope: InstrumentationScope,
}

impl SpanExporter for Exporter {
    fn export(&self, span: Span) {
        if self.fate.enter() {
            self.processor.on_end(of_sdk(span, &self.scope));
        }
    }
}

fn of_sdk(span: Span, scope: &InstrumentationScope) -> SpanData {
    let value = |value| match value {
        SpanValue::Text(text) => Value::from(text),
        SpanValue::Number(number) => Value::from(number),
    };
    let mut links = SpanLinks::default();
    links.links = span.links.into_iter().map(|context| Link::with_context(of_context(context, true))).collect();
    links.dropped_count = span.links_dropped;
    SpanData {
        span_context: of_context(span.context, false),
        parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: false,
        span_kind: match span.kind {
            weir_trace::SpanKind::Internal => SpanKind::Internal,
            weir_trace::SpanKind::Client => SpanKind::Client,
            weir_trace::SpanKind::Consumer => SpanKind::Consumer,
        },
        name: span.name.into(),
        start_time: span.start,
        end_time: span.end,
        attributes: span.attributes.into_iter().map(|(name, of)| KeyValue::new(name, value(of))).collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: span.error.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}

fn of_context(context: TraceContext, remote: bool) -> SpanContext {
    let flags = if context.sampled() { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from_bytes(context.trace_id()), SpanId::from_bytes(context.span_id()));
    SpanContext::new(trace, span, flags, remote, TraceState::NONE)
}
