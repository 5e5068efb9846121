//! How CPU time is divided between workers: one of three ways, found once.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir_frame::{CpuPlace, WorkerId};

/// Weights are in this range, with 100 as the ordinary one: the range of cgroup v2's `cpu.weight`.
pub(crate) const WEIGHT_MAX: u32 = 10_000;

/// The way in which weights hold.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuWay {
    /// A control group of cgroup v2 for each worker, in the one that is delegated to the supervisor.
    ControlGroup {
        /// The supervisor's group, which the workers' are in.
        folder: PathBuf,
    },
    /// A session for each worker, weighed by `/proc/PID/autogroup`. Threads count as one.
    Sessions {
        /// Whether weights above the ordinary one can be given.
        is_privileged: bool,
    },
    /// Nice values in one session: each thread counts, and a worker with more of them gets more.
    Nice {
        /// Whether weights above the ordinary one can be given.
        is_privileged: bool,
    },
}

impl CpuWay {
    /// How much larger the largest weight can be than the smallest.
    pub fn ratio_max(&self) -> u32 {
        match self {
            CpuWay::ControlGroup { .. } => WEIGHT_MAX,
            // 1.25 a step of nice, over 40 steps or 20: 88761 against 15, and 1024 against 15 (`sched_prio_to_weight` of Linux).
            CpuWay::Sessions { is_privileged: true } | CpuWay::Nice { is_privileged: true } => 5_917,
            CpuWay::Sessions { is_privileged: false } | CpuWay::Nice { is_privileged: false } => 68,
        }
    }
}

impl fmt::Display for CpuWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self {
            CpuWay::ControlGroup { .. } => "a control group for each worker",
            CpuWay::Sessions { .. } => "a session for each worker",
            CpuWay::Nice { .. } => "nice values, by thread",
        };
        write!(f, "{way}; weights up to {} to 1", self.ratio_max())
    }
}

/// The way, and what it takes.
#[derive(Debug)]
pub(crate) struct Cpu {
    pub(crate) way: CpuWay,
    weight_max: u32,
}

/// What a control group bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupLimits {
    pub(crate) weight: u32,
    pub(crate) cpu_percent_max: Option<u32>,
    pub(crate) memory_bytes_max: u64,
    pub(crate) threads_max: u32,
}

impl Cpu {
    /// Finds the way. A group that was named and cannot be used is an error: what it promises would not hold.
    pub(crate) fn find(cgroup_root: Option<&Path>, weight_max: u32) -> io::Result<Cpu> {
        let way = match cgroup_root {
            Some(root) => CpuWay::ControlGroup { folder: delegate(root)? },
            None => {
                let is_privileged = rustix::process::geteuid().is_root();
                match has_sessions() {
                    true => CpuWay::Sessions { is_privileged },
                    false => CpuWay::Nice { is_privileged },
                }
            }
        };
        Ok(Cpu { way, weight_max: weight_max.clamp(1, WEIGHT_MAX) })
    }

    /// What a process does to itself.
    pub(crate) fn place(&self, weight: u32) -> CpuPlace {
        match self.way {
            CpuWay::ControlGroup { .. } => CpuPlace::default(),
            CpuWay::Sessions { is_privileged } => {
                CpuPlace { session_nice: Some(nice(weight, is_privileged, self.weight_max)), nice: None }
            }
            CpuWay::Nice { is_privileged } => {
                CpuPlace { session_nice: None, nice: Some(nice(weight, is_privileged, self.weight_max)) }
            }
        }
    }

    /// Puts a process into a group of its own, where groups are the way.
    pub(crate) fn enter(&self, worker: WorkerId, pid: u32, limits: GroupLimits) -> io::Result<()> {
        let Some(folder) = self.group(worker) else { return Ok(()) };
        make_folder(&folder)?;
        let write = |file: &str, text: String| fs::write(folder.join(file), text);
        write("cpu.weight", limits.weight.clamp(1, WEIGHT_MAX).to_string())?;
        let quota = limits.cpu_percent_max.map(|percent| u64::from(percent).saturating_mul(1_000));
        write("cpu.max", quota.map_or_else(|| "max 100000".to_owned(), |quota| format!("{quota} 100000")))?;
        write("memory.max", limits.memory_bytes_max.to_string())?;
        write("memory.oom.group", "1".to_owned())?;
        write("pids.max", limits.threads_max.to_string())?;
        write("cgroup.procs", pid.to_string())
    }

