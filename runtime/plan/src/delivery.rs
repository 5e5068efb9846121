//! Checks delivery guarantees: which sources and sinks can commit atomically.

use std::time::Duration;

use weir_config::{Guarantee, KeyPlace, Problems};
use weir_sinks::{KafkaCompression, KafkaSinkConfig, SinkConfig, TransactionSettings};

use super::plan::Delivery;
use super::sink::SinkPart;
use super::source::SourcePart;
use super::source_plan::SourceKind;

/// The places of the keys in `[delivery]`.
pub(super) struct DeliveryPlaces {
    pub(super) guarantee: KeyPlace,
    pub(super) state: KeyPlace,
    pub(super) transactional_id: KeyPlace,
    pub(super) commit_ms: KeyPlace,
}

/// The destination of dead letters, as far as it could be read.
pub(super) enum Letters<'a> {
    Nowhere,
    File(KeyPlace),
    Kafka(KeyPlace, &'a KafkaSinkConfig),
}

/// The commit interval of a query that sets none but cannot wait for its end: because a topic has no end, or a transaction would
/// time out.
pub(super) fn commits_by_itself(delivery: &Delivery, sources: &[SourcePart]) -> Option<Duration> {
    const EVERY: Duration = Duration::from_secs(1);
    let endless = sources.iter().any(|source| match &source.kind {
        Some(SourceKind::Kafka(config)) => !config.until_end || delivery.guarantee == Guarantee::ExactlyOnce,
        _ => false,
    });
    endless.then_some(EVERY)
}

/// Refuses combinations that cannot be committed atomically, with the reason.
pub(super) fn check(
    delivery: &Delivery,
    places: &DeliveryPlaces,
    sources: &[SourcePart],
    sinks: &[SinkPart],
    letters: &Letters<'_>,
    problems: &Problems,
) {
    for place in sources.iter().filter(|_| delivery.state.is_none()).filter_map(|source| source.follows.as_ref()) {
        let message = "without a `state`, no position in the file is stored, so a change cannot be followed";
        let help = "add, for example, `state = \"state/late\"` to `[delivery]`, or remove `on_change`";
        problems.error(place, message, help);
    }
    if delivery.guarantee != Guarantee::ExactlyOnce {
        if delivery.transactional_id.is_some() {
            let help = "remove it, or set `guarantee = \"exactly_once\"`";
            problems.error(&places.transactional_id, "`at_least_once` uses no transactions", help);
        }
        return;
    }
    for sink in sinks {
        if let Some(SinkConfig::Stdout(_)) = sink.config {
            let message = "`exactly_once` is impossible here: standard output cannot take back records";
            problems.error(&sink.place, message, "write to a file or a topic, or use `at_least_once`");
        }
    }
    let first_topic = sinks.iter().find_map(|sink| match &sink.config {
        Some(SinkConfig::Kafka(config)) => Some((sink, config)),
        _ => None,
    });
    match first_topic {
        Some((first, config)) => {
            let brokers = &config.connection.brokers;
            to_kafka(delivery, places, (sources, sinks), (&first.name, brokers), problems);
            one_producer(sinks, (&first.name, config), problems);
            in_time(delivery, places, &first.place, config, problems);
            match letters {
                Letters::Nowhere => {}
                Letters::Kafka(place, letters) if same_brokers(&letters.connection.brokers, brokers) => {
                    letters_of_the_producer(place, letters, (&first.name, config), problems);
                }
                Letters::Kafka(place, _) | Letters::File(place) => {
                    let message = "`exactly_once` is impossible: these dead letters are not part of the transaction of the topics that the query writes";
                    problems.error(place, message, format!("write them to a topic on `{brokers}`"));
                }
            }
        }
        None => {
            to_files(delivery, places, sources, problems);
            if let Letters::Kafka(place, _) = letters {
                let message = "`exactly_once` is impossible: a topic and the manifest of files are committed in two steps, and a crash may come between them";
                problems.error(place, message, "keep dead letters in a file: `path = \"dead/letters.jsonl\"`");
            }
        }
    }
}

/// Output and positions are in one Kafka transaction.
fn to_kafka(
    delivery: &Delivery,
    places: &DeliveryPlaces,
    (sources, sinks): (&[SourcePart], &[SinkPart]),
    (first, brokers): (&str, &str),
    problems: &Problems,
) {
    for sink in sinks {
        match &sink.config {
            Some(SinkConfig::File(_)) => {
                let message = format!(
                    "`exactly_once` is impossible: this file and the topic of `{first}` are committed in two steps, and a crash may come between them"
                );
                let help =
                    "use two queries: one that writes the topic, and one that reads the topic and writes the file";
                problems.error(&sink.place, message, help);
            }
            Some(SinkConfig::Kafka(config)) if !same_brokers(&config.connection.brokers, brokers) => {
                let message = format!(
                    "`exactly_once` is impossible: a transaction is limited to one cluster, but `{first}` is on `{brokers}`"
                );
                problems.error(&sink.place, message, "use a separate query for each cluster");
            }
            _ => {}
        }
    }
    for source in sources {
        match &source.kind {
            Some(SourceKind::Kafka(config)) if same_brokers(&config.connection.brokers, brokers) => {}
            Some(SourceKind::Kafka(config)) => {
                let message = format!(
                    "`exactly_once` is impossible: a transaction is limited to one cluster, but `{first}` is on `{brokers}`, this on `{}`",
                    config.connection.brokers
                );
                problems.error(&source.place, message, "use the same brokers, or use `at_least_once`");
            }
            Some(_) => {
                let message = format!(
                    "`exactly_once` is impossible: its positions cannot be part of the Kafka transaction of `{first}`"
                );
                let help = "use `at_least_once`, or write to files, whose manifest holds any source's positions";
                problems.error(&source.place, message, help);
            }
            None => {}
        }
    }
    if delivery.state.is_some() {
        let message = "the consumer group stores the positions, in the transaction";
        problems.error(&places.state, message, "remove `state`");
    }
}

