//! Whose fault an error is.

use std::fmt;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The module, its function or its query.
    Tenant,
    /// The machine or another system, at this moment: the same call may succeed later.
    External,
    /// This program. Nothing that a tenant hands in should lead here.
    Internal,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fault::Tenant => "tenant",
            Fault::External => "external",
            Fault::Internal => "internal",
        })
    }
}
