//! The start and the end of a process.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use weir_frame::{Handed, ToWorker, Turns, VERSION, WorkerRole};

use crate::budget::Budget;
use crate::cpu::GroupLimits;
use crate::keeper::{Keeper, end};
use crate::process::{Stat, memory_kills, signal_name};
use crate::registry::locked;
use crate::running::Process;
use crate::spawn::spawn;
use crate::worker::{Stage, Worker};
use crate::{AfterEnd, EndCause, ProcessStart, TenancyEvent, WaitReason};

impl Keeper {
    /// Starts the process of a worker that is due. If that fails, it reports the reason once and tries again.
    pub(crate) fn start(&mut self, number: u64, now: Instant) {
        let taken = self.taken();
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let reason = match self.room.lacks(taken, worker.needs(), self.settings.overcommit) {
            Some(reason) => reason,
            None => match self.start_now(number, now) {
                Ok(None) => return,
                Ok(Some(reason)) => reason,
                Err(error) => {
                    tracing::error!("worker {number} is not started: {error}");
                    WaitReason::NotStarted
                }
            },
        };
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let before = match worker.stage {
            Stage::Due { reason, .. } => reason,
            Stage::Process { .. } | Stage::Quarantined => None,
        };
        worker.stage = Stage::Due { at: Keeper::retry_at(now), reason: Some(reason), is_back_off: false };
        let is_new = before.map(|before| std::mem::discriminant(&before)) != Some(std::mem::discriminant(&reason));
        if is_new {
            let worker = worker.id;
            self.tell(TenancyEvent::Waits { worker, reason });
        }
    }

    fn start_now(&mut self, number: u64, now: Instant) -> io::Result<Option<WaitReason>> {
        let Some(worker) = self.workers.get_mut(&number) else { return Ok(None) };
        let mut handed: Vec<(Handed, OwnedFd)> = Vec::new();
        if let Some(path) = &worker.spec.lock {
            match locked(path)? {
                Some(lock) => handed.push((Handed::Lock, lock.into())),
                None => return Ok(Some(WaitReason::Locked)),
            }
        }
        let cpu_debt = worker.spec.cpu_percent_max.map(|percent| worker.cpu_debt.at(percent, now));
        let start = ProcessStart { worker: worker.id, cpu_debt: cpu_debt.unwrap_or_default() };
        let equipment = worker.spec.equip.make(start)?;
        handed.extend(equipment.descriptors);
        let spawned = spawn(&worker.spec, self.settings.stack_bytes_max)?;
        let budget = Budget::new(self.settings.frames_in_bytes_max, self.waker.clone());
        let turns = Turns::new(worker.spec.role);
        let mut process = Process::new(spawned, turns, number, budget, &self.settings, now);
        let pid = process.pid;
        // Nothing is said to a process before the registry names it: until then the end of its socket ends it.
        let prepared = Stat::of(pid).and_then(|stat| {
            process.stat = stat;
            self.registry.add(pid, stat.start_ticks)?;
            process.watch_end(&self.set, number)
        });
        let limits = GroupLimits {
            weight: worker.spec.weight,
            cpu_percent_max: worker.spec.cpu_percent_max,
            memory_bytes_max: worker.spec.memory_bytes_max,
            threads_max: worker.threads_max(),
        };
        if let Err(error) = prepared {
            drop(process.child.kill());
            drop(process.child.wait());
            process.unwatch(&self.set);
            return self.registry.remove(pid).and(Err(error));
        }
        if let Err(error) = self.cpu.enter(worker.id, pid, limits) {
            tracing::error!("worker {number} cannot be put into its control group: {error}");
            end(&mut process, EndCause::NotPlaced);
        }
        let (kinds, descriptors) = handed.into_iter().unzip();
        let welcome = ToWorker::Welcome {
            version: VERSION,
            role: worker.spec.role,
            worker: worker.id,
            supervisor_pid: std::process::id(),
            cpu: self.cpu.place(worker.spec.weight),
            user: worker.spec.user,
            handed: kinds,
            settings: equipment.settings,
        };
        let bytes_max = self.settings.frames_out_bytes_max;
        let send = |process: &mut Process, frame: &ToWorker, descriptors: Vec<OwnedFd>| {
            let sent = process.send(worker.id, frame, descriptors, bytes_max, now);
            sent.map_err(io::Error::other)
        };
        let mut sent = send(&mut process, &welcome, descriptors);
        for held in worker.queries.values() {
            if let Some(run) = &held.run {
                sent = sent.and_then(|()| send(&mut process, run, Vec::new()));
            }
        }
        process.flush(now);
        process.watch(&self.set);
        if std::mem::replace(&mut worker.started_before, true) {
            worker.restarts = worker.restarts.saturating_add(1);
        }
        worker.stage = Stage::Process { process: Box::new(process), is_ending: false };
        let (id, restarts) = (worker.id, worker.restarts);
        if let Err(error) = sent {
            tracing::error!("worker {number} cannot be told what to do: {error}");
            if let Some(process) = worker.process() {
                end(process, EndCause::Garbage { reason: "nothing; what it is to do cannot be sent".to_owned() });
            }
        }
        self.tell(TenancyEvent::Spawned { worker: id, pid, restarts });
        Ok(None)
    }

