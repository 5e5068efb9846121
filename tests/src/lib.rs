//! End to end tests of Weir, and what they share.
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

mod guests;

pub use guests::{GuestMissing, guest_module, guest_path, guest_rustc};
