//! One worker: what it is to be, and the process that it is now.

use std::collections::BTreeMap;
use std::time::Instant;

use weir_frame::{QueryId, ToWorker, WallReport, WorkerId};

use crate::backoff::Backoff;
use crate::cpu_debt::CpuDebt;
use crate::rate::Allowance;
use crate::room::Taken;
use crate::running::Process;
use crate::{DiskUse, EndCause, TenancySettings, WaitReason, WorkerSpec, WorkerState, WorkerStatus};

/// A worker, from its start to the end of its last process.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) spec: WorkerSpec,
    pub(crate) stage: Stage,
    /// What its next process is given again.
    pub(crate) queries: BTreeMap<QueryId, Held>,
    /// What it is after its process has ended as it was asked to.
    pub(crate) replacement: Option<Replacement>,
    pub(crate) backoff: Backoff,
    pub(crate) restarts: u32,
    pub(crate) walls: Vec<WallReport>,
    pub(crate) last_cause: Option<EndCause>,
    pub(crate) last_words: String,
    pub(crate) lines_dropped: u64,
    /// What its tenant's folders held when they were last counted.
    pub(crate) disk: Option<DiskUse>,
    /// CPU time of the processes before.
    pub(crate) cpu_ms_before: u64,
    /// What they have used beyond its share.
    pub(crate) cpu_debt: CpuDebt,
    pub(crate) started_before: bool,
    /// Connections that it may ask for.
    pub(crate) connects: Allowance,
    /// Threads that it may have beyond its specification.
    pub(crate) threads_more: u32,
}

/// What a worker is to be after its process has ended.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(crate) spec: WorkerSpec,
    /// What the next process is given instead of what the one before was given.
    pub(crate) runs: Vec<ToWorker>,
}

/// What a worker does.
#[derive(Debug)]
pub(crate) enum Stage {
    /// To be started then.
    Due {
        at: Instant,
        reason: Option<WaitReason>,
        is_back_off: bool,
    },
    Process {
        process: Box<Process>,
        is_ending: bool,
    },
    Quarantined,
}

/// A query that a worker was given.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The frame `Run`; none until it comes.
    pub(crate) run: Option<ToWorker>,
    /// Whether it was asked to stop: then no other process is given it.
    pub(crate) is_stopping: bool,
}

impl Worker {
    pub(crate) fn new(id: WorkerId, spec: WorkerSpec, settings: &TenancySettings, now: Instant) -> Worker {
        let backoff =
            Backoff::new(settings.restart_ms_first, settings.restart_ms_max, settings.crashes_max, settings.stable_ms);
        Worker {
            id,
            spec,
            stage: Stage::Due { at: now, reason: None, is_back_off: false },
            queries: BTreeMap::new(),
            replacement: None,
            backoff,
            restarts: 0,
            walls: Vec::new(),
            last_cause: None,
            last_words: String::new(),
            lines_dropped: 0,
            disk: None,
            cpu_ms_before: 0,
            cpu_debt: CpuDebt::default(),
            started_before: false,
            connects: Allowance::new(settings.connects_per_s, settings.connects_per_s, now),
            threads_more: 0,
        }
    }

    /// Becomes what it is to be. Queries that have ended meanwhile are not given to the next process.
    pub(crate) fn become_replaced(&mut self, Replacement { spec, runs }: Replacement) {
        self.spec = spec;
        for frame in runs {
            if let ToWorker::Run { query, .. } = &frame
                && let Some(held) = self.queries.get_mut(query)
            {
                held.run = Some(frame);
            }
        }
    }

    pub(crate) fn process(&mut self) -> Option<&mut Process> {
        match &mut self.stage {
            Stage::Process { process, .. } => Some(process),
            Stage::Due { .. } | Stage::Quarantined => None,
        }
    }

    /// The threads that its process may have.
    pub(crate) fn threads_max(&self) -> u32 {
        self.spec.threads_max.saturating_add(self.threads_more)
    }

    /// Whether its next process is to be started now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Due { at, .. } if at <= now)
    }

    /// What it takes up by its limits, while it has a process.
    pub(crate) fn taken(&self) -> Taken {
        match self.stage {
            Stage::Process { .. } => self.needs(),
            Stage::Due { .. } | Stage::Quarantined => Taken::default(),
        }
    }

    /// What a process of it takes up by its limits.
    pub(crate) fn needs(&self) -> Taken {
        let (threads, memory_bytes) = (u64::from(self.spec.threads_max), self.spec.memory_bytes_max);
        Taken { workers: 1, threads, memory_bytes }
    }

    pub(crate) fn status(&self) -> WorkerStatus {
        let (state, process) = match &self.stage {
            Stage::Due { is_back_off: true, .. } => (WorkerState::BackingOff, None),
            Stage::Due { reason, .. } => (WorkerState::Waiting { reason: *reason }, None),
            Stage::Process { process, is_ending: true } => (WorkerState::Ending, Some(process)),
            Stage::Process { process, is_ending: false } => match process.turns.has_greeted() {
                true => (WorkerState::Running, Some(process)),
                false => (WorkerState::Starting, Some(process)),
            },
            Stage::Quarantined => (WorkerState::Quarantined, None),
        };
        let stat =
            process.map(|process| crate::process::Stat::of(process.pid).unwrap_or(process.stat)).unwrap_or_default();
        WorkerStatus {
            worker: self.id,
            tenant: self.spec.tenant.clone(),
            role: self.spec.role,
            state,
            pid: process.map(|process| process.pid),
            cpu_ms: self.cpu_ms_before.saturating_add(stat.cpu_ms()),
            memory_bytes: stat.resident_bytes(),
            threads: stat.threads,
            descriptors: process.and_then(|process| crate::process::descriptors(process.pid)),
            restarts: self.restarts,
            walls: self.walls.clone(),
            last_cause: self.last_cause.clone(),
            last_words: match process.filter(|process| !process.words.is_empty()) {
                Some(process) => process.words.line(),
                None => self.last_words.clone(),
            },
            queries: self.queries.keys().copied().collect(),
            in_bytes: process.map_or(0, |process| process.budget.bytes()),
            out_bytes: process.map_or(0, |process| process.out_bytes()),
            is_throttled: process.is_some_and(|process| process.is_out_of_room || process.quiet_until.is_some()),
            lines_dropped: self.lines_dropped,
            disk: self.disk,
        }
    }
}
