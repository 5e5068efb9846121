//! The sandbox, tried with guests written by hand from the contract.

mod bounds;
mod fairness;
mod guests;
mod limits;
mod probes;
mod reading;
mod support;
#[cfg(target_os = "linux")]
mod window;
