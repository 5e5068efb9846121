//! Reading a Kafka sink, and dead letters to Kafka.

use std::time::Duration;

use toml::de::DeValue;
use weir_batch::Schema;
use weir_formats::CsvOptions;
use weir_kafka::{KafkaConnection, KafkaSide};
use weir_sinks::{
    KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue, SinkError,
};

use super::csv;
use super::kafka;
use super::kafka_uses::TopicUses;
use super::problem::{Place, Problems, clip, suggest};
use super::table::{Item, Table};

/// A setting that names columns, as a configuration that has nothing else; and the columns, for what is meant where one
/// is missing.
pub(super) struct ColumnUse {
    place: Place,
    column: String,
    alone: Box<KafkaSinkConfig>,
}

/// The longest that a record may take: librdkafka counts in an `int`, and a day is long.
const DELIVERY_MS_MAX: u64 = 86_400_000;

const FORMATS: [(&str, Option<KafkaValue>); 4] = [
    ("json_lines", Some(KafkaValue::JsonLines)),
    ("csv", Some(KafkaValue::Csv)),
    ("bincode", Some(KafkaValue::Bincode)),
    ("raw", None),
];

struct Reader<'p> {
    problems: &'p Problems,
    columns: Vec<ColumnUse>,
}

impl Reader<'_> {
    /// Remembers a column, to be looked for once the sink's input is known.
    fn column(&mut self, place: &Place, column: &str, set: impl FnOnce(&mut KafkaSinkConfig)) {
        let mut alone = KafkaSinkConfig::new(KafkaConnection::new("any:1"), "any");
        set(&mut alone);
        self.columns.push(ColumnUse { place: place.clone(), column: column.to_owned(), alone: Box::new(alone) });
    }

    fn value(&mut self, table: &mut Table<'_>) -> Option<(KafkaValue, CsvOptions)> {
        let format = match table.optional("format") {
            None => FORMATS.first(),
            Some(item) => {
                let names: Vec<(&'static str, usize)> = FORMATS.iter().map(|(name, _)| *name).zip(0..).collect();
                item.choice(&names).and_then(|index| FORMATS.get(index))
            }
        };
        let csv = csv::record_options(table, format.map(|(name, _)| *name), self.problems);
        let value = self.value_of(table, format.map(|(_, value)| value.clone()));
        value.zip(csv)
    }

    fn value_of(&mut self, table: &mut Table<'_>, format: Option<Option<KafkaValue>>) -> Option<KafkaValue> {
        let value_item = table.optional("value");
        match (format?, value_item) {
            (Some(value), None) => Some(value),
            (Some(_), Some(item)) => {
                item.error("only a raw value is a column", "leave out `value`, or use `format = \"raw\"`");
                None
            }
            (None, None) => {
                let place = table.place.child("value", table.place.offset);
                let help = "name the column of bytes or text that a record's value is, as `value = \"payload\"`";
                self.problems.error(&place, "missing", help);
                None
            }
            (None, Some(item)) => {
                let value = KafkaValue::Raw { column: item.text()?.to_owned() };
                self.column(&item.place, item.text()?, |alone| alone.value = value.clone());
                Some(value)
            }
        }
    }

    fn key(&mut self, item: &Item<'_>) -> Option<KafkaKey> {
        Some(match item.text()? {
            "none" => KafkaKey::None,
            "_key" => KafkaKey::System,
            column => {
                let key = KafkaKey::Column(column.to_owned());
                self.column(&item.place, column, |alone| alone.key = key.clone());
                key
            }
        })
    }

    fn timestamp(&mut self, item: &Item<'_>) -> Option<KafkaTimestamp> {
        Some(match item.text()? {
            "now" => KafkaTimestamp::Now,
            "_timestamp" => KafkaTimestamp::System,
            column => {
                let timestamp = KafkaTimestamp::Column(column.to_owned());
                self.column(&item.place, column, |alone| alone.timestamp = timestamp.clone());
                timestamp
            }
        })
    }

    /// Whether headers are passed on, and those that are made of columns.
    fn headers(&mut self, item: &Item<'_>) -> Option<(bool, Vec<(String, String)>)> {
        match item.value() {
            DeValue::Boolean(pass) => return Some((*pass, Vec::new())),
            DeValue::Table(_) => {}
            _ => return item.wrong_type("true, false, or a table such as { origin = \"column\" }"),
        }
        let mut headers = Vec::new();
        let mut complete = true;
        for (name, item) in item.table()?.items() {
            if matches!(item.value(), DeValue::Table(_)) {
                item.error(
                    "expected the name of a column, found a table",
                    "write a header's whole name in quotes, for example `\"trace.id\" = \"column\"`",
                );
                complete = false;
                continue;
            }
            let Some(column) = item.text() else {
                complete = false;
                continue;
            };
            let header = (name.to_owned(), column.to_owned());
            let named = KafkaSinkConfig {
                headers: vec![header.clone()],
                ..KafkaSinkConfig::new(KafkaConnection::new("any:1"), "any")
            };
            if let Err(SinkError::Config { reason, .. }) = named.validate_settings() {
                item.error(reason, "");
                complete = false;
                continue;
            }
            self.column(&item.place, column, |alone| alone.headers = vec![header.clone()]);
            headers.push(header);
        }
        complete.then_some((true, headers))
    }
}

