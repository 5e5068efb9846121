//! The keys of Kafka's sources, sinks and dead letters.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::csv::RecordCsvKeys;
use crate::kinds::{Integer, SchemaText, Text, Texts, Word, or_env};
use crate::problem::Place;
use crate::setting::{Kind, Written};
use crate::table::Item;
use crate::words::{
    CompressionWord, OutOfRangeWord, PartitionerWord, ReadIsolationWord, RecordWord, TombstoneWord, UntilWord,
};

keys! {
    /// Where a cluster is, and how it is talked to.
    pub struct ConnectionKeys {
        /// `"host:port"`, a list of them, or several with commas between them.
        brokers: Texts, required "name at least one, for example `brokers = \"localhost:9092\"`";
        /// Options of librdkafka: see [Kafka's options](#kafkas-options).
        options: Options;
    }
}

keys! {
    /// A source of topics.
    pub struct KafkaSourceKeys {
        ..connection: ConnectionKeys;
        /// The topic. Either this or `topics`.
        topic: Text;
        /// Several topics.
        topics: Texts;
        /// The consumer group, which keeps the positions. Default: `<tenant>.<name>`. No two sources, of one query or of queries that run together, may be members of one group: each would get a part of the records.
        group: Text;
        /// `"group"`: the partitions that the group gives to this process, by cooperative rebalances; run the query twice, and each gets half. `"all"`: all of them, also those that are added later. Or a list such as `[0, 1]`.
        partitions: Partitions = PartitionsDraft::Group;
        /// Where a partition begins that has no kept position: `"earliest"`, `"latest"`, or a time such as `"2024-01-31T00:00:00Z"`. That position is kept as soon as the partition is assigned, before any record of it is read: what is written while the query is down is read when it comes back.
        start: Start = "earliest".to_owned();
        /// What becomes of a partition whose log does not hold the position that is to be read, because retention has passed it or the topic was deleted and made again, also while the query runs: see [positions out of range](#positions-out-of-range).
        on_out_of_range: Word<OutOfRangeWord> = OutOfRangeWord::Fail;
        /// Bytes of records that wait for the query, of all partitions together. The partitions that the topics have when the query starts share it, so that a full one keeps no other from being read; each takes one fetch of at least 16 KiB, and compressed records count as they are.
        memory_bytes_max: Integer(1 << 20, 1 << 40) = 64 << 20;
        /// `"end"`: the stream ends when every partition was read to the end that it had at the start, or a little further. Without it the stream has no end.
        until: Word<UntilWord>;
        /// What one record's value is: `json_lines`, one object; `csv`, one record without header, fields in the order of the schema; `bincode`, one record as a Kafka sink writes it; `raw`, the bytes as they are.
        format: Word<RecordWord> = RecordWord::JsonLines;
        /// Records without a value: `keep` makes a null where the format is `raw`, and else a record that does not decode; `skip` leaves them out.
        tombstones: Word<TombstoneWord> = TombstoneWord::Keep;
        /// Which records of transactions are read.
        isolation: Word<ReadIsolationWord> = ReadIsolationWord::ReadCommitted;
        /// Fields and [types](#schemas). Needed, but with `raw`: there one field of `binary` or `utf8`, by default `{ value = "binary?" }`.
        schema: SchemaText;
        ..csv: RecordCsvKeys;
    }
    rules json!({
        "oneOf": [{ "required": ["topic"] }, { "required": ["topics"] }],
        "if": { "properties": { "format": { "const": "raw" } }, "required": ["format"] },
        "then": { "properties": { "schema": { "maxProperties": 1 } } },
        "else": {
            "if": { "properties": { "format": { "type": "string" } } },
            "then": { "required": ["schema"] },
        },
        "allOf": [crate::json_schema::csv_by_format(&["json_lines", "bincode", "raw"], true)],
    })
}

