//! Finished spans, as plain values.

use std::sync::Arc;
use std::time::SystemTime;

use weir_batch::TraceContext;

/// A finished span.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Span {
    /// The trace and span ids; always sampled.
    pub context: TraceContext,
    /// The id of the parent span, in the same trace.
    pub parent: Option<[u8; 8]>,
    /// `weir.batch`, `weir.source`, `weir.stage`, `weir.sink` or `weir.commit`.
    pub name: &'static str,
    /// The span kind.
    pub kind: SpanKind,
    /// The start time.
    pub start: SystemTime,
    /// The end time.
    pub end: SystemTime,
    /// The attributes.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Links to spans of other traces, at most [`crate::LINKS_MAX`].
    pub links: Vec<TraceContext>,
    /// The number of contexts that did not fit among the links, counted once per record.
    pub links_dropped: u32,
    /// The error, if the work failed.
    pub error: Option<String>,
}

impl Span {
    /// A span without parent, attributes and links.
    pub fn new(context: TraceContext, name: &'static str, kind: SpanKind, start: SystemTime, end: SystemTime) -> Span {
        let (parent, attributes, links, error) = (None, Vec::new(), Vec::new(), None);
        Span { context, parent, name, kind, start, end, attributes, links, links_dropped: 0, error }
    }
}

/// The span kind of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Within Weir.
    Internal,
    /// A request to a broker.
    Client,
    /// Processing of messages from a broker.
    Consumer,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanValue {
    /// A text.
    Text(Arc<str>),
    /// A number.
    Number(i64),
}

impl From<&str> for SpanValue {
    fn from(text: &str) -> SpanValue {
        SpanValue::Text(Arc::from(text))
    }
}

impl From<&Arc<str>> for SpanValue {
    fn from(text: &Arc<str>) -> SpanValue {
        SpanValue::Text(Arc::clone(text))
    }
}

impl From<usize> for SpanValue {
    fn from(number: usize) -> SpanValue {
        SpanValue::from(number as u64)
    }
}

impl From<u64> for SpanValue {
    fn from(number: u64) -> SpanValue {
        SpanValue::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// Receives finished spans. Called from the tasks that do the work, so it must not block or fail, and drops spans that it cannot
/// keep.
pub trait SpanExporter: Send + Sync {
    /// Takes one span.
    fn export(&self, span: Span);
}
