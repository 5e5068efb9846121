//! The figures below the table, each beside its target.

use super::table::{millis, percent};
use super::{BEYOND_IDLE_MAX, BEYOND_LOADED_MAX, LOSS_MAX, OTHERS_CORES_MAX, Report, UPLOAD_BYTES_MAX, UPLOAD_CPU_MAX};
use crate::{PROCEDURES, Runaway, UploadCost};
use weir_hostile::ELSEWHERE;

impl Report {
    /// Names and values, in reading order.
    pub(super) fn summary(&self) -> Vec<(String, String)> {
        let mut lines = Vec::new();
        let mut line = |name: &str, value: String| lines.push((name.to_owned(), value));
        let passed = self.rows.iter().filter(|row| row.passes()).count();
        let attempts: u64 = self.rows.iter().map(|row| row.attempts).sum();
        let verdict = if self.passes() { "PASS" } else { "FAIL" };
        line("result", format!("{verdict}: {passed} of {} rows pass, {attempts} attempts", self.rows.len()));
        for class in &self.by_class {
            let met = if self.figures_hold() { met(class.loss_median <= LOSS_MAX) } else { "void" };
            let (median, max, p99) = (percent(class.loss_median), percent(class.loss_max), millis(class.p99));
            let beyond = self.beyond_neighbour(class.loss_median).map(percent);
            let beyond = beyond.map(|beyond| format!(", {beyond} % beyond a neighbour's")).unwrap_or_default();
            let attacks = class.attacks;
            line(
                &format!("loss by {}", class.class.name()),
                format!(
                    "{median} % median of {attacks} attacks{beyond}, {max} % worst, p99 {p99} ms (target 5 %: {met})"
                ),
            );
        }
        if let Some(loss) = self.neighbour_loss() {
            let (count, loss) = (self.neighbour.len(), percent(loss));
            line("loss, neighbour", format!("{loss} % median of {count} windows beside a well-behaved tenant"));
        }
        if let Some(kept) = self.host_share() {
            line("share, host", kept);
        }
        for runaway in &self.runaways {
            line(&format!("runaway, {}", if runaway.loaded { "loaded" } else { "idle" }), shown(runaway));
        }
        for (name, worst) in ["worst accepted", "worst refused"].into_iter().zip(self.worst_uploads()) {
            let Some((row, UploadCost { cpu, wall, bytes, .. })) = worst else { continue };
            let (cpu, wall) = (cpu.as_secs_f64(), wall.as_secs_f64());
            let mut text = format!("{}: {cpu:.3} s CPU, {wall:.3} s on the clock, for {bytes} bytes", row.name);
            if name == "worst accepted" {
                let peak = self.upload_bytes_max();
                let met = met(cpu <= UPLOAD_CPU_MAX.as_secs_f64() && peak.is_none_or(|peak| peak <= UPLOAD_BYTES_MAX));
                let peak = peak.map_or("not known".to_owned(), |peak| format!("{} MiB", peak >> 20));
                text.push_str(&format!("; at most {peak} of memory (target 10 s, 1 GiB: {met})"));
            }
            line(name, text);
        }
        if let Some(drift) = &self.drift {
            let (start, end) = (drift.start(), drift.end());
            let change = |name: &str, of: &dyn Fn(&crate::ProcessSize) -> u64| match (&start, &end) {
                (Some(start), Some(end)) => format!("{name} {} to {}", of(start), of(end)),
                _ => format!("{name} not known"),
            };
            line(
                "drift",
                format!(
                    "{} rounds, {} attempts in {:.0} s",
                    drift.rounds.len(),
                    drift.attempts,
                    drift.time.as_secs_f64()
                ),
            );
            line(
                "drift, resident",
                format!(
                    "{} MiB, {:+.1} KiB for 1,000 attempts, at most {} MiB more",
                    change("resident", &|size| size.resident_bytes >> 20),
                    drift.bytes_per_1000() / 1024.0,
                    drift.growth_bytes_max() >> 20
                ),
            );
            line(
                "drift, others",
                format!(
                    "{} MiB; {}; {}",
                    change("mapped", &|size| size.mapped_bytes >> 20),
                    change("threads", &|size| size.threads),
                    change("open files", &|size| size.open_files)
                ),
            );
            line("drift, victim", format!("{} rows answered rightly", drift.victim_rows));
            if let Some(wrong) = drift.wrong() {
                line("drift, FAIL", wrong);
            }
        }
        line("not in here", elsewhere());
        line("machine", self.machine.clone());
        if let Some(cores) = self.others_cores {
            line(
                "other processes",
                match cores {
                    _ if cores > OTHERS_CORES_MAX => {
                        format!(
                            "took {cores:.2} cores meanwhile, more than {OTHERS_CORES_MAX}: figures of time are void"
                        )
                    }
                    _ => format!("took {cores:.2} cores meanwhile"),
                },
            );
        }
        line("run", format!("weir {}, {:.1} s", self.version, self.took.as_secs_f64()));
        line("limits", limits(self));
        lines
    }
}

/// Rows that can be tried by neither a guest nor a procedure of this program, and where they are tested.
fn elsewhere() -> String {
    let rows = ELSEWHERE.iter().filter(|(row, ..)| PROCEDURES.iter().all(|procedure| procedure.row != *row));
    let rows: Vec<String> = rows.map(|(row, title, place)| format!("{row} {title} ({place})")).collect();
    rows.join("; ")
}

fn met(holds: bool) -> &'static str {
    if holds { "met" } else { "missed" }
}

fn shown(runaway: &Runaway) -> String {
    let Runaway { guest, ended_by, loaded, time, wrong } = runaway;
    if let Some(wrong) = wrong {
        return format!("FAIL: {guest} by {ended_by}: {wrong}");
    }
    let Some(time) = time else { return format!("{guest} by {ended_by}: never") };
    let (p50, p99, max) = (millis(time.p50), millis(time.p99), millis(time.max));
    let figures = format!("p50 {p50}, p99 {p99}, max {max} ms of {}", time.count);
    if *ended_by == "deadline" {
        let most = if *loaded { BEYOND_LOADED_MAX } else { BEYOND_IDLE_MAX };
        format!(
            "{guest}: beyond its deadline {figures} (target p99 {} ms: {})",
            most.as_millis(),
            met(time.p99 <= most)
        )
    } else {
        format!("{guest}: by fuel after {figures}")
    }
}

/// The limits that attacks are made to go beyond, in a line.
fn limits(report: &Report) -> String {
    let limits = &report.limits;
    let fuel = limits.fuel_batch_max.map_or("unmetered".to_owned(), |fuel| format!("{fuel} a batch"));
    format!(
        "module {} KiB, memory {} MiB, table {}, fuel {fuel}, deadline {} ms, output {} rows and {} MiB, {} log lines, {} series{}",
        limits.module_bytes_max >> 10,
        limits.memory_bytes_max >> 20,
        limits.table_elements_max,
        limits.deadline_ms_max,
        limits.output_rows_max,
        limits.output_bytes_max >> 20,
        limits.log_lines_batch_max,
        limits.series_max,
        if limits.hardened { ", hardened" } else { "" }
    )
}
