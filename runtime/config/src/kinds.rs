//! The kinds of value that keys of several tables take.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::key::SettingKind;
use crate::names::NAME_PATTERN;
use crate::problem::KeyPlace;
use crate::table::{Item, LIST_MAX};
use crate::words::Words;
use crate::written::WrittenText;

/// The reference to `{ env = "NAME" }` in a JSON Schema.
pub(crate) const ENV: &str = "#/$defs/env";

/// A value of this schema, or one of the environment.
pub(crate) fn or_env(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "$ref": ENV }] })
}

fn text_schema() -> Json {
    json!({ "type": "string", "minLength": 1 })
}

/// Text that is not empty.
pub struct Text;

impl SettingKind for Text {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        item.text().map(str::to_owned)
    }

    fn schema(&self) -> Json {
        or_env(text_schema())
    }

    fn values(&self) -> String {
        "text".to_owned()
    }
}

/// Text that the environment cannot give.
pub struct Plain;

impl SettingKind for Plain {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        item.text().map(str::to_owned)
    }

    fn schema(&self) -> Json {
        text_schema()
    }

    fn values(&self) -> String {
        "text".to_owned()
    }
}

/// The name of a query or stage. Its letters are checked by whoever reads it.
pub struct Name;

impl SettingKind for Name {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        item.text().map(str::to_owned)
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": NAME_PATTERN })
    }

    fn values(&self) -> String {
        "a-z, 0-9, `-`, `_`".to_owned()
    }
}

/// The name of a tenant. Its letters are checked by whoever reads it.
pub struct Tenant;

/// What can be a tenant, as a regular expression of JSON Schema.
pub(crate) const TENANT_PATTERN: &str = "^[a-z0-9][a-z0-9_-]{0,62}$";

impl SettingKind for Tenant {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        item.text().map(str::to_owned)
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": TENANT_PATTERN })
    }

    fn values(&self) -> String {
        "a-z, 0-9, `-`, `_`".to_owned()
    }

    fn json(value: &String) -> Json {
        value.as_str().into()
    }
}

/// An integer from a least to a greatest value.
pub struct Integer(pub u64, pub u64);

impl SettingKind for Integer {
    type Value = u64;

    fn read(&self, item: &Item<'_>) -> Option<u64> {
        item.integer(self.0..=self.1)
    }

    fn schema(&self) -> Json {
        let mut schema = json!({ "type": "integer", "minimum": self.0 });
        if let (Some(schema), true) = (schema.as_object_mut(), self.1 < u64::MAX) {
            schema.insert("maximum".to_owned(), self.1.into());
        }
        schema
    }

    fn values(&self) -> String {
        if self.1 < u64::MAX { format!("{} to {}", self.0, self.1) } else { format!("at least {}", self.0) }
    }

    fn json(value: &u64) -> Json {
        (*value).into()
    }
}

/// True or false.
pub struct Boolean;

impl SettingKind for Boolean {
    type Value = bool;

    fn read(&self, item: &Item<'_>) -> Option<bool> {
        item.boolean()
    }

    fn schema(&self) -> Json {
        json!({ "type": "boolean" })
    }

    fn values(&self) -> String {
        "`true`, `false`".to_owned()
    }

    fn json(value: &bool) -> Json {
        (*value).into()
    }
}

/// One of a few words.
pub struct Word<W>(PhantomData<W>);

impl<W> Word<W> {
    pub(crate) const NEW: Word<W> = Word(PhantomData);
}

impl<W: Words> SettingKind for Word<W> {
    type Value = W;

    fn read(&self, item: &Item<'_>) -> Option<W> {
        item.choice(W::WORDS)
    }

    fn schema(&self) -> Json {
        or_env(json!({ "enum": W::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>() }))
    }

    fn values(&self) -> String {
        W::WORDS.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ")
    }

    fn json(value: &W) -> Json {
        value.word().into()
    }
}

/// One text, or a list of at least one.
pub struct Texts;

impl SettingKind for Texts {
    type Value = Vec<WrittenText>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<WrittenText>> {
        item.texts()
    }

    fn schema(&self) -> Json {
        texts_schema(&text_schema())
    }

    fn values(&self) -> String {
        "text, or a list of texts".to_owned()
    }
}

