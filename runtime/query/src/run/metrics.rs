//! What guests recorded: staged with each batch, counted when it commits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bincode::{Decode, Encode};
use serde::Serialize;
use weir_sandbox::{Function, GuestSeries, MetricBatch, MetricDelta, MetricKind};

use weir_plan::Plan;

/// The metrics of one query: staged with each batch, counted at each commit. A stage's series are its own: no other
/// stage or tenant can name them. Holds an entry a series, as many as the stages' limits allow.
#[derive(Debug, Default)]
pub struct MetricRegistry {
    pub(super) stages: Vec<StageMetrics>,
    // Shared with whoever writes it down.
    pub(super) staged: Arc<Folded>,
    // Values that overflow series took, by stage and metric; not counted yet.
    staged_overflow: Overflow,
    pub(super) committed: Arc<CommittedMetrics>,
    // What the manifest takes for all series, at most.
    pub(super) bytes: usize,
}

/// What was counted up to the last commit, for the registry's owner to change and for anybody to look at. It is locked
/// for a moment at each batch and commit, and while somebody copies it.
#[derive(Debug, Default)]
pub(crate) struct CommittedMetrics(Mutex<Committed>);

#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) stages: Vec<(Arc<str>, Arc<Function>)>,
    pub(super) series: Folded,
    overflow: Overflow,
}

#[derive(Debug)]
pub(super) struct StageMetrics {
    pub(super) name: Arc<str>,
    pub(super) function: Arc<Function>,
    pub(super) series_max: usize,
    // Series of each metric that were ever staged, but for overflow series. An instance keeps to the limit by itself; its
    // successors start anew.
    pub(super) series: Vec<usize>,
}

type Overflow = HashMap<(usize, usize), u64>;

/// Series of all stages, put together. Its size is bounded by the stages' limits on series.
pub(super) type Folded = HashMap<(usize, Arc<GuestSeries>), MetricDelta>;

/// One metric with one set of label values, as it stood at the last commit.
#[derive(Clone, Debug, PartialEq, Serialize, Encode, Decode)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Encode, Decode)]
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
    /// The registry of a plan: a stage's number is its place there.
    pub(super) fn of(plan: &Plan) -> MetricRegistry {
        let mut metrics = MetricRegistry::default();
        for stage in &plan.stages {
            metrics.add_stage(&stage.name, &stage.function, stage.limits.series_max);
        }
        metrics
    }

    /// Adds a stage, and returns the number to stage its batches under.
    pub fn add_stage(&mut self, name: &Arc<str>, function: &Arc<Function>, series_max: usize) -> usize {
        let (name, function) = (Arc::clone(name), Arc::clone(function));
        self.committed.lock().stages.push((Arc::clone(&name), Arc::clone(&function)));
        let series = vec![0; function.metrics.len()];
        self.stages.push(StageMetrics { name, function, series_max, series });
        self.stages.len() - 1
    }

    /// Stages what a stage recorded in a batch.
    ///
    /// # Panics
    ///
    /// If [`MetricRegistry::add_stage`] has given no such number. The sandbox refuses metrics that a function does not
    /// declare.
    pub fn stage(&mut self, stage: usize, batch: &MetricBatch) {
        let committed = Arc::clone(&self.committed);
        let committed = committed.lock();
        for delta in &batch.series {
            let mut key = (stage, Arc::clone(&delta.series));
            let known = self.staged.contains_key(&key) || committed.series.contains_key(&key);
            if !known && !self.has_room(stage, &key.1, &delta.value) {
                key.1 = Arc::new(GuestSeries { metric: key.1.metric, labels: Vec::new(), overflow: true });
            }
            if key.1.overflow {
                let taken = self.staged_overflow.entry((stage, key.1.metric)).or_default();
                *taken = taken.saturating_add(delta.values);
            }
            fold(Arc::make_mut(&mut self.staged), key, delta.value.clone());
        }
    }

    /// Counts what was staged.
    pub fn commit(&mut self) {
        let mut committed = self.committed.lock();
        for (key, delta) in Arc::make_mut(&mut self.staged).drain() {
            fold(&mut committed.series, key, delta);
        }
        for (metric, values) in self.staged_overflow.drain() {
            let taken = committed.overflow.entry(metric).or_default();
            *taken = taken.saturating_add(values);
        }
    }

    /// What was counted, for others to look at.
    pub(crate) fn shared(&self) -> Arc<CommittedMetrics> {
        Arc::clone(&self.committed)
    }

    /// Forgets what was staged: its batches will come again.
    pub(crate) fn roll_back(&mut self) {
        self.staged_overflow.clear();
        let staged = std::mem::take(&mut self.staged);
        let committed = Arc::clone(&self.committed);
        let committed = committed.lock();
        for ((stage, series), value) in staged.iter() {
            if !committed.series.contains_key(&(*stage, Arc::clone(series))) {
                self.gives_room(*stage, series, value);
            }
        }
    }

    /// What was counted, in the order of stages, metrics and label values.
    pub fn committed(&self) -> Vec<Series> {
        let committed = self.committed.lock();
        let mut keys: Vec<_> = committed.series.iter().collect();
        keys.sort_by(|((stage, one), _), ((other_stage, other), _)| {
            (stage, one.metric, one.overflow, &one.labels).cmp(&(
                other_stage,
                other.metric,
                other.overflow,
                &other.labels,
            ))
        });
        keys.into_iter().map(|((stage, series), delta)| self.series(*stage, series, delta)).collect()
    }

    fn series(&self, stage: usize, series: &GuestSeries, delta: &MetricDelta) -> Series {
        let stage = &self.stages[stage];
        let metric = &stage.function.metrics[series.metric];
        let labels = if series.overflow {
            vec![("overflow".to_owned(), "true".to_owned())]
        } else {
            metric.labels.iter().cloned().zip(series.labels.iter().cloned()).collect()
        };
        Series {
            stage: stage.name.to_string(),
            metric: metric.name.clone(),
            unit: metric.unit.clone(),
            labels,
            reading: Reading::new(delta.clone(), &metric.buckets),
        }
    }
}

