//! How a client is set up.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use weir_kafka::{KafkaConnection, KafkaSide};

/// What a client of this connection is made of. It is never printed: its `Debug` shows private keys.
pub(super) fn client_config(connection: &KafkaConnection, side: KafkaSide) -> ClientConfig {
    let mut config = ClientConfig::from_iter(connection.settings(side));
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}
