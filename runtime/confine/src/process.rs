//! What a process is to its parent, to others, and to its own memory.
#![expect(unsafe_code, reason = "rustix has no call for PR_SET_MDWE, and none for signals")]

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

/// A write beyond the longest file is an error of that write, not the end of the process.
pub(crate) fn fail_writes_that_are_too_long() -> Result<(), ConfineError> {
    // SAFETY: a signal is ignored; there is no handler that could run.
    match unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } {
        libc::SIG_ERR => Err(ConfineError::step("ignore SIGXFSZ")(std::io::Error::last_os_error())),
        _ => Ok(()),
    }
}

/// Has the signal of a call that is in no list written down, by its number, before the process aborts.
pub(crate) fn name_unknown_calls() -> Result<(), ConfineError> {
    extern "C" fn name(_signal: libc::c_int, info: *const libc::siginfo_t, _context: *const libc::c_void) {
        // The number follows the header of three integers, its padding, and the address of the call: `_sigsys` of siginfo_t.
        const CALL_OFFSET: usize = 24;
        // SAFETY: the kernel hands over a `siginfo_t` of 128 bytes, of which this reads four aligned ones.
        let number = unsafe { info.cast::<u8>().add(CALL_OFFSET).cast::<u32>().read() };
        // A handler may not allocate.
        let mut text = *b"unknown system call 000000\n";
        let mut left = number;
        for digit in text.iter_mut().rev().skip(1).take(6) {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or(0);
            left /= 10;
        }
        // SAFETY: a write of a buffer on this stack, and the end of the process: both may be called in a handler.
        unsafe {
            libc::write(2, text.as_ptr().cast(), text.len());
            libc::abort();
        }
    }
    // SAFETY: all zeros is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = name as *const () as libc::sighandler_t;
    action.sa_flags = libc::SA_SIGINFO;
    // SAFETY: `action` is initialised, and its handler has the signature that SA_SIGINFO asks for.
    match unsafe { libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(ConfineError::step("catch SIGSYS")(std::io::Error::last_os_error())),
    }
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
