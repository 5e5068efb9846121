//! What the tests of Kafka stand on: the brokers, and the oracle that writes and reads beside the code under test.

mod command;
mod life;
mod records;
mod support;
mod traces;
mod transactions;
