//! The walls between attacker and victim: which of them hold, and which answered.

use std::fmt;
use std::fs;

use serde_json::Value;

use super::arena::Arena;

/// A wall that an attack on the host can meet. The report has a column for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HostWall {
    /// Weir's own checks: a typed error, a bad record, a refused file.
    Checks,
    /// The sandbox of the guest: fuel, deadline, memory.
    WebAssembly,
    /// A process of its own for each tenant.
    Process,
    /// The list of system calls.
    Seccomp,
    /// The folders that a process reaches.
    Landlock,
    /// The limit of a process's memory.
    Memory,
    /// The share of CPU time.
    Cpu,
    /// The limit of descriptors.
    Descriptors,
    /// The grace time after which a stop is forced.
    Grace,
}

/// What a wall did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WallMark {
    /// It held, and this attack met it.
    Answered,
    /// It held.
    Held,
    /// It was not there, or could not be seen.
    Absent,
}

impl HostWall {
    /// All, in the order of the columns: those that an attack meets first come first.
    pub const ALL: [HostWall; 9] = [
        HostWall::Checks,
        HostWall::WebAssembly,
        HostWall::Process,
        HostWall::Seccomp,
        HostWall::Landlock,
        HostWall::Memory,
        HostWall::Cpu,
        HostWall::Descriptors,
        HostWall::Grace,
    ];

    /// The head of its column.
    pub fn name(self) -> &'static str {
        match self {
            HostWall::Checks => "checks",
            HostWall::WebAssembly => "wasm",
            HostWall::Process => "process",
            HostWall::Seccomp => "seccomp",
            HostWall::Landlock => "landlock",
            HostWall::Memory => "memory",
            HostWall::Cpu => "cpu",
            HostWall::Descriptors => "descriptors",
            HostWall::Grace => "grace",
        }
    }

    /// What the run says where this wall answers.
    fn words(self) -> &'static [&'static str] {
        match self {
            HostWall::Checks => &["error: ", "bad record", " skipped", "WARN "],
            HostWall::WebAssembly => &["deadline", "out of fuel", " trap"],
            HostWall::Process => &["the worker ended", "the worker was ended", " ended by signal"],
            HostWall::Seccomp => &["intrusion"],
            HostWall::Landlock => &["Permission denied"],
            HostWall::Memory => &["for want of memory"],
            HostWall::Cpu => &[],
            HostWall::Descriptors => &["os error 24"],
            HostWall::Grace => &["by force"],
        }
    }
}

impl WallMark {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            WallMark::Answered => "answered",
            WallMark::Held => "held",
            WallMark::Absent => "absent",
        }
    }
}

impl fmt::Display for WallMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WallMark::Absent => "-",
            mark => mark.name(),
        })
    }
}

/// What a run's processes show of their walls.
#[derive(Clone, Debug, Default)]
pub(super) struct InForce {
    walls: Vec<HostWall>,
}

impl InForce {
    /// The walls of the process in which everything runs.
    pub(super) fn of_one_process() -> InForce {
        InForce { walls: vec![HostWall::Checks, HostWall::WebAssembly, HostWall::Grace] }
    }

    /// The walls around a worker: as the system shows them, and, where it shows nothing, as the supervisor's status has them.
    pub(super) fn of_worker(worker: u32, supervisor: u32, status: &[Value]) -> InForce {
        let mut walls = InForce::of_one_process().walls;
        let read = |pid: u32, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let own = read(worker, "status");
        let is = |name: &str, value: u64| crate::process::field(&own, name) == Some(value);
        if worker != supervisor && !own.is_empty() {
            walls.push(HostWall::Process);
        }
        if is("Seccomp:", 2) && is("NoNewPrivs:", 1) {
            walls.push(HostWall::Seccomp);
        }
        if status.iter().any(|line| names_wall(line, "landlock")) {
            walls.push(HostWall::Landlock);
        }
        let limits = read(worker, "limits");
        let group = |pid| (read(pid, "cgroup"), read(pid, "autogroup"));
        if limit(&limits, "Max data size").is_some() {
            walls.push(HostWall::Memory);
        }
        // A control group or a session of its own: its threads count as one.
        if group(worker) != group(supervisor) {
            walls.push(HostWall::Cpu);
        }
        let of_supervisor = limit(&read(supervisor, "limits"), "Max open files");
        if limit(&limits, "Max open files").is_some_and(|files| of_supervisor.is_none_or(|all| files < all)) {
            walls.push(HostWall::Descriptors);
        }
        InForce { walls }
    }

    pub(super) fn holds(&self, wall: HostWall) -> bool {
        self.walls.contains(&wall)
    }

    /// What each wall did, by what the run said.
    pub(super) fn marks(&self, said: &str, contended: bool) -> Vec<(HostWall, WallMark)> {
        let answered = |wall: HostWall| match wall {
            HostWall::Cpu => contended,
            wall => wall.words().iter().any(|word| said.contains(word)),
        };
        let mark = |wall| match (self.holds(wall), answered(wall)) {
            (true, true) => WallMark::Answered,
            (true, false) => WallMark::Held,
            (false, _) => WallMark::Absent,
        };
        HostWall::ALL.into_iter().map(|wall| (wall, mark(wall))).collect()
    }
}

/// Whether a line of `weir status --json` is about a query of the victim's, and names this wall as one that holds.
fn names_wall(line: &Value, name: &str) -> bool {
    let walls = line["worker"]["walls"].as_array().into_iter().flatten();
    line["tenant"] == "victim" && walls.into_iter().any(|wall| wall["name"] == name && wall["holds"] == true)
}

/// A limit of `/proc/PID/limits`; none where it is unlimited.
fn limit(limits: &str, name: &str) -> Option<u64> {
    limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// What the running program says of its queries and workers.
pub(super) fn status(arena: &Arena) -> Vec<Value> {
    let Ok(output) = arena.command().args(["status", "--json"]).output() else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The process of the victim's queries.
pub(super) fn victim_process(status: &[Value]) -> Option<u32> {
    let of_victim = status.iter().find(|line| line["tenant"] == "victim" && line["pid"].as_u64() > Some(0));
    u32::try_from(of_victim?["pid"].as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_answers_where_it_holds_and_was_met() {
        let shown = |force: &InForce, said: &str, contended: bool| {
            let marks = force.marks(said, contended).into_iter();
            marks.map(|(wall, mark)| format!("{} {mark}", wall.name())).collect::<Vec<_>>().join(", ")
        };
        let one = InForce::of_one_process();
        assert_eq!(
            shown(&one, "error: x\nthe worker ended for want of memory", true),
            "checks answered, wasm held, process -, seccomp -, landlock -, memory -, cpu -, descriptors -, grace held"
        );
        let all = InForce { walls: HostWall::ALL.to_vec() };
        assert_eq!(
            shown(&all, "the worker ended for want of memory; deadline", false),
            "checks held, wasm answered, process answered, seccomp held, landlock held, memory answered, cpu held, \
             descriptors held, grace held"
        );
        let limits =
            "Limit Soft Hard Units\nMax data size   unlimited  unlimited bytes\nMax open files   16   16 files\n";
        assert_eq!((limit(limits, "Max data size"), limit(limits, "Max open files")), (None, Some(16)));
        let status = |holds: bool| serde_json::json!({ "tenant": "victim", "worker": { "walls": [{ "name": "landlock", "holds": holds }] } });
        assert!(names_wall(&status(true), "landlock") && !names_wall(&status(false), "landlock"));
    }
}
