//! What running queries do: in the text format of Prometheus, and as OTLP. `weir-admin` serves it.
//!
//! ```no_run
//! use weir_query::QueryHandle;
//! use weir_telemetry::{Health, exposition};
//!
//! # fn tell(queries: &[QueryHandle]) {
//! if Health::of(queries).is_ready() {
//!     println!("{}", exposition(queries));
//! }
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`exposition`]**: the state of any number of queries as text, version 0.0.4. It holds the runtime's own metrics
//! (`weir_query_…`, `weir_source_…`, `weir_stage_…`, `weir_sink_…`, `process_…`), and what guests recorded (`weir_guest_…`). Costs a
//! copy of every series, and the text.
//!
//! **[`otlp_requests`]**: the same figures as OTLP carries them: made from the same families, so that neither knows one
//! that the other does not. Counters are monotonic cumulative sums since [`ExportOrigin::start`], histograms have explicit
//! bounds, attributes are the labels. Names have dots, and the unit beside them: `weir.stage.guest` in `s` is
//! `weir_stage_guest_seconds_total` here, as Prometheus translates names itself. A guest's unit is an annotation, such as
//! `{minutes}`, since it is a tenant's word; its metric keeps the kind in the name, `weir.guest.late_total`. What the
//! process takes has OpenTelemetry's names, `process.memory.usage` and `process.cpu.time`.
//!
//! **[`Health`]**: whether queries have started, and whether one has failed: what `/readyz` and `/healthz` answer.
//!
//! # What guests can and cannot do to it
//!
//! The kind of a guest's metric is in its name: the counter `late` is `weir_guest_late_total`, the gauge `late` is
//! `weir_guest_late_value`, and the histogram `late` is `weir_guest_late` with `_bucket`, `_sum` and `_count`. What
//! carries the ending already is left as it is, unless its function declares the shorter name as well; a histogram whose
//! name has such an ending itself gets `_histogram`. So functions of two tenants that use one name for two kinds
//! never share a family, and no tenant can change what another's metrics are called or how they are typed.
//!
//! Every series has the labels `tenant`, `query` and `stage`, which are the runtime's. A guest's label of that name, or
//! `le` or `overflow`, or one that begins with `guest_`, gets `guest_` in front: two labels never become one. Values are
//! those of the last commit. What was beyond the limit of series is in the one with `overflow="true"`, and
//! `weir_stage_metric_overflow_values_total` says how many values that took in this run.
//!
//! What a function says of a metric, its unit and help, has no control characters here: a NUL there would end the text for
//! Prometheus. Where two functions share a family and say different things of it, neither is told.
//!
//! A stage's series with labels take at most [`GUEST_BYTES_MAX`] of the text, so that nobody's metrics keep others from
//! being read. `weir_stage_metric_series_left_out` says how many series that left out.

mod families;
mod guests;
mod health;
mod otlp;
mod process;
mod queries;
mod text;

pub use guests::GUEST_BYTES_MAX;
pub use health::Health;
pub use otlp::{ExportOrigin, otlp_requests};
pub use queries::exposition;
