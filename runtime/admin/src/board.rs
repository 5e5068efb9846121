//! What a process runs.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use weir_query::{Progress, QueryState, RunningQuery};

use crate::pace::{Pace, percent};
use crate::problem::{Code, RequestProblem};
use crate::route::{QueryName, Wish};

/// The queries of a process, seen and steered by any thread. Those that have ended stay on it, with how they did. No two of
/// them have both name and tenant in common.
#[derive(Default)]
pub struct Board(Vec<Entry>);

struct Entry {
    handle: Arc<dyn RunningQuery>,
    commit_every: Option<Duration>,
    started: Instant,
    ended: OnceLock<(QueryOutcome, Duration)>,
    pace: Mutex<(Pace, Option<Duration>)>,
}

/// How a query ended.
#[derive(Clone, Debug, Serialize)]
pub struct QueryOutcome {
    /// Why, as its summary says it.
    pub ending: String,
    /// What failed, if something did.
    pub failure: Option<String>,
}

/// What a query does: the body of `GET /v1/tenants/{tenant}/queries/{query}`.
#[derive(Serialize)]
pub struct Report<'a> {
    query: &'a str,
    tenant: &'a str,
    pid: u32,
    running: bool,
    uptime_ms: u64,
    commit_ms: Option<u64>,
    /// How much of its input it has read, and how long the rest takes, where that is known.
    percent: Option<u64>,
    seconds_left: Option<u64>,
    ended: Option<&'a QueryOutcome>,
    progress: Progress,
}

/// Reports of several queries: the body of `GET /v1/queries` and `GET /v1/tenants/{tenant}/queries`.
#[derive(Serialize)]
pub struct Reports<'a> {
    queries: Vec<Report<'a>>,
}

/// What became of a query that was told something: the body of the answer to a `POST`.
#[derive(Serialize)]
pub struct Steered<'a> {
    /// Whether it has done it; no where the time was up before.
    done: bool,
    #[serde(flatten)]
    report: Report<'a>,
}

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Settled,
    Ended,
}

/// A query that has read nothing new for this long while it is to pause, reads no more. What is queued between its
/// tasks is taken in meanwhile.
const QUIET: Duration = Duration::from_millis(50);

/// How often a query is looked at that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Board {
    /// Of these queries, each with its time between commits, where it has one.
    pub fn new(queries: impl Iterator<Item = (Arc<dyn RunningQuery>, Option<Duration>)>) -> Board {
        let entry = |(handle, commit_every)| Entry {
            handle,
            commit_every,
            started: Instant::now(),
            ended: OnceLock::new(),
            pace: Mutex::default(),
        };
        Board(queries.map(entry).collect())
    }

    /// Writes down how a query ended. Of one that is not on it nothing is written.
    pub fn ended(&self, query: &str, tenant: &str, outcome: QueryOutcome) {
        if let Ok(entry) = self.find(query, tenant) {
            entry.ended.get_or_init(|| (outcome, entry.started.elapsed()));
        }
    }

    /// The queries' handles.
    pub fn handles(&self) -> impl Iterator<Item = &dyn RunningQuery> {
        self.0.iter().map(|entry| &*entry.handle)
    }

    /// Looks how fast inputs of known size are read.
    pub(crate) fn look(&self) {
        for entry in &self.0 {
            let share = entry.handle.progress().share_read();
            let (pace, left) = &mut *entry.pace();
            *left = pace.left(Instant::now(), share);
        }
    }

    /// What every query does, or every one of a tenant. A tenant without queries has none, whether it exists or not.
    pub(crate) fn reports(&self, tenant: Option<&str>) -> Reports<'_> {
        let is_meant = |entry: &&Entry| tenant.is_none_or(|tenant| tenant == entry.handle.tenant());
        Reports { queries: self.0.iter().filter(is_meant).map(Entry::report).collect() }
    }

    /// What one query does.
    pub(crate) fn report(&self, name: &QueryName) -> Result<Report<'_>, RequestProblem> {
        Ok(self.find(&name.query, &name.tenant)?.report())
    }

    /// Tells a query what to do, and waits until it has done it, for this long at most.
    pub(crate) async fn steer(
        &self,
        name: &QueryName,
        wish: Wish,
        at_most: Duration,
    ) -> Result<Steered<'_>, RequestProblem> {
        let entry = self.find(&name.query, &name.tenant)?;
        let until = match wish {
            Wish::Pause => Some(Until::Settled),
            Wish::Resume => None,
            Wish::Stop => Some(Until::Ended),
        };
        let state = entry.handle.progress().state;
        if state.is_over() || state == QueryState::Draining && until != Some(Until::Ended) {
            let how = match state {
                QueryState::Failed => "has failed",
                QueryState::Ended => "has ended",
                _ => "is stopping and finishes the records that it has read",
            };
            let QueryName { tenant, query } = name;
            return Err(RequestProblem::new(Code::Ending, format!("query {query} of tenant {tenant} {how}"), ""));
        }
        match wish {
            Wish::Pause => entry.handle.pause(),
            Wish::Resume => entry.handle.resume(),
            Wish::Stop => entry.handle.stop(),
        }
        let done = match until {
            Some(until) => entry.wait(until, at_most).await,
            None => true,
        };
        Ok(Steered { done, report: entry.report() })
    }

    fn find(&self, query: &str, tenant: &str) -> Result<&Entry, RequestProblem> {
        let is_it = |entry: &&Entry| entry.handle.query() == query && entry.handle.tenant() == tenant;
        self.0.iter().find(is_it).ok_or_else(|| {
            let message = format!("process {} does not run this query", std::process::id());
            RequestProblem::new(Code::UnknownQuery, message, "see /v1/queries for the queries that it runs")
        })
    }
}

impl Entry {
    fn report(&self) -> Report<'_> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ended = self.ended.get();
        let progress = self.handle.progress();
        let over = progress.state.is_over();
        Report {
            query: self.handle.query(),
            tenant: self.handle.tenant(),
            pid: self.handle.process(),
            running: !over,
            uptime_ms: millis(ended.map_or_else(|| self.started.elapsed(), |(_, after)| *after)),
            commit_ms: self.commit_every.map(millis),
            percent: progress.share_read().map(percent),
            seconds_left: self.pace().1.filter(|_| !over).map(|left| left.as_secs_f64().round() as u64),
            ended: ended.map(|(outcome, _)| outcome),
            progress,
        }
    }

    fn pace(&self) -> MutexGuard<'_, (Pace, Option<Duration>)> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it came to this in time.
    async fn wait(&self, until: Until, at_most: Duration) -> bool {
        let started = Instant::now();
        let mut quiet = (Instant::now(), None);
        loop {
            let progress = self.handle.progress();
            match until {
                Until::Ended if self.ended.get().is_some() => return true,
                Until::Settled if progress.state == QueryState::Paused => {
                    let read: u64 = progress.sources.iter().map(|source| source.records).sum();
                    if quiet.1 != Some(read) {
                        quiet = (Instant::now(), Some(read));
                    }
                    let committed = self.commit_every.is_none() || progress.uncommitted_records == 0;
                    if committed && quiet.0.elapsed() >= QUIET {
                        return true;
                    }
                }
                // There is nothing to wait for any more.
                Until::Settled if progress.state.is_over() => return false,
                Until::Settled if matches!(progress.state, QueryState::Draining | QueryState::Running) => return false,
                Until::Ended | Until::Settled => {}
            }
            if started.elapsed() >= at_most {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
