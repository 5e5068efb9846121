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
#[non_exhaustive]
pub struct FileSinkConfig {
    /// The file. Numbered files put their number before its suffix: `late.csv` becomes `late-000001.csv`.
    pub path: PathBuf,
    /// If set, links below this folder are not followed on the way to the file.
    pub beneath: Option<PathBuf>,
    /// The format.
    pub format: Format,
    /// The options for CSV.
    pub csv: CsvOptions,
    /// Publishes a file when it has at least this many bytes, and starts the next. Files get numbers.
    pub rotate_bytes_max: Option<u64>,
    /// Publishes a file when its first record is this old. Files get numbers.
    pub rotate_after: Option<Duration>,
    /// Gives files numbers although they do not rotate, so that every flush publishes one.
    pub numbered: bool,
    /// Publishes rotated files only with the next flush, so that readers see only what was committed.
    pub held_until_flush: bool,
    /// The lowest number for a file, if lower numbers have been used already.
    pub number_min: u64,
    /// What to do if the file exists. Numbered files never replace others: they continue after the highest number.
    pub if_exists: IfExists,
}

/// What to do if the file exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfExists {
    /// Fail, when the sink is opened and again when the file is published.
    #[default]
    Fail,
    /// Replace it atomically when the new file is complete.
    Replace,
}

impl FileSinkConfig {
    /// Changes fields: `FileSinkConfig::new("late.csv", Format::Csv).with(|it| it.numbered = true)`.
    pub fn with(mut self, change: impl FnOnce(&mut FileSinkConfig)) -> FileSinkConfig {
        change(&mut self);
        self
    }

    /// One file at this path, which must not exist.
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

    /// Whether files get numbers.
    pub fn is_numbered(&self) -> bool {
        self.numbered || self.rotate_bytes_max.is_some() || self.rotate_after.is_some()
    }

    /// Checks everything that does not need the file system.
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`] with the key.
    pub fn validate(&self) -> Result<(), SinkError> {
        let refuse = |key, reason: &str| Err(SinkError::Config { key, reason: reason.to_owned() });
        // `Path` ignores a slash at the end, which means that the path is a folder.
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

    /// The folder for the files.
    pub(super) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Opens the folder, and creates it if it is missing.
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
