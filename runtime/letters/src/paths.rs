//! The files of a replay, and what their being there says.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_files::Folder;

/// The files beside a file of letters while they are replayed, each with its name and a word more.
///
/// A replay divides the letters into `.replaying`, which it is to run, and `.rest`, which stays. Both are written in
/// full first. The rename that gives `.replaying` its name is the one step from which on the letters in it are being
/// replayed, and then `.rest` takes the place of the file itself: where both are there, that rename is still to be made,
/// and whoever opens the file next makes it.
///
/// All of them are reached through the folder's handle: a link under one of the names leads nowhere.
#[derive(Clone, Debug)]
pub struct ReplayPaths {
    folder: Arc<Folder>,
    /// The file of letters.
    pub letters: OsString,
    /// What is being replayed.
    pub replaying: OsString,
    /// The same before it is whole.
    pub new: OsString,
    /// What is not.
    pub rest: OsString,
}

/// The name of what is being replayed.
fn with(letters: &OsStr, suffix: &str) -> OsString {
    let mut name = letters.to_owned();
    name.push(suffix);
    name
}

/// The folder of a path; that of a bare name is the current one.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl ReplayPaths {
    /// Of the letters of this path, in its folder.
    pub fn of(letters: &Path, folder: Arc<Folder>) -> ReplayPaths {
        let letters = letters.file_name().unwrap_or_default().to_owned();
        let with = |suffix| with(&letters, suffix);
        let (replaying, new, rest) = (with(".replaying"), with(".replaying.new"), with(".rest"));
        ReplayPaths { folder, letters, replaying, new, rest }
    }

    /// Where what is being replayed of these letters is, if anything is.
    pub fn unfinished(letters: &Path) -> Option<PathBuf> {
        let replaying = folder_of(letters).join(with(letters.file_name()?, ".replaying"));
        replaying.symlink_metadata().is_ok().then_some(replaying)
    }

    /// The folder that they are in.
    pub fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// The path of one of the names, for messages.
    pub fn path(&self, name: &OsStr) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether letters were taken out to be replayed, and have not come to their end.
    pub fn is_going_on(&self) -> bool {
        self.is_there(&self.replaying)
    }

    fn is_there(&self, name: &OsStr) -> bool {
        self.folder.stat(name).is_ok_and(|there| there.is_some())
    }

    /// Puts what a replay left in the place of the letters, if that is still to be done. Asked by who has the lock.
    pub fn put_back(&self) -> io::Result<bool> {
        if !(self.is_there(&self.replaying) && self.is_there(&self.rest)) {
            return Ok(false);
        }
        // What is no file is not put there.
        drop(self.folder.read(&self.rest)?);
        self.folder.rename(&self.rest, &self.letters)?;
        self.folder.sync()?;
        Ok(true)
    }

    /// Gives what was replayed its last name, and says it.
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
