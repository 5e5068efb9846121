//! Guests' metrics as a manifest keeps them: what they may take of it, and how they get there and back.

use std::sync::Arc;

use weir_sandbox::{GuestSeries, MetricDelta, MetricKind};

use super::metrics::{CommittedMetrics, Folded, MetricRegistry, StageMetrics, fold};
use weir_state::{StoredSeries, StoredValue};

/// What the series of all stages of a query may take in its manifest, in bytes. Beyond it new label values share the
/// metric's overflow series, as they do beyond `series_max`. The manifest is written anew at each commit.
pub(super) const METRIC_BYTES_MAX: usize = 16 << 20;

/// What a series takes beside its texts and buckets: keys, quotes, a count and a sum.
const SERIES_BYTES: usize = 192;

/// The digits of a bucket, with a comma.
const BUCKET_BYTES: usize = 21;

/// Everything counted and staged at one moment, to be written down on another thread.
pub(super) struct Snapshot {
    committed: Arc<CommittedMetrics>,
    staged: Arc<Folded>,
}

/// The most that a text takes as JSON, in bytes.
fn json_bytes(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>().saturating_add(3)
}

impl MetricRegistry {
    /// The most that a series takes in the manifest, in bytes.
    fn stored_bytes(&self, stage: usize, series: &GuestSeries, value: &MetricDelta) -> usize {
        let StageMetrics { name, function, .. } = &self.stages[stage];
        let names = name.len().saturating_add(function.metrics[series.metric].name.len());
        let labels: usize = series.labels.iter().map(|label| json_bytes(label)).sum();
        let buckets = match value {
            MetricDelta::Histogram { buckets, .. } => buckets.len(),
            _ => 0,
        };
        SERIES_BYTES.saturating_add(names).saturating_add(labels).saturating_add(buckets.saturating_mul(BUCKET_BYTES))
    }

    /// Makes room for a series that is new, or says that it has to share. A series without labels has no other to share
    /// with: there is one for each metric.
    pub(super) fn has_room(&mut self, stage: usize, series: &GuestSeries, value: &MetricDelta) -> bool {
        if series.overflow {
            return true;
        }
        let bytes = self.stored_bytes(stage, series, value);
        let metrics = &mut self.stages[stage];
        let (series_max, count) = (metrics.series_max, &mut metrics.series[series.metric]);
        let all = self.bytes.saturating_add(bytes);
        if !series.labels.is_empty() && (*count >= series_max || all > METRIC_BYTES_MAX) {
            return false;
        }
        *count += 1;
        self.bytes = all;
        true
    }

    /// A series that was new is forgotten again.
    pub(super) fn gives_room(&mut self, stage: usize, series: &GuestSeries, value: &MetricDelta) {
        if series.overflow {
            return;
        }
        self.bytes = self.bytes.saturating_sub(self.stored_bytes(stage, series, value));
        let count = &mut self.stages[stage].series[series.metric];
        *count = count.saturating_sub(1);
    }

    /// Everything counted and staged, for the manifest of the next commit. Costs nothing here.
    pub(super) fn snapshot(&self) -> Snapshot {
        Snapshot { committed: Arc::clone(&self.committed), staged: Arc::clone(&self.staged) }
    }

    /// Takes over what an earlier run counted. Says how many series no stage declares any more, are beyond its limit, or
    /// hold what nothing could have counted: those are dropped.
    pub(crate) fn restore(&mut self, stored: Vec<StoredSeries>) -> usize {
        let mut dropped = 0;
        for series in stored {
            let mut stages = self.stages.iter().enumerate();
            let place = stages.find(|(_, stage)| *stage.name == *series.stage).and_then(|(index, stage)| {
                let mut metrics = stage.function.metrics.iter().enumerate();
                let (metric, declared) = metrics.find(|(_, metric)| metric.name == series.metric)?;
                let fits = match &series.value {
                    StoredValue::Counter { sum } => declared.kind == MetricKind::Counter && *sum >= 0.0,
                    StoredValue::Gauge { .. } => declared.kind == MetricKind::Gauge,
                    StoredValue::Histogram { buckets, count, .. } => {
                        declared.kind == MetricKind::Histogram
                            && buckets.len() == declared.buckets.len() + 1
                            && buckets.iter().copied().fold(0, u64::saturating_add) == *count
                    }
                };
                let labels = match series.overflow {
                    true => series.labels.is_empty() && !declared.labels.is_empty(),
                    false => series.labels.len() == declared.labels.len(),
                };
                (fits && labels).then_some((index, metric))
            });
            let Some((index, metric)) = place else {
                dropped += 1;
                continue;
            };
            // The tenant may be able to write what was kept: it gets no more series by that than its stages make.
            let key = Arc::new(GuestSeries { metric, labels: series.labels, overflow: series.overflow });
            let value: MetricDelta = delta(series.value);
            let known = self.committed.lock().series.contains_key(&(index, Arc::clone(&key)));
            if !known && !self.has_room(index, &key, &value) {
                dropped += 1;
                continue;
            }
            self.committed.lock().series.insert((index, key), value);
        }
        dropped
    }
}

