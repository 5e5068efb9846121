//! What a process is to its parent, to others, and to its own memory.
#![expect(unsafe_code, reason = "rustix has no call for PR_SET_MDWE")]

use std::fs;

use rustix::process::{DumpableBehavior, Signal, getppid, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::thread::set_no_new_privs;

use crate::{ConfineError, Enforced};

/// Where the kernel looks for memory, worker processes come before whoever started them.
const OOM_SCORE_ADJ: &str = "500";

pub(crate) fn refuse_threads() -> Result<(), ConfineError> {
    let tasks = fs::read_dir("/proc/self/task").map_err(ConfineError::step("count the threads of this process"))?;
    match tasks.count() {
        1 => Ok(()),
        threads => Err(ConfineError::Threads { threads }),
    }
}

/// What rustix reads once, from a file that cannot be opened later: wasmtime asks for it, too.
pub(crate) fn remember_the_page_size() {
    rustix::param::page_size();
}

/// Best effort: a process that may not do so has a score that is higher already, or no `/proc` that can be written.
pub(crate) fn offer_to_the_oom_killer() {
    drop(fs::write("/proc/self/oom_score_adj", OOM_SCORE_ADJ));
}

/// Ends this process with the thread that started it.
pub(crate) fn end_with_parent(parent: Option<u32>) -> Result<(), ConfineError> {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(ConfineError::step("end with the parent process"))?;
    // The parent may have ended before that.
    let found = getppid().map_or(0, |id| id.as_raw_nonzero().get().unsigned_abs());
    match parent {
        Some(expected) if expected != found => Err(ConfineError::Orphan { expected, found }),
        Some(_) | None => Ok(()),
    }
}

/// No other process of this user looks into this one, no core is written, and no program that is started has more rights.
pub(crate) fn close_to_others() -> Result<(), ConfineError> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(ConfineError::step("become not dumpable"))?;
    set_no_new_privs(true).map_err(ConfineError::step("refuse new privileges"))
}

/// Memory that was not executable when it was mapped never becomes so, and none is mapped to be written and executed.
pub(crate) fn refuse_new_code(wanted: bool) -> Enforced {
    if !wanted {
        return Enforced::No;
    }
    let flags = libc::c_ulong::from(libc::PR_MDWE_REFUSE_EXEC_GAIN);
    let zero: libc::c_ulong = 0;
    // SAFETY: no argument is a pointer, and the call changes nothing but what later calls of mmap and mprotect are allowed.
    let answer = unsafe { libc::prctl(libc::PR_SET_MDWE, flags, zero, zero, zero) };
    if answer == 0 { Enforced::Fully } else { Enforced::No }
}
