//! Driving a query: what its sources say is taken in, one event after the other, to the end.

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::chain::{Chain, NextCommit};
use super::error::Cause;
use super::ids::{Nodes, SourceId, StageId};
use super::reader::FromSource;
use super::running_stage::RunningStage;
use super::state_guard::Loss;
use super::summary::Ending;
use super::turn::Taken;
use super::waiting::{millis, sleep_or_stop};
use weir_sources::{Begin, Revoking, SourceEvent};

/// Runs until the sources end, the query is to stop, or the reader of a sink goes away.
pub(super) async fn run_to_end(
    chain: &mut Chain<'_>,
    stages: &mut Nodes<StageId, RunningStage<'_>>,
    mut batches: mpsc::Receiver<FromSource>,
) -> Result<Ending, Cause> {
    let mut next_commit = NextCommit::new(chain.shared.plan.delivery.commit_every);
    loop {
        let due = chain.commit_due(&next_commit);
        let message = match due {
            None => {
                let message = batches.recv().await;
                // What comes now has the whole time for its commit, and whatever follows it goes into the same one.
                next_commit.begin_anew();
                message
            }
            Some(due) => match tokio::time::timeout_at(due, batches.recv()).await {
                Ok(message) => message,
                Err(_elapsed) => {
                    chain.commit_on_time(&mut next_commit).await?;
                    continue;
                }
            },
        };
        let Some(FromSource { source, read, drawn, place: _until_taken_in }) = message else { break };
        chain.shared.counters.stir();
        // What waits in the queue is read again, as is what is read meanwhile.
        if chain.stop_until().is_some_and(|until| Instant::now() >= until) {
            return finish(chain, Ending::Stopped).await;
        }
        let read = match read.map_err(|error| chain.sources[source].failure(error))? {
            SourceEvent::Batch(read) => read,
            SourceEvent::Begin(begin) => {
                begin_partitions(chain, stages, source, &begin)?;
                continue;
            }
            SourceEvent::Moved(moved) => {
                chain.sources[source].move_to(moved);
                chain.moved = true;
                continue;
            }
            SourceEvent::Revoking(revoking) => {
                let_go(chain, stages, source, revoking).await?;
                continue;
            }
        };
        if !read.batch.is_empty() {
            wait_for_held(chain, stages, source, &mut next_commit).await?;
        }
        if chain.take_in(stages, source, read, drawn, &mut next_commit).await? == Taken::Stopped {
            return finish(chain, Ending::Stopped).await;
        }
        // Under load a batch is always waiting, so that the time-out above never comes.
        chain.commit_on_time(&mut next_commit).await?;
        // Only after the turn: what was taken in has reached every sink that still takes something.
        if chain.sinks.iter().any(|sink| sink.reader_gone()) {
            return finish(chain, Ending::ReaderGone).await;
        }
    }
    // The queue ends when every reader has.
    for source in chain.sources.iter_mut() {
        source.ended().await?;
    }
    let stopped = chain.shared.is_to_stop();
    finish(chain, if stopped { Ending::Stopped } else { Ending::EndOfInput }).await
}

/// Takes in where partitions begin: what nobody has kept is kept with the next commit.
fn begin_partitions(
    chain: &mut Chain<'_>,
    stages: &mut Nodes<StageId, RunningStage<'_>>,
    source: SourceId,
    begin: &Begin,
) -> Result<(), Cause> {
    let source = &mut chain.sources[source];
    // What functions keep of records before the position is in the memory of another process, or was.
    let place = &source.counters.place;
    let resumed = begin.resumed.iter().any(|partition| !place.knows(partition));
    let loss = if place.knows_any() { Loss::Taken } else { Loss::Restart };
    for &stage in source.reached.iter().filter(|_| resumed) {
        let stage = &mut stages[stage];
        stage.work.lose(loss).map_err(|error| stage.failure(error))?;
    }
    chain.moved |= source.begin(begin);
    Ok(())
}

/// Commits what was taken of partitions that somebody else is to read, and lets go of them.
async fn let_go(
    chain: &mut Chain<'_>,
    stages: &mut Nodes<StageId, RunningStage<'_>>,
    source: SourceId,
    revoking: Revoking,
) -> Result<(), Cause> {
    let Revoking { partitions, lost, done, .. } = revoking;
    if !lost {
        chain.commit().await?;
    } else if chain.uncommitted_records > 0 && chain.commit.is_one_step_with_positions() {
        return Err(Cause::Lost { name: chain.sources[source].plan.name.to_string(), partitions });
    }
    for &stage in &chain.sources[source].reached {
        // The other reader has a new instance: it cannot use what this one keeps of these partitions.
        let stage = &mut stages[stage];
        stage.work.lose(Loss::Rebalance).map_err(|error| stage.failure(error))?;
    }
    chain.sources[source].forget(&partitions);
    drop(done);
    Ok(())
}

/// Waits while a stage that the source reaches is held back, or until the query is to stop. Commits go on meanwhile: what
/// the function was held back for is in the dead letters by the time that somebody looks.
async fn wait_for_held(
    chain: &mut Chain<'_>,
    stages: &mut Nodes<StageId, RunningStage<'_>>,
    source: SourceId,
    next_commit: &mut NextCommit,
) -> Result<(), Cause> {
    let started = Instant::now();
    let reached = chain.sources[source].reached.iter();
    let holds: Vec<(StageId, Instant)> =
        reached.filter_map(|&stage| Some((stage, stages[stage].work.held_until()?))).collect();
    let Some(until) = holds.iter().map(|(_, until)| *until).max() else { return Ok(()) };
    while Instant::now() < until && !chain.shared.is_to_stop() {
        let wake = next_commit.due.map_or(until, |due| due.min(until));
        sleep_or_stop(wake, &chain.shared.stop).await;
        chain.commit_on_time(next_commit).await?;
    }
    for (stage, until) in holds {
        stages[stage].counters.held_back_ms.add(millis(started.elapsed().min(until - started)));
    }
    Ok(())
}

/// Commits everything, with every sink closed.
async fn finish(chain: &mut Chain<'_>, ending: Ending) -> Result<Ending, Cause> {
    chain.commit_last().await?;
    // A reader may have gone at the very end.
    let gone = ending == Ending::EndOfInput && chain.sinks.iter().any(|sink| sink.reader_gone());
    Ok(if gone { Ending::ReaderGone } else { ending })
}