    /// Accounts for a process that has ended and was reaped, and decides what comes next.
    pub(crate) fn finish(&mut self, number: u64, status: Option<ExitStatus>) {
        let now = Instant::now();
        let kills = memory_kills();
        let is_memory = std::mem::replace(&mut self.memory_kills, kills) < kills;
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let stage = std::mem::replace(&mut worker.stage, Stage::Quarantined);
        let Stage::Process { mut process, is_ending } = stage else {
            worker.stage = stage;
            return;
        };
        process.unwatch(&self.set);
        let is_memory = self.cpu.memory_kills(worker.id).map_or(is_memory, |kills| kills > 0);
        self.cpu.leave(worker.id);
        if let Err(error) = self.registry.remove(process.pid) {
            tracing::error!("the registry of processes cannot be written: {error}");
        }
        let mut last = None;
        process.lines.end(now, |line| last = Some(line.to_owned()));
        let dropped = process.lines.take_dropped();
        worker.lines_dropped = worker.lines_dropped.saturating_add(dropped);
        let cpu_ms = process.stat.cpu_ms();
        worker.cpu_ms_before = worker.cpu_ms_before.saturating_add(cpu_ms);
        if let Some(percent) = worker.spec.cpu_percent_max {
            worker.cpu_debt.ended(percent, Duration::from_millis(cpu_ms), process.started, now);
        }
        let cause = match process.cause.take() {
            Some(cause) => cause,
            None => cause(status, is_ending, is_memory, process.words.tells_of_memory()),
        };
        let cause = match (cause, process.cut_off.take()) {
            (EndCause::Asked | EndCause::Exited { code: 0 }, Some(reason)) => EndCause::Garbage { reason },
            (cause, _) => cause,
        };
        if !process.words.is_empty() {
            worker.last_words = process.words.line();
        }
        worker.last_cause = Some(cause.clone());
        let held: Vec<_> = worker.queries.keys().copied().collect();
        worker.queries.retain(|_, query| !query.is_stopping);
        let is_asked = is_ending && matches!(cause, EndCause::Asked | EndCause::Overdue | EndCause::Exited { code: 0 });
        let is_done = cause == EndCause::Exited { code: 0 } && held.is_empty();
        let next = if cause == EndCause::Intrusion {
            AfterEnd::Quarantine
        } else if self.is_farewell {
            AfterEnd::Gone
        } else if let Some(replacement) = worker.replacement.take() {
            worker.become_replaced(replacement);
            AfterEnd::Restart { in_ms: 0 }
        } else if is_asked || is_done || is_ending {
            AfterEnd::Gone
        } else {
            match worker.backoff.crashed(process.started, now) {
                Some(in_ms) => AfterEnd::Restart { in_ms },
                // Every tenant needs it, and none speaks to it but by names.
                None if worker.spec.role == WorkerRole::Connector => {
                    AfterEnd::Restart { in_ms: self.settings.restart_ms_max }
                }
                None => AfterEnd::Quarantine,
            }
        };
        let (id, tenant) = (worker.id, worker.spec.tenant.clone());
        match next {
            AfterEnd::Restart { in_ms } => {
                let at = now + Duration::from_millis(in_ms);
                worker.stage = Stage::Due { at, reason: None, is_back_off: in_ms > 0 };
            }
            AfterEnd::Quarantine => worker.stage = Stage::Quarantined,
            AfterEnd::Gone => drop(self.workers.remove(&number)),
        }
        if dropped > 0 {
            self.tell(TenancyEvent::LinesDropped { worker: id, lines: dropped });
        }
        if let Some(last) = last {
            let line = crate::lines::dressed(std::time::SystemTime::now(), &tenant, number, &last);
            let bytes = line.len();
            self.tell(TenancyEvent::Line { worker: id, line: process.budget.count(line, bytes) });
        }
        self.connector_ended(number, now);
        if cause == EndCause::Intrusion {
            self.quarantine(&tenant, &cause);
        }
        let last_words = process.words;
        self.tell(TenancyEvent::Ended { worker: id, tenant, cause, last_words, held, next });
    }