    /// Lets the processes of a worker's group have this many threads, where there is a group.
    pub(crate) fn set_threads(&self, worker: WorkerId, threads_max: u32) -> io::Result<()> {
        let Some(folder) = self.group(worker).filter(|folder| folder.exists()) else { return Ok(()) };
        fs::write(folder.join("pids.max"), threads_max.to_string())
    }

    /// Whether the kernel has killed the worker's processes for want of memory.
    pub(crate) fn memory_kills(&self, worker: WorkerId) -> Option<u64> {
        let text = fs::read_to_string(self.group(worker)?.join("memory.events")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
    }

    /// Removes the group of a worker that has ended.
    pub(crate) fn leave(&self, worker: WorkerId) {
        if let Some(folder) = self.group(worker) {
            // A group with a process in it stays, and is used again.
            drop(fs::remove_dir(folder));
        }
    }

    fn group(&self, worker: WorkerId) -> Option<PathBuf> {
        let CpuWay::ControlGroup { folder } = &self.way else { return None };
        Some(folder.join(format!("worker-{}", worker.0)))
    }
}

/// Makes the supervisor's own group ready for others in it: it moves itself into a leaf first, because a group with processes
/// gives no controllers to groups in it.
fn delegate(root: &Path) -> io::Result<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let mut folder = root.join(path);
    // After a restart in place the supervisor is in its leaf already.
    if folder.ends_with("supervisor") {
        folder.pop();
    }
    let named = |what: &str, path: PathBuf| {
        let what = what.to_owned();
        move |error: io::Error| io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
    };
    let controllers = folder.join("cgroup.controllers");
    let has = fs::read_to_string(&controllers).map_err(named("could not read", controllers.clone()))?;
    let missing: Vec<_> =
        ["cpu", "memory", "pids"].into_iter().filter(|name| !has.split_whitespace().any(|it| it == *name)).collect();
    if !missing.is_empty() {
        let text = format!("{}: lacks the controllers {}; delegate them", controllers.display(), missing.join(", "));
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    let leaf = folder.join("supervisor");
    make_folder(&leaf).map_err(named("could not make", leaf.clone()))?;
    let procs = leaf.join("cgroup.procs");
    fs::write(&procs, std::process::id().to_string()).map_err(named("could not write", procs.clone()))?;
    let control = folder.join("cgroup.subtree_control");
    fs::write(&control, "+cpu +memory +pids").map_err(named("could not write", control.clone()))?;
    Ok(folder)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whether sessions are weighed: only tasks of the root group of the CPU controller are grouped by session.
fn has_sessions() -> bool {
    let enabled = fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled").unwrap_or_default();
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    enabled.trim() == "1"
        && is_in_root_group(&groups, |path| Path::new("/sys/fs/cgroup").join(path).join("cpu.weight").exists())
}

/// Whether `/proc/self/cgroup` shows the root group of CPU time: in v1 the path of `cpu`, in v2 no group on the way up that has weights.
fn is_in_root_group(groups: &str, has_weight: impl Fn(&Path) -> bool) -> bool {
    groups.lines().all(|line| {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { return true };
        let path = Path::new(path.trim_start_matches('/'));
        match controllers {
            "" => !path.ancestors().filter(|path| !path.as_os_str().is_empty()).any(&has_weight),
            controllers if controllers.split(',').any(|name| name == "cpu") => path.as_os_str().is_empty(),
            _ => true,
        }
    })
}

/// The nice value of a weight: a step is a factor of 1.25. With privileges the ordinary weight is 0; without, where no value below 0
/// can be set, the largest weight that any tenant has is.
fn nice(weight: u32, is_privileged: bool, weight_max: u32) -> i8 {
    let (top, lowest) = if is_privileged { (100, -20.0) } else { (weight_max, 0.0) };
    let steps = (f64::from(top) / f64::from(weight.max(1))).ln() / 1.25_f64.ln();
    #[expect(clippy::cast_possible_truncation, reason = "between -20 and 19")]
    let nice = steps.round().clamp(lowest, 19.0) as i8;
    nice
}

/// Takes the place that a `Welcome` names, for a process that was just started: its own session, or its nice value. To be
/// called before the process confines itself. Says whether the weight holds: an unprivileged process may weigh its session only
/// once in 100 ms of all that do so on the machine, and gives up after 2 s.
///
/// # Errors
///
/// Of the system, for example a nice value below 0 without privileges.
pub fn take_place(place: &CpuPlace) -> io::Result<bool> {
    if let Some(nice) = place.session_nice {
        match rustix::process::setsid() {
            // A process that leads a group, as one that was started from a shell, has a session of its own or shares a terminal's.
            Ok(_) | Err(rustix::io::Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        return write_autogroup(nice);
    }
    if let Some(nice) = place.nice {
        rustix::process::setpriority_process(None, i32::from(nice))?;
    }
    Ok(true)
}

fn write_autogroup(nice: i8) -> io::Result<bool> {
    // A new session has it already.
    if nice == 0 {
        return Ok(true);
    }
    let mut tries = 100;
    loop {
        match fs::write("/proc/self/autogroup", nice.to_string()) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries == 0 => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tries -= 1,
            Err(error) => return Err(error),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_as_nice_values() {
        let of = |is_privileged| [10_000, 1_000, 200, 100, 50, 10, 1].map(|weight| nice(weight, is_privileged, 1_000));
        assert_eq!(of(true), [-20, -10, -3, 0, 3, 10, 19]);
        assert_eq!(of(false), [0, 0, 7, 10, 13, 19, 19]);
        assert_eq!(nice(0, true, 1_000), 19);
    }

    #[test]
    fn only_the_root_group_has_sessions() {
        let check = |groups: &str, with_weight: &[&str]| {
            is_in_root_group(groups, |path| with_weight.iter().any(|it| Path::new(it) == path))
        };
        assert!(check("0::/\n", &[]));
        assert!(check("4:memory:/jobs/7\n1:cpu,cpuacct:/\n0::/\n", &[]));
        assert!(!check("1:cpu,cpuacct:/jobs/7\n0::/\n", &[]));
        assert!(check("3:cpuset:/a\n0::/\n", &[]), "another controller");
        assert!(check("0::/system.slice/weir.service\n", &[]), "without the controller");
        assert!(!check("0::/system.slice/weir.service\n", &["system.slice"]));
        assert!(!check("0::/a:b\n", &["a:b"]), "a colon in a name");
    }

    #[test]
    fn a_delegated_group_is_divided() {
        let root = tempfile::tempdir().unwrap();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let path = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
        let folder = root.path().join(path);
        fs::create_dir_all(&folder).unwrap();
        assert!(Cpu::find(Some(root.path()), 1_000).is_err(), "not a control group");
        fs::write(folder.join("cgroup.controllers"), "cpuset cpu io pids\n").unwrap();
        let lacks = Cpu::find(Some(root.path()), 1_000).unwrap_err().to_string();
        assert!(lacks.ends_with("lacks the controllers memory; delegate them"), "{lacks}");
        fs::write(folder.join("cgroup.controllers"), "cpuset cpu io memory pids\n").unwrap();
        let cpu = Cpu::find(Some(root.path()), 1_000).unwrap();
        assert_eq!(cpu.way, CpuWay::ControlGroup { folder: folder.clone() });
        let read = |path: &str| fs::read_to_string(folder.join(path)).unwrap();
        assert_eq!(read("supervisor/cgroup.procs"), std::process::id().to_string());
        assert_eq!(read("cgroup.subtree_control"), "+cpu +memory +pids");
        let limits =
            GroupLimits { weight: 250, cpu_percent_max: Some(150), memory_bytes_max: 1 << 28, threads_max: 40 };
        cpu.enter(WorkerId(3), 4711, limits).unwrap();
        cpu.enter(WorkerId(3), 4712, GroupLimits { weight: 0, cpu_percent_max: None, ..limits }).unwrap();
        let written = ["cpu.weight", "cpu.max", "memory.max", "memory.oom.group", "pids.max", "cgroup.procs"];
        assert_eq!(
            written.map(|file| read(&format!("worker-3/{file}"))),
            ["1", "max 100000", "268435456", "1", "40", "4712"]
        );
        cpu.enter(WorkerId(4), 4713, limits).unwrap();
        assert_eq!(["cpu.weight", "cpu.max"].map(|file| read(&format!("worker-4/{file}"))), ["250", "150000 100000"]);
        assert_eq!(cpu.memory_kills(WorkerId(4)), None);
        fs::write(folder.join("worker-4/memory.events"), "low 0\noom 1\noom_kill 2\noom_group_kill 1\n").unwrap();
        assert_eq!(cpu.memory_kills(WorkerId(4)), Some(2));
        assert_eq!(cpu.place(100), CpuPlace::default(), "never both");
    }
}
