//! Metrics recorded during one batch.

use std::sync::Arc;

/// The metrics that a function recorded during one batch, combined per series. Cheap to create and to merge: it has one entry per
/// changed series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricBatch {
    /// The changed series, in the order of their first change.
    pub series: Vec<SeriesDelta>,
}

/// The change of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDelta {
    /// The series; the same `Arc` in every batch of an instance.
    pub series: Arc<GuestSeries>,
    /// The change.
    pub value: MetricDelta,
    /// The number of recorded values.
    pub values: u64,
}

/// One metric with one set of label values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuestSeries {
    /// Index into the function's metrics.
    pub metric: usize,
    /// One value per label of the metric, in their order; empty in an overflow series.
    pub labels: Vec<String>,
    /// Whether this is the series that all label values beyond the limit share.
    pub overflow: bool,
}

/// The change of one series in one batch. All numbers are finite.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricDelta {
    /// An amount to add.
    Counter {
        /// The sum of the increments, 0 or more.
        sum: f64,
    },
    /// A value to set.
    Gauge {
        /// The last value.
        last: f64,
    },
    /// Counts to add to each bucket.
    Histogram {
        /// Counts per bucket, not cumulative: one more than the metric has bounds. A value is counted in the first bucket whose
        /// bound is not below it.
        buckets: Vec<u64>,
        /// The number of values.
        count: u64,
        /// Their sum.
        sum: f64,
    },
}

impl MetricBatch {
    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}
