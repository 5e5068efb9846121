//! One stage at work: its instance, what it remembers from call to call, and its policy for records that fail.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use weir_batch::{Batch, TraceContext};
use weir_sandbox::{CallError, Instance, MetricBatch, Outcome, RowCode};

use super::breaker::Breaker;
use super::budget::Budget;
use super::bytes::record_bytes;
use super::counters::{StageCounters, Tally};
use super::dead_letters::{DeadLetters, Sender, Why};
use super::failures::Voice;
use super::fit::Fit;
use super::guest_log::GuestLog;
use super::record_place::RecordPlace;
use super::stage_error::StageError;
use super::state_guard::{Loss, StateGuard};
use super::waiting::{Waiting, millis, sleep_or_stop};
use crate::file::{ErrorPolicy, Retry};

/// So many records of a batch may end the guest whatever `trapped_percent_max` says: of a small batch a share says nothing.
pub(super) const TRAPPED_RECORDS_MIN: usize = 64;

/// How often a call is made again that got no core, and after what pause.
const STARVED_CALLS_MAX: u32 = 5;
const STARVED_PAUSE: Duration = Duration::from_secs(1);

/// A stage's instance, policy and place for its failures.
pub(crate) struct StageRunner {
    pub(crate) name: Arc<str>,
    pub(crate) instance: Instance,
    pub(crate) on_error: ErrorPolicy,
    pub(crate) retry: Option<Retry>,
    /// The share of a batch's records that may end the guest; 100 is any.
    pub(crate) trapped_percent_max: u32,
    pub(crate) sender: Sender,
    pub(crate) log: GuestLog,
    pub(crate) breaker: Breaker,
    /// Until when its next batch waits, where it is held back.
    pub(crate) hold: Option<Hold>,
    /// Watches over what the function keeps.
    pub(crate) guard: StateGuard,
    /// How many records a call is given.
    pub(crate) fit: Fit,
    pub(crate) voice: Voice,
    /// What it has seen of the source's batch that is under way, which may come in pieces.
    pub(crate) seen: Seen,
}

/// Why a stage is held back, and until when.
pub(crate) struct Hold {
    pub(crate) until: Instant,
    pause: Duration,
    // The code of the last record that ended the guest.
    code: &'static str,
}

/// A stage's part in one batch of a source.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    /// Records of the source's batch.
    pub(crate) of: usize,
    /// Records that came in.
    pub(crate) rows: usize,
    /// Records that ended the guest, each alone.
    pub(crate) guilty: usize,
    /// The code of the last of them.
    pub(crate) code: Option<&'static str>,
}

/// What a stage made of a piece of a batch. Nothing of it counts until the piece is settled in every stage.
#[derive(Default)]
pub(crate) struct Made {
    /// What goes on, in order; more than one batch only where a call was divided.
    pub(crate) outputs: Vec<Arc<Batch>>,
    /// Records that failed for good, and with which policy they are dealt with then.
    pub(crate) failed: Vec<Failing>,
    /// What the guest recorded.
    pub(crate) metrics: Vec<MetricBatch>,
    pub(crate) tally: Tally,
    /// What was not run, in order: the budget was spent.
    pub(crate) left: Vec<Arc<Batch>>,
    /// Whether the query is to stop, and nothing of the piece counts.
    pub(crate) stopped: bool,
}

/// A record that failed, and may be tried again.
pub(crate) struct Failing {
    /// A batch of this record alone.
    pub(super) record: Arc<Batch>,
    pub(super) code: String,
    pub(super) message: String,
    /// How the guest ended over it, where that is how it failed.
    pub(super) ended: Option<Box<CallError>>,
}

/// What the stage shares with the rest of its query while it works.
pub(crate) struct Workplace<'a> {
    /// The source that the records come from.
    pub(crate) source: &'a Arc<str>,
    pub(crate) counters: &'a StageCounters,
    /// Its span over this batch, where there is one.
    pub(crate) trace: Option<TraceContext>,
}

