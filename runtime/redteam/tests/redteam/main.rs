//! The runner over attacks that hosts withstand, and over some that must fail.

mod looped;
mod measured;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held for the time of a test: what the process takes and how fast it is can be told of one run at a time only.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
