//! QUERY.md lists every key that is accepted, and none that is refused.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::super::{LimitsFile, Plan};
use super::{GOOD, folder};

thread_local! {
    /// The keys that each kind of table was asked for, by what errors call the table.
    static ASKED: RefCell<BTreeMap<String, BTreeSet<&'static str>>> = RefCell::default();
}

/// Remembers which keys a table takes; called where a table has been read.
pub(in super::super) fn record(what: &str, known: &[&'static str]) {
    ASKED.with_borrow_mut(|asked| asked.entry(what.to_owned()).or_default().extend(known));
}

const DOCUMENT: &str = include_str!("../../../QUERY.md");

/// Queries that have a table of every kind. Some have mistakes: their tables are read all the same.
fn queries() -> Vec<String> {
    let mut queries = vec![
        GOOD.to_owned(),
        GOOD.replace("on_error = \"skip\"", "on_error = \"retry\"\nretry = { times_max = 1 }"),
        "[dead_letters]\npath = \"dead.jsonl\"".to_owned(),
        "[dead_letters]\nkind = \"kafka\"".to_owned(),
    ];
    for kind in ["file", "kafka", "generator", "nexmark"] {
        queries.push(format!("[sources.in]\nkind = \"{kind}\""));
    }
    for kind in ["stdout", "file", "kafka", "count"] {
        queries.push(format!("[sinks.out]\nkind = \"{kind}\"\non_error = \"retry\"\nretry = {{ times_max = 1 }}"));
    }
    queries
}

/// Every name in the document: in backticks, or as a key or header of an example.
fn names() -> BTreeSet<&'static str> {
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let examples =
        DOCUMENT.split("```").skip(1).step_by(2).flat_map(|example| example.split(|letter| !of_name(letter)));
    let quoted = DOCUMENT.split('`').skip(1).step_by(2).flat_map(|text| text.split(|letter| !of_name(letter)));
    quoted.chain(examples).collect()
}

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The keys in the first column of the tables of query and limits files, which end before the variables of OpenTelemetry.
fn listed() -> BTreeSet<&'static str> {
    let section = |name: &str| {
        let section = DOCUMENT.split_once(&format!("\n## {name}\n")).map(|(_, rest)| rest);
        section
            .map(|rest| rest.split("\n## ").next().unwrap_or_default())
            .unwrap_or_else(|| panic!("no section {name}"))
    };
    let sections = ["Sources", "Stages", "Sinks", "Delivery", "The limits file"];
    let rows = sections.into_iter().flat_map(|name| section(name).lines()).filter_map(|line| line.strip_prefix("| `"));
    let first_cells = rows.filter_map(|row| row.split(" | ").next());
    let keys: BTreeSet<&str> = first_cells.flat_map(quoted_after_first).collect();
    // A table of types is no table of keys.
    let types = ["binary", "bool", "f64", "i8", "i16", "i32", "i64", "utf8", "timestamp"];
    keys.into_iter().filter(|key| !types.contains(key)).collect()
}

/// The same where the text begins inside of the first pair.
fn quoted_after_first(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').step_by(2)
}

#[test]
fn each_key_that_is_accepted_is_listed_and_none_else() {
    let folder = folder();
    for query in queries() {
        // Whatever is wrong with it: what counts is which keys were asked for.
        drop(Plan::parse(&query, folder.path()));
    }
    drop(LimitsFile::parse("[defaults]\n[tenants.demo]\n", folder.path()));
    let asked = ASKED.with_borrow(Clone::clone);
    let all: BTreeSet<&str> = asked.values().flatten().copied().collect();
    assert!(asked.len() >= 14 && all.len() > 60, "too few tables were read: {asked:?}");

    let named = names();
    let unlisted: Vec<_> = asked
        .iter()
        .flat_map(|(what, keys)| keys.iter().map(move |key| format!("{key} of {what}")))
        .filter(|entry| !named.contains(entry.split(' ').next().unwrap_or_default()))
        .collect();
    assert!(unlisted.is_empty(), "QUERY.md does not name these keys: {unlisted:#?}");
    let refused: Vec<_> = listed().into_iter().filter(|key| !all.contains(key)).collect();
    assert!(refused.is_empty(), "QUERY.md lists keys that are refused: {refused:?}");
}

/// A pattern of QUERY.md, such as `fetch.*` or `sasl.mechanism(s)`, or a plain name.
fn covers(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_suffix("(s)")) {
        (Some(prefix), _) => name.starts_with(prefix),
        (_, Some(stem)) => name.strip_prefix(stem).is_some_and(|rest| matches!(rest, "" | "s")),
        _ => pattern == name,
    }
}

#[test]
fn each_option_of_kafka_that_is_accepted_is_listed_and_none_else() {
    let (_, rest) = DOCUMENT.split_once("### Kafka's options").expect("the section");
    let section = rest.split("\n## ").next().expect("its text");
    let patterns: Vec<&str> =
        quoted(section).into_iter().filter(|text| text.contains('.') && !text.contains(['=', ' '])).collect();
    let allowed: Vec<&str> = weir_kafka::KafkaConnection::allowed_options().iter().map(|option| option.name).collect();
    let unlisted: Vec<_> =
        allowed.iter().filter(|name| !patterns.iter().any(|pattern| covers(pattern, name))).collect();
    assert!(unlisted.is_empty(), "QUERY.md does not name these options: {unlisted:?}");
    let refused: Vec<_> = patterns.iter().filter(|pattern| !allowed.iter().any(|name| covers(pattern, name))).collect();
    assert!(refused.is_empty(), "QUERY.md names options that are refused: {refused:?}");
}

#[test]
fn each_cap_on_a_module_is_listed_with_its_default_and_range() {
    let rows: Vec<String> = weir_sandbox::ModuleLimits::CAPS
        .iter()
        .map(|cap| format!("| `{}` | {} | {} to {} | {} |", cap.key, cap.default, cap.least, cap.most, cap.what))
        .collect();
    let missing: Vec<_> = rows.iter().filter(|row| !DOCUMENT.lines().any(|line| line == row.as_str())).collect();
    assert!(missing.is_empty(), "QUERY.md has no such rows: {missing:#?}");
}
