//! Which processes a supervisor has started, in a file that the next one reads.
//!
//! The file is replaced by a rename at each change. It is not synced: it has to outlive the supervisor, not the machine, whose
//! end is that of the processes too. What it names is ended by pidfd, after its start time was compared; nothing else is.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, OFlags, flock};

use crate::TenancyError;
use crate::process::{PidFd, Stat, boot_id};

const FILE: &str = "processes";
const FILE_NEW: &str = "processes.new";
const LOCK: &str = "supervisor.lock";
const FORM: &str = "weir-processes 1";

/// How long processes of an earlier supervisor may take to end after they were killed.
const END_PATIENCE: Duration = Duration::from_secs(20);

/// The registry of a running supervisor, which is locked while it lives.
#[derive(Debug)]
pub(crate) struct Registry {
    folder: PathBuf,
    boot_id: String,
    /// Process ids with their start times.
    processes: BTreeMap<u32, u64>,
    _lock: File,
}

impl Registry {
    /// Opens the registry, and ends the processes that an earlier supervisor left in it. Says how many there were.
    pub(crate) fn open(folder: &Path) -> Result<(Registry, usize), TenancyError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| TenancyError::Io { action, path, source }
        };
        fs::create_dir_all(folder).map_err(io("could not make", folder))?;
        let lock = locked(&folder.join(LOCK)).map_err(io("could not lock", &folder.join(LOCK)))?;
        let Some(lock) = lock else { return Err(TenancyError::RegistryInUse { path: folder.to_owned() }) };
        let boot_id = boot_id().map_err(io("could not read", Path::new("/proc/sys/kernel/random/boot_id")))?;
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(io("could not read", &path)(error)),
        };
        let left = parse(&text, &boot_id);
        let ended = end_all(&left)?;
        let registry = Registry { folder: folder.to_owned(), boot_id, processes: BTreeMap::new(), _lock: lock };
        registry.write().map_err(io("could not write", &path))?;
        Ok((registry, ended))
    }

    pub(crate) fn add(&mut self, pid: u32, start_ticks: u64) -> io::Result<()> {
        self.processes.insert(pid, start_ticks);
        self.write()
    }

    pub(crate) fn remove(&mut self, pid: u32) -> io::Result<()> {
        self.processes.remove(&pid);
        self.write()
    }

    fn write(&self) -> io::Result<()> {
        let mut text = format!("{FORM} {}\n", self.boot_id);
        for (pid, start_ticks) in &self.processes {
            text.push_str(&format!("{pid} {start_ticks}\n"));
        }
        let new = self.folder.join(FILE_NEW);
        let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).unwrap_or(0);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(&new)?;
        file.write_all(text.as_bytes())?;
        fs::rename(new, self.folder.join(FILE))
    }
}

/// The processes that a file names, where it is of this start of the machine. A line that makes no sense names none.
fn parse(text: &str, boot_id: &str) -> Vec<(u32, u64)> {
    let mut lines = text.lines();
    if lines.next() != Some(&format!("{FORM} {boot_id}")) {
        return Vec::new();
    }
    lines
        .filter_map(|line| {
            let (pid, start_ticks) = line.split_once(' ')?;
            Some((pid.parse().ok()?, start_ticks.parse().ok()?))
        })
        .collect()
}

/// Kills the processes that are still those that were written down, and waits for their end.
fn end_all(left: &[(u32, u64)]) -> Result<usize, TenancyError> {
    let mut ending = Vec::new();
    for &(pid, start_ticks) in left {
        let of_process =
            |source| TenancyError::Io { action: "could not end", path: format!("/proc/{pid}").into(), source };
        // The pidfd first: what is compared afterwards is then of the process that it holds.
        let Some(process) = PidFd::open(pid).map_err(of_process)? else { continue };
        let is_it = Stat::of(pid).is_ok_and(|stat| stat.start_ticks == start_ticks);
        if is_it {
            process.kill().map_err(of_process)?;
            ending.push((pid, process));
        }
    }
    let count = ending.len();
    let until = Instant::now() + END_PATIENCE;
    while let Some((first, process)) = ending.last() {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(process.descriptor(), PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(TenancyError::OrphansRemain { count: ending.len(), first: *first }),
            Ok(_) => drop(ending.pop()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                let path = format!("/proc/{first}").into();
                return Err(TenancyError::Io { action: "could not wait for", path, source: error.into() });
            }
        }
    }
    Ok(count)
}

/// Opens a file and locks it for this process alone. `None` where somebody else has it. Links are not followed.
pub(crate) fn locked(path: &Path) -> io::Result<Option<File>> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits()).unwrap_or(0);
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file"));
    }
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_this_start_of_the_machine_name_processes() {
        let read = |text: &str| parse(text, "boot");
        assert_eq!(read("weir-processes 1 boot\n7 8\n9 10\n"), [(7, 8), (9, 10)]);
        assert_eq!(read("weir-processes 1 other\n7 8\n"), []);
        assert_eq!(read("weir-processes 2 boot\n7 8\n"), []);
        assert_eq!(read("weir-processes 1 boot\n7 8\n9\n-1 3\n4294967296 1\nx y\n7 8 9\n10"), [(7, 8)]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn one_supervisor_has_a_registry() {
        let folder = tempfile::tempdir().unwrap();
        let (mut first, ended) = Registry::open(folder.path()).unwrap();
        assert_eq!(ended, 0);
        assert!(matches!(Registry::open(folder.path()), Err(TenancyError::RegistryInUse { .. })));
        // A process whose number is in use by another one: this test's, with another start time.
        first.add(std::process::id(), 1).unwrap();
        first.add(u32::MAX, 1).unwrap();
        drop(first);
        let (_second, ended) = Registry::open(folder.path()).unwrap();
        assert_eq!(ended, 0, "nothing is ended by guess");
    }

    #[test]
    fn a_lock_is_no_link_and_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(locked(&path).is_err());
        fs::remove_file(&path).unwrap();
        let held = locked(&path).unwrap().unwrap();
        assert!(locked(&path).unwrap().is_none());
        drop(held);
        assert!(locked(&path).unwrap().is_some());
    }
}
