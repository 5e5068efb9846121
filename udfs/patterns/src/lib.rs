//! Functions that use crates which many guests use, with default features: a host must admit modules that are as expensive to
//! compile.
#![forbid(unsafe_code)]

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;
use weir_guest::prelude::*;

/// A line of text.
#[derive(Row)]
pub struct Line<'a> {
    /// The text.
    pub line: &'a str,
}

/// What is looked for.
#[derive(Params)]
pub struct Pattern {
    /// A regular expression, as the crate `regex` reads it.
    pub pattern: String,
}

/// A pattern that was compiled.
pub struct Matching {
    regex: Regex,
}

/// Lines in which the pattern is found.
#[transform(name = "matching")]
impl Matching {
    /// Compiles the pattern.
    pub fn start(pattern: Pattern) -> Matching {
        match Regex::new(&pattern.pattern) {
            Ok(regex) => Matching { regex },
            Err(error) => panic!("the pattern is none: {error}"),
        }
    }

    /// Whether the pattern is found in the line.
    pub fn apply(&mut self, line: Line<'_>) -> bool {
        self.regex.is_match(line.line)
    }
}

/// A record as a log line has it.
#[derive(Row, Debug, PartialEq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, without what follows a question mark.
    pub path: String,
    /// The status.
    pub status: i64,
}

/// Requests out of the lines of a web server's log; other lines are left out.
#[transform]
pub fn request(line: Line<'_>) -> Option<Request> {
    static REQUEST: OnceLock<Regex> = OnceLock::new();
    let pattern = r#""(?<method>\p{Lu}+) (?<path>[^ ?"]+)[^"]*" (?<status>\d{3})\b"#;
    let regex = REQUEST.get_or_init(|| Regex::new(pattern).unwrap_or_else(|error| panic!("{error}")));
    let found = regex.captures(line.line)?;
    let text = |name| found.name(name).map(|found| found.as_str().to_owned());
    Some(Request { method: text("method")?, path: text("path")?, status: text("status")?.parse().ok()? })
}

/// A document.
#[derive(Row)]
pub struct Document<'a> {
    /// JSON.
    pub json: &'a str,
}

/// A value found in a document.
#[derive(Row, Debug, PartialEq)]
pub struct Found {
    /// The value, as JSON.
    pub value: String,
}

/// What is selected.
#[derive(Params)]
pub struct Selection {
    /// A JSONPath query (RFC 9535).
    #[param(default = "$..*")]
    pub path: String,
}

/// The values that a path selects in each document.
#[transform]
pub fn selected(document: Document<'_>, selection: &Selection) -> Result<Vec<Found>, String> {
    let path = JsonPath::parse(&selection.path).map_err(|error| format!("the path is none: {error}"))?;
    let value: Value = serde_json::from_str(document.json).map_err(|error| error.to_string())?;
    Ok(path.query(&value).iter().map(|value| Found { value: value.to_string() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_match_a_pattern() {
        let mut matching = Matching::start(Pattern { pattern: r"(?i)err(or)?\b".to_owned() });
        assert_eq!(["an ERROR", "errand"].map(|line| matching.apply(Line { line })), [true, false]);
    }

    #[test]
    fn requests_are_read_out_of_a_log() {
        let line = r#"10.0.0.1 - - [01/Jan/2024] "GET /a/b?c=d HTTP/1.1" 404 12"#;
        let expected = Request { method: "GET".to_owned(), path: "/a/b".to_owned(), status: 404 };
        assert_eq!(request(Line { line }), Some(expected));
        assert_eq!(request(Line { line: "no request" }), None);
    }

    #[test]
    fn values_are_selected_by_a_path() {
        let all = Selection { path: "$.a[?@.n > 1].n".to_owned() };
        let json = r#"{"a": [{"n": 1}, {"n": 2}, {"n": 3}]}"#;
        let values =
            selected(Document { json }, &all).map(|found| found.into_iter().map(|found| found.value).collect());
        assert_eq!(values, Ok(vec!["2".to_owned(), "3".to_owned()]));
        assert!(selected(Document { json: "{" }, &all).is_err());
    }
}
