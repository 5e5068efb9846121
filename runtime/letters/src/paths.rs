//! The files of a replay, and the meaning of their existence.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_files::Folder;

/// The files next to a letter file during a replay. Their names are the letter file's with a suffix.
///
/// A replay divides the letters into `.replaying`, which it processes, and `.rest`, which stays. Both are first written completely.
/// Renaming a file to `.replaying` is the atomic step that starts the replay. Then `.rest` replaces the letter file. If both exist,
/// this second rename is still missing, and whoever opens the letter file next does it.
///
/// All files are accessed through the folder's handle, so links under these names are not followed.
#[derive(Clone, Debug)]
pub struct ReplayPaths {
    folder: Arc<Folder>,
    /// The file of letters.
    pub letters: OsString,
    /// The letters that are being replayed.
    pub replaying: OsString,
    /// The same file before it is complete.
    pub new: OsString,
    /// The letters that are not replayed.
    pub rest: OsString,
}

/// The name of the file of letters that are being replayed.
fn with(letters: &OsStr, suffix: &str) -> OsString {
    let mut name = letters.to_owned();
    name.push(suffix);
    name
}

/// The folder of a path; for a bare name, the current folder.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl ReplayPaths {
    /// The paths for the letter file of this path, in its folder.
    pub fn of(letters: &Path, folder: Arc<Folder>) -> ReplayPaths {
        let letters = letters.file_name().unwrap_or_default().to_owned();
        let with = |suffix| with(&letters, suffix);
        let (replaying, new, rest) = (with(".replaying"), with(".replaying.new"), with(".rest"));
        ReplayPaths { folder, letters, replaying, new, rest }
    }

    /// The file of an unfinished replay of these letters, if there is one.
    pub fn unfinished(letters: &Path) -> Option<PathBuf> {
        let replaying = folder_of(letters).join(with(letters.file_name()?, ".replaying"));
        replaying.symlink_metadata().is_ok().then_some(replaying)
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// The path of one of the names, for messages.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether a replay of these letters has begun and not ended.
    pub fn is_going_on(&self) -> bool {
        self.is_there(&self.replaying)
    }

    fn is_there(&self, name: &OsStr) -> bool {
        self.folder.stat(name).is_ok_and(|there| there.is_some())
    }

    /// Finishes the second rename if it is missing. The caller holds the lock.
    pub fn put_back(&self) -> io::Result<bool> {
        if !(self.is_there(&self.replaying) && self.is_there(&self.rest)) {
            return Ok(false);
        }
        // Only a regular file is renamed.
        drop(self.folder.read(&self.rest)?);
        self.folder.rename(&self.rest, &self.letters)?;
        self.folder.sync()?;
        Ok(true)
    }

    /// Renames the replayed file to its final name, and returns it.
    pub fn put_away(&self) -> io::Result<PathBuf> {
        let prefix = format!("{}.replayed-", self.letters.to_string_lossy());
        let mut last = 0_u64;
        for (other, _) in self.folder.entries()? {
            let number = other.to_str().and_then(|other| other.strip_prefix(&prefix)).and_then(|n| n.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        let name = OsString::from(format!("{prefix}{}", last.saturating_add(1)));
        self.folder.rename(&self.replaying, &name)?;
        self.folder.sync()?;
        Ok(self.path(&name))
    }
}
