//! Says who has to act on an error. Every public error type of the libraries has two methods:
//!
//! ```
//! use weir_fault::Fault;
//!
//! #[derive(Debug)]
//! enum Refused {
//!     UnknownTopic,
//!     TimedOut,
//! }
//!
//! impl Refused {
//!     /// Who has to act.
//!     fn fault(&self) -> Fault {
//!         match self {
//!             Refused::UnknownTopic => Fault::Tenant,
//!             Refused::TimedOut => Fault::External,
//!         }
//!     }
//!
//!     /// Whether the same call may succeed later.
//!     fn retryable(&self) -> bool {
//!         matches!(self, Refused::TimedOut)
//!     }
//! }
//!
//! assert_eq!(
//!     weir_fault::table![Refused::UnknownTopic, Refused::TimedOut],
//!     "UnknownTopic: tenant\nTimedOut: external, retryable\n"
//! );
//! ```
//!
//! `cargo xtask invariants` reports public error types that lack one of them.

use std::fmt;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The tenant, who wrote the module, the query or its settings.
    Tenant,
    /// The operator of this machine or of another system, or whoever produced the data.
    External,
    /// The developers of Weir. No input of a tenant should lead here.
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

/// For tests: one line per error, with its variant, its fault, and whether it is retryable.
#[macro_export]
macro_rules! table {
    ($($error:expr),* $(,)?) => {{
        let mut table = String::new();
        $({
            let error = $error;
            table.push_str(&$crate::line(&error, error.fault(), error.retryable()));
        })*
        table
    }};
}

/// A line of [`table!`].
#[doc(hidden)]
pub fn line(error: &dyn fmt::Debug, fault: Fault, retryable: bool) -> String {
    let debug = format!("{error:?}");
    let variant = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("{variant}: {fault}{}\n", if retryable { ", retryable" } else { "" })
}
