//! What Kafka sources, sinks and dead letters have in common in a query file: brokers, options, topics.

use toml::de::DeValue;
use weir_kafka::{KafkaConnection, KafkaSide};

use super::kafka_uses::TopicUses;
use super::problem::{Place, Problems, clip, nearest};
use super::table::{Item, Table};
use weir_kafka::refuse_topic;

/// Reads `brokers` and `options` for a client of this side.
pub(super) fn connection(
    table: &mut Table<'_>,
    side: KafkaSide,
    uses: &TopicUses<'_>,
    problems: &Problems,
) -> Option<KafkaConnection> {
    let item = table.required("brokers", "name at least one, for example `brokers = \"localhost:9092\"`");
    let brokers = item.and_then(|item| brokers(&item, uses, problems));
    let mut connection = KafkaConnection::new(brokers.clone().unwrap_or_default().join(","));
    let mut complete = brokers.is_some();
    let options_item = table.optional("options");
    if let Some(options) = options_item.as_ref().and_then(Item::table) {
        for (name, item) in options.items() {
            match option(name, &item, side) {
                Some(value) => connection = connection.with(name, value),
                None => complete = false,
            }
        }
    }
    // Each is right by itself: do they go together?
    if let (Some(item), true, Err(error)) = (&options_item, complete, connection.validate()) {
        item.error(error.reason, "");
        complete = false;
    }
    complete.then_some(connection)
}

fn brokers(item: &Item<'_>, uses: &TopicUses<'_>, problems: &Problems) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut complete = true;
    for (place, written) in item.texts()? {
        for broker in written.split(',').map(str::trim) {
            if let Err(error) = KafkaConnection::new(broker).validate() {
                problems.error(&place, error.reason, "write for example `localhost:9092`");
                complete = false;
            } else {
                complete &= uses.broker(&place, broker, problems);
                all.push(broker.to_owned());
            }
        }
    }
    complete.then_some(all)
}

fn option(name: &str, item: &Item<'_>, side: KafkaSide) -> Option<String> {
    let allowed = || KafkaConnection::allowed_options().iter().filter(|it| concerns(it.side, side));
    if !allowed().any(|it| it.name == name) {
        let known = KafkaConnection::allowed_options().iter().any(|it| it.name == name);
        let message = match known {
            true => format!(
                "option `{}` is of {}",
                clip(name),
                if side == KafkaSide::Consumer { "sinks" } else { "sources" }
            ),
            false => format!("option `{}` cannot be set here", clip(name)),
        };
        let dotted = matches!(item.value(), DeValue::Table(_)) && !name.contains('.');
        let help = match (dotted, known) {
            (true, _) => {
                "write an option's whole name in quotes, for example `\"security.protocol\" = \"SSL\"`".to_owned()
            }
            (false, true) => "leave it out".to_owned(),
            (false, false) => match nearest(name, allowed().map(|it| it.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "the options that can be set stand in QUERY.md".to_owned(),
            },
        };
        item.error(message, help);
        return None;
    }
    let value = match item.value() {
        DeValue::String(text) => text.to_string(),
        // In digits, however it is written.
        DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
            .map_or_else(|_| integer.to_string(), |value| value.to_string()),
        DeValue::Boolean(value) => value.to_string(),
        _ => return item.wrong_type("a string, a number, true or false, or `{ env = \"NAME\" }`"),
    };
    match KafkaConnection::validate_option(name, &value) {
        Ok(()) => Some(value),
        Err(error) => {
            item.error(error.reason, "");
            None
        }
    }
}

fn concerns(option: KafkaSide, side: KafkaSide) -> bool {
    option == KafkaSide::Both || option == side
}

/// Whether this can be a topic's name; or the reason why not, reported.
pub(super) fn topic_name(place: &Place, topic: &str, problems: &Problems) -> bool {
    let refused = refuse_topic(topic);
    if let Some(reason) = refused {
        problems.error(place, format!("`{}` cannot be a topic: it {reason}", clip(topic)), "");
    }
    refused.is_none()
}
