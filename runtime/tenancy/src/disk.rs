//! What the folders of a tenant hold, counted by walking them.
//!
//! A thread of its own walks one worker's folders after the other: the supervisor's thread waits for no disk. A walk follows no link, ends
//! as soon as a limit is exceeded by a tenth, and goes 100 levels deep, so that its work is bounded by the limits. A worker that used no
//! CPU time since the last walk is not walked again, and one whose walk takes long has twenty times as long until the next one.

use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;

use crate::DiskExcess;

/// What a tenant may have on disk, in all its folders.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskLimits {
    /// Its folders, as real paths. One below another is counted once.
    pub folders: Vec<PathBuf>,
    /// Bytes of all files, as they take up the disk.
    pub bytes_max: u64,
    /// Files and folders.
    pub files_max: u64,
}

impl DiskLimits {
    /// Of these folders, without a limit.
    pub fn new(folders: impl IntoIterator<Item = PathBuf>) -> DiskLimits {
        DiskLimits { folders: folders.into_iter().collect(), bytes_max: u64::MAX, files_max: u64::MAX }
    }
}

/// What a tenant has on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskUse {
    /// Bytes that its files take up.
    pub bytes: u64,
    /// Files and folders.
    pub files: u64,
}

/// Folders nested deeper are no output of a query.
const DEPTH_MAX: usize = 100;

/// The least time between two walks, and how often longer than a walk it is.
const EVERY: Duration = Duration::from_secs(2);
const EVERY_WALKS: u32 = 20;

/// Units of `st_blocks`, whatever the file system's blocks are.
const BLOCK_BYTES: u64 = 512;

/// Counts the files below these folders. `Err` with what is exceeded by a tenth, and then no more is looked at.
pub(crate) fn walk(limits: &DiskLimits) -> (DiskUse, Option<DiskExcess>) {
    let mut walk = Walk { limits, used: DiskUse::default(), linked: HashSet::new() };
    let tops = limits
        .folders
        .iter()
        .filter(|folder| !limits.folders.iter().any(|other| *folder != other && folder.starts_with(other)));
    let mut seen: Vec<&PathBuf> = Vec::new();
    for top in tops {
        if seen.contains(&top) {
            continue;
        }
        seen.push(top);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // One that is gone, or that this user may not list, holds nothing that can be counted.
        let Ok(folder) = openat(CWD, top, flags, Mode::empty()) else { continue };
        if let Err(excess) = walk.folder(folder) {
            return (walk.used, Some(excess));
        }
    }
    (walk.used, None)
}

struct Walk<'l> {
    limits: &'l DiskLimits,
    used: DiskUse,
    /// Files with several names, by device and number.
    linked: HashSet<(u64, u64)>,
}

impl Walk<'_> {
    fn folder(&mut self, top: OwnedFd) -> Result<(), DiskExcess> {
        let Ok(top) = Dir::new(top) else { return Ok(()) };
        let mut open = vec![top];
        while let Some(folder) = open.last_mut() {
            // What vanishes during the walk is not counted.
            let entry = match folder.read() {
                Some(Ok(entry)) => entry,
                Some(Err(_)) | None => {
                    open.pop();
                    continue;
                }
            };
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let below = match folder.fd() {
                Ok(fd) => self.entry(fd, name)?,
                Err(_) => None,
            };
            let Some(below) = below else { continue };
            if open.len() >= DEPTH_MAX {
                return Err(DiskExcess::Depth { levels_max: DEPTH_MAX as u64 });
            }
            open.push(below);
        }
        Ok(())
    }

    /// Counts one entry, and opens it where it is a folder.
    fn entry(&mut self, folder: std::os::fd::BorrowedFd<'_>, name: &CStr) -> Result<Option<Dir>, DiskExcess> {
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(None) };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_folder = kind == FileType::Directory;
        self.used.files = self.used.files.saturating_add(1);
        let is_counted = !is_folder && stat.st_nlink > 1 && !self.linked.insert((stat.st_dev, stat.st_ino));
        if !is_counted {
            let bytes = u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK_BYTES);
            self.used.bytes = self.used.bytes.saturating_add(bytes);
        }
        let is_over = |found: u64, most: u64| found > most.saturating_add(most / 10);
        if is_over(self.used.bytes, self.limits.bytes_max) {
            return Err(DiskExcess::Bytes { bytes: self.used.bytes, bytes_max: self.limits.bytes_max });
        }
        if is_over(self.used.files, self.limits.files_max) {
            return Err(DiskExcess::Files { files: self.used.files, files_max: self.limits.files_max });
        }
        if !is_folder {
            return Ok(None);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(folder, name, flags, Mode::empty()).and_then(Dir::new) {
            Ok(below) => Ok(Some(below)),
            // Replaced by something else meanwhile, or not to be read by this user.
            Err(Errno::MFILE | Errno::NFILE) => {
                tracing::warn!("no descriptor is left to count the files of a tenant");
                Ok(None)
            }
            Err(_) => Ok(None),
        }
    }
}

