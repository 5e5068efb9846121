//! Rules for the public types of the libraries: every error has `fault` and `retryable`, error enums can grow, and each name means
//! one thing.

use std::collections::BTreeMap;

use crate::sources::Package;

/// Packages whose types other packages do not use by name: programs, attacks and measurements, and the guest side, whose names are
/// for authors of functions.
const OTHERS: [&str; 10] = [
    "weir-cli",
    "weir-redteam",
    "weir-hostile",
    "weir-guest",
    "weir-guest-macros",
    "weir-abi",
    "weir-tests",
    "weir-corpora",
    "weir-benches",
    "xtask",
];

/// Names that several libraries use for different types, with the reason.
const SHARED: [(&str, &str); 0] = [];

/// A public struct, enum or trait.
#[derive(Debug, PartialEq, Eq)]
struct Public {
    library: String,
    name: String,
    is_enum: bool,
    is_error: bool,
    is_open: bool,
}

/// The packages whose public types are for other programs.
pub(crate) fn libraries(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| !OTHERS.contains(&package.name.as_str()))
}

/// The violations, one line each.
pub(crate) fn broken(packages: &[Package]) -> Vec<String> {
    let files: Vec<(String, String)> = libraries(packages)
        .flat_map(|package| package.texts.values().map(|text| (package.name.clone(), text.clone())))
        .collect();
    check(&files, &SHARED)
}

/// Checks files with their libraries.
fn check(files: &[(String, String)], shared: &[(&str, &str)]) -> Vec<String> {
    let mut all: Vec<Public> = files.iter().flat_map(|(library, text)| types_of(library, text)).collect();
    all.sort_by(|one, other| (&one.name, &one.library).cmp(&(&other.name, &other.library)));
    let mut broken = Vec::new();
    for Public { library, name, is_enum, is_open, .. } in all.iter().filter(|public| public.is_error) {
        for method in ["fault", "retryable"] {
            if !has_method(files, library, name, method) {
                broken.push(format!("the error `{name}` of {library} has no `pub fn {method}(&self)`"));
            }
        }
        if *is_enum && !is_open {
            broken.push(format!("the error `{name}` of {library} is not `#[non_exhaustive]`"));
        }
    }
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for public in &all {
        let libraries = by_name.entry(&public.name).or_default();
        if !libraries.contains(&&*public.library) {
            libraries.push(&public.library);
        }
    }
    for (name, libraries) in &by_name {
        let allowed = shared.iter().any(|(other, _)| other == name);
        if libraries.len() > 1 && !allowed {
            broken.push(format!("`{name}` means something else in each of {}: rename", libraries.join(", ")));
        }
    }
    for (name, _) in shared {
        if by_name.get(name).is_none_or(|libraries| libraries.len() < 2) {
            broken.push(format!("`{name}` is listed as a name in several libraries, but is not: check the name"));
        }
    }
    broken
}

/// The public types that a file declares at its top level.
fn types_of(library: &str, text: &str) -> Vec<Public> {
    // Types in tests do not count.
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut types = Vec::new();
    let mut attributes = String::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        if let ["pub", kind @ ("struct" | "enum" | "trait" | "type"), name, ..] = *words {
            let by_hand = [format!("impl Error for {name} "), format!("impl std::error::Error for {name} ")];
            types.push(Public {
                library: library.to_owned(),
                name: name.to_owned(),
                is_enum: kind == "enum",
                is_error: attributes.contains("Error)]") || by_hand.iter().any(|by_hand| text.contains(by_hand)),
                is_open: attributes.contains("#[non_exhaustive]"),
            });
        }
        // Attributes are together, possibly with comments and texts of several lines between them.
        match line {
            "" | "}" => attributes.clear(),
            line => attributes.push_str(line),
        }
    }
    types
}

/// Whether a type has a public method without arguments.
fn has_method(files: &[(String, String)], library: &str, name: &str, method: &str) -> bool {
    let (begin, signature) = (format!("\nimpl {name} {{\n"), format!("\n    pub fn {method}(&self)"));
    files.iter().filter(|(other, _)| other == library).any(|(_, text)| {
        text.split(&begin).skip(1).any(|block| block.split("\n}\n").next().is_some_and(|it| it.contains(&signature)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
/// An error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Bad {
    One,
}

impl Bad {
    /// Who.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether.
    pub fn retryable(&self) -> bool {
        false
    }
}

#[derive(Debug)]
pub struct Thing;
";

    fn broken(files: &[(&str, &str)], shared: &[(&str, &str)]) -> String {
        let files: Vec<_> = files.iter().map(|(library, text)| ((*library).to_owned(), (*text).to_owned())).collect();
        check(&files, shared).join("\n")
    }

    #[test]
    fn an_error_says_whose_fault_it_is_and_can_grow() {
        assert_eq!(broken(&[("a", GOOD)], &[]), "");
        let closed = GOOD.replace("#[non_exhaustive]\n", "");
        assert_eq!(broken(&[("a", &closed)], &[]), "the error `Bad` of a is not `#[non_exhaustive]`");
        let silent = GOOD.replace("fn retryable", "fn again").replace("pub fn fault", "fn fault");
        assert_eq!(
            broken(&[("a", &silent)], &[]),
            "the error `Bad` of a has no `pub fn fault(&self)`\nthe error `Bad` of a has no `pub fn retryable(&self)`"
        );
        let by_hand = "pub struct Lost;\n\nimpl std::error::Error for Lost {}\n";
        assert_eq!(broken(&[("a", by_hand)], &[]).lines().count(), 2);
    }

    #[test]
    fn a_name_means_one_thing() {
        let thing = "pub struct Thing {\n";
        let said = "`Thing` means something else in each of a, b: rename";
        assert_eq!(broken(&[("a", GOOD), ("b", thing)], &[]), said);
        assert_eq!(broken(&[("a", GOOD), ("b", thing)], &[("Thing", "a view of it")]), "");
        assert_eq!(
            broken(&[("a", GOOD)], &[("Thing", "a view of it")]),
            "`Thing` is listed as a name in several libraries, but is not: check the name"
        );
    }
}
