//! What the spans of a query say of its parts.

use super::{SpanKind, SpanValue};

/// Attributes, as a span has them.
pub(crate) type Attributes = Vec<(&'static str, SpanValue)>;

/// A source, stage or sink.
pub(crate) struct Place {
    pub(crate) kind: SpanKind,
    pub(crate) attributes: Attributes,
}

/// Every place of a plan.
pub(crate) struct Places {
    pub(crate) query: Attributes,
    pub(crate) sources: Vec<Place>,
    pub(crate) stages: Vec<Place>,
    pub(crate) sinks: Vec<Place>,
    pub(crate) commit: Attributes,
}
