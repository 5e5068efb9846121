//! Converts JSON records to columns.
//!
//! The cost is linear in the bytes, plus one value for each declared field of each record. A key is first compared with the key at
//! the same position in the previous record; only if they differ is it looked up.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter;

use super::csv_values::{ColumnBuilder, from_hex};
use super::json_text::{Json, Quoted, Value};
use super::narrow::null_message;
use super::new_keys::NewKeys;
use super::numbers::{double, integer};
use super::{FormatError, timestamp};
use weir_batch::{Field, Schema};

/// From this number of keys on, a set is used to find repeated keys of a record.
const KEYS_LOOKED_THROUGH: usize = 32;

/// The columns of some records. Every record has a row; the rows of bad records are removed at the end.
pub(super) struct JsonRows<'a> {
    schema: &'a Schema,
    fields: HashMap<&'a str, usize>,
    columns: Vec<ColumnBuilder>,
    // For each field, the number of the last record that had it, counted from 1.
    seen: Vec<usize>,
    rows: usize,
    bad: Vec<(usize, String)>,
    keys: Keys,
    // With the number of the first record.
    new_keys: Option<(&'a mut NewKeys, i64)>,
    scratch: String,
}

/// Decoded records.
pub(super) struct JsonColumns {
    /// The columns of the valid records.
    pub(super) columns: Vec<ArrayRef>,
    /// The number of valid records.
    pub(super) rows: usize,
    /// The bad records, ascending, with their errors.
    pub(super) bad: Vec<(usize, String)>,
}

