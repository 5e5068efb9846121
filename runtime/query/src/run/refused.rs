//! Records that sinks cannot take, dealt with by each sink's policy.

use std::sync::Arc;

use weir_batch::Batch;
use weir_sinks::{RefusedRow, SinkError};

use super::counters::SinkCounters;
use weir_letters::{Sender, position};
use weir_plan::{ErrorPolicy, Plan, SinkPlan};

/// What a sink needs to know to deal with records that it cannot take.
#[derive(Clone)]
pub(super) struct RefusalPolicy {
    pub(super) on_error: ErrorPolicy,
    pub(super) sender: Sender,
}

/// Rows of a batch that a sink did not take, on their way to the dead letters.
pub(super) struct RefusedRows {
    pub(super) batch: Arc<Batch>,
    pub(super) rows: Vec<RefusedRow>,
}

impl RefusalPolicy {
    /// The policy of a sink of the plan.
    pub(super) fn of(plan: &Plan, sink: &SinkPlan) -> RefusalPolicy {
        let sender = Sender {
            query: plan.name.as_str().into(),
            tenant: plan.tenant.to_string().into(),
            place: Arc::clone(&sink.name),
            guest: None,
            origins: plan.origins(&sink.inputs),
        };
        RefusalPolicy { on_error: sink.on_error, sender }
    }

    /// Deals with rows that were refused; those that come back are to be dead letters.
    pub(super) fn deal(
        &self,
        batch: &Arc<Batch>,
        rows: Vec<RefusedRow>,
        counters: &SinkCounters,
    ) -> Result<Option<RefusedRows>, SinkError> {
        if rows.is_empty() {
            return Ok(None);
        }
        match self.on_error {
            ErrorPolicy::Fail => match rows.into_iter().next() {
                Some(RefusedRow { row, why, .. }) => {
                    let why = Box::new(why);
                    Err(SinkError::Refused { record: self.place_of(batch, row), why })
                }
                None => Ok(None),
            },
            ErrorPolicy::Skip => {
                counters.failed.add(rows.len() as u64);
                if let Some(RefusedRow { row, why, .. }) = rows.first() {
                    let (record, more) = (self.place_of(batch, *row), rows.len() - 1);
                    tracing::warn!(sink = &*self.sender.place, code = why.code(), more, "skipped {record}: {why}");
                }
                Ok(None)
            }
            ErrorPolicy::DeadLetter => Ok(Some(RefusedRows { batch: Arc::clone(batch), rows })),
        }
    }

    /// The record by source, partition and offset.
    fn place_of(&self, batch: &Arc<Batch>, row: usize) -> String {
        let origin = batch.system().origin.as_deref();
        let (partition, offset) = position(batch, row);
        let mut place = match offset {
            Some(offset) => format!("the record at offset {offset}"),
            None => "a record".to_owned(),
        };
        if let Some(partition) = partition {
            place = format!("{place} of partition {partition}");
        }
        if let Some(origin) = origin {
            place = format!("{place} of {origin}");
        }
        match self.sender.origins.source(origin) {
            Some(source) => format!("{place} (source `{source}`)"),
            None => place,
        }
    }
}
