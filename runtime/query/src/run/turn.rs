//! A batch on its way in: piece by piece through every stage, and settled as a whole.

use std::sync::Arc;

use tokio::time::Instant;
use weir_batch::Batch;

use super::budget::Budget;
use super::chain::{Chain, NextCommit};
use super::error::Cause;
use super::ids::{Id, Nodes, Point, SourceId, StageId};
use super::intake::{Cut, Intake, Piece};
use super::running_stage::RunningStage;
use super::stage::{Made, Workplace};
use weir_sources::SourceBatch;
use weir_trace::{BatchSpan, Drawn, OpenSpan};

type Stages<'p> = Nodes<StageId, RunningStage<'p>>;

/// How a batch was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Whole,
    /// The stop has come; what was not settled is read again.
    Stopped,
}

/// What the stages made of a piece. Nothing of it has an effect before it is settled: dropped, it leaves nothing behind.
struct Turn {
    // `None` where nothing came to the stage.
    made: Nodes<StageId, Option<Made>>,
}

/// How far a piece came.
enum Ran {
    Through(Turn),
    /// Only its first rows are within the budget of a stage that others come before: they are run anew, alone.
    Again(usize),
    Stopped,
}

impl Chain<'_> {
    /// Takes one batch through every stage and into every sink's queue. What is too much for one turn is cut into pieces;
    /// commits and pauses are served between them.
    pub(super) async fn take_in(
        &mut self,
        stages: &mut Stages<'_>,
        source: SourceId,
        read: SourceBatch,
        drawn: Option<Drawn>,
        next_commit: &mut NextCommit,
    ) -> Result<Taken, Cause> {
        let running = &self.sources[source];
        let mut intake = Intake::new(source, read, running.cut());
        running.counters.records.add(intake.records());
        running.counters.bytes.add(intake.bytes);
        running.counters.batches.add(u64::from(intake.records() > 0));
        self.in_hand = Some((source, intake.unsettled()));
        let span = self.begin_span(&mut intake, drawn);
        let rows = intake.batch().rows();
        stages.iter_mut().for_each(|stage| stage.work.begin(rows));
        loop {
            let fits = self.sources[source].pieces.rows(rows);
            let Some(piece) = intake.piece(fits)? else { break };
            self.shared.counters.waiting.set(0);
            if self.run_piece(stages, &mut intake, piece, span.as_ref(), next_commit).await? == Taken::Stopped {
                return Ok(Taken::Stopped);
            }
            if intake.unsettled() == 0 {
                break;
            }
            self.shared.counters.waiting.set(intake.unsettled());
            self.commit_on_time(next_commit).await?;
            self.wait_while_paused(next_commit).await?;
            if self.stop_cuts(source) {
                return Ok(Taken::Stopped);
            }
        }
        self.shared.counters.waiting.set(0);
        self.in_hand = None;
        // Of the batch as a whole: what was cut into pieces, or by an earlier stage into small parts, is one batch still.
        stages.iter_mut().for_each(|stage| stage.work.end());
        Ok(Taken::Whole)
    }

    /// Whether the stop leaves the pieces of this source that are still to come: at once where they can be read again.
    fn stop_cuts(&mut self, source: SourceId) -> bool {
        let Some(until) = self.stop_until() else { return false };
        self.sources[source].plan.kind.can_be_read_again() || Instant::now() >= until
    }

    fn begin_span(&mut self, intake: &mut Intake, drawn: Option<Drawn>) -> Option<Arc<BatchSpan>> {
        if intake.batch().is_empty() {
            return None;
        }
        let (spans, drawn) = self.spans.as_mut().zip(drawn)?;
        // Without a span of its own a batch has no context: sinks pass on what each record came with.
        let span = spans.begin(intake.source.place(), intake.batch(), drawn)?;
        self.shared.copy_on_write.make_mut(intake.batch_mut()).set_trace(Some(span.context()));
        Some(span)
    }

    async fn run_piece(
        &mut self,
        stages: &mut Stages<'_>,
        intake: &mut Intake,
        mut piece: Piece,
        span: Option<&Arc<BatchSpan>>,
        next_commit: &mut NextCommit,
    ) -> Result<Taken, Cause> {
        self.sources[intake.source].fail_bad(intake, &piece)?;
        stages.iter_mut().for_each(|stage| stage.work.mark());
        let mut limited = intake.cut() != Cut::Never;
        loop {
            match self.run_stages(stages, intake, &mut piece, limited, span, next_commit).await? {
                Ran::Through(turn) => {
                    self.settle(stages, intake, &piece, turn, span).await?;
                    return Ok(Taken::Whole);
                }
                Ran::Stopped => return Ok(Taken::Stopped),
                Ran::Again(rows) => {
                    let all = piece.batch.rows();
                    piece = intake.shorten(&piece, rows, &[all - rows])?;
                    self.sources[intake.source].pieces.exceeded(all, rows);
                    // What is run a second time is as dear as it was, and settled this time.
                    limited = false;
                    for stage in stages.iter_mut() {
                        stage.work.rewind().map_err(|error| stage.failure(error))?;
                    }
                }
            }
        }
    }

    /// Runs a piece through the stages. Where the first stage at work leaves some of it, the piece ends there.
    async fn run_stages(
        &mut self,
        stages: &mut Stages<'_>,
        intake: &mut Intake,
        piece: &mut Piece,
        limited: bool,
        span: Option<&Arc<BatchSpan>>,
        next_commit: &mut NextCommit,
    ) -> Result<Ran, Cause> {
        let source = Arc::clone(&self.sources[intake.source].plan.name);
        let until = self.stop_until();
        let mut turn = Turn { made: stages.ids().map(|_| None).collect() };
        for id in stages.ids() {
            let stage = &mut stages[id];
            let inputs = match piece.batch.is_empty() {
                true => Vec::new(),
                false => turn.inputs(&stage.inputs, intake.source, &piece.batch),
            };
            let traced = span.filter(|_| !inputs.is_empty());
            let mut of_stage =
                traced.and_then(|span| span.stage(id.place(), inputs.iter().map(|input| input.rows()).sum()));
            let mut all: Option<Made> = None;
            let steering = (self.shared.stop.clone(), self.may_wait_while_paused().then(|| self.shared.pause.clone()));
            let mut budget = Budget::new(&steering.0, steering.1.as_ref(), until, limited && piece.batch.rows() > 1);
            for (number, input) in inputs.iter().enumerate() {
                let at = Workplace { source: &source, trace: of_stage.as_ref().map(OpenSpan::context) };
                let ran = self.while_committing(stage.work.run(input, &mut budget, &at), next_commit).await?;
                if let (Some(span), Err(error)) = (&mut of_stage, &ran) {
                    span.fail(error);
                }
                let mut made = ran.map_err(|error| stage.failure(error))?;
                if made.stopped {
                    return Ok(Ran::Stopped);
                }
                let left = std::mem::take(&mut made.left);
                all.get_or_insert_default().add(made);
                if left.is_empty() {
                    continue;
                }
                let first = turn.made.iter().all(Option::is_none);
                if first && inputs.len() == 1 && Arc::ptr_eq(input, &piece.batch) {
                    let rest: Vec<usize> = left.iter().map(|part| part.rows()).collect();
                    let rows = piece.batch.rows().saturating_sub(rest.iter().sum());
                    *piece = intake.shorten(piece, rows, &rest)?;
                } else {
                    let behind = left.iter().chain(inputs.iter().skip(number + 1));
                    return Ok(Ran::Again(rows_before(&piece.batch, behind)));
                }
            }
            if let (Some(span), Some(made)) = (&mut of_stage, &all) {
                span.set("weir.records.out", made.outputs.iter().map(|output| output.rows()).sum());
            }
            turn.made[id] = all;
        }
        Ok(Ran::Through(turn))
    }

    /// Makes a piece count: dead letters, counters and metrics, what goes to the sinks, and the position behind it.
    async fn settle(
        &mut self,
        stages: &mut Stages<'_>,
        intake: &mut Intake,
        piece: &Piece,
        mut turn: Turn,
        span: Option<&Arc<BatchSpan>>,
    ) -> Result<(), Cause> {
        let source = &mut self.sources[intake.source];
        source.settle_bad(intake, piece, self.dead_letters.as_mut())?;
        for stage in stages.iter_mut() {
            let Some(made) = &mut turn.made[stage.id] else { continue };
            stage.counters.count(made.tally);
            made.metrics.drain(..).for_each(|metrics| self.metrics.stage(stage.id.place(), &metrics));
            for failed in made.failed.drain(..) {
                let done = stage.settle_failed(failed, &source.plan.name, self.dead_letters.as_mut());
                done.map_err(|error| stage.failure(error))?;
            }
        }
        self.moved |= source.settle(piece);
        intake.settle(piece);
        self.in_hand = Some((intake.source, intake.unsettled()));
        self.uncommitted_records += piece.records();
        if !piece.batch.is_empty() {
            self.write_out(Point::Source(intake.source), &piece.batch, span).await?;
        }
        for (stage, made) in turn.made.pairs() {
            for output in made.iter().flat_map(|made| &made.outputs) {
                self.write_out(Point::Stage(stage), output, span).await?;
            }
        }
        self.settle_refused()?;
        if let Some(letters) = &mut self.dead_letters {
            letters.write_out().await?;
        }
        Ok(())
    }

    /// Queues a batch for every sink attached to this point.
    async fn write_out(&mut self, from: Point, batch: &Arc<Batch>, span: Option<&Arc<BatchSpan>>) -> Result<(), Cause> {
        for sink in self.sinks.iter_mut().filter(|sink| sink.takes(from)) {
            sink.write(Arc::clone(batch), span.map(Arc::clone)).await?;
        }
        Ok(())
    }
}

