//! SDK for guest functions: functions over streams of records that Weir runs.
//!
//! A function takes the fields of a record and returns the result for it. It is an ordinary Rust function that you can call and
//! test natively. Compiled to WebAssembly, Weir calls it for every record of a stream.
//!
//! ```
//! #![forbid(unsafe_code)]
//! use weir_guest::prelude::*;
//!
//! #[derive(Row)]
//! struct Flight<'a> { origin: &'a str, destination: &'a str, delay: i64, distance: i64 }
//!
//! #[derive(Row)]
//! struct Late { route: String, minutes: i64 }
//!
//! #[derive(Params)]
//! struct Lateness {
//!     /// A flight is late if its delay exceeds this many minutes.
//!     #[param(default = 60)]
//!     min_delay: i64,
//! }
//!
//! /// Flights that arrived late, with their route.
//! #[transform]
//! fn late(flight: Flight<'_>, lateness: &Lateness) -> Option<Late> {
//!     (flight.delay > lateness.min_delay).then(|| Late {
//!         route: format!("{}-{}", flight.origin, flight.destination),
//!         minutes: flight.delay,
//!     })
//! }
//!
//! #[derive(Default, MetricSet)]
//! struct Delays {
//!     /// Flights seen.
//!     #[metric(unit = "{flight}")]
//!     flights: Counter,
//!     /// Delays by origin.
//!     #[metric(unit = "min", labels("origin"), buckets(0, 15, 60, 240))]
//!     delay_minutes: Histogram<1>,
//! }
//!
//! #[metrics]
//! impl Metrics for Delays {
//!     type Row<'a> = Flight<'a>;
//!
//!     fn observe(&mut self, flight: Flight<'_>) {
//!         self.flights.inc();
//!         self.delay_minutes.with([flight.origin]).observe(flight.delay);
//!     }
//! }
//!
//! # fn main() {
//! let flight = || Flight { origin: "SEA", destination: "SFO", delay: 90, distance: 679 };
//! let answer = late(flight(), &Lateness { min_delay: 60 });
//! assert_eq!(answer.map(|late| late.route).as_deref(), Some("SEA-SFO"));
//!
//! let mut delays = Delays::default();
//! delays.observe(flight());
//! assert_eq!(delays.flights.value(), 1.0);
//! assert_eq!(delays.delay_minutes.with(["SEA"]).sum(), 90.0);
//! # }
//! ```
//!
//! A guest is a crate with `crate-type = ["cdylib", "rlib"]`, built for `wasm32-unknown-unknown`. It may contain several functions.
//! `ABI.md` in the folder of this crate defines its imports and exports. Authors of functions do not need to know them.
//!
//! **Row**: a struct whose fields are the columns of a record, by name. Use `#[row(name = "type")]` for a name that is not a valid Rust
//! name, or for a system column such as `_timestamp`. A field is `bool`, `i8` to `i64`, `f64`, [`Timestamp`], text (`&str`, `String`)
//! or binary (`&[u8]`, `Vec<u8>`), or an `Option` of one of these if the column may contain nulls. Only declared fields are fetched,
//! 1,024 values at a time. A fixed-width field costs about a nanosecond per record; a text costs its bytes. A row lives as long as the
//! call.
//!
//! **`#[transform]`** exports a function from a row to a result. The return type determines the kind: `bool` filters, a row maps,
//! `Option<row>` does both, and `Vec<row>`, `[row; N]` and `impl Iterator<Item = row>` return any number of rows. With a `Result` of one
//! of these, the function may fail a record; the error policy of the query then applies to it. The error can be any type that implements
//! `Display`; see [`RowError`]. A transform that is a function may keep only caches from record to record: its result must depend only on
//! its row and its parameters. From time to time, Weir repeats a batch on another instance and compares the results.
//!
//! **`#[transform]` on an `impl`** exports a transform that keeps state. `start` creates a value from the parameters, once per instance
//! (without `start`, `Default` is used), and `apply` processes row after row with it. The state is in the instance's memory and is lost
//! with it: after a trap, an exhausted limit, a return to the last commit, and a restart. The query then fails, unless its stage sets
//! `on_state_loss = "warn"`.
//!
//! ```
//! # use weir_guest::prelude::*;
//! #[derive(Row)]
//! struct Order<'a> { id: &'a str }
//!
//! #[derive(Params)]
//! struct Window { ids_max: i64 }
//!
//! /// Orders whose id was not seen before.
//! struct Fresh { seen: std::collections::HashSet<String>, ids_max: usize }
//!
//! #[transform]
//! impl Fresh {
//!     fn start(window: Window) -> Fresh {
//!         Fresh { seen: Default::default(), ids_max: usize::try_from(window.ids_max).unwrap_or(0) }
//!     }
//!
//!     fn apply(&mut self, order: Order<'_>) -> bool {
//!         if self.seen.len() >= self.ids_max {
//!             self.seen.clear();
//!         }
//!         self.seen.insert(order.id.to_owned())
//!     }
//! }
//!
//! # fn main() {
//! let mut fresh = Fresh::start(Window { ids_max: 10 });
//! assert_eq!(["a", "b", "a"].map(|id| fresh.apply(Order { id })), [true, true, false]);
//! # }
//! ```
//!
//! **`#[derive(Params)]`**: parameters that the query file sets (`bool`, `i64`, `f64`, `String`), read once per instance. A transform takes
//! them as a second argument, by reference; metrics take them in [`Metrics::start`].
//!
//! **`#[metrics]`** exports an `impl` [`Metrics`], which is called for every record. Its struct has a [`Counter`], [`Gauge`] or [`Histogram`]
//! for each metric. It may also have parameters under `#[metric(param)]`, and state under `#[metric(skip)]` (the function then keeps state, as
//! above). It lives as long as the instance. A labelled metric costs a hash of the label values per record. The host registers each series
//! once, and receives values in chunks. Recorded values count when the batch is committed. A metric over a whole column needs no records at
//! all: see [`Metrics::observe_batch`].
//!
//! **The log**: [`error!`], [`warn!`], [`info!`], [`debug!`]. The tenant's limits bound it. A panic ends the instance, and its message is part
//! of the record's error.
//!
//! **[`raw`]**: the underlying getters, for measurements.

