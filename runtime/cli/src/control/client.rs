//! Asking the processes that run queries.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::folder::{FolderError, RuntimeFolder};
use super::lines::{Came, Lines};
use super::protocol::{ANSWER_BYTES_MAX, Ask, Problem, read_answer};
use super::seen::Seen;

/// How long a process may take to answer, beyond what it was asked to wait.
const ANSWER_MAX: Duration = Duration::from_secs(5);

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
    /// Processes that could not be asked, and why.
    pub(crate) silent: Vec<(u32, AskError)>,
}

/// A process that gave no answer, or a problem for one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("it has ended")]
    Gone,
    #[error("it does not answer")]
    Silent,
    #[error("its answer is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("its answer cannot be understood: {0}")]
    Answer(#[from] serde_json::Error),
    #[error(transparent)]
    Problem(#[from] Problem),
    #[error("it cannot be asked: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// Asks every process what it runs. Sockets of dead ones are removed.
pub(crate) fn everyone() -> Result<Everyone, FolderError> {
    let mut everyone = Everyone::default();
    let Some(folder) = RuntimeFolder::find()? else { return Ok(everyone) };
    for (pid, socket) in folder.sockets()? {
        match ask_at(&folder, &socket, &Ask::Status, Duration::ZERO).and_then(|told| queries(pid, &socket, told)) {
            Ok(queries) => everyone.queries.extend(queries),
            Err(AskError::Gone) => {}
            Err(error) => everyone.silent.push((pid, error)),
        }
    }
    Ok(everyone)
}

/// Asks one process, which is to wait this long at most; answers the query as it is then, and whether it has done it.
pub(crate) fn ask(found: &Found, ask: &Ask, wait: Duration) -> Result<(Found, bool), AskError> {
    let folder = RuntimeFolder::find()?.ok_or(AskError::Gone)?;
    let told = ask_at(&folder, &found.socket, ask, wait)?;
    let done = told.get("done").and_then(Value::as_bool).unwrap_or(false);
    let query = queries(found.pid, &found.socket, told)?.pop().ok_or(AskError::Gone)?;
    Ok((query, done))
}

fn ask_at(folder: &RuntimeFolder, socket: &Path, ask: &Ask, wait: Duration) -> Result<Value, AskError> {
    let stream = folder.connect(socket)?.ok_or(AskError::Gone)?;
    let mut lines = Lines::new(stream, ANSWER_BYTES_MAX);
    let deadline = Instant::now() + wait + ANSWER_MAX;
    match lines.send(&ask.to_line()?, deadline) {
        // It may have said why before it went: that is read below.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    match lines.next(deadline)? {
        Came::Line(line) => Ok(read_answer(&line)??),
        Came::Gone => Err(AskError::Gone),
        Came::Late => Err(AskError::Silent),
        Came::TooLong => Err(AskError::TooLong),
    }
}

fn queries(pid: u32, socket: &Path, mut told: Value) -> Result<Vec<Found>, AskError> {
    let queries: Vec<Value> = serde_json::from_value(told["queries"].take())?;
    let found = |told: Value| {
        let seen = serde_json::from_value(told.clone())?;
        Ok(Found { pid, socket: socket.to_owned(), told, seen })
    };
    queries.into_iter().map(found).collect()
}
