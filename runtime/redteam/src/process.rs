//! What this process takes, as the system tells it.

use std::time::Duration;
use std::{fs, io};

use rustix::time::{ClockId, clock_gettime};

/// What this process takes at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessSize {
    /// Memory that is really there.
    pub resident_bytes: u64,
    /// Address space. The pool reserves most of it once.
    pub mapped_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files, sockets and pipes.
    pub open_files: u64,
}

impl ProcessSize {
    /// Now.
    ///
    /// # Errors
    ///
    /// A system without `/proc`.
    pub fn now() -> io::Result<ProcessSize> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = |name| field(&status, name).ok_or_else(|| io::Error::other(format!("/proc/self/status: no {name}")));
        Ok(ProcessSize {
            resident_bytes: line("VmRSS:")? << 10,
            mapped_bytes: line("VmSize:")? << 10,
            threads: line("Threads:")?,
            open_files: fs::read_dir("/proc/self/fd")?.count() as u64,
        })
    }
}

/// The number on the line of this name.
pub(crate) fn field(status: &str, name: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// CPU time of all threads of this process.
pub(crate) fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0));
    Duration::new(seconds, nanos)
}

/// CPU time of the children that have ended and were waited for: workers that compile, and programs that were attacked.
pub(crate) fn children_cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may hold anything, in parentheses: the 16th and 17th field of proc(5), in hundredths of a second.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// CPU time that everybody on this machine took since it was started.
pub(crate) fn machine_cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> = stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal, in hundredths of a second.
    let busy = ticks.iter().enumerate().filter(|(index, _)| ![3, 4].contains(index)).take(6).map(|(_, ticks)| ticks);
    Some(Duration::from_millis(busy.sum::<u64>() * 10))
}

/// Runs something, and says by how much the resident set rose above where it was; `None` where the system cannot tell.
pub(crate) fn peak_bytes_of<T>(run: impl FnOnce() -> T) -> (T, Option<u64>) {
    // 5 sets the highest resident set back to the present one.
    let before = fs::write("/proc/self/clear_refs", "5").ok().and_then(|()| status("VmRSS:"));
    let done = run();
    let peak = before.and_then(|before| Some((status("VmHWM:")?.saturating_sub(before)) << 10));
    (done, peak)
}

fn status(name: &str) -> Option<u64> {
    field(&fs::read_to_string("/proc/self/status").ok()?, name)
}

/// The machine, in a line.
pub(crate) fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown CPU", |(_, name)| name).trim().to_owned();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    format!("{} cores, {model}, Linux {kernel}, {}", cores(), std::env::consts::ARCH)
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_shows() {
        let before = ProcessSize::now().unwrap();
        let file = fs::File::open("/proc/self/status").unwrap();
        let (memory, peak) = peak_bytes_of(|| std::hint::black_box(vec![1_u8; 64 << 20]));
        let after = ProcessSize::now().unwrap();
        assert!(after.resident_bytes >= before.resident_bytes + (60 << 20), "{before:?} {after:?}");
        assert!(after.mapped_bytes >= before.mapped_bytes + (60 << 20), "{before:?} {after:?}");
        assert!(after.open_files > before.open_files, "{before:?} {after:?}");
        assert!(peak.is_none_or(|peak| peak >= 60 << 20), "{peak:?}");
        drop((memory, file));
        assert!(cpu_time() > Duration::ZERO);
        assert!(machine_cpu_time().unwrap() >= cpu_time());
        assert_eq!(field("Name:\tx\nVmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
    }
}
