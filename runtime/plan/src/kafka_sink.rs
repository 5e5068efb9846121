//! Resolves drafts of Kafka sinks, and of dead letters to Kafka.

use std::time::Duration;

use weir_batch::Schema;
use weir_config::{
    CompressionWord, ConnectionKeys, HeadersDraft, KafkaLettersKeys, KafkaSinkKeys, KeyPlace, Problems, RecordWord,
    Setting, clip, suggest,
};
use weir_formats::CsvOptions;
use weir_kafka::{KafkaConnection, KafkaSide};
use weir_sinks::{KafkaKey, KafkaSinkConfig, KafkaTimestamp, KafkaValue, SinkError};

use super::context::Context;
use super::csv;
use super::kafka;
use super::words;

/// A setting that names columns, as a configuration without other settings; and the columns, for suggestions if one is missing.
pub(super) struct ColumnUse {
    place: KeyPlace,
    column: String,
    alone: Box<KafkaSinkConfig>,
}

struct Resolver<'c> {
    here: &'c KeyPlace,
    problems: &'c Problems,
    columns: Vec<ColumnUse>,
}

impl Resolver<'_> {
    /// Remembers a column, which is checked when the sink's input is known.
    fn column(&mut self, place: &KeyPlace, column: &str, set: impl FnOnce(&mut KafkaSinkConfig)) {
        let mut alone = KafkaSinkConfig::new(KafkaConnection::new("any:1"), "any");
        set(&mut alone);
        self.columns.push(ColumnUse { place: place.clone(), column: column.to_owned(), alone: Box::new(alone) });
    }

    fn value(&mut self, keys: &KafkaSinkKeys) -> Option<(KafkaValue, CsvOptions)> {
        let format = keys.format.value;
        let csv = csv::record_options(&keys.csv, self.here, format.map(RecordWord::name), self.problems);
        let value = match format? {
            RecordWord::JsonLines => self.whole(keys, KafkaValue::JsonLines),
            RecordWord::Csv => self.whole(keys, KafkaValue::Csv),
            RecordWord::Bincode => self.whole(keys, KafkaValue::Bincode),
            RecordWord::Raw => self.raw(&keys.value),
        };
        value.zip(csv)
    }

    /// The value is the whole record, not a column.
    fn whole(&self, keys: &KafkaSinkKeys, value: KafkaValue) -> Option<KafkaValue> {
        let Some(place) = &keys.value.place else { return Some(value) };
        self.problems.error(
            place,
            "`value` applies only to `format = \"raw\"`",
            "remove `value`, or use `format = \"raw\"`",
        );
        None
    }

    fn raw(&mut self, column: &Setting<String>) -> Option<KafkaValue> {
        if !column.is_given() {
            let place = self.here.child("value", self.here.offset);
            let help = "name the column (binary or utf8) to write, for example `value = \"payload\"`";
            self.problems.error(&place, "missing", help);
            return None;
        }
        let (place, column) = column.given()?;
        let value = KafkaValue::Raw { column: column.clone() };
        self.column(place, column, |alone| alone.value = value.clone());
        Some(value)
    }

    fn key(&mut self, key: &Setting<String>) -> Option<KafkaKey> {
        Some(match key.value.as_deref()? {
            "none" => KafkaKey::None,
            "_key" => KafkaKey::System,
            column => {
                let value = KafkaKey::Column(column.to_owned());
                self.column(key.place_or(self.here), column, |alone| alone.key = value.clone());
                value
            }
        })
    }

    fn timestamp(&mut self, timestamp: &Setting<String>) -> Option<KafkaTimestamp> {
        Some(match timestamp.value.as_deref()? {
            "now" => KafkaTimestamp::Now,
            "_timestamp" => KafkaTimestamp::System,
            column => {
                let value = KafkaTimestamp::Column(column.to_owned());
                self.column(timestamp.place_or(self.here), column, |alone| alone.timestamp = value.clone());
                value
            }
        })
    }

    /// Whether headers are passed on, and the headers from columns.
    fn headers(&mut self, headers: &Setting<HeadersDraft>) -> Option<(bool, Vec<(String, String)>)> {
        let draft = headers.value.as_ref()?;
        let mut headers = Vec::new();
        for (name, column) in &draft.columns {
            let header = (name.clone(), column.text.clone());
            let named =
                KafkaSinkConfig::new(KafkaConnection::new("any:1"), "any").with(|it| it.headers = vec![header.clone()]);
            if let Err(SinkError::Config { reason, .. }) = named.validate_settings() {
                self.problems.error(&column.place, reason, "");
                continue;
            }
            self.column(&column.place, &column.text, |alone| alone.headers = vec![header.clone()]);
            headers.push(header);
        }
        (headers.len() == draft.columns.len()).then_some((draft.pass, headers))
    }
}

