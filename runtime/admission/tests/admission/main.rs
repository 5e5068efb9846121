//! Modules written by hand from the contract: which are admitted, the errors of the others, and where code comes from.

mod admission;
mod binding;
mod by_hand;
mod cache;
mod caps;
mod support;
mod worker;
