//! A table of options that others give names and meanings.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::key::SettingKind;
use crate::kinds::or_env;
use crate::problem::KeyPlace;
use crate::table::Item;

/// Options by name: of librdkafka, or of a connector that the embedding program brings.
pub struct Options;

/// An option, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// The option.
    pub name: String,
    /// Its value.
    pub value: OptionText,
}

/// The value of an option. It may be a secret: it is not shown, and serialised as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionText {
    /// Text, or a number or truth value in digits or letters.
    Text(String),
    /// Something that is no value: not reported yet, because the name may be wrong as well.
    Wrong {
        /// What is wrong.
        message: String,
        /// What would be right.
        help: String,
        /// Whether it is a table, as a name with dots that is not in quotes makes one.
        table: bool,
    },
}

impl fmt::Debug for OptionText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl SettingKind for Options {
    type Value = Vec<OptionDraft>;

    fn read(&self, item: &Item<'_>) -> Option<Vec<OptionDraft>> {
        let option = |(name, item): (&str, Item<'_>)| {
            let value = match item.value() {
                DeValue::String(text) => OptionText::Text(text.to_string()),
                // In digits, however it is written.
                DeValue::Integer(integer) => OptionText::Text(
                    i128::from_str_radix(integer.as_str(), integer.radix())
                        .map_or_else(|_| integer.to_string(), |value| value.to_string()),
                ),
                DeValue::Boolean(value) => OptionText::Text(value.to_string()),
                value => {
                    let mistake = item.type_mistake("a string, a number, true or false, or `{ env = \"NAME\" }`");
                    let (message, help) = mistake.unwrap_or_default();
                    OptionText::Wrong { message, help, table: matches!(value, DeValue::Table(_)) }
                }
            };
            OptionDraft { place: item.place, name: name.to_owned(), value }
        };
        Some(item.table()?.items().into_iter().map(option).collect())
    }

    fn schema(&self) -> Json {
        json!({ "type": "object", "additionalProperties": or_env(json!({ "type": ["string", "integer", "boolean"] })) })
    }

    fn values(&self) -> String {
        "table of options".to_owned()
    }
}
