//! Where partitions begin: what the group has kept, what the settings say, and what the log holds.
//!
//! librdkafka could ask for kept positions by itself, but gives up for good, and in silence, where the group's coordinator is just being
//! made or moves. So they are asked for here, by a thread that may wait, until there is an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};

use super::config::{KafkaOutOfRange, KafkaSourceConfig, KafkaStart};
use super::context::Consumer;
use super::keeper::passes;
use crate::source::{Partition, Positions};

/// How long a broker is asked for one thing. The consumer cannot be dropped meanwhile.
const ASK_WAIT_MAX: Duration = Duration::from_secs(2);

/// A partition whose beginning is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) partition: Partition,
    pub(super) why: Why,
}

/// Why a partition's beginning is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is to be read, from its kept position or where the settings say.
    Assigned,
    /// The same, of a partition that was made after the reading began: none of its records may be passed over.
    MadeLater,
    /// The log does not hold this position.
    OutOfRange(i64),
    /// The same, of a position that nobody has kept: it was the log's own a moment before.
    Overtaken,
}

/// Where a partition begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) partition: Partition,
    pub(super) why: Why,
    /// The offset to read from.
    pub(super) position: i64,
    /// Whether a new reader would begin there, too.
    pub(super) kept: bool,
    /// The first offset that the log holds.
    pub(super) first: i64,
    /// The offset that the next record will get.
    pub(super) end: i64,
    /// The topic's id, as it was before this was asked, where brokers tell it.
    pub(super) topic_id: Option<String>,
}

/// Asks where all of these begin.
pub(super) fn place(
    consumer: &Consumer,
    config: &KafkaSourceConfig,
    wanted: &[Wanted],
    given: &Positions,
) -> Result<Vec<Placed>, KafkaError> {
    let kept = kept(consumer, wanted, given)?;
    let mut placed = Vec::with_capacity(wanted.len());
    let mut timed = TopicPartitionList::new();
    for Wanted { partition, why } in wanted {
        let (first, end) = consumer.fetch_watermarks(&partition.origin, partition.number, ASK_WAIT_MAX)?;
        let known = kept.get(partition).copied();
        let of_settings = match (why, config.start, config.on_out_of_range) {
            (Why::OutOfRange(_), _, KafkaOutOfRange::Latest) => end,
            (Why::OutOfRange(_), ..) | (Why::MadeLater, ..) => first,
            (_, KafkaStart::Earliest, _) => first,
            (_, KafkaStart::Latest, _) => end,
            (_, KafkaStart::Timestamp(time_ms), _) => {
                if known.is_none() {
                    timed.add_partition_offset(&partition.origin, partition.number, Offset::Offset(time_ms))?;
                }
                end
            }
        };
        placed.push(Placed {
            partition: partition.clone(),
            why: *why,
            position: known.unwrap_or(of_settings),
            kept: known.is_some() && (config.kept_by_group || given.get(partition).is_some()),
            first,
            end,
            topic_id: None,
        });
    }
    if timed.count() > 0 {
        let found = consumer.offsets_for_times(timed, ASK_WAIT_MAX)?;
        for element in found.elements() {
            // Without an answer the time itself would be there as an offset.
            element.error()?;
            let of_element = |it: &&mut Placed| {
                *it.partition.origin == *element.topic() && it.partition.number == element.partition()
            };
            if let (Offset::Offset(offset), Some(it)) = (element.offset(), placed.iter_mut().find(of_element)) {
                it.position = offset;
            }
        }
    }
    if config.kept_by_group {
        keep_first(consumer, &mut placed)?;
    }
    Ok(placed)
}

/// The positions that are given or that the group has kept.
fn kept(consumer: &Consumer, wanted: &[Wanted], given: &Positions) -> Result<BTreeMap<Partition, i64>, KafkaError> {
    let mut kept = BTreeMap::new();
    let mut asked = TopicPartitionList::new();
    for Wanted { partition, why } in wanted {
        match (why, given.get(partition)) {
            (Why::OutOfRange(_) | Why::Overtaken, _) => {}
            (_, Some(position)) => drop(kept.insert(partition.clone(), position)),
            (_, None) => drop(asked.add_partition(&partition.origin, partition.number)),
        }
    }
    if asked.count() == 0 {
        return Ok(kept);
    }
    let answer = consumer.committed_offsets(asked, ASK_WAIT_MAX)?;
    for element in answer.elements() {
        element.error()?;
        if let Offset::Offset(position) = element.offset() {
            kept.insert(Partition { origin: element.topic().into(), number: element.partition() }, position);
        }
    }
    Ok(kept)
}

/// Has the group keep where partitions begin of which it has kept nothing: what is written while nobody reads would be passed over
/// otherwise where they begin at their end.
fn keep_first(consumer: &Consumer, placed: &mut [Placed]) -> Result<(), KafkaError> {
    let first = |it: &&mut Placed| !it.kept && matches!(it.why, Why::Assigned | Why::MadeLater);
    let mut list = TopicPartitionList::new();
    for it in placed.iter_mut().filter(first) {
        list.add_partition_offset(&it.partition.origin, it.partition.number, Offset::Offset(it.position))?;
    }
    if list.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&list, CommitMode::Sync) {
        Ok(()) => placed.iter_mut().filter(first).for_each(|it| it.kept = true),
        Err(error)
            if error.rdkafka_error_code().is_some_and(|code| passes(code) || code == Code::RebalanceInProgress) =>
        {
            return Err(error);
        }
        // The query commits it with its next commit, or says why it cannot.
        Err(error) => tracing::debug!(%error, "kafka source: where partitions begin is not kept yet"),
    }
    Ok(())
}
