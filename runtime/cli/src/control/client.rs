//! Asking the processes that run queries.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use weir_admin::{QueryName, Route, Wish};
use weir_telemetry::{WorkerReport, WorkersReport};

use super::ask_error::AskError;
use super::exchange::{Ask, exchange};
use super::folder::{FolderError, RuntimeFolder};
use super::seen::Seen;

/// How long a process may take to answer, beyond what it was asked to wait.
const ANSWER_MAX: Duration = Duration::from_secs(5);

impl Everyone {
    /// The worker that a query runs in, where it runs in one, and the walls that were given up around it.
    pub(crate) fn worker(&self, found: &Found) -> Option<(&WorkerReport, &[String])> {
        let number = found.seen.worker?;
        let (_, report) = self.workers.iter().find(|(pid, _)| *pid == found.pid)?;
        let worker = report.workers.iter().find(|worker| worker.worker == number)?;
        Some((worker, &report.walls_given_up))
    }
}

/// A query of some process.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The process.
    pub(crate) pid: u32,
    /// Its socket.
    pub(crate) socket: PathBuf,
    /// What it told.
    pub(crate) told: Value,
    /// The same, as far as people are shown it.
    pub(crate) seen: Seen,
}

/// All queries of this user.
#[derive(Debug, Default)]
pub(crate) struct Everyone {
    pub(crate) queries: Vec<Found>,
    /// The workers of each process that has some.
    pub(crate) workers: Vec<(u32, WorkersReport)>,
    /// Processes that could not be asked, and why.
    pub(crate) silent: Vec<(u32, AskError)>,
}

/// Asks every process what it runs. Sockets of dead ones are removed.
pub(crate) fn everyone() -> Result<Everyone, FolderError> {
    let mut everyone = Everyone::default();
    let Some(folder) = RuntimeFolder::find()? else { return Ok(everyone) };
    for (pid, socket) in folder.sockets()? {
        let ask = Ask { method: Method::GET, path: Route::Queries.to_string(), body: String::new() };
        match ask_at(&folder, &socket, ask, Duration::ZERO).and_then(|told| queries(pid, &socket, told)) {
            Ok((queries, workers)) => {
                everyone.queries.extend(queries);
                everyone.workers.extend(workers.map(|workers| (pid, workers)));
            }
            Err(AskError::Gone) => {}
            Err(error) => everyone.silent.push((pid, error)),
        }
    }
    Ok(everyone)
}

/// Tells a query what to do, and its process to wait this long at most; answers the query as it is then, and whether it has
/// done it.
pub(crate) fn steer(found: &Found, wish: Wish, wait: Duration) -> Result<(Found, bool), AskError> {
    let folder = RuntimeFolder::find()?.ok_or(AskError::Gone)?;
    let name = QueryName::new(&found.seen.tenant, &found.seen.query);
    let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let body = json!({ "wait_ms": wait_ms }).to_string();
    let ask = Ask { method: Method::POST, path: Route::Steer(name, wish).to_string(), body };
    let told = ask_at(&folder, &found.socket, ask, wait)?;
    let done = told.get("done").and_then(Value::as_bool).unwrap_or(false);
    Ok((Found::new(found.pid, &found.socket, told)?, done))
}

fn ask_at(folder: &RuntimeFolder, socket: &Path, ask: Ask, wait: Duration) -> Result<Value, AskError> {
    let stream = folder.connect(socket)?.ok_or(AskError::Gone)?;
    exchange(stream, ask, wait + ANSWER_MAX)
}

fn queries(pid: u32, socket: &Path, mut told: Value) -> Result<(Vec<Found>, Option<WorkersReport>), AskError> {
    let queries: Vec<Value> = serde_json::from_value(told["queries"].take())?;
    let workers = told.get_mut("workers").map(Value::take).unwrap_or_default();
    let queries = queries.into_iter().map(|told| Found::new(pid, socket, told)).collect::<Result<_, _>>()?;
    Ok((queries, serde_json::from_value(workers)?))
}

impl Found {
    fn new(pid: u32, socket: &Path, told: Value) -> Result<Found, AskError> {
        let seen = serde_json::from_value(told.clone())?;
        Ok(Found { pid, socket: socket.to_owned(), told, seen })
    }
}
