//! The handle of a supervisor.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use weir_frame::{Steering, ToWorker, WorkerId, WorkerRole};

use crate::address::Networks;
use crate::cpu::Cpu;
use crate::disk::Walker;
use crate::keeper::{Command, Keeper};
use crate::process::memory_kills;
use crate::registry::Registry;
use crate::room::Room;
use crate::wake::Waker;
use crate::worker::{Replacement, Stage, Worker};
use crate::{SupervisorStatus, TenancyError, TenancyEvent, TenancySettings, WorkerSpec, WorkerStatus};

/// Starts and ends the processes of tenants. Dropped, it ends them at once.
#[derive(Debug)]
pub struct Supervisor {
    commands: Sender<Command>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts a supervisor with its thread. Processes that an earlier one left in the registry are ended first. Events come through the
    /// channel until the supervisor has ended.
    ///
    /// # Errors
    ///
    /// [`TenancyError::RegistryInUse`], [`TenancyError::OrphansRemain`], and [`TenancyError::Io`] for the registry and for a
    /// control group that was named and cannot be used.
    pub fn new(settings: TenancySettings) -> Result<(Supervisor, Receiver<TenancyEvent>), TenancyError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| TenancyError::Io { action, path, source }
        };
        let (registry, orphans_ended) = Registry::open(&settings.registry)?;
        let root = settings.cgroup_root.clone().unwrap_or_default();
        let cpu =
            Cpu::find(settings.cgroup_root.as_deref(), settings.weight_max).map_err(io("could not use", &root))?;
        let room = Room::find(settings.memory_bytes_reserved);
        let waker = Waker::new().map_err(io("could not make", Path::new("an eventfd")))?;
        let set = epoll::create(epoll::CreateFlags::CLOEXEC);
        let set = set.map_err(|error| io("could not make", Path::new("an epoll set"))(error.into()))?;
        let (commands, to_thread) = channel();
        let (events, to_caller) = channel();
        let (to_keeper, wakes) = (commands.clone(), waker.clone());
        let walker = Walker::start(move |walked| {
            let command: Command = Box::new(move |keeper| keeper.walked(walked));
            let is_taken = to_keeper.send(command).is_ok();
            wakes.wake();
            is_taken
        });
        let walker = walker.map_err(io("could not start", Path::new("a thread")))?;
        let keeper = Keeper {
            walker,
            settings,
            set,
            waker: waker.clone(),
            events,
            cpu,
            room,
            registry,
            orphans_ended,
            workers: std::collections::BTreeMap::new(),
            next_number: 1,
            connector: None,
            next_reach: 1,
            reaches: std::collections::BTreeMap::new(),
            reaches_waiting: Vec::new(),
            quarantined: std::collections::BTreeMap::new(),
            is_farewell: false,
            memory_kills: memory_kills(),
            buffer: Vec::new(),
        };
        keeper.listen().map_err(io("could not wait for", Path::new("an eventfd")))?;
        let thread = std::thread::Builder::new().name("weir-supervisor".to_owned());
        let thread = thread.spawn(move || keeper.run(to_thread));
        let thread = thread.map_err(io("could not start", Path::new("a thread")))?;
        Ok((Supervisor { commands, waker, thread: Some(thread) }, to_caller))
    }

    /// Has something done in the thread, and waits for what comes of it.
    fn ask<T: Send + 'static>(&self, ask: impl FnOnce(&mut Keeper) -> T + Send + 'static) -> Result<T, TenancyError> {
        let (reply, answer) = channel();
        let command: Command = Box::new(move |keeper| drop(reply.send(ask(keeper))));
        self.commands.send(command).map_err(|_| TenancyError::HasEnded)?;
        self.waker.wake();
        answer.recv().map_err(|_| TenancyError::HasEnded)
    }

    /// Takes on a worker. It is started as soon as there is room for it and its lock is free; events say so.
    ///
    /// # Errors
    ///
    /// [`TenancyError::Quarantined`], [`TenancyError::NeverFits`], [`TenancyError::OutOfRange`], [`TenancyError::HasEnded`].
    pub fn start(&self, spec: WorkerSpec) -> Result<WorkerId, TenancyError> {
        self.ask(move |keeper| {
            check(keeper, &spec)?;
            let number = keeper.next_number;
            keeper.next_number = number.saturating_add(1);
            let now = Instant::now();
            if spec.role == WorkerRole::Connector {
                keeper.connector = Some(number);
            }
            keeper.workers.insert(number, Worker::new(WorkerId(number), spec, &keeper.settings, now));
            Ok(WorkerId(number))
        })?
    }

    /// Sends a frame to a worker. A `Run` is kept, and given to the worker's next process as well, until the query has ended.
    ///
    /// # Errors
    ///
    /// [`TenancyError::UnknownWorker`], [`TenancyError::Backlog`], and [`TenancyError::Frame`] where the frame is too long or
    /// out of turn. A query that is asked to stop is not given to the next process. Other frames than `Run` need a process: [`TenancyError::UnknownWorker`] where there is none.
    pub fn send(&self, worker: WorkerId, frame: ToWorker) -> Result<(), TenancyError> {
        self.send_with(worker, frame, Vec::new())
    }

    /// Sends a frame for which nobody waits: a question for a report. Whether it can be sent is not known.
    pub fn post(&self, worker: WorkerId, frame: ToWorker) {
        let command: Command = Box::new(move |keeper| {
            if let Err(error) = send(keeper, worker, frame, Vec::new()) {
                tracing::debug!("{worker} was not reached: {error}");
            }
        });
        // A supervisor that has ended has no workers.
        if self.commands.send(command).is_ok() {
            self.waker.wake();
        }
    }

    /// Sends a frame with its descriptors. A `Hand` is for this process alone: whoever hands something over does it again for the
    /// next one, where that is right.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn send_with(&self, worker: WorkerId, frame: ToWorker, descriptors: Vec<OwnedFd>) -> Result<(), TenancyError> {
        self.ask(move |keeper| send(keeper, worker, frame, descriptors))?
    }

    /// Replaces the process of a worker by one of another specification: the queries stop at a commit, the process ends within the grace,
    /// and the next one is given the queries again, those of `runs` by these frames `Run`. For a change of limits.
    ///
    /// # Errors
    ///
    /// [`TenancyError::UnknownWorker`], [`TenancyError::Frame`], and those of [`start`](Self::start).
    pub fn replace(
        &self,
        worker: WorkerId,
        spec: WorkerSpec,
        runs: Vec<ToWorker>,
        grace: Duration,
    ) -> Result<(), TenancyError> {
        self.ask(move |keeper| {
            check(keeper, &spec)?;
            for frame in &runs {
                weir_frame::encode(frame).map_err(|source| TenancyError::Frame { worker, source })?;
            }
            let now = Instant::now();
            let found = keeper.workers.get_mut(&worker.0).ok_or(TenancyError::UnknownWorker { worker })?;
            if matches!(found.stage, Stage::Process { .. }) {
                found.replacement = Some(Replacement { spec, runs });
                keeper.ask_to_end(worker.0, grace, now);
            } else {
                found.become_replaced(Replacement { spec, runs });
            }
            Ok(())
        })?
    }

    /// Has a worker end: its queries stop at a commit. It is killed when the grace is over.
    ///
    /// # Errors
    ///
    /// [`TenancyError::UnknownWorker`], [`TenancyError::HasEnded`].
    pub fn end(&self, worker: WorkerId, grace: Duration) -> Result<(), TenancyError> {
        self.ask(move |keeper| {
            let found = keeper.workers.get_mut(&worker.0).ok_or(TenancyError::UnknownWorker { worker })?;
            found.replacement = None;
            found.queries.clear();
            keeper.ask_to_end(worker.0, grace, Instant::now());
            Ok(())
        })?
    }

    /// Lets a worker have this many threads more than its specification says, as long as it lives. They do not count for how many
    /// workers fit: most of them are never started.
    ///
    /// # Errors
    ///
    /// [`TenancyError::UnknownWorker`], [`TenancyError::HasEnded`].
    pub fn allow_threads(&self, worker: WorkerId, more: u32) -> Result<(), TenancyError> {
        self.ask(move |keeper| {
            let found = keeper.workers.get_mut(&worker.0).ok_or(TenancyError::UnknownWorker { worker })?;
            found.threads_more = found.threads_more.max(more);
            keeper.cpu.set_threads(worker, found.threads_max()).map_err(|source| TenancyError::Io {
                action: "could not raise",
                path: "pids.max".into(),
                source,
            })
        })?
    }

    /// Releases a tenant from quarantine; its workers are started again. Says whether it was in quarantine.
    ///
    /// # Errors
    ///
    /// [`TenancyError::HasEnded`].
    pub fn release(&self, tenant: impl Into<String>) -> Result<bool, TenancyError> {
        let tenant = tenant.into();
        self.ask(move |keeper| keeper.release(&tenant, Instant::now()))
    }

    /// All workers, in the order of their numbers, with what the system says of them now. Costs 30 µs a process.
    ///
    /// # Errors
    ///
    /// [`TenancyError::HasEnded`].
    pub fn workers(&self) -> Result<Vec<WorkerStatus>, TenancyError> {
        self.ask(|keeper| keeper.workers.values().map(Worker::status).collect())
    }

    /// What the supervisor found of the machine.
    ///
    /// # Errors
    ///
    /// [`TenancyError::HasEnded`].
    pub fn status(&self) -> Result<SupervisorStatus, TenancyError> {
        self.ask(|keeper| keeper.status())
    }

    /// Asks every worker to end, kills those that have not when the grace is over, and returns when no process is left.
    pub fn shutdown(mut self, grace: Duration) {
        self.end_all(grace);
    }

    fn end_all(&mut self, grace: Duration) {
        let Some(thread) = self.thread.take() else { return };
        let asked = self.ask(move |keeper| {
            keeper.is_farewell = true;
            for number in keeper.workers.keys().copied().collect::<Vec<_>>() {
                keeper.ask_to_end(number, grace, Instant::now());
            }
        });
        if asked.is_ok() && thread.join().is_err() {
            tracing::error!("the thread of the supervisor has panicked");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.end_all(Duration::ZERO);
    }
}

