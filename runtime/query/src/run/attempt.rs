//! One attempt at running a query: from what is open to its end, or to the first failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use weir_sandbox::Module;
use weir_sinks::{KafkaProblem, KafkaTransactions, SinkError, TransactionError};

use super::build::stage_runners;
use super::chain::{Chain, Parts};
use super::commit::Committing;
use super::error::Cause;
use super::extent::sizes;
use super::metrics::MetricRegistry;
use super::open::Opened;
use super::progress::State;
use super::refused::policies;
use super::room::Room;
use super::shared::Shared;
use super::sink_task::SinkTask;
use super::summary::Ending;
use crate::trace::Spans;

/// How an attempt ended, and the metrics as of its last commit.
pub(super) struct Attempt {
    pub(super) ended: Result<Ending, Cause>,
    pub(super) metrics: MetricRegistry,
    /// Of how many batches each stage's function may have kept something.
    pub(super) kept: Vec<u64>,
}

impl Attempt {
    /// Runs what is open until it ends or fails, and lets go of it. After a stop it has `grace` to end by itself.
    pub(super) async fn make(
        shared: &Shared,
        modules: &[Arc<Module>],
        opened: Opened,
        metrics: MetricRegistry,
        grace: Option<Duration>,
    ) -> Attempt {
        shared.places.begin(&opened.positions, &opened.keepers);
        let bytes: Vec<u64> = shared.counters.sources.iter().map(|source| source.bytes.get()).collect();
        shared.places.sizes(sizes(&shared.plan, &opened.positions, &bytes).await);
        shared.counters.set_state(State::Running);
        let (failed, mut failures) = mpsc::unbounded_channel();
        let queue_bytes_max = shared.plan.batching.queue_bytes_max();
        let policies = policies(&shared.plan);
        let sinks = opened.sinks.into_iter().zip(&shared.plan.sinks).zip(policies).enumerate();
        let sinks = sinks.map(|(index, ((sink, plan), policy))| {
            let (name, counters) = (Arc::clone(&plan.name), Arc::clone(&shared.counters));
            let room = Room::new(queue_bytes_max);
            SinkTask::spawn(name, sink, (plan.queue_batches_max, room), counters, index, policy, failed.clone())
        });
        let spans = shared.tracing.clone();
        let spans = spans.map(|tracing| Spans::new(tracing, &shared.plan, Arc::clone(&shared.trace_counters)));
        let parts = Parts {
            plan: Arc::clone(&shared.plan),
            sinks: sinks.collect(),
            dead_letters: opened.dead_letters.map(|letters| letters.counted(&shared.counters)),
            committing: opened.committing,
            positions: opened.positions,
            keepers: opened.keepers,
            metrics,
            counters: Arc::clone(&shared.counters),
            places: Arc::clone(&shared.places),
            copy_on_write: Arc::clone(&shared.copy_on_write),
            spans,
            stop: shared.stop.clone(),
            pause: shared.pause.clone(),
        };
        let mut chain = Chain::new(parts);
        let mut stages = stage_runners(&shared.plan, modules, shared.logs.as_ref());
        // A sink that fails ends the query wherever it waits just then: for a record, a guest, or another sink.
        let ended = tokio::select! {
            biased;
            ended = chain.run_to_end(&mut stages, opened.sources) => ended,
            Some(failed) = failures.recv() => Err(chain.why(failed).await),
            grace = overdue(&shared.stop, grace) => Err(unfinished(shared, grace)),
        };
        let ended = match &chain.committing {
            Committing::Transaction(transactions) => ended.map_err(|cause| why_fenced(cause, transactions)),
            _ => ended,
        };
        if let Err(cause) = &ended {
            for sink in &mut chain.sinks {
                sink.abort().await;
            }
            chain.settle_commit().await;
            if let Committing::Transaction(transactions) = &chain.committing {
                // Readers need not wait for it to time out. If it fails, the next opening aborts it, or the time-out.
                let at_most = if cause.is_unfinished() { LAST_STEPS } else { Duration::MAX };
                match tokio::time::timeout(at_most, transactions.abort()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("the transaction was not aborted: {error}"),
                    Err(_elapsed) => tracing::debug!("the transaction was not aborted in time"),
                }
            }
        }
        // What was begun and not settled counts nowhere else: the account adds up all the same.
        if let Some((source, records)) = chain.in_hand.take() {
            shared.counters.sources.get(source).into_iter().for_each(|source| source.unfinished.add(records));
            shared.counters.waiting.set(0);
        }
        shared.places.end();
        chain.metrics.roll_back();
        let kept = stages.iter().map(|stage| stage.guard.batches_kept()).collect();
        Attempt { ended, metrics: chain.metrics, kept }
    }
}

/// What it has not finished.
fn unfinished(shared: &Shared, grace: Duration) -> Cause {
    let progress = shared.counters.progress();
    let behind = shared.plan.sinks.iter().zip(&shared.counters.sinks).filter(|(_, sink)| sink.queued.get() > 0);
    let sinks = behind.map(|(sink, _)| format!("`{}`", sink.name)).collect();
    Cause::Unfinished { grace, records: progress.uncommitted_records, sinks }
}

/// The cause, or why the producer was fenced, where that is what happened.
fn why_fenced(cause: Cause, transactions: &KafkaTransactions) -> Cause {
    let reason = match &cause {
        Cause::Transaction(TransactionError::Fenced { reason, .. }) => reason.clone(),
        Cause::Sink { source: SinkError::Kafka { source: KafkaProblem::Fenced(code), .. }, .. } => code.to_string(),
        _ => return cause,
    };
    Cause::Transaction(transactions.why_fenced(reason))
}

/// How long an ending by force waits for others.
const LAST_STEPS: Duration = Duration::from_millis(200);

/// Comes back when the query was told to stop and its grace time is over.
async fn overdue(stop: &watch::Sender<bool>, grace: Option<Duration>) -> Duration {
    let Some(grace) = grace else { return std::future::pending().await };
    let mut stop = stop.subscribe();
    if stop.wait_for(|stop| *stop).await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(grace).await;
    grace
}
