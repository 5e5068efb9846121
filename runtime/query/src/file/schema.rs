//! Schemas that are declared in a query file.

use std::sync::Arc;

use weir_batch::{DataType, Field, Schema};

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
    let mut complete = true;
    for (name, field_item) in items {
        let field = field(name, &field_item);
        complete &= field.is_some();
        fields.extend(field);
    }
    if !complete {
        return None;
    }
    match Schema::new(fields) {
        Ok(schema) => Some(Arc::new(schema)),
        Err(error) => {
            item.error(error.to_string(), "");
            None
        }
    }
}

fn field(name: &str, item: &Item<'_>) -> Option<Field> {
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
    let Ok(data_type) = type_name.parse() else {
        let help = alias(type_name).map_or_else(
            || suggest(type_name, DataType::ALL.iter().map(|data_type| data_type.name()), "use one of"),
            |data_type| format!("use `{data_type}`"),
        );
        item.error(format!("`{}` is not a type", clip(type_name)), help);
        return None;
    };
    Some(Field { name: name.into(), data_type, nullable })
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
