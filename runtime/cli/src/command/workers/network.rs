//! The connector of a run: the process through which workers reach brokers.

use std::collections::BTreeMap;

use weir_confine::Wall;
use weir_frame::WorkerId;
use weir_tenancy::{AfterEnd, EndCause, LastWords, Supervisor};

use super::start;

/// Threads that a worker may have for each client of Kafka: librdkafka has one for each broker, and some of its own.
const THREADS_A_CLIENT: u32 = 128;

/// Threads that clients of one worker may have, whatever it says of its queries.
const THREADS_MAX: u32 = 16_384;

/// The connector, once a query needs the network.
#[derive(Default)]
pub(super) struct Connector {
    worker: Option<WorkerId>,
    /// Clients of each worker.
    clients: BTreeMap<WorkerId, u32>,
}

impl Connector {
    /// A query of this worker has clients of Kafka: starts the connector, where it does not run, and lets the worker have their threads.
    pub(super) fn needed(&mut self, supervisor: &Supervisor, worker: WorkerId, clients: usize, given_up: &[Wall]) {
        let all = self.clients.entry(worker).or_default();
        *all = all.saturating_add(u32::try_from(clients).unwrap_or(u32::MAX));
        if let Err(error) = supervisor.allow_threads(worker, all.saturating_mul(THREADS_A_CLIENT).min(THREADS_MAX)) {
            tracing::warn!("{worker} may have no more threads: {error}");
        }
        if self.worker.is_some() {
            return;
        }
        match supervisor.start(start::connector(given_up)) {
            Ok(worker) => self.worker = Some(worker),
            Err(error) => tracing::error!("the connector is not started, so that no worker reaches a broker: {error}"),
        }
    }

    pub(super) fn is(&self, worker: WorkerId) -> bool {
        self.worker == Some(worker)
    }

    /// It has confined itself. Without a required wall it is ended again, and stays so.
    pub(super) fn greeted(&self, supervisor: &Supervisor, missing: &[Wall]) {
        if missing.is_empty() {
            return;
        }
        let walls = missing.iter().map(|wall| wall.name()).collect::<Vec<_>>().join(",");
        tracing::error!(
            "the connector is not confined, so that no worker reaches a broker: this kernel lacks {walls}; use a newer kernel, or give that up with `--allow-weak={walls}`"
        );
        self.end(supervisor);
    }

    /// Its process has ended.
    pub(super) fn ended(&self, cause: &EndCause, words: &LastWords, next: AfterEnd) {
        let words = words.line();
        let words = if words.is_empty() { words } else { format!("; it wrote: {words}") };
        match next {
            AfterEnd::Restart { in_ms } => tracing::warn!(
                "the connector {cause}{words}; it is started again in {in_ms} ms, and connections that are open go on"
            ),
            AfterEnd::Quarantine => {
                tracing::error!("the connector {cause}{words}; no worker reaches a broker any more")
            }
            _ => tracing::debug!("the connector {cause}{words}"),
        }
    }

    pub(super) fn end(&self, supervisor: &Supervisor) {
        let Some(worker) = self.worker else { return };
        if let Err(error) = supervisor.end(worker, std::time::Duration::ZERO) {
            tracing::debug!("{worker}: {error}");
        }
    }
}
