//! An attack on the host, as the list of them has it.

use super::arena::Arena;

/// An attack on the host, by a process.
#[derive(Clone, Copy, Debug)]
pub struct HostAttack {
    /// The row of the catalogue of attacks on the host: `H1`.
    pub row: &'static str,
    /// The name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What becomes of the attacker.
    pub expected: Expectation,
    /// Whether the attackers' queries do not end by themselves.
    pub(super) stops: bool,
    /// Whether nobody reads what the process says.
    pub(super) unread: bool,
    /// Whether an attacker's worker may end: its limits leave it no other way.
    pub(super) may_end: bool,
    pub(super) arrange: fn(&Arena) -> std::io::Result<()>,
}

/// What an attacker should get.
#[derive(Clone, Copy, Debug)]
pub enum Expectation {
    /// An error of the process that holds this text.
    Says(&'static str),
    /// Nothing in particular: only that the others are well.
    Contained,
}
