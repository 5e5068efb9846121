//! Reading a Kafka source.

use std::sync::Arc;

use toml::de::DeValue;
use weir_batch::{DataType, Field, Schema};
use weir_formats::{RecordFormat, parse_timestamp};
use weir_kafka::KafkaSide;

use super::csv;
use super::kafka;
use super::kafka_uses::TopicUses;
use super::plan::SourceKind;
use super::problem::{Place, Problems, clip};
use super::schema;
use super::source::SourceDraft;
use super::table::{Item, Table};
use weir_kafka::refuse_group;
use weir_sources::{KafkaIsolation, KafkaOutOfRange, KafkaPartitions, KafkaSourceConfig, KafkaStart};

/// The highest partition's number that anybody writes down.
const PARTITION_MAX: i64 = 1_000_000;

const TOMBSTONES: [(&str, bool); 2] = [("keep", false), ("skip", true)];

const OUT_OF_RANGE: [(&str, KafkaOutOfRange); 3] = [
    (KafkaOutOfRange::Fail.name(), KafkaOutOfRange::Fail),
    (KafkaOutOfRange::Earliest.name(), KafkaOutOfRange::Earliest),
    (KafkaOutOfRange::Latest.name(), KafkaOutOfRange::Latest),
];

/// What `memory_bytes_max` may be: below, not even one fetch of each of a few partitions fits.
const MEMORY_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 40;

const ISOLATION: [(&str, KafkaIsolation); 2] = [
    (KafkaIsolation::ReadCommitted.name(), KafkaIsolation::ReadCommitted),
    (KafkaIsolation::ReadUncommitted.name(), KafkaIsolation::ReadUncommitted),
];

pub(super) fn read(draft: &mut SourceDraft, table: &mut Table<'_>, uses: &mut TopicUses<'_>, problems: &Problems) {
    let connection = kafka::connection(table, KafkaSide::Consumer, uses, problems);
    let topics = topics(table, problems);
    let group_item = table.optional("group");
    let partitions = table.optional("partitions").map_or(Some(KafkaPartitions::Group), |item| partitions(&item));
    let start = table.optional("start").map_or(Some(KafkaStart::Earliest), |item| start(&item));
    let out_of_range = table.optional("on_out_of_range");
    let out_of_range = out_of_range.map_or(Some(KafkaOutOfRange::Fail), |item| item.choice(&OUT_OF_RANGE));
    let memory = table.optional("memory_bytes_max").map_or(Some(None), |item| item.integer(MEMORY_BYTES).map(Some));
    let until = table.optional("until").map_or(Some(()), |item| item.choice(&[("end", ())]));
    let until_end = table.get("until").is_some();
    let formats = RecordFormat::ALL.map(|format| (format.name(), format));
    let format = table.optional("format").map_or(Some(RecordFormat::JsonLines), |item| item.choice(&formats));
    let csv = csv::record_options(table, format.map(RecordFormat::name), problems);
    let tombstones = table.optional("tombstones").map_or(Some(false), |item| item.choice(&TOMBSTONES));
    let isolation =
        table.optional("isolation").map_or(Some(KafkaIsolation::ReadCommitted), |item| item.choice(&ISOLATION));
    draft.schema = schema_of(table, format, problems);

    let group = match &group_item {
        None => Some(uses.group()),
        Some(item) => item.text().and_then(|group| match refuse_group(group) {
            None => Some(group.to_owned()),
            Some(reason) => {
                item.error(format!("a group {reason}"), "");
                None
            }
        }),
    };
    let mut allowed = true;
    for (place, topic) in topics.iter().flatten() {
        allowed &= uses.reads(place, connection.as_ref(), topic, problems);
    }
    let group_place = group_item.map_or_else(|| table.place.clone(), |item| item.place);
    if let Some(group) = &group {
        allowed &= uses.joins(&group_place, connection.as_ref(), group, problems);
    }
    let (Some(connection), Some(topics), Some(group)) = (connection, topics, group) else { return };
    let (Some(partitions), Some(start), Some(format)) = (partitions, start, format) else { return };
    let (Some(skip_tombstones), Some(isolation), Some(()), true) = (tombstones, isolation, until, allowed) else {
        return;
    };
    let (Some(on_out_of_range), Some(memory), Some(csv)) = (out_of_range, memory, csv) else { return };
    let mut config = KafkaSourceConfig::new(connection, "", group);
    (config.on_out_of_range, config.csv) = (on_out_of_range, csv);
    if let Some(bytes) = memory {
        config.memory_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    config.topics = topics.into_iter().map(|(_, topic)| topic.to_owned()).collect();
    (config.partitions, config.start, config.format) = (partitions, start, format);
    (config.skip_tombstones, config.isolation, config.until_end) = (skip_tombstones, isolation, until_end);
    draft.kind = Some(SourceKind::Kafka(Box::new(config)));
}

/// `topic` or `topics`, whichever stands there.
fn topics<'a>(table: &mut Table<'a>, problems: &Problems) -> Option<Vec<(Place, &'a str)>> {
    let written = match (table.optional("topic"), table.optional("topics")) {
        (Some(item), None) => vec![(item.place.clone(), item.text()?)],
        (None, Some(item)) => item.texts()?,
        (Some(_), Some(item)) => {
            item.error("`topic` is given as well", "leave out one of them");
            return None;
        }
        (None, None) => {
            let place = table.place.child("topic", table.place.offset);
            problems.error(&place, "missing", "name the topic, or several as `topics = [\"a\", \"b\"]`");
            return None;
        }
    };
    let mut complete = true;
    for (index, (place, topic)) in written.iter().enumerate() {
        complete &= kafka::topic_name(place, topic, problems);
        if written.iter().take(index).any(|(_, other)| other == topic) {
            problems.error(place, format!("`{}` is named twice", clip(topic)), "leave out one of them");
            complete = false;
        }
    }
    complete.then_some(written)
}

