//! What a stage does to batches, whatever it is made of.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use weir_batch::{Batch, TraceContext};
use weir_sandbox::{CallError, MetricBatch, RowCode};

use super::budget::Budget;
use super::counters::Tally;
use super::stage_error::StageError;
use super::state_guard::Loss;

/// What a stage makes of the batches that come to it. A guest function is one; its query drives all of them alike.
///
/// A batch of a source comes in pieces: [`Stage::begin`], then for each piece [`Stage::mark`] and [`Stage::run`] (for each
/// part of it that an earlier stage lets through), then [`Stage::end`]. Nothing that `run` returns counts before the piece
/// is through every stage: it may be run again in smaller pieces after a [`Stage::rewind`], or never.
#[async_trait]
pub(super) trait Stage: Send {
    /// A batch of a source begins, of this many records.
    fn begin(&mut self, rows: usize);

    /// A piece of it begins, to which [`Stage::rewind`] goes back.
    fn mark(&mut self);

    /// Works over a part of the piece, within the budget: what that does not cover is left, and says so.
    ///
    /// # Errors
    ///
    /// What ends the query, or brings it back to its last commit.
    async fn run(
        &mut self,
        batch: &Arc<Batch>,
        budget: &mut Budget<'_>,
        at: &Workplace<'_>,
    ) -> Result<Made, StageError>;

    /// The piece comes again, cut: what was seen since the mark was not settled.
    ///
    /// # Errors
    ///
    /// What was kept of it is lost, and must not be.
    fn rewind(&mut self) -> Result<(), StageError>;

    /// The source's batch is through.
    fn end(&mut self);

    /// Until when the next batch is to wait, where the stage is held back. Asked once before each batch.
    fn held_until(&mut self) -> Option<Instant> {
        None
    }

    /// What the stage keeps of the records of some partitions is lost, or never was here.
    ///
    /// # Errors
    ///
    /// It must not be lost.
    fn lose(&mut self, loss: Loss<'_>) -> Result<(), StageError>;

    /// Of how many batches it may keep something that would be lost with it.
    fn batches_kept(&self) -> u64;
}

/// What a stage made of a piece of a batch. Nothing of it counts until the piece is settled in every stage.
#[derive(Default)]
pub(super) struct Made {
    /// What goes on, in order; more than one batch only where the work was divided.
    pub(super) outputs: Vec<Arc<Batch>>,
    /// Records that failed for good, to be dealt with by the stage's policy.
    pub(super) failed: Vec<Failing>,
    /// What the guest recorded.
    pub(super) metrics: Vec<MetricBatch>,
    pub(super) tally: Tally,
    /// What was not run, in order: the budget was spent.
    pub(super) left: Vec<Arc<Batch>>,
    /// Whether the query is to stop, and nothing of the piece counts.
    pub(super) stopped: bool,
}

/// A record that failed, and may be tried again.
pub(super) struct Failing {
    /// A batch of this record alone.
    pub(super) record: Arc<Batch>,
    pub(super) code: String,
    pub(super) message: String,
    /// How the guest ended over it, where that is how it failed.
    pub(super) ended: Option<Box<CallError>>,
}

/// What is known of a piece while a stage works over it.
pub(super) struct Workplace<'a> {
    /// The source that the records come from.
    pub(super) source: &'a Arc<str>,
    /// The stage's span over this batch, where there is one.
    pub(super) trace: Option<TraceContext>,
}

impl Made {
    pub(super) fn stopped() -> Made {
        Made { stopped: true, ..Made::default() }
    }

    pub(super) fn add(&mut self, more: Made) {
        self.outputs.extend(more.outputs);
        self.failed.extend(more.failed);
        self.metrics.extend(more.metrics);
        self.tally.add(more.tally);
    }
}

impl Failing {
    pub(super) fn ended(record: Arc<Batch>, error: CallError) -> Failing {
        let (code, message) = (error.code().to_owned(), error.to_string());
        Failing { record, code, message, ended: Some(Box::new(error)) }
    }

    /// Whether a further call may end otherwise: a null stays a null.
    pub(super) fn may_pass(&self) -> bool {
        self.code != RowCode::NullInput.to_string()
    }
}
