//! Which user each tenant's processes run as.
//!
//! The book of users lies in the registry's folder and outlives the machine: a user id that a tenant had is never given to another one,
//! because files of it may exist. Each change is synced before a process gets the id.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fchown, openat, statat};
use rustix::thread::{CapabilitySet, capabilities};

use crate::TenancyError;

const FILE: &str = "users";
const FILE_NEW: &str = "users.new";
const FORM: &str = "weir-users 1";

/// Folders nested deeper are left as they are.
const DEPTH_MAX: usize = 100;

/// User ids of tenants, from a range. The first one of the range is for processes without a tenant.
#[derive(Debug)]
pub struct Users {
    folder: PathBuf,
    range: RangeInclusive<u32>,
    of_tenants: BTreeMap<String, u32>,
}

impl Users {
    /// Reads the book of users in the folder of a registry. `gives_folders` is whether [`give_folders`] is to be called.
    ///
    /// # Errors
    ///
    /// [`TenancyError::Users`] where the book is damaged, [`TenancyError::Unprivileged`] where this process cannot change users,
    /// and [`TenancyError::Io`].
    pub fn open(registry: &Path, range: RangeInclusive<u32>, gives_folders: bool) -> Result<Users, TenancyError> {
        let has = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
        let mut needs = CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::KILL;
        needs.set(CapabilitySet::CHOWN, gives_folders);
        if !has.contains(needs) {
            return Err(TenancyError::Unprivileged);
        }
        let path = registry.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => format!("{FORM}\n"),
            Err(source) => return Err(TenancyError::Io { action: "could not read", path, source }),
        };
        let of_tenants = parse(&text).map_err(|line| TenancyError::Users { path, line })?;
        Ok(Users { folder: registry.to_owned(), range, of_tenants })
    }

    /// The user of processes without a tenant.
    pub fn of_nobody(&self) -> u32 {
        *self.range.start()
    }

    /// The user of a tenant: the one that it had, or one that no tenant ever had.
    ///
    /// # Errors
    ///
    /// [`TenancyError::NoUserLeft`], and [`TenancyError::Io`] where the book cannot be written.
    pub fn of(&mut self, tenant: &str) -> Result<u32, TenancyError> {
        if let Some(user) = self.of_tenants.get(tenant) {
            return Ok(*user);
        }
        let taken: std::collections::BTreeSet<u32> = self.of_tenants.values().copied().collect();
        let free = self.range.clone().skip(1).find(|user| !taken.contains(user));
        let Some(user) = free else {
            let (first, last) = (*self.range.start(), *self.range.end());
            return Err(TenancyError::NoUserLeft { tenant: tenant.to_owned(), first, last });
        };
        self.of_tenants.insert(tenant.to_owned(), user);
        if let Err(source) = self.write() {
            self.of_tenants.remove(tenant);
            return Err(TenancyError::Io { action: "could not write", path: self.folder.join(FILE), source });
        }
        Ok(user)
    }

    fn write(&self) -> io::Result<()> {
        let mut text = format!("{FORM}\n");
        for (tenant, user) in &self.of_tenants {
            text.push_str(&format!("{user} {tenant}\n"));
        }
        let new = self.folder.join(FILE_NEW);
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or(0);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()
    }
}

/// The users of a book, or the number of the line that makes no sense. Nothing is guessed: a forgotten line gives a user to two tenants.
fn parse(text: &str) -> Result<BTreeMap<String, u32>, usize> {
    let mut lines = text.lines().zip(1..);
    if lines.next() != Some((FORM, 1)) {
        return Err(1);
    }
    let (mut of_tenants, mut users) = (BTreeMap::new(), std::collections::BTreeSet::new());
    for (line, number) in lines {
        let entry = line.split_once(' ').and_then(|(user, tenant)| Some((user.parse::<u32>().ok()?, tenant)));
        let Some((user, tenant)) = entry.filter(|(user, tenant)| *user > 0 && !tenant.is_empty()) else {
            return Err(number);
        };
        if !users.insert(user) || of_tenants.insert(tenant.to_owned(), user).is_some() {
            return Err(number);
        }
    }
    Ok(of_tenants)
}

/// Gives folders with everything in them to a user and the group of the same number. No link is followed, and a file with
/// several names is left as it is: one of them may be another tenant's. Says how many entries changed hands.
///
/// # Errors
///
/// Of the system, at the first entry that cannot be given.
pub fn give_folders<'p>(folders: impl IntoIterator<Item = &'p Path>, user: u32) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let owner = (Some(Uid::from_raw(user)), Some(Gid::from_raw(user)));
    let mut given = 0;
    for top in folders {
        let top: OwnedFd = openat(CWD, top, flags, Mode::empty())?;
        fchown(&top, owner.0, owner.1)?;
        let mut open = vec![Dir::new(top)?];
        while let Some(folder) = open.last_mut() {
            let Some(entry) = folder.read() else {
                open.pop();
                continue;
            };
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let stat = statat(folder.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if stat.st_uid != user && (is_folder || stat.st_nlink == 1) {
                chownat(folder.fd()?, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
                given += 1;
            }
            if is_folder && open.len() < DEPTH_MAX {
                let Some(folder) = open.last_mut() else { break };
                let below = openat(folder.fd()?, name, flags, Mode::empty())?;
                open.push(Dir::new(below)?);
            }
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(folder: &Path, range: RangeInclusive<u32>) -> Users {
        let text = fs::read_to_string(folder.join(FILE)).unwrap_or(format!("{FORM}\n"));
        Users { folder: folder.to_owned(), range, of_tenants: parse(&text).unwrap() }
    }

    #[test]
    fn a_user_is_one_tenants_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let mut users = book(folder.path(), 5_000..=5_002);
        assert_eq!((users.of_nobody(), users.of("acme").unwrap(), users.of("beta").unwrap()), (5_000, 5_001, 5_002));
        assert_eq!(users.of("acme").unwrap(), 5_001);
        let error = users.of("gamma").unwrap_err().to_string();
        assert_eq!(
            error,
            "tenant gamma gets no user: all ids from 5001 to 5002 are other tenants'; set a larger range (`uids`)"
        );
        drop(users);
        // Another range, larger or elsewhere: who has an id keeps it.
        let mut users = book(folder.path(), 5_001..=5_003);
        assert_eq!((users.of("beta").unwrap(), users.of("gamma").unwrap()), (5_002, 5_003));
    }

    #[test]
    fn a_damaged_book_names_the_line() {
        let check = |text: &str, wrong: Option<usize>| assert_eq!(parse(text).err(), wrong, "{text:?}");
        check("weir-users 1\n", None);
        check("weir-users 1\n5 acme\n6 beta\n", None);
        check("", Some(1));
        check("weir-users 2\n5 acme\n", Some(1));
        check("weir-users 1\n5 acme\n5 beta\n", Some(3));
        check("weir-users 1\n5 acme\n6 acme\n", Some(3));
        for line in ["", "5", "5 ", "0 acme", "-1 acme", "x acme", "4294967296 acme"] {
            check(&format!("weir-users 1\n{line}\n5 beta\n"), Some(2));
        }
    }
}
