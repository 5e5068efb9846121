//! The folders that a tenant's queries keep to.

use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use weir_fault::Fault;

use crate::{FileError, FileKind, Folder};

/// Where a tenant's queries may read and write files, and have their modules.
///
/// A path is taken for what it leads to: links followed, `.` and `..` resolved; of a file that is to be written, the
/// folder that it is to be in. What cannot be told (a link that leads nowhere) is refused, and so is a file to be
/// written whose name is a link. The plan keeps the resolved path, so that nothing is resolved twice.
///
/// # Between the check and the opening
///
/// A file that is read is looked at again once it is open: the system is asked where the open file lies, so that no
/// link swapped in meanwhile is followed unnoticed. A folder that is written to (of state, dead letters, file sinks) is
/// opened from the tenant's folder on, component by component, without following a link, and everything in it is reached
/// through that handle ([`crate::Folder`]): somebody who renames and links folders meanwhile changes nothing.
///
/// A hard link is the file itself: what is linked into the tenant's folder may be read from there. What is appended to
/// (dead letters, locks) is refused where it has a second name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    // Resolved; `None` is anywhere.
    within: Option<Arc<[PathBuf]>>,
}

/// A path that a tenant's query may not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// It leads out of the folders.
    #[error("is outside of the tenant's folders")]
    Outside,
    /// A part of it is a link that leads nowhere, or in a circle: where it would lead later cannot be told.
    #[error("contains a broken link")]
    BrokenLink,
    /// A file that is to be written is a link.
    #[error("is a link, and output is not written through links")]
    Link,
}

impl Denied {
    /// Whose fault it is: the query names the path.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl Folders {
    /// No bounds.
    pub fn anywhere() -> Folders {
        Folders::default()
    }

    /// These folders and all below them.
    ///
    /// # Errors
    ///
    /// A folder that is not there: one that is made later may be anything.
    pub fn within<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Folders> {
        let resolve = |folder: P| {
            let folder = folder.as_ref().canonicalize()?;
            if folder.is_dir() { Ok(folder) } else { Err(io::ErrorKind::NotADirectory.into()) }
        };
        let within = folders.into_iter().map(resolve).collect::<io::Result<Vec<PathBuf>>>()?;
        Ok(Folders { within: Some(within.into()) })
    }

    /// The folders, resolved; none where there are no bounds.
    pub fn paths(&self) -> Option<&[PathBuf]> {
        self.within.as_deref()
    }

    /// The path to read a file by.
    ///
    /// # Errors
    ///
    /// A path that leads out, or may come to.
    pub fn input(&self, path: &Path) -> Result<PathBuf, Denied> {
        let Some(within) = self.paths() else { return Ok(path.to_owned()) };
        let real = real_path(path);
        if real.broken_link {
            return Err(Denied::BrokenLink);
        }
        if contains(within, &real.path) { Ok(real.path) } else { Err(Denied::Outside) }
    }

    /// The path to write a file by, which need not exist; nor need its folder.
    ///
    /// # Errors
    ///
    /// A path that leads out, or may come to.
    pub fn output(&self, path: &Path) -> Result<PathBuf, Denied> {
        let Some(within) = self.paths() else { return Ok(path.to_owned()) };
        // Hidden and numbered files lie beside the file, so that its folder is what counts: one of the tenant's folders
        // is a file in none.
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
    /// As for opening; what is no regular file; `PermissionDenied` for a file that lies outside.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        match self.open_any(path)? {
            (file, FileKind::Regular) => Ok(file),
            (_, kind) => Err(FileError::NotRegular { kind }.into()),
        }
    }

    /// Opens whatever can be read, without waiting, says what it is, and makes sure that it lies within.
    ///
    /// # Errors
    ///
    /// As for opening; `PermissionDenied` for a file that lies outside.
    pub fn open_any(&self, path: &Path) -> io::Result<(File, FileKind)> {
        let (file, kind) = crate::open(path)?;
        self.check_opened(&file, path)?;
        Ok((file, kind))
    }

    /// The folder that `path` lies below and that bounds it; `None` where there are no bounds.
    pub fn root_of(&self, path: &Path) -> Option<&Path> {
        let roots = self.paths()?.iter().filter(|root| path.starts_with(root));
        // Of folders within each other the inner one: fewer steps are to be watched.
        roots.max_by_key(|root| root.as_os_str().len()).map(PathBuf::as_path)
    }

    /// Opens a folder that is written to, made where it is missing. Within bounds no link on the way is followed; without
    /// them the path is the query's own.
    ///
    /// # Errors
    ///
    /// As for making and opening; `PermissionDenied` for one outside, or behind a link.
    pub fn folder(&self, path: &Path) -> io::Result<Folder> {
        match (self.paths(), self.root_of(path)) {
            (None, _) => Folder::make(path),
            (Some(_), Some(root)) => Folder::make_beneath(root, path),
            (Some(_), None) => Err(io::Error::new(io::ErrorKind::PermissionDenied, Denied::Outside)),
        }
    }

    /// Makes sure that an open file lies within, wherever its path leads by now.
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

/// Where an open file lies.
#[cfg(target_os = "linux")]
fn place_of(file: &File, _path: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd;
    std::fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Where an open file lies, as far as this system tells: where its path leads now.
#[cfg(not(target_os = "linux"))]
fn place_of(_file: &File, path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// What a path leads to.
pub struct RealPath {
    /// The same for all ways of writing a path: links followed as far as the path exists, `.` and `..` resolved.
    pub path: PathBuf,
    /// Whether a part of it is a link that could not be followed.
    pub broken_link: bool,
}

/// Follows a path.
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
