//! Traces of queries: a span per batch, and a child span for every step of the batch.
//!
//! This crate does not know exporters: finished spans are plain values, passed to a [`SpanExporter`].

mod arrived;
mod ids;
mod place;
mod sampler;
mod span;
mod spans;

use std::sync::Arc;

pub use place::{Attributes, Places, SpanPlace};
pub use sampler::{Sampler, SamplerError};
pub use span::{Span, SpanExporter, SpanKind, SpanValue};
pub use spans::TraceCounts;
pub use spans::{BatchSpan, Draw, Drawn, OpenSpan, Spans, TraceCounters};

/// The maximum number of links per span: distinct contexts in a batch's records, or batches of a commit.
pub const LINKS_MAX: usize = 32;

/// The sampler and exporter of all queries of a process. Cheap to clone.
#[derive(Clone)]
pub struct Tracing {
    sampler: Sampler,
    exporter: Arc<dyn SpanExporter>,
}

impl Tracing {
    /// Traces the batches that the sampler selects.
    pub fn new(sampler: Sampler, exporter: Arc<dyn SpanExporter>) -> Tracing {
        Tracing { sampler, exporter }
    }
}
