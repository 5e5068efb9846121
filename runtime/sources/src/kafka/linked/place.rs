//! Where partitions begin: what the group has kept, what the settings say, and what the log holds.
//!
//! librdkafka could ask for kept positions by itself, but gives up for good, and in silence, where the group's coordinator is just being
//! made or moves. So they are asked for here, by a thread that may wait, until there is an answer.

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::client::code_of;
use super::config::{KafkaOutOfRange, KafkaSourceConfig, KafkaStart};
use super::context::Consumer;
use super::kept::{self, Kept};
use weir_state::{Partition, Positions, TopicId};

/// What is known of positions before the brokers are asked.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Positions to begin at, where the partitions are chosen here.
    pub(super) given: Positions,
    /// What this run has committed before: a group forgets the positions of a topic that is deleted.
    pub(super) recalled: Positions,
}

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
    /// This position is of a topic that was deleted and made again.
    MadeAgain(i64),
    /// The log does not hold a position that nobody has kept: it was the log's own a moment before.
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
    /// The offset of the next record to be written.
    pub(super) end: i64,
    /// The topic's id, as it was before this was asked, where brokers tell it; else the one that was kept with the position.
    pub(super) topic: Option<TopicId>,
    /// The position that was kept, of a topic of another id.
    pub(super) was: Option<i64>,
    /// Whether a reader before this one has read up to the position.
    pub(super) resumed: bool,
}

/// Asks where all of these begin, of topics whose ids were just these.
pub(super) fn place(
    consumer: &Consumer,
    config: &KafkaSourceConfig,
    wanted: &[Wanted],
    known: &Known,
    ids: &BTreeMap<Arc<str>, TopicId>,
) -> Result<Vec<Placed>, KafkaError> {
    let wait_max = config.ask_wait_max();
    let kept = kept(consumer, config, wanted, &known.given)?;
    let mut placed = Vec::with_capacity(wanted.len());
    let mut timed = TopicPartitionList::new();
    for Wanted { partition, why } in wanted {
        let (first, end) = consumer.fetch_watermarks(&partition.origin, partition.number, wait_max)?;
        let (found, id) = (kept.get(partition), ids.get(&partition.origin));
        let begins = matches!(why, Why::Assigned | Why::MadeLater);
        let was = was(found, partition, id, known).filter(|_| begins);
        let found = found.filter(|_| was.is_none());
        let made_again = was.is_some() || matches!(why, Why::OutOfRange(_) | Why::MadeAgain(_));
        let of_settings = match (why, config.start, config.on_out_of_range) {
            (_, _, KafkaOutOfRange::Latest) if made_again => end,
            _ if made_again => first,
            (Why::MadeLater, ..) => first,
            (_, KafkaStart::Earliest, _) => first,
            (_, KafkaStart::Latest, _) => end,
            (_, KafkaStart::Timestamp(time_ms), _) => {
                if found.is_none() {
                    timed.add_partition_offset(&partition.origin, partition.number, Offset::Offset(time_ms))?;
                }
                end
            }
        };
        placed.push(Placed {
            partition: partition.clone(),
            why: *why,
            position: found.map_or(of_settings, |found| found.position),
            kept: found.is_some() && (config.kept_by_group || known.given.get(partition).is_some()),
            first,
            end,
            topic: id.or(found.and_then(|found| found.topic.as_ref())).cloned(),
            was,
            resumed: found.is_some_and(|found| found.position > 0),
        });
    }
    if timed.count() > 0 {
        let found = consumer.offsets_for_times(timed, wait_max)?;
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
        keep_first(consumer, config, &mut placed)?;
    }
    Ok(placed)
}

/// The position that was kept, where that is of a topic of another id.
fn was(found: Option<&Kept>, partition: &Partition, id: Option<&TopicId>, known: &Known) -> Option<i64> {
    let id = id?;
    match found {
        Some(found) => found.topic.as_ref().filter(|topic| *topic != id).map(|_| found.position),
        None => {
            known.recalled.topic(partition).filter(|topic| *topic != id)?;
            known.recalled.get(partition)
        }
    }
}

/// The positions that are given or that the group has kept.
fn kept(
    consumer: &Consumer,
    config: &KafkaSourceConfig,
    wanted: &[Wanted],
    given: &Positions,
) -> Result<BTreeMap<Partition, Kept>, KafkaError> {
    let mut kept = BTreeMap::new();
    let mut asked = TopicPartitionList::new();
    for Wanted { partition, why } in wanted {
        match (why, given.get(partition)) {
            (Why::OutOfRange(_) | Why::MadeAgain(_) | Why::Overtaken, _) => {}
            (_, Some(position)) => {
                let topic = given.topic(partition).cloned();
                kept.insert(partition.clone(), Kept { position, topic });
            }
            (_, None) => drop(asked.add_partition(&partition.origin, partition.number)),
        }
    }
    if asked.count() == 0 {
        return Ok(kept);
    }
    let answer = consumer.committed_offsets(asked, config.ask_wait_max())?;
    kept.append(&mut kept::read(&answer)?);
    Ok(kept)
}

/// Has the group keep where partitions begin of which it has kept nothing: what is written while nobody reads would be passed over
/// otherwise where they begin at their end.
fn keep_first(consumer: &Consumer, config: &KafkaSourceConfig, placed: &mut [Placed]) -> Result<(), KafkaError> {
    let fails = config.on_out_of_range == KafkaOutOfRange::Fail;
    let first =
        |it: &&mut Placed| !it.kept && matches!(it.why, Why::Assigned | Why::MadeLater) && !(fails && it.was.is_some());
    let mut list = TopicPartitionList::new();
    for it in placed.iter_mut().filter(first) {
        kept::add(&mut list, &it.partition, it.position, it.topic.as_ref())?;
    }
    if list.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&list, CommitMode::Sync) {
        Ok(()) => placed.iter_mut().filter(first).for_each(|it| it.kept = true),
        Err(error)
            if error
                .rdkafka_error_code()
                .is_some_and(|code| code_of(code).passes() || code == Code::RebalanceInProgress) =>
        {
            return Err(error);
        }
        // The query commits it with its next commit, or says why it cannot.
        Err(error) => tracing::debug!(%error, "kafka source: the start positions are not stored yet"),
    }
    Ok(())
}
