//! Attributes of the spans of each part of a query.

use super::{SpanKind, SpanValue};

/// The attributes of a span.
pub type Attributes = Vec<(&'static str, SpanValue)>;

/// A source, stage or sink.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SpanPlace {
    /// The span kind.
    pub kind: SpanKind,
    /// The attributes of all its spans.
    pub attributes: Attributes,
}

impl SpanPlace {
    /// A part whose spans say this.
    pub fn new(kind: SpanKind, attributes: Attributes) -> SpanPlace {
        SpanPlace { kind, attributes }
    }
}

/// The attributes of each part of a query, by the part's index.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Places {
    /// The query itself.
    pub query: Attributes,
    /// Its sources.
    pub sources: Vec<SpanPlace>,
    /// Its stages.
    pub stages: Vec<SpanPlace>,
    /// Its sinks.
    pub sinks: Vec<SpanPlace>,
    /// Its commits.
    pub commit: Attributes,
}
