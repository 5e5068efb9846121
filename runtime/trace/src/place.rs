//! What the spans of a query say of its parts.

use super::{SpanKind, SpanValue};

/// Attributes, as a span has them.
pub type Attributes = Vec<(&'static str, SpanValue)>;

/// A source, stage or sink.
#[derive(Clone, Debug)]
pub struct SpanPlace {
    /// The role of its spans towards other systems.
    pub kind: SpanKind,
    /// What each of its spans says.
    pub attributes: Attributes,
}

/// What the spans of each part of a query say, by the part's index.
#[derive(Clone, Debug, Default)]
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
