//! A finished span, as plain values.

use std::sync::Arc;
use std::time::SystemTime;

use weir_batch::TraceContext;

/// A span that has ended.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its own ids; sampled, always.
    pub context: TraceContext,
    /// The id of the span that it is part of, in the same trace.
    pub parent: Option<[u8; 8]>,
    /// `weir.batch`, `weir.source`, `weir.stage`, `weir.sink` or `weir.commit`.
    pub name: &'static str,
    /// Its role towards other systems.
    pub kind: SpanKind,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// What is known of it.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Spans of other traces that it goes on from, at most [`crate::LINKS_MAX`].
    pub links: Vec<TraceContext>,
    /// How often a context found no more room among the links: once a record.
    pub links_dropped: u32,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A span's role towards other systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Within Weir.
    Internal,
    /// A request to a broker.
    Client,
    /// Work on messages of a broker.
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

/// Takes finished spans. Called from the tasks that do the work: it must neither block nor fail, and drops what it
/// cannot keep.
pub trait SpanExporter: Send + Sync {
    /// Takes one span.
    fn export(&self, span: Span);
}
