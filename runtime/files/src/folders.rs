//! The folders to which a tenant's queries are limited.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use weir_fault::Fault;

use crate::standard_input::{HandedInput, is_standard_input};
use crate::{FileError, FileKind, Folder};

/// The folders in which a tenant's queries may read and write files, and have their modules.
///
/// Checks apply to the resolved path: links are followed, and `.` and `..` are removed. For a file that will be written, the folder
/// is resolved. Broken links are refused, and so is an output file whose name is a link. The plan keeps the resolved path, so that
/// no path is resolved twice.
///
/// # Between the check and the opening
///
/// An input file is checked again after opening: the operating system reports where the open file is, so a link that was swapped in
/// meanwhile is detected. A folder for output (state, dead letters, file sinks) is opened from the tenant's folder on, component by
/// component, without following links, and files in it are accessed only through that handle ([`crate::Folder`]). Renaming or
/// linking folders meanwhile therefore has no effect.
///
/// A hard link is the file itself: a file that is linked into the tenant's folder may be read from there. Files that are appended
/// to (dead letters, locks) are refused if they have a second name.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Folders {
    // Resolved; `None` if there are no bounds.
    within: Option<Arc<[PathBuf]>>,
    // Whether the standard input may be read although it is outside.
    #[serde(default)]
    standard_input: bool,
    // Where this process's own standard input is something else.
    #[serde(skip)]
    handed: Option<HandedInput>,
}

/// The reason why a tenant's query may not use a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// The path leads out of the tenant's folders.
    #[error("is outside of the tenant's folders")]
    Outside,
    /// A part of the path is a link that leads nowhere or in a circle, so its later target is unknown.
    #[error("contains a broken link")]
    BrokenLink,
    /// The output file is a link.
    #[error("is a link, and output is not written through links")]
    Link,
}

impl Denied {
    /// Who has to act: the tenant, because the query names the path.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same path may be allowed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl Folders {
    /// No bounds.
    pub fn anywhere() -> Folders {
        Folders::default()
    }