impl<'a> JsonRows<'a> {
    pub(super) fn new(schema: &'a Schema) -> JsonRows<'a> {
        JsonRows {
            schema,
            fields: schema.fields().iter().enumerate().map(|(index, field)| (&*field.name, index)).collect(),
            columns: ColumnBuilder::of_schema(schema),
            seen: vec![0; schema.len()],
            rows: 0,
            bad: Vec::new(),
            keys: Keys::default(),
            new_keys: None,
            scratch: String::new(),
        }
    }

    /// Also records undeclared keys. `first` is the number of the first record.
    pub(super) fn watching(mut self, new_keys: Option<&'a mut NewKeys>, first: i64) -> JsonRows<'a> {
        self.new_keys = new_keys.map(|new_keys| (new_keys, first));
        self
    }

    /// Appends a record. It is a bad record unless it is exactly one JSON object that fits the schema.
    pub(super) fn push(&mut self, record: &[u8]) {
        let pushed = self.read(record).and_then(|()| self.push_missing());
        self.rows += 1;
        match (pushed, &mut self.new_keys) {
            (Err(message), _) => self.make_up(message),
            (Ok(()), Some((new_keys, first))) => new_keys.end(first.saturating_add(self.rows as i64 - 1)),
            (Ok(()), None) => {}
        }
    }

    /// Appends a record that is known to be bad.
    pub(super) fn push_bad(&mut self, message: String) {
        self.rows += 1;
        self.make_up(message);
    }

    /// Completes the row of a bad record.
    fn make_up(&mut self, message: String) {
        self.columns.iter_mut().filter(|column| column.len() < self.rows).for_each(ColumnBuilder::push_null);
        self.bad.push((self.rows - 1, message));
    }

    fn read(&mut self, record: &[u8]) -> Result<(), String> {
        self.keys.begin();
        if let Some((new_keys, _)) = &mut self.new_keys {
            new_keys.begin();
        }
        let JsonRows { schema, fields, columns, seen, rows, keys, new_keys, scratch, .. } = self;
        Json::new(record)?.object(|json, key| {
            let field = keys.next(key, scratch, |key| {
                let field = fields.get(key).copied();
                if let (None, Some((new_keys, _))) = (field, new_keys.as_mut()) {
                    new_keys.see(key);
                }
                field
            })?;
            let Some(index) = field else { return json.skip(1) };
            let (Some(field), Some(column), Some(seen)) =
                (schema.fields().get(index), columns.get_mut(index), seen.get_mut(index))
            else {
                return json.skip(1);
            };
            *seen = *rows + 1;
            let value = json.value()?;
            push(column, field, value, scratch)
        })
    }

    fn push_missing(&mut self) -> Result<(), String> {
        let row = self.rows + 1;
        for ((field, column), &seen) in self.schema.fields().iter().zip(&mut self.columns).zip(&self.seen) {
            if seen != row {
                if !field.nullable {
                    return Err(format!("field `{}` is missing, but is not nullable", field.name));
                }
                column.push_null();
            }
        }
        Ok(())
    }

    /// The valid records.
    pub(super) fn finish(mut self) -> Result<JsonColumns, FormatError> {
        let mut columns: Vec<_> = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        if !self.bad.is_empty() {
            let mut keep = vec![true; self.rows];
            self.bad.iter().for_each(|(row, _)| keep[*row] = false);
            let keep = BooleanArray::new(BooleanBuffer::from(keep), None);
            for column in &mut columns {
                *column = filter(column, &keep).map_err(weir_batch::BatchError::from)?;
            }
        }
        Ok(JsonColumns { columns, rows: self.rows - self.bad.len(), bad: self.bad })
    }
}

/// Appends the value. After an error, nothing is appended.
fn push(column: &mut ColumnBuilder, field: &Field, value: Value<'_>, scratch: &mut String) -> Result<(), String> {
    let text = match value {
        Value::Null if field.nullable => {
            column.push_null();
            return Ok(());
        }
        Value::Null => return Err(null_message(&field.name)),
        Value::Text(quoted) => quoted.text(scratch),
        Value::Number(text) => text,
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::List => return Err(not(field, "a list", column)),
        Value::Object => return Err(not(field, "an object", column)),
    };
    let is_text = matches!(value, Value::Text(_));
    let pushed = match column {
        ColumnBuilder::Bool(builder) => {
            matches!(value, Value::Bool(_)).then(|| builder.append_value(matches!(value, Value::Bool(true))))
        }
        ColumnBuilder::I8(builder) => integer(text).map(|value| builder.append_value(value)),
        ColumnBuilder::I16(builder) => integer(text).map(|value| builder.append_value(value)),
        ColumnBuilder::I32(builder) => integer(text).map(|value| builder.append_value(value)),
        ColumnBuilder::I64(builder) => integer(text).map(|value| builder.append_value(value)),
        ColumnBuilder::F64(builder) => double(text).map(|value| builder.append_value(value)),
        // In a text field, a number or boolean is kept as it is written.
        ColumnBuilder::Utf8(builder) => {
            builder.append_value(text);
            Some(())
        }
        ColumnBuilder::Binary(builder) => from_hex(text).filter(|_| is_text).map(|bytes| builder.append_value(bytes)),
        ColumnBuilder::Timestamp(builder, unit) => {
            timestamp::parse_in(text, *unit).ok().map(|micros| builder.append_value(micros))
        }
    };
    pushed.ok_or_else(|| {
        let found = weir_text::escape_to(text, 60);
        not(field, &format!("`{found}`"), column)
    })
}

fn not(field: &Field, found: &str, column: &ColumnBuilder) -> String {
    let expected = match column {
        ColumnBuilder::Bool(_) => "true or false",
        ColumnBuilder::I8(_) => "an i8",
        ColumnBuilder::I16(_) => "an i16",
        ColumnBuilder::I32(_) => "an i32",
        ColumnBuilder::I64(_) => "an i64",
        ColumnBuilder::F64(_) => "an f64",
        ColumnBuilder::Utf8(_) => "a text",
        ColumnBuilder::Binary(_) => "a text of hex digits in pairs",
        ColumnBuilder::Timestamp(..) => "a timestamp",
    };
    format!("field `{}`: {found} is not {expected}", field.name)
}

/// The keys of the current record, in their order and without duplicates.
#[derive(Default)]
struct Keys {
    // The keys of the previous record, as far as this record has the same; longer if this record ended early.
    list: Vec<(String, Option<usize>)>,
    // The number of valid entries in `list`. The others keep their memory.
    valid: usize,
    // The position of the next key.
    place: usize,
    // All valid keys, once this record differs and has many.
    set: HashSet<String>,
}

impl Keys {
    fn begin(&mut self) {
        self.place = 0;
        self.set.clear();
    }

    /// The field of the next key.
    fn next(
        &mut self,
        key: Quoted<'_>,
        scratch: &mut String,
        field_of: impl FnOnce(&str) -> Option<usize>,
    ) -> Result<Option<usize>, String> {
        let key = key.text(scratch);
        let place = self.place;
        if place < self.valid {
            // The same keys as in the previous record, so none is repeated.
            if let Some((_, field)) = self.list.get(place).filter(|(before, _)| before == key) {
                self.place += 1;
                return Ok(*field);
            }
            self.valid = place;
        }
        if self.twice(key) {
            let key = weir_text::escape_to(key, 60);
            return Err(format!("key `{key}` occurs twice in the record"));
        }
        let field = field_of(key);
        match self.list.get_mut(place) {
            Some((before, field_before)) => {
                before.clear();
                before.push_str(key);
                *field_before = field;
            }
            None => self.list.push((key.to_owned(), field)),
        }
        self.place += 1;
        self.valid = self.place;
        Ok(field)
    }

    fn twice(&mut self, key: &str) -> bool {
        let before = self.list.get(..self.place).unwrap_or_default();
        if before.len() < KEYS_LOOKED_THROUGH {
            return before.iter().any(|(other, _)| other == key);
        }
        if self.set.is_empty() {
            self.set.extend(before.iter().map(|(key, _)| key.clone()));
        }
        !self.set.insert(key.to_owned())
    }
}
