//! The JSON Schemas beside the reader: they take what is right, and refuse every mistake that a schema can see.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value as Json;
use weir_config::Problem;
use weir_formats::Format;

use super::edited;

static QUERY: LazyLock<Validator> = LazyLock::new(|| validator(&weir_config::query_schema()));
static LIMITS: LazyLock<Validator> = LazyLock::new(|| validator(&weir_config::limits_schema()));

fn validator(schema: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).expect("a JSON Schema")
}

/// What no schema can see, with pieces of the messages that say so.
const BEYOND: [(&str, &[&str]); 10] = [
    (
        "values of keys that must differ",
        &[
            "is also the delimiter",
            "is also the quote",
            "begins with the comment character",
            "contains a delimiter, quote or line end",
        ],
    ),
    ("numbers that no integer of 64 bits holds", &["9223372036854775808 is out of range"]),
    (
        "names that a file gives to its own parts",
        &[
            "source or stage `",
            "a stage cannot read its own output",
            "comes later",
            "is a sink and cannot be read from",
            "is listed twice",
            "is already used by a",
            "is not read by any stage or sink",
            "inputs that are read together",
            "without `input`, all sources are read",
            "also uses group",
            "reads this topic",
            "but a query may have",
            "but a query of tenant",
        ],
    ),
    (
        "files: paths and what is there",
        &[
            "` does not exist",
            "is a folder",
            "is not a regular file",
            "is not a usable folder",
            "also writes this file",
            "reads this file",
            "is expanded",
            "is not expanded in a query file",
            "is a URL",
            "does not mean standard",
            "must end in the name of a file",
            "it contains a NUL",
            "files have no schema",
            "and cannot be read",
            "is outside of the folders",
            "cannot be read",
        ],
    ),
    (
        "schemas of files and of topics' records",
        &[
            "has no such field",
            "the input of the sink has no column",
            "column `",
            "holds ",
            "is not supported for",
            "so its fields are unknown",
            "has more than one column of this name",
            "a header name",
            "needs one field",
            "the file has no header",
        ],
    ),
    (
        "modules and functions",
        &[
            "is refused (",
            "has no function",
            "has no parameter",
            "parameter `",
            "requires the parameter",
            "reads the field",
            "carry names",
            "reads `",
            "which passes on all columns",
            "is lost",
        ],
    ),
    (
        "what sources, sinks and delivery promise together",
        &[
            "`exactly_once`",
            "uses no transactions",
            "without a `state`",
            "the consumer group stores the positions, in the transaction",
            "which are not part of a Kafka transaction",
            "all topics of a transaction share one producer",
            "writes these dead letters",
            "is longer than the transaction's",
            "the broker aborts a transaction",
            "rotat",
        ],
    ),
    (
        "librdkafka's options, brokers and topics",
        &["option `", "librdkafka does not", "`sasl.", "host:port", "invalid topic", "a group ", "`ssl.", "`security."],
    ),
    ("sources and sinks that a program registers", &["is registered under the name"]),
    (
        "the environment, and what a tenant may have",
        &[
            "variable",
            "may not use the tenant",
            "exceeds the limit of tenant",
            "instances at once",
            "allowed for tenant",
            "allowed broker of tenant",
            "allowed variable of tenant",
        ],
    ),
];

/// A TOML text as JSON; `None` of what is no TOML, or holds a number that no integer of 64 bits holds.
fn json(text: &str) -> Option<Json> {
    fn convert(value: toml::Value) -> Json {
        match value {
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => serde_json::Number::from_f64(number).map_or("nan".into(), Json::Number),
            toml::Value::Boolean(value) => value.into(),
            toml::Value::Datetime(time) => time.to_string().into(),
            toml::Value::Array(list) => list.into_iter().map(convert).collect(),
            toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, convert(value))).collect(),
        }
    }
    toml::from_str::<toml::Table>(text).ok().map(|table| convert(toml::Value::Table(table)))
}

/// Holds the schema of query files against what the reader said of a text.
pub(super) fn compare_query(text: &str, problems: &[Problem]) {
    compare(&QUERY, text, problems);
}

/// Holds the schema of limits files against what the reader said of a text.
pub(super) fn compare_limits(text: &str, problems: &[Problem]) {
    compare(&LIMITS, text, problems);
}

fn compare(schema: &Validator, text: &str, problems: &[Problem]) {
    let Some(json) = json(text) else { return };
    let beyond = |problem: &&Problem| {
        let said = problem.to_string();
        BEYOND.iter().any(|(_, pieces)| pieces.iter().any(|piece| said.contains(piece)))
    };
    let seen: Vec<String> = problems.iter().filter(|problem| !beyond(problem)).map(ToString::to_string).collect();
    let refused: Vec<String> =
        schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if problems.is_empty() {
        assert!(refused.is_empty(), "the schema refuses a right file: {refused:#?}\n{text}");
    } else if !seen.is_empty() {
        assert!(!refused.is_empty(), "the schema takes a wrong file: {seen:#?}\n{text}");
    }
}

/// The files below a folder, but for what is built.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if name != "target" && name != "corpus" && !name.starts_with('.') {
                files(&path, found);
            }
        } else if name.ends_with(".toml") || name.ends_with(".md") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_is_valid() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."), &mut found);
    let (mut queries, mut limits) = (0, 0);
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = match path.extension().is_some_and(|suffix| suffix == "md") {
            true => text.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect(),
            false => vec![&text],
        };
        for block in blocks {
            let has = |begin: &str| block.lines().any(|line| line.starts_with(begin));
            let schema = match (has("name = ") && has("[sources"), has("[tenants.") || has("[defaults]")) {
                (true, _) => {
                    queries += 1;
                    &*QUERY
                }
                (_, true) => {
                    limits += 1;
                    &*LIMITS
                }
                _ => continue,
            };
            let json = json(block).unwrap_or_else(|| panic!("no TOML in {}: {block}", path.display()));
            let refused: Vec<String> =
                schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(refused.is_empty(), "{}: {refused:#?}", path.display());
        }
    }
    assert!(queries >= 7 && limits >= 2, "too few examples were found: {queries}, {limits}");
}