    /// Limits paths to these folders and everything below them.
    ///
    /// # Errors
    ///
    /// A folder that does not exist: it could become anything later.
    pub fn within<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Folders> {
        let resolve = |folder: P| {
            let folder = folder.as_ref().canonicalize()?;
            if folder.is_dir() { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) }
        };
        let within = folders.into_iter().map(resolve).collect::<io::Result<Vec<PathBuf>>>()?;
        Ok(Folders { within: Some(within.into()), standard_input: false, handed: None })
    }

    /// The same folders; whether [`STANDARD_INPUT`](crate::STANDARD_INPUT) may be read although it is outside of them.
    #[must_use]
    pub fn with_standard_input(self, allowed: bool) -> Folders {
        Folders { standard_input: allowed, ..self }
    }

    /// These folders and those. Without bounds, where one of them has none.
    #[must_use]
    pub fn joined(self, other: &Folders) -> Folders {
        let within = self.within.as_ref().zip(other.within.as_ref());
        let within = within.map(|(ours, theirs)| ours.iter().chain(theirs.iter()).cloned().collect());
        Folders { within, ..self }
    }

    /// Whether [`STANDARD_INPUT`](crate::STANDARD_INPUT) may be read.
    pub fn allow_standard_input(&self) -> bool {
        self.standard_input || self.within.is_none()
    }

    /// Whether it may be read although it is outside, where anything is.
    pub fn allows_standard_input_outside(&self) -> bool {
        self.standard_input
    }

    /// The same folders, for a process to which the standard input is handed over by another one.
    #[must_use]
    pub fn handed_input(self, handed: HandedInput) -> Folders {
        Folders { handed: Some(handed), ..self }
    }

    /// Whether this path is the standard input, and another process hands it over: what it is becomes known when it is opened.
    pub fn awaits(&self, path: &Path) -> bool {
        self.handed.is_some() && is_standard_input(path)
    }

    /// The resolved folders; `None` if there are no bounds.
    pub fn paths(&self) -> Option<&[PathBuf]> {
        self.within.as_deref()
    }

    /// The resolved path for reading a file.
    ///
    /// # Errors
    ///
    /// A path that leads out of the folders, or could later.
    pub fn input(&self, path: &Path) -> Result<PathBuf, Denied> {
        let Some(within) = self.paths() else { return Ok(path.to_owned()) };
        if is_standard_input(path) {
            // Whatever it is in this process.
            return if self.standard_input { Ok(path.to_owned()) } else { Err(Denied::Outside) };
        }
        let real = real_path(path);
        if real.broken_link {
            return Err(Denied::BrokenLink);
        }
        if contains(within, &real.path) { Ok(real.path) } else { Err(Denied::Outside) }
    }

    /// The resolved path for writing a file. The file and its folder need not exist.
    ///
    /// # Errors
    ///
    /// A path that leads out of the folders, or could later.
    pub fn output(&self, path: &Path) -> Result<PathBuf, Denied> {
        let Some(within) = self.paths() else { return Ok(path.to_owned()) };
        // Hidden and numbered files are next to the file, so its folder must be inside: a path that is itself one of the tenant's
        // folders is refused.
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Err(Denied::Outside) };
        let folder = real_path(folder);
        if folder.broken_link {
            return Err(Denied::BrokenLink);
        }
        if !contains(within, &folder.path) {
            return Err(Denied::Outside);
        }
        let path = folder.path.join(name);
        if std::fs::symlink_metadata(&path).is_ok_and(|there| there.is_symlink()) {
            return Err(Denied::Link);
        }
        Ok(path)
    }

    /// Opens a regular file to be read, and makes sure that what was opened lies within.
    ///
    /// # Errors
    ///
    /// Errors of opening; files that are not regular; `PermissionDenied` for a file outside of the folders.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        match self.open_any(path)? {
            (file, FileKind::Regular) => Ok(file),
            (_, kind) => Err(FileError::NotRegular { kind }.into()),
        }
    }

    /// Opens any readable file without waiting, returns its kind, and checks that it is inside of the folders.
    ///
    /// # Errors
    ///
    /// Errors of opening; `PermissionDenied` for a file outside of the folders.
    pub fn open_any(&self, path: &Path) -> io::Result<(File, FileKind)> {
        if is_standard_input(path) && self.allow_standard_input() {
            return match &self.handed {
                Some(handed) => handed.open(),
                None => Ok(crate::open(path)?),
            };
        }
        let (file, kind) = crate::open(path)?;
        self.check_opened(&file, path)?;
        Ok((file, kind))
    }

    /// The folder that contains `path`; `None` if there are no bounds.
    pub fn root_of(&self, path: &Path) -> Option<&Path> {
        let roots = self.paths()?.iter().filter(|root| path.starts_with(root));
        // If folders are nested, the innermost: fewer components must be checked.
        roots.max_by_key(|root| root.as_os_str().len()).map(PathBuf::as_path)
    }

    /// Opens a folder for writing, and creates it if it is missing. With bounds, links below the tenant's folder are not followed;
    /// without bounds, the query chose the path itself.
    ///
    /// # Errors
    ///
    /// Errors of creating and opening; `PermissionDenied` for a folder outside, or behind a link.
    pub fn folder(&self, path: &Path) -> io::Result<Folder> {
        match (self.paths(), self.root_of(path)) {
            (None, _) => Folder::make(path),
            (Some(_), Some(root)) => Folder::make_beneath(root, path),
            (Some(_), None) => Err(io::Error::new(io::ErrorKind::PermissionDenied, Denied::Outside)),
        }
    }

    /// Checks that an open file is inside of the folders, wherever its path leads now.
    pub fn check_opened(&self, file: &File, path: &Path) -> io::Result<()> {
        let Some(within) = self.paths() else { return Ok(()) };
        if contains(within, &place_of(file, path)?) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, Denied::Outside))
    }
}

fn contains(within: &[PathBuf], real: &Path) -> bool {
    within.iter().any(|folder| real.starts_with(folder))
}

/// The path of an open file.
#[cfg(target_os = "linux")]
fn place_of(file: &File, _path: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// The path of an open file, as far as this operating system can tell: the resolved path now.
#[cfg(not(target_os = "linux"))]
fn place_of(_file: &File, path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// A resolved path.
#[non_exhaustive]
pub struct RealPath {
    /// The same path for all spellings: links are followed as far as the path exists, and `.` and `..` are removed.
    pub path: PathBuf,
    /// Whether a part of the path is a link that could not be followed.
    pub broken_link: bool,
}

/// Resolves a path.
pub fn real_path(path: &Path) -> RealPath {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut real = RealPath { path: PathBuf::new(), broken_link: false };
    for component in absolute.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                real.path.pop();
            }
            component => {
                real.path.push(component);
                match real.path.canonicalize() {
                    Ok(followed) => real.path = followed,
                    Err(_) => {
                        let there = std::fs::symlink_metadata(&real.path);
                        real.broken_link |= there.is_ok_and(|there| there.is_symlink());
                    }
                }
            }
        }
    }
    real
}
