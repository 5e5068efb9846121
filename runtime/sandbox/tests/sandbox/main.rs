//! The sandbox, tried with guests written by hand from the contract.

mod admission;
mod binding;
mod bounds;
mod cache;
mod caps;
mod fairness;
mod guests;
mod limits;
mod probes;
mod reading;
mod support;
mod worker;
