//! Counters, gauges and histograms.

use crate::bytes_window::array;
use crate::log::{Level, log};
use crate::recorded::Recorded;
use crate::series::Series;
use crate::spec::MetricKind;
use crate::sys;

/// The number of observations of a histogram that are collected before they are recorded.
const OBSERVATIONS_MAX: usize = 1024;

/// A type of metric: [`Counter`], [`Gauge`] or [`Histogram`]. Other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a metric",
    label = "not a metric",
    note = "use a Counter, Gauge or Histogram, or put `#[metric(skip)]` on a field that is not a metric"
)]
pub trait Metric: Default {
    /// The kind.
    const KIND: MetricKind;
    /// The number of labels.
    const LABELS: usize;
    /// Sets the metric's index and name.
    fn bind(&mut self, metric: u32, name: &'static str);
    /// Records the values since the last call.
    fn flush(&mut self);
}

/// A number that can be recorded.
pub trait Number: Copy {
    /// The value as a double; integers beyond 2^53 are rounded.
    fn to_f64(self) -> f64;
}

macro_rules! numbers {
    ($($ty:ty)*) => {$(
        impl Number for $ty {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
        }
    )*};
}

numbers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64);

/// The common part of all metrics: the index, once it is bound, and the number of values that were left out.
#[derive(Default)]
struct Head {
    metric: u32,
    name: &'static str,
    bound: bool,
    left_out: u64,
}

impl Head {
    fn bind(&mut self, metric: u32, name: &'static str) {
        (self.metric, self.name, self.bound) = (metric, name, true);
    }

    #[cold]
    #[inline(never)]
    fn leave_out(&mut self) {
        self.left_out += 1;
    }

    /// Makes the host record the first `rows` rows of an input column.
    fn record_input(&mut self, handle: u32, column: u32, rows: u32) {
        if self.bound {
            self.left_out += u64::from(sys::metric_record_input(handle, column, 0, rows));
        }
    }

    /// Logs the number of values that were left out, once per batch: the host refuses a whole batch of values because of one of
    /// them.
    fn report(&mut self, what: &str) {
        if self.left_out > 0 {
            log(
                Level::Warn,
                format_args!("metric `{}`: {} values left out, as they are {what}", self.name, self.left_out),
            );
            self.left_out = 0;
        }
    }
}

/// A sum that never decreases, with `L` labels. Summed in the guest, and recorded once per batch.
pub struct Counter<const L: usize = 0> {
    head: Head,
    /// The series of a counter without labels.
    own: Sum,
    handle: u32,
    series: Series<Sum, L>,
    /// The series with values that were not recorded yet.
    touched: Vec<u32>,
}

/// Values that were added to a series and not recorded yet. Integers and other values are separate, because integers are cheaper.
#[derive(Default)]
struct Sum {
    steps: u64,
    sum: f64,
    recorded: Recorded,
}

impl Sum {
    #[inline(always)]
    fn is_empty(&self) -> bool {
        self.steps == 0 && self.sum == 0.0
    }

    fn take(&mut self) -> f64 {
        std::mem::take(&mut self.steps) as f64 + std::mem::take(&mut self.sum)
    }

    #[inline(always)]
    fn inc(&mut self) {
        self.steps += 1;
        self.recorded.record(1.0);
    }

    #[inline(always)]
    fn add(&mut self, head: &mut Head, value: f64) {
        if value >= 0.0 && value.is_finite() {
            self.sum += value;
            self.recorded.record(value);
        } else {
            head.leave_out();
        }
    }
}

impl<const L: usize> Default for Counter<L> {
    fn default() -> Self {
        Self { head: Head::default(), own: Sum::default(), handle: 0, series: Series::new(), touched: Vec::new() }
    }
}

impl<const L: usize> Metric for Counter<L> {
    const KIND: MetricKind = MetricKind::Counter;
    const LABELS: usize = L;

    fn bind(&mut self, metric: u32, name: &'static str) {
        self.head.bind(metric, name);
        if L == 0 {
            self.handle = sys::metric_series(metric, &[]);
        }
    }

    fn flush(&mut self) {
        self.head.report("negative, infinite or not a number");
        if L == 0 {
            if !self.own.is_empty() {
                sys::metric_record_column(self.handle, &[self.own.take()]);
            }
            return;
        }
        let (mut handles, mut values) = (Vec::new(), Vec::new());
        for index in self.touched.drain(..) {
            let (handle, sum) = self.series.at(index as usize);
            handles.push(handle);
            values.push(sum.take());
        }
        if !handles.is_empty() {
            sys::metric_record_many(&handles, &values);
        }
    }
}