/// A walk that is wanted, of the folders of one process.
#[derive(Debug)]
pub(crate) struct WantedWalk {
    pub(crate) worker: u64,
    pub(crate) pid: u32,
    pub(crate) limits: DiskLimits,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) worker: u64,
    pub(crate) pid: u32,
    pub(crate) used: DiskUse,
    pub(crate) excess: Option<DiskExcess>,
    pub(crate) took: Duration,
}

/// The thread that walks.
#[derive(Debug)]
pub(crate) struct Walker {
    wanted: Sender<WantedWalk>,
}

impl Walker {
    /// Starts the thread, which hands over each walk until nobody takes it. It ends with whoever holds this.
    pub(crate) fn start(hand_over: impl Fn(Walked) -> bool + Send + 'static) -> std::io::Result<Walker> {
        let (wanted, to_walk) = channel();
        let thread = std::thread::Builder::new().name("weir-disk".to_owned());
        thread.spawn(move || walk_all(&to_walk, hand_over))?;
        Ok(Walker { wanted })
    }

    /// Asks for a walk.
    pub(crate) fn want(&self, wanted: WantedWalk) {
        // The thread lives as long as this.
        drop(self.wanted.send(wanted));
    }
}

fn walk_all(wanted: &Receiver<WantedWalk>, hand_over: impl Fn(Walked) -> bool) {
    while let Ok(WantedWalk { worker, pid, limits }) = wanted.recv() {
        let started = Instant::now();
        let (used, excess) = walk(&limits);
        if !hand_over(Walked { worker, pid, used, excess, took: started.elapsed() }) {
            return;
        }
    }
}

/// When a process's folders are walked.
#[derive(Debug, Default)]
pub(crate) struct DiskClock {
    /// Not before then; none while a walk is wanted.
    due: Option<Instant>,
    is_waiting: bool,
    /// CPU time of the process at the last walk.
    cpu_ticks: Option<u64>,
}

impl DiskClock {
    /// Whether the folders are to be walked now, of a process that has used this much CPU time. Then a walk is waited for.
    pub(crate) fn wants(&mut self, cpu_ticks: u64, now: Instant) -> bool {
        let is_due = !self.is_waiting && self.due.is_none_or(|due| due <= now) && self.cpu_ticks != Some(cpu_ticks);
        if is_due {
            (self.is_waiting, self.cpu_ticks) = (true, Some(cpu_ticks));
        }
        is_due
    }

    pub(crate) fn walked(&mut self, took: Duration, now: Instant) {
        self.is_waiting = false;
        self.due = now.checked_add(EVERY.max(took.saturating_mul(EVERY_WALKS)));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn limits(folder: &std::path::Path, files_max: u64) -> DiskLimits {
        DiskLimits { files_max, ..DiskLimits::new([folder.to_owned()]) }
    }

    #[test]
    fn files_are_counted_once_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/one"), vec![1; 1 << 20]).unwrap();
        fs::hard_link(path("a/one"), path("a/b/two")).unwrap();
        symlink("/usr", path("a/b/all")).unwrap();
        let sparse = fs::File::create(path("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        let mut all = limits(folder.path(), u64::MAX);
        let (used, excess) = walk(&all);
        assert_eq!((used.files, excess), (6, None), "a, b, one, two, all, sparse");
        assert!((1 << 20..2 << 20).contains(&used.bytes), "{used:?}");
        // A folder below another one, or named twice, or gone.
        all.folders.extend([path("a"), folder.path().to_owned(), path("gone")]);
        assert_eq!(walk(&all), (used, None));
        all.bytes_max = 900 << 10;
        assert!(matches!(walk(&all), (_, Some(DiskExcess::Bytes { bytes_max: 921_600, .. }))));
    }

    #[test]
    fn a_walk_ends_a_tenth_beyond_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..200 {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        assert_eq!(walk(&limits(folder.path(), 182)).1, None);
        let excess = Some(DiskExcess::Files { files: 111, files_max: 100 });
        assert_eq!(walk(&limits(folder.path(), 100)), (DiskUse { bytes: 0, files: 111 }, excess));
        let mut deep = folder.path().to_owned();
        (0..DEPTH_MAX).for_each(|_| deep.push("d"));
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(walk(&limits(folder.path(), 1_000)).1, Some(DiskExcess::Depth { levels_max: 100 }));
    }

    #[test]
    fn idle_processes_are_not_walked_and_long_walks_are_rare() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut clock = DiskClock::default();
        assert!(clock.wants(5, start));
        assert!(!clock.wants(6, after(9_000)), "one at a time");
        clock.walked(Duration::from_millis(200), start);
        assert!(!clock.wants(6, after(3_999)));
        assert!(!clock.wants(5, after(4_000)), "it did nothing");
        assert!(clock.wants(6, after(4_000)));
    }
}
