//! The folder for files of running processes.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use weir_fault::Fault;

use rustix::process::geteuid;

/// A folder that belongs to this user, and that nobody else can write to: `$WEIR_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/weir`, else
/// `weir-<uid>` in the folder for temporary files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFolder(PathBuf);

/// The runtime folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeFolderError {
    /// An error of the file system.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The path is not a folder.
    #[error("{} is not a folder", path.display())]
    NoFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder belongs to another user.
    #[error("{} belongs to user {uid}, who could control these queries or fake others: set WEIR_RUNTIME_DIR to a folder of your own", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others can write to the folder, or replace it.
    #[error(
        "{} is writable by others (mode {mode:04o}): run `chmod go-w` on it, or set WEIR_RUNTIME_DIR to another folder",
        path.display()
    )]
    Writable {
        /// The folder or its parent.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl RuntimeFolderError {
    /// Who has to act: the operator of the machine.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl RuntimeFolder {
    /// The folder; creates it if it is missing.
    ///
    /// # Errors
    ///
    /// The folder cannot be created, belongs to another user, or can be written to by others.
    pub fn make() -> Result<RuntimeFolder, RuntimeFolderError> {
        let path = place();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| RuntimeFolderError::Io { action: "create", path: path.clone(), source })?;
        RuntimeFolder::check(path)
    }

    /// The folder, if it exists.
    ///
    /// # Errors
    ///
    /// As [`RuntimeFolder::make`].
    pub fn find() -> Result<Option<RuntimeFolder>, RuntimeFolderError> {
        let path = place();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => RuntimeFolder::check(path).map(Some),
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn check(path: PathBuf) -> Result<RuntimeFolder, RuntimeFolderError> {
        let look = |path: &Path, look: fn(&Path) -> io::Result<Metadata>| {
            look(path).map_err(|source| RuntimeFolderError::Io { action: "look at", path: path.to_owned(), source })
        };
        // A link is refused: somebody else could change its target at any time.
        let found = look(&path, |path| fs::symlink_metadata(path))?;
        if !found.is_dir() {
            return Err(RuntimeFolderError::NoFolder { path });
        }
        if found.uid() != geteuid().as_raw() {
            return Err(RuntimeFolderError::Foreign { path, uid: found.uid() });
        }
        if found.mode() & 0o022 != 0 {
            return Err(RuntimeFolderError::Writable { path, mode: found.mode() & 0o7777 });
        }
        // If others may rename files in the parent folder, they can replace this folder.
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
            let mode = look(above, |path| fs::metadata(path))?.mode();
            if mode & 0o1002 == 0o002 {
                return Err(RuntimeFolderError::Writable { path: above.to_owned(), mode: mode & 0o7777 });
            }
        }
        Ok(RuntimeFolder(path))
    }
}

fn place() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("WEIR_RUNTIME_DIR")
        .or_else(|| named("XDG_RUNTIME_DIR").map(|folder| folder.join("weir")))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("weir-{}", geteuid().as_raw())))
}