/// Whether the schema of query files refuses a text.
fn is_refused(text: &str) -> bool {
    !QUERY.is_valid(&json(text).expect("TOML"))
}

#[test]
fn suffixes_determine_formats_as_for_the_reader() {
    let known = Format::SUFFIXES.iter().map(|(suffix, format)| (*suffix, format.name()));
    let described = weir_config::SUFFIXES.iter().map(|(suffix, format)| (*suffix, format.name()));
    assert_eq!(known.collect::<Vec<_>>(), described.collect::<Vec<_>>());

    let stems = ["a", "late/a", ".a", "a.", "a.txt", "", "late/", "late/.", "..", "a\n", "\u{e9}", "-"];
    let ends = ["", "/", "/.", "//./", "/..", "x", "\n", " ", ".gz"];
    let suffixes = Format::SUFFIXES.iter().map(|(suffix, _)| *suffix);
    let mut paths =
        vec!["-".to_owned(), "a".to_owned(), "csv".to_owned(), "a.xlsx".to_owned(), "a.\u{212a}son".to_owned()];
    for suffix in suffixes.flat_map(|suffix| [suffix.to_owned(), suffix.to_uppercase(), suffix.replace('s', "S")]) {
        paths.extend(stems.iter().flat_map(|stem| ends.map(|end| format!("{stem}.{suffix}{end}"))));
    }
    let (mut right, mut wrong) = (0, 0);
    for path in &paths {
        let format = Format::from_suffix(Path::new(path));
        let quoted = toml::Value::from(path.as_str()).to_string();
        let readable = format.is_some_and(Format::can_decode);
        for (key, value) in [("path", quoted.clone()), ("paths", quoted.clone()), ("paths", format!("[{quoted}]"))] {
            let source = edited(r#"path = "flights.csv""#, &format!("{key} = {value}"));
            assert_eq!(is_refused(&source), !readable, "source, {key} = {value}");
        }
        let sink = edited(r#"path = "out/late.parquet""#, &format!("path = {quoted}"));
        assert_eq!(is_refused(&sink), format.is_none(), "sink, {path:?}");
        // With a `format` the suffix does not matter.
        let sink = edited(r#"path = "out/late.parquet""#, &format!("path = {quoted}\nformat = \"csv\""));
        assert!(!is_refused(&sink), "sink with a format, {path:?}");
        if format.is_some() { right += 1 } else { wrong += 1 }
    }
    assert!(right > 200 && wrong > 200, "{right} {wrong}");
}

#[test]
fn paths_of_several_formats() {
    let env = r#"{ env = "FILE" }"#;
    for (keys, refused) in [
        (r#"paths = ["a.csv", "b.CSV"]"#.to_owned(), false),
        (r#"paths = ["a.json", "b.ndjson"]"#.to_owned(), false),
        (r#"paths = ["a.csv", "b.json"]"#.to_owned(), true),
        (r#"paths = ["a.arrow", "b.txt"]"#.to_owned(), true),
        (r#"paths = ["a.csv", "b.json"]"#.to_owned() + "\nformat = \"json_lines\"", false),
        (r#"paths = ["a.csv", "b.tsv"]"#.to_owned(), true),
        (r#"paths = ["a.csv", "b.tsv"]"#.to_owned() + "\nformat = \"csv\"", true),
        (r#"paths = ["a.txt", "b.tsv"]"#.to_owned() + "\nformat = \"csv\"", true),
        (r#"paths = ["a.csv", "b.tsv"]"#.to_owned() + "\ndelimiter = \";\"", false),
        (r#"paths = ["a.csv", "b.tsv"]"#.to_owned() + "\nformat = \"json_lines\"", false),
        // Values of the environment are known only when the query starts.
        (format!("path = {env}"), false),
        (format!("paths = {env}"), false),
        (format!("paths = [\"a.csv\", {env}]"), false),
        (format!("paths = [\"a.txt\", {env}]"), true),
        (format!("paths = [\"a.csv\", \"b.tsv\"]\nformat = {env}"), false),
        (format!("path = \"a.txt\"\nformat = {env}"), false),
    ] {
        assert_eq!(is_refused(&edited(r#"path = "flights.csv""#, &keys)), refused, "{keys}");
    }
}

#[test]
fn dead_letters_without_a_place() {
    const PLACE: &str = "\n[dead_letters]\npath = \"dead.jsonl\"\n";
    const RETRY: &str = "on_error = \"retry\"\nretry = { then = \"dead_letter\" }";
    for (from, to) in [
        (r#"path = "flights.csv""#, "path = \"flights.csv\"\non_error = \"dead_letter\"".to_owned()),
        (r#"on_error = "skip""#, r#"on_error = "dead_letter""#.to_owned()),
        (r#"on_error = "skip""#, RETRY.to_owned()),
        ("rows_max = 10", "on_error = \"dead_letter\"".to_owned()),
        ("rows_max = 10", RETRY.to_owned()),
    ] {
        let text = edited(from, &to);
        assert!(is_refused(&text), "{text}");
        assert!(!is_refused(&(text + PLACE)), "{to}");
    }
    for policy in [r#"{ env = "POLICY" }"#, r#""fail""#, r#""skip""#, r#""retry""#] {
        let text = edited(r#"on_error = "skip""#, &format!("on_error = {policy}"));
        assert!(!is_refused(&text), "{text}");
    }
}
