//! Many figures as a few.

use std::time::Duration;

/// How durations are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// How many there are.
    pub count: usize,
    /// Half of them take no longer.
    pub p50: Duration,
    /// Of a hundred, 99 take no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl Spread {
    /// The spread of these figures; `None` without any.
    pub fn of(mut durations: Vec<Duration>) -> Option<Spread> {
        durations.sort_unstable();
        let max = *durations.last()?;
        // The nearest rank: a figure that was measured, not one between two.
        let rank = |percent: usize| {
            let rank = (durations.len() * percent).div_ceil(100).saturating_sub(1);
            durations.get(rank).copied().unwrap_or(max)
        };
        Some(Spread { count: durations.len(), p50: rank(50), p99: rank(99), max })
    }
}

/// The median of these figures; `None` without any.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    let below = *values.get((values.len() - 1) / 2)?;
    Some((above + below) / 2.0)
}

/// How much a figure rises a step, by least squares; 0 where there are fewer than two.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let along = points.iter().map(|point| (point.0 - mean_x) * (point.1 - mean_y)).sum::<f64>();
    let across = points.iter().map(|point| (point.0 - mean_x).powi(2)).sum::<f64>();
    if across > 0.0 { along / across } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_of_what_was_measured() {
        let millis = |numbers: Vec<u64>| Spread::of(numbers.into_iter().map(Duration::from_millis).collect());
        assert_eq!(millis(vec![]), None);
        let one = millis(vec![7]).unwrap();
        assert_eq!((one.p50, one.p99, one.max), (one.max, one.max, Duration::from_millis(7)));
        let spread = millis((1..=200).rev().collect()).unwrap();
        let ms = [spread.p50, spread.p99, spread.max].map(|duration| duration.as_millis());
        assert_eq!((ms, spread.count), ([100, 198, 200], 200));
    }

    #[test]
    fn medians_and_slopes() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0]), Some(2.5));
        assert_eq!(slope(&[]), 0.0);
        assert_eq!(slope(&[(1.0, 5.0)]), 0.0);
        assert_eq!(slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]), 2.0);
    }
}
