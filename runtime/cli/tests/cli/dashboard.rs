//! `docs/grafana/weir.json` against a scrape of queries that make every family of metrics.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use weir_tests::{Broker, Record, echo_stage, guest_path, query_of_texts, wait_for};

use crate::common::{ONE_PROCESS, root};
use crate::control::LONG;
use crate::served::Served;
use weir_tests::{Exposition, Sample};

/// Families that the dashboard does not show, and why.
const LEFT_OUT: [(&str, &str); 12] = [
    ("process_cpu_time_seconds_total", "of the process, not of a tenant: boards of machines show it"),
    ("process_memory_usage_bytes", "of the process, not of a tenant: boards of machines show it"),
    ("weir_build_info", "a version is no curve: it is there to be joined with"),
    ("weir_source_partition_read_offset", "an offset says little; what is left to read is the lag"),
    ("weir_source_partition_committed_offset", "the lag is the end less this"),
    ("weir_source_partition_end_offset", "the lag is this less what is committed"),
    ("weir_source_out_of_range_total", "rare: an alert, not a curve"),
    ("weir_source_new_keys_total", "rare: an alert, not a curve"),
    ("weir_source_files_read_anew_total", "rare: an alert, not a curve"),
    ("weir_stage_traps_total", "shown by code"),
    ("weir_stage_instance_waits_total", "shown as the time that they took"),
    ("weir_stage_held_back_total", "shown as the time that it took"),
];

/// Labels and values out of `{…}`; where a value is matched and not given, nothing.
type Matchers = Vec<(String, Option<String>)>;

/// A metric that an expression asks for.
#[derive(Debug)]
struct Wanted {
    name: String,
    matchers: Matchers,
}

fn word(text: &str) -> &str {
    let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || "_:$".contains(character)));
    &text[..end.unwrap_or(text.len())]
}

/// The metrics of an expression, and the labels that it groups by.
fn read_expression(text: &str) -> (Vec<Wanted>, Vec<BTreeSet<String>>) {
    let (mut wanted, mut groups) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = word(rest);
        if name.is_empty() {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        rest = &rest[name.len()..];
        if name == "by" {
            let inside = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
            let (labels, after) = inside.unwrap_or_else(|| panic!("`by` without labels: {text}"));
            groups.push(labels.split(',').map(|label| label.trim().to_owned()).collect());
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let (matchers, after) = inside.split_once('}').unwrap_or_else(|| panic!("no end: {text}"));
            let of = |matcher: &str| {
                let label = word(matcher.trim());
                let (operator, value) = matcher.trim()[label.len()..].split_once('"').expect("a value");
                let value = value.strip_suffix('"').expect("the end of the value");
                assert!(["=", "=~"].contains(&operator), "{text}: {operator}");
                (label.to_owned(), (operator == "=").then(|| value.to_owned()))
            };
            wanted.push(Wanted { name: name.to_owned(), matchers: matchers.split(',').map(of).collect() });
            rest = after;
        } else {
            let known = ["sum", "max", "rate", "increase", "histogram_quantile", "$__rate_interval"];
            let number = name.starts_with(|first: char| first.is_ascii_digit());
            assert!(number || known.contains(&name), "`{name}` in {text}: a metric needs its tenant and query");
        }
    }
    assert!(!wanted.is_empty(), "no metric in {text}");
    (wanted, groups)
}

#[test]
fn expressions_are_read() {
    let text = r#"sum by (le, a) (rate(m_bucket{x="1", y=~"$y"}[$__rate_interval])) / sum by (a) (n{z="}"})"#;
    let text = text.replace(r#"{z="}"}"#, r#"{z="2"}"#);
    let (wanted, groups) = read_expression(&text);
    assert_eq!(wanted.len(), 2);
    assert_eq!((wanted[0].name.as_str(), wanted[1].name.as_str()), ("m_bucket", "n"));
    assert_eq!(wanted[0].matchers, [("x".to_owned(), Some("1".to_owned())), ("y".to_owned(), None)]);
    assert_eq!(groups[0], ["a", "le"].map(str::to_owned).into());
    assert!(std::panic::catch_unwind(|| read_expression("rate(weir_query_commits_total[5m])")).is_err());
}

/// The family that a sample of this name is of.
fn family<'a>(read: &Exposition, name: &'a str) -> &'a str {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
    of_histogram.filter(|family| read.types.get(*family).is_some_and(|kind| kind == "histogram")).unwrap_or(name)
}

struct Board(Value);

impl Board {
    fn read() -> Board {
        let text = fs::read_to_string(root().join("docs/grafana/weir.json")).expect("the dashboard");
        Board(serde_json::from_str(&text).expect("JSON"))
    }

