//! Why a row fails.

use std::fmt::Display;

use crate::sys;

/// The code of a row's error that says none.
pub(crate) const DEFAULT_CODE: i32 = 1;

/// An error that tells rows apart by a code of its own.
///
/// A transform may return `Result<_, E>` for any `E` that is [`Display`]; such errors have the code 1. Implement
/// this for an error of several kinds, which a query, a dead letter or a dashboard is to tell apart.
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

/// An error whose code is wanted.
pub struct Coded<'e, E>(pub &'e E);

/// Asks a [`RowError`] for its code. Found by method resolution before [`CodeByDefault`].
pub trait CodeByTrait {
    /// The error's own code.
    fn code(&self) -> i32;
}

impl<E: RowError> CodeByTrait for Coded<'_, E> {
    fn code(&self) -> i32 {
        self.0.code()
    }
}

/// Gives every other error the default code.
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
