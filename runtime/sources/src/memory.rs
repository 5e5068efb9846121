//! Batches from memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};
use weir_state::{Partition, Positions};

use crate::{Source, SourceBatch, SourceConnector, SourceError, SourceEvent};

/// Returns batches of the program, once each and in their order. As a registered connector, it begins again for each query.
#[derive(Clone, Debug)]
pub struct MemoryBatches {
    schema: Arc<Schema>,
    batches: Arc<[Arc<Batch>]>,
}

/// Reads [`MemoryBatches`]. Positions are numbers of rows.
struct MemorySource {
    all: MemoryBatches,
    next: usize,
    // The number of rows of the next batch that were read before.
    skip: usize,
    position: usize,
}

impl MemoryBatches {
    /// A source of these batches, which all have this schema. Sharing them costs one reference count each.
    pub fn new(schema: &Arc<Schema>, batches: impl IntoIterator<Item = Arc<Batch>>) -> MemoryBatches {
        MemoryBatches { schema: Arc::clone(schema), batches: batches.into_iter().collect() }
    }
}

impl SourceConnector for MemoryBatches {
    fn schema(&self, _options: &BTreeMap<String, String>) -> Result<Schema, String> {
        match self.batches.iter().find(|batch| batch.schema() != &self.schema) {
            None => Ok((*self.schema).clone()),
            Some(other) => Err(format!("a batch has the schema ({}), expected ({})", other.schema(), self.schema)),
        }
    }

    fn open(&self, _options: &BTreeMap<String, String>) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(MemorySource { all: self.clone(), next: 0, skip: 0, position: 0 }))
    }
}

fn memory() -> Partition {
    Partition::new("memory", 0)
}

#[async_trait]
impl Source for MemorySource {
    fn schema(&self) -> &Arc<Schema> {
        &self.all.schema
    }

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, next) in positions.iter() {
            if *partition != memory() {
                return Err(SourceError::Moved { kept: partition.clone(), found: "batches from memory".to_owned() });
            }
            self.position = usize::try_from(next).unwrap_or(usize::MAX);
        }
        self.skip = self.position;
        while let Some(batch) = self.all.batches.get(self.next).filter(|batch| batch.rows() <= self.skip) {
            self.skip -= batch.rows();
            self.next += 1;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        let Some(batch) = self.all.batches.get(self.next) else { return Ok(None) };
        self.next += 1;
        let skip = std::mem::take(&mut self.skip);
        let batch = match skip {
            0 => Batch::clone(batch),
            skip => Arc::unwrap_or_clone(batch.slice(skip, batch.rows() - skip)?),
        };
        self.position += batch.rows();
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let positions = Positions::from_iter([(memory(), position)]);
        Ok(Some(SourceEvent::Batch(SourceBatch {
            batch,
            bad: Vec::new(),
            bad_system: None,
            bytes: 0,
            origin: None,
            positions,
        })))
    }
}
