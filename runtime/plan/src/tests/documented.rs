//! QUERY.md lists every option of Kafka that is accepted, and none that is refused. Its tables of keys are made of their
//! descriptions, and held by a test of `weir-config`.

use std::collections::BTreeSet;

const DOCUMENT: &str = include_str!("../../../query/QUERY.md");

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
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
