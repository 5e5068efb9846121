//! The thread that starts and ends processes and reads what they say. All state of a supervisor is here.
//!
//! It is one thread, without a runtime: the parent-death signal of a process follows the thread that started it, so that thread
//! has to live as long as the supervisor; and it waits for descriptors and times alone. It waits in epoll, without a tick where
//! nothing is due.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant, SystemTime};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use weir_frame::{FrameError, FromWorker, LineLevel, RequestId, WorkerId};

use crate::asked::{Asked, Outcome, Waiting, Wanted};
use crate::cpu::Cpu;
use crate::disk::Walker;
use crate::lines::dressed;
use crate::process::Stat;
use crate::registry::Registry;
use crate::room::{Room, Taken};
use crate::running::{OUTPUT, PROCESS, Process, SOCKET, SocketRead};
use crate::wake::Waker;
use crate::worker::{Stage, Worker};
use crate::{EndCause, SupervisorStatus, TenancyEvent, TenancySettings};

/// What a caller has done in the thread.
pub(crate) type Command = Box<dyn FnOnce(&mut Keeper) + Send>;

const WAKER: u64 = u64::MAX;

/// What is read of one descriptor before the next one has its turn: four times the size of a pipe.
const PIECE_BYTES: usize = 64 << 10;
const PIECES: usize = 4;
/// What is read of a process that has ended.
const PIECES_LAST: usize = 128;

/// Processes that are started before those that run have their turn: a start takes 2 to 4 ms.
const STARTS_AT_ONCE: usize = 4;

/// How often a worker that could not be started is tried again.
const RETRY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) settings: TenancySettings,
    pub(crate) set: OwnedFd,
    pub(crate) waker: Waker,
    pub(crate) events: Sender<TenancyEvent>,
    pub(crate) cpu: Cpu,
    pub(crate) walker: Walker,
    pub(crate) room: Room,
    pub(crate) registry: Registry,
    pub(crate) orphans_ended: usize,
    pub(crate) workers: BTreeMap<u64, Worker>,
    pub(crate) next_number: u64,
    /// The worker that connects for the others, once there is one.
    pub(crate) connector: Option<u64>,
    pub(crate) next_reach: u64,
    pub(crate) reaches: BTreeMap<RequestId, Asked>,
    /// Questions that wait for the connector.
    pub(crate) reaches_waiting: Vec<Waiting>,
    /// Tenants with the reason.
    pub(crate) quarantined: BTreeMap<String, String>,
    /// Whether the supervisor is to end.
    pub(crate) is_farewell: bool,
    /// Processes that the kernel had killed for want of memory when last looked at.
    pub(crate) memory_kills: u64,
    /// What is read into.
    pub(crate) buffer: Vec<u8>,
}

