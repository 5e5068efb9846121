//! The lines of the table: one a query, and below it one for each source, stage and sink; after them one a worker.

use std::time::Duration;

use weir_text::ByteCount;

use super::model::{Look, Part, PartKind, SeenQuery, SeenWorker};
use crate::control::{Align, clean};
use crate::live::{grouped, time_left};

/// What the columns hold. `BUSY` is the part of a core that the guest or the worker takes; `DONE` how much of an input of known size was
/// read, and `LEFT` how long the rest takes.
pub(super) const HEADINGS: [(&str, Align); 11] = [
    ("NAME", Align::Left),
    ("STATE", Align::Left),
    ("IN", Align::Right),
    ("OUT", Align::Right),
    ("OUT/s", Align::Right),
    ("BUSY", Align::Right),
    ("ERRORS", Align::Right),
    ("TRAPS", Align::Right),
    ("LAG", Align::Right),
    ("DONE", Align::Right),
    ("LEFT", Align::Right),
];

/// A line.
pub(super) struct Row {
    pub(super) is_query: bool,
    pub(super) troubled: bool,
    /// Where a query runs; the end of its name where there may be several.
    pub(super) place: Option<String>,
    pub(super) cells: [String; HEADINGS.len()],
}

impl Row {
    /// The cells, with the place after the name.
    pub(super) fn with_place(mut self) -> [String; HEADINGS.len()] {
        if let Some(place) = self.place {
            self.cells[0].push_str(&format!(" ({place})"));
        }
        self.cells
    }
}

/// In which order queries are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Name,
    Rate,
    Errors,
    Lag,
}

impl Order {
    pub(super) fn next(self) -> Order {
        match self {
            Order::Name => Order::Rate,
            Order::Rate => Order::Errors,
            Order::Errors => Order::Lag,
            Order::Lag => Order::Name,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Order::Name => "name",
            Order::Rate => "rate",
            Order::Errors => "errors",
            Order::Lag => "lag",
        }
    }
}

/// Rows of all queries. Rates are those since the look before, where there is one.
pub(super) fn rows(now: &Look, before: Option<&Look>, order: Order) -> Vec<Row> {
    let past = |query: &SeenQuery| before.and_then(|look| look.queries.iter().find(|other| other.is(query)));
    let seconds = before.map_or(1.0, |before| (now.at - before.at).as_secs_f64().max(1e-3));
    let rate = |now: u64, before: Option<u64>| before.map(|before| now.saturating_sub(before) as f64 / seconds);
    let read = |query: &SeenQuery| query.sum(PartKind::Source, |part| part.records_out);
    let mut queries: Vec<&SeenQuery> = now.queries.iter().collect();
    queries.sort_by(|one, other| {
        let by = |key: &dyn Fn(&SeenQuery) -> f64| key(other).total_cmp(&key(one));
        let first = match order {
            Order::Name => std::cmp::Ordering::Equal,
            Order::Rate => by(&|query| rate(read(query), past(query).map(read)).unwrap_or(0.0)),
            Order::Errors => other.errors().cmp(&one.errors()),
            Order::Lag => other.lag().cmp(&one.lag()),
        };
        let names = |query: &SeenQuery| (query.tenant.clone(), query.query.clone(), query.place.clone());
        first.then_with(|| names(one).cmp(&names(other)))
    });
    let mut rows = Vec::new();
    for query in queries {
        let past = past(query);
        let traps = query.sum(PartKind::Stage, |part| part.traps);
        rows.push(Row {
            is_query: true,
            troubled: query.state == "retrying",
            place: Some(clean(&query.place)),
            cells: [
                format!("{}/{}", clean(&query.tenant), clean(&query.query)),
                clean(&query.state),
                grouped(read(query)),
                grouped(query.sum(PartKind::Sink, |part| part.records_in)),
                rounded(rate(read(query), past.map(read))),
                String::new(),
                grouped(query.errors()),
                grouped(traps),
                query.lag().map_or_else(unknown, grouped),
                query.percent.map_or_else(unknown, percent),
                query.seconds_left.map_or_else(unknown, |left| time_left(Duration::from_secs(left))),
            ],
        });
        for part in &query.parts {
            let past =
                past.and_then(|past| past.parts.iter().find(|old| old.kind == part.kind && old.name == part.name));
            rows.push(of_part(part, past, seconds));
        }
    }
    rows.extend(now.workers.iter().map(|worker| {
        let same = |other: &&SeenWorker| (&other.place, other.told.worker) == (&worker.place, worker.told.worker);
        of_worker(worker, before.and_then(|look| look.workers.iter().find(same)), seconds)
    }));
    rows
}

fn of_worker(worker: &SeenWorker, past: Option<&SeenWorker>, seconds: f64) -> Row {
    let told = &worker.told;
    let busy = past.map(|past| told.cpu_ms.saturating_sub(past.told.cpu_ms) as f64 / 1e3 / seconds);
    let again = match told.restarts {
        0 => String::new(),
        times => format!(", {} restarts", grouped(times)),
    };
    let mut cells: [String; HEADINGS.len()] = Default::default();
    let memory = ByteCount(told.memory_bytes);
    cells[0] = format!("worker {} of {}: {memory}{again}", told.worker, clean(&told.tenant));
    cells[1] = clean(&told.state);
    cells[5] = busy.map_or_else(unknown, of_core);
    Row { is_query: true, troubled: !told.is_running, place: Some(clean(&worker.place)), cells }
}

/// A part of a core.
fn of_core(part: f64) -> String {
    format!("{:.0}%", 100.0 * part)
}

fn of_part(part: &Part, past: Option<&Part>, seconds: f64) -> Row {
    let (kind, is_stage) = match part.kind {
        PartKind::Source => ("source", false),
        PartKind::Stage => ("stage", true),
        PartKind::Sink => ("sink", false),
    };
    let through: fn(&Part) -> u64 =
        if part.kind == PartKind::Sink { |part| part.records_in } else { |part| part.records_out };
    let gain = |of: fn(&Part) -> u64| past.map(|past| of(part).saturating_sub(of(past)));
    let busy = past.map(|past| (part.guest_seconds - past.guest_seconds).max(0.0) / seconds);
    let only = |shown: bool, text: String| if shown { text } else { String::new() };
    let of_source = |number: Option<u64>, text: fn(u64) -> String| {
        only(part.kind == PartKind::Source, number.map_or_else(unknown, text))
    };
    Row {
        is_query: false,
        troubled: gain(|part| part.errors.saturating_add(part.traps)).is_some_and(|gain| gain > 0),
        place: None,
        cells: [
            format!("  {kind} {}", clean(&part.name)),
            String::new(),
            only(part.kind != PartKind::Source, grouped(part.records_in)),
            only(part.kind != PartKind::Sink, grouped(part.records_out)),
            rounded(gain(through).map(|gain| gain as f64 / seconds)),
            only(is_stage, busy.map_or_else(unknown, of_core)),
            only(part.kind != PartKind::Sink, grouped(part.errors)),
            only(is_stage, grouped(part.traps)),
            of_source(part.lag, grouped),
            of_source(part.percent, percent),
            String::new(),
        ],
    }
}

fn unknown() -> String {
    "-".to_owned()
}

fn percent(percent: u64) -> String {
    format!("{percent}%")
}

fn rounded(number: Option<f64>) -> String {
    number.map_or_else(unknown, |number| grouped(number.round() as u64))
}
