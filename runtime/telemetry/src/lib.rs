//! Exports the metrics of running queries: in the Prometheus text format, and as OTLP. `weir-admin` serves the former.
//!
//! ```no_run
//! use weir_query::QueryHandle;
//! use weir_telemetry::{Health, exposition};
//!
//! # fn tell(queries: &[QueryHandle]) {
//! if Health::of(queries).is_ready() {
//!     println!("{}", exposition(queries, None));
//! }
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`exposition`]**: the metrics of any number of queries as text, version 0.0.4: the runtime's own (`weir_query_…`,
//! `weir_source_…`, `weir_stage_…`, `weir_sink_…`, `process_…`), and those that guests recorded (`weir_guest_…`). Costs a copy of
//! every series, and the text.
//!
//! **[`otlp_requests`]**: the same metrics as OTLP requests, made from the same families. Counters are monotonic cumulative sums
//! since [`ExportOrigin::start`], histograms have explicit bounds, and labels become attributes. Names have dots, and units are
//! separate: `weir.stage.guest` with unit `s` corresponds to `weir_stage_guest_seconds_total`, as in Prometheus' own translation. A
//! guest's unit becomes an annotation, such as `{minutes}`, because a tenant chose it. The name of a guest's metric contains the
//! kind: `weir.guest.late_total`. Metrics of the process have OpenTelemetry's names, `process.memory.usage` and `process.cpu.time`.
//!
//! **[`Health`]**: whether all queries have started, and whether one has failed, for `/readyz` and `/healthz`.
//!
//! **[`WorkersReport`]**: the processes that run queries of tenants, where each tenant has one, as their supervisor sees them: state,
//! memory, CPU time, walls. Their metrics are `weir_worker_…`. Nothing in it is believed from a worker but which walls it says hold.
//!
//! # What guests can and cannot do to it
//!
//! The name of a guest's metric contains its kind: the counter `late` is `weir_guest_late_total`, the gauge `late` is
//! `weir_guest_late_value`, and the histogram `late` is `weir_guest_late` with `_bucket`, `_sum` and `_count`. A name that already
//! has the ending stays unchanged, unless its function also declares the shorter name. A histogram whose own name has such an
//! ending gets `_histogram`. Therefore functions of two tenants that use one name for two kinds never share a family, and no tenant
//! can change the names or types of another tenant's metrics.
//!
//! Every series has the labels `tenant`, `query` and `stage`, which the runtime sets. A guest's label with one of these names, or
//! `le`, `overflow`, or a name that begins with `guest_`, gets the prefix `guest_`, so that different labels stay different. Values
//! are those of the last commit. Values beyond the limit of series are in the series with `overflow="true"`, and
//! `weir_stage_metric_overflow_values_total` counts them for this run.
//!
//! Control characters are removed from units and help of guests: a NUL would end the text for Prometheus. If two functions share a
//! family but disagree on unit or help, it is left out.
//!
//! A stage's series with labels take at most [`GUEST_BYTES_MAX`] of the text, so that no stage prevents the reading of other
//! metrics. `weir_stage_metric_series_left_out` counts the series that were left out.

mod families;
mod guests;
mod health;
mod otlp;
mod process;
mod queries;
mod text;
mod workers;

pub use guests::GUEST_BYTES_MAX;
pub use health::Health;
pub use otlp::{ExportOrigin, otlp_requests};
pub use queries::exposition;
pub use workers::{RunningWorkers, WorkerQuery, WorkerReport, WorkerWall, WorkersReport};
