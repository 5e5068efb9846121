//! The spans of a running query.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bincode::{Decode, Encode};
use serde::Serialize;
use weir_batch::{Batch, TraceContext};

use super::arrived::Arrived;
use super::ids::TraceIds;
use super::place::{Attributes, Places, SpanPlace};
use super::{LINKS_MAX, Span, SpanKind, Tracing};

/// Counts of traced batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Encode, Decode)]
#[non_exhaustive]
pub struct TraceCounts {
    /// Batches with a span.
    pub sampled: u64,
    /// Batches without a span.
    pub unsampled: u64,
    /// Invalid `traceparent` headers, in the batches whose headers were read.
    pub malformed: u64,
}

/// The counters, over all attempts of a query.
#[derive(Default)]
pub struct TraceCounters {
    sampled: AtomicU64,
    unsampled: AtomicU64,
    malformed: AtomicU64,
}

impl TraceCounters {
    /// The current counts.
    pub fn read(&self) -> TraceCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (sampled, unsampled) = (read(&self.sampled), read(&self.unsampled));
        TraceCounts { sampled, unsampled, malformed: read(&self.malformed) }
    }
}

/// When a reader began and ended to wait for a batch and its decoding.
#[derive(Clone, Copy)]
struct Waited {
    from: SystemTime,
    until: SystemTime,
}

/// Draws the trace ids of a source's batches before these are read, so that only batches that may get a span are timed.
pub struct Draw {
    shared: Arc<Shared>,
    // Whether contexts in the records can cause sampling.
    parents: bool,
}

/// The trace of a batch that has not been read yet.
pub struct Drawn {
    trace_id: [u8; 16],
    // Whether it is sampled, whatever its records contain.
    taken: bool,
    from: Option<SystemTime>,
    waited: Option<Waited>,
}

impl Draw {
    /// Call this when the wait for a batch begins.
    pub fn next(&self) -> Drawn {
        let trace_id = self.shared.ids.trace_id();
        let taken = self.shared.tracing.sampler.takes(trace_id);
        let from = (taken || self.parents).then(SystemTime::now);
        Drawn { trace_id, taken, from, waited: None }
    }
}

impl Drawn {
    /// Call this when the batch has arrived.
    pub fn came(self) -> Drawn {
        let waited = self.from.map(|from| Waited { from, until: SystemTime::now() });
        Drawn { waited, ..self }
    }
}

/// Creates the spans of one query.
pub struct Spans {
    shared: Arc<Shared>,
    // The batches since the last commit: links of its span.
    uncommitted: Vec<TraceContext>,
    uncommitted_unlinked: u32,
}

struct Shared {
    tracing: Tracing,
    ids: TraceIds,
    places: Places,
    counters: Arc<TraceCounters>,
}

impl Spans {
    /// The spans of a query with these parts. Batches are counted in `counters`.
    pub fn new(tracing: Tracing, places: Places, counters: Arc<TraceCounters>) -> Spans {
        let shared = Shared { tracing, ids: TraceIds::new(), places, counters };
        Spans { shared: Arc::new(shared), uncommitted: Vec::new(), uncommitted_unlinked: 0 }
    }

    /// The draw for the reader of this source. Only sources of messages have headers.
    pub fn draw(&self, source: usize) -> Draw {
        let messages = self.shared.places.sources.get(source).is_some_and(|place| place.kind == SpanKind::Client);
        Draw { shared: Arc::clone(&self.shared), parents: messages && self.shared.tracing.sampler.by_parents() }
    }

