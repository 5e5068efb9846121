//! What an open file is.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// What an open file is, as far as reading it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Bytes on a disk, or in memory: all there, and readable again.
    Regular,
    /// A folder.
    Folder,
    /// A pipe, with a name or without: bytes that arrive over time, once.
    Pipe,
    /// A terminal: likewise.
    Terminal,
    /// `/dev/null`: no bytes.
    Null,
    /// Any other device: endless, or with effects of its own.
    Device,
    /// A socket.
    Socket,
    /// A file that the kernel makes up when it is read, such as those in `/proc`.
    Kernel,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FileKind::Regular => "a regular file",
            FileKind::Folder => "a folder",
            FileKind::Pipe => "a pipe",
            FileKind::Terminal => "a terminal",
            FileKind::Null => "the null device",
            FileKind::Device => "a device",
            FileKind::Socket => "a socket",
            FileKind::Kernel => "a kernel file",
        })
    }
}

impl FileKind {
    /// What this file is.
    ///
    /// # Errors
    ///
    /// As for asking the system.
    pub fn of(file: &File) -> io::Result<FileKind> {
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        Ok(if kind.is_file() {
            if is_made_up(file)? { FileKind::Kernel } else { FileKind::Regular }
        } else if kind.is_dir() {
            FileKind::Folder
        } else if kind.is_fifo() {
            FileKind::Pipe
        } else if kind.is_char_device() && file.is_terminal() {
            FileKind::Terminal
        } else if kind.is_char_device() && metadata.rdev() == NULL {
            FileKind::Null
        } else if kind.is_socket() {
            FileKind::Socket
        } else {
            FileKind::Device
        })
    }

    /// Whether its bytes arrive over time, and can be read once only.
    pub fn arrives(self) -> bool {
        matches!(self, FileKind::Pipe | FileKind::Terminal)
    }
}

/// Major 1, minor 3 (<https://www.kernel.org/doc/Documentation/admin-guide/devices.txt>).
const NULL: u64 = 0x103;

/// Whether a regular file lies on a file system that the kernel makes up.
#[cfg(target_os = "linux")]
fn is_made_up(file: &File) -> io::Result<bool> {
    // procfs, sysfs, debugfs, tracefs, securityfs, cgroup, cgroup2, bpf, pstore, selinuxfs (linux/magic.h).
    const MADE_UP: [u32; 10] = [
        0x9fa0,
        0x6265_6572,
        0x6462_6720,
        0x7472_6163,
        0x7363_6673,
        0x0027_e0eb,
        0x6367_7270,
        0xcafe_4a11,
        0x6165_676c,
        0xf97c_ff8c,
    ];
    let kind = rustix::fs::fstatfs(file)?.f_type;
    // The field's width and sign depend on the machine; the numbers have 32 bits.
    Ok(MADE_UP.iter().any(|&known| i64::from(known) == kind as i64 || i64::from(known.cast_signed()) == kind as i64))
}

#[cfg(not(target_os = "linux"))]
fn is_made_up(_file: &File) -> io::Result<bool> {
    Ok(false)
}
