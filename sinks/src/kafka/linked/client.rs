//! How a client is set up.

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::RDKafkaErrorCode as Code;
use weir_kafka::{ErrorCode, KafkaConnection, KafkaProblem, KafkaSide};

/// What a client of this connection is made of. It is never printed: its `Debug` shows private keys.
pub(super) fn client_config(connection: &KafkaConnection, side: KafkaSide) -> ClientConfig {
    let mut config = ClientConfig::from_iter(connection.settings(side));
    config.set_log_level(RDKafkaLogLevel::Info);
    config
}

/// An error code of the client, as contracts have it.
pub(super) fn code_of(code: Code) -> ErrorCode {
    ErrorCode::of_librdkafka(code as i32)
}

/// The meaning of an error code of the client.
pub(super) fn problem_of(code: Code) -> KafkaProblem {
    KafkaProblem::of(code_of(code))
}
