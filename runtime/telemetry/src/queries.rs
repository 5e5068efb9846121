//! The runtime's own metrics.

use std::collections::BTreeMap;

use weir_query::{
    Details, Durations, PartitionProgress, Progress, QueryHandle, SinkDetails, SinkProgress, SourceProgress,
    StageDetails, StageProgress, State, TraceCounts,
};

use crate::families::{About, Families, Kind, Value};
use crate::guests::add_guests;
use crate::process::add_process;

/// A number of something, under its name and in its unit.
struct Number<T> {
    kind: Kind,
    name: &'static str,
    unit: &'static str,
    help: &'static str,
    of: fn(&T) -> Value,
}

/// One that only rises while the process lives.
const fn counter<T>(name: &'static str, unit: &'static str, help: &'static str, of: fn(&T) -> Value) -> Number<T> {
    Number { kind: Kind::Counter, name, unit, help, of }
}

/// One that stands for a moment.
const fn gauge<T>(name: &'static str, unit: &'static str, help: &'static str, of: fn(&T) -> Value) -> Number<T> {
    Number { kind: Kind::Gauge, name, unit, help, of }
}

fn millis(millis: u64) -> Value {
    Value::Real(millis as f64 / 1e3)
}

fn nanos(nanos: u64) -> Value {
    Value::Real(nanos as f64 / 1e9)
}

use Value::Whole;

const QUERY: [Number<Progress>; 5] = [
    counter("weir.query.commits", "{commit}", "Commits.", |query| Whole(query.commits)),
    counter(
        "weir.query.committed_records",
        "{record}",
        "Records read that are accounted for durably: written, filtered, failed or dead-lettered.",
        |query| Whole(query.committed_records),
    ),
    gauge("weir.query.uncommitted_records", "{record}", "Records read since the last commit.", |query| {
        Whole(query.uncommitted_records)
    }),
    counter(
        "weir.query.restarts",
        "{restart}",
        "Times that the query went back to its last commit after a failure. What it reads again is counted again.",
        |query| Whole(query.restarts),
    ),
    counter(
        "weir.query.letters_omitted",
        "{letter}",
        "Dead letters written without their records, which are too large for the letters' topic or file.",
        |query| Whole(query.letters_omitted),
    ),
];

const TRACES: [Number<TraceCounts>; 1] = [counter(
    "weir.query.malformed_traceparents",
    "{header}",
    "Headers called traceparent that are no trace context, in the batches that were looked at.",
    |traces| Whole(traces.malformed),
)];

const SOURCE: [Number<SourceProgress>; 6] = [
    counter("weir.source.records", "{record}", "Records read, those that did not decode among them.", |source| {
        Whole(source.records)
    }),
    counter("weir.source.bytes", "By", "Bytes read from outside.", |source| Whole(source.bytes)),
    counter("weir.source.batches", "{batch}", "Batches handed on.", |source| Whole(source.batches)),
    counter("weir.source.failed_records", "{record}", "Records that did not decode and were skipped.", |source| {
        Whole(source.failed)
    }),
    counter("weir.source.dead_records", "{record}", "Records that did not decode and became dead letters.", |source| {
        Whole(source.dead)
    }),
    counter(
        "weir.source.unfinished_records",
        "{record}",
        "Records that were begun and not finished when the query failed or was stopped. They are read again.",
        |source| Whole(source.unfinished),
    ),
];

