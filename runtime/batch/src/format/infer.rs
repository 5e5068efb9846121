//! Which fields a file has.

use std::fs::File;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema};
use arrow::json::reader::infer_json_schema;

use super::{Format, FormatError, arrow_ipc, bincode, csv, json_lines, parquet};
use crate::Schema;

/// The schema of a file: the one it carries, or one inferred from its first `rows_max` records.
///
/// What is inferred admits nulls in every field, and cannot know what later records hold: one that disagrees will be a
/// bad record. Text in JSON stays `utf8`, dates and times too; in CSV they become `timestamp`. A field of which the
/// sample has only nulls becomes `utf8`.
///
/// # Errors
///
/// A file that cannot be read, a sample without records, or a field of a type that is not carried (lists and objects
/// in JSON): declare the schema without it.
pub fn infer_schema(format: Format, file: File, rows_max: usize) -> Result<Schema, FormatError> {
    let not_inferable = |reason: String| FormatError::NotInferable { format, reason };
    let arrow_schema = match format {
        Format::Parquet => return Ok(Schema::from_arrow(&*parquet::schema_of(file)?)?),
        Format::ArrowIpc => return Ok(Schema::from_arrow(&*arrow_ipc::schema_of(file)?)?),
        Format::Bincode => return bincode::schema_of(file),
        Format::JsonLines => {
            let json_lines::Sample { lines, keys } = json_lines::sample(file, rows_max.max(1))?;
            if lines.is_empty() {
                return Err(not_inferable("it holds no JSON object".to_owned()));
            }
            // Arrow sorts the names; people expect them as they stand in the file.
            infer_json_schema(&*lines, None).map(|(schema, _)| {
                let mut fields = schema.fields().to_vec();
                fields.sort_by_key(|field| keys.iter().position(|key| key == field.name()));
                ArrowSchema::new(fields)
            })
        }
        Format::Csv => {
            let sample = csv::sample(file, rows_max.max(1))?;
            let format = arrow::csv::reader::Format::default().with_header(true);
            format.infer_schema(&*sample, None).map(|(schema, _)| schema)
        }
    };
    let arrow_schema = arrow_schema.map_err(|error| not_inferable(super::error::brief(&error)))?;
    let fields = arrow_schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            ArrowType::Null => ArrowType::Utf8,
            other => other.clone(),
        };
        Arc::new(ArrowField::new(field.name(), data_type, true))
    });
    Ok(Schema::from_arrow(&ArrowSchema::new(fields.collect::<Vec<_>>()))?)
}
