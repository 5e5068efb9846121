//! What Kafka sources, sinks and dead letters have in common in a query file: brokers, options, topics.

use toml::de::DeValue;
use weir_sinks::{KafkaConnection, KafkaSide};

use super::kafka_uses::TopicUses;
use super::problem::{Place, Problems, clip, nearest};
use super::table::{Item, Table};
use crate::source::refuse_topic;

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
    if let Some(options) = table.optional("options").and_then(|item| item.table()) {
        for (name, item) in options.items() {
            match option(name, &item, side, uses, problems) {
                Some(value) => connection = connection.with(name, value),
                None => complete = false,
            }
        }
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

fn option(name: &str, item: &Item<'_>, side: KafkaSide, uses: &TopicUses<'_>, problems: &Problems) -> Option<String> {
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
    let (value, from_env) = match item.value() {
        DeValue::String(text) => (text.to_string(), false),
        DeValue::Integer(integer) => (integer.to_string(), false),
        DeValue::Boolean(value) => (value.to_string(), false),
        DeValue::Table(_) => (of_environment(item, uses, problems)?, true),
        _ => return item.wrong_type("a string, a number, true or false, or `{ env = \"NAME\" }`"),
    };
    match KafkaConnection::new("any:1").with(name, value.as_str()).validate() {
        Ok(()) => Some(value),
        // What the library says may repeat the value.
        Err(_) if from_env => {
            item.error("the variable's value is none that this option takes", "");
            None
        }
        Err(error) => {
            item.error(error.reason, "");
            None
        }
    }
}

fn concerns(option: KafkaSide, side: KafkaSide) -> bool {
    option == KafkaSide::Both || option == side
}

/// Reads `{ env = "NAME" }`.
fn of_environment(item: &Item<'_>, uses: &TopicUses<'_>, problems: &Problems) -> Option<String> {
    let mut table = item.table()?;
    let name_item = table.required("env", "write `{ env = \"NAME\" }`, the name of a variable of the environment");
    table.finish("a value of the environment");
    let name_item = name_item?;
    let name = name_item.text()?;
    if name.contains(['=', '\0']) {
        name_item.error(format!("`{}` cannot be a variable's name", clip(name)), "");
        return None;
    }
    if !uses.env(&name_item.place, name, problems) {
        return None;
    }
    match std::env::var(name) {
        Ok(value) => Some(value),
        Err(std::env::VarError::NotPresent) => {
            name_item.error(
                format!("the environment has no variable `{}`", clip(name)),
                "set it before the query is loaded",
            );
            None
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            name_item.error(format!("the variable `{}` is not UTF-8", clip(name)), "");
            None
        }
    }
}

/// Whether this can be a topic's name; or the reason why not, reported.
pub(super) fn topic_name(place: &Place, topic: &str, problems: &Problems) -> bool {
    let refused = refuse_topic(topic);
    if let Some(reason) = refused {
        problems.error(place, format!("`{}` cannot be a topic: it {reason}", clip(topic)), "");
    }
    refused.is_none()
}
