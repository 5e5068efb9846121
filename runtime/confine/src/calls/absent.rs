//! Calls that libraries try and do without: they get `ENOSYS`, as every call that is in no list does.
//!
//! This list allows nothing. Where [`Confinement::end_unknown_calls`](crate::Confinement::end_unknown_calls) is set, as in tests of workers, a
//! call that is in none of the lists ends the process: a library that makes a new one is noticed by a test, instead of by whoever
//! wonders why it works worse in a worker.

/// With the reason why a worker has no need of it.
pub(super) const ABSENT: &[&[i64]] = &[&[
    // Its flags are behind a pointer, where no filter sees them; glibc goes on with `clone`.
    libc::SYS_clone3,
    // Shared memory counts for nobody; wasmtime copies data segments instead.
    libc::SYS_memfd_create,
    // Copies between files fall back to reads and writes.
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    // Where memory lies is the kernel's business.
    libc::SYS_mbind,
    libc::SYS_get_mempolicy,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
]];
