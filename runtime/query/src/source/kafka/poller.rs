//! The thread that polls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use tokio::sync::oneshot;
use weir_batch::format::RecordDecoder;

use super::context::{Consumer, Rebalance, let_go};
use super::gather::{Gather, Size};
use super::hand_over::HandOver;
use super::lanes::{Lane, Polled};
use super::start::with_offsets;
use super::{KafkaPartitions, KafkaSourceConfig, KafkaSourceError};
use crate::source::{Partition, Positions, Revoking, SourceError};

/// Records of a partition that are taken before the next one has its turn.
const TURN_RECORDS: usize = 1024;

/// The longest sleep: librdkafka wants to be polled, and the group to be told.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// How often it is looked whether the query has committed what is to be let go.
const REVOKE_SLEEP: Duration = Duration::from_millis(2);

/// How long a broker that did not say where to begin is left alone.
const ASSIGN_AGAIN_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Poller {
    config: Arc<KafkaSourceConfig>,
    consumer: Arc<Consumer>,
    hand_over: Arc<HandOver>,
    decoder: RecordDecoder,
    // Positions to begin at, where the partitions are chosen here.
    given: Positions,
    lanes: Vec<Lane>,
    // Whose turn it is.
    turn: usize,
    gathers: BTreeMap<Arc<str>, Gather>,
    // Of the batch before: the next one is likely to be like it.
    last_size: Size,
    revoke: Option<Revoke>,
    // Partitions that could not be assigned yet, with the time to try again.
    assign: Option<(Vec<(Partition, Offset)>, Instant)>,
    assigned_once: bool,
}

/// Partitions that are let go when the query has committed.
struct Revoke {
    partitions: Vec<Partition>,
    done: oneshot::Receiver<()>,
    deadline: Instant,
}

impl Poller {
    pub(super) fn spawn(
        config: Arc<KafkaSourceConfig>,
        consumer: Arc<Consumer>,
        hand_over: Arc<HandOver>,
        decoder: RecordDecoder,
        given: Positions,
    ) -> Result<(), SourceError> {
        let mut poller = Poller {
            config,
            consumer,
            hand_over: Arc::clone(&hand_over),
            decoder,
            given,
            lanes: Vec::new(),
            turn: 0,
            gathers: BTreeMap::new(),
            last_size: Size::default(),
            revoke: None,
            assign: None,
            assigned_once: false,
        };
        hand_over.polling_began();
        let thread = Arc::clone(&hand_over);
        let spawned = std::thread::Builder::new().name("weir-kafka-poll".to_owned()).spawn(move || {
            // Told also where the thread panics.
            let _ended = Ended(thread);
            if let Err(error) = poller.run() {
                poller.hand_over.fail(error);
                poller.wait_for_close();
            }
            poller.leave();
        });
        spawned.map(drop).map_err(|error| {
            hand_over.polling_ended();
            SourceError::Thread(error.to_string())
        })
    }

    fn run(&mut self) -> Result<(), SourceError> {
        if self.config.partitions == KafkaPartitions::Group {
            let topics: Vec<&str> = self.config.topics.iter().map(String::as_str).collect();
            self.consumer.subscribe(&topics).map_err(|error| self.settings(&error))?;
        }
        let mut ended = false;
        while !self.hand_over.is_closed() {
            self.serve_events()?;
            let mut busy = false;
            if !ended && !self.hand_over.is_reader_gone() {
                busy = self.read()?;
                if self.config.until_end && self.is_done() {
                    self.flush(true)?;
                    self.hand_over.end();
                    ended = true;
                }
            }
            if !busy {
                if !ended {
                    self.pass_hidden();
                }
                self.hand_over.sleep(self.sleep_max());
            }
        }
        Ok(())
    }

    /// Answers what librdkafka, the scout and the query have to say.
    fn serve_events(&mut self) -> Result<(), SourceError> {
        if let Some(Err(error)) = self.consumer.poll(Duration::ZERO) {
            self.met(&error)?;
        }
        if let Some(revoke) = &mut self.revoke {
            let late = Instant::now() >= revoke.deadline;
            if late {
                tracing::warn!("kafka source: the query did not commit in time what it has to let go");
            }
            let waits = matches!(revoke.done.try_recv(), Err(oneshot::error::TryRecvError::Empty));
            if waits && !late {
                return Ok(());
            }
            if let Some(Revoke { partitions, done, .. }) = self.revoke.take() {
                if waits {
                    self.hand_over.let_go_early(partitions.clone(), done);
                }
                self.let_go(&partitions)?;
            }
        }
        if let Some((partitions, _)) = self.assign.take_if(|(_, again)| Instant::now() >= *again) {
            self.assign(partitions)?;
        }
        let found = self.hand_over.take_found();
        if !found.is_empty() {
            // What is found later was made later: none of its records may be passed over.
            let offset = if self.assigned_once { Offset::Beginning } else { Offset::Stored };
            self.assign(found.into_iter().map(|partition| (partition, offset)).collect())?;
        }
        match self.consumer.context().next_rebalance() {
            None => Ok(()),
            Some(Rebalance::Assign(partitions)) => self.assign(partitions),
            Some(Rebalance::Revoke(partitions)) => self.begin_revoke(partitions),
        }
    }

