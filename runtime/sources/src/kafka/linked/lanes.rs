//! The partitions that are being read.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;

use super::context::{Consumer, Context};
use super::hand_over::HandOver;
use super::place::{Placed, Wanted, Why};
use weir_state::Partition;

/// One partition, with its queue within librdkafka.
pub(super) struct Lane {
    pub(super) partition: Partition,
    queue: PartitionQueue<Context>,
    // The next record's offset, once there was one.
    next: Option<i64>,
    at_end: bool,
    // It came to an end, and since then nobody has asked how far that is.
    end_unknown: bool,
    // Since when it is empty.
    empty: Option<Instant>,
    // Where it began, and whether a new reader would begin there.
    begin: i64,
    kept: bool,
    // Its log does not hold what is to be read, and it is being asked what it holds.
    out_of_range: bool,
}

/// What the queue of a partition gave.
pub(super) enum Polled {
    /// This many records.
    Records(usize),
    /// An error of the partition's.
    Error(KafkaError),
}

/// As much as a fetch can hold. Where reading never catches up with writing, this far behind the first end it stops.
const PAST_END_MAX: i64 = 20_000;

/// How long a queue stays empty at a known end before that is taken for the end. The fetch of what comes before a broker's
/// own word that this is the end takes milliseconds.
const QUIET: Duration = Duration::from_secs(1);

impl Lane {
    /// Takes the partition's records out of the consumer's queue, where they would mix with those of others. To be
    /// called before it is assigned.
    pub(super) fn open(consumer: &Arc<Consumer>, placed: &Placed, hand_over: &Arc<HandOver>) -> Option<Lane> {
        let partition = &placed.partition;
        let mut queue = consumer.split_partition_queue(&partition.origin, partition.number)?;
        let wake = Arc::clone(hand_over);
        queue.set_nonempty_callback(move || wake.wake());
        Some(Lane {
            partition: partition.clone(),
            queue,
            next: None,
            at_end: false,
            end_unknown: false,
            empty: None,
            begin: placed.position,
            kept: placed.kept,
            out_of_range: false,
        })
    }

    /// Notes that the log does not hold what is to be read, and says what is to be asked; nothing where it was noted before.
    pub(super) fn leave_range(&mut self) -> Option<Wanted> {
        if self.out_of_range {
            return None;
        }
        self.out_of_range = true;
        // What was there a moment ago and was read by nobody is no loss to this reader.
        let why = match self.next {
            None if !self.kept => Why::Overtaken,
            next => Why::OutOfRange(next.unwrap_or(self.begin)),
        };
        Some(Wanted { partition: self.partition.clone(), why })
    }

    /// Notes that its topic is another one by now, and says what is to be asked; nothing where it was noted before. `vouched` is the last
    /// position of the topic that was begun.
    pub(super) fn leave_topic(&mut self, vouched: Option<i64>) -> Option<Wanted> {
        if self.out_of_range {
            return None;
        }
        self.out_of_range = true;
        let why = Why::MadeAgain(vouched.unwrap_or(self.begin));
        Some(Wanted { partition: self.partition.clone(), why })
    }

    /// Gives at most `max` records to `take`, and stops early where that answers `false`.
    pub(super) fn poll(
        &mut self,
        max: usize,
        mut take: impl FnMut(&Partition, &rdkafka::message::BorrowedMessage<'_>) -> bool,
    ) -> Polled {
        let mut records = 0;
        while records < max {
            match self.queue.poll(Duration::ZERO) {
                None => {
                    self.empty.get_or_insert_with(Instant::now);
                    break;
                }
                Some(Ok(message)) => {
                    // A record that was read before a rebalance and comes again.
                    records += 1;
                    self.next = Some(message.offset().saturating_add(1));
                    self.empty = None;
                    self.end_unknown = false;
                    if !take(&self.partition, &message) {
                        break;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.at_end = true;
                    self.end_unknown = true;
                }
                Some(Err(error)) => return Polled::Error(error),
            }
        }
        Polled::Records(records)
    }

    /// The offset behind the last record, once there was one.
    pub(super) fn next(&self) -> Option<i64> {
        self.next
    }

    /// Whether it stands at an end that lies behind its last record, which has not been said before.
    pub(super) fn take_end(&mut self, end: Option<i64>) -> bool {
        let hidden = self.end_unknown && end.is_some_and(|end| self.next.is_none_or(|next| next < end));
        self.end_unknown &= !hidden;
        hidden
    }

    /// Whether that is news: everything before it was read, or is shown to nobody.
    pub(super) fn pass(&mut self, next: i64) -> bool {
        let passed = self.next.is_none_or(|known| known < next);
        self.next = self.next.max(Some(next));
        passed
    }

    /// Whether it was read to an end that it had at the start or later. The client says so when it comes to an end; where
    /// it never does, because records are written as fast as they are read, the end that was asked for tells. A broker may
    /// give one that lies before what it then hands out (one does): what comes is read first.
    pub(super) fn is_done(&self, first_end: Option<i64>) -> bool {
        let past = first_end.zip(self.next).map(|(end, next)| next.saturating_sub(end));
        if self.out_of_range {
            return false;
        }
        let quiet = self.empty.is_some_and(|since| since.elapsed() >= QUIET);
        self.at_end || past.is_some_and(|past| past >= PAST_END_MAX || (past >= 0 && quiet))
    }
}
