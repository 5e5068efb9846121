//! How long things take: a histogram that any task adds to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bincode::{Decode, Encode};

/// Upper bounds of the buckets in nanoseconds: from a guest call over a small batch to a sink that hangs. Beyond the
/// last one is one more bucket.
const BOUNDS_NANOS: [u64; 14] = [
    10_000,
    25_000,
    100_000,
    250_000,
    1_000_000,
    2_500_000,
    10_000_000,
    25_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
    60_000_000_000,
];

/// Durations by bucket. Adding one costs two additions to shared numbers.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    buckets: [AtomicU64; BOUNDS_NANOS.len() + 1],
    nanos: AtomicU64,
}

/// Durations by bucket, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Durations {
    /// Upper bounds of the buckets but the last, in seconds, ascending.
    pub bounds: Vec<f64>,
    /// How many lie in each bucket, not accumulated: one more than there are bounds. A duration lies in the first bucket
    /// whose bound is not below it.
    pub buckets: Vec<u64>,
    /// Their sum in seconds.
    pub sum: f64,
}

impl Timing {
    pub(crate) fn add(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NANOS.partition_point(|&bound| bound < nanos);
        // There is one more than there are bounds.
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Durations {
        Durations {
            bounds: BOUNDS_NANOS.iter().map(|&nanos| nanos as f64 / 1e9).collect(),
            buckets: self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect(),
            sum: self.nanos.load(Ordering::Relaxed) as f64 / 1e9,
        }
    }
}

impl Durations {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, bucket| bucket.saturating_add(sum))
    }

    /// Whether a query can have measured them: they may come from a worker that was taken over.
    pub fn is_plausible(&self) -> bool {
        let bounds = BOUNDS_NANOS.iter().map(|&nanos| nanos as f64 / 1e9);
        let is_empty = self.bounds.is_empty() && self.buckets.is_empty();
        let is_whole = self.buckets.len() == BOUNDS_NANOS.len() + 1 && self.bounds.iter().copied().eq(bounds);
        (is_empty || is_whole) && self.sum.is_finite() && self.sum >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_in_the_first_bucket_whose_bound_is_not_below_it() {
        let timing = Timing::default();
        for nanos in [0, 10_000, 10_001, 60_000_000_000, 60_000_000_001] {
            timing.add(Duration::from_nanos(nanos));
        }
        let read = timing.read();
        let filled: Vec<_> = read.buckets.iter().enumerate().filter(|(_, count)| **count > 0).collect();
        assert_eq!(filled, [(0, &2), (1, &1), (13, &1), (14, &1)]);
        assert_eq!((read.count(), read.bounds.len()), (5, read.buckets.len() - 1));
        assert!((read.sum - 120.000_020_002).abs() < 1e-9, "{}", read.sum);
        assert!(read.is_plausible() && Durations::default().is_plausible());
        let lies: [fn(&mut Durations); 5] = [
            |it| it.sum = f64::NAN,
            |it| it.sum = -1.0,
            |it| it.bounds[3] = f64::NAN,
            |it| it.buckets.push(1),
            |it| it.bounds.clear(),
        ];
        for lie in lies {
            let mut told = read.clone();
            lie(&mut told);
            assert!(!told.is_plausible(), "{told:?}");
        }
    }
}
