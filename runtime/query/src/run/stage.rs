//! One stage at work: guest calls, the error policy, and the narrowing of a trap to the records that cause it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use weir_batch::{Batch, TraceContext};
use weir_sandbox::{CallError, Fault, Instance, Outcome, Phase};

use super::breaker::Breaker;
use super::bytes::record_bytes;
use super::counters::StageCounters;
use super::dead_letters::{DeadLetterError, DeadLetters, Sender, Why, position};
use super::guest_log::GuestLog;
use super::metrics::MetricRegistry;
use super::state_guard::{Loss, StateGuard};
use super::waiting::{Waiting, millis, sleep_or_stop};
use crate::file::{ErrorPolicy, Retry};

/// Traps narrowed down in one batch before the stage is taken to be broken rather than its records.
///
/// The breaker holds back what does not reach this: a batch of up to 640 records is bad with fewer guilty ones than
/// these, and the query goes on, slower and slower. In a larger batch a tenth is more than these, and the query fails
/// before the breaker is asked: narrowing each of a thousand guilty records down costs ten traps a record, in vain.
pub(super) const GUILTY_RECORDS_BATCH_MAX: usize = 64;

/// How often a call is made again that got no core, and after what pause.
const STARVED_CALLS_MAX: u32 = 5;
const STARVED_PAUSE: Duration = Duration::from_secs(1);

/// A stage's instance, policy and place for its failures.
pub(crate) struct StageRunner {
    pub(crate) index: usize,
    pub(crate) name: Arc<str>,
    pub(crate) instance: Instance,
    pub(crate) on_error: ErrorPolicy,
    pub(crate) retry: Option<Retry>,
    pub(crate) sender: Sender,
    pub(crate) log: GuestLog,
    pub(crate) breaker: Breaker,
    /// Until when its next batch waits, where it is held back.
    pub(crate) hold: Option<Hold>,
    /// Watches over what the function keeps.
    pub(crate) guard: StateGuard,
}

/// Why a stage is held back, and until when.
pub(crate) struct Hold {
    pub(crate) until: Instant,
    pause: Duration,
    // The code of the last record that ended the guest.
    code: &'static str,
}

/// What a stage made of a batch.
#[derive(Default)]
pub(crate) struct Made {
    /// What goes on, in order; more than one batch only where a trap was narrowed.
    pub(crate) outputs: Vec<Arc<Batch>>,
    /// Records that ended the guest.
    pub(crate) guilty: usize,
    /// The code of the last of them.
    pub(crate) code: Option<&'static str>,
}

/// A record that failed, and may be tried again.
struct Failing {
    /// A batch of this record alone.
    record: Arc<Batch>,
    code: String,
    message: String,
    /// How the guest ended over it, where that is how it failed.
    ended: Option<Box<CallError>>,
}

/// A stage that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The guest ended, or was ended, and the policy is `fail` or no record alone is to blame.
    #[error(transparent)]
    Call(Box<CallError>),
    /// The function refused a record, and the policy is `fail`.
    #[error("record {row} of the batch{}: {code}: {message}", at(.partition, .offset))]
    Row {
        /// Row of the batch.
        row: usize,
        /// `null_input`, or the guest's code.
        code: String,
        /// The guest's message.
        message: String,
        /// Partition the record came from, where known.
        partition: Option<i32>,
        /// Position in it, where known.
        offset: Option<i64>,
    },
    /// So many records of one batch ended the guest that the function is to blame.
    #[error(
        "{records} records of one batch ended the guest, more than the {limit} that are narrowed down; the last: {last}"
    )]
    TooManyTraps {
        /// Records found guilty.
        records: usize,
        /// The limit.
        limit: usize,
        /// The last trap.
        last: Box<CallError>,
    },
    /// What the function kept in its memory was lost, and the policy is `fail`.
    #[error(
        "state_lost: function `{function}` keeps state, and lost what it had of {} ({cause}); \
         `on_state_loss = \"warn\"` goes on without it",
        match batches {
            0 => "an earlier run".to_owned(),
            1 => "1 batch".to_owned(),
            many => format!("{many} batches"),
        }
    )]
    StateLost {
        /// The function.
        function: String,
        /// Batches that the lost instance had answered.
        batches: u64,
        /// Why, with a code.
        cause: String,
    },
    /// A function keeps state that its module does not declare.
    #[error(
        "hidden_state: function `{function}` answered batch {batch} otherwise on a new instance: {difference}; it keeps \
         state that its module does not declare. Declare it (`#[transform]` on an `impl`, or `\"state\":\"kept\"` in the \
         manifest), or set `on_state_loss` for a module that declares nothing, or `verify_every_batches = 0`"
    )]
    HiddenState {
        /// The function.
        function: String,
        /// The batch, counted from 1 since the query was opened.
        batch: u64,
        /// What differs.
        difference: String,
    },
    /// A failed record could not be kept.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// A batch could not be divided.
    #[error(transparent)]
    Batch(#[from] weir_batch::BatchError),
}

