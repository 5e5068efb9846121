//! Batches kept in memory, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use weir_batch::arrow::array::{Array, AsArray};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, Schema};
use weir_formats::FormatError;

use crate::phase::Phase;
use crate::{Prepared, RefusedRow, RowRefusal, Sink, SinkError, SinkStats, Written};

/// Keeps every batch. A [`MemoryHandle`] reads the batches.
pub struct MemorySink {
    schema: Arc<Schema>,
    handle: MemoryHandle,
    phase: Phase,
    stats: SinkStats,
}

/// Reads the batches of a [`MemorySink`]; clones share them. A new sink with an old handle adds to its batches.
#[derive(Clone, Debug, Default)]
pub struct MemoryHandle {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    written: Vec<Arc<Batch>>,
    // The number of flushed batches.
    durable: usize,
    flushes: u64,
    closed: bool,
    // The maximum length of a text or binary value.
    value_bytes_max: Option<usize>,
    // The data that the last commit stored, for sinks that store data.
    kept: Option<Vec<u8>>,
}

impl MemoryHandle {
    /// A handle without batches.
    pub fn new() -> MemoryHandle {
        MemoryHandle::default()
    }

    /// Refuses rows with a longer text or binary value than this.
    #[must_use]
    pub fn refusing_above(self, value_bytes_max: usize) -> MemoryHandle {
        self.lock().value_bytes_max = Some(value_bytes_max);
        self
    }

    /// Makes its sinks store positions together with their batches, like a database.
    #[must_use]
    pub fn keeping_positions(self) -> MemoryHandle {
        self.lock().kept = Some(Vec::new());
        self
    }

    /// The batches that were flushed.
    pub fn batches(&self) -> Vec<Arc<Batch>> {
        let shared = self.lock();
        shared.written[..shared.durable].to_vec()
    }

    /// All written batches, flushed or not.
    pub fn written(&self) -> Vec<Arc<Batch>> {
        self.lock().written.clone()
    }

    /// The number of rows in the flushed batches.
    pub fn rows(&self) -> usize {
        self.batches().iter().map(|batch| batch.rows()).sum()
    }

    /// The number of flushes.
    pub fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    /// Whether the sink was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change is a single assignment or push, so the data is consistent even after a panic.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemorySink {
    /// A sink of batches of this schema, read through this handle.
    pub fn new(schema: &Arc<Schema>, handle: MemoryHandle) -> MemorySink {
        MemorySink { schema: Arc::clone(schema), handle, phase: Phase::Open, stats: SinkStats::default() }
    }
}

#[async_trait]
impl Sink for MemorySink {
    async fn write(&mut self, mut batch: Arc<Batch>) -> Result<Written, SinkError> {
        self.phase.check()?;
        self.phase.keep(check_schema(&self.schema, &batch))?;
        let value_bytes_max = self.handle.lock().value_bytes_max;
        let refused = value_bytes_max.map(|bytes_max| too_long(&batch, bytes_max)).unwrap_or_default();
        self.stats.count(&batch, refused.len());
        if !refused.is_empty() {
            let is_refused = |row: usize| refused.binary_search_by_key(&row, |it| it.row).is_ok();
            let keep = BooleanBuffer::collect_bool(batch.rows(), |row| !is_refused(row));
            batch = self.phase.keep(batch.filter(&keep).map_err(|error| SinkError::Encode(error.into())))?;
        }
        self.handle.lock().written.push(batch);
        Ok(Written { refused })
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.phase.check()?;
        let mut shared = self.handle.lock();
        shared.durable = shared.written.len();
        shared.flushes += 1;
        Ok(())
    }

    async fn prepare(&mut self) -> Result<Vec<Prepared>, SinkError> {
        self.phase.check()?;
        Ok(Vec::new())
    }

    async fn publish(&mut self) -> Result<(), SinkError> {
        self.flush().await
    }

    async fn kept(&mut self) -> Result<Option<Vec<u8>>, SinkError> {
        self.phase.check()?;
        let mut shared = self.handle.lock();
        let kept = shared.kept.clone();
        if kept.is_some() {
            // Rolls back what an earlier sink has not committed.
            let durable = shared.durable;
            shared.written.truncate(durable);
        }
        Ok(kept)
    }

    async fn commit(&mut self, keep: &[u8]) -> Result<(), SinkError> {
        self.phase.check()?;
        let mut shared = self.handle.lock();
        if shared.kept.is_none() {
            return Err(SinkError::NothingKept);
        }
        (shared.kept, shared.durable) = (Some(keep.to_vec()), shared.written.len());
        shared.flushes += 1;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        self.flush().await?;
        self.phase = Phase::Closed;
        self.handle.lock().closed = true;
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}

/// Rows with a longer text or binary value than this.
fn too_long(batch: &Batch, bytes_max: usize) -> Vec<RefusedRow> {
    let longest = |row: usize| {
        let lengths = batch.columns().iter().map(|column| {
            let text = column.as_string_opt::<i32>().filter(|it| it.is_valid(row)).map(|it| it.value(row).len());
            let bytes = column.as_binary_opt::<i32>().filter(|it| it.is_valid(row)).map(|it| it.value(row).len());
            text.or(bytes).unwrap_or(0)
        });
        lengths.max().unwrap_or(0)
    };
    let rows = (0..batch.rows()).filter_map(|row| Some((row, longest(batch.physical_row(row)?))));
    let refused = rows.filter(|(_, bytes)| *bytes > bytes_max).map(|(row, bytes)| RefusedRow {
        row,
        why: RowRefusal::TooLarge {
            bytes: bytes as u64,
            bytes_max: bytes_max as u64,
            limit: "the memory sink".to_owned(),
            remedy: "its limit",
        },
    });
    refused.collect()
}

/// Refuses a batch with another schema, as an encoder does.
pub(crate) fn check_schema(schema: &Arc<Schema>, batch: &Batch) -> Result<(), SinkError> {
    if Arc::ptr_eq(schema, batch.schema()) || **schema == **batch.schema() {
        return Ok(());
    }
    let (expected, found) = (schema.to_string(), batch.schema().to_string());
    Err(SinkError::Encode(FormatError::SchemaMismatch { expected, found }))
}
