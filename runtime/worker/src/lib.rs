//! A tenant's queries in a process of their own, confined before it reads a byte of the tenant's; and the process that reads
//! query files for nobody yet.
//!
//! # The nouns
//!
//! **[`worker_main`]**: what a program calls first thing when a supervisor started it as a worker. It hears from the supervisor on
//! descriptor 0, confines itself, and then does what its role says.
//!
//! **A reader** gets the text of a query file, says which tenant and variables the file names, and makes a draft of it once the
//! supervisor has said what it may have.
//!
//! **A tenant's worker** gets drafts, resolves each within its own tenant's limits, says what it claims, waits for the supervisor to
//! compare the claims, and runs it. It holds at most [`WorkerSettings::instances_max`] instances.
//!
//! **[`WorkerSettings`]**: what a process is given before it is confined.
//!
//! **[`QueryReport`], [`QueryAccount`]**: what a worker says about a query that runs, and about its end. A report comes five times a
//! second while something happens, less often for a few seconds after that, and whenever somebody looks.
//!
//! **[`QueryTelemetry`]**: spans of a query's batches, and lines of its functions. A worker keeps 2,048 of each, sends them as fast as
//! they are taken, and counts the others.
//!
//! **[`RemoteQuery`]**: a query of a worker as its supervisor sees it: the last report, with the supervisor's own names.

mod brokers;
mod claims;
mod code;
mod error;
#[cfg(test)]
mod fault_tables;
mod form;
mod lazy_engine;
mod log;
mod network;
mod numbers;
mod plausible;
mod problems;
mod query_task;
mod reader;
mod remote_query;
mod report;
mod serve;
mod settings;
mod socket;
mod telemetry;
mod tenant;

pub use claims::{claims_from_bytes, limits_to_bytes};
pub use code::CodeAbout;
pub use error::WorkerError;
pub use remote_query::{QueryLine, RemoteQuery};
pub use report::{QueryAccount, QueryReport};
pub use serve::{confine_connector, worker_main};
pub use settings::WorkerSettings;
pub use telemetry::QueryTelemetry;
