//! The common part of Kafka sources, sinks and dead letters: brokers, options, topics.

use weir_config::{ConnectionKeys, KeyPlace, OptionDraft, OptionText, Problems, WrittenText, clip, nearest};
use weir_kafka::{KafkaConnection, KafkaSide};

use super::context::Context;
use weir_kafka::refuse_topic;

/// The connection for a client of this side.
pub(super) fn connection(keys: &ConnectionKeys, side: KafkaSide, cx: &Context<'_>) -> Option<KafkaConnection> {
    let brokers = keys.brokers.value.as_ref().and_then(|written| brokers(written, cx));
    let mut connection = KafkaConnection::new(brokers.clone().unwrap_or_default().join(","));
    let mut complete = brokers.is_some();
    if let Some((place, options)) = keys.options.given() {
        for draft in options {
            match option(draft, side, cx.problems) {
                Some(value) => connection = connection.with(&draft.name, value),
                None => complete = false,
            }
        }
        // Each option is valid by itself: check their combination.
        if let (true, Err(error)) = (complete, connection.validate()) {
            cx.problems.error(place, error.reason, "");
            complete = false;
        }
    }
    complete.then_some(connection)
}

fn brokers(written: &[WrittenText], cx: &Context<'_>) -> Option<Vec<String>> {
    let mut all = Vec::new();
    let mut complete = true;
    for WrittenText { place, text } in written {
        for broker in text.split(',').map(str::trim) {
            if let Err(error) = KafkaConnection::new(broker).validate() {
                cx.problems.error(place, error.reason, "write for example `localhost:9092`");
                complete = false;
            } else {
                complete &= cx.topics.broker(place, broker);
                all.push(broker.to_owned());
            }
        }
    }
    complete.then_some(all)
}

fn option(OptionDraft { place, name, value }: &OptionDraft, side: KafkaSide, problems: &Problems) -> Option<String> {
    let allowed = || KafkaConnection::allowed_options().iter().filter(|it| concerns(it.side, side));
    if !allowed().any(|it| it.name == name) {
        let known = KafkaConnection::allowed_options().iter().any(|it| it.name == name);
        let message = match known {
            true => format!(
                "option `{}` is for {}",
                clip(name),
                if side == KafkaSide::Consumer { "sinks" } else { "sources" }
            ),
            false => format!("option `{}` cannot be set here", clip(name)),
        };
        let dotted = matches!(value, OptionText::Wrong { table: true, .. }) && !name.contains('.');
        let help = match (dotted, known) {
            (true, _) => {
                "write the whole option name in quotes, for example `\"security.protocol\" = \"SSL\"`".to_owned()
            }
            (false, true) => "remove it".to_owned(),
            (false, false) => match nearest(name, allowed().map(|it| it.name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see QUERY.md for the allowed options".to_owned(),
            },
        };
        problems.error(place, message, help);
        return None;
    }
    let value = match value {
        OptionText::Text(text) => text,
        OptionText::Wrong { message, help, .. } => {
            // A mistake in an environment variable has been reported.
            if !message.is_empty() {
                problems.error(place, message, help);
            }
            return None;
        }
    };
    match KafkaConnection::validate_option(name, value) {
        Ok(()) => Some(value.clone()),
        Err(error) => {
            problems.error(place, error.reason, "");
            None
        }
    }
}

fn concerns(option: KafkaSide, side: KafkaSide) -> bool {
    option == KafkaSide::Both || option == side
}

/// Whether the name of a topic is valid; otherwise reports the reason.
pub(super) fn topic_name(place: &KeyPlace, topic: &str, problems: &Problems) -> bool {
    let refused = refuse_topic(topic);
    if let Some(reason) = refused {
        problems.error(place, format!("invalid topic `{}`: it {reason}", clip(topic)), "");
    }
    refused.is_none()
}
