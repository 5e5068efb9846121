//! The contract of sinks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use weir_batch::Batch;

use crate::{RowRefusal, SinkError};

/// Takes batches of one schema and makes them durable. Owned by one task of one query.
///
/// The contract, which [`crate::conformance::check`] checks:
///
/// 1. *All, once, in order.* Every row that counts arrives once, in the order of the writes. Rows that a selection leaves out
///    do not arrive. A batch without rows is accepted and has no effect.
/// 2. *Flush is durable.* When `flush` returns, everything that was written before is where its reader finds it, and survives
///    a crash of the process (for a file: of the machine). Before that, a reader may see a part of it, but never an incomplete
///    record or file. Flushing twice, or without a write, is not an error.
/// 3. *Errors last.* A batch of another schema is refused. After an error every write and flush fails, whatever the cause:
///    what was written before the error may be lost, and must not look durable.
/// 4. *Close is the end.* `close` flushes and releases resources. Closing again has no effect; later writes and flushes fail.
/// 5. *Dropped is gone.* A sink that is dropped without `close` publishes nothing more and leaves nothing behind.
/// 6. *Batches are shared.* A sink never changes a batch, and drops it before `flush` returns (unless its purpose is to keep
///    batches).
/// 7. *Never block.* Encoding and blocking I/O do not run on the threads of the async runtime.
/// 8. *Count.* `stats` counts what was taken, flushed or not. Refused rows are not counted.
/// 9. *Refused rows are named.* A row that a healthy sink cannot take (a record that is too large for the topic) is not an
///    error. `write` leaves it out, takes the others, and names each such row once, in ascending order, with the reason. The
///    sink continues as before.
/// 10. *Keep in one step.* A sink whose [`Sink::kept`] returns `Some` stores bytes together with its output: when `commit`
///     returns, everything that was written before is durable and visible, and `kept` of a new sink returns the bytes. Both
///     happen or neither, even after a crash. A flush does not change the bytes.
#[async_trait]
pub trait Sink: Send {
    /// Takes the batch, except for the rows in the result. The batch may not be durable yet.
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError>;

    /// Makes everything that was written durable and visible.
    async fn flush(&mut self) -> Result<(), SinkError>;

    /// Flushes, then releases resources.
    async fn close(&mut self) -> Result<(), SinkError>;

    /// The first half of a [`Sink::flush`]: makes everything that was written durable, but not visible. With the result,
    /// [`crate::publish_prepared`] can finish the flush even if this sink is lost. Dropping the sink does not remove the prepared
    /// files.
    ///
    /// # Errors
    ///
    /// [`SinkError::OneStep`] if the sink does not support two-phase commits.
    async fn prepare(&mut self) -> Result<Vec<Prepared>, SinkError> {
        Err(SinkError::OneStep)
    }

    /// The second half: makes everything that was prepared visible.
    ///
    /// # Errors
    ///
    /// As [`Sink::prepare`]. Prepared files stay.
    async fn publish(&mut self) -> Result<(), SinkError> {
        Err(SinkError::OneStep)
    }

    /// The bytes of the last [`Sink::commit`], for a sink that stores data together with its output, like a database: empty before
    /// the first commit. `None` for other sinks. Called before the first write: uncommitted output of an earlier sink has been
    /// rolled back by then.
    ///
    /// # Errors
    ///
    /// The destination cannot be read.
    async fn kept(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        Ok(None)
    }

    /// Makes everything that was written durable and visible, and stores these bytes, atomically.
    ///
    /// # Errors
    ///
    /// [`SinkError::NothingKept`] if the sink does not store data.
    async fn commit(&mut self, _keep: &[u8]) -> Result<(), SinkError> {
        Err(SinkError::NothingKept)
    }

    /// The amount of data that the sink has taken.
    fn stats(&self) -> SinkStats;

    /// When [`Sink::tick`] must be called even if nothing is written; `None` if that is not necessary.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at the deadline. Before the deadline it does nothing.
    async fn tick(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The result of a write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The refused rows, ascending. All others were taken.
    pub refused: Vec<RefusedRow>,
}

impl Written {
    /// Every row was taken.
    pub const ALL: Written = Written { refused: Vec::new() };

    /// Every row was taken but these, which ascend.
    pub fn but(refused: Vec<RefusedRow>) -> Written {
        Written { refused }
    }
}

/// A row that a healthy sink cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedRow {
    /// Its index among the rows of the batch that count, from 0.
    pub row: usize,
    /// The reason.
    pub why: RowRefusal,
}

impl RefusedRow {
    /// The row in this place, and why it is refused.
    pub fn new(row: usize, why: RowRefusal) -> RefusedRow {
        RefusedRow { row, why }
    }
}

/// A complete and durable file that is not visible yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Prepared {
    /// The current path.
    pub hidden: PathBuf,
    /// The final path.
    pub path: PathBuf,
    /// The number in its name.
    pub number: u64,
}

impl Prepared {
    /// A file that waits at `hidden`, and will be at `path` with this number in its name.
    pub fn new(hidden: PathBuf, path: PathBuf, number: u64) -> Prepared {
        Prepared { hidden, path, number }
    }
}

/// The amount of data that a sink has taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkStats {
    /// The number of rows.
    pub records: u64,
    /// The number of encoded bytes, with an estimate for buffers; 0 if nothing is encoded.
    pub bytes: u64,
    /// The number of batches, including batches without rows.
    pub batches: u64,
    /// The number of published files.
    pub files: u64,
}

impl SinkStats {
    /// Counts a batch without this many refused rows.
    pub(crate) fn count(&mut self, batch: &Batch, refused: usize) {
        self.records = self.records.saturating_add(batch.rows().saturating_sub(refused) as u64);
        self.batches = self.batches.saturating_add(1);
    }
}
