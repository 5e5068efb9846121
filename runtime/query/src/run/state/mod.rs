//! The folder in which a query keeps what it needs to go on where it was.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use weir_batch::Fault;

use weir_files::Folder;

use weir_state::{ManifestError, StateManifest};

use super::failpoint::failpoint;
use weir_files::Folders;

/// A folder with the manifest of a query's last commit. Held by one run at a time, which keeps a lock in it.
#[derive(Debug)]
pub(crate) struct StateFolder {
    // Nothing in it is reached but through this: no link in it is followed.
    folder: Folder,
    // Held as long as this lives.
    _lock: File,
}

/// The state of a query cannot be read, or not be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    #[error("state: cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another run has it.
    #[error("state: {} is in use: this query is already running, in this or another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The manifest is damaged. Starting anew would count everything twice, so that it is not done unasked.
    #[error(
        "state: {} cannot be used: {source}; restore it from a copy, or remove the folder to start from the beginning",
        path.display()
    )]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// The manifest would be larger than what is read back. The one of the last commit stays.
    #[error(
        "state: {} would have {bytes} bytes, but the maximum is {limit}: the query has too many partitions, or too many files in one commit; commit more often, or split it into several queries",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How large it would be.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// The thread that wrote the manifest ended without an answer.
    #[error("state: the writing thread ended: {0}")]
    Thread(String),
    /// The manifest is of another tenant, which is not named.
    #[error("state: {} belongs to a query of another tenant: use a separate folder for each query", path.display())]
    OtherTenant {
        /// The file.
        path: PathBuf,
    },
    /// The manifest is of another query.
    #[error(
        "state: {} belongs to query `{query}` of tenant `{tenant}`: use a separate folder for each query",
        path.display()
    )]
    OtherQuery {
        /// The file.
        path: PathBuf,
        /// The query.
        query: String,
        /// Its tenant.
        tenant: String,
    },
}

impl StateError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            StateError::Io { .. } => Fault::External,
            StateError::Thread(_) => Fault::Internal,
            StateError::InUse { .. }
            | StateError::Manifest { .. }
            | StateError::TooLarge { .. }
            | StateError::OtherTenant { .. }
            | StateError::OtherQuery { .. } => Fault::Tenant,
        }
    }

    /// Whether the next attempt may succeed: space may be made on a full disk.
    pub fn retryable(&self) -> bool {
        matches!(self, StateError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull
            || source.kind() == io::ErrorKind::QuotaExceeded)
    }
}

/// A manifest is far below this: an entry a partition and a file of one commit, and metrics of some MiB. Earlier versions
/// wrote metrics of more than 100 MiB, which are read as well.
const MANIFEST_BYTES_MAX: u64 = 512 * 1024 * 1024;

