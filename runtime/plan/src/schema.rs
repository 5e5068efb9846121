//! Schemas that a query file declares.

use std::sync::Arc;

use weir_batch::{DataType, Field, Schema, TimestampUnit};
use weir_config::{FieldDraft, KeyPlace, Problems, Setting, clip, suggest};

/// A declared schema, with the places of its fields.
pub(super) struct Declared<'d> {
    pub(super) schema: Arc<Schema>,
    place: &'d KeyPlace,
    fields: &'d [FieldDraft],
}

impl Declared<'_> {
    /// The place of a field's declaration.
    pub(super) fn place_of(&self, name: &str) -> &KeyPlace {
        self.fields.iter().find(|field| field.name == name).map_or(self.place, |field| &field.place)
    }

    /// Reports a field with a unit for numbers if the format does not support units. Returns false if there is one.
    pub(super) fn check_units(&self, format: impl std::fmt::Display, problems: &Problems) -> bool {
        let Some((field, unit)) = self.schema.first_number_unit() else { return true };
        let message = format!("`timestamp({})` (numbers with a unit) is not supported for {format}", unit.name());
        problems.error(self.place_of(&field.name), message, "write `timestamp`");
        false
    }
}

/// The schema of `{ delay = "i64", origin = "utf8?" }`, in the order of the text.
pub(super) fn declared<'d>(setting: &'d Setting<Vec<FieldDraft>>, problems: &Problems) -> Option<Declared<'d>> {
    let (place, drafts) = setting.given()?;
    let mut fields = Vec::with_capacity(drafts.len());
    let mut units = Vec::new();
    for draft in drafts {
        if let Some((field, unit)) = field(draft, problems) {
            units.extend(unit.map(|unit| (fields.len(), unit)));
            fields.push(field);
        }
    }
    if fields.len() < drafts.len() {
        return None;
    }
    match Schema::new(fields) {
        Ok(schema) => Some(Declared { schema: Arc::new(schema.with_number_units(units)), place, fields: drafts }),
        Err(error) => {
            problems.error(place, error.to_string(), "");
            None
        }
    }
}

/// The unit in `timestamp(ms)`; reports invalid units.
fn unit(name: &str, place: &KeyPlace, problems: &Problems) -> Option<TimestampUnit> {
    let found = TimestampUnit::ALL.into_iter().find(|unit| unit.name() == name);
    if found.is_none() {
        let help = "use one of `timestamp(s)`, `timestamp(ms)`, `timestamp(us)`, `timestamp(ns)`";
        problems.error(place, format!("unknown unit of time `{}`", clip(name)), help);
    }
    found
}

fn field(draft: &FieldDraft, problems: &Problems) -> Option<(Field, Option<TimestampUnit>)> {
    let (name, text) = (draft.name.as_str(), draft.type_name.as_deref()?);
    let (type_name, nullable) = match text.strip_suffix('?') {
        Some(type_name) => (type_name, true),
        None => (text, false),
    };
    // Checks the name with a schema of one field, to report it at the field's own line.
    if let Err(error) = Schema::new(vec![Field::new(name, DataType::Bool)]) {
        problems.error(&draft.place, error.to_string(), "");
        return None;
    }
    if let Some(name_of_unit) = type_name.strip_prefix("timestamp(").and_then(|rest| rest.strip_suffix(')')) {
        let unit = unit(name_of_unit, &draft.place, problems)?;
        return Some((Field::with_nulls(name, DataType::Timestamp, nullable), Some(unit)));
    }
    let Ok(data_type) = type_name.parse() else {
        let help = alias(type_name).map_or_else(
            || suggest(type_name, DataType::ALL.iter().map(|data_type| data_type.name()), "use one of"),
            |data_type| format!("use `{data_type}`"),
        );
        problems.error(&draft.place, format!("unknown type `{}`", clip(type_name)), help);
        return None;
    };
    Some((Field::with_nulls(name, data_type, nullable), None))
}

/// The type for another system's name of it.
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
