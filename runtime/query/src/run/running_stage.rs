//! A running stage: what it does, with its plan and its counters, and what becomes of records that fail in it.

use std::sync::Arc;

use super::counters::StageCounters;
use super::error::Cause;
use super::failures::Voice;
use super::guest_log::LogExporter;
use super::guest_stage::GuestStage;
use super::ids::{Point, StageId};
use super::record_place::RecordPlace;
use super::stage::{Failing, Stage};
use super::stage_error::StageError;
use weir_letters::{DeadLetters, Sender, Why};
use weir_plan::{ErrorPolicy, Plan, StagePlan};
use weir_sandbox::{Module, QueryShare};

/// A stage of an attempt. It is lent to the chain, apart from it, which commits while a stage works.
pub(super) struct RunningStage<'p> {
    pub(super) id: StageId,
    pub(super) plan: &'p StagePlan,
    pub(super) counters: Arc<StageCounters>,
    pub(super) inputs: Vec<Point>,
    pub(super) work: Box<dyn Stage + 'p>,
    sender: Sender,
    voice: Voice,
}

impl<'p> RunningStage<'p> {
    /// The stage of this plan, which is a guest function.
    pub(super) fn guest(
        id: StageId,
        whole: &Plan,
        plan: &'p StagePlan,
        module: (&Arc<Module>, Option<&QueryShare>),
        counters: &Arc<StageCounters>,
        logs: Option<&Arc<dyn LogExporter>>,
    ) -> RunningStage<'p> {
        let work = GuestStage::new(whole, plan, module, counters, logs);
        RunningStage {
            id,
            plan,
            counters: Arc::clone(counters),
            inputs: Point::of(&plan.inputs),
            sender: work.sender().clone(),
            voice: Voice::new(format!("stages.{}", plan.name)),
            work: Box::new(work),
        }
    }

    /// The query's failure by this stage.
    pub(super) fn failure(&self, source: StageError) -> Cause {
        Cause::Stage { name: self.plan.name.to_string(), source }
    }

    /// Deals with a record that failed for good, by the policy: its piece of the batch is settled.
    pub(super) fn settle_failed(
        &mut self,
        failed: Failing,
        source: &Arc<str>,
        letters: Option<&mut DeadLetters>,
    ) -> Result<(), StageError> {
        let Failing { record, code, message, .. } = failed;
        let is_kept = match (&self.plan.on_error, letters) {
            (ErrorPolicy::DeadLetter, Some(letters)) => {
                letters.add_row(&self.sender, &record, 0, Why { code: &code, message: &message })?;
                true
            }
            // A query whose stage dead-letters has a place for letters: the file's check sees to it.
            _ => false,
        };
        let counter = if is_kept { &self.counters.dead } else { &self.counters.failed };
        counter.add(1);
        self.counters.errors.add(&code);
        if self.voice.speaks() {
            let place = RecordPlace::of(source, &record, 0);
            let what = if is_kept { "dead-lettered" } else { "skipped" };
            let RecordPlace { partition, offset, .. } = place;
            tracing::warn!(stage = &*self.plan.name, code, partition, offset, "{what}: {place}: {message}");
        }
        Ok(())
    }
}
