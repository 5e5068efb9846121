//! The queries of a process.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use weir_query::{Progress, QueryState, RunningQuery};
use weir_telemetry::{RunningWorkers, WorkersReport};

use crate::pace::{Pace, percent};
use crate::problem::{Code, RequestProblem};
use crate::route::{QueryName, Wish};

/// The queries of a process, which any thread can observe and control. Ended queries stay, with their outcome. No two of them have
/// the same name and tenant.
#[derive(Default)]
pub struct Board {
    queries: Vec<Entry>,
    workers: Option<Arc<dyn RunningWorkers>>,
}

struct Entry {
    handle: Arc<dyn RunningQuery>,
    commit_every: Option<Duration>,
    started: Instant,
    ended: OnceLock<(QueryOutcome, Duration)>,
    // When its speed was measured last.
    looked: Mutex<Option<Instant>>,
    rest: Mutex<Rest>,
    pace: Mutex<(Pace, Option<Duration>)>,
}

/// How long nobody looks at a query without an input of known size, though others have one: each look wakes its process.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    pause: Duration,
    until: Option<Instant>,
}

impl Rest {
    /// The shortest pause, which doubles with each look, and the longest.
    const FIRST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_secs(60);

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    fn after_look(&mut self, has_size: bool, now: Instant) {
        *self = match has_size {
            true => Rest::default(),
            false => {
                let pause = self.next_pause();
                Rest { pause, until: now.checked_add(pause) }
            }
        };
    }

    fn next_pause(&self) -> Duration {
        self.pause.saturating_mul(2).clamp(Rest::FIRST, Rest::LONGEST)
    }
}

/// The outcome of a query.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct QueryOutcome {
    /// The reason for the end, as in the query's summary.
    pub ending: String,
    /// The error, if the query failed.
    pub failure: Option<String>,
}

impl QueryOutcome {
    /// An ending, and what failed.
    pub fn new(ending: impl Into<String>, failure: Option<String>) -> QueryOutcome {
        QueryOutcome { ending: ending.into(), failure }
    }
}

/// The state of a query: the body of `GET /v1/tenants/{tenant}/queries/{query}`.
#[derive(Serialize)]
pub struct Report<'a> {
    query: &'a str,
    tenant: &'a str,
    pid: u32,
    /// The worker that it runs in; null in one process.
    worker: Option<u64>,
    running: bool,
    uptime_ms: u64,
    commit_ms: Option<u64>,
    /// The part of the input that has been read, and the time for the rest, if these are known.
    percent: Option<u64>,
    seconds_left: Option<u64>,
    ended: Option<&'a QueryOutcome>,
    progress: Progress,
}

/// Reports of several queries: the body of `GET /v1/queries` and `GET /v1/tenants/{tenant}/queries`.
#[derive(Serialize)]
pub struct Reports<'a> {
    queries: Vec<Report<'a>>,
    /// The workers that they run in; null in one process.
    workers: Option<WorkersReport>,
}

/// The result of a request to a query: the body of the response to a `POST`.
#[derive(Serialize)]
pub struct Steered<'a> {
    /// Whether the query has done it; false if the time was up before.
    done: bool,
    #[serde(flatten)]
    report: Report<'a>,
}

/// The condition to wait for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Settled,
    Ended,
}

/// If a query that must pause has read nothing new for this long, it has stopped reading. Records in queues between its tasks are
/// processed meanwhile.
const QUIET: Duration = Duration::from_millis(50);

/// How often the speed of a query is measured, at most. A little less than the time between two looks.
const PACE_EVERY: Duration = Duration::from_millis(950);

/// How often to check a query while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(10);

impl Board {
    /// A board of these queries, each with its time between commits, if it has one.
    pub fn new(queries: impl Iterator<Item = (Arc<dyn RunningQuery>, Option<Duration>)>) -> Board {
        let entry = |(handle, commit_every)| Entry {
            handle,
            commit_every,
            started: Instant::now(),
            ended: OnceLock::new(),
            pace: Mutex::default(),
            looked: Mutex::default(),
            rest: Mutex::default(),
        };
        Board { queries: queries.map(entry).collect(), workers: None }
    }

    /// The same, with the workers that its queries run in.
    pub fn with_workers(self, workers: Arc<dyn RunningWorkers>) -> Board {
        Board { workers: Some(workers), ..self }
    }

