//! A stage's calls over one piece of a batch: cut to what fits, divided where a call ends badly, and tried again.

use std::sync::Arc;
use std::time::Duration;

use weir_batch::{Batch, BatchError};
use weir_sandbox::{CallError, Fault, Phase, TrapCause};

use super::budget::{Budget, Next};
use super::bytes::record_bytes;
use super::guest_stage::{Called, GuestStage};
use super::stage::{Failing, Made, Workplace};
use super::stage_error::StageError;
use weir_plan::{ErrorPolicy, Retry};

/// Records that are given to the guest in one call, or are still to be.
struct Part {
    batch: Arc<Batch>,
    half: Half,
    // Whether it ended the guest already, on an instance that had seen other records.
    again: bool,
}

/// What a part is of one that exceeded a limit.
#[derive(Clone, Copy)]
enum Half {
    Whole,
    First,
    /// Of a call over this number of records. Whether the first half kept to the limit.
    Second {
        of: usize,
        first_fitted: bool,
    },
}

/// Parts still to be run, the next one last.
struct Parts(Vec<Part>);

impl Parts {
    /// The next part, at most as large as fits.
    fn next(&mut self, fit: impl Fn(usize) -> usize) -> Result<Option<Part>, BatchError> {
        let Some(mut part) = self.0.pop() else { return Ok(None) };
        let (rows, fits) = (part.batch.rows(), fit(part.batch.rows()));
        if fits < rows {
            let rest = part.batch.slice(fits, rows - fits)?;
            self.0.push(Part { batch: rest, half: Half::Whole, again: false });
            part = Part { batch: part.batch.slice(0, fits)?, half: Half::Whole, again: false };
        }
        Ok(Some(part))
    }

    /// Divides a part that ended the guest.
    fn halve(&mut self, batch: &Arc<Batch>, by_limit: bool) -> Result<(), BatchError> {
        let rows = batch.rows();
        let middle = rows / 2;
        let second = if by_limit { Half::Second { of: rows, first_fitted: false } } else { Half::Whole };
        let first = if by_limit { Half::First } else { Half::Whole };
        self.0.push(Part { batch: batch.slice(middle, rows - middle)?, half: second, again: false });
        self.0.push(Part { batch: batch.slice(0, middle)?, half: first, again: false });
        Ok(())
    }

    /// The first half that was just run kept to the limit: its other half lies on top.
    fn first_fitted(&mut self) {
        if let Some(Part { half: Half::Second { first_fitted, .. }, .. }) = self.0.last_mut() {
            *first_fitted = true;
        }
    }

    fn into_left(self, part: Option<Arc<Batch>>) -> Vec<Arc<Batch>> {
        let mut left: Vec<_> = self.0.into_iter().map(|part| part.batch).collect();
        left.extend(part);
        left.reverse();
        left
    }
}

/// Whether a record of the batch may be to blame: the guest was at work on it, and ended by its own doing.
fn may_be_a_record(error: &CallError) -> bool {
    error.context.phase == Phase::Batch && error.fault() == Fault::Tenant
}

/// Whether it may have been the number of records.
fn is_limit(error: &CallError) -> bool {
    matches!(error.cause, TrapCause::OutOfFuel { .. } | TrapCause::Deadline { .. } | TrapCause::Limit(_))
}