impl Turn {
    /// The batches of this turn that come to a stage of these inputs: at most one source has spoken.
    fn inputs(&self, inputs: &[Point], source: SourceId, batch: &Arc<Batch>) -> Vec<Arc<Batch>> {
        let mut batches = Vec::new();
        for input in inputs {
            match *input {
                Point::Source(other) if other == source => batches.push(Arc::clone(batch)),
                Point::Source(_) => {}
                Point::Stage(stage) => {
                    let made = self.made[stage].iter();
                    batches.extend(made.flat_map(|made| &made.outputs).map(Arc::clone));
                }
            }
        }
        batches
    }
}

/// How many of the piece's rows come before every row of these batches, which were made of it: at least one, and not all.
fn rows_before<'a>(piece: &Arc<Batch>, batches: impl Iterator<Item = &'a Arc<Batch>>) -> usize {
    let place = |batch: &Batch, row: usize| {
        let row = batch.physical_row(row)?;
        let system = batch.system();
        let partition = system.partition.as_ref()?.values().get(row).copied();
        Some((partition, *system.offset.as_ref()?.values().get(row)?))
    };
    let firsts: Vec<_> = batches.filter_map(|batch| place(batch, 0)).collect();
    let all = piece.rows();
    let before = (0..all).find(|&row| place(piece, row).is_some_and(|place| firsts.contains(&place)));
    // The first row alone may be too much for the budget; then half of what there is, down to that row.
    before.filter(|&rows| rows > 0).unwrap_or(all / 2).clamp(1, all.saturating_sub(1).max(1))
}
