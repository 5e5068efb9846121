//! What a worker is given before it confines itself.

use bincode::{Decode, Encode};
use weir_confine::Confinement;
use weir_trace::Sampler;

use crate::{WorkerError, form};

/// The settings of a worker or reader: the bytes in [`Welcome`](weir_frame::ToWorker::Welcome).
#[derive(Clone, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct WorkerSettings {
    /// The tenant whose queries run, or the group of tenants; empty for a reader, which has none yet. Whose a query is comes with it.
    pub tenant: String,
    /// What the process may still do. The parent and the inherited descriptors are added by the process.
    pub confinement: Confinement,
    /// Cores that its queries use at once, 1 at least. The runtime has a thread for each, and one more: a thread without work waits for
    /// events of the system, and waking it takes ten times as long as waking one that waits for work only. With two threads on two
    /// cores, each batch that goes from one task to another would wake that one.
    pub cores: u32,
    /// Threads for what blocks: file reads, syncs, compilation. 1 at least.
    pub blocking_threads_max: u32,
    /// Instances that its queries hold at once, at most. Its pool is no larger than its tenants' limits allow.
    pub instances_max: u32,
    /// How long a query may take to end after it was asked to stop, in milliseconds. Then it is ended by force, and says what it had
    /// not finished. `None`: without limit.
    pub stop_ms_max: Option<u64>,
    /// Which batches are traced; `None` for none.
    pub sampler: Option<Sampler>,
    /// Bytes of records that wait in the queues of all its queries.
    pub buffer_bytes_max: u64,
    /// CPU time that the process may use, in percent of one core, by its own clock.
    pub cpu_percent_max: Option<u32>,
    /// What processes before it have used beyond that.
    pub cpu_debt: std::time::Duration,
    /// What is logged, in the form of `WEIR_LOG`.
    pub log_filter: String,
}

impl WorkerSettings {
    /// Instances of a worker at most.
    pub const INSTANCES_MAX: u32 = 1_000;

    /// With the defaults: all cores of the machine, warnings and lines of guests.
    pub fn new(tenant: impl Into<String>, confinement: Confinement) -> WorkerSettings {
        WorkerSettings {
            tenant: tenant.into(),
            confinement,
            cores: std::thread::available_parallelism()
                .map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX)),
            blocking_threads_max: 16,
            instances_max: WorkerSettings::INSTANCES_MAX,
            stop_ms_max: None,
            sampler: None,
            buffer_bytes_max: 256 << 20,
            cpu_percent_max: None,
            cpu_debt: std::time::Duration::ZERO,
            log_filter: "warn,guest=info".to_owned(),
        }
    }

    /// Threads for what blocks, for this number of queries: reads of files, sinks, letters and state of each.
    #[must_use]
    pub fn for_queries(mut self, queries: usize) -> WorkerSettings {
        const OF_A_QUERY: u32 = 12;
        const OTHERS: u32 = 4;
        let queries = u32::try_from(queries).unwrap_or(u32::MAX).max(1);
        self.blocking_threads_max = queries.saturating_mul(OF_A_QUERY).saturating_add(OTHERS);
        self
    }

    /// Bounds the cores by a share of one core in percent, where there is such a limit.
    #[must_use]
    pub fn within_cpu_percent(mut self, percent_max: Option<u32>) -> WorkerSettings {
        self.cores = percent_max.map_or(self.cores, |percent| self.cores.min(percent.div_ceil(100))).max(1);
        self
    }

    /// The most threads that a process of these settings has, beside those of Kafka's client: the receiving one, the ticker, one that loads
    /// better code for each module, the runtime's and those for guests, and those for what blocks.
    pub fn threads_max(&self) -> u32 {
        const OTHERS: u32 = 2 + 8;
        self.cores.saturating_add(1).saturating_mul(2).saturating_add(self.blocking_threads_max).saturating_add(OTHERS)
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