/// How a call came out.
pub(super) enum Called {
    Done(Result<Outcome, CallError>),
    /// The stop came, and nobody waits for the rest.
    Stopped,
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

impl StageRunner {
    /// Calls the guest. Waits for an instance where none is free, and calls again where the machine had no core for it: both
    /// are nobody's fault, and pass. After a stop it waits a little longer for an instance, for queries that stop as well to
    /// give theirs back.
    pub(super) async fn call(&mut self, part: &Arc<Batch>, counters: &StageCounters, budget: &Budget<'_>) -> Called {
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
                    counters.calls.add(1);
                    self.guard.answered(&self.instance, part, &outcome).await;
                    return Called::Done(Ok(outcome));
                }
                Err(error) => error,
            };
            if self.instance.batches_seen() == 0 {
                self.guard.lost(seen, Loss::Call(&error), &self.sender, counters);
            }
            if error.starved() && starved < STARVED_CALLS_MAX {
                // Nobody's fault: the same call, once the machine has had a moment.
                starved += 1;
                counters.calls.add(1);
                counters.trapped(error.code());
                counters.spend(&error.context.usage);
                tracing::warn!(tenant = &*self.sender.tenant, stage = &*self.name, "called again: {error}");
                sleep_or_stop(Instant::now() + STARVED_PAUSE, budget.stop()).await;
                continue;
            }
            if !error.no_instance() {
                counters.calls.add(1);
                return Called::Done(Err(error));
            }
            let waiting = waiting.get_or_insert_with(|| {
                counters.instance_waits.add(1);
                Waiting::new()
            });
            if waiting.warn_is_due() {
                tracing::warn!(
                    tenant = &*self.sender.tenant,
                    stage = &*self.name,
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
            counters.instance_wait_ms.add(millis(paused.elapsed()));
        }
    }

    /// A batch of a source begins, of this many records, which may come in pieces.
    pub(crate) fn begin(&mut self, rows: usize) {
        self.seen = Seen { of: rows, ..Seen::default() };
    }

    /// The batch is through: the breaker is told how it went. What was cut into pieces is one batch still.
    pub(crate) fn judge(&mut self) {
        let Seen { rows, guilty, code, .. } = std::mem::take(&mut self.seen);
        let pause = self.breaker.after(rows, guilty);
        if let Some(code) = code.filter(|_| pause > Duration::ZERO) {
            self.hold = Some(Hold { until: Instant::now() + pause, pause, code });
        }
    }

    /// Says that its next batch waits now.
    pub(crate) fn warn_of_hold(&self, hold: &Hold) {
        tracing::warn!(
            tenant = &*self.sender.tenant,
            stage = &*self.name,
            code = hold.code,
            pause_ms = millis(hold.pause),
            bad_batches = self.breaker.bad_in_a_row(),
            "held back: a tenth of the records or more ended the guest, batch after batch"
        );
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
        let (records, rows, percent) = (seen.guilty, seen.of.max(seen.rows), self.trapped_percent_max);
        let share = rows.saturating_mul(percent as usize) / 100;
        let limit = share.max(TRAPPED_RECORDS_MIN);
        // Under `fail` the first one ends the query, and names the record.
        let stays = self.on_error == ErrorPolicy::Fail && self.retry.is_none();
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
        at.counters.spend(&outcome.usage);
        self.log.report(outcome.logs, outcome.logs_dropped, at.trace, at.counters);
        let answered = part.rows().saturating_sub(outcome.failed.len()).saturating_sub(outcome.filtered);
        for failure in outcome.failed {
            let (code, message) = (failure.code.to_string(), failure.message);
            if self.on_error == ErrorPolicy::Fail && (self.retry.is_none() || failure.code == RowCode::NullInput) {
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
        at.counters.trapped(error.code());
        at.counters.spend(&error.context.usage);
        // The error keeps its own.
        self.log.report(error.context.logs.clone(), error.context.logs_dropped, at.trace, at.counters);
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

    /// Deals with a record that failed for good, by the policy: its piece of the batch is settled.
    pub(crate) fn settle_failed(
        &mut self,
        failed: Failing,
        source: &Arc<str>,
        letters: Option<&mut DeadLetters>,
        counters: &StageCounters,
    ) -> Result<(), StageError> {
        let Failing { record, code, message, .. } = failed;
        let is_kept = match (&self.on_error, letters) {
            (ErrorPolicy::DeadLetter, Some(letters)) => {
                letters.add_row(&self.sender, &record, 0, Why { code: &code, message: &message })?;
                true
            }
            // A query whose stage dead-letters has a place for letters: the file's check sees to it.
            _ => false,
        };
        let counter = if is_kept { &counters.dead } else { &counters.failed };
        counter.add(1);
        counters.errors.add(&code);
        if self.voice.speaks() {
            let place = RecordPlace::of(source, &record, 0);
            let what = if is_kept { "dead-lettered" } else { "skipped" };
            let RecordPlace { partition, offset, .. } = place;
            tracing::warn!(stage = &*self.name, code, partition, offset, "{what}: {place}: {message}");
        }
        Ok(())
    }
}
