//! What a worker says about a query that runs, and about its end.

use bincode::{Decode, Encode};
use weir_query::{CommittedMetric, CommittedSeries, Details, Ending, Progress, Reading, Summary};
use weir_sandbox::MetricKind;

use crate::{WorkerError, form, plausible};

/// Reports may have this many bytes. Beyond it they go without series, which are the only part that grows.
const BYTES_MAX: usize = 3 << 20;

/// A query at one moment: the bytes in [`Progress`](weir_frame::FromWorker::Progress).
#[derive(Clone, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct QueryReport {
    /// Its counters and its state.
    pub progress: Progress,
    /// How it spends its time.
    pub details: Details,
    /// What its functions recorded. Without series where they would make the report too long.
    pub metrics: Vec<CommittedMetric>,
}

impl QueryReport {
    /// A report of these.
    pub fn new(progress: Progress, details: Details, metrics: Vec<CommittedMetric>) -> QueryReport {
        QueryReport { progress, details, metrics }
    }

    /// Its bytes, at most 3 MiB but for what does not grow with a guest's work.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`]: it is too long without series as well.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WorkerError> {
        let bytes = form::encode("a report", self)?;
        if bytes.len() <= BYTES_MAX {
            return Ok(bytes);
        }
        let without = |metric: &CommittedMetric| {
            let mut metric = metric.clone();
            metric.series.clear();
            metric
        };
        let metrics = self.metrics.iter().map(without).collect();
        form::encode("a report", QueryReport { metrics, ..self.clone() })
    }

    /// The report of bytes. They come from a worker, which may have been taken over: metrics that no function can have declared,
    /// series that none can have recorded, and numbers and names that no query has, are left out. What else is text is escaped by
    /// whoever shows it.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`].
    pub fn from_bytes(bytes: &[u8]) -> Result<QueryReport, WorkerError> {
        let mut report: QueryReport = form::decode("a report", bytes)?;
        plausible::progress(&mut report.progress);
        plausible::details(&mut report.details);
        report.metrics.retain_mut(|metric| {
            let CommittedMetric { name, kind, labels, series, .. } = metric;
            series.retain(|series| is_recorded(*kind, labels.len(), series));
            is_name(name) && labels.iter().all(|label| is_name(label))
        });
        Ok(report)
    }
}

/// Whether a function can call a metric or label so.
fn is_name(name: &str) -> bool {
    const NAME_BYTES_MAX: usize = 256;
    let tail = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= NAME_BYTES_MAX
        && name.bytes().next().is_some_and(|first| first.is_ascii_lowercase())
        && name.bytes().all(tail)
}

/// Whether a function can have recorded a series in a metric of this kind with this number of labels.
fn is_recorded(kind: MetricKind, labels: usize, series: &CommittedSeries) -> bool {
    let has_labels = if series.overflow { series.labels.is_empty() } else { series.labels.len() == labels };
    has_labels
        && match (kind, &series.reading) {
            (MetricKind::Counter, Reading::Counter { total }) => total.is_finite(),
            (MetricKind::Gauge, Reading::Gauge { value }) => value.is_finite(),
            (MetricKind::Histogram, Reading::Histogram { sum, bounds, buckets, .. }) => {
                let ascend =
                    bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|one, next| one < next);
                sum.is_finite() && ascend && buckets.len() == bounds.len() + 1
            }
            _ => false,
        }
}

/// How a query ended: the bytes in [`Ended`](weir_frame::FromWorker::Ended).
#[derive(Clone, Debug, Encode, Decode)]
#[non_exhaustive]
pub struct QueryAccount {
    /// Why it ended.
    pub ending: Ending,
    /// What it did; `None` where it ended before it ran.
    pub summary: Option<Summary>,
    /// What failed, where something did.
    pub failure: Option<String>,
    /// Whether it was ended by force, with records that it had read and not committed.
    pub forced: bool,
}

impl QueryAccount {
    /// A query that ended like this.
    pub fn new(ending: Ending, summary: Option<Summary>, failure: Option<String>, forced: bool) -> QueryAccount {
        QueryAccount { ending, summary, failure, forced }
    }

