//! What the client says of single options.

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

/// Whether the client takes a value of an option; what it says of it, where it does not. Nothing is connected to.
pub(crate) fn try_option(name: &str, value: &str) -> Result<(), Option<String>> {
    match ClientConfig::new().set(name, value).create_native_config() {
        Ok(_) => Ok(()),
        Err(KafkaError::ClientConfig(_, description, ..)) => Err(Some(description)),
        Err(_) => Err(None),
    }
}
