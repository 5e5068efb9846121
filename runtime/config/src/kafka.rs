//! The keys of Kafka's sources, sinks and dead letters.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use toml::de::DeValue;

use crate::csv::RecordCsvKeys;
use crate::key::SettingKind;
use crate::kinds::{Integer, SchemaText, Text, Texts, Word, or_env};
use crate::options::Options;
use crate::table::Item;
use crate::words::{
    CompressionWord, OutOfRangeWord, PartitionerWord, ReadIsolationWord, RecordWord, TombstoneWord, UntilWord,
};
use crate::written::WrittenText;

keys! {
    /// Addresses and client options of a cluster.
    pub struct ConnectionKeys {
        /// `"host:port"`, a list of these, or several separated by commas.
        brokers: Texts, required "name at least one, for example `brokers = \"localhost:9092\"`";
        /// Options of librdkafka: see [Kafka's options](#kafkas-options).
        options: Options;
    }
}

keys! {
    /// A source of topics.
    pub struct KafkaSourceKeys {
        ..connection: ConnectionKeys;
        /// The topic. Set either `topic` or `topics`.
        topic: Text;
        /// Several topics.
        topics: Texts;
        /// The consumer group, which stores the positions. Default: `<tenant>.<name>`. Two sources of queries that run together may not use the same group, because each would get only part of the records.
        group: Text;
        /// `"group"`: the partitions that the consumer group assigns to this process (cooperative rebalancing); if the query runs twice, each process gets half. `"all"`: all partitions, including ones that are added later. Or a list such as `[0, 1]`.
        partitions: Partitions = PartitionsDraft::Group;
        /// Where to begin in a partition without a stored position: `"earliest"`, `"latest"`, or a time such as `"2024-01-31T00:00:00Z"`. Weir stores this position as soon as the partition is assigned, before it reads a record. Records that arrive while the query is down are therefore read when it starts again.
        start: Start = "earliest".to_owned();
        /// What to do if the log no longer holds the position to read, because of retention or because the topic was deleted and recreated, even while the query runs: see [positions out of range](#positions-out-of-range).
        on_out_of_range: Word<OutOfRangeWord> = OutOfRangeWord::Fail;
        /// The largest size of fetched records that wait for the query, over all partitions. It is divided between the partitions that exist when the query starts, so a full one does not block the others. Each partition may fetch at least 16 KiB. Compressed records count with their compressed size.
        memory_bytes_max: Integer(1 << 20, 1 << 40) = 64 << 20;
        /// `"end"`: the source ends when it has read every partition to the end that the partition had at the start, or slightly further. Without it, the source never ends.
        until: Word<UntilWord>;
        /// The format of a message's value: `json_lines`, one object; `csv`, one record without a header, with fields in the order of the schema; `bincode`, one record as written by a Kafka sink; `raw`, the unchanged bytes.
        format: Word<RecordWord> = RecordWord::JsonLines;
        /// What to do with messages without a value: `keep` reads a null if the format is `raw`, otherwise a bad record; `skip` leaves them out.
        tombstones: Word<TombstoneWord> = TombstoneWord::Keep;
        /// Whether to read records of uncommitted transactions.
        isolation: Word<ReadIsolationWord> = ReadIsolationWord::ReadCommitted;
        /// Fields and [types](#schemas). Required, except with `raw`, which takes one field of type `binary` or `utf8`; its default is `{ value = "binary?" }`.
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
        "allOf": [crate::csv::csv_by_format(&["json_lines", "bincode", "raw"], true)],
    })
}

keys! {
    /// A sink of a topic.
    pub struct KafkaSinkKeys {
        ..connection: ConnectionKeys;
        /// The topic. It must exist, and the query may not read it.
        topic: Text, required "name an existing topic";
        /// The format of a message's value: `json_lines`, `csv` and `bincode` write one record; `raw` writes the column that `value` names.
        format: Word<RecordWord> = RecordWord::JsonLines;
        /// For `format = "raw"`: the column (`binary` or `utf8`) with the value. A null writes a tombstone.
        value: Text;
        /// The key of a message: `"_key"` (the key of the input record), `"none"`, or a column.
        key: OrColumn("_key") = "_key".to_owned();
        /// `true`: the headers of the input record. `false`: no headers. Or a table of header names and columns; these are added to the headers of the input record.
        headers: Headers = HeadersDraft { pass: true, columns: Vec::new() };
        /// The timestamp of a message: `"_timestamp"` (the timestamp of the input record), `"now"`, or a column.
        timestamp: OrColumn("_timestamp") = "_timestamp".to_owned();
        /// How to choose the partition. `murmur2_random` does the same as the Java client; `keep` uses the number of the record's input partition.
        partitioner: Word<PartitionerWord> = PartitionerWord::Murmur2Random;
        /// Compression of messages.
        compression: Word<CompressionWord> = CompressionWord::None;
        /// Time limit for delivering a record, in milliseconds, including all retries. Default: five minutes.
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
        "allOf": [crate::csv::csv_by_format(&["json_lines", "bincode", "raw"], true)],
    })
}

keys! {
    /// Dead letters to a topic.
    pub struct KafkaLettersKeys {
        ..connection: ConnectionKeys;
        /// The topic. It must exist, and the query may not read it.
        topic: Text, required "name an existing topic";
        /// Compression of messages.
        compression: Word<CompressionWord> = CompressionWord::None;
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

impl SettingKind for Partitions {
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
                    item.error("is not a list of distinct partitions", format!("use {expected}"));
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

impl SettingKind for Start {
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

impl SettingKind for OrColumn {
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
    pub columns: Vec<(String, WrittenText)>,
}

impl SettingKind for Headers {
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
                    "expected a column name, found a table",
                    "write the whole header name in quotes, for example `\"trace.id\" = \"column\"`",
                );
                continue;
            }
            if let Some(column) = item.text().map(str::to_owned) {
                columns.push((name.to_owned(), WrittenText { place: item.place, text: column }));
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
