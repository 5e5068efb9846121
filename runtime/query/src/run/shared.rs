//! What all attempts of a query share with each other, and with whoever watches it.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use weir_batch::CopyOnWrite;

use super::counters::Counters;
use super::guest_log::LogExporter;
use super::handle::QueryHandle;
use super::ids::{Nodes, SourceId};
use super::metrics::CommittedMetrics;
use weir_plan::Plan;
use weir_sandbox::CpuPace;
use weir_sinks::TransactionSlot;
use weir_sources::{Buffers, FileSource};
use weir_state::Positions;
use weir_trace::{TraceCounters, Tracing};

/// Outlives every attempt, and never changes but for its counters.
pub(super) struct Shared {
    pub(super) plan: Arc<Plan>,
    /// The threads that its file sources may read with.
    pub(super) readers: Arc<Semaphore>,
    /// What its transactions are called by, where the file does not say.
    pub(super) slot: Arc<TransactionSlot>,
    pub(super) counters: Arc<Counters>,
    /// What the metrics' registry has counted, wherever that is.
    pub(super) metrics: Arc<CommittedMetrics>,
    pub(super) copy_on_write: Arc<CopyOnWrite>,
    /// What its queues may hold together with those of other queries.
    pub(super) buffers: Option<Buffers>,
    /// What CPU time its process may use.
    pub(super) pace: Option<CpuPace>,
    pub(super) tracing: Option<Tracing>,
    pub(super) logs: Option<Arc<dyn LogExporter>>,
    pub(super) trace_counters: Arc<TraceCounters>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) pause: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn new(plan: Plan, metrics: Arc<CommittedMetrics>) -> Shared {
        Shared {
            readers: Arc::new(Semaphore::new(FileSource::THREADS_MAX)),
            slot: Arc::default(),
            counters: Arc::new(Counters::of(&plan)),
            metrics,
            copy_on_write: Arc::new(CopyOnWrite::default()),
            buffers: None,
            pace: None,
            tracing: None,
            logs: None,
            trace_counters: Arc::new(TraceCounters::default()),
            stop: watch::Sender::new(false),
            pause: watch::Sender::new(false),
            plan: Arc::new(plan),
        }
    }

    pub(super) fn handle(&self) -> QueryHandle {
        QueryHandle {
            query: self.plan.name.as_str().into(),
            tenant: self.plan.tenant.as_str().into(),
            counters: Arc::clone(&self.counters),
            metrics: Arc::clone(&self.metrics),
            copy_on_write: Arc::clone(&self.copy_on_write),
            traces: self.tracing.as_ref().map(|_| Arc::clone(&self.trace_counters)),
            stop: self.stop.clone(),
            pause: self.pause.clone(),
        }
    }

    /// Where each source goes on after the last commit of this run.
    pub(super) fn committed(&self) -> Nodes<SourceId, Positions> {
        self.counters.sources.iter().map(|source| source.place.committed()).collect()
    }

    /// Whether the query is to stop.
    pub(super) fn is_to_stop(&self) -> bool {
        *self.stop.borrow()
    }
}
