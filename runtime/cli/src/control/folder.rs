//! The folder of the sockets.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};
use weir_files::RuntimeFolderError;

/// The folder, with what the control sockets need of it.
#[derive(Debug)]
pub(crate) struct RuntimeFolder(weir_files::RuntimeFolder);

/// A folder that cannot be used, or a socket in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Unusable(#[from] RuntimeFolderError),
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
}

/// More sockets than this are not looked at.
const SOCKETS_MAX: usize = 4096;

impl RuntimeFolder {
    /// The folder, made where it is missing.
    pub(crate) fn make() -> Result<RuntimeFolder, FolderError> {
        Ok(RuntimeFolder(weir_files::RuntimeFolder::make()?))
    }

    /// The folder, where there is one.
    pub(crate) fn find() -> Result<Option<RuntimeFolder>, FolderError> {
        Ok(weir_files::RuntimeFolder::find()?.map(RuntimeFolder))
    }

    /// Listens under the name of this process. The name appears when the socket is ready: one that refuses is stale.
    pub(crate) fn listen(&self) -> Result<(UnixListener, PathBuf), FolderError> {
        let pid = std::process::id();
        let path = self.0.path().join(format!("{pid}.sock"));
        // Only where processes of other namespaces share the folder can there be one that answers.
        if self.connect(&path).is_ok_and(|found| found.is_some()) {
            return Err(FolderError::InUse { path });
        }
        let hidden = self.0.path().join(format!(".{pid}.new"));
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
        let failed = |source| FolderError::Io { action: "read", path: self.0.path().to_owned(), source };
        let mut sockets = Vec::new();
        for entry in fs::read_dir(self.0.path()).map_err(failed)?.take(SOCKETS_MAX) {
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
                // A file that is not a socket refuses too, and is nobody's to remove.
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

/// Removes the folder of a socket that is not ready yet, where there is one.
fn remove_hidden(hidden: &Path) {
    drop(fs::remove_file(hidden.join("s")));
    drop(fs::remove_dir(hidden));
}
