//! What a later version may add to without breaking a program that was built on an earlier one.
//!
//! A public struct of public fields is `#[non_exhaustive]`: it is made by `new` or `Default`, and its fields are then assigned. A public
//! enum of the crate `weir` is either `#[non_exhaustive]` or closed on purpose. What is closed is listed here with the reason.

use crate::public;
use crate::sources::Package;

/// Structs that are closed: a library, a name (`*Draft`: all that end so; `*`: all), and why.
const CLOSED_STRUCTS: [Closed; 21] = [
    Closed {
        library: "weir-config",
        name: "*Draft",
        reason: "a draft is taken apart as a whole: a key that nothing resolves does not compile",
    },
    Closed { library: "weir-config", name: "WrittenText", reason: "a text and its place, as a draft holds them" },
    Closed {
        library: "weir-state",
        name: "*",
        reason: "stored data is written and read as a whole: a field that one side forgets does not compile",
    },
    Closed { library: "weir-formats", name: "ResumePlace", reason: "stored with positions" },
    Closed { library: "weir-formats", name: "TextPlace", reason: "stored with positions" },
    Closed {
        library: "weir-admission",
        name: "CodeSettings",
        reason: "part of the key of the code cache: whoever makes code states all of it",
    },
    Closed {
        library: "weir-sandbox",
        name: "GuestSeries",
        reason: "a key of maps: two are the same if all fields are",
    },
    Closed { library: "weir-sandbox", name: "SeriesDelta", reason: "folded as a whole" },
    Closed { library: "weir-sandbox", name: "MetricBatch", reason: "folded as a whole" },
    Closed { library: "weir-confine", name: "*", reason: "whoever confines a process states every wall" },
    Closed {
        library: "weir-frame",
        name: "*",
        reason: "both ends are of one version: a field that one of them forgets does not compile",
    },
    Closed { library: "weir-query", name: "CommittedMetric", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "CommittedSeries", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "Series", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "Details", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "StageDetails", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "SinkDetails", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "Durations", reason: SNAPSHOT },
    Closed { library: "weir-query", name: "Extent", reason: SNAPSHOT },
    Closed { library: "weir-letters", name: "Sender", reason: "every letter states all of it" },
    Closed { library: "weir-letters", name: "Why", reason: "every letter states all of it" },
];

/// Why what a query says of itself is closed.
const SNAPSHOT: &str = "the snapshot of a query is filled as a whole, and only read elsewhere";

/// Enums of the crate `weir` that are closed, and why.
const CLOSED_ENUMS: [Closed; 5] = [
    Closed { library: "weir-admission", name: "Compiler", reason: "the engine compiles in each of these ways" },
    Closed { library: "weir-batch", name: "DataType", reason: "each type needs code wherever values are handled" },
    Closed { library: "weir-query", name: "QueryState", reason: "whoever steers a query handles each state" },
    Closed { library: "weir-fault", name: "Fault", reason: "whoever handles an error handles each of the three" },
    Closed { library: "weir-sources", name: "SourceEvent", reason: "an event that is passed over loses records" },
];

/// The file whose `pub use` says what the crate `weir` offers.
const FACADE: &str = "runtime/weir/src/lib.rs";

/// A type, or several, to which adding is a breaking change.
struct Closed {
    library: &'static str,
    name: &'static str,
    reason: &'static str,
}

impl Closed {
    fn covers(&self, found: &Found) -> bool {
        let named = match self.name.strip_prefix('*') {
            Some(end) => found.name.ends_with(end),
            None => found.name == self.name,
        };
        self.library == found.library && named
    }
}

/// A public type whose making or matching elsewhere names every part of it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    library: String,
    name: String,
    is_enum: bool,
}

/// What is wrong, a line each.
pub(crate) fn broken(packages: &[Package]) -> Vec<String> {
    let facade = packages.iter().find_map(|package| package.texts.get(FACADE));
    let Some(offered) = facade.map(|text| offered(text)).filter(|offered| !offered.is_empty()) else {
        return vec![format!("{FACADE} offers nothing: check the path")];
    };
    let found: Vec<Found> = public::libraries(packages)
        .flat_map(|package| package.texts.values().flat_map(|text| open_to_all(&package.name, text)))
        .collect();
    check(&found, &offered, &CLOSED_STRUCTS, &CLOSED_ENUMS)
}

