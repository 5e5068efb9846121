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
            "the query has no destination for dead letters",
            "inputs that are read together",
            "without `input`, all sources are read",
            "also uses group",
            "reads this topic",
            "but a query may have",
            "but a query of tenant",
        ],
    ),
    (
        "files: paths, suffixes and what is there",
        &[
            "` does not exist",
            "is a folder",
            "the suffix of",
            "files can only be written",
            "a json_lines file among csv files",
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
            "use different delimiters",
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
