//! What passes between the threads of a Kafka source and the task that reads it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Notify, oneshot};
use weir_batch::arrow::buffer::BooleanBuffer;

use super::place::{Placed, Wanted};
use crate::{Begin, Moved, Revoking, SourceBatch, SourceError, SourceEvent};
use weir_state::{Partition, Positions, TopicId};

/// Shared by the source, its keeper, and its threads.
#[derive(Default)]
pub(super) struct HandOver {
    state: Mutex<HandOverState>,
    // Something arrived for the reading task.
    arrived: Notify,
    // Something arrived for the polling thread.
    poller: Bell,
    // Something arrived for the scout.
    scout: Bell,
}

/// Wakes a thread.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ring.notify_all();
    }

    /// Waits until it rings, or this long.
    fn wait(&self, wait_max: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ring.wait_timeout_while(rung, wait_max, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// What is handed over in the order in which it was read.
#[expect(clippy::large_enum_variant, reason = "nearly all are batches: boxing them would only add an allocation")]
enum Ready {
    Batch(SourceBatch),
    Moved(Moved),
}

/// What the source waits for before it can read.
struct Waiting {
    what: String,
    since: Instant,
    warned: Option<Instant>,
}

/// How long a source waits before it says so in the log, and how often it does then.
const WARN_AFTER: Duration = Duration::from_secs(10);
const WARN_EVERY: Duration = Duration::from_secs(60);

#[derive(Default)]
struct HandOverState {
    ready: VecDeque<Ready>,
    ready_records: usize,
    ready_bytes: usize,
    // Told before any batch: they concern batches that were taken already.
    revoking: VecDeque<Revoking>,
    // Told behind those, and before any batch of these partitions.
    begin: Begin,
    // Whether the group has given this member what it gives.
    joined: bool,
    waiting: Option<Waiting>,
    paused: bool,
    failed: Option<SourceError>,
    ended: bool,
    reader_gone: bool,
    closed: bool,
    polling: Polling,
    // Partitions found by the scout, for the polling thread.
    found: Vec<Partition>,
    // The ids that the topics of these had when they were begun, and those that have another by now.
    topic_ids: BTreeMap<Partition, TopicId>,
    made_again: Vec<Partition>,
    // Up to where what was read is known to be of those topics.
    vouched: Positions,
    // Partitions whose beginnings the scout is to ask for, and what it learnt.
    wanted: Vec<Wanted>,
    placed: Vec<Placed>,
    // What this reader reads, with the ends that are known.
    assigned: Vec<Partition>,
    ends: Positions,
    // The ends that were known first.
    first_ends: Positions,
    // Partitions that were let go before whoever took their records had answered; what is open is not answered yet.
    let_go_early: Vec<(Vec<Partition>, oneshot::Receiver<()>)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Polling {
    #[default]
    NotYet,
    Now,
    NoMore,
}

fn size(batch: &SourceBatch) -> (usize, usize) {
    let records = batch.batch.rows() + batch.bad.len();
    (records, usize::try_from(batch.bytes).unwrap_or(usize::MAX))
}

impl HandOver {
    fn lock(&self) -> MutexGuard<'_, HandOverState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next for the reading task. Nothing is taken before it is returned.
    pub(super) async fn next(&self) -> Result<Option<SourceEvent>, SourceError> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.lock();
                if let Some(revoking) = state.revoking.pop_front() {
                    return Ok(Some(SourceEvent::Revoking(revoking)));
                }
                // Ids of topics alone are news as well.
                if state.begin.kept != Positions::default() || state.begin.new != Positions::default() {
                    return Ok(Some(SourceEvent::Begin(std::mem::take(&mut state.begin))));
                }
                if !state.paused
                    && let Some(ready) = state.ready.pop_front()
                {
                    let batch = match ready {
                        Ready::Batch(batch) => batch,
                        Ready::Moved(moved) => return Ok(Some(SourceEvent::Moved(moved))),
                    };
                    let (records, bytes) = size(&batch);
                    state.ready_records = state.ready_records.saturating_sub(records);
                    state.ready_bytes = state.ready_bytes.saturating_sub(bytes);
                    drop(state);
                    self.wake();
                    return Ok(Some(SourceEvent::Batch(batch)));
                }
                if let Some(error) = state.failed.take() {
                    state.ended = true;
                    return Err(error);
                }
                if state.ended && state.ready.is_empty() {
                    return Ok(None);
                }
            }
            arrived.await;
        }
    }

    pub(super) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
        self.arrived.notify_one();
        self.wake();
    }

    /// Whether so little waits that more is to be read.
    pub(super) fn has_room(&self, records_max: usize, bytes_max: usize) -> bool {
        let state = self.lock();
        !state.paused && !state.ended && state.ready_records < records_max && state.ready_bytes < bytes_max
    }

    pub(super) fn push(&self, batch: SourceBatch) {
        let mut state = self.lock();
        let (records, bytes) = size(&batch);
        state.ready_records += records;
        state.ready_bytes = state.ready_bytes.saturating_add(bytes);
        for (partition, next) in batch.positions.iter() {
            raise(&mut state.ends, partition, next);
        }
        state.ready.push_back(Ready::Batch(batch));
        drop(state);
        self.arrived.notify_one();
    }

    /// Tells, behind the batches that wait, that a partition goes on elsewhere.
    pub(super) fn moved(&self, placed: &Placed) {
        let moved = Moved { partition: placed.partition.clone(), to: placed.position, topic: placed.topic.clone() };
        let mut state = self.lock();
        state.note_topic(placed);
        state.ends.forget(std::slice::from_ref(&moved.partition));
        state.first_ends.forget(std::slice::from_ref(&moved.partition));
        state.ready.push_back(Ready::Moved(moved));
        drop(state);
        self.arrived.notify_one();
    }

    /// Drops what waits of these partitions, and tells the reading task. Where nobody reads any more it is told to
    /// nobody: what was taken before may still be committed, and there is an answer when that is done, at the close.
    pub(super) fn revoke(&self, revoking: Revoking) -> Result<(), SourceError> {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.ready);
        (state.ready_records, state.ready_bytes) = (0, 0);
        for ready in waiting {
            let batch = match ready {
                Ready::Batch(batch) => batch,
                Ready::Moved(moved) => {
                    if !revoking.partitions.contains(&moved.partition) {
                        state.ready.push_back(Ready::Moved(moved));
                    }
                    continue;
                }
            };
            let Some(batch) = without(batch, &revoking.partitions)? else { continue };
            let (records, bytes) = size(&batch);
            state.ready_records += records;
            state.ready_bytes = state.ready_bytes.saturating_add(bytes);
            state.ready.push_back(Ready::Batch(batch));
        }
        state.begin.kept.forget(&revoking.partitions);
        state.begin.new.forget(&revoking.partitions);
        state.begin.resumed.retain(|partition| !revoking.partitions.contains(partition));
        state.vouched.forget(&revoking.partitions);
        state.topic_ids.retain(|partition, _| !revoking.partitions.contains(partition));
        state.made_again.retain(|partition| !revoking.partitions.contains(partition));
        state.wanted.retain(|wanted| !revoking.partitions.contains(&wanted.partition));
        state.placed.retain(|placed| !revoking.partitions.contains(&placed.partition));
        state.assigned.retain(|partition| !revoking.partitions.contains(partition));
        state.ends.forget(&revoking.partitions);
        state.revoking.push_back(revoking);
        drop(state);
        self.arrived.notify_one();
        // It says what the source waits for.
        self.scout.ring();
        Ok(())
    }

    /// Notes partitions that are let go though `done` has not been dropped. To be called before they are.
    pub(super) fn let_go_early(&self, partitions: Vec<Partition>, done: oneshot::Receiver<()>) {
        self.lock().let_go_early.push((partitions, done));
    }

    /// Whether one of these is of a partition that was let go, by somebody who has not heard of it yet. It may be
    /// assigned here once more, in a later generation of the group, which must not vouch for what was read in an
    /// earlier one.
    pub(super) fn is_let_go(&self, positions: &Positions) -> bool {
        let mut state = self.lock();
        state.let_go_early.retain_mut(|(_, done)| matches!(done.try_recv(), Err(TryRecvError::Empty)));
        let mut all = state.let_go_early.iter().flat_map(|(partitions, _)| partitions);
        all.any(|partition| positions.get(partition).is_some())
    }

    #[cfg(test)]
    pub(super) fn waiting_records(&self) -> usize {
        self.lock().ready_records
    }

    /// Notes where partitions begin that are read from now on, and tells the reading task.
    pub(super) fn assign(&self, placed: &[Placed]) {
        let mut state = self.lock();
        for it in placed {
            if !state.assigned.contains(&it.partition) {
                state.assigned.push(it.partition.clone());
            }
            if state.first_ends.get(&it.partition).is_none() {
                state.first_ends.set(it.partition.clone(), it.end);
            }
            raise(&mut state.ends, &it.partition, it.end);
            state.note_topic(it);
            let begin = &mut state.begin;
            if it.resumed {
                begin.resumed.push(it.partition.clone());
            }
            let positions = if it.kept { &mut begin.kept } else { &mut begin.new };
            positions.set(it.partition.clone(), it.position);
            if let Some(topic) = &it.topic {
                positions.set_topic(it.partition.clone(), topic.clone());
            }
        }
        drop(state);
        self.arrived.notify_one();
        self.scout.ring();
    }

    /// The stream ended: what waits is still handed over.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_one();
    }

    pub(super) fn fail(&self, error: SourceError) {
        let mut state = self.lock();
        if !state.ended && state.failed.is_none() {
            state.failed = Some(error);
        }
        drop(state);
        self.arrived.notify_one();
    }

    pub(super) fn reader_gone(&self) {
        self.lock().reader_gone = true;
        self.wake();
    }

    pub(super) fn is_reader_gone(&self) -> bool {
        self.lock().reader_gone
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn polling_began(&self) {
        self.lock().polling = Polling::Now;
    }

    pub(super) fn is_polling(&self) -> bool {
        self.lock().polling == Polling::Now
    }

    pub(super) fn polling_ended(&self) {
        self.lock().polling = Polling::NoMore;
        self.wake();
        self.arrived.notify_one();
    }

    /// Ends the threads, and waits for the polling one this long.
    pub(super) fn close(&self, wait_max: Duration) {
        {
            let mut state = self.lock();
            state.closed = true;
            state.revoking.clear();
        }
        let deadline = Instant::now() + wait_max;
        self.wake();
        self.scout.ring();
        while self.is_polling() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn found(&self, partitions: Vec<Partition>) {
        self.lock().found.extend(partitions);
        self.wake();
    }

    pub(super) fn take_found(&self) -> Vec<Partition> {
        std::mem::take(&mut self.lock().found)
    }

    /// Has the scout ask where these begin.
    pub(super) fn want(&self, wanted: impl IntoIterator<Item = Wanted>) {
        self.lock().wanted.extend(wanted);
        self.scout.ring();
    }

    /// What the scout is to ask for.
    pub(super) fn wanted(&self) -> Vec<Wanted> {
        self.lock().wanted.clone()
    }

    /// Tells the polling thread where partitions begin, those that are still wanted.
    pub(super) fn placed(&self, placed: Vec<Placed>) {
        let mut state = self.lock();
        for it in placed {
            let wanted = state.wanted.len();
            state.wanted.retain(|wanted| (&wanted.partition, wanted.why) != (&it.partition, it.why));
            if state.wanted.len() < wanted {
                state.placed.push(it);
            }
        }
        drop(state);
        self.wake();
    }

    pub(super) fn take_placed(&self) -> Vec<Placed> {
        std::mem::take(&mut self.lock().placed)
    }

    /// Compares a topic's id with those under which its partitions were begun, or notes it where they have just been. Those of another
    /// are the polling thread's to deal with.
    pub(super) fn topic_is(&self, topic: &str, id: &TopicId) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let (mut made_again, mut learnt) = (false, false);
        for partition in state.assigned.iter().filter(|partition| *partition.origin == *topic) {
            match state.topic_ids.get(partition) {
                Some(known) if known == id => {}
                Some(_) => {
                    made_again = true;
                    if !state.made_again.contains(partition) {
                        state.made_again.push(partition.clone());
                    }
                }
                None => {
                    learnt = true;
                    state.topic_ids.insert(partition.clone(), id.clone());
                    state.begin.kept.set_topic(partition.clone(), id.clone());
                }
            }
        }
        drop(guard);
        if made_again {
            self.wake();
        }
        if learnt {
            self.arrived.notify_one();
        }
    }

    /// Notes that what was read up to these positions is of the topics that were begun.
    pub(super) fn vouch(&self, positions: &Positions) {
        self.lock().vouched.advance(positions);
    }

    /// The last position that is known to be of the topic that was begun.
    pub(super) fn vouched(&self, partition: &Partition) -> Option<i64> {
        self.lock().vouched.get(partition)
    }

    /// Whether there is a partition of whose topic no id is known.
    pub(super) fn lacks_an_id(&self) -> bool {
        let state = self.lock();
        state.assigned.iter().any(|partition| !state.topic_ids.contains_key(partition))
    }

    pub(super) fn take_made_again(&self) -> Vec<Partition> {
        std::mem::take(&mut self.lock().made_again)
    }

    /// Notes that the group has given what it gives.
    pub(super) fn joined(&self) {
        self.lock().joined = true;
        self.scout.ring();
    }

    pub(super) fn has_joined(&self) -> bool {
        self.lock().joined
    }

    /// Notes what the source waits for, or that it waits for nothing, and warns of what takes long.
    pub(super) fn wait_for(&self, what: Option<String>) {
        let mut state = self.lock();
        let Some(what) = what else {
            state.waiting = None;
            return;
        };
        let waiting =
            state.waiting.get_or_insert_with(|| Waiting { what: String::new(), since: Instant::now(), warned: None });
        waiting.what = what;
        let warned = waiting.warned.map(|warned| warned.elapsed() >= WARN_EVERY);
        if waiting.since.elapsed() >= WARN_AFTER && warned.unwrap_or(true) {
            waiting.warned = Some(Instant::now());
            tracing::warn!("kafka source: waiting for {} for {} s", waiting.what, waiting.since.elapsed().as_secs());
        }
    }

    /// What the source waits for.
    pub(super) fn waits_for(&self) -> Option<String> {
        self.lock().waiting.as_ref().map(|waiting| waiting.what.clone())
    }

    pub(super) fn assigned(&self) -> Vec<Partition> {
        self.lock().assigned.clone()
    }

    /// An end that a broker told.
    pub(super) fn set_end(&self, partition: &Partition, end: i64) {
        let mut state = self.lock();
        if !state.assigned.contains(partition) {
            return;
        }
        if state.first_ends.get(partition).is_none() {
            state.first_ends.set(partition.clone(), end);
        }
        let is_news = raise(&mut state.ends, partition, end);
        drop(state);
        if is_news {
            // What lies before it may be shown to no reader.
            self.wake();
        }
    }

    pub(super) fn first_end(&self, partition: &Partition) -> Option<i64> {
        self.lock().first_ends.get(partition)
    }

    /// The end that is known of a partition.
    pub(super) fn end_of(&self, partition: &Partition) -> Option<i64> {
        self.lock().ends.get(partition)
    }

    pub(super) fn ends(&self) -> Positions {
        self.lock().ends.clone()
    }

    /// Wakes the polling thread.
    pub(super) fn wake(&self) {
        self.poller.ring();
    }

    /// Lets the polling thread sleep until woken, or this long.
    pub(super) fn sleep(&self, wait_max: Duration) {
        self.poller.wait(wait_max);
    }

    /// Lets the scout sleep until something is wanted, or this long.
    pub(super) fn sleep_scouting(&self, wait_max: Duration) {
        self.scout.wait(wait_max);
    }
}

