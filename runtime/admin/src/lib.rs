//! The admin interface of a process that runs queries: one HTTP interface, over a Unix socket and TCP.
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
//! **[`Board`]**: what a process runs, and how it ended. Shared by `Arc` between those who run queries and those who answer.
//!
//! **[`Admin`]**: answers at its doors until it is dropped, on a thread of its own. One request a connection; at most
//! [`CLIENTS_MAX`] clients at once by a Unix socket (a further one gets an error) and 32 by TCP (more wait). A head has 10 s (by
//! TCP 5), a body 10 s, a connection 30 s and what its request asks to wait; heads have 16 KiB and 64 headers at most.
//!
//! **[`Door`]**: where clients come in. Who reaches a Unix socket is the user, and may do everything. Who reaches a TCP address
//! may be anybody, or a web page in somebody's browser: it is answered reads only, unless the operator asks for more. Even
//! then a `POST` with `Origin`, or for a host that is not an IP address or `localhost`, is refused, and on a loopback
//! address so are reads below `/v1` for such a host.
//!
//! **[`Route`]**: what can be asked for; its `Display` is the path.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /metrics` | text for Prometheus |
//! | `GET /livez`, `/readyz`, `/healthz` | `ok`, or 503 with `not ok` and a line a query |
//! | `GET /v1/queries` | `{"queries":[report, …]}` of all tenants |
//! | `GET /v1/tenants/{tenant}/queries` | the same of one tenant |
//! | `GET /v1/tenants/{tenant}/queries/{query}` | a report |
//! | `POST /v1/tenants/{tenant}/queries/{query}/pause`, `resume`, `stop` | a report and `done` |
//!
//! The body of a `POST` is empty or `{"wait_ms":30000}`: how long to wait until it is done, at most [`WAIT_MS_MAX`]. What is below
//! a tenant's path tells nothing of other tenants.
//!
//! **[`Pace`]**: how long the rest of an input of known size takes. Each query of a board has one while an [`Admin`] lives: it is
//! looked at every second, and a report has `percent` and `seconds_left`.
//!
//! **[`RequestProblem`]**: why a request is refused. Every answer that is not 200 has the body `{"error":{"code":…,"message":…,"remedy":…}}`,
//! but those of health and those to what is not HTTP. Answers and problems may get more fields; paths and their meaning stay.

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

/// Clients at once by a Unix socket.
pub const CLIENTS_MAX: usize = 16;

/// The longest body of a request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// The longest answer, in bytes. [`Route::Metrics`] is bounded by what is measured instead.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest that a request may ask to wait, in milliseconds.
pub const WAIT_MS_MAX: u64 = 600_000;