fn at(partition: &Option<i32>, offset: &Option<i64>) -> String {
    match (partition, offset) {
        (Some(partition), Some(offset)) => format!(" (partition {partition}, offset {offset})"),
        (None, Some(offset)) => format!(" (offset {offset})"),
        _ => String::new(),
    }
}

/// Whether a record of the batch may be to blame: the guest was at work on it, and ended by its own doing.
fn may_be_a_record(error: &CallError) -> bool {
    error.context.phase == Phase::Batch && error.fault() == Fault::Tenant
}

/// What the stage shares with the rest of its query while it works.
pub(crate) struct Workplace<'a> {
    pub(crate) counters: &'a StageCounters,
    pub(crate) dead_letters: Option<&'a mut DeadLetters>,
    pub(crate) metrics: &'a mut MetricRegistry,
    pub(crate) stop: &'a watch::Sender<bool>,
    /// Its span over this batch, where there is one.
    pub(crate) trace: Option<TraceContext>,
}

impl Failing {
    fn ended(record: Arc<Batch>, error: CallError) -> Failing {
        let (code, message) = (error.code().to_owned(), error.to_string());
        Failing { record, code, message, ended: Some(Box::new(error)) }
    }
}

impl StageRunner {
    /// Runs the function over a batch.
    pub(crate) async fn run(&mut self, batch: &Arc<Batch>, mut at: Workplace<'_>) -> Result<Made, StageError> {
        at.counters.records_in.add(batch.rows() as u64);
        at.counters.bytes_in.add(record_bytes(batch));
        let mut made = Made::default();
        let mut failing = Vec::new();
        // Parts still to be run, the first one last.
        let mut parts = vec![Arc::clone(batch)];
        while let Some(part) = parts.pop() {
            let called = self.call(&part, at.counters, at.stop).await;
            at.counters.calls.add(1);
            match called {
                Ok(outcome) => {
                    let output = self.settle(&part, outcome, &mut failing, &mut at)?;
                    if !output.is_empty() {
                        made.outputs.push(output);
                    }
                }
                Err(error) => {
                    self.count_end(&error, &at);
                    let stays = self.on_error == ErrorPolicy::Fail && self.retry.is_none();
                    if stays || !may_be_a_record(&error) {
                        return Err(StageError::Call(Box::new(error)));
                    }
                    let rows = part.rows();
                    if rows > 1 {
                        let half = rows / 2;
                        parts.push(part.slice(half, rows - half)?);
                        parts.push(part.slice(0, half)?);
                        continue;
                    }
                    made.guilty += 1;
                    made.code = Some(error.code());
                    tracing::warn!(stage = &*self.name, code = error.code(), "a record ended the guest: {error}");
                    if made.guilty > GUILTY_RECORDS_BATCH_MAX {
                        let (records, limit) = (made.guilty, GUILTY_RECORDS_BATCH_MAX);
                        return Err(StageError::TooManyTraps { records, limit, last: Box::new(error) });
                    }
                    failing.push(Failing::ended(part, error));
                }
            }
        }
        let failed = match self.retry {
            Some(retry) => self.try_again(retry, failing, &mut made, &mut at).await?,
            None => failing,
        };
        for record in failed {
            self.fail_record(record, &mut at)?;
        }
        Ok(made)
    }

    /// Runs the function again over records that failed, each by itself. Says which ones still fail.
    async fn try_again(
        &mut self,
        retry: Retry,
        mut failing: Vec<Failing>,
        made: &mut Made,
        at: &mut Workplace<'_>,
    ) -> Result<Vec<Failing>, StageError> {
        for attempt in 0..retry.times_max {
            if failing.is_empty() {
                break;
            }
            sleep_or_stop(Instant::now() + retry.pause(attempt), at.stop).await;
            for record in std::mem::take(&mut failing) {
                at.counters.retries.add(1);
                at.counters.calls.add(1);
                match self.call(&record.record, at.counters, at.stop).await {
                    Ok(outcome) => {
                        let output = self.settle(&record.record, outcome, &mut failing, at)?;
                        if !output.is_empty() {
                            made.outputs.push(output);
                        }
                    }
                    Err(error) => {
                        self.count_end(&error, at);
                        if !may_be_a_record(&error) {
                            return Err(StageError::Call(Box::new(error)));
                        }
                        failing.push(Failing::ended(record.record, error));
                    }
                }
            }
        }
        Ok(failing)
    }