impl Keeper {
    /// Runs until the supervisor is to end and no process is left.
    pub(crate) fn run(mut self, commands: Receiver<Command>) {
        self.buffer = vec![0; PIECE_BYTES];
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(256);
        loop {
            let now = Instant::now();
            let timeout = self.due(now).map(|at| at.saturating_duration_since(now));
            let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
            match epoll::wait(&self.set, spare_capacity(&mut ready), timeout.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!("a supervisor cannot wait for its processes: {error}");
                    return;
                }
            }
            for event in ready.drain(..) {
                self.dispatch(event.data.u64(), event.flags);
            }
            while let Ok(command) = commands.try_recv() {
                command(&mut self);
            }
            self.tick();
            if self.is_farewell && self.workers.values().all(|worker| !matches!(worker.stage, Stage::Process { .. })) {
                return;
            }
        }
    }

    fn dispatch(&mut self, data: u64, flags: epoll::EventFlags) {
        if data == WAKER {
            self.waker.clear();
            return;
        }
        let (number, kind) = (data >> 2, data & 3);
        match kind {
            SOCKET => {
                let now = Instant::now();
                if flags.contains(epoll::EventFlags::OUT)
                    && let Some(process) = self.workers.get_mut(&number).and_then(Worker::process)
                {
                    process.flush(now);
                }
                self.read_socket(number, PIECES, false);
            }
            OUTPUT => self.read_output(number, PIECES),
            PROCESS => self.reap(number),
            _ => {}
        }
    }

    /// Puts the waker into the set.
    pub(crate) fn listen(&self) -> std::io::Result<()> {
        Ok(epoll::add(&self.set, &self.waker, epoll::EventData::new_u64(WAKER), epoll::EventFlags::IN)?)
    }

    /// Says what happened. Nobody listening any more is no reason to stop.
    pub(crate) fn tell(&self, event: TenancyEvent) {
        drop(self.events.send(event));
    }

    fn read_socket(&mut self, number: u64, pieces: usize, is_last: bool) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let Stage::Process { process, is_ending } = &mut worker.stage else { return };
        let (id, events) = (worker.id, &self.events);
        let (queries, walls, is_replaced) = (&mut worker.queries, &mut worker.walls, worker.replacement.is_some());
        let (mut wanted, mut outcomes): (Vec<Wanted>, Vec<Outcome>) = Default::default();
        let read = process.read_frames(&mut self.buffer, pieces, is_last, now, |process, frame, bytes| {
            let forward = |process: &mut Process, frame| {
                let frame = process.budget.count(frame, bytes.saturating_add(256));
                drop(events.send(TenancyEvent::Frame { worker: id, frame }));
            };
            match frame {
                FromWorker::Hello { walls: said, .. } => {
                    process.deadline = process.deadline.take().filter(|(_, why)| *why != EndCause::Silent);
                    *walls = said.into_iter().take(32).map(harmless).collect();
                    drop(events.send(TenancyEvent::Greeted { worker: id, walls: walls.clone() }));
                }
                FromWorker::Log { level, target, text } => take_line(process, level, target, &text, now, forward),
                // Events are lines too, and have the same rate.
                FromWorker::Event { code, text, .. } => {
                    take_line(process, LineLevel::Info, code, &text, now, forward);
                }
                FromWorker::Connect { request, host, port } => {
                    wanted.push(Wanted { request, host, port });
                }
                FromWorker::Reached { request } => {
                    process.work.moved(now);
                    outcomes.extend(process.descriptors.pop_front().map(|socket| (request, Ok(socket))));
                }
                FromWorker::NotReached { request, code, text } => {
                    process.work.moved(now);
                    outcomes.push((request, Err((code, text))));
                }
                FromWorker::Work { held, done } => process.work.said(held, done, now),
                FromWorker::Ended { query, end, .. } => {
                    // A query that stopped because its worker is replaced is given to the next one.
                    let is_wanted = queries.get(&query).is_some_and(|held| !held.is_stopping);
                    if !(is_replaced && is_wanted && end == weir_frame::QueryEnd::Stopped) {
                        queries.remove(&query);
                    }
                    process.work.moved(now);
                    forward(process, frame);
                }
                FromWorker::Refused { query, .. } => {
                    queries.remove(&query);
                    process.work.moved(now);
                    forward(process, frame);
                }
                FromWorker::Started { .. } | FromWorker::Draft { .. } => {
                    process.work.moved(now);
                    forward(process, frame);
                }
                _ => forward(process, frame),
            }
        });
        match read {
            SocketRead::Waiting => {}
            SocketRead::Closed if *is_ending => {}
            SocketRead::Closed => {
                // It may be about to end by itself, which says more.
                let at = now + Duration::from_millis(500);
                process.deadline.get_or_insert((at, EndCause::SocketClosed));
            }
            SocketRead::Broken(error) => {
                let is_cut_off = matches!(error, FrameError::CutOff { .. });
                let reason = weir_text::escape_to(&error.to_string(), 300);
                if is_cut_off {
                    process.cut_off = Some(reason.clone());
                    process.deadline = Some((now + Duration::from_millis(500), EndCause::Garbage { reason }));
                } else {
                    end(process, EndCause::Garbage { reason });
                }
            }
        }
        process.watch(&self.set);
        wanted.into_iter().for_each(|wanted| self.want(number, wanted, now));
        outcomes.into_iter().for_each(|outcome| self.reached(outcome, now));
    }

    fn read_output(&mut self, number: u64, pieces: usize) {
        let now = Instant::now();
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let Stage::Process { process, .. } = &mut worker.stage else { return };
        let (id, tenant, events) = (worker.id, &worker.spec.tenant, &self.events);
        let budget = std::sync::Arc::clone(&process.budget);
        let mut without_room = 0;
        process.read_output(&mut self.buffer, pieces, now, |text| {
            if !say(id, tenant, text, &budget, events) {
                without_room += 1;
            }
        });
        (0..without_room).for_each(|_| process.lines.drop_one());
        process.watch(&self.set);
    }

    /// The process has ended: what it left is read, and said.
    fn reap(&mut self, number: u64) {
        let Some(process) = self.workers.get_mut(&number).and_then(Worker::process) else { return };
        // A process that has ended still says what it has used, until it is reaped.
        if let Ok(stat) = Stat::of(process.pid) {
            process.stat = stat;
        }
        let status = match process.child.try_wait() {
            Ok(Some(status)) => Some(status),
            Ok(None) => return,
            // Somebody else has reaped it; it has ended all the same.
            Err(_) => None,
        };
        process.output_quiet_until = None;
        process.quiet_until = None;
        self.read_output(number, PIECES_LAST);
        self.read_socket(number, PIECES_LAST, true);
        self.finish(number, status);
    }

    /// The next time at which something is due.
    fn due(&self, now: Instant) -> Option<Instant> {
        let stall = Duration::from_millis(self.settings.worker_stall_ms_max);
        let of = |worker: &Worker| match &worker.stage {
            Stage::Due { at, .. } => (!self.is_farewell).then_some(*at),
            Stage::Process { process, .. } => {
                let stuck = [process.unread_since, process.partial_since].into_iter().flatten().min();
                let stuck = stuck.and_then(|since| since.checked_add(stall));
                let deadlines = match process.cause {
                    // It was killed: only its end is waited for.
                    Some(_) => [None; 4],
                    None => [
                        process.deadline.as_ref().map(|(at, _)| *at),
                        process.work.deadline(stall),
                        stuck,
                        Some(process.sample_at),
                    ],
                };
                let quiet = [process.quiet_until, process.output_quiet_until];
                deadlines.into_iter().chain(quiet).flatten().min()
            }
            Stage::Quarantined => None,
        };
        let waiting = self.reaches_waiting.iter().map(|waiting| waiting.until);
        let due = self.workers.values().filter_map(of).chain(waiting).min();
        // Not more often than a thousand times a second, whatever is due.
        due.map(|at| at.max(now + Duration::from_millis(1)))
    }

    /// Does what is due.
    fn tick(&mut self) {
        let now = Instant::now();
        if !self.reaches_waiting.is_empty() {
            self.ask_waiting(now);
        }
        let numbers: Vec<u64> = self.workers.keys().copied().collect();
        let mut starts = 0;
        for number in numbers {
            let is_due = self.workers.get(&number).is_some_and(|worker| worker.is_due(now));
            starts += usize::from(is_due);
            // The others have their turn first.
            if !is_due || starts <= STARTS_AT_ONCE {
                self.tick_of(number, now);
            }
        }
    }

    fn tick_of(&mut self, number: u64, now: Instant) {
        let stall = Duration::from_millis(self.settings.worker_stall_ms_max);
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let process = match &mut worker.stage {
            Stage::Quarantined => return,
            Stage::Due { at, .. } => {
                if *at <= now && !self.is_farewell {
                    self.start(number, now);
                }
                return;
            }
            Stage::Process { process, .. } => process,
        };
        let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut is_changed = false;
        if is_over(process.quiet_until) {
            process.quiet_until = None;
            is_changed = true;
        }
        if is_over(process.output_quiet_until) {
            process.output_quiet_until = None;
            is_changed = true;
        }
        if process.is_out_of_room && process.budget.has_room() {
            process.is_out_of_room = false;
            is_changed = true;
        }
        if is_changed {
            process.watch(&self.set);
        }
        if process.cause.is_some() {
            return;
        }
        let stuck = [process.unread_since, process.partial_since].into_iter().flatten().min();
        let is_stuck = stuck.is_some_and(|since| now.saturating_duration_since(since) >= stall);
        if let Some((_, cause)) = process.deadline.take_if(|(at, _)| *at <= now) {
            end(process, cause);
        } else if is_over(process.work.deadline(stall)) {
            let for_ms = u64::try_from(process.work.idle(now).as_millis()).unwrap_or(u64::MAX);
            end(process, EndCause::Stalled { for_ms });
        } else if is_stuck {
            end(process, EndCause::Stalled { for_ms: self.settings.worker_stall_ms_max });
        }
        if process.sample_at <= now {
            self.sample(number, now);
        }
    }

    /// Looks at threads, CPU time and memory of a process, and at the lines that it lost.
    fn sample(&mut self, number: u64, now: Instant) {
        let often = Duration::from_millis(self.settings.sample_ms.max(1));
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let Stage::Process { process, .. } = &mut worker.stage else { return };
        if let Ok(stat) = Stat::of(process.pid) {
            // A process that used no time has no new threads either.
            let is_idle = stat.cpu_ticks == process.stat.cpu_ticks;
            process.sample_every = if is_idle { (process.sample_every * 2).min(often * 8) } else { often };
            process.stat = stat;
            let threads_max = worker.spec.threads_max.saturating_add(worker.threads_more);
            if stat.threads > u64::from(threads_max) {
                end(process, EndCause::TooManyThreads { threads: stat.threads, threads_max });
            }
        }
        process.sample_at = now + process.sample_every;
        let dropped = process.lines.take_dropped();
        if dropped > 0 {
            worker.lines_dropped = worker.lines_dropped.saturating_add(dropped);
            let event = TenancyEvent::LinesDropped { worker: worker.id, lines: dropped };
            self.tell(event);
        }
        self.want_walk(number, now);
    }

    /// What the workers with processes take up by their limits.
    pub(crate) fn taken(&self) -> Taken {
        let mut all = Taken::default();
        for Taken { workers, threads, memory_bytes } in self.workers.values().map(Worker::taken) {
            all.workers = all.workers.saturating_add(workers);
            all.threads = all.threads.saturating_add(threads);
            all.memory_bytes = all.memory_bytes.saturating_add(memory_bytes);
        }
        all
    }

    pub(crate) fn status(&self) -> SupervisorStatus {
        SupervisorStatus {
            cpu: self.cpu.way.clone(),
            memory_bytes_max: self.room.memory_bytes_max,
            workers_max_by_descriptors: self.room.by_descriptors,
            threads_max: self.room.threads_max,
            orphans_ended: self.orphans_ended,
            quarantined: self.quarantined.clone().into_iter().collect(),
        }
    }

    pub(crate) fn retry_at(now: Instant) -> Instant {
        now + RETRY
    }
}

