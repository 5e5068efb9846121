//! The admin interface of a process that runs queries: HTTP over a Unix socket and TCP.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use weir_admin::{Admin, Board, Door, bind};
//! use weir_query::QueryHandle;
//!
//! # fn serve(queries: Vec<QueryHandle>) -> Result<(), Box<dyn std::error::Error>> {
//! let board = Arc::new(Board::new(queries.into_iter().map(|query| (Arc::new(query) as _, None))));
//! let (listener, address) = bind(([127, 0, 0, 1], 9464).into())?;
//! let admin = Admin::open(Arc::clone(&board), vec![Door::Tcp { listener, steering: false }])?;
//! println!("curl http://{address}/metrics");
//! # drop(admin);
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`Board`]**: the queries of a process and their outcomes. Shared by `Arc` between the code that runs queries and the server.
//!
//! **[`Admin`]**: the server. It serves its doors on a thread of its own until it is dropped. One request per connection; at most
//! [`CLIENTS_MAX`] clients at once by Unix socket (further clients get an error) and 32 by TCP (further clients wait). Time limits:
//! 10 s for a head (5 s by TCP), 10 s for a body, and 30 s for a connection, plus the time that the request asks to wait. Heads
//! have at most 16 KiB and 64 headers.
//!
//! **[`Door`]**: an address at which clients connect. Clients of the Unix socket are this user, and may send all requests. Clients
//! of a TCP address may be anybody, including web pages in a browser: they may only read, unless the operator allows more. Even
//! then a `POST` is refused if it has an `Origin`, or if its host is not an IP address or `localhost`. On a loopback address, reads
//! below `/v1` with such a host are refused too.
//!
//! **[`Route`]**: a parsed request; its `Display` is the path.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /metrics` | text for Prometheus |
//! | `GET /livez`, `/readyz`, `/healthz` | `ok`, or 503 with `not ok` and a line a query; and a line for each wall that the operator gave up |
//! | `GET /v1/queries` | `{"queries":[report, …],"workers":…}` of all tenants; `workers` is a [`WorkersReport`](weir_telemetry::WorkersReport), null where queries run in this process |
//! | `GET /v1/tenants/{tenant}/queries` | the same of one tenant |
//! | `GET /v1/tenants/{tenant}/queries/{query}` | a report |
//! | `POST /v1/tenants/{tenant}/queries/{query}/pause`, `resume`, `stop` | a report and `done` |
//!
//! The body of a `POST` is empty or `{"wait_ms":30000}`: how long to wait until it is done, at most [`WAIT_MS_MAX`]. Responses
//! below a tenant's path contain nothing about other tenants.
//!
//! **[`Pace`]**: estimates how long reading the rest of an input of known size takes. While an [`Admin`] lives, each query of a
//! board has one, which is updated every second; its report has `percent` and `seconds_left`.
//!
//! **[`RequestProblem`]**: why a request was refused. Every response other than 200 has the body
//! `{"error":{"code":…,"message":…,"remedy":…}}`, except responses about health and responses to clients that do not speak HTTP.
//! Responses and problems may get more fields later; paths and their meaning stay.

mod answer;
mod board;
#[cfg(test)]
mod fault_tables;
mod guard;
mod older;
mod pace;
mod problem;
mod route;
mod server;

pub use board::{Board, QueryOutcome, Report, Reports, Steered};
pub use pace::{Pace, percent};
pub use problem::{Code, RefusalBody, RequestProblem};
pub use route::{QueryName, Route, Wish};
pub use server::{Admin, Door, ListenError, bind};

/// The maximum number of clients at once by Unix socket.
pub const CLIENTS_MAX: usize = 16;

/// The maximum size of a request's body, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The maximum size of a response, in bytes. [`Route::Metrics`] is limited by the number of metrics instead.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The maximum time that a request may ask to wait, in milliseconds.
pub const WAIT_MS_MAX: u64 = 600_000;
