//! Brokers that the tenant may not reach, found before a query runs.

use std::time::Duration;

use weir_kafka::KafkaConnection;
use weir_plan::{DeadLettersPlan, Plan, SourceKind};
use weir_sinks::SinkConfig;

use crate::network::Connections;

/// The port of a broker that is written without one, as librdkafka has it.
const PORT: u16 = 9092;

/// How long the answers are waited for. A refusal by address comes as soon as the name is resolved; brokers that do not answer are
/// waited for by the query itself.
const WAIT: Duration = Duration::from_secs(5);

/// What is wrong where the tenant may reach none of the brokers of a connection: such a query would wait for ever. A query that may
/// reach one of them runs: the log names the others.
pub(crate) async fn out_of_reach(plan: &Plan, connections: &Connections) -> Option<String> {
    for (key, connection) in used(plan) {
        let brokers: Vec<(String, u16)> =
            connection.brokers.split(',').filter_map(|broker| split(broker.trim())).collect();
        let asked: Vec<_> = brokers
            .into_iter()
            .map(|(host, port)| {
                let connections = connections.clone();
                tokio::task::spawn_blocking(move || connections.connect(&host, port))
            })
            .collect();
        let mut denied = Vec::new();
        for asked in asked {
            match tokio::time::timeout(WAIT, asked).await {
                Ok(Ok(Err(refused))) if refused.is_denied() => denied.push(refused.text),
                // Reached, or not reached for a reason that may pass.
                _ => {
                    denied.clear();
                    break;
                }
            }
        }
        if let Some(text) = denied.into_iter().next() {
            return Some(format!("{key}.brokers: {text}"));
        }
    }
    None
}

/// The connections of a plan with their keys, each cluster once.
fn used(plan: &Plan) -> Vec<(String, &KafkaConnection)> {
    let mut all: Vec<(String, &KafkaConnection)> = Vec::new();
    let sources = plan.sources.iter().filter_map(|source| match &source.kind {
        SourceKind::Kafka(config) => Some((format!("sources.{}", source.name), &config.connection)),
        _ => None,
    });
    let sinks = plan.sinks.iter().filter_map(|sink| match &sink.config {
        SinkConfig::Kafka(config) => Some((format!("sinks.{}", sink.name), &config.connection)),
        _ => None,
    });
    let letters = match &plan.dead_letters {
        Some(DeadLettersPlan::Kafka(config)) => Some(("dead_letters".to_owned(), &config.connection)),
        _ => None,
    };
    for (key, connection) in sources.chain(sinks).chain(letters) {
        if all.iter().all(|(_, other)| other.brokers != connection.brokers) {
            all.push((key, connection));
        }
    }
    all
}

/// Host and port of `kafka-1:9092`, `[::1]:9092`, or a host without a port.
fn split(broker: &str) -> Option<(String, u16)> {
    let (host, port) = match broker.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (broker, PORT),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Some((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let check =
            |broker: &str, host: &str, port| assert_eq!(split(broker), Some((host.to_owned(), port)), "{broker}");
        check("kafka-1:9093", "kafka-1", 9093);
        check("kafka-1", "kafka-1", 9092);
        check("[::1]:9093", "::1", 9093);
        check("[::1]", "::1", 9092);
        assert_eq!(split("kafka-1:70000"), None);
    }
}
