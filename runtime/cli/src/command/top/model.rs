//! What is shown of running queries, wherever it was read.

use std::time::Instant;

use serde::{Serialize, Serializer};
use weir_telemetry::Scrape;

use crate::control::Found;

/// Everything that was to be seen at one moment.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) at: Instant,
    pub(super) queries: Vec<SeenQuery>,
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
    #[serde(serialize_with = "whole")]
    pub(super) committed_records: f64,
    pub(super) parts: Vec<Part>,
}

/// A source, a stage or a sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) name: String,
    #[serde(serialize_with = "whole")]
    pub(super) records_in: f64,
    #[serde(serialize_with = "whole")]
    pub(super) records_out: f64,
    #[serde(serialize_with = "whole")]
    pub(super) errors: f64,
    #[serde(serialize_with = "whole")]
    pub(super) traps: f64,
    pub(super) guest_seconds: f64,
    #[serde(serialize_with = "whole_if_any")]
    pub(super) lag: Option<f64>,
}

/// Counts are doubles in an endpoint's text; where they are printed they are counts again.
fn whole<S: Serializer>(count: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(count.round() as u64)
}

fn whole_if_any<S: Serializer>(count: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    count.map(|count| count.round() as u64).serialize(serializer)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PartKind {
    Source,
    Stage,
    Sink,
}

impl Part {
    fn new(kind: PartKind, name: &str) -> Part {
        let name = name.to_owned();
        let (records_in, records_out, errors, traps, guest_seconds) = (0.0, 0.0, 0.0, 0.0, 0.0);
        Part { kind, name, records_in, records_out, errors, traps, guest_seconds, lag: None }
    }
}

impl SeenQuery {
    pub(super) fn is(&self, other: &SeenQuery) -> bool {
        (&self.place, &self.tenant, &self.query) == (&other.place, &other.tenant, &other.query)
    }

    /// The sum of something over all parts of a kind.
    pub(super) fn sum(&self, kind: PartKind, of: fn(&Part) -> f64) -> f64 {
        self.parts.iter().filter(|part| part.kind == kind).map(of).sum()
    }

    pub(super) fn errors(&self) -> f64 {
        self.parts.iter().map(|part| part.errors).sum()
    }

    pub(super) fn lag(&self) -> Option<f64> {
        self.parts.iter().filter_map(|part| part.lag).reduce(|one, other| one + other)
    }

    fn part(&mut self, kind: PartKind, name: &str) -> &mut Part {
        let place = self.parts.iter().position(|part| part.kind == kind && part.name == name);
        let place = place.unwrap_or_else(|| {
            self.parts.push(Part::new(kind, name));
            self.parts.len() - 1
        });
        &mut self.parts[place]
    }
}

impl Look {
    pub(super) fn new(at: Instant) -> Look {
        Look { at, queries: Vec::new(), silent: Vec::new() }
    }

    /// Adds what a process told at its control socket.
    pub(super) fn add_found(&mut self, found: &Found) {
        let progress = &found.seen.progress;
        let mut parts = Vec::new();
        for source in &progress.sources {
            let lag = source.partitions.iter().filter_map(|partition| partition.lag).reduce(i64::saturating_add);
            parts.push(Part {
                records_out: source.records as f64,
                errors: (source.failed + source.dead) as f64,
                lag: lag.map(|lag| lag as f64),
                ..Part::new(PartKind::Source, &source.name)
            });
        }
        for stage in &progress.stages {
            parts.push(Part {
                records_in: stage.records_in as f64,
                records_out: stage.records_out as f64,
                errors: (stage.failed + stage.dead) as f64,
                traps: stage.traps as f64,
                guest_seconds: stage.guest_nanos as f64 / 1e9,
                ..Part::new(PartKind::Stage, &stage.name)
            });
        }
        for sink in &progress.sinks {
            parts.push(Part { records_in: sink.records as f64, ..Part::new(PartKind::Sink, &sink.name) });
        }
        self.queries.push(SeenQuery {
            place: format!("pid {}", found.pid),
            tenant: found.seen.tenant.clone(),
            query: found.seen.query.clone(),
            state: progress.state.clone(),
            committed_records: progress.committed_records as f64,
            parts,
        });
    }

    /// Adds what an endpoint told. What it has beside is passed over.
    pub(super) fn add_scrape(&mut self, place: &str, scrape: &Scrape) {
        for sample in &scrape.samples {
            let (Some(tenant), Some(name)) = (sample.label("tenant"), sample.label("query")) else { continue };
            let Some(known) = sample.name.strip_prefix("weir_").filter(|name| !name.starts_with("guest_")) else {
                continue;
            };
            let query = self.query(place, tenant, name);
            let value = sample.value;
            match known {
                "query_committed_records_total" => query.committed_records = value,
                "query_state" if value == 1.0 => query.state = sample.label("state").unwrap_or("").to_owned(),
                _ => {
                    for (kind, label) in
                        [(PartKind::Source, "source"), (PartKind::Stage, "stage"), (PartKind::Sink, "sink")]
                    {
                        let of_it = known.strip_prefix(label).and_then(|rest| rest.strip_prefix('_'));
                        if let (Some(what), Some(name)) = (of_it, sample.label(label)) {
                            set(query.part(kind, name), what, value);
                        }
                    }
                }
            }
        }
        for query in &mut self.queries {
            // The text has them by name of the metric; within a kind they stand as in the file.
            query.parts.sort_by_key(|part| part.kind);
        }
    }

    fn query(&mut self, place: &str, tenant: &str, query: &str) -> &mut SeenQuery {
        let is_it = |seen: &SeenQuery| seen.place == place && seen.tenant == tenant && seen.query == query;
        let at = self.queries.iter().position(is_it).unwrap_or_else(|| {
            self.queries.push(SeenQuery {
                place: place.to_owned(),
                tenant: tenant.to_owned(),
                query: query.to_owned(),
                state: String::new(),
                committed_records: 0.0,
                parts: Vec::new(),
            });
            self.queries.len() - 1
        });
        &mut self.queries[at]
    }
}

fn set(part: &mut Part, what: &str, value: f64) {
    match (part.kind, what) {
        (PartKind::Source, "records_total") => part.records_out = value,
        (PartKind::Sink, "records_total") => part.records_in = value,
        (_, "partition_lag_records") => part.lag = Some(part.lag.unwrap_or(0.0) + value),
        (_, "records_in_total") => part.records_in = value,
        (_, "records_out_total") => part.records_out = value,
        (_, "failed_records_total" | "dead_records_total") => part.errors += value,
        (_, "traps_total") => part.traps = value,
        (_, "guest_seconds_total") => part.guest_seconds = value,
        _ => {}
    }
}
