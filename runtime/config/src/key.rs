//! The description of a key, from which its reader, JSON Schema and docs follow.

use serde_json::{Value as Json, json};

use crate::setting::Setting;
use crate::table::{Item, Table};

/// What the value of a key can be.
pub trait SettingKind {
    /// What is made of it.
    type Value;

    /// Reads a value, or reports why it cannot be used.
    fn read(&self, item: &Item<'_>) -> Option<Self::Value>;

    /// A JSON Schema of the value.
    fn schema(&self) -> Json;

    /// The same for people, in a cell of a Markdown table.
    fn values(&self) -> String;

    /// A default as it would be written; null where it cannot be.
    fn json(_value: &Self::Value) -> Json {
        Json::Null
    }
}

/// The description of one key.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// Whether it may not be left out.
    pub required: bool,
    /// The default, as written in a file; null if there is no default.
    pub default: Json,
    /// A JSON Schema of its value.
    pub schema: Json,
    /// What its values can be, for people.
    pub values: String,
    /// What it is for, in Markdown.
    pub doc: String,
}

impl Key {
    pub(crate) fn new<K: SettingKind>(
        name: &'static str,
        kind: &K,
        default: Option<K::Value>,
        required: bool,
        doc: &[&str],
    ) -> Key {
        let doc: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
        let default = default.as_ref().map_or(Json::Null, K::json);
        Key { name, required, default, schema: kind.schema(), values: kind.values(), doc: doc.join(" ") }
    }
}

/// A group of keys of one table.
pub(crate) trait Keys: Sized {
    /// Reads them.
    fn read(table: &mut Table<'_>) -> Self;

    /// Describes them, in the order in which they are read.
    fn describe() -> Vec<Key>;

    /// What holds among them, as further keywords of a JSON Schema.
    fn rules() -> Json {
        json!({})
    }
}

/// Reads a described key of a table: what the text says, or the default.
pub(crate) fn read<K: SettingKind>(
    table: &mut Table<'_>,
    name: &'static str,
    kind: &K,
    default: Option<K::Value>,
) -> Setting<K::Value> {
    match table.optional(name) {
        None => Setting { place: None, value: default },
        Some(item) => Setting { value: kind.read(&item), place: Some(item.place) },
    }
}

/// The same for a key that may not be left out; `help` says what to write.
pub(crate) fn read_required<K: SettingKind>(
    table: &mut Table<'_>,
    name: &'static str,
    kind: &K,
    help: &str,
) -> Setting<K::Value> {
    match table.required(name, help) {
        None => Setting { place: None, value: None },
        Some(item) => Setting { value: kind.read(&item), place: Some(item.place) },
    }
}

/// A table of these keys as a JSON Schema.
pub(crate) fn object(keys: &[Key], rules: &Json) -> Json {
    let mut properties = serde_json::Map::new();
    for key in keys {
        let mut schema = key.schema.clone();
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), key.doc.clone().into());
            if !key.default.is_null() {
                schema.insert("default".to_owned(), key.default.clone());
            }
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if let (Some(schema), Some(rules)) = (schema.as_object_mut(), rules.as_object()) {
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.extend(rules.clone());
    }
    schema
}

macro_rules! kind_type {
    ($kind:ident) => { $kind };
    ($kind:ident<$of:ident>) => { $kind<$of> };
    ($kind:ident($($argument:expr),*)) => { $kind };
}

macro_rules! kind_value {
    ($kind:ident) => { $kind };
    ($kind:ident<$of:ident>) => { $kind::<$of>::NEW };
    ($kind:ident($($argument:expr),*)) => { $kind($($argument),*) };
}

macro_rules! default_of {
    () => {
        None
    };
    ($default:expr) => {
        Some($default)
    };
}

macro_rules! is_required {
    () => {
        false
    };
    ($help:expr) => {
        true
    };
}

macro_rules! read_setting {
    ($table:ident, $key:ident, $kind:expr, [$($default:expr)?], []) => {
        $crate::key::read($table, stringify!($key), &$kind, default_of!($($default)?))
    };
    ($table:ident, $key:ident, $kind:expr, [], [$help:expr]) => {
        $crate::key::read_required($table, stringify!($key), &$kind, $help)
    };
}

/// Describes the keys of a table, once: the struct that holds what a file says of them, its reader, and their names, types,
/// defaults and docs follow. A key is read in its place, so that the order is that of the messages about unknown keys.
///
/// `key: Kind;`, `key: Kind(arguments) = default;`, `key: Kind, required "what to write";`, and before or behind
/// these `..keys: Keys;` for the keys of another such struct.
macro_rules! keys {
    (
        $(#[doc = $about:expr])*
        pub struct $Name:ident {
            $(..$first:ident: $First:ty;)*
            $(
                $(#[doc = $doc:expr])+
                $key:ident: $kind:ident $(<$of:ident>)? $(($($argument:expr),*))? $(= $default:expr)? $(, required $help:expr)?;
            )+
            $(..$flat:ident: $Flat:ty;)*
        }
        $(rules $rules:expr)?
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        pub struct $Name {
            $(
                #[doc = concat!("The keys of `", stringify!($First), "`.")]
                pub $first: $First,
            )*
            $(
                $(#[doc = $doc])+
                pub $key: $crate::setting::Setting<
                    <kind_type!($kind $(<$of>)? $(($($argument),*))?) as $crate::key::SettingKind>::Value
                >,
            )+
            $(
                #[doc = concat!("The keys of `", stringify!($Flat), "`.")]
                pub $flat: $Flat,
            )*
        }

        impl $crate::key::Keys for $Name {
            fn read(table: &mut $crate::table::Table<'_>) -> Self {
                $Name {
                    $($first: <$First as $crate::key::Keys>::read(table),)*
                    $($key: read_setting!(
                        table, $key, kind_value!($kind $(<$of>)? $(($($argument),*))?), [$($default)?], [$($help)?]
                    ),)+
                    $($flat: <$Flat as $crate::key::Keys>::read(table),)*
                }
            }

            fn describe() -> Vec<$crate::key::Key> {
                let mut keys = Vec::new();
                $(keys.extend(<$First as $crate::key::Keys>::describe());)*
                keys.extend([$($crate::key::Key::new(
                    stringify!($key),
                    &kind_value!($kind $(<$of>)? $(($($argument),*))?),
                    default_of!($($default)?),
                    is_required!($($help)?),
                    &[$($doc),+],
                )),+]);
                $(keys.extend(<$Flat as $crate::key::Keys>::describe());)*
                keys
            }

            $(fn rules() -> serde_json::Value {
                $rules
            })?
        }
    };
}