    /// Begins the span of a batch that a source has read, if the batch is sampled.
    pub fn begin(&mut self, source: usize, batch: &Batch, drawn: Drawn) -> Option<Arc<BatchSpan>> {
        let Shared { tracing, ids, counters, places } = &*self.shared;
        let Drawn { trace_id, taken, waited, .. } = drawn;
        // Contexts are read only if they can cause sampling, or become links.
        let arrived = if taken || tracing.sampler.by_parents() { Arrived::of(batch) } else { Arrived::default() };
        if arrived.malformed > 0 {
            counters.malformed.fetch_add(arrived.malformed, Ordering::Relaxed);
        }
        let sampled = taken || arrived.sampled;
        let Some(context) = sampled.then(|| ids.span_of(trace_id)).flatten() else {
            counters.unsampled.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        counters.sampled.fetch_add(1, Ordering::Relaxed);
        let waited = waited.unwrap_or_else(|| {
            let now = SystemTime::now();
            Waited { from: now, until: now }
        });
        let place = places.sources.get(source);
        let mut attributes = place.map_or_else(Vec::new, |place| place.attributes.clone());
        attributes.push(("weir.records.in", batch.rows().into()));
        let messages = place.is_some_and(|place| place.kind == SpanKind::Client);
        if messages {
            attributes.push(("messaging.batch.message_count", batch.rows().into()));
            if let Some(topic) = &batch.system().origin {
                attributes.push(("messaging.destination.name", topic.into()));
            }
        }
        let operation = |name: &'static str, of_type: &'static str| {
            let operation = [("messaging.operation.name", name.into()), ("messaging.operation.type", of_type.into())];
            operation.into_iter().filter(move |_| messages)
        };
        let mut of_source = attributes.clone();
        of_source.extend(operation("poll", "receive"));
        attributes.extend(operation("process", "process"));
        if arrived.malformed > 0 {
            attributes.push(("weir.traceparent.malformed", arrived.malformed.into()));
        }
        let span = Span {
            context,
            parent: None,
            name: "weir.batch",
            kind: if messages { SpanKind::Consumer } else { SpanKind::Internal },
            start: waited.from,
            end: waited.until,
            attributes,
            links: arrived.contexts,
            links_dropped: arrived.unlinked,
            error: None,
        };
        let kind = place.map_or(SpanKind::Internal, |place| place.kind);
        if let Some(context) = ids.span_of(trace_id) {
            let (parent, start, end) = (Some(span.context.span_id()), waited.from, waited.until);
            let (attributes, links) = (of_source, Vec::new());
            let name = "weir.source";
            let of_source =
                Span { context, parent, name, kind, start, end, attributes, links, links_dropped: 0, error: None };
            tracing.exporter.export(of_source);
        }
        match self.uncommitted.len() < LINKS_MAX {
            true => self.uncommitted.push(context),
            false => self.uncommitted_unlinked = self.uncommitted_unlinked.saturating_add(1),
        }
        Some(Arc::new(BatchSpan(OpenSpan { span, shared: Arc::clone(&self.shared), of: None })))
    }

    /// Begins the span of a commit, if one of its batches has a span. It has its own trace, because it belongs to several batches.
    pub fn commit(&mut self, records: u64) -> Option<OpenSpan> {
        if self.uncommitted.is_empty() {
            return None;
        }
        let (links, links_dropped) = (std::mem::take(&mut self.uncommitted), self.uncommitted_unlinked);
        self.uncommitted_unlinked = 0;
        let context = self.shared.ids.span_of(self.shared.ids.trace_id())?;
        let mut attributes = self.shared.places.commit.clone();
        attributes.push(("weir.records", records.into()));
        let mut span = open("weir.commit", SpanKind::Internal, context, None, attributes);
        (span.links, span.links_dropped) = (links, links_dropped);
        Some(OpenSpan { span, shared: Arc::clone(&self.shared), of: None })
    }
}

fn open(
    name: &'static str,
    kind: SpanKind,
    context: TraceContext,
    parent: Option<[u8; 8]>,
    attributes: Attributes,
) -> Span {
    let start = SystemTime::now();
    let (links, links_dropped, error) = (Vec::new(), 0, None);
    Span { context, parent, name, kind, start, end: start, attributes, links, links_dropped, error }
}

/// The span of one batch. Held by everything that works on the batch; it ends when the last holder drops it.
pub struct BatchSpan(OpenSpan);

impl BatchSpan {
    /// The context to write to the headers of the batch's records.
    pub fn context(&self) -> TraceContext {
        self.0.span.context
    }

    /// Begins the span of a stage that processes this many of the batch's records.
    pub fn stage(self: &Arc<BatchSpan>, stage: usize, records_in: usize) -> Option<OpenSpan> {
        let mut span = self.child("weir.stage", self.0.shared.places.stages.get(stage))?;
        span.set("weir.records.in", records_in);
        Some(span)
    }

    /// Begins the span of a sink that writes this many records.
    pub fn sink(self: &Arc<BatchSpan>, sink: usize, records: usize) -> Option<OpenSpan> {
        let place = self.0.shared.places.sinks.get(sink);
        let mut span = self.child("weir.sink", place)?;
        span.set("weir.records.in", records);
        if place.is_some_and(|place| place.kind == SpanKind::Client) {
            span.set("messaging.batch.message_count", records);
        }
        Some(span)
    }

    fn child(self: &Arc<BatchSpan>, name: &'static str, place: Option<&SpanPlace>) -> Option<OpenSpan> {
        let OpenSpan { span, shared, .. } = &self.0;
        let context = shared.ids.span_of(span.context.trace_id())?;
        let attributes = place.map_or_else(|| shared.places.query.clone(), |place| place.attributes.clone());
        let kind = place.map_or(SpanKind::Internal, |place| place.kind);
        let span = open(name, kind, context, Some(span.context.span_id()), attributes);
        Some(OpenSpan { span, shared: Arc::clone(shared), of: Some(Arc::clone(self)) })
    }
}

/// A span that ends, and is exported, when it is dropped.
pub struct OpenSpan {
    span: Span,
    shared: Arc<Shared>,
    // A child keeps its batch's span open: the field is dropped after this span was exported.
    #[expect(dead_code, reason = "held for its drop alone")]
    of: Option<Arc<BatchSpan>>,
}

impl OpenSpan {
    /// The ids of the span.
    pub fn context(&self) -> TraceContext {
        self.span.context
    }

    /// Adds an attribute.
    pub fn set(&mut self, name: &'static str, value: usize) {
        self.span.attributes.push((name, value.into()));
    }

    /// Marks the span as failed.
    pub fn fail(&mut self, error: &impl fmt::Display) {
        self.span.error = Some(error.to_string());
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let attributes = std::mem::take(&mut self.span.attributes);
        let links = std::mem::take(&mut self.span.links);
        let mut span = Span { attributes, links, ..self.span.clone() };
        span.end = SystemTime::now().max(span.start);
        self.shared.tracing.exporter.export(span);
    }
}
