//! A query of a worker, as its supervisor observes and steers it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_query::{CommittedMetric, Details, Progress, QueryState, RunningQuery};

use crate::{QueryAccount, QueryReport};

/// A report that is older than this is asked for again when somebody looks.
const FRESH: Duration = Duration::from_millis(100);

/// What a supervisor says to a worker about one of its queries. Must not block.
pub trait QueryLine: Send + Sync {
    /// Asks for a report.
    fn look(&self);
    /// Asks the query to pause.
    fn pause(&self);
    /// Asks the query to continue.
    fn resume(&self);
    /// Asks the query to stop.
    fn stop(&self);
    /// The worker's process, 0 while there is none.
    fn process(&self) -> u32;
}

/// A query that runs in a worker: what the worker last reported about it. Name and tenant are the supervisor's own.
pub struct RemoteQuery {
    query: String,
    tenant: String,
    line: Arc<dyn QueryLine>,
    known: Mutex<Known>,
}

struct Known {
    report: QueryReport,
    // What it was last asked, or told, where that is more than its report knows.
    state: Option<QueryState>,
    looked: Option<Instant>,
}

impl RemoteQuery {
    /// A query that was not reported on yet.
    pub fn new(query: String, tenant: String, line: Arc<dyn QueryLine>) -> RemoteQuery {
        let details = Details::default();
        let report = QueryReport::new(Progress::default(), details, Vec::new());
        let known = Mutex::new(Known { report, state: Some(QueryState::Starting), looked: None });
        RemoteQuery { query, tenant, line, known }
    }

    /// Takes a report of its worker.
    pub fn reported(&self, report: QueryReport) {
        let mut known = self.known();
        known.report = report;
        if !known.state.is_some_and(QueryState::is_over) {
            known.state = None;
        }
    }

    /// Takes the state that it is in where no report says it: it starts again, or its worker has ended.
    pub fn is_now(&self, state: QueryState) {
        self.known().state = Some(state);
    }

    /// Takes the account of its end.
    pub fn ended(&self, account: &QueryAccount) {
        let mut known = self.known();
        if let Some(summary) = &account.summary {
            known.report.progress = summary.progress.clone();
        }
        known.state = Some(if account.failure.is_some() { QueryState::Failed } else { QueryState::Ended });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is one assignment after another of plain values.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, and a question for more where that is old.
    fn look(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known();
        let over = known.state.is_some_and(QueryState::is_over);
        if !over && known.looked.is_none_or(|looked| looked.elapsed() >= FRESH) {
            known.looked = Some(Instant::now());
            self.line.look();
        }
        known
    }
}

impl RunningQuery for RemoteQuery {
    fn query(&self) -> &str {
        &self.query
    }

    fn tenant(&self) -> &str {
        &self.tenant
    }

    fn state(&self) -> QueryState {
        let known = self.look();
        known.state.unwrap_or(known.report.progress.state)
    }

    fn progress(&self) -> Progress {
        let known = self.look();
        let mut progress = known.report.progress.clone();
        progress.state = known.state.unwrap_or(progress.state);
        progress
    }

    fn details(&self) -> Details {
        self.look().report.details.clone()
    }

    fn metrics(&self) -> Vec<CommittedMetric> {
        self.look().report.metrics.clone()
    }

    fn stop(&self) {
        self.line.stop();
    }

    fn pause(&self) {
        self.line.pause();
    }

    fn resume(&self) {
        self.line.resume();
    }

    fn process(&self) -> u32 {
        self.line.process()
    }
}
