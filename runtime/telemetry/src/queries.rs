//! The runtime's own metrics.

use std::collections::BTreeMap;

use weir_query::{
    CounterKind, CounterSpec, Details, Durations, PartitionProgress, Progress, QueryState, RunningQuery, SinkProgress,
    SourceProgress, StageDetails, StageProgress,
};

use crate::families::{About, Families, FamilyKind, Value};
use crate::guests::add_guests;
use crate::process::add_process;
use crate::workers::{WorkersReport, add_workers};

use Value::{Real, Whole};

/// The metrics of these queries and of the workers that they run in, where they do, as text, version 0.0.4 of Prometheus' format. No
/// two of the queries have the same name and tenant.
pub fn exposition<'a, Q: RunningQuery + ?Sized + 'a>(
    queries: impl IntoIterator<Item = &'a Q>,
    workers: Option<&WorkersReport>,
) -> String {
    families(queries, workers).into_text()
}

/// All metrics. Every export format is made from these.
pub(crate) fn families<'a, Q: RunningQuery + ?Sized + 'a>(
    queries: impl IntoIterator<Item = &'a Q>,
    workers: Option<&WorkersReport>,
) -> Families {
    let mut families = Families::default();
    let about = About::new("weir.build.info", "", "The version of the program.");
    families.add(FamilyKind::Gauge, about, &[("version", env!("CARGO_PKG_VERSION"))], Whole(1));
    add_process(&mut families);
    if let Some(workers) = workers {
        add_workers(&mut families, workers);
    }
    for query in queries {
        let of = [("tenant", query.tenant()), ("query", query.query())];
        add_query(&mut families, of, &query.progress(), &query.details());
        add_guests(&mut families, query);
    }
    families
}

fn add_query(families: &mut Families, of: [(&str, &str); 2], progress: &Progress, details: &Details) {
    add(families, Progress::COUNTERS, progress, &of);
    let uncommitted = About::new("weir.query.uncommitted_records", "{record}", "Records read since the last commit.");
    families.add(FamilyKind::Gauge, uncommitted, &of, Whole(progress.uncommitted_records));
    let [tenant, query] = of;
    for state in QueryState::ALL {
        let about = About::new("weir.query.state", "", "1 for the current state of the query.");
        let value = Whole(u64::from(progress.state == state));
        families.add(FamilyKind::Gauge, about, &[tenant, query, ("state", state.name())], value);
    }
    timed(families, "weir.query.commit.duration", "Completed commits.", &details.commits, &of);
    for (cost, count) in [("free", details.copy_on_write_free), ("copied", details.copy_on_write_copied)] {
        let help = "Batches that were modified, in place or after their frame was copied.";
        let about = About::new("weir.query.copy_on_write", "{batch}", help);
        let labels = [tenant, query, ("cost", cost)];
        families.add(FamilyKind::Counter, about, &labels, Whole(count));
    }
    if let Some(traces) = &details.traces {
        for (sampled, count) in [("true", traces.sampled), ("false", traces.unsampled)] {
            let help = "Batches of a traced query, by whether they have a span.";
            let about = About::new("weir.query.traced_batches", "{batch}", help);
            let labels = [tenant, query, ("sampled", sampled)];
            families.add(FamilyKind::Counter, about, &labels, Whole(count));
        }
        let help = "Invalid traceparent headers in the batches that were examined.";
        let about = About::new("weir.query.malformed_traceparents", "{header}", help);
        families.add(FamilyKind::Counter, about, &of, Whole(traces.malformed));
    }
    for source in &progress.sources {
        add(families, SourceProgress::COUNTERS, source, &[tenant, query, ("source", &source.name)]);
        by_code(families, "weir.source.errors", [tenant, query, ("source", &source.name)], &source.errors);
        for partition in &source.partitions {
            add_partition(families, [tenant, query, ("source", &source.name)], partition);
        }
    }
    for stage in &progress.stages {
        let labels = [tenant, query, ("stage", &*stage.name)];
        add(families, StageProgress::COUNTERS, stage, &labels);
        let help = "Losses of the state that the function kept in memory.";
        let about = About::new("weir.stage.state_losses", "{time}", help);
        families.add(
            FamilyKind::Counter,
            about,
            &labels,
            Whole(stage.state_losses.values().fold(0, |sum, times| times.saturating_add(sum))),
        );
        by_code(families, "weir.stage.errors", [tenant, query, ("stage", &stage.name)], &stage.errors);
    }
    for StageDetails { name, calls, host, traps } in &details.stages {
        let stage = ("stage", &**name);
        let help = "Duration of guest calls, without waiting for a turn.";
        timed(families, "weir.stage.call.duration", help, calls, &[tenant, query, stage]);
        let help = "Time in host functions, one duration per guest call. An estimate.";
        timed(families, "weir.stage.host.duration", help, host, &[tenant, query, stage]);
        for (code, count) in traps {
            let about =
                About::new("weir.stage.traps_by_code", "{call}", "Guest calls that ended with an error, by cause.");
            let labels = [tenant, query, stage, ("code", code.as_str())];
            families.add(FamilyKind::Counter, about, &labels, Whole(*count));
        }
    }
    for sink in &progress.sinks {
        add(families, SinkProgress::COUNTERS, sink, &[tenant, query, ("sink", &sink.name)]);
    }
    for sink in &details.sinks {
        let labels = [tenant, query, ("sink", &*sink.name)];
        for (name, help, value) in [
            ("weir.sink.queue.messages", "Batches and commit requests that wait for the sink.", sink.queued),
            ("weir.sink.queue.messages_max", "The largest number that may wait for the sink.", sink.queue_max),
        ] {
            families.add(FamilyKind::Gauge, About::new(name, "{message}", help), &labels, Whole(value));
        }
        timed(families, "weir.sink.write.duration", "Batches written.", &sink.writes, &labels);
        let help = "Duration of steps that make output durable or visible: flush, prepare, publish, close.";
        timed(families, "weir.sink.flush.duration", help, &sink.flushes, &labels);
    }
}

