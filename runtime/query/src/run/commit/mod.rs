//! The commit: the one moment at which what was read becomes what was done.

mod by_sink;
mod flush;
mod kept;
mod manifest;
mod outputs;
mod transaction;
mod vouch;

use std::time::Duration;

use async_trait::async_trait;

pub(super) use self::by_sink::SinkCommit;
pub(super) use self::flush::FlushThenKeep;
use self::flush::keep_positions;
pub(super) use self::kept::Kept;
pub(super) use self::manifest::ManifestCommit;
pub(super) use self::outputs::{close_all, settle_all};
use self::outputs::{flush_all, prepare_all, publish_all};
pub(super) use self::transaction::TransactionCommit;
use self::vouch::vouch;
use super::error::Cause;
use super::ids::{Nodes, SinkId, SourceId};
use super::metrics::MetricRegistry;
use super::running_sink::RunningSink;
use super::running_source::RunningSource;

/// What makes output and positions durable, and in which order: all that a query promises of its records is made good here.
///
/// An implementation has to come to one of these ends, however the process ends meanwhile: positions are kept only of
/// records whose output is durable (at least once), or output and positions appear in one step (exactly once). When
/// [`Commit::commit`] returns, the commit is done, and the metrics of its batches count.
#[async_trait]
pub(super) trait Commit: Send {
    /// Commits. Every sink has taken what was queued for it, and dead letters are durable.
    ///
    /// # Errors
    ///
    /// What ends the query, or brings it back to the commit before.
    async fn commit(&mut self, work: Work<'_, '_>) -> Result<(), Cause>;

    /// Whether the last commit has closed the sinks. Else they are closed after it.
    fn closes_sinks(&self) -> bool {
        false
    }

    /// Whether records of partitions that went to another reader before the commit must not be committed, because their
    /// positions are committed in the same step, and cannot be.
    fn is_one_step_with_positions(&self) -> bool {
        false
    }

    /// A failure as it is reported: the committing task may know more about it.
    fn explain(&self, cause: Cause) -> Cause {
        cause
    }

    /// The attempt has failed, and its sinks are gone. Waits for a commit that was under way, and says how it ended; `None`
    /// where none was.
    async fn settle(&mut self) -> Option<Result<(), Cause>> {
        None
    }

    /// The attempt has failed: what is not committed is given up, within this time.
    async fn abort(&mut self, _at_most: Duration) {}
}

/// What a commit is of.
pub(super) struct Work<'a, 'p> {
    pub(super) sources: &'a mut Nodes<SourceId, RunningSource<'p>>,
    pub(super) sinks: &'a mut Nodes<SinkId, RunningSink<'p>>,
    pub(super) metrics: &'a MetricRegistry,
    /// The length of the file of dead letters, where they go to one.
    pub(super) letter_bytes: Option<u64>,
    /// Records that were taken in since the commit before.
    pub(super) records: u64,
    /// Whether the query ends with it.
    pub(super) last: bool,
}
