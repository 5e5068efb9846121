//! Resolves drafts of Kafka sources.

use std::sync::Arc;

use weir_batch::{DataType, Field, Schema};
use weir_config::{KafkaSourceKeys, KeyPlace, PartitionsDraft, Problems, Setting, TombstoneWord, WrittenText, clip};
use weir_formats::{RecordFormat, parse_timestamp};
use weir_kafka::KafkaSide;

use super::context::Context;
use super::csv;
use super::kafka;
use super::schema;
use super::source_plan::SourceKind;
use super::words;
use weir_kafka::refuse_group;
use weir_sources::{KafkaPartitions, KafkaSourceConfig, KafkaStart};

/// Resolves the keys of a Kafka source at `here`: its settings and the schema of its records.
pub(super) fn resolve(
    keys: &KafkaSourceKeys,
    here: &KeyPlace,
    cx: &mut Context<'_>,
) -> (Option<SourceKind>, Option<Arc<Schema>>) {
    let problems = cx.problems;
    let connection = kafka::connection(&keys.connection, KafkaSide::Consumer, cx);
    let topics = topics(keys, here, problems);
    let start = start(&keys.start, here, problems);
    let format = keys.format.value.map(words::record_format);
    let csv = csv::record_options(&keys.csv, here, format.map(RecordFormat::name), problems);
    let schema = schema_of(keys, here, format, problems);

    let group = match keys.group.given() {
        None if keys.group.is_wrong() => None,
        None => Some(cx.topics.group()),
        Some((place, group)) => match refuse_group(group) {
            None => Some(group.clone()),
            Some(reason) => {
                problems.error(place, format!("a group {reason}"), "");
                None
            }
        },
    };
    let mut allowed = !keys.until.is_wrong();
    for WrittenText { place, text } in topics.iter().flatten() {
        allowed &= cx.topics.reads(place, connection.as_ref(), text);
    }
    if let Some(group) = &group {
        allowed &= cx.topics.joins(keys.group.place_or(here), connection.as_ref(), group);
    }
    let partitions = keys.partitions.value.as_ref().map(|partitions| match partitions {
        PartitionsDraft::Group => KafkaPartitions::Group,
        PartitionsDraft::All => KafkaPartitions::All,
        PartitionsDraft::List(numbers) => KafkaPartitions::List(numbers.clone()),
    });
    let make = || {
        let mut config = KafkaSourceConfig::new(connection?, "", group?);
        config.topics = topics?.into_iter().map(|topic| topic.text).collect();
        config.on_out_of_range = words::out_of_range(keys.on_out_of_range.value?);
        config.memory_bytes_max = usize::try_from(keys.memory_bytes_max.value?).unwrap_or(usize::MAX);
        config.skip_tombstones = keys.tombstones.value? == TombstoneWord::Skip;
        config.isolation = words::read_isolation(keys.isolation.value?);
        config.until_end = keys.until.is_given();
        (config.partitions, config.start, config.format, config.csv) = (partitions?, start?, format?, csv?);
        Some(SourceKind::Kafka(Box::new(config)))
    };
    (make().filter(|_| allowed), schema)
}

/// The value of `topic` or `topics`.
fn topics(keys: &KafkaSourceKeys, here: &KeyPlace, problems: &Problems) -> Option<Vec<WrittenText>> {
    let written = keys.written(here, problems)?;
    let mut complete = true;
    for (index, WrittenText { place, text: topic }) in written.iter().enumerate() {
        complete &= kafka::topic_name(place, topic, problems);
        if written.iter().take(index).any(|other| other.text == *topic) {
            problems.error(place, format!("`{}` is listed twice", clip(topic)), "remove one of them");
            complete = false;
        }
    }
    complete.then_some(written)
}

fn start(start: &Setting<String>, here: &KeyPlace, problems: &Problems) -> Option<KafkaStart> {
    match start.value.as_deref()? {
        "earliest" => Some(KafkaStart::Earliest),
        "latest" => Some(KafkaStart::Latest),
        text => {
            // A time of day or a number would be interpreted differently than intended.
            let micros = parse_timestamp(text).ok().filter(|&micros| text.contains('-') && micros >= 0);
            if micros.is_none() {
                let help = "use `earliest`, `latest`, or a time such as `2024-01-31T00:00:00Z`";
                problems.error(start.place_or(here), format!("invalid start `{}`", clip(text)), help);
            }
            micros.map(|micros| KafkaStart::Timestamp(micros / 1000))
        }
    }
}

fn schema_of(
    keys: &KafkaSourceKeys,
    here: &KeyPlace,
    format: Option<RecordFormat>,
    problems: &Problems,
) -> Option<Arc<Schema>> {
    let Some(place) = &keys.schema.place else {
        if format == Some(RecordFormat::Raw) {
            return Schema::new(vec![Field::nullable("value", DataType::Binary)]).ok().map(Arc::new);
        }
        let help = "declare the fields, for example `schema = { delay = \"i64\", origin = \"utf8?\" }`";
        let place = here.child("schema", here.offset);
        problems.error(&place, "missing: records of a topic have no schema", help);
        return None;
    };
    let declared = schema::declared(&keys.schema, problems)?;
    let of_numbers = |format| matches!(format, RecordFormat::JsonLines | RecordFormat::Csv);
    if let Some(format) = format.filter(|format| !of_numbers(*format))
        && !declared.check_units(format, problems)
    {
        return None;
    }
    if let Some(reason) = format.and_then(|format| format.refuses(&declared.schema)) {
        problems.error(place, reason, "write, for example, `schema = { value = \"binary?\" }`, or remove it");
        return None;
    }
    Some(declared.schema)
}