/// Whether a worker of this kind may be started at all.
fn check(keeper: &Keeper, spec: &WorkerSpec) -> Result<(), TenancyError> {
    if let Some(reason) = keeper.quarantined.get(&spec.tenant) {
        return Err(TenancyError::Quarantined { tenant: spec.tenant.clone(), reason: reason.clone() });
    }
    if let Err(network) = Networks::parse(&spec.allowed_networks) {
        return Err(TenancyError::InvalidNetwork { network: weir_text::escape_to(network, 60) });
    }
    let out_of_range = |key, found, expected| Err(TenancyError::OutOfRange { key, found, expected });
    if !(1..=crate::cpu::WEIGHT_MAX).contains(&spec.weight) {
        return out_of_range("weight", u64::from(spec.weight), "1 to 10000");
    }
    if spec.threads_max == 0 {
        return out_of_range("threads_max", 0, "at least 1");
    }
    if spec.cpu_percent_max == Some(0) {
        return out_of_range("cpu_percent_max", 0, "at least 1");
    }
    let bytes_max = keeper.room.memory_bytes_max;
    if spec.memory_bytes_max > bytes_max && !keeper.settings.overcommit {
        let (tenant, bytes) = (spec.tenant.clone(), spec.memory_bytes_max);
        return Err(TenancyError::NeverFits { tenant, bytes, bytes_max });
    }
    Ok(())
}

