//! A guest function as a stage: its instance, and what is remembered from call to call.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use weir_batch::Batch;
use weir_sandbox::{CallError, Instance, Module, Outcome, QueryShare, RowCode};

use super::breaker::Breaker;
use super::budget::Budget;
use super::bytes::record_bytes;
use super::counters::StageCounters;
use super::fit::Fit;
use super::guest_log::{GuestLog, LogExporter, Speaker};
use super::record_place::RecordPlace;
use super::stage::{Failing, Made, Stage, Workplace};
use super::stage_error::StageError;
use super::state_guard::{Loss, StateGuard};
use super::waiting::{Waiting, millis, sleep_or_stop};
use weir_letters::Sender;
use weir_plan::{ErrorPolicy, Plan, StagePlan};

/// So many records of a batch may end the guest whatever `trapped_percent_max` says: of a small batch a share says nothing.
pub(super) const TRAPPED_RECORDS_MIN: usize = 64;

/// How often a call is made again that got no core, and after what pause.
const STARVED_CALLS_MAX: u32 = 5;
const STARVED_PAUSE: Duration = Duration::from_secs(1);

/// A function with its instance. Calls are divided where they end badly (in a file of their own).
pub(super) struct GuestStage<'p> {
    pub(super) plan: &'p StagePlan,
    pub(super) counters: Arc<StageCounters>,
    pub(super) instance: Instance,
    sender: Sender,
    log: GuestLog,
    breaker: Breaker,
    // Until when its next batch waits, where it is held back.
    hold: Option<Hold>,
    // Watches over what the function keeps.
    guard: StateGuard,
    /// How many records a call is given.
    pub(super) fit: Fit,
    /// What it has seen of the source's batch that is under way, which may come in pieces.
    pub(super) seen: Seen,
    // The same when the piece began.
    marked: Seen,
}

/// Why a stage is held back, and until when.
struct Hold {
    until: Instant,
    pause: Duration,
    // The code of the last record that ended the guest.
    code: &'static str,
}

/// A stage's part in one batch of a source.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// Records of the source's batch.
    pub(super) of: usize,
    /// Records that came in.
    pub(super) rows: usize,
    /// Records that ended the guest, each alone.
    pub(super) guilty: usize,
    /// The code of the last of them.
    pub(super) code: Option<&'static str>,
}

/// How a call came out.
pub(super) enum Called {
    Done(Result<Outcome, CallError>),
    /// The stop came, and nobody waits for the rest.
    Stopped,
}

impl<'p> GuestStage<'p> {
    /// With a new instance of the module, and a fresh breaker.
    pub(super) fn new(
        whole: &Plan,
        plan: &'p StagePlan,
        (module, share): (&Arc<Module>, Option<&QueryShare>),
        counters: &Arc<StageCounters>,
        logs: Option<&Arc<dyn LogExporter>>,
    ) -> GuestStage<'p> {
        let speaker = Speaker {
            tenant: whole.tenant.to_string().into(),
            query: whole.name.as_str().into(),
            stage: Arc::clone(&plan.name),
            module: module.digest().to_string().into(),
            function: plan.function.name.as_str().into(),
        };
        let sender = Sender {
            query: Arc::clone(&speaker.query),
            tenant: Arc::clone(&speaker.tenant),
            place: Arc::clone(&plan.name),
            guest: Some((Arc::clone(&speaker.module), Arc::clone(&speaker.function))),
            origins: whole.origins(&plan.inputs),
        };
        let bound = Arc::new(plan.bound.clone());
        let instance = Instance::new(module, &bound, &plan.limits).with_isolation(plan.isolation);
        GuestStage {
            plan,
            counters: Arc::clone(counters),
            instance: match share {
                Some(share) => instance.in_share(share),
                None => instance,
            },
            sender,
            log: GuestLog::new(speaker, logs.map(Arc::clone)),
            breaker: Breaker::new(plan.limits.trap_pause_ms_max),
            hold: None,
            guard: StateGuard::new(plan),
            fit: Fit::new(),
            seen: Seen::default(),
            marked: Seen::default(),
        }
    }

    /// Who sends letters of records that failed here.
    pub(super) fn sender(&self) -> &Sender {
        &self.sender
    }
}

