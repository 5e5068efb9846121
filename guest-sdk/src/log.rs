//! The tenant's log.

use std::fmt::Arguments;

use crate::sys;

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something is wrong.
    Error = 1,
    /// Something may be wrong.
    Warn = 2,
    /// Something happened.
    Info = 3,
    /// For the author of the function.
    Debug = 4,
}

/// Writes a line. Use the macros [`error!`](crate::error!), [`warn!`](crate::warn!), [`info!`](crate::info!) and
/// [`debug!`](crate::debug!).
pub fn log(level: Level, line: Arguments<'_>) {
    match line.as_str() {
        Some(line) => sys::log(level as i32, line),
        None => sys::log(level as i32, &line.to_string()),
    }
}

/// Writes a line with the level error to the tenant's log; in native builds, to stderr.
#[macro_export]
macro_rules! error {
    ($($argument:tt)+) => { $crate::log($crate::Level::Error, ::core::format_args!($($argument)+)) };
}

/// Writes a line with the level warn to the tenant's log; in native builds, to stderr.
#[macro_export]
macro_rules! warn {
    ($($argument:tt)+) => { $crate::log($crate::Level::Warn, ::core::format_args!($($argument)+)) };
}

/// Writes a line with the level info to the tenant's log; in native builds, to stderr.
#[macro_export]
macro_rules! info {
    ($($argument:tt)+) => { $crate::log($crate::Level::Info, ::core::format_args!($($argument)+)) };
}

/// Writes a line with the level debug to the tenant's log; in native builds, to stderr.
#[macro_export]
macro_rules! debug {
    ($($argument:tt)+) => { $crate::log($crate::Level::Debug, ::core::format_args!($($argument)+)) };
}
