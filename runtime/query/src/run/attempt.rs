//! One attempt at running a query: from what is open to its end, or to the first failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use weir_sandbox::Module;

use super::chain::Chain;
use super::drive::run_to_end;
use super::error::Cause;
use super::extent::size_of;
use super::ids::{Id, Nodes, StageId};
use super::metrics::MetricRegistry;
use super::open::Opened;
use super::progress::QueryState;
use super::reader::Reader;
use super::room::Room;
use super::running_sink::RunningSink;
use super::running_source::RunningSource;
use super::running_stage::RunningStage;
use super::shared::Shared;
use super::span_places::places;
use super::summary::Ending;
use weir_trace::Spans;

/// Batches that may wait between the sources and the stages, for each source.
const SOURCE_QUEUE_BATCHES: usize = 2;

/// How long an ending by force waits for others.
const LAST_STEPS: Duration = Duration::from_millis(200);

/// How an attempt ended, and the metrics as of its last commit.
pub(super) struct Attempt {
    pub(super) ended: Result<Ending, Cause>,
    pub(super) metrics: MetricRegistry,
    /// Of how many batches each stage's function may have kept something.
    pub(super) kept: Nodes<StageId, u64>,
}

impl Attempt {
    /// Runs what is open until it ends or fails, and lets go of it. After a stop it has `grace` to end by itself.
    pub(super) async fn make(
        shared: &Shared,
        modules: &Nodes<StageId, Arc<Module>>,
        opened: Opened,
        metrics: MetricRegistry,
        grace: Option<Duration>,
    ) -> Attempt {
        let (plan, counters) = (&*shared.plan, &*shared.counters);
        let Opened { mut sources, sinks, dead_letters, commit } = opened;
        for ((id, opened), plan) in sources.pairs_mut().zip(&plan.sources) {
            let source = &counters.sources[id];
            source.place.begin(&opened.positions, opened.keeper.as_ref());
            source.place.set_size(size_of(plan, &shared.plan.folders, &opened.positions, source.bytes.get()).await);
        }
        counters.set_state(QueryState::Running);
        let spans = shared.tracing.clone();
        let spans = spans.map(|tracing| Spans::new(tracing, places(plan), Arc::clone(&shared.trace_counters)));
        let (failed, mut failures) = mpsc::unbounded_channel();
        let sinks = sinks.into_pairs().zip(&plan.sinks).map(|((id, sink), of_sink)| {
            let room = Room::new(plan.batching.queue_bytes_max(), shared.buffers.as_ref());
            RunningSink::start(id, sink, (plan, of_sink), room, &counters.sinks[id], failed.clone())
        });
        let sinks = sinks.collect();
        let (queue, batches) = mpsc::channel(SOURCE_QUEUE_BATCHES * plan.sources.len().max(1));
        let room = Room::new(plan.batching.queue_bytes_max(), shared.buffers.as_ref());
        let sources = sources.into_pairs().zip(&plan.sources).map(|((id, source), of_source)| {
            let reader = Reader {
                queue: queue.clone(),
                room: room.clone(),
                pace: shared.pace.clone(),
                stop: shared.stop.subscribe(),
                pause: shared.pause.subscribe(),
                draw: spans.as_ref().map(|spans| spans.draw(id.place())),
            };
            RunningSource::start(id, plan, of_source, source, &counters.sources[id], reader)
        });
        let sources = sources.collect();
        // It ends when every reader has.
        drop(queue);
        // The stages have one share of the tenant's part of the cores, whatever their number.
        let share = modules.iter().next().map(|module| module.query_share());
        let modules = modules.pairs().zip(&plan.stages);
        let stages = modules.map(|((id, module), stage)| {
            RunningStage::guest(id, plan, stage, (module, share.as_ref()), &counters.stages[id], shared.logs.as_ref())
        });
        let mut stages = stages.collect();
        let dead_letters = dead_letters.map(|letters| {
            let counters = Arc::clone(&shared.counters);
            letters.counted(move |omitted| counters.letters_omitted.add(omitted))
        });
        let mut chain = Chain::new(shared, sources, sinks, dead_letters, commit, metrics, spans);
        // A sink that fails ends the query wherever it waits just then: for a record, a guest, or another sink.
        let ended = tokio::select! {
            biased;
            ended = run_to_end(&mut chain, &mut stages, batches) => ended,
            Some(failed) = failures.recv() => Err(chain.why(failed).await),
            grace = overdue(&shared.stop, grace) => Err(unfinished(shared, grace)),
        };
        let ended = ended.map_err(|cause| chain.commit.explain(cause));
        if let Err(cause) = &ended {
            chain.give_up(if cause.is_unfinished() { LAST_STEPS } else { Duration::MAX }).await;
        }
        let kept = stages.iter().map(|stage| stage.work.batches_kept()).collect();
        Attempt { ended, metrics: chain.end(), kept }
    }
}

/// What the query has not finished.
fn unfinished(shared: &Shared, grace: Duration) -> Cause {
    let progress = shared.counters.progress();
    let behind = shared.counters.sinks.iter().filter(|sink| sink.queued.get() > 0);
    let sinks = behind.map(|sink| format!("`{}`", sink.name)).collect();
    Cause::Unfinished { grace, records: progress.uncommitted_records, sinks }
}

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
