//! The keys that say how CSV is written.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::key::{Key, Keys, SettingKind};
use crate::kinds::{Boolean, or_env};
use crate::problem::{KeyPlace, clip};
use crate::suffix;
use crate::table::{Item, Table};
use crate::words::WriteFormat;

keys! {
    /// How a file of CSV is written. Of another format every such key is wrong.
    pub struct CsvKeys {
        /// CSV: the character between fields. For a path that ends with `.tsv`, the default is a tab. See [CSV](#csv).
        delimiter: Character("write one character, for example `\";\"` or `\"\\t\"`") = b',';
        /// CSV: the character around fields that contain delimiters or line ends. With `"none"`, no field is quoted, quotes are text, and every line is a record.
        quote: Quote = QuoteDraft::Character(b'"');
        /// CSV: whether the first line holds the field names. With `false`, it is a record, and `schema` must declare all fields in their order.
        header: Boolean = true;
        /// CSV: unquoted texts that mean null, for example `["", "NULL", "\\N"]`. A null in a field that is not nullable makes a bad record, except the empty text. A sink writes the first entry.
        nulls: Nulls = vec![String::new()];
        /// CSV: lines that begin with this character, outside quotes, are comments.
        comment: Character("write one character, for example `\"#\"`");
    }
}

/// How single records of CSV are written, each the value of a message, without a header, and no comment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordCsvKeys {
    /// How they are written. `header` and `comment` are as the defaults.
    pub csv: CsvKeys,
    /// `header` and `comment`, where the file has them: they are refused.
    pub misplaced: Vec<(String, KeyPlace)>,
}

/// The keys that are for files only.
const OF_FILES: [&str; 2] = ["header", "comment"];

impl Keys for RecordCsvKeys {
    fn read(table: &mut Table<'_>) -> RecordCsvKeys {
        let mut misplaced = Vec::new();
        for key in OF_FILES {
            misplaced.extend(table.misplaced(key).map(|item| (key.to_owned(), item.place)));
        }
        RecordCsvKeys { csv: CsvKeys::read(table), misplaced }
    }

    fn describe() -> Vec<Key> {
        CsvKeys::describe().into_iter().filter(|key| !OF_FILES.contains(&key.name)).collect()
    }
}

/// What a table of another format than CSV does not have.
fn no_csv() -> Json {
    let keys = CsvKeys::describe();
    Json::Object(keys.into_iter().map(|key| (key.name.to_owned(), Json::Bool(false))).collect())
}

/// Only CSV has the keys of CSV: `others` are the words for other formats, of which one may be the default.
pub(crate) fn csv_by_format(others: &[&str], default_is_other: bool) -> Json {
    let required: &[&str] = if default_is_other { &[] } else { &["format"] };
    json!({
        "if": { "properties": { "format": { "enum": others } }, "required": required },
        "then": { "properties": no_csv() },
    })
}

/// Only CSV has the keys of CSV: without a `format`, the suffix of the path tells the format.
pub(crate) fn csv_by_suffix() -> Json {
    let csv = suffix::pattern(&[WriteFormat::Csv]);
    let other = json!({ "type": "string", "not": { "pattern": csv } });
    let others = json!({ "type": "array", "contains": other });
    json!({
        "if": { "required": ["format"] },
        "else": {
            "if": { "anyOf": [
                { "required": ["path"], "properties": { "path": other } },
                { "required": ["paths"], "properties": { "paths": { "anyOf": [other, others] } } },
            ] },
            "then": { "properties": no_csv() },
        },
    })
}

/// Without a `delimiter`, all paths of CSV files have one delimiter: a tab for `.tsv`, a comma for all others.
pub(crate) fn one_delimiter() -> Json {
    let tabs = json!({ "pattern": suffix::pattern_of(&["tsv"]) });
    let commas = json!({ "not": { "type": "string", "pattern": suffix::pattern_of(&["tsv"]) } });
    json!({
        "if": { "properties": { "delimiter": false, "format": { "const": "csv" } } },
        "then": { "properties": { "paths": { "anyOf": [{ "items": tabs }, { "items": commas }] } } },
    })
}

/// A sink needs a text for nulls.
pub(crate) fn some_nulls() -> Json {
    json!({ "properties": { "nulls": { "minItems": 1 } } })
}

/// One ASCII character; what to write where it is none.
pub struct Character(pub &'static str);

fn character_schema() -> Json {
    json!({ "type": "string", "pattern": "^[\\x00-\\x09\\x0b\\x0c\\x0e-\\x7f]$" })
}

fn character(item: &Item<'_>, help: &str) -> Option<u8> {
    let Some(text) = item.value().as_str() else { return item.wrong_type("a string") };
    match text.as_bytes() {
        &[byte] if byte.is_ascii() => Some(byte),
        _ => {
            item.error(format!("`{}` is not one ASCII character", clip(text)), help);
            None
        }
    }
}

impl SettingKind for Character {
    type Value = u8;

    fn read(&self, item: &Item<'_>) -> Option<u8> {
        character(item, self.0)
    }

    fn schema(&self) -> Json {
        or_env(character_schema())
    }

    fn values(&self) -> String {
        "one ASCII character".to_owned()
    }

    fn json(value: &u8) -> Json {
        char::from(*value).to_string().into()
    }
}

/// One ASCII character, or `"none"`.
pub struct Quote;

/// How fields are quoted. Not an `Option`: JSON could not tell a setting of none from no setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QuoteDraft {
    /// Not at all.
    None,
    /// By this character.
    Character(u8),
}

impl QuoteDraft {
    /// The character, where there is one.
    pub fn character(self) -> Option<u8> {
        match self {
            QuoteDraft::None => None,
            QuoteDraft::Character(byte) => Some(byte),
        }
    }
}

impl SettingKind for Quote {
    type Value = QuoteDraft;

    fn read(&self, item: &Item<'_>) -> Option<QuoteDraft> {
        match item.value().as_str() {
            Some("none") => Some(QuoteDraft::None),
            _ => character(item, "write one character, or `\"none\"` if fields are never quoted")
                .map(QuoteDraft::Character),
        }
    }

    fn schema(&self) -> Json {
        json!({ "anyOf": [{ "const": "none" }, or_env(character_schema())] })
    }

    fn values(&self) -> String {
        "one ASCII character, or `none`".to_owned()
    }

    fn json(value: &QuoteDraft) -> Json {
        value.character().map_or_else(|| "none".into(), |byte| char::from(byte).to_string().into())
    }
}

/// How many texts can be null: what `weir-formats` takes.
const NULLS_MAX: usize = 16;

/// A list of texts, of which one may be empty.
pub struct Nulls;

impl SettingKind for Nulls {
    type Value = Vec<String>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<String>> {
        let DeValue::Array(array) = item.value() else { return item.wrong_type("a list of strings") };
        let texts: Option<Vec<String>> =
            array.iter().map(|element| element.get_ref().as_str().map(str::to_owned)).collect();
        match texts {
            Some(texts) => Some(texts),
            None => item.wrong_type("a list of strings"),
        }
    }

    fn schema(&self) -> Json {
        json!({ "type": "array", "items": or_env(json!({ "type": "string" })), "maxItems": NULLS_MAX })
    }

    fn values(&self) -> String {
        "list of texts".to_owned()
    }

    fn json(value: &Vec<String>) -> Json {
        value.clone().into()
    }
}
