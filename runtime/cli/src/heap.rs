//! How the process's heap gives memory back.
#![expect(unsafe_code, reason = "the allocator is tuned by a call of the C library")]

/// Large blocks are mapped by themselves, and go back to the system when they are freed. Without this, glibc raises the
/// size from which it does so with each such block that is freed, up to 32 MiB, and keeps what it got from then on: an
/// hour of attacks with large outputs left hundreds of MiB in the heaps of its threads, all of it free.
///
/// From 1 MiB: columns of ordinary batches stay well below, and are reused without a call of the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back_large_blocks() {
    const LARGE_BYTES: i32 = 1 << 20;
    // SAFETY: `mallopt` takes two integers, and touches nothing but the allocator's settings. No other thread is there
    // yet. A value that it refuses leaves the setting as it was, which costs memory only.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES) };
}

/// Other allocators give memory back by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back_large_blocks() {}
