//! Why nothing could be run.

use std::io;

use weir_sandbox::{EngineError, LimitsError};

/// Why nothing could be run. What an attack does is never an error of this kind: it is a row of the report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RedteamError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Limits under which nothing could run.
    #[error("limits: {0}")]
    Limits(#[from] LimitsError),
    /// No threads.
    #[error("the threads of the tenants could not be started: {0}")]
    Threads(#[source] io::Error),
    /// The neighbour whose work is measured could not be set up.
    #[error("the well-behaved tenant could not be set up: {0}")]
    Victim(String),
    /// A name or row that is asked for and does not exist.
    #[error("no attack, procedure or measure is `{0}`: use a row of the catalogue, or a name of the report")]
    Unknown(String),
    /// Nothing is left to run.
    #[error("nothing is chosen: no row is of both the class and the name that were asked for")]
    NothingChosen,
    /// The system does not tell what this process takes.
    #[error("what this process takes cannot be read: {0}")]
    Process(#[source] io::Error),
}
