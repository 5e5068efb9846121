//! The folder for provisioned tools, shared by all checkouts of this user.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The folder with provisioned compilers and Apache Kafka, one per version.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) folder: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/weir`, or `~/.cache/weir`.
    pub(crate) fn from_environment() -> Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The specification of these folders says that a relative path must be ignored.
        let base = set("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(set("HOME")?.join(".cache")))
            .context("no cache folder: set XDG_CACHE_HOME or HOME")?;
        Ok(Self { folder: base.join("weir") })
    }

    /// Two processes at once would unpack into the same folders, and block each other in apt. The lock ends with the process,
    /// however it ends.
    pub(crate) fn lock(&self, file_name: &str, what: &str) -> Result<File> {
        fs::create_dir_all(&self.folder).with_context(|| format!("could not create {}", self.folder.display()))?;
        let path = self.folder.join(file_name);
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another process to finish {what} ({})", path.display());
            file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// Removes folders with this prefix, which killed processes left behind. Call it with the lock held. Children of these
    /// processes may still be writing: they do not disturb folders of other names, and what cannot be removed now is removed next
    /// time.
    pub(crate) fn remove_unfinished(&self, prefix: &str) -> Result<()> {
        for entry in self.folder.read_dir()?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                fs::remove_dir_all(entry.path())
                    .unwrap_or_else(|error| eprintln!("{}: {error}", entry.path().display()));
            }
        }
        Ok(())
    }
}
