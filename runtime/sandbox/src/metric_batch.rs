//! What a function recorded during one batch.

use std::sync::Arc;

/// What a function recorded during one batch, put together per series. Cheap to make and to fold in: it holds one
/// entry for each series that was touched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricBatch {
    /// The touched series, in the order in which they were first touched.
    pub series: Vec<SeriesDelta>,
}

/// What one series gained.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDelta {
    /// Which one; the same `Arc` in every batch of an instance.
    pub series: Arc<GuestSeries>,
    /// What it gained.
    pub value: MetricDelta,
    /// From how many recorded values.
    pub values: u64,
}

/// One metric with one set of label values.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GuestSeries {
    /// Index into the function's metrics.
    pub metric: usize,
    /// A value for each of the metric's labels, in their order; empty in an overflow series.
    pub labels: Vec<String>,
    /// Whether this is the series that all label values beyond the limit share.
    pub overflow: bool,
}

/// What one series gained in one batch. Every number is finite.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricDelta {
    /// What to add.
    Counter {
        /// The sum of the steps, 0 or more.
        sum: f64,
    },
    /// What to set.
    Gauge {
        /// The last value.
        last: f64,
    },
    /// What to add to each bucket.
    Histogram {
        /// Values in each bucket, not accumulated: one more than the metric has bounds. A value lies in the first
        /// bucket whose bound is not below it.
        buckets: Vec<u64>,
        /// How many values there were.
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
