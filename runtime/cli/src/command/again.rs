//! The sample of `weir try` a second time: a function that keeps nothing answers the same, whatever its batches and instances.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use weir_batch::Batch;
use weir_sandbox::{CallError, FunctionState, Instance, Outcome, RowFailure};

/// Records that are tried a second time: what came of them is held meanwhile.
const RECORDS_MAX: usize = 100_000;

/// The records of a batch of the second run, in turn: primes, so that a function which counts to a round number is not met
/// at its zero each time.
const PARTS: [usize; 6] = [97, 331, 13, 751, 211, 47];

/// What came of the first records of a sample, to be held against a second run.
pub(crate) struct Again {
    inputs: Vec<Arc<Batch>>,
    // Rows that went on, and those that failed, by their number in the sample.
    rows: Vec<RecordBatch>,
    failed: Vec<RowFailure>,
    records: usize,
}

impl Again {
    pub(crate) fn new() -> Again {
        Again { inputs: Vec::new(), rows: Vec::new(), failed: Vec::new(), records: 0 }
    }

    /// Keeps what came of a batch, where there is room.
    pub(crate) fn keep(&mut self, batch: &Arc<Batch>, outcome: &Outcome) -> anyhow::Result<()> {
        if self.records + batch.rows() <= RECORDS_MAX {
            self.inputs.push(Arc::clone(batch));
            add(outcome, self.records, &mut self.rows, &mut self.failed)?;
            self.records += batch.rows();
        }
        Ok(())
    }

    /// Runs the records again, in smaller batches, each on a new instance: where the function answers otherwise.
    pub(crate) fn run(&self, runtime: &tokio::runtime::Runtime, instance: &Instance) -> anyhow::Result<Option<String>> {
        if instance.bound().function().state == FunctionState::Kept {
            return Ok(None);
        }
        let (mut again, mut failed, mut done) = (Vec::new(), Vec::new(), 0);
        for input in &self.inputs {
            // Neither the whole batch nor even parts of it, at most a third each.
            let mut start = 0;
            for rows in PARTS.iter().cycle() {
                let rows = (*rows).min((input.rows() / 3).max(1)).min(input.rows() - start);
                if rows == 0 {
                    break;
                }
                let part = input.slice(start, rows)?;
                let outcome = match runtime.block_on(instance.anew().call(&part)) {
                    Ok(outcome) => outcome,
                    Err(error) => return Ok(Some(ended(&error, done + start))),
                };
                add(&outcome, done + start, &mut again, &mut failed)?;
                start += rows;
            }
            done += input.rows();
        }
        if let Some((one, other)) = self.failed.iter().zip(&failed).find(|(one, other)| one != other) {
            return Ok(Some(format!("record {} of the sample fails differently", one.row.min(other.row))));
        }
        if self.failed.len() != failed.len() {
            return Ok(Some(format!(
                "{} records fail in the second run, {} in the first",
                failed.len(),
                self.failed.len()
            )));
        }
        let (Some(one), Some(other)) = (together(&self.rows)?, together(&again)?) else { return Ok(None) };
        if one == other {
            return Ok(None);
        }
        let shorter = one.num_rows().min(other.num_rows());
        Ok(Some(match (0..shorter).find(|&row| one.slice(row, 1) != other.slice(row, 1)) {
            Some(row) => format!("row {row} of its output differs"),
            None => format!("{} rows in the second run, {} in the first", other.num_rows(), one.num_rows()),
        }))
    }
}

fn ended(error: &CallError, record: usize) -> String {
    format!("it ends in the batch that begins with record {record} ({}): {}", error.code(), error.cause)
}

fn add(
    outcome: &Outcome,
    first: usize,
    rows: &mut Vec<RecordBatch>,
    failed: &mut Vec<RowFailure>,
) -> anyhow::Result<()> {
    rows.push(outcome.output.to_arrow()?);
    failed.extend(outcome.failed.iter().cloned().map(|mut failure| {
        failure.row += first;
        failure
    }));
    Ok(())
}

fn together(batches: &[RecordBatch]) -> anyhow::Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    Ok(Some(concat_batches(&first.schema(), batches)?))
}