    /// Its bytes: without metrics where they would make it longer than 3 MiB.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`]: it is too long without metrics as well.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WorkerError> {
        let bytes = form::encode("an account", self)?;
        if bytes.len() <= BYTES_MAX {
            return Ok(bytes);
        }
        let mut shorter = self.clone();
        shorter.summary.iter_mut().for_each(|summary| summary.metrics.clear());
        form::encode("an account", shorter)
    }

    /// The account of bytes.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`].
    pub fn from_bytes(bytes: &[u8]) -> Result<QueryAccount, WorkerError> {
        let mut account: QueryAccount = form::decode("an account", bytes)?;
        account.summary.iter_mut().for_each(|summary| plausible::progress(&mut summary.progress));
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use weir_query::{Durations, Extent, SourceProgress, StageProgress};

    use super::*;

    fn metric(kind: MetricKind, name: &str, labels: &[&str], series: Vec<CommittedSeries>) -> CommittedMetric {
        CommittedMetric {
            stage: "late".into(),
            name: name.to_owned(),
            kind,
            unit: String::new(),
            help: String::new(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            series,
            overflow_values: 0,
        }
    }

    fn series(labels: &[&str], overflow: bool, reading: Reading) -> CommittedSeries {
        CommittedSeries { labels: labels.iter().map(|label| (*label).to_owned()).collect(), overflow, reading }
    }

    #[test]
    fn what_no_function_can_have_recorded_is_left_out() {
        let counter = |total| Reading::Counter { total };
        let histogram = |bounds: &[f64], buckets: &[u64], sum| Reading::Histogram {
            count: 1,
            sum,
            bounds: bounds.to_vec(),
            buckets: buckets.to_vec(),
        };
        let check = |metric: CommittedMetric, expect: Option<usize>| {
            let name = metric.name.clone();
            let report = QueryReport::new(Progress::default(), Details::default(), vec![metric]);
            let got = QueryReport::from_bytes(&report.to_bytes().unwrap()).unwrap();
            assert_eq!(got.metrics.first().map(|metric| metric.series.len()), expect, "{name}");
        };
        let kept = vec![series(&["a\n"], false, counter(1.0)), series(&[], true, counter(2.0))];
        check(metric(MetricKind::Counter, "delay_2", &["route"], kept), Some(2));
        for name in ["", "Delay", "2delay", "_x", "a b", "a\nb 1", "é", &"x".repeat(257)] {
            check(metric(MetricKind::Counter, name, &[], Vec::new()), None);
            check(metric(MetricKind::Counter, "delay", &[name], Vec::new()), None);
        }
        let lies = vec![
            series(&["a"], false, counter(f64::NAN)),
            series(&["a"], false, counter(f64::INFINITY)),
            series(&["a"], false, Reading::Gauge { value: 1.0 }),
            series(&["a", "b"], false, counter(1.0)),
            series(&[], false, counter(1.0)),
            series(&["a"], true, counter(1.0)),
        ];
        check(metric(MetricKind::Counter, "lies", &["route"], lies), Some(0));
        let lies = vec![
            series(&[], false, histogram(&[1.0, 2.0], &[1, 2, 3], 4.0)),
            series(&[], false, histogram(&[1.0, 2.0], &[1, 2], 4.0)),
            series(&[], false, histogram(&[2.0, 1.0], &[1, 2, 3], 4.0)),
            series(&[], false, histogram(&[f64::NAN], &[1, 2], 4.0)),
            series(&[], false, histogram(&[1.0], &[1, 2], f64::NAN)),
        ];
        check(metric(MetricKind::Histogram, "sizes", &[], lies), Some(1));
    }

    #[test]
    fn what_no_query_has_is_left_out() {
        let mut progress = Progress::default();
        let codes = |end: &str| (0..100).map(|code| (format!("{code}{end}"), 1)).collect::<Vec<_>>();
        let source = |name: &str, read: u64, of: u64| {
            let mut source = SourceProgress::default();
            source.name = name.into();
            source.extent = Some(Extent { read, of });
            source.errors = [codes("\n"), codes("")].concat().into_iter().collect();
            source.waits_for = Some("x".repeat(1 << 20));
            source
        };
        progress.sources =
            vec![source("half", 1, 2), source("all", u64::MAX, 2), source("a\u{1b}[2J", 1, 2), source("", 1, 2)];
        let mut stage = StageProgress::default();
        stage.name = "s".into();
        progress.stages = vec![stage; 5_000];
        let mut details = Details::default();
        (details.commits.bounds, details.commits.sum) = (vec![f64::NAN; 100_000], f64::INFINITY);
        details.commits.buckets = vec![u64::MAX; 100_001];
        let bytes = QueryReport::new(progress, details, Vec::new()).to_bytes().unwrap();
        let got = QueryReport::from_bytes(&bytes).unwrap();
        let shares: Vec<_> =
            got.progress.sources.iter().map(|it| (&*it.name, it.extent.map(|it| it.share()))).collect();
        assert_eq!(shares, [("half", Some(0.5)), ("all", Some(1.0))]);
        let source = &got.progress.sources[0];
        assert!(
            source.errors.len() == 65 && source.errors.keys().all(|code| !code.contains('\n')),
            "{:?}",
            source.errors
        );
        assert_eq!((got.progress.stages.len(), &source.waits_for), (1_000, &None));
        assert_eq!(got.details.commits, Durations::default());
    }

    #[test]
    fn bytes_that_are_no_report_are_refused() {
        let report = QueryReport::new(Progress::default(), Details::default(), Vec::new());
        let bytes = report.to_bytes().unwrap();
        for cut in 0..bytes.len() {
            assert!(QueryReport::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(QueryReport::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
        // A list of 2^60 stages is not allocated.
        assert!(QueryReport::from_bytes(&(1_u64 << 60).to_le_bytes()).is_err());
        assert!(QueryAccount::from_bytes(&[0xff; 64]).is_err());
    }
}
