//! What a stage's function keeps in its memory: its losses are counted and said, and what it keeps in secret is found out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_sandbox::{CallError, Fault, Instance, Outcome};

use super::counters::StageCounters;
use super::stage_error::StageError;
use weir_letters::Sender;
use weir_plan::{LossPolicy, StagePlan};

/// How often a stage says that state was lost: each loss is counted.
const WARN_EVERY: Duration = Duration::from_secs(1);

/// Watches over the state of one stage's function.
pub(crate) struct StateGuard {
    function: Arc<str>,
    /// `None` where there is no state to lose.
    policy: Option<LossPolicy>,
    verify_every: u64,
    // Batches answered since the query was opened.
    batches: u64,
    // What ends the query, found where it could not be returned.
    failure: Option<StageError>,
    warned: Option<Instant>,
}

/// Why state was lost. Numbers of batches are those that the lost instance had answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss<'a> {
    /// A call ended the instance.
    Call(&'a CallError),
    /// Partitions went to another reader, which begins without what was kept of them.
    Rebalance,
    /// Partitions came from another reader, without what it had kept of them.
    Taken,
    /// The query goes back to its last commit, for this reason.
    LastCommit(&'static str),
    /// The query goes on where an earlier process was.
    Restart,
    /// A later stage could not take all of a batch, which is run again in pieces.
    Again,
}

impl Loss<'_> {
    /// A stable name for programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Loss::Call(error) => error.code(),
            Loss::Rebalance | Loss::Taken => "rebalance",
            Loss::LastCommit(code) => code,
            Loss::Restart => "restart",
            Loss::Again => "again",
        }
    }
}

impl StateGuard {
    pub(crate) fn new(stage: &StagePlan) -> StateGuard {
        StateGuard {
            function: stage.function.name.as_str().into(),
            policy: stage.loss_policy(),
            verify_every: stage.verify_every(),
            batches: 0,
            failure: None,
            warned: None,
        }
    }

    /// Batches answered since the query was opened, where the function may have kept something of them.
    pub(crate) fn batches_kept(&self) -> u64 {
        if self.policy.is_some() { self.batches } else { 0 }
    }

    /// Counts a loss, and says it: to the log, or by ending the query.
    pub(crate) fn lost(&mut self, batches: u64, loss: Loss<'_>, sender: &Sender, counters: &StageCounters) {
        // What others had is no batch of this one's.
        let any = batches > 0 || matches!(loss, Loss::Restart | Loss::Taken);
        let Some(policy) = self.policy.filter(|_| any) else { return };
        counters.state_lost(loss.code());
        if policy == LossPolicy::Fail {
            self.failure.get_or_insert_with(|| lost_error(&self.function, batches, loss));
            return;
        }
        let now = Instant::now();
        if self.warned.is_none_or(|warned| now.duration_since(warned) >= WARN_EVERY) {
            self.warned = Some(now);
            tracing::warn!(
                tenant = &*sender.tenant,
                query = &*sender.query,
                stage = &*sender.place,
                cause = loss.code(),
                batches,
                losses = counters.state_losses(),
                "the state of the function is lost: continuing with a new instance"
            );
        }
    }

    /// What ends the query, where something was found that does.
    pub(crate) fn check(&mut self) -> Result<(), StageError> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Takes note of a batch that was answered, and now and then calls another instance with it: a function that keeps
    /// nothing answers the same.
    pub(crate) async fn answered(&mut self, instance: &Instance, batch: &Arc<Batch>, outcome: &Outcome) {
        self.batches = self.batches.saturating_add(1);
        if self.verify_every == 0 || !self.batches.is_multiple_of(self.verify_every) || self.failure.is_some() {
            return;
        }
        let difference = match instance.anew().call(batch).await {
            Ok(other) => difference(outcome, &other),
            // No instance is free, or the machine is too busy: nothing is known then.
            Err(error) if error.fault() != Fault::Tenant || error.retryable() => None,
            Err(error) => Some(format!("it failed ({}): {}", error.code(), error.cause)),
        };
        if let Some(difference) = difference {
            let (function, batch) = (self.function.to_string(), self.batches);
            self.failure = Some(StageError::HiddenState { function, batch, difference });
        }
    }
}

/// That state was lost, as an error.
pub(crate) fn lost_error(function: &str, batches: u64, loss: Loss<'_>) -> StageError {
    let cause = match loss {
        Loss::Call(error) => format!("{}: {error}", error.code()),
        Loss::Rebalance => "rebalance: partitions were moved to another reader".to_owned(),
        Loss::Taken => "rebalance: partitions were taken over from another reader".to_owned(),
        Loss::LastCommit(code) => format!("{code}: the query returns to its last commit"),
        Loss::Restart => "restart: the state belonged to an earlier run".to_owned(),
        Loss::Again => "again: a later stage could not process a whole batch, which is run again in pieces".to_owned(),
    };
    StageError::StateLost { function: function.to_owned(), batches, cause }
}

/// Where two answers to the same batch differ: in the rows that go on, or in those that failed.
pub(crate) fn difference(one: &Outcome, other: &Outcome) -> Option<String> {
    if one.failed != other.failed {
        let rows = |outcome: &Outcome| outcome.failed.len();
        let first = one.failed.iter().zip(&other.failed).find(|(one, other)| one != other).map(|(one, _)| one.row);
        return Some(match first {
            Some(row) => format!("row {row} of the batch failed differently"),
            None => format!("{} rows of the batch failed on one instance, and {} on the other", rows(one), rows(other)),
        });
    }
    let (rows, other_rows) = (one.output.rows(), other.output.rows());
    if rows != other_rows {
        return Some(format!("one instance returned {rows} rows, the other {other_rows}"));
    }
    if Arc::ptr_eq(&one.output, &other.output) {
        return None;
    }
    match (one.output.to_arrow(), other.output.to_arrow()) {
        (Ok(one), Ok(other)) if one == other => None,
        (Ok(one), Ok(other)) => {
            let row = (0..rows).find(|&row| one.slice(row, 1) != other.slice(row, 1)).unwrap_or(0);
            Some(format!("row {row} of its output differs"))
        }
        // Rows that cannot be put together are no answer to compare.
        _ => None,
    }
}
