//! What can be seen of workers.

use weir_frame::{QueryId, WallReport, WorkerId, WorkerRole};

use crate::{DiskUse, EndCause, WaitReason};

/// A worker, as its supervisor sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its number.
    pub worker: WorkerId,
    /// Its tenant.
    pub tenant: String,
    /// What it is for.
    pub role: WorkerRole,
    /// What it does now.
    pub state: WorkerState,
    /// Its process, while there is one.
    pub pid: Option<u32>,
    /// CPU time of all its processes so far.
    pub cpu_ms: u64,
    /// Memory in RAM now.
    pub memory_bytes: u64,
    /// Threads now.
    pub threads: u64,
    /// Descriptors now; `None` where the supervisor may not know.
    pub descriptors: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// The walls that its process says hold.
    pub walls: Vec<WallReport>,
    /// Why its last process ended.
    pub last_cause: Option<EndCause>,
    /// The last line that its last process wrote, or the one before; escaped.
    pub last_words: String,
    /// The queries that it was given and has not ended.
    pub queries: Vec<QueryId>,
    /// Bytes of its frames and lines that wait to be taken.
    pub in_bytes: usize,
    /// Bytes of frames that it has not read.
    pub out_bytes: usize,
    /// Whether its socket is not read at present, because it sends more than it may.
    pub is_throttled: bool,
    /// Lines that were dropped.
    pub lines_dropped: u64,
    /// What its tenant's folders held when they were last counted; `None` where they have no limit, or were not counted yet.
    pub disk: Option<DiskUse>,
}

/// What a worker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkerState {
    /// Not started yet.
    Waiting {
        /// Why; `None` where it is about to be.
        reason: Option<WaitReason>,
    },
    /// Started, and not heard of.
    Starting,
    /// Confined, and at work or ready for it.
    Running,
    /// Asked to end.
    Ending,
    /// Crashed; started again after a wait.
    BackingOff,
    /// Not started again until its tenant is released.
    Quarantined,
}

impl std::fmt::Display for WorkerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WorkerState::Waiting { reason: Some(reason) } => write!(f, "waiting: {reason}"),
            WorkerState::Waiting { reason: None } => f.write_str("waiting"),
            WorkerState::Starting => f.write_str("starting"),
            WorkerState::Running => f.write_str("running"),
            WorkerState::Ending => f.write_str("ending"),
            WorkerState::BackingOff => f.write_str("backing off"),
            WorkerState::Quarantined => f.write_str("quarantined"),
        }
    }
}

/// What a supervisor found of the machine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SupervisorStatus {
    /// How CPU time is divided.
    pub cpu: crate::CpuWay,
    /// Memory that all workers together may have.
    pub memory_bytes_max: u64,
    /// Workers that there are descriptors for.
    pub workers_max_by_descriptors: u64,
    /// Threads that all workers together may have.
    pub threads_max: u64,
    /// Processes of an earlier supervisor that were ended at the start.
    pub orphans_ended: usize,
    /// Tenants in quarantine, each with the reason.
    pub quarantined: Vec<(String, String)>,
}
