//! The partitions that are being read.

use std::sync::Arc;

use rdkafka::Message;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;

use super::context::{Consumer, Context};
use super::hand_over::HandOver;
use crate::source::Partition;

/// One partition, with its queue within librdkafka.
pub(super) struct Lane {
    pub(super) partition: Partition,
    queue: PartitionQueue<Context>,
    // The next record's offset, once there was one.
    next: Option<i64>,
    at_end: bool,
    // Records read since the queue was last empty.
    run: u64,
}

/// What the queue of a partition gave.
pub(super) enum Polled {
    /// This many records.
    Records(usize),
    /// An error of the partition's.
    Error(KafkaError),
}

/// As much as a fetch can hold. Where reading never catches up with writing, this far behind the first end it stops.
const PAST_END_MAX: u64 = 20_000;

impl Lane {
    /// Takes the partition's records out of the consumer's queue, where they would mix with those of others. To be
    /// called before it is assigned.
    pub(super) fn open(consumer: &Arc<Consumer>, partition: &Partition, hand_over: &Arc<HandOver>) -> Option<Lane> {
        let mut queue = consumer.split_partition_queue(&partition.origin, partition.number)?;
        let wake = Arc::clone(hand_over);
        queue.set_nonempty_callback(move || wake.wake());
        Some(Lane { partition: partition.clone(), queue, next: None, at_end: false, run: 0 })
    }

    /// Gives at most `max` records to `take`, and stops early where that answers `false`.
    pub(super) fn poll(
        &mut self,
        max: usize,
        mut take: impl FnMut(&Partition, &rdkafka::message::BorrowedMessage<'_>) -> bool,
    ) -> Polled {
        let mut records = 0;
        while records < max {
            match self.queue.poll(std::time::Duration::ZERO) {
                None => {
                    self.run = 0;
                    break;
                }
                Some(Ok(message)) => {
                    // A record that was read before a rebalance and comes again.
                    records += 1;
                    self.next = Some(message.offset().saturating_add(1));
                    self.run = self.run.saturating_add(1);
                    if !take(&self.partition, &message) {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.at_end = true;
                    self.run = 0;
                }
                Some(Err(error)) => return Polled::Error(error),
            }
        }
        Polled::Records(records)
    }

    /// Whether it was read to an end that it had at the start or later. Where a broker says that the end is before what
    /// it has handed out (one does), what was handed out is read first.
    pub(super) fn is_done(&self, first_end: Option<i64>) -> bool {
        let beyond = first_end.is_some_and(|end| self.next.is_some_and(|next| next >= end));
        self.at_end || (beyond && (self.run == 0 || self.run >= PAST_END_MAX))
    }
}