impl GuestStage<'_> {
    /// Runs the function over a piece of a batch. A call that ends badly is divided, down to the records that end a fresh
    /// instance alone. What the budget does not cover is left.
    pub(super) async fn narrow(
        &mut self,
        batch: &Arc<Batch>,
        budget: &mut Budget<'_>,
        at: &Workplace<'_>,
    ) -> Result<Made, StageError> {
        let mut made = Made::default();
        let mut failing = Vec::new();
        let mut parts = Parts(vec![Part { batch: Arc::clone(batch), half: Half::Whole, again: false }]);
        while let Some(part) = parts.next(|rows| self.fit.rows(rows))? {
            match budget.next() {
                Next::Call => {}
                Next::Leave => {
                    made.left = parts.into_left(Some(part.batch));
                    break;
                }
                Next::Stop => return Ok(Made::stopped()),
            }
            let rows = part.batch.rows();
            let instantiated = self.instance.instantiations();
            let error = match self.call(&part.batch, budget).await {
                Called::Stopped => return Ok(Made::stopped()),
                Called::Done(Ok(outcome)) => {
                    self.take(&part.batch, outcome, &mut failing, &mut made, at)?;
                    budget.settled();
                    match part.half {
                        Half::First => parts.first_fitted(),
                        Half::Second { of, first_fitted: true } => self.fit.exceeded(of, rows),
                        Half::Whole | Half::Second { .. } => self.fit.fitted(rows),
                    }
                    continue;
                }
                Called::Done(Err(error)) => error,
            };
            self.count_end(&error, at);
            budget.bad_call();
            if !may_be_a_record(&error) {
                return Err(StageError::Call(Box::new(error)));
            }
            if rows > 1 {
                parts.halve(&part.batch, is_limit(&error))?;
                continue;
            }
            // What other records left behind in the instance may have been to blame.
            let fresh = self.instance.instantiations() > instantiated;
            if !fresh && !part.again {
                parts.0.push(Part { again: true, ..part });
                continue;
            }
            let found = self.found_guilty(&part.batch, error, at)?;
            budget.settled();
            if self.plan.on_error == ErrorPolicy::Fail && self.plan.retry.is_none() {
                return Err(self.fails_query(found, at));
            }
            failing.push(found);
        }
        if let Some(retry) = self.plan.retry
            && !self.try_again(retry, &mut failing, &mut made, budget, at).await?
        {
            return Ok(Made::stopped());
        }
        if self.plan.on_error == ErrorPolicy::Fail && !failing.is_empty() {
            return Err(self.fails_query(failing.swap_remove(0), at));
        }
        let left: usize = made.left.iter().map(|part| part.rows()).sum();
        let ran = match left {
            0 => Arc::clone(batch),
            left => batch.slice(0, batch.rows().saturating_sub(left))?,
        };
        made.tally.records_in = ran.rows() as u64;
        made.tally.bytes_in = record_bytes(&ran);
        self.seen.rows += ran.rows();
        made.failed = failing;
        Ok(made)
    }

    /// Runs the function again over records that failed, each by itself, and leaves those that still fail. False where the
    /// stop has come: what was not finished is read again.
    async fn try_again(
        &mut self,
        retry: Retry,
        failing: &mut Vec<Failing>,
        made: &mut Made,
        budget: &mut Budget<'_>,
        at: &Workplace<'_>,
    ) -> Result<bool, StageError> {
        let (mut again, mut failed): (Vec<_>, Vec<_>) =
            std::mem::take(failing).into_iter().partition(Failing::may_pass);
        for attempt in 0..retry.times_max {
            if again.is_empty() {
                break;
            }
            if !budget.wait(retry.pause(attempt)).await {
                return Ok(false);
            }
            for record in std::mem::take(&mut again) {
                if !budget.wait(Duration::ZERO).await {
                    return Ok(false);
                }
                self.counters.retries.add(1);
                match self.call(&record.record, budget).await {
                    Called::Stopped => return Ok(false),
                    Called::Done(Ok(outcome)) => self.take(&record.record, outcome, &mut again, made, at)?,
                    Called::Done(Err(error)) => {
                        self.count_end(&error, at);
                        budget.bad_call();
                        if !may_be_a_record(&error) {
                            return Err(StageError::Call(Box::new(error)));
                        }
                        again.push(Failing::ended(record.record, error));
                    }
                }
            }
        }
        failed.append(&mut again);
        *failing = failed;
        Ok(true)
    }
}