#[async_trait]
impl Stage for GuestStage<'_> {
    fn begin(&mut self, rows: usize) {
        self.seen = Seen { of: rows, ..Seen::default() };
    }

    fn mark(&mut self) {
        self.marked = self.seen;
    }

    async fn run(
        &mut self,
        batch: &Arc<Batch>,
        budget: &mut Budget<'_>,
        at: &Workplace<'_>,
    ) -> Result<Made, StageError> {
        let made = self.narrow(batch, budget, at).await?;
        // Before anything of it can be committed.
        self.guard.check()?;
        Ok(made)
    }

    fn rewind(&mut self) -> Result<(), StageError> {
        if self.seen.rows > self.marked.rows {
            // What it has seen comes to it once more.
            self.guard.lost(self.instance.batches_seen(), Loss::Again, &self.sender, &self.counters);
            self.instance.forget();
        }
        self.seen = self.marked;
        self.guard.check()
    }

    /// Reports to the breaker how the batch went. A batch that was cut into pieces counts once.
    fn end(&mut self) {
        let Seen { rows, guilty, code, .. } = std::mem::take(&mut self.seen);
        let pause = self.breaker.after(rows, guilty);
        if let Some(code) = code.filter(|_| pause > Duration::ZERO) {
            self.hold = Some(Hold { until: Instant::now() + pause, pause, code });
        }
    }

    fn held_until(&mut self) -> Option<Instant> {
        let hold = self.hold.take().filter(|hold| hold.until > Instant::now())?;
        self.counters.held_back.add(1);
        tracing::warn!(
            tenant = &*self.sender.tenant,
            stage = &*self.plan.name,
            code = hold.code,
            pause_ms = millis(hold.pause),
            bad_batches = self.breaker.bad_in_a_row(),
            "held back: a tenth of the records or more ended the guest in several batches in a row"
        );
        Some(hold.until)
    }

    fn lose(&mut self, loss: Loss<'_>) -> Result<(), StageError> {
        // What others had is no batch of this one's.
        let batches = if matches!(loss, Loss::Rebalance) { self.instance.batches_seen() } else { 0 };
        self.guard.lost(batches, loss, &self.sender, &self.counters);
        self.guard.check()
    }

    fn batches_kept(&self) -> u64 {
        self.guard.batches_kept()
    }
}

