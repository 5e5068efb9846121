//! Machine code that one process writes and another one runs.

mod mapped;
mod writer;

use std::io;

use rustix::fs::SealFlags;
use weir_fault::Fault;

pub use mapped::MappedWindow;
pub use writer::CodeWindow;

/// The window keeps its size, nobody maps it to be written to any more, and nobody can change that.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE).union(SealFlags::SEAL);

/// A window that cannot be made, written to or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// Code was written before and cannot be removed: a new worker with a new window takes this one's place.
    #[error("the code window is full: {bytes} bytes are to be written, {free_bytes} are left")]
    Full {
        /// Length of the code.
        bytes: u64,
        /// What is left, in whole pages.
        free_bytes: u64,
    },
    /// A size that is none, or more than a terabyte.
    #[error("a code window of {bytes} bytes is not possible: use 1 byte to 1 TiB")]
    Size {
        /// The size.
        bytes: u64,
    },
    /// What was handed over is not sealed as a window is.
    #[error("the descriptor is no code window: it is not sealed")]
    Sealed,
    /// A place outside of the window, empty, or not at the begin of a page.
    #[error("no code can be at offset {offset} of the code window with {bytes} bytes")]
    Place {
        /// Where it should begin.
        offset: u64,
        /// How long it should be.
        bytes: u64,
    },
    /// The kernel refused.
    #[error("cannot {step}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl WindowError {
    fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> WindowError {
        move |source| WindowError::Step { step, source: source.into() }
    }

    /// Whose fault it is: that of the machine and its set-up, or of this program for a descriptor or place that is none.
    pub fn fault(&self) -> Fault {
        match self {
            WindowError::Full { .. } | WindowError::Size { .. } | WindowError::Step { .. } => Fault::External,
            WindowError::Sealed | WindowError::Place { .. } => Fault::Internal,
        }
    }

    /// Whether the same may succeed later: never with the same window.
    pub fn retryable(&self) -> bool {
        false
    }
}

fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;

    use expect_test::{Expect, expect};
    use rustix::mm::{MapFlags, ProtFlags};

    use super::*;
    use crate::CodePlace;

    fn check(result: Result<impl std::fmt::Debug, WindowError>, expected: Expect) {
        expected.assert_eq(&result.unwrap_err().to_string());
    }

    #[test]
    fn code_is_seen_at_its_place_and_a_full_window_says_so() {
        let page = page_bytes();
        let mut window = CodeWindow::create(3 * page - 1).unwrap();
        let mapped = MappedWindow::map(window.as_fd()).unwrap();
        assert_eq!((window.bytes(), window.free_bytes(), mapped.bytes()), (3 * page, 3 * page, 3 * page));
        let first = window.write(b"first").unwrap();
        let second = window.write(&vec![7; page as usize + 1]).unwrap();
        assert_eq!([first, second].map(|place| (place.offset, place.bytes)), [(0, 5), (page, page + 1)]);
        let mut seen = [0; 5];
        File::from(window.as_fd().try_clone_to_owned().unwrap()).read_exact_at(&mut seen, first.offset).unwrap();
        assert_eq!(&seen, b"first");
        assert_eq!(mapped.code(first).unwrap().len(), 5);
        check(window.write(b"x"), expect!["the code window is full: 1 bytes are to be written, 0 are left"]);
        check(CodeWindow::create(0), expect!["a code window of 0 bytes is not possible: use 1 byte to 1 TiB"]);
        check(
            CodeWindow::create(u64::MAX),
            expect!["a code window of 18446744073709551615 bytes is not possible: use 1 byte to 1 TiB"],
        );
        for (offset, bytes) in [(1, 1), (0, 0), (3 * page, 1), (page, 2 * page + 1), (u64::MAX - page + 1, u64::MAX)] {
            let refused = mapped.code(CodePlace { offset, bytes });
            assert!(matches!(refused, Err(WindowError::Place { .. })), "{offset} {bytes}");
        }
    }

    #[test]
    fn nobody_but_its_maker_writes_to_it_or_changes_its_size() {
        let window = CodeWindow::create(1).unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&window.as_fd()));
        let mut reopened = File::options().read(true).write(true).open(&path).unwrap();
        assert!(reopened.write(b"x").is_err());
        assert!(reopened.set_len(0).is_err());
        assert!(reopened.set_len(1 << 20).is_err());
        let map = |protection| {
            // SAFETY: a new mapping of this process that nothing refers to.
            #[expect(unsafe_code, reason = "that the kernel refuses this mapping is tested")]
            unsafe {
                rustix::mm::mmap(std::ptr::null_mut(), 1, protection, MapFlags::SHARED, &reopened, 0)
            }
        };
        assert!(map(ProtFlags::READ | ProtFlags::WRITE).is_err());
        assert!(map(ProtFlags::READ).is_ok());
    }

    #[test]
    fn what_is_no_window_is_not_mapped() {
        check(
            MappedWindow::map(File::open("/dev/null").unwrap().as_fd()),
            expect!["the descriptor is no code window: it is not sealed"],
        );
        let open = rustix::fs::memfd_create("open", rustix::fs::MemfdFlags::ALLOW_SEALING).unwrap();
        check(MappedWindow::map(open.as_fd()), expect!["the descriptor is no code window: it is not sealed"]);
    }
}
