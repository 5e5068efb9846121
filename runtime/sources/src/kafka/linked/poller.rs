//! The thread that polls.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio::sync::oneshot;
use weir_formats::RecordDecoder;

use super::context::{Consumer, Rebalance, let_go, list};
use super::ended::Ended;
use super::gather::{Gather, Size};
use super::hand_over::HandOver;
use super::keeper::Membership;
use super::lanes::{Lane, Polled};
use super::place::{Known, Placed, Wanted, Why};
use super::scout;
use super::{KafkaOutOfRange, KafkaPartitions, KafkaSourceConfig, KafkaSourceError};
use crate::{Revoking, SourceError};
use weir_state::Partition;

/// Records of a partition that are taken before the next one has its turn.
const TURN_RECORDS: usize = 1024;

/// The longest sleep. Whatever comes wakes the thread: records and events by a callback of the client, all else by the bell. But the
/// group takes a member that does not poll in time (`max.poll.interval.ms`) for dead.
const SLEEP_MAX: Duration = Duration::from_secs(20);

/// The longest sleep while time itself ends something: a query that ends at the end of its topics, or one that is not set up.
const SHORT_SLEEP_MAX: Duration = Duration::from_millis(100);

/// Events that are taken from the client at once.
const EVENTS_MAX: usize = 1_000;

/// How often it is looked whether the query has committed what is to be let go.
const REVOKE_SLEEP: Duration = Duration::from_millis(2);

pub(super) struct Poller {
    config: Arc<KafkaSourceConfig>,
    consumer: Arc<Consumer>,
    hand_over: Arc<HandOver>,
    decoder: RecordDecoder,
    lanes: Vec<Lane>,
    // Whose turn it is.
    turn: usize,
    gathers: BTreeMap<Arc<str>, Gather>,
    // Of the batch before: the next one is likely to be like it.
    last_size: Size,
    revoke: Option<Revoke>,
    // Partitions that are to be read as soon as it is known where they begin.
    pending: Vec<Partition>,
    assigned_once: bool,
}

/// Partitions that are let go when the query has committed.
struct Revoke {
    partitions: Vec<Partition>,
    done: oneshot::Receiver<()>,
    deadline: Instant,
}

impl Poller {
    /// Polls in a thread of its own, and has another one ask, until the source is dropped.
    pub(super) fn spawn(
        config: Arc<KafkaSourceConfig>,
        membership: &Arc<Membership>,
        consumer: Arc<Consumer>,
        hand_over: Arc<HandOver>,
        decoder: RecordDecoder,
        known: Known,
    ) -> Result<(), SourceError> {
        hand_over.polling_began();
        let thread = Arc::clone(&hand_over);
        let membership = Arc::downgrade(membership);
        let spawned = std::thread::Builder::new().name("weir-kafka-poll".to_owned()).spawn(move || {
            // Told also where the thread panics.
            let _ended = Ended(Arc::clone(&thread));
            let consumer = match sized(&config, &membership, consumer, &thread) {
                Ok(consumer) => consumer,
                Err(error) => return thread.fail(error),
            };
            if let Err(error) = scout::spawn(&config, &consumer, &thread, known) {
                return thread.fail(error);
            }
            let mut poller = Poller {
                config,
                consumer,
                hand_over: thread,
                decoder,
                lanes: Vec::new(),
                turn: 0,
                gathers: BTreeMap::new(),
                last_size: Size::default(),
                revoke: None,
                pending: Vec::new(),
                assigned_once: false,
            };
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
                self.hand_over.sleep(self.sleep_max(ended));
            }
        }
        Ok(())
    }

