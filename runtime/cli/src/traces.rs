//! Spans on their way out of the process: OTLP over HTTP, set up by the variables that OpenTelemetry gives names to.

mod client;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanEvents, SpanExporter as SdkExporter, SpanLinks, SpanProcessor,
};
use weir_batch::TraceContext;
use weir_query::{Span, SpanExporter, SpanValue, Tracing};

use self::client::Client;
use self::settings::Settings;

/// How long the end of the process waits for a receiver to take the last spans.
const LAST_SPANS_WITHIN: Duration = Duration::from_secs(3);

/// The exporter of a process. What a receiver does not take is counted, said once, and stops nothing.
pub(crate) struct Traces {
    tracing: Tracing,
    exporter: Arc<Exporter>,
}

impl Traces {
    /// As the environment says; `None` where it asks for no traces. What is wrong with it is said, and traces are off:
    /// they are no reason to keep a query from running.
    pub(crate) fn from_environment() -> Option<Traces> {
        let settings = Settings::read(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
        settings.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
        match Traces::open(&settings) {
            Ok(traces) => Some(traces),
            Err(error) => {
                tracing::warn!("traces are not exported: {error}");
                None
            }
        }
    }

    fn open(settings: &Settings) -> anyhow::Result<Traces> {
        let mut otlp = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
            .with_timeout(settings.timeout)
            .with_http_client(Client::new(settings.timeout))
            .build()?;
        otlp.set_resource(&settings.resource);
        let fate = Arc::new(Fate::new(settings.queue_spans_max));
        let counted = Counted { inner: otlp, fate: Arc::clone(&fate) };
        // Delays and sizes are read from `OTEL_BSP_*` by the default.
        let config = BatchConfigBuilder::default().with_max_queue_size(settings.queue_spans_max).build();
        let processor = BatchSpanProcessor::new(counted, config);
        let scope = InstrumentationScope::builder("weir").with_version(env!("CARGO_PKG_VERSION")).build();
        let exporter = Arc::new(Exporter { processor, fate, scope });
        let tracing = Tracing::new(settings.sampler, Arc::clone(&exporter) as Arc<dyn SpanExporter>);
        Ok(Traces { tracing, exporter })
    }

    /// What queries are to be traced with.
    pub(crate) fn tracing(&self) -> Tracing {
        self.tracing.clone()
    }

    /// Sends what is left, for a moment, and says how many spans were lost.
    pub(crate) fn close(self) {
        let Exporter { processor, fate, .. } = &*self.exporter;
        if processor.shutdown_with_timeout(LAST_SPANS_WITHIN).is_err() {
            fate.lose(0, "the receiver did not take the last of them in time");
        }
        let lost = fate.lost.load(Ordering::Relaxed) + fate.waiting.load(Ordering::Relaxed) as u64;
        if lost > 0 {
            tracing::warn!(spans = lost, "spans that were lost on their way to the receiver of traces");
        }
    }
}

/// What becomes of spans.
#[derive(Debug)]
struct Fate {
    // Queued or being sent, at most so many.
    waiting: AtomicUsize,
    waiting_max: usize,
    lost: AtomicU64,
    said: AtomicBool,
}

impl Fate {
    fn new(waiting_max: usize) -> Fate {
        let (waiting, lost, said) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicBool::new(false));
        Fate { waiting, waiting_max, lost, said }
    }

    /// Whether there is room for one span more, which it then takes.
    fn enter(&self) -> bool {
        let room = |waiting| (waiting < self.waiting_max).then_some(waiting + 1);
        let entered = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        if !entered {
            self.lose(1, "they come faster than the receiver takes them");
        }
        entered
    }

    fn lose(&self, spans: u64, why: &str) {
        self.lost.fetch_add(spans, Ordering::Relaxed);
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!("spans are lost, and queries go on: {why}");
        }
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
        self.fate.waiting.fetch_sub(spans, Ordering::Relaxed);
        if let Err(error) = &sent {
            let why = match error {
                OTelSdkError::InternalFailure(why) => why.clone(),
                other => other.to_string(),
            };
            self.fate.lose(spans as u64, &why);
        }
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
            weir_query::SpanKind::Internal => SpanKind::Internal,
            weir_query::SpanKind::Client => SpanKind::Client,
            weir_query::SpanKind::Consumer => SpanKind::Consumer,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_beyond_the_queue_are_counted() {
        let fate = Fate::new(2);
        assert_eq!([fate.enter(), fate.enter(), fate.enter(), fate.enter()], [true, true, false, false]);
        assert_eq!(fate.lost.load(Ordering::Relaxed), 2);
    }
}