/// One text, or a list of at least one, each of this schema or of the environment.
pub(crate) fn texts_schema(text: &Json) -> Json {
    json!({ "anyOf": [
        or_env(text.clone()),
        { "type": "array", "items": or_env(text.clone()), "minItems": 1, "maxItems": LIST_MAX },
    ] })
}

/// `{ delay = "i64", origin = "utf8?" }`.
pub struct SchemaText;

/// A declared field, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// The field's name.
    pub name: String,
    /// Its type, such as `utf8?`; `None` where that is no text, which has been reported.
    pub type_name: Option<String>,
}

/// The most fields of a schema: names are compared with each other.
pub(crate) const FIELDS_MAX: usize = 4096;

/// What a field's type can be, as a regular expression of JSON Schema.
const TYPE_PATTERN: &str = r"^(bool|i8|i16|i32|i64|f64|utf8|binary|timestamp(\((s|ms|us|ns)\))?)\??$";

impl SettingKind for SchemaText {
    type Value = Vec<FieldDraft>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<FieldDraft>> {
        let items = item.table()?.items();
        if items.is_empty() {
            item.error("the schema is empty", "write for example `schema = { delay = \"i64\", origin = \"utf8?\" }`");
            return None;
        }
        if items.len() > FIELDS_MAX {
            item.error(format!("{} fields are declared", items.len()), format!("declare at most {FIELDS_MAX}"));
            return None;
        }
        let field = |(name, item): (&str, Item<'_>)| {
            let type_name = item.text().map(str::to_owned);
            FieldDraft { place: item.place, name: name.to_owned(), type_name }
        };
        Some(items.into_iter().map(field).collect())
    }

    fn schema(&self) -> Json {
        json!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": FIELDS_MAX,
            "propertyNames": { "minLength": 1, "pattern": "^[^_]" },
            "additionalProperties": or_env(json!({ "type": "string", "pattern": TYPE_PATTERN })),
        })
    }

    fn values(&self) -> String {
        "table of fields and types".to_owned()
    }
}

/// The values of a function's parameters.
pub struct Params;

/// A parameter's value, as it is written. `Debug` does not show one that the environment gave.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParamDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// The parameter.
    pub name: String,
    /// Its value; `None` where that cannot be one, which has been reported.
    pub value: Option<ParamText>,
    /// Whether the environment gave it: then it is not shown.
    pub of_environment: bool,
}

impl fmt::Debug for ParamDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ParamDraft { place, name, value, of_environment } = self;
        let mut shown = f.debug_struct("ParamDraft");
        shown.field("place", place).field("name", name).field("of_environment", of_environment);
        if *of_environment { shown.finish_non_exhaustive() } else { shown.field("value", value).finish() }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParamText {
    /// True or false.
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A float, as it is written: JSON has no NaN.
    Float(String),
    /// Text.
    Text(String),
}

impl SettingKind for Params {
    type Value = Vec<ParamDraft>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<ParamDraft>> {
        let param = |(name, item): (&str, Item<'_>)| ParamDraft {
            name: name.to_owned(),
            value: param(&item),
            of_environment: item.is_of_environment(),
            place: item.place,
        };
        Some(item.table()?.items().into_iter().map(param).collect())
    }

    fn schema(&self) -> Json {
        json!({ "type": "object", "additionalProperties": or_env(json!({ "type": ["boolean", "number", "string"] })) })
    }

    fn values(&self) -> String {
        "table of names and values".to_owned()
    }
}

fn param(item: &Item<'_>) -> Option<ParamText> {
    match item.value() {
        DeValue::Boolean(value) => Some(ParamText::Bool(*value)),
        DeValue::String(text) => Some(ParamText::Text(text.to_string())),
        DeValue::Float(float) => Some(ParamText::Float(float.as_str().to_owned())),
        DeValue::Integer(integer) => {
            let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            if value.is_none() {
                item.error(
                    format!("{} is out of range", crate::problem::clip(&integer.to_string())),
                    "an integer parameter has 64 bits and a sign",
                );
            }
            value.map(ParamText::Integer)
        }
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            item.wrong_type("true or false, an integer, a float or a string")
        }
    }
}
