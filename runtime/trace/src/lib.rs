//! Traces: a span a batch, and one for every step that the batch takes.
//!
//! Nothing here knows an exporter: finished spans are plain values, handed to a [`SpanExporter`].

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

/// Links of a span at most: distinct contexts that arrived in a batch's records, or batches of a commit.
pub const LINKS_MAX: usize = 32;

/// Which batches are traced, and where their spans go. Cheap to clone: one for all of a process's queries.
#[derive(Clone)]
pub struct Tracing {
    sampler: Sampler,
    exporter: Arc<dyn SpanExporter>,
}

impl Tracing {
    /// Traces the batches that the sampler takes.
    pub fn new(sampler: Sampler, exporter: Arc<dyn SpanExporter>) -> Tracing {
        Tracing { sampler, exporter }
    }
}