    /// The workers that its queries run in, as they are now; `None` where they run in this process.
    pub fn workers(&self) -> Option<WorkersReport> {
        self.workers.as_ref().map(|workers| workers.report())
    }

    /// The walls around its workers that the operator gave up.
    pub(crate) fn walls_given_up(&self) -> Vec<String> {
        self.workers.as_ref().map(|workers| workers.walls_given_up()).unwrap_or_default()
    }

    /// Records the outcome of a query. Unknown queries are ignored.
    pub fn ended(&self, query: &str, tenant: &str, outcome: QueryOutcome) {
        if let Ok(entry) = self.find(query, tenant) {
            entry.ended.get_or_init(|| (outcome, entry.started.elapsed()));
        }
    }

    /// The queries' handles.
    pub fn handles(&self) -> impl Iterator<Item = &dyn RunningQuery> {
        self.queries.iter().map(|entry| &*entry.handle)
    }

    /// Measures how fast inputs of known size are read.
    /// Returns whether there is one that is read.
    pub(crate) fn look(&self) -> bool {
        let now = Instant::now();
        let looks = |entry: &&Entry| {
            let mut rest = entry.rest.lock().unwrap_or_else(PoisonError::into_inner);
            if !rest.is_over(now) {
                return false;
            }
            let has_size = entry.look(&entry.handle.progress());
            rest.after_look(has_size, now);
            has_size
        };
        // All of them are looked at, not only those before the first one that has a size.
        self.queries.iter().filter(looks).count() > 0
    }

    /// The reports of all queries, or of one tenant's queries. The result is empty for a tenant without queries, whether the tenant
    /// exists or not.
    pub(crate) fn reports(&self, tenant: Option<&str>) -> Reports<'_> {
        let is_meant = |entry: &&Entry| tenant.is_none_or(|tenant| tenant == entry.handle.tenant());
        let workers = match (self.workers(), tenant) {
            (Some(workers), Some(tenant)) => Some(workers.of_tenant(tenant)),
            (workers, _) => workers,
        };
        Reports { queries: self.queries.iter().filter(is_meant).map(Entry::report).collect(), workers }
    }

    /// The report of one query.
    pub(crate) fn report(&self, name: &QueryName) -> Result<Report<'_>, RequestProblem> {
        Ok(self.find(&name.query, &name.tenant)?.report())
    }

    /// Sends a request to a query, and waits until it is done, at most for this long.
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
        self.queries.iter().find(is_it).ok_or_else(|| {
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
        self.look(&progress);
        Report {
            query: self.handle.query(),
            tenant: self.handle.tenant(),
            pid: self.handle.process(),
            worker: self.handle.worker(),
            running: !over,
            uptime_ms: millis(ended.map_or_else(|| self.started.elapsed(), |(_, after)| *after)),
            commit_ms: self.commit_every.map(millis),
            percent: progress.share_read().map(percent),
            seconds_left: self.pace().1.filter(|_| !over).map(|left| left.as_secs_f64().round() as u64),
            ended: ended.map(|(outcome, _)| outcome),
            progress,
        }
    }

    /// Measures how fast it is read, at most once a second. Returns whether its size is known, and it runs.
    fn look(&self, progress: &Progress) -> bool {
        let share = progress.share_read();
        let now = Instant::now();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_none_or(|at| now.duration_since(at) >= PACE_EVERY) {
            *looked = Some(now);
            let (pace, left) = &mut *self.pace();
            *left = pace.left(now, share);
        }
        share.is_some() && !progress.state.is_over()
    }

    fn pace(&self) -> MutexGuard<'_, (Pace, Option<Duration>)> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the condition became true in time.
    async fn wait(&self, until: Until, at_most: Duration) -> bool {
        let started = Instant::now();
        let mut quiet = (Instant::now(), None);
        loop {
            let progress = self.handle.progress();
            match until {
                Until::Ended if self.ended.get().is_some() => return true,
                Until::Settled if progress.state == QueryState::Paused => {
                    let records = progress.sources.iter().map(|source| source.records);
                    let read = records.fold(0, u64::saturating_add);
                    if quiet.1 != Some(read) {
                        quiet = (Instant::now(), Some(read));
                    }
                    let committed = self.commit_every.is_none() || progress.uncommitted_records == 0;
                    if committed && quiet.0.elapsed() >= QUIET {
                        return true;
                    }
                }
                // The query has ended, so waiting is useless.
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
