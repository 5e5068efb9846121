//! Timestamps with the time zone UTC, for formats that store time zones.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType as ArrowType, Schema as ArrowSchema, SchemaRef, TimestampMicrosecondType};

use weir_batch::{Batch, BatchError, DataType, Schema};

const ZONE: &str = "UTC";

/// The Arrow schema, with the zone UTC for each timestamp.
pub(super) fn schema(schema: &Schema) -> SchemaRef {
    let arrow_schema = schema.to_arrow();
    let fields = arrow_schema.fields().iter().map(|field| match field.data_type() {
        ArrowType::Timestamp(unit, None) => {
            field.as_ref().clone().with_data_type(ArrowType::Timestamp(*unit, Some(ZONE.into())))
        }
        _ => field.as_ref().clone(),
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// The rows that count, with that schema. No values are copied for the zone.
pub(super) fn batch(batch: &Batch) -> Result<RecordBatch, BatchError> {
    let rows = batch.to_arrow()?;
    if !batch.schema().fields().iter().any(|field| field.data_type == DataType::Timestamp) {
        return Ok(rows);
    }
    let columns = rows.columns().iter().map(|column| -> ArrayRef {
        match column.as_primitive_opt::<TimestampMicrosecondType>() {
            Some(instants) => Arc::new(instants.clone().with_timezone(ZONE)),
            None => Arc::clone(column),
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema(batch.schema()), columns.collect(), &options)?)
}
