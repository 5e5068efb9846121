//! Descriptors that somebody left open.
#![expect(unsafe_code, reason = "a descriptor of which only the number is known is closed")]

use std::fs;
use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_getfd};

use crate::ConfineError;

/// Closes what was inherited, beside 0, 1, 2 and those in `keep`.
///
/// Whatever Rust opens is closed on exec: a descriptor without that flag came from whoever started this process.
pub(crate) fn close_inherited(keep: &[RawFd]) -> Result<(), ConfineError> {
    let step = ConfineError::step::<std::io::Error>;
    let mut open = Vec::new();
    for entry in fs::read_dir("/proc/self/fd").map_err(step("list the descriptors of this process"))? {
        let entry = entry.map_err(step("list the descriptors of this process"))?;
        open.extend(entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for descriptor in open.into_iter().filter(|number| *number > 2 && !keep.contains(number)) {
        // SAFETY: looked at only, within this line. One that is gone, as that of the list itself, is an error that is taken for
        // a descriptor of ours.
        let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) });
        if flags.is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC)) {
            // SAFETY: it was inherited, so that no value of this process owns it but one made of its number, which the caller
            // would have named in `keep`. No other thread runs that could have got this number for a file of its own.
            unsafe { rustix::io::close(descriptor) };
        }
    }
    Ok(())
}
