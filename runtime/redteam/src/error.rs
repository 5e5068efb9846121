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
    #[error("could not start the tenants' threads: {0}")]
    Threads(#[source] io::Error),
    /// The neighbour whose work is measured could not be set up.
    #[error("could not set up the well-behaved tenant: {0}")]
    Victim(String),
    /// A name or row that is asked for and does not exist.
    #[error("unknown attack, procedure or measurement `{0}`: use a row of the catalogue, or a name in the report")]
    Unknown(String),
    /// Nothing is left to run.
    #[error("nothing to run: no row matches both the class and the name")]
    NothingChosen,
    /// The system does not tell what this process takes.
    #[error("cannot read the resource usage of this process: {0}")]
    Process(#[source] io::Error),
}
