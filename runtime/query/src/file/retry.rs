//! Reading `on_error = "retry"` and `retry`, of stages and sinks.

use std::time::Duration;

use super::plan::{ErrorPolicy, Retry};
use super::problem::Place;
use super::source::POLICIES;
use super::table::Table;

/// The words of a stage's or sink's `on_error`; `None` is to try again.
pub(super) const STAGE_POLICIES: [(&str, Option<ErrorPolicy>); 4] = [
    ("fail", Some(ErrorPolicy::Fail)),
    ("skip", Some(ErrorPolicy::Skip)),
    ("dead_letter", Some(ErrorPolicy::DeadLetter)),
    ("retry", None),
];

/// More attempts than anybody waits for.
const TIMES_MAX: u64 = 1_000_000;

const BACKOFF_MS_MAX: u64 = 30_000;

/// `retry` where nothing is tried again.
pub(super) fn none(table: &mut Table<'_>) -> Option<Retry> {
    if let Some(item) = table.optional("retry") {
        item.error("nothing is tried again here", "set `on_error = \"retry\"`, or leave out `retry`");
    }
    None
}

/// `retry = { times_max = 3, backoff_ms = 100, then = "dead_letter" }`; what it does not say has defaults.
pub(super) fn of_stage(table: &mut Table<'_>) -> (ErrorPolicy, Option<Retry>) {
    read(table, "`retry` of a stage")
}

fn read(table: &mut Table<'_>, what: &str) -> (ErrorPolicy, Option<Retry>) {
    let mut then = ErrorPolicy::default();
    let retry = table.section("retry", |mut table| {
        then = table.optional("then").and_then(|item| item.choice(&POLICIES)).unwrap_or_default();
        let retry = times_and_backoff(&mut table);
        table.finish(what);
        retry
    });
    (then, Some(retry.unwrap_or_default()))
}

/// `on_error` and `retry` of a sink, and the place of what is said of records that it cannot take. Trying again is for a sink
/// that fails, `then` for such a record.
pub(super) fn of_sink(table: &mut Table<'_>) -> (ErrorPolicy, Option<Retry>, Place) {
    let item = table.optional("on_error");
    let place = item.as_ref().map_or_else(|| table.place.clone(), |item| item.place.clone());
    let (on_error, retry) = match item.and_then(|item| item.choice(&STAGE_POLICIES)) {
        Some(None) => read(table, "`retry` of a sink"),
        Some(Some(policy)) => (policy, none(table)),
        None => (ErrorPolicy::Fail, none(table)),
    };
    (on_error, retry, place)
}

fn times_and_backoff(table: &mut Table<'_>) -> Retry {
    let default = Retry::default();
    let times_max = table.optional("times_max").and_then(|item| item.integer(1..=TIMES_MAX));
    let backoff_ms = table.optional("backoff_ms").and_then(|item| item.integer(1..=BACKOFF_MS_MAX));
    Retry {
        times_max: times_max.and_then(|times| u32::try_from(times).ok()).unwrap_or(default.times_max),
        backoff: backoff_ms.map_or(default.backoff, Duration::from_millis),
    }
}
