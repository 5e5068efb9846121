//! Queries as a whole: real guests between real sources and sinks.

mod accounts;
mod failures;
mod sharing;
mod support;