impl Reading {
    fn new(delta: MetricDelta, bounds: &[f64]) -> Reading {
        match delta {
            MetricDelta::Counter { sum } => Reading::Counter { total: sum },
            MetricDelta::Gauge { last } => Reading::Gauge { value: last },
            MetricDelta::Histogram { buckets, count, sum } => {
                Reading::Histogram { count, sum, bounds: bounds.to_vec(), buckets }
            }
        }
    }
}

/// A metric that a stage's function declares, with its series as they stood at the last commit.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct CommittedMetric {
    /// The stage.
    pub stage: Arc<str>,
    /// The metric, as the function declares it: `[a-z][a-z0-9_]*`, unique in the stage.
    pub name: String,
    /// How values are put together.
    pub kind: MetricKind,
    /// The unit of its values; empty if the function gives none. Any text.
    pub unit: String,
    /// What it measures; empty if the function does not say. Any text.
    pub help: String,
    /// The names of its labels, each `[a-z][a-z0-9_]*`, without repetition.
    pub labels: Vec<String>,
    /// Its series, in the order of their label values; the overflow series comes last.
    pub series: Vec<CommittedSeries>,
    /// Values that this run recorded in the overflow series, for want of room for more series.
    pub overflow_values: u64,
}

/// One set of label values.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct CommittedSeries {
    /// A value for each label, any text; none in an overflow series.
    pub labels: Vec<String>,
    /// Whether it is the one that takes what is beyond the limit.
    pub overflow: bool,
    /// The value.
    pub reading: Reading,
}

