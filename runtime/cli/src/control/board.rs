//! What a process runs.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};
use weir_query::{Plan, Progress, QueryHandle, State};

use super::protocol::{Ask, Code, Order, Problem};

/// The queries of a process, seen and steered by any thread. Those that have ended stay on it, with how they did.
pub(crate) struct Board(Vec<Entry>);

struct Entry {
    handle: QueryHandle,
    commit_every: Option<Duration>,
    started: Instant,
    ended: OnceLock<(Outcome, Duration)>,
}

/// How a query ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// Why, as its summary says it.
    pub(crate) ending: String,
    /// What failed, if something did.
    pub(crate) failure: Option<String>,
}

/// What is told of a query.
#[derive(Serialize)]
struct Report<'a> {
    query: &'a str,
    tenant: &'a str,
    pid: u32,
    uptime_ms: u64,
    commit_ms: Option<u64>,
    ended: Option<&'a Outcome>,
    progress: Progress,
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

impl Board {
    /// Of these queries, by their handles and plans.
    pub(crate) fn new<'a>(queries: impl Iterator<Item = (QueryHandle, &'a Plan)>) -> Board {
        let entry = |(handle, plan): (QueryHandle, &Plan)| Entry {
            handle,
            commit_every: plan.delivery.commit_every,
            started: Instant::now(),
            ended: OnceLock::new(),
        };
        Board(queries.map(entry).collect())
    }

    /// Writes down how a query ended.
    pub(crate) fn ended(&self, query: &str, tenant: &str, outcome: Outcome) {
        if let Ok(entry) = self.find(query, tenant) {
            entry.ended.get_or_init(|| (outcome, entry.started.elapsed()));
        }
    }

    /// Answers a request. `patience` passes the time between two looks, and says whether there is still somebody who
    /// waits for the answer.
    pub(crate) fn answer(&self, ask: &Ask, patience: impl FnMut() -> bool) -> Result<Value, Problem> {
        match ask {
            Ask::Status => Ok(json!({ "queries": self.0.iter().map(Entry::report).collect::<Vec<_>>() })),
            Ask::Pause(order) => self.obey(order, QueryHandle::pause, Some(Until::Settled), patience),
            Ask::Resume(order) => self.obey(order, QueryHandle::resume, None, patience),
            Ask::Stop(order) => self.obey(order, QueryHandle::stop, Some(Until::Ended), patience),
        }
    }

    fn obey(
        &self,
        order: &Order,
        act: fn(&QueryHandle),
        until: Option<Until>,
        patience: impl FnMut() -> bool,
    ) -> Result<Value, Problem> {
        let entry = self.find(&order.query, &order.tenant)?;
        let Order { query, tenant, .. } = order;
        let state = entry.handle.progress().state;
        if state.is_over() || state == State::Draining && until != Some(Until::Ended) {
            let how = match state {
                State::Failed => "has failed",
                State::Ended => "has ended",
                _ => "is to stop, and finishes what it has",
            };
            return Err(Problem::new(Code::Ending, format!("query {query} of tenant {tenant} {how}")));
        }
        act(&entry.handle);
        let wait = Duration::from_millis(order.wait_ms);
        let done = until.is_none_or(|until| entry.wait(until, wait, patience));
        Ok(json!({ "queries": [entry.report()], "done": done }))
    }

    fn find(&self, query: &str, tenant: &str) -> Result<&Entry, Problem> {
        let is_it = |entry: &&Entry| entry.handle.query() == query && entry.handle.tenant() == tenant;
        self.0.iter().find(is_it).ok_or_else(|| {
            Problem::new(Code::UnknownQuery, format!("process {} runs no such query", std::process::id()))
        })
    }
}

impl Entry {
    fn report(&self) -> Report<'_> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let ended = self.ended.get();
        Report {
            query: self.handle.query(),
            tenant: self.handle.tenant(),
            pid: std::process::id(),
            uptime_ms: millis(ended.map_or_else(|| self.started.elapsed(), |(_, after)| *after)),
            commit_ms: self.commit_every.map(millis),
            ended: ended.map(|(outcome, _)| outcome),
            progress: self.handle.progress(),
        }
    }

    /// Whether it came to this in time.
    fn wait(&self, until: Until, at_most: Duration, mut patience: impl FnMut() -> bool) -> bool {
        let started = Instant::now();
        let mut quiet = (Instant::now(), None);
        loop {
            let progress = self.handle.progress();
            match until {
                Until::Ended if self.ended.get().is_some() => return true,
                Until::Settled if progress.state == State::Paused => {
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
                Until::Settled if matches!(progress.state, State::Draining | State::Running) => return false,
                Until::Ended | Until::Settled => {}
            }
            if started.elapsed() >= at_most || !patience() {
                return false;
            }
        }
    }
}
