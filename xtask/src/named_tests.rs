//! Tests that documentation names exist: `folder/file.rs::name_of_the_test`, in backticks.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::Workspace;

/// The page that names a test for each wall, and how many it has at least: a page whose names cannot be found would pass.
const PAGE: &str = "docs/security-model.md";
const NAMES_MIN: usize = 40;

/// What is wrong: each test that a page of `docs` names and that is not there.
pub(crate) fn broken(workspace: &Workspace) -> Result<Vec<String>> {
    let mut broken = Vec::new();
    for entry in std::fs::read_dir(workspace.path("docs")).context("could not list docs")? {
        let file = format!("docs/{}", entry?.file_name().to_string_lossy());
        if !file.ends_with(".md") {
            continue;
        }
        let text = std::fs::read_to_string(workspace.path(&file)).with_context(|| format!("could not read {file}"))?;
        let names = named(&text);
        if file == PAGE && names.len() < NAMES_MIN {
            broken.push(format!("{file}: names {} tests, expected {NAMES_MIN} at least", names.len()));
        }
        for (place, test) in names {
            match std::fs::read_to_string(workspace.path(&place)) {
                Ok(source) if has_test(&source, &test) => {}
                Ok(_) => broken.push(format!("{file}: no test `{test}` in {place}; name the one that shows this now")),
                Err(_) => broken.push(format!("{file}: no file {place}, where the test `{test}` should be")),
            }
        }
    }
    Ok(broken)
}

/// Files and tests that a page names, each once.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let code = text.split('`').skip(1).step_by(2);
    let names = code
        .filter_map(|code| code.split_once("::"))
        .filter(|(place, _)| Path::new(place).extension().is_some_and(|suffix| suffix == "rs") && place.contains('/'));
    names.map(|(place, test)| (place.to_owned(), test.to_owned())).collect()
}

/// Whether a file has a test of this name: one that is run.
fn has_test(source: &str, test: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_test = |line: &&str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ").is_some_and(|rest| rest.strip_prefix(test).is_some_and(|rest| rest.starts_with('(')))
    };
    lines.iter().enumerate().filter(|(_, line)| is_test(line)).any(|(at, _)| {
        let above = lines.iter().take(at).rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        let above: Vec<&&str> = above.collect();
        let is = |name: &str| above.iter().any(|line| line.starts_with(name));
        (is("#[test]") || is("#[tokio::test")) && !is("#[ignore")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_backticks() {
        let text = "See `a/b.rs::one`, `c.rs::two` and `a/b.rs::one`;\n`weir_confine::confine`, `x/y.rs`, plain a/b.rs::three.";
        assert_eq!(named(text), BTreeSet::from([("a/b.rs".to_owned(), "one".to_owned())]));
    }

    #[test]
    fn only_tests_that_are_run_count() {
        let source = "#[test]\nfn one() {}\n\n#[tokio::test(flavor = \"multi_thread\")]\nasync fn two() {}\n\nfn three() {}\n\
                      #[test]\n#[ignore = \"slow\"]\nfn four() {}\n";
        let found = ["one", "two", "three", "four", "on"].map(|name| has_test(source, name));
        assert_eq!(found, [true, true, false, false, false]);
    }
}
