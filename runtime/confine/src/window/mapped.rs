//! The worker's side.
#![expect(unsafe_code, reason = "memory that is shared with another process is mapped")]

use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};

use rustix::fs::{fcntl_get_seals, fstat};
use rustix::mm::{MapFlags, ProtFlags, mmap};

use super::{SEALS, WindowError, page_bytes};
use crate::CodePlace;

/// A window, mapped to be read and run until this process ends: code may run, and be referred to, at any time.
#[derive(Debug)]
pub struct MappedWindow {
    /// Address of a mapping of `bytes` bytes that is never unmapped.
    address: usize,
    bytes: u64,
}

impl MappedWindow {
    /// Maps a window. Do this once, before [`confine`](crate::confine), and close the descriptor.
    ///
    /// # Errors
    ///
    /// A descriptor that is no sealed window, or a kernel that refuses.
    pub fn map(window: BorrowedFd<'_>) -> Result<MappedWindow, WindowError> {
        // Without the seals, what was checked and loaded could change. Only files in memory have any.
        if !fcntl_get_seals(window).is_ok_and(|seals| seals.contains(SEALS)) {
            return Err(WindowError::Sealed);
        }
        let status = fstat(window).map_err(WindowError::step("look at a code window"))?;
        let bytes = u64::try_from(status.st_size).unwrap_or(0);
        let length = usize::try_from(bytes).map_err(|_| WindowError::Size { bytes })?;
        let protection = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: a new mapping that takes no other one's place. The file cannot shrink below it.
        let address = unsafe { mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, window, 0) };
        let address = address.map_err(WindowError::step("map a code window"))?.expose_provenance();
        Ok(MappedWindow { address, bytes })
    }

    /// Its size, in whole pages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether these addresses are all in the window.
    pub fn contains(&self, address: *const u8, bytes: usize) -> bool {
        let offset = address.addr().checked_sub(self.address).map(|offset| offset as u64);
        offset.and_then(|offset| offset.checked_add(bytes as u64)).is_some_and(|end| end <= self.bytes)
    }

    /// The code at a place that the supervisor named. The memory lasts as long as this process, and what the supervisor wrote does
    /// not change.
    ///
    /// # Errors
    ///
    /// [`WindowError::Place`].
    pub fn code(&self, place: CodePlace) -> Result<NonNull<[u8]>, WindowError> {
        let CodePlace { offset, bytes } = place;
        let wrong = WindowError::Place { offset, bytes };
        let end = offset.checked_add(bytes).filter(|&end| end <= self.bytes);
        if bytes == 0 || end.is_none() || !offset.is_multiple_of(page_bytes()) {
            return Err(wrong);
        }
        let (Ok(offset), Ok(length)) = (usize::try_from(offset), usize::try_from(bytes)) else { return Err(wrong) };
        let begin = ptr::with_exposed_provenance_mut::<u8>(self.address.wrapping_add(offset));
        NonNull::new(ptr::slice_from_raw_parts_mut(begin, length)).ok_or(wrong)
    }
}