/// Kills a process. Why is kept until its end.
pub(crate) fn end(process: &mut Process, cause: EndCause) {
    if process.cause.is_none() {
        process.cause = Some(cause);
        if let Err(error) = process.pid_fd.kill() {
            tracing::error!("process {} of a worker cannot be killed: {error}", process.pid);
        }
    }
}

/// Hands on a line that came as a frame, within the worker's rate and room.
fn take_line(
    process: &mut Process,
    level: LineLevel,
    target: String,
    text: &str,
    now: Instant,
    forward: impl FnOnce(&mut Process, FromWorker),
) {
    let mut taken = None;
    process.lines.whole(text, now, |text| taken = Some(text.to_owned()));
    match taken {
        Some(text) if process.budget.is_below() => forward(process, FromWorker::Log { level, target, text }),
        Some(_) => process.lines.drop_one(),
        None => {}
    }
}

/// Hands a line on where there is room for it.
fn say(
    worker: WorkerId,
    tenant: &str,
    text: &str,
    budget: &std::sync::Arc<crate::budget::Budget>,
    events: &Sender<TenancyEvent>,
) -> bool {
    if !budget.is_below() {
        return false;
    }
    let line = dressed(SystemTime::now(), tenant, worker.0, text);
    let bytes = line.len().saturating_add(64);
    drop(events.send(TenancyEvent::Line { worker, line: budget.count(line, bytes) }));
    true
}

/// A wall as its process named it, for terminals.
fn harmless(wall: weir_frame::WallReport) -> weir_frame::WallReport {
    let short = |text: &str, length| weir_text::escape_to(text, length);
    weir_frame::WallReport { name: short(&wall.name, 32), state: wall.state, note: short(&wall.note, 128) }
}
