//! Converts the text of one CSV record to a row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::csv_grammar::{FieldSpan, split};
use super::csv_values::ColumnBuilder;
use super::error::listed;
use super::{CsvOptions, FormatError};
use weir_batch::Schema;

/// The positions of the declared fields in a record.
#[derive(Debug)]
pub(super) struct CsvLayout {
    options: CsvOptions,
    // By field of the schema.
    positions: Vec<usize>,
    // The number of fields of a record.
    width: usize,
    // What determines the number, for messages.
    width_of: &'static str,
    // The number of fields of a record that must be found.
    needed: usize,
}

/// Buffers that are reused for each record.
#[derive(Default)]
pub(super) struct Reused {
    fields: Vec<FieldSpan>,
    scratch: Vec<u8>,
}

impl CsvLayout {
    /// For records whose fields are those of the schema, in its order.
    pub(super) fn of_schema(options: &CsvOptions, schema: &Schema) -> CsvLayout {
        let width = schema.len();
        let positions = (0..width).collect();
        CsvLayout { options: options.clone(), positions, width, width_of: "the schema has", needed: width }
    }

    /// For records with a header. Names that the schema does not contain can be any text.
    ///
    /// # Errors
    ///
    /// A declared field that is missing from the header, or occurs twice.
    pub(super) fn of_header(
        options: &CsvOptions,
        header: &[String],
        schema: &Schema,
    ) -> Result<CsvLayout, FormatError> {
        let mut places: HashMap<&str, Option<usize>> = HashMap::with_capacity(header.len());
        for (place, name) in header.iter().enumerate() {
            match places.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(Some(place));
                }
                Entry::Occupied(mut entry) => {
                    entry.insert(None);
                }
            }
        }
        let position = |name: &str| match places.get(name) {
            Some(Some(place)) => Ok(*place),
            Some(None) => {
                Err(FormatError::Header { reason: format!("it contains `{}` twice", weir_text::escape(name)) })
            }
            None => {
                let available = listed(header.iter().map(String::as_str));
                Err(FormatError::MissingField { name: name.to_owned(), available })
            }
        };
        let positions = schema.fields().iter().map(|field| position(&field.name)).collect::<Result<Vec<_>, _>>()?;
        let needed = positions.iter().max().map_or(0, |last| last + 1);
        let width = header.len();
        Ok(CsvLayout { options: options.clone(), positions, width, width_of: "the header has", needed })
    }

    pub(super) fn options(&self) -> &CsvOptions {
        &self.options
    }

    /// Whether a blank line is a record: a null in the only column.
    pub(super) fn takes_blank_lines(&self, schema: &Schema) -> bool {
        let nullable = schema.fields().first().is_some_and(|field| field.nullable);
        self.width == 1 && nullable && self.options.is_null(b"")
    }

    /// Appends the record's values to the columns. After an error, some columns may have one more value than others.
    pub(super) fn push(
        &self,
        record: &[u8],
        schema: &Schema,
        columns: &mut [ColumnBuilder],
        reused: &mut Reused,
    ) -> Result<(), String> {
        let dialect = self.options.dialect();
        let Reused { fields, scratch } = reused;
        let found = split(record, dialect, self.needed, fields).map_err(|fault| fault.message(0))?;
        if found != self.width {
            return Err(format!("found {found} fields, but {} {}", self.width_of, self.width));
        }
        for ((field, column), &position) in schema.fields().iter().zip(columns).zip(&self.positions) {
            let Some(span) = fields.get(position) else { continue };
            let value = span.text(record, dialect, scratch);
            let pushed = column.push(value, span.quoted, field.nullable, &self.options);
            pushed.map_err(|reason| format!("field `{}`: {reason}", field.name))?;
        }
        Ok(())
    }
}