const STAGE: [Number<StageProgress>; 22] = [
    counter("weir.stage.records_in", "{record}", "Records that came in.", |stage| Whole(stage.records_in)),
    counter("weir.stage.records_out", "{record}", "Records that went on.", |stage| Whole(stage.records_out)),
    counter(
        "weir.stage.input",
        "By",
        "Bytes of the values of records that came in. Text of a batch with records left out is estimated.",
        |stage| Whole(stage.bytes_in),
    ),
    counter(
        "weir.stage.output",
        "By",
        "Bytes of the values of records that went on. Text of a batch with records left out is estimated.",
        |stage| Whole(stage.bytes_out),
    ),
    counter("weir.stage.filtered_records", "{record}", "Records that the function left out.", |stage| {
        Whole(stage.filtered)
    }),
    counter(
        "weir.stage.expanded_records",
        "{record}",
        "Records that the function made beyond one for each.",
        |stage| Whole(stage.expanded),
    ),
    counter("weir.stage.failed_records", "{record}", "Records that failed and were skipped.", |stage| {
        Whole(stage.failed)
    }),
    counter("weir.stage.dead_records", "{record}", "Records that failed and became dead letters.", |stage| {
        Whole(stage.dead)
    }),
    counter("weir.stage.calls", "{call}", "Guest calls, those that ended early among them.", |stage| {
        Whole(stage.calls)
    }),
    counter("weir.stage.traps", "{call}", "Guest calls that ended early.", |stage| Whole(stage.traps)),
    counter("weir.stage.retries", "{call}", "Calls over single records that had failed.", |stage| Whole(stage.retries)),
    counter("weir.stage.fuel", "{fuel}", "Fuel used: about an instruction each.", |stage| Whole(stage.fuel)),
    counter("weir.stage.host_calls", "{call}", "Calls from the guest to the host.", |stage| Whole(stage.host_calls)),
    counter("weir.stage.guest", "s", "Time in guest calls, less the waiting for a turn.", |stage| {
        nanos(stage.guest_nanos)
    }),
    counter(
        "weir.stage.host",
        "s",
        "Time in host functions, of that in guest calls. An estimate: one guest call in 8 is timed, and of its \
         host calls the first 64, then one in 61.",
        |stage| nanos(stage.host_nanos),
    ),
    counter("weir.stage.turn_wait", "s", "Time that guest calls waited for their turn on a core.", |stage| {
        nanos(stage.waited_nanos)
    }),
    gauge("weir.stage.memory_peak", "By", "The most linear memory that an instance has had.", |stage| {
        Whole(stage.memory_bytes_peak)
    }),
    counter("weir.stage.log_lines_dropped", "{line}", "Log lines of the guest beyond its limits.", |stage| {
        Whole(stage.logs_dropped)
    }),
    counter("weir.stage.held_back", "{time}", "Times that the stage was held back, for its traps.", |stage| {
        Whole(stage.held_back)
    }),
    counter("weir.stage.held_back_seconds", "s", "Time that the stage was held back.", |stage| {
        millis(stage.held_back_ms)
    }),
    counter("weir.stage.instance_wait", "s", "Time that the stage waited for a free instance.", |stage| {
        millis(stage.instance_wait_ms)
    }),
    counter(
        "weir.stage.state_losses",
        "{time}",
        "Times that what the function kept in its memory was lost.",
        |stage| Whole(stage.state_losses.values().sum()),
    ),
];

const SINK: [Number<SinkProgress>; 6] = [
    counter("weir.sink.records", "{record}", "Records written.", |sink| Whole(sink.records)),
    counter("weir.sink.bytes", "By", "Bytes written.", |sink| Whole(sink.bytes)),
    counter("weir.sink.batches", "{batch}", "Batches written.", |sink| Whole(sink.batches)),
    counter("weir.sink.files", "{file}", "Files published.", |sink| Whole(sink.files)),
    counter("weir.sink.records_failed", "{record}", "Records refused and skipped.", |sink| Whole(sink.failed)),
    counter("weir.sink.records_dead", "{record}", "Records refused and dead-lettered.", |sink| Whole(sink.dead)),
];

const QUEUE: [Number<SinkDetails>; 2] = [
    gauge(
        "weir.sink.queue.messages",
        "{message}",
        "Batches, and requests of commits, that wait for the sink.",
        |sink| Whole(sink.queued),
    ),
    gauge("weir.sink.queue.messages_max", "{message}", "The most that may wait for the sink.", |sink| {
        Whole(sink.queue_max)
    }),
];

/// The state of these queries as text, version 0.0.4 of Prometheus' format. No two of them have both name and tenant in
/// common.
pub fn exposition<'a>(queries: impl IntoIterator<Item = &'a QueryHandle>) -> String {
    families(queries).into_text()
}

/// All that is measured: what is exported, in whatever form, is read from here.
pub(crate) fn families<'a>(queries: impl IntoIterator<Item = &'a QueryHandle>) -> Families {
    let mut families = Families::default();
    let about = About::new("weir.build.info", "", "The version of the program.");
    families.add(Kind::Gauge, about, &[("version", env!("CARGO_PKG_VERSION"))], Whole(1));
    add_process(&mut families);
    for query in queries {
        let of = [("tenant", query.tenant()), ("query", query.query())];
        add_query(&mut families, of, &query.progress(), &query.details());
        add_guests(&mut families, query);
    }
    families
}