    fn panels(&self) -> impl Iterator<Item = &Value> {
        self.0["panels"].as_array().expect("panels").iter().filter(|panel| panel["type"] != "row")
    }

    fn variable(&self, name: &str) -> &Value {
        let variables = self.0["templating"]["list"].as_array().expect("variables");
        variables.iter().find(|variable| variable["name"] == name).unwrap_or_else(|| panic!("no variable {name}"))
    }

    /// The names that a variable of metrics stands for: `metrics(<beginning>.+<ending>)`.
    fn named_by<'a>(&self, variable: &str, read: &'a Exposition) -> Vec<&'a str> {
        let query = self.variable(variable)["query"]["query"].as_str().expect("a query");
        let pattern = query.strip_prefix("metrics(").and_then(|query| query.strip_suffix(')')).expect("metrics(…)");
        let (beginning, ending) = pattern.split_once(".+").expect("a pattern with one gap");
        let fits = |name: &&str| {
            name.strip_prefix(beginning).and_then(|rest| rest.strip_suffix(ending)).is_some_and(|gap| !gap.is_empty())
        };
        read.samples.iter().map(|sample| sample.name.as_str()).filter(fits).collect()
    }
}

/// Writes the queries: one from a topic, with everything that can go wrong in it; one with every kind of guest's metric.
fn queries(folder: &Path, broker: &Broker, topic: &str) {
    let faulty = guest_path("faulty").expect("the faulty guest");
    let (brokers, group) = (broker.address(), broker.name("dashboard"));
    let flow = format!(
        r#"name = "flow"
tenant = "acme"
[sources.ids]
kind = "kafka"
brokers = {brokers:?}
topic = {topic:?}
group = {group:?}
schema = {{ id = "i64" }}
partitions = "all"
start = "earliest"
on_error = "dead_letter"
[[stages]]
name = "seen"
module = {faulty:?}
function = "seen"
[[stages]]
name = "picky"
module = {faulty:?}
function = "panics"
params = {{ at = 7 }}
on_error = "dead_letter"
[sinks.out]
kind = "file"
path = "out/ids.jsonl"
[dead_letters]
path = "dead.jsonl"
[delivery]
guarantee = "exactly_once"
state = "state"
commit_ms = 20
[batching]
delay_ms_max = 10
"#
    );
    let texts = query_of_texts("texts", "beta", "/dev/stdin", &echo_stage("seen", "seen"), "");
    fs::write(folder.join("flow.toml"), flow).expect("a query file");
    fs::write(folder.join("texts.toml"), texts).expect("a query file");
}

/// Runs them, and scrapes them when everything has happened.
fn scrape_of_everything() -> Exposition {
    let broker = Broker::shared();
    let topic = broker.topic("dashboard", 1);
    let mut records: Vec<Record> = (0..20).map(|id| Record::of(format!("{{\"id\":{id}}}"))).collect();
    records.push(Record::of("no JSON"));
    let header = ("traceparent".to_owned(), Some(b"nonsense".to_vec()));
    records.push(Record { headers: vec![header], ..Record::of("{\"id\":20}") });
    broker.produce(&topic, records);
    let folder = tempfile::tempdir().expect("a folder");
    queries(folder.path(), &broker, &topic);
    // Nobody listens there: traces are lost, and batches have them all the same.
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let mut served =
        Served::start_with(folder.path(), &[ONE_PROCESS, "flow.toml", "texts.toml"], &traced, Stdio::null());
    served.feed("{\"s\":\"a\",\"i8\":1,\"i32\":5}\n");
    wait_for("all of it", LONG, || {
        let read = served.scrape();
        let committed =
            |query, records| read.value("weir_query_committed_records_total", &[("query", query)]) == Some(records);
        (committed("flow", 22.0) && committed("texts", 1.0)).then_some(read)
    })
}