    fn count_end(&mut self, error: &CallError, at: &Workplace<'_>) {
        at.counters.trapped(error.code());
        at.counters.spend(&error.context.usage);
        // The error keeps its own.
        self.log.report(error.context.logs.clone(), error.context.logs_dropped, at.trace, at.counters);
    }

    /// Calls the guest, waiting for an instance where none is free: that is nobody's fault, and passes. After a stop it
    /// waits a little longer, for queries that stop as well to give theirs back.
    async fn call(
        &mut self,
        part: &Arc<Batch>,
        counters: &StageCounters,
        stop: &watch::Sender<bool>,
    ) -> Result<Outcome, CallError> {
        let mut waiting: Option<Waiting> = None;
        let mut starved = 0;
        loop {
            let seen = self.instance.batches_seen();
            let error = match self.instance.call(part).await {
                Ok(outcome) => {
                    self.guard.answered(&self.instance, part, &outcome).await;
                    return Ok(outcome);
                }
                Err(error) => error,
            };
            if self.instance.batches_seen() == 0 {
                self.guard.lost(seen, Loss::Call(&error), &self.sender, counters);
            }
            if error.starved() && starved < STARVED_CALLS_MAX {
                // Nobody's fault: the same call, once the machine has had a moment.
                starved += 1;
                counters.trapped(error.code());
                counters.spend(&error.context.usage);
                tracing::warn!(tenant = &*self.sender.tenant, stage = &*self.name, "called again: {error}");
                sleep_or_stop(Instant::now() + STARVED_PAUSE, stop).await;
                continue;
            }
            if !error.no_instance() {
                return Err(error);
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
            if !waiting.pause(stop).await {
                return Err(error);
            }
            counters.instance_wait_ms.add(millis(paused.elapsed()));
        }
    }

    /// Tells the breaker how a turn went; `code` is of the last record that ended the guest.
    pub(crate) fn judge(&mut self, rows: usize, guilty: usize, code: Option<&'static str>) {
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

    /// Counts what a successful call did, and adds the records that it refused to those that failed.
    fn settle(
        &mut self,
        part: &Arc<Batch>,
        outcome: Outcome,
        failing: &mut Vec<Failing>,
        at: &mut Workplace<'_>,
    ) -> Result<Arc<Batch>, StageError> {
        let counters = at.counters;
        counters.spend(&outcome.usage);
        self.log.report(outcome.logs, outcome.logs_dropped, at.trace, counters);
        let answered = part.rows().saturating_sub(outcome.failed.len()).saturating_sub(outcome.filtered);
        for failure in outcome.failed {
            let code = failure.code.to_string();
            if self.on_error == ErrorPolicy::Fail && self.retry.is_none() {
                let (partition, offset) = position(part, failure.row);
                let message = failure.message;
                return Err(StageError::Row { row: failure.row, code, message, partition, offset });
            }
            let record = part.slice(failure.row, 1)?;
            failing.push(Failing { record, code, message: failure.message, ended: None });
        }
        counters.filtered.add(outcome.filtered as u64);
        counters.records_out.add(outcome.output.rows() as u64);
        counters.bytes_out.add(record_bytes(&outcome.output));
        counters.expanded.add(outcome.output.rows().saturating_sub(answered) as u64);
        at.metrics.stage(self.index, &outcome.metrics);
        Ok(outcome.output)
    }

    /// Deals with a record that failed for good, by the policy.
    fn fail_record(&self, failed: Failing, at: &mut Workplace<'_>) -> Result<(), StageError> {
        let Failing { record, code, message, ended } = failed;
        match (&self.on_error, &mut at.dead_letters) {
            (ErrorPolicy::Fail, _) => {
                let (partition, offset) = position(&record, 0);
                return Err(match ended {
                    Some(error) => StageError::Call(error),
                    None => StageError::Row { row: 0, code, message, partition, offset },
                });
            }
            (ErrorPolicy::DeadLetter, Some(letters)) => {
                letters.add_row(&self.sender, &record, 0, Why { code: &code, message: &message })?;
                at.counters.dead.add(1);
            }
            // A query whose stage dead-letters has a place for letters: the file's check sees to it.
            (ErrorPolicy::Skip | ErrorPolicy::DeadLetter, _) => at.counters.failed.add(1),
        }
        Ok(())
    }
}