/// Reads the keys of a Kafka sink, and which columns it needs.
pub(super) fn read(
    table: &mut Table<'_>,
    uses: &mut TopicUses<'_>,
    problems: &Problems,
) -> (Option<KafkaSinkConfig>, Vec<ColumnUse>) {
    let target = target(table, uses, problems);
    let mut reader = Reader { problems, columns: Vec::new() };
    let value = reader.value(table);
    let key = table.optional("key").map_or(Some(KafkaKey::System), |item| reader.key(&item));
    let headers = table.optional("headers").map_or(Some((true, Vec::new())), |item| reader.headers(&item));
    let timestamp = table.optional("timestamp").map_or(Some(KafkaTimestamp::System), |item| reader.timestamp(&item));
    let partitioners = KafkaPartitioner::ALL.map(|it| (it.name(), it));
    let partitioner = table.optional("partitioner");
    let partitioner = partitioner.map_or(Some(KafkaPartitioner::default()), |item| item.choice(&partitioners));
    let compression = compression(table);
    let delivery_ms = table.optional("delivery_timeout_ms").and_then(|item| item.integer(1..=DELIVERY_MS_MAX));
    let make = || {
        let (pass_headers, headers) = headers?;
        let (value, csv) = value?;
        let config = KafkaSinkConfig {
            value,
            csv,
            key: key?,
            partitioner: partitioner?,
            pass_headers,
            headers,
            timestamp: timestamp?,
            compression: compression?,
            delivery_timeout: delivery_ms.map(Duration::from_millis),
            ..target?
        };
        match config.validate_settings() {
            Ok(()) => Some(config),
            Err(error) => {
                problems.error(&table.place, error.to_string(), "");
                None
            }
        }
    };
    (make(), reader.columns)
}

fn compression(table: &mut Table<'_>) -> Option<KafkaCompression> {
    let choices = KafkaCompression::ALL.map(|it| (it.name(), it));
    table.optional("compression").map_or(Some(KafkaCompression::default()), |item| item.choice(&choices))
}

/// Brokers and topic.
fn target(table: &mut Table<'_>, uses: &mut TopicUses<'_>, problems: &Problems) -> Option<KafkaSinkConfig> {
    let connection = kafka::connection(table, KafkaSide::Producer, uses, problems);
    let item = table.required("topic", "name the topic, which has to exist");
    let topic = item.and_then(|item| {
        let topic = item.text()?;
        kafka::topic_name(&item.place, topic, problems).then_some((item.place, topic))
    });
    let (place, topic) = topic?;
    let allowed = uses.writes(&place, connection.as_ref(), topic, problems);
    connection.filter(|_| allowed).map(|connection| KafkaSinkConfig::new(connection, topic))
}

/// Reads the keys of dead letters to Kafka.
pub(super) fn dead_letters(
    table: &mut Table<'_>,
    uses: &mut TopicUses<'_>,
    problems: &Problems,
) -> Option<KafkaSinkConfig> {
    let target = target(table, uses, problems);
    let compression = compression(table);
    Some(KafkaSinkConfig { compression: compression?, ..target? })
}

/// Looks for the columns in what the sink is given.
pub(super) fn check_columns(columns: &[ColumnUse], schema: &Schema, problems: &Problems) {
    for it in columns {
        let Err(error) = it.alone.validate(schema) else { continue };
        if schema.field(&it.column).is_none() {
            let names = schema.fields().iter().map(|field| &*field.name);
            let message = format!("the sink is given no column `{}`", clip(&it.column));
            problems.error(&it.place, message, suggest(&it.column, names, "it is given"));
        } else if let SinkError::Config { reason, .. } = error {
            problems.error(&it.place, reason, "");
        }
    }
}
