//! Where partitions begin.

use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::context::Consumer;
use super::{KafkaSourceConfig, KafkaStart};
use crate::source::{Partition, Positions};

/// How long a broker is asked for the offset of a time. Nothing is polled meanwhile.
const ASK_WAIT_MAX: Duration = Duration::from_secs(5);

/// The partitions with the offsets that they are to be read from: the one that is given, else the group's, else where the
/// settings say. A partition of a time is asked for here; the others librdkafka finds by itself.
pub(super) fn with_offsets(
    consumer: &Consumer,
    config: &KafkaSourceConfig,
    partitions: &[(Partition, Offset)],
    given: &Positions,
) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    let mut asked = TopicPartitionList::new();
    for (partition, offset) in partitions {
        let offset = given.get(partition).map_or(*offset, Offset::Offset);
        let known = matches!(offset, Offset::Offset(_) | Offset::Beginning);
        if let (KafkaStart::Timestamp(_), false) = (config.start, known) {
            asked.add_partition(&partition.origin, partition.number);
        } else {
            list.add_partition_offset(&partition.origin, partition.number, offset)?;
        }
    }
    let KafkaStart::Timestamp(time_ms) = config.start else { return Ok(list) };
    if asked.count() == 0 {
        return Ok(list);
    }
    let kept = consumer.committed_offsets(asked, ASK_WAIT_MAX)?;
    let mut timed = TopicPartitionList::new();
    for element in kept.elements() {
        match element.offset() {
            Offset::Offset(_) => list.add_partition_offset(element.topic(), element.partition(), element.offset())?,
            _ => timed.add_partition_offset(element.topic(), element.partition(), Offset::Offset(time_ms))?,
        }
    }
    drop(kept);
    if timed.count() > 0 {
        let timed = consumer.offsets_for_times(timed, ASK_WAIT_MAX)?;
        for element in timed.elements() {
            // Without an answer the time itself would stand there as an offset.
            element.error()?;
            list.add_partition_offset(element.topic(), element.partition(), element.offset())?;
        }
    }
    Ok(list)
}
