//! Locks on letter files: every writer holds one.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use weir_files::Folder;

/// The result of taking the lock.
#[derive(Debug, PartialEq, Eq)]
pub enum Locked {
    /// The lock is held until all handles of the file are closed.
    Held,
    /// Another process holds it.
    InUse,
    /// The name now belongs to another file: open it again.
    Moved,
}

/// A thread of an attempt that has just ended may still write, and hold the lock.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// Takes the lock of a file that was opened by this name. Files that are not regular are not locked.
pub fn lock(file: &File, folder: &Folder, name: &OsStr) -> io::Result<Locked> {
    if !file.metadata()?.is_file() {
        return Ok(Locked::Held);
    }
    let mut tries = 0;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < TRIES => {
                tries += 1;
                std::thread::sleep(PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Ok(Locked::InUse),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(
                    "{}: the file system does not support locks: make sure that no other process writes the file",
                    folder.path().join(name).display()
                );
                break;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(if folder.is_at(file, name)? { Locked::Held } else { Locked::Moved })
}
