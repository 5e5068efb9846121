//! Handles of folders.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::{FileError, FileKind};

/// A handle of a folder. Files are addressed by names of one component, and links are never followed.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    // For error messages.
    path: PathBuf,
}

const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder at a trusted path: links on the way are followed.
    ///
    /// # Errors
    ///
    /// Errors of opening, and paths that are not folders.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let handle = rustix::fs::open(path, OPEN_FOLDER, Mode::empty())?;
        Ok(Folder { handle, path: path.to_owned() })
    }

    /// Like [`Folder::open`], but creates the folder and its parents if they are missing.
    ///
    /// # Errors
    ///
    /// Errors of creating and opening.
    pub fn make(path: &Path) -> io::Result<Folder> {
        std::fs::create_dir_all(path)?;
        Folder::open(path)
    }

    /// Opens the folder at `path` below `root`, and creates missing folders. `root` is trusted; below it, links are not followed.
    ///
    /// # Errors
    ///
    /// Errors of creating and opening, and a path that is not below `root`, contains `..`, or leads through a link.
    pub fn make_beneath(root: &Path, path: &Path) -> io::Result<Folder> {
        let below = path.strip_prefix(root).map_err(|_| invalid(path, "is not inside its root folder"))?;
        let mut folder = Folder::open(root)?;
        for component in below.components() {
            let name = match component {
                Component::CurDir => continue,
                Component::Normal(name) => name,
                _ => return Err(invalid(path, "leads outside of its root folder")),
            };
            folder = folder.make_sub(name, 0o777)?;
        }
        Ok(folder)
    }

    /// Like [`Folder::sub`], but creates the folder with this mode if it is missing.
    ///
    /// # Errors
    ///
    /// Errors of creating, and of [`Folder::sub`].
    pub fn make_sub(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<Folder> {
        match rustix::fs::mkdirat(&self.handle, one(name.as_ref())?, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => self.sub(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the subfolder of this name.
    ///
    /// # Errors
    ///
    /// Errors of opening; links are refused.
    pub fn sub(&self, name: impl AsRef<OsStr>) -> io::Result<Folder> {
        let name = one(name.as_ref())?;
        let handle = rustix::fs::openat(&self.handle, name, OPEN_FOLDER | OFlags::NOFOLLOW, Mode::empty());
        let handle = handle.map_err(|error| explained(error, self, name))?;
        Ok(Folder { handle, path: self.path.join(name) })
    }

    /// The path at which the folder was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    ///
    /// Errors of opening; links and files that are not regular are refused.
    pub fn read(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::RDONLY, 0)
    }

    /// Reads a regular file of at most this many bytes.
    ///
    /// # Errors
    ///
    /// As [`Folder::read`]; larger files are refused.
    pub fn read_whole(&self, name: impl AsRef<OsStr>, bytes_max: u64) -> io::Result<Vec<u8>> {
        Ok(crate::read_bounded(self.read(name)?, bytes_max)?)
    }

    /// Creates a file for writing, which must not exist.
    ///
    /// # Errors
    ///
    /// Errors of creating: `AlreadyExists` if the name is used, also by a link.
    pub fn create_new(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)
    }

    /// Like [`Folder::create_new`], but first removes a file or link of this name. Does not write to the old file.
    ///
    /// # Errors
    ///
    /// Errors of creating and removing; a folder is not removed.
    pub fn create_anew(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let name = name.as_ref();
        loop {
            match self.remove(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            match self.create_new(name, mode) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    /// Opens a regular file for reading and writing, and creates it if it is missing.
    ///
    /// # Errors
    ///
    /// Errors of opening; links, files that are not regular, and files with a second name are refused.
    pub fn open_or_create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own(name.as_ref(), OFlags::RDWR | OFlags::CREATE)
    }

    /// Like [`Folder::open_or_create`], but appends.
    ///
    /// # Errors
    ///
    /// As [`Folder::open_or_create`].
    pub fn append(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own(name.as_ref(), OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)
    }

    /// Opens an existing regular file for writing.
    ///
    /// # Errors
    ///
    /// As [`Folder::read`].
    pub fn write(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::WRONLY, 0)
    }

    /// Refuses a file with a second name: it may belong to somebody else, and would be changed through this name.
    fn open_own(&self, name: &OsStr, flags: OFlags) -> io::Result<File> {
        let file = self.open_file(name, flags, 0o666)?;
        if rustix::fs::fstat(&file)?.st_nlink > 1 {
            return Err(invalid(&self.path.join(name), "has a second name (a hard link): remove one of the names"));
        }
        Ok(file)
    }

    fn open_file(&self, name: &OsStr, flags: OFlags, mode: u32) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.handle, one(name)?, flags, Mode::from_raw_mode(mode));
        let file = File::from(opened.map_err(|error| explained(error, self, name))?);
        match FileKind::of(&file)? {
            FileKind::Regular => Ok(file),
            kind => Err(FileError::NotRegular { kind }.into()),
        }
    }

    /// Renames a file; an existing file with the new name is replaced.
    ///
    /// # Errors
    ///
    /// Errors of renaming.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, one(from.as_ref())?, &self.handle, one(to.as_ref())?)?)
    }

    /// Creates a hard link to a file. The new name must be free.
    ///
    /// # Errors
    ///
    /// Errors of linking: `AlreadyExists` if the name is used.
    pub fn link(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        let (from, to) = (one(from.as_ref())?, one(to.as_ref())?);
        Ok(rustix::fs::linkat(&self.handle, from, &self.handle, to, AtFlags::empty())?)
    }

    /// Removes a file or link (not the file to which a link points).
    ///
    /// # Errors
    ///
    /// Errors of removing.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, one(name.as_ref())?, AtFlags::empty())?)
    }

    /// The status of the file with this name; of a link, the status of the link. `None` if the name is not used.
    ///
    /// # Errors
    ///
    /// Errors of reading the status.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.handle, one(name.as_ref())?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this open file is the one that has the name.
    ///
    /// # Errors
    ///
    /// Errors of reading the status.
    pub fn is_at(&self, file: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<bool> {
        let open = rustix::fs::fstat(file)?;
        Ok(self.stat(name)?.is_some_and(|there| (there.st_dev, there.st_ino) == (open.st_dev, open.st_ino)))
    }

    /// All names in the folder with their file types, in no particular order.
    ///
    /// # Errors
    ///
    /// Errors of reading the folder.
    pub fn entries(&self) -> io::Result<Vec<(OsString, FileType)>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    self.stat(name)?.map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
                }
                kind => kind,
            };
            names.push((name.to_owned(), kind));
        }
        Ok(names)
    }

    /// Syncs the folder, so that the names in it survive a crash of the machine.
    ///
    /// # Errors
    ///
    /// Errors of syncing.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }
}

