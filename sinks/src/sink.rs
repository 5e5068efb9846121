//! The contract.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use weir_batch::Batch;

use crate::{RowRefusal, SinkError};

/// Takes batches of one schema and makes them durable. Owned by one task of one query.
///
/// What an implementation owes, and [`crate::conformance::check`] executes:
///
/// 1. *All, once, in order.* Every row that counts of every batch arrives once, in the order of the writes. Rows that a
///    selection leaves out do not. A batch without rows is taken and leaves no trace.
/// 2. *Flush is durable.* When `flush` returns, all that was written before is where its reader finds it and survives
///    the loss of the process (for a file: of the machine). Before that, a reader may see some of it or none, but never
///    something torn. Flushing twice, or without a write, is no error.
/// 3. *Errors last.* A batch of another schema is refused. After an error every write and flush fails, whatever the
///    cause: what came before the error may be lost, and must not look as if it were durable.
/// 4. *Close is the end.* `close` flushes and releases. Closing again does nothing; a write or flush afterwards fails.
/// 5. *Dropped is gone.* A sink that is dropped without `close` publishes nothing more and leaves nothing behind.
/// 6. *Batches are shared.* A sink never alters a batch, and lets go of it by the time `flush` returns (one whose
///    purpose is to keep batches excepted).
/// 7. *Never block.* Encoding and blocking I/O do not run on the threads of the async runtime.
/// 8. *Count.* `stats` counts what was taken, without regard to what was flushed. Refused rows are not taken.
/// 9. *Refused rows are named.* A row that the sink cannot take although nothing is wrong with the sink (a record that is
///    too large for the topic) is no error. `write` leaves it out, takes the others, and names each such row once, in
///    ascending order, with the reason. The sink goes on as before.
/// 10. *Keep in one step.* A sink whose [`Sink::kept`] answers `Some` keeps bytes beside its output: when `commit` returns,
///    all that was written before is durable and visible, and a new sink's `kept` answers with the bytes. Whatever happens
///    meanwhile, either both are so or neither is. A flush leaves the bytes as they are.
#[async_trait]
pub trait Sink: Send {
    /// Takes the batch, except for the rows that the answer names. Returning does not mean that it is durable.
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError>;

    /// Makes all that was written durable and visible.
    async fn flush(&mut self) -> Result<(), SinkError>;

    /// Flushes, then releases what the sink holds.
    async fn close(&mut self) -> Result<(), SinkError>;

    /// The first half of a [`Sink::flush`]: makes all that was written durable, where no reader finds it. What comes
    /// back says how to finish even after the loss of this sink, by [`crate::publish_prepared`]. It is not lost when the
    /// sink is dropped.
    ///
    /// # Errors
    ///
    /// [`SinkError::OneStep`] of a sink that cannot do it in two.
    async fn prepare(&mut self) -> Result<Vec<Prepared>, SinkError> {
        Err(SinkError::OneStep)
    }

    /// The second half: makes what was prepared visible.
    ///
    /// # Errors
    ///
    /// As [`Sink::prepare`]. What was prepared stays so.
    async fn publish(&mut self) -> Result<(), SinkError> {
        Err(SinkError::OneStep)
    }

    /// The bytes of the last [`Sink::commit`], of a sink that keeps them where its output is, as a database does: empty
    /// before the first one. `None` of any other sink. Asked before the first write: what an earlier sink wrote and did not
    /// commit is gone by then.
    ///
    /// # Errors
    ///
    /// The place cannot be asked.
    async fn kept(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        Ok(None)
    }

    /// Makes all that was written durable and visible, and keeps these bytes, in one step.
    ///
    /// # Errors
    ///
    /// [`SinkError::NothingKept`] of a sink that keeps nothing.
    async fn commit(&mut self, _keep: &[u8]) -> Result<(), SinkError> {
        Err(SinkError::NothingKept)
    }

    /// What the sink has taken so far.
    fn stats(&self) -> SinkStats;

    /// When [`Sink::tick`] is due though nothing is written; `None` when it is not.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Does what is due by time. Before the deadline it does nothing.
    async fn tick(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The rows that were not taken, ascending. All others were.
    pub refused: Vec<RefusedRow>,
}

impl Written {
    /// Every row was taken.
    pub const ALL: Written = Written { refused: Vec::new() };
}

/// A row that a healthy sink cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place among the rows of the batch that count, from 0.
    pub row: usize,
    /// Why.
    pub why: RowRefusal,
}

/// A file that is whole and durable, and not yet where its readers look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// Where it is.
    pub hidden: PathBuf,
    /// Where it will be.
    pub path: PathBuf,
    /// The number in its name.
    pub number: u64,
}

/// What a sink has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkStats {
    /// Rows that counted.
    pub records: u64,
    /// Encoded bytes, those in buffers estimated; 0 where nothing is encoded.
    pub bytes: u64,
    /// Batches, those without rows too.
    pub batches: u64,
    /// Files published.
    pub files: u64,
}

impl SinkStats {
    /// Counts a batch that was taken, but for so many refused rows.
    pub(crate) fn count(&mut self, batch: &Batch, refused: usize) {
        self.records = self.records.saturating_add(batch.rows().saturating_sub(refused) as u64);
        self.batches = self.batches.saturating_add(1);
    }
}
