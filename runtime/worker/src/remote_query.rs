//! A query of a worker, as its supervisor observes and steers it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_query::{CommittedMetric, Details, Progress, QueryState, RunningQuery};

use crate::{QueryAccount, QueryReport};

/// A report that is older than this is asked for again when somebody looks.
/// Less than the time for which a query must have read nothing to count as paused.
const FRESH: Duration = Duration::from_millis(25);

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
    /// The worker's process, 0 while it has none.
    fn process(&self) -> u32;
    /// The worker's number.
    fn worker(&self) -> u64;
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
    // The state that it is in where no report says it.
    state: Option<QueryState>,
    // What it was asked, which its last report may not know.
    is_to_pause: bool,
    is_to_stop: bool,
    looked: Option<Instant>,
}

impl RemoteQuery {
    /// A query that was not reported on yet.
    pub fn new(query: String, tenant: String, line: Arc<dyn QueryLine>) -> RemoteQuery {
        let details = Details::default();
        let report = QueryReport::new(Progress::default(), details, Vec::new());
        let known = Mutex::new(Known {
            report,
            state: Some(QueryState::Starting),
            is_to_pause: false,
            is_to_stop: false,
            looked: None,
        });
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

impl Known {
    /// The last report, in the state that the query was asked to be in. Until its worker says that it is, it counts as not settled: it has
    /// records that are not committed.
    fn progress(&self) -> Progress {
        let mut progress = self.report.progress.clone();
        progress.state = match self.state.unwrap_or(progress.state) {
            // Its worker is gone, and with it what was read and not committed; the next one pauses it before it begins.
            QueryState::Retrying if self.state.is_some() && self.is_to_pause => {
                progress.uncommitted_records = 0;
                QueryState::Paused
            }
            QueryState::Running if self.is_to_stop => QueryState::Draining,
            QueryState::Running if self.is_to_pause => {
                progress.uncommitted_records = progress.uncommitted_records.max(1);
                QueryState::Paused
            }
            state => state,
        };
        progress
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
        self.look().progress().state
    }

    fn progress(&self) -> Progress {
        self.look().progress()
    }

    fn details(&self) -> Details {
        self.look().report.details.clone()
    }

    fn metrics(&self) -> Vec<CommittedMetric> {
        self.look().report.metrics.clone()
    }

    fn stop(&self) {
        self.known().is_to_stop = true;
        self.line.stop();
    }

    fn pause(&self) {
        self.known().is_to_pause = true;
        self.line.pause();
    }

    fn resume(&self) {
        self.known().is_to_pause = false;
        self.line.resume();
    }

    fn process(&self) -> u32 {
        self.line.process()
    }

    fn worker(&self) -> Option<u64> {
        Some(self.line.worker())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Said {
        looks: AtomicU32,
    }

    impl QueryLine for Said {
        fn look(&self) {
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
        fn pause(&self) {}
        fn resume(&self) {}
        fn stop(&self) {}
        fn process(&self) -> u32 {
            7
        }

        fn worker(&self) -> u64 {
            1
        }
    }

    fn report(state: QueryState, uncommitted: u64) -> QueryReport {
        let mut progress = Progress::default();
        (progress.state, progress.uncommitted_records) = (state, uncommitted);
        QueryReport::new(progress, Details::default(), Vec::new())
    }

    #[test]
    fn a_query_is_in_the_state_that_it_was_asked_for_and_settled_when_its_worker_says_so() {
        let line = Arc::new(Said::default());
        let query = RemoteQuery::new("q".to_owned(), "acme".to_owned(), Arc::clone(&line) as Arc<dyn QueryLine>);
        let seen = || {
            let progress = query.progress();
            (progress.state, progress.uncommitted_records)
        };
        assert_eq!(seen(), (QueryState::Starting, 0));
        query.reported(report(QueryState::Running, 0));
        assert_eq!(seen(), (QueryState::Running, 0));
        query.pause();
        assert_eq!(seen(), (QueryState::Paused, 1));
        query.reported(report(QueryState::Paused, 0));
        assert_eq!(seen(), (QueryState::Paused, 0));
        query.resume();
        query.reported(report(QueryState::Running, 5));
        assert_eq!(seen(), (QueryState::Running, 5));
        query.stop();
        assert_eq!(seen(), (QueryState::Draining, 5));
        query.is_now(QueryState::Retrying);
        assert_eq!(seen().0, QueryState::Retrying);
        query.ended(&QueryAccount::new(weir_query::Ending::Stopped, None, None, false));
        query.reported(report(QueryState::Running, 5));
        assert_eq!(seen().0, QueryState::Ended, "a report that comes late changes nothing");
        let looks = line.looks.load(Ordering::Relaxed);
        assert!((1..=9).contains(&looks), "{looks} questions, none after the end");
        assert_eq!((query.query(), query.tenant(), query.process()), ("q", "acme", 7));
    }
}