fn add_query(families: &mut Families, of: [(&str, &str); 2], progress: &Progress, details: &Details) {
    add(families, &QUERY, progress, &of);
    let [tenant, query] = of;
    for state in State::ALL {
        let about = About::new("weir.query.state", "", "1 for the state that the query is in.");
        let value = Whole(u64::from(progress.state == state));
        families.add(Kind::Gauge, about, &[tenant, query, ("state", state.name())], value);
    }
    timed(families, "weir.query.commit.duration", "Commits that came to their end.", &details.commits, &of);
    for (cost, count) in [("free", details.copy_on_write_free), ("copied", details.copy_on_write_copied)] {
        let help = "Batches written to, in place or after their frame was copied.";
        let about = About::new("weir.query.copy_on_write", "{batch}", help);
        let labels = [tenant, query, ("cost", cost)];
        families.add(Kind::Counter, about, &labels, Whole(count));
    }
    if let Some(traces) = &details.traces {
        for (sampled, count) in [("true", traces.sampled), ("false", traces.unsampled)] {
            let help = "Batches of a traced query, by whether they have a span.";
            let about = About::new("weir.query.traced_batches", "{batch}", help);
            let labels = [tenant, query, ("sampled", sampled)];
            families.add(Kind::Counter, about, &labels, Whole(count));
        }
        add(families, &TRACES, traces, &of);
    }
    for source in &progress.sources {
        add(families, &SOURCE, source, &[tenant, query, ("source", &source.name)]);
        by_code(families, "weir.source.errors", [tenant, query, ("source", &source.name)], &source.errors);
        for partition in &source.partitions {
            add_partition(families, [tenant, query, ("source", &source.name)], partition);
        }
    }
    for stage in &progress.stages {
        add(families, &STAGE, stage, &[tenant, query, ("stage", &stage.name)]);
        by_code(families, "weir.stage.errors", [tenant, query, ("stage", &stage.name)], &stage.errors);
    }
    for StageDetails { name, calls, host, traps } in &details.stages {
        let stage = ("stage", &**name);
        let help = "Guest calls, less the waiting for a turn.";
        timed(families, "weir.stage.call.duration", help, calls, &[tenant, query, stage]);
        let help = "Time in host functions, one duration a guest call. An estimate.";
        timed(families, "weir.stage.host.duration", help, host, &[tenant, query, stage]);
        for (code, count) in traps {
            let about = About::new("weir.stage.traps_by_code", "{call}", "Guest calls that ended early, by why.");
            let labels = [tenant, query, stage, ("code", *code)];
            families.add(Kind::Counter, about, &labels, Whole(*count));
        }
    }
    for sink in &progress.sinks {
        add(families, &SINK, sink, &[tenant, query, ("sink", &sink.name)]);
    }
    for sink in &details.sinks {
        let labels = [tenant, query, ("sink", &*sink.name)];
        add(families, &QUEUE, sink, &labels);
        timed(families, "weir.sink.write.duration", "Batches written.", &sink.writes, &labels);
        let help = "What made output durable or visible: flushes, preparations, publications, the closing.";
        timed(families, "weir.sink.flush.duration", help, &sink.flushes, &labels);
    }
}

fn add<T>(families: &mut Families, numbers: &[Number<T>], of: &T, labels: &[(&str, &str)]) {
    for Number { kind, name, unit, help, of: value } in numbers {
        families.add(*kind, About::new(name, unit, help), labels, value(of));
    }
}

/// Records that failed, a series a code: a guest's own are 64 at most, and `other`.
fn by_code(families: &mut Families, name: &str, of: [(&str, &str); 3], errors: &BTreeMap<String, u64>) {
    let [tenant, query, place] = of;
    for (code, count) in errors {
        let about =
            About::new(name, "{record}", "Records that failed and were skipped or became dead letters, by why.");
        families.add(Kind::Counter, about, &[tenant, query, place, ("code", code)], Whole(*count));
    }
}

fn timed(families: &mut Families, name: &str, help: &str, times: &Durations, labels: &[(&str, &str)]) {
    families.add_histogram(About::new(name, "s", help), labels, (&times.bounds, &times.buckets, times.sum));
}

/// What is not known of a partition has no sample.
fn add_partition(families: &mut Families, of: [(&str, &str); 3], partition: &PartitionProgress) {
    let number = partition.number.to_string();
    let [tenant, query, source] = of;
    let labels = [tenant, query, source, ("origin", &*partition.origin), ("partition", number.as_str())];
    for (name, unit, help, value) in [
        ("weir.source.partition.lag_records", "{record}", "Records that are there and not committed.", partition.lag),
        ("weir.source.partition.read_offset", "", "The offset of the next record to be taken in.", partition.read),
        (
            "weir.source.partition.committed_offset",
            "",
            "The offset at which a new run would begin.",
            partition.committed,
        ),
        ("weir.source.partition.end_offset", "", "The offset that the next record will get.", partition.end),
    ] {
        if let Some(value) = value {
            families.add(Kind::Gauge, About::new(name, unit, help), &labels, Value::Signed(value));
        }
    }
}
