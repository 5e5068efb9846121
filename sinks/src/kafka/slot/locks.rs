//! The lock files of a query's slots, each with the names of transactions that were begun under it and not ended.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use weir_files::{Folder, read_bounded};

/// Processes of one query on one host, and so the most files that a scan opens.
pub(super) const SLOTS_MAX: u32 = 256;

/// Names in one file: a host that was renamed, and not ended cleanly under either name, has two.
const NAMES_MAX: usize = 16;
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// How long a slot is waited for whose dead process's transaction is just being aborted by another process.
const ABORTED_WITHIN: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

/// The folder of the lock files of one query of one tenant.
#[derive(Debug)]
pub(super) struct Locks {
    folder: Folder,
    // `tenant.query.`, which all of its names begin with.
    begin: String,
}

/// A slot of this process's own. The kernel releases it when the process dies, however it does.
#[derive(Debug)]
pub(super) struct Lock {
    pub(super) number: u32,
    file: File,
    // What dead processes left open under it.
    pub(super) left_open: Vec<String>,
}

/// A slot whose process is dead, while somebody aborts what it left open. Others may do so at the same time; nobody takes it.
pub(super) struct DeadSlot {
    file: File,
    pub(super) left_open: Vec<String>,
}

impl Locks {
    /// In this folder, which only this user can write to.
    pub(super) fn open(runtime: &Folder, tenant: &str, query: &str) -> io::Result<Locks> {
        let folder = runtime.make_sub("slots", 0o700)?.make_sub(tenant, 0o700)?.make_sub(query, 0o700)?;
        Ok(Locks { folder, begin: format!("{tenant}.{query}.") })
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The lowest slot that is free, but for those to be passed over; `None` where none is.
    pub(super) fn take(&self, passed_over: &BTreeSet<u32>) -> io::Result<Option<Lock>> {
        for number in (0..SLOTS_MAX).filter(|number| !passed_over.contains(number)) {
            let file = self.folder.open_or_create(number.to_string())?;
            if lock_own(&file)? {
                let left_open = self.names(&file)?;
                return Ok(Some(Lock { number, file, left_open }));
            }
        }
        Ok(None)
    }

    /// The slots under which something was left open, where their process is dead.
    pub(super) fn dead(&self) -> io::Result<Vec<DeadSlot>> {
        let mut dead = Vec::new();
        for (name, _) in self.folder.entries()? {
            let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
            if number.is_none_or(|number| number >= SLOTS_MAX) {
                continue;
            }
            let file = self.folder.open_or_create(&name)?;
            match file.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => continue,
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let left_open = self.names(&file)?;
            if !left_open.is_empty() {
                dead.push(DeadSlot { file, left_open });
            }
        }
        Ok(dead)
    }

    /// The names in a file, those that can be names of this query's.
    fn names(&self, file: &File) -> io::Result<Vec<String>> {
        let bytes = read_bounded(file.try_clone()?, FILE_BYTES_MAX).unwrap_or_default();
        let legal = |name: &&str| {
            let rest = name.strip_prefix(&*self.begin).and_then(|rest| rest.rsplit_once('.'));
            rest.is_some_and(|(host, slot)| !host.is_empty() && slot.parse::<u32>().is_ok())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let text = String::from_utf8_lossy(&bytes);
        let names: BTreeSet<&str> = text.lines().filter(legal).take(NAMES_MAX).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }
}

impl Lock {
    /// Notes that transactions of this name are begun from here on, beside those that were left open.
    pub(super) fn note(&self, name: &str) -> io::Result<()> {
        let mut names: Vec<&str> = self.left_open.iter().map(String::as_str).filter(|left| *left != name).collect();
        names.push(name);
        write(&self.file, &names)
    }

    /// What dead processes left open is aborted.
    pub(super) fn aborted(&mut self, name: &str) -> io::Result<()> {
        self.left_open.clear();
        self.note(name)
    }

    /// Nothing is open under it.
    pub(super) fn ended_cleanly(&self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

impl DeadSlot {
    /// What its process left open is aborted.
    pub(super) fn aborted(&self) -> io::Result<()> {
        self.file.set_len(0)
    }
}

/// Whole names before the file is cut: a process that dies in between leaves no fewer than there were.
fn write(file: &File, names: &[&str]) -> io::Result<()> {
    let mut text = Vec::new();
    names.iter().try_for_each(|name| writeln!(text, "{name}"))?;
    file.write_all_at(&text, 0)?;
    file.set_len(text.len() as u64)
}

/// Whether the file is locked now, for this process alone. Waits for those who only abort something.
fn lock_own(file: &File) -> io::Result<bool> {
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match file.try_lock_shared() {
            Ok(()) if since.elapsed() < ABORTED_WITHIN => file.unlock()?,
            Ok(()) | Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn locks(place: &tempfile::TempDir) -> Locks {
        Locks::open(&Folder::open(place.path()).unwrap(), "acme", "late").unwrap()
    }

    fn take(locks: &Locks) -> Lock {
        locks.take(&BTreeSet::new()).unwrap().unwrap()
    }

    #[test]
    fn the_lowest_free_slot_is_taken_and_says_what_was_left_open() {
        let place = tempfile::tempdir().unwrap();
        let locks = locks(&place);
        let (zero, one, two) = (take(&locks), take(&locks), take(&locks));
        assert_eq!([zero.number, one.number, two.number], [0, 1, 2]);
        for lock in [&zero, &one, &two] {
            lock.note(&format!("acme.late.here.{}", lock.number)).unwrap();
        }
        assert!(locks.dead().unwrap().is_empty(), "all are alive");
        two.ended_cleanly().unwrap();
        drop((one, two));
        // The one that ended cleanly has nothing open.
        let dead = locks.dead().unwrap();
        assert_eq!(dead.iter().map(|dead| &dead.left_open[..]).collect::<Vec<_>>(), [["acme.late.here.1"]]);
        // While it is aborted nobody takes it; then its own number is the lowest again.
        let (begun, begins) = std::sync::mpsc::channel();
        let waiting = std::thread::spawn({
            let locks = Locks::open(&Folder::open(place.path()).unwrap(), "acme", "late").unwrap();
            move || {
                begun.send(()).unwrap();
                take(&locks)
            }
        });
        begins.recv().unwrap();
        dead[0].aborted().unwrap();
        drop(dead);
        let again = waiting.join().unwrap();
        assert_eq!((again.number, &again.left_open[..]), (1, &[][..]));
        drop(zero);
        assert_eq!(take(&locks).left_open, ["acme.late.here.0"]);
    }

    #[test]
    fn names_of_a_host_that_was_renamed_are_kept_until_they_are_aborted() {
        let place = tempfile::tempdir().unwrap();
        let locks = locks(&place);
        take(&locks).note("acme.late.old.0").unwrap();
        take(&locks).note("acme.late.new.0").unwrap();
        let mut lock = take(&locks);
        assert_eq!(lock.left_open, ["acme.late.new.0", "acme.late.old.0"]);
        lock.note("acme.late.new.0").unwrap();
        lock.aborted("acme.late.new.0").unwrap();
        drop(lock);
        assert_eq!(take(&locks).left_open, ["acme.late.new.0"]);
    }

    #[test]
    fn what_somebody_wrote_there_is_no_name() {
        let place = tempfile::tempdir().unwrap();
        let locks = locks(&place);
        let text = "acme.other.here.0\nacme.late.here\nacme.late..0\nacme.late.he re.0\n\u{1b}\nacme.late.here.7\nacme.late.here.x\n";
        fs::write(locks.path().join("0"), text).unwrap();
        fs::write(locks.path().join("1"), vec![b'x'; 1 << 20]).unwrap();
        fs::write(locks.path().join("text"), text).unwrap();
        assert_eq!(locks.dead().unwrap().len(), 1);
        assert_eq!(take(&locks).left_open, ["acme.late.here.7"]);
        assert_eq!(locks.take(&BTreeSet::from([0])).unwrap().unwrap().left_open, [""; 0]);
    }

    #[test]
    fn a_link_leads_nowhere_and_slots_come_to_an_end() {
        let place = tempfile::tempdir().unwrap();
        let locks = locks(&place);
        let victim = place.path().join("victim");
        fs::write(&victim, "theirs").unwrap();
        symlink(&victim, locks.path().join("0")).unwrap();
        let said = locks.take(&BTreeSet::new()).unwrap_err().to_string();
        assert!(said.contains("is a link, which is not followed here"), "{said}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        assert!(locks.take(&(0..SLOTS_MAX).collect()).unwrap().is_none());
    }
}
