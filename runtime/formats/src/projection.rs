//! Selects the columns to read from a file that contains its schema.

use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Schema as ArrowSchema};

use super::FormatError;
use weir_batch::Field;
use weir_batch::carried_as;
use weir_batch::{BatchError, Schema};

/// A column of a file. An unsupported name or type matters only if the column is read.
pub(super) struct FileField {
    pub(super) name: String,
    pub(super) nullable: bool,
    /// The type, or why it is not supported.
    pub(super) data_type: Result<ArrowType, String>,
}

impl FileField {
    /// The columns of an Arrow schema.
    pub(super) fn of_arrow(schema: &ArrowSchema) -> Vec<FileField> {
        let fields = schema.fields().iter().map(|field| FileField {
            name: field.name().clone(),
            nullable: field.is_nullable(),
            data_type: Ok(field.data_type().clone()),
        });
        fields.collect()
    }

    /// The field with a supported type.
    pub(super) fn carried(&self) -> Result<Field, BatchError> {
        let data_type = match &self.data_type {
            Ok(found) => carried_as(&self.name, found)?,
            Err(found) => {
                let name = weir_text::escape(&self.name);
                return Err(BatchError::UnsupportedType { name, found: found.clone() });
            }
        };
        Ok(Field::with_nulls(self.name.as_str(), data_type, self.nullable))
    }

    /// The type, for a message.
    fn found(&self) -> String {
        match &self.data_type {
            Ok(found) => found.to_string(),
            Err(found) => found.clone(),
        }
    }
}

/// The declared fields with their columns in the file, or all columns of the file.
pub(super) struct Projection {
    schema: Arc<Schema>,
    // For each field, in the order of the schema, its column in the file.
    positions: Vec<usize>,
}

impl Projection {
    pub(super) fn new(file: &[FileField], declared: Option<&Arc<Schema>>) -> Result<Projection, FormatError> {
        let (schema, positions) = match declared {
            None => (Arc::new(whole(file)?), (0..file.len()).collect()),
            Some(declared) => {
                let positions = declared.fields().iter().map(|field| position_of(file, field));
                (Arc::clone(declared), positions.collect::<Result<Vec<_>, _>>()?)
            }
        };
        Ok(Projection { schema, positions })
    }

    pub(super) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The file's columns that are read, in the order of the schema.
    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }
}

/// The schema of all columns.
fn whole(file: &[FileField]) -> Result<Schema, BatchError> {
    Schema::new(file.iter().map(FileField::carried).collect::<Result<_, _>>()?)
}

fn position_of(file: &[FileField], field: &Field) -> Result<usize, FormatError> {
    let mut found = file.iter().enumerate().filter(|(_, found)| *found.name == *field.name);
    let Some((position, column)) = found.next() else {
        let names: Vec<&str> = file.iter().map(|field| field.name.as_str()).collect();
        return Err(FormatError::MissingField { name: field.name.to_string(), available: names.join(", ") });
    };
    if found.next().is_some() {
        return Err(FormatError::DoubledField { name: field.name.to_string() });
    }
    match column.data_type.as_ref().map_err(drop).and_then(|found| carried_as(&field.name, found).map_err(drop)) {
        Ok(carried) if carried.widens_to(field.data_type) => Ok(position),
        carried => {
            let found = carried.map_or_else(|()| column.found(), |carried| carried.to_string());
            Err(FormatError::FieldType { name: field.name.to_string(), declared: field.data_type, found })
        }
    }
}
