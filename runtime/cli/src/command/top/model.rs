//! What is shown of running queries, wherever it was read.

use std::time::Instant;

use serde::Serialize;
use weir_query::TopColumn;
use weir_telemetry::{WorkerReport, WorkersReport};

use crate::control::{Seen, percent_read};

/// Everything that was to be seen at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) queries: Vec<SeenQuery>,
    pub(super) workers: Vec<SeenWorker>,
    /// Who did not answer, and why.
    pub(super) silent: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SeenQuery {
    /// Where it runs: a process, or an endpoint.
    pub(super) place: String,
    pub(super) tenant: String,
    pub(super) query: String,
    pub(super) state: String,
    pub(super) committed_records: u64,
    /// How much of its input was read, and how long the rest takes, where that is known.
    pub(super) percent: Option<u64>,
    pub(super) seconds_left: Option<u64>,
    pub(super) parts: Vec<Part>,
}

/// A process that queries of a tenant run in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct SeenWorker {
    /// Where its supervisor runs.
    pub(super) place: String,
    #[serde(flatten)]
    pub(super) told: WorkerReport,
}

/// A source, a stage or a sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) name: String,
    pub(super) records_in: u64,
    pub(super) records_out: u64,
    pub(super) errors: u64,
    pub(super) traps: u64,
    pub(super) guest_seconds: f64,
    pub(super) lag: Option<u64>,
    pub(super) percent: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartKind {
    Source,
    Stage,
    Sink,
}

impl Part {
    /// With what the counters of each column come to.
    fn new(kind: PartKind, name: &str, total: impl Fn(TopColumn) -> u64) -> Part {
        Part {
            kind,
            name: name.to_owned(),
            records_in: total(TopColumn::In),
            records_out: total(TopColumn::Out),
            errors: total(TopColumn::Errors),
            traps: total(TopColumn::Traps),
            guest_seconds: total(TopColumn::Busy) as f64 / 1e9,
            lag: None,
            percent: None,
        }
    }
}

impl SeenQuery {
    fn new(place: &str, seen: &Seen) -> SeenQuery {
        let progress = &seen.progress;
        let sources = progress.sources.iter().map(|source| {
            let lags = source.partitions.iter().filter_map(|partition| partition.lag);
            Part {
                lag: lags.map(|lag| u64::try_from(lag).unwrap_or(0)).reduce(u64::saturating_add),
                percent: source.extent.map(percent_read),
                ..Part::new(PartKind::Source, &source.name, |column| source.total(column))
            }
        });
        let stages =
            progress.stages.iter().map(|stage| Part::new(PartKind::Stage, &stage.name, |column| stage.total(column)));
        let sinks =
            progress.sinks.iter().map(|sink| Part::new(PartKind::Sink, &sink.name, |column| sink.total(column)));
        SeenQuery {
            place: place.to_owned(),
            tenant: seen.tenant.clone(),
            query: seen.query.clone(),
            state: progress.state.clone(),
            committed_records: progress.committed_records,
            percent: seen.percent(),
            seconds_left: seen.seconds_left,
            parts: sources.chain(stages).chain(sinks).collect(),
        }
    }

    pub(super) fn is(&self, other: &SeenQuery) -> bool {
        (&self.place, &self.tenant, &self.query) == (&other.place, &other.tenant, &other.query)
    }

    /// The sum of something over all parts of a kind.
    pub(super) fn sum(&self, kind: PartKind, of: fn(&Part) -> u64) -> u64 {
        self.parts.iter().filter(|part| part.kind == kind).map(of).fold(0, u64::saturating_add)
    }

    pub(super) fn errors(&self) -> u64 {
        self.parts.iter().map(|part| part.errors).fold(0, u64::saturating_add)
    }

    pub(super) fn lag(&self) -> Option<u64> {
        self.parts.iter().filter_map(|part| part.lag).reduce(u64::saturating_add)
    }
}

impl Look {
    pub(super) fn new(at: Instant) -> Look {
        Look { at, queries: Vec::new(), workers: Vec::new(), silent: Vec::new() }
    }

    /// Adds what a process or an endpoint told of its workers.
    pub(super) fn add_workers(&mut self, place: &str, told: &WorkersReport) {
        let seen = |worker: &WorkerReport| SeenWorker { place: place.to_owned(), told: worker.clone() };
        self.workers.extend(told.workers.iter().map(seen));
    }

    /// Adds what a process or an endpoint told of a query.
    pub(super) fn add(&mut self, place: &str, seen: &Seen) {
        self.queries.push(SeenQuery::new(place, seen));
    }
}
