//! Files that are being written and are not visible yet.

use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use weir_batch::{Batch, Schema};
use weir_files::{FileType, Folder};
use weir_formats::{Encoder, Format, open_csv_encoder, open_encoder};

use super::{FileSinkConfig, IfExists};
use crate::{Prepared, SinkError};

/// A hidden file next to the final one, locked while it is open. It becomes visible only by [`Finished::publish`], and is removed
/// when this is dropped.
pub(super) struct Part {
    // Taken by `publish`. Declared before `hidden`, so that the encoder closes the file first.
    encoder: Option<Box<dyn Encoder>>,
    hidden: Hidden,
    records: u64,
    opened: Instant,
}

/// The hidden file itself.
struct Hidden {
    folder: Arc<Folder>,
    name: OsString,
    // Holds the lock; synced at the end.
    file: File,
    // Its length at the last check: it must never become shorter.
    bytes: u64,
    // The caller has stored its name, and will publish it.
    kept: bool,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // The hidden name is no longer needed. If it cannot be removed, the next sink with this path will try again.
        self.folder.remove(&self.name).unwrap_or_default();
    }
}

impl Part {
    pub(super) fn create(
        config: &FileSinkConfig,
        schema: &Arc<Schema>,
        folder: &Arc<Folder>,
    ) -> Result<Part, SinkError> {
        let hidden = Hidden::create(config, folder)?;
        let writer = hidden.file.try_clone().map_err(|source| SinkError::file("open", &hidden.path(), source))?;
        let encoder = match config.format {
            Format::Csv => open_csv_encoder(schema, writer, &config.csv),
            format => open_encoder(format, schema, writer),
        };
        let encoder = encoder.map_err(|error| SinkError::encode(&config.path, error))?;
        Ok(Part { encoder: Some(encoder), hidden, records: 0, opened: Instant::now() })
    }

    /// Writes the rows that count.
    pub(super) fn write(&mut self, path: &Path, batch: &Batch) -> Result<(), SinkError> {
        // Rows after the end of a truncated file would hide that it was truncated.
        self.hidden.look()?;
        let Some(encoder) = &mut self.encoder else { return Err(SinkError::AfterError) };
        encoder.write(batch).map_err(|error| SinkError::encode(path, error))?;
        self.hidden.look()?;
        if self.records == 0 {
            self.opened = Instant::now();
        }
        self.records = self.records.saturating_add(batch.rows() as u64);
        Ok(())
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The time of the first record.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    pub(super) fn bytes(&self) -> u64 {
        self.encoder.as_ref().map_or(0, |encoder| encoder.bytes_written())
    }

    /// Completes the file and syncs it. It is not visible yet.
    pub(super) fn finish(mut self, path: &Path) -> Result<Finished, SinkError> {
        self.hidden.look()?;
        let Some(encoder) = self.encoder.take() else { return Err(SinkError::AfterError) };
        encoder.finish().map_err(|error| SinkError::encode(path, error))?;
        let file = &self.hidden.file;
        // A failed sync is final: the kernel may have dropped the pages, and a second one would report success.
        file.sync_all().map_err(|source| SinkError::file("sync", path, source))?;
        let bytes = self.hidden.look()?;
        Ok(Finished { hidden: self.hidden, bytes })
    }
}

/// A complete and durable file with its hidden name.
pub(super) struct Finished {
    hidden: Hidden,
    pub(super) bytes: u64,
}

impl Finished {
    /// Fails if the file with the hidden name is not the one that was written, or has another length.
    pub(super) fn check(&mut self) -> Result<(), SinkError> {
        self.hidden.check()
    }

    /// Returns the hidden name. From now on the file stays until it is published, possibly by another process.
    pub(super) fn keep(&mut self) -> PathBuf {
        self.hidden.kept = true;
        self.hidden.path()
    }

    /// Renames the file to the first of these names that is free (or may be replaced), and syncs the folder. After an error the
    /// file is not visible under any of the names.
    pub(super) fn publish(
        mut self,
        mut names: impl Iterator<Item = OsString>,
        if_exists: IfExists,
    ) -> Result<(), SinkError> {
        self.hidden.check()?;
        let folder = Arc::clone(&self.hidden.folder);
        let Some(mut name) = names.next() else { return Err(SinkError::AfterError) };
        loop {
            match give_name(&folder, &self.hidden.name, &name, if_exists) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match names.next() {
                    Some(next) => name = next,
                    None => return Err(SinkError::FileExists { path: folder.path().join(name) }),
                },
                Err(source) => return Err(SinkError::file("publish", &folder.path().join(name), source)),
            }
        }
        self.hidden.kept = false;
        drop(self);
        sync_folder(&folder)
    }
}

