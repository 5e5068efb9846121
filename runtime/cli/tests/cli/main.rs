//! The `weir` command as its users meet it: real files in, what it prints and writes out.

mod admin;
mod code_cache;
mod commands;
mod common;
mod control;
mod control_socket;
mod crash;
mod dashboard;
mod dead_letters;
mod environment;
mod errors;
mod examples;
mod flights;
mod generate;
mod hostile_metrics;
mod lifecycle;
mod metrics;
mod new_crate;
mod promlint;
mod redteam;
mod served;
mod tenants;
mod unread;
mod worker_limits;
mod worker_size;
mod workers;
mod workers_default;
mod workers_kafka;
mod workers_killed;
#[cfg(debug_assertions)]
mod workers_lies;
mod workers_stop;
mod workers_streams;
mod workers_tiers;
