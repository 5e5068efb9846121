//! Reading `[delivery]`, `[batching]` and `[dead_letters]`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::paths::Paths;
use super::plan::{Batching, Delivery, Guarantee};
use super::problem::Problems;
use super::table::Table;

/// The longest time between two commits: a day. Whoever wants a longer one wants one commit at the end.
const COMMIT_MS_MAX: u64 = 86_400_000;

/// The longest wait for a batch to fill: an hour.
const DELAY_MS_MAX: u64 = 3_600_000;

/// The largest batch. Every batch in flight is held in memory.
const RECORDS_MAX: u64 = 1_000_000;

/// Reads `[delivery]`.
pub(super) fn delivery(mut table: Table<'_>, paths: &mut Paths<'_>, problems: &Problems) -> Delivery {
    let guarantees = [("at_least_once", Guarantee::AtLeastOnce), ("exactly_once", Guarantee::ExactlyOnce)];
    let guarantee = table.optional("guarantee").and_then(|item| item.choice(&guarantees)).unwrap_or_default();
    let commit_ms = table.optional("commit_ms").and_then(|item| item.integer(1..=COMMIT_MS_MAX));
    let state = table.optional("state").and_then(|item| {
        let written = item.text()?;
        // What is written there is a file in it.
        let manifest = paths.output(&item.place, &format!("{written}/manifest"), false, problems)?;
        manifest.parent().map(Path::to_owned)
    });
    let transactional_id = table.optional("transactional_id").and_then(|item| {
        let id = item.text()?;
        if id.is_empty() {
            item.error("must not be empty", "leave it out: it is made of tenant and query then");
            return None;
        }
        Some(id.to_owned())
    });
    table.finish("`delivery`");
    Delivery { guarantee, commit_every: commit_ms.map(Duration::from_millis), state, transactional_id }
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
pub(super) fn dead_letters(mut table: Table<'_>, paths: &mut Paths<'_>, problems: &Problems) -> Option<PathBuf> {
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
    path
}