impl Counter<0> {
    /// Adds one.
    #[inline(always)]
    pub fn inc(&mut self) {
        self.own.inc();
    }

    /// Adds `value`. A negative, infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn add(&mut self, value: impl Number) {
        self.own.add(&mut self.head, value.to_f64());
    }

    /// Adds the whole input column with this index, which must be numeric: for
    /// [`Metrics::observe_batch`](crate::Metrics::observe_batch). The host reads the column without copying it into the guest.
    /// Nulls are ignored; other values that cannot be added are left out and logged.
    pub fn add_column(&mut self, column: u32, rows: u32) {
        self.head.record_input(self.handle, column, rows);
    }

    /// The sum so far.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value(&self) -> f64 {
        self.own.recorded.sum()
    }
}

impl<const L: usize> Counter<L> {
    /// The series with these label values, in the order of `labels(…)`.
    #[inline]
    pub fn with(&mut self, labels: [&str; L]) -> CounterSeries<'_> {
        if self.series.is_full() {
            self.flush();
            self.series.clear();
        }
        let Self { head, series, touched, .. } = self;
        let (index, _, sum) = series.with(head.metric, labels);
        CounterSeries { index: index as u32, sum, head, touched }
    }
}

/// One series of a labelled [`Counter`].
pub struct CounterSeries<'c> {
    index: u32,
    sum: &'c mut Sum,
    head: &'c mut Head,
    touched: &'c mut Vec<u32>,
}

impl CounterSeries<'_> {
    /// Adds one.
    #[inline(always)]
    pub fn inc(self) {
        if self.sum.is_empty() {
            self.touched.push(self.index);
        }
        self.sum.inc();
    }

    /// Adds `value`. A negative, infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn add(self, value: impl Number) {
        let was_empty = self.sum.is_empty();
        self.sum.add(self.head, value.to_f64());
        if was_empty && !self.sum.is_empty() {
            self.touched.push(self.index);
        }
    }

    /// The sum so far.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value(&self) -> f64 {
        self.sum.recorded.sum()
    }
}

/// A value that is set, with `L` labels. The last value of a batch is recorded.
pub struct Gauge<const L: usize = 0> {
    head: Head,
    own: Last,
    handle: u32,
    series: Series<Last, L>,
    touched: Vec<u32>,
}

#[derive(Default)]
struct Last {
    value: Option<f64>,
    recorded: Recorded,
}

impl Last {
    /// Whether the value was accepted and is the first since values were last recorded.
    #[inline(always)]
    fn set(&mut self, head: &mut Head, value: f64) -> bool {
        if !value.is_finite() {
            head.leave_out();
            return false;
        }
        self.recorded.record(value);
        self.value.replace(value).is_none()
    }
}

impl<const L: usize> Default for Gauge<L> {
    fn default() -> Self {
        Self { head: Head::default(), own: Last::default(), handle: 0, series: Series::new(), touched: Vec::new() }
    }
}

impl<const L: usize> Metric for Gauge<L> {
    const KIND: MetricKind = MetricKind::Gauge;
    const LABELS: usize = L;

    fn bind(&mut self, metric: u32, name: &'static str) {
        self.head.bind(metric, name);
        if L == 0 {
            self.handle = sys::metric_series(metric, &[]);
        }
    }

    fn flush(&mut self) {
        self.head.report("infinite or not a number");
        if L == 0 {
            if let Some(value) = self.own.value.take() {
                sys::metric_record_column(self.handle, &[value]);
            }
            return;
        }
        let (mut handles, mut values) = (Vec::new(), Vec::new());
        for index in self.touched.drain(..) {
            let (handle, last) = self.series.at(index as usize);
            if let Some(value) = last.value.take() {
                handles.push(handle);
                values.push(value);
            }
        }
        if !handles.is_empty() {
            sys::metric_record_many(&handles, &values);
        }
    }
}

impl Gauge<0> {
    /// Sets the value. An infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn set(&mut self, value: impl Number) {
        self.own.set(&mut self.head, value.to_f64());
    }

    /// The last value.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value(&self) -> Option<f64> {
        self.own.recorded.last()
    }
}

impl<const L: usize> Gauge<L> {
    /// The series with these label values, in the order of `labels(…)`.
    #[inline]
    pub fn with(&mut self, labels: [&str; L]) -> GaugeSeries<'_> {
        if self.series.is_full() {
            self.flush();
            self.series.clear();
        }
        let Self { head, series, touched, .. } = self;
        let (index, _, last) = series.with(head.metric, labels);
        GaugeSeries { index: index as u32, last, head, touched }
    }
}

/// One series of a labelled [`Gauge`].
pub struct GaugeSeries<'g> {
    index: u32,
    last: &'g mut Last,
    head: &'g mut Head,
    touched: &'g mut Vec<u32>,
}

