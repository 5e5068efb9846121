//! Batches kept in memory, for tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use weir_batch::format::FormatError;
use weir_batch::{Batch, Schema};

use crate::phase::Phase;
use crate::{Prepared, Sink, SinkError, SinkStats};

/// Keeps every batch. The batches are read through a [`MemoryHandle`].
pub struct MemorySink {
    schema: Arc<Schema>,
    handle: MemoryHandle,
    phase: Phase,
    stats: SinkStats,
}

/// Reads what a [`MemorySink`] took; shared by `clone`. A new sink over an old handle adds to what is there.
#[derive(Clone, Debug, Default)]
pub struct MemoryHandle {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    written: Vec<Arc<Batch>>,
    // How many of them were flushed.
    durable: usize,
    flushes: u64,
    closed: bool,
}

impl MemoryHandle {
    /// A handle without batches.
    pub fn new() -> MemoryHandle {
        MemoryHandle::default()
    }

    /// The batches that were flushed.
    pub fn batches(&self) -> Vec<Arc<Batch>> {
        let shared = self.lock();
        shared.written[..shared.durable].to_vec()
    }

    /// The batches that were written, flushed or not.
    pub fn written(&self) -> Vec<Arc<Batch>> {
        self.lock().written.clone()
    }

    /// Rows that count in the batches that were flushed.
    pub fn rows(&self) -> usize {
        self.batches().iter().map(|batch| batch.rows()).sum()
    }

    /// How many flushes there were.
    pub fn flushes(&self) -> u64 {
        self.lock().flushes
    }

    /// Whether the sink was closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Every change is one assignment or push: a panic elsewhere leaves nothing half done.
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
    async fn write(&mut self, batch: Arc<Batch>) -> Result<(), SinkError> {
        self.phase.check()?;
        self.phase.keep(check_schema(&self.schema, &batch))?;
        self.stats.count(&batch);
        self.handle.lock().written.push(batch);
        Ok(())
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

/// Refuses a batch of another schema, as an encoder does.
pub(crate) fn check_schema(schema: &Arc<Schema>, batch: &Batch) -> Result<(), SinkError> {
    if Arc::ptr_eq(schema, batch.schema()) || **schema == **batch.schema() {
        return Ok(());
    }
    let (expected, found) = (schema.to_string(), batch.schema().to_string());
    Err(SinkError::Encode(FormatError::SchemaMismatch { expected, found }))
}
