//! The files of a replay, and what their being there says.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The files beside a file of letters while they are replayed, each with its name and a word more.
///
/// A replay divides the letters into `.replaying`, which it is to run, and `.rest`, which stays. Both are written in
/// full first. The rename that gives `.replaying` its name is the one step from which on the letters in it are being
/// replayed, and then `.rest` takes the place of the file itself: where both are there, that rename is still to be made,
/// and whoever opens the file next makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplayPaths {
    /// The file of letters.
    pub(crate) letters: PathBuf,
    /// What is being replayed.
    pub(crate) replaying: PathBuf,
    /// The same before it is whole.
    pub(crate) new: PathBuf,
    /// What is not.
    pub(crate) rest: PathBuf,
}

impl ReplayPaths {
    pub(crate) fn of(letters: &Path) -> ReplayPaths {
        let with = |suffix: &str| {
            let mut path = OsString::from(letters);
            path.push(suffix);
            PathBuf::from(path)
        };
        ReplayPaths {
            letters: letters.to_owned(),
            replaying: with(".replaying"),
            new: with(".replaying.new"),
            rest: with(".rest"),
        }
    }

    /// Whether letters were taken out to be replayed, and have not come to their end.
    pub(crate) fn is_going_on(&self) -> bool {
        self.replaying.exists()
    }

    /// Puts what a replay left in the place of the letters, if that is still to be done. Asked by who has the lock.
    pub(crate) fn put_back(&self) -> io::Result<bool> {
        if !(self.replaying.exists() && self.rest.exists()) {
            return Ok(false);
        }
        fs::rename(&self.rest, &self.letters)?;
        self.sync_folder()?;
        Ok(true)
    }

    /// Gives what was replayed its last name, and says it.
    pub(crate) fn put_away(&self) -> io::Result<PathBuf> {
        let name = self.letters.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = format!("{name}.replayed-");
        let mut last = 0_u64;
        for entry in fs::read_dir(self.folder())? {
            let other = entry?.file_name();
            let number = other.to_str().and_then(|other| other.strip_prefix(&prefix)).and_then(|n| n.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        let path = self.folder().join(format!("{prefix}{}", last.saturating_add(1)));
        fs::rename(&self.replaying, &path)?;
        self.sync_folder()?;
        Ok(path)
    }

    pub(crate) fn sync_folder(&self) -> io::Result<()> {
        // Names must last as long as what they name.
        File::open(self.folder()).and_then(|folder| folder.sync_all())
    }

    fn folder(&self) -> &Path {
        self.letters.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}
