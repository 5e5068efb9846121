//! Checks single options with the client.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// Checks whether the client accepts a value of an option; the error is the client's. Does not connect.
pub(crate) fn try_option(name: &str, value: &str) -> Result<(), Option<String>> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, description, ..)) => Err(Some(description)),
        Err(_) => Err(None),
    }
}
