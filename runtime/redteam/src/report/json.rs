//! The report for programs.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Report, Row};
use crate::{Effect, ProcessSize, Runaway, Spread, UploadCost};

impl Report {
    /// One object for each row, then `{"summary": …}`. Times are in seconds.
    pub fn to_json(&self) -> Vec<Value> {
        let mut lines: Vec<Value> = self.rows.iter().map(row).collect();
        let [accepted, refused] = self.worst_uploads();
        let worst =
            |worst: Option<(&Row, UploadCost)>| worst.map(|(row, of)| json!({ "name": row.name, "cost": cost(&of) }));
        lines.push(json!({ "summary": {
            "passes": self.passes(),
            "rows": self.rows.len(),
            "rows_passed": self.rows.iter().filter(|row| row.passes()).count(),
            "attempts": self.rows.iter().map(|row| row.attempts).sum::<u64>(),
            "by_class": self.by_class.iter().map(|class| json!({
                "class": class.class.name(),
                "attacks": class.attacks,
                "loss_median": class.loss_median,
                "loss_beyond_neighbour": self.beyond_neighbour(class.loss_median),
                "loss_max": class.loss_max,
                "p99": seconds(class.p99),
            })).collect::<Vec<_>>(),
            "neighbour_loss_median": self.neighbour_loss(),
            "neighbour": self.neighbour.iter().map(effect).collect::<Vec<_>>(),
            "runaways": self.runaways.iter().map(runaway).collect::<Vec<_>>(),
            "worst_accepted": worst(accepted),
            "worst_refused": worst(refused),
            "upload_bytes_max": self.upload_bytes_max(),
            "drift": self.drift.as_ref().map(|drift| json!({
                "attempts": drift.attempts,
                "time": seconds(drift.time),
                "start": drift.start().as_ref().map(size),
                "end": drift.end().as_ref().map(size),
                "bytes_per_1000": drift.bytes_per_1000(),
                "growth_bytes_max": drift.growth_bytes_max(),
                "victim_rows": drift.victim_rows,
                "wrong": drift.wrong(),
                "rounds": drift.rounds.iter().map(|(attempts, process)| {
                    json!({ "attempts": attempts, "process": size(process) })
                }).collect::<Vec<_>>(),
            })),
            "machine": self.machine,
            "version": self.version,
            "others_cores": self.others_cores,
            "time": seconds(self.took),
            "limits": limits(self),
        }}));
        lines
    }
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

fn row(row: &Row) -> Value {
    json!({
        "row": row.row,
        "name": row.name,
        "title": row.title,
        "class": row.class.name(),
        "expected": row.expected,
        "happened": row.happened,
        "code": row.code,
        "attempts": row.attempts,
        "end": row.end.map(seconds),
        "beyond": row.beyond.map(seconds),
        "loss": row.loss(),
        "effects": row.effects.iter().map(effect).collect::<Vec<_>>(),
        "cost": row.cost.as_ref().map(cost),
        "host": row.host.as_ref().map(super::host::json),
        "passes": row.passes(),
        "wrong": row.wrong,
    })
}

fn effect(effect: &Effect) -> Value {
    json!({
        "rows_per_second_alone": effect.rows_per_second_alone,
        "rows_per_second_beside": effect.rows_per_second_beside,
        "loss": effect.loss(),
        "latency_alone": effect.latency_alone.as_ref().map(spread),
        "latency_beside": effect.latency_beside.as_ref().map(spread),
    })
}

fn spread(spread: &Spread) -> Value {
    let Spread { count, p50, p99, max } = *spread;
    json!({ "count": count, "p50": seconds(p50), "p99": seconds(p99), "max": seconds(max) })
}

fn cost(cost: &UploadCost) -> Value {
    json!({
        "admitted": cost.admitted,
        "cpu": seconds(cost.cpu),
        "wall": seconds(cost.wall),
        "peak_bytes": cost.peak_bytes,
        "bytes": cost.bytes,
        "native_bytes": cost.native_bytes,
    })
}

fn runaway(runaway: &Runaway) -> Value {
    json!({
        "guest": runaway.guest,
        "ended_by": runaway.ended_by,
        "loaded": runaway.loaded,
        "time": runaway.time.as_ref().map(spread),
        "wrong": runaway.wrong,
    })
}

fn size(size: &ProcessSize) -> Value {
    json!({
        "resident_bytes": size.resident_bytes,
        "mapped_bytes": size.mapped_bytes,
        "threads": size.threads,
        "open_files": size.open_files,
    })
}

fn limits(report: &Report) -> Value {
    let limits = &report.limits;
    json!({
        "module_bytes_max": limits.module_bytes_max,
        "memory_bytes_max": limits.memory_bytes_max,
        "table_elements_max": limits.table_elements_max,
        "fuel_batch_max": limits.fuel_batch_max,
        "fuel_init_max": limits.fuel_init_max,
        "deadline_ms_max": limits.deadline_ms_max,
        "deadline_init_ms_max": limits.deadline_init_ms_max,
        "output_rows_max": limits.output_rows_max,
        "output_rows_per_input_max": limits.output_rows_per_input_max,
        "output_bytes_max": limits.output_bytes_max,
        "log_lines_batch_max": limits.log_lines_batch_max,
        "log_line_bytes_max": limits.log_line_bytes_max,
        "series_max": limits.series_max,
        "compile_cpu_s_max": limits.compile_cpu_s_max,
        "compile_memory_bytes_max": limits.compile_memory_bytes_max,
        "hardened": limits.hardened,
    })
}
