//! Which columns of a file that carries its schema are read.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};

use super::{Format, FormatError};
use crate::normalise::carried_as;
use crate::{Schema, schema::Field};

/// The declared fields found in a file's schema, or all of the file's.
pub(super) struct Projection {
    schema: Arc<Schema>,
    // Of each field, in the schema's order, the column of the file.
    positions: Vec<usize>,
    // As the file has them, in the schema's order; all nullable, since a declared field without nulls is checked
    // record by record.
    arrow_schema: SchemaRef,
}

impl Projection {
    pub(super) fn new(file: &ArrowSchema, declared: Option<&Arc<Schema>>) -> Result<Projection, FormatError> {
        let (schema, positions) = match declared {
            None => (Arc::new(Schema::from_arrow(file)?), (0..file.fields().len()).collect()),
            Some(declared) => {
                let positions = declared.fields().iter().map(|field| position_of(file, field));
                (Arc::clone(declared), positions.collect::<Result<Vec<_>, _>>()?)
            }
        };
        let fields = positions.iter().map(|&position| file.field(position).clone().with_nullable(true));
        let arrow_schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Ok(Projection { schema, positions, arrow_schema })
    }

    pub(super) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The file's columns that are needed, in the order of the schema.
    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// The columns of a batch that the file's reader made, in the order of the schema.
    pub(super) fn apply(&self, format: Format, batch: &RecordBatch) -> Result<RecordBatch, FormatError> {
        let columns = self.arrow_schema.fields().iter().map(|field| {
            let column = batch.column_by_name(field.name()).map(Arc::clone);
            column
                .ok_or_else(|| FormatError::Corrupt { format, reason: format!("column `{}` ends early", field.name()) })
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.arrow_schema), columns, &options)
            .map_err(|error| FormatError::read(format, error))
    }
}

fn position_of(file: &ArrowSchema, field: &Field) -> Result<usize, FormatError> {
    let Ok(position) = file.index_of(&field.name) else {
        let names: Vec<&str> = file.fields().iter().map(|field| field.name().as_str()).collect();
        return Err(FormatError::MissingField { name: field.name.to_string(), available: names.join(", ") });
    };
    let found = file.field(position).data_type();
    match carried_as(&field.name, found) {
        Ok(carried) if carried == field.data_type => Ok(position),
        carried => {
            let found = carried.map_or_else(|_| found.to_string(), |carried| carried.to_string());
            Err(FormatError::FieldType { name: field.name.to_string(), declared: field.data_type, found })
        }
    }
}
