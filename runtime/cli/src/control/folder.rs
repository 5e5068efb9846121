//! The folder of the sockets.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, geteuid, test_kill_process};

/// A folder that is this user's, and that nobody else can write to.
#[derive(Debug)]
pub(crate) struct RuntimeFolder(PathBuf);

/// A folder that cannot be used, or a socket in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is no folder", path.display())]
    NoFolder { path: PathBuf },
    #[error("{} belongs to user {uid}: whoever it is could steer these queries, or invent some", path.display())]
    Foreign { path: PathBuf, uid: u32 },
    #[error(
        "{} can be written to by others (mode {mode:04o}): chmod go-w, or name another by WEIR_RUNTIME_DIR",
        path.display()
    )]
    Writable { path: PathBuf, mode: u32 },
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
}

/// More sockets than this are not looked at.
const SOCKETS_MAX: usize = 4096;

impl RuntimeFolder {
    /// The folder, made where it is missing.
    pub(crate) fn make() -> Result<RuntimeFolder, FolderError> {
        let path = place();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        made.map_err(|source| FolderError::Io { action: "create", path: path.clone(), source })?;
        RuntimeFolder::check(path)
    }

    /// The folder, where there is one.
    pub(crate) fn find() -> Result<Option<RuntimeFolder>, FolderError> {
        let path = place();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => RuntimeFolder::check(path).map(Some),
        }
    }

    fn check(path: PathBuf) -> Result<RuntimeFolder, FolderError> {
        let look = |path: &Path, look: fn(&Path) -> io::Result<Metadata>| {
            look(path).map_err(|source| FolderError::Io { action: "look at", path: path.to_owned(), source })
        };
        // A link is somebody's choice of a folder, and may be another one a moment later.
        let found = look(&path, |path| fs::symlink_metadata(path))?;
        if !found.is_dir() {
            return Err(FolderError::NoFolder { path });
        }
        if found.uid() != geteuid().as_raw() {
            return Err(FolderError::Foreign { path, uid: found.uid() });
        }
        if found.mode() & 0o022 != 0 {
            return Err(FolderError::Writable { path, mode: found.mode() & 0o7777 });
        }
        // Where anybody may rename what lies in the folder above, they can exchange this one.
        if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
            let mode = look(above, |path| fs::metadata(path))?.mode();
            if mode & 0o1002 == 0o002 {
                return Err(FolderError::Writable { path: above.to_owned(), mode: mode & 0o7777 });
            }
        }
        Ok(RuntimeFolder(path))
    }

    /// Listens under the name of this process. The name appears when the socket is ready: one that refuses is stale.
    pub(crate) fn listen(&self) -> Result<(UnixListener, PathBuf), FolderError> {
        let pid = std::process::id();
        let path = self.0.join(format!("{pid}.sock"));
        // Only where processes of other namespaces share the folder can there be one that answers.
        if self.connect(&path).is_ok_and(|found| found.is_some()) {
            return Err(FolderError::InUse { path });
        }
        let hidden = self.0.join(format!(".{pid}.new"));
        let failed = |action| {
            let path = hidden.clone();
            move |source| FolderError::Io { action, path, source }
        };
        remove_hidden(&hidden);
        // A socket is born with the mode that the umask leaves: until it has its own, it is behind this door.
        DirBuilder::new().mode(0o700).create(&hidden).map_err(failed("create"))?;
        let born = hidden.join("s");
        let listener = UnixListener::bind(&born).map_err(failed("listen in")).and_then(|listener| {
            fs::set_permissions(&born, fs::Permissions::from_mode(0o600)).map_err(failed("close to others"))?;
            fs::rename(&born, &path).map_err(failed("publish the socket of"))?;
            Ok(listener)
        });
        remove_hidden(&hidden);
        Ok((listener?, path))
    }

    /// The sockets with their processes, in the order of these. Removes what dead processes left half made.
    pub(crate) fn sockets(&self) -> Result<Vec<(u32, PathBuf)>, FolderError> {
        let failed = |source| FolderError::Io { action: "read", path: self.0.clone(), source };
        let mut sockets = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed)?.take(SOCKETS_MAX) {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some(pid) = name.strip_suffix(".sock").and_then(|pid| pid.parse().ok()) {
                sockets.push((pid, path));
            } else if let Some(pid) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".new"))
                && let Some(pid) = pid.parse().ok().and_then(Pid::from_raw)
                && test_kill_process(pid) == Err(rustix::io::Errno::SRCH)
            {
                remove_hidden(&path);
            }
        }
        sockets.sort_unstable();
        Ok(sockets)
    }

    /// Connects to a process, or removes the socket that it left when it died.
    pub(crate) fn connect(&self, path: &Path) -> io::Result<Option<UnixStream>> {
        match UnixStream::connect(path) {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // What is no socket refuses too, and is nobody's to remove.
                if fs::symlink_metadata(path).is_ok_and(|there| there.file_type().is_socket()) {
                    // Somebody else may have found it first.
                    drop(fs::remove_file(path));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// `$WEIR_RUNTIME_DIR`, else `$XDG_RUNTIME_DIR/weir`, else `weir-<uid>` in the folder of temporary files.
fn place() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("WEIR_RUNTIME_DIR")
        .or_else(|| named("XDG_RUNTIME_DIR").map(|folder| folder.join("weir")))
        .unwrap_or_else(|| std::env::temp_dir().join(format!("weir-{}", geteuid().as_raw())))
}

/// Removes the folder of a socket that is not ready yet, where there is one.
fn remove_hidden(hidden: &Path) {
    drop(fs::remove_file(hidden.join("s")));
    drop(fs::remove_dir(hidden));
}
