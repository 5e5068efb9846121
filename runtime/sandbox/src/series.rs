//! The series of an instance, and their changes in the current batch.

use std::collections::HashMap;
use std::sync::Arc;

use weir_abi::Status;

use crate::purse::{Purse, Stop};
use crate::{GuestSeries, Limits, Metric, MetricBatch, MetricDelta, MetricKind, SeriesDelta};

/// The maximum size of an instance's series with labels. They are stored outside of its linear memory, and are a fraction of its
/// default limit: 2,000 series with labels of 1 KiB need about half of it.
const SERIES_BYTES_MAX: usize = 8 << 20;

/// The approximate size of a series without its labels and counts: its slot, its map entry, and the headers of its strings.
const SERIES_BYTES: usize = 256;

/// With more bounds than this, a binary search per value is faster.
const BOUNDS_COUNTED_MAX: usize = 16;

/// The number of values that are compared with one bound before the next: they fit into the L1 cache.
const BLOCK: usize = 1024;

/// The series of an instance, and their changes in the current batch.
pub(crate) struct Recorder {
    metrics: Vec<Declared>,
    series_max: usize,
    // The size of all series with labels, at most `SERIES_BYTES_MAX`.
    bytes: usize,
    // The key is the metric's index followed by the encoded label values of the guest.
    handles: HashMap<Box<[u8]>, u32>,
    // Handles are indices into this.
    slots: Vec<Slot>,
    // The handles of changed slots, in the order of their first change.
    touched: Vec<u32>,
}

struct Declared {
    kind: MetricKind,
    labels: usize,
    buckets: Arc<[f64]>,
    // The number of series, without the overflow series.
    series: usize,
    overflow: Option<u32>,
}

struct Slot {
    series: Arc<GuestSeries>,
    kind: MetricKind,
    touched: bool,
    // The number of values.
    values: u64,
    // The sum of a counter or histogram, or the last value of a gauge.
    value: f64,
    // Only for histograms; then `counts` is one longer than `bounds`.
    bounds: Arc<[f64]>,
    counts: Vec<u64>,
}

impl Recorder {
    pub(crate) fn new(metrics: &[Metric], limits: &Limits) -> Recorder {
        let declared = |metric: &Metric| Declared {
            kind: metric.kind,
            labels: metric.labels.len(),
            buckets: metric.buckets.as_slice().into(),
            series: 0,
            overflow: None,
        };
        Recorder {
            metrics: metrics.iter().map(declared).collect(),
            series_max: limits.series_max,
            bytes: 0,
            handles: HashMap::new(),
            slots: Vec::new(),
            touched: Vec::new(),
        }
    }

    /// The number of labels of the metric, if it exists.
    pub(crate) fn labels(&self, metric: u32) -> Option<usize> {
        self.metrics.get(metric as usize).map(|metric| metric.labels)
    }

    /// The handle of the series with these label values, which must match the metric's labels. `key` is any injective encoding of
    /// the values. Pays for buckets before they are allocated.
    pub(crate) fn intern(&mut self, metric: u32, key: &[u8], labels: &[&str], purse: &mut Purse) -> Result<u32, Stop> {
        let mut full_key = Vec::with_capacity(key.len().saturating_add(4));
        full_key.extend_from_slice(&metric.to_le_bytes());
        full_key.extend_from_slice(key);
        if let Some(&handle) = self.handles.get(full_key.as_slice()) {
            return Ok(handle);
        }
        let declared = self.metrics.get(metric as usize).ok_or(Status::BadIndex)?;
        let counts = match declared.kind {
            MetricKind::Histogram => declared.buckets.len().saturating_add(1),
            _ => 0,
        };
        // The label values are stored twice: in the key, and as text.
        let label_bytes = labels.iter().map(|label| label.len().saturating_add(size_of::<String>()));
        let bytes = label_bytes.fold(full_key.len().saturating_add(SERIES_BYTES), usize::saturating_add);
        let bytes = bytes.saturating_add(counts.saturating_mul(size_of::<u64>()));
        // A metric without labels has one series and always gets it, whatever other metrics use.
        let labelled = declared.labels > 0;
        let overflow =
            labelled && (declared.series >= self.series_max || bytes > SERIES_BYTES_MAX.saturating_sub(self.bytes));
        if let (true, Some(handle)) = (overflow, declared.overflow) {
            return Ok(handle);
        }
        purse.pay(counts as u64)?;
        let labels = if overflow { Vec::new() } else { labels.iter().map(|&label| label.to_owned()).collect() };
        let handle = i32::try_from(self.slots.len()).map_err(|_| Status::Limit)?.cast_unsigned();
        self.slots.push(Slot {
            series: Arc::new(GuestSeries { metric: metric as usize, labels, overflow }),
            kind: declared.kind,
            touched: false,
            values: 0,
            value: 0.0,
            bounds: Arc::clone(&declared.buckets),
            counts: vec![0; counts],
        });
        if let Some(declared) = self.metrics.get_mut(metric as usize) {
            if overflow {
                declared.overflow = Some(handle);
            } else {
                declared.series = declared.series.saturating_add(1);
            }
        }
        if !overflow {
            if labelled {
                self.bytes = self.bytes.saturating_add(bytes);
            }
            self.handles.insert(full_key.into_boxed_slice(), handle);
        }
        Ok(handle)
    }

    /// Whether the value can be recorded in the series.
    #[inline]
    pub(crate) fn check(&self, handle: u32, value: f64) -> Result<(), Status> {
        let slot = self.slots.get(handle as usize).ok_or(Status::BadHandle)?;
        let falls = slot.kind == MetricKind::Counter && value < 0.0;
        if value.is_finite() && !falls { Ok(()) } else { Err(Status::BadValue) }
    }

