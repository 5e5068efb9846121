//! What a worker is given before it confines itself.

use bincode::{Decode, Encode};
use weir_confine::Confinement;

use crate::{WorkerError, form};

/// The settings of a worker or reader: the bytes in [`Welcome`](weir_frame::ToWorker::Welcome).
#[derive(Clone, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// The tenant whose queries run; empty for a reader, which has none yet.
    pub tenant: String,
    /// What the process may still do. The parent and the inherited descriptors are added by the process.
    pub confinement: Confinement,
    /// Threads that run queries, 1 at least.
    pub threads: u32,
    /// Threads for what blocks: file reads, syncs, compilation. 1 at least.
    pub blocking_threads_max: u32,
    /// Instances that its queries hold at once.
    pub instances_max: u32,
    /// How long a query may take to end after it was asked to stop, in milliseconds. Then it is ended by force, and says what it had
    /// not finished. `None`: without limit.
    pub stop_ms_max: Option<u64>,
    /// What is logged, in the form of `WEIR_LOG`.
    pub log_filter: String,
}

impl WorkerSettings {
    /// With the defaults: two threads, warnings and lines of guests.
    pub fn new(tenant: impl Into<String>, confinement: Confinement) -> WorkerSettings {
        WorkerSettings {
            tenant: tenant.into(),
            confinement,
            threads: 2,
            blocking_threads_max: 64,
            instances_max: 64,
            stop_ms_max: None,
            log_filter: "warn,guest=info".to_owned(),
        }
    }

    /// Their bytes.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`]: a path that is no UTF-8.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WorkerError> {
        form::encode("settings of a worker", self)
    }

    /// The settings of bytes.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`].
    pub fn from_bytes(bytes: &[u8]) -> Result<WorkerSettings, WorkerError> {
        form::decode("settings of a worker", bytes)
    }
}