impl HandOverState {
    /// Takes down of which topic a partition is read from now on, and from where.
    fn note_topic(&mut self, placed: &Placed) {
        match &placed.topic {
            Some(id) => self.topic_ids.insert(placed.partition.clone(), id.clone()),
            None => self.topic_ids.remove(&placed.partition),
        };
        self.made_again.retain(|partition| *partition != placed.partition);
        self.vouched.set(placed.partition.clone(), placed.position);
    }
}

/// Whether it is farther than what was known.
fn raise(ends: &mut Positions, partition: &Partition, end: i64) -> bool {
    let is_news = ends.get(partition).is_none_or(|known| known < end);
    if is_news {
        ends.set(partition.clone(), end);
    }
    is_news
}

/// What remains of a batch without the records of these partitions; `None` where that is nothing.
fn without(mut batch: SourceBatch, partitions: &[Partition]) -> Result<Option<SourceBatch>, SourceError> {
    let gone = |origin: &str, number: i32| partitions.iter().any(|it| &*it.origin == origin && it.number == number);
    let touched = batch.positions.iter().any(|(partition, _)| gone(&partition.origin, partition.number));
    if !touched {
        return Ok(Some(batch));
    }
    batch.positions.forget(partitions);
    if batch.positions.is_empty() {
        return Ok(None);
    }
    let origin = batch.batch.system().origin.clone().unwrap_or_default();
    if let Some(numbers) = batch.batch.system().partition.clone() {
        let keep = BooleanBuffer::collect_bool(numbers.len(), |row| !gone(&origin, numbers.value(row)));
        let all = std::sync::Arc::new(batch.batch);
        batch.batch = std::sync::Arc::unwrap_or_clone(all.filter(&keep)?);
    }
    if let Some(system) = &mut batch.bad_system
        && let Some(numbers) = system.partition.clone()
    {
        let keep = BooleanBuffer::collect_bool(numbers.len(), |row| !gone(&origin, numbers.value(row)));
        let mut kept = keep.iter();
        batch.bad.retain(|_| kept.next().unwrap_or(true));
        **system = system.rows(keep.set_indices())?;
    }
    Ok(Some(batch))
}
