//! The folder for what belongs to running processes.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use weir_fault::Fault;

use rustix::process::geteuid;

/// A folder that is this user's, and that nobody else can write to: `$WEIR_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/weir`, else
/// `weir-<uid>` in the folder of temporary files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeFolder(PathBuf);

/// A runtime folder that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeFolderError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is not a folder", path.display())]
    NoFolder {
        /// What it is.
        path: PathBuf,
    },
    /// It is another user's.
    #[error("{} belongs to user {uid}, who could control these queries or fake others: set WEIR_RUNTIME_DIR to a folder of your own", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// Others can write to it, or put another one in its place.
    #[error(
        "{} is writable by others (mode {mode:04o}): run `chmod go-w` on it, or set WEIR_RUNTIME_DIR to another folder",
        path.display()
    )]
    Writable {
        /// The folder, or the one above it.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl RuntimeFolderError {
    /// Whose fault it is: the machine's set-up.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl RuntimeFolder {
    /// The folder, made where it is missing.
    ///
    /// # Errors
    ///
    /// One that cannot be made, is another user's, or can be written to by others.
    pub fn make() -> Result<RuntimeFolder, RuntimeFolderError> {
        let path = place();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| RuntimeFolderError::Io { action: "create", path: path.clone(), source })?;
        RuntimeFolder::check(path)
    }

    /// The folder, where there is one.
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

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn check(path: PathBuf) -> Result<RuntimeFolder, RuntimeFolderError> {
        let look = |path: &Path, look: fn(&Path) -> io::Result<Metadata>| {
            look(path).map_err(|source| RuntimeFolderError::Io { action: "look at", path: path.to_owned(), source })
        };
        // A link is somebody's choice of a folder, and may be another one a moment later.
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
        // Where anybody may rename what lies in the folder above, they can exchange this one.
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
