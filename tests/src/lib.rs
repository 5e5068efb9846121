//! End-to-end tests of Weir, and their common parts.
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

mod broker;
mod exposition;
mod guests;
mod multiset;
mod process;
mod receiver;
mod wait;
mod weir;

pub use broker::{Broker, Isolation, Received, Record, drain};
pub use exposition::{Exposition, Sample};
pub use guests::{ECHO_SCHEMA, GuestMissing, echo_stage, guest_module, guest_path, guest_rustc, query_of_texts};
pub use multiset::{assert_same, difference, multiset};
pub use receiver::{Export, Receiver, Request, number_of, said, text_of};
pub use wait::{wait_for, wait_until};
pub use weir::{Weir, WeirProcess};
