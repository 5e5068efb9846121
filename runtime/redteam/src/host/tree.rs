//! The processes of a run, as the system reports them.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::process::field;

/// The processes of a run: the one that was started, and all that come from it. Those that have ended stay, with what they took.
pub(super) struct Tree {
    root: u32,
    known: BTreeMap<u32, Known>,
}

/// What a process has taken so far.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    cpu: Duration,
    /// Its CPU time when the window began.
    before: Duration,
    resident_bytes_max: u64,
}

/// CPU time in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct CpuTimes {
    pub(super) victim: Duration,
    /// The supervisor, other tenants' workers, and what compiles for them.
    pub(super) others: Duration,
}

impl Tree {
    pub(super) fn new(root: u32) -> Tree {
        Tree { root, known: BTreeMap::new() }
    }

    /// Looks at all processes.
    pub(super) fn look(&mut self) {
        let mut next = vec![self.root];
        while let Some(pid) = next.pop() {
            next.extend(children(pid));
            let Some(cpu) = cpu_time(pid) else { continue };
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let peak = field(&status, "VmHWM:").map_or(0, |kib| kib << 10);
            let known = self.known.entry(pid).or_default();
            known.cpu = known.cpu.max(cpu);
            known.resident_bytes_max = known.resident_bytes_max.max(peak);
        }
    }

    /// Counts CPU time from here on.
    pub(super) fn begin(&mut self) {
        self.look();
        self.known.values_mut().for_each(|known| known.before = known.cpu);
    }

    /// CPU time since then.
    pub(super) fn cpu_times(&self, victim: u32) -> CpuTimes {
        let mut times = CpuTimes::default();
        for (pid, known) in &self.known {
            let taken = known.cpu.saturating_sub(known.before);
            *(if *pid == victim { &mut times.victim } else { &mut times.others }) += taken;
        }
        times
    }

    /// The most memory that the first process held, and that any one of the others did.
    pub(super) fn resident_bytes_max(&self) -> (u64, u64) {
        let of = |is_root: bool| {
            let of = self.known.iter().filter(move |(pid, _)| (**pid == self.root) == is_root);
            of.map(|(_, known)| known.resident_bytes_max).max().unwrap_or(0)
        };
        (of(true), of(false))
    }

    /// The processes that are left, of all that were seen.
    pub(super) fn left(&self) -> Vec<u32> {
        let is_left = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A number may have been given to another process since: one that took less CPU time than was seen is another one.
            let is_same = cpu_time(*pid).is_some_and(|cpu| self.known.get(pid).is_some_and(|known| cpu >= known.cpu));
            is_same && stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
        };
        self.known.keys().copied().filter(is_left).collect()
    }
}

fn children(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    all
}

fn cpu_time(pid: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything, in parentheses: the 14th and 15th field of proc(5), in hundredths of a second.
    let fields = stat.rsplit_once(')')?.1.split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis(ticks.sum::<u64>() * 10))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_processes_take_is_counted_by_whose_they_are() {
        let mut tree = Tree::new(std::process::id());
        tree.begin();
        let mut other = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let started = Instant::now();
        while tree.cpu_times(other.id()).victim < Duration::from_millis(50) {
            assert!(started.elapsed() < Duration::from_secs(60), "{:?}", tree.known);
            tree.look();
        }
        assert!(tree.resident_bytes_max().1 > 0 && tree.left().contains(&other.id()));
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(!tree.left().contains(&other.id()));
        let (own, of_other) = (tree.cpu_times(std::process::id()), tree.cpu_times(other.id()));
        assert!(own.others >= of_other.victim, "what has ended stays: {own:?}, {of_other:?}");
    }
}