impl GaugeSeries<'_> {
    /// Sets the value. An infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn set(self, value: impl Number) {
        if self.last.set(self.head, value.to_f64()) {
            self.touched.push(self.index);
        }
    }

    /// The last value.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn value(&self) -> Option<f64> {
        self.last.recorded.last()
    }
}

/// The distribution of values over buckets, with `L` labels. Observations are recorded in chunks.
pub struct Histogram<const L: usize = 0> {
    head: Head,
    own: Recorded,
    handle: u32,
    series: Series<Recorded, L>,
    /// The handles of the collected observations, if there are labels.
    handles: Vec<u32>,
    values: Box<[f64; OBSERVATIONS_MAX]>,
    /// The number of collected observations, below the capacity.
    gathered: usize,
}

impl<const L: usize> Default for Histogram<L> {
    fn default() -> Self {
        Self {
            head: Head::default(),
            own: Recorded::default(),
            handle: 0,
            series: Series::new(),
            handles: vec![0; if L == 0 { 0 } else { OBSERVATIONS_MAX }],
            values: array(),
            gathered: 0,
        }
    }
}

impl<const L: usize> Metric for Histogram<L> {
    const KIND: MetricKind = MetricKind::Histogram;
    const LABELS: usize = L;

    fn bind(&mut self, metric: u32, name: &'static str) {
        self.head.bind(metric, name);
        if L == 0 {
            self.handle = sys::metric_series(metric, &[]);
        }
    }

    fn flush(&mut self) {
        self.head.report("infinite or not a number");
        self.hand_over();
    }
}

impl<const L: usize> Histogram<L> {
    #[inline(never)]
    fn hand_over(&mut self) {
        let values = &self.values[..self.gathered];
        if !values.is_empty() && self.head.bound {
            if L == 0 {
                sys::metric_record_column(self.handle, values);
            } else {
                sys::metric_record_many(&self.handles[..self.gathered], values);
            }
        }
        self.gathered = 0;
    }

    #[inline(always)]
    fn take(&mut self, handle: u32, value: f64) {
        // The remainder equals the number, but avoids a bounds check.
        let slot = self.gathered % OBSERVATIONS_MAX;
        if let Some(place) = self.handles.get_mut(slot) {
            *place = handle;
        }
        self.values[slot] = value;
        self.gathered = slot + 1;
        if self.gathered == OBSERVATIONS_MAX {
            self.hand_over();
        }
    }

    /// The series with these label values, in the order of `labels(…)`.
    #[inline]
    pub fn with(&mut self, labels: [&str; L]) -> HistogramSeries<'_, L> {
        if self.series.is_full() {
            self.series.clear();
        }
        let (index, handle, _) = self.series.with(self.head.metric, labels);
        HistogramSeries { index, handle, histogram: self }
    }
}

impl Histogram<0> {
    /// Observes `value`. An infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn observe(&mut self, value: impl Number) {
        let value = value.to_f64();
        if !value.is_finite() {
            return self.head.leave_out();
        }
        self.own.record(value);
        self.take(self.handle, value);
    }

    /// Observes the whole input column with this index, which must be numeric: for
    /// [`Metrics::observe_batch`](crate::Metrics::observe_batch). The host reads the column without copying it into the guest.
    /// Nulls are ignored; other values that cannot be observed are left out and logged.
    pub fn observe_column(&mut self, column: u32, rows: u32) {
        self.head.record_input(self.handle, column, rows);
    }

    /// The number of observed values.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn count(&self) -> u64 {
        self.own.count()
    }

    /// The sum of the observed values.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn sum(&self) -> f64 {
        self.own.sum()
    }
}

/// One series of a labelled [`Histogram`].
pub struct HistogramSeries<'h, const L: usize> {
    index: usize,
    handle: u32,
    histogram: &'h mut Histogram<L>,
}

impl<const L: usize> HistogramSeries<'_, L> {
    /// Observes `value`. An infinite or NaN value is left out and logged.
    #[inline(always)]
    pub fn observe(self, value: impl Number) {
        let value = value.to_f64();
        if !value.is_finite() {
            return self.histogram.head.leave_out();
        }
        if cfg!(not(target_arch = "wasm32")) {
            self.histogram.series.at(self.index).1.record(value);
        }
        self.histogram.take(self.handle, value);
    }

    /// The number of observed values.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn count(&mut self) -> u64 {
        self.histogram.series.at(self.index).1.count()
    }

    /// The sum of the observed values.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn sum(&mut self) -> f64 {
        self.histogram.series.at(self.index).1.sum()
    }
}