keys! {
    /// A sink of a topic.
    pub struct KafkaSinkKeys {
        ..connection: ConnectionKeys;
        /// The topic, which has to exist, and cannot be one that the query reads.
        topic: Text, required "name the topic, which has to exist";
        /// What one message's value is: `json_lines`, `csv` and `bincode` are one record; `raw` is the column that `value` names.
        format: Word<RecordWord> = RecordWord::JsonLines;
        /// With `format = "raw"`: the column of `binary` or `utf8`; a null makes a tombstone.
        value: Text;
        /// The key: `"_key"`, the one that the record came with; `"none"`; or a column.
        key: OrColumn("_key") = "_key".to_owned();
        /// `true`: the headers that the record came with. `false`: none. Or a table of names and columns beside those that it came with.
        headers: Headers = HeadersDraft { pass: true, columns: Vec::new() };
        /// The timestamp: `"_timestamp"`, the one that the record came with; `"now"`; or a column.
        timestamp: OrColumn("_timestamp") = "_timestamp".to_owned();
        /// How a record's partition is chosen. `murmur2_random` is what the Java client does; `keep` is the partition that the record came from.
        partitioner: Word<PartitionerWord> = PartitionerWord::Murmur2Random;
        /// How messages are compressed.
        compression: Word<CompressionWord> = CompressionWord::None;
        /// How long a record may take, all tries together. Default: five minutes.
        delivery_timeout_ms: Integer(1, 86_400_000);
        ..csv: RecordCsvKeys;
    }
    rules json!({
        "if": { "properties": { "format": { "const": "raw" } }, "required": ["format"] },
        "then": { "required": ["value"] },
        "else": {
            "if": { "properties": { "format": { "type": "string" } } },
            "then": { "properties": { "value": false } },
        },
        "allOf": [crate::json_schema::csv_by_format(&["json_lines", "bincode", "raw"], true)],
    })
}

keys! {
    /// Dead letters to a topic.
    pub struct KafkaLettersKeys {
        ..connection: ConnectionKeys;
        /// The topic, which has to exist, and cannot be one that the query reads.
        topic: Text, required "name the topic, which has to exist";
        /// How messages are compressed.
        compression: Word<CompressionWord> = CompressionWord::None;
    }
}

/// Options of librdkafka.
pub struct Options;

/// An option, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionDraft {
    /// Where it is.
    pub place: Place,
    /// The option.
    pub name: String,
    /// Its value.
    pub value: OptionText,
}

/// The value of an option. It may be a secret: it is not shown, and serialised as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OptionText {
    /// Text, or a number or truth value in the digits or letters that librdkafka takes.
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

impl Kind for Options {
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

/// Which partitions are read.
pub struct Partitions;

/// Which partitions are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartitionsDraft {
    /// Those that the group gives.
    Group,
    /// All.
    All,
    /// These, sorted and different.
    List(Vec<i32>),
}

/// The highest partition's number that anybody writes down.
const PARTITION_MAX: i64 = 1_000_000;

impl Kind for Partitions {
    type Value = PartitionsDraft;

    fn read(&self, item: &Item<'_>) -> Option<PartitionsDraft> {
        let expected = "\"group\", \"all\", or a list of numbers from 0 such as [0, 1]";
        match item.value() {
            DeValue::String(_) => item.choice(&[("group", true), ("all", false)]).map(|group| match group {
                true => PartitionsDraft::Group,
                false => PartitionsDraft::All,
            }),
            DeValue::Array(array) => {
                let number = |value: &DeValue<'_>| match value {
                    DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
                    _ => None,
                };
                let numbers: Option<Vec<i32>> = array
                    .iter()
                    .map(|element| number(element.get_ref()).filter(|it| (0..=PARTITION_MAX).contains(it)))
                    .map(|number| number.and_then(|number| i32::try_from(number).ok()))
                    .collect();
                let mut numbers = numbers.unwrap_or_default();
                let written = numbers.len();
                numbers.sort_unstable();
                numbers.dedup();
                if numbers.is_empty() || numbers.len() < written || written < array.len() {
                    item.error("is no list of different partitions", format!("use {expected}"));
                    return None;
                }
                Some(PartitionsDraft::List(numbers))
            }
            _ => item.wrong_type(expected),
        }
    }

    fn schema(&self) -> Json {
        let number = json!({ "type": "integer", "minimum": 0, "maximum": PARTITION_MAX });
        json!({ "anyOf": [
            or_env(json!({ "enum": ["group", "all"] })),
            { "type": "array", "items": number, "minItems": 1, "uniqueItems": true },
        ] })
    }

    fn values(&self) -> String {
        "`group`, `all`, or a list of numbers".to_owned()
    }

    fn json(value: &PartitionsDraft) -> Json {
        match value {
            PartitionsDraft::Group => "group".into(),
            PartitionsDraft::All => "all".into(),
            PartitionsDraft::List(numbers) => numbers.clone().into(),
        }
    }
}

