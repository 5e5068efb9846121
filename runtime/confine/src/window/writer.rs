//! The supervisor's side.
#![expect(unsafe_code, reason = "memory that is shared with another process is mapped, written and unmapped")]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr;

use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::{SEALS, WindowError, page_bytes};
use crate::CodePlace;

const BYTES_MAX: u64 = 1 << 40;

/// A window of one worker: this process writes code into it, at any time; whoever has the descriptor can map it to be read and
/// run, and can neither write to it nor change its size. Memory is taken as it is written. What was written stays until the
/// window and all its mappings are gone.
#[derive(Debug)]
pub struct CodeWindow {
    memory: OwnedFd,
    /// Address of the mapping that can be written to, of `bytes` bytes, owned by this value.
    address: usize,
    bytes: u64,
    /// Whole pages from the begin; what lies before is never written again.
    used: u64,
}

impl CodeWindow {
    /// Makes a window of at least this size, rounded up to whole pages.
    ///
    /// # Errors
    ///
    /// A size that is not possible, or a kernel that refuses.
    pub fn create(bytes: u64) -> Result<CodeWindow, WindowError> {
        let bytes = match bytes {
            1..=BYTES_MAX => bytes.next_multiple_of(page_bytes()),
            _ => return Err(WindowError::Size { bytes }),
        };
        let length = usize::try_from(bytes).map_err(|_| WindowError::Size { bytes })?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memory = match memfd_create("weir-code", flags | MemfdFlags::NOEXEC_SEAL) {
            // Before Linux 6.3.
            Err(Errno::INVAL) => memfd_create("weir-code", flags),
            made => made,
        };
        let memory = memory.map_err(WindowError::step("make a code window"))?;
        ftruncate(&memory, bytes).map_err(WindowError::step("make a code window"))?;
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, of a file that only this value has. It is unmapped in `drop` only.
        let address = unsafe { mmap(ptr::null_mut(), length, protection, MapFlags::SHARED, &memory, 0) };
        let address = address.map_err(WindowError::step("map a code window"))?.expose_provenance();
        let window = CodeWindow { memory, address, bytes, used: 0 };
        fcntl_add_seals(&window.memory, SEALS).map_err(WindowError::step("seal a code window"))?;
        Ok(window)
    }

    /// Its size, in whole pages.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is left, in whole pages.
    pub fn free_bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.used)
    }

    /// Puts code behind what was written before, at the begin of a page. Tell the worker of the place after this returns.
    ///
    /// # Errors
    ///
    /// [`WindowError::Full`]; code of no bytes is [`WindowError::Place`].
    pub fn write(&mut self, code: &[u8]) -> Result<CodePlace, WindowError> {
        let place = CodePlace { offset: self.used, bytes: code.len() as u64 };
        if code.is_empty() {
            return Err(WindowError::Place { offset: place.offset, bytes: 0 });
        }
        let free_bytes = self.free_bytes();
        let full = WindowError::Full { bytes: place.bytes, free_bytes };
        let (true, Ok(offset)) = (place.bytes <= free_bytes, usize::try_from(place.offset)) else { return Err(full) };
        let to = ptr::with_exposed_provenance_mut::<u8>(self.address.wrapping_add(offset));
        // SAFETY: `offset + code.len()` is at most `bytes`, the length of the mapping, which lives as long as `self`. Nothing in
        // this process refers to it; `code` is other memory, since no slice of the mapping is ever made. Another process reads
        // this part only after it has received the place, which is returned after the copy.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.used = self.used.saturating_add(place.bytes.next_multiple_of(page_bytes()));
        Ok(place)
    }
}

/// The descriptor to hand over; closed on exec.
impl AsFd for CodeWindow {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

impl Drop for CodeWindow {
    fn drop(&mut self) {
        let address = ptr::with_exposed_provenance_mut(self.address);
        // SAFETY: the mapping that `create` made, of this length, to which nothing refers.
        let unmapped = unsafe { munmap(address, usize::try_from(self.bytes).unwrap_or(0)) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}
