//! Metrics that guests recorded. Tenants choose names and label values, so these are not trusted.

use std::borrow::Cow;

use weir_query::{CommittedMetric, CommittedSeries, Reading, RunningQuery};
use weir_sandbox::MetricKind;

use crate::families::{About, Families, FamilyKind, Value};

/// The maximum size, in bytes of text, of a stage's series with labels. A histogram repeats its labels in every bucket, which could
/// take hundreds of megabytes within a stage's limit of series.
pub const GUEST_BYTES_MAX: usize = 4 << 20;

/// The approximate size of a line without its name and labels.
const LINE_BYTES: usize = 48;

/// Labels that the runtime sets.
const RESERVED: [&str; 5] = ["tenant", "query", "stage", "le", "overflow"];

/// Adds the metrics that the functions of a query recorded.
pub(crate) fn add_guests(families: &mut Families, query: &(impl RunningQuery + ?Sized)) {
    let metrics = query.metrics();
    for of_stage in metrics.chunk_by(|one, other| one.stage == other.stage) {
        let left_out = add_stage(families, (query.tenant(), query.query()), of_stage, GUEST_BYTES_MAX);
        let Some(first) = of_stage.first() else { continue };
        let labels = [("tenant", query.tenant()), ("query", query.query()), ("stage", &*first.stage)];
        let help = "LabelledSample of guest metrics that are left out because they are too large.";
        let about = About::new("weir.stage.metric.series_left_out", "{series}", help);
        families.add(FamilyKind::Gauge, about, &labels, Value::Whole(left_out));
    }
}

/// Adds the metrics of one stage, and returns the number of series that were left out.
fn add_stage(families: &mut Families, of: (&str, &str), metrics: &[CommittedMetric], mut room: usize) -> u64 {
    let mut left_out = 0;
    for metric in metrics {
        // The name contains the kind, as in Prometheus, so that a counter and a histogram of one name stay different metrics.
        let name = format!("weir.guest.{}", exported(metric, metrics));
        let help = if metric.help.is_empty() { "A metric of a guest, without a description." } else { &metric.help };
        let about = About::told(&name, &metric.unit, help);
        let names: Vec<Cow<'_, str>> = metric.labels.iter().map(|label| exported_label(label)).collect();
        for series in &metric.series {
            let mut labels = vec![("tenant", of.0), ("query", of.1), ("stage", &*metric.stage)];
            labels.extend(names.iter().map(|name| &**name).zip(series.labels.iter().map(String::as_str)));
            if series.overflow {
                labels.push(("overflow", "true"));
            }
            // Series without labels were declared, so their number cannot grow.
            if !series.labels.is_empty() {
                let bytes = text_bytes(&name, &labels, series);
                if bytes > room {
                    left_out += 1;
                    continue;
                }
                room -= bytes;
            }
            match &series.reading {
                Reading::Counter { total } => {
                    families.add(FamilyKind::Counter, about.clone(), &labels, Value::Real(*total))
                }
                Reading::Gauge { value } => {
                    families.add(FamilyKind::Gauge, about.clone(), &labels, Value::Real(*value))
                }
                Reading::Histogram { sum, bounds, buckets, .. } => {
                    families.add_histogram(about.clone(), &labels, (bounds, buckets, *sum));
                }
            }
        }
        let labels = [("tenant", of.0), ("query", of.1), ("stage", &*metric.stage), ("metric", &metric.name)];
        let help = "Recordings beyond a guest's limit of series, counted in the series with overflow=\"true\". One may be a sum of values.";
        let about = About::new("weir.stage.metric.overflow_values", "{value}", help);
        families.add(FamilyKind::Counter, about, &labels, Value::Whole(metric.overflow_values));
    }
    left_out
}

/// The exported name of a metric. It depends only on the declarations of the metric's own function.
fn exported<'a>(metric: &'a CommittedMetric, of_stage: &[CommittedMetric]) -> Cow<'a, str> {
    let name = metric.name.as_str();
    let with = |ending: &str| Cow::Owned(format!("{name}{ending}"));
    let declared = |name: &str| of_stage.iter().any(|other| other.kind == metric.kind && other.name == name);
    let has = |ending: &str| name.strip_suffix(ending).is_some_and(|shorter| !declared(shorter));
    match metric.kind {
        MetricKind::Counter if has("_total") => Cow::Borrowed(name),
        MetricKind::Counter => with("_total"),
        MetricKind::Gauge if has("_value") => Cow::Borrowed(name),
        MetricKind::Gauge => with("_value"),
        MetricKind::Histogram if HISTOGRAM_NOT.iter().any(|ending| name.ends_with(ending)) => with("_histogram"),
        MetricKind::Histogram => Cow::Borrowed(name),
    }
}

/// A histogram with such a name could be mistaken for another metric, such as a part of another histogram.
const HISTOGRAM_NOT: [&str; 6] = ["_total", "_value", "_bucket", "_sum", "_count", "_histogram"];

