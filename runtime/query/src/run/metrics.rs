//! What guests recorded: staged with each batch, counted when it commits.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use weir_sandbox::{Function, MetricBatch, MetricDelta, MetricKind, Series as GuestSeries};

use super::state::{StoredSeries, StoredValue};

/// The metrics of one query: staged with each batch, counted at each commit. A stage's series are its own: no other
/// stage or tenant can name them. Holds an entry a series, as many as the stages' limits allow.
#[derive(Debug, Default)]
pub struct MetricRegistry {
    stages: Vec<StageMetrics>,
    staged: Folded,
    committed: Folded,
}

#[derive(Debug)]
struct StageMetrics {
    name: Arc<str>,
    function: Arc<Function>,
    series_max: usize,
    // Series of each metric that were ever staged. An instance keeps to the limit by itself; its successors start anew.
    series: Vec<usize>,
}

/// Series of all stages, put together. Its size is bounded by the stages' limits on series.
type Folded = HashMap<(usize, Arc<GuestSeries>), MetricDelta>;

/// One metric with one set of label values, as it stood at the last commit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// The stage that recorded it.
    pub stage: String,
    /// The metric, as the function declares it.
    pub metric: String,
    /// The unit, where the function declares one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Label names and values, in the order of the declaration. An overflow series has one, `overflow`.
    pub labels: Vec<(String, String)>,
    /// The value.
    #[serde(flatten)]
    pub reading: Reading,
}

/// The value of a series.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Reading {
    /// The sum of all steps.
    Counter {
        /// The sum.
        total: f64,
    },
    /// The last value.
    Gauge {
        /// The value.
        value: f64,
    },
    /// Values by bucket.
    Histogram {
        /// How many values there were.
        count: u64,
        /// Their sum.
        sum: f64,
        /// Upper bounds of the buckets but the last, which has none.
        bounds: Vec<f64>,
        /// Values in each bucket, not accumulated: one more than there are bounds.
        buckets: Vec<u64>,
    },
}

impl MetricRegistry {
    /// Adds a stage, and returns the number to stage its batches under.
    pub fn add_stage(&mut self, name: &Arc<str>, function: &Arc<Function>, series_max: usize) -> usize {
        let (name, function) = (Arc::clone(name), Arc::clone(function));
        let series = vec![0; function.metrics.len()];
        self.stages.push(StageMetrics { name, function, series_max, series });
        self.stages.len() - 1
    }

    /// Stages what a stage recorded in a batch.
    pub fn stage(&mut self, stage: usize, batch: &MetricBatch) {
        let Some(metrics) = self.stages.get_mut(stage) else { return };
        for delta in &batch.series {
            let mut key = (stage, Arc::clone(&delta.series));
            if !self.staged.contains_key(&key) && !self.committed.contains_key(&key) {
                let Some(series) = metrics.series.get_mut(key.1.metric) else { continue };
                if *series >= metrics.series_max && !key.1.labels.is_empty() {
                    key.1 = Arc::new(GuestSeries { metric: key.1.metric, labels: Vec::new(), overflow: true });
                } else {
                    *series += 1;
                }
            }
            fold(&mut self.staged, key, delta.value.clone());
        }
    }

    /// Counts what was staged.
    pub fn commit(&mut self) {
        for (key, delta) in self.staged.drain() {
            fold(&mut self.committed, key, delta);
        }
    }