/// A word or a time, which TOML also has a type for.
pub struct Start;

impl Kind for Start {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        match item.value() {
            DeValue::Datetime(time) => Some(time.to_string()),
            _ => item.text().map(str::to_owned),
        }
    }

    fn schema(&self) -> Json {
        or_env(json!({ "type": "string", "pattern": "^(earliest|latest|[0-9]+-[0-9-]+.*)$" }))
    }

    fn values(&self) -> String {
        "`earliest`, `latest`, or a time".to_owned()
    }

    fn json(value: &String) -> Json {
        value.as_str().into()
    }
}

/// A system column, a word for something else, or a column of the sink's input.
pub struct OrColumn(pub &'static str);

impl Kind for OrColumn {
    type Value = String;

    fn read(&self, item: &Item<'_>) -> Option<String> {
        item.text().map(str::to_owned)
    }

    fn schema(&self) -> Json {
        or_env(json!({ "type": "string", "minLength": 1 }))
    }

    fn values(&self) -> String {
        let word = if self.0 == "_key" { "none" } else { "now" };
        format!("`{}`, `{word}`, or a column", self.0)
    }

    fn json(value: &String) -> Json {
        value.as_str().into()
    }
}

/// Whether headers are passed on, and those that are made of columns.
pub struct Headers;

/// The headers of a sink's messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadersDraft {
    /// Whether those that a record came with are passed on.
    pub pass: bool,
    /// Those that columns give: the header's name, and its column.
    pub columns: Vec<(String, Written)>,
}

impl Kind for Headers {
    type Value = HeadersDraft;

    fn read(&self, item: &Item<'_>) -> Option<HeadersDraft> {
        match item.value() {
            DeValue::Boolean(pass) => return Some(HeadersDraft { pass: *pass, columns: Vec::new() }),
            DeValue::Table(_) => {}
            _ => return item.wrong_type("true, false, or a table such as { origin = \"column\" }"),
        }
        let mut columns = Vec::new();
        for (name, item) in item.table()?.items() {
            if matches!(item.value(), DeValue::Table(_)) {
                item.error(
                    "expected the name of a column, found a table",
                    "write a header's whole name in quotes, for example `\"trace.id\" = \"column\"`",
                );
                continue;
            }
            if let Some(column) = item.text().map(str::to_owned) {
                columns.push((name.to_owned(), Written { place: item.place, text: column }));
            }
        }
        Some(HeadersDraft { pass: true, columns })
    }

    fn schema(&self) -> Json {
        let column = or_env(json!({ "type": "string", "minLength": 1 }));
        let name = json!({ "minLength": 1, "maxLength": 255 });
        json!({ "anyOf": [
            { "type": "boolean" },
            { "type": "object", "propertyNames": name, "additionalProperties": column },
        ] })
    }

    fn values(&self) -> String {
        "`true`, `false`, or a table of names and columns".to_owned()
    }

    fn json(value: &HeadersDraft) -> Json {
        value.pass.into()
    }
}
