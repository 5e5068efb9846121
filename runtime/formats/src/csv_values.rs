//! Reads and writes single CSV values.

use std::io::Write;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow::array::{ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::datatypes::{DataType as ArrowType, TimeUnit};

use super::json_values::write_f64;
use super::numbers::{double, integer};
use super::{CsvOptions, Format, FormatError, timestamp};
use weir_batch::{DataType, Schema, TimestampUnit};

/// A column that is being built.
pub(super) enum ColumnBuilder {
    Bool(BooleanBuilder),
    I8(PrimitiveBuilder<Int8Type>),
    I16(PrimitiveBuilder<Int16Type>),
    I32(PrimitiveBuilder<Int32Type>),
    I64(PrimitiveBuilder<Int64Type>),
    F64(PrimitiveBuilder<Float64Type>),
    Utf8(StringBuilder),
    Binary(BinaryBuilder),
    /// With the unit of numbers, if one was set.
    Timestamp(PrimitiveBuilder<TimestampMicrosecondType>, Option<TimestampUnit>),
}

impl ColumnBuilder {
    /// The columns of a schema.
    pub(super) fn of_schema(schema: &Schema) -> Vec<ColumnBuilder> {
        let fields = schema.fields().iter().enumerate();
        fields.map(|(index, field)| ColumnBuilder::new(field.data_type, schema.number_unit(index))).collect()
    }

    fn new(data_type: DataType, unit: Option<TimestampUnit>) -> ColumnBuilder {
        match data_type {
            DataType::Bool => ColumnBuilder::Bool(BooleanBuilder::new()),
            DataType::I8 => ColumnBuilder::I8(PrimitiveBuilder::new()),
            DataType::I16 => ColumnBuilder::I16(PrimitiveBuilder::new()),
            DataType::I32 => ColumnBuilder::I32(PrimitiveBuilder::new()),
            DataType::I64 => ColumnBuilder::I64(PrimitiveBuilder::new()),
            DataType::F64 => ColumnBuilder::F64(PrimitiveBuilder::new()),
            DataType::Utf8 => ColumnBuilder::Utf8(StringBuilder::new()),
            DataType::Binary => ColumnBuilder::Binary(BinaryBuilder::new()),
            DataType::Timestamp => ColumnBuilder::Timestamp(PrimitiveBuilder::new(), unit),
        }
    }

    /// Appends the value of a field. After an error, nothing is appended.
    ///
    /// An unquoted field whose text is one of the options' nulls is null. A quoted field is not null, except an empty one if the
    /// type has no empty value. If the field is not nullable, an empty text is an empty string, and other nulls are errors.
    pub(super) fn push(
        &mut self,
        value: &[u8],
        quoted: bool,
        nullable: bool,
        options: &CsvOptions,
    ) -> Result<(), String> {
        let has_empty = matches!(self, ColumnBuilder::Utf8(_) | ColumnBuilder::Binary(_));
        let empty = value.is_empty();
        if options.is_null(value) && (!quoted || empty && !has_empty) {
            if nullable {
                self.push_null();
                return Ok(());
            }
            if !empty {
                return Err(format!(
                    "it is null (`{}`), but the field is not nullable",
                    String::from_utf8_lossy(value)
                ));
            }
            if !has_empty {
                return Err("it is empty, but the field is not nullable".to_owned());
            }
        }
        if empty && !has_empty {
            return Err("it is empty, but `nulls` does not contain the empty text".to_owned());
        }
        let text = std::str::from_utf8(value).map_err(|_| "it is not UTF-8".to_owned())?;
        self.push_text(text)
    }

    /// Appends the value of a text. After an error, nothing is appended.
    fn push_text(&mut self, text: &str) -> Result<(), String> {
        let expected = match self {
            ColumnBuilder::Bool(builder) => {
                append(builder, boolean(text), BooleanBuilder::append_value, "true or false")
            }
            ColumnBuilder::I8(builder) => append(builder, integer(text), PrimitiveBuilder::append_value, "an i8"),
            ColumnBuilder::I16(builder) => append(builder, integer(text), PrimitiveBuilder::append_value, "an i16"),
            ColumnBuilder::I32(builder) => append(builder, integer(text), PrimitiveBuilder::append_value, "an i32"),
            ColumnBuilder::I64(builder) => append(builder, integer(text), PrimitiveBuilder::append_value, "an i64"),
            ColumnBuilder::F64(builder) => append(builder, double(text), PrimitiveBuilder::append_value, "an f64"),
            ColumnBuilder::Utf8(builder) => append(builder, Some(text), StringBuilder::append_value, ""),
            ColumnBuilder::Binary(builder) => {
                append(builder, from_hex(text), BinaryBuilder::append_value, "hex digits in pairs")
            }
            ColumnBuilder::Timestamp(builder, unit) => {
                let expected = "a timestamp such as 2001-01-31T23:59:59Z";
                append(builder, timestamp::parse_in(text, *unit).ok(), PrimitiveBuilder::append_value, expected)
            }
        };
        expected.map_err(|expected| not(text, expected))
    }

    /// The number of values.
    pub(super) fn len(&self) -> usize {
        match self {
            ColumnBuilder::Bool(builder) => builder.len(),
            ColumnBuilder::I8(builder) => builder.len(),
            ColumnBuilder::I16(builder) => builder.len(),
            ColumnBuilder::I32(builder) => builder.len(),
            ColumnBuilder::I64(builder) => builder.len(),
            ColumnBuilder::F64(builder) => builder.len(),
            ColumnBuilder::Utf8(builder) => builder.len(),
            ColumnBuilder::Binary(builder) => builder.len(),
            ColumnBuilder::Timestamp(builder, _) => builder.len(),
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            ColumnBuilder::Bool(builder) => builder.append_null(),
            ColumnBuilder::I8(builder) => builder.append_null(),
            ColumnBuilder::I16(builder) => builder.append_null(),
            ColumnBuilder::I32(builder) => builder.append_null(),
            ColumnBuilder::I64(builder) => builder.append_null(),
            ColumnBuilder::F64(builder) => builder.append_null(),
            ColumnBuilder::Utf8(builder) => builder.append_null(),
            ColumnBuilder::Binary(builder) => builder.append_null(),
            ColumnBuilder::Timestamp(builder, _) => builder.append_null(),
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Bool(builder) => Arc::new(builder.finish()),
            ColumnBuilder::I8(builder) => Arc::new(builder.finish()),
            ColumnBuilder::I16(builder) => Arc::new(builder.finish()),
            ColumnBuilder::I32(builder) => Arc::new(builder.finish()),
            ColumnBuilder::I64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::F64(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Utf8(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Binary(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Timestamp(builder, _) => Arc::new(builder.finish()),
        }
    }
}

fn append<B, V>(
    builder: &mut B,
    value: Option<V>,
    append: impl FnOnce(&mut B, V),
    expected: &'static str,
) -> Result<(), &'static str> {
    append(builder, value.ok_or(expected)?);
    Ok(())
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn not(text: &str, expected: &str) -> String {
    let found = weir_text::escape_to(text, 60);
    format!("`{found}` is not {expected}")
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

/// Appends a value that is not null as text without quotes.
pub(super) fn write_value(column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), FormatError> {
    let number = |out: &mut Vec<u8>, value: i64| write!(out, "{value}");
    match column.data_type() {
        ArrowType::Boolean => write!(out, "{}", column.as_boolean().value(row))?,
        ArrowType::Int8 => number(out, column.as_primitive::<Int8Type>().value(row).into())?,
        ArrowType::Int16 => number(out, column.as_primitive::<Int16Type>().value(row).into())?,
        ArrowType::Int32 => number(out, column.as_primitive::<Int32Type>().value(row).into())?,
        ArrowType::Int64 => number(out, column.as_primitive::<Int64Type>().value(row))?,
        ArrowType::Float64 => write_f64(column.as_primitive::<Float64Type>().value(row), out),
        ArrowType::Utf8 => out.extend_from_slice(column.as_string::<i32>().value(row).as_bytes()),
        ArrowType::Binary => {
            for byte in column.as_binary::<i32>().value(row) {
                write!(out, "{byte:02x}")?;
            }
        }
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
            if !timestamp::write_rfc_3339(micros, out) {
                number(out, micros)?;
            }
        }
        other => {
            return Err(FormatError::Encode { format: Format::Csv, reason: format!("{other} is not a carried type") });
        }
    }
    Ok(())
}
