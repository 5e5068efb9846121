//! What needs the client of Kafka: in programs with the feature `kafka` only.

mod backlog;
mod client;
mod context;
mod ended;
mod gather;
mod hand_over;
mod keeper;
mod kept;
mod lanes;
mod place;
mod poller;
mod scout;
mod source;
#[cfg(test)]
mod tests;
mod topic_id;

use super::*;

pub use self::backlog::Backlog;
pub use self::source::KafkaSource;
