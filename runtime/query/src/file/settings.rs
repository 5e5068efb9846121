//! Reading `[delivery]`, `[batching]` and `[dead_letters]`.

use std::time::Duration;

use super::kafka_sink;
use super::kafka_uses::TopicUses;
use super::paths::Paths;
use super::plan::{Batching, DeadLettersPlan, Delivery, Guarantee};
use super::problem::Problems;
use super::table::{Item, Table};

/// The longest time between two commits: a day. Whoever wants a longer one wants one commit at the end.
const COMMIT_MS_MAX: u64 = 86_400_000;

/// The longest wait for a batch to fill: an hour.
const DELAY_MS_MAX: u64 = 3_600_000;

/// The largest batch. Every batch in flight is held in memory.
const RECORDS_MAX: u64 = 1_000_000;

/// Reads `[delivery]`.
pub(super) fn delivery(mut table: Table<'_>) -> Delivery {
    if let Some(item) = table.optional("guarantee") {
        guarantee(&item);
    }
    let commit_ms = table.optional("commit_ms").and_then(|item| item.integer(1..=COMMIT_MS_MAX));
    table.finish("`delivery`");
    Delivery { guarantee: Guarantee::AtLeastOnce, commit_every: commit_ms.map(Duration::from_millis) }
}

fn guarantee(item: &Item<'_>) {
    let choices = [("at_least_once", true), ("exactly_once", false)];
    if item.choice(&choices) == Some(false) {
        item.error(
            "`exactly_once` is not supported for these sources and sinks: their positions and their output cannot be \
             committed in one step",
            "use `at_least_once`, under which a crash can repeat records but loses none",
        );
    }
}

/// Reads `[batching]`.
pub(super) fn batching(mut table: Table<'_>) -> Batching {
    let mut batching = Batching::default();
    let records_max = table.optional("records_max").and_then(|item| item.integer(1..=RECORDS_MAX));
    if let Some(records_max) = records_max.and_then(|records| usize::try_from(records).ok()) {
        batching.records_max = records_max;
    }
    if let Some(delay_ms) = table.optional("delay_ms_max").and_then(|item| item.integer(1..=DELAY_MS_MAX)) {
        batching.delay_max = Duration::from_millis(delay_ms);
    }
    table.finish("`batching`");
    batching
}

/// Reads `[dead_letters]`.
pub(super) fn dead_letters(
    mut table: Table<'_>,
    paths: &mut Paths<'_>,
    topics: &mut TopicUses<'_>,
    problems: &Problems,
) -> Option<DeadLettersPlan> {
    let to_kafka =
        table.optional("kind").map_or(Some(false), |item| item.choice(&[("file", false), ("kafka", true)]))?;
    if to_kafka {
        let config = kafka_sink::dead_letters(&mut table, topics, problems);
        table.finish("`dead_letters` of kind kafka");
        return config.map(|config| DeadLettersPlan::Kafka(Box::new(config)));
    }
    let item = table.required("path", "name the file, for example `path = \"dead/late.jsonl\"`");
    let path = item.and_then(|item| {
        let written = item.text()?;
        if paths.resolve(written).file_name().is_none() || written.ends_with('/') {
            item.error("must end in the name of a file", "");
            return None;
        }
        paths.output(&item.place, written, false, problems)
    });
    table.finish("`dead_letters`");
    path.map(DeadLettersPlan::File)
}
