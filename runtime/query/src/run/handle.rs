//! A running query, seen and steered from outside.

use std::sync::Arc;

use tokio::sync::watch;
use weir_batch::CopyOnWrite;

use super::counters::Counters;
use super::details::Details;
use super::metrics::{CommittedMetric, CommittedMetrics};
use super::progress::{Progress, QueryState};
use weir_trace::TraceCounters;

/// Watches a query, pauses and stops it, from any thread; outlives it.
#[derive(Clone)]
pub struct QueryHandle {
    pub(super) query: Arc<str>,
    pub(super) tenant: Arc<str>,
    pub(super) counters: Arc<Counters>,
    pub(super) metrics: Arc<CommittedMetrics>,
    pub(super) copy_on_write: Arc<CopyOnWrite>,
    // Where it is traced.
    pub(super) traces: Option<Arc<TraceCounters>>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) pause: watch::Sender<bool>,
}

impl QueryHandle {
    /// The query's name.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Its tenant.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What the query is about.
    pub fn state(&self) -> QueryState {
        match self.counters.state() {
            QueryState::Running if *self.stop.borrow() => QueryState::Draining,
            QueryState::Running if *self.pause.borrow() => QueryState::Paused,
            state => state,
        }
    }

    /// What the query has done so far.
    pub fn progress(&self) -> Progress {
        let mut progress = self.counters.progress();
        progress.state = self.state();
        if progress.state.is_over() {
            progress.sources.iter_mut().for_each(|source| source.extent = None);
        }
        progress
    }

    /// Waits until something happens in the query: until it takes something in, commits, changes its state, or is steered. Returns
    /// at once if that happened since this was awaited last. For one that watches; of several, one sees it. What sinks do afterwards
    /// with what was taken in does not count: look again a while later.
    pub async fn stirred(&self) {
        self.counters.stirred().await;
    }

    /// How the query has spent its time, and what waits in it.
    pub fn details(&self) -> Details {
        self.counters.details(&self.copy_on_write, self.traces.as_ref().map(|traces| traces.read()))
    }

    /// What its functions recorded in batches that are committed. Costs a copy of every series.
    pub fn metrics(&self) -> Vec<CommittedMetric> {
        self.metrics.read()
    }

    /// Asks the query to take in no more, to finish what it has, to commit and to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
        self.counters.stir();
    }

    /// Asks the query to read no more until [`QueryHandle::resume`]. What it has taken in goes on to the sinks, and
    /// commits go on in their time.
    pub fn pause(&self) {
        self.pause.send_replace(true);
        self.counters.stir();
    }

    /// Asks the query to go on reading.
    pub fn resume(&self) {
        self.pause.send_replace(false);
        self.counters.stir();
    }
}
