//! Sockets that are not connected yet.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Options that are kept for one placeholder, and the bytes of each: more than libraries set.
const OPTIONS_MAX: usize = 32;
const OPTION_BYTES_MAX: usize = 64;

/// An option as setsockopt(2) takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SocketOption {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) value: Vec<u8>,
}

/// The placeholders by descriptor. A descriptor that was closed may be another file now, so each is known by its inode as well.
#[derive(Debug, Default)]
pub(super) struct Placeholders(Mutex<HashMap<RawFd, Placeholder>>);

#[derive(Debug)]
struct Placeholder {
    inode: u64,
    options: Vec<SocketOption>,
}

impl Placeholders {
    pub(super) fn add(&self, descriptor: RawFd, inode: u64) {
        self.all().insert(descriptor, Placeholder { inode, options: Vec::new() });
    }

    /// Whether the descriptor may be a placeholder: then its inode is worth a look.
    pub(super) fn may_be(&self, descriptor: RawFd) -> bool {
        self.all().contains_key(&descriptor)
    }

    /// Keeps an option for the connection. `None` where the descriptor is no placeholder, `false` where there is no room.
    pub(super) fn keep(&self, descriptor: RawFd, inode: u64, option: SocketOption) -> Option<bool> {
        let mut all = self.all();
        let placeholder = all.get_mut(&descriptor).filter(|placeholder| placeholder.inode == inode)?;
        let options = &mut placeholder.options;
        options.retain(|kept| (kept.level, kept.name) != (option.level, option.name));
        let has_room = options.len() < OPTIONS_MAX && option.value.len() <= OPTION_BYTES_MAX;
        if has_room {
            options.push(option);
        }
        Some(has_room)
    }

    /// The options of a placeholder. `None` where the descriptor is none.
    pub(super) fn options(&self, descriptor: RawFd, inode: u64) -> Option<Vec<SocketOption>> {
        let all = self.all();
        let placeholder = all.get(&descriptor).filter(|placeholder| placeholder.inode == inode)?;
        Some(placeholder.options.clone())
    }

    /// The descriptor is a connected socket now.
    pub(super) fn forget(&self, descriptor: RawFd) {
        self.all().remove(&descriptor);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<RawFd, Placeholder>> {
        // Every change is one insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
