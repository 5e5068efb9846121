//! Reading `[delivery]`, `[batching]` and `[dead_letters]`.

use std::path::Path;
use std::time::Duration;

use super::delivery::DeliveryPlaces;
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

/// From what a few records take to what one column can hold, and half of it to spare.
const BYTES_MAX: std::ops::RangeInclusive<u64> = 65_536..=1_073_741_824;

/// Reads `[delivery]`; says where its parts stand as well, for the checks that need the whole file.
pub(super) fn delivery(root: &mut Table<'_>, paths: &mut Paths<'_>, problems: &Problems) -> (Delivery, DeliveryPlaces) {
    let here = root.place.child("delivery", root.place.offset);
    let mut delivery = Delivery::default();
    let mut places = DeliveryPlaces {
        guarantee: here.clone(),
        state: here.clone(),
        transactional_id: here.clone(),
        commit_ms: here,
    };
    let read = root.section("delivery", |mut table| {
        let guarantees = [("at_least_once", Guarantee::AtLeastOnce), ("exactly_once", Guarantee::ExactlyOnce)];
        if let Some(item) = table.optional("guarantee") {
            places.guarantee = item.place.clone();
            delivery.guarantee = item.choice(&guarantees).unwrap_or_default();
        }
        let commit_ms = table.optional("commit_ms").and_then(|item| {
            places.commit_ms = item.place.clone();
            item.integer(1..=COMMIT_MS_MAX)
        });
        delivery.commit_every = commit_ms.map(Duration::from_millis);
        if let Some(item) = table.optional("state") {
            places.state = item.place.clone();
            // What is written there is a file in it.
            let manifest = item.text().map(|written| format!("{}/manifest", written.trim_end_matches('/')));
            let manifest = manifest.and_then(|manifest| paths.output(&item.place, &manifest, false, problems));
            delivery.state = manifest.and_then(|manifest| manifest.parent().map(Path::to_owned));
        }
        if let Some(item) = table.optional("transactional_id") {
            places.transactional_id = item.place.clone();
            delivery.transactional_id = item.text().map(str::to_owned);
            if delivery.transactional_id.as_deref() == Some("") {
                item.error("must not be empty", "leave it out: it is made of tenant, query, host and slot then");
            }
        }
        table.finish("`delivery`");
    });
    // What is no table has been reported.
    let _read: Option<()> = read;
    (delivery, places)
}

/// Reads `[batching]`.
pub(super) fn batching(mut table: Table<'_>) -> Batching {
    let mut batching = Batching::default();
    let records_max = table.optional("records_max").and_then(|item| item.integer(1..=RECORDS_MAX));
    if let Some(records_max) = records_max.and_then(|records| usize::try_from(records).ok()) {
        batching.records_max = records_max;
    }
    let bytes = |item: Item<'_>| item.integer(BYTES_MAX).and_then(|bytes| usize::try_from(bytes).ok());
    if let Some(bytes_max) = table.optional("bytes_max").and_then(bytes) {
        batching.bytes_max = bytes_max;
    }
    if let Some(record_bytes_max) = table.optional("record_bytes_max").and_then(bytes) {
        batching.record_bytes_max = record_bytes_max;
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