impl Snapshot {
    /// What the manifest keeps, in the order of stages, metrics and label values. A copy of every series.
    pub(super) fn into_stored(self) -> Vec<StoredSeries> {
        let (stages, mut all) = {
            let committed = self.committed.lock();
            (committed.stages.clone(), committed.series.clone())
        };
        for (key, delta) in self.staged.iter() {
            fold(&mut all, (key.0, Arc::clone(&key.1)), delta.clone());
        }
        let stored = |((stage, series), delta): (&(usize, Arc<GuestSeries>), &MetricDelta)| {
            let (name, function) = &stages[*stage];
            StoredSeries {
                stage: name.to_string(),
                metric: function.metrics[series.metric].name.clone(),
                labels: series.labels.clone(),
                overflow: series.overflow,
                value: stored(delta),
            }
        };
        let mut stored: Vec<StoredSeries> = all.iter().map(stored).collect();
        stored.sort_by(|one, other| {
            (&one.stage, &one.metric, &one.labels).cmp(&(&other.stage, &other.metric, &other.labels))
        });
        stored
    }
}

/// A value as it is kept.
fn stored(value: &MetricDelta) -> StoredValue {
    match value {
        MetricDelta::Counter { sum } => StoredValue::Counter { sum: *sum },
        MetricDelta::Gauge { last } => StoredValue::Gauge { last: *last },
        MetricDelta::Histogram { buckets, count, sum } => {
            StoredValue::Histogram { buckets: buckets.clone(), count: *count, sum: *sum }
        }
    }
}

/// A value that was kept, as one that was just recorded.
fn delta(value: StoredValue) -> MetricDelta {
    match value {
        StoredValue::Counter { sum } => MetricDelta::Counter { sum },
        StoredValue::Gauge { last } => MetricDelta::Gauge { last },
        StoredValue::Histogram { buckets, count, sum } => MetricDelta::Histogram { buckets, count, sum },
    }
}

#[cfg(test)]
mod tests {
    use weir_sandbox::{Function, FunctionKind, Metric, MetricBatch};

    use super::*;
    use weir_state::StateManifest;

    /// A registry of one stage with a counter and a histogram of 100 buckets, by one label.
    fn registry() -> MetricRegistry {
        let metric = |name: &str, kind, buckets: Vec<f64>| {
            let mut metric = Metric::new(name, kind);
            metric.labels = vec!["l".to_owned()];
            metric.buckets = buckets;
            metric
        };
        let mut function = Function::new("f", FunctionKind::Metrics);
        function.metrics = vec![
            metric("c", MetricKind::Counter, Vec::new()),
            metric("h", MetricKind::Histogram, (0..100).map(f64::from).collect()),
        ];
        let mut registry = MetricRegistry::default();
        registry.add_stage(&"s".into(), &Arc::new(function), 1_000_000);
        registry
    }

    fn batch(metric: usize, label: String, value: MetricDelta) -> MetricBatch {
        let series = Arc::new(GuestSeries { metric, labels: vec![label], overflow: false });
        MetricBatch { series: vec![weir_sandbox::SeriesDelta { series, value, values: 1 }] }
    }

    #[test]
    fn what_guests_record_fits_the_manifest_whatever_it_is() {
        let mut registry = registry();
        let bad = |length: usize, number: usize| format!("{}{number}", "\u{1}".repeat(length));
        for number in 0..40_000 {
            let counter = batch(0, bad(1000, number), MetricDelta::Counter { sum: 1.0 });
            registry.stage(0, &counter);
            let (buckets, sum) = (vec![u64::MAX; 101], -1.797_693_134_862_315_7e308);
            let histogram = MetricDelta::Histogram { buckets, count: u64::MAX, sum };
            registry.stage(0, &batch(1, bad(0, number), histogram));
            if number % 1000 == 0 {
                registry.commit();
            }
        }
        let manifest = StateManifest { metrics: registry.snapshot().into_stored(), ..StateManifest::default() };
        let bytes = manifest.to_bytes().expect("a manifest").len();
        assert!(bytes <= METRIC_BYTES_MAX + (1 << 16), "{bytes}");
        assert!(registry.bytes >= bytes / 2, "the estimate of {} is far from {bytes}", registry.bytes);
        // What did not fit is counted, in the series that share.
        registry.commit();
        let shared: u64 = registry.committed.read().iter().map(|metric| metric.overflow_values).sum();
        assert!(shared > 60_000, "{shared}");
        // It is read back, and has room again.
        let kept = StateManifest::from_bytes(&manifest.to_bytes().expect("a manifest")).expect("it can be read");
        let mut next = self::registry();
        let (all, dropped) = (kept.metrics.len(), next.restore(kept.metrics));
        assert!(dropped == 0 && all > 3_000, "{dropped} of {all} are dropped");
        assert_eq!(next.bytes, registry.bytes);
    }

    #[test]
    fn what_is_rolled_back_gives_its_room_back() {
        let mut registry = registry();
        registry.stage(0, &batch(0, "a".to_owned(), MetricDelta::Counter { sum: 1.0 }));
        registry.commit();
        let bytes = registry.bytes;
        registry.stage(0, &batch(0, "b".to_owned(), MetricDelta::Counter { sum: 1.0 }));
        assert!(registry.bytes > bytes);
        registry.roll_back();
        assert_eq!((registry.bytes, registry.snapshot().into_stored().len()), (bytes, 1));
    }
}
