//! What follows from the descriptions is what is checked in.

use expect_test::{expect, expect_file};

use crate::{LimitsDraft, QueryDraft, QueryReader, Topics};

/// `UPDATE_EXPECT=1 cargo test -p weir-config --lib` writes all three files anew.
#[test]
fn schemas_and_tables_follow_from_the_descriptions() {
    expect_file!["../../../../docs/weir-query.schema.json"].assert_eq(&crate::query_schema());
    expect_file!["../../../../docs/weir-limits.schema.json"].assert_eq(&crate::limits_schema());
    let document = expect_file!["../../../query/QUERY.md"];
    let filled = crate::fill_key_tables(document.data().as_str()).expect("markers");
    document.assert_eq(&filled);
}

/// A query with a table of every kind.
const RICH: &str = r#"
name = "rich"
tenant = "acme"
[sources.topic]
kind = "kafka"
brokers = ["kafka-1:9092", { env = "BROKER" }]
topics = ["a", "b"]
partitions = [1, 0]
start = 2024-01-31T00:00:00Z
schema = { delay = "i64", at = "timestamp(ms)?" }
options = { "client.id" = 7 }
[[stages]]
name = "late"
module = "late.wasm"
function = "late"
params = { ratio = nan, on = true, text = { env = "TEXT" }, least = -3 }
carry = ["at"]
on_error = "retry"
retry = { times_max = 3 }
limits = { memory_bytes_max = 1048576, fuel_batch_max = "none" }
[sinks.out]
kind = "kafka"
brokers = "kafka-1:9092"
topic = "out"
headers = { origin = "column" }
[sinks.file]
kind = "file"
path = "out.csv"
quote = "none"
[delivery]
commit_ms = 1000
[dead_letters]
path = "dead.jsonl"
"#;

fn read(text: &str) -> (QueryDraft, Vec<String>) {
    let mut reading = QueryReader::begin(text).expect("TOML");
    let lookup = |name: &str| (name != "MISSING").then(|| format!("value of {name}").into());
    reading.take_environment("acme", &Topics::anything(), &lookup);
    let (draft, problems) = reading.finish();
    let said = problems.finish().err().unwrap_or_default();
    (draft, said.iter().map(|problem| format!("{}: {problem}", problem.line)).collect())
}

#[test]
fn a_draft_can_be_sent_to_another_process() {
    let (draft, said) = read(RICH);
    assert_eq!(said, [""; 0]);
    let sent = serde_json::to_string(&draft).expect("JSON");
    let received: QueryDraft = serde_json::from_str(&sent).expect("a draft");
    assert_eq!(format!("{received:?}"), format!("{draft:?}"));
    let (limits, problems) =
        LimitsDraft::read("[tenants.acme]\ntopics = [\"a.*\"]\ncpu_percent_max = 50\n").expect("TOML");
    assert!(problems.finish().is_ok());
    let sent = serde_json::to_string(&limits).expect("JSON");
    let received: LimitsDraft = serde_json::from_str(&sent).expect("a draft");
    assert_eq!(format!("{received:?}"), format!("{limits:?}"));
}

#[test]
fn values_of_options_and_of_the_environment_are_not_shown() {
    let text = RICH.replace("\"client.id\" = 7", "\"sasl.password\" = \"SECRET\", \"ssl.key.pem\" = [\"SECRET\"]");
    let (draft, _) = read(&text);
    let shown = format!("{draft:?}");
    assert!(shown.contains("sasl.password") && !shown.contains("SECRET"), "{shown}");
    assert!(!shown.contains("value of TEXT"), "{shown}");
}

#[test]
fn what_is_nested_too_deep_is_refused() {
    for text in [
        format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a = {}1{}", "{ a = ".repeat(100_000), " }".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
    ] {
        let problems =
            QueryReader::begin(&text).err().unwrap_or_else(|| panic!("{}", text.get(..20).unwrap_or_default()));
        assert!(problems[0].message.contains("not valid TOML"), "{problems:?}");
    }
}

#[test]
fn only_keys_that_a_table_takes_are_suggested() {
    let said = |kind: &str, key: &str| {
        let text = format!("name = \"q\"\n[sources.in]\n{kind}\n{key} = 1\n[sinks.out]\nkind = \"count\"\n");
        read(&text).1.into_iter().find(|line| line.contains("has no such key")).expect("an unknown key")
    };
    let kafka = "kind = \"kafka\"\nbrokers = \"b:1\"\ntopic = \"t\"\nschema = { a = \"i64\" }";
    expect!["7: sources.in.xyzzy: a kafka source has no such key; its keys are `kind`, `on_error`, `brokers`, `options`, `topic`, `topics`, `group`, `partitions`, `start`, `on_out_of_range`, `memory_bytes_max`, `until`, `format`, `tombstones`, `isolation`, `schema`, 3 more"]
        .assert_eq(&said(kafka, "xyzzy"));
    // `header` and `comment` are for files.
    for (kind, key, meant) in [
        (kafka, "hedder", "its keys are"),
        (kafka, "coment", "its keys are"),
        (kafka, "delimeter", "did you mean `delimiter`?"),
        ("kind = \"file\"\npath = \"a.csv\"", "hedder", "did you mean `header`?"),
        ("kind = \"file\"\npath = \"a.csv\"", "coment", "did you mean `comment`?"),
    ] {
        assert!(said(kind, key).contains(meant), "{}", said(kind, key));
    }
}
