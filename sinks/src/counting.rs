//! A sink that counts batches and drops them.

use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};

use crate::memory::check_schema;
use crate::phase::Phase;
use crate::{Prepared, Sink, SinkError, SinkStats, Written};

/// Counts batches and drops them, to measure the cost of a query without its output.
pub struct CountingSink {
    schema: Arc<Schema>,
    phase: Phase,
    stats: SinkStats,
}

impl CountingSink {
    /// A sink of batches of this schema.
    pub fn new(schema: &Arc<Schema>) -> CountingSink {
        CountingSink { schema: Arc::clone(schema), phase: Phase::Open, stats: SinkStats::default() }
    }
}

#[async_trait]
impl Sink for CountingSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        self.phase.check()?;
        self.phase.keep(check_schema(&self.schema, &batch))?;
        self.stats.count(&batch, 0);
        Ok(Written::ALL)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.phase.check()
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
        self.phase.check()?;
        self.phase = Phase::Closed;
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}
