//! Opening files that somebody else may have prepared.
//!
//! ```
//! use weir_files::{FileError, Folder, read_whole};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! let path = place.path().join("query.toml");
//! std::fs::write(&path, "name = \"late\"")?;
//! assert_eq!(read_whole(&path, 1 << 20)?, b"name = \"late\"");
//! // Neither endless files nor pipes that nobody writes are waited for.
//! assert!(matches!(read_whole("/dev/zero", 1 << 20), Err(FileError::NotRegular { .. })));
//! assert!(matches!(read_whole(&path, 4), Err(FileError::TooLarge { bytes_max: 4 })));
//!
//! // What lies in a folder is reached through its handle, and a link in it is never followed.
//! let folder = Folder::make(&place.path().join("state"))?;
//! std::os::unix::fs::symlink(&path, place.path().join("state/manifest.new"))?;
//! assert!(folder.read("manifest.new").is_err());
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`FileKind`]**: what an open file is. [`open`] opens anything to be read, without waiting and without side effects on
//! a terminal, and says what it is.
//!
//! **[`open_input`]** is for commands that a person gives a file or a pipe. **[`open_regular`]** and **[`read_whole`]** take regular files only, the second one of bounded size. Files of the
//! kernel's own (procfs and its like) are none: they may block, never end, or hold secrets of this process.
//!
//! **[`Folder`]**: a handle of a folder. Everything in it is reached by a name of one component, and no link is followed,
//! also where somebody renames and links on the way meanwhile. Costs one descriptor.
//!
//! **[`Folders`]**: the folders that a tenant's queries keep to. Paths are checked when a query is read, and again when they are opened.
//!
//! **[`RuntimeFolder`]**: where sockets and locks of this user's running processes lie. Nobody else can write to it.
//!
//! A folder below another one is walked component by component, each opened with `O_NOFOLLOW` relative to the one before.
//! That admits what `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS` admits, since a component is never `..`, and it
//! works on every kernel and under every filter of system calls.

mod error;
#[cfg(test)]
mod fault_tables;
mod folder;
mod folders;
mod kind;
mod read;
mod runtime;

pub use error::FileError;
pub use folder::Folder;
pub use folders::{Denied, Folders, RealPath, real_path};
pub use kind::FileKind;
pub use read::{open, open_input, open_regular, read_bounded, read_whole};
pub use runtime::{RuntimeFolder, RuntimeFolderError};
pub use rustix::fs::FileType;
