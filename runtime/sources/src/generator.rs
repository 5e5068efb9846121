//! The seed workload: the same thousand records, repeated.

use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use weir_batch::{Batch, BatchError, DataType, Field, Schema, SystemColumns};

use weir_state::{Partition, Positions};

use crate::{Source, SourceBatch, SourceError, SourceEvent};

/// The number of rows of a seed batch.
pub const SEED_BATCH_ROWS: usize = 1000;

/// `id i64, name utf8, value f64`.
///
/// # Errors
///
/// None in practice: the names are fixed and valid.
pub fn seed_schema() -> Result<Schema, BatchError> {
    Schema::new(vec![
        Field::new("id", DataType::I64),
        Field::new("name", DataType::Utf8),
        Field::new("value", DataType::F64),
    ])
}

/// The template. Record `i` of 0..999 has `id` i, `name` `record_i`, `value` 1.5 i, a timestamp of 1640995200000 ms plus i seconds,
/// offset i, partition 0, no key and no headers.
///
/// # Errors
///
/// None in practice: the columns are made to fit.
pub fn seed_batch() -> Result<Batch, BatchError> {
    let numbers = 0..SEED_BATCH_ROWS as i64;
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers.clone()));
    let name: ArrayRef = Arc::new(StringArray::from_iter_values(numbers.clone().map(|i| format!("record_{i}"))));
    let value: ArrayRef = Arc::new(Float64Array::from_iter_values(numbers.clone().map(|i| i as f64 * 1.5)));
    let system = SystemColumns::default().with(|it| {
        it.timestamp = Some(TimestampMicrosecondArray::from_iter_values(
            numbers.clone().map(|i| (1_640_995_200_000 + 1000 * i) * 1000),
        ));
        it.partition = Some(Int32Array::from_value(0, SEED_BATCH_ROWS));
        it.offset = Some(Int64Array::from_iter_values(numbers));
    });
    Batch::new(Arc::new(seed_schema()?), vec![id, name, value])?.with_system(system)
}

/// Returns the template's columns, shared, this many times.
pub struct GeneratorSource {
    template: Batch,
    batches: u64,
    next: u64,
    // Rows of the next batch that an earlier run has read.
    skip: usize,
}

/// The only partition of a generated stream.
pub(crate) fn generated() -> Partition {
    Partition::new("generated", 0)
}

/// The position in a generated stream; 0 if none is stored.
pub(crate) fn generated_position(positions: &Positions) -> Result<u64, SourceError> {
    let mut next = 0;
    for (partition, position) in positions.iter() {
        if *partition != generated() {
            return Err(SourceError::Moved { kept: partition.clone(), found: "a generated stream".to_owned() });
        }
        next = u64::try_from(position).unwrap_or(0);
    }
    Ok(next)
}

impl GeneratorSource {
    /// Generates this number of batches.
    ///
    /// # Errors
    ///
    /// None in practice: the batch is fixed.
    pub fn new(batches: u64) -> Result<GeneratorSource, BatchError> {
        Ok(GeneratorSource { template: seed_batch()?, batches, next: 0, skip: 0 })
    }
}

#[async_trait]
impl Source for GeneratorSource {
    fn schema(&self) -> &Arc<Schema> {
        self.template.schema()
    }

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        let position = generated_position(positions)?;
        self.next = position / SEED_BATCH_ROWS as u64;
        self.skip = usize::try_from(position % SEED_BATCH_ROWS as u64).unwrap_or(0);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        if self.next >= self.batches {
            return Ok(None);
        }
        self.next += 1;
        let position = i64::try_from(self.next.saturating_mul(SEED_BATCH_ROWS as u64)).unwrap_or(i64::MAX);
        let positions = Positions::from_iter([(generated(), position)]);
        let mut batch = self.template.clone();
        let skip = std::mem::take(&mut self.skip);
        if skip > 0 {
            batch = Arc::unwrap_or_clone(Arc::new(batch).slice(skip, SEED_BATCH_ROWS - skip)?);
        }
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