    /// A tenant that broke into a worker: its other processes are ended, and nothing of it is started.
    fn quarantine(&mut self, tenant: &str, cause: &EndCause) {
        self.quarantined.insert(tenant.to_owned(), cause.to_string());
        for worker in self.workers.values_mut().filter(|worker| worker.spec.tenant == tenant) {
            match &mut worker.stage {
                Stage::Process { process, .. } => end(process, EndCause::TenantQuarantined),
                Stage::Due { .. } => worker.stage = Stage::Quarantined,
                Stage::Quarantined => {}
            }
        }
    }

    /// Starts what was in quarantine. Says whether anything was.
    pub(crate) fn release(&mut self, tenant: &str, now: Instant) -> bool {
        let mut was_any = self.quarantined.remove(tenant).is_some();
        let settings = &self.settings;
        for worker in self.workers.values_mut().filter(|worker| worker.spec.tenant == tenant) {
            if matches!(worker.stage, Stage::Quarantined) {
                let fresh = Worker::new(worker.id, crate::WorkerSpec::new("", [""; 0]), settings, now);
                worker.backoff = fresh.backoff;
                worker.stage = fresh.stage;
                was_any = true;
            }
        }
        was_any
    }

    /// Asks a worker to end within a time.
    pub(crate) fn ask_to_end(&mut self, number: u64, grace: Duration, now: Instant) {
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let id = worker.id;
        match &mut worker.stage {
            Stage::Process { process, is_ending } => {
                *is_ending = true;
                let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
                // One that has no room for it is killed when its time is over.
                drop(process.send(id, &ToWorker::End { grace_ms }, Vec::new(), usize::MAX, now));
                process.flush(now);
                let at = now.checked_add(grace).unwrap_or(now);
                let is_sooner = process.deadline.as_ref().is_none_or(|(before, _)| at < *before);
                if is_sooner {
                    process.deadline = Some((at, EndCause::Overdue));
                }
                process.watch(&self.set);
            }
            Stage::Due { .. } | Stage::Quarantined => drop(self.workers.remove(&number)),
        }
    }
}

/// Why a process ended that the supervisor did not kill.
fn cause(status: Option<ExitStatus>, is_ending: bool, is_memory: bool, tells_of_memory: bool) -> EndCause {
    let Some(status) = status else { return EndCause::Exited { code: -1 } };
    match (status.signal(), status.code()) {
        (Some(signal), _) if signal == Signal::SYS.as_raw() => EndCause::Intrusion,
        (Some(signal), _) if signal == Signal::KILL.as_raw() && is_memory => EndCause::Memory,
        (Some(signal), _) if signal == Signal::ABORT.as_raw() && tells_of_memory => EndCause::Memory,
        (Some(signal), _) => EndCause::Signal { signal, name: signal_name(signal) },
        (None, Some(0)) if is_ending => EndCause::Asked,
        (None, code) => EndCause::Exited { code: code.unwrap_or(-1) },
    }
}