impl CommittedMetrics {
    /// Every metric of every stage, in the order of the file and the declarations, also where nothing was recorded.
    pub(crate) fn read(&self) -> Vec<CommittedMetric> {
        let (stages, series, overflow) = {
            let committed = self.lock();
            (committed.stages.clone(), committed.series.clone(), committed.overflow.clone())
        };
        let mut metrics = Vec::new();
        let mut places = HashMap::new();
        for (index, (name, function)) in stages.iter().enumerate() {
            for (number, declared) in function.metrics.iter().enumerate() {
                places.insert((index, number), metrics.len());
                metrics.push(CommittedMetric {
                    stage: Arc::clone(name),
                    name: declared.name.clone(),
                    kind: declared.kind,
                    unit: declared.unit.clone(),
                    help: declared.help.clone(),
                    labels: declared.labels.clone(),
                    series: Vec::new(),
                    overflow_values: overflow.get(&(index, number)).copied().unwrap_or(0),
                });
            }
        }
        for ((stage, series), delta) in series {
            let metric: &mut CommittedMetric = &mut metrics[places[&(stage, series.metric)]];
            let declared = &stages[stage].1.metrics[series.metric];
            let reading = Reading::new(delta, &declared.buckets);
            let (labels, overflow) = (series.labels.clone(), series.overflow);
            metric.series.push(CommittedSeries { labels, overflow, reading });
        }
        for metric in &mut metrics {
            metric.series.sort_by(|one, other| (one.overflow, &one.labels).cmp(&(other.overflow, &other.labels)));
        }
        metrics
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Committed> {
        // Every change is an insertion or a sum: a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a delta to what its series has: sums and counts add up, a gauge takes the later value. A sum is a double, exact
/// for whole numbers up to 2^53; beyond the range of doubles it is held at its end, as the sandbox does within a batch: a
/// sum that is no number could neither be written to a manifest nor be read from one.
pub(super) fn fold(into: &mut Folded, key: (usize, Arc<GuestSeries>), delta: MetricDelta) {
    use std::collections::hash_map::Entry;
    match into.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(delta);
        }
        Entry::Occupied(mut entry) => match (entry.get_mut(), delta) {
            (MetricDelta::Counter { sum }, MetricDelta::Counter { sum: more }) => *sum = finite(*sum + more),
            (
                MetricDelta::Histogram { buckets, count, sum },
                MetricDelta::Histogram { buckets: more_buckets, count: more_count, sum: more_sum },
            ) => {
                for (bucket, more) in buckets.iter_mut().zip(more_buckets) {
                    *bucket = bucket.saturating_add(more);
                }
                *count = count.saturating_add(more_count);
                *sum = finite(*sum + more_sum);
            }
            // A gauge; a series' kind is its metric's, so that no other pair can meet.
            (stands, later) => *stands = later,
        },
    }
}

fn finite(sum: f64) -> f64 {
    sum.clamp(f64::MIN, f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_state::{StoredSeries, StoredValue};

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

    #[test]
    fn sums_stay_numbers_and_counts_stay_counts_whatever_is_added() {
        let mut folded = Folded::new();
        let (counter, histogram) = (series(0, "a"), series(2, "a"));
        for sum in [f64::MAX, f64::MAX] {
            fold(&mut folded, (0, Arc::clone(&counter)), MetricDelta::Counter { sum });
            let value = MetricDelta::Histogram { buckets: vec![u64::MAX], count: u64::MAX, sum };
            fold(&mut folded, (0, Arc::clone(&histogram)), value);
        }
        // Without an end to be held at this would be infinity less infinity.
        let value = MetricDelta::Histogram { buckets: vec![1], count: 1, sum: f64::MIN };
        fold(&mut folded, (0, Arc::clone(&histogram)), value);
        assert_eq!(folded[&(0, Arc::clone(&counter))], MetricDelta::Counter { sum: f64::MAX });
        let held = MetricDelta::Histogram { buckets: vec![u64::MAX], count: u64::MAX, sum: 0.0 };
        assert_eq!(folded[&(0, histogram)], held);
        // A double counts one by one up to 2^53, and no further.
        let exact = 9_007_199_254_740_992.0;
        let mut folded = Folded::new();
        for sum in [exact - 1.0, 1.0, 1.0, 2.0] {
            fold(&mut folded, (0, Arc::clone(&counter)), MetricDelta::Counter { sum });
        }
        assert_eq!(folded[&(0, counter)], MetricDelta::Counter { sum: exact + 2.0 });
    }

    #[test]
    fn what_nothing_could_have_counted_is_not_taken_over() {
        let metric = |name: &str, kind, buckets: &[f64]| {
            let mut metric = weir_sandbox::Metric::new(name, kind);
            metric.buckets = buckets.to_vec();
            metric
        };
        let metrics = vec![metric("c", MetricKind::Counter, &[]), metric("h", MetricKind::Histogram, &[1.0])];
        let mut function = Function::new("f", weir_sandbox::FunctionKind::Metrics);
        function.metrics = metrics;
        let stored = |metric: &str, value| StoredSeries {
            stage: "s".to_owned(),
            metric: metric.to_owned(),
            labels: Vec::new(),
            overflow: false,
            value,
        };
        let (buckets, sum) = (vec![1, 2], 3.0);
        for (kept, dropped, series) in [
            (1, 0, stored("c", StoredValue::Counter { sum: 0.5 })),
            (0, 1, stored("c", StoredValue::Counter { sum: -0.5 })),
            (0, 1, stored("c", StoredValue::Gauge { last: 1.0 })),
            (0, 1, stored("x", StoredValue::Counter { sum: 1.0 })),
            (1, 0, stored("h", StoredValue::Histogram { buckets: buckets.clone(), count: 3, sum })),
            (0, 1, stored("h", StoredValue::Histogram { buckets: buckets.clone(), count: 4, sum })),
            (0, 1, stored("h", StoredValue::Histogram { buckets: vec![1], count: 1, sum })),
            // Of a metric without labels nothing is beyond the limit.
            (0, 1, StoredSeries { overflow: true, ..stored("c", StoredValue::Counter { sum: 0.5 }) }),
        ] {
            let mut registry = MetricRegistry::default();
            registry.add_stage(&"s".into(), &Arc::new(function.clone()), 10);
            assert_eq!(registry.restore(vec![series.clone()]), dropped, "{series:?}");
            assert_eq!(registry.committed().len(), kept, "{series:?}");
        }
    }
}