/// The name, if it is a single component.
fn one(name: &OsStr) -> io::Result<&OsStr> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(invalid(Path::new(name), "is not the name of a file in a folder")),
    }
}

fn invalid(path: &Path, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{} {what}", path.display()))
}

/// Replaces the message for links: the operating system calls them "too many levels".
fn explained(error: rustix::io::Errno, folder: &Folder, name: &OsStr) -> io::Error {
    let is_link = || {
        folder
            .stat(name)
            .is_ok_and(|there| there.is_some_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::Symlink))
    };
    match error {
        rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR | rustix::io::Errno::MLINK if is_link() => {
            let message = "is a link, which is not followed here: replace it with the file or folder itself";
            io::Error::new(io::ErrorKind::PermissionDenied, format!("{} {message}", folder.path.join(name).display()))
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_link_is_refused_wherever_it_lies() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let victim = root.join("victim");
        fs::create_dir(root.join("tenant")).unwrap();
        fs::create_dir(root.join("other")).unwrap();
        fs::write(&victim, "theirs").unwrap();
        let folder = Folder::open(&root.join("tenant")).unwrap();
        symlink(&victim, root.join("tenant/link")).unwrap();
        symlink(root.join("other"), root.join("tenant/middle")).unwrap();
        symlink(root.join("new"), root.join("tenant/nowhere")).unwrap();
        let said = |done: io::Result<File>| done.map(drop).unwrap_err().to_string();
        for done in [folder.read("link"), folder.open_or_create("link"), folder.append("nowhere"), folder.write("link")]
        {
            let said = said(done);
            assert!(said.contains("is a link, which is not followed here"), "{said}");
        }
        assert_eq!(folder.create_new("nowhere", 0o600).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let middle = Folder::make_beneath(&root.join("tenant"), &root.join("tenant/middle/deep"));
        assert!(middle.unwrap_err().to_string().contains("middle is a link"));
        // The link is replaced by a file; the file to which it pointed stays.
        folder.create_anew("link", 0o600).unwrap().write_all(b"ours").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        assert!(fs::symlink_metadata(root.join("tenant/link")).unwrap().is_file());
        assert_eq!(fs::read_dir(root.join("other")).unwrap().count(), 0);
        assert!(!root.join("new").exists());
    }

    #[test]
    fn a_hard_link_is_not_written_through() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("theirs"), "theirs").unwrap();
        fs::hard_link(place.path().join("theirs"), place.path().join("ours")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        assert!(folder.append("ours").unwrap_err().to_string().contains("has a second name"));
        folder.create_anew("ours", 0o600).unwrap().write_all(b"ours").unwrap();
        assert_eq!(fs::read_to_string(place.path().join("theirs")).unwrap(), "theirs");
    }

    #[test]
    fn names_are_of_one_component() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        for name in ["", ".", "..", "/", "/etc/passwd", "a/b", "../a", "a/", "./a"] {
            assert!(folder.read(name).is_err(), "{name:?}");
            assert!(folder.create_new(name, 0o600).is_err(), "{name:?}");
            assert!(folder.rename(name, "b").is_err(), "{name:?}");
        }
        let out = Folder::make_beneath(place.path(), &place.path().join("a/../../b"));
        assert!(out.unwrap_err().to_string().contains("leads outside of its root folder"));
        assert!(Folder::make_beneath(&place.path().join("a"), place.path()).is_err());
    }

    #[test]
    fn a_folder_that_becomes_a_link_meanwhile_is_not_left() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let (tenant, other) = (root.join("tenant"), root.join("other"));
        fs::create_dir_all(tenant.join("out")).unwrap();
        fs::create_dir(&other).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    fs::rename(tenant.join("out"), tenant.join("away")).unwrap();
                    symlink(&other, tenant.join("out")).unwrap();
                    fs::remove_file(tenant.join("out")).unwrap();
                    fs::rename(tenant.join("away"), tenant.join("out")).unwrap();
                }
            });
            let mut made = 0;
            for number in 0..20_000 {
                // Between the two renames the folder is missing, or is a link.
                let Ok(folder) = Folder::open(&tenant).and_then(|tenant| tenant.sub("out")) else { continue };
                made += usize::from(folder.create_new(format!("{number}"), 0o600).is_ok());
            }
            done.store(true, Ordering::Relaxed);
            assert!(made > 0, "no file was made at all");
        });
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "a file was made where the link led");
    }
}