    fn assign(&mut self, partitions: Vec<(Partition, Offset)>) -> Result<(), SourceError> {
        let list = match with_offsets(&self.consumer, &self.config, &partitions, &self.given) {
            Ok(list) => list,
            Err(error) => {
                self.met(&error)?;
                self.assign = Some((partitions, Instant::now() + ASSIGN_AGAIN_AFTER));
                return Ok(());
            }
        };
        let grouped = self.config.partitions == KafkaPartitions::Group;
        let eager = grouped && !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        for (partition, _) in &partitions {
            self.lanes.retain(|lane| lane.partition != *partition);
            let lane = Lane::open(&self.consumer, partition, &self.hand_over);
            self.lanes.push(lane.ok_or_else(|| self.config.error(KafkaSourceError::Closed))?);
        }
        let assigned = if eager { self.consumer.assign(&list) } else { self.consumer.incremental_assign(&list) };
        assigned.map_err(|error| self.settings(&error))?;
        drop(list);
        self.assigned_once = true;
        self.hand_over.assign(partitions.into_iter().map(|(partition, _)| partition));
        Ok(())
    }

    /// What waits of these partitions is dropped, and the query told.
    fn begin_revoke(&mut self, partitions: Vec<Partition>) -> Result<(), SourceError> {
        if let Some((waiting, _)) = &mut self.assign {
            waiting.retain(|(partition, _)| !partitions.contains(partition));
        }
        self.lanes.retain(|lane| !partitions.contains(&lane.partition));
        self.flush(true)?;
        let lost = self.consumer.assignment_lost();
        if partitions.is_empty() {
            return self.let_go(&partitions);
        }
        let (sender, done) = oneshot::channel();
        self.hand_over.revoke(Revoking { partitions: partitions.clone(), lost, done: sender })?;
        if lost {
            // There is nothing to be kept of them any more.
            self.hand_over.let_go_early(partitions.clone(), done);
            return self.let_go(&partitions);
        }
        self.revoke = Some(Revoke { partitions, done, deadline: Instant::now() + self.config.revoke_wait_max() });
        Ok(())
    }

    fn let_go(&self, partitions: &[Partition]) -> Result<(), SourceError> {
        match let_go(&self.consumer, partitions) {
            Ok(()) => Ok(()),
            Err(error) => self.met(&error),
        }
    }

    /// Takes records from every partition, as far as there is room; says whether there were any.
    fn read(&mut self) -> Result<bool, SourceError> {
        let mut busy = false;
        let (records_max, skip) = (self.config.fill.records_max.max(1), self.config.skip_tombstones);
        for _ in 0..self.lanes.len() {
            if !self.has_room() {
                break;
            }
            self.turn = (self.turn + 1) % self.lanes.len();
            let Some(lane) = self.lanes.get_mut(self.turn) else { break };
            let topic = Arc::clone(&lane.partition.origin);
            let mut gather = None;
            let (gathers, room) = (&mut self.gathers, self.last_size);
            let polled = lane.poll(TURN_RECORDS, |partition, message| {
                let gather =
                    gather.get_or_insert_with(|| gathers.remove(&topic).unwrap_or_else(|| Gather::new(&topic, room)));
                gather.push(partition, message, skip && message.payload().is_none());
                !gather.is_full(records_max)
            });
            if let Some(mut gather) = gather {
                if let Some(next) = lane.next() {
                    gather.pass(&lane.partition, next);
                }
                let full = gather.is_full(records_max);
                self.gathers.insert(topic, gather);
                if full {
                    self.flush(false)?;
                }
            }
            match polled {
                Polled::Records(records) => busy |= records > 0,
                Polled::Error(error) => self.met(&error)?,
            }
        }
        self.flush(false)?;
        Ok(busy)
    }