// The expansions of the macros use this name, also in this crate's own tests.
#[cfg(test)]
extern crate self as weir_guest;

mod answer;
mod builder;
mod bytes_window;
mod error;
mod field;
mod log;
mod manifest;
mod metric;
mod metrics;
#[cfg(not(target_arch = "wasm32"))]
mod native_host;
mod params;
pub mod raw;
mod recorded;
mod row;
mod series;
mod sink;
mod spec;
mod start;
#[cfg(target_arch = "wasm32")]
mod sys;
#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
mod sys;
mod timestamp;
mod transform;
mod window;

#[cfg(test)]
mod tests;

pub use error::RowError;
pub use log::{Level, log};
pub use metric::{Counter, CounterSeries, Gauge, GaugeSeries, Histogram, HistogramSeries, Number};
pub use metrics::Metrics;
pub use timestamp::Timestamp;

/// Everything for the author of a function.
pub mod prelude {
    pub use crate::{Counter, Gauge, Histogram, Metrics, RowError, Timestamp};
    pub use weir_guest_macros::{MetricSet, Params, Row, metrics, transform};
}

/// Used by the expansions of the macros. Not part of the public interface.
#[doc(hidden)]
pub mod rt {
    pub use crate::answer::{Answer, Flat, Output};
    pub use crate::builder::Builder;
    pub use crate::error::{CodeByDefault, CodeByTrait, Coded};
    pub use crate::field::Field;
    pub use crate::manifest::Function;
    pub use crate::metric::Metric;
    pub use crate::metrics::{MetricSet, Metrics};
    pub use crate::params::{Param, Params};
    pub use crate::row::{ReadRow, Row};
    pub use crate::sink::{FilterMapSink, FilterSink, FlatMapSink, MapSink, Sink};
    pub use crate::spec::{FieldSpec, FieldType, Kind, MetricKind, MetricSpec, ParamSpec, Shape, State};
    pub use crate::start::start;
    pub use crate::transform::{Observer, Runner, Stateful, Transform, metrics, stateful, transform};
    pub use crate::window::Column;
}

/// Compiles the code blocks of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
