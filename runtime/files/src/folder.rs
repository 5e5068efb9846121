//! A folder, and what lies in it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::{FileError, FileKind};

/// A handle of a folder. Names in it are of one component; no link in it is followed.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
    // For messages.
    path: PathBuf,
}

const OPEN_FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder at a path that is trusted: links on the way are followed.
    ///
    /// # Errors
    ///
    /// As for opening; what is not a folder.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let handle = rustix::fs::open(path, OPEN_FOLDER, Mode::empty())?;
        Ok(Folder { handle, path: path.to_owned() })
    }

    /// As [`Folder::open`], making the folder and those above it where they are missing.
    ///
    /// # Errors
    ///
    /// As for making and opening.
    pub fn make(path: &Path) -> io::Result<Folder> {
        std::fs::create_dir_all(path)?;
        Folder::open(path)
    }

    /// Opens the folder at `path` below `root`, making what is missing. `root` is trusted; below it no link is followed.
    ///
    /// # Errors
    ///
    /// As for making and opening; a path that is not below `root`, that holds `..`, or that leads through a link.
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

    /// As [`Folder::sub`], made with this mode where it is missing.
    ///
    /// # Errors
    ///
    /// As for making, and [`Folder::sub`].
    pub fn make_sub(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<Folder> {
        match rustix::fs::mkdirat(&self.handle, one(name.as_ref())?, Mode::from_raw_mode(mode)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => self.sub(name),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the folder of this name in it.
    ///
    /// # Errors
    ///
    /// As for opening; a link.
    pub fn sub(&self, name: impl AsRef<OsStr>) -> io::Result<Folder> {
        let name = one(name.as_ref())?;
        let handle = rustix::fs::openat(&self.handle, name, OPEN_FOLDER | OFlags::NOFOLLOW, Mode::empty());
        let handle = handle.map_err(|error| explained(error, self, name))?;
        Ok(Folder { handle, path: self.path.join(name) })
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a regular file to be read.
    ///
    /// # Errors
    ///
    /// As for opening; a link, or what is no regular file.
    pub fn read(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::RDONLY, 0)
    }

    /// The bytes of a regular file of at most so many.
    ///
    /// # Errors
    ///
    /// As [`Folder::read`], and one that is too large.
    pub fn read_whole(&self, name: impl AsRef<OsStr>, bytes_max: u64) -> io::Result<Vec<u8>> {
        Ok(crate::read_bounded(self.read(name)?, bytes_max)?)
    }

    /// Makes a file to be written, which must not exist.
    ///
    /// # Errors
    ///
    /// As for making; `AlreadyExists` for whatever has the name, links too.
    pub fn create_new(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)
    }

    /// As [`Folder::create_new`], in place of whatever has the name: that is removed, not written to.
    ///
    /// # Errors
    ///
    /// As for making, and for removing: a folder stays.
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

    /// Opens a regular file to be read and written, made empty where it is missing.
    ///
    /// # Errors
    ///
    /// As for opening; a link, what is no regular file, or one that has a name elsewhere as well.
    pub fn open_or_create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own(name.as_ref(), OFlags::RDWR | OFlags::CREATE)
    }

    /// As [`Folder::open_or_create`], with all writes at the end.
    ///
    /// # Errors
    ///
    /// As [`Folder::open_or_create`].
    pub fn append(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own(name.as_ref(), OFlags::RDWR | OFlags::APPEND | OFlags::CREATE)
    }

    /// Opens a regular file to be written, which is there.
    ///
    /// # Errors
    ///
    /// As [`Folder::read`].
    pub fn write(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_file(name.as_ref(), OFlags::WRONLY, 0)
    }

    /// A file with two names may be another's, which it would be written to through this one.
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

    /// Gives the file another name, in place of whatever has it.
    ///
    /// # Errors
    ///
    /// As for renaming.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.handle, one(from.as_ref())?, &self.handle, one(to.as_ref())?)?)
    }

    /// Gives the file a second name, which must be free.
    ///
    /// # Errors
    ///
    /// As for linking; `AlreadyExists`.
    pub fn link(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        let (from, to) = (one(from.as_ref())?, one(to.as_ref())?);
        Ok(rustix::fs::linkat(&self.handle, from, &self.handle, to, AtFlags::empty())?)
    }

    /// Removes a file, or a link itself.
    ///
    /// # Errors
    ///
    /// As for removing.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.handle, one(name.as_ref())?, AtFlags::empty())?)
    }

    /// What has the name: of a link the link itself. `None` where nothing has.
    ///
    /// # Errors
    ///
    /// As for asking.
    pub fn stat(&self, name: impl AsRef<OsStr>) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.handle, one(name.as_ref())?, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether this open file has the name here.
    ///
    /// # Errors
    ///
    /// As for asking.
    pub fn is_at(&self, file: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<bool> {
        let open = rustix::fs::fstat(file)?;
        Ok(self.stat(name)?.is_some_and(|there| (there.st_dev, there.st_ino) == (open.st_dev, open.st_ino)))
    }

    /// The names in it, in no order, with what each is.
    ///
    /// # Errors
    ///
    /// As for reading it.
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

    /// Makes names in it survive the loss of the machine.
    ///
    /// # Errors
    ///
    /// As for syncing.
    pub fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.handle)?)
    }
}

/// The name, where it is one component.
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

/// Says of a link that it is one: "too many levels" is what the system says of it.
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
        // In place of a link comes a file; what it led to stays.
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
                // Between two renames the folder is not there, or a link.
                let Ok(folder) = Folder::open(&tenant).and_then(|tenant| tenant.sub("out")) else { continue };
                made += usize::from(folder.create_new(format!("{number}"), 0o600).is_ok());
            }
            done.store(true, Ordering::Relaxed);
            assert!(made > 0, "no file was made at all");
        });
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "a file was made where the link led");
    }
}
