//! The JSON Schemas beside the reader: they take what is right, and refuse every mistake that a schema can see.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value as Json;
use weir_config::Problem;

static QUERY: LazyLock<Validator> = LazyLock::new(|| validator(&weir_config::query_schema()));
static LIMITS: LazyLock<Validator> = LazyLock::new(|| validator(&weir_config::limits_schema()));

fn validator(schema: &str) -> Validator {
    jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).expect("a JSON Schema")
}

/// What no schema can see, with pieces of the messages that say so.
const BEYOND: [(&str, &[&str]); 9] = [
    (
        "values of keys that must differ",
        &[
            "is the delimiter as well",
            "is the quote as well",
            "as a comment does",
            "holds a delimiter, quote or line end",
        ],
    ),
    ("numbers that no integer of 64 bits holds", &["9223372036854775808 is out of range"]),
    (
        "names that a file gives to its own parts",
        &[
            "there is no source or stage",
            "a stage cannot read its own output",
            "comes later",
            "is a sink, from which nothing can be read",
            "is named twice",
            "is taken by a",
            "feeds no stage and no sink",
            "there is nowhere for dead letters to go",
            "what is read together needs the same fields",
            "both are read where no `input` says which",
            "reads as group",
            "reads this topic",
            "a query may have",
            "a query of tenant",
        ],
    ),
    (
        "files: paths, suffixes and what is there",
        &[
            "there is no file",
            "is a folder",
            "the suffix of",
            "files can be written but not read",
            "a json_lines file among csv files",
            "is no regular file",
            "is no folder that can be used",
            "writes this file too",
            "reads this file",
            "is expanded",
            "is not expanded in a query file",
            "is an address",
            "does not mean the standard",
            "must end in the name of a file",
            "it holds a NUL",
            "files carry no schema",
            "which is not read",
            "and is not read",
            "lies outside of the folders",
            "cannot be read",
        ],
    ),
    (
        "schemas of files and of topics' records",
        &[
            "has no such field",
            "the sink is given no column",
            "column `",
            "holds ",
            "are not read from",
            "is empty: nothing tells its fields",
            "are separated differently",
            "has more than one column of this name",
            "a header's name",
            "needs one field",
            "the file has no header",
        ],
    ),
    (
        "modules and functions",
        &[
            "is refused (",
            "has no function",
            "has no param",
            "param `",
            "needs the param",
            "reads the field",
            "carry names",
            "reads `",
            "every column goes on as it is",
            "is lost",
        ],
    ),
    (
        "what sources, sinks and delivery promise together",
        &[
            "`exactly_once`",
            "there are no transactions under",
            "without a `state`",
            "positions are kept by the consumer group, in the transaction",
            "which are in no Kafka transaction",
            "the topics of one transaction have one producer",
            "these letters are",
            "is longer than the transaction's",
            "the broker aborts a transaction",
            "rotat",
        ],
    ),
    (
        "librdkafka's options, brokers and topics",
        &[
            "option `",
            "librdkafka does not",
            "`sasl.",
            "host:port",
            "cannot be a topic",
            "a group ",
            "`ssl.",
            "`security.",
        ],
    ),
    (
        "the environment, and what a tenant may have",
        &[
            "variable",
            "may not speak for the tenant",
            "is more than tenant",
            "instances at once",
            "is not one of tenant",
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