    /// Records a value, after [`Recorder::check`].
    #[inline]
    pub(crate) fn record(&mut self, handle: u32, value: f64) {
        let Some(slot) = self.slots.get_mut(handle as usize) else { return };
        if !slot.touched {
            slot.touched = true;
            self.touched.push(handle);
        }
        slot.values = slot.values.saturating_add(1);
        match slot.kind {
            MetricKind::Gauge => slot.value = value,
            MetricKind::Counter => slot.add(value),
            MetricKind::Histogram => {
                let bucket = slot.bounds.partition_point(|&bound| bound < value);
                if let Some(count) = slot.counts.get_mut(bucket) {
                    *count = count.saturating_add(1);
                }
                slot.add(value);
            }
        }
    }

    /// Records doubles, as bytes, in one series; all or none. The result is the same as with [`Recorder::check`] and
    /// [`Recorder::record`] for each, except for the order of additions.
    pub(crate) fn record_column(&mut self, handle: u32, values: &[[u8; 8]]) -> Result<(), Status> {
        let slot = self.slots.get_mut(handle as usize).ok_or(Status::BadHandle)?;
        let least = if slot.kind == MetricKind::Counter { 0.0 } else { f64::MIN };
        // Without an early exit the loop is vectorised; NaN fails both comparisons.
        if !doubles(values).fold(true, |good, value| good & (value >= least) & (value <= f64::MAX)) {
            return Err(Status::BadValue);
        }
        let Some(last) = doubles(values).next_back() else { return Ok(()) };
        slot.values = slot.values.saturating_add(values.len() as u64);
        match slot.kind {
            MetricKind::Gauge => slot.value = last,
            MetricKind::Counter => slot.add_all(values),
            MetricKind::Histogram => {
                slot.count(values);
                slot.add_all(values);
            }
        }
        if !slot.touched {
            slot.touched = true;
            self.touched.push(handle);
        }
        Ok(())
    }

    /// Records the values that the series accepts. Returns the number of other values.
    pub(crate) fn record_taken(&mut self, handle: u32, values: &[[u8; 8]]) -> Result<usize, Status> {
        match self.record_column(handle, values) {
            Ok(()) => Ok(0),
            Err(Status::BadValue) => {
                let mut left_out = 0_usize;
                for value in doubles(values) {
                    match self.check(handle, value) {
                        Ok(()) => self.record(handle, value),
                        Err(_) => left_out = left_out.saturating_add(1),
                    }
                }
                Ok(left_out)
            }
            Err(status) => Err(status),
        }
    }

    /// Returns and resets the changes.
    pub(crate) fn take(&mut self) -> MetricBatch {
        let mut series = Vec::with_capacity(self.touched.len());
        for handle in self.touched.drain(..) {
            let Some(slot) = self.slots.get_mut(handle as usize) else { continue };
            slot.touched = false;
            let (value, values) = (std::mem::take(&mut slot.value), std::mem::take(&mut slot.values));
            let value = match slot.kind {
                MetricKind::Counter => MetricDelta::Counter { sum: value },
                MetricKind::Gauge => MetricDelta::Gauge { last: value },
                MetricKind::Histogram => {
                    let empty = vec![0; slot.counts.len()];
                    let buckets = std::mem::replace(&mut slot.counts, empty);
                    let count = buckets.iter().copied().fold(0, u64::saturating_add);
                    MetricDelta::Histogram { buckets, count, sum: value }
                }
            };
            series.push(SeriesDelta { series: Arc::clone(&slot.series), value, values });
        }
        MetricBatch { series }
    }
}

/// The doubles in these bytes.
fn doubles(values: &[[u8; 8]]) -> impl DoubleEndedIterator<Item = f64> {
    values.iter().map(|value| f64::from_le_bytes(*value))
}

impl Slot {
    /// Counts values in buckets.
    fn count(&mut self, values: &[[u8; 8]]) {
        if self.bounds.len() > BOUNDS_COUNTED_MAX {
            for value in doubles(values) {
                let bucket = self.bounds.partition_point(|&bound| bound < value);
                if let Some(count) = self.counts.get_mut(bucket) {
                    *count = count.saturating_add(1);
                }
            }
            return;
        }
        // For each bound, counts the values beyond it: the loop over the values is vectorised, without branches, and without
        // depending on the previous count.
        for values in values.chunks(BLOCK) {
            let mut left = values.len() as u64;
            let mut counts = self.counts.iter_mut();
            for (&bound, count) in self.bounds.iter().zip(counts.by_ref()) {
                let beyond: u64 = doubles(values).map(|value| u64::from(value > bound)).sum();
                *count = count.saturating_add(left.saturating_sub(beyond));
                left = beyond;
            }
            if let Some(last) = counts.next() {
                *last = last.saturating_add(left);
            }
        }
    }

    /// Adds all values, in independent lanes.
    fn add_all(&mut self, values: &[[u8; 8]]) {
        let (rows, rest) = values.as_chunks::<8>();
        let mut lanes = [0.0; 8];
        for row in rows {
            for (lane, value) in lanes.iter_mut().zip(doubles(row)) {
                *lane += value;
            }
        }
        for (lane, value) in lanes.iter_mut().zip(doubles(rest)) {
            *lane += value;
        }
        let sum: f64 = lanes.iter().sum();
        if sum.is_finite() {
            self.add(sum);
        } else {
            // An intermediate sum overflowed, although each value is finite.
            doubles(values).for_each(|value| self.add(value));
        }
    }

    /// Adds a value. A sum that would overflow stays at the largest finite value.
    fn add(&mut self, value: f64) {
        self.value = (self.value + value).clamp(f64::MIN, f64::MAX);
    }
}