impl StateFolder {
    /// Opens the folder, which has to lie within these folders, making it where it is missing, and takes its lock.
    pub(crate) fn open(path: &Path, folders: &Folders) -> Result<StateFolder, StateError> {
        let folder = folders.folder(path).map_err(|source| io_error("create", path, source))?;
        let lock_path = path.join("lock");
        let lock = folder.open_or_create("lock").map_err(|source| io_error("create", &lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(StateFolder { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(io_error("lock", &lock_path, source)),
        }
    }

    /// The manifest of the last commit, where there was one; it has to be this query's.
    pub(crate) fn load(&self, query: &str, tenant: &str) -> Result<Option<StateManifest>, StateError> {
        let Some(manifest) = read_from(&self.folder)? else { return Ok(None) };
        if manifest.tenant != tenant {
            return Err(StateError::OtherTenant { path: manifest_path(self.folder.path()) });
        }
        if manifest.query != query {
            let StateManifest { query, tenant, .. } = manifest;
            return Err(StateError::OtherQuery { path: manifest_path(self.folder.path()), query, tenant });
        }
        Ok(Some(manifest))
    }

    /// Replaces the manifest in one step, durably: written beside it, synced, renamed, and the folder synced. After an
    /// error of the last sync nobody knows which of both is there; either is whole.
    pub(crate) fn save(&self, manifest: &StateManifest) -> Result<(), StateError> {
        let folder = self.folder.path();
        let path = manifest_path(folder);
        let bytes = manifest.to_bytes().map_err(|source| StateError::Manifest { path: path.clone(), source })?;
        let (length, limit) = (bytes.len() as u64, MANIFEST_BYTES_MAX);
        if length > limit {
            return Err(StateError::TooLarge { path, bytes: length, limit });
        }
        let beside = folder.join(MANIFEST_NEW);
        // What a crash left, or what somebody put there, is removed and not written to.
        let created = self.folder.create_anew(MANIFEST_NEW, 0o666);
        let mut file = created.map_err(|source| io_error("create", &beside, source))?;
        file.write_all(&bytes).map_err(|source| io_error("write", &beside, source))?;
        file.sync_all().map_err(|source| io_error("sync", &beside, source))?;
        failpoint("manifest.written");
        self.folder.rename(MANIFEST_NEW, MANIFEST).map_err(|source| io_error("publish", &path, source))?;
        failpoint("manifest.renamed");
        self.folder.sync().map_err(|source| io_error("sync", folder, source))
    }
}

/// The manifest in a state folder, where there is one. Takes no lock: what it says was true when it was read.
///
/// # Errors
///
/// One that is damaged, or cannot be read.
pub fn read_manifest(folder: &Path) -> Result<Option<StateManifest>, StateError> {
    match Folder::open(folder) {
        Ok(folder) => read_from(&folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("read", folder, source)),
    }
}

fn read_from(folder: &Folder) -> Result<Option<StateManifest>, StateError> {
    let path = manifest_path(folder.path());
    let bytes = match folder.read_whole(MANIFEST, MANIFEST_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("read", &path, source)),
    };
    StateManifest::from_bytes(&bytes).map(Some).map_err(|source| StateError::Manifest { path, source })
}

const MANIFEST: &str = "manifest";
const MANIFEST_NEW: &str = "manifest.new";

fn manifest_path(folder: &Path) -> PathBuf {
    folder.join(MANIFEST)
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_the_folder_leads_nowhere() {
        let place = tempfile::tempdir().unwrap();
        let (state, victim) = (place.path().join("state"), place.path().join("victim"));
        fs::create_dir(&state).unwrap();
        fs::write(&victim, "theirs").unwrap();
        symlink(&victim, state.join(MANIFEST_NEW)).unwrap();
        let manifest = StateManifest { query: "q".to_owned(), tenant: "acme".to_owned(), ..StateManifest::default() };
        let folder = StateFolder::open(&state, &Folders::anywhere()).unwrap();
        folder.save(&manifest).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        assert!(folder.load("q", "acme").unwrap().is_some_and(|loaded| loaded.query == manifest.query));
        // Of another tenant's state not even the names are said.
        let said = folder.load("q", "beta").unwrap_err().to_string();
        assert!(said.ends_with("belongs to a query of another tenant: use a separate folder for each query"), "{said}");
        drop(folder);
        for name in [MANIFEST, "lock"] {
            fs::remove_file(state.join(name)).unwrap();
            symlink(&victim, state.join(name)).unwrap();
            let opened = StateFolder::open(&state, &Folders::anywhere());
            let said = opened.and_then(|folder| folder.load("q", "acme").map(drop)).unwrap_err().to_string();
            assert!(said.contains("is a link, which is not followed here"), "{said}");
            fs::remove_file(state.join(name)).unwrap();
            fs::write(state.join(name), "").unwrap();
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
    }

    #[test]
    fn a_tenants_state_is_not_kept_behind_a_link_in_its_folders() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        fs::create_dir(root.join("acme")).unwrap();
        fs::create_dir(root.join("beta")).unwrap();
        symlink(root.join("beta"), root.join("acme/state")).unwrap();
        let folders = Folders::within([root.join("acme")]).unwrap();
        for path in ["acme/state", "acme/state/deep", "beta"] {
            assert!(StateFolder::open(&root.join(path), &folders).is_err(), "{path}");
        }
        assert_eq!(fs::read_dir(root.join("beta")).unwrap().count(), 0);
        StateFolder::open(&root.join("acme/other/state"), &folders).unwrap();
    }
}