    /// Forgets what was staged: its batches will come again.
    pub(crate) fn roll_back(&mut self) {
        for (stage, series) in self.staged.drain().map(|(key, _)| key) {
            let known = self.committed.contains_key(&(stage, Arc::clone(&series)));
            let count = self.stages.get_mut(stage).and_then(|stage| stage.series.get_mut(series.metric));
            if let Some(count) = count.filter(|_| !known) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// Everything counted and staged, as the manifest of the next commit keeps it.
    pub(crate) fn store(&self) -> Vec<StoredSeries> {
        let mut all = self.committed.clone();
        for (key, delta) in &self.staged {
            fold(&mut all, (key.0, Arc::clone(&key.1)), delta.clone());
        }
        let stored = |((stage, series), delta): (&(usize, Arc<GuestSeries>), &MetricDelta)| {
            let stage = self.stages.get(*stage)?;
            Some(StoredSeries {
                stage: stage.name.to_string(),
                metric: stage.function.metrics.get(series.metric)?.name.clone(),
                labels: series.labels.clone(),
                overflow: series.overflow,
                value: delta.into(),
            })
        };
        let mut stored: Vec<StoredSeries> = all.iter().filter_map(stored).collect();
        stored.sort_by(|one, other| {
            (&one.stage, &one.metric, &one.labels).cmp(&(&other.stage, &other.metric, &other.labels))
        });
        stored
    }

    /// Takes over what an earlier run counted. Says how many series no stage declares any more: those are dropped.
    pub(crate) fn restore(&mut self, stored: Vec<StoredSeries>) -> usize {
        let mut dropped = 0;
        for series in stored {
            let stage = self.stages.iter().position(|stage| *stage.name == *series.stage);
            let place = stage.and_then(|index| {
                let function = &self.stages.get(index)?.function;
                let metric = function.metrics.iter().position(|metric| metric.name == series.metric)?;
                let declared = function.metrics.get(metric)?;
                let fits = match &series.value {
                    StoredValue::Counter { .. } => declared.kind == MetricKind::Counter,
                    StoredValue::Gauge { .. } => declared.kind == MetricKind::Gauge,
                    StoredValue::Histogram { buckets, .. } => {
                        declared.kind == MetricKind::Histogram && buckets.len() == declared.buckets.len() + 1
                    }
                };
                let labels = series.overflow || series.labels.len() == declared.labels.len();
                (fits && labels).then_some((index, metric))
            });
            let Some((index, metric)) = place else {
                dropped += 1;
                continue;
            };
            if let Some(count) = self.stages.get_mut(index).and_then(|stage| stage.series.get_mut(metric)) {
                *count += 1;
            }
            let key = Arc::new(GuestSeries { metric, labels: series.labels, overflow: series.overflow });
            self.committed.insert((index, key), series.value.into());
        }
        dropped
    }

    /// What was counted, in the order of stages, metrics and label values.
    pub fn committed(&self) -> Vec<Series> {
        let mut keys: Vec<_> = self.committed.iter().collect();
        keys.sort_by(|((stage, one), _), ((other_stage, other), _)| {
            (stage, one.metric, one.overflow, &one.labels).cmp(&(
                other_stage,
                other.metric,
                other.overflow,
                &other.labels,
            ))
        });
        keys.into_iter().filter_map(|((stage, series), delta)| self.series(*stage, series, delta)).collect()
    }

    fn series(&self, stage: usize, series: &GuestSeries, delta: &MetricDelta) -> Option<Series> {
        let stage = self.stages.get(stage)?;
        let metric = stage.function.metrics.get(series.metric)?;
        let labels = if series.overflow {
            vec![("overflow".to_owned(), "true".to_owned())]
        } else {
            metric.labels.iter().cloned().zip(series.labels.iter().cloned()).collect()
        };
        let reading = match delta {
            MetricDelta::Counter { sum } => Reading::Counter { total: *sum },
            MetricDelta::Gauge { last } => Reading::Gauge { value: *last },
            MetricDelta::Histogram { buckets, count, sum } => Reading::Histogram {
                count: *count,
                sum: *sum,
                bounds: metric.buckets.clone(),
                buckets: buckets.clone(),
            },
        };
        Some(Series {
            stage: stage.name.to_string(),
            metric: metric.name.clone(),
            unit: metric.unit.clone(),
            labels,
            reading,
        })
    }
}

/// Adds a delta to what its series has: sums and counts add up, a gauge takes the later value.
fn fold(into: &mut Folded, key: (usize, Arc<GuestSeries>), delta: MetricDelta) {
    use std::collections::hash_map::Entry;
    match into.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(delta);
        }
        Entry::Occupied(mut entry) => match (entry.get_mut(), delta) {
            (MetricDelta::Counter { sum }, MetricDelta::Counter { sum: more }) => *sum += more,
            (
                MetricDelta::Histogram { buckets, count, sum },
                MetricDelta::Histogram { buckets: more_buckets, count: more_count, sum: more_sum },
            ) => {
                for (bucket, more) in buckets.iter_mut().zip(more_buckets) {
                    *bucket = bucket.saturating_add(more);
                }
                *count = count.saturating_add(more_count);
                *sum += more_sum;
            }
            // A gauge; a series' kind is its metric's, so that no other pair can meet.
            (stands, later) => *stands = later,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: usize, label: &str) -> Arc<GuestSeries> {
        Arc::new(GuestSeries { metric, labels: vec![label.to_owned()], overflow: false })
    }

    #[test]
    fn counters_add_up_gauges_take_the_last_and_buckets_add_by_place() {
        let mut folded = Folded::new();
        let (counter, gauge, histogram) = (series(0, "a"), series(1, "a"), series(2, "a"));
        for step in [1.0, 2.0] {
            fold(&mut folded, (0, Arc::clone(&counter)), MetricDelta::Counter { sum: step });
            fold(&mut folded, (0, Arc::clone(&gauge)), MetricDelta::Gauge { last: step });
            let value = MetricDelta::Histogram { buckets: vec![1, 0, 2], count: 3, sum: step };
            fold(&mut folded, (0, Arc::clone(&histogram)), value);
        }
        assert_eq!(folded[&(0, counter)], MetricDelta::Counter { sum: 3.0 });
        assert_eq!(folded[&(0, gauge)], MetricDelta::Gauge { last: 2.0 });
        assert_eq!(folded[&(0, histogram)], MetricDelta::Histogram { buckets: vec![2, 0, 4], count: 6, sum: 3.0 });
    }
}
