//! Queries as a whole: real guests between real sources and sinks.

mod accounts;
mod codes;
mod failures;
mod guests;
mod held_back;
mod limits;
mod narrowing;
mod sharing;
mod state;
mod support;
mod tenants;
mod traces;
