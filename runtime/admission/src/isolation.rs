//! The lifetime of an instance.

/// What an instance keeps between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Isolation {
    /// Memory and globals, until a call fails.
    #[default]
    Reuse,
    /// Nothing: each batch gets a new instance.
    FreshPerBatch,
}
