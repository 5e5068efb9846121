//! What becomes of a query that failed: it goes on from its last commit, or ends.

use std::time::{Duration, Instant};

use weir_sandbox::Fault;
use weir_sinks::{SinkConfig, TransactionError};

use super::error::{BuildError, Cause};
use super::ids::{Nodes, StageId};
use super::metrics::MetricRegistry;
use super::open::{Opened, SinkOverrides, move_on};
use super::shared::Shared;
use super::state_guard::{Loss, lost_error};
use super::transactions::{has_slot, learn_refusals};
use super::waiting::{millis, sleep_or_stop};
use weir_letters::DeadLetterError;
use weir_plan::{LossPolicy, Plan, Retry};

/// After this long without a failure, the next one is a new one.
const RETRIES_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// How a query goes on whose partitions went to another reader: nothing is wrong with it.
const AFTER_LOSS: Retry = Retry::new(u32::MAX, Duration::from_millis(100));

/// How a query goes on whose transaction was aborted by the broker, since the process was stopped: with a new producer. One that makes no
/// commit in between has another ailment.
const AFTER_TIME_OUT: Retry = Retry::new(5, Duration::from_millis(100));

/// How a query goes on when a broker has refused a record: each return has learned something, so that they come to an end.
const AFTER_REFUSAL: Retry = Retry::new(u32::MAX, Duration::from_millis(10));

/// How a query goes on after a failure.
pub(super) enum Again {
    /// Everything is open, where the last commit left it.
    Opened(Box<Opened>),
    /// The stop came while it waited to try again. What was not committed is read again by the next run.
    Stopped,
}

/// The failures of a query since it last made progress.
pub(super) struct Failures {
    in_a_row: u32,
    last: Instant,
    // Commits up to the last failure.
    commits: u64,
    // Whether sinks were given, which cannot be opened again.
    given: bool,
}

impl Failures {
    pub(super) fn new(given: bool) -> Failures {
        Failures { in_a_row: 0, last: Instant::now(), commits: 0, given }
    }

    /// Opens everything again after a failure, as often as the policy says, or gives the failure back. `kept` is of how
    /// many batches each stage's function may have kept something. What earlier runs counted comes into `metrics`, where
    /// nothing was open before.
    pub(super) async fn again(
        &mut self,
        shared: &Shared,
        cause: Cause,
        kept: &Nodes<StageId, u64>,
        metrics: Option<&mut MetricRegistry>,
    ) -> Result<Again, Cause> {
        match self.try_again(shared, cause, kept, metrics).await {
            // Nothing is lost: whoever reads the partitions next begins where the last commit was.
            Err(cause) if cause.loses_nothing() && shared.is_to_stop() => Ok(Again::Stopped),
            again => again,
        }
    }

    async fn try_again(
        &mut self,
        shared: &Shared,
        cause: Cause,
        kept: &Nodes<StageId, u64>,
        mut metrics: Option<&mut MetricRegistry>,
    ) -> Result<Again, Cause> {
        let Shared { plan, counters, stop, .. } = shared;
        // A commit is progress: what fails after it is another failure.
        if counters.commits.get() > self.commits || self.last.elapsed() > RETRIES_FORGOTTEN_AFTER {
            self.in_a_row = 0;
        }
        (self.last, self.commits) = (Instant::now(), counters.commits.get());
        // What was read from a pipe and not committed is gone.
        let once = self.given || !plan.sources.iter().all(|source| source.kind.can_be_read_again());
        let Some(retry) = retry_of(plan, &cause).filter(|_| !once) else { return Err(cause) };
        // The stop was to drain the query, and that failed.
        if shared.is_to_stop() || self.in_a_row >= retry.times_max {
            return Err(cause);
        }
        lose_state(shared, &cause, kept)?;
        if matches!(cause, Cause::Transaction(TransactionError::Fenced { .. })) {
            move_on(shared);
        }
        let mut cause = cause;
        loop {
            if self.in_a_row >= retry.times_max {
                return Err(cause);
            }
            let pause = retry.pause(self.in_a_row);
            self.in_a_row += 1;
            counters.go_back();
            let (query, tenant) = (&plan.name, plan.tenant.as_str());
            let (attempt, attempts_max, pause_ms) = (self.in_a_row, retry.times_max, millis(pause));
            if cause.is_loss() {
                // A rebalance, as there are many, or what the source has a warning for.
                tracing::info!(query, tenant, pause_ms, "returning to the last commit: {cause}");
            } else {
                let what = "retrying from the last commit";
                tracing::warn!(query, tenant, attempt, attempts_max, pause_ms, "{what}: {cause}");
            }
            sleep_or_stop(tokio::time::Instant::now() + pause, stop).await;
            if shared.is_to_stop() {
                return Ok(stopped_by(shared, &cause));
            }
            let committed = shared.committed();
            let (mut stop, mut nothing_given) = (stop.subscribe(), SinkOverrides::new());
            let opened = tokio::select! {
                biased;
                opened = Opened::open(shared, &mut nothing_given, metrics.as_deref_mut(), &committed) => opened,
                // The sender is borrowed: the channel cannot close.
                _ = stop.wait_for(|stop| *stop) => return Ok(stopped_by(shared, &cause)),
            };
            match opened {
                Ok(opened) => return Ok(Again::Opened(Box::new(opened))),
                Err(error) if error.retryable() => cause = Cause::Again(Box::new(error)),
                Err(error) => return Err(Cause::Again(Box::new(error))),
            }
        }
    }
}

