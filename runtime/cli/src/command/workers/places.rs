//! What the supervisor keeps between runs: processes, users and locks of tenants.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use weir_frame::WorkerUser;
use weir_plan::{LimitsFile, TenantLimits};
use weir_tenancy::{Users, WorkerSpec, give_folders};

/// The registry's folder, and what is handed out by it.
pub(super) struct Places {
    folder: PathBuf,
    /// Where nobody named a folder: one of this run's own.
    temporary: Option<TempDir>,
    /// Where the folder outlives this run, so that others may use it: the locks of tenants.
    locks: Option<PathBuf>,
    users: Option<Users>,
    chown: bool,
}

impl Places {
    /// In this folder, which is made, or in one of this run's own.
    pub(super) fn open(registry: Option<&Path>, limits: Option<&LimitsFile>) -> anyhow::Result<Places> {
        let workers = limits.map(LimitsFile::workers).unwrap_or_default();
        let Some(folder) = registry else {
            if workers.uids.is_some() {
                anyhow::bail!(
                    "`uids` in the limits file needs `--registry DIR`, which says which tenant has which user"
                );
            }
            let temporary = tempfile::Builder::new().prefix("weir-registry-").tempdir()?;
            let folder = temporary.path().to_owned();
            return Ok(Places { folder, temporary: Some(temporary), locks: None, users: None, chown: false });
        };
        let locks = folder.join("locks");
        let failed = |error: std::io::Error| anyhow::anyhow!("--registry: could not make {}: {error}", locks.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&locks).map_err(failed)?;
        let real = std::fs::canonicalize(folder).map_err(failed)?;
        let of_tenants = limits
            .into_iter()
            .flat_map(|limits| limits.tenants().filter_map(move |tenant| Some((tenant, limits.of(tenant)?))));
        for (tenant, granted) in of_tenants {
            let within = granted.folders.paths().is_some_and(|all| all.iter().any(|it| real.starts_with(it)));
            if within {
                anyhow::bail!(
                    "--registry: {} is in a folder of tenant `{tenant}`, whose worker could write to it; use a folder outside of all `folders`",
                    folder.display()
                );
            }
        }
        Ok(Places { folder: real, temporary: None, locks: Some(locks), users: None, chown: workers.chown })
    }

    /// The registry's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of this run's own, if it is one. It is removed when this is dropped: after the supervisor has ended.
    pub(super) fn take_temporary(&mut self) -> Option<TempDir> {
        self.temporary.take()
    }

    /// Reads who has which user, once the registry is this process's own.
    pub(super) fn read_users(&mut self, limits: Option<&LimitsFile>) -> anyhow::Result<()> {
        let workers = limits.map(LimitsFile::workers).unwrap_or_default();
        if let Some(uids) = workers.uids {
            self.users = Some(Users::open(&self.folder, uids.range(), workers.chown)?);
        }
        Ok(())
    }

    /// Gives a reader of query files, which has no tenant, a user.
    pub(super) fn of_reader(&self, spec: &mut WorkerSpec) {
        spec.user = self.users.as_ref().map(|users| user(users.of_nobody()));
    }

    /// Gives the worker of a tenant its lock and its user, and the user the tenant's folders, where that is wanted.
    pub(super) fn of_tenant(&mut self, spec: &mut WorkerSpec, limits: &TenantLimits) -> Result<(), String> {
        spec.lock = self.locks.as_ref().map(|locks| locks.join(&spec.tenant));
        let Some(users) = &mut self.users else { return Ok(()) };
        let id = users.of(&spec.tenant).map_err(|error| error.to_string())?;
        spec.user = Some(user(id));
        if self.chown {
            let folders = limits.folders.paths().unwrap_or_default();
            give_folders(folders.iter().map(AsRef::as_ref), id)
                .map_err(|error| format!("its folders cannot be given to user {id}: {error}"))?;
        }
        Ok(())
    }
}

fn user(id: u32) -> WorkerUser {
    WorkerUser { uid: id, gid: id }
}
