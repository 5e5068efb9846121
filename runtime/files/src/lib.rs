//! Opens files that an attacker may have prepared.
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
//! **[`FileKind`]**: the kind of an open file. [`open`] opens any file for reading, without waiting and without side effects on a
//! terminal, and returns its kind.
//!
//! **[`open_input`]** is for commands whose input a person names: a file, pipe or terminal. **[`open_regular`]** and
//! **[`read_whole`]** accept only regular files, the latter with a maximum size. Files that the kernel generates (procfs and
//! similar) do not count as regular: they may block, never end, or contain secrets of this process.
//!
//! **[`Folder`]**: a handle of a folder. Files in it are addressed by names of one component. Links are never followed, even if
//! somebody renames or links folders at the same time. Costs one file descriptor.
//!
//! **[`Folders`]**: the folders to which a tenant's queries are limited. Paths are checked when a query is read, and again when
//! they are opened.
//!
//! **[`HandedInput`]**: a standard input that another process hands over, which [`Folders`] opens under [`STANDARD_INPUT`].
//!
//! **[`RuntimeFolder`]**: the folder for sockets and locks of this user's running processes. Other users cannot write to it.
//!
//! A folder below another one is opened component by component with `O_NOFOLLOW`, each relative to its parent. Components are never
//! `..`, so this admits the same paths as `openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`, and works on every kernel and
//! under every system call filter.

mod error;
#[cfg(test)]
mod fault_tables;
mod folder;
mod folders;
mod kind;
mod read;
mod runtime;
mod standard_input;

pub use error::FileError;
pub use folder::Folder;
pub use folders::{Denied, Folders, RealPath, real_path};
pub use kind::FileKind;
pub use read::{open, open_input, open_regular, read_bounded, read_whole};
pub use runtime::{RuntimeFolder, RuntimeFolderError};
pub use rustix::fs::FileType;
pub use standard_input::{HandedInput, STANDARD_INPUT, is_standard_input};
