//! What the tests of Kafka stand on: the brokers, and the oracle that writes and reads beside the code under test.

mod command;
mod csv;
mod generations;
mod lag;
mod letters;
mod life;
mod older;
mod range;
mod records;
mod sizes;
mod start;
mod state;
mod support;
mod traces;
mod transactions;
mod waiting;