fn add<T>(families: &mut Families, counters: &[CounterSpec<T>], of: &T, labels: &[(&str, &str)]) {
    for counter in counters {
        let value = (counter.read)(of);
        let value = if counter.per_unit == 1 { Whole(value) } else { Real(value as f64 / counter.per_unit as f64) };
        families.add(kind_of(counter.kind), About::new(counter.metric, counter.unit, counter.help), labels, value);
    }
}

fn kind_of(kind: CounterKind) -> FamilyKind {
    match kind {
        CounterKind::Counter => FamilyKind::Counter,
        CounterKind::Gauge => FamilyKind::Gauge,
    }
}

/// Failed records, one series per code: a guest has at most 64 codes, and `other`.
fn by_code(families: &mut Families, name: &str, of: [(&str, &str); 3], errors: &BTreeMap<String, u64>) {
    let [tenant, query, place] = of;
    for (code, count) in errors {
        let about =
            About::new(name, "{record}", "Records that failed and were skipped or became dead letters, by cause.");
        families.add(FamilyKind::Counter, about, &[tenant, query, place, ("code", code)], Whole(*count));
    }
}

fn timed(families: &mut Families, name: &str, help: &str, times: &Durations, labels: &[(&str, &str)]) {
    families.add_histogram(About::new(name, "s", help), labels, (&times.bounds, &times.buckets, times.sum));
}

/// Unknown figures of a partition have no sample.
fn add_partition(families: &mut Families, of: [(&str, &str); 3], partition: &PartitionProgress) {
    let number = partition.number.to_string();
    let [tenant, query, source] = of;
    let labels = [tenant, query, source, ("origin", &*partition.origin), ("partition", number.as_str())];
    for (name, unit, help, value) in [
        ("weir.source.partition.lag_records", "{record}", "Available records that are not committed.", partition.lag),
        ("weir.source.partition.read_offset", "", "The offset of the next record to process.", partition.read),
        (
            "weir.source.partition.committed_offset",
            "",
            "The offset at which a new run would begin.",
            partition.committed,
        ),
        ("weir.source.partition.end_offset", "", "The offset of the next record to be written.", partition.end),
    ] {
        if let Some(value) = value {
            families.add(FamilyKind::Gauge, About::new(name, unit, help), &labels, Value::Signed(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect_file;

    use super::*;

    /// `UPDATE_EXPECT=1 cargo test -p weir-telemetry --lib` rewrites the tables.
    #[test]
    fn the_tables_of_the_docs_follow_from_the_list_of_counters() {
        let document = expect_file!["../../../docs/metrics.md"];
        let mut filled = document.data();
        fill(&mut filled, "query", Progress::COUNTERS);
        fill(&mut filled, "source", SourceProgress::COUNTERS);
        fill(&mut filled, "stage", StageProgress::COUNTERS);
        fill(&mut filled, "sink", SinkProgress::COUNTERS);
        document.assert_eq(&filled);
    }

    #[test]
    fn every_counter_has_a_metric_of_its_own_and_a_help_that_is_not_cut() {
        fn check<T>(counters: &[CounterSpec<T>], prefix: &str, known: &mut Vec<&'static str>) {
            for CounterSpec { key, metric, unit, help, .. } in counters {
                assert!(metric.starts_with(prefix) && !known.contains(metric), "{key}: {metric}");
                assert!(
                    *unit == "s" || *unit == "By" || (unit.starts_with('{') && unit.ends_with('}')),
                    "{key}: {unit}"
                );
                assert!(help.ends_with('.'), "{key}: {help}");
                assert!(help.chars().count() <= crate::families::HELP_CHARS_MAX, "{key}: {help}");
                known.push(metric);
            }
        }
        let known = &mut Vec::new();
        check(Progress::COUNTERS, "weir.query.", known);
        check(SourceProgress::COUNTERS, "weir.source.", known);
        check(StageProgress::COUNTERS, "weir.stage.", known);
        check(SinkProgress::COUNTERS, "weir.sink.", known);
    }

    /// Writes the table between the markers of these counters.
    fn fill<T>(document: &mut String, of: &str, counters: &[CounterSpec<T>]) {
        let begin = format!("<!-- counters: {of} -->\n");
        let from = document.find(&begin).unwrap_or_else(|| panic!("no {begin}")) + begin.len();
        let to = from + document[from..].find("<!-- end of counters -->").expect("an end");
        let mut table = String::from("| family | in JSON | what it counts |\n|---|---|---|\n");
        for CounterSpec { key, metric, unit, kind, help, .. } in counters {
            let family = About::new(metric, unit, help).prometheus_name(kind_of(*kind));
            writeln!(table, "| `{family}` | `{key}` | {} |", help.trim_end_matches('.')).expect("a text");
        }
        document.replace_range(from..to, &table);
    }
}