/// Resolves the keys of a Kafka sink at `here`, and the columns that it needs.
pub(super) fn resolve(
    keys: &KafkaSinkKeys,
    here: &KeyPlace,
    cx: &mut Context<'_>,
) -> (Option<KafkaSinkConfig>, Vec<ColumnUse>) {
    let target = target(&keys.connection, &keys.topic, cx);
    let problems = cx.problems;
    let mut resolver = Resolver { here, problems, columns: Vec::new() };
    let value = resolver.value(keys);
    let key = resolver.key(&keys.key);
    let headers = resolver.headers(&keys.headers);
    let timestamp = resolver.timestamp(&keys.timestamp);
    let make = || {
        let (pass_headers, headers) = headers?;
        let (value, csv) = value?;
        let mut config = target?;
        config.value = value;
        config.csv = csv;
        config.key = key?;
        config.partitioner = words::partitioner(keys.partitioner.value?);
        config.pass_headers = pass_headers;
        config.headers = headers;
        config.timestamp = timestamp?;
        config.compression = words::compression(keys.compression.value?);
        config.delivery_timeout = keys.delivery_timeout_ms.value.map(Duration::from_millis);
        match config.validate_settings() {
            Ok(()) => Some(config),
            Err(error) => {
                problems.error(here, error.to_string(), "");
                None
            }
        }
    };
    (make(), resolver.columns)
}

/// The brokers and the topic.
fn target(connection: &ConnectionKeys, topic: &Setting<String>, cx: &mut Context<'_>) -> Option<KafkaSinkConfig> {
    let connection = kafka::connection(connection, KafkaSide::Producer, cx);
    let (place, topic) = topic.given().filter(|(place, topic)| kafka::topic_name(place, topic, cx.problems))?;
    let allowed = cx.topics.writes(place, connection.as_ref(), topic);
    connection.filter(|_| allowed).map(|connection| KafkaSinkConfig::new(connection, topic.as_str()))
}

/// Resolves the keys of dead letters to Kafka.
pub(super) fn dead_letters(keys: &KafkaLettersKeys, cx: &mut Context<'_>) -> Option<KafkaSinkConfig> {
    let target = target(&keys.connection, &keys.topic, cx);
    let compression: CompressionWord = keys.compression.value?;
    Some(target?.with(|it| it.compression = words::compression(compression)))
}

/// Checks that the sink's input has the columns.
pub(super) fn check_columns(columns: &[ColumnUse], schema: &Schema, problems: &Problems) {
    for it in columns {
        let Err(error) = it.alone.validate(schema) else { continue };
        if schema.field(&it.column).is_none() {
            let names = schema.fields().iter().map(|field| &*field.name);
            let message = format!("the input of the sink has no column `{}`", clip(&it.column));
            problems.error(&it.place, message, suggest(&it.column, names, "it is given"));
        } else if let SinkError::Config { reason, .. } = error {
            problems.error(&it.place, reason, "");
        }
    }
}
