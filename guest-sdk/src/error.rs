//! Errors of rows.

use std::fmt::Display;

use crate::sys;

/// The code of an error that has no code of its own.
pub(crate) const DEFAULT_CODE: i32 = 1;

/// An error with a code that distinguishes its kinds.
///
/// A transform may return `Result<_, E>` for any `E` that is [`Display`]; such errors have the code 1. Implement this trait for an
/// error with several kinds that queries, dead letters or dashboards should distinguish.
///
/// ```
/// use weir_guest::prelude::*;
///
/// enum Implausible { Delay(i64), Distance(i64) }
///
/// impl std::fmt::Display for Implausible {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         match self {
///             Implausible::Delay(minutes) => write!(f, "a delay of {minutes} minutes"),
///             Implausible::Distance(miles) => write!(f, "a distance of {miles} miles"),
///         }
///     }
/// }
///
/// impl RowError for Implausible {
///     fn code(&self) -> i32 {
///         match self {
///             Implausible::Delay(_) => 2,
///             Implausible::Distance(_) => 3,
///         }
///     }
/// }
/// ```
pub trait RowError: Display {
    /// The error's code.
    fn code(&self) -> i32;
}

/// An error whose code is requested.
pub struct Coded<'e, E>(pub &'e E);

/// Returns the code of a [`RowError`]. Method resolution finds this before [`CodeByDefault`].
pub trait CodeByTrait {
    /// The error's own code.
    fn code(&self) -> i32;
}

impl<E: RowError> CodeByTrait for Coded<'_, E> {
    fn code(&self) -> i32 {
        self.0.code()
    }
}

/// Returns the default code for all other errors.
pub trait CodeByDefault {
    /// The default code.
    fn code(&self) -> i32;
}

impl<E> CodeByDefault for &Coded<'_, E> {
    fn code(&self) -> i32 {
        DEFAULT_CODE
    }
}

#[cold]
#[inline(never)]
pub(crate) fn report(row: u32, code: i32, error: &dyn Display) {
    sys::row_error(row, code, &error.to_string());
}
