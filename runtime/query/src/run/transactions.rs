//! What the Kafka transactions of a plan are opened with, and what they are called by.

use weir_kafka::KafkaConnection;
use weir_sinks::{KafkaSinkConfig, SinkConfig, TransactionSettings};

use weir_plan::{DeadLettersPlan, Guarantee, Plan};

/// What the query's Kafka transactions are opened with, where it has any.
pub(crate) fn transactions(plan: &Plan) -> Option<(KafkaConnection, TransactionSettings)> {
    if plan.delivery.guarantee != Guarantee::ExactlyOnce {
        return None;
    }
    let config = plan.sinks.iter().find_map(|sink| match &sink.config {
        SinkConfig::Kafka(config) => Some(config),
        _ => None,
    })?;
    let mut topics: Vec<String> = kafka_configs(plan).map(|config| config.topic.clone()).collect();
    topics.sort_unstable();
    topics.dedup();
    let mut settings = TransactionSettings::default();
    settings.timeout = config.transaction_timeout().unwrap_or(settings.timeout);
    settings.partitioner = config.partitioner;
    settings.compression = config.compression;
    settings.delivery_timeout = config.delivery_timeout;
    settings.topics = topics;
    settings.refusals = config.refusals.clone();
    Some((config.connection.clone(), settings))
}

/// The settings of every topic that it writes, dead letters too.
fn kafka_configs(plan: &Plan) -> impl Iterator<Item = &KafkaSinkConfig> {
    let sinks = plan.sinks.iter().filter_map(|sink| match &sink.config {
        SinkConfig::Kafka(config) => Some(&**config),
        _ => None,
    });
    let letters = plan.dead_letters.iter().filter_map(|letters| match letters {
        DeadLettersPlan::Kafka(config) => Some(&**config),
        DeadLettersPlan::File(_) => None,
    });
    sinks.chain(letters)
}

/// Draws conclusions from what brokers refused, before everything is opened again. Says whether something new is known,
/// so that another attempt gets further.
pub(super) fn learn_refusals(plan: &Plan) -> bool {
    // Each has a memory of its own, unless they share a transaction.
    kafka_configs(plan).filter(|config| config.refusals.learn()).count() > 0
}

/// What the file calls its transactions by, or all that it calls its own: the beginning of each process's id.
pub(crate) fn transactions_name(plan: &Plan) -> String {
    plan.delivery.transactional_id.clone().unwrap_or_else(|| format!("{}.{}", plan.tenant, plan.name))
}

/// Whether its transactions are called by the slot that its process has among those of its host.
pub(super) fn has_slot(plan: &Plan) -> bool {
    plan.delivery.transactional_id.is_none() && transactions(plan).is_some()
}
