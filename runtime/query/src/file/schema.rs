//! Schemas that are declared in a query file.

use std::sync::Arc;

use weir_batch::{DataType, Field, Schema, TimestampUnit};

use super::problem::{clip, suggest};
use super::table::Item;

/// The most fields of a schema: names are compared with each other.
const FIELDS_MAX: usize = 4096;

/// Reads `schema = { delay = "i64", origin = "utf8?" }`, in the order of the text.
pub(super) fn declared(item: &Item<'_>) -> Option<Arc<Schema>> {
    let table = item.table()?;
    let items = table.items();
    if items.is_empty() {
        item.error("no field is declared", "write for example `schema = { delay = \"i64\", origin = \"utf8?\" }`");
        return None;
    }
    if items.len() > FIELDS_MAX {
        item.error(format!("{} fields are declared", items.len()), format!("declare at most {FIELDS_MAX}"));
        return None;
    }
    let mut fields = Vec::with_capacity(items.len());
    let mut units = Vec::new();
    let mut complete = true;
    for (name, field_item) in items {
        let field = field(name, &field_item);
        complete &= field.is_some();
        if let Some((field, unit)) = field {
            units.extend(unit.map(|unit| (fields.len(), unit)));
            fields.push(field);
        }
    }
    if !complete {
        return None;
    }
    match Schema::new(fields) {
        Ok(schema) => Some(Arc::new(schema.with_number_units(units))),
        Err(error) => {
            item.error(error.to_string(), "");
            None
        }
    }
}

/// Reports a field whose numbers have a unit, for a format that does not read any. False if there is one.
pub(super) fn check_units(item: &Item<'_>, schema: &Schema, format: impl std::fmt::Display) -> bool {
    let Some((field, unit)) = schema.first_number_unit() else { return true };
    let place =
        item.table().and_then(|table| table.get(&field.name)).map_or_else(|| item.place.clone(), |item| item.place);
    let message =
        format!("timestamps from numbers with a unit, `timestamp({})`, are not read from {format}", unit.name());
    item.error_at(&place, message, "write `timestamp`");
    false
}

/// The unit of `timestamp(ms)`, reported where it is none.
fn unit(name: &str, item: &Item<'_>) -> Option<TimestampUnit> {
    let found = TimestampUnit::ALL.into_iter().find(|unit| unit.name() == name);
    if found.is_none() {
        let help = "use one of `timestamp(s)`, `timestamp(ms)`, `timestamp(us)`, `timestamp(ns)`";
        item.error(format!("`{}` is not a unit of time", clip(name)), help);
    }
    found
}

fn field(name: &str, item: &Item<'_>) -> Option<(Field, Option<TimestampUnit>)> {
    let text = item.text()?;
    let (type_name, nullable) = match text.strip_suffix('?') {
        Some(type_name) => (type_name, true),
        None => (text, false),
    };
    // A schema of one field says whether the name is allowed, at the field's own line.
    if let Err(error) = Schema::new(vec![Field::new(name, DataType::Bool)]) {
        item.error(error.to_string(), "");
        return None;
    }
    if let Some(name_of_unit) = type_name.strip_prefix("timestamp(").and_then(|rest| rest.strip_suffix(')')) {
        let unit = unit(name_of_unit, item)?;
        return Some((Field { name: name.into(), data_type: DataType::Timestamp, nullable }, Some(unit)));
    }
    let Ok(data_type) = type_name.parse() else {
        let help = alias(type_name).map_or_else(
            || suggest(type_name, DataType::ALL.iter().map(|data_type| data_type.name()), "use one of"),
            |data_type| format!("use `{data_type}`"),
        );
        item.error(format!("`{}` is not a type", clip(type_name)), help);
        return None;
    };
    Some((Field { name: name.into(), data_type, nullable }, None))
}

/// The type that somebody means who writes another system's name for it.
fn alias(name: &str) -> Option<DataType> {
    Some(match name.to_ascii_lowercase().as_str() {
        "boolean" => DataType::Bool,
        "string" | "str" | "text" | "varchar" => DataType::Utf8,
        "int" | "integer" | "long" | "bigint" | "int64" => DataType::I64,
        "int32" => DataType::I32,
        "int16" | "short" => DataType::I16,
        "int8" | "byte" => DataType::I8,
        "float" | "double" | "number" | "float64" | "f32" => DataType::F64,
        "bytes" | "blob" => DataType::Binary,
        "datetime" | "date" | "time" => DataType::Timestamp,
        _ => return None,
    })
}
