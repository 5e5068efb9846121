//! What a worker says about a query that runs, and about its end.

use bincode::{Decode, Encode};
use weir_query::{CommittedMetric, Details, Ending, Progress, Summary};

use crate::{WorkerError, form};

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

    /// The report of bytes.
    ///
    /// # Errors
    ///
    /// [`WorkerError::Invalid`].
    pub fn from_bytes(bytes: &[u8]) -> Result<QueryReport, WorkerError> {
        form::decode("a report", bytes)
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
        form::decode("an account", bytes)
    }
}
