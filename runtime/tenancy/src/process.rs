//! Processes, as proc(5) shows them and pidfds hold them.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// What `/proc/PID/stat` says. Every user may read it of every process, unless proc is mounted with `hidepid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Stat {
    /// CPU time used so far, in ticks of 10 ms.
    pub(crate) cpu_ticks: u64,
    pub(crate) threads: u64,
    /// When it was started, in ticks since the machine was.
    pub(crate) start_ticks: u64,
    pub(crate) resident_pages: u64,
}

impl Stat {
    pub(crate) fn of(pid: u32) -> io::Result<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Stat::parse(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no numbers in it"))
    }

    /// The name in it may have anything in it, brackets as well: what counts comes after the last one.
    fn parse(text: &str) -> Option<Stat> {
        let (_, fields) = text.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        // The first is the third of the page's list.
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<u64>().ok();
        Some(Stat {
            cpu_ticks: field(14)?.saturating_add(field(15)?),
            threads: field(20)?,
            start_ticks: field(22)?,
            resident_pages: field(24)?,
        })
    }

    pub(crate) fn cpu_ms(&self) -> u64 {
        self.cpu_ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1)
    }

    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_pages.saturating_mul(rustix::param::page_size() as u64)
    }
}

/// How many descriptors a process has. `None` where this user may not know.
pub(crate) fn descriptors(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the size of the folder is their number.
    match fs::metadata(&folder).ok()?.len() {
        0 => fs::read_dir(&folder).ok().map(|entries| entries.count() as u64),
        count => Some(count),
    }
}

/// Which start of the machine this is: process ids of another one mean nothing.
pub(crate) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Processes that the kernel has killed for want of memory since the machine was started.
pub(crate) fn memory_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
}

/// A process that cannot be mistaken for a later one of the same id.
#[derive(Debug)]
pub(crate) struct PidFd(OwnedFd);

impl PidFd {
    /// `None` where there is no such process.
    pub(crate) fn open(pid: u32) -> io::Result<Option<PidFd>> {
        let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        match pidfd_open(raw, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => Ok(Some(PidFd(descriptor))),
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn kill(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.0, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Readable once the process has ended.
    pub(crate) fn descriptor(&self) -> &OwnedFd {
        &self.0
    }
}

/// ` ABRT` of 6.
pub(crate) fn signal_name(signal: i32) -> String {
    let Some(signal) = Signal::from_named_raw(signal) else { return "unknown".to_owned() };
    // rustix shows a signal as its Rust path.
    let path = format!("{signal:?}");
    let name = path.trim_matches('"');
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_processes_do_not_shift_the_numbers() {
        let text =
            "7 (a) b) 1 (c) S 1 7 7 0 -1 4194560 100 0 0 0 12 3 0 0 20 0 5 0 987654 1000000 250 18446744073709551615\n";
        let stat = Stat { cpu_ticks: 15, threads: 5, start_ticks: 987_654, resident_pages: 250 };
        assert_eq!(Stat::parse(text), Some(stat));
        assert_eq!(Stat::parse("7 (x) S 1"), None);
        assert_eq!(Stat::parse(""), None);
        let own = Stat::of(std::process::id()).unwrap();
        assert!(own.threads >= 1 && own.start_ticks > 0 && own.resident_bytes() > 100_000);
        assert!(descriptors(std::process::id()).unwrap() >= 3);
        assert_eq!(signal_name(31), "SYS");
        assert_eq!(signal_name(6), "ABORT");
    }
}
