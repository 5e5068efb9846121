//! What a group keeps: offsets, each with the id of its topic beside it.
//!
//! The id lies in the text that a committed offset may carry. Whoever may commit for the group may write anything there, as it may write
//! any offset: a text of another form says nothing.

use std::collections::BTreeMap;

use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use weir_kafka::text;
use weir_state::{Partition, TopicId};

/// What stands before the id.
const PREFIX: &str = "weir.topic_id=";

/// A position that was kept, and the id of its topic, if that was kept too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) position: i64,
    pub(super) topic: Option<TopicId>,
}

/// Adds a position to what is to be committed.
pub(super) fn add(
    list: &mut TopicPartitionList,
    partition: &Partition,
    position: i64,
    topic: Option<&TopicId>,
) -> Result<(), KafkaError> {
    let mut element = list.add_partition(&partition.origin, partition.number);
    element.set_offset(Offset::Offset(position))?;
    if let Some(topic) = topic {
        element.set_metadata(format!("{PREFIX}{topic}"));
    }
    Ok(())
}

/// The positions in an answer of the group's coordinator.
pub(super) fn read(answer: &TopicPartitionList) -> Result<BTreeMap<Partition, Kept>, KafkaError> {
    let mut kept = BTreeMap::new();
    for element in answer.elements() {
        element.error()?;
        let Offset::Offset(position) = element.offset() else { continue };
        let topic = text(|| element.metadata()).and_then(topic_of);
        kept.insert(Partition::new(element.topic(), element.partition()), Kept { position, topic });
    }
    Ok(kept)
}

fn topic_of(metadata: &str) -> Option<TopicId> {
    TopicId::new(metadata.strip_prefix(PREFIX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_and_any_other_text_says_nothing() {
        let id = TopicId::new("TH_hal5BTCuhPtKYkolFvw").unwrap();
        let partition = Partition::new("t", 3);
        let mut list = TopicPartitionList::new();
        add(&mut list, &partition, 7, Some(&id)).unwrap();
        let kept = Kept { position: 7, topic: Some(id) };
        assert_eq!(read(&list).unwrap(), [(partition.clone(), kept)].into());
        let huge = format!("{PREFIX}{}", "A".repeat(1 << 20));
        for metadata in ["", PREFIX, "weir.topic_id=TH_hal5BTCuhPtKYkolFv", "leader_epoch=3", &huge] {
            let mut list = TopicPartitionList::new();
            let mut element = list.add_partition("t", 3);
            element.set_offset(Offset::Offset(7)).unwrap();
            element.set_metadata(metadata);
            assert_eq!(read(&list).unwrap(), [(partition.clone(), Kept { position: 7, topic: None })].into());
        }
    }
}
