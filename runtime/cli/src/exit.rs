//! How the command ends.

use std::fmt;
use std::io;
use std::process::ExitCode;

use serde_json::{Value, json};

use weir_query::RunError;
use weir_text::{escape_json, escape_lines};

use crate::name::{Name, named};
use crate::standard_error::StandardError;

/// An exit code. Of several queries of one `weir run` the worst counts: `Failed` where one of them could not start, or failed,
/// and another ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// The query failed while it ran.
    Failed,
    /// What was given is wrong, and nothing ran.
    Wrong,
    /// A query was ended by force: it had not finished within the grace time after a stop.
    Forced,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Marks an error as one of what was given, not of what was done.
#[derive(Debug)]
pub(crate) struct GivenWrong;

impl fmt::Display for GivenWrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing was run")
    }
}

/// What failed in a worker.
#[derive(Debug)]
pub(crate) struct WorkerFailure {
    /// What.
    pub(crate) text: String,
    /// Whether the query was ended by force.
    pub(crate) forced: bool,
}

impl fmt::Display for WorkerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for WorkerFailure {}

impl Exit {
    /// The number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Wrong => 2,
            Exit::Forced => 3,
        }
    }

    pub(crate) fn of(error: &anyhow::Error) -> Exit {
        let forced = error.downcast_ref::<RunError>().is_some_and(|error| error.cause.is_unfinished())
            || error.downcast_ref::<WorkerFailure>().is_some_and(|failure| failure.forced);
        match (error.downcast_ref::<GivenWrong>().is_some(), forced) {
            (true, _) => Exit::Wrong,
            (false, true) => Exit::Forced,
            (false, false) => Exit::Failed,
        }
    }
}

/// Turns an error into one of what was given.
pub(crate) fn wrong(error: impl Into<anyhow::Error>) -> anyhow::Error {
    error.into().context(GivenWrong)
}

/// Whether the reader of standard output went away, which is not a failure.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Says something on standard error, or nothing where that is closed or not read. Never waits. Lines may be several; whatever else
/// a terminal could obey is escaped, wherever it came from.
pub(crate) fn say(text: impl fmt::Display) {
    StandardError::line(format!("{}\n", escape_lines(&text.to_string())).into_bytes());
}

/// Says the same for programs: an object on one line.
pub(crate) fn say_json(said: &Value) {
    StandardError::line(format!("{}\n", escape_json(&said.to_string())).into_bytes());
}

/// Prints an error once, with the query that it is of where there are several. Each layer's message names its cause already, so that only the outermost is printed.
pub(crate) fn report(error: &anyhow::Error, name: Option<&Name>, json: bool) {
    let first = error.chain().find(|cause| cause.to_string() != GivenWrong.to_string());
    let message = first.map(ToString::to_string).unwrap_or_default();
    if json {
        let exit = Exit::of(error).code();
        say_json(&named(name, json!({ "error": message, "exit": exit })));
    } else if let Some(name) = name {
        say(format_args!("error: {name}: {message}"));
    } else {
        say(format_args!("error: {message}"));
    }
}