/// A transaction has one producer, which has one set of settings.
fn one_producer(sinks: &[SinkPart], (first, theirs): (&str, &KafkaSinkConfig), problems: &Problems) {
    for sink in sinks {
        let Some(SinkConfig::Kafka(ours)) = &sink.config else { continue };
        let differ = [
            ("partitioner", ours.partitioner.librdkafka_name() != theirs.partitioner.librdkafka_name()),
            ("compression", ours.compression != theirs.compression),
            ("delivery_timeout_ms", ours.delivery_timeout != theirs.delivery_timeout),
            ("options", ours.connection.options != theirs.connection.options),
        ];
        for (key, _) in differ.into_iter().filter(|(_, differ)| *differ) {
            let message = format!("all topics of a transaction share one producer, but `{first}` has another `{key}`");
            problems.error(
                &sink.place.child(key, sink.place.offset),
                message,
                "set the same value in both, or in neither",
            );
        }
    }
}

/// The transaction's producer writes the letters: their own settings would be ignored.
fn letters_of_the_producer(
    place: &KeyPlace,
    letters: &KafkaSinkConfig,
    (first, theirs): (&str, &KafkaSinkConfig),
    problems: &Problems,
) {
    let options = !letters.connection.options.is_empty() && letters.connection.options != theirs.connection.options;
    let compression = letters.compression != KafkaCompression::default() && letters.compression != theirs.compression;
    for (key, _) in [("options", options), ("compression", compression)].into_iter().filter(|(_, differ)| *differ) {
        let message =
            format!("the producer of the transaction writes these dead letters, but `{first}` has another `{key}`");
        problems.error(
            &place.child(key, place.offset),
            message,
            format!("remove it, or set the same value as in `{first}`"),
        );
    }
}

/// The broker aborts a transaction that is open too long: no commit would ever succeed.
fn in_time(
    delivery: &Delivery,
    places: &DeliveryPlaces,
    sink: &KeyPlace,
    config: &KafkaSinkConfig,
    problems: &Problems,
) {
    let timeout = config.transaction_timeout().unwrap_or(TransactionSettings::default().timeout);
    // librdkafka would report this only when the query runs.
    let option =
        |name: &str| config.connection.options.get(name).and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    for (key, name, value, more) in [
        ("options", "`message.timeout.ms`", option("message.timeout.ms"), 0),
        ("options", "`socket.timeout.ms`", option("socket.timeout.ms"), 100),
        ("delivery_timeout_ms", "a record's time", config.delivery_timeout, 0),
    ] {
        if value.is_some_and(|value| value > timeout + Duration::from_millis(more)) {
            let message = format!(
                "{name} is longer than the transaction's time-out, `\"transaction.timeout.ms\"` (60000 unless it is set)"
            );
            let help = "lower it, or raise `\"transaction.timeout.ms\"` in the sink's `options`";
            problems.error(&sink.child(key, sink.offset), message, help);
        }
    }
    if let Some(every) = delivery.commit_every.filter(|every| *every >= timeout) {
        // An error in the option itself has been reported.
        let given = config.connection.options.contains_key("transaction.timeout.ms");
        let after = if given {
            "the time of `\"transaction.timeout.ms\"`".to_owned()
        } else {
            format!("{} ms", timeout.as_millis())
        };
        let message = format!(
            "the broker aborts a transaction after {after}, but this query commits after {} ms",
            every.as_millis()
        );
        let help = "commit more often, or set the sink's option `\"transaction.timeout.ms\"` to a larger value";
        problems.error(&places.commit_ms, message, help);
    }
}

/// Files and positions are in one manifest.
fn to_files(delivery: &Delivery, places: &DeliveryPlaces, sources: &[SourcePart], problems: &Problems) {
    if delivery.state.is_none() {
        let help = "add, for example, `state = \"state/late\"`, a folder for this query only";
        problems.error(&places.guarantee, "`exactly_once` needs a `state` folder for the manifest of its files", help);
    }
    if delivery.transactional_id.is_some() {
        let message = "the query writes files, which are not part of a Kafka transaction";
        problems.error(&places.transactional_id, message, "remove it");
    }
    for source in sources {
        if !source.readable_again {
            let message =
                "`exactly_once` is impossible: records that were read from it but not committed cannot be read again";
            problems.error(&source.place, message, "read a regular file, or use `at_least_once`");
        }
        if source.kind.as_ref().is_some_and(SourceKind::kept_by_group) {
            let message = "`exactly_once` to files requires all partitions in this process: the manifest stores their positions, but the consumer group may assign partitions to others";
            problems.error(&source.place, message, "set `partitions = \"all\"`, or a list of them");
        }
    }
}

/// Whether two lists name the same brokers, in any order.
pub(super) fn same_brokers(one: &str, other: &str) -> bool {
    let sorted = |list: &str| {
        let mut brokers: Vec<String> = list.split(',').map(|broker| broker.trim().to_lowercase()).collect();
        brokers.sort_unstable();
        brokers
    };
    sorted(one) == sorted(other)
}