fn send(keeper: &mut Keeper, id: WorkerId, frame: ToWorker, descriptors: Vec<OwnedFd>) -> Result<(), TenancyError> {
    let now = Instant::now();
    let unknown = TenancyError::UnknownWorker { worker: id };
    let Some(worker) = keeper.workers.get_mut(&id.0) else { return Err(unknown) };
    let of_worker = |source| TenancyError::Frame { worker: id, source };
    let expected = weir_frame::Framed::descriptors(&frame);
    if descriptors.len() != expected {
        let found = descriptors.len();
        return Err(of_worker(weir_frame::FrameError::Descriptors { kind: "to be sent", expected, found }));
    }
    // What is kept is checked here too: a process that is not there yet cannot refuse it.
    weir_frame::encode(&frame).map_err(of_worker)?;
    let kept = match &frame {
        ToWorker::Run { query, .. } => Some(*query),
        _ => None,
    };
    if let ToWorker::Steer { query, steering: Steering::Stop } = &frame {
        if let Some(held) = worker.queries.get_mut(query) {
            held.is_stopping = true;
        }
        // Between two processes there is nothing to stop: the next one is not given it.
        if worker.process().is_none() && worker.queries.remove(query).is_some() {
            return Ok(());
        }
    }
    match worker.process() {
        Some(process) => {
            process.send(id, &frame, descriptors, keeper.settings.frames_out_bytes_max, now)?;
            process.flush(now);
            process.watch(&keeper.set);
        }
        None if kept.is_none() => return Err(unknown),
        None => {}
    }
    if let Some(query) = kept {
        worker.queries.entry(query).or_default().run = Some(frame);
    }
    Ok(())
}
