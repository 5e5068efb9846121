//! Functions that extract metrics.

use crate::params::Params;
use crate::row::ReadRow;
use crate::spec::MetricSpec;

/// A function that looks at every record and records metrics. Exported by `#[metrics]`.
///
/// One value lives as long as the guest's instance and sees batch after batch. It is dropped, and a new one made, after
/// a trap or a failed batch, and in some other cases: what must not be lost belongs into metrics. A set with fields under
/// `#[metric(skip)]` declares that it keeps state, and a query then fails by default rather than lose it; a field that
/// `start` sets and nothing changes is `#[metric(param)]`.
pub trait Metrics: MetricSet + 'static {
    /// The row that is observed: `type Row<'a> = Flight<'a>;`
    type Row<'a>: ReadRow<'a>;

    /// The parameters. `#[metrics]` writes `type Params = ();` where this is missing.
    type Params: Params;

    /// Called once before the first batch, with the parameters of the query.
    #[expect(unused_variables, reason = "most have no parameters")]
    fn start(&mut self, params: Self::Params) {}

    /// Called for every record.
    fn observe(&mut self, row: Self::Row<'_>);

    /// Called for every batch of `rows` rows before its records are observed. `true` says that all was recorded which
    /// [`Metrics::observe`] would: then no record is read and it is not called.
    ///
    /// For metrics that are fed with whole columns, by [`Counter::add_column`](crate::Counter::add_column) and
    /// [`Histogram::observe_column`](crate::Histogram::observe_column): these cost a fraction of reading the records. A
    /// column's index is its field's position in the row.
    #[expect(unused_variables, reason = "most observe their records one by one")]
    fn observe_batch(&mut self, rows: u32) -> bool {
        false
    }
}

/// The metrics that a struct declares. Derived, beside `Default`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` declares no metrics",
    label = "not a set of metrics",
    note = "put `#[derive(Default, MetricSet)]` on the struct, with a field for each metric: \
            Counter, Gauge or Histogram, or `Counter<1>` for a counter with one label"
)]
pub trait MetricSet: Default {
    /// The metrics, in the order of their indices.
    const SPECS: &'static [MetricSpec];
    /// Whether there are fields beside metrics and parameters: what is in them is lost with the instance.
    const KEEPS_STATE: bool;
    /// Tells each metric its index.
    fn bind(&mut self);
    /// Hands over what was recorded since the last time.
    fn flush(&mut self);
}
