//! The runtime's own metrics.

use weir_query::{
    Details, Durations, PartitionProgress, Progress, QueryHandle, SinkDetails, SinkProgress, SourceProgress,
    StageDetails, StageProgress, State, TraceCounts,
};

use crate::families::{Families, Kind, Value};
use crate::guests::add_guests;

/// A number of something, under its name. Those that end in `_total` only rise while the process lives.
struct Number<T> {
    name: &'static str,
    help: &'static str,
    of: fn(&T) -> Value,
}

const fn number<T>(name: &'static str, help: &'static str, of: fn(&T) -> Value) -> Number<T> {
    Number { name, help, of }
}

fn millis(millis: u64) -> Value {
    Value::Real(millis as f64 / 1e3)
}

fn nanos(nanos: u64) -> Value {
    Value::Real(nanos as f64 / 1e9)
}

use Value::Whole;

const QUERY: [Number<Progress>; 4] = [
    number("weir_query_commits_total", "Commits.", |query| Whole(query.commits)),
    number(
        "weir_query_committed_records_total",
        "Records read that are accounted for durably: written, filtered, failed or dead-lettered.",
        |query| Whole(query.committed_records),
    ),
    number("weir_query_uncommitted_records", "Records read since the last commit.", |query| {
        Whole(query.uncommitted_records)
    }),
    number(
        "weir_query_restarts_total",
        "Times that the query went back to its last commit after a failure. What it reads again is counted again.",
        |query| Whole(query.restarts),
    ),
];

const TRACES: [Number<TraceCounts>; 1] = [number(
    "weir_query_malformed_traceparents_total",
    "Headers called traceparent that are no trace context, in the batches that were looked at.",
    |traces| Whole(traces.malformed),
)];

const SOURCE: [Number<SourceProgress>; 5] = [
    number("weir_source_records_total", "Records read, those that did not decode among them.", |source| {
        Whole(source.records)
    }),
    number("weir_source_bytes_total", "Bytes read from outside.", |source| Whole(source.bytes)),
    number("weir_source_batches_total", "Batches handed on.", |source| Whole(source.batches)),
    number("weir_source_failed_records_total", "Records that did not decode and were skipped.", |source| {
        Whole(source.failed)
    }),
    number("weir_source_dead_records_total", "Records that did not decode and became dead letters.", |source| {
        Whole(source.dead)
    }),
];

const STAGE: [Number<StageProgress>; 18] = [
    number("weir_stage_records_in_total", "Records that came in.", |stage| Whole(stage.records_in)),
    number("weir_stage_records_out_total", "Records that went on.", |stage| Whole(stage.records_out)),
    number("weir_stage_filtered_records_total", "Records that the function left out.", |stage| Whole(stage.filtered)),
    number("weir_stage_expanded_records_total", "Records that the function made beyond one for each.", |stage| {
        Whole(stage.expanded)
    }),
    number("weir_stage_failed_records_total", "Records that failed and were skipped.", |stage| Whole(stage.failed)),
    number("weir_stage_dead_records_total", "Records that failed and became dead letters.", |stage| Whole(stage.dead)),
    number("weir_stage_calls_total", "Guest calls, those that ended early among them.", |stage| Whole(stage.calls)),
    number("weir_stage_traps_total", "Guest calls that ended early.", |stage| Whole(stage.traps)),
    number("weir_stage_retries_total", "Calls over single records that had failed.", |stage| Whole(stage.retries)),
    number("weir_stage_fuel_total", "Fuel used: about an instruction each.", |stage| Whole(stage.fuel)),
    number("weir_stage_host_calls_total", "Calls from the guest to the host.", |stage| Whole(stage.host_calls)),
    number("weir_stage_guest_seconds_total", "Time in guest calls, less the waiting for a turn.", |stage| {
        nanos(stage.guest_nanos)
    }),
    number("weir_stage_turn_wait_seconds_total", "Time that guest calls waited for their turn on a core.", |stage| {
        nanos(stage.waited_nanos)
    }),
    number("weir_stage_memory_peak_bytes", "The most linear memory that an instance has had.", |stage| {
        Whole(stage.memory_bytes_peak)
    }),
    number("weir_stage_log_lines_dropped_total", "Log lines of the guest beyond its limit.", |stage| {
        Whole(stage.logs_dropped)
    }),
    number("weir_stage_held_back_total", "Times that the stage was held back, for its traps.", |stage| {
        Whole(stage.held_back)
    }),
    number("weir_stage_held_back_seconds_total", "Time that the stage was held back.", |stage| {
        millis(stage.held_back_ms)
    }),
    number("weir_stage_instance_wait_seconds_total", "Time that the stage waited for a free instance.", |stage| {
        millis(stage.instance_wait_ms)
    }),
];

const SINK: [Number<SinkProgress>; 4] = [
    number("weir_sink_records_total", "Records written.", |sink| Whole(sink.records)),
    number("weir_sink_bytes_total", "Bytes written.", |sink| Whole(sink.bytes)),
    number("weir_sink_batches_total", "Batches written.", |sink| Whole(sink.batches)),
    number("weir_sink_files_total", "Files published.", |sink| Whole(sink.files)),
];

