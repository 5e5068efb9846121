//! What the system has for workers: memory, descriptors, threads.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Scarce, WaitReason};

/// Descriptors that the supervisor itself needs, with those of one start.
const DESCRIPTORS_OWN: u64 = 64;
/// Descriptors a worker: control socket, pipe, pidfd, the window's two.
const DESCRIPTORS_A_WORKER: u64 = 5;
/// Threads of the machine that are left to others.
const THREADS_OTHERS: u64 = 200;

/// What there is for all workers together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) memory_bytes_max: u64,
    /// Workers that there are descriptors for.
    pub(crate) by_descriptors: u64,
    /// Threads that all workers may have.
    pub(crate) threads_max: u64,
    pub(crate) short_of: Scarce,
}

impl Room {
    /// Raises the supervisor's number of descriptors as far as it may, and looks at the system.
    pub(crate) fn find(memory_bytes_reserved: u64) -> Room {
        let nofile = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: nofile.maximum, maximum: nofile.maximum };
        // Where it cannot be raised, what there is counts.
        let descriptors = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => nofile.maximum,
            Err(_) => nofile.current,
        };
        let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
        let system = [number("/proc/sys/kernel/threads-max"), number("/proc/sys/kernel/pid_max")];
        let system = system.into_iter().flatten().min().unwrap_or(u64::MAX).saturating_sub(THREADS_OTHERS);
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let pids = of_groups(&own, "pids", "pids.max", "pids.max");
        let (threads_max, short_of) = match pids {
            Some(pids) if pids < system => (pids, Scarce::Pids),
            _ => (system, Scarce::Threads),
        };
        let machine = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let machine = mem_total(&machine).unwrap_or(u64::MAX);
        let container = of_groups(&own, "memory", "memory.max", "memory.limit_in_bytes").unwrap_or(u64::MAX);
        Room {
            memory_bytes_max: machine.min(container).saturating_sub(memory_bytes_reserved),
            by_descriptors: descriptors
                .map_or(u64::MAX, |it| it.saturating_sub(DESCRIPTORS_OWN) / DESCRIPTORS_A_WORKER),
            threads_max,
            short_of,
        }
    }

    /// Why one more worker does not fit beside `workers` others, with the threads and bytes of all of them.
    pub(crate) fn lacks(&self, others: Taken, one: Taken, overcommit: bool) -> Option<WaitReason> {
        if others.workers >= self.by_descriptors {
            return Some(WaitReason::Workers { workers_max: self.by_descriptors, short_of: Scarce::Descriptors });
        }
        if !overcommit && others.threads.saturating_add(one.threads) > self.threads_max {
            return Some(WaitReason::Workers { workers_max: others.workers, short_of: self.short_of });
        }
        let bytes_left = self.memory_bytes_max.saturating_sub(others.memory_bytes);
        (!overcommit && one.memory_bytes > bytes_left)
            .then_some(WaitReason::Memory { bytes: one.memory_bytes, bytes_left })
    }
}

/// What workers take up by their limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) workers: u64,
    pub(crate) threads: u64,
    pub(crate) memory_bytes: u64,
}

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1 << 10)
}

/// The smallest limit on the way up from this process's group, of v2 and of v1.
fn of_groups(own: &str, controller: &str, file_v2: &str, file_v1: &str) -> Option<u64> {
    let root = Path::new("/sys/fs/cgroup");
    let limits = own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, Path::new(parts.next()?.trim_start_matches('/')));
        let (folder, file) = match controllers {
            "" => (root.to_owned(), file_v2),
            controllers if controllers.split(',').any(|name| name == controller) => (root.join(controller), file_v1),
            _ => return None,
        };
        // In a container the path may be that outside of it: then only the root of what is mounted is there.
        let read = |path: &Path| fs::read_to_string(folder.join(path).join(file)).ok()?.trim().parse::<u64>().ok();
        path.ancestors().filter_map(read).min()
    });
    limits.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let room = Room { memory_bytes_max: 1_000, by_descriptors: 3, threads_max: 50, short_of: Scarce::Pids };
        let one = Taken { workers: 1, threads: 20, memory_bytes: 400 };
        let others = |workers| Taken { workers, threads: 20 * workers, memory_bytes: 400 * workers };
        assert_eq!(room.lacks(others(0), one, false), None);
        assert_eq!(room.lacks(others(1), one, false), None);
        let of_threads = Some(WaitReason::Workers { workers_max: 2, short_of: Scarce::Pids });
        assert_eq!(room.lacks(others(2), one, true), None);
        assert_eq!(room.lacks(others(2), one, false), of_threads);
        let few = Taken { threads: 1, ..others(2) };
        assert_eq!(room.lacks(few, one, false), Some(WaitReason::Memory { bytes: 400, bytes_left: 200 }));
        assert_eq!(room.lacks(few, one, true), None);
        let of_descriptors = Some(WaitReason::Workers { workers_max: 3, short_of: Scarce::Descriptors });
        assert_eq!(room.lacks(Taken { threads: 0, ..others(3) }, one, true), of_descriptors);
    }

    #[test]
    fn this_machine_has_room() {
        let room = Room::find(0);
        assert!(room.memory_bytes_max > 1 << 28 && room.by_descriptors > 10 && room.threads_max > 100, "{room:?}");
        assert!(getrlimit(Resource::Nofile).current == getrlimit(Resource::Nofile).maximum);
        assert_eq!(mem_total("MemFree: 1 kB\nMemTotal:       16384 kB\n"), Some(16 << 20));
    }
}
