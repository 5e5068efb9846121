//! What the supervisor says to a worker about a query.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc::UnboundedSender;
use weir_frame::{QueryId, Steering, ToWorker, WorkerId};
use weir_tenancy::Supervisor;
use weir_worker::QueryLine;

/// The way to one query of a worker.
pub(super) struct Line {
    /// Gone once the run is over.
    pub(super) supervisor: Weak<Supervisor>,
    pub(super) worker: WorkerId,
    pub(super) query: QueryId,
    /// The worker's process, 0 while there is none.
    pub(super) process: Arc<AtomicU32>,
    /// Tells the host of a stop: between two processes of the worker nobody else would hear of it.
    pub(super) stops: UnboundedSender<QueryId>,
    /// Whether the query is to stop, also when its worker is started again.
    pub(super) stopped: AtomicBool,
    /// Whether it is to pause, likewise.
    pub(super) paused: AtomicBool,
}

impl Line {
    fn send(&self, frame: ToWorker) {
        // A worker that is not there now learns it from its supervisor's side when it is.
        let Some(supervisor) = self.supervisor.upgrade() else { return };
        if let Err(error) = supervisor.send(self.worker, frame) {
            tracing::debug!("{} was not reached: {error}", self.worker);
        }
    }

    fn steer(&self, steering: Steering) {
        self.send(ToWorker::Steer { query: self.query, steering });
    }
}

impl QueryLine for Line {
    fn look(&self) {
        // Whoever looks at a thousand queries does not wait for each.
        if let Some(supervisor) = self.supervisor.upgrade() {
            supervisor.post(self.worker, ToWorker::Look { query: self.query });
        }
    }

    fn pause(&self) {
        self.paused.store(true, Ordering::Relaxed);
        self.steer(Steering::Pause);
    }

    fn resume(&self) {
        self.paused.store(false, Ordering::Relaxed);
        self.steer(Steering::Resume);
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.steer(Steering::Stop);
        // The run may be over.
        self.stops.send(self.query).ok();
    }

    fn process(&self) -> u32 {
        self.process.load(Ordering::Relaxed)
    }

    fn worker(&self) -> u64 {
        self.worker.0
    }
}