fn partitions(item: &Item<'_>) -> Option<KafkaPartitions> {
    let expected = "\"group\", \"all\", or a list of numbers from 0 such as [0, 1]";
    match item.value() {
        DeValue::String(_) => item.choice(&[("group", true), ("all", false)]).map(|group| match group {
            true => KafkaPartitions::Group,
            false => KafkaPartitions::All,
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
            Some(KafkaPartitions::List(numbers))
        }
        _ => item.wrong_type(expected),
    }
}

fn start(item: &Item<'_>) -> Option<KafkaStart> {
    let text = match item.value() {
        DeValue::Datetime(time) => time.to_string(),
        _ => item.text()?.to_owned(),
    };
    match text.as_str() {
        "earliest" => Some(KafkaStart::Earliest),
        "latest" => Some(KafkaStart::Latest),
        text => {
            // A time of day or a number would be taken for something else than is meant.
            let micros = parse_timestamp(text).ok().filter(|&micros| text.contains('-') && micros >= 0);
            if micros.is_none() {
                let help = "use `earliest`, `latest`, or a time such as `2024-01-31T00:00:00Z`";
                item.error(format!("`{}` is no place to start at", clip(text)), help);
            }
            micros.map(|micros| KafkaStart::Timestamp(micros / 1000))
        }
    }
}

fn schema_of(table: &mut Table<'_>, format: Option<RecordFormat>, problems: &Problems) -> Option<Arc<Schema>> {
    let Some(item) = table.optional("schema") else {
        if format == Some(RecordFormat::Raw) {
            return Schema::new(vec![Field::nullable("value", DataType::Binary)]).ok().map(Arc::new);
        }
        let help = "declare it, for example `schema = { delay = \"i64\", origin = \"utf8?\" }`";
        let place = table.place.child("schema", table.place.offset);
        problems.error(&place, "missing: records of a topic carry no schema", help);
        return None;
    };
    let schema = schema::declared(&item)?;
    let of_numbers = |format| matches!(format, RecordFormat::JsonLines | RecordFormat::Csv);
    if let Some(format) = format.filter(|format| !of_numbers(*format))
        && !schema::check_units(&item, &schema, format)
    {
        return None;
    }
    if let Some(reason) = format.and_then(|format| format.refuses(&schema)) {
        item.error(reason, "write for example `schema = { value = \"binary?\" }`, or leave it out");
        return None;
    }
    Some(schema)
}
