//! The common part of reading and writing Kafka topics: connections, the options of librdkafka that a query file may set, the
//! meaning of error codes, and log lines without secrets. No type of the client is public here: settings are names and values.
//!
//! ```
//! use weir_kafka::{KafkaConnection, KafkaSide};
//!
//! let connection = KafkaConnection::new("localhost:9092").with("client.id", "late-flights");
//! connection.validate()?;
//! let settings = connection.settings(KafkaSide::Consumer);
//! assert!(settings.contains(&("bootstrap.servers".to_owned(), "localhost:9092".to_owned())));
//!
//! // An option that runs a command is refused, and so is one that is misspelt.
//! let error = connection.with("client.di", "x").validate().unwrap_err();
//! assert_eq!(error.to_string(), "options: `client.di` cannot be set: did you mean `client.id`?");
//! # Ok::<(), weir_kafka::KafkaConnectionError>(())
//! ```
//!
//! # The nouns
//!
//! **[`KafkaConnection`]**: brokers, and the options of librdkafka that a query file may set. None of these reads a file, runs a
//! command, loads code or weakens a delivery guarantee.
//!
//! **[`KafkaProblem`]**: why writing to a topic failed, and whether a retry may help. **[`ErrorCode`]**: an error code of a broker
//! or the client.
//!
//! **[`HiddenValues`]**: values of options that texts of the client must not show.

#[cfg(feature = "client")]
mod answer;
#[cfg(feature = "client")]
mod client;
#[cfg(not(feature = "client"))]
#[path = "client_absent.rs"]
mod client;
#[cfg(feature = "client")]
mod code;
#[cfg(not(feature = "client"))]
#[path = "code_absent.rs"]
mod code;
mod connection;
#[cfg(test)]
mod fault_tables;
mod group_offsets;
mod hidden;
mod illegible;
mod log;
mod names;
mod options;
mod problem;
#[cfg(all(test, feature = "client"))]
mod tests;

pub use code::ErrorCode;
pub use connection::{KafkaConnection, KafkaConnectionError};
pub use group_offsets::GroupOffsets;
pub use hidden::HiddenValues;
pub use illegible::{HeaderRef, hush_illegible_headers, legible, text};
pub use log::log_librdkafka;
pub use names::{refuse_group, refuse_topic};
pub use options::{KafkaOption, KafkaSide};
pub use problem::KafkaProblem;

/// Whether this program contains the client, and can therefore open topics: the feature `client`. Without it, settings can be read
/// and checked, except for values that only the client can check.
pub const HAS_CLIENT: bool = cfg!(feature = "client");