/// The exported name of a label: never one of the runtime's, and different for different labels.
fn exported_label(label: &str) -> Cow<'_, str> {
    if RESERVED.contains(&label) || label.starts_with("guest_") {
        Cow::Owned(format!("guest_{label}"))
    } else {
        Cow::Borrowed(label)
    }
}

/// An upper bound for the size of a series in the text: a character of a label value may be escaped to two.
fn text_bytes(name: &str, labels: &[(&str, &str)], series: &CommittedSeries) -> usize {
    let lines = match &series.reading {
        Reading::Histogram { buckets, .. } => buckets.len().saturating_add(2),
        _ => 1,
    };
    let labels = labels.iter().map(|(name, value)| name.len() + 2 * value.len() + 4).sum::<usize>();
    lines.saturating_mul(name.len() + labels + LINE_BYTES)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use expect_test::expect;

    use super::*;

    fn metric(kind: MetricKind, name: &str, labels: &[&str]) -> CommittedMetric {
        CommittedMetric {
            stage: "late".into(),
            name: name.to_owned(),
            kind,
            unit: String::new(),
            help: String::new(),
            labels: labels.iter().map(|&label| label.to_owned()).collect(),
            series: Vec::new(),
            overflow_values: 0,
        }
    }

    fn counter(labels: &[&str], values: &[&str], total: f64) -> CommittedMetric {
        let mut metric = metric(MetricKind::Counter, "seen", labels);
        let labels = values.iter().map(|&value| value.to_owned()).collect();
        metric.series = vec![CommittedSeries { labels, overflow: false, reading: Reading::Counter { total } }];
        metric
    }

    #[test]
    fn two_metrics_never_become_one_and_the_kind_is_in_the_name() {
        use MetricKind::{Counter, Gauge, Histogram};
        let names =
            ["x", "x_total", "x_total_total", "x_value", "x_value_value", "x_sum", "x_histogram", "x_sum_bucket"];
        let mut seen = HashMap::new();
        for declared in 0_u32..1 << names.len() {
            let declared: Vec<&str> =
                (0..names.len()).filter(|bit| declared >> bit & 1 == 1).map(|bit| names[bit]).collect();
            for kind in [Counter, Gauge, Histogram] {
                let metrics: Vec<_> = declared.iter().map(|name| metric(kind, name, &[])).collect();
                let mut samples = Vec::new();
                for metric in &metrics {
                    let name = exported(metric, &metrics);
                    let endings: &[&str] = if kind == Histogram { &["", "_bucket", "_sum", "_count"] } else { &[""] };
                    samples.extend(endings.iter().map(|ending| format!("{name}{ending}")));
                }
                for name in &samples {
                    let first = *seen.entry(name.clone()).or_insert(kind);
                    assert_eq!(first, kind, "{name}, where {declared:?} are declared");
                }
                let all = samples.len();
                samples.sort();
                samples.dedup();
                assert_eq!(samples.len(), all, "{declared:?} as {kind}: {samples:?}");
            }
        }
    }

    #[test]
    fn labels_that_are_the_runtimes_are_renamed_and_none_collide() {
        let labels = ["tenant", "guest_tenant", "guest_guest_tenant", "le", "overflow", "origin", "guest", "guest_x"];
        let exported: Vec<_> = labels.iter().map(|label| exported_label(label)).collect();
        let mut distinct = exported.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), labels.len());
        assert!(exported.iter().all(|label| !RESERVED.contains(&&**label)), "{exported:?}");
        assert_eq!(exported[5], "origin");
    }

    #[test]
    fn a_guest_cannot_speak_for_another_tenant() {
        let mut families = Families::default();
        let metrics = [counter(&["tenant", "query"], &["victim", "\"} 1\nweir_query_commits_total 9"], 3.0)];
        assert_eq!(add_stage(&mut families, ("evil", "q"), &metrics, GUEST_BYTES_MAX), 0);
        let text = families.into_text();
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with("weir_guest")).collect();
        expect![[r#"weir_guest_seen_total{tenant="evil",query="q",stage="late",guest_tenant="victim",guest_query="\"} 1\nweir_query_commits_total 9"} 3"#]]
            .assert_eq(&samples.join("\n"));
        assert!(!text.contains("\nweir_query"));
    }

    #[test]
    fn what_would_be_too_long_is_left_out_and_counted() {
        let mut families = Families::default();
        let long = "x".repeat(1000);
        let metrics = [counter(&["a"], &[&long], 1.0), counter(&[], &[], 2.0)];
        assert_eq!(add_stage(&mut families, ("t", "q"), &metrics, 2000), 1);
        assert!(families.into_text().contains("weir_guest_seen_total{tenant=\"t\",query=\"q\",stage=\"late\"} 2\n"));
        assert_eq!(add_stage(&mut Families::default(), ("t", "q"), &metrics, 3000), 0);
    }
}