    /// Moves positions behind what no reader sees, at the end of a partition: the marks of transactions, and records of
    /// aborted ones. Else the end would stay out of reach, and the lag above nothing.
    fn pass_hidden(&mut self) {
        let hand_over = &self.hand_over;
        let behind: Vec<_> = self
            .lanes
            .iter_mut()
            .filter_map(|lane| lane.take_end(hand_over.end_of(&lane.partition)).then_some(lane))
            .collect();
        if behind.is_empty() {
            return;
        }
        // Only the client knows what it has passed over. It is asked seldom: when an end that a broker told is not reached.
        let positions = match self.consumer.position() {
            Ok(positions) => positions,
            Err(error) => return self.consumer.context().log_passing(&error, "positions are not known"),
        };
        for lane in behind {
            let origin = Arc::clone(&lane.partition.origin);
            let position = positions.find_partition(&origin, lane.partition.number).map(|found| found.offset());
            if let Some(Offset::Offset(next)) = position
                && lane.pass(next)
            {
                let gather =
                    self.gathers.entry(Arc::clone(&origin)).or_insert_with(|| Gather::new(&origin, Size::default()));
                gather.pass(&lane.partition, next);
            }
        }
    }

    fn has_room(&self) -> bool {
        self.hand_over.has_room(self.config.prefetch_records_max, self.config.prefetch_bytes_max)
    }

    /// Hands over what is full or has waited long enough, or everything.
    fn flush(&mut self, all: bool) -> Result<(), SourceError> {
        let (records_max, delay_max) = (self.config.fill.records_max.max(1), self.config.delay_max());
        let due = |gather: &Gather| all || gather.is_full(records_max) || gather.since.elapsed() >= delay_max;
        let topics: Vec<_> =
            self.gathers.iter().filter(|(_, it)| due(it)).map(|(topic, _)| Arc::clone(topic)).collect();
        for topic in topics {
            let Some(gather) = self.gathers.remove(&topic) else { continue };
            self.last_size = gather.size();
            let batch = gather.finish(&self.decoder, self.config.keep_raw);
            let batch = batch.map_err(|error| self.config.error(KafkaSourceError::Batch(error.to_string())))?;
            self.hand_over.push(batch);
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let done = |lane: &Lane| lane.is_done(self.hand_over.first_end(&lane.partition));
        self.assigned_once && self.revoke.is_none() && self.assign.is_none() && self.lanes.iter().all(done)
    }

    fn sleep_max(&self) -> Duration {
        if self.revoke.is_some() {
            return REVOKE_SLEEP;
        }
        let delay_max = self.config.delay_max();
        let left = self.gathers.values().map(|gather| delay_max.saturating_sub(gather.since.elapsed()));
        left.min().map_or(SLEEP_MAX, |left| left.clamp(Duration::from_millis(1), SLEEP_MAX))
    }

    /// Ends the reading, or logs what passes.
    fn met(&self, error: &KafkaError) -> Result<(), SourceError> {
        match KafkaSourceError::of(error) {
            Some(error) => Err(self.config.error(error)),
            None => {
                self.consumer.context().log_passing(error, "it is tried again");
                Ok(())
            }
        }
    }

    fn settings(&self, error: &KafkaError) -> SourceError {
        self.config.error(KafkaSourceError::Settings(error.to_string()))
    }

    /// The query has yet to commit what it took: until it is done, the group has its member.
    fn wait_for_close(&mut self) {
        self.consumer.context().close();
        self.lanes.clear();
        while !self.hand_over.is_closed() {
            let _event = self.consumer.poll(Duration::ZERO);
            self.hand_over.sleep(SLEEP_MAX);
        }
    }

    /// Answers what is open, and leaves the group.
    fn leave(mut self) {
        self.consumer.context().close();
        // Each holds the consumer.
        self.lanes.clear();
        let open = self.revoke.take().map(|revoke| revoke.partitions);
        let mut partitions = open.unwrap_or_default();
        while let Some(rebalance) = self.consumer.context().next_rebalance() {
            if let Rebalance::Revoke(more) = rebalance {
                partitions.extend(more);
            }
        }
        if !partitions.is_empty()
            && let Err(error) = let_go(&self.consumer, &partitions)
        {
            tracing::debug!(%error, "kafka source: leaving");
        }
    }
}

/// Tells that the polling ended, when it is dropped.
struct Ended(Arc<HandOver>);

impl Drop for Ended {
    fn drop(&mut self) {
        let panicked = std::thread::panicking();
        if panicked {
            self.0.fail(SourceError::Thread("the polling thread panicked".to_owned()));
        }
        self.0.polling_ended();
    }
}