/// Ends the query well: what failed would have been tried again.
fn stopped_by(shared: &Shared, cause: &Cause) -> Again {
    let (query, tenant) = (&shared.plan.name, shared.plan.tenant.as_str());
    tracing::warn!(query, tenant, "stopped before the retry; the next run continues from the last commit: {cause}");
    Again::Stopped
}

/// Counts what functions lose by going back to the last commit, where they have kept anything of so many batches; an
/// error where one must not lose it.
fn lose_state(shared: &Shared, cause: &Cause, kept: &Nodes<StageId, u64>) -> Result<(), Cause> {
    let Shared { plan, counters, .. } = shared;
    let loss = Loss::LastCommit(match cause {
        Cause::Sink { .. } => "sink",
        Cause::Lost { .. } => "rebalance",
        _ => "last_commit",
    });
    for ((id, &batches), stage) in kept.pairs().zip(&plan.stages) {
        if batches == 0 {
            continue;
        }
        counters.stages[id].state_lost(loss.code());
        if stage.loss_policy() == Some(LossPolicy::Fail) {
            let source = lost_error(&stage.function.name, batches, loss);
            tracing::error!(stage = &*stage.name, "error that the query would retry: {cause}");
            return Err(Cause::Stage { name: stage.name.to_string(), source });
        }
        tracing::warn!(
            query = plan.name,
            tenant = plan.tenant.as_str(),
            stage = &*stage.name,
            cause = loss.code(),
            batches,
            "the state of the function is lost: continuing from the last commit with a new instance"
        );
    }
    Ok(())
}

/// How often what failed is to be tried again.
fn retry_of(plan: &Plan, cause: &Cause) -> Option<Retry> {
    let any_sink = |of: fn(&SinkConfig) -> bool| any_sink(plan, of);
    match cause {
        // Of what a broker refuses the next attempt finds out which record it is, or leaves it out.
        _ if is_broker_refusal(cause) => learn_refusals(plan).then_some(AFTER_REFUSAL),
        Cause::Opening(error) => retry_of_opening(plan, error),
        cause if cause.is_loss() => Some(AFTER_LOSS),
        Cause::Sink { name, .. } if cause.fault() == Fault::External => {
            plan.sinks.iter().find(|sink| *sink.name == **name)?.retry
        }
        Cause::Transaction(TransactionError::TimedOut { .. }) => Some(AFTER_TIME_OUT),
        // It was another process's doing that this one ended. Under a slot it goes on by another one; else it would go on
        // taking turns.
        Cause::Transaction(TransactionError::Fenced { .. }) => has_slot(plan).then_some(AFTER_TIME_OUT),
        Cause::Transaction(_) if cause.fault() != Fault::Tenant => {
            any_sink(|config| matches!(config, SinkConfig::Kafka(_)))
        }
        Cause::State(_) if cause.fault() == Fault::External => any_sink(|_| true),
        Cause::DeadLetters(_) => any_sink(|_| true),
        Cause::Source { source, .. } if source.retryable() => any_sink(|_| true),
        _ => None,
    }
}

/// The longest retry of the sinks of a kind.
fn any_sink(plan: &Plan, of: fn(&SinkConfig) -> bool) -> Option<Retry> {
    let sinks = plan.sinks.iter().filter(move |sink| of(&sink.config));
    sinks.filter_map(|sink| sink.retry).max_by_key(|retry| retry.times_max)
}

/// How often an opening that failed is to be tried again. What fails before the sinks (a state folder in use) is not.
pub(super) fn retry_of_opening(plan: &Plan, error: &BuildError) -> Option<Retry> {
    if !error.retryable() {
        return None;
    }
    match error {
        BuildError::Sink { name, .. } => match plan.sinks.iter().find(|sink| *sink.name == **name) {
            Some(sink) => sink.retry,
            None => any_sink(plan, |_| true),
        },
        BuildError::Transaction(_) => any_sink(plan, |config| matches!(config, SinkConfig::Kafka(_))),
        BuildError::DeadLetters(_) | BuildError::Source { .. } => any_sink(plan, |_| true),
        _ => None,
    }
}

/// Whether a broker refused a record for what it is.
fn is_broker_refusal(cause: &Cause) -> bool {
    match cause {
        Cause::Sink { source, .. } | Cause::DeadLetters(DeadLetterError::Sink(source)) => source.is_broker_refusal(),
        Cause::Transaction(TransactionError::Aborted { source }) => source.is_refusal(),
        _ => false,
    }
}
