//! Functions that extract metrics.

use crate::params::Params;
use crate::row::ReadRow;
use crate::spec::MetricSpec;

/// A function that observes every record and records metrics. `#[metrics]` exports it.
///
/// A value lives as long as the guest's instance, and observes all its batches. After a trap or a failed batch, and in some other
/// cases, it is dropped and a new one is created, so everything that must not be lost belongs into metrics. A struct with fields
/// under `#[metric(skip)]` declares that it keeps state; by default, a query fails if it would lose the state. Use
/// `#[metric(param)]` for a field that `start` sets and that does not change.
pub trait Metrics: MetricSet + 'static {
    /// The type of the observed row: `type Row<'a> = Flight<'a>;`
    type Row<'a>: ReadRow<'a>;

    /// The parameters. `#[metrics]` adds `type Params = ();` if this is missing.
    type Params: Params;

    /// Called once before the first batch, with the parameters of the query.
    #[expect(unused_variables, reason = "most have no parameters")]
    fn start(&mut self, params: Self::Params) {}

    /// Called for every record.
    fn observe(&mut self, row: Self::Row<'_>);

    /// Called for every batch of `rows` rows before its records are observed. Return `true` if everything was recorded that
    /// [`Metrics::observe`] would record: then no record is read, and `observe` is not called.
    ///
    /// Use this for metrics of whole columns, with [`Counter::add_column`](crate::Counter::add_column) and
    /// [`Histogram::observe_column`](crate::Histogram::observe_column): these cost a fraction of reading the records. A column's
    /// index is its field's position in the row.
    #[expect(unused_variables, reason = "most observe their records one by one")]
    fn observe_batch(&mut self, rows: u32) -> bool {
        false
    }
}

/// The metrics that a struct declares. Derived, together with `Default`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no metrics",
    label = "not a set of metrics",
    note = "put `#[derive(Default, MetricSet)]` on the struct, with a field for each metric: \
            Counter, Gauge or Histogram, or `Counter<1>` for a counter with one label"
)]
pub trait MetricSet: Default {
    /// The metrics, in the order of their indices.
    const SPECS: &'static [MetricSpec];
    /// Whether there are fields other than metrics and parameters, whose values are lost with the instance.
    const KEEPS_STATE: bool;
    /// Sets the index of each metric.
    fn bind(&mut self);
    /// Records the values since the last call.
    fn flush(&mut self);
}