#[test]
fn every_expression_of_the_dashboard_is_of_a_real_scrape_and_every_family_is_on_it() {
    let board = Board::read();
    let read = scrape_of_everything();
    // What the run was made for.
    for (name, labels, value) in [
        ("weir_source_dead_records_total", [("query", "flow"), ("source", "ids")], 1.0),
        ("weir_stage_dead_records_total", [("query", "flow"), ("stage", "picky")], 1.0),
        ("weir_query_malformed_traceparents_total", [("query", "flow"), ("tenant", "acme")], 1.0),
        ("weir_source_partition_lag_records", [("query", "flow"), ("source", "ids")], 0.0),
        ("weir_guest_records_total", [("query", "flow"), ("stage", "seen")], 21.0),
    ] {
        assert_eq!(read.value(name, &labels), Some(value), "{name}");
    }
    let of = |name: &str| -> Vec<&Sample> { read.samples.iter().filter(|sample| sample.name == name).collect() };
    let mut shown = BTreeSet::new();
    for panel in board.panels() {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().expect("targets") {
            let text = target["expr"].as_str().expect("an expression");
            let (wanted, groups) = read_expression(text);
            for Wanted { name, matchers } in &wanted {
                let names = match name.strip_prefix('$') {
                    Some(variable) => {
                        assert_eq!(panel["repeat"], variable, "{title}");
                        board.named_by(variable, &read)
                    }
                    None => vec![name.as_str()],
                };
                assert!(!names.is_empty(), "{title}: nothing is called {name}");
                for name in names {
                    let samples = of(name);
                    let found = samples.iter().any(|sample| {
                        let fits = |(label, value): &(String, Option<String>)| {
                            sample.labels.get(label).is_some_and(|has| value.as_ref().is_none_or(|value| has == value))
                        };
                        matchers.iter().all(fits)
                    });
                    assert!(found, "{title}: no sample of {name} has {matchers:?}");
                    assert!(matchers.iter().any(|(label, _)| label == "tenant"), "{title}: all tenants in one");
                    for label in groups.iter().flatten() {
                        assert!(samples.iter().all(|sample| sample.labels.contains_key(label)), "{title}: {label}");
                    }
                    shown.insert(family(&read, name).to_owned());
                }
            }
            let [first, others @ ..] = groups.as_slice() else { panic!("{title}: one curve of everything") };
            assert!(others.iter().all(|other| other == first), "{title}: sides that do not match");
            let legend = target["legendFormat"].as_str().expect("a legend");
            for label in legend.split("{{").skip(1).filter_map(|part| part.split_once("}}")).map(|(label, _)| label) {
                assert!(first.contains(label), "{title}: the legend says {label}, which is summed away");
            }
        }
    }
    let left_out: BTreeSet<String> = LEFT_OUT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let own: BTreeSet<String> = read.types.keys().filter(|name| !name.starts_with("weir_guest_")).cloned().collect();
    let shown: BTreeSet<String> = shown.into_iter().filter(|name| !name.starts_with("weir_guest_")).collect();
    assert_eq!(shown.intersection(&left_out).collect::<Vec<_>>(), Vec::<&String>::new(), "left out, and shown");
    assert_eq!(&shown | &left_out, own);
    let docs = fs::read_to_string(root().join("docs/metrics.md")).expect("the page");
    let said: BTreeSet<String> = docs.split('`').filter(|word| own.contains(*word)).map(str::to_owned).collect();
    assert_eq!(said, own, "families that docs/metrics.md does not tell of");
}

#[test]
fn the_dashboard_can_be_imported_and_its_panels_have_units_and_places_of_their_own() {
    let board = Board::read();
    let Value::Object(top) = &board.0 else { panic!("no object") };
    assert!(top["schemaVersion"].as_u64() >= Some(39), "{}", top["schemaVersion"]);
    assert!(top["id"].is_null() && top["uid"] == "weir" && top["title"] == "Weir");
    assert_eq!(board.variable("datasource")["type"], "datasource");
    assert_eq!(board.variable("datasource")["query"], "prometheus");
    for name in ["tenant", "query"] {
        let query = board.variable(name)["query"]["query"].as_str().expect("a query");
        assert!(query.starts_with("label_values(weir_query_") && query.ends_with(&format!(", {name})")), "{query}");
    }
    let all = top["panels"].as_array().expect("panels");
    let titles: Vec<_> = all.iter().filter(|panel| panel["type"] == "row").map(|row| &row["title"]).collect();
    assert_eq!(titles, ["Queries", "Stages", "Sinks", "Copy-on-write and traces", "Metrics of guests"]);
    let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().expect("an id")).collect();
    assert_eq!(ids.len(), all.len());
    let mut taken = BTreeSet::new();
    for panel in all {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().expect("a place"));
        assert!(x + w <= 24 && w > 0, "{}", panel["title"]);
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{} lies on another", panel["title"]);
        }
    }
    // Those that the reader knows of; a misspelt one is shown as a suffix.
    let units = ["short", "none", "s", "bytes", "Bps", "recps", "cps", "percentunit"];
    for panel in board.panels() {
        let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().expect("a unit");
        assert!(units.contains(&unit), "{}: {unit}", panel["title"]);
        let seconds = panel["targets"].to_string().contains("duration_seconds_bucket");
        assert_eq!(seconds, unit == "s", "{}: {unit}", panel["title"]);
        for from in panel["targets"].as_array().expect("targets").iter().chain([panel]) {
            assert_eq!(from["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        }
    }
}
