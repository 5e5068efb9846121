//! What a supervisor refuses.

use std::io;
use std::path::PathBuf;

use weir_fault::Fault;
use weir_frame::{FrameError, WorkerId};

/// A request to the supervisor that it does not fulfil.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TenancyError {
    /// The system refused something of the supervisor's own.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another supervisor holds the registry.
    #[error("{path}: another supervisor uses this registry; end it, or set another folder")]
    RegistryInUse {
        /// The folder.
        path: PathBuf,
    },
    /// Processes of an earlier supervisor did not end.
    #[error(
        "{count} processes of an earlier supervisor do not end (first: process {first}); end them, then start again"
    )]
    OrphansRemain {
        /// How many.
        count: usize,
        /// The id of one.
        first: u32,
    },
    /// There is no such worker.
    #[error("{worker} does not exist, or has ended")]
    UnknownWorker {
        /// The number.
        worker: WorkerId,
    },
    /// A frame that cannot be sent to this worker.
    #[error("{worker}: {source}")]
    Frame {
        /// The worker.
        worker: WorkerId,
        /// Why not.
        source: FrameError,
    },
    /// The worker has not read what was sent before.
    #[error("{worker}: {bytes} bytes of frames wait to be read: the maximum is {bytes_max}")]
    Backlog {
        /// The worker.
        worker: WorkerId,
        /// What waits, with the frame.
        bytes: usize,
        /// The most.
        bytes_max: usize,
    },
    /// The limit of a worker can never be met.
    #[error(
        "memory of a worker of tenant {tenant}: {bytes} bytes, but all workers together have {bytes_max}; lower its limit, or set overcommit"
    )]
    NeverFits {
        /// The tenant.
        tenant: String,
        /// Its limit.
        bytes: u64,
        /// What there is.
        bytes_max: u64,
    },
    /// The tenant is in quarantine.
    #[error("tenant {tenant} is in quarantine: {reason}; release it when the cause is known")]
    Quarantined {
        /// The tenant.
        tenant: String,
        /// Why.
        reason: String,
    },
    /// A setting of a worker is out of range.
    #[error("{key}: {found} is out of range: expected {expected}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// What it is.
        found: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// A network that is none.
    #[error(
        "allowed_networks: {network} is not a network; expected an address, or an address with bits, for example 10.1.0.0/16"
    )]
    InvalidNetwork {
        /// What it is, escaped.
        network: String,
    },
    /// The book of users makes no sense.
    #[error(
        "{path}, line {line}: expected a user id and a tenant that no other line has; restore the file, which says whose files are whose"
    )]
    Users {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// No user id is left.
    #[error("tenant {tenant} gets no user: all ids from {} to {last} are other tenants'; set a larger range (`uids`)", .first.saturating_add(1))]
    NoUserLeft {
        /// The tenant.
        tenant: String,
        /// The first id of the range, which is for processes without a tenant.
        first: u32,
        /// The last one.
        last: u32,
    },
    /// This process cannot start processes of other users.
    #[error(
        "`uids` needs the capabilities CAP_SETUID, CAP_SETGID and CAP_KILL, and CAP_CHOWN with `chown`; grant them, or remove `uids`"
    )]
    Unprivileged,
    /// The supervisor has ended.
    #[error("the supervisor has ended")]
    HasEnded,
}

impl TenancyError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            TenancyError::Io { .. }
            | TenancyError::RegistryInUse { .. }
            | TenancyError::OrphansRemain { .. }
            | TenancyError::NeverFits { .. }
            | TenancyError::OutOfRange { .. }
            | TenancyError::Users { .. }
            | TenancyError::NoUserLeft { .. }
            | TenancyError::Unprivileged
            | TenancyError::InvalidNetwork { .. } => Fault::External,
            TenancyError::Quarantined { .. } | TenancyError::Backlog { .. } => Fault::Tenant,
            TenancyError::UnknownWorker { .. } | TenancyError::Frame { .. } | TenancyError::HasEnded => Fault::Internal,
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            TenancyError::Backlog { .. } | TenancyError::RegistryInUse { .. } | TenancyError::OrphansRemain { .. }
        )
    }
}
