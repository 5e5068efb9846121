//! A query that somebody observes and steers, wherever it runs.

use super::details::Details;
use super::handle::QueryHandle;
use super::metrics::CommittedMetric;
use super::progress::{Progress, QueryState};

/// A running query: one of this process ([`QueryHandle`]), or one of a worker process. The admin interface, metrics and the
/// progress line take any of them. No method blocks.
pub trait RunningQuery: Send + Sync {
    /// The query's name.
    fn query(&self) -> &str;

    /// Its tenant.
    fn tenant(&self) -> &str;

    /// What it does now.
    fn state(&self) -> QueryState;

    /// What it has done so far.
    fn progress(&self) -> Progress;

    /// How it has spent its time, and what waits in it.
    fn details(&self) -> Details;

    /// What its functions recorded in batches that are committed. Costs a copy of every series.
    fn metrics(&self) -> Vec<CommittedMetric>;

    /// Asks it to read no more, to finish what it has, to commit and to end.
    fn stop(&self);

    /// Asks it to read no more until [`RunningQuery::resume`].
    fn pause(&self);

    /// Asks it to continue reading.
    fn resume(&self);

    /// The process that it runs in.
    fn process(&self) -> u32;

    /// The number of the worker that it runs in; `None` for one that runs in the process that asks.
    fn worker(&self) -> Option<u64> {
        None
    }
}

impl RunningQuery for QueryHandle {
    fn query(&self) -> &str {
        QueryHandle::query(self)
    }

    fn tenant(&self) -> &str {
        QueryHandle::tenant(self)
    }

    fn state(&self) -> QueryState {
        QueryHandle::state(self)
    }

    fn progress(&self) -> Progress {
        QueryHandle::progress(self)
    }

    fn details(&self) -> Details {
        QueryHandle::details(self)
    }

    fn metrics(&self) -> Vec<CommittedMetric> {
        QueryHandle::metrics(self)
    }

    fn stop(&self) {
        QueryHandle::stop(self);
    }

    fn pause(&self) {
        QueryHandle::pause(self);
    }

    fn resume(&self) {
        QueryHandle::resume(self);
    }

    fn process(&self) -> u32 {
        std::process::id()
    }
}