    /// Takes events from the client until it has no more: it wakes the thread for the first event in an empty queue only.
    fn take_events(&mut self) -> Result<(), SourceError> {
        for _ in 0..EVENTS_MAX {
            let before = self.consumer.context().events();
            match self.consumer.poll(Duration::ZERO) {
                Some(Err(error)) => self.met(&error)?,
                // Records come by the queues of their partitions.
                Some(Ok(_)) => {}
                None if self.consumer.context().events() == before => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Answers what librdkafka, the scout and the query have to say.
    fn serve_events(&mut self) -> Result<(), SourceError> {
        self.take_events()?;
        if let Some(revoke) = &mut self.revoke {
            let late = Instant::now() >= revoke.deadline;
            if late {
                tracing::warn!(
                    "kafka source: the query did not commit revoked partitions in time; their records will be read again"
                );
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
        let found = self.hand_over.take_found();
        if !found.is_empty() {
            self.want(found);
        }
        let placed = self.hand_over.take_placed();
        if !placed.is_empty() {
            self.begin(placed)?;
        }
        // Their positions are of another log, whatever that holds.
        let made_again = self.hand_over.take_made_again();
        let (lanes, hand_over) = (self.lanes.iter_mut(), &self.hand_over);
        let lanes = lanes.filter(|lane| made_again.contains(&lane.partition));
        let wanted: Vec<Wanted> =
            lanes.filter_map(|lane| lane.leave_topic(hand_over.vouched(&lane.partition))).collect();
        if !wanted.is_empty() {
            self.hand_over.want(wanted);
        }
        match self.consumer.context().next_rebalance() {
            None => Ok(()),
            Some(Rebalance::Assign(partitions)) => {
                self.hand_over.joined();
                if partitions.is_empty() {
                    // There is nothing to ask for, and the group waits for the answer.
                    return self.assign(Vec::new());
                }
                self.want(partitions);
                Ok(())
            }
            Some(Rebalance::Revoke(partitions)) => self.begin_revoke(partitions),
        }
    }

    /// Has the scout ask where these begin.
    fn want(&mut self, partitions: Vec<Partition>) {
        let chosen_here = self.config.partitions != KafkaPartitions::Group;
        let why = if chosen_here && self.assigned_once { Why::MadeLater } else { Why::Assigned };
        self.pending.extend(partitions.iter().cloned());
        self.hand_over.want(partitions.into_iter().map(|partition| Wanted { partition, why }));
    }

    /// Reads partitions of which it is known by now where they begin, or go on.
    fn begin(&mut self, placed: Vec<Placed>) -> Result<(), SourceError> {
        let mut assigned = Vec::with_capacity(placed.len());
        for it in placed {
            if self.pending.contains(&it.partition) {
                if let Some(position) = it.was {
                    self.leave_log(&it, position, true)?;
                }
                self.pending.retain(|partition| *partition != it.partition);
                assigned.push(it);
            } else if matches!(it.why, Why::OutOfRange(_) | Why::MadeAgain(_) | Why::Overtaken) {
                self.go_on(&it)?;
            }
        }
        if assigned.is_empty() { Ok(()) } else { self.assign(assigned) }
    }

    /// Says that a partition goes on elsewhere, or fails where the settings want that.
    fn leave_log(&self, placed: &Placed, position: i64, made_again: bool) -> Result<(), SourceError> {
        let Placed { partition, position: to, first, end, .. } = placed;
        let (partition, first, end) = (partition.clone(), *first, *end);
        let error = match made_again {
            true => KafkaSourceError::MadeAgain { partition, position, first, end },
            false => KafkaSourceError::OutOfRange { partition, position, first, end },
        };
        if self.config.on_out_of_range == KafkaOutOfRange::Fail {
            return Err(self.config.error(error));
        }
        let policy = self.config.on_out_of_range.name();
        tracing::warn!(policy, "kafka source: continuing at {to}: {error}");
        Ok(())
    }

    /// Opens a lane for each of these, to be assigned next.
    fn open_lanes(&mut self, placed: &[Placed]) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::with_capacity(placed.len());
        for it in placed {
            list.add_partition_offset(&it.partition.origin, it.partition.number, Offset::Offset(it.position))
                .map_err(|error| self.settings(&error))?;
            self.lanes.retain(|lane| lane.partition != it.partition);
            let lane = Lane::open(&self.consumer, it, &self.hand_over);
            self.lanes.push(lane.ok_or_else(|| self.config.error(KafkaSourceError::Closed))?);
        }
        Ok(list)
    }

    fn assign(&mut self, placed: Vec<Placed>) -> Result<(), SourceError> {
        let assigned = self.open_lanes(&placed)?;
        self.answer_assign(&assigned).map_err(|error| self.settings(&error))?;
        drop(assigned);
        self.assigned_once = true;
        self.hand_over.assign(&placed);
        placed.iter().filter(|it| it.was.is_some()).for_each(|it| self.hand_over.moved(it));
        self.say_share("more", placed.iter().map(|it| &it.partition));
        Ok(())
    }

    fn answer_assign(&self, list: &TopicPartitionList) -> Result<(), KafkaError> {
        let grouped = self.config.partitions == KafkaPartitions::Group;
        let eager = grouped && !matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if eager { self.consumer.assign(list) } else { self.consumer.incremental_assign(list) }
    }

    /// Says in one line what a rebalance has changed.
    fn say_share<'a>(&self, change: &str, partitions: impl Iterator<Item = &'a Partition>) {
        if self.config.partitions != KafkaPartitions::Group {
            return;
        }
        let changed: Vec<String> = partitions.map(ToString::to_string).collect();
        if !changed.is_empty() {
            let (group, has) = (&self.config.group, self.lanes.len());
            tracing::info!(
                group,
                "kafka source: the group {change} partitions: {}; this process now has {has}",
                changed.join(", ")
            );
        }
    }

    /// Deals with a partition whose log does not hold what was to be read, now that it is known what it holds.
    fn go_on(&mut self, placed: &Placed) -> Result<(), SourceError> {
        if !self.lanes.iter().any(|lane| lane.partition == placed.partition) {
            return Ok(());
        }
        let partition = &placed.partition;
        match placed.why {
            // Also where the log holds the position by now: a moment ago it did not.
            Why::OutOfRange(position) => {
                let holds = (placed.first..=placed.end).contains(&position);
                self.leave_log(placed, position, holds)?;
            }
            Why::MadeAgain(position) => {
                if self.config.exactly_once && self.config.on_out_of_range != KafkaOutOfRange::Fail {
                    // Some of what was read may be of the new topic, which is to be read from elsewhere.
                    let topic = partition.origin.to_string();
                    return Err(self.config.error(KafkaSourceError::StartedOver { topic }));
                }
                self.leave_log(placed, position, true)?;
            }
            Why::Assigned | Why::MadeLater | Why::Overtaken => {}
        }
        // As far as it was read: what comes is of another log.
        self.flush(true)?;
        // Not by a seek, which the client takes only for partitions that it fetches.
        let gone = list(std::slice::from_ref(partition));
        self.consumer.incremental_unassign(&gone).map_err(|error| self.settings(&error))?;
        let assigned = self.open_lanes(std::slice::from_ref(placed))?;
        self.consumer.incremental_assign(&assigned).map_err(|error| self.settings(&error))?;
        match placed.why {
            Why::OutOfRange(_) | Why::MadeAgain(_) => self.hand_over.moved(placed),
            _ => self.hand_over.assign(std::slice::from_ref(placed)),
        }
        Ok(())
    }

    /// What waits of these partitions is dropped, and the query told.
    fn begin_revoke(&mut self, partitions: Vec<Partition>) -> Result<(), SourceError> {
        // The group waits for an answer about what is pending, before it takes one about what goes. It is let go at once.
        if self.pending.iter().any(|partition| partitions.contains(partition)) {
            let mut unread = TopicPartitionList::with_capacity(self.pending.len());
            for partition in self.pending.drain(..) {
                unread
                    .add_partition_offset(&partition.origin, partition.number, Offset::End)
                    .map_err(|error| self.config.error(KafkaSourceError::Settings(error.to_string())))?;
            }
            self.answer_assign(&unread).map_err(|error| self.settings(&error))?;
        }
        self.lanes.retain(|lane| !partitions.contains(&lane.partition));
        self.flush(true)?;
        let lost = self.consumer.assignment_lost();
        if partitions.is_empty() {
            return self.let_go(&partitions);
        }
        let (sender, done) = oneshot::channel();
        self.hand_over.revoke(Revoking { partitions: partitions.clone(), lost, done: sender })?;
        self.say_share(if lost { "lost" } else { "fewer" }, partitions.iter());
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
        let (fill, skip) = (self.config.fill, self.config.skip_tombstones);
        for _ in 0..self.lanes.len() {
            if !self.has_room() {
                break;
            }
            self.turn = (self.turn + 1) % self.lanes.len();
            let Some(lane) = self.lanes.get_mut(self.turn) else { break };
            let topic = Arc::clone(&lane.partition.origin);
            let (mut gather, mut full) = (None, Vec::new());
            let (gathers, room) = (&mut self.gathers, self.last_size);
            let polled = lane.poll(TURN_RECORDS, |partition, message| {
                let gather =
                    gather.get_or_insert_with(|| gathers.remove(&topic).unwrap_or_else(|| Gather::new(&topic, room)));
                if gather.is_full_before(message, &fill) {
                    let mut before = std::mem::replace(gather, Gather::new(&topic, room));
                    before.pass(partition, message.offset());
                    full.push(before);
                }
                gather.push(partition, message, skip && message.payload().is_none(), &fill);
                !gather.is_full(&fill)
            });
            if let (Some(gather), Some(next)) = (&mut gather, lane.next()) {
                gather.pass(&lane.partition, next);
            }
            for before in full {
                self.ship(before)?;
            }
            if let Some(gather) = gather {
                let full = gather.is_full(&fill);
                self.gathers.insert(topic, gather);
                if full {
                    self.flush(false)?;
                }
            }
            match polled {
                Polled::Records(records) => busy |= records > 0,
                Polled::Error(error) if is_out_of_range(&error) => {
                    busy = true;
                    let wanted = self.lanes.get_mut(self.turn).and_then(Lane::leave_range);
                    self.hand_over.want(wanted);
                }
                Polled::Error(error) => {
                    self.met(&error)?;
                    // The client wakes the thread for what lies behind it only once the queue was empty.
                    busy = true;
                }
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
        self.hand_over.has_room(self.config.prefetch_records_max, self.config.prefetch_bytes_max())
    }

    /// Hands over what is full or has waited long enough, or everything.
    fn flush(&mut self, all: bool) -> Result<(), SourceError> {
        let (fill, delay_max) = (self.config.fill, self.config.delay_max());
        let due = |gather: &Gather| all || gather.is_full(&fill) || gather.since.elapsed() >= delay_max;
        let topics: Vec<_> =
            self.gathers.iter().filter(|(_, it)| due(it)).map(|(topic, _)| Arc::clone(topic)).collect();
        for topic in topics {
            let Some(gather) = self.gathers.remove(&topic) else { continue };
            self.last_size = gather.size();
            self.ship(gather)?;
        }
        Ok(())
    }

    fn ship(&self, gather: Gather) -> Result<(), SourceError> {
        let batch = gather.finish(&self.decoder, self.config.keep_raw);
        let batch = batch.map_err(|error| self.config.error(KafkaSourceError::Batch(error.to_string())))?;
        self.hand_over.push(batch);
        Ok(())
    }

    fn is_done(&self) -> bool {
        let done = |lane: &Lane| lane.is_done(self.hand_over.first_end(&lane.partition));
        // A member to whom the group gives nothing is at no end: others may leave their partitions to it.
        let has_some = self.assigned_once && !self.lanes.is_empty();
        has_some && self.revoke.is_none() && self.pending.is_empty() && self.lanes.iter().all(done)
    }

    fn sleep_max(&self, ended: bool) -> Duration {
        if self.revoke.is_some() {
            return REVOKE_SLEEP;
        }
        if self.consumer.context().has_rebalance() {
            return Duration::ZERO;
        }
        // An end is taken for one after some silence.
        let sleep_max = match self.config.until_end && !ended {
            true => SHORT_SLEEP_MAX,
            false => SLEEP_MAX.min(self.config.poll_interval_max() / 3),
        };
        let delay_max = self.config.delay_max();
        let left = self.gathers.values().map(|gather| delay_max.saturating_sub(gather.since.elapsed()));
        left.min()
            .map_or(sleep_max, |left| left.clamp(Duration::from_millis(1), sleep_max.max(Duration::from_millis(1))))
    }

    /// Ends the reading, or logs what passes.
    fn met(&self, error: &KafkaError) -> Result<(), SourceError> {
        match KafkaSourceError::of(error) {
            Some(error) => Err(self.config.error(error)),
            None => {
                self.consumer.context().log_passing(error, "will be retried");
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
            self.hand_over.sleep(SHORT_SLEEP_MAX);
        }
    }

    /// Answers what is open, and leaves the group.
    fn leave(mut self) {
        self.consumer.context().close();
        // Each holds the consumer.
        self.lanes.clear();
        if !std::mem::take(&mut self.pending).is_empty()
            && let Err(error) = self.answer_assign(&TopicPartitionList::new())
        {
            tracing::debug!(%error, "kafka source: leaving");
        }
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

/// The consumer, or one that holds less of each partition where there are many. librdkafka's limits are of each partition, and cannot be
/// changed later: partitions that are added while it reads come on top.
fn sized(
    config: &KafkaSourceConfig,
    membership: &Weak<Membership>,
    consumer: Arc<Consumer>,
    hand_over: &HandOver,
) -> Result<Arc<Consumer>, SourceError> {
    let mut partitions = 0;
    for topic in &config.topics {
        partitions += match &config.partitions {
            KafkaPartitions::List(numbers) => numbers.len(),
            KafkaPartitions::All | KafkaPartitions::Group => loop {
                match scout::partitions_of(&consumer, topic, config.ask_wait_max()) {
                    Ok(numbers) => break numbers.len(),
                    Err(Some(error)) => return Err(config.error(error)),
                    Err(None) if hand_over.is_closed() => return Ok(consumer),
                    Err(None) => {
                        hand_over.wait_for(Some(scout::a_broker(config, "no answer")));
                        hand_over.sleep(SHORT_SLEEP_MAX);
                    }
                }
            },
        };
    }
    if partitions <= config.few_partitions() {
        return Ok(consumer);
    }
    let Some(membership) = membership.upgrade() else { return Ok(consumer) };
    let replaced = membership.replace(config, partitions)?;
    Ok(replaced.unwrap_or(consumer))
}

/// Whether a partition's log does not hold what is to be read.
fn is_out_of_range(error: &KafkaError) -> bool {
    use rdkafka::error::RDKafkaErrorCode::{AutoOffsetReset, LogTruncation, OffsetOutOfRange};
    matches!(error.rdkafka_error_code(), Some(AutoOffsetReset | LogTruncation | OffsetOutOfRange))
}
