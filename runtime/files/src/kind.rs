//! Kinds of open files.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// The kind of an open file, as far as it matters for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file on a disk or in memory: complete, and can be read again.
    Regular,
    /// A folder.
    Folder,
    /// A pipe, named or not: bytes arrive over time and can be read once.
    Pipe,
    /// A terminal: bytes arrive over time and can be read once.
    Terminal,
    /// `/dev/null`: empty.
    Null,
    /// Any other device: may be endless, or have side effects.
    Device,
    /// A socket.
    Socket,
    /// A file whose content the kernel generates, such as those in `/proc`.
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
    /// The kind of this file.
    ///
    /// # Errors
    ///
    /// Errors of reading the status.
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

    /// Whether the bytes arrive over time and can be read only once.
    pub fn arrives(self) -> bool {
        matches!(self, FileKind::Pipe | FileKind::Terminal)
    }
}

/// Major 1, minor 3 (<https://www.kernel.org/doc/Documentation/admin-guide/devices.txt>).
const NULL: u64 = 0x103;

/// Whether a regular file is on a file system whose content the kernel generates.
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
