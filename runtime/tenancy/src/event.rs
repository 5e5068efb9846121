//! What a supervisor tells whoever runs it.

use std::fmt;

use weir_frame::{FromWorker, QueryId, WallReport, WorkerId};

use crate::LastWords;
use crate::budget::Counted;

/// Something that happened to a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum TenancyEvent {
    /// A process was started.
    Spawned {
        /// The worker.
        worker: WorkerId,
        /// Its process.
        pid: u32,
        /// How often it was started before.
        restarts: u32,
    },
    /// The process has confined itself and can be given work.
    Greeted {
        /// The worker.
        worker: WorkerId,
        /// The walls that it says hold.
        walls: Vec<WallReport>,
    },
    /// The worker cannot be started now, and is when it can.
    Waits {
        /// The worker.
        worker: WorkerId,
        /// What it waits for.
        reason: WaitReason,
    },
    /// A frame, in its turn.
    Frame {
        /// The worker.
        worker: WorkerId,
        /// The frame. Counts against the worker's budget until it is dropped.
        frame: Counted<FromWorker>,
    },
    /// A line that the worker wrote: escaped, cut, with time, tenant and worker before it.
    Line {
        /// The worker.
        worker: WorkerId,
        /// The line. Counts against the worker's budget until it is dropped.
        line: Counted<String>,
    },
    /// Lines beyond the worker's rate were dropped.
    LinesDropped {
        /// The worker.
        worker: WorkerId,
        /// How many lines, since the last such event.
        lines: u64,
    },
    /// A process has ended.
    Ended {
        /// The worker.
        worker: WorkerId,
        /// Its tenant.
        tenant: String,
        /// Why.
        cause: EndCause,
        /// What it wrote first and last.
        last_words: LastWords,
        /// The queries that it had been given and had not ended.
        held: Vec<QueryId>,
        /// What comes next.
        next: AfterEnd,
    },
}

/// Why a worker is not started yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitReason {
    /// The memory limits of all workers and of this one do not fit into what there is.
    Memory {
        /// The limit of this one.
        bytes: u64,
        /// What is left.
        bytes_left: u64,
    },
    /// There are as many workers as the system has descriptors, threads or processes for.
    Workers {
        /// How many fit.
        workers_max: u64,
        /// What is short.
        short_of: Scarce,
    },
    /// A process of the tenant, perhaps of an earlier supervisor, still holds the lock of its folder.
    Locked,
    /// The system did not start it; it is tried again.
    NotStarted,
}

/// What decides how many workers fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scarce {
    /// Descriptors of the supervisor (`RLIMIT_NOFILE`).
    Descriptors,
    /// Threads of the system (`threads-max`, `pid_max`).
    Threads,
    /// Processes and threads of the supervisor's cgroup (`pids.max`).
    Pids,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitReason::Memory { bytes, bytes_left } => {
                write!(f, "its memory limit is {bytes} bytes, and {bytes_left} are left for workers")
            }
            WaitReason::Workers { workers_max, short_of } => {
                let of = match short_of {
                    Scarce::Descriptors => "descriptors of the supervisor (RLIMIT_NOFILE)",
                    Scarce::Threads => "threads of the system (threads-max, pid_max)",
                    Scarce::Pids => "processes of the control group (pids.max)",
                };
                write!(f, "{workers_max} workers run, as many as there are {of} for")
            }
            WaitReason::Locked => f.write_str("another process holds the lock of the tenant's folder"),
            WaitReason::NotStarted => f.write_str("the system does not start its process"),
        }
    }
}

/// Why a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndCause {
    /// It was asked to.
    Asked,
    /// By itself, with this code.
    Exited {
        /// The code.
        code: i32,
    },
    /// By a signal that the supervisor did not send.
    Signal {
        /// Its number.
        signal: i32,
        /// Its name: `ABRT`.
        name: String,
    },
    /// It had no more memory: it aborted over an allocation, or the kernel killed it.
    Memory,
    /// It made a system call that no worker ever makes (`SIGSYS`).
    Intrusion,
    /// Ended: it sent what no worker sends.
    Garbage {
        /// What.
        reason: String,
    },
    /// Ended: it holds work and did none of it.
    Stalled {
        /// For how long.
        for_ms: u64,
    },
    /// Ended: it did not say hello.
    Silent,
    /// Ended: it has too many threads.
    TooManyThreads {
        /// How many.
        threads: u64,
        /// The most.
        threads_max: u32,
    },
    /// Ended: the folders of its tenant hold more than they may, by a tenth.
    OverDisk {
        /// What is too much.
        excess: DiskExcess,
    },
    /// Ended: it was asked to end, and did not within the grace.
    Overdue,
    /// Ended: it closed its socket.
    SocketClosed,
    /// Ended: it could not be placed in its control group.
    NotPlaced,
    /// Ended: its tenant has broken into another worker.
    TenantQuarantined,
}

impl fmt::Display for EndCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndCause::Asked => f.write_str("ended as asked"),
            EndCause::Exited { code } => write!(f, "ended by itself with code {code}"),
            EndCause::Signal { signal, name } => write!(f, "ended by signal {signal} ({name})"),
            EndCause::Memory => f.write_str("ended for want of memory"),
            EndCause::Intrusion => f.write_str("intrusion: it made a system call that no worker makes"),
            EndCause::Garbage { reason } => write!(f, "was ended: it sent {reason}"),
            EndCause::Stalled { for_ms } => write!(f, "was ended: no progress on work at hand for {for_ms} ms"),
            EndCause::Silent => f.write_str("was ended: it did not say hello"),
            EndCause::TooManyThreads { threads, threads_max } => {
                write!(f, "was ended: {threads} threads, where the maximum is {threads_max}")
            }
            EndCause::OverDisk { excess } => write!(f, "was ended: {excess}"),
            EndCause::Overdue => f.write_str("was ended: it did not end within the grace time"),
            EndCause::SocketClosed => f.write_str("was ended: it closed its control socket"),
            EndCause::TenantQuarantined => f.write_str("was ended: its tenant is in quarantine"),
            EndCause::NotPlaced => f.write_str("was ended: it could not be put into its control group"),
        }
    }
}

/// What the folders of a tenant hold too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskExcess {
    /// Bytes.
    Bytes {
        /// How many were counted.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Files and folders.
    Files {
        /// How many were counted.
        files: u64,
        /// The limit.
        files_max: u64,
    },
    /// Levels of folders.
    Depth {
        /// The limit, which is not the tenant's but that of the count.
        levels_max: u64,
    },
}

impl fmt::Display for DiskExcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DiskExcess::Bytes { bytes, bytes_max } => {
                write!(f, "its folders hold {bytes} bytes or more, where the maximum is {bytes_max}")
            }
            DiskExcess::Files { files, files_max } => {
                write!(f, "its folders hold {files} files or more, where the maximum is {files_max}")
            }
            DiskExcess::Depth { levels_max } => write!(f, "its folders are nested deeper than {levels_max} levels"),
        }
    }
}

/// What a supervisor does after a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AfterEnd {
    /// It is started again after this time, and given the queries that it held.
    Restart {
        /// The time.
        in_ms: u64,
    },
    /// The tenant is in quarantine: nothing of it is started until it is released.
    Quarantine,
    /// It is gone: it was asked to end, or held nothing.
    Gone,
}
