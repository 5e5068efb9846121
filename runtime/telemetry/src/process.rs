//! Metrics of the whole process, with OpenTelemetry's names.

use rustix::time::{ClockId, clock_gettime};

use crate::families::{About, Families, FamilyKind, Value};

/// Adds memory and processor time.
pub(crate) fn add_process(families: &mut Families) {
    if let Some(bytes) = resident_bytes() {
        let about = About::new("process.memory.usage", "By", "Memory used by the process.");
        families.add(FamilyKind::UpDownCounter, about, &[], Value::Whole(bytes));
    }
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let about = About::new("process.cpu.time", "s", "CPU time of all threads.");
    families.add(FamilyKind::Counter, about, &[], Value::Real(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9));
}

/// The resident memory according to the kernel; `None` if the file does not exist.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_takes_some_memory_and_not_all_of_it() {
        let bytes = resident_bytes().expect("the kernel says it");
        assert!((1 << 20..1 << 40).contains(&bytes), "{bytes}");
    }
}
