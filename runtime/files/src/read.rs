//! Opens and reads files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::{FileError, FileKind};

/// Opens a file of any kind for reading, and never waits: a pipe without a writer opens at once. A terminal does not become this
/// process's controlling terminal. The descriptor is non-blocking.
///
/// # Errors
///
/// Errors of opening. A socket cannot be opened.
pub fn open(path: impl AsRef<Path>) -> Result<(File, FileKind), FileError> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        // The error for a socket: no such device or address.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(FileError::NotRegular { kind: FileKind::Socket });
        }
        file => file?,
    };
    let kind = FileKind::of(&file)?;
    Ok((file, kind))
}

/// Opens a regular file for reading.
///
/// # Errors
///
/// Errors of opening, and [`FileError::NotRegular`].
pub fn open_regular(path: impl AsRef<Path>) -> Result<File, FileError> {
    match open(path)? {
        (file, FileKind::Regular) => Ok(file),
        (_, kind) => Err(FileError::NotRegular { kind }),
    }
}

/// Opens an input that a person named: a regular file, pipe or terminal. Reads from pipes and terminals wait for bytes. A pipe
/// without a writer is at its end.
///
/// # Errors
///
/// Errors of opening, and [`FileError::NotRegular`] for other kinds.
pub fn open_input(path: impl AsRef<Path>) -> Result<File, FileError> {
    match open(path)? {
        (file, FileKind::Regular) => Ok(file),
        (file, kind) if kind.arrives() => {
            // Changes only this file description, which was created here.
            rustix::fs::fcntl_setfl(&file, OFlags::empty()).map_err(io::Error::from)?;
            Ok(file)
        }
        (_, kind) => Err(FileError::NotRegular { kind }),
    }
}

/// Reads a whole regular file of at most this many bytes.
///
/// # Errors
///
/// As [`open_regular`], and [`FileError::TooLarge`].
pub fn read_whole(path: impl AsRef<Path>, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    read_bounded(open_regular(path)?, bytes_max)
}

/// Reads the rest of an open file, of at most this many bytes.
///
/// # Errors
///
/// Errors of reading, and [`FileError::TooLarge`].
pub fn read_bounded(file: File, bytes_max: u64) -> Result<Vec<u8>, FileError> {
    // Checks the reported size first: nothing is read of a file that is too large.
    if file.metadata()?.len() > bytes_max {
        return Err(FileError::TooLarge { bytes_max });
    }
    let mut bytes = Vec::new();
    match file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > bytes_max => Err(FileError::TooLarge { bytes_max }),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(FileError::NotRegular { kind: FileKind::Kernel })
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::{Duration, Instant};

    use super::*;

    /// The message for a path, without waiting.
    fn said(path: impl AsRef<Path>) -> String {
        let started = Instant::now();
        let said = match read_whole(path, 1 << 20) {
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => error.to_string(),
        };
        assert!(started.elapsed() < Duration::from_secs(2), "{said} after {:?}", started.elapsed());
        said
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("link")).unwrap();
        std::os::unix::fs::symlink("round", at("round")).unwrap();
        let expected = |what: &str| format!("is {what}: expected a regular file");
        for (path, what) in [
            (at("fifo"), "a pipe"),
            (at("socket"), "a socket"),
            (at("link"), "a device"),
            (at("."), "a folder"),
            ("/dev/zero".into(), "a device"),
            ("/dev/null".into(), "the null device"),
            ("/proc/self/environ".into(), "a kernel file"),
            ("/proc/self/mem".into(), "a kernel file"),
            ("/proc/self/pagemap".into(), "a kernel file"),
        ] {
            assert_eq!(said(&path), expected(what), "{}", path.display());
        }
        assert!(said(at("round")).contains("symbolic links"), "{}", said(at("round")));
        assert!(said(at("none")).contains("No such file"), "{}", said(at("none")));
        // Only root may open the kernel's log.
        assert!(!said("/proc/kmsg").ends_with("bytes"), "{}", said("/proc/kmsg"));
    }

    #[test]
    fn no_more_is_read_than_a_file_may_have() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, [0; 10]).unwrap();
        assert_eq!(read_whole(&path, 10).unwrap().len(), 10);
        assert_eq!(read_whole(&path, 9).unwrap_err().to_string(), "is too large: the maximum is 9 bytes");
        // A sparse file of one terabyte.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(said(&path), "is too large: the maximum is 1048576 bytes");
    }
}
