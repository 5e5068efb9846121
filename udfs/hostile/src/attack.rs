//! One attack, and what a host that withstands it does.

use crate::Target;

/// One attack on a host.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Its row in the catalogue, from 1.
    pub row: u8,
    /// Its name, as of its file: `endless_loop`.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What it is aimed at.
    pub class: Class,
    /// What a host that withstands it does.
    pub expect: Expect,
    /// The bytes that are handed in, made to go just beyond what this target allows.
    pub bytes: fn(&Target) -> Vec<u8>,
}

/// What an attack is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The cores, while a guest runs.
    Cpu,
    /// Memory, tables and stacks.
    Memory,
    /// The compiler.
    Compile,
    /// What decides whether a module is admitted.
    Upload,
    /// The host functions.
    Border,
    /// What goes on to sinks.
    Output,
    /// Logs and metrics.
    Speech,
    /// The host's own life: traps, panics, leftovers.
    Life,
    /// What the host does outside guests: decoding, files, pipes, stops. No module attacks it.
    Host,
}

impl Class {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Cpu => "cpu",
            Class::Memory => "memory",
            Class::Compile => "compile",
            Class::Upload => "upload",
            Class::Border => "border",
            Class::Output => "output",
            Class::Speech => "speech",
            Class::Life => "life",
            Class::Host => "host",
        }
    }
}

/// What a host that withstands an attack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It does not admit the module, for one of these reasons.
    Refused(&'static [&'static str]),
    /// It admits the module, and ends the guest by one of these codes, in the first batch or a later one.
    Ended(&'static [&'static str]),
    /// It gives the guest the statuses that the contract states. The guest compares them by itself, and answers its
    /// batches with 0 where all were right, else with the number of the first that was not.
    Answered,
}