/// Publishes the files that an earlier sink prepared, unless this has been done. Files that have neither name were published, and
/// removed by their reader. `open` opens the folder of the files. Returns the number of files that were published now.
///
/// # Errors
///
/// Another file with the name of a prepared one, two names in different folders, or an error of the file system.
pub fn publish_prepared(prepared: &[Prepared], open: impl Fn(&Path) -> io::Result<Folder>) -> Result<usize, SinkError> {
    let mut published = 0;
    for Prepared { hidden, path, .. } in prepared {
        let failed = |action, source| SinkError::file(action, path, source);
        let (Some(name), Some(hidden_name), true) =
            (path.file_name(), hidden.file_name(), path.parent() == hidden.parent())
        else {
            return Err(failed("publish", io::ErrorKind::InvalidInput.into()));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = open(folder).map_err(|source| SinkError::file("open", folder, source))?;
        let file = match folder.read(hidden_name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(SinkError::file("read", hidden, source)),
        };
        // It already has the name if the process ended between the two steps below.
        if !folder.is_at(&file, name).map_err(|source| failed("read", source))? {
            match give_name(&folder, hidden_name, name, IfExists::Fail) {
                Ok(()) => published += 1,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(SinkError::FileExists { path: path.clone() });
                }
                Err(source) => return Err(failed("publish", source)),
            }
        }
        match folder.remove(hidden_name) {
            // A file system without hard links has renamed it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SinkError::file("remove", hidden, error));
            }
            _ => {}
        }
        sync_folder(&folder)?;
    }
    Ok(published)
}

/// Makes names in this folder durable.
pub(super) fn sync_folder(folder: &Folder) -> Result<(), SinkError> {
    folder.sync().map_err(|source| SinkError::file("sync", folder.path(), source))
}

impl Hidden {
    /// Creates `.late.csv.<unique>.part`.
    fn create(config: &FileSinkConfig, folder: &Arc<Folder>) -> Result<Hidden, SinkError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let count = COUNTER.fetch_add(1, Ordering::Relaxed);
            let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
            let mut name = prefix(config);
            name.push(format!("{}-{count}-{nanos}{SUFFIX}", process::id()));
            let file = match folder.create_new(&name, 0o666) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(source) => return Err(SinkError::file("create a file beside", &config.path, source)),
            };
            file.lock().map_err(|source| SinkError::file("lock", &folder.path().join(&name), source))?;
            // Before the lock was taken, another sink may have considered the file dead, and removed it.
            if folder.is_at(&file, &name).unwrap_or(false) {
                return Ok(Hidden { folder: Arc::clone(folder), name, file, bytes: 0, kept: false });
            }
        }
    }

    /// Returns the file's length; fails if the file has become shorter.
    fn look(&mut self) -> Result<u64, SinkError> {
        let found = self.file.metadata().map_err(|source| SinkError::file("read", &self.path(), source))?;
        if found.len() < self.bytes {
            return Err(SinkError::PartChanged { path: self.path(), found: "was cut" });
        }
        self.bytes = found.len();
        Ok(self.bytes)
    }

    /// Fails if the name is missing, belongs to another file, or the file has another length.
    fn check(&mut self) -> Result<(), SinkError> {
        let changed = |found| Err(SinkError::PartChanged { path: self.path(), found });
        let there = self.folder.stat(&self.name).map_err(|source| SinkError::file("read", &self.path(), source))?;
        if there.is_none() {
            return changed("was removed");
        }
        if !self.folder.is_at(&self.file, &self.name).unwrap_or(false) {
            return changed("was replaced");
        }
        let written = self.bytes;
        match self.look()? == written {
            true => Ok(()),
            false => Err(SinkError::PartChanged { path: self.path(), found: "was written to" }),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }
}

/// Adds the final name for the file `hidden`. If it must not replace another file, fails with `AlreadyExists`.
fn give_name(folder: &Folder, hidden: &OsStr, name: &OsStr, if_exists: IfExists) -> io::Result<()> {
    if if_exists == IfExists::Replace {
        return folder.rename(hidden, name);
    }
    match folder.link(hidden, name) {
        Err(error) if !has_links(&error) => {
            // Without hard links, check first. Another process could create the name in between, but only on such systems.
            match folder.stat(name)? {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => folder.rename(hidden, name),
            }
        }
        linked => linked,
    }
}

fn has_links(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied)
}

const SUFFIX: &str = ".part";

fn prefix(config: &FileSinkConfig) -> OsString {
    let mut name = OsString::from(".");
    name.push(config.file_name());
    name.push(".");
    name
}

/// Removes the hidden files of dead sinks with this path. Files of living sinks are locked, and stay.
pub(super) fn remove_leftovers(config: &FileSinkConfig, folder: &Folder) -> Result<(), SinkError> {
    let prefix = prefix(config);
    for (name, kind) in folder.entries().map_err(|source| SinkError::file("read", folder.path(), source))? {
        let unique = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let unique = unique.and_then(|name| name.strip_suffix(SUFFIX.as_bytes()));
        // `late.csv` must not remove files of `late.csv.old`.
        let ours = unique.is_some_and(|unique| unique.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-'));
        if !ours || kind != FileType::RegularFile {
            continue;
        }
        let Ok(file) = folder.write(&name) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let removed = folder.remove(&name);
                removed.map_err(|source| SinkError::file("remove", &folder.path().join(&name), source))?;
            }
            // The sink lives, or the file system does not support locks.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
    Ok(())
}
