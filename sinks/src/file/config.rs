//! Settings of a file sink.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_files::Folder;
use weir_formats::{CsvOptions, Format};

use crate::SinkError;

/// Settings of a [`crate::FileSink`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSinkConfig {
    /// The file. Numbered files put their number before its suffix: `late.csv` becomes `late-000001.csv`.
    pub path: PathBuf,
    /// The folder that bounds it, where one does: below it no link on the way to the file is followed.
    pub beneath: Option<PathBuf>,
    /// What is written.
    pub format: Format,
    /// How it is written, where it is CSV.
    pub csv: CsvOptions,
    /// A file of at least this many bytes is published and the next one begun. Numbers the files.
    pub rotate_bytes_max: Option<u64>,
    /// A file whose first record is this old is published. Numbers the files.
    pub rotate_after: Option<Duration>,
    /// Numbers the files although nothing rotates, so that every flush publishes one.
    pub numbered: bool,
    /// Files that rotate wait for the next flush, so that nothing is visible that a commit has not covered.
    pub held_until_flush: bool,
    /// The lowest number of a file, where the numbers before were given out already.
    pub number_min: u64,
    /// What to do when the file exists. Numbered files never replace any: they go on after the highest number.
    pub if_exists: IfExists,
}

/// What to do when the file exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Fail, at the opening and again at the publishing.
    #[default]
    Fail,
    /// Replace it in one step when the new one is whole.
    Replace,
}

impl FileSinkConfig {
    /// A whole file at this path, which must not exist.
    pub fn new(path: impl Into<PathBuf>, format: Format) -> FileSinkConfig {
        FileSinkConfig {
            path: path.into(),
            beneath: None,
            format,
            csv: CsvOptions::default(),
            rotate_bytes_max: None,
            rotate_after: None,
            numbered: false,
            held_until_flush: false,
            number_min: 1,
            if_exists: IfExists::default(),
        }
    }

    /// Whether files are numbered.
    pub fn is_numbered(&self) -> bool {
        self.numbered || self.rotate_bytes_max.is_some() || self.rotate_after.is_some()
    }

    /// Checks what can be checked without touching the file system.
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`], which names the setting.
    pub fn validate(&self) -> Result<(), SinkError> {
        let refuse = |key, reason: &str| Err(SinkError::Config { key, reason: reason.to_owned() });
        // `Path` forgets a slash at the end, which says that a folder is meant.
        let folder_is_meant = self.path.as_os_str().as_encoded_bytes().last() == Some(&b'/');
        if self.path.file_name().is_none() || folder_is_meant {
            return refuse("path", "must end in the name of a file");
        }
        if self.rotate_bytes_max == Some(0) {
            return refuse("rotate_bytes_max", "must be at least 1");
        }
        if self.rotate_after == Some(Duration::ZERO) {
            return refuse("rotate_ms_max", "must be at least 1");
        }
        Ok(())
    }

    /// The folder of the files.
    pub(super) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Opens the folder, made where it is missing.
    pub(super) fn open_folder(&self) -> io::Result<Folder> {
        match &self.beneath {
            Some(root) => Folder::make_beneath(root, self.folder()),
            None => Folder::make(self.folder()),
        }
    }

    /// The name of the file; not empty after `validate`.
    pub(super) fn file_name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }
}