const QUEUE: [Number<SinkDetails>; 2] = [
    number("weir_sink_queue_messages", "Batches, and requests of commits, that wait for the sink.", |sink| {
        Whole(sink.queued)
    }),
    number("weir_sink_queue_messages_max", "The most that may wait for the sink.", |sink| Whole(sink.queue_max)),
];

const STATES: [(State, &str); 5] = [
    (State::Running, "running"),
    (State::Paused, "paused"),
    (State::Retrying, "retrying"),
    (State::Draining, "draining"),
    (State::Ended, "ended"),
];

/// The state of these queries as text, version 0.0.4 of Prometheus' format. No two of them have both name and tenant in
/// common.
pub fn exposition<'a>(queries: impl IntoIterator<Item = &'a QueryHandle>) -> String {
    let mut families = Families::default();
    let about = ("The version of the program.", "");
    families.add(Kind::Gauge, "weir_build_info", about, &[("version", env!("CARGO_PKG_VERSION"))], Whole(1));
    for query in queries {
        let of = [("tenant", query.tenant()), ("query", query.query())];
        add_query(&mut families, of, &query.progress(), &query.details());
        add_guests(&mut families, query);
    }
    families.into_text()
}

fn add_query(families: &mut Families, of: [(&str, &str); 2], progress: &Progress, details: &Details) {
    add(families, &QUERY, progress, &of);
    let [tenant, query] = of;
    for (state, name) in STATES {
        let about = ("1 for the state that the query is in.", "");
        let value = Whole(u64::from(progress.state == state));
        families.add(Kind::Gauge, "weir_query_state", about, &[tenant, query, ("state", name)], value);
    }
    timed(families, "weir_query_commit_duration_seconds", "Commits that came to their end.", &details.commits, &of);
    for (cost, count) in [("free", details.copy_on_write_free), ("copied", details.copy_on_write_copied)] {
        let about = ("Batches written to, in place or after their frame was copied.", "");
        let labels = [tenant, query, ("cost", cost)];
        families.add(Kind::Counter, "weir_query_copy_on_write_total", about, &labels, Whole(count));
    }
    if let Some(traces) = &details.traces {
        for (sampled, count) in [("true", traces.sampled), ("false", traces.unsampled)] {
            let about = ("Batches of a traced query, by whether they have a span.", "");
            let labels = [tenant, query, ("sampled", sampled)];
            families.add(Kind::Counter, "weir_query_traced_batches_total", about, &labels, Whole(count));
        }
        add(families, &TRACES, traces, &of);
    }
    for source in &progress.sources {
        add(families, &SOURCE, source, &[tenant, query, ("source", &source.name)]);
        for partition in &source.partitions {
            add_partition(families, [tenant, query, ("source", &source.name)], partition);
        }
    }
    for stage in &progress.stages {
        add(families, &STAGE, stage, &[tenant, query, ("stage", &stage.name)]);
    }
    for StageDetails { name, calls, traps } in &details.stages {
        let stage = ("stage", &**name);
        let help = "Guest calls, less the waiting for a turn.";
        timed(families, "weir_stage_call_duration_seconds", help, calls, &[tenant, query, stage]);
        for (code, count) in traps {
            let about = ("Guest calls that ended early, by why.", "");
            let labels = [tenant, query, stage, ("code", *code)];
            families.add(Kind::Counter, "weir_stage_traps_by_code_total", about, &labels, Whole(*count));
        }
    }
    for sink in &progress.sinks {
        add(families, &SINK, sink, &[tenant, query, ("sink", &sink.name)]);
    }
    for sink in &details.sinks {
        let labels = [tenant, query, ("sink", &*sink.name)];
        add(families, &QUEUE, sink, &labels);
        timed(families, "weir_sink_write_duration_seconds", "Batches written.", &sink.writes, &labels);
        let help = "What made output durable or visible: flushes, preparations, publications, the closing.";
        timed(families, "weir_sink_flush_duration_seconds", help, &sink.flushes, &labels);
    }
}

fn add<T>(families: &mut Families, numbers: &[Number<T>], of: &T, labels: &[(&str, &str)]) {
    for Number { name, help, of: value } in numbers {
        let kind = if name.ends_with("_total") { Kind::Counter } else { Kind::Gauge };
        families.add(kind, name, (help, ""), labels, value(of));
    }
}

fn timed(families: &mut Families, name: &str, help: &str, times: &Durations, labels: &[(&str, &str)]) {
    families.add_histogram(name, (help, "seconds"), labels, (&times.bounds, &times.buckets, times.sum));
}

/// What is not known of a partition has no sample.
fn add_partition(families: &mut Families, of: [(&str, &str); 3], partition: &PartitionProgress) {
    let number = partition.number.to_string();
    let [tenant, query, source] = of;
    let labels = [tenant, query, source, ("origin", &*partition.origin), ("partition", number.as_str())];
    for (name, help, value) in [
        ("weir_source_partition_lag_records", "Records that are there and not committed.", partition.lag),
        ("weir_source_partition_read_offset", "The offset of the next record to be taken in.", partition.read),
        ("weir_source_partition_committed_offset", "The offset at which a new run would begin.", partition.committed),
        ("weir_source_partition_end_offset", "The offset that the next record will get.", partition.end),
    ] {
        if let Some(value) = value {
            families.add(Kind::Gauge, name, (help, ""), &labels, Value::Signed(value));
        }
    }
}