fn check(found: &[Found], offered: &[&str], structs: &[Closed], enums: &[Closed]) -> Vec<String> {
    let mut broken = Vec::new();
    for it in found {
        let Found { library, name, .. } = it;
        match it.is_enum {
            false if !structs.iter().any(|closed| closed.covers(it)) => broken.push(format!(
                "the struct `{name}` of {library} has public fields only and is not `#[non_exhaustive]`: add it, with a constructor"
            )),
            true if offered.contains(&name.as_str()) && !enums.iter().any(|closed| closed.covers(it)) => broken.push(
                format!("the enum `{name}` of {library} is offered by `weir`: make it `#[non_exhaustive]`, or list why it is closed"),
            ),
            _ => {}
        }
    }
    for closed in structs.iter().chain(enums) {
        if !found.iter().any(|it| closed.covers(it)) {
            let Closed { library, name, reason } = closed;
            broken.push(format!(
                "`{name}` of {library} is listed as closed ({reason}), but is not there: check the name"
            ));
        }
    }
    broken
}

/// The names that a file re-exports.
fn offered(text: &str) -> Vec<&str> {
    let uses = text.split("\npub use ").skip(1).filter_map(|rest| rest.split(';').next());
    uses.flat_map(|names| names.split(|c: char| !c.is_alphanumeric() && c != '_')).filter(|it| !it.is_empty()).collect()
}

/// The public structs of named public fields only, and the public enums, that are not `#[non_exhaustive]` and no errors.
fn open_to_all(library: &str, text: &str) -> Vec<Found> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut found = Vec::new();
    let mut attributes = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let is_open = attributes.contains("#[non_exhaustive]");
        if let ["pub", kind @ ("struct" | "enum"), name, ..] = *words
            && line.ends_with('{')
            && !is_open
        {
            let is_enum = kind == "enum";
            let mut fields = std::iter::from_fn(|| lines.next_if(|line| *line != "}")).filter(|line| is_field(line));
            // Of an enum the lines are variants, which are all public.
            let (count, public) = fields.by_ref().fold((0, 0), |(count, public), field| {
                (count + 1, public + usize::from(field.starts_with("    pub ")))
            });
            let all_public = count > 0 && count == public;
            if is_enum && !attributes.contains("Error)]") || !is_enum && all_public {
                found.push(Found { library: library.to_owned(), name: name.to_owned(), is_enum });
            }
        }
        match line {
            "" | "}" => attributes.clear(),
            line => attributes.push_str(line),
        }
    }
    found
}

/// Whether a line of a struct begins a field, rather than a comment or an attribute, or going on with either.
fn is_field(line: &str) -> bool {
    line.strip_prefix("    ").is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic() || c == '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: [Closed; 1] = [Closed { library: "a", name: "*Draft", reason: "it is whole" }];

    fn broken(text: &str, offered: &[&str]) -> String {
        let mut found = open_to_all("a", text);
        found.extend(open_to_all("a", "pub struct OneDraft {\n    pub x: u8,\n}\n"));
        check(&found, offered, &CLOSED, &[]).join("\n")
    }

    #[test]
    fn a_struct_of_public_fields_can_grow() {
        let settings = "/// Settings.\n#[derive(Clone)]\npub struct Settings {\n    /// It.\n    #[serde(skip)]\n    pub it: u8,\n}\n";
        assert_eq!(
            broken(settings, &[]),
            "the struct `Settings` of a has public fields only and is not `#[non_exhaustive]`: add it, with a constructor"
        );
        for right in [
            settings.replace("pub struct", "#[non_exhaustive]\npub struct"),
            settings.replace("pub it", "it"),
            settings.replace("pub it", "pub(crate) it"),
            settings.replace("Settings {", "SettingsDraft {"),
            settings.replace("pub struct", "pub(crate) struct"),
            format!("#[cfg(test)]\nmod tests {{\n{settings}}}\n"),
            "pub struct Bytes(pub u64);\npub struct Nothing;\n".to_owned(),
        ] {
            assert_eq!(broken(&right, &[]), "", "{right}");
        }
    }

    #[test]
    fn an_enum_that_is_offered_is_open_or_closed_on_purpose() {
        let text = "#[derive(Debug)]\npub enum Kind {\n    One,\n}\n";
        assert_eq!(broken(text, &["Other"]), "");
        assert_eq!(
            broken(text, &["Kind"]),
            "the enum `Kind` of a is offered by `weir`: make it `#[non_exhaustive]`, or list why it is closed"
        );
        assert_eq!(broken(&text.replace("pub enum", "#[non_exhaustive]\npub enum"), &["Kind"]), "");
        // Errors have a rule of their own.
        assert_eq!(broken(&text.replace("Debug)]", "Debug, thiserror::Error)]"), &["Kind"]), "");
        assert_eq!(offered("//! Front page\n\npub use a::{B, c};\npub use d::E;\n"), ["a", "B", "c", "d", "E"]);
    }

    #[test]
    fn a_closed_type_that_is_not_there_is_reported() {
        assert_eq!(
            check(&[], &[], &CLOSED, &[]),
            ["`*Draft` of a is listed as closed (it is whole), but is not there: check the name"]
        );
    }
}