impl GuestStage<'_> {
    /// Calls the guest. Waits for an instance where none is free, and calls again where the machine had no core for it: both
    /// are nobody's fault, and pass. After a stop it waits a little longer for an instance, for queries that stop as well to
    /// give theirs back.
    pub(super) async fn call(&mut self, part: &Arc<Batch>, budget: &Budget<'_>) -> Called {
        let mut waiting: Option<Waiting> = None;
        let mut starved = 0;
        loop {
            let seen = self.instance.batches_seen();
            let called = tokio::select! {
                biased;
                called = self.instance.call(part) => called,
                // The instance is gone with the call that is dropped here.
                () = budget.over() => return Called::Stopped,
            };
            let error = match called {
                Ok(outcome) => {
                    self.counters.calls.add(1);
                    self.guard.answered(&self.instance, part, &outcome).await;
                    return Called::Done(Ok(outcome));
                }
                Err(error) => error,
            };
            if self.instance.batches_seen() == 0 {
                self.guard.lost(seen, Loss::Call(&error), &self.sender, &self.counters);
            }
            if error.starved() && starved < STARVED_CALLS_MAX {
                // Nobody's fault: the same call, once the machine has had a moment.
                starved += 1;
                self.counters.calls.add(1);
                self.counters.trapped(error.code());
                self.counters.spend(&error.context.usage);
                tracing::warn!(tenant = &*self.sender.tenant, stage = &*self.plan.name, "repeating the call: {error}");
                sleep_or_stop(Instant::now() + STARVED_PAUSE, budget.stop()).await;
                continue;
            }
            if !error.no_instance() {
                self.counters.calls.add(1);
                return Called::Done(Err(error));
            }
            let waiting = waiting.get_or_insert_with(|| {
                self.counters.instance_waits.add(1);
                Waiting::new()
            });
            if waiting.warn_is_due() {
                tracing::warn!(
                    tenant = &*self.sender.tenant,
                    stage = &*self.plan.name,
                    code = error.code(),
                    waited_ms = waiting.since.elapsed().as_millis(),
                    "waiting for an instance: {}",
                    error.cause
                );
            }
            let paused = Instant::now();
            if !waiting.pause(budget.stop()).await {
                return Called::Done(Err(error));
            }
            self.counters.instance_wait_ms.add(millis(paused.elapsed()));
        }
    }

    /// Counts a record that ended the guest alone; an error where that is one too many for the batch.
    pub(super) fn found_guilty(
        &mut self,
        record: &Arc<Batch>,
        error: CallError,
        at: &Workplace<'_>,
    ) -> Result<Failing, StageError> {
        let seen = &mut self.seen;
        seen.guilty += 1;
        seen.code = Some(error.code());
        let (records, rows, percent) = (seen.guilty, seen.of.max(seen.rows), self.plan.trapped_percent_max);
        let share = rows.saturating_mul(percent as usize) / 100;
        let limit = share.max(TRAPPED_RECORDS_MIN);
        // Under `fail` the first one ends the query, and names the record.
        let stays = self.plan.on_error == ErrorPolicy::Fail && self.plan.retry.is_none();
        if percent < 100 && records > limit && !stays {
            let (place, last) = (RecordPlace::of(at.source, record, 0).into(), Box::new(error));
            return Err(StageError::TooManyTraps { records, rows, limit, percent, place, last });
        }
        Ok(Failing::ended(Arc::clone(record), error))
    }

    /// Takes what a successful call made, and the records that it refused.
    pub(super) fn take(
        &mut self,
        part: &Arc<Batch>,
        outcome: Outcome,
        failing: &mut Vec<Failing>,
        made: &mut Made,
        at: &Workplace<'_>,
    ) -> Result<(), StageError> {
        self.counters.spend(&outcome.usage);
        self.log.report(outcome.logs, outcome.logs_dropped, at.trace, &self.counters);
        let answered = part.rows().saturating_sub(outcome.failed.len()).saturating_sub(outcome.filtered);
        for failure in outcome.failed {
            let (code, message) = (failure.code.to_string(), failure.message);
            if self.plan.on_error == ErrorPolicy::Fail
                && (self.plan.retry.is_none() || failure.code == RowCode::NullInput)
            {
                let place = Box::new(RecordPlace::of(at.source, part, failure.row));
                return Err(StageError::Row { place, code, message });
            }
            let record = part.slice(failure.row, 1)?;
            failing.push(Failing { record, code, message, ended: None });
        }
        let tally = &mut made.tally;
        tally.filtered += outcome.filtered as u64;
        tally.records_out += outcome.output.rows() as u64;
        tally.bytes_out += record_bytes(&outcome.output);
        tally.expanded += outcome.output.rows().saturating_sub(answered) as u64;
        made.metrics.push(outcome.metrics);
        if !outcome.output.is_empty() {
            made.outputs.push(outcome.output);
        }
        Ok(())
    }

    /// Counts what a call that ended badly cost, and hands on what the guest said.
    pub(super) fn count_end(&mut self, error: &CallError, at: &Workplace<'_>) {
        self.counters.trapped(error.code());
        self.counters.spend(&error.context.usage);
        // The error keeps its own.
        self.log.report(error.context.logs.clone(), error.context.logs_dropped, at.trace, &self.counters);
    }

    /// The error of a record that failed for good under `fail`.
    pub(super) fn fails_query(&self, failed: Failing, at: &Workplace<'_>) -> StageError {
        let Failing { record, code, message, ended } = failed;
        let place = Box::new(RecordPlace::of(at.source, &record, 0));
        match ended {
            Some(source) => StageError::Record { place, source },
            None => StageError::Row { place, code, message },
        }
    }
}
